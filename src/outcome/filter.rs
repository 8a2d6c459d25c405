//! What lists of outcome assessments can be filtered and sorted by.

use super::{OutcomeAssessment, RaterRole};
use crate::page::{self, Key};
use crate::vocabulary::BodyArea;

page::list_filter! {
    /// Filter for a list of outcome assessments.
    #[graphql(name = "OutcomeAssessmentFilter")]
    OutcomeFilter => OutcomeCondition {
        /// Of this patient.
        patient_id: id(Patient) "patient_id",
        /// Of this plan.
        plan_id: id(TreatmentPlan) "plan_id",
        /// After this session.
        session_id: id(TreatmentSession) "session_id",
        /// On this scale, by its code.
        scale: text "scale",
        /// On this version of a scale.
        scale_version: text "scale_version",
        /// By raters of these roles.
        rater_role: any_of(RaterRole) "rater_role",
        /// Of these areas.
        area: any_of(BodyArea) "area",
        /// Assessed at or after this moment.
        assessed_from: from "assessed_at",
        /// Assessed before this moment.
        assessed_before: before "assessed_at",
        /// True also shows those that were entered in error. Absent or false: they are left out.
        include_entered_in_error: with_errors "entered_in_error",
        /// Added or changed at or after this moment.
        updated_since: from "updated_at",
    }
    record: "session_id", "plan_id";
}

page::list_order! {
    /// The order of a list of outcome assessments.
    #[graphql(name = "OutcomeAssessmentOrder")]
    OutcomeOrder /
    /// What lists of outcome assessments can be sorted by.
    #[graphql(name = "OutcomeAssessmentOrderField")]
    OutcomeOrderField of OutcomeAssessment, id "outcome_assessment.id", first Desc {
        /// When they were assessed.
        AssessedAt "assessedAt" "outcome_assessment.assessed_at" as Key::Time(0) => |it| Key::time(it.assessed_at),
        /// When they were added.
        CreatedAt "createdAt" "outcome_assessment.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "outcome_assessment.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}
