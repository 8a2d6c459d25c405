//! What the mutations of adverse events take and give.

use crate::adverse_event::{
    AdverseEvent, AdverseEventKind, AdverseEventOutcome, AdverseEventSeverity, Causality, Expectedness,
};
use crate::error::{self, Code};
use crate::ids;
use crate::operation::Inputs;
use crate::record::Stamp;
use crate::scalars::DateTime;
use crate::vocabulary::{BodyArea, RecordKind};
use async_graphql::{ID, InputObject, MaybeUndefined, SimpleObject};
use uuid::Uuid;

/// The maximum length of a text, in characters.
pub(super) const LONGEST_TEXT: usize = 5000;

/// Reports an adverse event: alone (`patientId`), after a session (`sessionId`), or from an aftercare note
/// (`aftercareNoteId`). At least one of the three is needed; the patient is that of the session or note.
#[derive(InputObject)]
pub struct ReportAdverseEventInput {
    /// An id made by the client, which makes a retry safe: `adverse_event_` and a UUIDv7 in 26 characters (see `Node.id`).
    /// Absent: the service makes one.
    pub(super) id: Option<ID>,
    /// `patient_…`
    pub(super) patient_id: Option<ID>,
    /// `session_…`
    pub(super) session_id: Option<ID>,
    /// `note_…`; the event takes its session.
    pub(super) aftercare_note_id: Option<ID>,
    /// The kind of unwanted effect.
    pub(super) kind: AdverseEventKind,
    /// A description, at most 5,000 characters; required for OTHER.
    pub(super) description: Option<String>,
    /// When it began: not before the session did.
    pub(super) onset_at: DateTime,
    /// Where on the body.
    pub(super) area: Option<BodyArea>,
    /// How severe it is.
    pub(super) severity: AdverseEventSeverity,
    /// Whether it caused death, threatened life, disabled the patient, required a stay in hospital, or required an
    /// intervention to prevent permanent impairment (21 CFR 803.3).
    #[graphql(default)]
    pub(super) serious: bool,
    /// Whether it is a known effect of the treatment. When absent: EXPECTED for erythema, oedema, pain, dryness and
    /// pinpoint crusting that began within 7 days of the session's end, else UNEXPECTED.
    pub(super) expectedness: Option<Expectedness>,
    /// What is suspected to have caused it.
    pub(super) suspected_cause: Option<String>,
    /// How likely the treatment caused it (WHO-UMC).
    pub(super) causality: Option<Causality>,
    /// The suspected lot of the catalogue, `lot_…`.
    pub(super) lot_id: Option<ID>,
    /// The device of the catalogue that was in use, `device_…`; when neither it nor `deviceModel` is sent, the session's.
    pub(super) device_id: Option<ID>,
    /// Manufacturer and model of the device, at most 200 characters; comes from the catalogue with `deviceId`.
    pub(super) device_model: Option<String>,
    /// Its serial number, at most 100 characters; comes from the catalogue with `deviceId`.
    pub(super) device_serial: Option<String>,
    /// What was done.
    pub(super) action_taken: Option<String>,
    /// The present state of the event.
    #[graphql(default_with = "AdverseEventOutcome::Ongoing")]
    pub(super) outcome: AdverseEventOutcome,
    /// When it was over; only with RESOLVED and RESOLVED_WITH_SEQUELAE, now when absent.
    pub(super) resolved_at: Option<DateTime>,
}

/// Changes to an adverse event. An absent field stays as it is; null clears it. Follow-ups record how the event
/// develops.
#[derive(InputObject)]
pub struct AdverseEventPatch {
    /// The kind of unwanted effect.
    pub(super) kind: Option<AdverseEventKind>,
    /// A description; required for OTHER.
    pub(super) description: MaybeUndefined<String>,
    /// When it began: not before the session did.
    pub(super) onset_at: Option<DateTime>,
    /// Where on the body.
    pub(super) area: MaybeUndefined<BodyArea>,
    /// How severe it is.
    pub(super) severity: Option<AdverseEventSeverity>,
    /// Whether it caused death, threatened life, disabled the patient, required a stay in hospital, or required an
    /// intervention to prevent permanent impairment (21 CFR 803.3).
    pub(super) serious: Option<bool>,
    /// Whether it is a known effect of the treatment.
    pub(super) expectedness: Option<Expectedness>,
    /// What is suspected to have caused it.
    pub(super) suspected_cause: MaybeUndefined<String>,
    /// How likely the treatment caused it (WHO-UMC).
    pub(super) causality: MaybeUndefined<Causality>,
    /// The suspected lot of the catalogue, `lot_…`.
    pub(super) lot_id: MaybeUndefined<ID>,
    /// What was done.
    pub(super) action_taken: MaybeUndefined<String>,
}

