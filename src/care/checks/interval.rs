//! Time between sessions of the same skin, before and after.

use super::answers::{Answers, verdict};
use super::facts::{AreaFact, Facts, OtherSession, place};
use crate::session::{CheckCode, CheckRule, Reason, SessionStatus, strain_alike};
use crate::vocabulary::{BodyArea, RecordKind, Side};
use chrono::{Days, NaiveDate};

/// Another session that is too close, with the places that share skin with it.
struct TooClose<'f> {
    other: &'f OtherSession,
    least: i64,
    /// Whether it is the other session's protocol that asks for so many days.
    by_other: bool,
    later: bool,
    places: Vec<String>,
}

pub(super) fn interval(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    let areas: Vec<(BodyArea, Side)> = facts.areas.iter().map(|it: &AreaFact| (it.area, it.side)).collect();
    let mut told: Vec<TooClose<'_>> = Vec::new();
    for area in places(&areas) {
        for later in [false, true] {
            let Some((other, least, by_other)) = nearest(facts, area, later) else { continue };
            let name = if areas.is_empty() { "the whole face".to_owned() } else { place(area.0, area.1) };
            match told.iter_mut().find(|it| it.other.id == other.id) {
                Some(known) if known.places.contains(&name) => {}
                Some(known) => known.places.push(name),
                None => told.push(TooClose { other, least, by_other, later, places: vec![name] }),
            }
        }
    }
    for it in told {
        let record = Some((RecordKind::TreatmentSession, it.other.id));
        answers.add(CheckRule::Interval, verdict(facts.blocks(|it| it.interval)), it.reason(facts.day), record);
    }
    answers.pass_by_protocol(CheckRule::Interval, "no area was treated too short a time ago");
}

impl TooClose<'_> {
    fn reason(&self, day: NaiveDate) -> Reason {
        let Self { other, least, by_other, later, places } = self;
        let days = (other.day - day).num_days().abs();
        let (one, places) = (places.len() == 1, places.join(", "));
        let valued = |reason: Reason| {
            let asked_by = if *by_other { "OTHER_SESSION" } else { "THIS_SESSION" };
            let reason = reason.with("places", &places).with("days", days).with("on", other.day);
            reason.with("minDays", least).with("askedBy", asked_by)
        };
        let asks = if *by_other { "the protocol of that session asks" } else { "the protocol asks" };
        if *later {
            let verb = if one { "is" } else { "are" };
            let cause = format!(
                "{places} {verb} treated again {days} days after, on {}; {asks} for {least} days at least: treatments \
                 too close to each other scar",
                other.day
            );
            return valued(CheckCode::TreatedAgainTooSoon.says(cause));
        }
        let due = other.day.checked_add_days(Days::new(u64::try_from(*least).unwrap_or(0))).unwrap_or(other.day);
        let cause = format!(
            "{places} {} treated {days} days before, on {}; {asks} for {least} days at least, so from {due}: treatments too \
             close to each other scar",
            if one { "was" } else { "were" },
            other.day
        );
        valued(CheckCode::TreatedTooSoon.says(cause)).with("from", due)
    }
}

/// The nearest session before or after that comes too close for one of the two protocols: with the days that the stricter
/// of them asks for, and whether that is the other session's.
fn nearest<'f>(facts: &'f Facts<'_>, area: (BodyArea, Side), later: bool) -> Option<(&'f OtherSession, i64, bool)> {
    let own = facts.figures().map(|it| it.rules.interval_min_days).max();
    let strained = |it: &&OtherSession| {
        (it.started_at > facts.started_at) == later
            && facts.uses.iter().any(|of| strain_alike(it.modality, *of))
            && matches!(it.status, SessionStatus::Completed | SessionStatus::Stopped | SessionStatus::InProgress)
            && places(&it.areas).iter().any(|other| same_skin(area, *other))
    };
    let close = facts.sessions.iter().filter(strained).filter_map(|it| {
        let least = i64::from(own.max(it.interval_min_days)?);
        let days = (facts.day - it.day).num_days().abs();
        (days < least).then_some((days, (it, least, it.interval_min_days > own)))
    });
    close.min_by_key(|(days, _)| *days).map(|(_, found)| found)
}

/// The areas of a face: a session that names no area may have been anywhere on it.
const FACE: [BodyArea; 8] = [
    BodyArea::Forehead,
    BodyArea::Glabella,
    BodyArea::Periorbital,
    BodyArea::Cheek,
    BodyArea::Nose,
    BodyArea::UpperLip,
    BodyArea::Chin,
    BodyArea::Jawline,
];

