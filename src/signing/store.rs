//! The SQL of addenda.

use super::filter::{
    AddendumOrder, Condition, CountersignatureCondition, CountersignatureOrder, RetractionCondition, RetractionOrder,
};
use super::{Addendum, Countersignature, Given, Missing, Retraction};
use crate::access::Scope;
use crate::db::Sql;
use crate::error::{Code, Error, Result};
use crate::ledger::{Kept, KeptSql, content_of};
use crate::organisation::{Staff, store as people};
use crate::page::{Stored, listing, stored};
use crate::vocabulary::{RecordKind, SignatureMeaning};
use chrono::{DateTime, Utc};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use std::collections::BTreeSet;
use uuid::Uuid;

stored! {
    Addendum = addendum fixed;
    always: patient_id, record_kind, record_id, author_id, added_at, reason, text;
}
listing!(Addendum, Condition, AddendumOrder, { "record_id" => |it| Some(it.record_id) });

stored! {
    Countersignature = countersignature fixed;
    always: patient_id, record_kind, record_id, signed_at, signed_by, meaning, reason, content_hash;
}
listing!(Countersignature, CountersignatureCondition, CountersignatureOrder, { "record_id" => |it| Some(it.record_id) });

stored! {
    Retraction = retraction fixed;
    always: patient_id, record_kind, record_id, retracted_at, retracted_by, reason, copy_id;
}
listing!(Retraction, RetractionCondition, RetractionOrder, {});

async fn retractions(scope: &mut Scope, column: &'static str, ids: &[Uuid]) -> Result<Vec<Retraction>> {
    // Asked even of none: how many statements a rule takes does not hang on the length of a chart.
    let door = scope.read(RecordKind::Retraction)?;
    let columns = Retraction::all_columns();
    let mut sql = Sql::new(format!("SELECT {columns} FROM retraction WHERE org_id = ")).bind(door.org);
    sql.push(format!(" AND {column} = ANY (")).push_bind(ids.to_vec()).push(")");
    let found: Vec<Retraction> = listing::load(sql, door.connection).await?;
    scope.show(found.iter().map(|it| it.patient_id));
    Ok(found)
}

/// The retractions of those of these records that were retracted.
pub async fn retractions_of(scope: &mut Scope, records: &[Uuid]) -> Result<Vec<Retraction>> {
    retractions(scope, "record_id", records).await
}

/// The retractions by which those of these records were made that are copies.
pub async fn retractions_by_copy(scope: &mut Scope, copies: &[Uuid]) -> Result<Vec<Retraction>> {
    retractions(scope, "copy_id", copies).await
}

/// The faults of a first signature, with a look at whether who did the work is still here.
pub async fn judge_first(
    scope: &mut Scope,
    lacks: &mut Missing,
    given: &Given,
    signer: Uuid,
    whose: Uuid,
) -> Result<()> {
    let taking_over = given.meaning == SignatureMeaning::TakenOver && signer != whose;
    let works = !taking_over || people::staff(scope, &[whose]).await?.iter().any(Staff::works);
    super::judge_first(lacks, given, signer, whose, works);
    Ok(())
}

/// Those of these records that have been retracted.
pub async fn retracted(scope: &mut Scope, records: &[Uuid]) -> Result<BTreeSet<Uuid>> {
    Ok(retractions_of(scope, records).await?.into_iter().map(|it| it.record_id).collect())
}

/// Keeps those records that have not been retracted: what is derived from records looks at those alone. `id` is the record
/// that a row stands or falls with; none stands.
pub async fn keep_standing<T>(scope: &mut Scope, rows: &mut Vec<T>, id: impl Fn(&T) -> Option<Uuid>) -> Result<()> {
    let ids: Vec<Uuid> = rows.iter().filter_map(&id).collect();
    let gone = retracted(scope, &ids).await?;
    rows.retain(|row| id(row).is_none_or(|id| !gone.contains(&id)));
    Ok(())
}

/// BAD_USER_INPUT at a path if a record was retracted: nothing new refers to it.
pub async fn refuse_retracted(scope: &mut Scope, record: Uuid, path: &str) -> Result<()> {
    if retractions_of(scope, &[record]).await?.is_empty() {
        return Ok(());
    }
    Err(Error::input(
        path,
        Code::WrongState.says("was retracted: it does not count any more (its `retraction` says why)"),
    ))
}

/// The further signatures of records, the oldest first.
pub async fn countersignatures_of(scope: &mut Scope, records: &[Uuid]) -> Result<Vec<Countersignature>> {
    let door = scope.read(RecordKind::Countersignature)?;
    let columns = Countersignature::all_columns();
    let mut sql = Sql::new(format!("SELECT {columns} FROM countersignature WHERE org_id = ")).bind(door.org);
    sql.push(" AND record_id = ANY (").push_bind(records.to_vec()).push(") ORDER BY signed_at, id");
    let found: Vec<Countersignature> = listing::load(sql, door.connection).await?;
    scope.show(found.iter().map(|it| it.patient_id));
    Ok(found)
}

/// What signers were called, and since when: each version of each of them, the oldest first. A signature is its signer's
/// name, the time and the meaning (21 CFR 11.50): whoever may read a signed record reads all three.
pub async fn names_of(scope: &mut Scope, staff: &[Uuid]) -> Result<Vec<(Uuid, DateTime<Utc>, String)>> {
    let door = scope.ledger()?;
    let rows: Vec<((Uuid, DateTime<Utc>), Kept)> = Sql::<((st::Uuid, st::Timestamptz), KeptSql)>::new(
        "SELECT record_id, at, content, packed FROM ledger WHERE org_id = ",
    )
    .bind(door.org)
    .text(" AND record_id = ANY (")
    .bind(staff.to_vec())
    .text(") ORDER BY seq")
    .load(door.connection)
    .await?;
    let mut names = Vec::with_capacity(rows.len());
    for ((id, at), kept) in rows {
        if let Some(content) = content_of(kept)? {
            let member: Staff = serde_json::from_str(&content)?;
            names.push((id, at, member.display_name));
        }
    }
    Ok(names)
}
