//! What follows a session: instructions on the day, check-ins while the skin heals, what patients report, corrections.

use super::chart::Scribe;
use super::events;
use crate::aftercare::{Adherence, AftercareNote, AftercareNoteKind};
use crate::error::Result;
use crate::record::Stamp;
use crate::signing::Addendum;
use crate::vocabulary::RecordKind;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// The notes after a session that ended at a moment.
pub(super) fn follow_up(scribe: &mut Scribe<'_>, session: Uuid, by: Uuid, ended_at: DateTime<Utc>) -> Result<()> {
    let at = ended_at + TimeDelta::minutes(scribe.dice.between(4, 12));
    let mut text = scribe.dice.word(&[
        "24 h no direct sun and no make-up; 72 h no acids, retinoids or vitamin C serum; gentle moisturiser, do not pick.",
        "Told to keep out of the sun and without make-up for a day, to leave exfoliants and retinoids for three days, to \
         moisturise and not to scratch. Sheet given.",
        "Aftercare sheet gone through: sun, make-up, exfoliants, peeling is normal for a week. SPF 50 from tomorrow.",
    ]);
    if scribe.chart.sessions.len() > 1 && scribe.dice.chance(400) {
        text = "Instructions repeated, patient knows them from last time. No questions.";
    }
    let note = note(scribe, session, by, AftercareNoteKind::InstructionsGiven, at, Some(text.to_owned()));
    keep(scribe, note)?;
    // How strongly this patient reacts this time.
    let strength = scribe.dice.weighted(4, &[(300, 3), (150, 5), (50, 7), (12, 9)]);
    let complicated = strength >= 9;
    for (chance, first, last) in [(420, 1, 2), (210, 3, 5), (130, 6, 7)] {
        if scribe.dice.chance(chance) || complicated {
            let days = scribe.dice.between(first, last);
            check_in(scribe, session, by, ended_at, days, strength)?;
        }
    }
    if complicated || scribe.dice.chance(45) {
        report(scribe, session, by, ended_at, complicated)?;
    }
    events::after_session(scribe, session, by, ended_at, complicated)
}

fn check_in(
    scribe: &mut Scribe<'_>,
    session: Uuid,
    by: Uuid,
    ended_at: DateTime<Utc>,
    days: i64,
    strength: i64,
) -> Result<()> {
    let at = scribe.visit(ended_at.date_naive() + TimeDelta::days(days));
    let dice = &mut scribe.dice;
    // Redness, swelling and pain fall from day to day; swelling and pain are gone first.
    let mut score = |start: i64, fall: i64| {
        Some(i16::try_from((start + dice.between(-1, 1) - fall * (days - 1)).clamp(0, 10)).unwrap_or(0))
    };
    let (redness, swelling, pain) = (score(strength + 1, 1), score(strength - 1, 2), score(strength - 2, 2));
    let severe = redness >= Some(7) && days >= 2;
    let text = if severe {
        Some(dice.word(&[
            "Still very red and warm, photograph asked for.",
            "Redness has not gone down, tender on the left; shown to a colleague.",
        ]))
    } else {
        dice.chance(600).then(|| {
            dice.word(&[
                "Doing well, a little dry.",
                "Slight peeling around the nose, otherwise fine.",
                "Happy, back at work since yesterday.",
                "Tight feeling in the morning, uses the moisturiser.",
                "No complaints.",
                "Make-up on again, told to wait another day.",
            ])
        })
    };
    let adherence = dice.weighted(Adherence::Full, &[(170, Adherence::Partial), (15, Adherence::None)]);
    let new = note(scribe, session, by, AftercareNoteKind::CheckIn, at, text.map(str::to_owned));
    keep(scribe, AftercareNote { redness, swelling, pain, adherence: Some(adherence), escalate: severe, ..new })
}

fn report(scribe: &mut Scribe<'_>, session: Uuid, by: Uuid, ended_at: DateTime<Utc>, complicated: bool) -> Result<()> {
    let days = scribe.dice.between(1, 4);
    let at = scribe.visit(ended_at.date_naive() + TimeDelta::days(days));
    let dice = &mut scribe.dice;
    let call = dice.chance(400);
    let kind = if call { AftercareNoteKind::FollowUpCall } else { AftercareNoteKind::PatientReport };
    let text = if complicated {
        dice.word(&[
            "Small blisters at the lip since this morning, had herpes before. Told to come in today, aciclovir discussed.",
            "Crusts with yellow discharge on the right cheek. Asked to come in this afternoon.",
            "Cheek swollen and hot on the third day. To be seen today.",
        ])
    } else {
        dice.word(&[
            "Asked whether swimming is fine on day three: better not before a week.",
            "Wrote that the peeling has begun; told that it is normal, moisturiser twice a day.",
            "Asked when to start retinol again: after 72 hours if the skin is calm.",
            "Sent a photograph: mild redness, as expected.",
            "Forgot the hat in the sun for an hour, no burn. Reminded of the SPF.",
        ])
    };
    let new = note(scribe, session, by, kind, at, Some(text.to_owned()));
    keep(scribe, AftercareNote { escalate: complicated, ..new })
}

fn note(
    scribe: &mut Scribe<'_>,
    session: Uuid,
    by: Uuid,
    kind: AftercareNoteKind,
    at: DateTime<Utc>,
    text: Option<String>,
) -> AftercareNote {
    AftercareNote {
        id: scribe.id(at),
        patient_id: scribe.chart.patient.id,
        session_id: session,
        author_id: by,
        kind,
        noted_at: at,
        text,
        redness: None,
        swelling: None,
        pain: None,
        adherence: None,
        escalate: false,
        stamp: Stamp::new(Some(by), at + TimeDelta::seconds(scribe.dice.between(20, 900))),
        signature: None,
    }
}

fn keep(scribe: &mut Scribe<'_>, note: AftercareNote) -> Result<()> {
    let written_at = note.stamp.created_at;
    if !scribe.has_come(written_at) {
        return Ok(());
    }
    let recent = written_at > scribe.world.end - TimeDelta::days(2);
    let draft = if recent { scribe.dice.chance(400) } else { scribe.dice.chance(30) };
    let sign_at = (!draft).then(|| written_at + TimeDelta::seconds(scribe.dice.between(10, 1800)));
    scribe.add_note(note, sign_at)
}

/// Now and then something of a signed session is put right afterwards.
pub(super) fn correct(scribe: &mut Scribe<'_>, session: Uuid, by: Uuid, logged_at: DateTime<Utc>) -> Result<()> {
    if !scribe.dice.chance(14) {
        return Ok(());
    }
    let at = logged_at + TimeDelta::hours(scribe.dice.between(20, 90));
    if !scribe.has_come(at) {
        return Ok(());
    }
    let (reason, text) = scribe.dice.weighted(
        ("Correction", "The cream was on for 45 minutes, not 35."),
        &[
            (250, ("Correction", "Lot number read again from the package: the last letter is B.")),
            (250, ("Left out", "The patient took 400 mg ibuprofen the evening before; told of it after the session.")),
            (200, ("Left out", "Photographs taken before and after, three views.")),
        ],
    );
    let addendum = Addendum {
        id: scribe.id(at),
        patient_id: scribe.chart.patient.id,
        record_kind: RecordKind::TreatmentSession,
        record_id: session,
        author_id: by,
        added_at: at,
        reason: reason.to_owned(),
        text: text.to_owned(),
    };
    scribe.add_addendum(addendum)
}
