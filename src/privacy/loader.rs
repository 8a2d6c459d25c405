//! Whether patients are restricted, and who looked at them, batched.

use super::looks::{self, AccessEntry, LookCondition};
use super::store;
use crate::error::SharedError;
use crate::operation::{Batch, Running};
use crate::page::{Counter, batch_counter};
use async_graphql::dataloader::Loader;
use async_graphql::{Context, Result};
use std::collections::HashMap;
use uuid::Uuid;

/// Asks whether a patient is restricted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Restricted(Uuid);

impl Loader<Restricted> for Batch {
    type Value = ();
    type Error = SharedError;

    async fn load(&self, keys: &[Restricted]) -> Result<HashMap<Restricted, ()>, SharedError> {
        let patients: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let found = store::restricted(&mut *self.0.reader().await?, &patients).await?;
        Ok(found.into_iter().map(|patient| (Restricted(patient), ())).collect())
    }
}

/// Whether a patient is restricted, batched with their siblings.
pub async fn is_restricted(ctx: &Context<'_>, patient: Uuid) -> Result<bool> {
    Ok(ctx.load(Restricted(patient)).await?.is_some())
}

/// Looks at a patient, windowed: siblings with the same window share one statement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct LooksAt {
    patient: Uuid,
    condition: LookCondition,
    before: Option<i64>,
    limit: i64,
}

impl Loader<LooksAt> for Batch {
    type Value = Vec<AccessEntry>;
    type Error = SharedError;

    async fn load(&self, keys: &[LooksAt]) -> Result<HashMap<LooksAt, Self::Value>, SharedError> {
        let mut groups: HashMap<(&LookCondition, Option<i64>, i64), Vec<Uuid>> = HashMap::new();
        for key in keys {
            groups.entry((&key.condition, key.before, key.limit)).or_default().push(key.patient);
        }
        let mut scope = self.0.reader().await?;
        let mut found = HashMap::new();
        for ((condition, before, limit), patients) in groups {
            for (patient, entries) in looks::pages(&mut scope, &patients, condition, before, limit).await? {
                found.insert(LooksAt { patient, condition: condition.clone(), before, limit }, entries);
            }
        }
        Ok(found)
    }
}

/// How many looks at a patient there are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct LooksCounted {
    patient: Uuid,
    condition: LookCondition,
}

impl Loader<LooksCounted> for Batch {
    type Value = i64;
    type Error = SharedError;

    async fn load(&self, keys: &[LooksCounted]) -> Result<HashMap<LooksCounted, i64>, SharedError> {
        let mut groups: HashMap<&LookCondition, Vec<Uuid>> = HashMap::new();
        for key in keys {
            groups.entry(&key.condition).or_default().push(key.patient);
        }
        let mut scope = self.0.reader().await?;
        let mut found = HashMap::new();
        for (condition, patients) in groups {
            for (patient, count) in looks::counts(&mut scope, &patients, condition).await? {
                found.insert(LooksCounted { patient, condition: condition.clone() }, count);
            }
        }
        Ok(found)
    }
}

/// The newest looks at a patient before a number, one more than `limit` if there are, and how to count them all.
pub async fn looks_at(
    ctx: &Context<'_>,
    patient: Uuid,
    condition: LookCondition,
    before: Option<i64>,
    limit: i64,
) -> Result<(Vec<AccessEntry>, Counter)> {
    let count = batch_counter(ctx, LooksCounted { patient, condition: condition.clone() })?;
    let key = LooksAt { patient, condition, before, limit: limit + 1 };
    Ok((ctx.load(key).await?.unwrap_or_default(), count))
}
