//! What lists of health reviews can be filtered and sorted by.

use super::HealthReview;
use crate::page::{self, Key};

page::list_filter! {
    /// Filter for a list of health reviews.
    HealthReviewFilter => HealthReviewCondition {
        /// Of this patient.
        patient_id: id(Patient) "patient_id",
        /// By this staff member.
        reviewed_by: id(Staff) "reviewed_by",
        /// Reviewed at or after this moment.
        reviewed_from: from "reviewed_at",
        /// Reviewed before this moment.
        reviewed_before: before "reviewed_at",
        /// True also shows those that were entered in error. Absent or false: they are left out.
        include_entered_in_error: with_errors "entered_in_error",
        /// Added or changed at or after this moment.
        updated_since: from "updated_at",
    }
}

page::list_order! {
    /// The order of a list of health reviews.
    HealthReviewOrder /
    /// What lists of health reviews can be sorted by.
    HealthReviewOrderField of HealthReview, id "health_review.id", first Desc {
        /// When the patient was asked.
        ReviewedAt "reviewedAt" "health_review.reviewed_at" as Key::Time(0) => |it| Key::time(it.reviewed_at),
        /// When they were added.
        CreatedAt "createdAt" "health_review.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "health_review.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}
