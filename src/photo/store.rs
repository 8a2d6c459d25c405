//! The SQL of photos.

use super::{Photo, PhotoCondition, PhotoOrder, PhotoPurpose};
use crate::access::Scope;
use crate::consent::{ConsentKind, push_not_outgrown};
use crate::db::Sql;
use crate::error::{Error, Result};
use crate::ids;
use crate::ledger;
use crate::page::{Stored, listing, stored};
use crate::record::{Stamp, hex};
use crate::vocabulary::RecordKind;
use chrono::{DateTime, Utc};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

stored! {
    Photo = photo;
    always: patient_id, session_id, aftercare_note_id, adverse_event_id, status, taken_at, phase, view, area, side;
    asked: status_reason, lighting, distance_cm, make_up_free, note, upload_expires_at, stored_at, media_type, byte_size, width, height;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
    asked_parts {
        content_hash(content_hash) = hash_of, hash_column;
    }
    light: "enteredInError";
}
listing!(Photo, PhotoCondition, PhotoOrder, {
    "patient_id" => |it| Some(it.patient_id),
    "session_id" => |it| it.session_id,
});

/// A photo, held until the transaction ends: nobody else changes it meanwhile.
pub async fn held(scope: &mut Scope, id: Uuid) -> Result<Photo> {
    let door = scope.read(RecordKind::Photo)?;
    let mut sql = Sql::new(format!("SELECT {} FROM photo WHERE org_id = ", Photo::all_columns()));
    sql.push_bind(door.org).push(" AND id = ").push_bind(id).push(" FOR UPDATE");
    let found = listing::load::<Photo>(sql, door.connection).await?.into_iter().next();
    match found {
        Some(found) => Ok(found),
        None => Err(ledger::absent(scope, RecordKind::Photo, id).await),
    }
}

/// A photo whose bytes had to come before this moment and did not, held; one that an upload is at work on is left.
pub async fn overdue(scope: &mut Scope, before: DateTime<Utc>) -> Result<Option<Photo>> {
    let door = scope.read(RecordKind::Photo)?;
    let mut sql = Sql::new(format!("SELECT {} FROM photo WHERE org_id = ", Photo::all_columns()));
    sql.push_bind(door.org)
        .push(" AND status = 'awaiting_upload' AND upload_expires_at < ")
        .push_bind(before)
        .push(" ORDER BY upload_expires_at LIMIT 1 FOR UPDATE SKIP LOCKED");
    Ok(listing::load::<Photo>(sql, door.connection).await?.into_iter().next())
}

/// Another photo of the patient that has these bytes.
pub async fn twin(scope: &mut Scope, patient: Uuid, hash: &str) -> Result<Option<Uuid>> {
    let door = scope.read(RecordKind::Photo)?;
    let found: Vec<Uuid> = Sql::<st::Uuid>::new("SELECT id FROM photo WHERE status = 'stored' AND org_id = ")
        .bind(door.org)
        .text(" AND patient_id = ")
        .bind(patient)
        .text(" AND content_hash = ")
        .bind(bytes_of(hash)?)
        .load(door.connection)
        .await?;
    Ok(found.into_iter().next())
}

/// To which purposes these patients agree now, by consents that are active and not expired.
pub async fn agreed(scope: &mut Scope, patients: &[Uuid]) -> Result<Vec<(Uuid, PhotoPurpose)>> {
    let door = scope.read(RecordKind::Photo)?;
    let now = ids::now();
    let mut sql = Sql::<(st::Uuid, st::Text)>::new(
        "SELECT DISTINCT patient_id, kind FROM consent WHERE status = 'active' AND org_id = ",
    );
    sql.push_bind(door.org)
        .push(" AND patient_id = ANY (")
        .push_bind(patients.to_vec())
        .push(") AND kind = ANY (")
        .push_bind(PURPOSES.map(|(_, kind)| kind.as_str().to_owned()).to_vec())
        .push(") AND (expires_at IS NULL OR expires_at > ")
        .push_bind(now)
        .push(")");
    push_not_outgrown(&mut sql, now);
    let kinds: Vec<(Uuid, String)> = sql.load(door.connection).await?;
    let purpose = |kind: &str| PURPOSES.into_iter().find(|(_, of)| of.as_str() == kind).map(|(purpose, _)| purpose);
    Ok(kinds.into_iter().filter_map(|(patient, kind)| Some((patient, purpose(&kind)?))).collect())
}

/// Whether a patient agrees to a purpose now, by a consent.
pub async fn agrees(scope: &mut Scope, patient: Uuid, purpose: PhotoPurpose) -> Result<bool> {
    Ok(agreed(scope, &[patient]).await?.iter().any(|(_, agreed)| *agreed == purpose))
}

/// What asks for a consent, and for which.
const PURPOSES: [(PhotoPurpose, ConsentKind); 2] = [
    (PhotoPurpose::ClinicalRecord, ConsentKind::ClinicalPhoto),
    (PhotoPurpose::Marketing, ConsentKind::MarketingPhoto),
];

/// The legal holds that stand on these patients, each with its reason: photos are readable under them without a consent.
pub async fn holds(scope: &mut Scope, patients: &[Uuid]) -> Result<Vec<(Uuid, String)>> {
    let door = scope.read(RecordKind::Photo)?;
    let found = Sql::<(st::Uuid, st::Text)>::new(
        "SELECT DISTINCT ON (patient_id) patient_id, reason FROM legal_hold WHERE lifted_at IS NULL AND org_id = ",
    )
    .bind(door.org)
    .text(" AND patient_id = ANY (")
    .bind(patients.to_vec())
    .text(") ORDER BY patient_id, placed_at DESC, id")
    .load(door.connection)
    .await?;
    Ok(found)
}

/// Whose an adverse event is.
pub async fn patient_of_adverse_event(scope: &mut Scope, id: Uuid) -> Result<Option<Uuid>> {
    let door = scope.read(RecordKind::AdverseEvent)?;
    let found: Vec<Uuid> = Sql::<st::Uuid>::new("SELECT patient_id FROM adverse_event WHERE org_id = ")
        .bind(door.org)
        .text(" AND id = ")
        .bind(id)
        .load(door.connection)
        .await?;
    Ok(found.into_iter().next())
}

fn bytes_of(hash: &str) -> Result<Vec<u8>> {
    let digits = hash.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> =
        digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    bytes.ok_or_else(|| Error::Internal("a hash that is not hexadecimal".to_owned()))
}

fn hash_of(hash: Option<Vec<u8>>) -> Result<Option<String>> {
    Ok(hash.as_deref().map(hex::text))
}

fn hash_column(hash: &Option<String>) -> Result<(Option<Vec<u8>>,)> {
    Ok((hash.as_deref().map(bytes_of).transpose()?,))
}
