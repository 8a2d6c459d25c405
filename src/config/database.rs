//! Which database, and who reads it.

use super::Secret;
use crate::keys::Keys;
use clap::Args;
use std::path::PathBuf;

/// Which database.
#[derive(Debug, Clone, Args)]
pub struct DatabaseSettings {
    /// Postgres to use, as the role that owns the tables; absent, the service runs a private one of its own
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<Secret>,

    /// How the service connects as the role clinic_app; absent, DATABASE_URL with that role and a password derived from it
    #[arg(long, global = true, env = "CLINIC_APP_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub app_database_url: Option<Secret>,

    /// Where the private Postgres keeps its files
    #[arg(long, global = true, env = "CLINIC_DATA_DIR", default_value = ".clinic", value_name = "DIR")]
    pub data_dir: PathBuf,

    /// Where the keys are that are not in the database: of checkpoints, of second factors and of cursors; absent, the folder keys in the data folder
    #[arg(long, global = true, env = "CLINIC_KEY_DIR", value_name = "DIR")]
    pub key_dir: Option<PathBuf>,

    /// Where the programs of the private Postgres are; absent, they are looked for
    #[arg(long, global = true, env = "CLINIC_POSTGRES_BIN", value_name = "DIR")]
    pub postgres_bin: Option<PathBuf>,

    /// Let the private Postgres forget commits when the machine loses power: for tests only
    #[arg(long, global = true, env = "CLINIC_UNSAFE_FAST_DATABASE", hide = true)]
    pub unsafe_fast_database: bool,
}

impl DatabaseSettings {
    /// The keys that are not in the database.
    pub fn keys(&self) -> Keys {
        Keys::at(&self.key_dir.clone().unwrap_or_else(|| self.data_dir.join("keys")))
    }
}

/// Who reads everything.
#[derive(Debug, Clone, Args)]
pub struct ReaderSettings {
    /// Postgres as a role that sees every row: BYPASSRLS and pg_read_all_data; absent, DATABASE_URL, or the superuser of the private Postgres
    #[arg(long, env = "CLINIC_BACKUP_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub backup_database_url: Option<Secret>,
}
