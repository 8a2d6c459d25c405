//! The plain kinds of a patient's records: one row each, from which the tables of the tests are made. `docs` and the
//! schema say the rest.
//!
//! A kind is plain if it is made, changed and marked as entered in error, has a list of its own and one at the patient.
//! What is more of it (a signature, parts) stands beside the rows of this table in the tables that it feeds, and its rules
//! in a file of its own.

use super::{Made, SignedIn, Value, hours_ago, json};
use crate::access::{CLINICAL, PRACTITIONER, Rights};

/// What the tests know of a plain kind.
pub struct PlainKind {
    /// Its word: its table, and its kind in the ledger.
    pub table: &'static str,
    /// Its type in the API.
    pub ty: &'static str,
    /// What the chart of the tables calls one of them, `$outcome`; what its ids begin with, too.
    pub key: &'static str,
    /// The root field of one, which is that of its payload.
    pub one: &'static str,
    /// The root field of its list.
    pub list: &'static str,
    /// Its list in Patient and in PatientChart.
    pub of_patient: &'static str,
    /// What its lists can be sorted by.
    pub orders: &'static [&'static str],
    /// Every field of its type.
    pub fields: &'static str,
    /// Links of its rows that ask the database again.
    pub nested: &'static str,
    /// Who reads it.
    pub readers: Rights,
    /// Who makes and changes it.
    pub writers: Rights,
    /// The mutation that makes one.
    pub made_with: &'static str,
    /// What that is sent: by whom, of which patient, after which session if there is one, with this text.
    pub input: fn(&SignedIn, &str, Option<&str>, &str) -> Value,
    /// The mutations that change one, each with what it is sent beside id and version, by whom.
    pub changed_with: &'static [(&'static str, MakesInput)],
}

/// Makes what a mutation takes beside the id and the version.
type MakesInput = fn(&SignedIn) -> Value;

/// Every plain kind.
pub const PLAIN: &[PlainKind] = &[OUTCOME, HEALTH_REVIEW, CLEARANCE];

/// Outcome assessments, the model.
const OUTCOME: PlainKind = PlainKind {
    table: "outcome_assessment",
    ty: "OutcomeAssessment",
    key: "outcome",
    one: "outcomeAssessment",
    list: "outcomeAssessments",
    of_patient: "outcomes",
    orders: &["ASSESSED_AT", "CREATED_AT", "UPDATED_AT"],
    fields: "id patient planId session scale area score raterRole rater assessedAt comparedWithPhotoId photoId note \
        enteredInError version createdAt createdBy updatedAt updatedBy history",
    nested: "rater { displayName } session { status }",
    readers: CLINICAL,
    writers: PRACTITIONER,
    made_with: "recordOutcome",
    input: |by, patient, session, text| {
        json!({"patientId": patient, "sessionId": session, "scale": "gais", "scaleVersion": "1-to-5", "score": "2",
            "raterRole": "BLINDED", "raterId": by.id(), "assessedAt": hours_ago(1), "note": text})
    },
    changed_with: &[
        ("updateOutcome", |_| json!({"patch": {"score": "2"}})),
        ("markOutcomeEnteredInError", |_| json!({})),
    ],
};

/// Reviews of the health history.
const HEALTH_REVIEW: PlainKind = PlainKind {
    table: "health_review",
    ty: "HealthReview",
    key: "review",
    one: "healthReview",
    list: "healthReviews",
    of_patient: "healthReviews",
    orders: &["REVIEWED_AT", "CREATED_AT", "UPDATED_AT"],
    fields: "id patient reviewedAt reviewedBy allergies medicines conditions pregnancy note enteredInError errorReason \
        version createdAt createdBy updatedAt updatedBy history",
    nested: "reviewedBy { displayName }",
    readers: CLINICAL,
    writers: PRACTITIONER,
    made_with: "recordHealthReview",
    input: |_, patient, _, text| {
        json!({"patientId": patient, "reviewedAt": hours_ago(1), "conditions": "LISTED", "medicines": "DECLINED",
            "note": text})
    },
    changed_with: &[("markHealthReviewEnteredInError", |_| json!({"reason": "Of another patient"}))],
};

/// Clearances by a prescriber: the practitioner of the template has the credential.
const CLEARANCE: PlainKind = PlainKind {
    table: "clearance",
    ty: "Clearance",
    key: "clearance",
    one: "clearance",
    list: "clearances",
    of_patient: "clearances",
    orders: &["GIVEN_AT", "CREATED_AT", "UPDATED_AT"],
    fields: "id patient prescriber modalities areas inPerson givenAt validUntil note revokedAt revokedBy revokeReason \
        enteredInError version createdAt createdBy updatedAt updatedBy history",
    nested: "prescriber { displayName }",
    readers: CLINICAL,
    writers: PRACTITIONER,
    made_with: "giveClearance",
    input: |_, patient, _, text| {
        json!({"patientId": patient, "modalities": ["MICRONEEDLING"], "areas": ["CHEEK"], "inPerson": true,
            "givenAt": hours_ago(1), "note": text})
    },
    changed_with: &[
        ("revokeClearance", |_| json!({"reason": "A new medicine"})),
        ("markClearanceEnteredInError", |_| json!({})),
    ],
};

impl PlainKind {
    /// Makes one of a patient.
    pub async fn make(&self, by: &SignedIn, patient: &Made, text: &str) -> Made {
        by.make(self.made_with, self.one, (self.input)(by, &patient.id, None, text)).await
    }

    /// Its mutations, the first of which makes one, each with what the ledger calls it.
    pub fn mutations(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        [(self.made_with, "create")].into_iter().chain(self.changed_with.iter().map(|(name, _)| (*name, "update")))
    }
}
