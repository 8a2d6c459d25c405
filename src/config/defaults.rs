//! `clinic defaults`.

use super::DatabaseSettings;
use clap::{Args, Subcommand};

/// What the program brings for every organisation.
#[derive(Debug, Args)]
pub struct DefaultsArguments {
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// What to do.
    #[command(subcommand)]
    pub command: DefaultsCommand,
}

/// What can be done with the defaults.
#[derive(Debug, Subcommand)]
pub enum DefaultsCommand {
    /// Replace the protocols and consent texts that an earlier program published by this one's; a clinic's own stay
    Update {
        /// Only tell what would change
        #[arg(long, env = "CLINIC_DRY_RUN")]
        dry_run: bool,
        /// Only in the organisation with this name
        #[arg(long, env = "CLINIC_ORGANISATION")]
        organisation: Option<String>,
    },
}
