//! Aftercare notes of patients and of sessions: batched.

use super::{AftercareNote, Filter, OrderBy};
use crate::page::{Connection, PageArguments, listing};
use async_graphql::{Context, Result};
use uuid::Uuid;

/// The note a record must have.
pub async fn note_of_record(ctx: &Context<'_>, id: Uuid) -> Result<AftercareNote> {
    listing::required(ctx, id).await
}

/// A page of a patient's notes: the `aftercareNotes` field of a patient.
pub async fn of_patient(
    ctx: &Context<'_>,
    patient: Uuid,
    filter: Filter,
    order: OrderBy,
    arguments: PageArguments,
) -> Result<Connection<AftercareNote>> {
    listing::under(ctx, ("patient_id", patient), filter.read(), Some(order), arguments).await
}

/// A page of a session's notes: the `aftercareNotes` field of a session.
pub async fn of_session(
    ctx: &Context<'_>,
    session: Uuid,
    filter: Filter,
    order: OrderBy,
    arguments: PageArguments,
) -> Result<Connection<AftercareNote>> {
    listing::under(ctx, ("session_id", session), filter.read(), Some(order), arguments).await
}
