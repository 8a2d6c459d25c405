//! Lists of records of one table: a page of all, a page under each of many parents, counts and look-ups by id, each in
//! one statement. A slice says what its table is (`listing!`) and how it is filtered and sorted; the rest is here.

use super::{Connection, Key, Listed, Order, Page, PageArguments, Window, batch_counter, counter};
use crate::access::{Scope, policy};
use crate::db::Sql;
use crate::error::{Error, Faults, Result, SharedError};
use crate::ids;
use crate::ledger::{self, Record};
use crate::operation::{Batch, Running};
use crate::vocabulary::RecordKind;
use async_graphql::dataloader::Loader;
use async_graphql::{Context, ID};
use diesel::sql_types as st;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use uuid::Uuid;

/// What a filter keeps, once its ids are read.
pub trait Condition: Clone + Debug + Default + Eq + Hash + Send + Sync + 'static {
    /// The one patient whose records it keeps, if it is about one: who counts them is told of that patient.
    fn patient(&self) -> Option<Uuid>;

    /// The one record whose records it keeps, such as a session, if it is about one: that is one patient's too.
    fn record(&self) -> Option<Uuid> {
        None
    }

    /// Appends ` AND …` for each part.
    fn push_to<R>(&self, sql: &mut Sql<R>);
}

/// Reads the ids of a filter; all faults at once.
#[derive(Default)]
pub struct FilterIds(Faults);

impl FilterIds {
    /// The id of a part of the filter; a faulty one is noted.
    pub fn read(&mut self, path: &str, kind: RecordKind, id: Option<&ID>) -> Option<Uuid> {
        ids::parse(kind, id?).map_err(|message| self.0.add(format!("filter.{path}"), message)).ok()
    }

    /// The same where the id may be of one of several kinds.
    pub fn read_one_of(&mut self, path: &str, kinds: &[RecordKind], id: Option<&ID>) -> Option<Uuid> {
        let found = ids::parse_any(id?).filter(|(kind, _)| kinds.contains(kind));
        if found.is_none() {
            let kinds: Vec<String> = kinds.iter().map(|kind| format!("{}_…", ids::prefix(*kind))).collect();
            self.0.add(format!("filter.{path}"), format!("must be an id of this service: {}", kinds.join(" or ")));
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

/// Records of one table.
pub trait Listing: Listed + Record + Clone + Sync + 'static {
    /// Its table.
    const TABLE: &'static str;
    /// The SQL type of a row.
    type Row: Send + Sync + 'static;
    /// What keeps some of them.
    type Condition: Condition;
    /// What sorts them.
    type OrderBy: ListOrder<Self>;
    /// The columns of a row, as text.
    fn columns() -> &'static str;
    /// Runs a statement whose rows are records.
    fn load(sql: Sql<Self::Row>, connection: &mut AsyncPgConnection) -> BoxFuture<'_, Result<Vec<Self>>>;
    /// The value of a column that names another record.
    fn parent(&self, column: &str) -> Option<Uuid>;
}

/// Makes a record a `Listing`: its table, its row, filter and order, and the columns that name its parents.
macro_rules! listing {
    ($record:ty, $table:ident, $row:ty, $condition:ty, $order:ty, { $($column:literal => $parent:expr),* $(,)? }) => {
        impl crate::page::Listing for $record {
            const TABLE: &'static str = stringify!($table);
            type Row = crate::db::tables::$table::SqlType;
            type Condition = $condition;
            type OrderBy = $order;
            fn columns() -> &'static str {
                static COLUMNS: std::sync::LazyLock<String> =
                    std::sync::LazyLock::new(|| crate::db::columns(crate::db::tables::$table::all_columns));
                &COLUMNS
            }
            #[allow(clippy::needless_question_mark)] // a row may fail with the error itself, or never
            fn load(
                sql: crate::db::Sql<Self::Row>,
                connection: &mut diesel_async::AsyncPgConnection,
            ) -> futures::future::BoxFuture<'_, crate::error::Result<Vec<Self>>> {
                Box::pin(async move {
                    let rows: Vec<$row> = diesel_async::RunQueryDsl::load(sql, connection).await?;
                    rows.into_iter().map(|row| Ok(<$record>::try_from(row)?)).collect()
                })
            }
            fn parent(&self, column: &str) -> Option<uuid::Uuid> {
                $(if column == $column {
                    let parent: fn(&$record) -> Option<uuid::Uuid> = $parent;
                    return parent(self);
                })*
                let _ = column;
                None
            }
        }
    };
}
pub(crate) use listing;

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
            /// What to sort by.
            pub field: $field,
            /// Which end first.
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

