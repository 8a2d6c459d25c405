//! Adverse events: what went wrong after a treatment, how bad it is, whether the treatment caused it, and how it went on.

mod filter;
pub mod loader;
pub mod proposal;
pub mod store;
mod words;

pub use filter::{AdverseEventCondition, AdverseEventFilter, AdverseEventOrder};
pub use words::{AdverseEventKind, AdverseEventOutcome, AdverseEventSeverity, Causality, Expectedness};

use crate::ledger::Record;
use crate::record::Stamp;
use crate::vocabulary::{BodyArea, RecordKind};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A later report on how an adverse event developed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowUp {
    /// Its id.
    pub id: Uuid,
    /// The moment the follow-up is about.
    pub at: DateTime<Utc>,
    /// Who wrote it.
    pub author_id: Uuid,
    /// The state of the event at that moment.
    pub outcome: AdverseEventOutcome,
    /// The description.
    pub text: String,
}

/// A report to an authority or a manufacturer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorityReport {
    /// The authority or manufacturer it was reported to.
    pub to: String,
    /// When it was reported.
    pub at: DateTime<Utc>,
    /// The reference number given there.
    pub reference: Option<String>,
}

/// An adverse event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdverseEvent {
    /// Its id.
    pub id: Uuid,
    /// The patient whom the record is about.
    pub patient_id: Uuid,
    /// The session it followed.
    pub session_id: Option<Uuid>,
    /// From which aftercare note.
    pub aftercare_note_id: Option<Uuid>,
    /// The suspected lot.
    pub lot_id: Option<Uuid>,
    /// What happened.
    pub kind: AdverseEventKind,
    /// The description.
    pub description: Option<String>,
    /// When it began.
    pub onset_at: DateTime<Utc>,
    /// Where on the body.
    pub area: Option<BodyArea>,
    /// How severe it is.
    pub severity: AdverseEventSeverity,
    /// Whether it caused death, threatened life, disabled the patient, required a stay in hospital, or required an
    /// intervention to prevent permanent impairment (21 CFR 803.3).
    pub serious: bool,
    /// Whether it is a known effect of the treatment.
    pub expectedness: Expectedness,
    /// What is suspected to have caused it.
    pub suspected_cause: Option<String>,
    /// How likely that is.
    pub causality: Option<Causality>,
    /// What was done.
    pub action_taken: Option<String>,
    /// The present state: that of the last follow-up.
    pub outcome: AdverseEventOutcome,
    /// When it was over.
    pub resolved_at: Option<DateTime<Utc>>,
    /// The last report to an authority or a manufacturer.
    pub report: Option<AuthorityReport>,
    /// Every report, oldest first.
    #[serde(default)]
    pub reports: Vec<AuthorityReport>,
    /// The device of the catalogue that was in use.
    #[serde(default)]
    pub device_id: Option<Uuid>,
    /// Its manufacturer and model.
    #[serde(default)]
    pub device_model: Option<String>,
    /// Its serial number.
    #[serde(default)]
    pub device_serial: Option<String>,
    /// How it stood later, oldest first.
    pub follow_ups: Vec<FollowUp>,
    /// It never was: kept, and out of the lists.
    pub entered_in_error: bool,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

impl Record for AdverseEvent {
    const KIND: RecordKind = RecordKind::AdverseEvent;
    fn id(&self) -> Uuid {
        self.id
    }
    fn version(&self) -> i32 {
        self.stamp.version
    }
    fn patient_id(&self) -> Option<Uuid> {
        Some(self.patient_id)
    }
}

/// How long after a session its usual reactions are expected: 7 days.
pub const USUAL_FOR: TimeDelta = TimeDelta::hours(168);

/// Whether an event is one that the treatment is known for, where nobody said so: a usual kind that began within 7 days
/// of the session's end, and was neither severe nor serious. Without a session nothing is expected.
pub fn expectedness(event: &AdverseEvent, session_end: Option<DateTime<Utc>>) -> Expectedness {
    let usual = event.kind.is_usual() && event.severity != AdverseEventSeverity::Severe && !event.serious;
    match session_end {
        Some(end) if usual && event.onset_at <= end + USUAL_FOR => Expectedness::Expected,
        _ => Expectedness::Unexpected,
    }
}

/// What a report still lacks, a sentence each. Nothing of it keeps a report from being saved.
pub fn missing(event: &AdverseEvent) -> Vec<String> {
    if event.entered_in_error {
        return Vec::new();
    }
    let asked = [
        (event.serious && event.action_taken.is_none(), "actionTaken: what was done about this serious event?"),
        (event.serious && event.causality.is_none(), "causality: how likely did the treatment cause it?"),
        (event.serious && event.report.is_none(), "report: a serious event goes to the authority or the maker"),
        (
            event.expectedness == Expectedness::Unexpected && event.suspected_cause.is_none(),
            "suspectedCause: what may have caused this unexpected event?",
        ),
        (event.area.is_none() && event.kind != AdverseEventKind::Other, "area: where on the body?"),
    ];
    asked.into_iter().filter(|(asked, _)| *asked).map(|(_, sentence)| sentence.to_owned()).collect()
}

