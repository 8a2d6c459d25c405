//! What came of a treatment: outcomes, adverse events, photos.

use super::care;
use super::chart::Scribe;
use super::drawing;
use crate::adverse_event::{
    AdverseEvent, AdverseEventKind, AdverseEventOutcome, AdverseEventSeverity, AuthorityReport, Causality, FollowUp,
    expectedness, follow,
};
use crate::aftercare::{Adherence, AftercareNote, AftercareNoteKind};
use crate::error::{Error, Result};
use crate::outcome::{OutcomeAssessment, RaterRole};
use crate::photo::{MediaType, Photo, PhotoPhase, PhotoStatus, PhotoView, UPLOAD_MINUTES};
use crate::plan::TreatmentPlanStatus;
use crate::record::Stamp;
use crate::vocabulary::{Action, BodyArea, Side};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

/// The first area of a plan.
fn place_of(scribe: &Scribe<'_>, plan: usize) -> (BodyArea, Side) {
    let area = scribe.chart.plans.get(plan).and_then(|plan| plan.areas.first());
    area.map_or((BodyArea::Cheek, Side::Bilateral), |it| (it.area, it.side))
}

/// Whether there are photos of this patient.
fn photographed(scribe: &Scribe<'_>) -> bool {
    scribe.index < scribe.world.photographed
}

/// Photos at a moment, of a session: from before the first, later ones to lay beside them.
pub(super) fn take_photos(
    scribe: &mut Scribe<'_>,
    plan: usize,
    session: Option<Uuid>,
    phase: PhotoPhase,
    by: Uuid,
    at: DateTime<Utc>,
) -> Result<()> {
    let agreed = crate::consent::in_force(&scribe.chart.consents, crate::consent::ConsentKind::ClinicalPhoto, None, at);
    if !photographed(scribe) || agreed.is_none() || !scribe.has_come(at + TimeDelta::minutes(5)) {
        return Ok(());
    }
    let (area, side) = place_of(scribe, plan);
    let views: &[PhotoView] = match scribe.index % 4 {
        0 => &[PhotoView::Frontal, PhotoView::ObliqueLeft],
        _ => &[PhotoView::Frontal],
    };
    let better = scribe.chart.photos.len() / views.len();
    for view in views {
        let id = scribe.new_id(at);
        let made_at = at + TimeDelta::seconds(scribe.more.between(5, 30));
        let skin = scribe.chart.patient.skin_type.as_ref().map_or(3, |skin| skin.fitzpatrick.number());
        let plain = |_| Error::Internal("a drawn photo is no picture".to_owned());
        let picture = drawing::photo(id, scribe.index, skin, *view, better).map_err(plain)?;
        let expected = Photo {
            id,
            patient_id: scribe.chart.patient.id,
            session_id: session,
            aftercare_note_id: None,
            adverse_event_id: None,
            status: PhotoStatus::AwaitingUpload,
            status_reason: None,
            taken_at: at,
            phase,
            view: *view,
            area,
            side,
            lighting: Some("Ring light, 5500 K".to_owned()),
            distance_cm: Some(i16::try_from(40 + scribe.more.between(-2, 2)).unwrap_or(40)),
            make_up_free: Some(true),
            note: None,
            upload_expires_at: Some(made_at + TimeDelta::minutes(UPLOAD_MINUTES)),
            stored_at: None,
            content_hash: None,
            media_type: None,
            byte_size: None,
            width: None,
            height: None,
            stamp: Stamp::new(Some(by), made_at),
        };
        scribe.note(Action::Create, &expected, by, made_at)?;
        let stored_at = made_at + TimeDelta::seconds(scribe.more.between(3, 40));
        let number = |number: u32| i32::try_from(number).ok();
        let stored = Photo {
            status: PhotoStatus::Stored,
            stored_at: Some(stored_at),
            content_hash: Some(picture.hash.clone()),
            media_type: Some(MediaType::Jpeg),
            byte_size: i32::try_from(picture.bytes.len()).ok(),
            width: number(picture.width),
            height: number(picture.height),
            stamp: expected.stamp.changed(Some(by), stored_at),
            ..expected
        };
        scribe.note(Action::Update, &stored, by, stored_at)?;
        scribe.chart.photos.push((stored, picture));
    }
    Ok(())
}

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
    let of_area = |phase: PhotoPhase| {
        let before = scribe.chart.photos.iter().filter(|(it, _)| it.taken_at <= at && it.area == area);
        before.filter(|(it, _)| it.phase == phase).map(|(it, _)| (it.id, it.view)).collect::<Vec<_>>()
    };
    let after = of_area(PhotoPhase::FollowUp).last().copied();
    let before = after.and_then(|(_, view)| of_area(PhotoPhase::Before).into_iter().rev().find(|it| it.1 == view));
    let pair = after.zip(before);
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
            care::reviewed(scribe, plan, by, at + TimeDelta::minutes(30))?;
            let done = TreatmentPlanStatus::Completed;
            let finished = changes_nothing(scribe, plan);
            if finished && scribe.more.chance(700) {
                care::move_plan(scribe, plan, done, None, by, at + TimeDelta::minutes(40))?;
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
            care::move_plan(scribe, plan, TreatmentPlanStatus::Revoked, Some(reason), by, at)
        }
        2 => care::move_plan(scribe, plan, TreatmentPlanStatus::OnHold, Some("Long journey, back in spring"), by, at),
        _ => Ok(()),
    }
}

