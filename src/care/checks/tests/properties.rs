use super::super::*;
use super::{Case, day, entry, session};
use crate::health::{HealthEntry, HealthEntryKind};
use crate::session::CheckRule;
use crate::vocabulary::{BodyArea, Modality, Side};
use crate::{ids, scalars};
use chrono::TimeDelta;
use proptest::prelude::*;
use rust_decimal::Decimal;

/// Something that speaks against a session.
fn against() -> impl Strategy<Value = fn(&mut Case)> {
    proptest::sample::select(vec![
        (|it| it.health.push(entry("keloid_tendency"))) as fn(&mut Case),
        |it| it.health.push(entry("rosacea")),
        |it| it.health.push(HealthEntry { kind: HealthEntryKind::Allergy, code: None, ..entry("zzyzx") }),
        |it| it.sessions.push(session(day(6, 10), BodyArea::Cheek, Side::Left)),
        |it| it.sessions.push(session(day(6, 20), BodyArea::Cheek, Side::Left)),
        |it| it.consultation = None,
        |it| it.reviews.clear(),
        |it| it.cream = Some(CreamFact { minutes: Some(90), ..CreamFact::default() }),
        |it| it.modality = Modality::Prp,
        |it| {
            let depth_mm = Some(Decimal::new(20, 1));
            it.areas.push(AreaFact { area: BodyArea::Nose, side: Side::Midline, depth_mm });
        },
    ])
}

proptest! {
    #[test]
    fn an_override_of_one_answer_never_settles_another(
        facts in proptest::collection::vec(against(), 1..5),
        more in against(),
        which in 0_usize..10,
    ) {
        let mut case = Case::fine();
        facts.iter().for_each(|put| put(&mut case));
        let mut seen = case.checks();
        let open: Vec<usize> =
            seen.iter().enumerate().filter(|(_, it)| it.verdict != CheckVerdict::Pass).map(|(i, _)| i).collect();
        let chosen = open[which % open.len()];
        let done = Override { reason: "Wanted".to_owned(), by: ids::new_id(), supervisor_id: None, at: ids::now() };
        seen[chosen].overridden = Some(done);
        more(&mut case);
        let now = keep_overrides(&seen, case.checks(), ids::new_id());
        for check in now.iter().filter(|it| it.overridden.is_some()) {
            prop_assert!(check.is_same(&seen[chosen]), "{:?} was settled by {:?}", check, seen[chosen]);
        }
    }

    #[test]
    fn another_fact_against_a_session_makes_no_answer_milder(
        facts in proptest::collection::vec(against(), 0..5),
        more in against(),
    ) {
        let strictest = |case: &Case, rule: CheckRule| {
            let of_rule = case.checks().into_iter().filter(|it| it.rule == rule);
            of_rule.map(|it| it.verdict as u8).max().unwrap_or_default()
        };
        let mut case = Case::fine();
        facts.iter().for_each(|put| put(&mut case));
        let before = case.clone();
        more(&mut case);
        for rule in CheckRule::ALL {
            prop_assert!(strictest(&case, *rule) >= strictest(&before, *rule), "{:?} became milder", rule);
        }
    }

    #[test]
    fn no_history_passes_with_an_allergy_that_nobody_coded(text in "\\PC{1,40}", others in proptest::collection::vec(against(), 0..3)) {
        let mut case = Case::fine();
        others.iter().for_each(|put| put(&mut case));
        let allergy = HealthEntry { kind: HealthEntryKind::Allergy, code: None, text, ..entry("zzyzx") };
        let id = allergy.id;
        case.health.push(allergy);
        let told = case.checks().into_iter().filter(|it| it.record_id == Some(id) && it.verdict != CheckVerdict::Pass);
        prop_assert!(told.count() > 0);
    }

    #[test]
    fn the_interval_warns_exactly_when_a_naive_calendar_says_so(days in 0_i64..120, least in 0_i32..90, same: bool) {
        let side = if same { Side::Left } else { Side::Right };
        let earlier = session(day(6, 15) - TimeDelta::days(days), BodyArea::Cheek, side);
        let mut case = Case { sessions: vec![earlier], ..Case::fine() };
        case.rules.interval_min_days = least;
        // One day after the other, until the day of the session.
        let (mut on, mut counted) = (day(6, 15) - TimeDelta::days(days), 0);
        while on < day(6, 15) {
            on = on.succ_opt().expect("a day");
            counted += 1;
        }
        let warned = case.against().contains(&(CheckRule::Interval, CheckVerdict::Warn));
        prop_assert_eq!(warned, same && counted < least);
    }

    #[test]
    fn every_rule_answers_whatever_the_facts(depth in 0_i64..900, areas in 0_usize..5, minutes in proptest::option::of(-10_i64..500), limit in 0_i64..800) {
        let area = AreaFact { area: BodyArea::Cheek, side: Side::Bilateral, depth_mm: Some(Decimal::new(depth, 2)) };
        let mut case = Case { areas: vec![area; areas], cream: Some(CreamFact { minutes, ..CreamFact::default() }), ..Case::fine() };
        for it in &mut case.rules.depth_limits {
            it.max_mm = scalars::Decimal(Decimal::new(limit, 2));
        }
        let found = case.checks();
        for rule in CheckRule::ALL {
            let of_rule: Vec<_> = found.iter().filter(|it| it.rule == *rule).collect();
            prop_assert!(!of_rule.is_empty());
            let passes = of_rule.iter().filter(|it| it.verdict == CheckVerdict::Pass).count();
            prop_assert!(passes == 0 || of_rule.len() == 1, "a pass stands alone");
        }
        let too_deep = found.iter().any(|it| it.rule == CheckRule::Depth && it.verdict != CheckVerdict::Pass);
        prop_assert_eq!(too_deep, areas > 0 && depth > limit);
    }
}
