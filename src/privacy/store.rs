//! The SQL of restrictions and of emergency access.

use super::{
    EmergencyAccess, EmergencyAccessOrder, EmergencyCondition, PatientRestriction, RestrictionCondition,
    RestrictionOrder,
};
use crate::access::Scope;
use crate::db::Sql;
use crate::db::tables::{emergency_access, patient_restriction};
use crate::error::{Error, Result};
use crate::page::Listing;
use crate::record::Stamp;
use crate::vocabulary::{Action, RecordKind};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

crate::page::listing!(PatientRestriction, patient_restriction, RestrictionRow, RestrictionCondition, RestrictionOrder, {
    "patient_id" => |it| Some(it.patient_id),
});
crate::page::listing!(EmergencyAccess, emergency_access, EmergencyRow, EmergencyCondition, EmergencyAccessOrder, {
    "patient_id" => |it| Some(it.patient_id),
});

/// Adding and changing restrictions.
pub mod restrictions {
    crate::page::kept!(super::PatientRestriction, patient_restriction, super::RestrictionRow);
}

/// Adding and changing emergency access.
pub mod emergencies {
    crate::page::kept!(super::EmergencyAccess, emergency_access, super::EmergencyRow);
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = patient_restriction, treat_none_as_null = true)]
struct RestrictionRow {
    org_id: Uuid,
    id: Uuid,
    patient_id: Uuid,
    reason: String,
    placed_at: DateTime<Utc>,
    placed_by: Option<Uuid>,
    lifted_at: Option<DateTime<Utc>>,
    lifted_by: Option<Uuid>,
    lift_reason: Option<String>,
    version: i32,
    created_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_at: DateTime<Utc>,
    updated_by: Option<Uuid>,
}

impl From<RestrictionRow> for PatientRestriction {
    fn from(row: RestrictionRow) -> Self {
        Self {
            id: row.id,
            patient_id: row.patient_id,
            reason: row.reason,
            placed_at: row.placed_at,
            placed_by: row.placed_by,
            lifted_at: row.lifted_at,
            lifted_by: row.lifted_by,
            lift_reason: row.lift_reason,
            stamp: Stamp {
                version: row.version,
                created_at: row.created_at,
                created_by: row.created_by,
                updated_at: row.updated_at,
                updated_by: row.updated_by,
            },
        }
    }
}

impl RestrictionRow {
    fn of(org_id: Uuid, it: &PatientRestriction) -> Result<Self> {
        Ok(Self {
            org_id,
            id: it.id,
            patient_id: it.patient_id,
            reason: it.reason.clone(),
            placed_at: it.placed_at,
            placed_by: it.placed_by,
            lifted_at: it.lifted_at,
            lifted_by: it.lifted_by,
            lift_reason: it.lift_reason.clone(),
            version: it.stamp.version,
            created_at: it.stamp.created_at,
            created_by: it.stamp.created_by,
            updated_at: it.stamp.updated_at,
            updated_by: it.stamp.updated_by,
        })
    }
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = emergency_access, treat_none_as_null = true)]
struct EmergencyRow {
    org_id: Uuid,
    id: Uuid,
    patient_id: Uuid,
    staff_id: Uuid,
    reason: String,
    begun_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    alerted_at: Option<DateTime<Utc>>,
    reviewed_at: Option<DateTime<Utc>>,
    reviewed_by: Option<Uuid>,
    review_note: Option<String>,
    version: i32,
    created_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_at: DateTime<Utc>,
    updated_by: Option<Uuid>,
}

impl From<EmergencyRow> for EmergencyAccess {
    fn from(row: EmergencyRow) -> Self {
        Self {
            id: row.id,
            patient_id: row.patient_id,
            staff_id: row.staff_id,
            reason: row.reason,
            begun_at: row.begun_at,
            ends_at: row.ends_at,
            ended_at: row.ended_at,
            alerted_at: row.alerted_at,
            reviewed_at: row.reviewed_at,
            reviewed_by: row.reviewed_by,
            review_note: row.review_note,
            stamp: Stamp {
                version: row.version,
                created_at: row.created_at,
                created_by: row.created_by,
                updated_at: row.updated_at,
                updated_by: row.updated_by,
            },
        }
    }
}

