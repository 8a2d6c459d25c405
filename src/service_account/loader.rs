//! When keys were last used, batched.

use crate::access::api_key;
use crate::error::SharedError;
use crate::operation::{Batch, Running};
use async_graphql::dataloader::Loader;
use async_graphql::{Context, Result};
use chrono::{DateTime, Utc};
use std::collections::HashMap;
use uuid::Uuid;

/// Looks up when a key was last used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct UseOf(Uuid);

/// When, and from which address.
pub type LastUse = (DateTime<Utc>, Option<String>);

impl Loader<UseOf> for Batch {
    type Value = LastUse;
    type Error = SharedError;

    async fn load(&self, keys: &[UseOf]) -> Result<HashMap<UseOf, LastUse>, SharedError> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let mut scope = self.0.reader().await?;
        let uses = api_key::uses(&mut scope, &ids).await?;
        Ok(uses.into_iter().map(|(key, at, from)| (UseOf(key), (at, from))).collect())
    }
}

/// The last use of a key, batched with its siblings.
pub async fn last_use(ctx: &Context<'_>, key: Uuid) -> Result<Option<LastUse>> {
    Ok(ctx.load(UseOf(key)).await?)
}
