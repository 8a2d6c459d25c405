//! Time since the last session of the same skin.

use super::answers::{Answers, verdict};
use super::facts::{EarlierSession, place};
use crate::session::{CheckRule, SessionStatus};
use crate::vocabulary::{BodyArea, Modality, RecordKind, Side};
use chrono::Days;

pub(super) fn interval(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    let least = i64::from(facts.rules.interval_min_days);
    let strained = |it: &&EarlierSession| {
        it.started_at <= facts.started_at
            && strain_alike(it.modality, facts.modality)
            && matches!(it.status, SessionStatus::Completed | SessionStatus::Stopped | SessionStatus::InProgress)
    };
    // Each earlier session once, with every area that shares skin with it.
    let mut told: Vec<(&EarlierSession, Vec<String>)> = Vec::new();
    for area in facts.areas {
        let shares = |it: &&EarlierSession| it.areas.iter().any(|other| same_skin((area.area, area.side), *other));
        let last = facts.sessions.iter().filter(strained).filter(shares).max_by_key(|it| it.started_at);
        let Some(last) = last.filter(|last| (facts.day - last.day).num_days() < least) else { continue };
        match told.iter_mut().find(|(it, _)| it.id == last.id) {
            Some((_, places)) => places.push(place(area)),
            None => told.push((last, vec![place(area)])),
        }
    }
    for (last, places) in told {
        let days = (facts.day - last.day).num_days();
        let due = last.day.checked_add_days(Days::new(u64::try_from(least).unwrap_or(0))).unwrap_or(last.day);
        let cause = format!(
            "{} {} treated {days} days before, on {}; the protocol asks for {least} days at least, so from {due}: \
             treatments too close to each other scar",
            places.join(", "),
            if places.len() == 1 { "was" } else { "were" },
            last.day
        );
        let record = Some((RecordKind::TreatmentSession, last.id));
        answers.add(CheckRule::Interval, verdict(facts.rules.blocks.interval), cause, record);
    }
    answers.pass(CheckRule::Interval, "no area was treated too short a time ago");
}

/// Whether two places on the body share skin. What is in the middle may reach both sides.
fn same_skin(one: (BodyArea, Side), other: (BodyArea, Side)) -> bool {
    let sides = (one.1, other.1);
    one.0 == other.0 && !matches!(sides, (Side::Left, Side::Right) | (Side::Right, Side::Left))
}

/// Whether two kinds of treatment strain the skin alike: needles of any kind do; light and serum do not strain it.
fn strain_alike(one: Modality, other: Modality) -> bool {
    let needles = |it| matches!(it, Modality::Microneedling | Modality::RfMicroneedling | Modality::Prp);
    one == other || needles(one) && needles(other)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Case, day, session};
    use super::*;
    use crate::session::CheckVerdict;

    #[test]
    fn the_interval_counts_days_of_the_same_skin() {
        use CheckRule::Interval;
        let warns = vec![(Interval, CheckVerdict::Warn)];
        let table: Vec<(&str, EarlierSession, Vec<_>)> = vec![
            ("20 days", session(day(5, 26), BodyArea::Cheek, Side::Left), warns.clone()),
            ("21 days", session(day(5, 25), BodyArea::Cheek, Side::Left), vec![]),
            ("the same day", session(day(6, 15), BodyArea::Cheek, Side::Left), warns.clone()),
            ("both sides", session(day(6, 10), BodyArea::Cheek, Side::Bilateral), warns.clone()),
            ("the other side", session(day(6, 10), BodyArea::Cheek, Side::Right), vec![]),
            ("another area", session(day(6, 10), BodyArea::Nose, Side::Left), vec![]),
            (
                "not done",
                EarlierSession { status: SessionStatus::NotDone, ..session(day(6, 10), BodyArea::Cheek, Side::Left) },
                vec![],
            ),
            (
                "stopped half-way",
                EarlierSession { status: SessionStatus::Stopped, ..session(day(6, 10), BodyArea::Cheek, Side::Left) },
                warns.clone(),
            ),
            (
                "light",
                EarlierSession {
                    modality: Modality::LedLightTherapy,
                    ..session(day(6, 10), BodyArea::Cheek, Side::Left)
                },
                vec![],
            ),
            (
                "needles with radiofrequency",
                EarlierSession {
                    modality: Modality::RfMicroneedling,
                    ..session(day(6, 10), BodyArea::Cheek, Side::Left)
                },
                warns,
            ),
            ("afterwards", session(day(6, 16), BodyArea::Cheek, Side::Left), vec![]),
        ];
        for (name, earlier, expected) in table {
            let id = earlier.id;
            let case = Case { sessions: vec![earlier], ..Case::fine() };
            assert_eq!(case.against(), expected, "{name}");
            for check in case.checks().iter().filter(|it| it.verdict != CheckVerdict::Pass) {
                assert_eq!(
                    (check.record_kind, check.record_id),
                    (Some(RecordKind::TreatmentSession), Some(id)),
                    "{name}"
                );
            }
        }
        let mut strict = Case { sessions: vec![session(day(6, 1), BodyArea::Cheek, Side::Left)], ..Case::fine() };
        strict.rules.blocks.interval = true;
        assert_eq!(strict.against(), [(Interval, CheckVerdict::Block)]);
    }

    #[test]
    fn a_rule_s_words_name_what_they_are_about() {
        let case = Case { sessions: vec![session(day(6, 10), BodyArea::Cheek, Side::Left)], ..Case::fine() };
        let cause = case.checks().into_iter().find(|it| it.verdict == CheckVerdict::Warn).expect("a warning").cause;
        for word in ["cheek", "5 days", "2026-06-10", "21 days", "2026-07-01"] {
            assert!(cause.contains(word), "{cause}");
        }
    }
}
