//! Keyset paging: opaque cursors, windows, connections. Every order ends in the id, so no row is missed or repeated.

pub mod listing;

pub use listing::{Condition, FilterIds, ListOrder, Listing};
pub(crate) use listing::{list_order, listing};

use crate::db::{Bind, Sql};
use crate::error::{Error, Result, SharedError};
use crate::ids;
use crate::operation::{Batch, Operation, Running};
use crate::vocabulary::RecordKind;
use async_graphql::dataloader::Loader;
use async_graphql::{OutputType, SimpleObject, TypeName};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, NaiveDate, TimeZone, Utc};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;
use uuid::Uuid;

/// The most records of one page.
pub const LARGEST_PAGE: i32 = 100;
/// The page of a client that names no size.
pub const DEFAULT_PAGE: i32 = 20;

/// The direction of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, async_graphql::Enum)]
#[graphql(name = "OrderDirection")]
pub enum Direction {
    /// Smallest, earliest or A first.
    Asc,
    /// Largest, latest or Z first.
    Desc,
}

/// What a page is sorted by: where its place in the order is kept in a cursor.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Key {
    /// A moment, in microseconds since 1970.
    Time(i64),
    /// A day.
    Date(NaiveDate),
    /// Text.
    Text(String),
    /// A whole number.
    Number(i64),
}

impl Key {
    /// The key of a moment.
    pub fn time(time: DateTime<Utc>) -> Self {
        Self::Time(time.timestamp_micros())
    }

    fn bind(&self) -> Bind {
        match self {
            Self::Time(micros) => Bind::Time(Utc.timestamp_micros(*micros).single().unwrap_or_default()),
            Self::Date(date) => Bind::Date(*date),
            Self::Text(text) => Bind::Text(text.clone()),
            Self::Number(number) => Bind::Long(*number),
        }
    }

    fn same_kind(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// A place in an order: the name of the order, the key and the id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cursor(pub String, pub Key, pub Uuid);

impl Cursor {
    /// The cursor as the client gets it.
    pub fn encode(&self) -> String {
        serde_json::to_vec(self).map(|bytes| URL_SAFE_NO_PAD.encode(bytes)).unwrap_or_default()
    }

    fn decode(text: &str) -> Option<Self> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }
}

/// Reads a cursor from a client's text; what is read is written and read as the same. For the fuzz targets.
pub(crate) fn fuzz_cursor(text: &str) {
    if let Some(cursor) = Cursor::decode(text) {
        let _ = cursor.1.bind();
        assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
    }
}

/// The paging arguments of a field.
#[derive(Debug, Clone, Default)]
pub struct PageArguments {
    /// The first so many …
    pub first: Option<i32>,
    /// … after this cursor;
    pub after: Option<String>,
    /// or the last so many …
    pub last: Option<i32>,
    /// … before this one.
    pub before: Option<String>,
}

/// What sorts a page: a column (the program's own text) with its direction, and a sample of its key.
#[derive(Debug, Clone)]
pub struct Order {
    /// Names the order in cursors: one of another order is refused.
    pub name: String,
    /// The SQL expression.
    pub column: &'static str,
    /// The SQL expression of the id that breaks ties.
    pub id: &'static str,
    /// The direction.
    pub direction: Direction,
    /// Any key of the right kind.
    pub sample: Key,
}

/// A window on an ordered list: which part to fetch, and in which direction.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Window {
    /// Records wanted.
    pub limit: i64,
    /// From the end of the list backwards.
    pub backward: bool,
    /// After this place (before it, when backward).
    pub from: Option<(Key, Uuid)>,
}

impl PageArguments {
    /// Checks the arguments against an order; every fault at once.
    pub fn window(&self, order: &Order) -> Result<Window> {
        let mut faults = crate::error::Faults::default();
        for (name, size) in [("first", self.first), ("last", self.last)] {
            if size.is_some_and(|size| !(0..=LARGEST_PAGE).contains(&size)) {
                faults.add(name, format!("must be from 0 to {LARGEST_PAGE}"));
            }
        }
        if self.first.is_some() && self.last.is_some() {
            faults.add("last", "can't go with first: page forward with first and after, backward with last and before");
        }
        let backward = self.last.is_some();
        let (name, cursor, other) =
            if backward { ("before", &self.before, &self.after) } else { ("after", &self.after, &self.before) };
        if other.is_some() {
            let (wrong, right) = if backward { ("after", "before") } else { ("before", "after") };
            faults.add(wrong, format!("goes with the other direction: use {right} here"));
        }
        let mut from = None;
        if let Some(text) = cursor {
            match Cursor::decode(text) {
                Some(Cursor(made_for, key, id)) if made_for == order.name && key.same_kind(&order.sample) => {
                    from = Some((key, id))
                }
                Some(_) => faults.add(name, "is a cursor of another order: start again without it"),
                None => faults.add(name, "is not a cursor of this service: use one from pageInfo or an edge"),
            }
        }
        faults.into_result()?;
        let limit = i64::from(self.last.or(self.first).unwrap_or(DEFAULT_PAGE));
        Ok(Window { limit, backward, from })
    }
}

