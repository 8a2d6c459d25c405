//! Reporting adverse events, changing and following them up.

use crate::access::Scope;
use crate::adverse_event::{
    AdverseEvent, AdverseEventKind, AdverseEventOutcome, AdverseEventSeverity, AuthorityReport, Causality,
    Expectedness, FollowUp, expectedness, follow, store,
};
use crate::aftercare::store as notes;
use crate::catalogue::ProductLot;
use crate::error::{self, Error, Faults};
use crate::ids;
use crate::operation::{Inputs, Running, patched, transaction};
use crate::page::listing;
use crate::patient::store as patients;
use crate::record::Stamp;
use crate::scalars::DateTime;
use crate::session::{TreatmentSession, store as sessions};
use crate::vocabulary::{Action, BodyArea, RecordKind};
use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use uuid::Uuid;

/// The most characters of a text.
const LONGEST_TEXT: usize = 5000;
/// The most follow-ups of an event.
const MOST_FOLLOW_UPS: usize = 200;

/// Reports an adverse event: alone (`patientId`), after a session (`sessionId`), or from an aftercare note
/// (`aftercareNoteId`). At least one of the three is needed; the patient is that of the session or note.
#[derive(InputObject)]
pub struct ReportAdverseEventInput {
    /// An id the client made (`adverse_event_…` of a UUIDv7): makes a retry safe.
    id: Option<ID>,
    /// `patient_…`
    patient_id: Option<ID>,
    /// `session_…`
    session_id: Option<ID>,
    /// `note_…`; its session is taken over.
    aftercare_note_id: Option<ID>,
    /// What happened.
    kind: AdverseEventKind,
    /// In words, at most 5,000 characters. OTHER needs it.
    description: Option<String>,
    /// When it began: not before the session did.
    onset_at: DateTime,
    /// Where on the body.
    area: Option<BodyArea>,
    /// How bad.
    severity: AdverseEventSeverity,
    /// Whether it killed, threatened life, disabled, or took a stay in hospital.
    #[graphql(default)]
    serious: bool,
    /// Whether the treatment is known for it. When absent: EXPECTED for erythema, oedema, pain, dryness and pinpoint
    /// crusting that began within 7 days of the session's end, else UNEXPECTED.
    expectedness: Option<Expectedness>,
    /// What is suspected to have caused it.
    suspected_cause: Option<String>,
    /// How likely the treatment caused it (WHO-UMC).
    causality: Option<Causality>,
    /// `lot_…` of the catalogue that is suspected.
    lot_id: Option<ID>,
    /// What was done.
    action_taken: Option<String>,
    /// How it stands.
    #[graphql(default_with = "AdverseEventOutcome::Ongoing")]
    outcome: AdverseEventOutcome,
    /// When it was over; with RESOLVED and RESOLVED_WITH_SEQUELAE only, now when absent.
    resolved_at: Option<DateTime>,
}

/// Changes to an adverse event. An absent field stays, null clears. How it goes on is said by follow-ups.
#[derive(InputObject)]
pub struct AdverseEventPatch {
    /// What happened.
    kind: Option<AdverseEventKind>,
    /// In words; OTHER needs it.
    description: MaybeUndefined<String>,
    /// When it began: not before the session did.
    onset_at: Option<DateTime>,
    /// Where on the body.
    area: MaybeUndefined<BodyArea>,
    /// How bad.
    severity: Option<AdverseEventSeverity>,
    /// Whether it killed, threatened life, disabled, or took a stay in hospital.
    serious: Option<bool>,
    /// Whether the treatment is known for it.
    expectedness: Option<Expectedness>,
    /// What is suspected to have caused it.
    suspected_cause: MaybeUndefined<String>,
    /// How likely the treatment caused it (WHO-UMC).
    causality: MaybeUndefined<Causality>,
    /// `lot_…` of the catalogue that is suspected.
    lot_id: MaybeUndefined<ID>,
    /// What was done.
    action_taken: MaybeUndefined<String>,
}

/// Changes an adverse event.
#[derive(InputObject)]
pub struct UpdateAdverseEventInput {
    /// `adverse_event_…`
    id: ID,
    /// The version that was read.
    expected_version: i32,
    /// The changes.
    patch: AdverseEventPatch,
}

/// Says how an adverse event stood later. A resolved or fatal one is opened again by ONGOING, IMPROVING or UNKNOWN.
#[derive(InputObject)]
pub struct AddAdverseEventFollowUpInput {
    /// `adverse_event_…`
    id: ID,
    /// The version that was read.
    expected_version: i32,
    /// The moment it tells of, not before the last follow-up; now when absent. RESOLVED is dated by it.
    at: Option<DateTime>,
    /// How it stood. FATAL makes the event serious.
    outcome: AdverseEventOutcome,
    /// In words, at most 5,000 characters.
    text: String,
}

/// Notes that an adverse event was reported to an authority or a maker. A second report takes the place of the first;
/// `history` shows both.
#[derive(InputObject)]
pub struct ReportAdverseEventToAuthorityInput {
    /// `adverse_event_…`
    id: ID,
    /// The version that was read.
    expected_version: i32,
    /// To whom, at most 200 characters.
    reported_to: String,
    /// When, not before the event began; now when absent.
    reported_at: Option<DateTime>,
    /// The number it got there.
    reference: Option<String>,
}

