//! The addenda of records, batched.

use super::{Addendum, store};
use crate::error::{Error, SharedError};
use crate::operation::{Batch, Running};
use crate::page::{Connection, Direction, Key, Order, PageArguments, Window, batch_counter};
use crate::record::Signature;
use async_graphql::dataloader::Loader;
use async_graphql::{Context, Result};
use chrono::{DateTime, Utc};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// A window on the addenda of a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AddendaOf {
    record: Uuid,
    window: Window,
}

fn order() -> Order {
    Order { name: "addenda".to_owned(), column: "added_at", id: "id", direction: Direction::Asc, sample: Key::Time(0) }
}

/// How many addenda a record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct AddendaCounted(Uuid);

impl Loader<AddendaCounted> for Batch {
    type Value = i64;
    type Error = SharedError;

    async fn load(&self, keys: &[AddendaCounted]) -> Result<HashMap<AddendaCounted, i64>, SharedError> {
        let records: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let counts = store::counts_of_records(&mut *self.0.reader().await?, &records).await?;
        Ok(counts.into_iter().map(|(record, count)| (AddendaCounted(record), count)).collect())
    }
}

impl Loader<AddendaOf> for Batch {
    type Value = Vec<Addendum>;
    type Error = SharedError;

    async fn load(&self, keys: &[AddendaOf]) -> Result<HashMap<AddendaOf, Self::Value>, SharedError> {
        let mut windows: HashMap<&Window, Vec<Uuid>> = HashMap::new();
        for key in keys {
            windows.entry(&key.window).or_default().push(key.record);
        }
        let mut scope = self.0.reader().await?;
        let mut found = HashMap::new();
        for (window, records) in windows {
            for (record, addenda) in store::of_records(&mut scope, &records, &order(), window).await? {
                found.insert(AddendaOf { record, window: window.clone() }, addenda);
            }
        }
        Ok(found)
    }
}

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
    let name = ctx.batches()?.load_one(NameAt(signature.signed_by, signature.signed_at)).await?;
    name.ok_or_else(|| Error::Internal("a signer who is in no entry of the ledger".to_owned()).into())
}

/// The addenda of a record, oldest first: the `addenda` field of every signed kind.
pub async fn addenda(
    ctx: &Context<'_>,
    record: Uuid,
    first: Option<i32>,
    after: Option<String>,
) -> Result<Connection<Addendum>> {
    let order = order();
    let window = PageArguments { first, after, ..PageArguments::default() }.window::<Addendum>(ctx, &order).await?;
    let rows = ctx.batches()?.load_one(AddendaOf { record, window: window.clone() }).await?.unwrap_or_default();
    let count = batch_counter(ctx, AddendaCounted(record))?;
    Ok(Connection::new(window.page(rows), &order, |addendum| (Key::time(addendum.added_at), addendum.id), count))
}
