//! Who may do what: accounts, passwords, sign-in, and the door every statement passes through.

pub mod account;
pub mod api_key;
mod challenge;
mod held;
pub mod invitation;
pub mod one_time;
pub mod password;
pub mod policy;
pub mod rate;
pub mod refusal;
pub mod reset;
mod scope;
mod seal;
pub mod second_factor;
pub mod sessions;
pub mod sign_in;
mod throttle;
pub mod token;

pub use scope::{Door, Emergency, EmergencyOnly, Scope, SignInMark, Viewer};
pub use sign_in::Caller;
