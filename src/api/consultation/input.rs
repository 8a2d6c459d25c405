//! Consultations as inputs: new ones, patches, patch tests.

use crate::consultation::{Candidacy, Consultation, ConsultationMode, PatchTest, PatchTestResult, ScarType};
use crate::error::{Code, Result};
use crate::ids;
use crate::operation::{Inputs, patched};
use crate::record::Stamp;
use crate::scalars::{Date, DateTime};
use crate::vocabulary::{Concern, RecordKind};
use async_graphql::{ID, InputObject, MaybeUndefined};
use chrono::TimeDelta;

/// The maximum length of goals, prior procedures and reasons, in characters.
const SHORT_TEXT: usize = 5000;
/// The maximum length of findings and of the recommended plan, in characters.
const LONG_TEXT: usize = 20_000;

/// A product tried on a small patch of skin.
#[derive(InputObject)]
pub struct PatchTestInput {
    /// Where on the body, at most 200 characters.
    site: String,
    /// When it was put on.
    performed_at: DateTime,
    /// What was tried, at most 200 characters.
    product: String,
    /// The reaction of the skin; absent until it has been read.
    result: Option<PatchTestResult>,
    /// Remarks, at most 2000 characters.
    note: Option<String>,
}

impl PatchTestInput {
    fn read(&self, inputs: &mut Inputs, path: &str) -> PatchTest {
        let field = |name: &str| format!("{path}.{name}");
        PatchTest {
            site: inputs.text(&field("site"), &self.site, 200),
            performed_at: inputs.past_time(&field("performedAt"), self.performed_at.0),
            product: inputs.text(&field("product"), &self.product, 200),
            result: self.result,
            note: inputs.opt_text(&field("note"), self.note.as_deref(), 2000),
        }
    }
}

/// Records a consultation as a draft. Whatever is not known yet can be filled in until it is signed.
#[derive(InputObject)]
pub struct RecordConsultationInput {
    /// An id made by the client, which makes a retry safe: `consultation_` and a UUIDv7 in 26 characters (see `Node.id`).
    /// Absent: the service makes one.
    pub(super) id: Option<ID>,
    /// `patient_…`
    patient_id: ID,
    /// The practitioner who held it; you when absent.
    practitioner_id: Option<ID>,
    /// `location_…`
    location_id: Option<ID>,
    /// When it was held; now when absent.
    held_at: Option<DateTime>,
    /// How it was held.
    mode: ConsultationMode,
    /// What the patient wants treated.
    #[graphql(default)]
    concerns: Vec<Concern>,
    /// What the patient hopes for, at most 5000 characters.
    goals: Option<String>,
    /// What the examination showed, at most 20,000 characters.
    findings: Option<String>,
    /// The shapes of the scars.
    #[graphql(default)]
    scar_types: Vec<ScarType>,
    /// What was done before, here or elsewhere, at most 5000 characters.
    prior_procedures: Option<String>,
    /// Whether realistic expectations were discussed: scars improve but seldom disappear, and results are not
    /// permanent.
    expectations_discussed: Option<bool>,
    /// The patient's suitability for treatment; null while it is not decided.
    candidacy: Option<Candidacy>,
    /// The reasons for or against, at most 5000 characters.
    candidacy_reasons: Option<String>,
    /// What is recommended, at most 20,000 characters.
    recommended_plan: Option<String>,
    /// The test of a product on a small patch of skin; null if none was made.
    patch_test: Option<PatchTestInput>,
    /// The last day on which a treatment may rely on it; not before the day it was held.
    valid_until: Option<Date>,
}

