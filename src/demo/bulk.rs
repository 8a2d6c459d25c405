//! Writes the patients of a large demo at once, into a record that is empty: one transaction, as the owner of the tables.
//! Foreign keys and indexes are taken away before and made again after, and rows are copied straight into the tables, with
//! their signatures. What was taken away is read from the catalogue, and compared with what is there in the end.
//!
//! If anything fails, or the program is cut off, Postgres rolls all of it back: nobody ever sees tables without policies,
//! references or indexes. The tables are locked until the end: a service beside it refuses requests until then.

use super::chart::World;
use super::copy::Rows;
use super::progress::{Progress, then};
use super::seal::SealedEntries;
use super::tables::{ChartRows, Table};
use super::write::{self, Chunk, LEDGER, Pictures, begin, copy_in, plain};
use crate::db::Address;
use crate::objects::Objects;
use futures::StreamExt;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio_postgres::Transaction;
use tokio_postgres::error::SqlState;

/// So many patients are written at once. For fewer, taking the indexes away costs more than it saves.
pub(super) const LEAST: u32 = 1_000;
/// Chunks that are under way beside the one that is copied.
const AHEAD: usize = 3;
/// How many differences are told.
const TOLD: usize = 5;

/// Who holds one of the tables may go on for so long. Names are written in full, so no name is looked for elsewhere.
const SETTINGS: &str = "SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = 0; \
                        SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL maintenance_work_mem = '256MB'; \
                        SET LOCAL search_path = pg_catalog, pg_temp";

/// The tables that the filled ones refer to.
const REFERRED: &str = "SELECT DISTINCT c.confrelid::regclass::text FROM pg_constraint c \
                        WHERE c.contype = 'f' AND c.conparentid = 0 AND c.conrelid = ANY ($1::text[]::regclass[])";

/// Row-level security that is forced: under it the owner sees one organisation, and can't check a reference.
const FORCED: &str = "SELECT format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', c.oid::regclass), \
                      format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', c.oid::regclass) FROM pg_class c \
                      WHERE c.oid = ANY ($1::text[]::regclass[]) AND c.relforcerowsecurity ORDER BY 1";

const REFERENCES: &str = "SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', c.conrelid::regclass, c.conname), \
                          format('ALTER TABLE %s ADD CONSTRAINT %I %s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid)) \
                          FROM pg_constraint c WHERE c.contype = 'f' AND c.conparentid = 0 \
                          AND c.conrelid = ANY ($1::text[]::regclass[]) ORDER BY 1";

/// Indexes that hold nothing up: neither unique nor of a constraint. That of a partitioned table goes with those of its
/// partitions, and is made again for all of them.
const INDEXES: &str = "SELECT format('DROP INDEX %s', i.indexrelid::regclass), \
                       replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ') FROM pg_index i \
                       WHERE i.indrelid = ANY ($1::text[]::regclass[]) AND NOT i.indisunique AND NOT EXISTS ( \
                           SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x')) ORDER BY 1";

/// Everything that could be made otherwise than it was: indexes, constraints, policies and whether they are forced.
const STATE: &str = "
SELECT format('index %s, valid: %s: %s', c.oid::regclass, i.indisvalid, pg_get_indexdef(c.oid)) FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = 'public'::regnamespace
UNION ALL SELECT format('constraint %s of %s, valid: %s: %s', o.conname, o.conrelid::regclass, o.convalidated, pg_get_constraintdef(o.oid))
    FROM pg_constraint o WHERE o.connamespace = 'public'::regnamespace
UNION ALL SELECT format('policy %s on %s: %s', p.polname, p.polrelid::regclass, pg_get_expr(p.polqual, p.polrelid)) FROM pg_policy p
UNION ALL SELECT format('table %s, secured: %s, forced: %s', c.oid::regclass, c.relrowsecurity, c.relforcerowsecurity)
    FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')";

/// What was taken away, and the state of before.
struct Cleared {
    /// Statements that make it again, in their order.
    put_back: Vec<String>,
    state: BTreeSet<String>,
}

/// Writes so many patients, if no organisation has any; whether it did.
pub(super) async fn write(
    owner: &Address,
    objects: &Objects,
    world: &Arc<World>,
    patients: u32,
) -> Result<bool, String> {
    let mut client = crate::db::connect(owner).await?;
    let transaction = begin(&mut client, world).await?;
    let Some(cleared) = clear(&transaction).await? else {
        transaction.rollback().await.map_err(plain)?;
        return Ok(false);
    };
    let progress = Progress::start(0, patients);
    fill(&transaction, objects, world, patients, &progress).await?;
    progress.finish();
    then("making indexes and checking references");
    put_back(&transaction, &cleared).await?;
    transaction.commit().await.map_err(plain)?;
    then("gathering statistics for the planner");
    Ok(true)
}