fn shown<T: Listing>(scope: &mut Scope, records: Vec<T>) -> Vec<T> {
    scope.show(records.iter().flat_map(Record::tells_of));
    records
}

/// A page of a table.
pub async fn page<T: Listing>(
    scope: &mut Scope,
    condition: &T::Condition,
    order: T::OrderBy,
    window: &Window,
) -> Result<Page<T>> {
    let door = scope.read_list(T::KIND, condition.patient())?;
    let mut sql = Sql::new(format!("SELECT {} FROM {} WHERE org_id = ", T::columns(), T::TABLE));
    sql.push_bind(door.org);
    condition.push_to(&mut sql);
    window.push_to(&mut sql, &order.order());
    let rows = T::load(sql, door.connection).await?;
    // One row more was fetched than is shown.
    let page = window.page(rows);
    scope.show(page.rows.iter().flat_map(Record::tells_of));
    Ok(page)
}

/// All that a condition keeps, for lists that are short by their nature; at most a thousand.
pub async fn all<T: Listing>(scope: &mut Scope, condition: &T::Condition, order: T::OrderBy) -> Result<Vec<T>> {
    let window = Window { limit: 999, backward: false, from: None };
    let door = scope.read(T::KIND)?;
    let mut sql = Sql::new(format!("SELECT {} FROM {} WHERE org_id = ", T::columns(), T::TABLE));
    sql.push_bind(door.org);
    condition.push_to(&mut sql);
    window.push_to(&mut sql, &order.order());
    let rows = T::load(sql, door.connection).await?;
    Ok(shown(scope, rows))
}

/// How many a condition keeps.
pub async fn count<T: Listing>(scope: &mut Scope, condition: &T::Condition) -> Result<i64> {
    let door = scope.read_list(T::KIND, condition.patient())?;
    // Of a record's own records there are few, and whose they are is looked up with them.
    let whose = condition.record().map_or("'{}'::uuid[]", |_| "coalesce(array_agg(DISTINCT patient_id), '{}')");
    let mut sql = Sql::<(st::BigInt, st::Array<st::Uuid>)>::new(format!("SELECT count(*), {whose} FROM {}", T::TABLE));
    sql.push(" WHERE org_id = ").push_bind(door.org);
    condition.push_to(&mut sql);
    let (count, whose): (i64, Vec<Uuid>) = sql.get_result(door.connection).await?;
    scope.counted(T::KIND, whose.into_iter().chain(condition.patient()), count);
    Ok(count)
}

/// Records by id.
pub async fn by_ids<T: Listing>(scope: &mut Scope, ids: &[Uuid]) -> Result<Vec<T>> {
    let door = scope.read(T::KIND)?;
    let mut sql = Sql::new(format!("SELECT {} FROM {} WHERE org_id = ", T::columns(), T::TABLE));
    sql.push_bind(door.org).push(" AND id = ANY (").push_bind(ids.to_vec()).push(")");
    let rows = T::load(sql, door.connection).await?;
    Ok(shown(scope, rows))
}

/// One record; NOT_FOUND, or REASON_REQUIRED if its patient is restricted.
pub async fn one<T: Listing>(scope: &mut Scope, id: Uuid) -> Result<T> {
    let found = by_ids(scope, &[id]).await?.into_iter().next();
    match found {
        Some(found) => Ok(found),
        None => Err(ledger::absent(scope, T::KIND, id).await),
    }
}

