//! The SQL of merges.

use super::{Identities, MergeCondition, MergeOrder, Move, PatientMerge, likeness};
use crate::access::Scope;
use crate::db::Sql;
use crate::db::tables::patient_merge;
use crate::error::{Error, Result};
use crate::ledger::{self, NewEntry, Record};
use crate::page::{Stored, listing, stored};
use crate::patient::{Patient, search, store as patients};
use crate::record::Stamp;
use crate::vocabulary::{Action, RecordKind};
use diesel::prelude::*;
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

stored! {
    PatientMerge = patient_merge;
    always: from_id, into_id, merged_at;
    asked: merged_by, reason, undone_at, undone_by, undo_reason;
    json: moved, conflicts, kept;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
    asked_parts {
        before(before) = before_of, before_column;
    }
}
listing!(PatientMerge, MergeCondition, MergeOrder, {
    "from_id" => |it| Some(it.from_id),
    "into_id" => |it| Some(it.into_id),
});

/// The right that every statement of a merge goes by.
const RIGHT: (Action, RecordKind) = (Action::Merge, RecordKind::PatientMerge);

fn before_of(before: Value) -> Result<Option<Value>> {
    Ok(Some(before))
}

fn before_column(before: &Option<Value>) -> Result<(Value,)> {
    let before = before.clone().ok_or_else(|| Error::Internal("a merge without its patients".to_owned()))?;
    Ok((before,))
}

/// Patients who may be the same person: with the same phone or e-mail, born on the same day, or nearly and with a name that
/// is alike. Found by indexes; `likeness` says how alike they are. A name alone is no evidence: many share one.
pub async fn candidates(scope: &mut Scope, patient: &Patient) -> Result<Vec<Patient>> {
    let names = patients::names_alike(scope, patient).await?;
    let days: Vec<String> = likeness::near_days(patient.birth_date).iter().map(ToString::to_string).collect();
    let reached = search::reached_by(&patient.into());
    let door = scope.read(RecordKind::Patient)?;
    let ids: Vec<Uuid> = Sql::<st::Uuid>::new("SELECT id FROM ((SELECT id FROM patient WHERE org_id = ")
        .bind(door.org)
        .text(" AND birth_date = ")
        .bind(patient.birth_date)
        .text(" ORDER BY id LIMIT 1000) UNION (SELECT p.id FROM patient p WHERE p.org_id = ")
        .bind(door.org)
        .text(" AND p.birth_date = ANY (")
        .bind(days)
        .text("::date[]) AND EXISTS (SELECT FROM patient_search s WHERE s.org_id = ")
        .bind(door.org)
        .text(" AND s.patient_id = p.id AND s.word = ANY (")
        .bind(names)
        .text(")) ORDER BY p.id LIMIT 1000) UNION (SELECT patient_id FROM patient_search WHERE org_id = ")
        .bind(door.org)
        .text(" AND word = ANY (")
        .bind(reached)
        .text(") LIMIT 200)) AS near WHERE id <> ")
        .bind(patient.id)
        .load(door.connection)
        .await?;
    patients::looked_over(scope, &ids).await
}

/// What a merge would move, by table.
pub async fn would_move(scope: &mut Scope, (from, into): (Uuid, Uuid)) -> Result<BTreeMap<String, Vec<Uuid>>> {
    let door = scope.read(RecordKind::PatientMerge)?;
    let mut sql = Sql::<st::Jsonb>::new("SELECT records_to_move(");
    sql.push_bind(from).push(", ").push_bind(into).push(", NULL)");
    let moving: Value = sql.get_result(door.connection).await?;
    Ok(serde_json::from_value(moving)?)
}

/// Pictures that both patients have: the same file can't be twice in one chart.
pub async fn shared_photos(scope: &mut Scope, from: Uuid, into: Uuid) -> Result<Vec<(Uuid, Uuid)>> {
    let door = scope.read(RecordKind::PatientMerge)?;
    let pairs = Sql::<(st::Uuid, st::Uuid)>::new(
        "SELECT a.id, b.id FROM photo a JOIN photo b ON b.org_id = a.org_id AND b.content_hash = a.content_hash WHERE a.org_id = ",
    )
    .bind(door.org)
    .text(" AND a.patient_id = ")
    .bind(from)
    .text(" AND a.status = 'stored' AND b.patient_id = ")
    .bind(into)
    .text(" AND b.status = 'stored' ORDER BY a.id LIMIT 20")
    .load(door.connection)
    .await?;
    Ok(pairs)
}

/// What would go to another patient, by table: all, or only these with what hangs on them.
async fn moving(
    scope: &mut Scope,
    (from, into): (Uuid, Uuid),
    only: Option<&BTreeMap<String, Vec<Uuid>>>,
) -> Result<BTreeMap<String, Vec<Uuid>>> {
    let door = scope.write(RIGHT.0, RIGHT.1)?;
    let mut sql = Sql::<st::Jsonb>::new("SELECT records_to_move(");
    sql.push_bind(from).push(", ").push_bind(into).push(", ");
    match only {
        Some(only) => sql.push_bind(serde_json::to_value(only)?).push("::jsonb)"),
        None => sql.push("NULL)"),
    };
    let moving: Value = sql.get_result(door.connection).await?;
    Ok(serde_json::from_value(moving)?)
}

