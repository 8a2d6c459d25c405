//! Adverse events that an aftercare note proposes: symptoms that outlast the time in which they are usual.

use super::{AdverseEvent, AdverseEventKind, AdverseEventSeverity, USUAL_FOR};
use crate::aftercare::{AftercareNote, AftercareNoteKind};
use crate::protocol::{Symptom, SymptomThreshold, SymptomWindowHours};
use chrono::{DateTime, TimeDelta, Utc};

/// The kind of adverse event that a symptom is.
pub fn kind_of(symptom: Symptom) -> AdverseEventKind {
    match symptom {
        Symptom::Redness => AdverseEventKind::Erythema,
        Symptom::Swelling => AdverseEventKind::Oedema,
        Symptom::Pain => AdverseEventKind::Pain,
    }
}

fn score_of(symptom: Symptom, note: &AftercareNote) -> Option<i16> {
    match symptom {
        Symptom::Redness => note.redness,
        Symptom::Swelling => note.swelling,
        Symptom::Pain => note.pain,
    }
}

/// How long after a session's end each symptom is usual. A protocol may say otherwise than the default of 7 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SymptomWindows {
    /// Redness.
    pub redness: TimeDelta,
    /// Swelling.
    pub swelling: TimeDelta,
    /// Pain.
    pub pain: TimeDelta,
}

impl Default for SymptomWindows {
    fn default() -> Self {
        Self { redness: USUAL_FOR, swelling: USUAL_FOR, pain: USUAL_FOR }
    }
}

impl SymptomWindows {
    /// The rules of a protocol.
    pub fn by_protocol(hours: &SymptomWindowHours) -> Self {
        let hours_of = |hours: i32| TimeDelta::hours(i64::from(hours));
        Self { redness: hours_of(hours.redness), swelling: hours_of(hours.swelling), pain: hours_of(hours.pain) }
    }

    fn of(self, symptom: Symptom) -> TimeDelta {
        match symptom {
            Symptom::Redness => self.redness,
            Symptom::Swelling => self.swelling,
            Symptom::Pain => self.pain,
        }
    }
}

/// An adverse event that a note proposes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The symptom.
    pub symptom: Symptom,
    /// Its score, 1 to 10.
    pub score: i16,
    /// Until when it was usual.
    pub expected_until: DateTime<Utc>,
    /// Whole hours from the session's end to the note.
    pub hours_since_session: i64,
    /// How bad it is by its score: 1 to 3 mild, 4 to 6 moderate, 7 to 10 severe.
    pub severity: AdverseEventSeverity,
    /// The reason, in one sentence.
    pub reason: String,
}

/// A proposal, with the event that says it already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedAdverseEvent {
    /// The proposal.
    pub proposal: Proposal,
    /// The event that was reported already, from the note or for its session and kind.
    pub already: Option<AdverseEvent>,
}

/// How bad a score is: 1 to 3 mild, 4 to 6 moderate, 7 and more severe.
pub fn severity(score: i16) -> AdverseEventSeverity {
    match score {
        ..=3 => AdverseEventSeverity::Mild,
        4..=6 => AdverseEventSeverity::Moderate,
        _ => AdverseEventSeverity::Severe,
    }
}

/// The scores that are unusual where no protocol says which: any that is severe from a day after the session on, and before
/// that only the highest two. The clinic's own guidance; there is no stronger source.
pub fn usual_thresholds() -> Vec<SymptomThreshold> {
    let by = |symptom: &Symptom, from_hours, until_hours, score| SymptomThreshold {
        symptom: *symptom,
        from_hours,
        until_hours,
        score,
        source: None,
    };
    Symptom::ALL.iter().flat_map(|it| [by(it, 0, 24, 9), by(it, 24, 24 * 366, 7)]).collect()
}

