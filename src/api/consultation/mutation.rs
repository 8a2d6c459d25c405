//! Recording, changing and signing consultations.

use super::input::{ConsultationPatch, RecordConsultationInput};
use crate::access::Scope;
use crate::api::signing::SignRecordInput;
use crate::consultation::{Consultation, missing, store};
use crate::error::{Code, Faults};
use crate::ids;
use crate::operation::{Inputs, Running, transaction};
use crate::organisation::{store as people, unfit};
use crate::page::kept;
use crate::patient::store as patients;
use crate::record::Stamp;
use crate::signing::{self, Given, store::judge_first};
use crate::supervision::store::{self as supervision, JustSigned};
use crate::vocabulary::{Action, RecordKind, StaffRole};
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use uuid::Uuid;

/// Result of `recordConsultation`.
#[derive(SimpleObject)]
pub struct RecordConsultationPayload {
    /// The new consultation.
    consultation: Consultation,
}

/// Changes a consultation that is not signed.
#[derive(InputObject)]
pub struct UpdateConsultationInput {
    /// `consultation_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// The fields to change.
    patch: ConsultationPatch,
}

/// Result of `updateConsultation`.
#[derive(SimpleObject)]
pub struct UpdateConsultationPayload {
    /// The consultation after the change.
    consultation: Consultation,
}

/// Result of `signConsultation`.
#[derive(SimpleObject)]
pub struct SignConsultationPayload {
    /// The signed consultation.
    consultation: Consultation,
}

/// Checks the practitioner and the location that a change names for the first time, and reports every fault at once.
/// What the consultation named before stays, even if the practitioner has left since.
async fn check_links(
    scope: &mut Scope,
    practitioner: Option<Uuid>,
    location: Option<Uuid>,
    prefix: &str,
) -> crate::error::Result<()> {
    let mut faults = Faults::default();
    if let Some(id) = practitioner {
        let found = people::staff(scope, &[id]).await?;
        let away = |place| found.first().is_some_and(|member| !member.works_at(place));
        if let Some(why) = unfit(found.first(), Some(StaffRole::Practitioner)) {
            faults.add(format!("input.{prefix}practitionerId"), Code::WrongPerson.says(why));
        } else if location.is_some_and(away) {
            faults
                .add(format!("input.{prefix}practitionerId"), Code::WrongPerson.says("does not work at this location"));
        }
    }
    if let Some(id) = location {
        let found = people::locations(scope, &[id]).await?;
        if !found.first().is_some_and(|location| location.active) {
            faults.add(
                format!("input.{prefix}locationId"),
                Code::NotFound.says("is not an active location of this organisation"),
            );
        }
    }
    faults.into_result()
}

/// Adds a new consultation.
async fn add(scope: &mut Scope, mut new: Consultation) -> crate::error::Result<Consultation> {
    scope.viewer().check(Action::Create, RecordKind::Consultation)?;
    let author = scope.viewer().author()?;
    new.stamp = Stamp::new(Some(author), ids::now());
    if new.practitioner_id.is_nil() {
        new.practitioner_id = author;
    }
    let patient = patients::active_patient(scope, new.patient_id, "input.patientId").await?;
    patient.lived_on(new.held_at.date_naive(), "input.heldAt")?;
    check_links(scope, Some(new.practitioner_id), new.location_id, "").await?;
    kept::add(scope, &new).await?;
    Ok(new)
}

/// The draft to be edited, at the expected version.
async fn draft(scope: &mut Scope, action: Action, id: Uuid, expected: i32) -> crate::error::Result<Consultation> {
    scope.viewer().check(action, RecordKind::Consultation)?;
    let consultation = store::consultation(scope, id).await?;
    signing::editable("consultation", consultation.signature.as_ref(), consultation.stamp.version, expected)?;
    Ok(consultation)
}

/// Changes a draft.
async fn change(
    scope: &mut Scope,
    id: Uuid,
    expected: i32,
    patch: ConsultationPatch,
) -> crate::error::Result<Consultation> {
    let before = draft(scope, Action::Update, id, expected).await?;
    let mut after = patch.apply(&before)?;
    signing::refuse_taking(before.practitioner_id, after.practitioner_id, scope.viewer().staff)?;
    after.stamp = before.stamp.changed(scope.viewer().staff, ids::now());
    let practitioner = Some(after.practitioner_id).filter(|id| *id != before.practitioner_id);
    let location = after.location_id.filter(|id| Some(*id) != before.location_id);
    check_links(scope, practitioner, location, "patch.").await?;
    kept::save(scope, Action::Update, &after, expected).await?;
    Ok(after)
}

/// Signs a consultation if it is complete.
async fn sign(scope: &mut Scope, id: Uuid, expected: i32, given: Given) -> crate::error::Result<Consultation> {
    let mut consultation = draft(scope, Action::Sign, id, expected).await?;
    let signer = scope.viewer().author()?;
    let mut lacking = missing(&consultation);
    judge_first(scope, &mut lacking, &given, signer, consultation.practitioner_id).await?;
    lacking.into_result()?;
    let now = ids::now();
    consultation.stamp = consultation.stamp.changed(Some(signer), now);
    consultation.signature = Some(signing::sign(&consultation, signer, now, given)?);
    kept::save(scope, Action::Sign, &consultation, expected).await?;
    if let Some(signature) = &consultation.signature {
        let (patient, location) = (consultation.patient_id, consultation.location_id);
        let record = (RecordKind::Consultation, id);
        supervision::draw(scope, JustSigned { patient, record, location, signature }).await?;
    }
    Ok(consultation)
}

/// The mutations of this module.
#[derive(Default)]
pub struct ConsultationMutation;

#[Object]
impl ConsultationMutation {
    /// Records a consultation, as a draft.
    async fn record_consultation(
        &self,
        ctx: &Context<'_>,
        input: RecordConsultationInput,
    ) -> Result<RecordConsultationPayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let new = input.read()?;
        let work = transaction(move |scope| Box::pin(add(scope, new)));
        Ok(RecordConsultationPayload { consultation: operation.mutate(retry, work).await? })
    }

    /// Changes a consultation that is not signed.
    async fn update_consultation(
        &self,
        ctx: &Context<'_>,
        input: UpdateConsultationInput,
    ) -> Result<UpdateConsultationPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::Consultation, &input.id);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let (expected, patch) = (input.expected_version, input.patch);
        let work = transaction(move |scope| Box::pin(change(scope, id, expected, patch)));
        Ok(UpdateConsultationPayload { consultation: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Signs a consultation, as who held it, or takes it over. After that it takes no changes, only addenda. If anything is missing, the error names all
    /// of it at once.
    async fn sign_consultation(&self, ctx: &Context<'_>, input: SignRecordInput) -> Result<SignConsultationPayload> {
        let (id, expected, given) = input.read(RecordKind::Consultation)?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(sign(scope, id, expected, given)));
        Ok(SignConsultationPayload { consultation: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }
}
