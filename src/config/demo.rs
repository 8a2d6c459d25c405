//! `clinic demo`.

use super::{DatabaseSettings, ObjectSettings, Secret};
use clap::Args;

/// How to fill the demo organisation.
#[derive(Debug, Clone, Args)]
pub struct DemoSettings {
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// Where photos are kept.
    #[command(flatten)]
    pub objects: ObjectSettings,
    /// How many patients
    #[arg(long, env = "CLINIC_DEMO_PATIENTS", default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=5_000_000))]
    pub patients: u32,
    /// The same seed gives the same patients
    #[arg(long, env = "CLINIC_DEMO_SEED", default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Password of the demo accounts; generated and printed when absent
    #[arg(long, env = "CLINIC_DEMO_PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    pub demo_password: Option<Secret>,
}
