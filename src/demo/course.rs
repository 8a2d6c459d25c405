//! A patient's story over the last 18 months: consultations, courses of 3 to 6 sessions, what happened after each.

use super::chart::{Chart, Scribe, World};
use super::complaint::{COMPLAINTS, Complaint};
use super::dice::Dice;
use super::treatment::{self, Treatment};
use super::{aftercare, call_backs, consents, history, person, photos, plans, protocols, result};
use crate::consent::ConsentKind;
use crate::consultation::{Candidacy, Consultation, ConsultationMode, PatchTest, PatchTestResult};
use crate::error::{Error, Result};
use crate::patient::{PatientStatus, SkinType};
use crate::photo::PhotoPhase;
use crate::record::Stamp;
use crate::session::{Parts, SessionStatus, TreatmentSession};
use crate::vocabulary::Action;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use uuid::Uuid;

/// The chart of patient `index` of the seed.
pub(super) fn chart(world: &World, index: u32, chart_number: String) -> Result<Chart> {
    let mut dice = Dice::new(world.seed, u64::from(index));
    let place = dice.weighted(world.home, &world.elsewhere);
    let today = world.end.date_naive();
    let first_visit = today - TimeDelta::days(dice.between(3, super::shelf::DAYS));
    let patient = person::person(world, &mut dice, &place, chart_number, first_visit);
    let mut scribe = Scribe::register(world, dice, place, index, patient)?;
    // Some only register: they never came, or have yet to come.
    let mut last = if scribe.dice.chance(60) { None } else { course(&mut scribe, first_visit)? };
    // Some come again: for something else, or to keep what they have.
    while let Some(day) = last.take() {
        let again = day + TimeDelta::days(scribe.dice.between(60, 200));
        if again < today && scribe.dice.chance(620) {
            last = course(&mut scribe, again)?;
        } else if day < today - TimeDelta::days(300) && scribe.dice.chance(120) {
            let at = scribe.visit(day + TimeDelta::days(290));
            archive(&mut scribe, at)?;
        }
    }
    consents::take_back(&mut scribe)?;
    call_backs::warn_of_lot(&mut scribe)?;
    call_backs::work_through(&mut scribe)?;
    let mut chart = scribe.chart;
    chart.entries.sort_by_key(|entry| entry.at);
    Ok(chart)
}

fn archive(scribe: &mut Scribe<'_>, at: DateTime<Utc>) -> Result<()> {
    if !scribe.has_come(at) {
        return Ok(());
    }
    let reason = scribe.dice.word(&[
        "Moved away",
        "Asked to be taken off the list",
        "No visit for a long time, no answer to two letters",
    ]);
    scribe.change_patient(Action::Archive, scribe.world.admin, at, |patient| {
        patient.status = PatientStatus::Archived;
        patient.status_reason = Some(reason.to_owned());
    })
}

fn complaint(dice: &mut Dice) -> Option<&'static Complaint> {
    let mut thrown = dice.below(COMPLAINTS.iter().map(|it| it.weight).sum());
    COMPLAINTS.iter().find(|complaint| {
        let found = thrown < complaint.weight;
        thrown = thrown.saturating_sub(complaint.weight);
        found
    })
}

