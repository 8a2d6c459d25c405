//! Writes charts into the database, many in one transaction, as the owner of the tables and under their row policies.
//!
//! COPY into a table with row policies is refused, so rows are copied into temporary tables and inserted from there. The
//! application role can make none.
//! Several lanes work at once; each chunk of patients commits after the one before it, so that after a sudden end the
//! patients that are there are the first ones.

use super::chart::World;
use super::copy::Rows;
use super::dice::Dice;
use super::seal::{self, SealedEntries};
use super::tables::{self, ChartRows, Table};
use super::{course, progress::Progress};
use crate::db::Address;
use crate::objects::{Objects, Reading};
use crate::photo::object_name;
use crate::photo::picture::Picture;
use futures::SinkExt;
use std::io::Cursor;
use std::sync::Arc;
use tokio::sync::{Mutex, watch};
use tokio_postgres::{Client, Transaction};
use uuid::Uuid;

/// Patients in one transaction: some 25 MB of rows.
const CHUNK: u32 = 500;
/// Chunks under way at a time: while one is chained into the ledger, the next ones are made up and inserted.
const LANES: usize = 3;

pub(super) const LEDGER: Table = Table { name: "ledger", columns: seal::COLUMNS };

/// Some patients, one after the other.
pub(super) struct Chunk {
    first: u32,
    pub(super) after: u32,
    /// Their chart numbers.
    numbers: Vec<i64>,
}

struct Fill {
    world: Arc<World>,
    objects: Objects,
    /// The patients that no lane has taken yet.
    left: Mutex<std::ops::Range<u32>>,
    /// The first patient that is not committed.
    turn: watch::Sender<u32>,
    progress: Progress,
}

/// A driver's error as one line.
pub(super) fn plain(error: tokio_postgres::Error) -> String {
    let message = error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
    format!("the demo clinic can't be written: {message}")
}

/// Opens a transaction in the demo organisation.
pub(super) async fn begin<'c>(client: &'c mut Client, world: &World) -> Result<Transaction<'c>, String> {
    let transaction = client.transaction().await.map_err(plain)?;
    // Durable within the second: a chunk that a power cut takes is made again.
    // Long values are compressed with lz4 where the server has it, at a fifth of pglz' cost.
    let tenant = format!(
        "SET LOCAL app.org_id = '{}'; SET LOCAL synchronous_commit = off; \
         SELECT set_config(name, 'lz4', true) FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)",
        world.org
    );
    transaction.batch_execute(&tenant).await.map_err(plain)?;
    Ok(transaction)
}

/// Makes up the patients of a range and writes them.
pub(super) async fn write(
    owner: &Address,
    objects: &Objects,
    world: Arc<World>,
    patients: std::ops::Range<u32>,
) -> Result<(), String> {
    let fill = Fill {
        objects: objects.clone(),
        progress: Progress::start(patients.start, patients.end),
        turn: watch::Sender::new(patients.start),
        left: Mutex::new(patients),
        world,
    };
    futures::future::try_join_all((0..LANES).map(|_| fill.lane(owner))).await?;
    fill.progress.finish();
    Ok(())
}

impl Fill {
    async fn lane(&self, owner: &Address) -> Result<(), String> {
        // Memory for a chunk's staged rows and their order; given at the start, as no session-level SET is used.
        let mut roomy = owner.clone();
        let options = owner.config().get_options().unwrap_or_default();
        roomy.config_mut().options(format!("{options} -c temp_buffers=64MB -c work_mem=32MB"));
        let mut client = crate::db::connect(&roomy).await?;
        let staged = ChartRows::default().by_table().map(|(table, _)| table);
        for Table { name, columns } in staged.into_iter().chain([&LEDGER]) {
            let stage = format!(
                "CREATE TEMPORARY TABLE stage_{name} ON COMMIT DELETE ROWS AS SELECT {columns} FROM {name} WITH NO DATA"
            );
            client.batch_execute(&stage).await.map_err(plain)?;
        }
        // Signing finds each staged session by it: without, an empty database is planned as if there were one.
        let by_id = "CREATE UNIQUE INDEX ON stage_treatment_session (org_id, id)";
        client.batch_execute(by_id).await.map_err(plain)?;
        while let Some(chunk) = self.next(&mut client).await? {
            let (first, after) = (chunk.first, chunk.after);
            let world = Arc::clone(&self.world);
            let made = tokio::task::spawn_blocking(move || make(&world, &chunk)).await;
            let (rows, entries, pictures) =
                made.map_err(|error| format!("the demo patients can't be made up: {error}"))??;
            keep(&self.objects, self.world.org, pictures).await?;
            let transaction = begin(&mut client, &self.world).await?;
            insert_records(&transaction, rows).await?;
            let mut turn = self.turn.subscribe();
            let _ = turn.wait_for(|next| *next == first).await;
            append_entries(&transaction, &self.world, &entries).await?;
            transaction.commit().await.map_err(plain)?;
            self.turn.send_replace(after);
            self.progress.reach(after);
        }
        Ok(())
    }

