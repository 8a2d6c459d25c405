//! The SQL of treatment plans.

use super::{PlanCondition, PlanOrder, TreatmentPlan};
use crate::page::{listing, stored};
use crate::record::Stamp;

stored! {
    TreatmentPlan = treatment_plan;
    always: patient_id, consultation_id, protocol_version_id, status, started_on, planned_sessions;
    asked: status_reason, note;
    json: areas, earlier_courses;
    words: concerns;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
    light: "enteredInError";
}
listing!(TreatmentPlan, PlanCondition, PlanOrder, {
    "patient_id" => |it| Some(it.patient_id),
    "consultation_id" => |it| Some(it.consultation_id),
});
