//! The SQL of timelines, and of charts as they were known.

mod earliest;

pub use earliest::refuse_birth_after_records;

use super::filter::{TimelineCondition, order};
use super::{PatientChart, TimelineEntry, kinds::KINDS};
use crate::access::Scope;
use crate::db::Sql;
use crate::error::{Error, Result};
use crate::ids;
use crate::ledger;
use crate::page::Window;
use crate::signing::SIGNED_KINDS;
use crate::vocabulary::{Action, RecordKind};
use chrono::{DateTime, Utc};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use std::collections::HashMap;
use uuid::Uuid;

type Row = ((Uuid, RecordKind, Uuid), (DateTime<Utc>, String, bool, bool));
type RowSql = ((st::Uuid, st::Text, st::Uuid), (st::Timestamptz, st::Text, st::Bool, st::Bool));

/// ` FROM a table WHERE …` for each kind: what each part of the union shares.
fn push_part<R>(sql: &mut Sql<R>, org: Uuid, condition: &TimelineCondition, part: &super::kinds::Kind) {
    sql.push(format!(" FROM {} WHERE org_id = ", part.kind.as_str())).push_bind(org).push(" AND patient_id = p.id");
    if !condition.with_errors() {
        sql.push(format!(" AND NOT ({})", part.in_error));
    }
    if let Some(from) = condition.from() {
        sql.push(format!(" AND {} >= ", part.at)).push_bind(from.0);
    }
    if let Some(before) = condition.before() {
        sql.push(format!(" AND {} < ", part.at)).push_bind(before.0);
    }
}

/// Whether a row of a kind was retracted, in SQL: only what is signed can be.
fn retracted(kind: RecordKind) -> String {
    if !SIGNED_KINDS.contains(&kind) {
        return "false".to_owned();
    }
    let table = kind.as_str();
    format!("EXISTS (SELECT FROM retraction r WHERE r.org_id = {table}.org_id AND r.record_id = {table}.id)")
}

/// FORBIDDEN unless the viewer may read every kind that is asked for.
fn check(scope: &Scope, condition: &TimelineCondition) -> Result<()> {
    condition.kinds().iter().try_for_each(|part| scope.viewer().check(Action::Read, part.kind))
}

/// The same window on the timeline of each of these patients, in one statement; one more row than wanted for each.
pub async fn timelines(
    scope: &mut Scope,
    patients: &[Uuid],
    condition: &TimelineCondition,
    window: &Window,
) -> Result<HashMap<Uuid, Vec<TimelineEntry>>> {
    check(scope, condition)?;
    if condition.kinds().is_empty() {
        return Ok(HashMap::new());
    }
    let door = scope.read(RecordKind::Patient)?;
    let mut sql = Sql::<RowSql>::new("SELECT p.id, t.kind, t.id, t.at, t.summary, t.signed, t.retracted FROM unnest(");
    sql.push_bind(patients.to_vec()).push("::uuid[]) AS p (id) CROSS JOIN LATERAL (SELECT * FROM (");
    for (i, part) in condition.kinds().into_iter().enumerate() {
        let (word, at) = (part.kind.as_str(), part.at);
        sql.push(if i == 0 { "" } else { " UNION ALL " }).push(format!(
            "(SELECT '{word}'::text AS kind, id, {at} AS at, {} AS summary, {} AS signed, {} AS retracted",
            part.summary,
            part.signed,
            retracted(part.kind)
        ));
        push_part(&mut sql, door.org, condition, part);
        window.push_to(&mut sql, &order(part.at, "id"));
        sql.push(")");
    }
    sql.push(") AS u WHERE true");
    window.push_to(&mut sql, &order("u.at", "u.id"));
    sql.push(") AS t");
    let rows: Vec<Row> = sql.load(door.connection).await?;
    let mut found: HashMap<Uuid, Vec<TimelineEntry>> = HashMap::new();
    for ((patient_id, kind, record_id), (at, summary, signed, retracted)) in rows {
        let summary = summary.replace('_', " ");
        let entry = TimelineEntry { patient_id, at, kind, record_id, summary, signed, retracted };
        found.entry(patient_id).or_default().push(entry);
    }
    scope.show(found.keys().copied());
    Ok(found)
}

/// How many entries each of these patients' timelines has, in one statement.
pub async fn counts(scope: &mut Scope, patients: &[Uuid], condition: &TimelineCondition) -> Result<HashMap<Uuid, i64>> {
    check(scope, condition)?;
    if condition.kinds().is_empty() {
        return Ok(HashMap::new());
    }
    let door = scope.read(RecordKind::Patient)?;
    let mut sql = Sql::<(st::Uuid, st::BigInt)>::new("SELECT p.id, t.n FROM unnest(");
    sql.push_bind(patients.to_vec()).push("::uuid[]) AS p (id) CROSS JOIN LATERAL (SELECT sum(n)::int8 AS n FROM (");
    for (i, part) in condition.kinds().into_iter().enumerate() {
        sql.push(if i == 0 { "SELECT count(*) AS n" } else { " UNION ALL SELECT count(*)" });
        push_part(&mut sql, door.org, condition, part);
    }
    sql.push(") AS u) AS t");
    let counts: Vec<(Uuid, i64)> = sql.load(door.connection).await?;
    Ok(counts.into_iter().collect())
}

/// A chart as it was known at a moment, from the ledger, in one statement. NOT_FOUND when the patient was not known then,
/// or was erased since.
pub async fn chart(scope: &mut Scope, patient: Uuid, as_of: DateTime<Utc>) -> Result<PatientChart> {
    scope.viewer().check(Action::Read, RecordKind::Patient)?;
    for part in KINDS {
        scope.viewer().check(Action::Read, part.kind)?;
        scope.emergency_only().check(part.kind, Some(patient))?;
    }
    let mut records = ledger::shown_at(scope, &[patient], as_of).await?;
    // What a chart holds beside its own kinds, each by its own right.
    records.retain(|entry| scope.viewer().check(Action::Read, entry.kind).is_ok());
    let own = records.iter().position(|entry| entry.record == patient);
    let Some(own) = own.map(|own| records.remove(own)) else {
        if let Error::ReasonRequired = ledger::absent(scope, RecordKind::Patient, patient).await {
            return Err(Error::ReasonRequired);
        }
        ledger::in_sight_at(scope, patient, as_of).await?;
        let id = ids::show(RecordKind::Patient, patient);
        return Err(Error::NotFound(format!("there is no patient with the id {id} at that moment")));
    };
    let ledger_sequence = records.iter().map(|entry| entry.seq).chain([own.seq]).max().unwrap_or(own.seq);
    Ok(PatientChart { patient: own.record_as()?, as_of, records, ledger_sequence })
}
