//! `clinic backup`, `restore` and `export`.

use super::{CheckpointSettings, DatabaseSettings, ObjectSettings, ReaderSettings};
use clap::Args;
use std::path::PathBuf;

/// How to back up.
#[derive(Debug, Clone, Args)]
pub struct BackupSettings {
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// Who reads it.
    #[command(flatten)]
    pub reader: ReaderSettings,
    /// Where photos are.
    #[command(flatten)]
    pub objects: ObjectSettings,
    /// Where checkpoints are.
    #[command(flatten)]
    pub checkpoints: CheckpointSettings,
    /// The file to write; it must not be there yet
    #[arg(long, env = "CLINIC_OUTPUT", value_name = "FILE")]
    pub output: PathBuf,
    /// Encrypt to this age key (age1…); several with commas between
    #[arg(long, env = "CLINIC_BACKUP_RECIPIENT", value_delimiter = ',', value_name = "KEYS")]
    pub recipient: Vec<String>,
    /// Encrypt with the passphrase that is the first line of this file
    #[arg(long, env = "CLINIC_PASSPHRASE_FILE", value_name = "FILE", conflicts_with = "recipient")]
    pub passphrase_file: Option<PathBuf>,
    /// Put the keys in too (of checkpoints, second factors, links to photos): only into an encrypted file
    #[arg(long, env = "CLINIC_INCLUDE_KEYS")]
    pub include_keys: bool,
}

/// How to restore.
#[derive(Debug, Clone, Args)]
pub struct RestoreSettings {
    /// Which database; it must be empty.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// Where photos go.
    #[command(flatten)]
    pub objects: ObjectSettings,
    /// Where checkpoints go.
    #[command(flatten)]
    pub checkpoints: CheckpointSettings,
    /// The backup
    #[arg(long, env = "CLINIC_INPUT", value_name = "FILE")]
    pub input: PathBuf,
    /// File of the age identity (AGE-SECRET-KEY-1…) that it is encrypted to
    #[arg(long, env = "CLINIC_BACKUP_IDENTITY", value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// File whose first line is the passphrase that it is encrypted with
    #[arg(long, env = "CLINIC_PASSPHRASE_FILE", value_name = "FILE", conflicts_with = "identity")]
    pub passphrase_file: Option<PathBuf>,
    /// Public keys of checkpoints (PEM), from where you keep them: one of them must have signed the backup; absent, nobody vouches for it, and checkpoints are held to the key in it
    #[arg(long, env = "CLINIC_PUBLIC_KEY", value_name = "FILE")]
    pub public_key: Option<PathBuf>,
    /// Take a backup without a signature: of an older version, or of a service without a key
    #[arg(long, env = "CLINIC_UNSIGNED", conflicts_with = "public_key")]
    pub unsigned: bool,
    /// Take the keys out of the backup too (of checkpoints, second factors, links to photos)
    #[arg(long, env = "CLINIC_RESTORE_KEYS")]
    pub include_keys: bool,
}

/// How to export.
#[derive(Debug, Clone, Args)]
pub struct ExportSettings {
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// Who reads it.
    #[command(flatten)]
    pub reader: ReaderSettings,
    /// Where photos are.
    #[command(flatten)]
    pub objects: ObjectSettings,
    /// The file to write (NDJSON); it must not be there yet
    #[arg(long, env = "CLINIC_OUTPUT", value_name = "FILE")]
    pub output: PathBuf,
}
