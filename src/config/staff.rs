//! `clinic staff`.

use super::DatabaseSettings;
use clap::{Args, Subcommand};

/// Managing staff at the command line.
#[derive(Debug, Args)]
pub struct StaffArguments {
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// What to do.
    #[command(subcommand)]
    pub command: StaffCommand,
}

/// What can be done with staff.
#[derive(Debug, Subcommand)]
pub enum StaffCommand {
    /// Give somebody a place in an organisation; the password is asked for, or read from standard input
    Add {
        /// E-mail to sign in with
        #[arg(long)]
        email: String,
        /// Name that others see
        #[arg(long)]
        name: String,
        /// admin, practitioner, front_desk or auditor
        #[arg(long)]
        role: String,
        /// Name of the organisation; it is created if there is none with that name
        #[arg(long, env = "CLINIC_ORGANISATION")]
        organisation: String,
    },
    /// List the staff of every organisation
    List,
    /// Bar somebody from signing in, from their next request on
    Disable {
        /// E-mail they sign in with
        #[arg(long)]
        email: String,
    },
    /// Remove the second factor of somebody who lost their app and their recovery codes
    RemoveSecondFactor {
        /// E-mail they sign in with
        #[arg(long)]
        email: String,
    },
    /// Set a password and end the sign-ins; the password is prompted for, or read from standard input
    ResetPassword {
        /// E-mail they sign in with
        #[arg(long)]
        email: String,
    },
}