/// A consultation and the sessions after it. The day of the last session, if a course was begun and is over.
fn course(scribe: &mut Scribe<'_>, day: NaiveDate) -> Result<Option<NaiveDate>> {
    let held_at = scribe.visit(day);
    if !scribe.has_come(held_at) {
        return Ok(None);
    }
    let complaint = complaint(&mut scribe.dice).ok_or_else(|| Error::Internal("no complaints".to_owned()))?;
    let practitioner = scribe.practitioner();
    let planned = scribe.dice.weighted(4_i64, &[(260, 3), (190, 5), (190, 6)]);
    let suitable = consult(scribe, complaint, practitioner, held_at, planned)?;
    if !suitable {
        return Ok(None);
    }
    let treatment = Treatment {
        modality: scribe.dice.weighted(complaint.modality, complaint.others),
        areas: scribe.dice.pick(complaint.areas).copied().unwrap_or_default(),
        practitioner,
    };
    let plan = plans::open_plan(scribe, complaint, &treatment, planned)?;
    // One in six leaves before the course is over.
    let done = if scribe.dice.chance(165) { scribe.dice.between(0, planned - 1) } else { planned };
    let mut day = held_at.date_naive() + TimeDelta::days(scribe.dice.between(3, 17));
    for number in 1..=done {
        // A colleague stands in now and then.
        let stand_in = if scribe.dice.chance(80) { scribe.practitioner() } else { practitioner };
        let started_at = scribe.visit(day);
        if !scribe.has_come(started_at + TimeDelta::hours(3)) {
            return Ok(None);
        }
        visit(scribe, &Treatment { practitioner: stand_in, ..treatment }, plan, number, started_at)?;
        day = started_at.date_naive()
            + TimeDelta::days(scribe.dice.weighted(28, &[(180, 21), (120, 24), (180, 31), (140, 35), (80, 42)]));
        // A few come too soon.
        if scribe.more.chance(12) {
            day = started_at.date_naive() + TimeDelta::days(18);
        }
    }
    if let Some(plan) = plan {
        let of_plan = scribe.chart.plans.get(plan).map(|it| (it.id, it.started_on));
        let mut visits = scribe.chart.sessions.iter().filter(|(it, _)| it.plan_id == of_plan.map(|(id, _)| id));
        let last =
            visits.next_back().map(|(it, _)| it.started_at.date_naive()).or(of_plan.map(|(_, started_on)| started_on));
        let last = last.unwrap_or(day);
        if done < planned {
            result::leave(scribe, plan, practitioner, last)?;
        } else {
            result::review(scribe, plan, practitioner, last)?;
        }
    }
    Ok(Some(day))
}

/// The consultation before a course, with the health history and the skin type at the first. Whether a course follows.
fn consult(
    scribe: &mut Scribe<'_>,
    complaint: &Complaint,
    by: Uuid,
    held_at: DateTime<Utc>,
    planned: i64,
) -> Result<bool> {
    let written_at = held_at + TimeDelta::seconds(scribe.dice.between(1500, 3600));
    let first = scribe.chart.consultations.is_empty();
    let forbids = if first { first_visit(scribe, by, held_at, written_at)? } else { None };
    history::review(scribe, by, written_at)?;
    let id = scribe.id(held_at);
    let recent = held_at > scribe.world.end - TimeDelta::days(4);
    let dice = &mut scribe.dice;
    let (candidacy, reasons) = candidacy(dice, forbids);
    let suitable = candidacy == Candidacy::Suitable;
    let patch_test = (suitable && dice.chance(220)).then(|| patch_test(dice, held_at));
    let remote = dice.chance(if first { 60 } else { 180 });
    let consultation = Consultation {
        id,
        patient_id: scribe.chart.patient.id,
        practitioner_id: by,
        location_id: Some(scribe.place.id),
        held_at,
        mode: if remote { ConsultationMode::Telehealth } else { ConsultationMode::InPerson },
        concerns: complaint.concerns.iter().copied().take(if dice.chance(550) { 2 } else { 1 }).collect(),
        goals: dice.chance(900).then(|| dice.word(complaint.goals).to_owned()),
        findings: Some(dice.word(complaint.findings).to_owned()),
        scar_types: complaint.scar_types.iter().copied().filter(|_| dice.chance(550)).collect(),
        prior_procedures: dice.chance(300).then(|| {
            dice.word(&[
                "None on the face",
                "Two chemical peels, three years ago",
                "Botulinum toxin twice a year elsewhere",
                "Fractional laser elsewhere, little change",
                "Home roller 0.2 mm",
            ])
            .to_owned()
        }),
        expectations_discussed: Some(true),
        candidacy: Some(candidacy),
        candidacy_reasons: reasons,
        recommended_plan: suitable.then(|| format!("{planned} sessions, four weeks apart: {}.", complaint.plan)),
        patch_test: patch_test.filter(|_| !remote),
        valid_until: suitable.then(|| held_at.date_naive() + TimeDelta::days(365)),
        stamp: Stamp::new(Some(by), written_at),
        signature: None,
    };
    let draft = if recent { dice.chance(500) } else { dice.chance(8) };
    let sign_at = (!draft).then(|| written_at + TimeDelta::seconds(dice.between(60, 5000)));
    scribe.add_consultation(consultation, sign_at)?;
    Ok(suitable)
}

