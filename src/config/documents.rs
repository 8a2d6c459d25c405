//! `clinic documents`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Checking persisted documents.
#[derive(Debug, Args)]
pub struct DocumentsArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: DocumentsCommand,
}

/// What can be done with persisted documents.
#[derive(Debug, Subcommand)]
pub enum DocumentsCommand {
    /// Check every document of a file, as `clinic serve --persisted-documents` would, and name each wrong one
    Check {
        /// The file: a map of ids to texts, or Apollo's manifest
        #[arg(env = "CLINIC_PERSISTED_DOCUMENTS", value_name = "FILE")]
        file: PathBuf,
        /// Highest cost of one query
        #[arg(long, env = "CLINIC_MAX_COST", default_value_t = 50_000, value_name = "COST")]
        max_cost: u64,
    },
}
