//! Appending to the ledger.

use super::chain::{Sealed, first_hash};
use super::packed::kept;
use crate::access::Scope;
use crate::db::Sql;
use crate::error::{Error, Result};
use crate::ids;
use crate::vocabulary::{Action, RecordKind};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::time::Instant;
use uuid::Uuid;

/// A record whose versions the ledger keeps. Its serialised form is its content: everything a later reader must be able
/// to know about it, without the signature's own hash.
pub trait Record: Serialize + DeserializeOwned + Send {
    /// Its kind.
    const KIND: RecordKind;
    /// Its id.
    fn id(&self) -> Uuid;
    /// Its version.
    fn version(&self) -> i32;
    /// Whether it is signed. A signed record is never changed.
    fn is_signed(&self) -> bool {
        false
    }
    /// The patient of a clinical record; for a patient, the patient itself.
    fn patient_id(&self) -> Option<Uuid>;
    /// The patients it reveals something about, for the access log: for a merge both sides, whoever has the records
    /// now.
    fn tells_of(&self) -> Vec<Uuid> {
        self.patient_id().into_iter().collect()
    }
    /// The staff member it belongs to, who may see it even if their role may not read the kind.
    fn own_of(&self) -> Option<Uuid> {
        None
    }
}

/// The hash a signature seals: over the record's content as the ledger keeps it.
pub fn content_hash(content: &impl Serialize) -> Result<Vec<u8>> {
    Ok(Sha256::digest(serde_json::to_string(content)?.as_bytes()).to_vec())
}

/// Starts an organisation's two chains.
pub async fn open_organisation(scope: &mut Scope) -> Result<()> {
    let org = scope.org();
    for table in ["ledger_head", "access_log_head"] {
        Sql::<()>::new(format!("INSERT INTO {table} (org_id, seq, hash) VALUES ("))
            .bind(org)
            .text(", 0, ")
            .bind(first_hash(org).to_vec())
            .text(")")
            .execute(scope.ledger()?.connection)
            .await?;
    }
    Ok(())
}

/// The patient whose chart must be open for an entry: neither merged into another nor erased. A patient's own entries
/// and those of the merge itself are exempt.
fn owner_of<R: Record>(action: Action, record: &R) -> Option<Uuid> {
    let bound = R::KIND != RecordKind::Patient && action != Action::Merge;
    record.patient_id().filter(|_| bound)
}

/// The beginning of the statement: the patient held in place, if an entry must find its chart open; and the head with the
/// next number and the hash that chains this digest.
fn head_moved_on(org: Uuid, owner: Option<Uuid>, digest: &[u8]) -> Sql<st::BigInt> {
    let mut start = Sql::<st::BigInt>::new("WITH ");
    if let Some(patient) = owner {
        start
            .push("owner AS MATERIALIZED (SELECT id FROM patient WHERE org_id = ")
            .push_bind(org)
            .push(" AND id = ")
            .push_bind(patient)
            .push(" AND status <> 'merged' FOR KEY SHARE SKIP LOCKED), ");
    }
    start
        .push("head AS (UPDATE ledger_head SET seq = seq + 1, hash = sha256(hash || int8send(seq + 1) || ")
        .push_bind(digest.to_vec())
        .push(") WHERE org_id = ")
        .push_bind(org);
    if owner.is_some() {
        start.push(" AND EXISTS (SELECT FROM owner)");
    }
    start
}

/// Why no entry was appended: an open chart was not found, or there is no head.
fn not_appended(owner: Option<Uuid>) -> Error {
    match owner {
        Some(_) => Error::Conflict {
            message: "this patient's records were moved to another chart or erased just now: read the record again"
                .to_owned(),
            current_version: None,
        },
        None => Error::Internal("the organisation has no ledger".to_owned()),
    }
}

/// Appends what was done to a record, with its content afterwards. One statement takes the next number, chains the hash
/// and inserts, so the organisation's head is locked only until this transaction ends. Append last.
///
/// The same statement locks the record's patient until then, so that a record read before its patient was merged or
/// erased is not written back to a closed chart.
pub async fn append<R: Record>(scope: &mut Scope, action: Action, record: &R, content: &impl Serialize) -> Result<()> {
    let content = serde_json::to_string(content)?;
    let salt: [u8; 16] = rand::random();
    let at = ids::now();
    let (org, actor) = (scope.org(), scope.viewer().staff);
    let request_id = scope.request_id().to_owned();
    let digest = Sealed {
        org,
        at,
        actor,
        request_id: &request_id,
        action: action.as_str(),
        record_kind: R::KIND.as_str(),
        record_id: record.id(),
        patient_id: record.patient_id(),
        version: record.version(),
        content: &content,
        salt: &salt,
    }
    .digest()
    .to_vec();
    let owner = owner_of(action, record);
    let (content, packed) = kept(action, content)?;
    let statement = head_moved_on(org, owner, &digest).text(
        " RETURNING seq, hash) INSERT INTO ledger (org_id, seq, at, actor_id, request_id, action, record_kind, record_id, \
         patient_id, version, content, packed, salt, digest, hash) SELECT ",
    )
    .bind(org)
    .text(", head.seq, ")
    .bind(at)
    .text(", ")
    .bind(actor)
    .text(", ")
    .bind(request_id)
    .text(", ")
    .bind(action.as_str())
    .text(", ")
    .bind(R::KIND.as_str())
    .text(", ")
    .bind(record.id())
    .text(", ")
    .bind(record.patient_id())
    .text(", ")
    .bind(record.version())
    .text(", ")
    .bind(content)
    .text(", ")
    .bind(packed)
    .text(", ")
    .bind(salt.to_vec())
    .text(", ")
    .bind(digest)
    .text(", head.hash FROM head RETURNING seq");
    let begun = Instant::now();
    let seq: Vec<i64> = statement.load(scope.ledger()?.connection).await?;
    scope.watch().writes.appended(begun.elapsed());
    let seq = *seq.as_slice().first().ok_or_else(|| not_appended(owner))?;
    scope.recorded(seq, [(R::KIND, action)]);
    Ok(())
}
