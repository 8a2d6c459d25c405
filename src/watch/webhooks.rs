//! Webhooks: what was tried, how they stand, and how far behind the last of them is. Whose they are is nobody's business
//! here.

use super::registrar::{Registrar, Seconds};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use std::time::Duration;

/// How a try may end: it was taken, or the word of why not.
const OUTCOMES: [&str; 8] = ["delivered", "not_allowed", "dns", "connect", "tls", "timeout", "protocol", "status"];
/// How webhooks may stand.
const STANDINGS: [&str; 4] = ["delivering", "failing", "paused", "disabled"];
/// From a receiver next door up to the default `--webhook-timeout`, in seconds.
const TOOK: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Try {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Standing {
    state: &'static str,
}

/// The meters of webhooks.
#[derive(Debug)]
pub struct WebhookMeters {
    tries: Family<Try, Counter>,
    took: Histogram,
    standing: Family<Standing, Gauge>,
    lag: Seconds,
    given_up: Counter,
}

impl WebhookMeters {
    pub(super) fn new(registrar: &mut Registrar<'_>) -> Self {
        let meters = Self {
            tries: registrar.family(
                "clinic_webhook_deliveries",
                "Tries to deliver an event of a webhook: delivered, or why not",
                Family::default(),
            ),
            took: registrar.histogram(
                "clinic_webhook_delivery_seconds",
                "From sending an event of a webhook to its receiver's answer",
                &TOOK,
            ),
            standing: registrar.family(
                "clinic_webhooks",
                "Webhooks by how they stand, of all organisations: delivering, failing, paused, disabled",
                Family::default(),
            ),
            lag: registrar.keep(
                "clinic_webhook_lag_seconds",
                "How old the oldest change is that a receiver was to be told of and did not take",
                Seconds::default(),
            ),
            given_up: registrar.counter(
                "clinic_webhooks_given_up",
                "Webhooks that were disabled because their receiver was gone or took nothing for three days, or their account was closed",
            ),
        };
        // A series that is there from the start has a rate from its first event on.
        for outcome in OUTCOMES {
            drop(meters.tries.get_or_create(&Try { outcome }));
        }
        for state in STANDINGS {
            drop(meters.standing.get_or_create(&Standing { state }));
        }
        meters
    }

    /// Notes a try, with the word of why it failed.
    pub fn tried(&self, failure: Option<&'static str>, took: Duration) {
        self.tries.get_or_create(&Try { outcome: failure.unwrap_or("delivered") }).inc();
        self.took.observe(took.as_secs_f64());
    }

    /// Notes that a webhook was disabled.
    pub fn given_up(&self) {
        self.given_up.inc();
    }

    /// Sets how many webhooks are delivering, failing, paused and disabled, and how far behind the last is.
    pub fn stand(&self, counts: [usize; 4], lag: Duration) {
        for (state, count) in STANDINGS.into_iter().zip(counts) {
            self.standing.get_or_create(&Standing { state }).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        self.lag.set(lag.as_secs_f64());
    }
}
