//! What lists of treatment plans can be filtered and sorted by.

use super::{TreatmentPlan, TreatmentPlanStatus};
use crate::db::Sql;
use crate::page::{self, Key};
use crate::vocabulary::Concern;

page::list_filter! {
    /// Filter for a list of treatment plans.
    #[graphql(name = "TreatmentPlanFilter")]
    PlanFilter => PlanCondition {
        /// Of this patient.
        patient_id: id(Patient) "treatment_plan.patient_id",
        /// Following this version of a protocol.
        protocol_version_id: id(ProtocolVersion) "treatment_plan.protocol_version_id",
        /// Of these statuses.
        status: any_of(TreatmentPlanStatus) "status",
        /// True also shows those that were entered in error. Absent or false: they are left out, unless `status` names
        /// ENTERED_IN_ERROR.
        include_entered_in_error: other(bool) "treatment_plan.status",
        /// For one of these concerns.
        concern: overlap(Concern) "concerns",
        /// Added or changed at or after this moment.
        updated_since: from "updated_at",
    }
    also: push_errors;
}

fn push_errors<R>(filter: &PlanFilter, sql: &mut Sql<R>) {
    let asked = filter.include_entered_in_error == Some(true) || filter.status.is_some();
    page::push_without_errors(sql, "treatment_plan.status", asked);
}

page::list_order! {
    /// The order of a list of treatment plans.
    #[graphql(name = "TreatmentPlanOrder")]
    PlanOrder /
    /// What lists of treatment plans can be sorted by.
    #[graphql(name = "TreatmentPlanOrderField")]
    PlanOrderField of TreatmentPlan, id "treatment_plan.id", first Desc {
        /// The day they begin.
        StartedOn "startedOn" "treatment_plan.started_on" as Key::Date(chrono::NaiveDate::MIN) => |it| Key::Date(it.started_on),
        /// When they were made.
        CreatedAt "createdAt" "treatment_plan.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "treatment_plan.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}
