//! What the mutations of adverse events take and give.

use crate::adverse_event::{
    AdverseEvent, AdverseEventKind, AdverseEventOutcome, AdverseEventSeverity, Causality, Expectedness,
};
use crate::error;
use crate::ids;
use crate::operation::Inputs;
use crate::record::Stamp;
use crate::scalars::DateTime;
use crate::vocabulary::{BodyArea, RecordKind};
use async_graphql::{ID, InputObject, MaybeUndefined, SimpleObject};
use uuid::Uuid;

/// The most characters of a text.
pub(super) const LONGEST_TEXT: usize = 5000;

/// Reports an adverse event: alone (`patientId`), after a session (`sessionId`), or from an aftercare note
/// (`aftercareNoteId`). At least one of the three is needed; the patient is that of the session or note.
#[derive(InputObject)]
pub struct ReportAdverseEventInput {
    /// An id the client made (`adverse_event_…` of a UUIDv7): makes a retry safe.
    pub(super) id: Option<ID>,
    /// `patient_…`
    pub(super) patient_id: Option<ID>,
    /// `session_…`
    pub(super) session_id: Option<ID>,
    /// `note_…`; its session is taken over.
    pub(super) aftercare_note_id: Option<ID>,
    /// What happened.
    pub(super) kind: AdverseEventKind,
    /// In words, at most 5,000 characters. OTHER needs it.
    pub(super) description: Option<String>,
    /// When it began: not before the session did.
    pub(super) onset_at: DateTime,
    /// Where on the body.
    pub(super) area: Option<BodyArea>,
    /// How bad.
    pub(super) severity: AdverseEventSeverity,
    /// Whether it killed, threatened life, disabled, or took a stay in hospital.
    #[graphql(default)]
    pub(super) serious: bool,
    /// Whether the treatment is known for it. When absent: EXPECTED for erythema, oedema, pain, dryness and pinpoint
    /// crusting that began within 7 days of the session's end, else UNEXPECTED.
    pub(super) expectedness: Option<Expectedness>,
    /// What is suspected to have caused it.
    pub(super) suspected_cause: Option<String>,
    /// How likely the treatment caused it (WHO-UMC).
    pub(super) causality: Option<Causality>,
    /// `lot_…` of the catalogue that is suspected.
    pub(super) lot_id: Option<ID>,
    /// What was done.
    pub(super) action_taken: Option<String>,
    /// How it stands.
    #[graphql(default_with = "AdverseEventOutcome::Ongoing")]
    pub(super) outcome: AdverseEventOutcome,
    /// When it was over; with RESOLVED and RESOLVED_WITH_SEQUELAE only, now when absent.
    pub(super) resolved_at: Option<DateTime>,
}

/// Changes to an adverse event. An absent field stays, null clears. How it goes on is said by follow-ups.
#[derive(InputObject)]
pub struct AdverseEventPatch {
    /// What happened.
    pub(super) kind: Option<AdverseEventKind>,
    /// In words; OTHER needs it.
    pub(super) description: MaybeUndefined<String>,
    /// When it began: not before the session did.
    pub(super) onset_at: Option<DateTime>,
    /// Where on the body.
    pub(super) area: MaybeUndefined<BodyArea>,
    /// How bad.
    pub(super) severity: Option<AdverseEventSeverity>,
    /// Whether it killed, threatened life, disabled, or took a stay in hospital.
    pub(super) serious: Option<bool>,
    /// Whether the treatment is known for it.
    pub(super) expectedness: Option<Expectedness>,
    /// What is suspected to have caused it.
    pub(super) suspected_cause: MaybeUndefined<String>,
    /// How likely the treatment caused it (WHO-UMC).
    pub(super) causality: MaybeUndefined<Causality>,
    /// `lot_…` of the catalogue that is suspected.
    pub(super) lot_id: MaybeUndefined<ID>,
    /// What was done.
    pub(super) action_taken: MaybeUndefined<String>,
}

/// Changes an adverse event.
#[derive(InputObject)]
pub struct UpdateAdverseEventInput {
    /// `adverse_event_…`
    pub(super) id: ID,
    /// The version that was read.
    pub(super) expected_version: i32,
    /// The changes.
    pub(super) patch: AdverseEventPatch,
}

/// Says how an adverse event stood later. A resolved or fatal one is opened again by ONGOING, IMPROVING or UNKNOWN.
#[derive(InputObject)]
pub struct AddAdverseEventFollowUpInput {
    /// `adverse_event_…`
    pub(super) id: ID,
    /// The version that was read.
    pub(super) expected_version: i32,
    /// The moment it tells of, not before the last follow-up; now when absent. RESOLVED is dated by it.
    pub(super) at: Option<DateTime>,
    /// How it stood. FATAL makes the event serious.
    pub(super) outcome: AdverseEventOutcome,
    /// In words, at most 5,000 characters.
    pub(super) text: String,
}

