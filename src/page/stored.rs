//! A record that is one row of one table. Its columns are declared once, by name, and that declaration is used to read,
//! add and change it.

use super::filter::camel;
use crate::error::Result;
use crate::ledger::Record;
use diesel::Expression;
use diesel::deserialize::{self, FromSql, QueryableByName};
use diesel::pg::Pg;
use diesel::row::{NamedRow, RowIndex};
use diesel_async::AsyncPgConnection;
use futures::future::BoxFuture;
use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};
use uuid::Uuid;

/// A record that is one row of one table. `stored!` makes a record one.
pub trait Stored: Record + Clone + Sync + 'static {
    /// Its table.
    const TABLE: &'static str;
    /// The columns that every look-up reads.
    const ALWAYS: &'static [&'static str];
    /// The fields that a look-up may leave out if nobody asks for them, with their columns. In the record they are then
    /// empty.
    const ASKED: &'static [(&'static str, &'static [&'static str])];
    /// The fields of the API that need only the columns always read, besides those named like such a column.
    const LIGHT: &'static [&'static str];
    /// Whether many records name the same one, as who treated and where: then an operation reads it once.
    const REPEATS: bool;
    /// What its fields in the API need.
    fn needs() -> &'static Needs;
    /// Reads it.
    fn of_row<'r>(row: &impl NamedRow<'r, Pg>) -> deserialize::Result<Self>;
    /// Inserts its row. Returns the number of rows inserted: one, or none if another row is in its place.
    fn insert<'c>(
        &'c self,
        org: Uuid,
        connection: &'c mut AsyncPgConnection,
    ) -> BoxFuture<'c, Result<diesel::QueryResult<usize>>>;
    /// Updates its row at this version. Returns the number of rows changed: one, or none.
    fn update<'c>(
        &'c self,
        org: Uuid,
        version: i32,
        connection: &'c mut AsyncPgConnection,
    ) -> BoxFuture<'c, Result<diesel::QueryResult<usize>>>;
    /// All its columns, as a statement names them.
    fn all_columns() -> Arc<str> {
        text_of::<Self>(Columns::all())
    }
}

/// A row read as a record, by the names of its columns.
pub struct RowOf<T>(pub T);

impl<T: Stored> QueryableByName<Pg> for RowOf<T> {
    fn build<'r>(row: &impl NamedRow<'r, Pg>) -> deserialize::Result<Self> {
        T::of_row(row).map(RowOf)
    }
}

/// The columns that a look-up reads in addition to those always read: one bit for each of `Stored::ASKED`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Columns(pub(super) u64);

/// Fields that every record has, from its id and its stamp.
const ALWAYS_LIGHT: [&str; 7] = ["__typename", "id", "version", "createdAt", "createdBy", "updatedAt", "history"];

/// What each field of a record in the API needs: of the columns that a look-up may leave out, one bit for each.
pub struct Needs(HashMap<String, u64>);

impl Needs {
    /// The needs of a record's fields. A field goes by the name of its column: `skinPreparation` needs
    /// `skin_preparation`, and both `plan` and `planId` need `plan_id`.
    pub fn of<T: Stored>() -> Self {
        let mut needs = HashMap::new();
        let mut note = |name: &str, bits: u64| {
            for name in [Some(name), name.strip_suffix("_id")].into_iter().flatten() {
                *needs.entry(camel(name)).or_default() |= bits;
            }
        };
        for name in T::ALWAYS.iter().chain(T::LIGHT) {
            note(name, 0);
        }
        for (place, (name, columns)) in T::ASKED.iter().enumerate() {
            for name in columns.iter().chain([name]) {
                note(name, 1 << place);
            }
        }
        for field in ALWAYS_LIGHT {
            needs.entry(field.to_owned()).or_default();
        }
        Self(needs)
    }

    /// The columns that a field needs, by its name in the API; none if that is not known.
    pub(super) fn of_field(&self, field: &str) -> Option<Columns> {
        self.0.get(field).copied().map(Columns)
    }
}

