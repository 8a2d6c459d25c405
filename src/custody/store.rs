//! The SQL of legal holds, exports and erasures.

use super::{ErasureCondition, ErasureOrder, HoldCondition, HoldOrder, LegalHold, PatientErasure, StoredObject};
use crate::access::Scope;
use crate::db::Sql;
use crate::db::tables::{legal_hold, patient_erasure};
use crate::error::{Error, Result};
use crate::ledger;
use crate::record::Stamp;
use crate::vocabulary::{Action, RecordKind};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

crate::page::listing!(LegalHold, legal_hold, HoldRow, HoldCondition, HoldOrder, { "patient_id" => |it| Some(it.patient_id) });
crate::page::listing!(PatientErasure, patient_erasure, ErasureRow, ErasureCondition, ErasureOrder, {});

/// Adding and changing legal holds.
pub mod holds {
    crate::page::kept!(super::LegalHold, legal_hold, super::HoldRow);
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = legal_hold, treat_none_as_null = true)]
struct HoldRow {
    org_id: Uuid,
    id: Uuid,
    patient_id: Uuid,
    reason: String,
    placed_at: DateTime<Utc>,
    placed_by: Option<Uuid>,
    lifted_at: Option<DateTime<Utc>>,
    lifted_by: Option<Uuid>,
    lift_reason: Option<String>,
    version: i32,
    created_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_at: DateTime<Utc>,
    updated_by: Option<Uuid>,
}

impl TryFrom<HoldRow> for LegalHold {
    type Error = Error;
    fn try_from(row: HoldRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            patient_id: row.patient_id,
            reason: row.reason,
            placed_at: row.placed_at,
            placed_by: row.placed_by,
            lifted_at: row.lifted_at,
            lifted_by: row.lifted_by,
            lift_reason: row.lift_reason,
            stamp: Stamp {
                version: row.version,
                created_at: row.created_at,
                created_by: row.created_by,
                updated_at: row.updated_at,
                updated_by: row.updated_by,
            },
        })
    }
}

impl HoldRow {
    fn of(org_id: Uuid, it: &LegalHold) -> Result<Self> {
        Ok(Self {
            org_id,
            id: it.id,
            patient_id: it.patient_id,
            reason: it.reason.clone(),
            placed_at: it.placed_at,
            placed_by: it.placed_by,
            lifted_at: it.lifted_at,
            lifted_by: it.lifted_by,
            lift_reason: it.lift_reason.clone(),
            version: it.stamp.version,
            created_at: it.stamp.created_at,
            created_by: it.stamp.created_by,
            updated_at: it.stamp.updated_at,
            updated_by: it.stamp.updated_by,
        })
    }
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = patient_erasure, treat_none_as_null = true)]
struct ErasureRow {
    org_id: Uuid,
    id: Uuid,
    patient_id: Uuid,
    erased_at: DateTime<Utc>,
    erased_by: Option<Uuid>,
    reason: String,
    authority: String,
    counts: Value,
    objects: Value,
    objects_deleted_at: Option<DateTime<Utc>>,
    version: i32,
    created_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_at: DateTime<Utc>,
    updated_by: Option<Uuid>,
    emptied: Option<Value>,
}

impl TryFrom<ErasureRow> for PatientErasure {
    type Error = Error;
    fn try_from(row: ErasureRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            patient_id: row.patient_id,
            erased_at: row.erased_at,
            erased_by: row.erased_by,
            reason: row.reason,
            authority: row.authority,
            counts: serde_json::from_value(row.counts)?,
            objects: serde_json::from_value(row.objects)?,
            objects_deleted_at: row.objects_deleted_at,
            emptied: row.emptied.map(serde_json::from_value).transpose()?,
            stamp: Stamp {
                version: row.version,
                created_at: row.created_at,
                created_by: row.created_by,
                updated_at: row.updated_at,
                updated_by: row.updated_by,
            },
        })
    }
}