/// All records under these parents, oldest last, in one statement: for rules that need the whole of a list.
pub async fn all_under<T: Listing>(scope: &mut Scope, column: &'static str, parents: &[Uuid]) -> Result<Vec<T>> {
    let door = scope.read(T::KIND)?;
    let mut sql = Sql::new(format!("SELECT {} FROM {} WHERE org_id = ", T::columns(), T::TABLE));
    sql.push_bind(door.org).push(format!(" AND {column} = ANY (")).push_bind(parents.to_vec());
    sql.push(") ORDER BY created_at DESC, id DESC");
    let rows = T::load(sql, door.connection).await?;
    Ok(shown(scope, rows))
}

/// The same window under each parent, in one statement; one more row than wanted for each.
async fn under_each<T: Listing>(
    scope: &mut Scope,
    list: &List<T::Condition, T::OrderBy>,
    parents: &[Uuid],
) -> Result<Vec<T>> {
    let door = scope.read(T::KIND)?;
    let table = T::TABLE;
    let mut sql = Sql::new(format!("SELECT {} FROM unnest(", T::columns()));
    sql.push_bind(parents.to_vec())
        .push(format!("::uuid[]) AS p (id) CROSS JOIN LATERAL (SELECT * FROM {table} WHERE org_id = "))
        .push_bind(door.org)
        .push(format!(" AND {} = p.id", list.column));
    list.condition.push_to(&mut sql);
    list.window.push_to(&mut sql, &list.order.order());
    sql.push(format!(") AS {table}"));
    let rows = T::load(sql, door.connection).await?;
    Ok(shown(scope, rows))
}

async fn counts_under_each<T: Listing>(
    scope: &mut Scope,
    column: &'static str,
    condition: &T::Condition,
    parents: &[Uuid],
) -> Result<Vec<(Uuid, i64)>> {
    let door = scope.read(T::KIND)?;
    let mut sql =
        Sql::<(st::Uuid, st::BigInt)>::new(format!("SELECT {column}, count(*) FROM {} WHERE org_id = ", T::TABLE));
    sql.push_bind(door.org).push(format!(" AND {column} = ANY (")).push_bind(parents.to_vec()).push(")");
    condition.push_to(&mut sql);
    sql.push(format!(" GROUP BY {column}"));
    let counts: Vec<(Uuid, i64)> = sql.load(door.connection).await?;
    scope.counted(T::KIND, condition.patient(), counts.iter().map(|(_, count)| count).sum());
    Ok(counts)
}

/// What siblings share: the same list under another parent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct List<C, O> {
    column: &'static str,
    condition: C,
    order: O,
    window: Window,
}

/// The key of a window under one parent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Under<C, O, Kind> {
    id: Uuid,
    list: List<C, O>,
    kind: Kind,
}

/// The key of a count under one parent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct CountUnder<C, Kind> {
    id: Uuid,
    column: &'static str,
    condition: C,
    kind: Kind,
}

/// The key of all records under one parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct AllUnder<Kind> {
    id: Uuid,
    column: &'static str,
    kind: Kind,
}

/// The key of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct ById<Kind> {
    id: Uuid,
    kind: Kind,
}

/// Says which kind of record a key is of, and holds nothing.
struct Of<T>(std::marker::PhantomData<fn() -> T>);

impl<T> Of<T> {
    const KIND: Self = Self(std::marker::PhantomData);
}
impl<T> Debug for Of<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(std::any::type_name::<T>())
    }
}
impl<T> Clone for Of<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Of<T> {}
impl<T> PartialEq for Of<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl<T> Eq for Of<T> {}
impl<T> Hash for Of<T> {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

impl<T: Listing> Loader<Under<T::Condition, T::OrderBy, Of<T>>> for Batch {
    type Value = Vec<T>;
    type Error = SharedError;

