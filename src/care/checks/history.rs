//! Whether the health history was asked at this visit, every part of it. A history that nobody took says nothing.

use super::answers::{Answers, before, words_of};
use super::facts::{Facts, ReviewFact};
use crate::health_review::{HealthReview, ReviewAnswer, ReviewPart};
use crate::session::{CheckCode, CheckRule, CheckVerdict};
use crate::vocabulary::RecordKind;

/// For so many days before the day of a session a review covers it, where no protocol says how many. The history is to be
/// asked at each visit; the day before is for who is asked by phone. No source has a number: the clinic's own guidance.
const REVIEW_DAYS: i32 = 1;

/// The number of days that a review holds: the fewest of the protocols.
fn review_days(facts: &Facts<'_>) -> i32 {
    let days = facts.figures().map(|it| it.rules.history_review_days.unwrap_or(REVIEW_DAYS));
    days.min().unwrap_or(REVIEW_DAYS)
}

/// The reviews that cover the session, the newest first.
fn covering<'f>(facts: &'f Facts<'_>) -> Vec<&'f ReviewFact> {
    let days = i64::from(review_days(facts));
    let covers = |it: &&ReviewFact| !it.kept.entered_in_error && (0..=days).contains(&(facts.day - it.day).num_days());
    let mut found: Vec<&ReviewFact> = facts.reviews.iter().filter(covers).collect();
    found.sort_by_key(|it| std::cmp::Reverse(it.kept.reviewed_at));
    found
}

/// What a part lacks, in words; nothing if the patient said what there is.
fn lacks(facts: &Facts<'_>, covering: &[&ReviewFact], part: ReviewPart) -> Option<String> {
    let words = part.words();
    let told = covering.iter().find_map(|it| Some((&it.kept, it.kept.answers.of(part)?)));
    let Some((review, mut answer)) = told else { return Some(format!("{words}: not asked")) };
    if answer == ReviewAnswer::Unchanged {
        let all: Vec<HealthReview> = facts.reviews.iter().map(|it| it.kept.clone()).collect();
        match review.unchanged_since(part, &all) {
            Some(since) => answer = since,
            None => return Some(format!("{words}: unchanged, and no earlier review says since what")),
        }
    }
    let listed = facts.health.iter().any(|it| it.kind == part.kind() && !it.entered_in_error);
    match answer {
        ReviewAnswer::Declined => Some(format!("{words}: the patient was asked and did not want to say")),
        ReviewAnswer::Listed if !listed => Some(format!("{words}: said to be listed, and none is")),
        _ => None,
    }
}

/// What of the history nobody knows at this visit, part by part.
fn unknown(facts: &Facts<'_>, covering: &[&ReviewFact]) -> Vec<(ReviewPart, String)> {
    ReviewPart::ALL.iter().filter_map(|part| Some((*part, lacks(facts, covering, *part)?))).collect()
}

/// Whether the whole history was asked at this visit, and told.
pub(super) fn is_known(facts: &Facts<'_>) -> bool {
    unknown(facts, &covering(facts)).is_empty()
}