impl ErasureRow {
    fn of(org_id: Uuid, erasure: &PatientErasure) -> Result<Self> {
        Ok(Self {
            org_id,
            id: erasure.id,
            patient_id: erasure.patient_id,
            erased_at: erasure.erased_at,
            erased_by: erasure.erased_by,
            reason: erasure.reason.clone(),
            authority: erasure.authority.clone(),
            counts: serde_json::to_value(&erasure.counts)?,
            objects: serde_json::to_value(&erasure.objects)?,
            objects_deleted_at: erasure.objects_deleted_at,
            version: erasure.stamp.version,
            created_at: erasure.stamp.created_at,
            created_by: erasure.stamp.created_by,
            updated_at: erasure.stamp.updated_at,
            updated_by: erasure.stamp.updated_by,
            emptied: erasure.emptied.as_ref().map(serde_json::to_value).transpose()?,
        })
    }
}

/// Changing erasures: only their files go after them.
pub mod erasures {
    crate::page::kept!(super::PatientErasure, patient_erasure, super::ErasureRow);
}

/// What the database says that an erasure takes.
#[derive(Deserialize)]
struct Erased {
    counts: BTreeMap<String, i64>,
    objects: Vec<StoredObject>,
    emptied: Vec<(i64, i64)>,
}

/// Erases a patient with everyone merged into them; `erasure` comes back with what went. The ledger is told first what
/// goes, and the database does that and nothing else.
pub async fn erase(scope: &mut Scope, mut erasure: PatientErasure) -> Result<PatientErasure> {
    let door = scope.write(Action::Erase, RecordKind::PatientErasure)?;
    let found: Value = Sql::<st::Jsonb>::new("SELECT records_to_erase(")
        .bind(erasure.patient_id)
        .text(")")
        .get_result(door.connection)
        .await?;
    let Erased { counts, objects, emptied } = serde_json::from_value(found)?;
    (erasure.counts, erasure.objects, erasure.emptied) = (counts, objects, Some(emptied));
    // Who had no photos leaves no files.
    erasure.objects_deleted_at = erasure.objects.is_empty().then_some(erasure.erased_at);
    let row = ErasureRow::of(door.org, &erasure)?;
    diesel::insert_into(patient_erasure::table).values(&row).execute(door.connection).await?;
    scope.show([erasure.patient_id]);
    ledger::append(scope, Action::Erase, &erasure, &erasure).await?;
    let (door, entry) = scope.entered()?;
    Sql::<()>::new("SELECT erase_patient_records(").bind(entry).text(")").execute(door.connection).await?;
    Ok(erasure)
}

/// Notes in the ledger that all of a patient is given out.
pub async fn note_export(scope: &mut Scope, patient: &crate::patient::Patient) -> Result<()> {
    scope.write(Action::Export, RecordKind::Patient)?;
    ledger::append(scope, Action::Export, patient, patient).await
}

/// Drawn signatures under consents: the consent, the media type and the image in base 64.
pub async fn drawn_signatures(scope: &mut Scope, patients: &[Uuid]) -> Result<Vec<(Uuid, String, String)>> {
    let door = scope.read(RecordKind::Consent)?;
    let images = Sql::<(st::Uuid, st::Text, st::Text)>::new(
        "SELECT s.consent_id, s.media_type, translate(encode(s.image, 'base64'), E'\\n', '') FROM consent c \
         JOIN consent_signature s ON s.org_id = c.org_id AND s.consent_id = c.id WHERE c.org_id = ",
    )
    .bind(door.org)
    .text(" AND c.patient_id = ANY (")
    .bind(patients.to_vec())
    .text(") ORDER BY s.consent_id")
    .load(door.connection)
    .await?;
    Ok(images)
}

/// Photos: id, media type and SHA-256 of the bytes in hexadecimal. The bytes are in the object store.
pub async fn photos(scope: &mut Scope, patients: &[Uuid]) -> Result<Vec<(Uuid, Option<String>, Option<String>)>> {
    let door = scope.read(RecordKind::Photo)?;
    let photos = Sql::<(st::Uuid, st::Nullable<st::Text>, st::Nullable<st::Text>)>::new(
        "SELECT id, media_type, encode(content_hash, 'hex') FROM photo WHERE org_id = ",
    )
    .bind(door.org)
    .text(" AND patient_id = ANY (")
    .bind(patients.to_vec())
    .text(") ORDER BY id")
    .load(door.connection)
    .await?;
    Ok(photos)
}
