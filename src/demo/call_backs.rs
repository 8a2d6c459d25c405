//! The recalls that follow from a plan, and what the front desk does about them.

use super::chart::Scribe;
use super::protocols::version_of;
use crate::call_back::{
    Attempt, CallBack, CallBackReason, CallBackStatus, Change, ContactChannel, ContactOutcome, due, reconcile,
};
use crate::error::Result;
use crate::plan::{SessionFact, progress};
use crate::record::Stamp;
use crate::session::{Parts, SessionStatus, TreatmentSession};
use crate::vocabulary::Action;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// Brings the recalls of a plan in line with it, as the service does.
pub(super) fn refresh(
    scribe: &mut Scribe<'_>,
    plan: usize,
    by: Uuid,
    at: DateTime<Utc>,
    answered_by: Option<Uuid>,
) -> Result<()> {
    let Some(changes) = changes(scribe, plan, answered_by) else { return Ok(()) };
    for change in changes {
        match change {
            Change::Keep(_) => {}
            Change::Done(id, session) => change_call_back(scribe, id, by, at, |recall| {
                (recall.status, recall.snoozed_until) = (CallBackStatus::Done, None);
                recall.done_by_session_id = Some(session);
            })?,
            Change::Supersede(id) => change_call_back(scribe, id, by, at, |recall| {
                (recall.status, recall.snoozed_until) = (CallBackStatus::Superseded, None);
            })?,
            Change::Open(wanted) => {
                let recall = CallBack {
                    id: scribe.new_id(at),
                    patient_id: scribe.chart.patient.id,
                    reason: wanted.reason,
                    plan_id: Some(wanted.plan_id),
                    after_session_id: wanted.after_session_id,
                    lot_id: None,
                    due_from: wanted.due_from,
                    due_until: wanted.due_until,
                    status: CallBackStatus::Open,
                    snoozed_until: None,
                    closed_reason: None,
                    done_by_session_id: None,
                    basis: wanted.basis,
                    attempts: Vec::new(),
                    stamp: Stamp::new(Some(by), at),
                };
                scribe.note(Action::Create, &recall, by, at)?;
                scribe.chart.recalls.push(recall);
            }
        }
    }
    Ok(())
}

/// What would bring the recalls of a plan in line with it.
pub(super) fn changes(scribe: &Scribe<'_>, plan: usize, answered_by: Option<Uuid>) -> Option<Vec<Change>> {
    let plan = scribe.chart.plans.get(plan)?;
    let version = version_of(scribe, plan.protocol_version_id)?;
    let of_plan = scribe.chart.sessions.iter().filter(|(it, _)| it.plan_id == Some(plan.id));
    let facts: Vec<SessionFact> = of_plan.map(|(it, _)| SessionFact::of(it, scribe.place.zone)).collect();
    let progress = progress(plan, (version.modality, &version.rules), &facts, plan.started_on);
    let recalls: Vec<CallBack> =
        scribe.chart.recalls.iter().filter(|recall| recall.plan_id == Some(plan.id)).cloned().collect();
    Some(reconcile(&recalls, &due::wanted(plan, &progress, version), answered_by))
}

fn change_call_back(
    scribe: &mut Scribe<'_>,
    id: Uuid,
    by: Uuid,
    at: DateTime<Utc>,
    change: impl FnOnce(&mut CallBack),
) -> Result<()> {
    let Some(place) = scribe.chart.recalls.iter().position(|recall| recall.id == id) else { return Ok(()) };
    let Some(mut after) = scribe.chart.recalls.get(place).cloned() else { return Ok(()) };
    change(&mut after);
    after.stamp = after.stamp.changed(Some(by), at);
    scribe.note(Action::Update, &after, by, at)?;
    if let Some(kept) = scribe.chart.recalls.get_mut(place) {
        *kept = after;
    }
    Ok(())
}

/// Closes a plan's recall to look at the results, which was done at a moment.
pub(super) fn reviewed(scribe: &mut Scribe<'_>, plan: usize, by: Uuid, at: DateTime<Utc>) -> Result<()> {
    let plan = scribe.chart.plans.get(plan).map(|plan| plan.id);
    let open = |it: &&CallBack| it.is_live() && it.reason == CallBackReason::ResultsReview && it.plan_id == plan;
    let Some(id) = scribe.chart.recalls.iter().find(open).map(|recall| recall.id) else { return Ok(()) };
    change_call_back(scribe, id, by, at, |recall| {
        recall.status = CallBackStatus::Done;
        recall.closed_reason = Some("Results looked at with the patient".to_owned());
    })
}

