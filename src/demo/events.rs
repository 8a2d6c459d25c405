//! What is noted after a session that does not heal as it should: long symptoms, adverse events.

use super::chart::Scribe;
use crate::adverse_event::{
    AdverseEvent, AdverseEventKind, AdverseEventOutcome, AdverseEventSeverity, AuthorityReport, Causality,
    Expectedness, FollowUp, expectedness, follow,
};
use crate::aftercare::{Adherence, AftercareNote, AftercareNoteKind};
use crate::error::Result;
use crate::record::Stamp;
use crate::vocabulary::Action;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

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
        return complication(scribe, session, by, ended_at);
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
        return still_pink(scribe, session, by, ended_at);
    }
    Ok(())
}

/// The adverse event after a complicated session, by what the patient reported.
fn complication(scribe: &mut Scribe<'_>, session: Uuid, by: Uuid, ended_at: DateTime<Utc>) -> Result<()> {
    let report = scribe.chart.notes.iter().rev().find(|note| note.session_id == session && note.escalate);
    let found = report.map(|note| (note.id, note.noted_at, note.text.clone()));
    let (note, at, text) = found.map_or((None, ended_at + TimeDelta::days(2), None), |it| (Some(it.0), it.1, it.2));
    let kind = match text.as_deref() {
        Some(text) if text.starts_with("Small blisters") => AdverseEventKind::HerpesReactivation,
        Some(text) if text.starts_with("Crusts") => AdverseEventKind::Infection,
        _ => AdverseEventKind::Oedema,
    };
    event(scribe, session, note, kind, AdverseEventSeverity::Moderate, false, by, ended_at, at)
}

/// A check-in of skin that takes longer than usual; every other time it is an adverse event.
fn still_pink(scribe: &mut Scribe<'_>, session: Uuid, by: Uuid, ended_at: DateTime<Utc>) -> Result<()> {
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
    let used = treated.and_then(|(it, _)| it.device.clone().map(|device| (it.device_id, device)));
    let report = serious.then(|| AuthorityReport {
        to: "The health authority".to_owned(),
        at: reported_at,
        reference: Some("AE-0117".to_owned()),
    });
    let (description, action) = told(kind, serious);
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
        expectedness: Expectedness::Expected,
        suspected_cause: Some("The needling itself".to_owned()),
        causality: Some(if lot_id.is_some() { Causality::Possible } else { Causality::Probable }),
        action_taken: Some(action.to_owned()),
        outcome: AdverseEventOutcome::Ongoing,
        resolved_at: None,
        reports: report.clone().into_iter().collect(),
        report,
        device_id: used.as_ref().and_then(|(id, _)| *id),
        device_model: used.as_ref().map(|(_, device)| device.model.clone()),
        device_serial: used.and_then(|(_, device)| device.serial),
        follow_ups: Vec::new(),
        entered_in_error: false,
        stamp: Stamp::new(Some(by), reported_at),
    };
    event.expectedness = expectedness(&event, Some(ended_at));
    scribe.note(Action::Create, &event, by, reported_at)?;
    look_again(scribe, &mut event, by, reported_at)?;
    scribe.chart.events.push(event);
    Ok(())
}

/// What an event is described as, and what was done about it.
fn told(kind: AdverseEventKind, serious: bool) -> (&'static str, &'static str) {
    match kind {
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
    }
}

/// The looks after an event, until it is over or up to now.
fn look_again(scribe: &mut Scribe<'_>, event: &mut AdverseEvent, by: Uuid, reported_at: DateTime<Utc>) -> Result<()> {
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
        if follow(event, step).is_err() {
            break;
        }
        event.stamp = event.stamp.changed(Some(by), next);
        scribe.note(Action::Update, event, by, next)?;
    }
    Ok(())
}
