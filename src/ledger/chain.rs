//! The hash chain. The digest of an entry covers its fields; its hash covers the previous hash, its number and its
//! digest.

use chrono::{DateTime, Utc};
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

/// A hash of fields, each preceded by its length, so that no two lists of fields give the same input.
pub(crate) fn hash_fields(fields: &[&[u8]]) -> [u8; 32] {
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
pub(crate) fn first_hash(org: Uuid) -> [u8; 32] {
    Sha256::digest(org.as_bytes()).into()
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
