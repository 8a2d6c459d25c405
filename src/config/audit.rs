//! `clinic audit`.

use super::{CheckpointSettings, DatabaseSettings, ObjectSettings};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Checking the evidence.
#[derive(Debug, Args)]
pub struct AuditArguments {
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// What to check.
    #[command(subcommand)]
    pub command: AuditCommand,
}

/// What can be checked.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Walk the ledger and the access log of every organisation, hold them to their checkpoints, and say the first broken entry, if there is one
    Verify(Box<VerifySettings>),
    /// Print the public key that checkpoints are signed with, and its id: keep it elsewhere
    Key,
    /// Write an organisation's evidence into a file that anybody can verify without this program
    Export(Box<EvidenceSettings>),
}

/// How to verify.
#[derive(Debug, Clone, Args)]
pub struct VerifySettings {
    /// Where checkpoints are.
    #[command(flatten)]
    pub checkpoints: CheckpointSettings,
    /// How to reach them, in an S3.
    #[command(flatten)]
    pub objects: ObjectSettings,
    /// Public keys of checkpoints (PEM, one or several); absent, the one of the keys' folder
    #[arg(long, env = "CLINIC_PUBLIC_KEY", value_name = "FILE")]
    pub public_key: Option<PathBuf>,
}

/// What evidence to give out.
#[derive(Debug, Clone, Args)]
pub struct EvidenceSettings {
    /// What it is verified with first.
    #[command(flatten)]
    pub verify: VerifySettings,
    /// Name of the organisation
    #[arg(long, env = "CLINIC_ORGANISATION")]
    pub organisation: String,
    /// The file to write (tar); it must not be there yet
    #[arg(long, env = "CLINIC_OUTPUT", value_name = "FILE")]
    pub output: PathBuf,
    /// Leave out what the records say: digests are then taken as they are given, the chain still verifies
    #[arg(long, env = "CLINIC_WITHOUT_CONTENT")]
    pub without_content: bool,
}
