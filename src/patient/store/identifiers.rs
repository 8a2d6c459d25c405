//! The identifiers that other systems have for patients: each of one patient of the organisation.

use crate::access::Scope;
use crate::db::Sql;
use crate::error::{Error, Result};
use crate::ledger;
use crate::patient::{ExternalIdentifier, Patient};
use crate::vocabulary::{Action, RecordKind};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// Writes a patient's identifiers anew. CONFLICT if one of them is another patient's; that it is taken tells of whoever has
/// it, and if they are closed to the viewer the access log gets to know.
pub(super) async fn write(scope: &mut Scope, right: (Action, RecordKind), patient: &Patient) -> Result<()> {
    let door = scope.write(right.0, right.1)?;
    Sql::<()>::new("DELETE FROM patient_identifier WHERE org_id = ")
        .bind(door.org)
        .text(" AND patient_id = ")
        .bind(patient.id)
        .execute(door.connection)
        .await?;
    for identifier in &patient.details.identifiers {
        let door = scope.write(right.0, right.1)?;
        let written = Sql::<()>::new("INSERT INTO patient_identifier (org_id, system, value, patient_id) VALUES (")
            .bind(door.org)
            .text(", ")
            .bind(identifier.system.clone())
            .text(", ")
            .bind(identifier.value.clone())
            .text(", ")
            .bind(patient.id)
            .text(") ON CONFLICT DO NOTHING")
            .execute(door.connection)
            .await?;
        if written == 0 {
            return Err(taken(scope, identifier).await?);
        }
    }
    Ok(())
}

async fn taken(scope: &mut Scope, ExternalIdentifier { system, value }: &ExternalIdentifier) -> Result<Error> {
    let door = scope.read(RecordKind::Patient)?;
    let by: Vec<Uuid> = Sql::<st::Uuid>::new("SELECT patient_id FROM patient_identifier WHERE org_id = ")
        .bind(door.org)
        .text(" AND system = ")
        .bind(system.clone())
        .text(" AND value = ")
        .bind(value.clone())
        .load(door.connection)
        .await?;
    if !scope.sees_all() {
        let by: Vec<_> = by.into_iter().map(|id| (RecordKind::Patient, id)).collect();
        ledger::restricted(scope, &by).await?;
    }
    let message = format!("another patient has the identifier {value} of {system}");
    Ok(Error::Conflict { message, current_version: None })
}
