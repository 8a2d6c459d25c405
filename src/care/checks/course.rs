//! The number of sessions of a plan and its areas. Treatments that are too many scar (the clinic's own guidance).

use super::answers::Answers;
use super::facts::{Facts, OtherSession, place};
use super::interval::same_skin;
use crate::session::{CheckCode, CheckRule, CheckVerdict, SessionStatus};
use crate::vocabulary::RecordKind;
use chrono::{Months, NaiveDate};

pub(super) fn course(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    let Some(plan) = facts.plan else {
        return answers.pass(CheckRule::Course, "the session is of no plan");
    };
    let record = Some((RecordKind::TreatmentPlan, plan.id));
    // Completed ones, as the plan's own progress counts them: of the kind of treatment that it is for now; those before it,
    // and those after it that are signed, which can't be told any more.
    let kind = facts.own.map_or(facts.modality, |it| it.modality);
    let counts = |it: &&OtherSession| {
        it.plan == Some(plan.id)
            && (it.modality == kind || it.by_device == Some(kind))
            && it.status == SessionStatus::Completed
            && (it.started_at <= facts.started_at || it.signed)
    };
    let number = facts.sessions.iter().filter(counts).count() + 1;
    let planned = usize::try_from(plan.planned_sessions).unwrap_or(0);
    let last = facts.sessions.iter().filter(counts).map(|it| it.day).max();
    if number > planned && facts.uses.contains(&kind) && !is_maintenance(facts, last) {
        let cause = format!("it is session {number} of a plan of {planned}: treatments that are too many scar");
        let reason = CheckCode::OverPlannedSessions.says(cause).with("number", number).with("planned", planned);
        answers.add(CheckRule::Course, CheckVerdict::Warn, reason, record);
    }
    for area in facts.areas.iter().filter(|_| !plan.areas.is_empty()) {
        let planned = plan.areas.iter().any(|it| same_skin((it.area, it.side), (area.area, area.side)));
        if !planned {
            let cause = format!("{} is not an area of the plan", place(area.area, area.side));
            let reason = CheckCode::AreaNotPlanned.says(cause).with_word("area", area.area.as_str());
            let reason = reason.with_word("side", area.side.as_str());
            answers.add(CheckRule::Course, CheckVerdict::Warn, reason, record);
        }
    }
    answers.pass(CheckRule::Course, "the plan has this session and its areas");
}

/// Whether the session comes when the protocol wants the result maintained: so many months after the last one.
fn is_maintenance(facts: &Facts<'_>, last: Option<NaiveDate>) -> bool {
    let months = facts.own.and_then(|own| u32::try_from(own.rules.maintenance_from_months?).ok());
    let due = last.zip(months).and_then(|(last, months)| last.checked_add_months(Months::new(months)));
    due.is_some_and(|due| facts.day >= due)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Case, day, session};
    use super::*;
    use crate::care::checks::facts::PlanFact;
    use crate::ids;
    use crate::plan::PlanArea;
    use crate::vocabulary::{BodyArea, Modality, Side};

    #[test]
    fn a_course_has_as_many_sessions_as_the_plan_and_no_other_areas() {
        let id = ids::new_id();
        let done = |month, signed| OtherSession {
            plan: Some(id),
            signed,
            ..session(day(month, 1), BodyArea::Cheek, Side::Left)
        };
        let stopped = |it: OtherSession| OtherSession { status: SessionStatus::Stopped, ..it };
        let not_done = |it: OtherSession| OtherSession { status: SessionStatus::NotDone, ..it };
        let by_light = |it: OtherSession| OtherSession { modality: Modality::LedLightTherapy, ..it };
        let strange = OtherSession { plan: None, ..done(1, true) };
        let three = vec![done(1, true), done(2, true), done(3, true)];
        let table = [
            ("the fourth of three", three.clone(), 1),
            ("the third of three", three[..2].to_vec(), 0),
            ("one was stopped and is made up for", vec![done(1, true), done(2, true), stopped(done(3, false))], 0),
            ("one did not take place", vec![done(1, true), done(2, true), not_done(done(3, true))], 0),
            ("two by another kind", vec![done(1, true), by_light(done(2, true)), by_light(done(3, true))], 0),
            ("one was of no plan", vec![done(1, true), done(2, true), strange], 0),
            ("logged late, before a draft", vec![done(1, true), done(2, true), done(9, false)], 0),
            ("logged late, before one that is signed", vec![done(1, true), done(2, true), done(9, true)], 1),
        ];
        for (name, sessions, expected) in table {
            let areas = vec![PlanArea { area: BodyArea::Cheek, side: Side::Bilateral }];
            let case = Case { sessions, plan: Some(PlanFact { id, planned_sessions: 3, areas }), ..Case::fine() };
            assert_eq!(case.against(), vec![(CheckRule::Course, CheckVerdict::Warn); expected], "{name}");
        }
        let year_ago = |it: OtherSession| OtherSession { day: it.day - Months::new(12), ..it };
        let areas = vec![PlanArea { area: BodyArea::Cheek, side: Side::Bilateral }];
        let maintained = Case {
            sessions: three.into_iter().map(year_ago).collect(),
            plan: Some(PlanFact { id, planned_sessions: 3, areas }),
            ..Case::fine()
        };
        assert!(maintained.against().is_empty(), "more than 6 months after the last one it is maintenance");
        let other = vec![PlanArea { area: BodyArea::Nose, side: Side::Midline }];
        let case = Case { plan: Some(PlanFact { id, planned_sessions: 3, areas: other }), ..Case::fine() };
        assert_eq!(case.against(), [(CheckRule::Course, CheckVerdict::Warn)], "an area that is not the plan's");
    }
}
