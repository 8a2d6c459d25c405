//! How far webhooks have come, and what was tried, batched.

use super::log::{self, Delivery};
use crate::access::lease::{self, Progress};
use crate::error::SharedError;
use crate::operation::{Batch, Running};
use crate::page::{Counter, batch_counter};
use async_graphql::dataloader::Loader;
use async_graphql::{Context, Result};
use chrono::{DateTime, Utc};
use std::collections::HashMap;
use uuid::Uuid;

/// Asks how far a webhook has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct ProgressOf(Uuid);

impl Loader<ProgressOf> for Batch {
    type Value = Progress;
    type Error = SharedError;

    async fn load(&self, keys: &[ProgressOf]) -> Result<HashMap<ProgressOf, Progress>, SharedError> {
        let webhooks: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let found = lease::progress(&mut *self.0.reader().await?, &webhooks).await?;
        Ok(found.into_iter().map(|(webhook, progress)| (ProgressOf(webhook), progress)).collect())
    }
}

/// How far a webhook has come, batched with its siblings.
pub async fn progress(ctx: &Context<'_>, webhook: Uuid) -> Result<Option<Progress>> {
    Ok(ctx.load(ProgressOf(webhook)).await?)
}

/// A place in the log of deliveries.
pub type LogPlace = (DateTime<Utc>, Uuid);

/// The tries of a webhook, windowed: siblings with the same window share one statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Tries {
    webhook: Uuid,
    before: Option<LogPlace>,
    limit: i64,
}

impl Loader<Tries> for Batch {
    type Value = Vec<Delivery>;
    type Error = SharedError;

    async fn load(&self, keys: &[Tries]) -> Result<HashMap<Tries, Vec<Delivery>>, SharedError> {
        let mut groups: HashMap<(Option<LogPlace>, i64), Vec<Uuid>> = HashMap::new();
        for key in keys {
            groups.entry((key.before, key.limit)).or_default().push(key.webhook);
        }
        let mut scope = self.0.reader().await?;
        let mut found = HashMap::new();
        for ((before, limit), webhooks) in groups {
            for (webhook, tries) in log::pages(&mut scope, &webhooks, before, limit).await? {
                found.insert(Tries { webhook, before, limit }, tries);
            }
        }
        Ok(found)
    }
}

/// How many tries of a webhook there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct TriesCounted(Uuid);

impl Loader<TriesCounted> for Batch {
    type Value = i64;
    type Error = SharedError;

    async fn load(&self, keys: &[TriesCounted]) -> Result<HashMap<TriesCounted, i64>, SharedError> {
        let webhooks: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let counts = log::counts(&mut *self.0.reader().await?, &webhooks).await?;
        Ok(counts.into_iter().map(|(webhook, count)| (TriesCounted(webhook), count)).collect())
    }
}

/// The newest tries of a webhook before a place, one more than `limit` if there are, and how to count them all.
pub async fn tries(
    ctx: &Context<'_>,
    webhook: Uuid,
    before: Option<LogPlace>,
    limit: i64,
) -> Result<(Vec<Delivery>, Counter)> {
    let count = batch_counter(ctx, TriesCounted(webhook))?;
    let key = Tries { webhook, before, limit: limit + 1 };
    Ok((ctx.load(key).await?.unwrap_or_default(), count))
}
