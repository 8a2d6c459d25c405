//! Lists and links in the API: a root field, a page under a record, a record that another names. The look-ups of
//! siblings are batched, and only the columns that the operation selects are read.
//!
//! The futures here are boxed before they start (`Loading`). Otherwise the future of every field of a type, which is
//! allocated and moved for each field of each record, would be as large as that of its largest list.

use super::batch::{AllUnder, ById, CountUnder, Of, Under};
use super::select::List;
use super::{Columns, Connection, ListOrder, Listed, Listing, PageArguments, Stored, batch_counter, columns, counter};
use crate::access::policy;
use crate::error::{Error, Result};
use crate::ids;
use crate::ledger;
use crate::operation::Running;
use crate::vocabulary::RecordKind;
use async_graphql::{Context, ID};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use std::sync::Arc;
use uuid::Uuid;

pub use super::select::{all, all_under, by_ids, columns_of_one, count, load, one, page};

/// What a field answers, on its way.
pub type Loading<'a, T> = BoxFuture<'a, async_graphql::Result<T>>;
/// What a field answers that is null where it fails.
pub type Nullable<'a, T> = BoxFuture<'a, Option<async_graphql::Result<T>>>;

/// The root field of one record: null with NOT_FOUND if there is none with this id.
pub async fn root_one<T: Listing + Listed>(ctx: &Context<'_>, id: &ID) -> Option<async_graphql::Result<T>> {
    let found = async {
        let id = ids::argument("id", T::KIND, id)?;
        Ok(columns_of_one::<T>(&mut *ctx.operation()?.reader().await?, id, columns::of_record::<T>(ctx)).await?)
    };
    Some(Box::pin(found).await)
}

/// The root field of a list. A failure nulls the field alone.
pub fn root<'a, T: Listing + Listed>(
    ctx: &'a Context<'_>,
    condition: Result<T::Condition>,
    order: Option<T::OrderBy>,
    arguments: PageArguments,
) -> Nullable<'a, Connection<T>> {
    let found = async move {
        let (condition, order) = (condition?, order.unwrap_or_default());
        let window = arguments.window::<T>(ctx, &order.order()).await?;
        let columns = columns::of_connection::<T>(ctx);
        let rows = page::<T>(&mut *ctx.operation()?.reader().await?, &condition, order, &window, columns).await?;
        let count = counter(move |operation| {
            let condition = condition.clone();
            async move { count::<T>(&mut *operation.reader().await?, &condition).await }
        });
        Ok(Connection::new(rows, &order.order(), |record| order.key(record), count))
    };
    Box::pin(found.map(Some))
}

/// FORBIDDEN if the viewer may read these records only through emergency access and the parent does not belong to its
/// patient. Parents that are clinical themselves would not have been shown otherwise.
fn in_emergency<T: Listing + Listed>(ctx: &Context<'_>, (column, id): (&'static str, Uuid)) -> Result<()> {
    match ledger::kind_named_by(column) {
        Some(parent) if policy::in_emergency(parent) => Ok(()),
        Some(RecordKind::Patient) => ctx.operation()?.in_emergency_of(T::KIND, Some(id)),
        _ => ctx.operation()?.in_emergency_of(T::KIND, None),
    }
}

/// A page of the records whose `column` names a parent, batched with the parent's siblings.
pub fn under<'a, T: Listing + Listed>(
    ctx: &'a Context<'_>,
    (column, id): (&'static str, Uuid),
    condition: Result<T::Condition>,
    order: Option<T::OrderBy>,
    arguments: PageArguments,
) -> Loading<'a, Connection<T>> {
    match in_emergency::<T>(ctx, (column, id)) {
        Ok(()) => under_shown(ctx, (column, id), condition, order, arguments),
        Err(refusal) => Box::pin(ready(Err(refusal.into()))),
    }
}

/// The same under a record that is itself clinical, and so was shown only to viewers who may see what is under it.
pub fn under_shown<'a, T: Listing + Listed>(
    ctx: &'a Context<'_>,
    (column, id): (&'static str, Uuid),
    condition: Result<T::Condition>,
    order: Option<T::OrderBy>,
    arguments: PageArguments,
) -> Loading<'a, Connection<T>> {
    Box::pin(async move {
        let (condition, order) = (condition?, order.unwrap_or_default());
        let window = arguments.window::<T>(ctx, &order.order()).await?;
        let columns = columns::of_connection::<T>(ctx);
        let list = List { column, condition: condition.clone(), order, window: window.clone(), columns };
        let rows = ctx.batches()?.load_one(Under { id, list, kind: Of::<T>::KIND }).await?.unwrap_or_default();
        let count = batch_counter(ctx, CountUnder { id, column, condition, kind: Of::<T>::KIND })?;
        Ok(Connection::new(window.page(rows), &order.order(), |record| order.key(record), count))
    })
}

