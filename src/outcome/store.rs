//! The SQL of outcome assessments.

use super::{OutcomeAssessment, OutcomeCondition, OutcomeOrder};
use crate::access::Scope;
use crate::db::Sql;
use crate::db::cell::Plain;
use crate::error::Result;
use crate::page::{listing, stored};
use crate::record::Stamp;
use crate::vocabulary::RecordKind;
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use rust_decimal::Decimal;
use uuid::Uuid;

stored! {
    OutcomeAssessment = outcome_assessment;
    always: patient_id, plan_id, session_id, rater_role, assessed_at, scale_version, entered_in_error;
    asked: scale, area, rater_id, compared_with_photo_id, photo_id, note;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
        score(score) = score_of, score_column;
    }
}
listing!(OutcomeAssessment, OutcomeCondition, OutcomeOrder, {
    "patient_id" => |it| Some(it.patient_id),
    "plan_id" => |it| it.plan_id,
    "session_id" => |it| it.session_id,
});

/// Which of these plans are of a patient.
pub async fn plans_of(scope: &mut Scope, patient: Uuid, plans: &[Uuid]) -> Result<Vec<Uuid>> {
    of_patient(scope, RecordKind::TreatmentPlan, "treatment_plan", "", patient, plans).await
}

/// Which of these photos are of a patient; one that was entered in error is none.
pub async fn photos_of(scope: &mut Scope, patient: Uuid, photos: &[Uuid]) -> Result<Vec<Uuid>> {
    of_patient(scope, RecordKind::Photo, "photo", " AND status <> 'entered_in_error'", patient, photos).await
}

async fn of_patient(
    scope: &mut Scope,
    kind: RecordKind,
    table: &'static str,
    more: &'static str,
    patient: Uuid,
    wanted: &[Uuid],
) -> Result<Vec<Uuid>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let door = scope.read(kind)?;
    let mut sql = Sql::<st::Uuid>::new(format!("SELECT id FROM {table} WHERE org_id = "));
    sql.push_bind(door.org).push(" AND patient_id = ").push_bind(patient);
    sql.push(" AND id = ANY (").push_bind(wanted.to_vec()).push(format!("){more}"));
    Ok(sql.load(door.connection).await?)
}

fn score_of(score: Plain) -> Result<Decimal> {
    Ok(score.0)
}

fn score_column(score: &Decimal) -> Result<(Decimal,)> {
    Ok((*score,))
}
