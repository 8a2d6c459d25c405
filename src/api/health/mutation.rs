//! Adding to and changing the health history.

use crate::error::{Code, Error};
use crate::health::{self, DatePrecision, HealthEntry, HealthEntryKind, are_alike};
use crate::health_term;
use crate::ids;
use crate::operation::{Inputs, Running, patched, transaction};
use crate::page::{kept, listing};
use crate::patient::{Patient, store as patient_store};
use crate::record::Stamp;
use crate::scalars::Date;
use crate::vocabulary::{Action, ContraindicationSeverity, RecordKind};
use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use chrono::NaiveDate;

/// Adds an entry to a patient's health history.
#[derive(InputObject)]
pub struct AddHealthEntryInput {
    /// An id made by the client, which makes a retry safe: `health_` and a UUIDv7 in 26 characters (see `Node.id`). Absent:
    /// the service makes one.
    id: Option<ID>,
    /// `patient_…`
    patient_id: ID,
    /// The kind of entry: a condition, a medicine, an allergy, a pregnancy or a procedure.
    kind: HealthEntryKind,
    /// A code that rules look for, such as `isotretinoin`.
    code: Option<String>,
    /// The entry in words.
    text: String,
    /// How strongly it contraindicates a treatment.
    severity: Option<ContraindicationSeverity>,
    /// The day it began.
    onset_on: Option<Date>,
    /// How precisely `onsetOn` is known. For MONTH or YEAR send any day in it; the first is kept.
    #[graphql(default_with = "DatePrecision::Day")]
    onset_precision: DatePrecision,
    /// The day it ended; absent while it lasts.
    ended_on: Option<Date>,
    /// How precisely `endedOn` is known. For MONTH or YEAR send any day in it; the first is kept.
    #[graphql(default_with = "DatePrecision::Day")]
    ended_precision: DatePrecision,
    /// For a medicine: the last dose.
    last_dose_on: Option<Date>,
    /// How precisely `lastDoseOn` is known. For MONTH or YEAR send any day in it; the first is kept.
    #[graphql(default_with = "DatePrecision::Day")]
    last_dose_precision: DatePrecision,
    /// The source of the information: the patient, a letter, an examination.
    source: Option<String>,
    /// Whether you have verified it.
    #[graphql(default = false)]
    verified: bool,
}

/// Result of `addHealthEntry`.
pub struct AddHealthEntryPayload {
    health_entry: HealthEntry,
}

/// Result of `addHealthEntry`.
#[Object]
impl AddHealthEntryPayload {
    /// The new entry.
    async fn health_entry(&self) -> &HealthEntry {
        &self.health_entry
    }
    /// Other current entries of this patient that look like duplicates of it: of the same kind, with the same code or about
    /// the same code of the list, or in the same words. Nothing was refused because of them.
    async fn possible_duplicates(&self, ctx: &Context<'_>) -> Result<Vec<HealthEntry>> {
        let mut entries = health::loader::of_patient(ctx, self.health_entry.patient_id, false).await?;
        let (today, terms) = (ids::now().date_naive(), health_term::loader::in_use(ctx).await?);
        entries.retain(|it| are_alike(&self.health_entry, it, today, &terms));
        Ok(entries)
    }
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
    /// How precisely `onsetOn` is known. A day that is sent without it is known to the day.
    onset_precision: Option<DatePrecision>,
    /// The day it ended; null while it lasts.
    ended_on: MaybeUndefined<Date>,
    /// How precisely `endedOn` is known. A day that is sent without it is known to the day.
    ended_precision: Option<DatePrecision>,
    /// For a medicine: the last dose.
    last_dose_on: MaybeUndefined<Date>,
    /// How precisely `lastDoseOn` is known. A day that is sent without it is known to the day.
    last_dose_precision: Option<DatePrecision>,
    /// The source of the information.
    source: MaybeUndefined<String>,
    /// True: you have verified it. False: nobody has.
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
            onset_on: known_day(&mut inputs, "onsetOn", input.onset_on, input.onset_precision),
            onset_precision: input.onset_precision,
            ended_on: known_day(&mut inputs, "endedOn", input.ended_on, input.ended_precision),
            ended_precision: input.ended_precision,
            last_dose_on: known_day(&mut inputs, "lastDoseOn", input.last_dose_on, input.last_dose_precision),
            last_dose_precision: input.last_dose_precision,
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
                born_by_then(&patient, &entry, "")?;
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
        let mut day = |path: &str, day: MaybeUndefined<Date>, precision: Option<DatePrecision>| {
            let precision = precision.unwrap_or_default();
            inputs.patch(path, day, |inputs, path, day| known_day(inputs, path, Some(day), precision))
        };
        let onset_on = day("patch.onsetOn", patch.onset_on, patch.onset_precision);
        let ended_on = day("patch.endedOn", patch.ended_on, patch.ended_precision);
        let last_dose_on = day("patch.lastDoseOn", patch.last_dose_on, patch.last_dose_precision);
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
                let (onset_on, onset_precision) =
                    patched_day((onset_on, patch.onset_precision), (before.onset_on, before.onset_precision));
                let (ended_on, ended_precision) =
                    patched_day((ended_on, patch.ended_precision), (before.ended_on, before.ended_precision));
                let (last_dose_on, last_dose_precision) = patched_day(
                    (last_dose_on, patch.last_dose_precision),
                    (before.last_dose_on, before.last_dose_precision),
                );
                let after = HealthEntry {
                    code: patched(code, before.code.clone()),
                    text: text.unwrap_or_else(|| before.text.clone()),
                    severity: patched(patch.severity, before.severity),
                    onset_on,
                    onset_precision,
                    ended_on,
                    ended_precision,
                    last_dose_on,
                    last_dose_precision,
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
                    let patient = patient_store::patient(scope, after.patient_id).await?;
                    born_by_then(&patient, &after, "patch.")?;
                }
                kept::save(scope, Action::Update, &after, before.stamp.version).await?;
                Ok(after)
            })
        });
        let health_entry = operation.mutate(operation.retry(ctx, None)?, work).await?;
        Ok(UpdateHealthEntryPayload { health_entry })
    }
}