/// The places of a session: those that it names, else the whole face.
fn places(named: &[(BodyArea, Side)]) -> Vec<(BodyArea, Side)> {
    if named.is_empty() { FACE.map(|area| (area, Side::Bilateral)).to_vec() } else { named.to_vec() }
}

/// Whether two places on the body share skin. What is in the middle may reach both sides.
pub(super) fn same_skin(one: (BodyArea, Side), other: (BodyArea, Side)) -> bool {
    let sides = (one.1, other.1);
    one.0 == other.0 && !matches!(sides, (Side::Left, Side::Right) | (Side::Right, Side::Left))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Case, day, session};
    use super::*;
    use crate::session::CheckVerdict;
    use crate::vocabulary::Modality;

    #[test]
    fn the_interval_counts_days_of_the_same_skin() {
        use CheckRule::Interval;
        let warns = vec![(Interval, CheckVerdict::Warn)];
        let table: Vec<(&str, OtherSession, Vec<_>)> = vec![
            ("3 days after, logged late", session(day(6, 18), BodyArea::Cheek, Side::Left), warns.clone()),
            (
                "22 days, after radiofrequency, which asks for 28",
                OtherSession {
                    modality: Modality::RfMicroneedling,
                    interval_min_days: Some(28),
                    ..session(day(5, 24), BodyArea::Cheek, Side::Left)
                },
                warns.clone(),
            ),
            (
                "no area named, 3 days ago",
                OtherSession { areas: vec![], ..session(day(6, 12), BodyArea::Cheek, Side::Left) },
                warns.clone(),
            ),
            ("21 days after", session(day(7, 6), BodyArea::Cheek, Side::Left), vec![]),
            ("20 days", session(day(5, 26), BodyArea::Cheek, Side::Left), warns.clone()),
            ("21 days", session(day(5, 25), BodyArea::Cheek, Side::Left), vec![]),
            ("the same day", session(day(6, 15), BodyArea::Cheek, Side::Left), warns.clone()),
            ("both sides", session(day(6, 10), BodyArea::Cheek, Side::Bilateral), warns.clone()),
            ("the other side", session(day(6, 10), BodyArea::Cheek, Side::Right), vec![]),
            ("another area", session(day(6, 10), BodyArea::Nose, Side::Left), vec![]),
            (
                "not done",
                OtherSession { status: SessionStatus::NotDone, ..session(day(6, 10), BodyArea::Cheek, Side::Left) },
                vec![],
            ),
            (
                "stopped half-way",
                OtherSession { status: SessionStatus::Stopped, ..session(day(6, 10), BodyArea::Cheek, Side::Left) },
                warns.clone(),
            ),
            (
                "light",
                OtherSession {
                    modality: Modality::LedLightTherapy,
                    ..session(day(6, 10), BodyArea::Cheek, Side::Left)
                },
                vec![],
            ),
            (
                "needles with radiofrequency",
                OtherSession {
                    modality: Modality::RfMicroneedling,
                    ..session(day(6, 10), BodyArea::Cheek, Side::Left)
                },
                warns,
            ),
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
    fn no_area_is_the_whole_face_and_both_directions_are_told_apart() {
        let near = vec![
            session(day(6, 10), BodyArea::Cheek, Side::Left),
            session(day(6, 12), BodyArea::Nose, Side::Midline),
            session(day(6, 18), BodyArea::Chin, Side::Midline),
            session(day(6, 14), BodyArea::Thigh, Side::Left),
        ];
        let case = Case { sessions: near, areas: vec![], ..Case::fine() };
        let found = case.checks();
        let causes: Vec<&str> =
            found.iter().filter(|it| it.rule == CheckRule::Interval).map(|it| it.cause.as_str()).collect();
        assert_eq!(causes.len(), 3, "{causes:?}");
        assert!(causes.iter().all(|it| it.starts_with("the whole face")), "{causes:?}");
        assert!(
            causes.iter().any(|it| it.contains("3 days after")) && causes.iter().any(|it| it.contains("5 days before"))
        );
        let stricter = OtherSession { interval_min_days: Some(28), ..session(day(5, 24), BodyArea::Cheek, Side::Left) };
        let unnamed = Case { sessions: vec![stricter], named: false, ..Case::fine() };
        let of_other = unnamed.checks().into_iter().find(|it| it.rule == CheckRule::Interval).expect("an answer");
        assert!(of_other.cause.contains("the protocol of that session asks for 28"), "{}", of_other.cause);
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