/// What the front desk did, up to now, about the recalls that are still to be worked on.
pub(super) fn work_through(scribe: &mut Scribe<'_>) -> Result<()> {
    let (today, desk) = (scribe.world.end.date_naive(), scribe.world.front_desk);
    let open: Vec<(Uuid, DateTime<Utc>, DateTime<Utc>)> = scribe
        .chart
        .recalls
        .iter()
        .filter(|recall| recall.is_live() && recall.due_from < today && recall.attempts.is_empty())
        .map(|it| (it.id, it.due_from.and_time(chrono::NaiveTime::MIN).and_utc(), it.stamp.updated_at))
        .collect();
    for (id, due, changed) in open {
        let mut at = due.max(changed) + TimeDelta::hours(scribe.more.between(34, 180));
        for _ in 0..scribe.more.below(3) {
            if !scribe.has_come(at) {
                break;
            }
            try_to_reach(scribe, id, at)?;
            at += TimeDelta::hours(scribe.more.between(26, 150));
        }
        if scribe.has_come(at) && scribe.more.chance(60) {
            change_call_back(scribe, id, desk, at, |recall| {
                recall.status = CallBackStatus::Dismissed;
                recall.closed_reason = Some("Will call to come again".to_owned());
            })?;
        } else if scribe.has_come(at) && scribe.more.chance(120) {
            let until = today + TimeDelta::days(scribe.more.between(3, 40));
            change_call_back(scribe, id, desk, at, |recall| {
                (recall.status, recall.snoozed_until) = (CallBackStatus::Snoozed, Some(until));
            })?;
        }
    }
    Ok(())
}

fn try_to_reach(scribe: &mut Scribe<'_>, recall: Uuid, at: DateTime<Utc>) -> Result<()> {
    let desk = scribe.world.front_desk;
    let channel =
        scribe.more.weighted(ContactChannel::Phone, &[(250, ContactChannel::Sms), (200, ContactChannel::Email)]);
    let outcome = scribe.more.weighted(
        ContactOutcome::NoAnswer,
        &[(300, ContactOutcome::LeftMessage), (200, ContactOutcome::Reached), (160, ContactOutcome::Booked)],
    );
    let note = (outcome == ContactOutcome::Reached).then(|| "Looks at the calendar and calls back.".to_owned());
    let attempt = Attempt { id: scribe.new_id(at), at, by: desk, channel, outcome, note };
    change_call_back(scribe, recall, desk, at, |recall| recall.attempts.push(attempt))
}

/// Tells a patient who got the lot that its maker takes back.
pub(super) fn warn_of_lot(scribe: &mut Scribe<'_>) -> Result<()> {
    let world = scribe.world;
    let Some((lot, recall)) = world.shelf.recalled().and_then(|lot| Some((lot, lot.recalled.as_ref()?))) else {
        return Ok(());
    };
    let used = |(session, parts): &&(TreatmentSession, Parts)| {
        session.status != SessionStatus::EnteredInError && parts.products.iter().any(|it| it.lot_id == Some(lot.id))
    };
    let Some(session) = scribe.chart.sessions.iter().rev().find(used).map(|(it, _)| it.id) else { return Ok(()) };
    let at = recall.at + TimeDelta::minutes(scribe.more.between(40, 400));
    if !scribe.has_come(at) {
        return Ok(());
    }
    let notice = CallBack {
        id: scribe.new_id(at),
        patient_id: scribe.chart.patient.id,
        reason: CallBackReason::SafetyNotice,
        plan_id: None,
        after_session_id: Some(session),
        lot_id: Some(lot.id),
        due_from: at.date_naive(),
        due_until: at.date_naive() + TimeDelta::days(14),
        status: CallBackStatus::Open,
        snoozed_until: None,
        closed_reason: None,
        done_by_session_id: None,
        basis: format!("lot {} is recalled by its maker: {}", lot.lot, recall.reason),
        attempts: Vec::new(),
        stamp: Stamp::new(Some(world.admin), at),
    };
    scribe.note(Action::Create, &notice, world.admin, at)?;
    let id = notice.id;
    scribe.chart.recalls.push(notice);
    let mut next = at;
    for _ in 0..scribe.more.below(3) {
        next += TimeDelta::hours(scribe.more.between(20, 70));
        if scribe.has_come(next) {
            try_to_reach(scribe, id, next)?;
        }
    }
    Ok(())
}
