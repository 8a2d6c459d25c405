//! The access log: who saw what. Rows are durable before the data is sent; many waiting requests share one insert
//! (group commit).

use super::chain::{hash_fields, next_hash};
use crate::db::{Pool, Sql};
use crate::error::{Error, Result};
use crate::ids;
use crate::record::hex;
use crate::vocabulary::vocabulary;
use chrono::{DateTime, Utc};
use diesel::sql_types as st;
use futures::StreamExt;
use serde::Serialize;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

vocabulary! {
    /// The events of the access log.
    #[graphql(name = "AccessEvent")]
    Event {
        /// Patient data was shown.
        Read = "read",
        /// An operation was refused something: a record, a field or a mutation.
        Refused = "refused",
        /// Somebody signed in.
        SignedIn = "signed_in",
        /// Somebody was refused at sign-in.
        SignInRefused = "sign_in_refused",
        /// Somebody signed out.
        SignedOut = "signed_out",
        /// A code of a second factor was wrong or already used.
        SecondFactorRefused = "second_factor_refused",
        /// A second factor was set up.
        SecondFactorAdded = "second_factor_added",
        /// A second factor was removed.
        SecondFactorRemoved = "second_factor_removed",
        /// The recovery codes were replaced.
        RecoveryCodesRenewed = "recovery_codes_renewed",
        /// Somebody confirmed their identity again.
        IdentityConfirmed = "identity_confirmed",
        /// Somebody who is signed in gave a wrong password or code when they were asked for it again.
        IdentityRefused = "identity_refused",
        /// Somebody changed their password.
        PasswordChanged = "password_changed",
        /// Somebody set a new password by a link.
        PasswordReset = "password_reset",
        /// Somebody accepted an invitation.
        InvitationAccepted = "invitation_accepted",
        /// A sign-in was ended from another of the same person's.
        SignInRevoked = "sign_in_revoked",
    }
}

/// One row to write.
#[derive(Debug, Clone)]
pub struct AccessEvent {
    /// The organisation.
    pub org: Uuid,
    /// The staff member or service account behind the entry; null where nobody is known.
    pub actor: Option<Uuid>,
    /// The request.
    pub request_id: String,
    /// What happened.
    pub event: Event,
    /// The operation's first root field.
    pub operation: String,
    /// The network address it came from.
    pub from_address: String,
    /// Why, where it was said.
    pub reason: Option<String>,
    /// Whose data was shown.
    pub patients: Vec<Uuid>,
}

type Waiting = (AccessEvent, oneshot::Sender<Result<()>>, Instant);

/// The maximum number of rows in one insert.
const BATCH: usize = 256;
/// How long rows wait at most for the rows of other operations under way.
const GATHERING: Duration = Duration::from_millis(3);
/// The number of organisations whose rows are written at once, with one connection each.
pub const CONNECTIONS: usize = 2;

/// The writer of the access log.
#[derive(Clone)]
pub struct AccessLog {
    queue: mpsc::Sender<Waiting>,
    under_way: Arc<AtomicUsize>,
    reads: bool,
}

/// An operation that may write to the log, while it is held.
pub struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl AccessLog {
    /// Starts the writer, on its own pool of `CONNECTIONS`. Without `reads`, access to patients is not logged: for
    /// measuring what logging costs.
    pub fn start(pool: Pool, reads: bool) -> Self {
        let (queue, waiting) = mpsc::channel(4096);
        let under_way = Arc::new(AtomicUsize::new(0));
        tokio::spawn(Writer { pool, under_way: Arc::clone(&under_way), heads: Mutex::default() }.run(waiting));
        Self { queue, under_way, reads }
    }

    /// Counts an operation. While others are under way, rows wait a little for theirs, to share a write.
    pub fn under_way(&self) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(&self.under_way))
    }

    /// Writes an event; `Ok` when it is durable.
    pub async fn write(&self, event: AccessEvent) -> Result<()> {
        if event.event == Event::Read && !self.reads {
            return Ok(());
        }
        let (done, answer) = oneshot::channel();
        self.queue.send((event, done, Instant::now())).await.map_err(|_| Error::Unavailable)?;
        answer.await.map_err(|_| Error::Unavailable)?
    }
}