pub(super) fn history(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    let covering = covering(facts);
    let Some(newest) = covering.first() else {
        let within = match review_days(facts) {
            0 => "on the day of this session".to_owned(),
            1 => "on the day of this session or the day before".to_owned(),
            days => format!("on the day of this session or within {days} days before"),
        };
        let last = facts.reviews.iter().filter(|it| !it.kept.entered_in_error && it.day < facts.day);
        let last = last.map(|it| it.day).max();
        let told = last.map(|day| format!("; the last review is of {day}{}", before(facts.day, day)));
        let cause = format!("nobody reviewed the health history {within}{}", told.unwrap_or_default());
        let reason = CheckCode::HistoryNotReviewed.says(cause).with("withinDays", review_days(facts));
        let record = Some((RecordKind::Patient, facts.patient));
        return answers.add(CheckRule::History, CheckVerdict::Warn, reason.with_some("lastOn", last), record);
    };
    let unknown = unknown(facts, &covering);
    if unknown.is_empty() {
        return answers.pass(CheckRule::History, "the health history was reviewed, and every part of it is known");
    }
    let parts: Vec<String> = unknown.iter().map(|(_, lacks)| lacks.clone()).collect();
    let cause = format!("the health history is not known whole, by the review of {}: {}", newest.day, parts.join("; "));
    let reason = CheckCode::HistoryIncomplete.says(cause).with("reviewedOn", newest.day);
    let reason = reason.with("parts", words_of(unknown.iter().map(|(part, _)| part.as_str())));
    answers.add(CheckRule::History, CheckVerdict::Warn, reason, Some((RecordKind::HealthReview, newest.kept.id)));
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Case, day, entry, noon};
    use super::*;
    use crate::health::{HealthEntry, HealthEntryKind};
    use crate::health_review::Answers as Said;
    use ReviewAnswer::{Declined, Listed, NoneKnown, Unchanged};

    fn said(answer: ReviewAnswer) -> Said {
        let answer = Some(answer);
        Said { allergies: answer, medicines: answer, conditions: answer, pregnancy: answer }
    }

    /// A review so many days before the session, 15 June.
    fn review(days: u64, answers: Said) -> ReviewFact {
        let day = day(6, 15) - chrono::Days::new(days);
        let known = ReviewFact::none_known(day, noon(day));
        ReviewFact { kept: HealthReview { answers, ..known.kept }, day }
    }

    fn told(case: &Case) -> Option<String> {
        let found = case.checks().into_iter().filter(|it| it.rule == CheckRule::History);
        found.filter(|it| it.verdict != CheckVerdict::Pass).map(|it| it.cause).next()
    }

    #[test]
    fn a_history_that_nobody_took_is_told_and_not_passed() {
        let none = Case { reviews: Vec::new(), ..Case::fine() };
        assert_eq!(none.against(), [(CheckRule::History, CheckVerdict::Warn)], "it was PASS");
        let of = |case: &Case| {
            let found = case.checks().into_iter().find(|it| it.rule == CheckRule::Contraindication);
            found.map(|it| it.cause).unwrap_or_default()
        };
        assert!(of(&none).contains("nobody"), "{}", of(&none));
        assert_eq!(of(&Case::fine()), "nothing in the health history speaks against it");
        let unnamed = Case { named: false, reviews: Vec::new(), ..Case::fine() };
        assert!(told(&unnamed).is_some(), "without a protocol too");
    }

    #[test]
    fn a_review_covers_the_visit_it_was_made_at_and_says_what_it_lacks() {
        let error = |it: ReviewFact| ReviewFact { kept: HealthReview { entered_in_error: true, ..it.kept }, ..it };
        let mut no_medicines = said(NoneKnown);
        no_medicines.medicines = None;
        let only_medicines = Said { medicines: Some(NoneKnown), ..Said::default() };
        let table: Vec<(&str, Vec<ReviewFact>, Option<&str>)> = vec![
            ("that day", vec![review(0, said(NoneKnown))], None),
            ("the day before", vec![review(1, said(NoneKnown))], None),
            (
                "two days before",
                vec![review(2, said(NoneKnown))],
                Some("the last review is of 2026-06-13, 2 days before"),
            ),
            ("in error", vec![error(review(0, said(NoneKnown)))], Some("nobody")),
            ("declined", vec![review(0, said(Declined))], Some("allergies: the patient was asked and did not want")),
            ("not asked", vec![review(0, no_medicines)], Some(": medicines: not asked")),
            ("the rest asked apart", vec![review(0, only_medicines), review(1, no_medicines)], None),
            ("unchanged", vec![review(0, said(Unchanged)), review(40, said(NoneKnown))], None),
            ("unchanged since nothing", vec![review(0, said(Unchanged))], Some("no earlier review")),
            ("listed and none is", vec![review(0, said(Listed))], Some("said to be listed, and none is")),
            ("unchanged, listed, none is", vec![review(0, said(Unchanged)), review(9, said(Listed))], Some("none is")),
        ];
        for (name, reviews, expected) in table {
            let told = told(&Case { reviews, ..Case::fine() });
            match expected {
                None => assert_eq!(told, None, "{name}"),
                Some(part) => assert!(told.as_ref().is_some_and(|it| it.contains(part)), "{name}: {told:?}"),
            }
        }
        let pill = HealthEntry { kind: HealthEntryKind::Medication, ..entry("combined_contraceptive") };
        let mut answers = said(NoneKnown);
        answers.medicines = Some(Listed);
        let listed = Case { reviews: vec![review(0, answers)], health: vec![pill], ..Case::fine() };
        assert_eq!(told(&listed), None);
    }

    #[test]
    fn a_protocol_says_for_how_many_days() {
        let mut case = Case { reviews: vec![review(30, said(NoneKnown))], ..Case::fine() };
        assert!(told(&case).is_some());
        case.rules.history_review_days = Some(30);
        assert_eq!(told(&case), None);
        case.rules.history_review_days = Some(0);
        case.reviews = vec![review(1, said(NoneKnown))];
        assert!(told(&case).is_some_and(|it| it.contains("on the day of this session;")));
    }
}
