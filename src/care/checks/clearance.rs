//! A prescriber's clearance, where the session's location asks for one: for every kind of treatment that the session uses, and
//! each of its areas. Whether it must be given face to face is the location's policy: the law differs by place (NMC, face to
//! face since 2025-06-01; the states of the US differ).

use super::answers::{Answers, verdict, words_of};
use super::facts::{ClearanceFact, Facts};
use crate::clearance::Clearance;
use crate::organisation::ClearancePolicy;
use crate::session::{CheckCode, CheckRule, CheckVerdict, Reason};
use crate::vocabulary::{BodyArea, Modality, RecordKind};

pub(super) fn clearance(answers: &mut Answers<'_>) {
    let Some(asked) = answers.facts.clearance else { return };
    if asked.policy == ClearancePolicy::None {
        return;
    }
    let facts = answers.facts;
    for modality in facts.uses {
        if let Some(reason) = lacks(facts, asked, *modality) {
            let reason = reason.with_word("modality", modality.as_str());
            answers.add(CheckRule::Clearance, verdict(asked.blocks), reason, None);
        }
    }
    if !answers.found.iter().any(|it| it.rule == CheckRule::Clearance) {
        let by = asked.given.iter().find(|it| facts.uses.iter().any(|modality| it.covers(*modality)));
        let record = by.map(|it| (RecordKind::Clearance, it.id));
        let reason = CheckCode::Passed.says("a prescriber's clearance covers this session");
        answers.add(CheckRule::Clearance, CheckVerdict::Pass, reason, record);
    }
}

/// What a kind of treatment of the session lacks.
fn lacks(facts: &Facts<'_>, asked: ClearanceFact<'_>, modality: Modality) -> Option<Reason> {
    let in_force = |it: &&Clearance| it.in_force(facts.started_at, facts.day) && it.covers(modality);
    let there: Vec<&Clearance> = asked.given.iter().filter(in_force).collect();
    let words = modality.words();
    if there.is_empty() {
        let cause = format!("no clearance by a prescriber is in force for {words}, and this location asks for one");
        return Some(CheckCode::ClearanceMissing.says(cause));
    }
    let face_to_face = asked.policy == ClearancePolicy::InPerson;
    let fit: Vec<&Clearance> = there.into_iter().filter(|it| it.in_person || !face_to_face).collect();
    if fit.is_empty() {
        let cause = format!("the clearance for {words} was not given face to face, as this location asks");
        return Some(CheckCode::ClearanceNotFaceToFace.says(cause));
    }
    let mut bare: Vec<BodyArea> = facts.areas.iter().map(|it| it.area).collect();
    bare.sort_unstable();
    bare.dedup();
    bare.retain(|area| !fit.iter().any(|it| it.covers_area(*area)));
    let named: Vec<String> = bare.iter().map(|area| area.words()).collect();
    let cause = || format!("no clearance for {words} covers {}", named.join(", "));
    let areas = words_of(bare.iter().map(|area| area.as_str()));
    (!bare.is_empty()).then(|| CheckCode::ClearanceNotForArea.says(cause()).with("areas", areas))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Case, day, given, noon};
    use super::*;

    /// What CLEARANCE says of a session on 15 June that needles the left cheek.
    fn said(policy: ClearancePolicy, blocks: bool, given: Vec<Clearance>, uses: &[Modality]) -> Vec<CheckVerdict> {
        let case = Case { clearance: Some((policy, blocks, given)), uses: uses.to_vec(), ..Case::fine() };
        let found = case.checks().into_iter().filter(|it| it.rule == CheckRule::Clearance);
        found.map(|it| it.verdict).collect()
    }

    #[test]
    fn a_location_that_asks_for_none_gets_no_answer() {
        assert!(said(ClearancePolicy::None, true, Vec::new(), &[Modality::Microneedling]).is_empty());
    }

    #[test]
    fn a_clearance_covers_its_treatments_areas_and_days() {
        use ClearancePolicy::{AnyMode, InPerson};
        let needles = [Modality::Microneedling];
        let remote = Clearance { in_person: false, ..given() };
        let table = [
            ("none", AnyMode, Vec::new(), false),
            ("one", AnyMode, vec![given()], true),
            ("one at a distance", AnyMode, vec![remote.clone()], true),
            ("one at a distance, face to face asked", InPerson, vec![remote], false),
            ("one face to face", InPerson, vec![given()], true),
            ("of another treatment", AnyMode, vec![Clearance { modalities: vec![Modality::Prp], ..given() }], false),
            ("of another area", AnyMode, vec![Clearance { areas: vec![BodyArea::Scalp], ..given() }], false),
            (
                "of this area too",
                AnyMode,
                vec![Clearance { areas: vec![BodyArea::Scalp, BodyArea::Cheek], ..given() }],
                true,
            ),
            ("given later", AnyMode, vec![Clearance { given_at: noon(day(6, 20)), ..given() }], false),
            ("until the day before", AnyMode, vec![Clearance { valid_until: Some(day(6, 14)), ..given() }], false),
            ("until that day", AnyMode, vec![Clearance { valid_until: Some(day(6, 15)), ..given() }], true),
            ("revoked before", AnyMode, vec![Clearance { revoked_at: Some(noon(day(6, 10))), ..given() }], false),
            ("revoked after", AnyMode, vec![Clearance { revoked_at: Some(noon(day(6, 20))), ..given() }], true),
            ("entered in error", AnyMode, vec![Clearance { entered_in_error: true, ..given() }], false),
        ];
        for (name, policy, given, covered) in table {
            for (blocks, wrong) in [(false, CheckVerdict::Warn), (true, CheckVerdict::Block)] {
                let expected = if covered { CheckVerdict::Pass } else { wrong };
                assert_eq!(said(policy, blocks, given.clone(), &needles), [expected], "{name}");
            }
        }
    }

    #[test]
    fn every_kind_of_treatment_that_the_session_uses_needs_one() {
        let uses = [Modality::Microneedling, Modality::Prp];
        assert_eq!(said(ClearancePolicy::AnyMode, false, vec![given()], &uses), [CheckVerdict::Warn]);
        let both = Clearance { modalities: uses.to_vec(), ..given() };
        assert_eq!(said(ClearancePolicy::AnyMode, false, vec![both], &uses), [CheckVerdict::Pass]);
    }
}