/// The maximum number of column sets of one table that get their own statements. Each is a prepared statement on each
/// connection, and clients can ask for many sets: beyond this number, whole rows are read until the process ends. That costs
/// time and never an answer.
const MOST_SETS: usize = 24;

impl Columns {
    /// All columns.
    pub const fn all() -> Self {
        Self(u64::MAX)
    }
}

/// The sets of columns of each table that have statements of their own, as text.
static TEXTS: LazyLock<RwLock<Texts>> = LazyLock::new(RwLock::default);

type Texts = HashMap<(TypeId, Columns), Arc<str>>;

/// The columns as a statement names them, `patient.id, patient.birth_date, …`.
pub fn text_of<T: Stored>(columns: Columns) -> Arc<str> {
    let kind = TypeId::of::<T>();
    {
        let texts = TEXTS.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = texts.get(&(kind, columns)) {
            return Arc::clone(text);
        }
        if columns != Columns::all() && texts.keys().filter(|(of, _)| *of == kind).count() >= MOST_SETS {
            drop(texts);
            return text_of::<T>(Columns::all());
        }
    }
    let asked = T::ASKED.iter().enumerate().filter(|(place, _)| columns.0 & (1 << place) != 0);
    let asked = asked.flat_map(|(_, (_, columns))| columns.iter());
    let named: Vec<String> = T::ALWAYS.iter().chain(asked).map(|column| format!("{}.{column}", T::TABLE)).collect();
    let text: Arc<str> = named.join(", ").into();
    TEXTS.write().unwrap_or_else(PoisonError::into_inner).insert((kind, columns), Arc::clone(&text));
    text
}

/// The error for a row that can't be read, as reported by the database library.
pub fn told<T>(read: Result<T>) -> deserialize::Result<T> {
    read.map_err(|error| error.operator_message().into())
}

/// The value of a column that was read.
pub fn cell<'r, Column, T>(row: &impl NamedRow<'r, Pg>, name: &str) -> deserialize::Result<T>
where
    Column: Expression,
    T: FromSql<Column::SqlType, Pg>,
{
    NamedRow::get::<Column::SqlType, T>(row, name)
}

/// The value of a column that may have been left out.
pub fn part<'r, Column, T>(row: &impl NamedRow<'r, Pg>, name: &str) -> deserialize::Result<Option<T>>
where
    Column: Expression,
    T: FromSql<Column::SqlType, Pg>,
{
    match RowIndex::<&str>::idx(row, name) {
        Some(_) => cell::<Column, T>(row, name).map(Some),
        None => Ok(None),
    }
}

