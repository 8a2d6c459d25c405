//! A consultation that is signed, is about the same part of the body and is still valid.

use super::answers::{Answers, before, verdict};
use super::facts::{Tissue, tissue};
use crate::consultation::{Candidacy, ConsultationMode};
use crate::session::{CheckCode, CheckRule, Reason};
use crate::vocabulary::RecordKind;
use chrono::Days;

/// Days that a consultation holds where no protocol says how many: those of the default protocols.
const VALID_DAYS: i32 = 365;

pub(super) fn consultation(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    let blocks = verdict(facts.blocks(|it| it.consultation));
    let Some(held) = facts.consultation else {
        let reason = CheckCode::ConsultationMissing.says("there is no consultation before this session");
        return answers.add(CheckRule::Consultation, blocks, reason, Some((RecordKind::Patient, facts.patient)));
    };
    let record = Some((RecordKind::Consultation, held.id));
    let on = held.held_on;
    let mut told = |reason: Reason| answers.add(CheckRule::Consultation, blocks, reason.with("heldOn", on), record);
    let days = facts.figures().map(|it| it.rules.consultation_valid_days).min().unwrap_or(VALID_DAYS);
    let days = Days::new(u64::try_from(days).unwrap_or(0));
    let until = held.valid_until.or_else(|| held.held_on.checked_add_days(days));
    if let Some(until) = until.filter(|until| facts.day > *until) {
        let cause = format!("the consultation of {on} held until {until}{}", before(facts.day, until));
        told(CheckCode::ConsultationOutdated.says(cause).with("validUntil", until));
    }
    if !held.signed {
        told(CheckCode::ConsultationUnsigned.says(format!("the consultation of {on} is not signed")));
    }
    if held.candidacy != Some(Candidacy::Suitable) {
        let found = held.candidacy.map_or_else(|| "not decided".to_owned(), Candidacy::words);
        let reason = CheckCode::NotFoundSuitable.says(format!("the consultation of {on} found the patient {found}"));
        told(reason.with_some("candidacy", held.candidacy.map(|it| it.as_str().to_uppercase())));
    }
    if facts.consultation_in_person && held.mode != ConsultationMode::InPerson {
        let cause = format!("the consultation of {on} was held by telehealth; this place asks for one face to face");
        told(CheckCode::ConsultationNotFaceToFace.says(cause));
    }
    let treated = |part| facts.areas.iter().any(|it| tissue(it.area) == part);
    for (part, word, words) in [(Tissue::Hair, "hair", "hair and scalp"), (Tissue::Skin, "skin", "skin")] {
        if treated(part) && !held.about.is_empty() && !held.about.contains(&part) {
            let reason =
                CheckCode::ConsultationOfOtherPart.says(format!("the consultation of {on} was not about {words}"));
            told(reason.with_word("part", word));
        }
    }
    answers.pass(CheckRule::Consultation, "a consultation that found the patient suitable still holds");
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Case, day};
    use super::*;
    use crate::care::checks::facts::{AreaFact, ConsultationFact};
    use crate::ids;
    use crate::session::CheckVerdict;
    use crate::vocabulary::{BodyArea, Side};
    use chrono::NaiveDate;

    #[test]
    fn a_consultation_must_be_signed_still_hold_and_have_found_them_suitable() {
        let held = |held_on, valid_until, candidacy| ConsultationFact {
            id: ids::new_id(),
            held_on,
            valid_until,
            candidacy,
            mode: ConsultationMode::InPerson,
            signed: true,
            about: vec![Tissue::Skin],
        };
        let suitable = Some(Candidacy::Suitable);
        let year_ago = NaiveDate::from_ymd_opt(2025, 6, 15).expect("a day");
        let fine = held(day(5, 1), None, suitable);
        let table = [
            ("a draft", Some(ConsultationFact { signed: false, ..fine.clone() }), 1),
            ("about hair", Some(ConsultationFact { about: vec![Tissue::Hair], ..fine.clone() }), 1),
            ("about both", Some(ConsultationFact { about: vec![Tissue::Hair, Tissue::Skin], ..fine.clone() }), 0),
            ("does not say", Some(ConsultationFact { about: vec![], ..fine.clone() }), 0),
            ("a year ago to the day", Some(held(year_ago, None, suitable)), 0),
            ("a day more", Some(held(year_ago.pred_opt().expect("a day"), None, suitable)), 1),
            ("says itself until when", Some(held(year_ago, Some(day(6, 14)), suitable)), 1),
            ("says itself, longer", Some(held(year_ago.pred_opt().expect("a day"), Some(day(6, 15)), suitable)), 0),
            ("deferred", Some(held(day(5, 1), None, Some(Candidacy::Deferred))), 1),
            ("not decided", Some(held(day(5, 1), None, None)), 1),
            ("none", None, 1),
        ];
        for (name, consultation, expected) in table {
            let found = Case { consultation, ..Case::fine() }.against();
            assert_eq!(found, vec![(CheckRule::Consultation, CheckVerdict::Warn); expected], "{name}");
        }
        let scalp = AreaFact { area: BodyArea::Scalp, side: Side::Midline, depth_mm: None };
        let hair = Case { areas: vec![scalp], ..Case::fine() };
        assert_eq!(hair.against(), [(CheckRule::Consultation, CheckVerdict::Warn)], "the scalp after one about skin");
    }
}