/// What is asked and agreed to at the first visit. What of the history forbids a treatment.
fn first_visit(
    scribe: &mut Scribe<'_>,
    by: Uuid,
    held_at: DateTime<Utc>,
    written_at: DateTime<Utc>,
) -> Result<Option<&'static str>> {
    let forbids = history::take_history(scribe, by, written_at)?;
    let skin = SkinType {
        fitzpatrick: person::fitzpatrick(&mut scribe.dice),
        assessed_on: Some(held_at.date_naive()),
        assessed_by: Some(by),
    };
    scribe.change_patient(Action::Update, by, written_at, |patient| patient.skin_type = Some(skin))?;
    let at = held_at + TimeDelta::minutes(2);
    consents::agree(scribe, ConsentKind::Data, None, by, at)?;
    if scribe.index < scribe.world.photographed || scribe.more.chance(850) {
        consents::agree(scribe, ConsentKind::ClinicalPhoto, None, by, at + TimeDelta::seconds(40))?;
    }
    if scribe.more.chance(70) {
        consents::agree(scribe, ConsentKind::MarketingPhoto, None, by, at + TimeDelta::seconds(70))?;
    }
    Ok(forbids)
}

/// Whether the patient is fit for it, and if not, why.
fn candidacy(dice: &mut Dice, forbids: Option<&str>) -> (Candidacy, Option<String>) {
    let usual = dice.weighted(
        (Candidacy::Suitable, None),
        &[
            (15, (Candidacy::Deferred, Some("Sunburnt after a holiday; come back in four weeks."))),
            (10, (Candidacy::Deferred, Some("Herpes labialis, active; come back when healed, with prophylaxis."))),
            (6, (Candidacy::Unsuitable, Some("Expects the scars to be gone for good; not what this treatment does."))),
        ],
    );
    match forbids {
        Some(text) => {
            (Candidacy::Deferred, Some(format!("Not while this holds: {text}. To be looked at again in six months.")))
        }
        None => (usual.0, usual.1.map(str::to_owned)),
    }
}

/// A patch test at the consultation.
fn patch_test(dice: &mut Dice, held_at: DateTime<Utc>) -> PatchTest {
    PatchTest {
        site: dice.word(&["behind the left ear", "inner forearm", "behind the right ear"]).to_owned(),
        performed_at: held_at + TimeDelta::minutes(15),
        product: dice.word(&["Numbrella", "Hyalure 1 %", "Dermasopor"]).to_owned(),
        result: Some(dice.weighted(PatchTestResult::None, &[(60, PatchTestResult::Mild)])),
        note: None,
    }
}

