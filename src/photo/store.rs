//! The SQL of photos.

use super::{MediaType, Photo, PhotoCondition, PhotoOrder, PhotoPhase, PhotoPurpose, PhotoStatus, PhotoView};
use crate::access::Scope;
use crate::db::Sql;
use crate::db::tables::photo;
use crate::error::{Error, Result};
use crate::ids;
use crate::ledger;
use crate::page::Listing;
use crate::record::{Stamp, hex};
use crate::vocabulary::{BodyArea, RecordKind, Side};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

crate::page::listing!(Photo, photo, PhotoRow, PhotoCondition, PhotoOrder, {
    "patient_id" => |it| Some(it.patient_id),
    "session_id" => |it| it.session_id,
});

/// Adding and changing photos.
pub mod photos {
    crate::page::kept!(super::Photo, photo, super::PhotoRow);
}

/// A photo, held until the transaction ends: nobody else changes it meanwhile.
pub async fn held(scope: &mut Scope, id: Uuid) -> Result<Photo> {
    let door = scope.read(RecordKind::Photo)?;
    let mut sql = Sql::new(format!("SELECT {} FROM photo WHERE org_id = ", Photo::columns()));
    sql.push_bind(door.org).push(" AND id = ").push_bind(id).push(" FOR UPDATE");
    let found = <Photo as Listing>::load(sql, door.connection).await?.into_iter().next();
    match found {
        Some(found) => Ok(found),
        None => Err(ledger::absent(scope, RecordKind::Photo, id).await),
    }
}

/// A photo whose bytes had to come before this moment and did not, held; one that an upload is at work on is left.
pub async fn overdue(scope: &mut Scope, before: DateTime<Utc>) -> Result<Option<Photo>> {
    let door = scope.read(RecordKind::Photo)?;
    let mut sql = Sql::new(format!("SELECT {} FROM photo WHERE org_id = ", Photo::columns()));
    sql.push_bind(door.org)
        .push(" AND status = 'awaiting_upload' AND upload_expires_at < ")
        .push_bind(before)
        .push(" ORDER BY upload_expires_at LIMIT 1 FOR UPDATE SKIP LOCKED");
    Ok(<Photo as Listing>::load(sql, door.connection).await?.into_iter().next())
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
    let kinds: Vec<(Uuid, String)> = Sql::<(st::Uuid, st::Text)>::new(
        "SELECT DISTINCT patient_id, kind FROM consent WHERE status = 'active' AND org_id = ",
    )
    .bind(door.org)
    .text(" AND patient_id = ANY (")
    .bind(patients.to_vec())
    .text(") AND kind = ANY (")
    .bind(PURPOSES.map(|purpose| purpose.consent().to_owned()).to_vec())
    .text(") AND (expires_at IS NULL OR expires_at > ")
    .bind(ids::now())
    .text(")")
    .load(door.connection)
    .await?;
    let purpose = |kind: &str| PURPOSES.into_iter().find(|purpose| purpose.consent() == kind);
    Ok(kinds.into_iter().filter_map(|(patient, kind)| Some((patient, purpose(&kind)?))).collect())
}

const PURPOSES: [PhotoPurpose; 2] = [PhotoPurpose::ClinicalRecord, PhotoPurpose::Marketing];

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

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = photo, treat_none_as_null = true)]
struct PhotoRow {
    org_id: Uuid,
    id: Uuid,
    patient_id: Uuid,
    session_id: Option<Uuid>,
    aftercare_note_id: Option<Uuid>,
    adverse_event_id: Option<Uuid>,
    status: PhotoStatus,
    status_reason: Option<String>,
    taken_at: DateTime<Utc>,
    phase: PhotoPhase,
    view: PhotoView,
    area: BodyArea,
    side: Side,
    lighting: Option<String>,
    distance_cm: Option<i16>,
    make_up_free: Option<bool>,
    note: Option<String>,
    upload_expires_at: Option<DateTime<Utc>>,
    stored_at: Option<DateTime<Utc>>,
    content_hash: Option<Vec<u8>>,
    media_type: Option<MediaType>,
    byte_size: Option<i32>,
    width: Option<i32>,
    height: Option<i32>,
    version: i32,
    created_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_at: DateTime<Utc>,
    updated_by: Option<Uuid>,
}

impl TryFrom<PhotoRow> for Photo {
    type Error = Error;
    fn try_from(row: PhotoRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            patient_id: row.patient_id,
            session_id: row.session_id,
            aftercare_note_id: row.aftercare_note_id,
            adverse_event_id: row.adverse_event_id,
            status: row.status,
            status_reason: row.status_reason,
            taken_at: row.taken_at,
            phase: row.phase,
            view: row.view,
            area: row.area,
            side: row.side,
            lighting: row.lighting,
            distance_cm: row.distance_cm,
            make_up_free: row.make_up_free,
            note: row.note,
            upload_expires_at: row.upload_expires_at,
            stored_at: row.stored_at,
            content_hash: row.content_hash.as_deref().map(hex::text),
            media_type: row.media_type,
            byte_size: row.byte_size,
            width: row.width,
            height: row.height,
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

impl PhotoRow {
    fn of(org_id: Uuid, it: &Photo) -> Result<Self> {
        Ok(Self {
            org_id,
            id: it.id,
            patient_id: it.patient_id,
            session_id: it.session_id,
            aftercare_note_id: it.aftercare_note_id,
            adverse_event_id: it.adverse_event_id,
            status: it.status,
            status_reason: it.status_reason.clone(),
            taken_at: it.taken_at,
            phase: it.phase,
            view: it.view,
            area: it.area,
            side: it.side,
            lighting: it.lighting.clone(),
            distance_cm: it.distance_cm,
            make_up_free: it.make_up_free,
            note: it.note.clone(),
            upload_expires_at: it.upload_expires_at,
            stored_at: it.stored_at,
            content_hash: it.content_hash.as_deref().map(bytes_of).transpose()?,
            media_type: it.media_type,
            byte_size: it.byte_size,
            width: it.width,
            height: it.height,
            version: it.stamp.version,
            created_at: it.stamp.created_at,
            created_by: it.stamp.created_by,
            updated_at: it.stamp.updated_at,
            updated_by: it.stamp.updated_by,
        })
    }
}
