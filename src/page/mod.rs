//! Keyset paging: opaque cursors, windows, connections. Every order ends with the id, so no row is missed or repeated.

mod batch;
pub mod columns;
mod connection;
mod filter;
pub mod kept;
pub mod listing;
mod select;
pub mod stored;

pub use connection::{Connection, Counter, Listed, PageInfo, batch_counter, counter};
pub use filter::{Condition, FilterIds, ListOrder, camel, push_without_errors};
pub(crate) use filter::{filter_id, filter_part, filter_type, list_filter, list_order};
pub use select::Listing;
pub(crate) use select::listing;
pub(crate) use stored::stored;
pub use stored::{Columns, RowOf, Stored, text_of};

use crate::db::{Bind, Sql};
use crate::error::{Code, Flaw};
use crate::error::{Error, Result};
use crate::ids;
use crate::operation::{CursorOf, Cursors, Running};
use crate::vocabulary::RecordKind;
use async_graphql::Context;
use chrono::{DateTime, NaiveDate, TimeZone, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The maximum number of records on one page.
pub const LARGEST_PAGE: i32 = 100;
/// The page size when the client gives none.
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

/// The sort key of a record, which a cursor stores to mark a place in the order.
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

/// A place in an order: the key and the id. Sealed, it is a cursor.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Place(Key, Uuid);

impl Place {
    fn bytes(&self) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// For the fuzz targets: opens a client's text as a cursor, and checks that what is read can be written, sealed, opened
/// and read again unchanged.
pub(crate) fn fuzz_cursor(text: &str) {
    let cursors = Cursors::new([7; 32]);
    let here = CursorOf { org: Uuid::nil(), list: "Patient", order: "name:Asc" };
    assert_eq!(cursors.open(here, text), None, "nobody makes a cursor up");
    if let Some(place) = Place::read(text.as_bytes()) {
        let _ = place.0.bind();
        let sealed = place.bytes().and_then(|bytes| cursors.seal(here, &bytes)).unwrap_or_default();
        let opened = cursors.open(here, &sealed).and_then(|bytes| Place::read(&bytes));
        assert_eq!(opened, Some(place));
    }
}

/// The paging arguments of a field.
#[derive(Debug, Clone, Default)]
pub struct PageArguments {
    /// At most this many from the start …
    pub first: Option<i32>,
    /// … after this cursor;
    pub after: Option<String>,
    /// or at most this many from the end …
    pub last: Option<i32>,
    /// … before this one.
    pub before: Option<String>,
}

/// The order of a page: a column (the program's own text) with its direction, and a sample of its key.
#[derive(Debug, Clone)]
pub struct Order {
    /// The name of the order. A cursor of another order does not open.
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
    /// The number of records wanted.
    pub limit: i64,
    /// From the end of the list backwards.
    pub backward: bool,
    /// After this place (before it, when backward).
    pub from: Option<(Key, Uuid)>,
}

/// Paging arguments before their cursor is opened.
struct Asked<'a> {
    faults: crate::error::Faults,
    limit: i64,
    backward: bool,
    /// Under its argument's name.
    cursor: Option<(&'static str, &'a str)>,
}

impl PageArguments {
    /// Checks the arguments against an order of a list of `T`, and reports every fault at once.
    pub async fn window<T: Listed>(&self, ctx: &Context<'_>, order: &Order) -> Result<Window> {
        let Asked { mut faults, limit, backward, cursor } = self.asked();
        let mut from = None;
        if let Some((name, text)) = cursor {
            let operation = ctx.operation()?;
            let here = CursorOf { org: operation.org().await?, list: T::NAME, order: &order.name };
            let opened = operation.service().cursors.open(here, text).and_then(|bytes| Place::read(&bytes));
            match opened {
                Some(Place(key, id)) if key.same_kind(&order.sample) => from = Some((key, id)),
                _ => faults.add(
                    name,
                    Code::WrongForm.says("is not a cursor of this list in this order: begin anew without it"),
                ),
            }
        }
        faults.into_result()?;
        Ok(Window { limit, backward, from })
    }

    fn asked(&self) -> Asked<'_> {
        let mut faults = crate::error::Faults::default();
        for (name, size) in [("first", self.first), ("last", self.last)] {
            if size.is_some_and(|size| !(0..=LARGEST_PAGE).contains(&size)) {
                let flaw = Code::of_range(size > Some(0)).says(format!("must be from 0 to {LARGEST_PAGE}"));
                faults.add(name, flaw.with("min", "0").with("max", LARGEST_PAGE.to_string()));
            }
        }
        if self.first.is_some() && self.last.is_some() {
            faults.add(
                "last",
                Code::NotTogether
                    .says("can't go with first: page forward with first and after, backward with last and before")
                    .with("other", "first"),
            );
        }
        let backward = self.last.is_some();
        let (name, cursor, other) =
            if backward { ("before", &self.before, &self.after) } else { ("after", &self.after, &self.before) };
        if other.is_some() {
            let (wrong, right) = if backward { ("after", "before") } else { ("before", "after") };
            faults.add(wrong, Code::NotTogether.says(format!("goes with the other direction: use {right} here")));
        }
        let limit = i64::from(self.last.or(self.first).unwrap_or(DEFAULT_PAGE));
        Asked { faults, limit, backward, cursor: cursor.as_deref().map(|text| (name, text)) }
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
        let beyond = rows.drain(wanted.min(rows.len())..).next();
        let more = beyond.is_some();
        if self.backward {
            rows.reverse();
        }
        let from = self.from.is_some();
        let (has_next, has_previous) = if self.backward { (from, more) } else { (more, from) };
        Page { rows, has_next, has_previous, backward: self.backward, beyond }
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
    /// Whether it was fetched from the end backwards.
    pub backward: bool,
    /// The next record in the direction of the page. It is not shown; it is fetched to learn whether there is one.
    pub beyond: Option<T>,
}

impl<T> Page<T> {
    /// The page with each record turned into another.
    pub fn map<U>(self, mut turn: impl FnMut(T) -> U) -> Page<U> {
        Page {
            rows: self.rows.into_iter().map(&mut turn).collect(),
            has_next: self.has_next,
            has_previous: self.has_previous,
            backward: self.backward,
            beyond: self.beyond.map(turn),
        }
    }
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), has_next: false, has_previous: false, backward: false, beyond: None }
    }
}