/// The end of an organisation's chain.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Head {
    seq: i64,
    hash: Vec<u8>,
}

/// Writes what waits, batch after batch.
struct Writer {
    pool: Pool,
    under_way: Arc<AtomicUsize>,
    /// The heads as this process left them, and whether no other process was writing when it last asked.
    heads: Mutex<HashMap<Uuid, (Head, bool)>>,
}

impl Writer {
    async fn run(self, mut waiting: mpsc::Receiver<Waiting>) {
        let mut batch = Vec::with_capacity(BATCH);
        // Everything that queued up while the last batch was written goes into the next.
        while waiting.recv_many(&mut batch, BATCH).await > 0 {
            self.gather(&mut batch, &mut waiting).await;
            let mut by_org: HashMap<Uuid, Vec<Waiting>> = HashMap::new();
            for entry in batch.drain(..) {
                by_org.entry(entry.0.org).or_default().push(entry);
            }
            let writes = by_org.into_iter().map(|(org, entries)| self.write_and_answer(org, entries));
            futures::stream::iter(writes).for_each_concurrent(CONNECTIONS, |write| write).await;
        }
    }

    /// A write costs nearly the same for one row as for twenty, and what is saved on writes serves requests. So rows
    /// wait until half of the operations under way wait too, for a few milliseconds at most. A single operation never
    /// waits.
    async fn gather(&self, batch: &mut Vec<Waiting>, waiting: &mut mpsc::Receiver<Waiting>) {
        let until = Instant::now() + GATHERING;
        while batch.len() < BATCH && batch.len() * 2 < self.under_way.load(Ordering::Relaxed) {
            let room = BATCH - batch.len();
            if !matches!(timeout_at(until, waiting.recv_many(batch, room)).await, Ok(1..)) {
                break;
            }
        }
    }

    async fn write_and_answer(&self, org: Uuid, entries: Vec<Waiting>) {
        let (events, answers): (Vec<_>, Vec<_>) =
            entries.into_iter().map(|(event, answer, since)| (event, (answer, since))).unzip();
        let written = self.write(org, &events).await;
        let meters = &self.pool.watch().access_log;
        meters.written(events.iter().map(|event| event.event.as_str()), written.is_ok());
        if let Err(error) = &written {
            tracing::error!(?error, "the access log can't be written: reads are refused");
        }
        for (answer, since) in answers {
            meters.waited(since.elapsed());
            let _ = answer.send(if written.is_ok() { Ok(()) } else { Err(Error::Unavailable) });
        }
    }

    /// Appends to the chain of an organisation. If no other process writes, it continues from where it left the chain.
    /// If one does, that would often fail, so it asks for the head each time.
    async fn write(&self, org: Uuid, events: &[AccessEvent]) -> Result<()> {
        use diesel_async::RunQueryDsl as _;
        // Removed, because after an error the end of the chain is unknown.
        let left = self.heads().remove(&org);
        if let Some((left, true)) = &left {
            let (insert, head) = insert(org, left, events)?;
            let (transaction, went_on) = self.pool.begin::<_, i64>(true, org, &insert).await?;
            if went_on == [1] {
                transaction.commit().await?;
                self.heads().insert(org, (head, true));
                return Ok(());
            }
            transaction.rollback().await;
        }
        let ask = Sql::<(st::BigInt, st::Binary)>::new("SELECT seq, hash FROM access_log_head WHERE org_id = ")
            .bind(org)
            .text(" FOR UPDATE");
        let (mut transaction, found) = self.pool.begin::<_, (i64, Vec<u8>)>(true, org, &ask).await?;
        let found = found.into_iter().next().map(|(seq, hash)| Head { seq, hash });
        let found = found.ok_or_else(|| Error::Internal("the organisation has no access log".to_owned()))?;
        let (insert, head) = insert(org, &found, events)?;
        let went_on: Vec<i64> = insert.load(&mut transaction.connection()?).await?;
        if went_on != [1] {
            return Err(Error::Internal("the access log's head moved under its lock".to_owned()));
        }
        transaction.commit().await?;
        let alone = left.is_none_or(|(left, _)| left == found);
        self.heads().insert(org, (head, alone));
        Ok(())
    }

