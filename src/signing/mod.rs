//! Signed is for ever: signatures, and the addenda that correct what is signed.

mod filter;
pub mod loader;
pub mod store;

pub use filter::{AddendumOrder, Condition};

use crate::error::{Error, Result};
use crate::ledger::{self, Record};
use crate::record::Signature;
use crate::vocabulary::{RecordKind, SignatureMeaning};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What was added to a signed record. It takes no change itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Addendum {
    /// Its id.
    pub id: Uuid,
    /// The patient whose record it is about.
    pub patient_id: Uuid,
    /// The kind of the signed record.
    pub record_kind: RecordKind,
    /// The signed record.
    pub record_id: Uuid,
    /// Who added it.
    pub author_id: Uuid,
    /// When the addendum was added.
    pub added_at: DateTime<Utc>,
    /// Why the addendum is needed.
    pub reason: String,
    /// The text of the addendum.
    pub text: String,
}

impl Record for Addendum {
    const KIND: RecordKind = RecordKind::Addendum;
    fn id(&self) -> Uuid {
        self.id
    }
    fn version(&self) -> i32 {
        1
    }
    fn patient_id(&self) -> Option<Uuid> {
        Some(self.patient_id)
    }
}

/// The kinds of record that are signed.
pub const SIGNED_KINDS: [RecordKind; 3] =
    [RecordKind::Consultation, RecordKind::TreatmentSession, RecordKind::AftercareNote];

/// The signature of a record with this content, by this person, now.
pub fn sign(content: &impl Serialize, by: Uuid, at: DateTime<Utc>, meaning: SignatureMeaning) -> Result<Signature> {
    Ok(Signature { signed_at: at, signed_by: by, meaning, content_hash: ledger::content_hash(content)? })
}

/// A signature as a sentence: who, when and what it means.
pub fn statement(name: &str, signature: &Signature) -> String {
    let meaning = match signature.meaning {
        SignatureMeaning::Author => "author: I did or wrote this",
        SignatureMeaning::Reviewer => "reviewer: I have read this and agree",
        SignatureMeaning::Supervisor => "supervisor: I supervised this",
    };
    format!("Signed by {name} on {} UTC as {meaning}.", signature.signed_at.format("%Y-%m-%d %H:%M:%S"))
}

/// What a record still lacks before it can be signed, told all at once.
#[derive(Debug, Default)]
pub struct Missing(crate::error::Faults);

impl Missing {
    /// Notes a field that must be filled before signing, unless it is.
    pub fn unless(&mut self, filled: bool, field: &str, why: &str) {
        if !filled {
            self.0.add(field, why);
        }
    }

    /// Everything that is missing, as the faults of signing would tell it.
    pub fn faults(self) -> Vec<crate::error::Fault> {
        match self.0.into_result() {
            Err(Error::BadUserInput(faults)) => faults,
            _ => Vec::new(),
        }
    }

    /// `Ok` when nothing is missing, else BAD_USER_INPUT with every field.
    pub fn into_result(self) -> Result<()> {
        self.0.into_result()
    }
}

/// The columns of a signature, as rows hold them.
pub type SignatureColumns = (Option<DateTime<Utc>>, Option<Uuid>, Option<SignatureMeaning>, Option<Vec<u8>>);

/// A signature from its columns.
pub fn from_columns(
    signed_at: Option<DateTime<Utc>>,
    signed_by: Option<Uuid>,
    meaning: Option<SignatureMeaning>,
    content_hash: Option<Vec<u8>>,
) -> Result<Option<Signature>> {
    let read = || {
        Some(Signature { signed_at: signed_at?, signed_by: signed_by?, meaning: meaning?, content_hash: content_hash? })
    };
    Ok(read())
}

/// The columns of a signature.
pub fn to_columns(signature: &Option<Signature>) -> Result<SignatureColumns> {
    Ok(signature.as_ref().map_or((None, None, None, None), |signature| {
        (
            Some(signature.signed_at),
            Some(signature.signed_by),
            Some(signature.meaning),
            Some(signature.content_hash.clone()),
        )
    }))
}

/// Refuses an edit of a signed record, or one of another version than expected.
pub fn editable(what: &str, signature: Option<&Signature>, version: i32, expected: i32) -> Result<()> {
    if signature.is_some() {
        return Err(Error::signed(what));
    }
    if version == expected { Ok(()) } else { Err(Error::stale(what, expected, version)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_says_who_when_and_what_it_means() {
        let signed_at = DateTime::from_timestamp(1_767_607_200, 0).expect("a time");
        let signature = sign(&1, Uuid::now_v7(), signed_at, SignatureMeaning::Author).expect("signed");
        let expected = "Signed by Dr Elena Marchetti on 2026-01-05 10:00:00 UTC as author: I did or wrote this.";
        assert_eq!(statement("Dr Elena Marchetti", &signature), expected);
    }
}
