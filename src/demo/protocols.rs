//! What the protocol says of a course and of its sessions.

use super::chart::Scribe;
use crate::care::{
    AreaFact, CreamFact, Days, Facts, Held, LotFact, OtherSession, PlanFact, ReviewFact, checks, consent_at,
    consultation_before,
};
use crate::health_review::HealthReview;
use crate::protocol::ProtocolVersion;
use crate::session::{CheckRule, CheckVerdict, KeptCheck, Override, Parts, TreatmentSession};
use crate::vocabulary::{Concern, Modality};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

/// The protocol for a kind of treatment and what it is for.
pub(super) fn protocol<'p>(
    protocols: &'p [ProtocolVersion],
    modality: Modality,
    concerns: &[Concern],
) -> Option<&'p ProtocolVersion> {
    let fits = |version: &&ProtocolVersion| {
        let first = concerns.first().is_some_and(|it| version.indications.contains(it));
        (first, version.indications.iter().filter(|it| concerns.contains(it)).count())
    };
    protocols.iter().filter(|version| version.modality == modality).max_by_key(fits)
}

/// The protocol of a plan.
pub(super) fn version_of<'w>(scribe: &Scribe<'w>, id: Uuid) -> Option<&'w ProtocolVersion> {
    scribe.world.protocols.iter().find(|version| version.id == id)
}

/// Makes a session one of its plan: its protocol, its depths as the protocol has them but for a few.
pub(super) fn follow(scribe: &mut Scribe<'_>, plan: usize, session: &mut TreatmentSession, parts: &mut Parts) {
    let Some(plan) = scribe.chart.plans.get(plan) else { return };
    (session.plan_id, session.protocol_version_id) = (Some(plan.id), Some(plan.protocol_version_id));
    let Some(version) = version_of(scribe, plan.protocol_version_id) else { return };
    let skin = scribe.chart.patient.skin_type.as_ref().map(|it| it.fitzpatrick);
    for area in &mut parts.areas {
        let limits = version.rules.depth_limits.iter().filter(|limit| limit.is_for(area.area, skin));
        let limit = limits.map(|limit| limit.max_mm.0).min();
        if let Some((depth, limit)) = area.needle_depth_mm.as_mut().zip(limit)
            && *depth > limit
            && !scribe.more.chance(60)
        {
            // With the two digits that the table keeps.
            *depth = limit + Decimal::new(0, 2);
        }
    }
}

/// What the protocol's rules say of a session, each warning with the reason for going on.
pub(super) fn check(scribe: &Scribe<'_>, session: &TreatmentSession, parts: &Parts) -> Vec<KeptCheck> {
    let Some(version) = session.protocol_version_id.and_then(|id| version_of(scribe, id)) else { return Vec::new() };
    let (world, chart, zone) = (scribe.world, &scribe.chart, scribe.place.zone);
    let areas: Vec<AreaFact> =
        parts.areas.iter().map(|it| AreaFact { area: it.area, side: it.side, depth_mm: it.needle_depth_mm }).collect();
    let at = session.started_at;
    let (lots, sessions) = (lots_of(scribe, parts, at), earlier(scribe));
    let mut newest_first = chart.consents.clone();
    newest_first.reverse();
    let days = Days { born: chart.patient.birth_date, session: at.with_timezone(&zone).date_naive(), of_age: 18 };
    let held = consultation_before(&chart.consultations, at, |at, _| at.with_timezone(&zone).date_naive());
    let plan = chart.plans.iter().find(|it| Some(it.id) == session.plan_id).map(|it| PlanFact {
        id: it.id,
        planned_sessions: it.planned_sessions,
        areas: it.areas.clone(),
    });
    let reviewed =
        |it: &HealthReview| ReviewFact { day: it.reviewed_at.with_timezone(&zone).date_naive(), kept: it.clone() };
    let reviews: Vec<ReviewFact> = chart.reviews.iter().map(reviewed).collect();
    let mut found = checks(&Facts {
        own: Some(Held { version: version.id, modality: version.modality, rules: &version.rules, only: true }),
        others: &[],
        modality: session.modality,
        uses: &[session.modality],
        started_at: at,
        day: at.with_timezone(&zone).date_naive(),
        areas: &areas,
        device: session.device_id.and_then(|id| world.shelf.device_of(id)),
        lots: &lots,
        cream: session.anaesthetic.as_deref().map(CreamFact::of),
        skin_type: chart.patient.skin_type.as_ref().map(|skin| skin.fitzpatrick),
        patient: session.patient_id,
        born: chart.patient.birth_date,
        health: &chart.health,
        terms: &[],
        reviews: &reviews,
        sessions: &sessions,
        plan: plan.as_ref(),
        consents: &[(session.modality, consent_at(&newest_first, session.modality, at, days))],
        consultation: held.as_ref(),
        consultation_in_person: false,
        clearance: None,
    });
    for check in found.iter_mut().filter(|check| check.verdict == CheckVerdict::Warn) {
        check.overridden = Some(Override {
            reason: reason(check.rule).to_owned(),
            by: session.practitioner_id,
            supervisor_id: None,
            at: session.stamp.created_at,
        });
    }
    found
}