impl RecordConsultationInput {
    /// Checks the input. The practitioner id is nil when the sender is meant; who created the record is not filled in.
    pub(super) fn read(self) -> Result<Consultation> {
        let mut inputs = Inputs::new();
        let consultation = Consultation {
            id: inputs.new_id(RecordKind::Consultation, self.id.as_ref()),
            patient_id: inputs.id("patientId", RecordKind::Patient, &self.patient_id),
            practitioner_id: inputs
                .opt_id("practitionerId", RecordKind::Staff, self.practitioner_id.as_ref())
                .unwrap_or_default(),
            location_id: inputs.opt_id("locationId", RecordKind::Location, self.location_id.as_ref()),
            held_at: self.held_at.map_or_else(ids::now, |time| inputs.past_time("heldAt", time.0)),
            mode: self.mode,
            concerns: each_once(self.concerns),
            goals: inputs.opt_text("goals", self.goals.as_deref(), SHORT_TEXT),
            findings: inputs.opt_text("findings", self.findings.as_deref(), LONG_TEXT),
            scar_types: each_once(self.scar_types),
            prior_procedures: inputs.opt_text("priorProcedures", self.prior_procedures.as_deref(), SHORT_TEXT),
            expectations_discussed: self.expectations_discussed,
            candidacy: self.candidacy,
            candidacy_reasons: inputs.opt_text("candidacyReasons", self.candidacy_reasons.as_deref(), SHORT_TEXT),
            recommended_plan: inputs.opt_text("recommendedPlan", self.recommended_plan.as_deref(), LONG_TEXT),
            patch_test: self.patch_test.map(|test| test.read(&mut inputs, "patchTest")),
            valid_until: self.valid_until.map(|date| date.0),
            stamp: Stamp::new(None, ids::now()),
            signature: None,
        };
        check_validity(&mut inputs, "", &consultation);
        inputs.finish()?;
        Ok(consultation)
    }
}

/// Changes to a consultation. An absent field stays as it is; null clears it. `concerns` and `scarTypes` replace the
/// whole list.
#[derive(InputObject)]
pub struct ConsultationPatch {
    /// The practitioner who held it.
    practitioner_id: Option<ID>,
    /// `location_…`
    location_id: MaybeUndefined<ID>,
    /// When it was held.
    held_at: Option<DateTime>,
    /// How it was held.
    mode: Option<ConsultationMode>,
    /// Everything the patient wants treated.
    concerns: MaybeUndefined<Vec<Concern>>,
    /// What the patient hopes for, at most 5000 characters.
    goals: MaybeUndefined<String>,
    /// What the examination showed, at most 20,000 characters.
    findings: MaybeUndefined<String>,
    /// The shapes of all the scars.
    scar_types: MaybeUndefined<Vec<ScarType>>,
    /// What was done before, here or elsewhere, at most 5000 characters.
    prior_procedures: MaybeUndefined<String>,
    /// Whether realistic expectations were discussed: scars improve but seldom disappear, and results are not
    /// permanent.
    expectations_discussed: MaybeUndefined<bool>,
    /// The patient's suitability for treatment; null while it is not decided.
    candidacy: MaybeUndefined<Candidacy>,
    /// The reasons for or against, at most 5000 characters.
    candidacy_reasons: MaybeUndefined<String>,
    /// What is recommended, at most 20,000 characters.
    recommended_plan: MaybeUndefined<String>,
    /// The whole patch test.
    patch_test: MaybeUndefined<PatchTestInput>,
    /// The last day on which a treatment may rely on it; not before the day it was held.
    valid_until: MaybeUndefined<Date>,
}

impl ConsultationPatch {
    /// The consultation after the patch, or every fault at once.
    pub(super) fn apply(self, before: &Consultation) -> Result<Consultation> {
        let mut inputs = Inputs::new();
        let location = inputs.patch("patch.locationId", self.location_id, |inputs, path, id| {
            Some(inputs.id(path, RecordKind::Location, &id))
        });
        let goals = inputs.patch_text("patch.goals", self.goals, SHORT_TEXT);
        let findings = inputs.patch_text("patch.findings", self.findings, LONG_TEXT);
        let prior_procedures = inputs.patch_text("patch.priorProcedures", self.prior_procedures, SHORT_TEXT);
        let reasons = inputs.patch_text("patch.candidacyReasons", self.candidacy_reasons, SHORT_TEXT);
        let plan = inputs.patch_text("patch.recommendedPlan", self.recommended_plan, LONG_TEXT);
        let patch_test = self.patch_test.map_value(|test| test.read(&mut inputs, "patch.patchTest"));
        let concerns = self.concerns.map_value(each_once);
        let scar_types = self.scar_types.map_value(each_once);
        let after = Consultation {
            practitioner_id: inputs
                .opt_id("patch.practitionerId", RecordKind::Staff, self.practitioner_id.as_ref())
                .unwrap_or(before.practitioner_id),
            location_id: patched(location, before.location_id),
            held_at: self.held_at.map_or(before.held_at, |time| inputs.past_time("patch.heldAt", time.0)),
            mode: self.mode.unwrap_or(before.mode),
            concerns: patched(concerns, Some(before.concerns.clone())).unwrap_or_default(),
            goals: patched(goals, before.goals.clone()),
            findings: patched(findings, before.findings.clone()),
            scar_types: patched(scar_types, Some(before.scar_types.clone())).unwrap_or_default(),
            prior_procedures: patched(prior_procedures, before.prior_procedures.clone()),
            expectations_discussed: patched(self.expectations_discussed, before.expectations_discussed),
            candidacy: patched(self.candidacy, before.candidacy),
            candidacy_reasons: patched(reasons, before.candidacy_reasons.clone()),
            recommended_plan: patched(plan, before.recommended_plan.clone()),
            patch_test: patched(patch_test, before.patch_test.clone()),
            valid_until: patched(self.valid_until.map_value(|date| date.0), before.valid_until),
            ..before.clone()
        };
        check_validity(&mut inputs, "patch.", &after);
        inputs.finish()?;
        Ok(after)
    }
}

