//! Batched look-ups of photos' fields.

use super::{PhotoPurpose, store};
use crate::error::SharedError;
use crate::operation::{Batch, Running};
use async_graphql::dataloader::Loader;
use async_graphql::{Context, Result};
use std::collections::HashMap;
use uuid::Uuid;

/// Whether a patient agrees to a purpose, or a legal hold stands in for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Agreement {
    patient: Uuid,
    purpose: PhotoPurpose,
}

impl Loader<Agreement> for Batch {
    type Value = ();
    type Error = SharedError;

    async fn load(&self, keys: &[Agreement]) -> std::result::Result<HashMap<Agreement, ()>, SharedError> {
        let patients: Vec<Uuid> = keys.iter().map(|key| key.patient).collect();
        let mut scope = self.0.reader().await?;
        let mut found = store::agreed(&mut scope, &patients).await?;
        if keys.iter().any(|key| key.purpose == PhotoPurpose::LegalDuty) {
            let held = store::holds(&mut scope, &patients).await?;
            found.extend(held.into_iter().map(|(patient, _)| (patient, PhotoPurpose::LegalDuty)));
        }
        Ok(found.into_iter().map(|(patient, purpose)| (Agreement { patient, purpose }, ())).collect())
    }
}

/// Whether a patient agrees to a purpose now, or a legal hold stands in for that; one statement for all photos of a page.
pub async fn agrees(ctx: &Context<'_>, patient: Uuid, purpose: PhotoPurpose) -> Result<bool> {
    Ok(ctx.load(Agreement { patient, purpose }).await?.is_some())
}
