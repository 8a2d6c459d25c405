//! The filter and the order of a list: declared once, used by the API and by SQL.

use super::{Key, Order};
use crate::db::Sql;
use crate::error::{Code, Faults, Result};
use crate::ids;
use crate::vocabulary::RecordKind;
use async_graphql::ID;
use std::fmt::Debug;
use std::hash::Hash;
use uuid::Uuid;

/// A filter whose ids have been read.
pub trait Condition: Clone + Debug + Default + Eq + Hash + Send + Sync + 'static {
    /// The one patient it is limited to, if any: counting them reveals something about that patient.
    fn patient(&self) -> Option<Uuid>;

    /// The one record, such as a session, it is limited to, if any: that belongs to one patient too.
    fn record(&self) -> Option<Uuid> {
        None
    }

    /// Appends ` AND …` for each part.
    fn push_to<R>(&self, sql: &mut Sql<R>);
}

/// Reads the ids of a filter and reports all faults at once.
#[derive(Default)]
pub struct FilterIds(Faults);

impl FilterIds {
    /// The id in a part of the filter; an invalid one is noted as a fault.
    pub fn read(&mut self, path: &str, kind: RecordKind, id: Option<&ID>) -> Option<Uuid> {
        ids::parse(kind, id?).map_err(|flaw| self.0.add(format!("filter.{path}"), flaw)).ok()
    }

    /// The same where the id may be of one of several kinds.
    pub fn read_one_of(&mut self, path: &str, kinds: &[RecordKind], id: Option<&ID>) -> Option<Uuid> {
        let found = ids::parse_any(id?).filter(|(kind, _)| kinds.contains(kind));
        if found.is_none() {
            let kinds: Vec<String> = kinds.iter().map(|kind| format!("{}_…", ids::prefix(*kind))).collect();
            let flaw = Code::WrongKind.says(format!("must be an id of this service: {}", kinds.join(" or ")));
            self.0.add(format!("filter.{path}"), flaw);
        }
        found.map(|(_, id)| id)
    }

    /// Ends reading.
    pub fn finish(self) -> Result<()> {
        self.0.into_result()
    }
}

/// How a list of `T` can be sorted.
pub trait ListOrder<T>: Copy + Debug + Default + Eq + Hash + Send + Sync + 'static {
    /// The order in SQL.
    fn order(self) -> Order;
    /// A record's place in it.
    fn key(self, record: &T) -> (Key, Uuid);
}

/// The type of a part of a filter.
macro_rules! filter_type {
    (id $kind:ident) => { Option<async_graphql::ID> };
    (any_of $word:ident) => { Option<Vec<$word>> };
    (overlap $word:ident) => { Option<Vec<$word>> };
    (one $word:ident) => { Option<$word> };
    (other $given:ident) => { Option<$given> };
    (others $given:ident) => { Option<Vec<$given>> };
    (flag) => { Option<bool> };
    (with_errors) => { Option<bool> };
    (present) => { Option<bool> };
    (text) => { Option<String> };
    (at) => { Option<crate::scalars::DateTime> };
    (from) => { Option<crate::scalars::DateTime> };
    (before) => { Option<crate::scalars::DateTime> };
    (from_day) => { Option<crate::scalars::Date> };
    (before_day) => { Option<crate::scalars::Date> };
}
pub(crate) use filter_type;

/// Reads the id of a part of a filter.
macro_rules! filter_id {
    ($ids:ident, $found:ident, $path:expr, $column:literal, $given:expr, id $kind:ident) => {
        if let Some(id) = $ids.read($path, crate::vocabulary::RecordKind::$kind, $given.as_ref()) {
            $found.push(($column, id));
        }
    };
    ($ids:ident, $found:ident, $path:expr, $column:literal, $given:expr, $($other:tt)+) => {};
}
pub(crate) use filter_id;

