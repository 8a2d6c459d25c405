//! The SQL of outcome assessments.

use super::{OutcomeAssessment, OutcomeCondition, OutcomeOrder, RaterRole};
use crate::access::Scope;
use crate::db::Sql;
use crate::db::tables::outcome_assessment;
use crate::error::{Error, Result};
use crate::record::Stamp;
use crate::vocabulary::{BodyArea, RecordKind};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use rust_decimal::Decimal;
use uuid::Uuid;

crate::page::listing!(OutcomeAssessment, outcome_assessment, OutcomeRow, OutcomeCondition, OutcomeOrder, {
    "patient_id" => |it| Some(it.patient_id),
    "plan_id" => |it| it.plan_id,
    "session_id" => |it| it.session_id,
});

crate::page::kept!(OutcomeAssessment, outcome_assessment, OutcomeRow);

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

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = outcome_assessment, treat_none_as_null = true)]
struct OutcomeRow {
    org_id: Uuid,
    id: Uuid,
    patient_id: Uuid,
    plan_id: Option<Uuid>,
    session_id: Option<Uuid>,
    scale: String,
    scale_version: String,
    area: Option<BodyArea>,
    score: Decimal,
    rater_role: RaterRole,
    rater_id: Option<Uuid>,
    assessed_at: DateTime<Utc>,
    compared_with_photo_id: Option<Uuid>,
    photo_id: Option<Uuid>,
    note: Option<String>,
    entered_in_error: bool,
    version: i32,
    created_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_at: DateTime<Utc>,
    updated_by: Option<Uuid>,
}

impl TryFrom<OutcomeRow> for OutcomeAssessment {
    type Error = Error;
    fn try_from(row: OutcomeRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            patient_id: row.patient_id,
            plan_id: row.plan_id,
            session_id: row.session_id,
            scale: row.scale,
            scale_version: row.scale_version,
            area: row.area,
            score: row.score.normalize(),
            rater_role: row.rater_role,
            rater_id: row.rater_id,
            assessed_at: row.assessed_at,
            compared_with_photo_id: row.compared_with_photo_id,
            photo_id: row.photo_id,
            note: row.note,
            entered_in_error: row.entered_in_error,
            stamp: Stamp {
                version: row.version,
                created_at: row.created_at,
                created_by: row.created_by,
                updated_at: row.updated_at,
                updated_by: row.updated_by,
            },
        })
    }
}

impl OutcomeRow {
    fn of(org_id: Uuid, it: &OutcomeAssessment) -> Result<Self> {
        Ok(Self {
            org_id,
            id: it.id,
            patient_id: it.patient_id,
            plan_id: it.plan_id,
            session_id: it.session_id,
            scale: it.scale.clone(),
            scale_version: it.scale_version.clone(),
            area: it.area,
            score: it.score,
            rater_role: it.rater_role,
            rater_id: it.rater_id,
            assessed_at: it.assessed_at,
            compared_with_photo_id: it.compared_with_photo_id,
            photo_id: it.photo_id,
            note: it.note.clone(),
            entered_in_error: it.entered_in_error,
            version: it.stamp.version,
            created_at: it.stamp.created_at,
            created_by: it.stamp.created_by,
            updated_at: it.stamp.updated_at,
            updated_by: it.stamp.updated_by,
        })
    }
}
