//! The SQL of addenda.

use super::Addendum;
use crate::access::Scope;
use crate::db::Sql;
use crate::db::columns;
use crate::db::tables::addendum;
use crate::error::Result;
use crate::ledger;
use crate::organisation::Staff;
use crate::page::{Order, Page, Window};
use crate::vocabulary::{Action, RecordKind};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use std::collections::HashMap;
use std::sync::LazyLock;
use uuid::Uuid;

static COLUMNS: LazyLock<String> = LazyLock::new(|| columns(addendum::all_columns));

#[derive(Queryable, Insertable)]
#[diesel(table_name = addendum)]
struct Row {
    org_id: Uuid,
    id: Uuid,
    patient_id: Uuid,
    record_kind: RecordKind,
    record_id: Uuid,
    author_id: Uuid,
    added_at: DateTime<Utc>,
    reason: String,
    text: String,
}

impl From<Row> for Addendum {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            patient_id: row.patient_id,
            record_kind: row.record_kind,
            record_id: row.record_id,
            author_id: row.author_id,
            added_at: row.added_at,
            reason: row.reason,
            text: row.text,
        }
    }
}

/// A window on the addenda of each of these records, in one statement; one more row than wanted for each.
pub async fn of_records(
    scope: &mut Scope,
    records: &[Uuid],
    order: &Order,
    window: &Window,
) -> Result<HashMap<Uuid, Vec<Addendum>>> {
    let door = scope.read(RecordKind::Addendum)?;
    let mut sql = Sql::<addendum::SqlType>::new(format!("SELECT {} FROM unnest(", *COLUMNS));
    sql.push_bind(records.to_vec())
        .push("::uuid[]) AS r (id) CROSS JOIN LATERAL (SELECT * FROM addendum WHERE org_id = ")
        .push_bind(door.org)
        .push(" AND record_id = r.id");
    window.push_to(&mut sql, order);
    sql.push(") AS addendum");
    let rows: Vec<Row> = sql.load(door.connection).await?;
    let mut found: HashMap<Uuid, Vec<Addendum>> = HashMap::new();
    for addendum in rows.into_iter().map(Addendum::from) {
        found.entry(addendum.record_id).or_default().push(addendum);
    }
    scope.show(found.values().flatten().map(|addendum| addendum.patient_id));
    Ok(found)
}

/// Which addenda to keep.
#[derive(Debug, Clone, Copy, Default)]
pub struct Condition {
    /// About this patient's records.
    pub patient: Option<Uuid>,
    /// By this author.
    pub author: Option<Uuid>,
    /// To this record.
    pub record: Option<Uuid>,
}

fn push_condition<R>(sql: &mut Sql<R>, org: Uuid, condition: &Condition) {
    sql.push(" FROM addendum WHERE org_id = ").push_bind(org);
    let columns = [("patient_id", condition.patient), ("author_id", condition.author), ("record_id", condition.record)];
    for (column, id) in columns {
        if let Some(id) = id {
            sql.push(format!(" AND {column} = ")).push_bind(id);
        }
    }
}

/// A page of addenda.
pub async fn page(scope: &mut Scope, condition: &Condition, order: &Order, window: &Window) -> Result<Page<Addendum>> {
    let door = scope.read_list(RecordKind::Addendum, condition.patient)?;
    let mut sql = Sql::<addendum::SqlType>::new(format!("SELECT {}", *COLUMNS));
    push_condition(&mut sql, door.org, condition);
    window.push_to(&mut sql, order);
    let rows: Vec<Row> = sql.load(door.connection).await?;
    let page = window.page(rows.into_iter().map(Addendum::from).collect());
    scope.show(page.rows.iter().map(|addendum| addendum.patient_id));
    Ok(page)
}

/// How many addenda a condition keeps.
pub async fn count(scope: &mut Scope, condition: &Condition) -> Result<i64> {
    let door = scope.read_list(RecordKind::Addendum, condition.patient)?;
    let whose = condition.record.map_or("'{}'::uuid[]", |_| "coalesce(array_agg(DISTINCT patient_id), '{}')");
    let mut sql = Sql::<(st::BigInt, st::Array<st::Uuid>)>::new(format!("SELECT count(*), {whose}"));
    push_condition(&mut sql, door.org, condition);
    let (count, whose): (i64, Vec<Uuid>) = sql.get_result(door.connection).await?;
    scope.counted(RecordKind::Addendum, whose.into_iter().chain(condition.patient), count);
    Ok(count)
}

/// How many addenda each of these records has, in one statement; a record without one is left out.
pub async fn counts_of_records(scope: &mut Scope, records: &[Uuid]) -> Result<HashMap<Uuid, i64>> {
    let door = scope.read(RecordKind::Addendum)?;
    let counts: Vec<(Uuid, i64)> =
        Sql::<(st::Uuid, st::BigInt)>::new("SELECT record_id, count(*) FROM addendum WHERE org_id = ")
            .bind(door.org)
            .text(" AND record_id = ANY (")
            .bind(records.to_vec())
            .text(") GROUP BY record_id")
            .load(door.connection)
            .await?;
    Ok(counts.into_iter().collect())
}

/// Addenda by id.
pub async fn addenda(scope: &mut Scope, wanted: &[Uuid]) -> Result<Vec<Addendum>> {
    let door = scope.read(RecordKind::Addendum)?;
    let rows: Vec<Row> = addendum::table
        .filter(addendum::org_id.eq(door.org))
        .filter(addendum::id.eq_any(wanted))
        .load(door.connection)
        .await?;
    let found: Vec<Addendum> = rows.into_iter().map(Addendum::from).collect();
    scope.show(found.iter().map(|addendum| addendum.patient_id));
    Ok(found)
}

/// Adds an addendum.
pub async fn add(scope: &mut Scope, new: &Addendum) -> Result<()> {
    let door = scope.write(Action::Create, RecordKind::Addendum)?;
    let row = Row {
        org_id: door.org,
        id: new.id,
        patient_id: new.patient_id,
        record_kind: new.record_kind,
        record_id: new.record_id,
        author_id: new.author_id,
        added_at: new.added_at,
        reason: new.reason.clone(),
        text: new.text.clone(),
    };
    diesel::insert_into(addendum::table).values(&row).execute(door.connection).await?;
    scope.show([new.patient_id]);
    ledger::append(scope, Action::Create, new, new).await
}

/// What signers were called, and since when: each version of each of them, the oldest first. A signature is its signer's
/// name, the time and the meaning (21 CFR 11.50): whoever may read a signed record reads all three.
pub async fn names_of(scope: &mut Scope, staff: &[Uuid]) -> Result<Vec<(Uuid, DateTime<Utc>, String)>> {
    let door = scope.ledger()?;
    let rows: Vec<(Uuid, DateTime<Utc>, String)> =
        Sql::<(st::Uuid, st::Timestamptz, st::Text)>::new("SELECT record_id, at, content FROM ledger WHERE org_id = ")
            .bind(door.org)
            .text(" AND content IS NOT NULL AND record_id = ANY (")
            .bind(staff.to_vec())
            .text(") ORDER BY seq")
            .load(door.connection)
            .await?;
    let each = rows.into_iter().map(|(id, at, content)| {
        let member: Staff = serde_json::from_str(&content)?;
        Ok((id, at, member.display_name))
    });
    each.collect()
}
