//! Consultations of patients and by id: batched.

use super::{Consultation, Filter, OrderBy};
use crate::page::listing::{self, Loading};
use crate::page::{Connection, PageArguments};
use async_graphql::Context;
use uuid::Uuid;

/// A page of a patient's consultations: the `consultations` field of a patient.
pub fn of_patient<'a>(
    ctx: &'a Context<'_>,
    patient: Uuid,
    filter: Filter,
    order: OrderBy,
    arguments: PageArguments,
) -> Loading<'a, Connection<Consultation>> {
    listing::under(ctx, ("patient_id", patient), filter.read(), Some(order), arguments)
}