impl Window {
    /// Appends the keyset condition (` AND (…)`), the ORDER BY and a LIMIT of one more than wanted.
    pub fn push_to<R>(&self, sql: &mut Sql<R>, order: &Order) {
        let descending = (order.direction == Direction::Desc) != self.backward;
        let (sign, word) = if descending { ("<", "DESC") } else { (">", "ASC") };
        if let Some((key, id)) = &self.from {
            sql.push(format!(" AND ({}, {}) {sign} (", order.column, order.id)).push_bind(key.bind());
            sql.push(", ").push_bind(*id).push(")");
        }
        sql.push(format!(" ORDER BY {} {word}, {} {word} LIMIT ", order.column, order.id)).push_bind(self.limit + 1);
    }

    /// Turns the fetched rows (one more than wanted, in fetch order) into a page.
    pub fn page<T>(&self, mut rows: Vec<T>) -> Page<T> {
        let wanted = usize::try_from(self.limit).unwrap_or(0);
        let more = rows.len() > wanted;
        rows.truncate(wanted);
        if self.backward {
            rows.reverse();
        }
        let from = self.from.is_some();
        let (has_next, has_previous) = if self.backward { (from, more) } else { (more, from) };
        Page { rows, has_next, has_previous }
    }
}

/// A fetched part of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The records, in the order of the list.
    pub rows: Vec<T>,
    /// Whether there are more after them.
    pub has_next: bool,
    /// Whether there are more before them.
    pub has_previous: bool,
}

impl<T> Page<T> {
    /// The page with each record turned into another.
    pub fn map<U>(self, turn: impl FnMut(T) -> U) -> Page<U> {
        Page {
            rows: self.rows.into_iter().map(turn).collect(),
            has_next: self.has_next,
            has_previous: self.has_previous,
        }
    }
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), has_next: false, has_previous: false }
    }
}

/// Where a page lies in its list.
#[derive(Debug, Clone, SimpleObject)]
pub struct PageInfo {
    /// Whether there are records after this page.
    pub has_next_page: bool,
    /// Whether there are records before it.
    pub has_previous_page: bool,
    /// The cursor of the first record; null in an empty page.
    pub start_cursor: Option<String>,
    /// The cursor of the last record; null in an empty page.
    pub end_cursor: Option<String>,
}

/// What can be the node of a connection.
pub trait Listed: OutputType {
    /// The name of its GraphQL type.
    const NAME: &'static str;
}

/// Counts the whole list, when somebody asks.
pub type Counter = Arc<dyn Fn(Arc<Operation>) -> BoxFuture<'static, async_graphql::Result<i64>> + Send + Sync>;

/// A counter of what an async closure counts: for a list that stands alone.
pub fn counter<Counting>(count: impl Fn(Arc<Operation>) -> Counting + Send + Sync + 'static) -> Counter
where
    Counting: Future<Output = Result<i64>> + Send + 'static,
{
    Arc::new(move |operation| {
        let counting = count(operation);
        Box::pin(async move { Ok(counting.await?) })
    })
}

/// A counter that asks a batched look-up: for a list under each row of another. A list that is not found is empty.
pub fn batch_counter<K>(ctx: &async_graphql::Context<'_>, key: K) -> Result<Counter>
where
    K: Clone + Send + Sync + std::hash::Hash + Eq + 'static,
    Batch: Loader<K, Value = i64, Error = SharedError>,
{
    let batches = Arc::clone(ctx.batches()?);
    Ok(Arc::new(move |_| {
        let (batches, key) = (Arc::clone(&batches), key.clone());
        Box::pin(async move { Ok(batches.load_one(key).await?.unwrap_or(0)) })
    }))
}

/// A page of a list, by the Relay convention.
pub struct Connection<T> {
    nodes: Vec<Arc<T>>,
    cursors: Vec<String>,
    has_next: bool,
    has_previous: bool,
    count: Counter,
}

/// A record with its place in the list.
pub struct Edge<T> {
    node: Arc<T>,
    cursor: String,
}

impl<T> Connection<T> {
    /// A connection on a page; `key` gives each record's place in the order.
    pub fn new(page: Page<T>, order: &Order, key: impl Fn(&T) -> (Key, Uuid), count: Counter) -> Self {
        let cursors = page
            .rows
            .iter()
            .map(|row| {
                let (key, id) = key(row);
                Cursor(order.name.clone(), key, id).encode()
            })
            .collect();
        let Page { rows, has_next, has_previous } = page;
        Self { nodes: rows.into_iter().map(Arc::new).collect(), cursors, has_next, has_previous, count }
    }
}

impl<T: Listed> TypeName for Connection<T> {
    fn type_name() -> Cow<'static, str> {
        Cow::Owned(format!("{}Connection", T::NAME))
    }
}

impl<T: Listed> TypeName for Edge<T> {
    fn type_name() -> Cow<'static, str> {
        Cow::Owned(format!("{}Edge", T::NAME))
    }
}