/// What a note proposes: each symptom that it scores 1 or more after the time in which the symptom is usual, and each that it
/// scores higher than is usual by then.
pub fn proposals(
    note: &AftercareNote,
    session_end: DateTime<Utc>,
    windows: SymptomWindows,
    thresholds: &[SymptomThreshold],
) -> Vec<Proposal> {
    if note.kind == AftercareNoteKind::InstructionsGiven || note.noted_at < session_end {
        return Vec::new();
    }
    let hours_since_session = (note.noted_at - session_end).num_hours();
    let proposal = |symptom: &Symptom| {
        let score = score_of(*symptom, note).filter(|score| *score >= 1)?;
        let window = windows.of(*symptom);
        let expected_until = session_end.checked_add_signed(window)?;
        let late = note.noted_at > expected_until;
        let by_now = thresholds.iter().filter(|it| {
            it.symptom == *symptom
                && (i64::from(it.from_hours)..i64::from(it.until_hours)).contains(&hours_since_session)
        });
        let strictest = by_now.map(|it| it.score).min().filter(|least| i32::from(score) >= *least);
        let usual = match (late, strictest) {
            (true, _) => format!("it is usual for {} hours", window.num_hours()),
            (false, Some(least)) => format!("from {least} on it is unusual by then"),
            (false, None) => return None,
        };
        let reason =
            format!("{} of {score} was noted {hours_since_session} hours after the session; {usual}", symptom.words());
        let severity = severity(score);
        Some(Proposal { symptom: *symptom, score, expected_until, hours_since_session, severity, reason })
    };
    Symptom::ALL.iter().filter_map(proposal).collect()
}

