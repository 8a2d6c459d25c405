//! Charts from the ledger: what was known at a moment, everything that was ever written, and who had access. Also
//! appends many entries at once.

use super::chain::{Sealed, next_hash};
use super::packed::{Kept, KeptSql, content_of};
use crate::access::Scope;
use crate::db::Sql;
use crate::error::{Error, Result};
use crate::ids;
use crate::record::hex;
use crate::vocabulary::{Action, RecordKind};
use chrono::{DateTime, Utc};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::Instant;
use uuid::Uuid;

/// An entry of the ledger with the content the record had after it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its number in the organisation.
    pub seq: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Who wrote it; none for the program itself.
    pub actor: Option<Uuid>,
    /// What was done.
    pub action: Action,
    /// The kind of the record.
    pub kind: RecordKind,
    /// The record.
    pub record: Uuid,
    /// The version it got.
    pub version: i32,
    /// Its content, unchanged.
    pub content: String,
}

impl Entry {
    /// The record as this entry left it.
    pub fn record_as<R: DeserializeOwned>(&self) -> Result<R> {
        Ok(serde_json::from_str(&self.content)?)
    }

    /// The patients it reveals something about besides the one it belongs to: both sides of a merge.
    pub fn tells_of(&self) -> Result<Vec<Uuid>> {
        if self.kind != RecordKind::PatientMerge {
            return Ok(Vec::new());
        }
        let Sides { from_id, into_id } = self.record_as()?;
        Ok(vec![from_id, into_id])
    }

    /// The content as JSON.
    pub fn json(&self) -> Result<serde_json::Value> {
        self.record_as()
    }
}

/// The two sides of a merge, in its content.
#[derive(Deserialize)]
struct Sides {
    from_id: Uuid,
    into_id: Uuid,
}

type Row = ((i64, DateTime<Utc>, Option<Uuid>, Action), (RecordKind, Uuid, i32), Kept);
type RowSql =
    ((st::BigInt, st::Timestamptz, st::Nullable<st::Uuid>, st::Text), (st::Text, st::Uuid, st::Integer), KeptSql);

const COLUMNS: &str = "v.seq, v.at, v.actor_id, v.action, v.record_kind, v.record_id, v.version, v.content, v.packed";

/// The entries whose content was not erased.
fn entries(rows: Vec<Row>) -> Result<Vec<Entry>> {
    let mut entries = Vec::with_capacity(rows.len());
    for ((seq, at, actor, action), (kind, record, version), kept) in rows {
        if let Some(content) = content_of(kept)? {
            entries.push(Entry { seq, at, actor, action, kind, record, version, content });
        }
    }
    Ok(entries)
}

/// The newest entry of each record that belonged to these patients at a moment, in the order of the ledger, in one
/// statement: their charts as known then, the patients themselves included. The patient of each record is decided as if
/// nobody were closed; what is closed to the viewer is then left out. The caller has checked who may see them.
pub async fn shown_at(scope: &mut Scope, patients: &[Uuid], at: DateTime<Utc>) -> Result<Vec<Entry>> {
    let door = scope.ledger()?;
    let rows: Vec<Row> = Sql::<RowSql>::new(format!("SELECT {COLUMNS} FROM entries_at("))
        .bind(patients.to_vec())
        .text(", ")
        .bind(at)
        .text(") AS w JOIN ledger v ON v.seq = w.seq AND v.at = w.at WHERE v.org_id = ")
        .bind(door.org)
        .text(" ORDER BY v.seq")
        .load(door.connection)
        .await?;
    if !rows.is_empty() {
        scope.show(patients.iter().copied());
    }
    entries(rows)
}

/// The newest entry of each of these records, if it is open.
pub async fn newest(scope: &mut Scope, records: &[Uuid]) -> Result<Vec<Entry>> {
    let door = scope.ledger()?;
    let rows: Vec<Row> = Sql::<RowSql>::new(format!("SELECT {COLUMNS} FROM newest_entries("))
        .bind(records.to_vec())
        .text(") AS w JOIN ledger v ON v.seq = w.seq AND v.at = w.at WHERE v.org_id = ")
        .bind(door.org)
        .text(" ORDER BY v.seq")
        .load(door.connection)
        .await?;
    entries(rows)
}

/// Every entry of these records, oldest first, at most `limit`.
pub async fn history_of(scope: &mut Scope, records: &[Uuid], limit: i64) -> Result<Vec<Entry>> {
    let door = scope.ledger()?;
    let rows: Vec<Row> = Sql::<RowSql>::new(format!("SELECT {COLUMNS} FROM ledger v WHERE v.org_id = "))
        .bind(door.org)
        .text(" AND v.record_id = ANY (")
        .bind(records.to_vec())
        .text(") ORDER BY v.seq LIMIT ")
        .bind(limit)
        .load(door.connection)
        .await?;
    entries(rows)
}

/// An access to a patient, from the access log: its number, when, who, what happened, the operation, the address it
/// came from, and the reason.
pub type Look = ((i64, DateTime<Utc>, Option<Uuid>), (String, String, String, Option<String>));
type LookSql =
    ((st::BigInt, st::Timestamptz, st::Nullable<st::Uuid>), (st::Text, st::Text, st::Text, st::Nullable<st::Text>));

