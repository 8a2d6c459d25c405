//! Patients by id, batched.

use super::Patient;
use crate::error::Error;
use crate::ledger;
use crate::operation::{AtOnce, Running};
use crate::page::listing;
use crate::vocabulary::RecordKind;
use async_graphql::{Context, Result};
use uuid::Uuid;

/// The patient with an id, batched with its siblings. Its failure nulls this field only.
pub async fn patient(ctx: &Context<'_>, id: Uuid) -> Option<Result<AtOnce<Patient>>> {
    listing::given(ctx, Some(id)).await.map(|found| found.map(AtOnce))
}

/// The patient a record must have. REASON_REQUIRED where the record is seen and the patient is closed.
pub async fn patient_of_record(ctx: &Context<'_>, id: Uuid) -> Result<AtOnce<Patient>> {
    if let Some(found) = patient(ctx, id).await {
        return found;
    }
    match ledger::absent(&mut *ctx.operation()?.reader().await?, RecordKind::Patient, id).await {
        Error::NotFound(_) => Err(Error::Internal("a record without its patient".to_owned()).into()),
        other => Err(other.into()),
    }
}
