//! What the care rules say of the records of a chart, for their fields in the API: batched like any look-up.

use super::{Estimate, Point, Scale, Situation, estimate, situation};
use crate::aftercare::{AftercareNote, AftercareNoteKind};
use crate::organisation::loader as people;
use crate::outcome::{self, Better, OutcomeAssessment};
use crate::page::listing;
use crate::plan::TreatmentPlan;
use crate::protocol::ProtocolVersion;
use crate::session::{SessionStatus, TreatmentSession};
use crate::signing::loader as signed;
use async_graphql::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use std::collections::BTreeMap;

/// For so many days after a session its aftercare is part of the patient's, whatever it holds; after that as long as an
/// instruction of it is in force or yet to come.
const LOOKED_BACK_DAYS: i64 = 60;

/// The aftercare of a session at a moment.
pub struct Aftercare {
    /// The session.
    pub session: TreatmentSession,
    /// The moment.
    pub at: DateTime<Utc>,
    /// The zone of its location.
    pub zone: Tz,
    /// What holds.
    pub situation: Situation,
}

/// The aftercare of a session at a moment; none for one without a protocol, before its end, and once it was retracted.
pub async fn aftercare_of(
    ctx: &Context<'_>,
    session: &TreatmentSession,
    at: DateTime<Utc>,
) -> Result<Option<Aftercare>> {
    let treated = matches!(session.status, SessionStatus::Completed | SessionStatus::Stopped);
    let (Some(version), Some(ended_at)) = (session.protocol_version_id, session.ended_at.filter(|_| treated)) else {
        return Ok(None);
    };
    if signed::retraction(ctx, session.id).await?.is_some() {
        return Ok(None);
    }
    let version: ProtocolVersion = listing::required(ctx, version).await?;
    let location = people::whole_location(ctx, session.location_id).await?;
    let notes = listing::whole::<AftercareNote>(ctx, ("session_id", session.id)).await?;
    let notes = signed::standing(ctx, notes, |it| Some(it.id)).await?;
    let asked = |it: &&AftercareNote| matches!(it.kind, AftercareNoteKind::CheckIn | AftercareNoteKind::FollowUpCall);
    let contacts: Vec<DateTime<Utc>> = notes.iter().filter(asked).map(|it| it.noted_at).collect();
    Ok(Some(Aftercare {
        session: session.clone(),
        at,
        zone: location.time_zone.parse().unwrap_or(Tz::UTC),
        situation: situation(&version.rules, ended_at, at, &contacts),
    }))
}

/// The aftercare of a patient's sessions at a moment, the latest session first: of the last weeks, and of any session whose
/// instructions last longer.
pub async fn aftercare_of_patient(ctx: &Context<'_>, patient: uuid::Uuid, at: DateTime<Utc>) -> Result<Vec<Aftercare>> {
    let mut sessions = listing::whole::<TreatmentSession>(ctx, ("patient_id", patient)).await?;
    sessions.retain(|it| it.ended_at.is_some_and(|end| end <= at));
    sessions.sort_by_key(|it| std::cmp::Reverse(it.started_at));
    let found = futures::future::try_join_all(sessions.iter().map(|it| aftercare_of(ctx, it, at))).await?;
    let recent = |it: &Aftercare| it.session.ended_at.is_some_and(|end| at - end <= TimeDelta::days(LOOKED_BACK_DAYS));
    let holds = |it: &Aftercare| !it.situation.in_force.is_empty() || !it.situation.upcoming.is_empty();
    Ok(found.into_iter().flatten().filter(|it| recent(it) || holds(it)).collect())
}

/// When maintenance of a plan will be wanted; none before its first completed session.
pub async fn maintenance_of(ctx: &Context<'_>, plan: &TreatmentPlan) -> Result<Option<Estimate>> {
    let version: ProtocolVersion = listing::required(ctx, plan.protocol_version_id).await?;
    let sessions = listing::whole::<TreatmentSession>(ctx, ("plan_id", plan.id)).await?;
    let sessions = signed::standing(ctx, sessions, |it| Some(it.id)).await?;
    let done = sessions
        .iter()
        .filter(|it| it.status == SessionStatus::Completed && it.kinds().any(|kind| kind == version.modality));
    let Some(last) = done.max_by_key(|it| it.started_at) else { return Ok(None) };
    let location = people::whole_location(ctx, last.location_id).await?;
    let zone: Tz = location.time_zone.parse().unwrap_or(Tz::UTC);
    let ended = last.ended_at.unwrap_or(last.started_at);
    let results = listing::whole::<OutcomeAssessment>(ctx, ("patient_id", plan.patient_id)).await?;
    let results = signed::standing(ctx, results, |it| it.session_id).await?;
    let (points, scale) = richest(&results, plan, ended);
    Ok(estimate(&version.rules, ended.with_timezone(&zone).date_naive(), &points, scale))
}

/// The results since a moment that there are most of: of one scale and version, one role of rater and one area, and of
/// this plan or of none. Results of several are never mixed.
fn richest(results: &[OutcomeAssessment], plan: &TreatmentPlan, since: DateTime<Utc>) -> (Vec<Point>, Scale) {
    let mut series: BTreeMap<_, Vec<&OutcomeAssessment>> = BTreeMap::new();
    let counts = |it: &&OutcomeAssessment| {
        !it.entered_in_error && it.assessed_at >= since && it.plan_id.is_none_or(|of| of == plan.id)
    };
    for it in results.iter().filter(counts) {
        series.entry((&it.scale, &it.scale_version, it.rater_role, it.area)).or_default().push(it);
    }
    let most = series.into_iter().max_by_key(|(_, points)| points.len());
    let known = most.and_then(|((code, version, ..), points)| Some((outcome::scale(code, version).ok()?, points)));
    let number = |it: Decimal| it.to_f64().unwrap_or_default();
    match known {
        Some((scale, points)) => {
            let step = scale.step.max((scale.max - scale.min) / Decimal::from(20));
            let scale = Scale { step: number(step), lower_is_better: scale.better == Better::Lower };
            let point = |it: &&OutcomeAssessment| Point { at: it.assessed_at, score: number(it.score) };
            (points.iter().map(point).collect(), scale)
        }
        None => (Vec::new(), Scale { step: 1.0, lower_is_better: true }),
    }
}
