//! The hash chain. Each entry's digest covers its fields; its hash covers the hash before it, its number and its digest.

use crate::access::Scope;
use crate::db::Sql;
use crate::error::Result;
use chrono::{DateTime, Utc};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The fields of an entry that its digest covers.
pub(crate) struct Sealed<'a> {
    pub(crate) org: Uuid,
    pub(crate) at: DateTime<Utc>,
    pub(crate) actor: Option<Uuid>,
    pub(crate) request_id: &'a str,
    pub(crate) action: &'a str,
    pub(crate) record_kind: &'a str,
    pub(crate) record_id: Uuid,
    pub(crate) patient_id: Option<Uuid>,
    pub(crate) version: i32,
    pub(crate) content: &'a str,
    pub(crate) salt: &'a [u8],
}

/// A hash of fields, each led by its length, so that no two lists of fields read the same.
pub(super) fn hash_fields(fields: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for field in fields {
        hasher.update(u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(field);
    }
    hasher.finalize().into()
}

impl Sealed<'_> {
    pub(crate) fn digest(&self) -> [u8; 32] {
        hash_fields(&[
            self.salt,
            self.org.as_bytes(),
            &self.at.timestamp_micros().to_be_bytes(),
            self.actor.as_ref().map_or(&[], |actor| actor.as_bytes().as_slice()),
            self.request_id.as_bytes(),
            self.action.as_bytes(),
            self.record_kind.as_bytes(),
            self.record_id.as_bytes(),
            self.patient_id.as_ref().map_or(&[], |patient| patient.as_bytes().as_slice()),
            &self.version.to_be_bytes(),
            self.content.as_bytes(),
        ])
    }
}

/// The hash that follows `before`: what the append statement computes in Postgres.
pub(crate) fn next_hash(before: &[u8], seq: i64, digest: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(before);
    hasher.update(seq.to_be_bytes());
    hasher.update(digest);
    hasher.finalize().into()
}

/// The hash before the first entry of an organisation.
pub(super) fn first_hash(org: Uuid) -> [u8; 32] {
    Sha256::digest(org.as_bytes()).into()
}

type Row = (
    (i64, DateTime<Utc>, Option<Uuid>, String, String, String),
    (Uuid, Option<Uuid>, i32, Option<String>, Option<Vec<u8>>, Vec<u8>, Vec<u8>),
);
type RowSql = (
    (st::BigInt, st::Timestamptz, st::Nullable<st::Uuid>, st::Text, st::Text, st::Text),
    (
        st::Uuid,
        st::Nullable<st::Uuid>,
        st::Integer,
        st::Nullable<st::Text>,
        st::Nullable<st::Binary>,
        st::Binary,
        st::Binary,
    ),
);

/// Walks an organisation's chain from the first entry to the head. The number of the first broken entry, or `None`.
pub async fn verify(scope: &mut Scope) -> Result<Option<i64>> {
    let org = scope.org();
    let mut before = first_hash(org).to_vec();
    let mut last = 0_i64;
    loop {
        let rows: Vec<Row> = Sql::<RowSql>::new(
            "SELECT seq, at, actor_id, request_id, action, record_kind, record_id, patient_id, version, content, salt, \
             digest, hash FROM ledger WHERE org_id = ",
        )
        .bind(org)
        .text(" AND seq > ")
        .bind(last)
        .text(" ORDER BY seq LIMIT 5000")
        .load(scope.ledger()?.connection)
        .await?;
        if rows.is_empty() {
            break;
        }
        for ((seq, at, actor, request_id, action, kind), (record, patient, version, content, salt, digest, hash)) in
            rows
        {
            let sealed = content.as_ref().zip(salt.as_ref()).is_none_or(|(content, salt)| {
                let entry = Sealed {
                    org,
                    at,
                    actor,
                    request_id: &request_id,
                    action: &action,
                    record_kind: &kind,
                    record_id: record,
                    patient_id: patient,
                    version,
                    content,
                    salt,
                };
                entry.digest().as_slice() == digest
            });
            if seq != last + 1 || !sealed || next_hash(&before, seq, &digest).as_slice() != hash {
                return Ok(Some(last + 1));
            }
            last = seq;
            before = hash;
        }
    }
    let head: Vec<(i64, Vec<u8>)> =
        Sql::<(st::BigInt, st::Binary)>::new("SELECT seq, hash FROM ledger_head WHERE org_id = ")
            .bind(org)
            .load(scope.ledger()?.connection)
            .await?;
    Ok(match head.as_slice().first() {
        Some((seq, hash)) if *seq == last && *hash == before => None,
        _ => Some(last + 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_can_not_slide_into_each_other() {
        assert_ne!(hash_fields(&[b"ab", b"c"]), hash_fields(&[b"a", b"bc"]));
        assert_ne!(hash_fields(&[b"", b"a"]), hash_fields(&[b"a", b""]));
    }
}
