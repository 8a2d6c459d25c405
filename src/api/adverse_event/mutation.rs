//! Reporting adverse events, changing and following them up.

use super::input::{
    AddAdverseEventFollowUpInput, AdverseEventPatch, AdverseEventPayload, LONGEST_TEXT,
    MarkAdverseEventEnteredInErrorInput, NewEvent, ReportAdverseEventInput, ReportAdverseEventToAuthorityInput,
    UpdateAdverseEventInput, check,
};
use crate::access::Scope;
use crate::adverse_event::{AdverseEvent, AuthorityReport, FollowUp, expectedness, follow};
use crate::aftercare::store as notes;
use crate::catalogue::{Device, ProductLot};
use crate::error::{self, Code, Error, Faults, Flaw};
use crate::ids;
use crate::operation::{Inputs, Running, patched, transaction};
use crate::page::{kept, listing};
use crate::patient::store as patients;
use crate::record::Stamp;
use crate::session::{TreatmentSession, store as sessions};
use crate::signing::store as signed;
use crate::vocabulary::{Action, RecordKind};
use async_graphql::{Context, MaybeUndefined, Object, Result};
use uuid::Uuid;

/// The maximum number of follow-ups of an event.
const MOST_FOLLOW_UPS: usize = 200;

/// The maximum number of reports of an event.
const MOST_REPORTS: usize = 50;

/// When a session ended, or when it began if it has not ended.
fn end_of(session: &TreatmentSession) -> chrono::DateTime<chrono::Utc> {
    session.ended_at.unwrap_or(session.started_at)
}

async fn check_lot(scope: &mut Scope, lot: Option<Uuid>, faults: &mut Faults, path: &str) -> error::Result<()> {
    let Some(lot) = lot else { return Ok(()) };
    if listing::by_ids::<ProductLot>(scope, &[lot]).await?.is_empty() {
        faults.add(path, Flaw::not_found("lot of this organisation"));
    }
    Ok(())
}

/// Fills in the device that was in use: from the catalogue by its id, else the session's where none was told.
async fn name_device(
    scope: &mut Scope,
    event: &mut AdverseEvent,
    session: Option<&TreatmentSession>,
    faults: &mut Faults,
) -> error::Result<()> {
    if let Some(id) = event.device_id {
        for (field, given) in [("deviceModel", &event.device_model), ("deviceSerial", &event.device_serial)] {
            if given.is_some() {
                faults.add(
                    format!("input.{field}"),
                    Code::NotTogether
                        .says("comes from the catalogue: leave it out, or leave deviceId out")
                        .with("other", "deviceId"),
                );
            }
        }
        match listing::by_ids::<Device>(scope, &[id]).await?.pop() {
            Some(device) => (event.device_model, event.device_serial) = (Some(device.model), device.serial),
            None => faults.add("input.deviceId", Flaw::not_found("device of this organisation")),
        }
    } else if event.device_model.is_none()
        && let Some((session, used)) = session.and_then(|it| Some((it, it.device.as_ref()?)))
    {
        let serial = event.device_serial.take().or_else(|| used.serial.clone());
        (event.device_id, event.device_model, event.device_serial) =
            (session.device_id, Some(used.model.clone()), serial);
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
            None => faults
                .add("input.aftercareNoteId", Code::NotFound.says("is not an aftercare note of this organisation")),
            Some(note) if event.session_id.is_some_and(|session| session != note.session_id) => {
                faults.add(
                    "input.aftercareNoteId",
                    Code::Mismatch.says("is about another session than sessionId").with("other", "sessionId"),
                );
            }
            Some(note) => event.session_id = Some(note.session_id),
        }
    }
    let session = match event.session_id {
        Some(id) => Some(sessions::session(scope, id).await?),
        None => None,
    };
    if let Some(session) = &session {
        signed::refuse_retracted(scope, session.id, "input.sessionId").await?;
        if patient_id.is_some_and(|patient| patient != session.patient_id) {
            patients::active_patient(scope, patient_id.unwrap_or_default(), "input.patientId").await?;
            faults.add("input.patientId", Code::Mismatch.says("is not the patient of the session"));
        }
        patient_id = patient_id.or(Some(session.patient_id));
        if event.onset_at < session.started_at {
            faults.add("input.onsetAt", Code::WrongOrder.says("is before the session began"));
        }
    }
    check_lot(scope, event.lot_id, &mut faults, "input.lotId").await?;
    name_device(scope, &mut event, session.as_ref(), &mut faults).await?;
    faults.into_result()?;
    let path = if session.is_some() { "input.sessionId" } else { "input.patientId" };
    let patient = patients::active_patient(scope, patient_id.unwrap_or_default(), path).await?;
    patient.lived_on(event.onset_at.date_naive(), "input.onsetAt")?;
    event.patient_id = patient.id;
    event.expectedness = said.unwrap_or_else(|| expectedness(&event, session.as_ref().map(end_of)));
    event.stamp = Stamp::new(scope.viewer().staff, ids::now());
    kept::add(scope, &event).await?;
    Ok(event)
}

/// The event to be edited, at the expected version.
async fn editable(scope: &mut Scope, id: Uuid, expected: i32) -> error::Result<AdverseEvent> {
    scope.viewer().check(Action::Update, RecordKind::AdverseEvent)?;
    let event: AdverseEvent = listing::one(scope, id).await?;
    error::at_version("adverse event", event.stamp.version, expected)?;
    if event.entered_in_error {
        return Err(Error::input(
            "input.id",
            Code::WrongState.says("this adverse event was entered in error: report it again if it did happen"),
        ));
    }
    Ok(event)
}

async fn save(scope: &mut Scope, mut event: AdverseEvent, expected: i32) -> error::Result<AdverseEvent> {
    event.stamp = event.stamp.changed(scope.viewer().staff, ids::now());
    kept::save(scope, Action::Update, &event, expected).await?;
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
    if after.onset_at != before.onset_at {
        let patient = patients::patient(scope, after.patient_id).await?;
        patient.lived_on(after.onset_at.date_naive(), "input.patch.onsetAt")?;
    }
    if let Some(session) = after.session_id.filter(|_| after.onset_at != before.onset_at) {
        let session = sessions::session(scope, session).await?;
        if after.onset_at < session.started_at {
            faults.add("input.patch.onsetAt", Code::WrongOrder.says("is before the session began"));
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
        return Err(Error::input("input.id", Flaw::full(MOST_FOLLOW_UPS, "follow-ups")));
    }
    let next = FollowUp { author_id: scope.viewer().author()?, ..next };
    follow(&mut event, next)
        .map_err(|(field, why)| Error::input(format!("input.{field}"), Code::WrongOrder.says(why)))?;
    save(scope, event, expected).await
}

async fn reported(scope: &mut Scope, id: Uuid, expected: i32, report: AuthorityReport) -> error::Result<AdverseEvent> {
    let mut event = editable(scope, id, expected).await?;
    if report.at < event.onset_at {
        return Err(Error::input("input.reportedAt", Code::WrongOrder.says("is before the event began")));
    }
    if event.reports.len() >= MOST_REPORTS {
        return Err(Error::input("input.id", Flaw::full(MOST_REPORTS, "reports")));
    }
    event.reports.push(report.clone());
    event.report = Some(report);
    save(scope, event, expected).await
}

/// The mutations of this module.
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

    /// Records how an adverse event developed, until it is resolved.
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

    /// Records that an adverse event was reported to an authority or a manufacturer.
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

    /// Removes an adverse event from the lists because it was entered in error.
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
