//! What holds a course together: its plan, the consents before it, the checks of each session, the recalls that follow.

use super::chart::Scribe;
use super::complaint::Complaint;
use super::treatment::Treatment;
use crate::care::{
    AreaFact, CreamFact, EarlierSession, Facts, LotFact, checks,
    store::{consent_at, consultation_before},
};
use crate::consent::{
    Consent, ConsentKind, ConsentSignatureMethod, ConsentSigner, ConsentStatus, ConsentTemplateVersion, Given, hash_of,
};
use crate::error::Result;
use crate::plan::{PlanArea, SessionFact, TreatmentPlan, TreatmentPlanStatus, progress};
use crate::protocol::ProtocolVersion;
use crate::recall::{
    Attempt, Change, ContactChannel, ContactOutcome, Recall, RecallReason, RecallStatus, due, reconcile,
};
use crate::record::Stamp;
use crate::session::{CheckRule, CheckVerdict, KeptCheck, Override, Parts, SessionStatus, TreatmentSession};
use crate::vocabulary::{Action, Concern, Modality};
use chrono::{DateTime, TimeDelta, Utc};
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

/// The protocol of a plan.
fn version_of<'w>(scribe: &Scribe<'w>, id: Uuid) -> Option<&'w ProtocolVersion> {
    scribe.world.protocols.iter().find(|version| version.id == id)
}

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
            Change::Done(id, session) => change_recall(scribe, id, by, at, |recall| {
                (recall.status, recall.snoozed_until) = (RecallStatus::Done, None);
                recall.done_by_session_id = Some(session);
            })?,
            Change::Supersede(id) => change_recall(scribe, id, by, at, |recall| {
                (recall.status, recall.snoozed_until) = (RecallStatus::Superseded, None);
            })?,
            Change::Open(wanted) => {
                let recall = Recall {
                    id: scribe.new_id(at),
                    patient_id: scribe.chart.patient.id,
                    reason: wanted.reason,
                    plan_id: Some(wanted.plan_id),
                    after_session_id: wanted.after_session_id,
                    lot_id: None,
                    due_from: wanted.due_from,
                    due_until: wanted.due_until,
                    status: RecallStatus::Open,
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
    let facts: Vec<SessionFact> = of_plan
        .map(|(it, _)| SessionFact {
            id: it.id,
            at: it.ended_at.unwrap_or(it.started_at),
            status: it.status,
            zone: scribe.place.zone,
        })
        .collect();
    let progress = progress(plan, &version.rules, &facts, plan.started_on);
    let recalls: Vec<Recall> =
        scribe.chart.recalls.iter().filter(|recall| recall.plan_id == Some(plan.id)).cloned().collect();
    Some(reconcile(&recalls, &due::wanted(plan, &progress, version), answered_by))
}

fn change_recall(
    scribe: &mut Scribe<'_>,
    id: Uuid,
    by: Uuid,
    at: DateTime<Utc>,
    change: impl FnOnce(&mut Recall),
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
    let open = |it: &&Recall| it.is_live() && it.reason == RecallReason::ResultsReview && it.plan_id == plan;
    let Some(id) = scribe.chart.recalls.iter().find(open).map(|recall| recall.id) else { return Ok(()) };
    change_recall(scribe, id, by, at, |recall| {
        recall.status = RecallStatus::Done;
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
            change_recall(scribe, id, desk, at, |recall| {
                recall.status = RecallStatus::Dismissed;
                recall.closed_reason = Some("Will call to come again".to_owned());
            })?;
        } else if scribe.has_come(at) && scribe.more.chance(120) {
            let until = today + TimeDelta::days(scribe.more.between(3, 40));
            change_recall(scribe, id, desk, at, |recall| {
                (recall.status, recall.snoozed_until) = (RecallStatus::Snoozed, Some(until));
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
    change_recall(scribe, recall, desk, at, |recall| recall.attempts.push(attempt))
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
    let notice = Recall {
        id: scribe.new_id(at),
        patient_id: scribe.chart.patient.id,
        reason: RecallReason::SafetyNotice,
        plan_id: None,
        after_session_id: Some(session),
        lot_id: Some(lot.id),
        due_from: at.date_naive(),
        due_until: at.date_naive() + TimeDelta::days(14),
        status: RecallStatus::Open,
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

/// A text of a kind that covers a treatment.
fn text<'w>(scribe: &Scribe<'w>, kind: ConsentKind, modality: Option<Modality>) -> Option<&'w ConsentTemplateVersion> {
    let covers = |it: &ConsentTemplateVersion| {
        it.modalities.is_empty() || modality.is_some_and(|modality| it.modalities.contains(&modality))
    };
    scribe.world.texts.iter().find(|(of, it)| *of == kind && covers(it)).map(|(_, text)| text)
}

/// The patient agrees at a moment, unless what they agreed to before still holds.
pub(super) fn agree(
    scribe: &mut Scribe<'_>,
    kind: ConsentKind,
    modality: Option<Modality>,
    by: Uuid,
    at: DateTime<Utc>,
) -> Result<()> {
    let holds = crate::consent::in_force(&scribe.chart.consents, kind, modality, at).is_some();
    let Some(text) = text(scribe, kind, modality).filter(|_| !holds && scribe.has_come(at)) else { return Ok(()) };
    let legal = &scribe.chart.patient.legal_name;
    let name = format!("{} {}", legal.given, legal.family);
    let consent = Consent {
        id: scribe.new_id(at),
        patient_id: scribe.chart.patient.id,
        template_version_id: text.id,
        kind,
        modalities: text.modalities.clone(),
        text_hash: text.text_hash.clone(),
        status: ConsentStatus::Active,
        given: Some(Given {
            at,
            signer: ConsentSigner::Patient,
            signature_hash: hash_of(name.as_bytes()),
            name,
            relationship: None,
            method: ConsentSignatureMethod::TypedName,
            witness_id: Some(by),
            witness_name: None,
        }),
        expires_at: text.valid_days.map(|days| at + TimeDelta::days(i64::from(days))),
        ended_at: None,
        ended_reason: None,
        note: None,
        stamp: Stamp::new(Some(by), at),
    };
    scribe.note(Action::Create, &consent, by, at)?;
    scribe.chart.consents.push(consent);
    Ok(())
}

/// A few take their consent back after all their sessions.
pub(super) fn take_back(scribe: &mut Scribe<'_>) -> Result<()> {
    let Some((last, _)) = scribe.chart.sessions.last() else { return Ok(()) };
    let (by, after) = (last.practitioner_id, last.stamp.updated_at);
    let at = after + TimeDelta::days(scribe.more.between(9, 40));
    if !scribe.more.chance(40) || !scribe.has_come(at) {
        return Ok(());
    }
    let place = scribe.chart.consents.iter().rposition(|consent| {
        consent.kind == ConsentKind::Treatment && consent.in_force_at(at) && consent.stamp.updated_at < at
    });
    let Some(mut consent) = place.and_then(|place| scribe.chart.consents.get(place)).cloned() else { return Ok(()) };
    consent.status = ConsentStatus::Inactive;
    (consent.ended_at, consent.ended_reason) = (Some(at), Some("Wants no further treatment for now".to_owned()));
    consent.stamp = consent.stamp.changed(Some(by), at);
    scribe.note(Action::Update, &consent, by, at)?;
    if let Some(kept) = place.and_then(|place| scribe.chart.consents.get_mut(place)) {
        *kept = consent;
    }
    Ok(())
}

/// Makes a session one of its plan: its protocol, its depths as the protocol has them but for a few.
pub(super) fn follow(scribe: &mut Scribe<'_>, plan: usize, session: &mut TreatmentSession, parts: &mut Parts) {
    let Some(plan) = scribe.chart.plans.get(plan) else { return };
    (session.plan_id, session.protocol_version_id) = (Some(plan.id), Some(plan.protocol_version_id));
    let Some(version) = version_of(scribe, plan.protocol_version_id) else { return };
    for area in &mut parts.areas {
        let limit = version.rules.depth_limits.iter().find(|limit| limit.area == area.area).map(|limit| limit.max_mm.0);
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
    let lots: Vec<LotFact> = parts
        .products
        .iter()
        .map(|it| LotFact {
            product: it.product.clone(),
            lot: it.lot.clone(),
            expires_on: it.expires_on,
            known: it.lot.as_ref().filter(|_| it.lot_id.is_some()).and_then(|lot| world.known_lot(lot, at)),
        })
        .collect();
    let sessions: Vec<EarlierSession> = chart
        .sessions
        .iter()
        .map(|(it, parts)| EarlierSession {
            id: it.id,
            started_at: it.started_at,
            day: it.started_at.with_timezone(&zone).date_naive(),
            status: it.status,
            modality: it.modality,
            areas: parts.areas.iter().map(|it| (it.area, it.side)).collect(),
        })
        .collect();
    let mut newest_first = chart.consents.clone();
    newest_first.reverse();
    let cream = session.anaesthetic.as_ref();
    let mut found = checks(&Facts {
        rules: &version.rules,
        protocol_version: version.id,
        protocol_modality: version.modality,
        modality: session.modality,
        started_at: at,
        day: at.with_timezone(&zone).date_naive(),
        areas: &areas,
        device: session.device_id.and_then(|id| world.shelf.device_of(id)),
        lots: &lots,
        cream: cream.map(|it| CreamFact {
            minutes: it.applied_at.zip(it.removed_at).map(|(on, off)| (off - on).num_minutes()),
        }),
        skin_type: chart.patient.skin_type.as_ref().map(|skin| skin.fitzpatrick),
        patient: session.patient_id,
        health: &chart.health,
        sessions: &sessions,
        consent: consent_at(&newest_first, session.modality, at),
        consultation: consultation_before(&chart.consultations, at),
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

fn reason(rule: CheckRule) -> &'static str {
    match rule {
        CheckRule::Interval => "Skin fully healed, looked at under the lamp; patient flies abroad next week.",
        CheckRule::Depth => "Deep rolling scars, test spot well tolerated; one pass only at this depth.",
        CheckRule::Contraindication => {
            "Discussed with the patient, stable for a year; prophylaxis and shallow start agreed."
        }
        CheckRule::Consent => "Asked again before the session.",
        CheckRule::Lot => "Checked the pack: seal intact, nothing else at hand; told the patient.",
        CheckRule::Device => "Serviced last week, tested on gauze before.",
        CheckRule::Consultation => "Looked at again on the day; nothing has changed.",
        CheckRule::SkinType => "Lower energy and a test spot four weeks ago, no darkening.",
        CheckRule::Anaesthetic => "Came off late; no signs, patient watched for half an hour.",
    }
}
