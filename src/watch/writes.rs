//! Writes: entries of the ledger by kind and action, and how long the organisation's head is waited for and held.

use super::registrar::Registrar;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use std::time::Duration;

/// From an entry that nobody else holds up to the default `--lock-timeout`, in seconds.
const WAITS: [f64; 11] = [0.000_25, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 3.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Entry {
    kind: &'static str,
    action: &'static str,
}

/// The meters of writes.
#[derive(Debug)]
pub struct Writes {
    entries: Family<Entry, Counter>,
    append: Histogram,
    held: Histogram,
}

impl Writes {
    pub(super) fn new(registrar: &mut Registrar<'_>) -> Self {
        Self {
            entries: registrar.family(
                "clinic_ledger_entries",
                "Entries of the ledger that were committed, by kind of record and action",
                Family::default(),
            ),
            append: registrar.histogram(
                "clinic_ledger_append_seconds",
                "The statement that takes an organisation's head and appends: what exceeds a millisecond is waiting for it",
                &WAITS,
            ),
            held: registrar.histogram(
                "clinic_ledger_head_held_seconds",
                "From the entry of a write to the end of its transaction: so long others of the organisation wait",
                &WAITS,
            ),
        }
    }

    /// Notes how long the statement took that takes the head and appends.
    pub fn appended(&self, took: Duration) {
        self.append.observe(took.as_secs_f64());
    }

    /// Notes the entries of a transaction that was committed, and how long it held the head.
    pub fn committed(&self, entries: impl Iterator<Item = (&'static str, &'static str)>, held: Duration) {
        self.held.observe(held.as_secs_f64());
        for (kind, action) in entries {
            self.entries.get_or_create(&Entry { kind, action }).inc();
        }
    }
}