/// Who accessed these patients, oldest first, at most `limit` entries.
pub async fn looks_at(scope: &mut Scope, patients: &[Uuid], limit: i64) -> Result<Vec<Look>> {
    let door = scope.ledger()?;
    let looks = Sql::<LookSql>::new(
        "SELECT seq, at, actor_id, event, operation, from_address, reason FROM access_log WHERE org_id = ",
    )
    .bind(door.org)
    .text(" AND (seq, at) IN (SELECT a.seq, a.at FROM access_log_patient a WHERE a.org_id = ")
    .bind(door.org)
    .text(" AND a.patient_id = ANY (")
    .bind(patients.to_vec())
    .text(")) ORDER BY seq LIMIT ")
    .bind(limit)
    .load(door.connection)
    .await?;
    Ok(looks)
}

/// The content of one entry of many.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// The kind of the record.
    pub kind: RecordKind,
    /// The record.
    pub record: Uuid,
    /// The patient it belongs to now.
    pub patient: Option<Uuid>,
    /// Its version.
    pub version: i32,
    /// Its content, unchanged.
    pub content: String,
}

/// A row as JSON: one statement takes any number of them.
#[derive(Serialize)]
struct NewRow {
    seq: i64,
    record_kind: RecordKind,
    record_id: Uuid,
    patient_id: Option<Uuid>,
    version: i32,
    content: String,
    salt: String,
    digest: String,
    hash: String,
}

/// Bytes as Postgres reads them from text.
fn bytea(bytes: &[u8]) -> String {
    format!("\\x{}", hex::text(bytes))
}

/// The rows of many entries after a head, each chained to the one before it, and the head that they leave.
fn chained(
    (mut seq, mut hash): (i64, Vec<u8>),
    (org, actor, at): (Uuid, Option<Uuid>, DateTime<Utc>),
    request_id: &str,
    action: Action,
    entries: Vec<NewEntry>,
) -> (Vec<NewRow>, (i64, Vec<u8>)) {
    let mut rows = Vec::with_capacity(entries.len());
    for NewEntry { kind, record, patient, version, content } in entries {
        let salt: [u8; 16] = rand::random();
        let sealed = Sealed {
            org,
            at,
            actor,
            request_id,
            action: action.as_str(),
            record_kind: kind.as_str(),
            record_id: record,
            patient_id: patient,
            version,
            content: &content,
            salt: &salt,
        };
        let digest = sealed.digest();
        seq += 1;
        hash = next_hash(&hash, seq, &digest).to_vec();
        rows.push(NewRow {
            seq,
            record_kind: kind,
            record_id: record,
            patient_id: patient,
            version,
            content,
            salt: bytea(&salt),
            digest: bytea(&digest),
            hash: bytea(&hash),
        });
    }
    (rows, (seq, hash))
}

/// Appends what was done to many records, in two statements: one locks and reads the head, the other inserts the rows
/// and moves the head. Returns the number of the first. Contents stay text: it is merges that do this, and the database
/// reads theirs.
pub async fn append_all(scope: &mut Scope, action: Action, entries: Vec<NewEntry>) -> Result<i64> {
    let (org, actor, at) = (scope.org(), scope.viewer().staff, ids::now());
    let request_id = scope.request_id().to_owned();
    let begun = Instant::now();
    let head: Vec<(i64, Vec<u8>)> =
        Sql::<(st::BigInt, st::Binary)>::new("SELECT seq, hash FROM ledger_head WHERE org_id = ")
            .bind(org)
            .text(" FOR UPDATE")
            .load(scope.ledger()?.connection)
            .await?;
    scope.watch().writes.appended(begun.elapsed());
    let head = head.into_iter().next();
    let (seq, hash) = head.ok_or_else(|| Error::Internal("the organisation has no ledger".to_owned()))?;
    let first = seq + 1;
    if entries.is_empty() {
        return Ok(first);
    }
    let entered: Vec<_> = entries.iter().map(|entry| (entry.kind, action)).collect();
    let (rows, (seq, hash)) = chained((seq, hash), (org, actor, at), &request_id, action, entries);
    Sql::<()>::new("WITH head AS (UPDATE ledger_head SET seq = ")
        .bind(seq)
        .text(", hash = ")
        .bind(hash)
        .text(" WHERE org_id = ")
        .bind(org)
        .text(
            ") INSERT INTO ledger (org_id, at, actor_id, request_id, action, seq, record_kind, record_id, patient_id, \
             version, content, salt, digest, hash) SELECT ",
        )
        .bind(org)
        .text(", ")
        .bind(at)
        .text(", ")
        .bind(actor)
        .text(", ")
        .bind(request_id)
        .text(", ")
        .bind(action.as_str())
        .text(", r.* FROM json_to_recordset(")
        .bind(serde_json::to_value(&rows)?)
        .text(
            ") AS r (seq bigint, record_kind text, record_id uuid, patient_id uuid, version integer, content text, \
             salt bytea, digest bytea, hash bytea)",
        )
        .execute(scope.ledger()?.connection)
        .await?;
    scope.recorded(seq, entered);
    Ok(first)
}