/// Makes a record `Stored` by saying which column is which field.
///
/// - `always`: columns that every look-up reads, each named like its field.
/// - `asked`: the same for columns that a look-up may leave out; the field is then empty.
/// - `json`, `opt_json`: fields that are stored as JSON. `decimal`: optional numbers. `words`: lists of words.
/// - `parts`: fields that are made of several columns, with the functions that read and write them. `asked_parts`: the
///   same where a look-up may leave them out.
/// - `light`: fields of the API that need no column outside of `always`.
/// - `also`: fields without a column, and their value.
/// - `repeats: true`: many records name the same one, so an operation reads it once.
///
/// After the table, `signed` means that a signed row is never changed, and `fixed` that no row is. `on_conflict` names a
/// column whose value may be taken already: then nothing is inserted, and nothing fails.
macro_rules! stored {
    (
        $record:ty = $table:ident $($signed:ident)?;
        $(on_conflict: $conflict:ident;)?
        $(repeats: $repeats:literal;)?
        always: $($always:ident),* $(,)?;
        $(asked: $($asked:ident),* $(,)?;)?
        $(json: $($json:ident),* $(,)?;)?
        $(opt_json: $($opt_json:ident),* $(,)?;)?
        $(decimal: $($decimal:ident),* $(,)?;)?
        $(words: $($words:ident),* $(,)?;)?
        $(parts { $($part:ident ($($column:ident),+ $(,)?) = $read:path, $write:path;)+ })?
        $(asked_parts { $($asked_part:ident ($($asked_column:ident),+ $(,)?) = $asked_read:path, $asked_write:path;)+ })?
        $(light: $($light:literal),* $(,)?;)?
        $(also: $($also:ident = $value:expr),*;)?
    ) => {
        impl crate::page::Stored for $record {
            const TABLE: &'static str = stringify!($table);
            const ALWAYS: &'static [&'static str] =
                &["id", $(stringify!($always),)* $($($(stringify!($column),)+)+)?];
            const ASKED: &'static [(&'static str, &'static [&'static str])] = &[
                $($((stringify!($asked), &[stringify!($asked)]),)*)?
                $($((stringify!($json), &[stringify!($json)]),)*)?
                $($((stringify!($opt_json), &[stringify!($opt_json)]),)*)?
                $($((stringify!($decimal), &[stringify!($decimal)]),)*)?
                $($((stringify!($words), &[stringify!($words)]),)*)?
                $($((stringify!($asked_part), &[$(stringify!($asked_column)),+]),)+)?
            ];
            const LIGHT: &'static [&'static str] = &[$($(stringify!($part),)+)? $($($light),*)?];
            const REPEATS: bool = false $(|| $repeats)?;

            fn needs() -> &'static crate::page::stored::Needs {
                static NEEDS: std::sync::LazyLock<crate::page::stored::Needs> =
                    std::sync::LazyLock::new(crate::page::stored::Needs::of::<$record>);
                &NEEDS
            }

            fn of_row<'r>(row: &impl diesel::row::NamedRow<'r, diesel::pg::Pg>) -> diesel::deserialize::Result<Self> {
                #[allow(unused_imports)]
                use crate::db::cell::{AsJson, Listed, Plain};
                use crate::db::tables::$table::columns;
                #[allow(unused_imports)]
                use crate::page::stored::{cell, part, told};
                Ok(Self {
                    id: cell::<columns::id, _>(row, "id")?,
                    $($always: cell::<columns::$always, _>(row, stringify!($always))?,)*
                    $($($asked: part::<columns::$asked, _>(row, stringify!($asked))?.unwrap_or_default(),)*)?
                    $($($json: part::<columns::$json, AsJson<_>>(row, stringify!($json))?.map(|it| it.0).unwrap_or_default(),)*)?
                    $($($opt_json: part::<columns::$opt_json, Option<AsJson<_>>>(row, stringify!($opt_json))?.flatten().map(|it| it.0),)*)?
                    $($($decimal: part::<columns::$decimal, Option<Plain>>(row, stringify!($decimal))?.flatten().map(|it| it.0),)*)?
                    $($($words: part::<columns::$words, Listed<_>>(row, stringify!($words))?.map(|it| it.0).unwrap_or_default(),)*)?
                    $($($part: {
                        told(($read)($(cell::<columns::$column, _>(row, stringify!($column))?),+))?
                    },)+)?
                    $($($asked_part: {
                        let read = $asked_read;
                        match ($(part::<columns::$asked_column, _>(row, stringify!($asked_column))?,)+) {
                            ($(Some($asked_column),)+) => told(read($($asked_column),+))?,
                            _ => Default::default(),
                        }
                    },)+)?
                    $($($also: $value,)*)?
                })
            }

            fn insert<'c>(
                &'c self,
                org: uuid::Uuid,
                connection: &'c mut diesel_async::AsyncPgConnection,
            ) -> futures::future::BoxFuture<'c, crate::error::Result<diesel::QueryResult<usize>>> {
                use crate::db::tables::$table as table;
                use diesel::ExpressionMethods;
                Box::pin(async move {
                    $($(let ($($column,)+) = ($write)(&self.$part)?;)+)?
                    $($(let ($($asked_column,)+) = ($asked_write)(&self.$asked_part)?;)+)?
                    let inserting = diesel::insert_into(table::table).values((
                        table::org_id.eq(org),
                        table::id.eq(self.id),
                        $(table::$always.eq(self.$always.clone()),)*
                        $($(table::$asked.eq(self.$asked.clone()),)*)?
                        $($(table::$json.eq(serde_json::to_value(&self.$json)?),)*)?
                        $($(table::$opt_json.eq(self.$opt_json.as_ref().map(serde_json::to_value).transpose()?),)*)?
                        $($(table::$decimal.eq(self.$decimal),)*)?
                        $($(table::$words.eq(self.$words.clone()),)*)?
                        $($($(table::$column.eq($column),)+)+)?
                        $($($(table::$asked_column.eq($asked_column),)+)+)?
                    ));
                    $(let inserting = inserting.on_conflict((table::org_id, table::$conflict)).do_nothing();)?
                    Ok(diesel_async::RunQueryDsl::execute(inserting, connection).await)
                })
            }

            fn update<'c>(
                &'c self,
                org: uuid::Uuid,
                version: i32,
                connection: &'c mut diesel_async::AsyncPgConnection,
            ) -> futures::future::BoxFuture<'c, crate::error::Result<diesel::QueryResult<usize>>> {
                use crate::db::tables::$table as table;
                use diesel::{ExpressionMethods, QueryDsl};
                Box::pin(async move {
                    $($(let ($($column,)+) = ($write)(&self.$part)?;)+)?
                    $($(let ($($asked_column,)+) = ($asked_write)(&self.$asked_part)?;)+)?
                    let target = crate::page::stored::target!($($signed)?; table, (org, self.id), version);
                    let updating = diesel::update(target).set((
                        $(table::$always.eq(self.$always.clone()),)*
                        $($(table::$asked.eq(self.$asked.clone()),)*)?
                        $($(table::$json.eq(serde_json::to_value(&self.$json)?),)*)?
                        $($(table::$opt_json.eq(self.$opt_json.as_ref().map(serde_json::to_value).transpose()?),)*)?
                        $($(table::$decimal.eq(self.$decimal),)*)?
                        $($(table::$words.eq(self.$words.clone()),)*)?
                        $($($(table::$column.eq($column),)+)+)?
                        $($($(table::$asked_column.eq($asked_column),)+)+)?
                    ));
                    Ok(diesel_async::RunQueryDsl::execute(updating, connection).await)
                })
            }
        }
    };
}
pub(crate) use stored;