/// A day as it is known: of a month or a year its first.
fn known_day(inputs: &mut Inputs, path: &str, day: Option<Date>, precision: DatePrecision) -> Option<NaiveDate> {
    inputs.past_date(path, day.map(|day| precision.first(day.0)))
}

/// A day after a patch, with how exactly it is known. A day that is sent alone is known to the day.
fn patched_day(
    (day, precision): (MaybeUndefined<NaiveDate>, Option<DatePrecision>),
    before: (Option<NaiveDate>, DatePrecision),
) -> (Option<NaiveDate>, DatePrecision) {
    let sent = day != MaybeUndefined::Undefined;
    let precision = precision.unwrap_or(if sent { DatePrecision::Day } else { before.1 });
    let day = patched(day, before.0).map(|day| precision.first(day));
    (day, if day.is_some() { precision } else { DatePrecision::Day })
}

/// When it began, when it ended, the last dose: each at the latest that it can have been.
fn days(entry: &HealthEntry) -> [Option<NaiveDate>; 3] {
    [entry.onset_by(), entry.ended_by(), entry.last_dose_by()]
}

/// Refuses days on which the patient can't have been born yet.
fn born_by_then(patient: &Patient, entry: &HealthEntry, prefix: &str) -> crate::error::Result<()> {
    let paths = ["onsetOn", "endedOn", "lastDoseOn"];
    days(entry)
        .into_iter()
        .zip(paths)
        .try_for_each(|(day, path)| day.map_or(Ok(()), |day| patient.lived_on(day, &format!("input.{prefix}{path}"))))
}

/// Notes days in an order that can't be: an end or a last dose that is over, at the latest, before the onset can have been.
fn check_days(inputs: &mut Inputs, entry: &HealthEntry, prefix: &str) {
    let before_onset = |day: Option<NaiveDate>| entry.onset_on.zip(day).is_some_and(|(onset, day)| day < onset);
    if before_onset(entry.ended_by()) {
        inputs.fault(&format!("{prefix}endedOn"), Code::WrongOrder.says("is before onsetOn").with("other", "onsetOn"));
    }
    if before_onset(entry.last_dose_by()) {
        inputs
            .fault(&format!("{prefix}lastDoseOn"), Code::WrongOrder.says("is before onsetOn").with("other", "onsetOn"));
    }
    if entry.last_dose_on.is_some() && entry.kind != HealthEntryKind::Medication {
        inputs.fault(&format!("{prefix}lastDoseOn"), Code::NotApplicable.says("may only be sent for a MEDICATION"));
    }
}
