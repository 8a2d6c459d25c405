//! What lists of health entries can be filtered and sorted by.

use super::{ContraindicationSeverity, HealthEntry, HealthEntryKind};
use crate::page::{self, Key};

page::list_filter! {
    /// Filter for a list of health entries.
    #[graphql(name = "HealthEntryFilter")]
    Filter => Condition {
        /// Of this patient.
        patient_id: id(Patient) "health_entry.patient_id",
        /// Of these kinds.
        kind: any_of(HealthEntryKind) "health_entry.kind",
        /// Of these severities.
        severity: any_of(ContraindicationSeverity) "health_entry.severity",
        /// With this code, such as `isotretinoin`.
        code: text "health_entry.code",
        /// True also shows those that were entered in error. Absent or false: they are left out.
        include_entered_in_error: with_errors "health_entry.entered_in_error",
        /// Added or changed at or after this moment.
        updated_since: from "health_entry.updated_at",
    }
}

page::list_order! {
    /// The order of a list of health entries.
    #[graphql(name = "HealthEntryOrder")]
    OrderBy /
    /// What lists of health entries can be sorted by.
    #[graphql(name = "HealthEntryOrderField")]
    OrderField of HealthEntry, id "health_entry.id", first Desc {
        /// When they were added.
        CreatedAt "createdAt" "health_entry.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "health_entry.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}
