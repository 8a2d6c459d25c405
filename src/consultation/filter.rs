//! What lists of consultations can be filtered and sorted by.

use super::{Candidacy, Concern, Consultation, ConsultationMode};
use crate::page::{self, Key};

page::list_filter! {
    /// Filter for a list of consultations.
    #[graphql(name = "ConsultationFilter")]
    Filter => Condition {
        /// Of this patient.
        patient_id: id(Patient) "consultation.patient_id",
        /// By this practitioner.
        practitioner_id: id(Staff) "consultation.practitioner_id",
        /// At this location.
        location_id: id(Location) "consultation.location_id",
        /// Held in this way.
        mode: one(ConsultationMode) "consultation.mode",
        /// With any of these concerns.
        concerns: overlap(Concern) "consultation.concerns",
        /// With any of these outcomes.
        candidacy: any_of(Candidacy) "consultation.candidacy",
        /// Held at or after this moment.
        held_from: from "consultation.held_at",
        /// Held before this moment.
        held_before: before "consultation.held_at",
        /// True: signed ones only. False: drafts only.
        signed: present "consultation.signed_at",
        /// Added or changed at or after this moment.
        updated_since: from "consultation.updated_at",
    }
}

page::list_order! {
    /// The order of a list of consultations.
    #[graphql(name = "ConsultationOrder")]
    OrderBy /
    /// What lists of consultations can be sorted by.
    #[graphql(name = "ConsultationOrderField")]
    OrderField of Consultation, id "consultation.id", first Desc {
        /// When they were held.
        HeldAt "heldAt" "consultation.held_at" as Key::Time(0) => |it| Key::time(it.held_at),
        /// When they were recorded.
        CreatedAt "createdAt" "consultation.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "consultation.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}