/// The id of a record as a GraphQL ID.
pub fn global_id(kind: RecordKind, id: Uuid) -> async_graphql::ID {
    async_graphql::ID(ids::show(kind, id))
}

/// The id of a `node` query.
pub fn parse_any_id(path: &str, id: &str) -> Result<(RecordKind, Uuid)> {
    ids::parse_any(id).ok_or_else(|| Error::input(path, Flaw::not_an_id()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn places_are_read_back(text in ".*", id: u128) {
            let place = Place(Key::Text(text), Uuid::from_u128(id));
            prop_assert_eq!(place.bytes().ok().and_then(|bytes| Place::read(&bytes)), Some(place));
        }

        #[test]
        fn any_text_as_a_cursor_is_answered(text in "\\PC*") {
            fuzz_cursor(&text);
        }
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let arguments = PageArguments { first: Some(-1), last: Some(101), after: Some("?".to_owned()), before: None };
        match arguments.asked().faults.into_result() {
            Err(Error::BadUserInput(faults)) => assert!(faults.len() >= 3, "{faults:?}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_comes_after_a_page_is_not_of_it() {
        let window = Window { limit: 0, backward: false, from: None };
        let page = window.page(vec![9]);
        assert_eq!((page.rows, page.has_next, page.beyond), (vec![], true, Some(9)));
        let page = window.page(Vec::<i32>::new());
        assert_eq!((page.rows, page.has_next, page.beyond), (vec![], false, None));
    }

    #[test]
    fn a_backward_page_keeps_the_order_of_the_list() {
        let window = Window { limit: 2, backward: true, from: None };
        let page = window.page(vec![9, 8, 7]);
        assert_eq!((page.rows, page.has_next, page.has_previous), (vec![8, 9], false, true));
    }
}