/// The row to change: at this version, and unsigned where records are signed. A `fixed` record has no versions.
macro_rules! target {
    (; $table:ident, $key:expr, $version:ident) => {
        $table::table.find($key).filter($table::version.eq($version))
    };
    (signed; $table:ident, $key:expr, $version:ident) => {
        $table::table.find($key).filter($table::version.eq($version)).filter($table::signed_at.is_null())
    };
    (fixed; $table:ident, $key:expr, $version:ident) => {{
        let _ = $version;
        // Matches no row: a fixed record is never changed.
        $table::table.find($key).filter($table::id.ne($key.1))
    }};
}
pub(crate) use target;

#[cfg(test)]
mod tests {
    use super::Needs;
    use crate::session::TreatmentSession;

    #[test]
    fn a_field_is_known_by_its_column() {
        let Needs(needs) = Needs::of::<TreatmentSession>();
        for (field, same) in [("plan", "planId"), ("practitioner", "practitionerId")] {
            assert!(needs.contains_key(field) && needs.get(field) == needs.get(same), "{field}");
        }
        for light in ["id", "version", "createdAt", "__typename"] {
            assert_eq!(needs.get(light), Some(&0), "{light}");
        }
        assert!(needs.get("skinPreparation").is_some_and(|bits| bits.count_ones() == 1));
        assert_ne!(needs.get("skinPreparation"), needs.get("note"));
        for field in ["skin_preparation", "skin", "notes", "plans"] {
            assert!(!needs.contains_key(field), "{field}");
        }
    }
}
