//! The terms that are looked for, read once in an operation.

use super::{HealthTerm, store};
use crate::error::SharedError;
use crate::operation::{Batch, Running};
use async_graphql::dataloader::Loader;
use async_graphql::{Context, Result};
use std::collections::HashMap;
use std::sync::Arc;

/// The terms that are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InUse;

impl Loader<InUse> for Batch {
    type Value = Arc<Vec<HealthTerm>>;
    type Error = SharedError;

    async fn load(&self, keys: &[InUse]) -> Result<HashMap<InUse, Self::Value>, SharedError> {
        let terms = Arc::new(store::in_use(&mut *self.0.reader().await?).await?);
        Ok(keys.iter().map(|key| (*key, Arc::clone(&terms))).collect())
    }
}

/// The terms that are looked for.
pub async fn in_use(ctx: &Context<'_>) -> Result<Arc<Vec<HealthTerm>>> {
    Ok(ctx.load(InUse).await?.unwrap_or_default())
}
