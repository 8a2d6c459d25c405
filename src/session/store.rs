//! The SQL of sessions.

use super::filter::Condition;
use super::{Content, Parts, TreatmentSession};
use crate::access::Scope;
use crate::db::Sql;
use crate::db::tables::treatment_session;
use crate::error::Result;
use crate::ledger;
use crate::page::{Stored, kept, listing, stored};
use crate::record::Stamp;
use crate::signing;
use crate::vocabulary::{Action, RecordKind};
use chrono::TimeDelta;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

pub use super::check_rows::checks_of;
pub use super::parts::{areas_of, parts, products_of};

stored! {
    TreatmentSession = treatment_session signed;
    always: patient_id, practitioner_id, location_id, status, started_at, modality, plan_id, protocol_version_id;
    asked: supervisor_id, ended_at, skin_preparation, glide, pain_score, immediate_reaction, note, stop_reason, device_id;
    opt_json: device, anaesthetic;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::authored, Stamp::authored_columns;
    }
    asked_parts {
        signature(signed_at, signed_by, signature_meaning, content_hash, signature_reason)
            = signing::from_columns, signing::to_columns;
    }
    light: "enteredInError", "areas", "products", "checks", "addenda", "retraction", "copiedFrom", "aftercareNotes", "adverseEvents", "photos", "consents";
    also: kept_parts = None;
}
listing!(TreatmentSession, Condition, super::OrderBy, {
    "patient_id" => |it| Some(it.patient_id),
    "plan_id" => |it| it.plan_id,
});

/// Sessions by id.
pub async fn sessions(scope: &mut Scope, wanted: &[Uuid]) -> Result<Vec<TreatmentSession>> {
    listing::by_ids(scope, wanted).await
}

/// One session, or NOT_FOUND.
pub async fn session(scope: &mut Scope, id: Uuid) -> Result<TreatmentSession> {
    listing::one(scope, id).await
}

/// Sessions that begin so many minutes from each other may be one, which was logged twice. No source has a number: it is
/// shorter than any session, and longer than two people differ in writing down when one began.
const SAME_MINUTES: i64 = 15;

/// Other sessions of the same patient by the same practitioner that began at about the same time and took place.
pub async fn begun_with(scope: &mut Scope, session: &TreatmentSession) -> Result<Vec<TreatmentSession>> {
    let door = scope.read(RecordKind::TreatmentSession)?;
    let columns = TreatmentSession::all_columns();
    let around = TimeDelta::minutes(SAME_MINUTES);
    let mut sql = Sql::new(format!("SELECT {columns} FROM treatment_session WHERE org_id = ")).bind(door.org);
    sql.push(" AND patient_id = ").push_bind(session.patient_id);
    sql.push(" AND practitioner_id = ").push_bind(session.practitioner_id);
    sql.push(" AND id <> ").push_bind(session.id);
    sql.push(" AND status NOT IN ('not_done', 'entered_in_error') AND started_at BETWEEN ");
    sql.push_bind(session.started_at - around).push(" AND ").push_bind(session.started_at + around);
    sql.push(" ORDER BY started_at, id");
    let found: Vec<TreatmentSession> = listing::load(sql, door.connection).await?;
    scope.show(found.iter().map(|it| it.patient_id));
    Ok(found)
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

/// Adds a session with its parts.
pub async fn add(scope: &mut Scope, session: &TreatmentSession, parts: &Parts) -> Result<()> {
    add_with(scope, RecordKind::TreatmentSession, session, parts).await
}

/// The same by the right to make a record of another kind, of which this one is a part.
pub async fn add_with(scope: &mut Scope, right: RecordKind, session: &TreatmentSession, parts: &Parts) -> Result<()> {
    let door = scope.write(Action::Create, right)?;
    session.insert(door.org, door.connection).await??;
    super::parts::insert(door, session.id, parts).await?;
    record(scope, Action::Create, session, parts).await
}

async fn record(scope: &mut Scope, action: Action, session: &TreatmentSession, parts: &Parts) -> Result<()> {
    scope.show([session.patient_id]);
    ledger::append(scope, action, session, &Content { session, parts }).await
}

/// The parts of a session before and after an edit.
#[derive(Debug, Clone, Copy)]
pub struct Replaced<'a> {
    /// As they were read.
    pub old: &'a Parts,
    /// As they are kept from now on.
    pub new: &'a Parts,
}

/// Saves a changed draft; `after` has the version after the change. Of its parts, those kinds are written that differ.
pub async fn save(
    scope: &mut Scope,
    action: Action,
    after: &TreatmentSession,
    expected: i32,
    parts: Replaced<'_>,
) -> Result<()> {
    // The database takes parts of drafts only, so they are written before a signature, and after any other change: each
    // part written shares a lock on the session, and two edits that both shared it would wait for each other. Signing
    // has held the session from its beginning.
    let signing = after.signature.is_some();
    if signing {
        replace_parts(scope, action, after.id, parts).await?;
    }
    kept::change(scope, action, after, expected).await?;
    if !signing {
        replace_parts(scope, action, after.id, parts).await?;
    }
    record(scope, action, after, parts.new).await
}

async fn replace_parts(scope: &mut Scope, action: Action, session: Uuid, parts: Replaced<'_>) -> Result<()> {
    super::parts::replace(scope.write(action, RecordKind::TreatmentSession)?, session, parts.old, parts.new).await
}
