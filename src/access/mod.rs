//! Who may do what: accounts, passwords, sign-in, and the door every statement passes through.

pub mod account;
pub mod password;
pub mod policy;
mod scope;
pub mod sign_in;
mod throttle;
pub mod token;

pub use scope::{Door, Emergency, Scope};
pub use sign_in::Caller;
