//! The walk along a chain: rows are copied out, their digests recomputed on every core, and the chain followed in order.

use super::checkpoint::{Checkpoint, bytes_of};
use super::copied::{Columns, copy_rows, rows_of};
use super::emptied::{Emptied, Erasure, question};
use super::failed;
use crate::ledger::{first_hash, hash_fields, next_hash};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use std::collections::BTreeMap;
use tokio_postgres::{Client, SimpleQueryMessage};
use uuid::Uuid;

/// Rows that one thread takes at a time.
const BATCH: usize = 2_000;
/// Batches under way at a time.
const BATCHES: usize = 6;
/// Postgres counts microseconds from the year 2000.
const YEAR_2000: i64 = 946_684_800_000_000;

/// Which chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// Every write.
    Ledger,
    /// Every look, sign-in and refusal.
    Access,
}

impl Log {
    /// What it is called.
    pub fn words(self) -> &'static str {
        match self {
            Self::Ledger => "ledger",
            Self::Access => "access log",
        }
    }

    fn table(self) -> &'static str {
        match self {
            Self::Ledger => "public.ledger",
            Self::Access => "public.access_log",
        }
    }

    /// The rows of an organisation. First seq, digest and hash, then what the digest covers.
    fn rows(self, org: Uuid) -> String {
        let columns = match self {
            Self::Ledger => {
                "salt, org_id, at, actor_id, request_id, action, record_kind, record_id, patient_id, version, content"
            }
            Self::Access => "org_id, at, actor_id, request_id, event, operation, from_address, patient_ids, reason",
        };
        let table = self.table();
        format!("SELECT seq, digest, hash, {columns} FROM {table} WHERE org_id = '{org}' ORDER BY seq")
    }
}

/// The first entry of a chain that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which chain.
    pub log: Log,
    /// Its number.
    pub seq: i64,
    /// What is wrong with it.
    pub why: String,
}

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

/// A row, as one of the threads found it.
struct Found {
    seq: i64,
    digest: [u8; 32],
    hash: [u8; 32],
    sealed: Seal,
}

enum Seal {
    Whole,
    /// Content and salt are gone: what an erasure leaves. The digest is taken as it is.
    Empty,
    /// An erasure's own entry, which nothing empties, without its content.
    EmptyErasure,
    /// An erasure's own entry.
    Erasure(Erasure),
    Wrong,
}

/// Follows a chain.
struct Follower<'c> {
    log: Log,
    last: i64,
    hash: [u8; 32],
    /// What checkpoints say of an entry.
    marks: BTreeMap<i64, Vec<(&'c Checkpoint, &'c [u8])>>,
    emptied: Emptied,
}

impl<'c> Follower<'c> {
    fn new(org: Uuid, log: Log, checkpoints: &'c [Checkpoint]) -> Self {
        let mut marks: BTreeMap<i64, Vec<_>> = BTreeMap::new();
        for one in checkpoints {
            let mark = match log {
                Log::Ledger => &one.ledger,
                Log::Access => &one.access_log,
            };
            marks.entry(mark.seq).or_default().push((one, mark.hash.as_slice()));
        }
        Self { log, last: 0, hash: first_hash(org), marks, emptied: Emptied::default() }
    }

    fn broken(&self, seq: i64, why: impl Into<String>) -> Broken {
        Broken { log: self.log, seq, why: why.into() }
    }

    /// Takes the next row.
    fn follow(&mut self, row: &Found) -> Result<(), Broken> {
        let next = self.last + 1;
        if row.seq < next {
            let why = if row.seq < 1 { "it has a number that no entry has" } else { "it is there twice" };
            return Err(self.broken(row.seq, why));
        }
        if row.seq > next {
            return Err(self.broken(next, "it is missing"));
        }
        match &row.sealed {
            Seal::Wrong => return Err(self.broken(next, "its content is not what was sealed")),
            Seal::EmptyErasure => return Err(self.broken(next, "it is an erasure, and is empty itself")),
            Seal::Empty => self.emptied.empty.push(next),
            Seal::Erasure(erasure) => self.emptied.erasures.push(erasure.clone()),
            Seal::Whole => {}
        }
        if next_hash(&self.hash, next, &row.digest) != row.hash {
            return Err(self.broken(next, "its hash does not follow from the entry before it"));
        }
        (self.last, self.hash) = (next, row.hash);
        self.held_to_checkpoints()
    }

    fn held_to_checkpoints(&self) -> Result<(), Broken> {
        let marks = self.marks.get(&self.last).into_iter().flatten();
        match marks.into_iter().find(|(_, hash)| *hash != self.hash) {
            Some((one, _)) => {
                Err(self.broken(self.last, format!("it is not what the checkpoint of {} signed", moment(one.at))))
            }
            None => Ok(()),
        }
    }

    /// The rows are at their end.
    fn end(&self, head: Option<(i64, Vec<u8>)>) -> Result<(), Broken> {
        let (next, words) = (self.last + 1, self.log.words());
        if let Some((seq, one)) =
            self.marks.range(next..).next().and_then(|(seq, ones)| ones.first().map(|it| (seq, it.0)))
        {
            let why = format!("the {words} ends at {}, the checkpoint of {} has {seq}", self.last, moment(one.at));
            return Err(self.broken(next, why));
        }
        match head {
            None => return Err(self.broken(next, format!("the {words} has lost its head"))),
            Some((seq, _)) if seq != self.last => {
                return Err(self.broken(next, format!("the {words} ends at {}, its head has {seq}", self.last)));
            }
            Some((_, hash)) if hash != self.hash => {
                return Err(self.broken(self.last, "the head has another hash"));
            }
            Some(_) => {}
        }
        match self.emptied.fault() {
            Some((seq, why)) => Err(self.broken(seq, why)),
            None => Ok(()),
        }
    }
}

fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
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

/// Recomputes the digests of a batch.
fn look_at(log: Log, org: Uuid, batch: &[Bytes]) -> Result<Vec<Found>, String> {
    let mut found = Vec::with_capacity(batch.len());
    for piece in batch {
        for row in rows_of(piece)? {
            found.push(found_in(log, org, &row).ok_or("a row of the database has another form than this program's")?);
        }
    }
    Ok(found)
}

fn found_in(log: Log, org: Uuid, row: &Columns<'_>) -> Option<Found> {
    let (marks, fields) = row.split_at_checked(3)?;
    let [seq, digest, hash] = marks else { return None };
    // A digest or a hash of another length is one that nothing comes to.
    let bytes = |value: &Option<&[u8]>| value.and_then(|value| value.try_into().ok()).unwrap_or([0; 32]);
    let (digest, hash) = (bytes(digest), bytes(hash));
    let seq = i64::from_be_bytes((*seq)?.try_into().ok()?);
    let sealed = match log {
        Log::Ledger => ledger_seal(org, seq, fields, &digest),
        Log::Access => access_seal(org, fields, &digest),
    };
    Some(Found { seq, digest, hash, sealed: sealed? })
}

/// The time of a row, as digests cover it.
fn micros(at: Option<&[u8]>) -> Option<[u8; 8]> {
    Some(i64::from_be_bytes(at?.try_into().ok()?).wrapping_add(YEAR_2000).to_be_bytes())
}

fn ledger_seal(org: Uuid, seq: i64, fields: &[Option<&[u8]>], digest: &[u8; 32]) -> Option<Seal> {
    let [salt, _org, at, actor, request, action, kind, record, patient, version, content] = fields else { return None };
    let (salt, content) = match (salt, content) {
        (None, None) if *kind == Some(b"patient_erasure") => return Some(Seal::EmptyErasure),
        (None, None) => return Some(Seal::Empty),
        (Some(salt), Some(content)) => (*salt, *content),
        _ => return Some(Seal::Wrong),
    };
    let at = micros(*at)?;
    let computed = hash_fields(&[
        salt,
        org.as_bytes(),
        &at,
        actor.unwrap_or_default(),
        (*request)?,
        (*action)?,
        (*kind)?,
        (*record)?,
        patient.unwrap_or_default(),
        (*version)?,
        content,
    ]);
    // No nil ids: an empty field is NULL and nothing else.
    if computed != *digest {
        return Some(Seal::Wrong);
    }
    if *kind == Some(b"patient_erasure") && *version == Some(&1_i32.to_be_bytes()) {
        return Some(Seal::Erasure(Erasure::read(seq, content)));
    }
    Some(Seal::Whole)
}

fn access_seal(org: Uuid, fields: &[Option<&[u8]>], digest: &[u8; 32]) -> Option<Seal> {
    let [_org, at, actor, request, event, operation, from, patients, reason] = fields else { return None };
    let Some(patients) = ids_of((*patients)?) else { return Some(Seal::Wrong) };
    let at = micros(*at)?;
    let mut covered: Vec<&[u8]> = vec![
        org.as_bytes(),
        &at,
        actor.unwrap_or_default(),
        (*request)?,
        (*event)?,
        (*operation)?,
        (*from)?,
        &patients,
    ];
    // A field more only where there is a reason: rows from before there were any keep their digest.
    covered.extend(*reason);
    Some(if hash_fields(&covered) == *digest { Seal::Whole } else { Seal::Wrong })
}

/// The ids of a plain list, one after the other; none if it is not as the service writes lists.
fn ids_of(array: &[u8]) -> Option<Vec<u8>> {
    let (head, rest) = array.split_at_checked(12)?;
    let number = |bytes: &[u8]| bytes.try_into().ok().map(i32::from_be_bytes);
    match number(head.get(..4)?)? {
        0 => return Some(Vec::new()),
        1 => {}
        _ => return None,
    }
    let (bounds, items) = rest.split_at_checked(8)?;
    let count = usize::try_from(number(bounds.get(..4)?)?).ok()?;
    if number(bounds.get(4..)?)? != 1 || items.len() != count * 20 {
        return None;
    }
    let mut ids = Vec::with_capacity(count * 16);
    for item in items.chunks_exact(20) {
        let (length, id) = item.split_at_checked(4)?;
        if number(length)? != 16 {
            return None;
        }
        ids.extend_from_slice(id);
    }
    Some(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_is_written_and_no_other() {
        let list = |ndim: i32, lower: i32, items: &[&[u8]]| {
            let mut bytes: Vec<u8> = [ndim, 0, 2950].iter().flat_map(|n: &i32| n.to_be_bytes()).collect();
            if ndim > 0 {
                bytes.extend(i32::try_from(items.len()).unwrap_or(0).to_be_bytes());
                bytes.extend(lower.to_be_bytes());
            }
            for item in items {
                bytes.extend(i32::try_from(item.len()).unwrap_or(0).to_be_bytes());
                bytes.extend_from_slice(item);
            }
            bytes
        };
        assert_eq!(ids_of(&list(0, 1, &[])), Some(Vec::new()));
        assert_eq!(ids_of(&list(1, 1, &[&[7; 16], &[8; 16]])), Some([[7; 16], [8; 16]].concat()));
        assert_eq!(ids_of(&list(1, 2, &[&[7; 16]])), None);
        assert_eq!(ids_of(&list(1, 1, &[&[7; 15]])), None);
        assert_eq!(ids_of(&list(2, 1, &[&[7; 16]])), None);
    }
}