/// A page of a list.
#[async_graphql::Object(name_type)]
impl<T: Listed> Connection<T> {
    /// The records with their cursors.
    async fn edges(&self) -> Vec<Edge<T>> {
        let nodes = self.nodes.iter().cloned();
        nodes.zip(self.cursors.iter().cloned()).map(|(node, cursor)| Edge { node, cursor }).collect()
    }

    /// The records alone.
    async fn nodes(&self) -> Vec<Arc<T>> {
        self.nodes.clone()
    }

    /// Where this page lies in the list.
    async fn page_info(&self) -> PageInfo {
        PageInfo {
            has_next_page: self.has_next,
            has_previous_page: self.has_previous,
            start_cursor: self.cursors.first().cloned(),
            end_cursor: self.cursors.last().cloned(),
        }
    }

    /// How many records the whole list has. Counted only when asked for.
    async fn total_count(&self, ctx: &async_graphql::Context<'_>) -> async_graphql::Result<i64> {
        (self.count)(Arc::clone(ctx.operation()?)).await
    }
}

/// A record with its place in a list.
#[async_graphql::Object(name_type)]
impl<T: Listed> Edge<T> {
    /// The record.
    async fn node(&self) -> &T {
        &self.node
    }

    /// Its place, for `after` and `before`.
    async fn cursor(&self) -> &str {
        &self.cursor
    }
}

/// The id of a record as a GraphQL ID.
pub fn global_id(kind: RecordKind, id: Uuid) -> async_graphql::ID {
    async_graphql::ID(ids::show(kind, id))
}

/// The id of a `node` query.
pub fn parse_any_id(path: &str, id: &str) -> Result<(RecordKind, Uuid)> {
    ids::parse_any(id).ok_or_else(|| Error::input(path, "is not an id of this service"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn order() -> Order {
        Order {
            name: "name:asc".to_owned(),
            column: "n",
            id: "id",
            direction: Direction::Asc,
            sample: Key::Text(String::new()),
        }
    }

    proptest! {
        #[test]
        fn cursors_are_read_back(text in ".*", id: u128) {
            let cursor = Cursor("name:asc".to_owned(), Key::Text(text), Uuid::from_u128(id));
            prop_assert_eq!(Cursor::decode(&cursor.encode()), Some(cursor));
        }

        #[test]
        fn any_text_as_a_cursor_is_answered(text in "\\PC*") {
            let arguments = PageArguments { after: Some(text), ..PageArguments::default() };
            let _ = arguments.window(&order());
        }
    }

    #[test]
    fn a_cursor_of_another_order_is_refused() {
        let cursor = Cursor("birthDate:asc".to_owned(), Key::Text("x".to_owned()), Uuid::nil()).encode();
        let arguments = PageArguments { after: Some(cursor), ..PageArguments::default() };
        assert!(matches!(arguments.window(&order()), Err(Error::BadUserInput(_))));
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let arguments = PageArguments { first: Some(-1), last: Some(101), after: Some("?".to_owned()), before: None };
        match arguments.window(&order()) {
            Err(Error::BadUserInput(faults)) => assert!(faults.len() >= 3, "{faults:?}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_backward_page_keeps_the_order_of_the_list() {
        let window = Window { limit: 2, backward: true, from: None };
        let page = window.page(vec![9, 8, 7]);
        assert_eq!((page.rows, page.has_next, page.has_previous), (vec![8, 9], false, true));
    }
}