/// Appends ` AND …` for a part of a filter.
macro_rules! filter_part {
    ($sql:ident, $given:expr, $column:literal, any_of $word:ident) => {
        $sql.push_any_of($column, $given.iter().flatten().map(|word| word.as_str()), $given.is_some())
    };
    ($sql:ident, $given:expr, $column:literal, overlap $word:ident) => {
        if let Some(words) = &$given {
            let words: Vec<String> = words.iter().map(|word| word.as_str().to_owned()).collect();
            $sql.push(concat!(" AND ", $column, " && ")).push_bind(words);
        }
    };
    ($sql:ident, $given:expr, $column:literal, one $word:ident) => {
        if let Some(word) = &$given {
            $sql.push(concat!(" AND ", $column, " = ")).push_bind(word.as_str());
        }
    };
    ($sql:ident, $given:expr, $column:literal, flag) => {
        if let Some(flag) = $given {
            $sql.push(concat!(" AND ", $column, " = ")).push_bind(flag);
        }
    };
    ($sql:ident, $given:expr, $column:literal, with_errors) => {
        if $given != Some(true) {
            $sql.push(concat!(" AND NOT ", $column));
        }
    };
    ($sql:ident, $given:expr, $column:literal, text) => {
        if let Some(text) = &$given {
            $sql.push(concat!(" AND ", $column, " = ")).push_bind(text.as_str());
        }
    };
    ($sql:ident, $given:expr, $column:literal, present) => {
        match $given {
            Some(true) => _ = $sql.push(concat!(" AND ", $column, " IS NOT NULL")),
            Some(false) => _ = $sql.push(concat!(" AND ", $column, " IS NULL")),
            None => {}
        }
    };
    ($sql:ident, $given:expr, $column:literal, at) => {
        crate::page::filter_part!($sql, $given, $column, "=")
    };
    ($sql:ident, $given:expr, $column:literal, from) => {
        crate::page::filter_part!($sql, $given, $column, ">=")
    };
    ($sql:ident, $given:expr, $column:literal, before) => {
        crate::page::filter_part!($sql, $given, $column, "<")
    };
    ($sql:ident, $given:expr, $column:literal, from_day) => {
        crate::page::filter_part!($sql, $given, $column, ">=")
    };
    ($sql:ident, $given:expr, $column:literal, before_day) => {
        crate::page::filter_part!($sql, $given, $column, "<")
    };
    ($sql:ident, $given:expr, $column:literal, id $kind:ident) => {};
    ($sql:ident, $given:expr, $column:literal, other $type:ident) => {};
    ($sql:ident, $given:expr, $column:literal, others $type:ident) => {};
    ($sql:ident, $given:expr, $column:literal, $sign:literal) => {
        if let Some(bound) = $given {
            $sql.push(concat!(" AND ", $column, " ", $sign, " ")).push_bind(bound.0);
        }
    };
}
pub(crate) use filter_part;

