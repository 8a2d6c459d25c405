//! What lists of agreements and of reviews can be filtered and sorted by.

use super::{ChartReview, ChartReviewOutcome, SupervisionAgreement};
use crate::db::Sql;
use crate::ids;
use crate::page::{self, Key};
use chrono::NaiveDate;

page::list_filter! {
    /// Filter for a list of agreements of supervision.
    #[graphql(name = "SupervisionAgreementFilter")]
    AgreementFilter => AgreementCondition {
        /// Of this supervisor.
        supervisor_id: id(Staff) "supervisor_id",
        /// Of this supervised staff member.
        supervisee_id: id(Staff) "supervisee_id",
        /// Added or changed at or after this moment.
        updated_since: from "updated_at",
    }
}

page::list_order! {
    /// The order of a list of agreements of supervision.
    #[graphql(name = "SupervisionAgreementOrder")]
    AgreementOrder /
    /// What lists of agreements of supervision can be sorted by.
    #[graphql(name = "SupervisionAgreementOrderField")]
    AgreementOrderField of SupervisionAgreement, id "supervision_agreement.id", first Desc {
        /// When they were added.
        CreatedAt "createdAt" "supervision_agreement.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
    }
}

page::list_filter! {
    /// Filter for a list of reviews of signed records.
    #[graphql(name = "ChartReviewFilter")]
    ReviewFilter => ReviewCondition {
        /// By this supervisor.
        reviewer_id: id(Staff) "reviewer_id",
        /// Of what this staff member signed.
        signed_by: id(Staff) "signed_by",
        /// Of this patient.
        patient_id: id(Patient) "patient_id",
        /// That this agreement asks for.
        agreement_id: id(SupervisionAgreement) "agreement_id",
        /// With any of these outcomes.
        outcome: any_of(ChartReviewOutcome) "outcome",
        /// True: only those with an outcome. False: only those that are due.
        done: present "outcome",
        /// True: only those that are due and whose last day is past. False: only the others.
        overdue: other(bool) "due_on",
        /// Whose last day is at or after this day.
        due_from: from_day "due_on",
        /// Whose last day is before this day.
        due_before: before_day "due_on",
        /// Added or changed at or after this moment.
        updated_since: from "updated_at",
    }
    also: push_overdue;
}

fn push_overdue<R>(filter: &ReviewFilter, sql: &mut Sql<R>) {
    if let Some(overdue) = filter.overdue {
        sql.push(" AND (outcome IS NULL AND due_on < ")
            .push_bind(ids::now().date_naive())
            .push(") = ")
            .push_bind(overdue);
    }
}

page::list_order! {
    /// The order of a list of reviews of signed records.
    #[graphql(name = "ChartReviewOrder")]
    ReviewOrder /
    /// What lists of reviews of signed records can be sorted by.
    #[graphql(name = "ChartReviewOrderField")]
    ReviewOrderField of ChartReview, id "chart_review.id", first Asc {
        /// The last day of the review.
        DueOn "dueOn" "chart_review.due_on" as Key::Date(NaiveDate::MAX) => |it| Key::Date(it.due_on),
        /// When they were drawn.
        CreatedAt "createdAt" "chart_review.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
    }
}
