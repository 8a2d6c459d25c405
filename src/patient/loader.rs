//! Patients by id, batched.

use super::{Patient, store};
use crate::error::{Error, SharedError};
use crate::operation::{Batch, Running};
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

/// The patient a record must have.
pub async fn patient_of_record(ctx: &Context<'_>, id: Uuid) -> Result<Patient> {
    let found = patient(ctx, id).await;
    found.unwrap_or_else(|| Err(Error::Internal("a record without its patient".to_owned()).into()))
}
