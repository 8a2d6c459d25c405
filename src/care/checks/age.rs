//! The patient's age on the day of the session, against the ages that the protocols are for.

use super::answers::{Answers, verdict};
use crate::session::{CheckCode, CheckRule};

pub(super) fn age(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    let age = facts.day.years_since(facts.born).and_then(|years| i32::try_from(years).ok()).unwrap_or(0);
    let least = facts.figures().filter_map(|it| it.rules.age_min).max();
    let most = facts.figures().filter_map(|it| it.rules.age_max).min();
    let blocks = verdict(facts.blocks(|it| it.age));
    if let Some(least) = least.filter(|least| age < *least) {
        let reason = CheckCode::TooYoung.says(format!("the patient is {age}; the protocol is for ages from {least}"));
        answers.add(CheckRule::Age, blocks, reason.with("age", age).with("minAge", least), None);
    }
    if let Some(most) = most.filter(|most| age > *most) {
        let reason = CheckCode::TooOld.says(format!("the patient is {age}; the protocol is for ages up to {most}"));
        answers.add(CheckRule::Age, blocks, reason.with("age", age).with("maxAge", most), None);
    }
    answers.pass_by_protocol(CheckRule::Age, "the protocol is for this age, or for any");
}

#[cfg(test)]
mod tests {
    use super::super::tests::Case;
    use super::*;
    use crate::session::CheckVerdict::{Block, Warn};
    use crate::vocabulary::Modality;
    use chrono::NaiveDate;

    #[test]
    fn a_protocol_is_for_its_ages() {
        let born = |year, month, day| NaiveDate::from_ymd_opt(year, month, day).expect("a day");
        let mut case = Case::fine();
        (case.rules.age_min, case.rules.age_max) = (Some(18), Some(70));
        for (birth, expected) in [
            (born(2020, 6, 15), 1),
            (born(2008, 6, 16), 1),
            (born(2008, 6, 15), 0),
            (born(1955, 6, 16), 0),
            (born(1955, 6, 15), 1),
        ] {
            let found = Case { born: birth, ..case.clone() }.against();
            assert_eq!(found, vec![(CheckRule::Age, Warn); expected], "{birth}");
        }
        let child = Case { born: born(2012, 1, 1), ..case.clone() };
        let mut blocking = child.clone();
        blocking.rules.blocks.age = true;
        assert_eq!(blocking.against(), [(CheckRule::Age, Block)]);
        let mut strict = case.rules.clone();
        strict.age_min = Some(40);
        let used = Case { others: vec![(Modality::Prp, strict)], born: born(1990, 1, 1), ..case };
        assert_eq!(used.against(), [(CheckRule::Age, Warn)], "the strictest of what it uses");
    }
}
