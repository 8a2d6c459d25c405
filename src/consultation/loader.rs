//! Consultations of patients and by id: batched.

use super::{Consultation, Filter, OrderBy};
use crate::page::{Connection, PageArguments, listing};
use async_graphql::{Context, Result};
use uuid::Uuid;

/// A page of a patient's consultations: the `consultations` field of a patient.
pub async fn of_patient(
    ctx: &Context<'_>,
    patient: Uuid,
    filter: Filter,
    order: OrderBy,
    arguments: PageArguments,
) -> Result<Connection<Consultation>> {
    listing::under(ctx, ("patient_id", patient), filter.read(), Some(order), arguments).await
}
