//! The plan of a course.

use super::call_backs::refresh;
use super::chart::Scribe;
use super::complaint::Complaint;
use super::protocols::protocol;
use super::treatment::Treatment;
use crate::error::Result;
use crate::plan::{PlanArea, TreatmentPlan, TreatmentPlanStatus};
use crate::record::Stamp;
use crate::vocabulary::Action;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// Makes the plan of a course: its place in the chart. None for a treatment without a protocol, or if its hour has not come.
pub(super) fn open_plan(
    scribe: &mut Scribe<'_>,
    complaint: &Complaint,
    treatment: &Treatment,
    planned: i64,
) -> Result<Option<usize>> {
    let world = scribe.world;
    let Some(consultation) = scribe.chart.consultations.last() else { return Ok(None) };
    let (consultation_id, concerns) = (consultation.id, consultation.concerns.clone());
    let (started_on, written_at) = (consultation.held_at.date_naive(), consultation.stamp.created_at);
    let Some(version) = protocol(&world.protocols, treatment.modality, complaint.concerns) else { return Ok(None) };
    let at = written_at + TimeDelta::seconds(scribe.more.between(30, 50));
    if !scribe.has_come(at) {
        return Ok(None);
    }
    let rules = &version.rules;
    let planned = planned.clamp(i64::from(rules.sessions_min), i64::from(rules.sessions_max));
    let by = treatment.practitioner;
    let plan = TreatmentPlan {
        id: scribe.new_id(at),
        patient_id: scribe.chart.patient.id,
        consultation_id,
        protocol_version_id: version.id,
        concerns,
        areas: treatment.areas.iter().map(|(area, side)| PlanArea { area: *area, side: *side }).collect(),
        planned_sessions: i16::try_from(planned).unwrap_or(1),
        status: TreatmentPlanStatus::Active,
        status_reason: None,
        note: scribe.more.chance(250).then(|| "Sun protection every day from now on.".to_owned()),
        started_on,
        earlier_courses: Vec::new(),
        stamp: Stamp::new(Some(by), at),
    };
    scribe.note(Action::Create, &plan, by, at)?;
    scribe.chart.plans.push(plan);
    let place = scribe.chart.plans.len() - 1;
    refresh(scribe, place, by, at, None)?;
    Ok(Some(place))
}

/// Changes how a plan stands.
pub(super) fn move_plan(
    scribe: &mut Scribe<'_>,
    plan: usize,
    status: TreatmentPlanStatus,
    reason: Option<&str>,
    by: Uuid,
    at: DateTime<Utc>,
) -> Result<()> {
    let Some(mut after) = scribe.chart.plans.get(plan).cloned().filter(|_| scribe.has_come(at)) else { return Ok(()) };
    (after.status, after.status_reason) = (status, reason.map(str::to_owned));
    after.stamp = after.stamp.changed(Some(by), at);
    scribe.note(Action::Update, &after, by, at)?;
    if let Some(kept) = scribe.chart.plans.get_mut(plan) {
        *kept = after;
    }
    refresh(scribe, plan, by, at, None)
}
