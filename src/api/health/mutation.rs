//! Adding to and changing the health history.

use crate::error::Error;
use crate::health::{HealthEntry, HealthEntryKind};
use crate::ids;
use crate::operation::{Inputs, Running, patched, transaction};
use crate::page::{kept, listing};
use crate::patient::store as patient_store;
use crate::record::Stamp;
use crate::scalars::Date;
use crate::vocabulary::{Action, ContraindicationSeverity, RecordKind};
use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use chrono::NaiveDate;

/// Adds an entry to a patient's health history.
#[derive(InputObject)]
pub struct AddHealthEntryInput {
    /// An id made by the client (`health_…`, from a UUIDv7), which makes a retry safe.
    id: Option<ID>,
    /// `patient_…`
    patient_id: ID,
    /// Its kind.
    kind: HealthEntryKind,
    /// A code that rules look for, such as `isotretinoin`.
    code: Option<String>,
    /// The entry in words.
    text: String,
    /// How strongly it contraindicates a treatment.
    severity: Option<ContraindicationSeverity>,
    /// The day it began.
    onset_on: Option<Date>,
    /// The day it ended; absent while it lasts.
    ended_on: Option<Date>,
    /// For a medicine: the last dose.
    last_dose_on: Option<Date>,
    /// The source of the information: the patient, a letter, an examination.
    source: Option<String>,
    /// Whether the sender has verified it.
    #[graphql(default = false)]
    verified: bool,
}

/// Result of `addHealthEntry`.
#[derive(SimpleObject)]
pub struct AddHealthEntryPayload {
    /// The new entry.
    health_entry: HealthEntry,
}

/// Changes to an entry. An absent field stays as it is; null clears it.
#[derive(InputObject)]
pub struct HealthEntryPatch {
    /// A code that rules look for.
    code: MaybeUndefined<String>,
    /// The entry in words.
    text: Option<String>,
    /// How strongly it contraindicates a treatment.
    severity: MaybeUndefined<ContraindicationSeverity>,
    /// The day it began.
    onset_on: MaybeUndefined<Date>,
    /// The day it ended; null while it lasts.
    ended_on: MaybeUndefined<Date>,
    /// For a medicine: the last dose.
    last_dose_on: MaybeUndefined<Date>,
    /// The source of the information.
    source: MaybeUndefined<String>,
    /// True: the sender has verified it. False: nobody has.
    verified: Option<bool>,
    /// True: the entry was made in error. It is kept, but no rule looks at it.
    entered_in_error: Option<bool>,
}

/// Changes an entry of the health history.
#[derive(InputObject)]
pub struct UpdateHealthEntryInput {
    /// `health_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// The fields to change.
    patch: HealthEntryPatch,
}

/// Result of `updateHealthEntry`.
#[derive(SimpleObject)]
pub struct UpdateHealthEntryPayload {
    /// The entry after the change.
    health_entry: HealthEntry,
}

/// The mutations of this module.
#[derive(Default)]
pub struct HealthMutation;

