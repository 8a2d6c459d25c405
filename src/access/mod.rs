//! Who may do what: accounts, passwords, sign-in, and the door every statement passes through.

pub mod account;
pub mod api_key;
mod challenge;
mod held;
pub mod invitation;
pub mod lease;
pub mod one_time;
pub mod password;
pub mod policy;
pub mod program;
pub mod rate;
pub mod refusal;
pub mod reset;
mod scope;
mod seal;
pub mod second_factor;
mod sight;
pub mod sign_in;
mod throttle;
pub mod token;
mod viewer;
pub mod vigil;

pub use scope::{Door, Scope};
pub use seal::Seal;
pub use sight::{Emergency, EmergencyOnly};
pub use sign_in::Caller;
pub use viewer::{SignInMark, Viewer};
