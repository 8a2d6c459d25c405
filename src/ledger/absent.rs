//! What is said of a record that was not found: that there is none, or that a reason must be stated first.

use crate::access::Scope;
use crate::db::Sql;
use crate::error::{Error, Result};
use crate::ids;
use crate::vocabulary::RecordKind;
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Which of these records, none of which was found, are there for who says why they are needed. Whose they are is noted
/// for the access log.
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

/// The error for a record that was not found: REASON_REQUIRED if it is a restricted patient's, else NOT_FOUND.
pub async fn absent(scope: &mut Scope, kind: RecordKind, record: Uuid) -> Error {
    match restricted(scope, &[(kind, record)]).await {
        Ok(found) if found.contains(&record) => Error::ReasonRequired,
        Ok(_) => Error::not_found(&kind.words(), ids::show(kind, record)),
        Err(error) => error,
    }
}
