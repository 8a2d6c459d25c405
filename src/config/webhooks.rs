//! How webhooks are delivered.

use super::value::parse_duration;
use crate::network::Network;
use clap::Args;
use std::time::Duration;

/// Which networks webhooks reach, and how long receivers are waited for.
#[derive(Debug, Clone, Args)]
pub struct WebhookSettings {
    /// A network that webhooks may reach beside the public internet, by http as well, such as 10.20.0.0/16; repeatable
    #[arg(long, env = "CLINIC_WEBHOOK_ALLOW_NETWORK", value_delimiter = ',', value_name = "NETWORK")]
    pub webhook_allow_network: Vec<Network>,

    /// How long the receiver of a webhook may take to answer
    #[arg(long, env = "CLINIC_WEBHOOK_TIMEOUT", default_value = "15s", value_name = "TIME", value_parser = parse_duration)]
    pub webhook_timeout: Duration,

    /// The waits between tries of a delivery, to see what three days bring in less: for tests only
    #[arg(long, env = "CLINIC_WEBHOOK_SCHEDULE", hide = true, value_delimiter = ',', value_name = "TIMES", value_parser = parse_duration)]
    pub webhook_schedule: Vec<Duration>,
}
