//! Patients by id, batched.

use super::{Patient, store};
use crate::error::{Error, SharedError};
use crate::ledger;
use crate::operation::{Batch, Running};
use crate::vocabulary::RecordKind;
use async_graphql::dataloader::Loader;
use async_graphql::{Context, Result};
use std::collections::HashMap;
use uuid::Uuid;

/// Looks a patient up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PatientById(pub Uuid);

impl Loader<PatientById> for Batch {
    type Value = Patient;
    type Error = SharedError;

    async fn load(&self, keys: &[PatientById]) -> Result<HashMap<PatientById, Patient>, SharedError> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let mut scope = self.0.reader().await?;
        let patients = store::patients(&mut scope, &ids).await?;
        Ok(patients.into_iter().map(|patient| (PatientById(patient.id), patient)).collect())
    }
}

/// The patient with an id, batched with its siblings. Its failure nulls this field only.
pub async fn patient(ctx: &Context<'_>, id: Uuid) -> Option<Result<Patient>> {
    let found = async { Ok(ctx.batches()?.load_one(PatientById(id)).await?) };
    found.await.transpose()
}

/// The patient a record must have. REASON_REQUIRED where the record is seen and the patient is closed.
pub async fn patient_of_record(ctx: &Context<'_>, id: Uuid) -> Result<Patient> {
    if let Some(found) = patient(ctx, id).await {
        return found;
    }
    match ledger::absent(&mut *ctx.operation()?.reader().await?, RecordKind::Patient, id).await {
        Error::NotFound(_) => Err(Error::Internal("a record without its patient".to_owned()).into()),
        other => Err(other.into()),
    }
}