    /// Takes the next chunk, with its chart numbers.
    async fn next(&self, client: &mut Client) -> Result<Option<Chunk>, String> {
        let mut left = self.left.lock().await;
        if left.is_empty() {
            return Ok(None);
        }
        let (first, after) = (left.start, left.end.min(left.start.saturating_add(CHUNK)));
        let transaction = begin(client, &self.world).await?;
        let chunk = reserve(&transaction, &self.world, first..after).await?.pop();
        transaction.commit().await.map_err(plain)?;
        left.start = after;
        Ok(chunk)
    }
}

/// Keeps photos' bytes. Those of a fill that is cut off are written over by the next one.
pub(super) async fn keep(objects: &Objects, org: Uuid, pictures: Pictures) -> Result<(), String> {
    for (photo, picture) in pictures {
        for (reading, bytes) in [(Reading::Original, picture.bytes), (Reading::Thumbnail, picture.thumbnail)] {
            let kept = async {
                let brought = objects.bring(&photo.to_string(), bytes.into()).await?;
                brought.keep(&object_name(org, photo, reading)).await
            };
            kept.await.map_err(|error| error.operator_message())?;
        }
    }
    Ok(())
}

/// Reserves the chart numbers of some patients, who come in chunks.
pub(super) async fn reserve(
    transaction: &Transaction<'_>,
    world: &World,
    patients: std::ops::Range<u32>,
) -> Result<Vec<Chunk>, String> {
    let far: i64 = patients.clone().map(|index| chart_number_step(world.seed, index)).sum();
    let reserve = format!(
        "INSERT INTO public.chart_counter AS c (org_id, next_number) VALUES ('{}', {far}) ON CONFLICT (org_id) DO UPDATE \
         SET next_number = c.next_number + {far} RETURNING next_number - {far} - 1",
        world.org
    );
    let mut number: i64 = transaction.query_one(&reserve, &[]).await.map_err(plain)?.get(0);
    let (mut chunks, mut first) = (Vec::new(), patients.start);
    while first < patients.end {
        let after = patients.end.min(first.saturating_add(CHUNK));
        let numbers = (first..after).map(|index| {
            number += chart_number_step(world.seed, index);
            number
        });
        chunks.push(Chunk { first, after, numbers: numbers.collect() });
        first = after;
    }
    Ok(chunks)
}

/// How far a patient's chart number is from the one before: as `patient::store` has it, but always the same.
fn chart_number_step(seed: u64, patient: u32) -> i64 {
    let mut dice = Dice::new(seed ^ 0x6368_6172_7473, u64::from(patient));
    let mut step = 2;
    while dice.below(5) > 0 {
        step += 1;
    }
    step
}

/// The bytes of photos, by the photos' ids.
pub(super) type Pictures = Vec<(Uuid, Picture)>;

/// The charts of a chunk, as rows and as ledger entries in the order of their time.
pub(super) fn make(world: &World, chunk: &Chunk) -> Result<(ChartRows, SealedEntries, Pictures), String> {
    let (mut rows, mut pictures) = (ChartRows::default(), Vec::new());
    let mut all = Vec::new();
    for (index, number) in (chunk.first..chunk.after).zip(&chunk.numbers) {
        let chart = course::chart(world, index, format!("P-{number:06}")).map_err(|error| error.operator_message())?;
        rows.add(world.org, &chart).map_err(|error| error.operator_message())?;
        all.extend(chart.entries);
        pictures.extend(chart.photos.into_iter().map(|(photo, picture)| (photo.id, picture)));
    }
    // Stable: two entries of the same moment keep their order.
    all.sort_by_key(|entry| entry.at);
    let mut entries = SealedEntries::default();
    for entry in all {
        entries.add(world.org, entry).map_err(|error| error.operator_message())?;
    }
    Ok((rows, entries, pictures))
}

async fn stage(transaction: &Transaction<'_>, table: &Table, rows: Rows) -> Result<(), String> {
    copy_in(transaction, &format!("COPY stage_{} FROM STDIN", table.name), rows).await
}

/// Copies rows in.
pub(super) async fn copy_in(transaction: &Transaction<'_>, copy: &str, rows: Rows) -> Result<(), String> {
    let sink = transaction.copy_in::<_, Cursor<String>>(copy).await.map_err(plain)?;
    futures::pin_mut!(sink);
    sink.send(Cursor::new(rows.into_text())).await.map_err(plain)?;
    sink.finish().await.map_err(plain)?;
    Ok(())
}

