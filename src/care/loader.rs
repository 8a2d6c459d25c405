//! What the care rules say of the records of a chart, for their fields in the API: batched like any look-up.

use super::{Situation, situation};
use crate::aftercare::{AftercareNote, AftercareNoteKind};
use crate::organisation::loader as people;
use crate::page::listing;
use crate::protocol::ProtocolVersion;
use crate::session::{SessionStatus, TreatmentSession};
use async_graphql::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

/// For so many days after a session its aftercare is part of the patient's: the longest window of the defaults is 28.
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

/// The aftercare of a session at a moment; none for one without a protocol, and before its end.
pub async fn aftercare_of(ctx: &Context<'_>, session: &TreatmentSession, at: DateTime<Utc>) -> Result<Option<Aftercare>> {
    let treated = matches!(session.status, SessionStatus::Completed | SessionStatus::Stopped);
    let (Some(version), Some(ended_at)) = (session.protocol_version_id, session.ended_at.filter(|_| treated)) else {
        return Ok(None);
    };
    let version: ProtocolVersion = listing::required(ctx, version).await?;
    let location = people::location_of_record(ctx, session.location_id).await?;
    let notes = listing::whole::<AftercareNote>(ctx, ("session_id", session.id)).await?;
    let asked = |it: &&AftercareNote| matches!(it.kind, AftercareNoteKind::CheckIn | AftercareNoteKind::FollowUpCall);
    let contacts: Vec<DateTime<Utc>> = notes.iter().filter(asked).map(|it| it.noted_at).collect();
    Ok(Some(Aftercare {
        session: session.clone(),
        at,
        zone: location.time_zone.parse().unwrap_or(Tz::UTC),
        situation: situation(&version.rules, ended_at, at, &contacts),
    }))
}

/// The aftercare of a patient's sessions of the last weeks at a moment, the latest session first.
pub async fn aftercare_of_patient(ctx: &Context<'_>, patient: uuid::Uuid, at: DateTime<Utc>) -> Result<Vec<Aftercare>> {
    let mut sessions = listing::whole::<TreatmentSession>(ctx, ("patient_id", patient)).await?;
    sessions.retain(|it| it.ended_at.is_some_and(|end| end <= at && at - end <= TimeDelta::days(LOOKED_BACK_DAYS)));
    sessions.sort_by_key(|it| std::cmp::Reverse(it.started_at));
    let found = futures::future::try_join_all(sessions.iter().map(|it| aftercare_of(ctx, it, at))).await?;
    Ok(found.into_iter().flatten().collect())
}