/// Adds a follow-up, or says at which field and why it can't be added.
pub fn follow(event: &mut AdverseEvent, next: FollowUp) -> Result<(), (&'static str, String)> {
    if !event.outcome.is_open() && !next.outcome.is_open() {
        let stands = event.outcome.words();
        return Err((
            "outcome",
            format!("this event is {stands} already: ONGOING, IMPROVING or UNKNOWN opens it again"),
        ));
    }
    if next.at < event.onset_at {
        return Err(("at", "is before the event began".to_owned()));
    }
    if event.follow_ups.last().is_some_and(|last| next.at < last.at) {
        return Err(("at", "is before the last follow-up".to_owned()));
    }
    if event.resolved_at.is_some_and(|resolved| next.at < resolved) {
        return Err(("at", "is before the event was resolved".to_owned()));
    }
    event.outcome = next.outcome;
    event.resolved_at = next.outcome.is_resolved().then_some(next.at);
    event.serious |= next.outcome == AdverseEventOutcome::Fatal;
    event.follow_ups.push(next);
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ids;
    use proptest::prelude::*;

    pub(crate) fn event(kind: AdverseEventKind) -> AdverseEvent {
        let id = ids::new_id();
        AdverseEvent {
            id,
            patient_id: id,
            session_id: None,
            aftercare_note_id: None,
            lot_id: None,
            kind,
            description: None,
            onset_at: ids::now(),
            area: Some(BodyArea::Cheek),
            severity: AdverseEventSeverity::Mild,
            serious: false,
            expectedness: Expectedness::Expected,
            suspected_cause: None,
            causality: None,
            action_taken: None,
            outcome: AdverseEventOutcome::Ongoing,
            resolved_at: None,
            report: None,
            reports: Vec::new(),
            device_id: None,
            device_model: None,
            device_serial: None,
            follow_ups: Vec::new(),
            entered_in_error: false,
            stamp: Stamp::new(Some(id), ids::now()),
        }
    }

    fn next(event: &AdverseEvent, hours: i64, outcome: AdverseEventOutcome) -> FollowUp {
        let at = event.onset_at + TimeDelta::hours(hours);
        FollowUp { id: ids::new_id(), at, author_id: event.patient_id, outcome, text: "Seen".to_owned() }
    }

    #[test]
    fn only_the_usual_kinds_in_the_first_seven_days_are_expected() {
        let end = ids::now();
        use AdverseEventKind::{Burn, Dryness, Erythema, Granuloma, Oedema, Pain, PinpointCrusting};
        let cases = [
            (Erythema, Some(0), true),
            (Oedema, Some(168), true),
            (Pain, Some(169), false),
            (Dryness, Some(-1), true),
            (PinpointCrusting, None, false),
            (Granuloma, Some(1), false),
            (Burn, Some(1), false),
        ];
        let airway = AdverseEvent { onset_at: end, severity: AdverseEventSeverity::Severe, ..event(Oedema) };
        let hospital = AdverseEvent { onset_at: end, serious: true, ..event(Oedema) };
        for it in [airway, hospital] {
            assert_eq!(expectedness(&it, Some(end)), Expectedness::Unexpected, "a severe or serious swelling");
        }
        for (kind, hours, expected) in cases {
            let session_end = hours.map(|hours| end - TimeDelta::hours(hours));
            let it = AdverseEvent { onset_at: end, severity: AdverseEventSeverity::Mild, ..event(kind) };
            let found = expectedness(&it, session_end) == Expectedness::Expected;
            assert_eq!(found, expected, "{kind:?} {hours:?}");
        }
    }

    #[test]
    fn what_a_serious_event_lacks_is_told_at_once() {
        let mut serious = event(AdverseEventKind::Infection);
        assert!(missing(&serious).is_empty());
        (serious.serious, serious.expectedness, serious.area) = (true, Expectedness::Unexpected, None);
        let fields: Vec<String> =
            missing(&serious).iter().map(|it| it.split(':').next().unwrap_or_default().to_owned()).collect();
        assert_eq!(fields, ["actionTaken", "causality", "report", "suspectedCause", "area"]);
        serious.entered_in_error = true;
        assert!(missing(&serious).is_empty());
    }

    #[test]
    fn a_closed_event_takes_no_follow_up_but_one_that_opens_it() {
        for before in AdverseEventOutcome::ALL {
            for after in AdverseEventOutcome::ALL {
                let mut it = event(AdverseEventKind::Pain);
                it.outcome = *before;
                it.resolved_at = before.is_resolved().then_some(it.onset_at);
                let added = follow(&mut it, next(&event(AdverseEventKind::Pain), 5, *after));
                assert_eq!(added.is_ok(), before.is_open() || after.is_open(), "{before:?} {after:?}");
                assert_eq!(it.outcome, if added.is_ok() { *after } else { *before });
            }
        }
        let mut it = event(AdverseEventKind::Pain);
        assert_eq!(follow(&mut it.clone(), next(&it, -1, AdverseEventOutcome::Ongoing)).unwrap_err().0, "at");
        let (later, earlier) =
            (next(&it, 9, AdverseEventOutcome::Improving), next(&it, 8, AdverseEventOutcome::Resolved));
        follow(&mut it, later).unwrap();
        assert_eq!(follow(&mut it, earlier).unwrap_err().0, "at");
    }

    proptest! {
        #[test]
        fn whatever_follows_the_moment_of_resolution_is_there_when_it_is_resolved(
            steps in prop::collection::vec((-5_i64..200, 0_usize..6), 0..12)
        ) {
            let mut it = event(AdverseEventKind::Oedema);
            for (hours, outcome) in steps {
                let before = it.clone();
                let step = next(&before, hours, AdverseEventOutcome::ALL[outcome]);
                if follow(&mut it, step).is_err() {
                    prop_assert_eq!(&it, &before);
                }
                prop_assert_eq!(it.resolved_at.is_some(), it.outcome.is_resolved());
                prop_assert!(it.follow_ups.is_sorted_by_key(|follow_up| follow_up.at));
                prop_assert!(it.resolved_at.is_none_or(|at| at >= it.onset_at));
            }
        }
    }
}
