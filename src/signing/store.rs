//! The SQL of addenda.

use super::Addendum;
use crate::access::Scope;
use crate::db::Sql;
use crate::db::columns;
use crate::db::tables::addendum;
use crate::error::Result;
use crate::ledger;
use crate::page::{Order, Window};
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

/// How many addenda a record has.
pub async fn count(scope: &mut Scope, record: Uuid) -> Result<i64> {
    let door = scope.read(RecordKind::Addendum)?;
    Ok(Sql::<st::BigInt>::new("SELECT count(*) FROM addendum WHERE org_id = ")
        .bind(door.org)
        .text(" AND record_id = ")
        .bind(record)
        .get_result(door.connection)
        .await?)
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