async fn insert(transaction: &Transaction<'_>, table: &Table, rows: Rows) -> Result<(), String> {
    if rows.is_empty() {
        return Ok(());
    }
    stage(transaction, table, rows).await?;
    let Table { name, columns } = table;
    // In the order of the keys, whose neighbours share a page then.
    let insert = format!("INSERT INTO {name} ({columns}) SELECT {columns} FROM stage_{name} ORDER BY 1, 2");
    transaction.batch_execute(&insert).await.map_err(plain)
}

async fn insert_records(transaction: &Transaction<'_>, rows: ChartRows) -> Result<(), String> {
    insert(transaction, &tables::PATIENT, rows.patients).await?;
    insert(transaction, &tables::PATIENT_SEARCH, rows.search).await?;
    insert(transaction, &tables::HEALTH_ENTRY, rows.health).await?;
    insert(transaction, &tables::HEALTH_REVIEW, rows.reviews).await?;
    insert(transaction, &tables::CONSULTATION, rows.consultations).await?;
    insert(transaction, &tables::TREATMENT_PLAN, rows.plans).await?;
    insert_sessions(transaction, rows.sessions).await?;
    insert(transaction, &tables::SESSION_AREA, rows.areas).await?;
    insert(transaction, &tables::PRODUCT_USE, rows.products).await?;
    insert(transaction, &tables::SESSION_CHECK, rows.checks).await?;
    sign_sessions(transaction).await?;
    insert(transaction, &tables::AFTERCARE_NOTE, rows.notes).await?;
    insert(transaction, &tables::ADDENDUM, rows.addenda).await?;
    insert(transaction, &tables::CONSENT, rows.consents).await?;
    insert(transaction, &tables::ADVERSE_EVENT, rows.events).await?;
    insert(transaction, &tables::PHOTO, rows.photos).await?;
    insert(transaction, &tables::OUTCOME_ASSESSMENT, rows.outcomes).await?;
    insert(transaction, &tables::RECALL, rows.recalls).await
}

/// Inserts sessions as drafts: the row policies take areas, products and checks of drafts only.
async fn insert_sessions(transaction: &Transaction<'_>, rows: Rows) -> Result<(), String> {
    let table = &tables::TREATMENT_SESSION;
    if rows.is_empty() {
        return Ok(());
    }
    stage(transaction, table, rows).await?;
    let columns = table.columns;
    let drafted = columns.replace("signed_at, signed_by, signature_meaning, content_hash", "NULL, NULL, NULL, NULL");
    let insert = format!(
        "INSERT INTO treatment_session ({columns}) SELECT {drafted} FROM stage_treatment_session ORDER BY 1, 2"
    );
    transaction.batch_execute(&insert).await.map_err(plain)
}

/// Signs the staged sessions that have a signature.
async fn sign_sessions(transaction: &Transaction<'_>) -> Result<(), String> {
    // By index, however large the planner thinks the staged rows are.
    let sign = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; \
                UPDATE treatment_session AS t SET signed_at = s.signed_at, signed_by = s.signed_by, \
                    signature_meaning = s.signature_meaning, content_hash = s.content_hash \
                FROM stage_treatment_session AS s \
                WHERE t.org_id = s.org_id AND t.id = s.id AND s.signed_at IS NOT NULL";
    transaction.batch_execute(sign).await.map_err(plain)
}

/// Chains the entries to the organisation's head, which stays locked until the end of the transaction.
async fn append_entries(transaction: &Transaction<'_>, world: &World, entries: &SealedEntries) -> Result<(), String> {
    let (rows, next) = entries.chain(head(transaction, world).await?);
    stage(transaction, &LEDGER, rows).await?;
    let insert = format!("INSERT INTO ledger ({0}) SELECT {0} FROM stage_ledger", LEDGER.columns);
    transaction.batch_execute(&insert).await.map_err(plain)?;
    move_head(transaction, world, &next).await
}

/// The head of the organisation's ledger, locked until the end of the transaction.
pub(super) async fn head(transaction: &Transaction<'_>, world: &World) -> Result<(i64, Vec<u8>), String> {
    let head = format!("SELECT seq, hash FROM public.ledger_head WHERE org_id = '{}' FOR UPDATE", world.org);
    let head = transaction.query_one(&head, &[]).await.map_err(plain)?;
    Ok((head.get(0), head.get(1)))
}

/// Moves the head on to the newest entry.
pub(super) async fn move_head(
    transaction: &Transaction<'_>,
    world: &World,
    (seq, hash): &(i64, Vec<u8>),
) -> Result<(), String> {
    let moved = format!("UPDATE public.ledger_head SET seq = $1, hash = $2 WHERE org_id = '{}'", world.org);
    transaction.execute(&moved, &[seq, hash]).await.map_err(plain)?;
    Ok(())
}
