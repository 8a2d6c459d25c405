//! The recalls that a plan and its protocol ask for, brought in line with every change of the plan or its sessions.

use super::{CallBack, CallBackReason, Wanted, reconcile, store};
use crate::access::Scope;
use crate::error::Result;
use crate::organisation::store as places;
use crate::page::listing;
use crate::plan::{DateWindow, Progress, SessionFact, TreatmentPlan, TreatmentPlanStatus, progress};
use crate::protocol::ProtocolVersion;
use crate::session::TreatmentSession;
use crate::signing::store as signed;
use chrono_tz::Tz;
use std::collections::HashMap;
use uuid::Uuid;

/// What a plan asks for, given how far it has come.
pub fn wanted(plan: &TreatmentPlan, progress: &Progress, version: &ProtocolVersion) -> Vec<Wanted> {
    if !matches!(plan.status, TreatmentPlanStatus::Active | TreatmentPlanStatus::Completed) {
        return Vec::new();
    }
    let rules = &version.rules;
    let ask = |reason, window: Option<DateWindow>, after_session_id, rule: String| {
        window.map(|window| Wanted {
            reason,
            plan_id: plan.id,
            after_session_id,
            due_from: window.from,
            due_until: window.until,
            basis: format!("{rule} (version {} of the protocol)", version.number),
        })
    };
    let last = progress.last_session;
    let next = match last {
        Some(_) => {
            format!("next session {} to {} days after the last", rules.interval_min_days, rules.interval_latest_days)
        }
        None => format!("first session within {} days of the plan's start", rules.interval_latest_days),
    };
    let review =
        format!("results review {} to {} weeks after the session", rules.results_from_weeks, rules.results_until_weeks);
    let months = rules.maintenance_from_months.zip(rules.maintenance_until_months);
    let upkeep = months.map(|(from, until)| format!("maintenance {from} to {until} months after the last session"));
    [
        ask(CallBackReason::NextSession, progress.next_session, last, next),
        ask(CallBackReason::ResultsReview, progress.results_review, progress.reviewed_session, review),
        ask(CallBackReason::Maintenance, progress.maintenance, last, upkeep.unwrap_or_default()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Brings the recalls of a plan in line with it. `answered_by` is the session that was just completed. The entry that
/// was written last stays the answer to a retry.
pub async fn refresh(scope: &mut Scope, plan: Uuid, answered_by: Option<Uuid>) -> Result<()> {
    scope.answers();
    bring_in_line(scope, plan, answered_by).await
}

/// The same after something else than a session was written.
pub async fn bring_in_line(scope: &mut Scope, plan: Uuid, answered_by: Option<Uuid>) -> Result<()> {
    let plan: TreatmentPlan = listing::one(scope, plan).await?;
    let version: ProtocolVersion = listing::one(scope, plan.protocol_version_id).await?;
    let mut sessions: Vec<TreatmentSession> = listing::all_under(scope, "plan_id", &[plan.id]).await?;
    signed::keep_standing(scope, &mut sessions, |it| Some(it.id)).await?;
    let mut locations: Vec<Uuid> = sessions.iter().map(|it| it.location_id).collect();
    locations.sort_unstable();
    locations.dedup();
    let places = places::locations(scope, &locations).await?;
    let zones: HashMap<Uuid, Tz> =
        places.into_iter().map(|it| (it.id, it.time_zone.parse().unwrap_or(Tz::UTC))).collect();
    let facts: Vec<SessionFact> =
        sessions.iter().map(|it| SessionFact::of(it, zones.get(&it.location_id).copied().unwrap_or(Tz::UTC))).collect();
    // What is wanted does not hang on today: only whether it is overdue does.
    let progress = progress(&plan, (version.modality, &version.rules), &facts, plan.started_on);
    let recalls: Vec<CallBack> = store::of_plan(scope, plan.id).await?;
    let changes = reconcile(&recalls, &wanted(&plan, &progress, &version), answered_by);
    store::apply(scope, plan.patient_id, changes).await
}