/// Takes the tables for this transaction, and away what slows rows down; none if an organisation has a patient.
async fn clear(transaction: &Transaction<'_>) -> Result<Option<Cleared>, String> {
    transaction.batch_execute(SETTINGS).await.map_err(plain)?;
    let filled: Vec<String> =
        ChartRows::default().by_table().iter().map(|(table, _)| *table).chain([&LEDGER]).map(named).collect();
    let referred = transaction.query(REFERRED, &[&filled]).await.map_err(plain)?;
    let held: BTreeSet<String> = referred.iter().map(|row| row.get(0)).chain(filled.iter().cloned()).collect();
    let held: Vec<String> = held.into_iter().collect();
    // All at once, before the work: later a program that waits for one of them could hold another.
    let lock = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", held.join(", "));
    transaction.batch_execute(&lock).await.map_err(in_use)?;
    let state = state(transaction).await?;
    let forced = statements(transaction, FORCED, &held).await?;
    run(transaction, forced.iter().map(|(take, _)| take)).await?;
    // Looked for only now: until here the owner saw one organisation.
    let there = transaction.query_one("SELECT EXISTS (SELECT FROM public.patient)", &[]).await.map_err(plain)?;
    if there.get(0) {
        return Ok(None);
    }
    let references = statements(transaction, REFERENCES, &filled).await?;
    let indexes = statements(transaction, INDEXES, &filled).await?;
    run(transaction, references.iter().chain(&indexes).map(|(take, _)| take)).await?;
    let put_back = indexes.into_iter().chain(references).chain(forced).map(|(_, put)| put).collect();
    Ok(Some(Cleared { put_back, state }))
}

/// Makes again what was taken away, and fails if anything is otherwise than it was.
async fn put_back(transaction: &Transaction<'_>, cleared: &Cleared) -> Result<(), String> {
    run(transaction, cleared.put_back.iter()).await?;
    let now = state(transaction).await?;
    let differences: Vec<&str> = now.symmetric_difference(&cleared.state).take(TOLD).map(String::as_str).collect();
    if differences.is_empty() {
        return Ok(());
    }
    Err(format!(
        "the demo clinic was not written: indexes or references could not be made again as they were, so all is left as it \
         was; ask for fewer than {LEAST} patients at a time. {}",
        differences.join("; ")
    ))
}

/// Copies the charts, chunk after chunk; the next ones are made up meanwhile.
async fn fill(
    transaction: &Transaction<'_>,
    objects: &Objects,
    world: &Arc<World>,
    patients: u32,
    progress: &Progress,
) -> Result<(), String> {
    let chunks = write::reserve(transaction, world, 0..patients).await?;
    let mut made = futures::stream::iter(chunks.into_iter().map(|chunk| {
        let world = Arc::clone(world);
        tokio::task::spawn_blocking(move || make(&world, &chunk))
    }))
    .buffered(AHEAD);
    let mut head = write::head(transaction, world).await?;
    while let Some(chunk) = made.next().await {
        let Made { tables, entries, pictures, after } =
            chunk.map_err(|error| format!("the demo patients can't be made up: {error}"))??;
        write::keep(objects, world.org, pictures).await?;
        for (table, rows) in tables {
            copy(transaction, table, rows).await?;
        }
        let (rows, next) = entries.chain(head);
        head = next;
        copy(transaction, &LEDGER, rows).await?;
        progress.reach(after);
    }
    write::move_head(transaction, world, &head).await
}

/// A chunk as it is copied.
struct Made {
    tables: Vec<(&'static Table, Rows)>,
    entries: SealedEntries,
    pictures: Pictures,
    after: u32,
}

fn make(world: &World, chunk: &Chunk) -> Result<Made, String> {
    let (rows, entries, pictures) = write::make(world, chunk)?;
    // Sorted, so that the rows of a patient share pages.
    let tables = rows.by_table().into_iter().map(|(table, rows)| (table, rows.in_order())).collect();
    Ok(Made { tables, entries, pictures, after: chunk.after })
}

async fn copy(transaction: &Transaction<'_>, table: &Table, rows: Rows) -> Result<(), String> {
    if rows.is_empty() {
        return Ok(());
    }
    let copy = format!("COPY {} ({}) FROM STDIN", named(table), table.columns);
    copy_in(transaction, &copy, rows).await
}

/// The name of a table, in full.
fn named(table: &Table) -> String {
    format!("public.{}", table.name)
}

/// Pairs of statements, of which the second makes again what the first takes away.
async fn statements(
    transaction: &Transaction<'_>,
    ask: &str,
    tables: &[String],
) -> Result<Vec<(String, String)>, String> {
    let rows = transaction.query(ask, &[&tables]).await.map_err(plain)?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

async fn run(transaction: &Transaction<'_>, statements: impl Iterator<Item = &String>) -> Result<(), String> {
    for statement in statements {
        transaction.batch_execute(statement).await.map_err(plain)?;
    }
    Ok(())
}

async fn state(transaction: &Transaction<'_>) -> Result<BTreeSet<String>, String> {
    let rows = transaction.query(STATE, &[]).await.map_err(plain)?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

fn in_use(error: tokio_postgres::Error) -> String {
    if error.code() != Some(&SqlState::LOCK_NOT_AVAILABLE) {
        return plain(error);
    }
    format!(
        "the demo clinic can't be written: another program uses the tables, such as a service or a backup: end it, or ask \
         for fewer than {LEAST} patients at a time"
    )
}