/// All records whose `column` names a parent, newest first, batched with the parent's siblings: for short lists and
/// for rules that need the whole.
pub fn whole<'a, T: Listing + Listed>(ctx: &'a Context<'_>, (column, id): (&'static str, Uuid)) -> Loading<'a, Vec<T>> {
    Box::pin(async move {
        let columns = Columns::all();
        in_emergency::<T>(ctx, (column, id))?;
        let loading = ctx.batches()?.load_one(AllUnder { id, column, columns, kind: Of::<T>::KIND });
        let records = loading.await?.unwrap_or_default();
        ctx.operation()?.lead_to(records.len())?;
        Ok(records)
    })
}

/// The whole record with an id, batched with its siblings. A failure nulls this field only.
pub fn linked<'a, T: Stored>(ctx: &'a Context<'_>, id: Option<Uuid>) -> Nullable<'a, T> {
    by_id(ctx, id, Columns::all())
}

/// The record that the current field returns unchanged. Only the columns that the field selects are read.
pub fn given<'a, T: Stored>(ctx: &'a Context<'_>, id: Option<Uuid>) -> Nullable<'a, T> {
    let columns = if id.is_some() { columns::of_record::<T>(ctx) } else { Columns::all() };
    by_id(ctx, id, columns)
}

fn by_id<'a, T: Stored>(ctx: &'a Context<'_>, id: Option<Uuid>, columns: Columns) -> Nullable<'a, T> {
    let Some(id) = id else { return Box::pin(ready(None)) };
    let found = async move {
        let key = ById { id, columns, kind: Of::<T>::KIND };
        // First, as it counts the record: each place in the answer counts, however often it is the same one.
        let batches = ctx.batches()?;
        let repeated = ctx.operation()?.repeated();
        if T::REPEATS
            && let Some(known) = repeated.get::<_, T>(&key)
        {
            return Ok(Some(known.as_ref().clone()));
        }
        let found = batches.load_one(key).await?;
        if let Some(found) = found.as_ref().filter(|_| T::REPEATS) {
            repeated.keep(key, Arc::clone(found));
        }
        if found.is_none() {
            // A record of another patient, for a viewer limited to emergency access, must not look as if there were
            // none.
            ctx.operation()?.in_emergency_of(T::KIND, None)?;
        }
        Ok(found.map(Arc::unwrap_or_clone))
    };
    Box::pin(found.map(async_graphql::Result::transpose))
}

/// The records with these ids, in their order, batched with their siblings; missing ones are left out.
pub fn linked_many<'a, T: Stored>(ctx: &'a Context<'_>, ids: impl Iterator<Item = Uuid>) -> Loading<'a, Vec<T>> {
    let columns = Columns::all();
    let keys: Vec<_> = ids.map(|id| ById { id, columns, kind: Of::<T>::KIND }).collect();
    Box::pin(async move {
        ctx.operation()?.lead_to(keys.len())?;
        let mut found = ctx.batches()?.load_many(keys.iter().copied()).await?;
        if found.len() < keys.len() {
            ctx.operation()?.in_emergency_of(T::KIND, None)?;
        }
        Ok(keys.iter().filter_map(|key| found.remove(key)).map(Arc::unwrap_or_clone).collect())
    })
}

/// The whole record that another must have.
pub async fn required<T: Stored>(ctx: &Context<'_>, id: Uuid) -> async_graphql::Result<T> {
    there(linked(ctx, Some(id)).await)
}

/// The record that another must have and that the current field returns unchanged.
pub async fn needed<T: Stored>(ctx: &Context<'_>, id: Uuid) -> async_graphql::Result<T> {
    there(given(ctx, Some(id)).await)
}

fn there<T: Stored>(found: Option<async_graphql::Result<T>>) -> async_graphql::Result<T> {
    found.unwrap_or_else(|| Err(Error::Internal(format!("a record without its {}", T::KIND.words())).into()))
}
