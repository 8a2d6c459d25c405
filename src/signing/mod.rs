//! Signed is for ever: signatures, and the addenda that correct what is signed.

mod filter;
pub mod loader;
mod retraction;
pub mod store;

pub use filter::{
    AddendumOrder, Condition, CountersignatureFilter, CountersignatureOrder, RetractionFilter, RetractionOrder,
};
pub use retraction::Retraction;

use crate::error::{Code, Error, Result};
use crate::ledger::{self, Record};
use crate::record::{Signature, hex};
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

/// A further signature on a signed record, over the same content. It takes no change itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Countersignature {
    /// Its id.
    pub id: Uuid,
    /// The patient whose record it is on.
    pub patient_id: Uuid,
    /// The kind of the signed record.
    pub record_kind: RecordKind,
    /// The signed record.
    pub record_id: Uuid,
    /// When the record was signed once more.
    pub signed_at: DateTime<Utc>,
    /// Who signed.
    pub signed_by: Uuid,
    /// The meaning of the signature.
    pub meaning: SignatureMeaning,
    /// Why the work was taken over.
    pub reason: Option<String>,
    /// SHA-256 of the record's content: that of its first signature.
    #[serde(with = "hex")]
    pub content_hash: Vec<u8>,
}

impl Record for Countersignature {
    const KIND: RecordKind = RecordKind::Countersignature;
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

impl From<Countersignature> for Signature {
    fn from(it: Countersignature) -> Self {
        let Countersignature { signed_at, signed_by, meaning, content_hash, reason, .. } = it;
        Self { signed_at, signed_by, meaning, content_hash, reason, of: None }
    }
}

/// The kinds of record that are signed.
pub const SIGNED_KINDS: [RecordKind; 3] =
    [RecordKind::Consultation, RecordKind::TreatmentSession, RecordKind::AftercareNote];

/// The signature of a record with this content, by this person, now.
pub fn sign(content: &impl Serialize, by: Uuid, at: DateTime<Utc>, given: Given) -> Result<Signature> {
    let (Given { meaning, reason }, content_hash) = (given, ledger::content_hash(content)?);
    Ok(Signature { signed_at: at, signed_by: by, meaning, content_hash, reason, of: None })
}

/// A signature as a sentence: who, when and what it means. `whose` is the name of who did the work, as a sentence needs it
/// where somebody else answers for it.
pub fn statement(name: &str, signature: &Signature, whose: Option<&str>) -> String {
    let meaning = match (signature.meaning, whose) {
        (SignatureMeaning::Author, _) => "author: I did or wrote this".to_owned(),
        (SignatureMeaning::TakenOver, Some(whose)) => {
            format!("one who took it over: I take over and answer for the work of {whose}, who did it")
        }
        (SignatureMeaning::TakenOver, None) => {
            "one who took it over: I take over and answer for the work of another, who did it".to_owned()
        }
        (SignatureMeaning::Reviewer, _) => "reviewer: I have read this and agree".to_owned(),
        (SignatureMeaning::Supervisor, _) => "supervisor: I supervised this".to_owned(),
    };
    format!("Signed by {name} on {} UTC as {meaning}.", signature.signed_at.format("%Y-%m-%d %H:%M:%S"))
}

/// The faults of a first signature: who did the work signs as AUTHOR, and another practitioner takes it over, with a reason
/// while who did it works here still. Reviewers and supervisors come after that.
///
/// `whose` is who did the work, `works` whether they work here now; without the latter they do.
pub fn judge_first(lacks: &mut Missing, given: &Given, signer: Uuid, whose: Uuid, works: bool) {
    let own = signer == whose;
    let (may, why) = match given.meaning {
        SignatureMeaning::Author => (
            own,
            "AUTHOR is for who did the work: sign as TAKEN_OVER to answer for a colleague's work; REVIEWER and \
             SUPERVISOR co-sign what is signed (countersignRecord)",
        ),
        SignatureMeaning::TakenOver => (!own, "is your own work: sign it as AUTHOR"),
        SignatureMeaning::Reviewer | SignatureMeaning::Supervisor => (
            false,
            "comes after the first signature: who did the work signs first (AUTHOR), or who takes it over (TAKEN_OVER); \
             then co-sign it with countersignRecord",
        ),
    };
    lacks.unless(may, "input.meaning", why);
    let taking_over = given.meaning == SignatureMeaning::TakenOver;
    lacks.unless(
        !(taking_over && !own && works && given.reason.is_none()),
        "input.reason",
        "is missing: who did the work still works here: why do you answer for it?",
    );
    lacks.unless(taking_over || given.reason.is_none(), "input.reason", "is for TAKEN_OVER: leave it out");
}

/// What a signer says of their signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// What it means.
    pub meaning: SignatureMeaning,
    /// Why somebody else's work is taken over.
    pub reason: Option<String>,
}

