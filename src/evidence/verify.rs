//! The walk along a chain: rows are copied out, their digests recomputed on every core, and the chain followed in order.

use super::checkpoint::{Checkpoint, bytes_of};
use super::copied::copy_rows;
use super::digests::look_at;
use super::emptied::{Emptied, question};
use super::failed;
use super::follow::Follower;
use super::log::{Broken, Log};
use futures::{StreamExt, TryStreamExt};
use tokio_postgres::{Client, SimpleQueryMessage};
use uuid::Uuid;

/// Rows that one thread takes at a time.
const BATCH: usize = 2_000;
/// Batches under way at a time.
const BATCHES: usize = 6;

/// How far the walk along a chain came.
#[derive(Debug, Clone)]
pub struct Walk {
    /// Entries that are as they were.
    pub rows: i64,
    /// The first that is not.
    pub broken: Option<Broken>,
}

/// What the walk along both of an organisation's chains found.
#[derive(Debug, Clone)]
pub struct Findings {
    /// The ledger.
    pub ledger: Walk,
    /// The access log.
    pub access_log: Walk,
}

impl Findings {
    /// What is broken, first things first.
    pub fn broken(&self) -> impl Iterator<Item = &Broken> {
        [&self.ledger, &self.access_log].into_iter().filter_map(|walk| walk.broken.as_ref())
    }
}

/// Walks both chains of an organisation and holds them to its checkpoints, whose signatures `KeyRing::fault` looks at. The
/// connection is in a transaction that sees the organisation. `told` hears how many rows are done, and of how many.
pub async fn verify_organisation(
    client: &Client,
    org: Uuid,
    checkpoints: &[Checkpoint],
    told: &(dyn Fn(Log, u64, u64) + Sync),
) -> Result<Findings, String> {
    let (mut ledger, emptied) = walk(client, org, Log::Ledger, checkpoints, told).await?;
    if ledger.broken.is_none() {
        ledger.broken = broken_erasure(client, org, &emptied).await?;
    }
    let (mut access_log, _) = walk(client, org, Log::Access, checkpoints, told).await?;
    if access_log.broken.is_none() {
        access_log.broken = broken_register(client, org).await?;
    }
    Ok(Findings { ledger, access_log })
}

async fn walk(
    client: &Client,
    org: Uuid,
    log: Log,
    checkpoints: &[Checkpoint],
    told: &(dyn Fn(Log, u64, u64) + Sync),
) -> Result<(Walk, Emptied), String> {
    let head = head_of(client, org, log).await?;
    let total = head.as_ref().map_or(0, |(seq, _)| u64::try_from(*seq).unwrap_or(0));
    let mut follower = Follower::new(org, log, checkpoints);
    if let Err(broken) = follower.held_to_checkpoints() {
        return Ok((Walk { rows: 0, broken: Some(broken) }, follower.emptied));
    }
    told(log, 0, total);
    let pieces = copy_rows(client, &log.rows(org)).await?.try_chunks(BATCH).map_err(|error| error.1);
    let digests = pieces.map(|batch| async move {
        let batch = batch?;
        let looked = tokio::task::spawn_blocking(move || look_at(log, org, &batch)).await;
        looked.map_err(|error| format!("a thread failed: {error}"))?
    });
    let mut digests = std::pin::pin!(digests.buffered(BATCHES));
    while let Some(batch) = digests.next().await {
        for row in batch? {
            if let Err(broken) = follower.follow(&row) {
                return Ok((Walk { rows: follower.last, broken: Some(broken) }, follower.emptied));
            }
        }
        told(log, u64::try_from(follower.last).unwrap_or(0), total);
    }
    let broken = match follower.end(head) {
        Err(broken) => Some(broken),
        Ok(()) => miscounted(client, org, &follower).await?,
    };
    Ok((Walk { rows: follower.last, broken }, follower.emptied))
}

/// A plain query sees as many entries as were copied out.
async fn miscounted(client: &Client, org: Uuid, follower: &Follower<'_>) -> Result<Option<Broken>, String> {
    let Follower { log, last, .. } = follower;
    let row = first_row(client, &format!("SELECT count(*) FROM {} WHERE org_id = '{org}'", log.table())).await?;
    let counted: Option<i64> = row.and_then(|row| row.get(0)?.parse().ok());
    let counted = counted.ok_or_else(|| format!("the entries of the {} can't be counted", log.words()))?;
    let why = || format!("{last} entries were copied out of the {}, and a plain query counts {counted}", log.words());
    Ok((counted != *last).then(|| follower.broken(*last, why())))
}

async fn head_of(client: &Client, org: Uuid, log: Log) -> Result<Option<(i64, Vec<u8>)>, String> {
    let ask = format!("SELECT seq, encode(hash, 'hex') FROM {}_head WHERE org_id = '{org}'", log.table());
    let row = first_row(client, &ask).await?;
    Ok(row.and_then(|row| row.get(0)?.parse().ok().zip(bytes_of(row.get(1)?))))
}

async fn first_row(client: &Client, ask: &str) -> Result<Option<tokio_postgres::SimpleQueryRow>, String> {
    let answer = client.simple_query(ask).await.map_err(|error| failed("asked", &error))?;
    Ok(answer.into_iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    }))
}

/// What an erasure from before entries were named must have emptied, and is not empty.
async fn broken_erasure(client: &Client, org: Uuid, emptied: &Emptied) -> Result<Option<Broken>, String> {
    for erasure in emptied.unnamed() {
        let row = first_row(client, &question(org, erasure)).await?;
        if let Some(seq) = row.and_then(|row| row.get(0)?.parse().ok()) {
            let why = format!("it has content, and the erasure of entry {} must have emptied it", erasure.seq);
            return Ok(Some(Broken { log: Log::Ledger, seq, why }));
        }
    }
    Ok(None)
}

/// The register of whose data was shown (`access_log_patient`) says what the entries say: it is what is asked who saw a
/// patient.
async fn broken_register(client: &Client, org: Uuid) -> Result<Option<Broken>, String> {
    let ask = format!(
        "SELECT min(coalesce(l.seq, r.seq)) FROM (SELECT DISTINCT a.seq, a.at, p FROM public.access_log a \
         CROSS JOIN LATERAL unnest(a.patient_ids) AS p WHERE a.org_id = '{org}') AS l FULL JOIN (SELECT seq, at, \
         patient_id AS p FROM public.access_log_patient WHERE org_id = '{org}') AS r ON r.seq = l.seq AND r.at = l.at AND r.p = l.p \
         WHERE l.seq IS NULL OR r.seq IS NULL"
    );
    let seq = first_row(client, &ask).await?.and_then(|row| row.get(0)?.parse().ok());
    let why = "the register of whose data was shown does not say what it says";
    Ok(seq.map(|seq| Broken { log: Log::Access, seq, why: why.to_owned() }))
}
