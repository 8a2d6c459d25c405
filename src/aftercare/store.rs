//! The SQL of aftercare notes.

use super::filter::Condition;
use super::{Adherence, AftercareNote, AftercareNoteKind};
use crate::access::Scope;
use crate::db::tables::aftercare_note;
use crate::db::{Sql, columns};
use crate::error::{Error, Result};
use crate::ids;
use crate::ledger;
use crate::page::{Order, Page, Window};
use crate::record::Stamp;
use crate::signing;
use crate::vocabulary::{Action, RecordKind, SignatureMeaning};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use std::collections::HashMap;
use std::sync::LazyLock;
use uuid::Uuid;

static COLUMNS: LazyLock<String> = LazyLock::new(|| columns(aftercare_note::all_columns));

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

fn records(scope: &mut Scope, rows: Vec<Row>) -> Vec<AftercareNote> {
    let found: Vec<AftercareNote> = rows.into_iter().map(AftercareNote::from).collect();
    scope.show(found.iter().map(|note| note.patient_id));
    found
}

/// What notes hang on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Parent {
    /// A patient.
    Patient,
    /// A session.
    Session,
}

impl Parent {
    fn column(self) -> &'static str {
        match self {
            Self::Patient => "patient_id",
            Self::Session => "session_id",
        }
    }

    fn of(self, note: &AftercareNote) -> Uuid {
        match self {
            Self::Patient => note.patient_id,
            Self::Session => note.session_id,
        }
    }
}

/// A page of notes.
pub async fn page(
    scope: &mut Scope,
    condition: &Condition,
    order: &Order,
    window: &Window,
) -> Result<Page<AftercareNote>> {
    let door = scope.read(RecordKind::AftercareNote)?;
    let mut sql =
        Sql::<aftercare_note::SqlType>::new(format!("SELECT {} FROM aftercare_note WHERE org_id = ", *COLUMNS));
    sql.push_bind(door.org);
    condition.push_to(&mut sql);
    window.push_to(&mut sql, order);
    let rows: Vec<Row> = sql.load(door.connection).await?;
    Ok(window.page(records(scope, rows)))
}

/// The same window on the notes of each of these patients or sessions, in one statement; one more row than wanted for
/// each.
pub async fn of_parents(
    scope: &mut Scope,
    parent: Parent,
    parents: &[Uuid],
    condition: &Condition,
    order: &Order,
    window: &Window,
) -> Result<HashMap<Uuid, Vec<AftercareNote>>> {
    let door = scope.read(RecordKind::AftercareNote)?;
    let mut sql = Sql::<aftercare_note::SqlType>::new(format!("SELECT {} FROM unnest(", *COLUMNS));
    sql.push_bind(parents.to_vec())
        .push("::uuid[]) AS p (id) CROSS JOIN LATERAL (SELECT * FROM aftercare_note WHERE org_id = ")
        .push_bind(door.org)
        .push(format!(" AND {} = p.id", parent.column()));
    condition.push_to(&mut sql);
    window.push_to(&mut sql, order);
    sql.push(") AS aftercare_note");
    let rows: Vec<Row> = sql.load(door.connection).await?;
    let mut found: HashMap<Uuid, Vec<AftercareNote>> = HashMap::new();
    for note in records(scope, rows) {
        found.entry(parent.of(&note)).or_default().push(note);
    }
    Ok(found)
}

/// How many notes a condition keeps, of all or of one patient or session.
pub async fn count(scope: &mut Scope, condition: &Condition) -> Result<i64> {
    let door = scope.read(RecordKind::AftercareNote)?;
    let mut sql = Sql::<st::BigInt>::new("SELECT count(*) FROM aftercare_note WHERE org_id = ");
    sql.push_bind(door.org);
    condition.push_to(&mut sql);
    Ok(sql.get_result(door.connection).await?)
}

/// How many a condition keeps of each of these parents, in one statement; who has none is left out.
pub async fn counts_of_parents(
    scope: &mut Scope,
    parent: Parent,
    parents: &[Uuid],
    condition: &Condition,
) -> Result<HashMap<Uuid, i64>> {
    let door = scope.read(RecordKind::AftercareNote)?;
    let column = parent.column();
    let mut sql =
        Sql::<(st::Uuid, st::BigInt)>::new(format!("SELECT {column}, count(*) FROM aftercare_note WHERE org_id = "));
    sql.push_bind(door.org).push(format!(" AND {column} = ANY (")).push_bind(parents.to_vec()).push(")");
    condition.push_to(&mut sql);
    sql.push(format!(" GROUP BY {column}"));
    let counts: Vec<(Uuid, i64)> = sql.load(door.connection).await?;
    Ok(counts.into_iter().collect())
}

/// Notes by id.
pub async fn notes(scope: &mut Scope, wanted: &[Uuid]) -> Result<Vec<AftercareNote>> {
    let door = scope.read(RecordKind::AftercareNote)?;
    let rows: Vec<Row> = aftercare_note::table
        .filter(aftercare_note::org_id.eq(door.org))
        .filter(aftercare_note::id.eq_any(wanted))
        .load(door.connection)
        .await?;
    Ok(records(scope, rows))
}

/// One note, or NOT_FOUND.
pub async fn note(scope: &mut Scope, id: Uuid) -> Result<AftercareNote> {
    let found = notes(scope, &[id]).await?.into_iter().next();
    found.ok_or_else(|| Error::not_found("aftercare note", ids::show(RecordKind::AftercareNote, id)))
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