impl Given {
    /// What who did the work says.
    pub fn author() -> Self {
        Self { meaning: SignatureMeaning::Author, reason: None }
    }
}

/// FORBIDDEN unless the practitioner of a draft stays, or names another themselves: nobody makes a colleague's work their
/// own.
pub fn refuse_taking(before: Uuid, after: Uuid, viewer: Option<Uuid>) -> Result<()> {
    if before == after || viewer == Some(before) {
        return Ok(());
    }
    let message = "only the practitioner who is named now may name another one: to answer for a colleague's work, sign it as \
                   TAKEN_OVER";
    Err(Error::Forbidden(message.to_owned()))
}

/// What a record still lacks before it can be signed, told all at once.
#[derive(Debug, Default)]
pub struct Missing(crate::error::Faults);

impl Missing {
    /// Notes a field that must be filled before signing, unless it is.
    pub fn unless(&mut self, filled: bool, field: &str, why: &str) {
        if !filled {
            self.0.add(field, Code::Required.says(why));
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
pub type SignatureColumns =
    (Option<DateTime<Utc>>, Option<Uuid>, Option<SignatureMeaning>, Option<Vec<u8>>, Option<String>);

/// A signature from its columns.
pub fn from_columns(
    signed_at: Option<DateTime<Utc>>,
    signed_by: Option<Uuid>,
    meaning: Option<SignatureMeaning>,
    content_hash: Option<Vec<u8>>,
    reason: Option<String>,
) -> Result<Option<Signature>> {
    let read = || {
        let (signed_at, signed_by, meaning, content_hash) = (signed_at?, signed_by?, meaning?, content_hash?);
        Some(Signature { signed_at, signed_by, meaning, content_hash, reason, of: None })
    };
    Ok(read())
}

/// The columns of a signature.
pub fn to_columns(signature: &Option<Signature>) -> Result<SignatureColumns> {
    Ok(signature.as_ref().map_or((None, None, None, None, None), |signature| {
        (
            Some(signature.signed_at),
            Some(signature.signed_by),
            Some(signature.meaning),
            Some(signature.content_hash.clone()),
            signature.reason.clone(),
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
        let signature = sign(&1, Uuid::now_v7(), signed_at, Given::author()).expect("signed");
        let expected = "Signed by Dr Elena Marchetti on 2026-01-05 10:00:00 UTC as author: I did or wrote this.";
        assert_eq!(statement("Dr Elena Marchetti", &signature, Some("Bo")), expected);
        let taken = Signature { meaning: SignatureMeaning::TakenOver, ..signature };
        let said = statement("Dr Elena Marchetti", &taken, Some("Bo Lind"));
        assert!(said.ends_with("I take over and answer for the work of Bo Lind, who did it."), "{said}");
    }

    fn faults(given: &Given, own: bool, works: bool) -> Vec<String> {
        let (signer, other) = (Uuid::now_v7(), Uuid::now_v7());
        let mut lacks = Missing::default();
        judge_first(&mut lacks, given, signer, if own { signer } else { other }, works);
        lacks.faults().into_iter().map(|fault| fault.path).collect()
    }

    #[test]
    fn who_did_the_work_signs_first_or_who_takes_it_over() {
        use SignatureMeaning::{Author, Reviewer, Supervisor, TakenOver};
        let given = |meaning, reason: Option<&str>| Given { meaning, reason: reason.map(str::to_owned) };
        assert_eq!(faults(&given(Author, None), false, true), ["input.meaning"]);
        assert!(faults(&given(Author, None), true, true).is_empty());
        assert_eq!(faults(&given(Author, Some("Mine")), true, true), ["input.reason"]);
        assert_eq!(faults(&given(TakenOver, None), false, true), ["input.reason"]);
        assert!(faults(&given(TakenOver, Some("On leave")), false, true).is_empty());
        assert!(faults(&given(TakenOver, None), false, false).is_empty(), "who has left is asked nothing");
        assert_eq!(faults(&given(TakenOver, Some("Mine")), true, true), ["input.meaning"]);
        for meaning in [Reviewer, Supervisor] {
            for own in [true, false] {
                assert_eq!(faults(&given(meaning, None), own, true), ["input.meaning"], "{meaning:?}");
            }
        }
    }

    #[test]
    fn nobody_makes_a_colleagues_work_their_own() {
        let (anna, bob, eve) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
        assert!(refuse_taking(anna, anna, Some(bob)).is_ok() && refuse_taking(anna, bob, Some(anna)).is_ok());
        for (to, by) in [(bob, Some(bob)), (eve, Some(bob)), (bob, None)] {
            assert!(matches!(refuse_taking(anna, to, by), Err(Error::Forbidden(_))));
        }
    }
}
