//! What lists of adverse events can be filtered and sorted by.

use super::{AdverseEvent, AdverseEventKind, AdverseEventSeverity};
use crate::page::{self, Key};

page::list_filter! {
    /// Filter for a list of adverse events.
    AdverseEventFilter => AdverseEventCondition {
        /// Of this patient.
        patient_id: id(Patient) "patient_id",
        /// After this session.
        session_id: id(TreatmentSession) "session_id",
        /// With this lot suspected.
        lot_id: id(ProductLot) "lot_id",
        /// Of these kinds.
        kind: any_of(AdverseEventKind) "kind",
        /// Of these severities.
        severity: any_of(AdverseEventSeverity) "severity",
        /// True: serious events only. False: only the others.
        serious: flag "serious",
        /// True: only events that are not over (ONGOING, IMPROVING, UNKNOWN). False: only the others.
        open: flag "(outcome IN ('ongoing', 'improving', 'unknown'))",
        /// Begun at or after this moment.
        onset_from: from "onset_at",
        /// Begun before this moment.
        onset_before: before "onset_at",
        /// True also shows those that were entered in error. Absent or false: they are left out.
        include_entered_in_error: with_errors "entered_in_error",
        /// Reported or changed at or after this moment.
        updated_since: from "updated_at",
    }
    record: "session_id";
}

page::list_order! {
    /// The order of a list of adverse events.
    AdverseEventOrder /
    /// What lists of adverse events can be sorted by.
    AdverseEventOrderField of AdverseEvent, id "adverse_event.id", first Desc {
        /// When they began.
        OnsetAt "onsetAt" "adverse_event.onset_at" as Key::Time(0) => |it| Key::time(it.onset_at),
        /// When they were reported.
        CreatedAt "createdAt" "adverse_event.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "adverse_event.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}
