//! Aftercare notes of patients and of sessions: batched.

use super::{AftercareNote, Filter, OrderBy};
use crate::page::listing::{self, Loading};
use crate::page::{Connection, PageArguments};
use async_graphql::{Context, Result};
use uuid::Uuid;

/// The note a record must have.
pub async fn note_of_record(ctx: &Context<'_>, id: Uuid) -> Result<AftercareNote> {
    listing::required(ctx, id).await
}

/// A page of a patient's notes: the `aftercareNotes` field of a patient.
pub fn of_patient<'a>(
    ctx: &'a Context<'_>,
    patient: Uuid,
    filter: Filter,
    order: OrderBy,
    arguments: PageArguments,
) -> Loading<'a, Connection<AftercareNote>> {
    listing::under(ctx, ("patient_id", patient), filter.read(), Some(order), arguments)
}

/// A page of a session's notes: the `aftercareNotes` field of a session.
pub fn of_session<'a>(
    ctx: &'a Context<'_>,
    session: Uuid,
    filter: Filter,
    order: OrderBy,
    arguments: PageArguments,
) -> Loading<'a, Connection<AftercareNote>> {
    listing::under(ctx, ("session_id", session), filter.read(), Some(order), arguments)
}
