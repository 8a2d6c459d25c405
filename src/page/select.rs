//! Lists of records of one table: a page of all, a page under each of many parents, counts, and look-ups by id, each in
//! one statement. A module declares its table (`stored!`) and how it is filtered and sorted (`listing!`); the rest is
//! here.

use super::{Columns, Condition, ListOrder, Page, RowOf, Stored, Window, text_of};
use crate::access::Scope;
use crate::db::Sql;
use crate::error::Result;
use crate::ledger::{self, Record};
use diesel::sql_types as st;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

/// Records of one table, in lists.
pub trait Listing: Stored {
    /// The filter.
    type Condition: Condition;
    /// The order.
    type OrderBy: ListOrder<Self>;
    /// The value of a column that names another record.
    fn parent(&self, column: &str) -> Option<Uuid>;
}

/// Makes a stored record a `Listing`: its filter and order, and the columns that name its parents.
macro_rules! listing {
    ($record:ty, $condition:ty, $order:ty, { $($column:literal => $parent:expr),* $(,)? }) => {
        impl crate::page::Listing for $record {
            type Condition = $condition;
            type OrderBy = $order;
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

/// The identity of a list. Siblings with the same one, under other parents, share a statement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct List<C, O> {
    pub(super) column: &'static str,
    pub(super) condition: C,
    pub(super) order: O,
    pub(super) window: Window,
    pub(super) columns: Columns,
}

/// `SELECT … FROM … WHERE org_id = …`.
fn select<T: Stored>(org: Uuid, columns: Columns) -> Sql<st::Untyped> {
    let columns = text_of::<T>(columns);
    Sql::new(format!("SELECT {columns} FROM {} WHERE org_id = ", T::TABLE)).bind(org)
}

/// Runs a statement whose rows are records.
pub async fn load<T: Stored>(sql: Sql<st::Untyped>, connection: &mut AsyncPgConnection) -> Result<Vec<T>> {
    let rows: Vec<RowOf<T>> = sql.load(connection).await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

fn shown<T: Stored>(scope: &mut Scope, records: Vec<T>) -> Vec<T> {
    scope.show(records.iter().flat_map(Record::tells_of));
    records
}

/// A page of a table.
pub async fn page<T: Listing>(
    scope: &mut Scope,
    condition: &T::Condition,
    order: T::OrderBy,
    window: &Window,
    columns: Columns,
) -> Result<Page<T>> {
    let door = scope.read_list(T::KIND, condition.patient())?;
    let mut sql = select::<T>(door.org, columns);
    condition.push_to(&mut sql);
    window.push_to(&mut sql, &order.order());
    let rows = load(sql, door.connection).await?;
    // One row more was fetched than is shown.
    let page = window.page(rows);
    scope.show(page.rows.iter().flat_map(Record::tells_of));
    Ok(page)
}

/// All records that a condition matches, for lists that are short by nature; at most a thousand.
pub async fn all<T: Listing>(scope: &mut Scope, condition: &T::Condition, order: T::OrderBy) -> Result<Vec<T>> {
    let window = Window { limit: 999, backward: false, from: None };
    let door = scope.read(T::KIND)?;
    let mut sql = select::<T>(door.org, Columns::all());
    condition.push_to(&mut sql);
    window.push_to(&mut sql, &order.order());
    let rows = load(sql, door.connection).await?;
    Ok(shown(scope, rows))
}

/// The number of records that a condition matches.
pub async fn count<T: Listing>(scope: &mut Scope, condition: &T::Condition) -> Result<i64> {
    let door = scope.read_list(T::KIND, condition.patient())?;
    // A record has few records of its own, so their patients are looked up with them.
    let whose = condition.record().map_or("'{}'::uuid[]", |_| "coalesce(array_agg(DISTINCT patient_id), '{}')");
    let mut sql = Sql::<(st::BigInt, st::Array<st::Uuid>)>::new(format!("SELECT count(*), {whose} FROM {}", T::TABLE));
    sql.push(" WHERE org_id = ").push_bind(door.org);
    condition.push_to(&mut sql);
    let (count, whose): (i64, Vec<Uuid>) = sql.get_result(door.connection).await?;
    scope.counted(T::KIND, whose.into_iter().chain(condition.patient()), count);
    Ok(count)
}

/// Records by id.
pub async fn by_ids<T: Stored>(scope: &mut Scope, ids: &[Uuid]) -> Result<Vec<T>> {
    columns_by_ids(scope, ids, Columns::all()).await
}

/// Records by id, with some of their columns.
pub(super) async fn columns_by_ids<T: Stored>(scope: &mut Scope, ids: &[Uuid], columns: Columns) -> Result<Vec<T>> {
    let door = scope.read(T::KIND)?;
    let mut sql = select::<T>(door.org, columns);
    sql.push(" AND id = ANY (").push_bind(ids.to_vec()).push(")");
    let rows = load(sql, door.connection).await?;
    Ok(shown(scope, rows))
}

/// One record; NOT_FOUND, or REASON_REQUIRED if its patient is restricted.
pub async fn one<T: Stored>(scope: &mut Scope, id: Uuid) -> Result<T> {
    columns_of_one(scope, id, Columns::all()).await
}

/// One record, with some of its columns.
pub async fn columns_of_one<T: Stored>(scope: &mut Scope, id: Uuid, columns: Columns) -> Result<T> {
    let found = columns_by_ids(scope, &[id], columns).await?.into_iter().next();
    match found {
        Some(found) => Ok(found),
        None => Err(ledger::absent(scope, T::KIND, id).await),
    }
}

/// All records under these parents, oldest last, in one statement: for rules that need the whole of a list.
pub async fn all_under<T: Listing>(scope: &mut Scope, column: &'static str, parents: &[Uuid]) -> Result<Vec<T>> {
    columns_of_all_under(scope, column, parents, Columns::all()).await
}

/// The same, with some of their columns.
pub(super) async fn columns_of_all_under<T: Listing>(
    scope: &mut Scope,
    column: &'static str,
    parents: &[Uuid],
    columns: Columns,
) -> Result<Vec<T>> {
    let door = scope.read(T::KIND)?;
    let mut sql = select::<T>(door.org, columns);
    sql.push(format!(" AND {column} = ANY (")).push_bind(parents.to_vec());
    sql.push(") ORDER BY created_at DESC, id DESC");
    let rows = load(sql, door.connection).await?;
    Ok(shown(scope, rows))
}

/// The same window under each parent, in one statement; one more row than wanted for each.
pub(super) async fn under_each<T: Listing>(
    scope: &mut Scope,
    list: &List<T::Condition, T::OrderBy>,
    parents: &[Uuid],
) -> Result<Vec<T>> {
    let door = scope.read(T::KIND)?;
    let table = T::TABLE;
    let mut sql = Sql::new(format!("SELECT {} FROM unnest(", text_of::<T>(list.columns)));
    sql.push_bind(parents.to_vec())
        .push(format!("::uuid[]) AS p (id) CROSS JOIN LATERAL (SELECT * FROM {table} WHERE org_id = "))
        .push_bind(door.org)
        .push(format!(" AND {} = p.id", list.column));
    list.condition.push_to(&mut sql);
    list.window.push_to(&mut sql, &list.order.order());
    sql.push(format!(") AS {table}"));
    let rows = load(sql, door.connection).await?;
    Ok(shown(scope, rows))
}

pub(super) async fn counts_under_each<T: Listing>(
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
