//! What lists of sessions can be filtered and sorted by.

use super::{Modality, SessionStatus, TreatmentSession};
use crate::db::Sql;
use crate::page::{self, Key};

page::list_filter! {
    /// Filter for a list of sessions.
    #[graphql(name = "SessionFilter")]
    Filter => Condition {
        /// Of this patient.
        patient_id: id(Patient) "treatment_session.patient_id",
        /// By this practitioner.
        practitioner_id: id(Staff) "treatment_session.practitioner_id",
        /// At this location.
        location_id: id(Location) "treatment_session.location_id",
        /// Of this treatment plan.
        plan_id: id(TreatmentPlan) "treatment_session.plan_id",
        /// Of these statuses.
        status: any_of(SessionStatus) "treatment_session.status",
        /// True also shows those that were entered in error. Absent or false: they are left out, unless `status` names
        /// ENTERED_IN_ERROR.
        include_entered_in_error: other(bool) "treatment_session.status",
        /// Of these kinds of treatment.
        modality: any_of(Modality) "treatment_session.modality",
        /// Begun at or after this moment.
        started_from: from "treatment_session.started_at",
        /// Begun before this moment.
        started_before: before "treatment_session.started_at",
        /// True: signed ones only. False: drafts only.
        signed: present "treatment_session.signed_at",
        /// Added or changed at or after this moment.
        updated_since: from "treatment_session.updated_at",
    }
    record: "plan_id";
    also: push_errors;
}

fn push_errors<R>(filter: &Filter, sql: &mut Sql<R>) {
    let asked = filter.include_entered_in_error == Some(true) || filter.status.is_some();
    page::push_without_errors(sql, "treatment_session.status", asked);
}

page::list_order! {
    /// The order of a list of sessions.
    #[graphql(name = "SessionOrder")]
    OrderBy /
    /// What lists of sessions can be sorted by.
    #[graphql(name = "SessionOrderField")]
    OrderField of TreatmentSession, id "treatment_session.id", first Desc {
        /// When they began.
        StartedAt "startedAt" "treatment_session.started_at" as Key::Time(0) => |it| Key::time(it.started_at),
        /// When they were logged.
        CreatedAt "createdAt" "treatment_session.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "treatment_session.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}
