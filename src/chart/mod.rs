//! The chart as a whole: all kinds of record on one timeline, and the record as it was known at a moment.

mod filter;
mod kinds;
pub mod loader;
pub mod store;

pub use filter::TimelineFilter;
pub use kinds::TimelineRecord;

use crate::ledger::Entry;
use crate::patient::Patient;
use crate::vocabulary::RecordKind;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// An entry on a patient's timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEntry {
    /// The patient.
    pub patient_id: Uuid,
    /// The moment the record is about: when a session began, a consultation was held, a photo was taken.
    pub at: DateTime<Utc>,
    /// The kind of the record.
    pub kind: RecordKind,
    /// The record.
    pub record_id: Uuid,
    /// A few words that distinguish the entry.
    pub summary: String,
    /// Whether the record is signed.
    pub signed: bool,
    /// Whether the record was retracted.
    pub retracted: bool,
}

/// A chart as it was known at a moment.
pub struct PatientChart {
    /// The patient as known at that moment.
    pub patient: Patient,
    /// The moment.
    pub as_of: DateTime<Utc>,
    /// Every record that was theirs, as it was, oldest entry first.
    pub records: Vec<Entry>,
    /// The number of the newest ledger entry it contains.
    pub ledger_sequence: i64,
}