    async fn load(
        &self,
        keys: &[Under<T::Condition, T::OrderBy, Of<T>>],
    ) -> std::result::Result<HashMap<Under<T::Condition, T::OrderBy, Of<T>>, Vec<T>>, SharedError> {
        let mut lists: HashMap<&List<T::Condition, T::OrderBy>, Vec<Uuid>> = HashMap::new();
        for key in keys {
            lists.entry(&key.list).or_default().push(key.id);
        }
        let mut scope = self.0.reader().await?;
        let mut found: HashMap<_, Vec<T>> = HashMap::new();
        for (list, parents) in lists {
            for record in under_each::<T>(&mut scope, list, &parents).await? {
                if let Some(id) = record.parent(list.column) {
                    found.entry(Under { id, list: list.clone(), kind: Of::KIND }).or_default().push(record);
                }
            }
        }
        Ok(found)
    }
}

impl<T: Listing> Loader<CountUnder<T::Condition, Of<T>>> for Batch {
    type Value = i64;
    type Error = SharedError;

    async fn load(
        &self,
        keys: &[CountUnder<T::Condition, Of<T>>],
    ) -> std::result::Result<HashMap<CountUnder<T::Condition, Of<T>>, i64>, SharedError> {
        let mut lists: HashMap<(&'static str, &T::Condition), Vec<Uuid>> = HashMap::new();
        for key in keys {
            lists.entry((key.column, &key.condition)).or_default().push(key.id);
        }
        let mut scope = self.0.reader().await?;
        let mut found = HashMap::new();
        for ((column, condition), parents) in lists {
            for (id, count) in counts_under_each::<T>(&mut scope, column, condition, &parents).await? {
                found.insert(CountUnder { id, column, condition: condition.clone(), kind: Of::KIND }, count);
            }
        }
        Ok(found)
    }
}

impl<T: Listing> Loader<AllUnder<Of<T>>> for Batch {
    type Value = Vec<T>;
    type Error = SharedError;

    async fn load(
        &self,
        keys: &[AllUnder<Of<T>>],
    ) -> std::result::Result<HashMap<AllUnder<Of<T>>, Vec<T>>, SharedError> {
        let mut columns: HashMap<&'static str, Vec<Uuid>> = HashMap::new();
        for key in keys {
            columns.entry(key.column).or_default().push(key.id);
        }
        let mut scope = self.0.reader().await?;
        let mut found: HashMap<_, Vec<T>> = HashMap::new();
        for (column, parents) in columns {
            for record in all_under::<T>(&mut scope, column, &parents).await? {
                if let Some(id) = record.parent(column) {
                    found.entry(AllUnder { id, column, kind: Of::KIND }).or_default().push(record);
                }
            }
        }
        Ok(found)
    }
}

impl<T: Listing> Loader<ById<Of<T>>> for Batch {
    type Value = T;
    type Error = SharedError;

    async fn load(&self, keys: &[ById<Of<T>>]) -> std::result::Result<HashMap<ById<Of<T>>, T>, SharedError> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.id).collect();
        let mut scope = self.0.reader().await?;
        let records = by_ids::<T>(&mut scope, &ids).await?;
        Ok(records.into_iter().map(|record| (ById { id: record.id(), kind: Of::KIND }, record)).collect())
    }
}

/// The root field of one record: null with NOT_FOUND if there is none with this id.
pub async fn root_one<T: Listing>(ctx: &Context<'_>, id: &ID) -> Option<async_graphql::Result<T>> {
    let found = async {
        let id = ids::argument("id", T::KIND, id)?;
        Ok(one::<T>(&mut *ctx.operation()?.reader().await?, id).await?)
    };
    Some(found.await)
}

/// The root field of a list. A failure nulls the field alone.
pub async fn root<T: Listing>(
    ctx: &Context<'_>,
    condition: Result<T::Condition>,
    order: Option<T::OrderBy>,
    arguments: PageArguments,
) -> Option<async_graphql::Result<Connection<T>>> {
    let found = async {
        let (condition, order) = (condition?, order.unwrap_or_default());
        let window = arguments.window::<T>(ctx, &order.order()).await?;
        let rows = page::<T>(&mut *ctx.operation()?.reader().await?, &condition, order, &window).await?;
        let count = counter(move |operation| {
            let condition = condition.clone();
            async move { count::<T>(&mut *operation.reader().await?, &condition).await }
        });
        Ok(Connection::new(rows, &order.order(), |record| order.key(record), count))
    };
    Some(found.await)
}

