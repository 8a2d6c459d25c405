//! What came of a treatment: outcomes, and how a course ends.

use super::chart::Scribe;
use super::photos::{photographed, place_of, take_photos};
use super::{call_backs, plans};
use crate::error::Result;
use crate::outcome::{OutcomeAssessment, RaterRole};
use crate::photo::{PhotoPhase, PhotoView};
use crate::plan::TreatmentPlanStatus;
use crate::record::Stamp;
use crate::vocabulary::{Action, BodyArea};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

/// Scores what is to be seen at a moment: the practitioner on the GAIS, the patient how content they are.
pub(super) fn assess(
    scribe: &mut Scribe<'_>,
    plan: usize,
    session: Option<Uuid>,
    by: Uuid,
    at: DateTime<Utc>,
    weeks: i64,
) -> Result<()> {
    if !scribe.has_come(at + TimeDelta::minutes(20)) {
        return Ok(());
    }
    let plan_id = scribe.chart.plans.get(plan).map(|plan| plan.id);
    let area = place_of(scribe, plan).0;
    let pair = side_by_side(scribe, area, at);
    // Better with the weeks until collagen is there, then slowly back.
    let usual = match weeks {
        ..6 => 3,
        6..20 => 2,
        _ => 3,
    };
    let gais = (usual + scribe.more.weighted(0, &[(180, -1), (160, 1)])).clamp(1, 4);
    let content = (11 - gais * 2 + scribe.more.between(-1, 2)).clamp(1, 10);
    for (scale, version, score, role) in [
        ("gais", "1-to-5", gais, RaterRole::Practitioner),
        ("patient_satisfaction", "0-to-10", content, RaterRole::Patient),
    ] {
        let written_at = at + TimeDelta::minutes(scribe.more.between(1, 15));
        let practitioner = role == RaterRole::Practitioner;
        let note = match (practitioner, gais) {
            (true, ..=1) => Some("Clearly better in side light, texture even."),
            (true, 4) => Some("No change yet."),
            _ => None,
        };
        let outcome = OutcomeAssessment {
            id: scribe.new_id(at),
            patient_id: scribe.chart.patient.id,
            plan_id,
            session_id: session,
            scale: scale.to_owned(),
            scale_version: version.to_owned(),
            area: practitioner.then_some(area),
            score: Decimal::new(score * 100, 2),
            rater_role: role,
            rater_id: practitioner.then_some(by),
            assessed_at: at,
            compared_with_photo_id: pair.filter(|_| practitioner).map(|(_, before)| before.0),
            photo_id: pair.filter(|_| practitioner).map(|(after, _)| after.0),
            note: note.map(str::to_owned),
            entered_in_error: false,
            stamp: Stamp::new(Some(by), written_at),
        };
        scribe.note(Action::Create, &outcome, by, written_at)?;
        scribe.chart.outcomes.push(outcome);
    }
    Ok(())
}

/// The newest photo of an area at a moment, and one from before the treatment of the same view, each with its view.
fn side_by_side(
    scribe: &Scribe<'_>,
    area: BodyArea,
    at: DateTime<Utc>,
) -> Option<((Uuid, PhotoView), (Uuid, PhotoView))> {
    let of_area = |phase: PhotoPhase| {
        let before = scribe.chart.photos.iter().filter(|(it, _)| it.taken_at <= at && it.area == area);
        before.filter(|(it, _)| it.phase == phase).map(|(it, _)| (it.id, it.view)).collect::<Vec<_>>()
    };
    let after = of_area(PhotoPhase::FollowUp).last().copied();
    let before = after.and_then(|(_, view)| of_area(PhotoPhase::Before).into_iter().rev().find(|it| it.1 == view));
    after.zip(before)
}

/// After the last session of a course: the results are looked at six weeks later and now and then again, and the plan
/// is completed.
pub(super) fn review(scribe: &mut Scribe<'_>, plan: usize, by: Uuid, last: NaiveDate) -> Result<()> {
    let plan_id = scribe.chart.plans.get(plan).map(|plan| plan.id);
    let session = scribe.chart.sessions.iter().rfind(|(it, _)| it.plan_id == plan_id).map(|(it, _)| it.id);
    let rich = photographed(scribe);
    for (weeks, chance) in [(6, 800), (14, 120), (24, 120)] {
        let day = last + TimeDelta::days(weeks * 7 - scribe.more.between(0, 6));
        let at = super::chart::visit(&mut scribe.more, scribe.place.zone, day);
        if !scribe.has_come(at + TimeDelta::hours(1)) {
            return Ok(());
        }
        if !rich && !scribe.more.chance(chance) {
            continue;
        }
        if weeks == 6 {
            take_photos(scribe, plan, session, PhotoPhase::FollowUp, by, at)?;
        }
        assess(scribe, plan, session, by, at + TimeDelta::minutes(10), weeks)?;
        if weeks == 6 {
            call_backs::reviewed(scribe, plan, by, at + TimeDelta::minutes(30))?;
            let done = TreatmentPlanStatus::Completed;
            let finished = changes_nothing(scribe, plan);
            if finished && scribe.more.chance(700) {
                plans::move_plan(scribe, plan, done, None, by, at + TimeDelta::minutes(40))?;
            }
        }
    }
    Ok(())
}

/// Whether no session of a plan is left.
fn changes_nothing(scribe: &Scribe<'_>, plan: usize) -> bool {
    let Some(plan) = scribe.chart.plans.get(plan) else { return false };
    let completed = crate::session::SessionStatus::Completed;
    let done = scribe.chart.sessions.iter().filter(|(it, _)| it.plan_id == Some(plan.id) && it.status == completed);
    done.count() >= usize::try_from(plan.planned_sessions).unwrap_or(0)
}

/// After a course that the patient left: some plans are given up or rest.
pub(super) fn leave(scribe: &mut Scribe<'_>, plan: usize, by: Uuid, last: NaiveDate) -> Result<()> {
    let day = last + TimeDelta::days(scribe.more.between(30, 58));
    let at = super::chart::visit(&mut scribe.more, scribe.place.zone, day);
    match scribe.more.weighted(0, &[(350, 1), (120, 2)]) {
        1 => {
            let reason =
                scribe.more.word(&["Does not want to go on", "Moves to another town", "Content with what it is"]);
            plans::move_plan(scribe, plan, TreatmentPlanStatus::Revoked, Some(reason), by, at)
        }
        2 => plans::move_plan(scribe, plan, TreatmentPlanStatus::OnHold, Some("Long journey, back in spring"), by, at),
        _ => Ok(()),
    }
}