/// What is noted some time after a session: symptoms that outlast their usual time, and adverse events.
pub(super) fn after_session(
    scribe: &mut Scribe<'_>,
    session: Uuid,
    by: Uuid,
    ended_at: DateTime<Utc>,
    complicated: bool,
) -> Result<()> {
    let first = scribe.chart.sessions.len() == 1;
    // Of few patients, some stand for what is rare.
    let shown = first && scribe.index < 40;
    if complicated {
        let report = scribe.chart.notes.iter().rev().find(|note| note.session_id == session && note.escalate);
        let found = report.map(|note| (note.id, note.noted_at, note.text.clone()));
        let (note, at, text) = found.map_or((None, ended_at + TimeDelta::days(2), None), |it| (Some(it.0), it.1, it.2));
        let kind = match text.as_deref() {
            Some(text) if text.starts_with("Small blisters") => AdverseEventKind::HerpesReactivation,
            Some(text) if text.starts_with("Crusts") => AdverseEventKind::Infection,
            _ => AdverseEventKind::Oedema,
        };
        return event(scribe, session, note, kind, AdverseEventSeverity::Moderate, false, by, ended_at, at);
    }
    if scribe.more.chance(3) || shown && scribe.index % 13 == 5 {
        let serious = scribe.index % 500 == 5;
        let at = ended_at + TimeDelta::hours(scribe.more.between(50, 120));
        let (kind, severity) = if serious {
            (AdverseEventKind::Infection, AdverseEventSeverity::Severe)
        } else {
            (AdverseEventKind::PostInflammatoryHyperpigmentation, AdverseEventSeverity::Mild)
        };
        return event(scribe, session, None, kind, severity, serious, by, ended_at, at);
    }
    if scribe.more.chance(8) || shown && scribe.index % 7 == 2 {
        let day = ended_at.date_naive() + TimeDelta::days(scribe.more.between(9, 12));
        let at = super::chart::visit(&mut scribe.more, scribe.place.zone, day);
        let written_at = at + TimeDelta::minutes(3);
        if !scribe.has_come(written_at) {
            return Ok(());
        }
        let note = AftercareNote {
            id: scribe.new_id(at),
            patient_id: scribe.chart.patient.id,
            session_id: session,
            author_id: by,
            kind: AftercareNoteKind::CheckIn,
            noted_at: at,
            text: Some("Still pink on both sides, warm in the evening; fading slowly.".to_owned()),
            redness: Some(i16::try_from(scribe.more.between(2, 5)).unwrap_or(2)),
            swelling: Some(0),
            pain: Some(0),
            adherence: Some(Adherence::Partial),
            escalate: false,
            stamp: Stamp::new(Some(by), written_at),
            signature: None,
        };
        let id = note.id;
        let sign_at = written_at + TimeDelta::minutes(scribe.more.between(2, 30));
        scribe.add_note(note, Some(sign_at))?;
        if scribe.more.chance(500) {
            let (kind, severity) = (AdverseEventKind::Erythema, AdverseEventSeverity::Mild);
            let seen = at + TimeDelta::hours(1);
            return event(scribe, session, Some(id), kind, severity, false, by, ended_at, seen);
        }
    }
    Ok(())
}

