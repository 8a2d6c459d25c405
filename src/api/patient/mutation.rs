//! Registering, changing, archiving and restoring patients.

use super::countries::countries_for;
use super::input::{
    ArchivePatientInput, ArchivePatientPayload, RegisterPatientInput, RegisterPatientPayload, RestorePatientInput,
    RestorePatientPayload, UpdatePatientInput, UpdatePatientPayload,
};
use crate::access::Scope;
use crate::chart::store as chart;
use crate::error::{Code, Error};
use crate::ids;
use crate::operation::{Inputs, Running, transaction};
use crate::patient::{Patient, PatientStatus, store};
use crate::record::Stamp;
use crate::vocabulary::{Action, RecordKind};
use async_graphql::{Context, Object, Result};
use uuid::Uuid;

/// The patient to be edited, at the expected version.
async fn expected(scope: &mut Scope, id: Uuid, version: i32) -> crate::error::Result<Patient> {
    let patient = store::patient(scope, id).await?;
    if patient.stamp.version != version {
        return Err(Error::stale("patient", version, patient.stamp.version));
    }
    Ok(patient)
}

/// Moves a patient to another status.
async fn move_to(
    scope: &mut Scope,
    before: Patient,
    action: Action,
    status: PatientStatus,
    reason: Option<String>,
) -> crate::error::Result<Patient> {
    let stamp = before.stamp.changed(scope.viewer().staff, ids::now());
    let after = Patient { status, status_reason: reason, stamp, ..before.clone() };
    store::save(scope, action, &before, &after).await?;
    Ok(after)
}

/// The mutations of this module.
#[derive(Default)]
pub struct PatientMutation;

#[Object]
impl PatientMutation {
    /// Registers a patient.
    async fn register_patient(&self, ctx: &Context<'_>, input: RegisterPatientInput) -> Result<RegisterPatientPayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let countries = countries_for(operation, input.phones(), input.country()).await?;
        let mut new = input.read(countries)?;
        let work = transaction(move |scope| {
            Box::pin(async move {
                let author = Some(scope.viewer().author()?);
                new.stamp = Stamp::new(author, ids::now());
                if let Some(skin) = &mut new.skin_type {
                    skin.assessed_by = author;
                }
                store::register(scope, new).await
            })
        });
        Ok(RegisterPatientPayload { patient: operation.mutate(retry, work).await? })
    }

    /// Changes a patient.
    async fn update_patient(&self, ctx: &Context<'_>, input: UpdatePatientInput) -> Result<UpdatePatientPayload> {
        let operation = ctx.operation()?;
        let countries = countries_for(operation, input.patch.phones(), input.patch.country()).await?;
        let mut inputs = Inputs::in_countries(countries);
        let id = inputs.id("id", RecordKind::Patient, &input.id);
        let patch = input.patch.read(&mut inputs);
        inputs.finish()?;
        let work = transaction(move |scope| {
            Box::pin(async move {
                scope.viewer().check(Action::Update, RecordKind::Patient)?;
                let before = expected(scope, id, input.expected_version).await?;
                if before.status == PatientStatus::Merged {
                    return Err(Error::input(
                        "input.id",
                        Code::Merged.says("this patient was merged into another: change that one"),
                    ));
                }
                let after = patch.apply(&before, scope.viewer().staff);
                if let Some(died) = after.deceased_on.filter(|died| *died < after.birth_date) {
                    let message = format!("is {died}, before the patient was born ({})", after.birth_date);
                    return Err(Error::input(
                        "input.patch.deceasedOn",
                        Code::WrongOrder.says(message).with("value", died.to_string()).with("other", "birthDate"),
                    ));
                }
                if after.birth_date > before.birth_date {
                    // Held, so that what is being added to the chart just now is seen.
                    store::held(scope, &[id]).await?;
                    chart::refuse_birth_after_records(scope, &before, after.birth_date, "input.patch.birthDate")
                        .await?;
                }
                store::save(scope, Action::Update, &before, &after).await?;
                Ok(after)
            })
        });
        let patient = operation.mutate(operation.retry(ctx, None)?, work).await?;
        Ok(UpdatePatientPayload { patient })
    }

    /// Archives a patient: the whole record is kept, the patient leaves the usual lists, and no new records can be
    /// added.
    async fn archive_patient(&self, ctx: &Context<'_>, input: ArchivePatientInput) -> Result<ArchivePatientPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::Patient, &input.id);
        let reason = inputs.text("reason", &input.reason, 1000);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| {
            Box::pin(async move {
                scope.viewer().check(Action::Archive, RecordKind::Patient)?;
                let before = expected(scope, id, input.expected_version).await?;
                if before.status != PatientStatus::Active {
                    return Err(Error::input(
                        "input.id",
                        Code::Done.says(format!("this patient is {} already", before.status.words())),
                    ));
                }
                move_to(scope, before, Action::Archive, PatientStatus::Archived, Some(reason)).await
            })
        });
        let patient = operation.mutate(operation.retry(ctx, None)?, work).await?;
        Ok(ArchivePatientPayload { patient })
    }

    /// Restores an archived patient.
    async fn restore_patient(&self, ctx: &Context<'_>, input: RestorePatientInput) -> Result<RestorePatientPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::Patient, &input.id);
        let reason = inputs.opt_text("reason", input.reason.as_deref(), 1000);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| {
            Box::pin(async move {
                scope.viewer().check(Action::Restore, RecordKind::Patient)?;
                let before = expected(scope, id, input.expected_version).await?;
                if before.status != PatientStatus::Archived {
                    return Err(Error::input(
                        "input.id",
                        Code::WrongState.says(format!("this patient is {}, not archived", before.status.words())),
                    ));
                }
                move_to(scope, before, Action::Restore, PatientStatus::Active, reason).await
            })
        });
        let patient = operation.mutate(operation.retry(ctx, None)?, work).await?;
        Ok(RestorePatientPayload { patient })
    }
}
