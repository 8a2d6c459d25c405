//! The answer for a record that was not found: that there is none, or that a reason must be stated first.

use crate::access::Scope;
use crate::db::Sql;
use crate::error::{Error, Result};
use crate::ids;
use crate::vocabulary::RecordKind;
use chrono::{DateTime, Utc};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Which of these records, none of which was found, exist and can be read once a reason is stated. Their patients are
/// recorded for the access log.
pub async fn restricted(scope: &mut Scope, wanted: &[(RecordKind, Uuid)]) -> Result<BTreeSet<Uuid>> {
    if wanted.is_empty() || scope.sees_all() {
        return Ok(BTreeSet::new());
    }
    let kinds: Vec<String> = wanted.iter().map(|(kind, _)| kind.as_str().to_owned()).collect();
    let records: Vec<Uuid> = wanted.iter().map(|(_, record)| *record).collect();
    let found: Vec<(Uuid, Option<Uuid>)> =
        Sql::<(st::Uuid, st::Nullable<st::Uuid>)>::new("SELECT w.id, restricted_patient(w.kind, w.id) FROM unnest(")
            .bind(kinds)
            .text("::text[], ")
            .bind(records)
            .text("::uuid[]) AS w (kind, id)")
            .load(scope.ledger()?.connection)
            .await?;
    let closed: Vec<(Uuid, Uuid)> =
        found.into_iter().filter_map(|(record, patient)| Some((record, patient?))).collect();
    scope.refuse(closed.iter().map(|(_, patient)| *patient));
    Ok(closed.into_iter().map(|(record, _)| record).collect())
}

/// The error for a record that was not found: REASON_REQUIRED if it belongs to a restricted patient, else NOT_FOUND.
/// FORBIDDEN if the viewer may read such records only through emergency access: the record may belong to another
/// patient.
pub async fn absent(scope: &mut Scope, kind: RecordKind, record: Uuid) -> Error {
    if let Err(error) = scope.emergency_only().check(kind, None) {
        return error;
    }
    match restricted(scope, &[(kind, record)]).await {
        Ok(found) if found.contains(&record) => Error::ReasonRequired,
        Ok(_) => Error::not_found(&kind.words(), ids::show(kind, record)),
        Err(error) => error,
    }
}

/// REASON_REQUIRED if merges of these patients involve a patient who is closed, who is then recorded for the access
/// log: an action on a whole record requires that all of it is visible.
pub async fn all_in_sight(scope: &mut Scope, patients: &[Uuid]) -> Result<()> {
    let ask = Sql::new("SELECT unnest(closed_behind(").bind(patients.to_vec()).text("))");
    refuse_behind(scope, ask).await
}

/// REASON_REQUIRED if a patient's record at a moment is closed, because it was merged at that time with a record that
/// is closed now.
pub async fn in_sight_at(scope: &mut Scope, patient: Uuid, at: DateTime<Utc>) -> Result<()> {
    let ask = Sql::new("SELECT unnest(closed_behind(")
        .bind(vec![patient])
        .text(")) WHERE EXISTS (SELECT FROM entries_at(")
        .bind(vec![patient])
        .text(", ")
        .bind(at)
        .text("))");
    refuse_behind(scope, ask).await
}

async fn refuse_behind(scope: &mut Scope, ask: Sql<st::Uuid>) -> Result<()> {
    if scope.sees_all() {
        return Ok(());
    }
    let behind: Vec<Uuid> = ask.load(scope.ledger()?.connection).await?;
    if behind.is_empty() {
        return Ok(());
    }
    scope.refuse(behind);
    Err(Error::ReasonRequired)
}

/// Whether a record that was found belongs, or belonged, to a restricted patient who is not open to this scope: it may
/// appear in another chart although it is closed in its own.
pub async fn closed(scope: &mut Scope, kind: RecordKind, record: Uuid) -> Result<bool> {
    Ok(restricted(scope, &[(kind, record)]).await?.contains(&record))
}
