//! The SQL of the health history.

use super::filter::Condition;
use super::{ContraindicationSeverity, HealthEntry, HealthEntryKind};
use crate::access::Scope;
use crate::db::tables::health_entry;
use crate::db::{Sql, columns};
use crate::error::{Error, Result};
use crate::ledger;
use crate::page::{Order, Page, Window};
use crate::record::Stamp;
use crate::vocabulary::{Action, RecordKind};
use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use std::sync::LazyLock;
use uuid::Uuid;

static COLUMNS: LazyLock<String> = LazyLock::new(|| columns(health_entry::all_columns));

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = health_entry, treat_none_as_null = true)]
struct Row {
    org_id: Uuid,
    id: Uuid,
    patient_id: Uuid,
    kind: HealthEntryKind,
    code: Option<String>,
    text: String,
    severity: Option<ContraindicationSeverity>,
    onset_on: Option<NaiveDate>,
    ended_on: Option<NaiveDate>,
    last_dose_on: Option<NaiveDate>,
    source: Option<String>,
    verified_by: Option<Uuid>,
    verified_at: Option<DateTime<Utc>>,
    entered_in_error: bool,
    version: i32,
    created_at: DateTime<Utc>,
    created_by: Uuid,
    updated_at: DateTime<Utc>,
    updated_by: Uuid,
}

impl From<Row> for HealthEntry {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            patient_id: row.patient_id,
            kind: row.kind,
            code: row.code,
            text: row.text,
            severity: row.severity,
            onset_on: row.onset_on,
            ended_on: row.ended_on,
            last_dose_on: row.last_dose_on,
            source: row.source,
            verified_by: row.verified_by,
            verified_at: row.verified_at,
            entered_in_error: row.entered_in_error,
            stamp: Stamp {
                version: row.version,
                created_at: row.created_at,
                created_by: Some(row.created_by),
                updated_at: row.updated_at,
                updated_by: Some(row.updated_by),
            },
        }
    }
}

fn row(org_id: Uuid, author: Uuid, entry: &HealthEntry) -> Row {
    Row {
        org_id,
        id: entry.id,
        patient_id: entry.patient_id,
        kind: entry.kind,
        code: entry.code.clone(),
        text: entry.text.clone(),
        severity: entry.severity,
        onset_on: entry.onset_on,
        ended_on: entry.ended_on,
        last_dose_on: entry.last_dose_on,
        source: entry.source.clone(),
        verified_by: entry.verified_by,
        verified_at: entry.verified_at,
        entered_in_error: entry.entered_in_error,
        version: entry.stamp.version,
        created_at: entry.stamp.created_at,
        created_by: entry.stamp.created_by.unwrap_or(author),
        updated_at: entry.stamp.updated_at,
        updated_by: entry.stamp.updated_by.unwrap_or(author),
    }
}

/// The health history of patients, newest first; entries made in error only where asked for.
pub async fn of_patients(scope: &mut Scope, patients: &[Uuid], with_errors: bool) -> Result<Vec<HealthEntry>> {
    let door = scope.read(RecordKind::HealthEntry)?;
    let rows: Vec<Row> = health_entry::table
        .filter(health_entry::org_id.eq(door.org))
        .filter(health_entry::patient_id.eq_any(patients))
        .filter(health_entry::entered_in_error.eq(false).or(health_entry::entered_in_error.eq(with_errors)))
        .order((health_entry::created_at.desc(), health_entry::id.desc()))
        .load(door.connection)
        .await?;
    let entries: Vec<HealthEntry> = rows.into_iter().map(HealthEntry::from).collect();
    scope.show(entries.iter().map(|entry| entry.patient_id));
    Ok(entries)
}

/// A page of entries.
pub async fn page(
    scope: &mut Scope,
    condition: &Condition,
    order: &Order,
    window: &Window,
) -> Result<Page<HealthEntry>> {
    let door = scope.read_list(RecordKind::HealthEntry, condition.patient())?;
    let mut sql = Sql::<health_entry::SqlType>::new(format!("SELECT {} FROM health_entry WHERE org_id = ", *COLUMNS));
    sql.push_bind(door.org);
    condition.push_to(&mut sql);
    window.push_to(&mut sql, order);
    let rows: Vec<Row> = sql.load(door.connection).await?;
    let page = window.page(rows.into_iter().map(HealthEntry::from).collect());
    scope.show(page.rows.iter().map(|entry| entry.patient_id));
    Ok(page)
}

/// How many entries a condition keeps.
pub async fn count(scope: &mut Scope, condition: &Condition) -> Result<i64> {
    let door = scope.read_list(RecordKind::HealthEntry, condition.patient())?;
    let mut sql = Sql::<st::BigInt>::new("SELECT count(*) FROM health_entry WHERE org_id = ");
    sql.push_bind(door.org);
    condition.push_to(&mut sql);
    let count = sql.get_result(door.connection).await?;
    scope.counted(RecordKind::HealthEntry, condition.patient(), count);
    Ok(count)
}

/// Entries by id.
pub async fn entries(scope: &mut Scope, wanted: &[Uuid]) -> Result<Vec<HealthEntry>> {
    let door = scope.read(RecordKind::HealthEntry)?;
    let rows: Vec<Row> = health_entry::table
        .filter(health_entry::org_id.eq(door.org))
        .filter(health_entry::id.eq_any(wanted))
        .load(door.connection)
        .await?;
    let entries: Vec<HealthEntry> = rows.into_iter().map(HealthEntry::from).collect();
    scope.show(entries.iter().map(|entry| entry.patient_id));
    Ok(entries)
}

/// One entry, or NOT_FOUND.
pub async fn entry(scope: &mut Scope, id: Uuid) -> Result<HealthEntry> {
    let found = entries(scope, &[id]).await?.into_iter().next();
    match found {
        Some(found) => Ok(found),
        None => Err(ledger::absent(scope, RecordKind::HealthEntry, id).await),
    }
}

/// Adds an entry.
pub async fn add(scope: &mut Scope, entry: &HealthEntry) -> Result<()> {
    let author = scope.viewer().author()?;
    let door = scope.write(Action::Create, RecordKind::HealthEntry)?;
    diesel::insert_into(health_entry::table).values(&row(door.org, author, entry)).execute(door.connection).await?;
    scope.show([entry.patient_id]);
    ledger::append(scope, Action::Create, entry, entry).await
}

/// Saves a changed entry; `after` has the version after the change.
pub async fn save(scope: &mut Scope, before: &HealthEntry, after: &HealthEntry) -> Result<()> {
    let (author, expected) = (scope.viewer().author()?, before.stamp.version);
    let door = scope.write(Action::Update, RecordKind::HealthEntry)?;
    let target = health_entry::table.find((door.org, after.id)).filter(health_entry::version.eq(expected));
    let changed = diesel::update(target).set(&row(door.org, author, after)).execute(door.connection).await?;
    if changed == 0 {
        let current = entry(scope, after.id).await?.stamp.version;
        return Err(Error::stale("health entry", expected, current));
    }
    scope.show([after.patient_id]);
    ledger::append(scope, Action::Update, after, after).await
}