/// The products of a session, with the lots of the shelf as they were known then.
fn lots_of(scribe: &Scribe<'_>, parts: &Parts, at: DateTime<Utc>) -> Vec<LotFact> {
    let world = scribe.world;
    let each = parts.products.iter().map(|it| LotFact {
        role: Some(it.role),
        intradermal_use: it.intradermal_use,
        product: it.product.clone(),
        lot: it.lot.clone(),
        expires_on: it.expires_on,
        known: it.lot.as_ref().filter(|_| it.lot_id.is_some()).and_then(|lot| world.known_lot(lot, at)),
    });
    each.collect()
}

/// The patient's sessions up to now.
fn earlier(scribe: &Scribe<'_>) -> Vec<OtherSession> {
    let zone = scribe.place.zone;
    let each = scribe.chart.sessions.iter().map(|(it, parts)| OtherSession {
        id: it.id,
        started_at: it.started_at,
        day: it.started_at.with_timezone(&zone).date_naive(),
        status: it.status,
        modality: it.modality,
        by_device: it.kinds().nth(1),
        areas: parts.areas.iter().map(|it| (it.area, it.side)).collect(),
        interval_min_days: it
            .protocol_version_id
            .and_then(|id| version_of(scribe, id))
            .map(|version| version.rules.interval_min_days),
        plan: it.plan_id,
        signed: it.signature.is_some(),
    });
    each.collect()
}

fn reason(rule: CheckRule) -> &'static str {
    match rule {
        CheckRule::Interval => "Skin fully healed, looked at under the lamp; patient flies abroad next week.",
        CheckRule::Course => "Half of the scars answered well; one more agreed with the patient.",
        CheckRule::Dose => "A thin film on part of the area only; watched until it was off.",
        CheckRule::Age => "Talked through with both parents and the supervising physician.",
        CheckRule::Protocol => "Follows the clinic's own scheme, on paper.",
        CheckRule::Product => "Put on after the needles, on closed skin.",
        CheckRule::Depth => "Deep rolling scars, test spot well tolerated; one pass only at this depth.",
        CheckRule::Contraindication => {
            "Discussed with the patient, stable for a year; prophylaxis and shallow start agreed."
        }
        CheckRule::History => "Asked in the chair; nothing new.",
        CheckRule::Consent => "Asked again before the session.",
        CheckRule::Lot => "Checked the pack: seal intact, nothing else at hand; told the patient.",
        CheckRule::Device => "Serviced last week, tested on gauze before.",
        CheckRule::Consultation => "Looked at again on the day; nothing has changed.",
        CheckRule::SkinType => "Lower energy and a test spot four weeks ago, no darkening.",
        CheckRule::Anaesthetic => "Came off late; no signs, patient watched for half an hour.",
        CheckRule::Clearance => "The prescriber saw the patient last month; the paper is in the file.",
    }
}
