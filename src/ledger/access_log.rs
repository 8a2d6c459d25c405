//! Who looked at what. Rows are durable before the data leaves; many waiting requests share one insert (group commit).

use super::chain::{hash_fields, next_hash};
use crate::db::{Pool, Sql};
use crate::error::{Error, Result};
use crate::ids;
use crate::record::hex;
use crate::vocabulary::vocabulary;
use chrono::{DateTime, Utc};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use serde::Serialize;
use std::collections::HashMap;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

vocabulary! {
    /// What the access log is told of.
    #[graphql(name = "AccessEvent")]
    Event {
        /// Patient data was shown.
        Read = "read",
        /// Something was refused.
        Refused = "refused",
        /// Somebody signed in.
        SignedIn = "signed_in",
        /// Somebody was refused at sign-in.
        SignInRefused = "sign_in_refused",
        /// Somebody signed out.
        SignedOut = "signed_out",
        /// A code of a second factor was wrong or used.
        SecondFactorRefused = "second_factor_refused",
        /// A second factor was set up.
        SecondFactorAdded = "second_factor_added",
        /// A second factor was taken away.
        SecondFactorRemoved = "second_factor_removed",
        /// Recovery codes took the place of the earlier ones.
        RecoveryCodesRenewed = "recovery_codes_renewed",
        /// Somebody proved again who they are.
        IdentityConfirmed = "identity_confirmed",
        /// Somebody who is signed in gave a wrong password.
        IdentityRefused = "identity_refused",
        /// Somebody changed their password.
        PasswordChanged = "password_changed",
        /// Somebody set a new password by a link.
        PasswordReset = "password_reset",
        /// Somebody accepted an invitation.
        InvitationAccepted = "invitation_accepted",
        /// A sign-in was ended from another one.
        SignInRevoked = "sign_in_revoked",
    }
}

/// One row to write.
#[derive(Debug, Clone)]
pub struct AccessEvent {
    /// The organisation.
    pub org: Uuid,
    /// Who.
    pub actor: Option<Uuid>,
    /// The request.
    pub request_id: String,
    /// What happened.
    pub event: Event,
    /// The name of the operation, or of the root field.
    pub operation: String,
    /// The network address it came from.
    pub from_address: String,
    /// Why, where it was said.
    pub reason: Option<String>,
    /// Whose data was shown.
    pub patients: Vec<Uuid>,
}

type Waiting = (AccessEvent, oneshot::Sender<Result<()>>);

/// The most rows in one insert.
const BATCH: usize = 256;

/// The way to the access log.
#[derive(Clone)]
pub struct AccessLog {
    queue: mpsc::Sender<Waiting>,
    reads: bool,
}

impl AccessLog {
    /// Starts the writer. Without `reads`, looks at patients are not written down: for measuring what that costs.
    pub fn start(pool: Pool, reads: bool) -> Self {
        let (queue, waiting) = mpsc::channel(4096);
        tokio::spawn(write_batches(pool, waiting));
        Self { queue, reads }
    }

    /// Writes an event; `Ok` when it is durable.
    pub async fn write(&self, event: AccessEvent) -> Result<()> {
        if event.event == Event::Read && !self.reads {
            return Ok(());
        }
        let (done, answer) = oneshot::channel();
        self.queue.send((event, done)).await.map_err(|_| Error::Unavailable)?;
        answer.await.map_err(|_| Error::Unavailable)?
    }
}

async fn write_batches(pool: Pool, mut waiting: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::with_capacity(BATCH);
    // Everything that queued up while the last batch was written goes into the next.
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let mut by_org: HashMap<Uuid, Vec<Waiting>> = HashMap::new();
        for entry in batch.drain(..) {
            by_org.entry(entry.0.org).or_default().push(entry);
        }
        for (org, entries) in by_org {
            let (events, answers): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
            let written = write_one_batch(&pool, org, events).await;
            if let Err(error) = &written {
                tracing::error!(?error, "the access log can't be written: reads are refused");
            }
            for answer in answers {
                let _ = answer.send(if written.is_ok() { Ok(()) } else { Err(Error::Unavailable) });
            }
        }
    }
}

/// A row as JSON: one statement takes any number of them, and its text, and so its plan, stays the same.
#[derive(Serialize)]
struct Row {
    seq: i64,
    actor_id: Option<Uuid>,
    request_id: String,
    event: Event,
    operation: String,
    from_address: String,
    reason: Option<String>,
    patient_ids: Vec<Uuid>,
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
    // A tenth field only where there is a reason: rows from before there were any keep their digest.
    fields.extend(event.reason.as_ref().map(String::as_bytes));
    hash_fields(&fields)
}

async fn write_one_batch(pool: &Pool, org: Uuid, events: Vec<AccessEvent>) -> Result<()> {
    let head = Sql::<(st::BigInt, st::Binary)>::new("SELECT seq, hash FROM access_log_head WHERE org_id = ")
        .bind(org)
        .text(" FOR UPDATE");
    let (mut transaction, head) = pool.begin::<_, (i64, Vec<u8>)>(true, org, &head).await?;
    let (mut seq, mut hash) =
        head.into_iter().next().ok_or_else(|| Error::Internal("the organisation has no access log".to_owned()))?;
    let at = ids::now();
    let mut rows = Vec::with_capacity(events.len());
    for event in events {
        seq += 1;
        let digest = digest_of(org, at, &event).to_vec();
        hash = next_hash(&hash, seq, &digest).to_vec();
        rows.push(Row {
            seq,
            actor_id: event.actor,
            request_id: event.request_id,
            event: event.event,
            operation: event.operation,
            from_address: event.from_address,
            reason: event.reason,
            patient_ids: event.patients,
            digest: bytea(&digest),
            hash: bytea(&hash),
        });
    }
    Sql::<()>::new("WITH head AS (UPDATE access_log_head SET seq = ")
        .bind(seq)
        .text(", hash = ")
        .bind(hash)
        .text(" WHERE org_id = ")
        .bind(org)
        .text("), r AS (SELECT * FROM json_to_recordset(")
        .bind(serde_json::to_value(&rows)?)
        .text(
            ") AS r (seq bigint, actor_id uuid, request_id text, event text, operation text, from_address text, \
             reason text, patient_ids uuid[], digest bytea, hash bytea)), about AS (INSERT INTO access_log_patient \
             (org_id, patient_id, seq, at) SELECT ",
        )
        .bind(org)
        .text(", p, r.seq, ")
        .bind(at)
        .text(
            " FROM r CROSS JOIN LATERAL unnest(r.patient_ids) AS p) INSERT INTO access_log (org_id, at, seq, actor_id, \
             request_id, event, operation, from_address, reason, patient_ids, digest, hash) SELECT ",
        )
        .bind(org)
        .text(", ")
        .bind(at)
        .text(
            ", r.seq, r.actor_id, r.request_id, r.event, r.operation, r.from_address, r.reason, r.patient_ids, r.digest, \
             r.hash FROM r",
        )
        .execute(transaction.connection()?)
        .await?;
    transaction.commit().await
}
