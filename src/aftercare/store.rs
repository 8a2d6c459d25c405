//! The SQL of aftercare notes.

use super::filter::Condition;
use super::{Adherence, AftercareNote, AftercareNoteKind};
use crate::access::Scope;
use crate::db::tables::aftercare_note;
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

crate::page::listing!(AftercareNote, aftercare_note, Row, Condition, super::OrderBy, {
    "patient_id" => |it| Some(it.patient_id),
    "session_id" => |it| Some(it.session_id),
});

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = aftercare_note, treat_none_as_null = true)]
struct Row {
    org_id: Uuid,
    id: Uuid,
    patient_id: Uuid,
    session_id: Uuid,
    author_id: Uuid,
    kind: AftercareNoteKind,
    noted_at: DateTime<Utc>,
    text: Option<String>,
    redness: Option<i16>,
    swelling: Option<i16>,
    pain: Option<i16>,
    adherence: Option<Adherence>,
    escalate: bool,
    version: i32,
    created_at: DateTime<Utc>,
    created_by: Uuid,
    updated_at: DateTime<Utc>,
    updated_by: Uuid,
    signed_at: Option<DateTime<Utc>>,
    signed_by: Option<Uuid>,
    signature_meaning: Option<SignatureMeaning>,
    content_hash: Option<Vec<u8>>,
}

impl From<Row> for AftercareNote {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            patient_id: row.patient_id,
            session_id: row.session_id,
            author_id: row.author_id,
            kind: row.kind,
            noted_at: row.noted_at,
            text: row.text,
            redness: row.redness,
            swelling: row.swelling,
            pain: row.pain,
            adherence: row.adherence,
            escalate: row.escalate,
            stamp: Stamp {
                version: row.version,
                created_at: row.created_at,
                created_by: Some(row.created_by),
                updated_at: row.updated_at,
                updated_by: Some(row.updated_by),
            },
            signature: signing::from_columns((row.signed_at, row.signed_by, row.signature_meaning, row.content_hash)),
        }
    }
}

impl Row {
    fn of(org_id: Uuid, editor: Uuid, note: &AftercareNote) -> Self {
        let (signed_at, signed_by, signature_meaning, content_hash) = signing::to_columns(note.signature.as_ref());
        Self {
            org_id,
            id: note.id,
            patient_id: note.patient_id,
            session_id: note.session_id,
            author_id: note.author_id,
            kind: note.kind,
            noted_at: note.noted_at,
            text: note.text.clone(),
            redness: note.redness,
            swelling: note.swelling,
            pain: note.pain,
            adherence: note.adherence,
            escalate: note.escalate,
            version: note.stamp.version,
            created_at: note.stamp.created_at,
            created_by: note.stamp.created_by.unwrap_or(editor),
            updated_at: note.stamp.updated_at,
            updated_by: note.stamp.updated_by.unwrap_or(editor),
            signed_at,
            signed_by,
            signature_meaning,
            content_hash,
        }
    }
}

/// Notes by id.
pub async fn notes(scope: &mut Scope, wanted: &[Uuid]) -> Result<Vec<AftercareNote>> {
    listing::by_ids(scope, wanted).await
}

/// One note, or NOT_FOUND.
pub async fn note(scope: &mut Scope, id: Uuid) -> Result<AftercareNote> {
    listing::one(scope, id).await
}

/// Adds a note.
pub async fn add(scope: &mut Scope, new: &AftercareNote) -> Result<()> {
    let editor = scope.viewer().author()?;
    let door = scope.write(Action::Create, RecordKind::AftercareNote)?;
    let row = Row::of(door.org, editor, new);
    diesel::insert_into(aftercare_note::table).values(&row).execute(door.connection).await?;
    scope.show([new.patient_id]);
    ledger::append(scope, Action::Create, new, new).await
}

/// Saves a changed draft; `after` has the version after the change.
pub async fn save(scope: &mut Scope, action: Action, after: &AftercareNote, expected: i32) -> Result<()> {
    let editor = scope.viewer().author()?;
    let door = scope.write(action, RecordKind::AftercareNote)?;
    let target = aftercare_note::table
        .find((door.org, after.id))
        .filter(aftercare_note::version.eq(expected))
        .filter(aftercare_note::signed_at.is_null());
    let row = Row::of(door.org, editor, after);
    let changed = diesel::update(target).set(&row).execute(door.connection).await?;
    if changed == 0 {
        let current = note(scope, after.id).await?;
        signing::editable("aftercare note", current.signature.as_ref(), current.stamp.version, expected)?;
        return Err(Error::stale("aftercare note", expected, current.stamp.version));
    }
    scope.show([after.patient_id]);
    ledger::append(scope, action, after, after).await
}
