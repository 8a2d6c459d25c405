//! The SQL of legal holds, exports and erasures.

use super::{ErasureCondition, ErasureOrder, HoldCondition, HoldOrder, LegalHold, PatientErasure, StoredObject};
use crate::access::Scope;
use crate::db::Sql;
use crate::error::Result;
use crate::ledger;
use crate::page::{Stored, listing, stored};
use crate::record::Stamp;
use crate::vocabulary::{Action, RecordKind};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

stored! {
    LegalHold = legal_hold;
    always: patient_id, placed_at;
    asked: reason, placed_by, lifted_at, lifted_by, lift_reason;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
}
listing!(LegalHold, HoldCondition, HoldOrder, { "patient_id" => |it| Some(it.patient_id) });
stored! {
    PatientErasure = patient_erasure;
    always: patient_id, erased_at;
    asked: erased_by, reason, authority, objects_deleted_at;
    json: counts, objects;
    opt_json: emptied;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
}
listing!(PatientErasure, ErasureCondition, ErasureOrder, {});

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
    let door = scope.write(Action::Erase, RecordKind::PatientErasure)?;
    erasure.insert(door.org, door.connection).await??;
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

/// A text that was agreed to: the consent, the name, number and language of the text, and what it says.
pub type AgreedText = (Uuid, String, i32, String, String);

/// The texts of consents, as they were when each was proposed: a published text never changes.
pub async fn agreed_texts(scope: &mut Scope, patients: &[Uuid]) -> Result<Vec<AgreedText>> {
    let door = scope.read(RecordKind::Consent)?;
    let texts = Sql::<(st::Uuid, st::Text, st::Integer, st::Text, st::Text)>::new(
        "SELECT c.id, t.name, v.number, v.language, v.text FROM consent c JOIN consent_template_version v \
         ON v.org_id = c.org_id AND v.id = c.template_version_id JOIN consent_template t ON t.org_id = v.org_id \
         AND t.id = v.template_id WHERE c.org_id = ",
    )
    .bind(door.org)
    .text(" AND c.patient_id = ANY (")
    .bind(patients.to_vec())
    .text(") ORDER BY c.id")
    .load(door.connection)
    .await?;
    Ok(texts)
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