/// Changes an adverse event.
#[derive(InputObject)]
pub struct UpdateAdverseEventInput {
    /// `adverse_event_…`
    pub(super) id: ID,
    /// The version of the record that you read.
    pub(super) expected_version: i32,
    /// The fields to change.
    pub(super) patch: AdverseEventPatch,
}

/// Records how an adverse event developed. ONGOING, IMPROVING or UNKNOWN opens a resolved or fatal event again.
#[derive(InputObject)]
pub struct AddAdverseEventFollowUpInput {
    /// `adverse_event_…`
    pub(super) id: ID,
    /// The version of the record that you read.
    pub(super) expected_version: i32,
    /// The moment the follow-up is about, not before the last follow-up; now when absent. RESOLVED takes it as the date
    /// of resolution.
    pub(super) at: Option<DateTime>,
    /// The state of the event at that moment. FATAL makes the event serious.
    pub(super) outcome: AdverseEventOutcome,
    /// The description, at most 5,000 characters.
    pub(super) text: String,
}

/// Records that an adverse event was reported to an authority or a manufacturer, at most 50 times: each report is kept.
#[derive(InputObject)]
pub struct ReportAdverseEventToAuthorityInput {
    /// `adverse_event_…`
    pub(super) id: ID,
    /// The version of the record that you read.
    pub(super) expected_version: i32,
    /// The authority or manufacturer it was reported to, at most 200 characters.
    pub(super) reported_to: String,
    /// When it was reported, not before the event began; now when absent.
    pub(super) reported_at: Option<DateTime>,
    /// The reference number given there.
    pub(super) reference: Option<String>,
}

/// Removes an adverse event from the lists because it was entered in error. It can still be read by its id, with its
/// history.
#[derive(InputObject)]
pub struct MarkAdverseEventEnteredInErrorInput {
    /// `adverse_event_…`
    pub(super) id: ID,
    /// The version of the record that you read.
    pub(super) expected_version: i32,
}

/// What mutations of an adverse event return.
#[derive(SimpleObject)]
pub struct AdverseEventPayload {
    /// The adverse event after the change.
    pub(super) adverse_event: AdverseEvent,
}

/// An event as read from the input; the session and the note supply the rest.
pub(super) struct NewEvent {
    pub(super) event: AdverseEvent,
    pub(super) patient_id: Option<Uuid>,
    pub(super) expectedness: Option<Expectedness>,
}

/// Checks that the fields of an event agree.
pub(super) fn check(inputs: &mut Inputs, prefix: &str, event: &AdverseEvent) {
    if event.kind == AdverseEventKind::Other && event.description.is_none() {
        inputs.fault(&format!("{prefix}description"), Code::Required.says("is missing: OTHER says what happened"));
    }
    if event.outcome == AdverseEventOutcome::Fatal && !event.serious {
        inputs.fault(&format!("{prefix}serious"), Code::Mismatch.says("must be true: a fatal event is serious"));
    }
    let first = event.follow_ups.first().map(|follow_up| follow_up.at);
    if event.resolved_at.is_some_and(|at| at < event.onset_at) || first.is_some_and(|at| at < event.onset_at) {
        inputs.fault(
            &format!("{prefix}onsetAt"),
            Code::WrongOrder.says("is after a follow-up, or after the event was resolved"),
        );
    }
}

impl ReportAdverseEventInput {
    pub(super) fn read(self) -> error::Result<NewEvent> {
        let mut inputs = Inputs::new();
        let now = ids::now();
        if self.patient_id.is_none() && self.session_id.is_none() && self.aftercare_note_id.is_none() {
            inputs.fault(
                "patientId",
                Code::Required.says("is missing: say whose it is by patientId, sessionId or aftercareNoteId"),
            );
        }
        let resolved_at = self.resolved_at.map(|time| inputs.past_time("resolvedAt", time.0));
        if resolved_at.is_some() && !self.outcome.is_resolved() {
            inputs.fault(
                "resolvedAt",
                Code::NotApplicable.says("may only be sent with the outcomes RESOLVED and RESOLVED_WITH_SEQUELAE"),
            );
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
            reports: Vec::new(),
            device_id: inputs.opt_id("deviceId", RecordKind::Device, self.device_id.as_ref()),
            device_model: inputs.opt_text("deviceModel", self.device_model.as_deref(), 200),
            device_serial: inputs.opt_text("deviceSerial", self.device_serial.as_deref(), 100),
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
