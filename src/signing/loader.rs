//! The addenda of records, batched.

use super::{Addendum, store};
use crate::error::SharedError;
use crate::operation::{Batch, Running};
use crate::page::{Connection, Direction, Key, Order, PageArguments, Window, batch_counter};
use async_graphql::dataloader::Loader;
use async_graphql::{Context, Result};
use std::collections::HashMap;
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

/// The addenda of a record, oldest first: the `addenda` field of every signed kind.
pub async fn addenda(
    ctx: &Context<'_>,
    record: Uuid,
    first: Option<i32>,
    after: Option<String>,
) -> Result<Connection<Addendum>> {
    let order = order();
    let window = PageArguments { first, after, ..PageArguments::default() }.window(&order)?;
    let rows = ctx.batches()?.load_one(AddendaOf { record, window: window.clone() }).await?.unwrap_or_default();
    let count = batch_counter(ctx, AddendaCounted(record))?;
    Ok(Connection::new(window.page(rows), &order, |addendum| (Key::time(addendum.added_at), addendum.id), count))
}
