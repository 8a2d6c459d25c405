//! A page of a list as clients see it, by the Relay convention: its records, their cursors, the position of the page,
//! and the length of the list.

use super::{Key, Order, Page, Place};
use crate::error::{Result, SharedError};
use crate::operation::{AtOnce, Batch, CursorOf, Operation, Plain, Running};
use async_graphql::dataloader::Loader;
use async_graphql::{Context, TypeName};
use futures::future::BoxFuture;
use std::borrow::Cow;
use std::sync::Arc;
use uuid::Uuid;

/// The position of a page in its list.
pub struct PageInfo {
    has_next: bool,
    has_previous: bool,
    backward: bool,
    beyond: Option<Uuid>,
    start: Mark,
    end: Mark,
}

/// A cursor of a page.
enum Mark {
    /// A place in a list, to be sealed.
    Sealed(Marks, Option<Place>),
    /// As it is.
    Said(Option<String>),
}

impl Mark {
    async fn cursor(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<String>> {
        match self {
            Self::Sealed(marks, place) => marks.opt(ctx, place.as_ref()).await,
            Self::Said(cursor) => Ok(cursor.clone()),
        }
    }
}

/// The position of a page in its list.
#[async_graphql::Object]
impl PageInfo {
    /// Whether there are records after this page.
    async fn has_next_page(&self, ctx: &Context<'_>) -> async_graphql::Result<bool> {
        self.look_beyond(ctx, !self.backward)?;
        Ok(self.has_next)
    }
    /// Whether there are records before it.
    async fn has_previous_page(&self, ctx: &Context<'_>) -> async_graphql::Result<bool> {
        self.look_beyond(ctx, self.backward)?;
        Ok(self.has_previous)
    }
    /// The cursor of the first record; null in an empty page.
    async fn start_cursor(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<String>> {
        self.start.cursor(ctx).await
    }
    /// The cursor of the last record; null in an empty page, but for `changes`.
    async fn end_cursor(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<String>> {
        self.end.cursor(ctx).await
    }
}

impl PageInfo {
    /// Of a page that goes forward and whose cursors are not sealed. Its end is there even if the page is empty.
    pub fn said(has_next: bool, has_previous: bool, start: Option<String>, end: String) -> Self {
        let (start, end) = (Mark::Said(start), Mark::Said(Some(end)));
        Self { has_next, has_previous, backward: false, beyond: None, start, end }
    }

    /// Whoever learns that the list continues learns something about the next record's patient, so this is logged like
    /// any other access.
    fn look_beyond(&self, ctx: &Context<'_>, told: bool) -> Result<()> {
        if let Some(patient) = self.beyond.filter(|_| told) {
            ctx.operation()?.show(patient);
        }
        Ok(())
    }
}

/// The list and order for which the cursors of a page are valid.
#[derive(Debug, Clone)]
struct Marks {
    list: &'static str,
    order: Arc<str>,
}

impl Marks {
    async fn cursor(&self, ctx: &Context<'_>, place: &Place) -> async_graphql::Result<String> {
        let operation = ctx.operation()?;
        let here = CursorOf { org: operation.org().await?, list: self.list, order: &self.order };
        Ok(operation.service().cursors.seal(here, &place.bytes()?)?)
    }

    async fn opt(&self, ctx: &Context<'_>, place: Option<&Place>) -> async_graphql::Result<Option<String>> {
        match place {
            Some(place) => self.cursor(ctx, place).await.map(Some),
            None => Ok(None),
        }
    }
}

/// A type that can be the node of a connection.
pub trait Listed: Plain {
    /// The name of its GraphQL type.
    const NAME: &'static str;

    /// The patient of the record, if it has one and the list stands alone. In a list under a record whose patient is
    /// shown anyway, it may be left out.
    fn whose(&self) -> Option<Uuid>;
}

/// Counts the whole list on request.
pub type Counter = Arc<dyn Fn(Arc<Operation>) -> BoxFuture<'static, async_graphql::Result<i64>> + Send + Sync>;

/// A counter from an async closure, for a list that stands alone.
pub fn counter<Counting>(count: impl Fn(Arc<Operation>) -> Counting + Send + Sync + 'static) -> Counter
where
    Counting: Future<Output = Result<i64>> + Send + 'static,
{
    Arc::new(move |operation| {
        let counting = count(operation);
        Box::pin(async move { Ok(counting.await?) })
    })
}

/// A counter that uses a batched look-up, for a list under each row of another. A list that is not found is empty.
pub fn batch_counter<K>(ctx: &Context<'_>, key: K) -> Result<Counter>
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
    places: Vec<Place>,
    marks: Marks,
    has_next: bool,
    has_previous: bool,
    backward: bool,
    beyond: Option<Uuid>,
    count: Counter,
}

/// A record with its place in the list.
pub struct Edge<T> {
    node: Arc<T>,
    place: Place,
    marks: Marks,
}

impl<T: Listed> Connection<T> {
    /// A connection on a page; `key` gives each record's place in the order.
    pub fn new(page: Page<T>, order: &Order, key: impl Fn(&T) -> (Key, Uuid), count: Counter) -> Self {
        let place = |row| {
            let (key, id) = key(row);
            Place(key, id)
        };
        let places = page.rows.iter().map(place).collect();
        let Page { rows, has_next, has_previous, backward, beyond } = page;
        Self {
            nodes: rows.into_iter().map(Arc::new).collect(),
            places,
            marks: Marks { list: T::NAME, order: order.name.as_str().into() },
            has_next,
            has_previous,
            backward,
            beyond: beyond.and_then(|record| record.whose()),
            count,
        }
    }

    /// The same, where the next record's patient is known without that record.
    pub fn going_on_with(self, patient: Option<Uuid>) -> Self {
        Self { beyond: patient, ..self }
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

impl<T: Listed> Plain for Edge<T> {}

/// A page of a list.
#[async_graphql::Object(name_type)]
impl<T: Listed> Connection<T> {
    /// The records with their cursors.
    async fn edges(&self) -> Vec<AtOnce<Edge<T>>> {
        let edges = self.nodes.iter().cloned().zip(self.places.iter().cloned());
        edges.map(|(node, place)| AtOnce(Edge { node, place, marks: self.marks.clone() })).collect()
    }

    /// The records alone.
    async fn nodes(&self) -> Vec<AtOnce<Arc<T>>> {
        self.nodes.iter().cloned().map(AtOnce).collect()
    }

    /// The position of this page in the list.
    async fn page_info(&self) -> PageInfo {
        PageInfo {
            has_next: self.has_next,
            has_previous: self.has_previous,
            backward: self.backward,
            beyond: self.beyond,
            start: Mark::Sealed(self.marks.clone(), self.places.first().cloned()),
            end: Mark::Sealed(self.marks.clone(), self.places.last().cloned()),
        }
    }

    /// The number of records that match, on all pages. They are counted only if this field is selected.
    async fn total_count(&self, ctx: &Context<'_>) -> async_graphql::Result<i64> {
        (self.count)(Arc::clone(ctx.operation()?)).await
    }
}

/// A record with its place in a list.
#[async_graphql::Object(name_type)]
impl<T: Listed> Edge<T> {
    /// The record.
    async fn node(&self) -> AtOnce<&T> {
        AtOnce(&self.node)
    }

    /// Its place, for `after` and `before`.
    async fn cursor(&self, ctx: &Context<'_>) -> async_graphql::Result<String> {
        self.marks.cursor(ctx, &self.place).await
    }
}