#[Object]
impl HealthMutation {
    /// Adds an entry to a patient's health history.
    async fn add_health_entry(&self, ctx: &Context<'_>, input: AddHealthEntryInput) -> Result<AddHealthEntryPayload> {
        let mut inputs = Inputs::new();
        let mut entry = HealthEntry {
            id: inputs.new_id(RecordKind::HealthEntry, input.id.as_ref()),
            patient_id: inputs.id("patientId", RecordKind::Patient, &input.patient_id),
            kind: input.kind,
            code: inputs.opt_text("code", input.code.as_deref(), 100),
            text: inputs.text("text", &input.text, 2000),
            severity: input.severity,
            onset_on: inputs.past_date("onsetOn", input.onset_on.map(|date| date.0)),
            ended_on: inputs.past_date("endedOn", input.ended_on.map(|date| date.0)),
            last_dose_on: inputs.past_date("lastDoseOn", input.last_dose_on.map(|date| date.0)),
            source: inputs.opt_text("source", input.source.as_deref(), 200),
            verified_by: None,
            verified_at: None,
            entered_in_error: false,
            stamp: Stamp::new(None, ids::now()),
        };
        check_days(&mut inputs, &entry, "");
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| {
            Box::pin(async move {
                let author = scope.viewer().author()?;
                entry.stamp = Stamp::new(Some(author), ids::now());
                if input.verified {
                    (entry.verified_by, entry.verified_at) = (Some(author), Some(entry.stamp.created_at));
                }
                scope.viewer().check(Action::Create, RecordKind::HealthEntry)?;
                let patient = patient_store::active_patient(scope, entry.patient_id, "input.patientId").await?;
                for (day, path) in days(&entry).into_iter().zip(["input.onsetOn", "input.endedOn", "input.lastDoseOn"])
                {
                    day.map_or(Ok(()), |day| patient.lived_on(day, path))?;
                }
                kept::add(scope, &entry).await?;
                Ok(entry)
            })
        });
        let health_entry = operation.mutate(operation.retry(ctx, input.id.as_ref())?, work).await?;
        Ok(AddHealthEntryPayload { health_entry })
    }

    /// Changes an entry of the health history.
    async fn update_health_entry(
        &self,
        ctx: &Context<'_>,
        input: UpdateHealthEntryInput,
    ) -> Result<UpdateHealthEntryPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::HealthEntry, &input.id);
        let patch = input.patch;
        let code = inputs.patch_text("patch.code", patch.code, 100);
        let text = patch.text.as_deref().map(|text| inputs.text("patch.text", text, 2000));
        let source = inputs.patch_text("patch.source", patch.source, 200);
        let mut day = |path: &str, day: MaybeUndefined<Date>| {
            inputs.patch(path, day, |inputs, path, day| inputs.past_date(path, Some(day.0)))
        };
        let onset_on = day("patch.onsetOn", patch.onset_on);
        let ended_on = day("patch.endedOn", patch.ended_on);
        let last_dose_on = day("patch.lastDoseOn", patch.last_dose_on);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| {
            Box::pin(async move {
                scope.viewer().check(Action::Update, RecordKind::HealthEntry)?;
                let before = listing::one::<HealthEntry>(scope, id).await?;
                if before.stamp.version != input.expected_version {
                    return Err(Error::stale("health entry", input.expected_version, before.stamp.version));
                }
                let (author, now) = (scope.viewer().author()?, ids::now());
                let (verified_by, verified_at) = match patch.verified {
                    Some(true) => (Some(author), Some(now)),
                    Some(false) => (None, None),
                    None => (before.verified_by, before.verified_at),
                };
                let after = HealthEntry {
                    code: patched(code, before.code.clone()),
                    text: text.unwrap_or_else(|| before.text.clone()),
                    severity: patched(patch.severity, before.severity),
                    onset_on: patched(onset_on, before.onset_on),
                    ended_on: patched(ended_on, before.ended_on),
                    last_dose_on: patched(last_dose_on, before.last_dose_on),
                    source: patched(source, before.source.clone()),
                    verified_by,
                    verified_at,
                    entered_in_error: patch.entered_in_error.unwrap_or(before.entered_in_error),
                    stamp: before.stamp.changed(Some(author), now),
                    ..before.clone()
                };
                // Days that were taken before they were compared stay until they are changed.
                if days(&before) != days(&after) {
                    let mut inputs = Inputs::new();
                    check_days(&mut inputs, &after, "patch.");
                    inputs.finish()?;
                }
                kept::save(scope, Action::Update, &after, before.stamp.version).await?;
                Ok(after)
            })
        });
        let health_entry = operation.mutate(operation.retry(ctx, None)?, work).await?;
        Ok(UpdateHealthEntryPayload { health_entry })
    }
}

/// When it began, when it ended, the last dose.
fn days(entry: &HealthEntry) -> [Option<NaiveDate>; 3] {
    [entry.onset_on, entry.ended_on, entry.last_dose_on]
}

fn check_days(inputs: &mut Inputs, entry: &HealthEntry, prefix: &str) {
    if entry.onset_on.zip(entry.ended_on).is_some_and(|(onset, end)| end < onset) {
        inputs.fault(&format!("{prefix}endedOn"), "is before onsetOn");
    }
    if entry.onset_on.zip(entry.last_dose_on).is_some_and(|(onset, dose)| dose < onset) {
        inputs.fault(&format!("{prefix}lastDoseOn"), "is before onsetOn");
    }
    if entry.last_dose_on.is_some() && entry.kind != HealthEntryKind::Medication {
        inputs.fault(&format!("{prefix}lastDoseOn"), "may only be sent for a MEDICATION");
    }
}