/// Declares what a list can be filtered by: the API's input, the condition that it is read as, and its SQL.
///
/// Each part is `name: kind(Type) "column"`:
///
/// | kind | input | keeps the records whose column |
/// |---|---|---|
/// | `id(Kind)` | ID | is this record |
/// | `any_of(Word)` | list | is one of these words |
/// | `overlap(Word)` | list | holds one of these words |
/// | `one(Word)` | word | is this word |
/// | `text` | String | is this text |
/// | `flag` | Boolean | is this |
/// | `with_errors` | Boolean | is false; true keeps all: those entered in error too |
/// | `present` | Boolean | holds something, or nothing |
/// | `at`, `from`, `before` | DateTime | is at, is at or after, is before |
/// | `from_day`, `before_day` | Date | is at or after, is before |
/// | `other(Type)` | Type | … as `also` says |
/// | `others(Type)` | list | … as `also` says |
///
/// `record` names the columns of records that are one patient's, such as a session. `also` is a function that appends
/// what the parts can't say. A part with `#[graphql(skip)]` is not the API's: only this service asks for it. A list that
/// keeps all it has is `all Condition`.
macro_rules! list_filter {
    (
        $(#[$meta:meta])* $filter:ident => $condition:ident {
            $($(#[$part_meta:meta])* $name:ident: $kind:ident $(($arg:ident))? $column:literal),* $(,)?
        }
        $(record: $($record:literal),+;)?
        $(also: $also:ident;)?
    ) => {
        #[derive(Debug, Clone, Default, PartialEq, Eq, Hash, async_graphql::InputObject)]
        $(#[$meta])*
        pub struct $filter {
            $($(#[$part_meta])* pub $name: crate::page::filter_type!($kind $($arg)?),)*
        }

        #[doc = concat!("`", stringify!($filter), "` with its ids read.")]
        #[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
        pub struct $condition {
            filter: $filter,
            ids: Vec<(&'static str, uuid::Uuid)>,
        }

        impl $filter {
            /// Reads the ids and reports every fault at once.
            pub fn read(self) -> crate::error::Result<$condition> {
                #[allow(unused_mut)]
                let (mut ids, mut found) = (crate::page::FilterIds::default(), Vec::new());
                $(crate::page::filter_id!(ids, found, &crate::page::camel(stringify!($name)), $column, self.$name, $kind $($arg)?);)*
                ids.finish()?;
                Ok($condition { filter: self, ids: found })
            }
        }

        impl crate::page::Condition for $condition {
            fn patient(&self) -> Option<uuid::Uuid> {
                self.id_of(&["patient_id"])
            }

            fn record(&self) -> Option<uuid::Uuid> {
                self.id_of(&[$($($record),+)?])
            }

            fn push_to<R>(&self, sql: &mut crate::db::Sql<R>) {
                for (column, id) in &self.ids {
                    sql.push(format!(" AND {column} = ")).push_bind(*id);
                }
                $(crate::page::filter_part!(sql, self.filter.$name, $column, $kind $($arg)?);)*
                $($also(&self.filter, sql);)?
            }
        }

        impl $condition {
            fn id_of(&self, columns: &[&str]) -> Option<uuid::Uuid> {
                columns.iter().find_map(|wanted| {
                    let named = self.ids.iter().find(|(column, _)| column.rsplit('.').next() == Some(*wanted));
                    named.map(|(_, id)| *id)
                })
            }
        }
    };
    ($(#[$meta:meta])* all $condition:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
        pub struct $condition;

        impl crate::page::Condition for $condition {
            fn patient(&self) -> Option<uuid::Uuid> {
                None
            }

            fn push_to<R>(&self, _: &mut crate::db::Sql<R>) {}
        }
    };
}
pub(crate) use list_filter;

/// Leaves out the records whose status says that they were entered in error, unless they are asked for.
pub fn push_without_errors<R>(sql: &mut Sql<R>, column: &str, asked: bool) {
    if !asked {
        sql.push(format!(" AND {column} <> 'entered_in_error'"));
    }
}

/// A field's name in the API, `patientId` of `patient_id`.
pub fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |whole, part| {
        let mut letters = part.chars();
        letters
            .next()
            .map_or(whole.clone(), |letter| format!("{whole}{}{}", letter.to_ascii_uppercase(), letters.as_str()))
    })
}

/// Declares how a list is sorted: the API's order input and enum, SQL and cursors. The first field is the default.
macro_rules! list_order {
    (
        $(#[$order_meta:meta])* $order:ident / $(#[$field_meta:meta])* $field:ident of $record:ty, id $id:literal, first $default:ident {
            $($(#[$variant_meta:meta])* $variant:ident $name:literal $column:literal as $sample:expr => $key:expr),+ $(,)?
        }
    ) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, async_graphql::Enum)]
        $(#[$field_meta])*
        #[allow(clippy::enum_variant_names)]
        pub enum $field { $($(#[$variant_meta])* $variant,)+ }

        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, async_graphql::InputObject)]
        $(#[$order_meta])*
        pub struct $order {
            /// The field to sort by.
            pub field: $field,
            /// The sort direction.
            #[graphql(default_with = "crate::page::Direction::Desc")]
            pub direction: crate::page::Direction,
        }

        impl Default for $order {
            fn default() -> Self {
                let first = [$($field::$variant),+];
                let [field, ..] = first;
                Self { field, direction: crate::page::Direction::$default }
            }
        }

        impl crate::page::ListOrder<$record> for $order {
            fn order(self) -> crate::page::Order {
                let (name, column, sample) = match self.field { $($field::$variant => ($name, $column, $sample),)+ };
                crate::page::Order {
                    name: format!("{name}:{:?}", self.direction),
                    column,
                    id: $id,
                    direction: self.direction,
                    sample,
                }
            }
            fn key(self, record: &$record) -> (crate::page::Key, uuid::Uuid) {
                let key = match self.field {
                    $($field::$variant => {
                        let key: fn(&$record) -> crate::page::Key = $key;
                        key(record)
                    })+
                };
                (key, record.id)
            }
        }
    };
}
pub(crate) use list_order;
