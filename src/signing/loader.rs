//! The addenda of records, batched.

use super::filter::{AddendumOrder, Condition};
use super::{Addendum, store};
use crate::error::{Error, SharedError};
use crate::operation::{Batch, Running};
use crate::page::{Connection, PageArguments, listing};
use crate::record::Signature;
use async_graphql::dataloader::Loader;
use async_graphql::{Context, Result};
use chrono::{DateTime, Utc};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// What a signer was called when they signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct NameAt(Uuid, DateTime<Utc>);

impl Loader<NameAt> for Batch {
    type Value = String;
    type Error = SharedError;

    async fn load(&self, keys: &[NameAt]) -> Result<HashMap<NameAt, String>, SharedError> {
        let signers: BTreeSet<Uuid> = keys.iter().map(|key| key.0).collect();
        let signers: Vec<Uuid> = signers.into_iter().collect();
        let names = store::names_of(&mut *self.0.reader().await?, &signers).await?;
        let name_at = |key: &NameAt| {
            let mut mine = names.iter().filter(|(id, ..)| *id == key.0).peekable();
            // The demo's history is older than the entries of its staff: then the first name counts.
            let first = mine.peek().copied();
            mine.take_while(|(_, since, _)| *since <= key.1).last().or(first).map(|(_, _, name)| (*key, name.clone()))
        };
        Ok(keys.iter().filter_map(name_at).collect())
    }
}

/// What the signer of a record was called when they signed, batched.
pub async fn signer_name(ctx: &Context<'_>, signature: &Signature) -> Result<String> {
    let name = ctx.load(NameAt(signature.signed_by, signature.signed_at)).await?;
    name.ok_or_else(|| Error::Internal("a signer who is in no entry of the ledger".to_owned()).into())
}

/// The addenda of a record, oldest first: the `addenda` field of every signed kind.
pub async fn addenda(
    ctx: &Context<'_>,
    record: Uuid,
    first: Option<i32>,
    after: Option<String>,
) -> Result<Connection<Addendum>> {
    let window = PageArguments { first, after, ..PageArguments::default() };
    let (all, oldest_first) = (Ok(Condition::default()), Some(AddendumOrder::OfRecord));
    listing::under_shown(ctx, ("record_id", record), all, oldest_first, window).await
}
