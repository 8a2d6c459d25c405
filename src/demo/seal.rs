//! Ledger entries of many charts, sealed beforehand and chained when it is their turn.

use super::chart::Entry;
use super::copy::Rows;
use crate::error::Result;
use crate::ledger::{Sealed, kept, next_hash};
use uuid::Uuid;

/// The columns of a ledger row, in the order that `chain` writes them.
pub(super) const COLUMNS: &str = "seq, hash, org_id, at, actor_id, request_id, action, record_kind, record_id, patient_id, \
                                  version, content, packed, salt, digest";

/// Entries with their digests, in order.
#[derive(Default)]
pub(super) struct SealedEntries {
    /// Each row without its number and its hash, and its digest.
    rows: Vec<(String, [u8; 32])>,
}

impl SealedEntries {
    /// Seals an entry.
    pub(super) fn add(&mut self, org: Uuid, entry: Entry) -> Result<()> {
        let salt: [u8; 16] = rand::random();
        let digest = Sealed {
            org,
            at: entry.at,
            actor: Some(entry.actor),
            request_id: &entry.request_id,
            action: entry.action.as_str(),
            record_kind: entry.kind.as_str(),
            record_id: entry.record_id,
            patient_id: entry.patient_id,
            version: entry.version,
            content: &entry.content,
            salt: &salt,
        }
        .digest();
        let mut row = Rows::default();
        row.put(org)
            .put(entry.at)
            .put(entry.actor)
            .put(&entry.request_id)
            .put(entry.action.as_str())
            .put(entry.kind.as_str());
        let (content, packed) = kept(entry.action, entry.content)?;
        row.put(entry.record_id).put(entry.patient_id).put(entry.version);
        row.put(content.as_ref()).put(packed.as_deref());
        row.put(salt.as_slice()).put(digest.as_slice()).end();
        self.rows.push((row.into_text(), digest));
        Ok(())
    }

    /// The rows chained to a head, and the head after them.
    pub(super) fn chain(&self, (mut seq, mut hash): (i64, Vec<u8>)) -> (Rows, (i64, Vec<u8>)) {
        let mut rows = Rows::default();
        for (row, digest) in &self.rows {
            seq += 1;
            hash = next_hash(&hash, seq, digest).to_vec();
            rows.put(seq).put(hash.as_slice()).line(row);
        }
        (rows, (seq, hash))
    }
}
