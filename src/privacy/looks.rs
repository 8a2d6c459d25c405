//! The SQL of the access log as it is shown.

use crate::access::Scope;
use crate::db::Sql;
use crate::error::Result;
use crate::ledger::Event;
use crate::vocabulary::RecordKind;
use chrono::{DateTime, Utc};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use std::collections::HashMap;
use uuid::Uuid;

/// An entry of the access log.
#[derive(Debug, Clone)]
pub struct AccessEntry {
    /// Its number in the organisation.
    pub seq: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// The staff member or service account behind the entry; null where nobody is known.
    pub actor: Option<Uuid>,
    /// The request.
    pub request_id: String,
    /// What happened.
    pub event: Event,
    /// The operation.
    pub operation: String,
    /// The network address it came from.
    pub from_address: String,
    /// Why, where it was said.
    pub reason: Option<String>,
    /// Whose data was shown.
    pub patients: Vec<Uuid>,
}

/// Which entries to keep.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct LookCondition {
    /// At or after this moment.
    pub since: Option<DateTime<Utc>>,
    /// Before this moment, which itself is not meant.
    pub until: Option<DateTime<Utc>>,
    /// Of this actor.
    pub actor: Option<Uuid>,
    /// Of these events.
    pub events: Option<Vec<Event>>,
    /// About this patient or one who was merged into them.
    pub patient: Option<Uuid>,
}

impl LookCondition {
    fn push_to<R>(&self, sql: &mut Sql<R>) {
        if let Some(since) = self.since {
            sql.push(" AND l.at >= ").push_bind(since);
        }
        if let Some(until) = self.until {
            sql.push(" AND l.at < ").push_bind(until);
        }
        if let Some(actor) = self.actor {
            sql.push(" AND l.actor_id = ").push_bind(actor);
        }
        sql.push_any_of("l.event", self.events.iter().flatten().map(|event| event.as_str()), self.events.is_some());
    }
}

type Row =
    ((Uuid, i64, DateTime<Utc>, Option<Uuid>), (String, Event, String, String), (Option<String>, Vec<Option<Uuid>>));
type RowSql = (
    (st::Uuid, st::BigInt, st::Timestamptz, st::Nullable<st::Uuid>),
    (st::Text, st::Text, st::Text, st::Text),
    (st::Nullable<st::Text>, st::Array<st::Nullable<st::Uuid>>),
);

const COLUMNS: &str =
    "l.seq, l.at, l.actor_id, l.request_id, l.event, l.operation, l.from_address, l.reason, l.patient_ids";

fn entry(row: Row) -> (Uuid, AccessEntry) {
    let ((about, seq, at, actor), (request_id, event, operation, from_address), (reason, patients)) = row;
    let patients = patients.into_iter().flatten().collect();
    (about, AccessEntry { seq, at, actor, request_id, event, operation, from_address, reason, patients })
}

/// ` AND (l.seq, l.at) IN (…)`: about a patient (an expression), or one who was merged into them.
fn push_about<R>(sql: &mut Sql<R>, org: Uuid, condition: &LookCondition, patient: impl FnOnce(&mut Sql<R>)) {
    sql.push(" AND (l.seq, l.at) IN (SELECT a.seq, a.at FROM access_log_patient a WHERE a.org_id = ").push_bind(org);
    if let Some(since) = condition.since {
        sql.push(" AND a.at >= ").push_bind(since);
    }
    if let Some(until) = condition.until {
        sql.push(" AND a.at < ").push_bind(until);
    }
    sql.push(" AND a.patient_id IN (SELECT o.id FROM patient o WHERE o.org_id = ").push_bind(org);
    sql.push(" AND (o.id = ");
    patient(sql);
}

fn push_about_each<R>(sql: &mut Sql<R>, org: Uuid, condition: &LookCondition) {
    push_about(sql, org, condition, |sql| _ = sql.push("p.id OR o.merged_into = p.id)))"));
}

/// How many of so many fetched entries are shown.
fn shown_of(limit: i64) -> usize {
    usize::try_from(limit - 1).unwrap_or(0)
}