#[allow(clippy::too_many_arguments)]
fn event(
    scribe: &mut Scribe<'_>,
    session: Uuid,
    note: Option<Uuid>,
    kind: AdverseEventKind,
    severity: AdverseEventSeverity,
    serious: bool,
    by: Uuid,
    ended_at: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Result<()> {
    let reported_at = at + TimeDelta::minutes(scribe.more.between(10, 50));
    if !scribe.has_come(reported_at) {
        return Ok(());
    }
    let treated = scribe.chart.sessions.iter().find(|(it, _)| it.id == session);
    let area = treated.and_then(|(_, parts)| parts.areas.first()).map(|area| area.area);
    let lot_id = treated
        .and_then(|(_, parts)| parts.products.iter().find_map(|it| it.lot_id))
        .filter(|_| kind == AdverseEventKind::Infection);
    let (description, action) = match kind {
        AdverseEventKind::HerpesReactivation => ("Grouped blisters at the lip", "Valaciclovir for five days"),
        AdverseEventKind::Infection if serious => (
            "Spreading redness and pus, fever of 39 °C; two nights in hospital with intravenous antibiotics",
            "Sent to hospital the same hour; swab taken, cartridge and serum kept",
        ),
        AdverseEventKind::Infection => ("Crusts with yellow discharge, tender", "Swab, fusidic acid cream for a week"),
        AdverseEventKind::Oedema => ("Swollen and hot on the third day", "Cooling, cetirizine; seen again after a day"),
        AdverseEventKind::PostInflammatoryHyperpigmentation => {
            ("Brown patch where the skin was treated", "Sun protection, azelaic acid 15 %; next session put off")
        }
        _ => ("Redness beyond the first week", "Bland moisturiser, no actives; watched"),
    };
    let onset_at = at - TimeDelta::hours(scribe.more.between(2, 20));
    let mut event = AdverseEvent {
        id: scribe.new_id(reported_at),
        patient_id: scribe.chart.patient.id,
        session_id: Some(session),
        aftercare_note_id: note,
        lot_id,
        kind,
        description: Some(description.to_owned()),
        onset_at,
        area,
        severity,
        serious,
        expectedness: expectedness(kind, onset_at, Some(ended_at)),
        suspected_cause: Some("The needling itself".to_owned()),
        causality: Some(if lot_id.is_some() { Causality::Possible } else { Causality::Probable }),
        action_taken: Some(action.to_owned()),
        outcome: AdverseEventOutcome::Ongoing,
        resolved_at: None,
        report: serious.then(|| AuthorityReport {
            to: "The health authority".to_owned(),
            at: reported_at,
            reference: Some("AE-0117".to_owned()),
        }),
        follow_ups: Vec::new(),
        entered_in_error: false,
        stamp: Stamp::new(Some(by), reported_at),
    };
    scribe.note(Action::Create, &event, by, reported_at)?;
    let (improving, resolved) = (AdverseEventOutcome::Improving, AdverseEventOutcome::Resolved);
    let mut next = reported_at;
    for (chance, outcome, text) in [
        (850, improving, "Better than at the last look; goes on as agreed."),
        (650, resolved, "Nothing left to be seen or felt."),
    ] {
        next += TimeDelta::hours(scribe.more.between(40, 200));
        if !scribe.more.chance(chance) || !scribe.has_come(next) {
            break;
        }
        let step = FollowUp { id: scribe.new_id(next), at: next, author_id: by, outcome, text: text.to_owned() };
        if follow(&mut event, step).is_err() {
            break;
        }
        event.stamp = event.stamp.changed(Some(by), next);
        scribe.note(Action::Update, &event, by, next)?;
    }
    scribe.chart.events.push(event);
    Ok(())
}
