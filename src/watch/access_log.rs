//! The access log: rows by event, how many share a write, and how long answers wait for theirs.

use super::registrar::Registrar;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use std::time::Duration;

/// Up to the most rows of one insert.
const ROWS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
/// From a write alone to the default `--statement-timeout`, in seconds.
const WAITS: [f64; 9] = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.05, 0.2, 1.0, 5.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Row {
    event: &'static str,
}

/// The meters of the access log.
#[derive(Debug)]
pub struct AccessLogMeters {
    rows: Family<Row, Counter>,
    batch: Histogram,
    wait: Histogram,
    failures: Counter,
}

impl AccessLogMeters {
    pub(super) fn new(registrar: &mut Registrar<'_>) -> Self {
        Self {
            rows: registrar.family(
                "clinic_access_log_rows",
                "Rows of the access log that are durable, by event",
                Family::default(),
            ),
            batch: registrar.histogram("clinic_access_log_batch_rows", "Rows that shared one write", &ROWS),
            wait: registrar.histogram(
                "clinic_access_log_wait_seconds",
                "How long an answer waited until its row was durable",
                &WAITS,
            ),
            failures: registrar.counter(
                "clinic_access_log_failures",
                "Writes that failed: the operations whose rows were in them were refused",
            ),
        }
    }

    /// Notes a write: the events of its rows, if they are durable.
    pub fn written(&self, events: impl ExactSizeIterator<Item = &'static str>, durable: bool) {
        if !durable {
            self.failures.inc();
            return;
        }
        self.batch.observe(f64::from(u32::try_from(events.len()).unwrap_or(u32::MAX)));
        for event in events {
            self.rows.get_or_create(&Row { event }).inc();
        }
    }

    /// Notes how long an answer waited for its row.
    pub fn waited(&self, wait: Duration) {
        self.wait.observe(wait.as_secs_f64());
    }
}
