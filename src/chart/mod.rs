//! The chart as a whole: all kinds of record on one timeline, and the record as it was known at a moment.

mod filter;
mod kinds;
pub mod loader;
pub mod store;

pub use filter::TimelineFilter;

use crate::adverse_event::AdverseEvent;
use crate::aftercare::AftercareNote;
use crate::consent::Consent;
use crate::consultation::Consultation;
use crate::health::HealthEntry;
use crate::ledger::Entry;
use crate::outcome::OutcomeAssessment;
use crate::patient::Patient;
use crate::photo::Photo;
use crate::plan::TreatmentPlan;
use crate::recall::Recall;
use crate::session::TreatmentSession;
use crate::signing::Addendum;
use crate::vocabulary::RecordKind;
use async_graphql::Union;
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
}

/// A record of the timeline.
#[derive(Clone, Union)]
pub enum TimelineRecord {
    /// An entry of the health history.
    HealthEntry(HealthEntry),
    /// A consultation.
    Consultation(Consultation),
    /// A treatment session.
    TreatmentSession(TreatmentSession),
    /// An aftercare note.
    AftercareNote(AftercareNote),
    /// An addendum.
    Addendum(Addendum),
    /// A treatment plan.
    TreatmentPlan(TreatmentPlan),
    /// A consent.
    Consent(Consent),
    /// A photo.
    Photo(Photo),
    /// An outcome assessment.
    OutcomeAssessment(OutcomeAssessment),
    /// An adverse event.
    AdverseEvent(AdverseEvent),
    /// A recall.
    Recall(Recall),
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
