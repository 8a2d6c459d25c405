//! Work in the background: how often each kind ran, how it ended, and when it last went well.

use super::registrar::{Registrar, Seconds};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use std::time::SystemTime;

/// The kinds of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Partitions of the coming months are made.
    Partitions,
    /// Uploads that never arrived are given up.
    Uploads,
    /// Files of erased patients are deleted.
    Remains,
    /// Counts of failed sign-ins and replaced tokens are deleted.
    SignIns,
    /// Old windows of the limits are deleted.
    Limits,
    /// Admins are told of emergency access.
    Alerts,
    /// Failed sign-ins are written to the access logs.
    Refusals,
    /// Checkpoints of the evidence are written.
    Checkpoints,
    /// Webhooks that there is something for are looked for.
    Webhooks,
    /// Admins are told of webhooks that were disabled.
    WebhookNotices,
    /// Old rows of the log of deliveries are deleted.
    WebhookLog,
}

impl Work {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Partitions,
        Self::Uploads,
        Self::Remains,
        Self::SignIns,
        Self::Limits,
        Self::Alerts,
        Self::Refusals,
        Self::Checkpoints,
        Self::Webhooks,
        Self::WebhookNotices,
        Self::WebhookLog,
    ];

    /// Its word in labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Partitions => "partitions",
            Self::Uploads => "uploads",
            Self::Remains => "remains",
            Self::SignIns => "sign_ins",
            Self::Limits => "limits",
            Self::Alerts => "alerts",
            Self::Refusals => "refusals",
            Self::Checkpoints => "checkpoints",
            Self::Webhooks => "webhooks",
            Self::WebhookNotices => "webhook_notices",
            Self::WebhookLog => "webhook_log",
        }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Run {
    work: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Done {
    work: &'static str,
}

/// The meters of work in the background.
#[derive(Debug)]
pub struct WorkMeters {
    runs: Family<Run, Counter>,
    done: Family<Done, Seconds>,
    checkpoints: Counter,
    behind: Gauge,
}

impl WorkMeters {
    pub(super) fn new(registrar: &mut Registrar<'_>) -> Self {
        let meters = Self {
            runs: registrar.family(
                "clinic_background_runs",
                "Runs of work in the background, by kind and by whether they went well",
                Family::default(),
            ),
            done: registrar.family(
                "clinic_background_last_done_timestamp_seconds",
                "When a kind of work last went well; 0: not since the start",
                Family::default(),
            ),
            checkpoints: registrar
                .counter("clinic_checkpoints_written", "Checkpoints of the evidence that were written"),
            behind: registrar.gauge(
                "clinic_checkpoint_chains_behind",
                "Chains of the database that end before their newest checkpoint: an old copy was put back",
            ),
        };
        for work in Work::ALL.map(Work::as_str) {
            drop(meters.done.get_or_create(&Done { work }));
            for outcome in ["done", "failed"] {
                drop(meters.runs.get_or_create(&Run { work, outcome }));
            }
        }
        meters
    }

    /// Notes a run, and gives its outcome on.
    pub fn ran<T, E>(&self, work: Work, outcome: Result<T, E>) -> Result<T, E> {
        let (work, done) = (work.as_str(), outcome.is_ok());
        self.runs.get_or_create(&Run { work, outcome: if done { "done" } else { "failed" } }).inc();
        if done {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            self.done.get_or_create(&Done { work }).set(now.as_secs_f64());
        }
        outcome
    }

    /// Notes checkpoints that were written.
    pub fn checkpoints(&self, written: usize) {
        self.checkpoints.inc_by(u64::try_from(written).unwrap_or(u64::MAX));
    }

    /// Sets how many chains are behind their newest checkpoint.
    pub fn behind(&self, chains: usize) {
        self.behind.set(i64::try_from(chains).unwrap_or(i64::MAX));
    }
}
