//! Consultations: what the patient wants, what was found, whether they can be treated and what is recommended.

mod filter;
pub mod loader;
pub mod store;

pub use filter::{Filter, OrderBy};

use crate::ledger::Record;
use crate::record::{Signature, Stamp};
use crate::signing::Missing;
use crate::vocabulary::{Concern, RecordKind, vocabulary};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

vocabulary! {
    /// How a consultation was held.
    ConsultationMode {
        /// Face to face.
        InPerson = "in_person",
        /// By video or telephone.
        Telehealth = "telehealth",
    }
}

vocabulary! {
    /// The shape of a sunken scar.
    ScarType {
        /// Deep and narrow.
        Icepick = "icepick",
        /// Broad, with steep edges.
        Boxcar = "boxcar",
        /// Broad, with sloping edges.
        Rolling = "rolling",
    }
}

vocabulary! {
    /// Whether a patient can be treated.
    Candidacy {
        /// Yes.
        Suitable = "suitable",
        /// Not yet; the reasons say until when or until what.
        Deferred = "deferred",
        /// No.
        Unsuitable = "unsuitable",
    }
}

vocabulary! {
    /// The reaction of the skin to a patch test.
    PatchTestResult {
        /// Not at all.
        None = "none",
        /// Mildly.
        Mild = "mild",
        /// Strongly.
        Strong = "strong",
    }
}

/// A product tried on a small patch of skin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchTest {
    /// Where on the body.
    pub site: String,
    /// When it was put on.
    pub performed_at: DateTime<Utc>,
    /// What was tried.
    pub product: String,
    /// The reaction of the skin; none until it has been read.
    pub result: Option<PatchTestResult>,
    /// Remarks.
    pub note: Option<String>,
}

/// A consultation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Consultation {
    /// Its id.
    pub id: Uuid,
    /// The patient whom the record is about.
    pub patient_id: Uuid,
    /// The practitioner who held it.
    pub practitioner_id: Uuid,
    /// Where it took place.
    pub location_id: Option<Uuid>,
    /// When it was held.
    pub held_at: DateTime<Utc>,
    /// How it was held.
    pub mode: ConsultationMode,
    /// What the patient wants treated, each once.
    pub concerns: Vec<Concern>,
    /// What the patient hopes for.
    pub goals: Option<String>,
    /// What the examination showed.
    pub findings: Option<String>,
    /// The shapes of the scars, each once.
    pub scar_types: Vec<ScarType>,
    /// What was done before, here or elsewhere.
    pub prior_procedures: Option<String>,
    /// Whether realistic expectations were discussed: scars improve but seldom disappear, and results are not
    /// permanent.
    pub expectations_discussed: Option<bool>,
    /// Whether the patient can be treated.
    pub candidacy: Option<Candidacy>,
    /// The reasons for or against.
    pub candidacy_reasons: Option<String>,
    /// What is recommended.
    pub recommended_plan: Option<String>,
    /// The patch test.
    pub patch_test: Option<PatchTest>,
    /// The last day on which a treatment may rely on it.
    pub valid_until: Option<NaiveDate>,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
    /// The signature.
    pub signature: Option<Signature>,
}

impl Record for Consultation {
    const KIND: RecordKind = RecordKind::Consultation;
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

/// What a consultation lacks before it can be signed, all at once.
pub fn missing(consultation: &Consultation) -> Missing {
    let mut missing = Missing::default();
    missing.unless(!consultation.concerns.is_empty(), "concerns", "are missing: what does the patient want treated?");
    missing.unless(
        !consultation.concerns.contains(&Concern::Other) || consultation.goals.is_some(),
        "goals",
        "are missing: what is the OTHER concern?",
    );
    missing.unless(consultation.findings.is_some(), "findings", "are missing: what did the examination show?");
    missing.unless(
        consultation.expectations_discussed == Some(true),
        "expectationsDiscussed",
        "must be true: realistic expectations are part of every consultation",
    );
    match consultation.candidacy {
        None => missing.unless(false, "candidacy", "is missing: can the patient be treated?"),
        Some(Candidacy::Suitable) => missing.unless(
            consultation.recommended_plan.is_some(),
            "recommendedPlan",
            "is missing: what is recommended to this suitable patient?",
        ),
        Some(candidacy) => missing.unless(
            consultation.candidacy_reasons.is_some(),
            "candidacyReasons",
            &format!("are missing: why is the patient {}?", candidacy.words()),
        ),
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::ids;

    fn consultation() -> Consultation {
        let id = ids::new_id();
        Consultation {
            id,
            patient_id: id,
            practitioner_id: id,
            location_id: None,
            held_at: ids::now(),
            mode: ConsultationMode::InPerson,
            concerns: Vec::new(),
            goals: None,
            findings: None,
            scar_types: Vec::new(),
            prior_procedures: None,
            expectations_discussed: None,
            candidacy: None,
            candidacy_reasons: None,
            recommended_plan: None,
            patch_test: None,
            valid_until: None,
            stamp: Stamp::new(Some(id), ids::now()),
            signature: None,
        }
    }

    fn complete() -> Consultation {
        Consultation {
            concerns: vec![Concern::AcneScars],
            findings: Some("rolling scars on both cheeks".to_owned()),
            expectations_discussed: Some(true),
            candidacy: Some(Candidacy::Suitable),
            recommended_plan: Some("four sessions, four weeks apart".to_owned()),
            ..consultation()
        }
    }

    fn faults(consultation: &Consultation) -> Vec<String> {
        match missing(consultation).into_result() {
            Ok(()) => Vec::new(),
            Err(Error::BadUserInput(faults)) => faults.into_iter().map(|fault| fault.path).collect(),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn everything_that_is_missing_is_told_at_once() {
        assert_eq!(faults(&consultation()), ["concerns", "findings", "expectationsDiscussed", "candidacy"]);
        assert!(faults(&complete()).is_empty());
    }

    #[test]
    fn expectations_that_were_not_discussed_are_missing() {
        let consultation = Consultation { expectations_discussed: Some(false), ..complete() };
        assert_eq!(faults(&consultation), ["expectationsDiscussed"]);
    }

    #[test]
    fn who_is_suitable_needs_a_plan_and_who_is_not_needs_reasons() {
        assert_eq!(faults(&Consultation { recommended_plan: None, ..complete() }), ["recommendedPlan"]);
        for candidacy in [Candidacy::Deferred, Candidacy::Unsuitable] {
            let mut consultation = Consultation { candidacy: Some(candidacy), recommended_plan: None, ..complete() };
            assert_eq!(faults(&consultation), ["candidacyReasons"]);
            consultation.candidacy_reasons = Some("active herpes simplex".to_owned());
            assert!(faults(&consultation).is_empty());
        }
    }

    #[test]
    fn another_concern_is_named_in_the_goals() {
        assert_eq!(faults(&Consultation { concerns: vec![Concern::Other], ..complete() }), ["goals"]);
    }
}
