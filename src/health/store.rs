//! The SQL of the health history.

use super::HealthEntry;
use super::filter::Condition;
use crate::access::Scope;
use crate::db::Sql;
use crate::error::Result;
use crate::page::{Stored, listing, stored};
use crate::record::Stamp;
use crate::vocabulary::RecordKind;
use uuid::Uuid;

stored! {
    HealthEntry = health_entry;
    always: patient_id, kind, entered_in_error;
    asked: code, text, severity, onset_on, onset_precision, ended_on, ended_precision, last_dose_on, last_dose_precision, source, verified_by, verified_at;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::authored, Stamp::authored_columns;
    }
}
listing!(HealthEntry, Condition, super::OrderBy, {
    "patient_id" => |it| Some(it.patient_id),
});

/// The health history of patients, newest first; entries made in error only where asked for.
pub async fn of_patients(scope: &mut Scope, patients: &[Uuid], with_errors: bool) -> Result<Vec<HealthEntry>> {
    let door = scope.read(RecordKind::HealthEntry)?;
    let columns = HealthEntry::all_columns();
    let mut sql = Sql::new(format!("SELECT {columns} FROM health_entry WHERE org_id = ")).bind(door.org);
    sql.push(" AND patient_id = ANY (").push_bind(patients.to_vec());
    sql.push(") AND (NOT entered_in_error OR ").push_bind(with_errors);
    sql.push(") ORDER BY created_at DESC, id DESC");
    let entries: Vec<HealthEntry> = listing::load(sql, door.connection).await?;
    scope.show(entries.iter().map(|entry| entry.patient_id));
    Ok(entries)
}
