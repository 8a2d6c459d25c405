//! Every setting: one flag, one environment variable, one default. Secrets never print.

mod audit;
mod database;
mod defaults;
mod demo;
mod documents;
mod network;
mod objects;
mod safekeeping;
mod serve;
mod staff;
mod uploads;
mod value;
mod watch;
mod webhooks;

pub use audit::{AuditArguments, AuditCommand, EvidenceSettings, VerifySettings};
use clap::{Parser, Subcommand};
pub use database::{DatabaseSettings, ReaderSettings};
pub use defaults::{DefaultsArguments, DefaultsCommand};
pub use demo::DemoSettings;
pub use documents::{DocumentsArguments, DocumentsCommand};
pub use network::{MailSettings, TlsSettings};
pub use objects::{CheckpointSettings, ObjectSettings};
pub use safekeeping::{BackupSettings, ExportSettings, RestoreSettings};
pub use serve::{Introspection, LogFormat, ServeSettings};
pub use staff::{StaffArguments, StaffCommand};
pub use uploads::UploadSettings;
pub use value::Secret;
pub use watch::WatchSettings;
pub use webhooks::WebhookSettings;

/// The clinical record of a medical-aesthetics organisation: a GraphQL service over Postgres. One line for each module.
#[derive(Debug, Parser)]
#[command(name = "clinic", version, about, max_term_width = 100)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API; brings the database up to date first
    Serve(Box<ServeSettings>),
    /// Bring the database up to date, and stop
    Migrate(DatabaseSettings),
    /// Print the GraphQL schema (SDL)
    Schema,
    /// Manage who works in an organisation
    Staff(StaffArguments),
    /// Fill a demo organisation with believable patients
    Demo(DemoSettings),
    /// Bring later default protocols and consent texts to an organisation
    Defaults(DefaultsArguments),
    /// Check the evidence
    Audit(AuditArguments),
    /// Check a front end's persisted documents against this schema
    Documents(DocumentsArguments),
    /// Write everything there is into one file: the database, photos, checkpoints
    Backup(Box<BackupSettings>),
    /// Bring a backup into an empty database
    Restore(Box<RestoreSettings>),
    /// Write every row as text, in an order that does not change: the same content gives the same bytes
    Export(Box<ExportSettings>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_flag_has_an_environment_variable() {
        fn look(command: &clap::Command) {
            for argument in command.get_arguments().filter(|it| !["help", "version"].contains(&it.get_id().as_str())) {
                let of_staff = ["email", "name", "role"].contains(&argument.get_id().as_str());
                assert!(of_staff || argument.get_env().is_some(), "{} {}", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(look);
        }
        look(&CommandLine::command());
    }
}
