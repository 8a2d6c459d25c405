//! Aftercare notes of patients and of sessions, notes by id: batched.

use super::filter::Condition;
use super::store::Parent;
use super::{AftercareNote, Filter, OrderBy, store};
use crate::error::{Error, SharedError};
use crate::operation::{Batch, Running};
use crate::page::{Connection, PageArguments, Window, batch_counter};
use async_graphql::dataloader::Loader;
use async_graphql::{Context, Result};
use std::collections::HashMap;
use uuid::Uuid;

/// Looks a note up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NoteById(pub Uuid);

impl Loader<NoteById> for Batch {
    type Value = AftercareNote;
    type Error = SharedError;

    async fn load(&self, keys: &[NoteById]) -> Result<HashMap<NoteById, AftercareNote>, SharedError> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let mut scope = self.0.reader().await?;
        let notes = store::notes(&mut scope, &ids).await?;
        Ok(notes.into_iter().map(|note| (NoteById(note.id), note)).collect())
    }
}

/// The note a record must have.
pub async fn note_of_record(ctx: &Context<'_>, id: Uuid) -> Result<AftercareNote> {
    let note = ctx.batches()?.load_one(NoteById(id)).await?;
    note.ok_or_else(|| Error::Internal("a record without its aftercare note".to_owned()).into())
}

/// A window on the notes of a patient or of a session.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NotesOf {
    id: Uuid,
    list: NoteList,
}

/// What siblings share: the same list of another patient or session.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct NoteList {
    parent: Parent,
    condition: Condition,
    order: OrderBy,
    window: Window,
}

/// How many a condition keeps of a patient's or of a session's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct NotesCounted {
    parent: Parent,
    id: Uuid,
    condition: Condition,
}

impl Loader<NotesCounted> for Batch {
    type Value = i64;
    type Error = SharedError;

    async fn load(&self, keys: &[NotesCounted]) -> Result<HashMap<NotesCounted, i64>, SharedError> {
        let mut lists: HashMap<(Parent, &Condition), Vec<Uuid>> = HashMap::new();
        for key in keys {
            lists.entry((key.parent, &key.condition)).or_default().push(key.id);
        }
        let mut scope = self.0.reader().await?;
        let mut found = HashMap::new();
        for ((parent, condition), ids) in lists {
            for (id, count) in store::counts_of_parents(&mut scope, parent, &ids, condition).await? {
                found.insert(NotesCounted { parent, id, condition: condition.clone() }, count);
            }
        }
        Ok(found)
    }
}

impl Loader<NotesOf> for Batch {
    type Value = Vec<AftercareNote>;
    type Error = SharedError;

    async fn load(&self, keys: &[NotesOf]) -> Result<HashMap<NotesOf, Self::Value>, SharedError> {
        let mut lists: HashMap<&NoteList, Vec<Uuid>> = HashMap::new();
        for key in keys {
            lists.entry(&key.list).or_default().push(key.id);
        }
        let mut scope = self.0.reader().await?;
        let mut found = HashMap::new();
        for (list, parents) in lists {
            let order = list.order.order();
            let notes =
                store::of_parents(&mut scope, list.parent, &parents, &list.condition, &order, &list.window).await?;
            found.extend(notes.into_iter().map(|(id, rows)| (NotesOf { id, list: list.clone() }, rows)));
        }
        Ok(found)
    }
}

/// A page of a patient's notes: the `aftercareNotes` field of a patient.
pub async fn of_patient(
    ctx: &Context<'_>,
    patient: Uuid,
    filter: Filter,
    order: OrderBy,
    arguments: PageArguments,
) -> Result<Connection<AftercareNote>> {
    of_parent(ctx, (Parent::Patient, patient), filter, order, arguments).await
}

/// A page of a session's notes: the `aftercareNotes` field of a session.
pub async fn of_session(
    ctx: &Context<'_>,
    session: Uuid,
    filter: Filter,
    order: OrderBy,
    arguments: PageArguments,
) -> Result<Connection<AftercareNote>> {
    of_parent(ctx, (Parent::Session, session), filter, order, arguments).await
}

async fn of_parent(
    ctx: &Context<'_>,
    (parent, id): (Parent, Uuid),
    filter: Filter,
    order: OrderBy,
    arguments: PageArguments,
) -> Result<Connection<AftercareNote>> {
    let condition = filter.read()?;
    let window = arguments.window(&order.order())?;
    let list = NoteList { parent, condition: condition.clone(), order, window: window.clone() };
    let rows = ctx.batches()?.load_one(NotesOf { id, list }).await?.unwrap_or_default();
    let count = batch_counter(ctx, NotesCounted { parent, id, condition })?;
    Ok(Connection::new(window.page(rows), &order.order(), |note| order.key(note), count))
}
