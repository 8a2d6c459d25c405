//! What lists of clearances can be filtered and sorted by.

use super::Clearance;
use crate::page::{self, Key};
use crate::vocabulary::Modality;

page::list_filter! {
    /// Filter for a list of clearances.
    ClearanceFilter => ClearanceCondition {
        /// Of this patient.
        patient_id: id(Patient) "patient_id",
        /// By this prescriber.
        prescriber_id: id(Staff) "prescriber_id",
        /// For any of these kinds of treatment.
        modalities: overlap(Modality) "modalities",
        /// True: only those given face to face. False: only the others.
        in_person: flag "in_person",
        /// True: only those that were revoked. False: only the others.
        revoked: present "revoked_at",
        /// Given at or after this moment.
        given_from: from "given_at",
        /// Given before this moment.
        given_before: before "given_at",
        /// True also shows those that were entered in error. Absent or false: they are left out.
        include_entered_in_error: with_errors "entered_in_error",
        /// Added or changed at or after this moment.
        updated_since: from "updated_at",
    }
}

page::list_order! {
    /// The order of a list of clearances.
    ClearanceOrder /
    /// What lists of clearances can be sorted by.
    ClearanceOrderField of Clearance, id "clearance.id", first Desc {
        /// When they were given.
        GivenAt "givenAt" "clearance.given_at" as Key::Time(0) => |it| Key::time(it.given_at),
        /// When they were added.
        CreatedAt "createdAt" "clearance.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "clearance.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}
