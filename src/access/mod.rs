//! Who may do what: accounts, passwords, sign-in, and the door every statement passes through.

pub mod account;
pub mod api_key;
pub mod password;
pub mod policy;
pub mod rate;
mod scope;
pub mod sign_in;
mod throttle;
pub mod token;

pub use scope::{Door, Scope};
pub use sign_in::Caller;