/// FORBIDDEN where the viewer reads these records by emergency access alone, and the parent is not of its patient. Records
/// that are clinical themselves were not shown else.
fn in_emergency<T: Listing>(ctx: &Context<'_>, (column, id): (&'static str, Uuid)) -> Result<()> {
    match ledger::kind_named_by(column) {
        Some(parent) if policy::in_emergency(parent) => Ok(()),
        Some(RecordKind::Patient) => ctx.operation()?.in_emergency_of(T::KIND, Some(id)),
        _ => ctx.operation()?.in_emergency_of(T::KIND, None),
    }
}

/// A page of the records whose `column` names a parent, batched with the parent's siblings.
pub async fn under<T: Listing>(
    ctx: &Context<'_>,
    (column, id): (&'static str, Uuid),
    condition: Result<T::Condition>,
    order: Option<T::OrderBy>,
    arguments: PageArguments,
) -> async_graphql::Result<Connection<T>> {
    in_emergency::<T>(ctx, (column, id))?;
    let (condition, order) = (condition?, order.unwrap_or_default());
    let window = arguments.window::<T>(ctx, &order.order()).await?;
    let list = List { column, condition: condition.clone(), order, window: window.clone() };
    let rows = ctx.batches()?.load_one(Under { id, list, kind: Of::<T>::KIND }).await?.unwrap_or_default();
    let count = batch_counter(ctx, CountUnder { id, column, condition, kind: Of::<T>::KIND })?;
    Ok(Connection::new(window.page(rows), &order.order(), |record| order.key(record), count))
}

/// All records whose `column` names a parent, newest first, batched with the parent's siblings: for short lists and
/// for rules that need the whole.
pub async fn whole<T: Listing>(ctx: &Context<'_>, (column, id): (&'static str, Uuid)) -> async_graphql::Result<Vec<T>> {
    in_emergency::<T>(ctx, (column, id))?;
    let records = ctx.batches()?.load_one(AllUnder { id, column, kind: Of::<T>::KIND }).await?.unwrap_or_default();
    ctx.operation()?.lead_to(records.len())?;
    Ok(records)
}

/// The record with an id, batched with its siblings. Its failure nulls this field only.
pub async fn linked<T: Listing>(ctx: &Context<'_>, id: Option<Uuid>) -> Option<async_graphql::Result<T>> {
    let id = id?;
    let found = async {
        let found = ctx.batches()?.load_one(ById { id, kind: Of::<T>::KIND }).await?;
        if found.is_none() {
            // Somebody else's, for who reads by emergency access alone: it is not as if there were none.
            ctx.operation()?.in_emergency_of(T::KIND, None)?;
        }
        Ok(found)
    };
    found.await.transpose()
}

/// The records with these ids, in their order, batched with their siblings; without those that are not there.
pub async fn linked_many<T: Listing>(
    ctx: &Context<'_>,
    ids: impl Iterator<Item = Uuid>,
) -> async_graphql::Result<Vec<T>> {
    let keys: Vec<_> = ids.map(|id| ById { id, kind: Of::<T>::KIND }).collect();
    ctx.operation()?.lead_to(keys.len())?;
    let mut found = ctx.batches()?.load_many(keys.iter().copied()).await?;
    if found.len() < keys.len() {
        ctx.operation()?.in_emergency_of(T::KIND, None)?;
    }
    Ok(keys.iter().filter_map(|key| found.remove(key)).collect())
}

/// The record that another must have.
pub async fn required<T: Listing>(ctx: &Context<'_>, id: Uuid) -> async_graphql::Result<T> {
    let found = linked::<T>(ctx, Some(id)).await;
    found.unwrap_or_else(|| Err(Error::Internal(format!("a record without its {}", T::KIND.words())).into()))
}