/// Takes an adverse event out of the lists: it never was. It stays readable by its id, with its history.
#[derive(InputObject)]
pub struct MarkAdverseEventEnteredInErrorInput {
    /// `adverse_event_…`
    id: ID,
    /// The version that was read.
    expected_version: i32,
}

/// The adverse event.
#[derive(SimpleObject)]
pub struct AdverseEventPayload {
    /// It.
    adverse_event: AdverseEvent,
}

/// An event as it was read; the session and the note say the rest.
struct NewEvent {
    event: AdverseEvent,
    patient_id: Option<Uuid>,
    expectedness: Option<Expectedness>,
}

/// Checks what the fields of an event say together.
fn check(inputs: &mut Inputs, prefix: &str, event: &AdverseEvent) {
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
    fn read(self) -> error::Result<NewEvent> {
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

/// The end of a session, or its beginning while it has none.
fn end_of(session: &TreatmentSession) -> chrono::DateTime<chrono::Utc> {
    session.ended_at.unwrap_or(session.started_at)
}

async fn check_lot(scope: &mut Scope, lot: Option<Uuid>, faults: &mut Faults, path: &str) -> error::Result<()> {
    let Some(lot) = lot else { return Ok(()) };
    if listing::by_ids::<ProductLot>(scope, &[lot]).await?.is_empty() {
        faults.add(path, "is not a lot of this organisation");
    }
    Ok(())
}

/// Adds a new event.
async fn report(scope: &mut Scope, new: NewEvent) -> error::Result<AdverseEvent> {
    scope.viewer().check(Action::Create, RecordKind::AdverseEvent)?;
    let NewEvent { mut event, mut patient_id, expectedness: said } = new;
    let mut faults = Faults::default();
    if let Some(id) = event.aftercare_note_id {
        match notes::notes(scope, &[id]).await?.into_iter().next() {
            None => faults.add("input.aftercareNoteId", "is not an aftercare note of this organisation"),
            Some(note) if event.session_id.is_some_and(|session| session != note.session_id) => {
                faults.add("input.aftercareNoteId", "is about another session than sessionId");
            }
            Some(note) => event.session_id = Some(note.session_id),
        }
    }
    let session = match event.session_id {
        Some(id) => Some(sessions::session(scope, id).await?),
        None => None,
    };
    if let Some(session) = &session {
        if patient_id.is_some_and(|patient| patient != session.patient_id) {
            patients::active_patient(scope, patient_id.unwrap_or_default(), "input.patientId").await?;
            faults.add("input.patientId", "is not the patient of the session");
        }
        patient_id = patient_id.or(Some(session.patient_id));
        if event.onset_at < session.started_at {
            faults.add("input.onsetAt", "is before the session began");
        }
    }
    check_lot(scope, event.lot_id, &mut faults, "input.lotId").await?;
    faults.into_result()?;
    let path = if session.is_some() { "input.sessionId" } else { "input.patientId" };
    event.patient_id = patients::active_patient(scope, patient_id.unwrap_or_default(), path).await?.id;
    event.expectedness = said.unwrap_or_else(|| expectedness(event.kind, event.onset_at, session.as_ref().map(end_of)));
    event.stamp = Stamp::new(scope.viewer().staff, ids::now());
    store::add(scope, &event).await?;
    Ok(event)
}

/// The event that an edit was made for, at the version it expects.
async fn editable(scope: &mut Scope, id: Uuid, expected: i32) -> error::Result<AdverseEvent> {
    scope.viewer().check(Action::Update, RecordKind::AdverseEvent)?;
    let event: AdverseEvent = listing::one(scope, id).await?;
    error::at_version("adverse event", event.stamp.version, expected)?;
    if event.entered_in_error {
        return Err(Error::input(
            "input.id",
            "this adverse event was entered in error: report it again if it did happen",
        ));
    }
    Ok(event)
}

async fn save(scope: &mut Scope, mut event: AdverseEvent, expected: i32) -> error::Result<AdverseEvent> {
    event.stamp = event.stamp.changed(scope.viewer().staff, ids::now());
    store::save(scope, Action::Update, &event, expected).await?;
    Ok(event)
}

async fn change(scope: &mut Scope, id: Uuid, expected: i32, patch: AdverseEventPatch) -> error::Result<AdverseEvent> {
    let before = editable(scope, id, expected).await?;
    let mut inputs = Inputs::new();
    let mut text = |path: &str, patch: MaybeUndefined<String>, before: &Option<String>| {
        patched(inputs.patch_text(path, patch, LONGEST_TEXT), before.clone())
    };
    let description = text("patch.description", patch.description, &before.description);
    let suspected_cause = text("patch.suspectedCause", patch.suspected_cause, &before.suspected_cause);
    let action_taken = text("patch.actionTaken", patch.action_taken, &before.action_taken);
    let lot = inputs
        .patch("patch.lotId", patch.lot_id, |inputs, path, id| Some(inputs.id(path, RecordKind::ProductLot, &id)));
    let after = AdverseEvent {
        kind: patch.kind.unwrap_or(before.kind),
        description,
        onset_at: patch.onset_at.map_or(before.onset_at, |time| inputs.past_time("patch.onsetAt", time.0)),
        area: patched(patch.area, before.area),
        severity: patch.severity.unwrap_or(before.severity),
        serious: patch.serious.unwrap_or(before.serious),
        expectedness: patch.expectedness.unwrap_or(before.expectedness),
        suspected_cause,
        causality: patched(patch.causality, before.causality),
        lot_id: patched(lot, before.lot_id),
        action_taken,
        ..before.clone()
    };
    check(&mut inputs, "patch.", &after);
    inputs.finish()?;
    let mut faults = Faults::default();
    if let Some(session) = after.session_id.filter(|_| after.onset_at != before.onset_at) {
        let session = sessions::session(scope, session).await?;
        if after.onset_at < session.started_at {
            faults.add("input.patch.onsetAt", "is before the session began");
        }
    }
    if after.lot_id != before.lot_id {
        check_lot(scope, after.lot_id, &mut faults, "input.patch.lotId").await?;
    }
    faults.into_result()?;
    save(scope, after, expected).await
}

async fn add_follow_up(scope: &mut Scope, id: Uuid, expected: i32, next: FollowUp) -> error::Result<AdverseEvent> {
    let mut event = editable(scope, id, expected).await?;
    if event.follow_ups.len() >= MOST_FOLLOW_UPS {
        return Err(Error::input("input.id", format!("has {MOST_FOLLOW_UPS} follow-ups, the most there can be")));
    }
    let next = FollowUp { author_id: scope.viewer().author()?, ..next };
    follow(&mut event, next).map_err(|(field, why)| Error::input(format!("input.{field}"), why))?;
    save(scope, event, expected).await
}

async fn reported(scope: &mut Scope, id: Uuid, expected: i32, report: AuthorityReport) -> error::Result<AdverseEvent> {
    let mut event = editable(scope, id, expected).await?;
    if report.at < event.onset_at {
        return Err(Error::input("input.reportedAt", "is before the event began"));
    }
    event.report = Some(report);
    save(scope, event, expected).await
}

/// The mutations of this slice.
#[derive(Default)]
pub struct AdverseEventMutation;

#[Object]
impl AdverseEventMutation {
    /// Reports an adverse event.
    async fn report_adverse_event(
        &self,
        ctx: &Context<'_>,
        input: ReportAdverseEventInput,
    ) -> Result<AdverseEventPayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let new = input.read()?;
        let work = transaction(move |scope| Box::pin(report(scope, new)));
        Ok(AdverseEventPayload { adverse_event: operation.mutate(retry, work).await? })
    }

    /// Changes an adverse event.
    async fn update_adverse_event(
        &self,
        ctx: &Context<'_>,
        input: UpdateAdverseEventInput,
    ) -> Result<AdverseEventPayload> {
        let id = ids::argument("input.id", RecordKind::AdverseEvent, &input.id)?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(change(scope, id, input.expected_version, input.patch)));
        Ok(AdverseEventPayload { adverse_event: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Says how an adverse event stood later: until it is resolved.
    async fn add_adverse_event_follow_up(
        &self,
        ctx: &Context<'_>,
        input: AddAdverseEventFollowUpInput,
    ) -> Result<AdverseEventPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::AdverseEvent, &input.id);
        let next = FollowUp {
            id: ids::new_id(),
            at: input.at.map_or_else(ids::now, |time| inputs.past_time("at", time.0)),
            author_id: Uuid::nil(),
            outcome: input.outcome,
            text: inputs.text("text", &input.text, LONGEST_TEXT),
        };
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(add_follow_up(scope, id, input.expected_version, next)));
        Ok(AdverseEventPayload { adverse_event: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Notes that an adverse event was reported to an authority or a maker.
    async fn report_adverse_event_to_authority(
        &self,
        ctx: &Context<'_>,
        input: ReportAdverseEventToAuthorityInput,
    ) -> Result<AdverseEventPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::AdverseEvent, &input.id);
        let report = AuthorityReport {
            to: inputs.text("reportedTo", &input.reported_to, 200),
            at: input.reported_at.map_or_else(ids::now, |time| inputs.past_time("reportedAt", time.0)),
            reference: inputs.opt_text("reference", input.reference.as_deref(), 100),
        };
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(reported(scope, id, input.expected_version, report)));
        Ok(AdverseEventPayload { adverse_event: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Takes an adverse event out of the lists: it never was.
    async fn mark_adverse_event_entered_in_error(
        &self,
        ctx: &Context<'_>,
        input: MarkAdverseEventEnteredInErrorInput,
    ) -> Result<AdverseEventPayload> {
        let id = ids::argument("input.id", RecordKind::AdverseEvent, &input.id)?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| {
            Box::pin(async move {
                let event = editable(scope, id, input.expected_version).await?;
                save(scope, AdverseEvent { entered_in_error: true, ..event }, input.expected_version).await
            })
        });
        Ok(AdverseEventPayload { adverse_event: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }
}
