//! The SQL of treatment plans.

use super::{PlanCondition, PlanOrder, TreatmentPlan, TreatmentPlanStatus};
use crate::db::tables::treatment_plan;
use crate::error::{Error, Result};
use crate::record::Stamp;
use crate::vocabulary::Concern;
use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use uuid::Uuid;

crate::page::listing!(TreatmentPlan, treatment_plan, Row, PlanCondition, PlanOrder, {
    "patient_id" => |it| Some(it.patient_id),
    "consultation_id" => |it| Some(it.consultation_id),
});
crate::page::kept!(TreatmentPlan, treatment_plan, Row);

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = treatment_plan, treat_none_as_null = true)]
struct Row {
    org_id: Uuid,
    id: Uuid,
    patient_id: Uuid,
    consultation_id: Uuid,
    protocol_version_id: Uuid,
    concerns: Vec<Option<Concern>>,
    areas: serde_json::Value,
    planned_sessions: i16,
    status: TreatmentPlanStatus,
    status_reason: Option<String>,
    note: Option<String>,
    started_on: NaiveDate,
    earlier_courses: serde_json::Value,
    version: i32,
    created_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_at: DateTime<Utc>,
    updated_by: Option<Uuid>,
}

impl TryFrom<Row> for TreatmentPlan {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            patient_id: row.patient_id,
            consultation_id: row.consultation_id,
            protocol_version_id: row.protocol_version_id,
            concerns: row.concerns.into_iter().flatten().collect(),
            areas: serde_json::from_value(row.areas)?,
            planned_sessions: row.planned_sessions,
            status: row.status,
            status_reason: row.status_reason,
            note: row.note,
            started_on: row.started_on,
            earlier_courses: serde_json::from_value(row.earlier_courses)?,
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

impl Row {
    fn of(org_id: Uuid, it: &TreatmentPlan) -> Result<Self> {
        Ok(Self {
            org_id,
            id: it.id,
            patient_id: it.patient_id,
            consultation_id: it.consultation_id,
            protocol_version_id: it.protocol_version_id,
            concerns: it.concerns.iter().copied().map(Some).collect(),
            areas: serde_json::to_value(&it.areas)?,
            planned_sessions: it.planned_sessions,
            status: it.status,
            status_reason: it.status_reason.clone(),
            note: it.note.clone(),
            started_on: it.started_on,
            earlier_courses: serde_json::to_value(&it.earlier_courses)?,
            version: it.stamp.version,
            created_at: it.stamp.created_at,
            created_by: it.stamp.created_by,
            updated_at: it.stamp.updated_at,
            updated_by: it.stamp.updated_by,
        })
    }
}
