//! The digests of the rows of a chain, recomputed.

use super::copied::{Columns, rows_of};
use super::emptied::Erasure;
use super::log::Log;
use crate::ledger::{Unreadable, hash_fields, unpack};
use bytes::Bytes;
use uuid::Uuid;

/// Postgres counts microseconds from the year 2000.
const YEAR_2000: i64 = 946_684_800_000_000;

/// A row, as one of the threads found it.
pub(super) struct Found {
    pub(super) seq: i64,
    pub(super) digest: [u8; 32],
    pub(super) hash: [u8; 32],
    pub(super) sealed: Seal,
}

pub(super) enum Seal {
    Whole,
    /// Content and salt are gone: what an erasure leaves. The digest is taken as it is.
    Empty,
    /// An erasure's own entry, which nothing empties, without its content.
    EmptyErasure,
    /// An erasure's own entry.
    Erasure(Erasure),
    Wrong,
}

/// Where a ledger's row has its packed content.
const PACKED: usize = 14;

/// What a packed content says.
enum Content {
    /// The content; none if the row has no packed one.
    Read(Option<String>),
    /// Nothing: these are not the bytes that were packed.
    Damaged,
}

/// Recomputes the digests of a batch.
pub(super) fn look_at(log: Log, org: Uuid, batch: &[Bytes]) -> Result<Vec<Found>, String> {
    let mut found = Vec::with_capacity(batch.len());
    for piece in batch {
        for row in rows_of(piece)? {
            found.push(found_in(log, org, &row)?.ok_or("a row of the database has another form than this program's")?);
        }
    }
    Ok(found)
}

/// A row, recomputed; none if it has not the form of a row. Fails if only a newer program can read it.
fn found_in(log: Log, org: Uuid, row: &Columns<'_>) -> Result<Option<Found>, String> {
    let packed = row.get(PACKED).copied().flatten().filter(|_| log == Log::Ledger);
    let unpacked = match packed.map(unpack).transpose() {
        Ok(content) => Content::Read(content),
        Err(Unreadable::Damaged(_)) => Content::Damaged,
        Err(unknown) => {
            let seq = row.first().copied().flatten().and_then(|seq| seq.try_into().ok()).map(i64::from_be_bytes);
            return Err(format!("entry {} of the ledger: {}", seq.unwrap_or_default(), unknown.told()));
        }
    };
    Ok(found_with(log, org, row, &unpacked))
}

fn found_with(log: Log, org: Uuid, row: &Columns<'_>, unpacked: &Content) -> Option<Found> {
    let (marks, fields) = row.split_at_checked(3)?;
    let [seq, digest, hash] = marks else { return None };
    // A digest or a hash of another length is one that nothing comes to.
    let bytes = |value: &Option<&[u8]>| value.and_then(|value| value.try_into().ok()).unwrap_or([0; 32]);
    let (digest, hash) = (bytes(digest), bytes(hash));
    let seq = i64::from_be_bytes((*seq)?.try_into().ok()?);
    let sealed = match log {
        Log::Ledger => ledger_seal(org, seq, fields, unpacked, &digest),
        Log::Access => access_seal(org, fields, &digest),
    };
    Some(Found { seq, digest, hash, sealed: sealed? })
}

/// The time of a row, as digests cover it.
fn micros(at: Option<&[u8]>) -> Option<[u8; 8]> {
    Some(i64::from_be_bytes(at?.try_into().ok()?).wrapping_add(YEAR_2000).to_be_bytes())
}

fn ledger_seal(org: Uuid, seq: i64, fields: &[Option<&[u8]>], unpacked: &Content, digest: &[u8; 32]) -> Option<Seal> {
    let [salt, _org, at, actor, request, action, kind, record, patient, version, content, _packed] = fields else {
        return None;
    };
    let unpacked = match unpacked {
        Content::Read(content) => content.as_deref().map(str::as_bytes),
        Content::Damaged => return Some(Seal::Wrong),
    };
    let (salt, content) = match (*salt, *content, unpacked) {
        (None, None, None) if *kind == Some(b"patient_erasure") => return Some(Seal::EmptyErasure),
        (None, None, None) => return Some(Seal::Empty),
        (Some(salt), Some(content), None) | (Some(salt), None, Some(content)) => (salt, content),
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