/// Enters a merge, or its undoing, in the ledger, with what it does to each record, and has the database move what is
/// entered: these records and no other.
async fn enter_and_move(scope: &mut Scope, merge: &PatientMerge, entries: Vec<NewEntry>) -> Result<()> {
    let first = ledger::append_all(scope, Action::Merge, entries).await?;
    ledger::append(scope, Action::Merge, merge, merge).await?;
    let (door, last) = scope.entered()?;
    Sql::<()>::new("SELECT move_patient_records(")
        .bind(first)
        .text(", ")
        .bind(last)
        .text(")")
        .execute(door.connection)
        .await?;
    Ok(())
}

/// The entries of moved records: each as it was, with its new patient and stamp.
async fn moved_entries(scope: &mut Scope, moved: &BTreeMap<String, Vec<Uuid>>, to: Move) -> Result<Vec<NewEntry>> {
    let records: Vec<Uuid> = moved.values().flatten().copied().collect();
    let newest = ledger::newest(scope, &records).await?;
    if newest.len() != records.len() {
        return Err(Error::Internal("a moved record that the ledger does not know".to_owned()));
    }
    let each = newest.into_iter().map(|entry| {
        Ok(NewEntry {
            kind: entry.kind,
            record: entry.record,
            patient: Some(if entry.kind == RecordKind::Patient { entry.record } else { to.into }),
            version: entry.version,
            content: super::moved_content(&entry.content, entry.kind, to)?,
        })
    });
    each.collect()
}

fn entry_of(patient: &Patient) -> Result<NewEntry> {
    Ok(NewEntry {
        kind: RecordKind::Patient,
        record: patient.id,
        patient: Some(patient.id),
        version: patient.version(),
        content: serde_json::to_string(patient)?,
    })
}

/// Makes two patients one. `merge` comes back with what moved.
pub async fn merge(
    scope: &mut Scope,
    mut merge: PatientMerge,
    identities: Identities,
    away: &Patient,
) -> Result<PatientMerge> {
    let sides = (merge.from_id, merge.into_id);
    merge.moved = moving(scope, sides, None).await?;
    patients::put(scope, RIGHT, &identities.into, &identities.merged).await?;
    patients::put(scope, RIGHT, &identities.from, away).await?;
    merge.before = Some(serde_json::to_value(&identities)?);
    let door = scope.write(RIGHT.0, RIGHT.1)?;
    merge.insert(door.org, door.connection).await??;
    let to = Move { from: sides.0, into: sides.1, at: merge.merged_at, by: merge.merged_by };
    let mut entries = moved_entries(scope, &merge.moved, to).await?;
    entries.extend([entry_of(away)?, entry_of(&identities.merged)?]);
    enter_and_move(scope, &merge, entries).await?;
    Ok(merge)
}

/// A merge with both patients around it, held until the transaction ends.
pub async fn held(scope: &mut Scope, id: Uuid) -> Result<Option<PatientMerge>> {
    let door = scope.write(RIGHT.0, RIGHT.1)?;
    let columns = PatientMerge::all_columns();
    let mut sql = Sql::new(format!("SELECT {columns} FROM patient_merge WHERE org_id = ")).bind(door.org);
    sql.push(" AND id = ").push_bind(id).push(" FOR UPDATE");
    Ok(listing::load(sql, door.connection).await?.into_iter().next())
}

/// Whether another merge into the same patient came later and stands.
pub async fn is_followed(scope: &mut Scope, merge: &PatientMerge) -> Result<bool> {
    let door = scope.read(RIGHT.1)?;
    let later: i64 = patient_merge::table
        .filter(patient_merge::org_id.eq(door.org).and(patient_merge::into_id.eq(merge.into_id)))
        .filter(patient_merge::undone_at.is_null().and(patient_merge::merged_at.gt(merge.merged_at)))
        .count()
        .get_result(door.connection)
        .await?;
    Ok(later > 0)
}

/// Takes a merge back: `now` and `after` are the two patients, the one merged away first.
pub async fn undo(
    scope: &mut Scope,
    merge: &PatientMerge,
    now: (&Patient, &Patient),
    after: (&Patient, &Patient),
) -> Result<()> {
    let sides = (merge.into_id, merge.from_id);
    let moved = moving(scope, sides, Some(&merge.moved)).await?;
    patients::put(scope, RIGHT, now.0, after.0).await?;
    patients::put(scope, RIGHT, now.1, after.1).await?;
    let door = scope.write(RIGHT.0, RIGHT.1)?;
    let expected = merge.stamp.version - 1;
    if merge.update(door.org, expected, door.connection).await?? == 0 {
        return Err(Error::stale(&RecordKind::PatientMerge.words(), expected, merge.stamp.version));
    }
    let at = merge.undone_at.ok_or_else(|| Error::Internal("a merge that was taken back at no time".to_owned()))?;
    let to = Move { from: sides.0, into: sides.1, at, by: merge.undone_by };
    let mut entries = moved_entries(scope, &moved, to).await?;
    entries.extend([entry_of(after.0)?, entry_of(after.1)?]);
    enter_and_move(scope, merge, entries).await
}
