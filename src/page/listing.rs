//! Lists and links in the API: a root field, a page under a record, a record that another names. The look-ups of
//! siblings are batched, and only the columns that the operation selects are read.
//!
//! The futures here are boxed. Otherwise the future of every field of a type would be as large as that of its largest
//! list, and would be moved with each field.

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
use std::sync::Arc;
use uuid::Uuid;

pub use super::select::{all, all_under, by_ids, columns_of_one, count, load, one, page};

/// The root field of one record: null with NOT_FOUND if there is none with this id.
pub async fn root_one<T: Listing + Listed>(ctx: &Context<'_>, id: &ID) -> Option<async_graphql::Result<T>> {
    let found = async {
        let id = ids::argument("id", T::KIND, id)?;
        Ok(columns_of_one::<T>(&mut *ctx.operation()?.reader().await?, id, columns::of_record::<T>(ctx)).await?)
    };
    Some(Box::pin(found).await)
}

/// The root field of a list. A failure nulls the field alone.
pub async fn root<T: Listing + Listed>(
    ctx: &Context<'_>,
    condition: Result<T::Condition>,
    order: Option<T::OrderBy>,
    arguments: PageArguments,
) -> Option<async_graphql::Result<Connection<T>>> {
    let found = async {
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
    Some(Box::pin(found).await)
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
pub async fn under<T: Listing + Listed>(
    ctx: &Context<'_>,
    (column, id): (&'static str, Uuid),
    condition: Result<T::Condition>,
    order: Option<T::OrderBy>,
    arguments: PageArguments,
) -> async_graphql::Result<Connection<T>> {
    in_emergency::<T>(ctx, (column, id))?;
    under_shown(ctx, (column, id), condition, order, arguments).await
}

/// The same under a record that is itself clinical, and so was shown only to viewers who may see what is under it.
pub async fn under_shown<T: Listing + Listed>(
    ctx: &Context<'_>,
    (column, id): (&'static str, Uuid),
    condition: Result<T::Condition>,
    order: Option<T::OrderBy>,
    arguments: PageArguments,
) -> async_graphql::Result<Connection<T>> {
    let found = async move {
        let (condition, order) = (condition?, order.unwrap_or_default());
        let window = arguments.window::<T>(ctx, &order.order()).await?;
        let columns = columns::of_connection::<T>(ctx);
        let list = List { column, condition: condition.clone(), order, window: window.clone(), columns };
        let rows = ctx.batches()?.load_one(Under { id, list, kind: Of::<T>::KIND }).await?.unwrap_or_default();
        let count = batch_counter(ctx, CountUnder { id, column, condition, kind: Of::<T>::KIND })?;
        Ok(Connection::new(window.page(rows), &order.order(), |record| order.key(record), count))
    };
    Box::pin(found).await
}

/// All records whose `column` names a parent, newest first, batched with the parent's siblings: for short lists and
/// for rules that need the whole.
pub async fn whole<T: Listing + Listed>(
    ctx: &Context<'_>,
    (column, id): (&'static str, Uuid),
) -> async_graphql::Result<Vec<T>> {
    let columns = Columns::all();
    in_emergency::<T>(ctx, (column, id))?;
    let loading = ctx.batches()?.load_one(AllUnder { id, column, columns, kind: Of::<T>::KIND });
    let records = Box::pin(loading).await?.unwrap_or_default();
    ctx.operation()?.lead_to(records.len())?;
    Ok(records)
}

/// The whole record with an id, batched with its siblings. A failure nulls this field only.
pub async fn linked<T: Stored>(ctx: &Context<'_>, id: Option<Uuid>) -> Option<async_graphql::Result<T>> {
    by_id(ctx, id, Columns::all()).await
}

/// The record that the current field returns unchanged. Only the columns that the field selects are read.
pub async fn given<T: Stored>(ctx: &Context<'_>, id: Option<Uuid>) -> Option<async_graphql::Result<T>> {
    by_id(ctx, id, columns::of_record::<T>(ctx)).await
}

async fn by_id<T: Stored>(ctx: &Context<'_>, id: Option<Uuid>, columns: Columns) -> Option<async_graphql::Result<T>> {
    let id = id?;
    let found = async {
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
    Box::pin(found).await.transpose()
}

/// The records with these ids, in their order, batched with their siblings; missing ones are left out.
pub async fn linked_many<T: Stored>(
    ctx: &Context<'_>,
    ids: impl Iterator<Item = Uuid>,
) -> async_graphql::Result<Vec<T>> {
    let columns = Columns::all();
    let keys: Vec<_> = ids.map(|id| ById { id, columns, kind: Of::<T>::KIND }).collect();
    ctx.operation()?.lead_to(keys.len())?;
    let mut found = ctx.batches()?.load_many(keys.iter().copied()).await?;
    if found.len() < keys.len() {
        ctx.operation()?.in_emergency_of(T::KIND, None)?;
    }
    Ok(keys.iter().filter_map(|key| found.remove(key)).map(Arc::unwrap_or_clone).collect())
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
