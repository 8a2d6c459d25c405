//! A consultation that is still valid.

use super::answers::{Answers, before, verdict};
use crate::consultation::Candidacy;
use crate::session::CheckRule;
use crate::vocabulary::RecordKind;
use chrono::Days;

pub(super) fn consultation(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    let blocks = verdict(facts.rules.blocks.consultation);
    let Some(held) = facts.consultation else {
        let cause = "there is no consultation before this session".to_owned();
        return answers.add(CheckRule::Consultation, blocks, cause, Some((RecordKind::Patient, facts.patient)));
    };
    let record = Some((RecordKind::Consultation, held.id));
    let days = Days::new(u64::try_from(facts.rules.consultation_valid_days).unwrap_or(0));
    let until = held.valid_until.or_else(|| held.held_on.checked_add_days(days));
    if let Some(until) = until.filter(|until| facts.day > *until) {
        let cause = format!("the consultation of {} held until {until}{}", held.held_on, before(facts.day, until));
        answers.add(CheckRule::Consultation, blocks, cause, record);
    }
    if held.candidacy != Some(Candidacy::Suitable) {
        let found = held.candidacy.map_or_else(|| "not decided".to_owned(), Candidacy::words);
        let cause = format!("the consultation of {} found the patient {found}", held.held_on);
        answers.add(CheckRule::Consultation, blocks, cause, record);
    }
    answers.pass(CheckRule::Consultation, "a consultation that found the patient suitable still holds");
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Case, day};
    use super::*;
    use crate::care::checks::facts::ConsultationFact;
    use crate::ids;
    use crate::session::CheckVerdict;
    use chrono::NaiveDate;

    #[test]
    fn a_consultation_must_still_hold_and_have_found_them_suitable() {
        let held = |held_on, valid_until, candidacy| {
            Some(ConsultationFact { id: ids::new_id(), held_on, valid_until, candidacy })
        };
        let suitable = Some(Candidacy::Suitable);
        let year_ago = NaiveDate::from_ymd_opt(2025, 6, 15).expect("a day");
        let table = [
            ("a year ago to the day", held(year_ago, None, suitable), 0),
            ("a day more", held(year_ago.pred_opt().expect("a day"), None, suitable), 1),
            ("says itself until when", held(year_ago, Some(day(6, 14)), suitable), 1),
            ("says itself, longer", held(year_ago.pred_opt().expect("a day"), Some(day(6, 15)), suitable), 0),
            ("deferred", held(day(5, 1), None, Some(Candidacy::Deferred)), 1),
            ("not decided", held(day(5, 1), None, None), 1),
            ("none", None, 1),
        ];
        for (name, consultation, expected) in table {
            let found = Case { consultation, ..Case::fine() }.against();
            assert_eq!(found, vec![(CheckRule::Consultation, CheckVerdict::Warn); expected], "{name}");
        }
    }
}