/// The event, of those of a session, that says already what a note proposes: one from this note, or one of this kind.
pub fn already<'e>(note: &AftercareNote, proposal: &Proposal, events: &'e [AdverseEvent]) -> Option<&'e AdverseEvent> {
    let same = |event: &&AdverseEvent| !event.entered_in_error && event.kind == kind_of(proposal.symptom);
    let from_note = events.iter().filter(same).find(|event| event.aftercare_note_id == Some(note.id));
    from_note.or_else(|| events.iter().filter(same).find(|event| event.session_id == Some(note.session_id)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::event;
    use super::*;
    use crate::ids;
    use crate::record::Stamp;
    use proptest::prelude::*;

    fn note(kind: AftercareNoteKind, hours: i64, scores: [Option<i16>; 3]) -> (AftercareNote, DateTime<Utc>) {
        let (id, end) = (ids::new_id(), ids::now());
        let [redness, swelling, pain] = scores;
        let note = AftercareNote {
            id,
            patient_id: id,
            session_id: ids::new_id(),
            author_id: id,
            kind,
            noted_at: end + TimeDelta::hours(hours),
            text: None,
            redness,
            swelling,
            pain,
            adherence: None,
            escalate: false,
            stamp: Stamp::new(Some(id), end),
            signature: None,
        };
        (note, end)
    }

    #[test]
    fn what_outlasts_its_window_is_proposed() {
        use AdverseEventSeverity::{Mild, Moderate, Severe};
        use AftercareNoteKind::{CheckIn, FollowUpCall, InstructionsGiven, PatientReport};
        use Symptom::{Pain, Redness, Swelling};
        type Case = (AftercareNoteKind, i64, [Option<i16>; 3], &'static [(Symptom, AdverseEventSeverity)]);
        let cases: &[Case] = &[
            (CheckIn, 168, [Some(9), Some(9), Some(9)], &[]),
            (CheckIn, 169, [Some(1), None, Some(0)], &[(Redness, Mild)]),
            (CheckIn, 169, [Some(3), Some(4), Some(6)], &[(Redness, Mild), (Swelling, Moderate), (Pain, Moderate)]),
            (PatientReport, 400, [None, Some(7), None], &[(Swelling, Severe)]),
            (FollowUpCall, 400, [None, None, Some(10)], &[(Pain, Severe)]),
            (InstructionsGiven, 400, [Some(9), None, None], &[]),
            (CheckIn, -3, [Some(9), None, None], &[]),
            (CheckIn, 400, [None, None, None], &[]),
        ];
        for (kind, hours, scores, expected) in cases {
            let (note, end) = note(*kind, *hours, *scores);
            let found: Vec<_> = proposals(&note, end, SymptomWindows::default(), &[])
                .into_iter()
                .map(|it| (it.symptom, it.severity))
                .collect();
            assert_eq!(found, *expected, "{kind:?} {hours} {scores:?}");
        }
    }

    #[test]
    fn a_protocols_windows_are_its_own_and_the_reason_says_them() {
        let (note, end) = note(AftercareNoteKind::CheckIn, 80, [Some(2), Some(2), None]);
        let windows = SymptomWindows { redness: TimeDelta::hours(72), ..SymptomWindows::default() };
        let found = proposals(&note, end, windows, &[]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].reason, "redness of 2 was noted 80 hours after the session; it is usual for 72 hours");
        assert_eq!(found[0].expected_until, end + TimeDelta::hours(72));
    }

    #[test]
    fn what_is_too_much_for_its_hour_is_proposed_within_the_window() {
        let by = |symptom, from_hours, until_hours, score| SymptomThreshold {
            symptom,
            from_hours,
            until_hours,
            score,
            source: None,
        };
        let thresholds =
            [by(Symptom::Swelling, 0, 48, 8), by(Symptom::Swelling, 48, 168, 5), by(Symptom::Pain, 24, 168, 6)];
        for (hours, swelling, pain, expected) in [
            (24, 9, 0, vec![Symptom::Swelling]),
            (24, 7, 5, vec![]),
            (47, 7, 0, vec![]),
            (48, 5, 6, vec![Symptom::Swelling, Symptom::Pain]),
            (2, 0, 10, vec![]),
        ] {
            let (note, end) = note(AftercareNoteKind::CheckIn, hours, [None, Some(swelling), Some(pain)]);
            let found = proposals(&note, end, SymptomWindows::default(), &thresholds);
            assert_eq!(found.iter().map(|it| it.symptom).collect::<Vec<_>>(), expected, "{hours} {swelling} {pain}");
            assert!(found.iter().all(|it| it.reason.contains("unusual by then")), "{found:?}");
        }
        let (note, end) = note(AftercareNoteKind::CheckIn, 200, [None, Some(9), None]);
        let late = proposals(&note, end, SymptomWindows::default(), &thresholds).remove(0);
        assert!(late.reason.ends_with("it is usual for 168 hours"), "{}", late.reason);
    }

    #[test]
    fn an_event_of_the_note_or_of_the_sessions_kind_is_found() {
        let (note, end) = note(AftercareNoteKind::CheckIn, 200, [Some(2), None, None]);
        let proposal = proposals(&note, end, SymptomWindows::default(), &[]).remove(0);
        let of = |kind, session, from, error| {
            let mut it = event(kind);
            (it.session_id, it.aftercare_note_id, it.entered_in_error) = (session, from, error);
            it
        };
        let (session, own) = (Some(note.session_id), Some(note.id));
        use AdverseEventKind::{Erythema, Oedema};
        let others =
            [of(Oedema, session, own, false), of(Erythema, session, own, true), of(Erythema, None, None, false)];
        assert_eq!(already(&note, &proposal, &others), None);
        let both = [of(Erythema, session, None, false), of(Erythema, session, own, false)];
        assert_eq!(already(&note, &proposal, &both), Some(&both[1]), "the note's own first");
        assert_eq!(already(&note, &proposal, &both[..1]), Some(&both[0]));
    }

    proptest! {
        #[test]
        fn a_proposal_is_always_late_and_scored(
            hours in -100_i64..1000, window in 0_i64..500, scores in prop::array::uniform3(prop::option::of(0_i16..=10))
        ) {
            let (note, end) = note(AftercareNoteKind::CheckIn, hours, scores);
            let all = TimeDelta::hours(window);
            let windows = SymptomWindows { redness: all, swelling: all, pain: all };
            let found = proposals(&note, end, windows, &[]);
            let late = if hours > window { scores.iter().flatten().filter(|score| **score > 0).count() } else { 0 };
            prop_assert_eq!(found.len(), late);
            for it in &found {
                prop_assert!(it.score >= 1 && note.noted_at > it.expected_until && it.hours_since_session == hours);
            }
            // A longer window never proposes more.
            let longer = SymptomWindows { redness: all * 2, ..windows };
            prop_assert!(proposals(&note, end, longer, &[]).len() <= found.len());
        }
    }
}