/// One visit of a course: the session, and what followed.
fn visit(
    scribe: &mut Scribe<'_>,
    treatment: &Treatment,
    plan: Option<usize>,
    number: i64,
    started_at: DateTime<Utc>,
) -> Result<()> {
    let (mut session, mut parts) = treatment::session(scribe, treatment, number, started_at);
    let status = scribe.dice.weighted(
        SessionStatus::Completed,
        &[(14, SessionStatus::Stopped), (14, SessionStatus::NotDone), (3, SessionStatus::EnteredInError)],
    );
    if status != SessionStatus::Completed {
        cut_short(&mut scribe.dice, &mut session, &mut parts, status);
    }
    let arrived_at = started_at - TimeDelta::minutes(25);
    let by = treatment.practitioner;
    if status != SessionStatus::EnteredInError && status != SessionStatus::NotDone {
        consents::agree(scribe, ConsentKind::Treatment, Some(treatment.modality), by, arrived_at)?;
        history::review(scribe, by, arrived_at)?;
    }
    if let Some(plan) = plan {
        protocols::follow(scribe, plan, &mut session, &mut parts);
        parts.checks = protocols::check(scribe, &session, &parts);
    }
    let (id, by) = (session.id, session.practitioner_id);
    let (ended_at, logged_at) = (session.ended_at, session.stamp.created_at);
    // The newest ones wait for their signature.
    let recent = started_at > scribe.world.end - TimeDelta::days(3);
    let draft = if recent { scribe.dice.chance(600) } else { scribe.dice.chance(4) };
    let sign_at = (!draft).then(|| logged_at + TimeDelta::seconds(scribe.dice.between(45, 7200)));
    scribe.add_session(session, parts, sign_at)?;
    if let Some(plan) = plan {
        let done = (status == SessionStatus::Completed).then_some(id);
        call_backs::refresh(scribe, plan, by, logged_at, done)?;
        if done.is_some() {
            look(scribe, plan, number, id, by, arrived_at)?;
        }
    }
    if let Some(ended_at) = ended_at {
        aftercare::follow_up(scribe, id, by, ended_at)?;
    }
    if !recent && !draft {
        aftercare::correct(scribe, id, by, logged_at)?;
    }
    Ok(())
}

/// What is seen before a session begins: photos of the first patients, and what came of the sessions before.
fn look(
    scribe: &mut Scribe<'_>,
    plan: usize,
    number: i64,
    session: Uuid,
    by: Uuid,
    arrived_at: DateTime<Utc>,
) -> Result<()> {
    let at = arrived_at + TimeDelta::minutes(3);
    match number {
        1 => photos::take_photos(scribe, plan, Some(session), PhotoPhase::Before, by, at),
        2 => {
            photos::take_photos(scribe, plan, Some(session), PhotoPhase::FollowUp, by, at)?;
            if scribe.index < 40 || scribe.more.chance(150) {
                result::assess(scribe, plan, Some(session), by, at + TimeDelta::minutes(4), 4)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// A session that did not go as planned.
fn cut_short(dice: &mut Dice, session: &mut TreatmentSession, parts: &mut Parts, status: SessionStatus) {
    session.status = status;
    match status {
        SessionStatus::Stopped => {
            session.stop_reason = Some(
                dice.word(&[
                    "Vasovagal reaction; legs raised, recovered within ten minutes",
                    "More pain than the patient wanted to bear",
                    "Device fault: the cartridge would not lock",
                    "Fresh herpes lesion seen at the lip after cleansing",
                    "Bruising at the jawline, stopped as a precaution",
                ])
                .to_owned(),
            );
            parts.areas.truncate(1);
        }
        SessionStatus::NotDone => {
            *parts = Parts::default();
            session.note = Some(
                dice.word(&[
                    "Did not come, reached by phone",
                    "Came with sunburn; moved by four weeks",
                    "Cancelled an hour before",
                ])
                .to_owned(),
            );
            session.stamp = Stamp::new(session.stamp.created_by, session.started_at + TimeDelta::minutes(20));
            (session.ended_at, session.device, session.anaesthetic, session.glide) = (None, None, None, None);
            session.device_id = None;
            (session.pain_score, session.immediate_reaction, session.skin_preparation) = (None, None, None);
        }
        _ => {
            session.note = Some("Logged for the wrong patient".to_owned());
            session.ended_at = None;
        }
    }
}
