//! The kinds of record that a chart is made of: one row each. A new kind of record gets its row here.

use crate::vocabulary::RecordKind;

/// A kind of record on the timeline.
pub struct Kind {
    /// The kind; its word is its table.
    pub kind: RecordKind,
    /// The column of the moment it tells of.
    pub at: &'static str,
    /// Whether a row is signed.
    pub signed: &'static str,
    /// Whether a row was made in error.
    pub in_error: &'static str,
    /// Words from the row's own vocabularies that distinguish it; no free text.
    pub summary: &'static str,
}

const fn kind(
    kind: RecordKind,
    at: &'static str,
    signed: &'static str,
    in_error: &'static str,
    summary: &'static str,
) -> Kind {
    Kind { kind, at, signed, in_error, summary }
}

const SIGNED: &str = "signed_at IS NOT NULL";
const NEVER: &str = "false";

/// Every kind of the timeline.
#[rustfmt::skip]
pub const KINDS: &[Kind] = &[
    kind(RecordKind::HealthEntry,       "created_at",  NEVER,  "entered_in_error",            "concat_ws(', ', kind, severity)"),
    kind(RecordKind::Consultation,      "held_at",     SIGNED, NEVER,                         "concat_ws(', ', mode, candidacy)"),
    kind(RecordKind::TreatmentPlan,     "created_at",  NEVER,  "status = 'entered_in_error'", "concat_ws(', ', planned_sessions || ' sessions', status)"),
    kind(RecordKind::TreatmentSession,  "started_at",  SIGNED, "status = 'entered_in_error'", "concat_ws(', ', modality, status)"),
    kind(RecordKind::AftercareNote,     "noted_at",    SIGNED, NEVER,                         "concat_ws(', ', kind, CASE WHEN escalate THEN 'escalated' END)"),
    kind(RecordKind::Consent,           "created_at",  NEVER,  "status = 'entered_in_error'", "concat_ws(', ', kind, status)"),
    kind(RecordKind::Photo,             "taken_at",    NEVER,  "status <> 'stored'",          "concat_ws(', ', phase, view, area)"),
    kind(RecordKind::OutcomeAssessment, "assessed_at", NEVER,  "entered_in_error",            "concat_ws(', ', scale, rater_role)"),
    kind(RecordKind::AdverseEvent,      "onset_at",    NEVER,  "entered_in_error",            "concat_ws(', ', kind, severity, outcome)"),
    kind(RecordKind::Recall,            "created_at",  NEVER,  NEVER,                         "concat_ws(', ', reason, status)"),
    kind(RecordKind::Addendum,          "added_at",    NEVER,  NEVER,                         "concat_ws(' ', 'to', record_kind)"),
];
