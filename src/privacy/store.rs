//! The SQL of restrictions and of emergency access.

use super::{
    EmergencyAccess, EmergencyAccessOrder, EmergencyCondition, PatientRestriction, RestrictionCondition,
    RestrictionOrder,
};
use crate::access::Scope;
use crate::db::Sql;
use crate::error::{Error, Result};
use crate::page::{Stored, listing, stored};
use crate::record::Stamp;
use crate::vocabulary::{Action, RecordKind};
use chrono::{DateTime, Utc};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

stored! {
    PatientRestriction = patient_restriction;
    always: patient_id, placed_at;
    asked: reason, placed_by, lifted_at, lifted_by, lift_reason;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
}
listing!(PatientRestriction, RestrictionCondition, RestrictionOrder, {
    "patient_id" => |it| Some(it.patient_id),
});
stored! {
    EmergencyAccess = emergency_access;
    always: patient_id, staff_id, begun_at, ends_at;
    asked: reason, ended_at, alerted_at, reviewed_at, reviewed_by, review_note;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
}
listing!(EmergencyAccess, EmergencyCondition, EmergencyAccessOrder, {
    "patient_id" => |it| Some(it.patient_id),
});

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
    let mut sql = Sql::new(format!("SELECT {} FROM emergency_access WHERE org_id = ", EmergencyAccess::all_columns()));
    sql.push_bind(door.org).push(" AND id = ").push_bind(id);
    if let Some(staff) = of {
        sql.push(" AND staff_id = ").push_bind(staff);
    }
    sql.push(" FOR UPDATE");
    let found = listing::load::<EmergencyAccess>(sql, door.connection).await?.into_iter().next();
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
    let mut sql = Sql::new(format!("SELECT {} FROM emergency_access WHERE org_id = ", EmergencyAccess::all_columns()));
    sql.push_bind(door.org).push(" AND staff_id = ").push_bind(staff);
    sql.push(" AND patient_id = ").push_bind(patient);
    sql.push(" AND ended_at IS NULL AND ends_at > ").push_bind(now);
    Ok(listing::load::<EmergencyAccess>(sql, door.connection).await?.into_iter().next())
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