    fn heads(&self) -> MutexGuard<'_, HashMap<Uuid, (Head, bool)>> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A row as JSON: one statement takes any number of rows, and its text, and therefore its plan, stays the same.
#[derive(Serialize)]
struct Row<'e> {
    seq: i64,
    actor_id: Option<Uuid>,
    request_id: &'e str,
    event: Event,
    operation: &'e str,
    from_address: &'e str,
    reason: Option<&'e str>,
    patient_ids: &'e [Uuid],
    digest: String,
    hash: String,
}

/// Bytes as Postgres reads them from text.
fn bytea(bytes: &[u8]) -> String {
    format!("\\x{}", hex::text(bytes))
}

/// The digest of a row: over its fields and its time.
fn digest_of(org: Uuid, at: DateTime<Utc>, event: &AccessEvent) -> [u8; 32] {
    let patients: Vec<u8> = event.patients.iter().flat_map(|patient| *patient.as_bytes()).collect();
    let at = at.timestamp_micros().to_be_bytes();
    let mut fields: Vec<&[u8]> = vec![
        org.as_bytes(),
        &at,
        event.actor.as_ref().map_or(&[], |actor| actor.as_bytes().as_slice()),
        event.request_id.as_bytes(),
        event.event.as_str().as_bytes(),
        event.operation.as_bytes(),
        event.from_address.as_bytes(),
        &patients,
    ];
    // A tenth field only if there is a reason, so that rows from before reasons existed keep their digest.
    fields.extend(event.reason.as_ref().map(String::as_bytes));
    hash_fields(&fields)
}

/// The statement that appends events after a head, and the new head. It returns a 1, or returns and changes nothing if
/// the chain ends elsewhere.
fn insert(org: Uuid, after: &Head, events: &[AccessEvent]) -> Result<(Sql<st::BigInt>, Head)> {
    let Head { mut seq, mut hash } = after.clone();
    let at = ids::now();
    let mut rows = Vec::with_capacity(events.len());
    for event in events {
        seq += 1;
        let digest = digest_of(org, at, event);
        hash = next_hash(&hash, seq, &digest).to_vec();
        rows.push(Row {
            seq,
            actor_id: event.actor,
            request_id: &event.request_id,
            event: event.event,
            operation: &event.operation,
            from_address: &event.from_address,
            reason: event.reason.as_deref(),
            patient_ids: &event.patients,
            digest: bytea(&digest),
            hash: bytea(&hash),
        });
    }
    let insert = Sql::new("WITH head AS (UPDATE access_log_head SET seq = ")
        .bind(seq)
        .text(", hash = ")
        .bind(hash.clone())
        .text(" WHERE org_id = ")
        .bind(org)
        .text(" AND seq = ")
        .bind(after.seq)
        .text(" AND hash = ")
        .bind(after.hash.clone())
        .text(" RETURNING org_id), r AS (SELECT r.* FROM head, json_to_recordset(")
        .bind(serde_json::to_string(&rows)?)
        .text(
            "::json) AS r (seq bigint, actor_id uuid, request_id text, event text, operation text, from_address text, \
             reason text, patient_ids uuid[], digest bytea, hash bytea)), about AS (INSERT INTO access_log_patient \
             (org_id, patient_id, seq, at) SELECT ",
        )
        .bind(org)
        .text(", p, r.seq, ")
        .bind(at)
        .text(
            " FROM r CROSS JOIN LATERAL unnest(r.patient_ids) AS p), looks AS (INSERT INTO access_log (org_id, at, seq, \
             actor_id, request_id, event, operation, from_address, reason, patient_ids, digest, hash) SELECT ",
        )
        .bind(org)
        .text(", ")
        .bind(at)
        .text(
            ", r.seq, r.actor_id, r.request_id, r.event, r.operation, r.from_address, r.reason, r.patient_ids, r.digest, \
             r.hash FROM r) SELECT 1::bigint FROM head",
        );
    Ok((insert, Head { seq, hash }))
}