impl EmergencyRow {
    fn of(org_id: Uuid, it: &EmergencyAccess) -> Result<Self> {
        Ok(Self {
            org_id,
            id: it.id,
            patient_id: it.patient_id,
            staff_id: it.staff_id,
            reason: it.reason.clone(),
            begun_at: it.begun_at,
            ends_at: it.ends_at,
            ended_at: it.ended_at,
            alerted_at: it.alerted_at,
            reviewed_at: it.reviewed_at,
            reviewed_by: it.reviewed_by,
            review_note: it.review_note.clone(),
            version: it.stamp.version,
            created_at: it.stamp.created_at,
            created_by: it.stamp.created_by,
            updated_at: it.stamp.updated_at,
            updated_by: it.stamp.updated_by,
        })
    }
}

/// Holds a patient's row until the transaction ends, so that two who restrict it, or begin emergency access to it, come
/// one after the other. Those who write to the chart do not wait.
pub async fn take_turns(scope: &mut Scope, patient: Uuid) -> Result<()> {
    let door = scope.read(RecordKind::Patient)?;
    let _: Vec<Uuid> = Sql::<st::Uuid>::new("SELECT id FROM patient WHERE org_id = ")
        .bind(door.org)
        .text(" AND id = ")
        .bind(patient)
        .text(" FOR NO KEY UPDATE")
        .load(door.connection)
        .await?;
    Ok(())
}

/// Which of these patients are restricted.
pub async fn restricted(scope: &mut Scope, patients: &[Uuid]) -> Result<Vec<Uuid>> {
    let door = scope.read(RecordKind::Patient)?;
    let found = Sql::<st::Uuid>::new(
        "SELECT DISTINCT patient_id FROM patient_restriction WHERE lifted_at IS NULL AND org_id = ",
    )
    .bind(door.org)
    .text(" AND patient_id = ANY (")
    .bind(patients.to_vec())
    .text(")")
    .load(door.connection)
    .await?;
    Ok(found)
}

/// Emergency access, its row held until the transaction ends; `action` is what is about to be done with it. NOT_FOUND if
/// there is none, or none of this staff member.
pub async fn held(scope: &mut Scope, action: Action, id: Uuid, of: Option<Uuid>) -> Result<EmergencyAccess> {
    scope.viewer().check(action, RecordKind::EmergencyAccess)?;
    let door = scope.ledger()?;
    let mut sql = Sql::new(format!("SELECT {} FROM emergency_access WHERE org_id = ", EmergencyAccess::columns()));
    sql.push_bind(door.org).push(" AND id = ").push_bind(id);
    if let Some(staff) = of {
        sql.push(" AND staff_id = ").push_bind(staff);
    }
    sql.push(" FOR UPDATE");
    let found = <EmergencyAccess as Listing>::load(sql, door.connection).await?.into_iter().next();
    match found {
        Some(found) => Ok(found),
        None => Err(Error::not_found(
            &RecordKind::EmergencyAccess.words(),
            crate::ids::show(RecordKind::EmergencyAccess, id),
        )),
    }
}

/// Emergency access of a staff member to a patient's record that is open at a moment.
pub async fn open_of(
    scope: &mut Scope,
    staff: Uuid,
    patient: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<EmergencyAccess>> {
    scope.viewer().check(Action::Create, RecordKind::EmergencyAccess)?;
    let door = scope.ledger()?;
    let mut sql = Sql::new(format!("SELECT {} FROM emergency_access WHERE org_id = ", EmergencyAccess::columns()));
    sql.push_bind(door.org).push(" AND staff_id = ").push_bind(staff);
    sql.push(" AND patient_id = ").push_bind(patient);
    sql.push(" AND ended_at IS NULL AND ends_at > ").push_bind(now);
    Ok(<EmergencyAccess as Listing>::load(sql, door.connection).await?.into_iter().next())
}

/// The chart number of a patient, for the mail that tells of emergency access to them.
pub async fn chart_number(scope: &mut Scope, patient: Uuid) -> Result<Option<String>> {
    let door = scope.read(RecordKind::Patient)?;
    let found: Vec<String> = Sql::<st::Text>::new("SELECT chart_number FROM patient WHERE org_id = ")
        .bind(door.org)
        .text(" AND id = ")
        .bind(patient)
        .load(door.connection)
        .await?;
    Ok(found.into_iter().next())
}