/// The values of a list in the order given, without repeats.
fn each_once<T: PartialEq>(words: Vec<T>) -> Vec<T> {
    let mut kept: Vec<T> = Vec::with_capacity(words.len());
    for word in words {
        if !kept.contains(&word) {
            kept.push(word);
        }
    }
    kept
}

/// Checks that a consultation does not expire before it was held. Its day is counted in UTC-12, the last zone to reach
/// it.
fn check_validity(inputs: &mut Inputs, prefix: &str, consultation: &Consultation) {
    let held_on = (consultation.held_at - TimeDelta::hours(12)).date_naive();
    if consultation.valid_until.is_some_and(|until| until < held_on) {
        inputs.fault(&format!("{prefix}validUntil"), Code::WrongOrder.says("is before the consultation was held"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use chrono::NaiveDate;

    fn input() -> RecordConsultationInput {
        RecordConsultationInput {
            id: None,
            patient_id: ID(ids::show(RecordKind::Patient, ids::new_id())),
            practitioner_id: None,
            location_id: None,
            held_at: None,
            mode: ConsultationMode::InPerson,
            concerns: vec![Concern::Wrinkles, Concern::FineLines, Concern::Wrinkles],
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
        }
    }

    fn patch() -> ConsultationPatch {
        use MaybeUndefined::Undefined;
        ConsultationPatch {
            practitioner_id: None,
            location_id: Undefined,
            held_at: None,
            mode: None,
            concerns: Undefined,
            goals: Undefined,
            findings: Undefined,
            scar_types: Undefined,
            prior_procedures: Undefined,
            expectations_discussed: Undefined,
            candidacy: Undefined,
            candidacy_reasons: Undefined,
            recommended_plan: Undefined,
            patch_test: Undefined,
            valid_until: Undefined,
        }
    }

    fn paths(read: Result<Consultation>) -> Vec<String> {
        match read {
            Err(Error::BadUserInput(faults)) => faults.into_iter().map(|fault| fault.path).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_fault_is_told_with_its_path() {
        let faulty = RecordConsultationInput {
            patient_id: ID("?".to_owned()),
            goals: Some("x".repeat(SHORT_TEXT + 1)),
            patch_test: Some(PatchTestInput {
                site: String::new(),
                performed_at: DateTime(ids::now() + TimeDelta::days(1)),
                product: "lidocaine cream".to_owned(),
                result: None,
                note: None,
            }),
            valid_until: NaiveDate::from_ymd_opt(2020, 1, 1).map(Date),
            ..input()
        };
        assert_eq!(
            paths(faulty.read()),
            [
                "input.patientId",
                "input.goals",
                "input.patchTest.site",
                "input.patchTest.performedAt",
                "input.validUntil"
            ]
        );
    }

    #[test]
    fn a_patch_keeps_what_is_absent_and_clears_what_is_null() {
        let before = Consultation { goals: Some("smoother skin".to_owned()), ..input().read().expect("a draft") };
        assert_eq!(before.concerns, [Concern::Wrinkles, Concern::FineLines], "each once");
        assert_eq!(patch().apply(&before).expect("no change"), before);
        let null = ConsultationPatch { goals: MaybeUndefined::Null, concerns: MaybeUndefined::Null, ..patch() };
        let after = null.apply(&before).expect("a change");
        assert_eq!((after.goals, after.concerns), (None, Vec::new()));
    }

    #[test]
    fn a_patch_is_checked_against_what_stays() {
        let before = input().read().expect("a draft");
        let early = MaybeUndefined::Value(Date(NaiveDate::default()));
        assert_eq!(
            paths(ConsultationPatch { valid_until: early, ..patch() }.apply(&before)),
            ["input.patch.validUntil"]
        );
    }
}
