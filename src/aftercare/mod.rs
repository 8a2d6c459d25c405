//! Aftercare notes: what the patient was told after a session, and how they did.

mod filter;
pub mod loader;
pub mod store;

pub use filter::{Filter, OrderBy};

use crate::ledger::Record;
use crate::record::{Signature, Stamp};
use crate::signing::Missing;
use crate::vocabulary::{RecordKind, vocabulary};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

vocabulary! {
    /// What an aftercare note is about.
    AftercareNoteKind {
        /// What the patient was told to do and to avoid.
        InstructionsGiven = "instructions_given",
        /// The clinic asked how they are.
        CheckIn = "check_in",
        /// The patient told the clinic.
        PatientReport = "patient_report",
        /// A call after the session.
        FollowUpCall = "follow_up_call",
    }
}

vocabulary! {
    /// How far the patient followed the instructions.
    Adherence {
        /// All instructions were followed.
        Full = "full",
        /// Some instructions were followed.
        Partial = "partial",
        /// No instruction was followed.
        None = "none",
    }
}

/// An aftercare note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AftercareNote {
    /// Its id.
    pub id: Uuid,
    /// The patient: the same as the session's.
    pub patient_id: Uuid,
    /// The session it followed.
    pub session_id: Uuid,
    /// Who wrote it.
    pub author_id: Uuid,
    /// Its kind.
    pub kind: AftercareNoteKind,
    /// The moment the note is about.
    pub noted_at: DateTime<Utc>,
    /// The text of the note.
    pub text: Option<String>,
    /// Redness, 0 to 10.
    pub redness: Option<i16>,
    /// Swelling, 0 to 10.
    pub swelling: Option<i16>,
    /// Pain, 0 to 10.
    pub pain: Option<i16>,
    /// How far the patient followed the instructions.
    pub adherence: Option<Adherence>,
    /// Whether a practitioner must look at it.
    pub escalate: bool,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
    /// The signature.
    pub signature: Option<Signature>,
}

impl Record for AftercareNote {
    const KIND: RecordKind = RecordKind::AftercareNote;
    fn id(&self) -> Uuid {
        self.id
    }
    fn version(&self) -> i32 {
        self.stamp.version
    }
    fn is_signed(&self) -> bool {
        self.signature.is_some()
    }
    fn patient_id(&self) -> Option<Uuid> {
        Some(self.patient_id)
    }
}

/// What a note lacks before it can be signed, all at once.
pub fn missing(note: &AftercareNote) -> Missing {
    let mut missing = Missing::default();
    if note.kind == AftercareNoteKind::CheckIn {
        let scored = note.redness.or(note.swelling).or(note.pain).is_some();
        missing.unless(
            scored,
            "redness",
            "is missing: a check-in scores redness, swelling or pain, at least one of them",
        );
    } else {
        missing.unless(note.text.is_some(), "text", "is missing: what was told or reported?");
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::ids;

    fn note(kind: AftercareNoteKind) -> AftercareNote {
        let id = ids::new_id();
        AftercareNote {
            id,
            patient_id: id,
            session_id: id,
            author_id: id,
            kind,
            noted_at: ids::now(),
            text: None,
            redness: None,
            swelling: None,
            pain: None,
            adherence: None,
            escalate: false,
            stamp: Stamp::new(Some(id), ids::now()),
            signature: None,
        }
    }

    fn faults(note: &AftercareNote) -> Vec<String> {
        match missing(note).into_result() {
            Ok(()) => Vec::new(),
            Err(Error::BadUserInput(faults)) => faults.into_iter().map(|fault| fault.path).collect(),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_check_in_needs_a_score_and_every_other_kind_its_text() {
        for kind in AftercareNoteKind::ALL.iter().copied() {
            let text = AftercareNote { text: Some("no sun for 24 hours".to_owned()), ..note(kind) };
            let score = AftercareNote { pain: Some(0), ..note(kind) };
            if kind == AftercareNoteKind::CheckIn {
                assert_eq!((faults(&text), faults(&score)), (vec!["redness".to_owned()], Vec::new()));
            } else {
                assert_eq!((faults(&text), faults(&score)), (Vec::new(), vec!["text".to_owned()]), "{kind:?}");
            }
        }
    }
}
