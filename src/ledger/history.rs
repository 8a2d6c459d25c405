//! The versions of a record, from the ledger: who, when, and what changed.

use super::packed::{Kept, KeptSql, content_of};
use crate::access::Scope;
use crate::db::Sql;
use crate::error::Result;
use crate::ids;
use crate::kinds::KINDS;
use crate::vocabulary::{Action, RecordKind};
use chrono::{DateTime, Utc};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use serde_json::{Map, Value};
use std::collections::HashMap;
use uuid::Uuid;

/// One version of a record.
#[derive(Debug, Clone)]
pub struct RecordVersion {
    /// The number of its ledger entry in the organisation.
    pub seq: i64,
    /// When this version was made.
    pub at: DateTime<Utc>,
    /// Who made this version; none for the program itself.
    pub actor: Option<Uuid>,
    /// What was done.
    pub action: Action,
    /// The version of the record.
    pub version: i32,
    /// The fields that differ from the version before; all of them in the first.
    pub changes: Vec<Change>,
}

/// A field that differs between two versions.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The name of the field in the API.
    pub field: String,
    /// The value before; `null` if there was none.
    pub before: Value,
    /// The value after.
    pub after: Value,
}

// Bookkeeping fields that change with every version and say nothing about the record.
const NOT_SHOWN: &[&str] = &["id", "account_id", "version", "created_at", "created_by", "updated_at", "updated_by"];

/// A field's name as the API has it: `needle_depth_mm` is `needleDepthMm`.
fn api_name(field: &str) -> String {
    let mut name = String::with_capacity(field.len());
    for (i, part) in field.split('_').enumerate() {
        let mut characters = part.chars();
        match characters.next() {
            Some(first) if i > 0 => name.extend(first.to_uppercase()),
            Some(first) => name.push(first),
            None => {}
        }
        name.push_str(characters.as_str());
    }
    name
}

/// The kind of record that a field of the ledger's content names by its id.
pub(crate) fn kind_named_by(field: &str) -> Option<RecordKind> {
    KINDS.iter().find(|row| row.named_by.contains(&field)).map(|row| row.kind)
}

/// A value from the ledger's content as shown to clients: with the names of the API and typed ids.
fn shown(field: &str, value: &Value) -> Value {
    match value {
        Value::String(text) => match kind_named_by(field).zip(text.parse().ok()) {
            Some((kind, id)) => Value::String(ids::show(kind, id)),
            None => value.clone(),
        },
        Value::Array(items) => Value::Array(items.iter().map(|item| shown(field, item)).collect()),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .filter(|(name, _)| name.as_str() != "id")
                .map(|(name, value)| (api_name(name), shown(name, value)))
                .collect(),
        ),
        _ => value.clone(),
    }
}

/// A whole content as shown to clients, without its id, which is given beside it.
pub fn shown_content(content: &Value) -> Value {
    shown("", content)
}

/// The fields in which two contents differ.
pub fn changes(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<Change> {
    let mut fields: Vec<&String> = after.keys().chain(before.keys().filter(|key| !after.contains_key(*key))).collect();
    fields.sort();
    fields
        .into_iter()
        .filter(|field| !NOT_SHOWN.contains(&field.as_str()))
        .filter_map(|field| {
            let (old, new) = (before.get(field).unwrap_or(&Value::Null), after.get(field).unwrap_or(&Value::Null));
            let (before, after) = (shown(field, old), shown(field, new));
            (before != after).then(|| Change { field: api_name(field), before, after })
        })
        .collect()
}

type Row = ((Uuid, i64, DateTime<Utc>, Option<Uuid>), (Action, i32), Kept, Kept);
type RowSql =
    ((st::Uuid, st::BigInt, st::Timestamptz, st::Nullable<st::Uuid>), (st::Text, st::Integer), KeptSql, KeptSql);

fn content(kept: Kept) -> Result<Map<String, Value>> {
    content_of(kept)?.map_or_else(|| Ok(Map::new()), |text| Ok(serde_json::from_str(&text)?))
}

/// The newest `limit` versions of each record that come before entry `before`, newest first, in one statement.
pub async fn page(
    scope: &mut Scope,
    kind: RecordKind,
    records: &[Uuid],
    before: Option<i64>,
    limit: i64,
) -> Result<HashMap<Uuid, Vec<RecordVersion>>> {
    let door = scope.read(kind)?;
    let rows: Vec<Row> = Sql::<RowSql>::new(
        "SELECT r.id, v.seq, v.at, v.actor_id, v.action, v.version, v.content, v.packed, p.content, p.packed FROM unnest(",
    )
        .bind(records.to_vec())
        .text("::uuid[]) AS r (id) CROSS JOIN LATERAL (SELECT * FROM ledger l WHERE l.org_id = ")
        .bind(door.org)
        .text(" AND l.record_id = r.id AND l.seq < ")
        .bind(before.unwrap_or(i64::MAX))
        .text(" ORDER BY l.seq DESC LIMIT ")
        .bind(limit)
        .text(
            ") AS v LEFT JOIN LATERAL (SELECT b.content, b.packed FROM ledger b WHERE b.org_id = v.org_id \
             AND b.record_id = r.id AND b.seq < v.seq ORDER BY b.seq DESC LIMIT 1) AS p ON true ORDER BY r.id, v.seq DESC",
        )
        .load(door.connection)
        .await?;
    let mut found: HashMap<Uuid, Vec<RecordVersion>> = HashMap::new();
    for ((record, seq, at, actor), (action, version), after, before) in rows {
        let changes = changes(&content(before)?, &content(after)?);
        found.entry(record).or_default().push(RecordVersion { seq, at, actor, action, version, changes });
    }
    Ok(found)
}

/// How many versions each of these records has, in one statement.
pub async fn counts(scope: &mut Scope, kind: RecordKind, records: &[Uuid]) -> Result<HashMap<Uuid, i64>> {
    let door = scope.read(kind)?;
    let counts: Vec<(Uuid, i64)> =
        Sql::<(st::Uuid, st::BigInt)>::new("SELECT record_id, count(*) FROM ledger WHERE org_id = ")
            .bind(door.org)
            .text(" AND record_id = ANY (")
            .bind(records.to_vec())
            .text(") GROUP BY record_id")
            .load(door.connection)
            .await?;
    Ok(counts.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_differs_is_a_change() {
        let before = json!({"note": "a", "pain": 3, "gone": 1, "version": 1});
        let after = json!({"note": "b", "pain": 3, "new": true, "version": 2});
        let found = changes(before.as_object().expect("map"), after.as_object().expect("map"));
        let fields: Vec<&str> = found.iter().map(|change| change.field.as_str()).collect();
        assert_eq!(fields, ["gone", "new", "note"]);
    }

    #[test]
    fn a_client_reads_api_names_and_typed_ids() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        let after = json!({"practitioner_id": id, "areas": [{"id": id, "needle_depth_mm": "1.5"}]});
        let found = changes(&Map::new(), after.as_object().expect("map"));
        assert_eq!(found[0].after, json!([{"needleDepthMm": "1.5"}]));
        assert_eq!(found[1].field, "practitionerId");
        assert_eq!(found[1].after, json!("staff_01h455vb4pex5vsknk084sn02q"));
    }
}
