//! A believable clinic, made by the program.

use crate::server::Database;

/// The demo organisation.
pub struct Demo {
    /// Password of its accounts.
    pub password: String,
}

/// Makes sure there is a demo organisation, and sets its accounts' password.
pub async fn ensure(_database: &Database, _password: Option<String>) -> Result<Demo, String> {
    Err("not there yet".to_owned())
}

/// Fills the demo organisation.
pub async fn fill(_database: &Database, _patients: u32, _seed: u64, _password: Option<String>) -> Result<Demo, String> {
    Err("not there yet".to_owned())
}