/// Notes that an adverse event was reported to an authority or a maker. A second report takes the place of the first;
/// `history` shows both.
#[derive(InputObject)]
pub struct ReportAdverseEventToAuthorityInput {
    /// `adverse_event_…`
    pub(super) id: ID,
    /// The version that was read.
    pub(super) expected_version: i32,
    /// To whom, at most 200 characters.
    pub(super) reported_to: String,
    /// When, not before the event began; now when absent.
    pub(super) reported_at: Option<DateTime>,
    /// The number it got there.
    pub(super) reference: Option<String>,
}

/// Takes an adverse event out of the lists: it never was. It stays readable by its id, with its history.
#[derive(InputObject)]
pub struct MarkAdverseEventEnteredInErrorInput {
    /// `adverse_event_…`
    pub(super) id: ID,
    /// The version that was read.
    pub(super) expected_version: i32,
}

/// The adverse event.
#[derive(SimpleObject)]
pub struct AdverseEventPayload {
    /// It.
    pub(super) adverse_event: AdverseEvent,
}

/// An event as it was read; the session and the note say the rest.
pub(super) struct NewEvent {
    pub(super) event: AdverseEvent,
    pub(super) patient_id: Option<Uuid>,
    pub(super) expectedness: Option<Expectedness>,
}

/// Checks what the fields of an event say together.
pub(super) fn check(inputs: &mut Inputs, prefix: &str, event: &AdverseEvent) {
    if event.kind == AdverseEventKind::Other && event.description.is_none() {
        inputs.fault(&format!("{prefix}description"), "is missing: OTHER says what happened");
    }
    if event.outcome == AdverseEventOutcome::Fatal && !event.serious {
        inputs.fault(&format!("{prefix}serious"), "must be true: a fatal event is serious");
    }
    let first = event.follow_ups.first().map(|follow_up| follow_up.at);
    if event.resolved_at.is_some_and(|at| at < event.onset_at) || first.is_some_and(|at| at < event.onset_at) {
        inputs.fault(&format!("{prefix}onsetAt"), "is after a follow-up, or after the event was resolved");
    }
}

impl ReportAdverseEventInput {
    pub(super) fn read(self) -> error::Result<NewEvent> {
        let mut inputs = Inputs::new();
        let now = ids::now();
        if self.patient_id.is_none() && self.session_id.is_none() && self.aftercare_note_id.is_none() {
            inputs.fault("patientId", "is missing: say whose it is by patientId, sessionId or aftercareNoteId");
        }
        let resolved_at = self.resolved_at.map(|time| inputs.past_time("resolvedAt", time.0));
        if resolved_at.is_some() && !self.outcome.is_resolved() {
            inputs.fault("resolvedAt", "goes with the outcomes RESOLVED and RESOLVED_WITH_SEQUELAE only");
        }
        let event = AdverseEvent {
            id: inputs.new_id(RecordKind::AdverseEvent, self.id.as_ref()),
            patient_id: Uuid::nil(),
            session_id: inputs.opt_id("sessionId", RecordKind::TreatmentSession, self.session_id.as_ref()),
            aftercare_note_id: inputs.opt_id(
                "aftercareNoteId",
                RecordKind::AftercareNote,
                self.aftercare_note_id.as_ref(),
            ),
            lot_id: inputs.opt_id("lotId", RecordKind::ProductLot, self.lot_id.as_ref()),
            kind: self.kind,
            description: inputs.opt_text("description", self.description.as_deref(), LONGEST_TEXT),
            onset_at: inputs.past_time("onsetAt", self.onset_at.0),
            area: self.area,
            severity: self.severity,
            serious: self.serious,
            expectedness: Expectedness::Unexpected,
            suspected_cause: inputs.opt_text("suspectedCause", self.suspected_cause.as_deref(), LONGEST_TEXT),
            causality: self.causality,
            action_taken: inputs.opt_text("actionTaken", self.action_taken.as_deref(), LONGEST_TEXT),
            outcome: self.outcome,
            resolved_at: self.outcome.is_resolved().then_some(resolved_at.unwrap_or(now)),
            report: None,
            follow_ups: Vec::new(),
            entered_in_error: false,
            stamp: Stamp::new(None, now),
        };
        check(&mut inputs, "", &event);
        let patient_id = inputs.opt_id("patientId", RecordKind::Patient, self.patient_id.as_ref());
        inputs.finish()?;
        Ok(NewEvent { event, patient_id, expectedness: self.expectedness })
    }
}
