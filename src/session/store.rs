//! The SQL of sessions.

use super::filter::Condition;
use super::{Content, Modality, Parts, SessionStatus, TreatmentSession};
use crate::access::Scope;
use crate::db::tables::treatment_session;
use crate::error::{Error, Result};
use crate::ledger;
use crate::page::listing;
use crate::record::Stamp;
use crate::signing;
use crate::vocabulary::{Action, RecordKind, SignatureMeaning};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

pub use super::parts::{areas_of, parts, products_of};

crate::page::listing!(TreatmentSession, treatment_session, Row, Condition, super::OrderBy, {
    "patient_id" => |it| Some(it.patient_id),
    "plan_id" => |it| it.plan_id,
});

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = treatment_session, treat_none_as_null = true)]
struct Row {
    org_id: Uuid,
    id: Uuid,
    patient_id: Uuid,
    practitioner_id: Uuid,
    supervisor_id: Option<Uuid>,
    location_id: Uuid,
    status: SessionStatus,
    started_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    modality: Modality,
    device: Option<serde_json::Value>,
    skin_preparation: Option<String>,
    glide: Option<String>,
    anaesthetic: Option<serde_json::Value>,
    pain_score: Option<i16>,
    immediate_reaction: Option<String>,
    note: Option<String>,
    stop_reason: Option<String>,
    version: i32,
    created_at: DateTime<Utc>,
    created_by: Uuid,
    updated_at: DateTime<Utc>,
    updated_by: Uuid,
    signed_at: Option<DateTime<Utc>>,
    signed_by: Option<Uuid>,
    signature_meaning: Option<SignatureMeaning>,
    content_hash: Option<Vec<u8>>,
    plan_id: Option<Uuid>,
    protocol_version_id: Option<Uuid>,
    device_id: Option<Uuid>,
    checks: Option<serde_json::Value>,
}

impl TryFrom<Row> for TreatmentSession {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            patient_id: row.patient_id,
            practitioner_id: row.practitioner_id,
            supervisor_id: row.supervisor_id,
            location_id: row.location_id,
            status: row.status,
            started_at: row.started_at,
            ended_at: row.ended_at,
            modality: row.modality,
            device: row.device.map(serde_json::from_value).transpose()?,
            skin_preparation: row.skin_preparation,
            glide: row.glide,
            anaesthetic: row.anaesthetic.map(serde_json::from_value).transpose()?,
            pain_score: row.pain_score,
            immediate_reaction: row.immediate_reaction,
            note: row.note,
            stop_reason: row.stop_reason,
            plan_id: row.plan_id,
            protocol_version_id: row.protocol_version_id,
            device_id: row.device_id,
            checks: row.checks.map(serde_json::from_value).transpose()?.unwrap_or_default(),
            stamp: Stamp {
                version: row.version,
                created_at: row.created_at,
                created_by: Some(row.created_by),
                updated_at: row.updated_at,
                updated_by: Some(row.updated_by),
            },
            signature: signing::from_columns((row.signed_at, row.signed_by, row.signature_meaning, row.content_hash)),
            kept_parts: None,
        })
    }
}

impl Row {
    fn of(org_id: Uuid, author: Uuid, session: &TreatmentSession) -> Result<Self> {
        let (signed_at, signed_by, signature_meaning, content_hash) = signing::to_columns(session.signature.as_ref());
        Ok(Self {
            org_id,
            id: session.id,
            patient_id: session.patient_id,
            practitioner_id: session.practitioner_id,
            supervisor_id: session.supervisor_id,
            location_id: session.location_id,
            status: session.status,
            started_at: session.started_at,
            ended_at: session.ended_at,
            modality: session.modality,
            device: session.device.as_ref().map(serde_json::to_value).transpose()?,
            skin_preparation: session.skin_preparation.clone(),
            glide: session.glide.clone(),
            anaesthetic: session.anaesthetic.as_ref().map(serde_json::to_value).transpose()?,
            pain_score: session.pain_score,
            immediate_reaction: session.immediate_reaction.clone(),
            note: session.note.clone(),
            stop_reason: session.stop_reason.clone(),
            version: session.stamp.version,
            created_at: session.stamp.created_at,
            created_by: session.stamp.created_by.unwrap_or(author),
            updated_at: session.stamp.updated_at,
            updated_by: session.stamp.updated_by.unwrap_or(author),
            signed_at,
            signed_by,
            signature_meaning,
            content_hash,
            plan_id: session.plan_id,
            protocol_version_id: session.protocol_version_id,
            device_id: session.device_id,
            checks: (!session.checks.is_empty()).then(|| serde_json::to_value(&session.checks)).transpose()?,
        })
    }
}

/// Sessions by id.
pub async fn sessions(scope: &mut Scope, wanted: &[Uuid]) -> Result<Vec<TreatmentSession>> {
    listing::by_ids(scope, wanted).await
}

/// One session, or NOT_FOUND.
pub async fn session(scope: &mut Scope, id: Uuid) -> Result<TreatmentSession> {
    listing::one(scope, id).await
}

/// Holds a draft until the transaction ends: nothing is put into it or taken out meanwhile.
pub async fn hold(scope: &mut Scope, id: Uuid) -> Result<()> {
    let door = scope.read(RecordKind::TreatmentSession)?;
    let _: Vec<Uuid> = treatment_session::table
        .find((door.org, id))
        .select(treatment_session::id)
        .for_update()
        .load(door.connection)
        .await?;
    Ok(())
}

/// Adds a session with its areas and products.
pub async fn add(scope: &mut Scope, session: &TreatmentSession, parts: &Parts) -> Result<()> {
    let author = scope.viewer().author()?;
    let door = scope.write(Action::Create, RecordKind::TreatmentSession)?;
    let row = Row::of(door.org, author, session)?;
    diesel::insert_into(treatment_session::table).values(&row).execute(door.connection).await?;
    super::parts::insert(door, session.id, parts).await?;
    record(scope, Action::Create, session, parts).await
}

async fn record(scope: &mut Scope, action: Action, session: &TreatmentSession, parts: &Parts) -> Result<()> {
    scope.show([session.patient_id]);
    let content = Content { session, areas: &parts.areas, products: &parts.products };
    ledger::append(scope, action, session, &content).await
}

/// Saves a changed draft; `after` has the version after the change. `parts`, if given, take the place of all there were.
pub async fn save(
    scope: &mut Scope,
    action: Action,
    after: &TreatmentSession,
    expected: i32,
    parts: Option<&Parts>,
) -> Result<()> {
    let author = scope.viewer().author()?;
    let door = scope.write(action, RecordKind::TreatmentSession)?;
    let kept = match parts {
        Some(_) => None,
        None => Some(super::parts::all(door, after.id).await?),
    };
    let door = scope.write(action, RecordKind::TreatmentSession)?;
    let target = treatment_session::table
        .find((door.org, after.id))
        .filter(treatment_session::version.eq(expected))
        .filter(treatment_session::signed_at.is_null());
    let row = Row::of(door.org, author, after)?;
    let changed = diesel::update(target).set(&row).execute(door.connection).await?;
    if changed == 0 {
        let current = session(scope, after.id).await?;
        signing::editable("treatment session", current.signature.as_ref(), current.stamp.version, expected)?;
        return Err(Error::stale("treatment session", expected, current.stamp.version));
    }
    if let Some(parts) = parts {
        super::parts::replace(scope.write(action, RecordKind::TreatmentSession)?, after.id, parts).await?;
    }
    let parts = parts.or(kept.as_ref()).cloned().unwrap_or_default();
    record(scope, action, after, &parts).await
}
