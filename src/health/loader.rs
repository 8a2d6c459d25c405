//! The health history of patients, batched.

use super::{HealthEntry, store};
use crate::error::SharedError;
use crate::operation::{Batch, Running};
use crate::vocabulary::RecordKind;
use async_graphql::dataloader::Loader;
use async_graphql::{Context, Result};
use std::collections::HashMap;
use uuid::Uuid;

/// The health history of a patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HealthOf {
    patient: Uuid,
    with_errors: bool,
}

impl Loader<HealthOf> for Batch {
    type Value = Vec<HealthEntry>;
    type Error = SharedError;

    async fn load(&self, keys: &[HealthOf]) -> Result<HashMap<HealthOf, Self::Value>, SharedError> {
        let mut scope = self.0.reader().await?;
        let mut found: HashMap<HealthOf, Vec<HealthEntry>> = HashMap::new();
        for with_errors in [false, true] {
            let patients: Vec<Uuid> =
                keys.iter().filter(|key| key.with_errors == with_errors).map(|key| key.patient).collect();
            if patients.is_empty() {
                continue;
            }
            for entry in store::of_patients(&mut scope, &patients, with_errors).await? {
                found.entry(HealthOf { patient: entry.patient_id, with_errors }).or_default().push(entry);
            }
        }
        Ok(found)
    }
}

/// A patient's health history, newest first: a short list, given whole.
pub async fn of_patient(ctx: &Context<'_>, patient: Uuid, with_errors: bool) -> Result<Vec<HealthEntry>> {
    ctx.operation()?.in_emergency_of(RecordKind::HealthEntry, Some(patient))?;
    let entries = ctx.load(HealthOf { patient, with_errors }).await?.unwrap_or_default();
    ctx.operation()?.lead_to(entries.len())?;
    Ok(entries)
}
