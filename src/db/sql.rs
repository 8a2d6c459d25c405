//! A statement assembled from text and bound values.
//!
//! `diesel::sql_query` is never statement-cached; this is, by its text. It serves what the query builder can't express
//! or makes slower: lateral joins, keyset conditions, one-trip writes. Text is always the program's own; values are
//! always bound.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types as st;
use rust_decimal::Decimal;
use std::borrow::Cow;
use std::marker::PhantomData;
use uuid::Uuid;

/// A value to bind.
#[derive(Debug, Clone)]
pub enum Bind {
    /// uuid
    Uuid(Uuid),
    /// uuid[]
    Uuids(Vec<Uuid>),
    /// text
    Text(String),
    /// text, or NULL
    OptText(Option<String>),
    /// uuid, or NULL
    OptUuid(Option<Uuid>),
    /// smallint
    Short(i16),
    /// integer
    Int(i32),
    /// integer[]
    Ints(Vec<i32>),
    /// text[]
    Texts(Vec<String>),
    /// bigint
    Long(i64),
    /// boolean
    Bool(bool),
    /// timestamptz
    Time(DateTime<Utc>),
    /// date
    Date(NaiveDate),
    /// numeric
    Decimal(Decimal),
    /// bigint[]
    Longs(Vec<i64>),
    /// bytea
    Bytes(Vec<u8>),
    /// bytea[]
    ManyBytes(Vec<Vec<u8>>),
    /// bytea, or NULL
    OptBytes(Option<Vec<u8>>),
    /// json, its text kept unchanged
    Json(serde_json::Value),
}

macro_rules! bind_from {
    ($($type:ty => $variant:ident),+ $(,)?) => { $(impl From<$type> for Bind { fn from(value: $type) -> Self { Self::$variant(value) } })+ };
}
bind_from! {
    Uuid => Uuid, Vec<Uuid> => Uuids, String => Text, Option<String> => OptText, Option<Uuid> => OptUuid, i16 => Short,
    i32 => Int, Vec<i32> => Ints, Vec<String> => Texts, i64 => Long, bool => Bool, DateTime<Utc> => Time, NaiveDate => Date,
    Decimal => Decimal, Vec<u8> => Bytes, Vec<i64> => Longs, Vec<Vec<u8>> => ManyBytes, Option<Vec<u8>> => OptBytes, serde_json::Value => Json,
}
impl From<&str> for Bind {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

#[derive(Debug, Clone)]
enum Piece {
    Text(Cow<'static, str>),
    Bind(Bind),
}

/// A statement whose rows have the SQL type `Row` (a table's `SqlType`, or a tuple of them); `()` for one without rows.
pub struct Sql<Row = ()> {
    pieces: Vec<Piece>,
    row: PhantomData<fn() -> Row>,
}

impl<Row> Sql<Row> {
    /// Starts with text.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self { pieces: vec![Piece::Text(text.into())], row: PhantomData }
    }

    /// Appends text.
    pub fn push(&mut self, text: impl Into<Cow<'static, str>>) -> &mut Self {
        self.pieces.push(Piece::Text(text.into()));
        self
    }

    /// Appends a bound value.
    pub fn push_bind(&mut self, value: impl Into<Bind>) -> &mut Self {
        self.pieces.push(Piece::Bind(value.into()));
        self
    }

    /// Appends a bound value, or NULL.
    pub fn push_opt(&mut self, value: Option<impl Into<Bind>>) -> &mut Self {
        match value {
            Some(value) => self.push_bind(value),
            None => self.push("NULL"),
        }
    }

    /// `push`, by value.
    pub fn text(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.push(text);
        self
    }

    /// `push_bind`, by value.
    pub fn bind(mut self, value: impl Into<Bind>) -> Self {
        self.push_bind(value);
        self
    }

    /// Appends ` AND column = ANY (words)` if a list of words was given; an empty list matches nothing.
    pub fn push_any_of<'w>(&mut self, column: &'static str, words: impl Iterator<Item = &'w str>, given: bool) {
        if given {
            self.push(format!(" AND {column} = ANY ("));
            self.push_bind(words.map(str::to_owned).collect::<Vec<String>>()).push(")");
        }
    }
}

impl<Row> Clone for Sql<Row> {
    fn clone(&self) -> Self {
        Self { pieces: self.pieces.clone(), row: PhantomData }
    }
}

impl<Row> QueryFragment<Pg> for Sql<Row> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> diesel::QueryResult<()> {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_sql(text),
                Piece::Bind(Bind::Uuid(value)) => out.push_bind_param::<st::Uuid, _>(value)?,
                Piece::Bind(Bind::Uuids(value)) => out.push_bind_param::<st::Array<st::Uuid>, _>(value)?,
                Piece::Bind(Bind::Text(value)) => out.push_bind_param::<st::Text, _>(value)?,
                Piece::Bind(Bind::OptText(value)) => out.push_bind_param::<st::Nullable<st::Text>, _>(value)?,
                Piece::Bind(Bind::OptUuid(value)) => out.push_bind_param::<st::Nullable<st::Uuid>, _>(value)?,
                Piece::Bind(Bind::Short(value)) => out.push_bind_param::<st::SmallInt, _>(value)?,
                Piece::Bind(Bind::Int(value)) => out.push_bind_param::<st::Integer, _>(value)?,
                Piece::Bind(Bind::Ints(value)) => out.push_bind_param::<st::Array<st::Integer>, _>(value)?,
                Piece::Bind(Bind::Texts(value)) => out.push_bind_param::<st::Array<st::Text>, _>(value)?,
                Piece::Bind(Bind::Long(value)) => out.push_bind_param::<st::BigInt, _>(value)?,
                Piece::Bind(Bind::Bool(value)) => out.push_bind_param::<st::Bool, _>(value)?,
                Piece::Bind(Bind::Time(value)) => out.push_bind_param::<st::Timestamptz, _>(value)?,
                Piece::Bind(Bind::Date(value)) => out.push_bind_param::<st::Date, _>(value)?,
                Piece::Bind(Bind::Decimal(value)) => out.push_bind_param::<st::Numeric, _>(value)?,
                Piece::Bind(Bind::OptBytes(value)) => out.push_bind_param::<st::Nullable<st::Binary>, _>(value)?,
                Piece::Bind(Bind::Longs(value)) => out.push_bind_param::<st::Array<st::BigInt>, _>(value)?,
                Piece::Bind(Bind::ManyBytes(value)) => out.push_bind_param::<st::Array<st::Binary>, _>(value)?,
                Piece::Bind(Bind::Bytes(value)) => out.push_bind_param::<st::Binary, _>(value)?,
                Piece::Bind(Bind::Json(value)) => out.push_bind_param::<st::Json, _>(value)?,
            }
        }
        Ok(())
    }
}

impl<Row> QueryId for Sql<Row> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Row> Query for Sql<Row> {
    type SqlType = Row;
}