/// The newest entries of the organisation before a number, at most `limit`: one more than is shown.
pub async fn page(
    scope: &mut Scope,
    condition: &LookCondition,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<AccessEntry>> {
    scope.viewer().check_access_log()?;
    let door = scope.ledger()?;
    let mut sql = Sql::<RowSql>::new(format!("SELECT l.org_id, {COLUMNS} FROM access_log l WHERE l.org_id = "));
    sql.push_bind(door.org);
    condition.push_to(&mut sql);
    if let Some(patient) = condition.patient {
        push_about(&mut sql, door.org, condition, |sql| {
            sql.push_bind(patient).push(" OR o.merged_into = ").push_bind(patient).push(")))");
        });
    }
    sql.push(" AND l.seq < ").push_bind(before.unwrap_or(i64::MAX));
    sql.push(" ORDER BY l.seq DESC LIMIT ").push_bind(limit);
    let rows: Vec<Row> = sql.load(door.connection).await?;
    scope.note_look();
    let entries: Vec<AccessEntry> = rows.into_iter().map(|row| entry(row).1).collect();
    scope.show(entries.iter().take(shown_of(limit)).flat_map(|entry| entry.patients.iter().copied()));
    Ok(entries)
}

/// How many entries of the organisation a condition keeps.
pub async fn count(scope: &mut Scope, condition: &LookCondition) -> Result<i64> {
    scope.viewer().check_access_log()?;
    let door = scope.ledger()?;
    let mut sql = Sql::<st::BigInt>::new("SELECT count(*) FROM access_log l WHERE l.org_id = ");
    sql.push_bind(door.org);
    condition.push_to(&mut sql);
    if let Some(patient) = condition.patient {
        push_about(&mut sql, door.org, condition, |sql| {
            sql.push_bind(patient).push(" OR o.merged_into = ").push_bind(patient).push(")))");
        });
    }
    let count: i64 = sql.get_result(door.connection).await?;
    scope.note_look();
    scope.show(condition.patient.filter(|_| count > 0));
    Ok(count)
}

/// The newest entries about each of these patients before a number, at most `limit` for each, one more than is shown, in
/// one statement; looks at those who were merged into them too.
pub async fn pages(
    scope: &mut Scope,
    patients: &[Uuid],
    condition: &LookCondition,
    before: Option<i64>,
    limit: i64,
) -> Result<HashMap<Uuid, Vec<AccessEntry>>> {
    scope.viewer().check_access_log()?;
    let door = scope.read(RecordKind::Patient)?;
    let columns = COLUMNS.replace("l.", "v.");
    let mut sql = Sql::<RowSql>::new(format!("SELECT p.id, {columns} FROM unnest("));
    sql.push_bind(patients.to_vec())
        .push("::uuid[]) AS p (id) CROSS JOIN LATERAL (SELECT l.* FROM access_log l WHERE l.org_id = ")
        .push_bind(door.org);
    condition.push_to(&mut sql);
    push_about_each(&mut sql, door.org, condition);
    sql.push(" AND l.seq < ").push_bind(before.unwrap_or(i64::MAX));
    sql.push(" ORDER BY l.seq DESC LIMIT ").push_bind(limit).push(") AS v ORDER BY p.id, v.seq DESC");
    let rows: Vec<Row> = sql.load(door.connection).await?;
    scope.note_look();
    let mut found: HashMap<Uuid, Vec<AccessEntry>> = HashMap::new();
    for (about, entry) in rows.into_iter().map(entry) {
        found.entry(about).or_default().push(entry);
    }
    for entries in found.values() {
        scope.show(entries.iter().take(shown_of(limit)).flat_map(|entry| entry.patients.iter().copied()));
    }
    Ok(found)
}

/// How many entries about each of these patients a condition keeps, in one statement.
pub async fn counts(scope: &mut Scope, patients: &[Uuid], condition: &LookCondition) -> Result<HashMap<Uuid, i64>> {
    scope.viewer().check_access_log()?;
    let door = scope.read(RecordKind::Patient)?;
    let mut sql = Sql::<(st::Uuid, st::BigInt)>::new("SELECT p.id, v.n FROM unnest(");
    sql.push_bind(patients.to_vec())
        .push("::uuid[]) AS p (id) CROSS JOIN LATERAL (SELECT count(*) AS n FROM access_log l WHERE l.org_id = ")
        .push_bind(door.org);
    condition.push_to(&mut sql);
    push_about_each(&mut sql, door.org, condition);
    sql.push(") AS v");
    let counts: Vec<(Uuid, i64)> = sql.load(door.connection).await?;
    scope.note_look();
    scope.show(counts.iter().filter(|(_, count)| *count > 0).map(|(patient, _)| *patient));
    Ok(counts.into_iter().collect())
}
