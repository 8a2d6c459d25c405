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

const LEDGER: Table = Table { name: "ledger", columns: seal::COLUMNS };
const STAGED: [&Table; 17] = [
    &tables::PATIENT,
    &tables::PATIENT_SEARCH,
    &tables::HEALTH_ENTRY,
    &tables::CONSULTATION,
    &tables::TREATMENT_SESSION,
    &tables::SESSION_AREA,
    &tables::PRODUCT_USE,
    &tables::SESSION_CHECK,
    &tables::AFTERCARE_NOTE,
    &tables::ADDENDUM,
    &tables::TREATMENT_PLAN,
    &tables::CONSENT,
    &tables::PHOTO,
    &tables::OUTCOME_ASSESSMENT,
    &tables::ADVERSE_EVENT,
    &tables::RECALL,
    &LEDGER,
];

/// Some patients, one after the other.
struct Chunk {
    first: u32,
    after: u32,
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
    // Long values, such as a session's checks, are compressed with lz4 where the server has it, at a fifth of pglz' cost.
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
    world: World,
    patients: std::ops::Range<u32>,
) -> Result<(), String> {
    let fill = Fill {
        objects: objects.clone(),
        progress: Progress::start(patients.start, patients.end),
        turn: watch::Sender::new(patients.start),
        left: Mutex::new(patients),
        world: Arc::new(world),
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
        for table in STAGED {
            let Table { name, columns } = table;
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
            for (photo, picture) in pictures {
                self.keep(photo, picture).await.map_err(|error| error.operator_message())?;
            }
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

    /// Keeps a photo's bytes. Those of a chunk that is cut off are written over by the next fill.
    async fn keep(&self, photo: Uuid, picture: Picture) -> crate::error::Result<()> {
        for (reading, bytes) in [(Reading::Original, picture.bytes), (Reading::Thumbnail, picture.thumbnail)] {
            let brought = self.objects.bring(&photo.to_string(), bytes.into()).await?;
            brought.keep(&object_name(self.world.org, photo, reading)).await?;
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
        let steps: Vec<i64> = (first..after).map(|index| chart_number_step(self.world.seed, index)).collect();
        let far: i64 = steps.iter().sum();
        let transaction = begin(client, &self.world).await?;
        let reserve = format!(
            "INSERT INTO chart_counter AS c (org_id, next_number) VALUES ('{}', {far}) ON CONFLICT (org_id) DO UPDATE \
             SET next_number = c.next_number + {far} RETURNING next_number - {far} - 1",
            self.world.org
        );
        let mut number: i64 = transaction.query_one(&reserve, &[]).await.map_err(plain)?.get(0);
        transaction.commit().await.map_err(plain)?;
        left.start = after;
        let numbers = steps.into_iter().map(|step| {
            number += step;
            number
        });
        Ok(Some(Chunk { first, after, numbers: numbers.collect() }))
    }
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
type Pictures = Vec<(Uuid, Picture)>;

/// The charts of a chunk, as rows and as ledger entries in the order of their time.
fn make(world: &World, chunk: &Chunk) -> Result<(ChartRows, SealedEntries, Pictures), String> {
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
    let copy = format!("COPY stage_{} FROM STDIN", table.name);
    let sink = transaction.copy_in::<_, Cursor<String>>(&copy).await.map_err(plain)?;
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
    let head = format!("SELECT seq, hash FROM ledger_head WHERE org_id = '{}' FOR UPDATE", world.org);
    let head = transaction.query_one(&head, &[]).await.map_err(plain)?;
    let (rows, (seq, hash)) = entries.chain((head.get(0), head.get(1)));
    stage(transaction, &LEDGER, rows).await?;
    let insert = format!("INSERT INTO ledger ({0}) SELECT {0} FROM stage_ledger", LEDGER.columns);
    transaction.batch_execute(&insert).await.map_err(plain)?;
    let moved = format!("UPDATE ledger_head SET seq = $1, hash = $2 WHERE org_id = '{}'", world.org);
    transaction.execute(&moved, &[&seq, &hash]).await.map_err(plain)?;
    Ok(())
}
