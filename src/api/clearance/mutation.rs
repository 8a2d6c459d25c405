//! Giving, revoking and marking clearances.

use crate::access::Scope;
use crate::clearance::Clearance;
use crate::credential::store::prescribers;
use crate::error::{self, Code, Error};
use crate::ids;
use crate::operation::{Inputs, Running, transaction};
use crate::page::{kept, listing};
use crate::patient::store as patients;
use crate::record::Stamp;
use crate::scalars::{Date, DateTime};
use crate::vocabulary::{Action, BodyArea, Modality, RecordKind};
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Gives a clearance. The sender is the prescriber.
#[derive(InputObject)]
pub struct GiveClearanceInput {
    /// An id made by the client, which makes a retry safe: `clearance_` and a UUIDv7 in 26 characters (see `Node.id`).
    /// Absent: the service makes one.
    id: Option<ID>,
    /// `patient_…`
    patient_id: ID,
    /// The kinds of treatment that it covers; one at least.
    modalities: Vec<Modality>,
    /// The areas that it covers; empty for all.
    #[graphql(default)]
    areas: Vec<BodyArea>,
    /// Whether you saw the patient face to face.
    in_person: bool,
    /// When it was given, not in the future; now when absent.
    given_at: Option<DateTime>,
    /// Its last day, by the clock of the place of treatment.
    valid_until: Option<Date>,
    /// What you direct, at most 5,000 characters.
    note: Option<String>,
}

/// Revokes a clearance.
#[derive(InputObject)]
pub struct RevokeClearanceInput {
    /// `clearance_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// Why, at most 2,000 characters.
    reason: String,
}

/// Marks a clearance as entered in error.
#[derive(InputObject)]
pub struct MarkClearanceEnteredInErrorInput {
    /// `clearance_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
}

/// What mutations of a clearance return.
#[derive(SimpleObject)]
pub struct ClearancePayload {
    /// The clearance after the change.
    clearance: Clearance,
}

fn each_once<T: Ord>(given: Vec<T>) -> Vec<T> {
    given.into_iter().collect::<BTreeSet<T>>().into_iter().collect()
}

impl GiveClearanceInput {
    fn read(self) -> error::Result<Clearance> {
        let mut inputs = Inputs::new();
        let now = ids::now();
        let it = Clearance {
            id: inputs.new_id(RecordKind::Clearance, self.id.as_ref()),
            patient_id: inputs.id("patientId", RecordKind::Patient, &self.patient_id),
            prescriber_id: Uuid::nil(),
            modalities: each_once(self.modalities),
            areas: each_once(self.areas),
            in_person: self.in_person,
            given_at: self.given_at.map_or(now, |at| inputs.past_time("givenAt", at.0)),
            valid_until: self.valid_until.map(|day| day.0),
            note: inputs.opt_text("note", self.note.as_deref(), 5000),
            revoked_at: None,
            revoked_by: None,
            revoke_reason: None,
            entered_in_error: false,
            stamp: Stamp::new(None, now),
        };
        if it.modalities.is_empty() {
            inputs.fault("modalities", Code::Required.says("are missing: which kinds of treatment does it cover?"));
        }
        if it.valid_until.is_some_and(|last| last < it.given_at.date_naive()) {
            inputs.fault("validUntil", Code::WrongOrder.says("is before it was given"));
        }
        inputs.finish()?;
        Ok(it)
    }
}

async fn give(scope: &mut Scope, mut it: Clearance) -> error::Result<Clearance> {
    scope.viewer().check(Action::Create, RecordKind::Clearance)?;
    it.prescriber_id = scope.viewer().author()?;
    let patient = patients::active_patient(scope, it.patient_id, "input.patientId").await?;
    patient.lived_on(it.given_at.date_naive(), "input.givenAt")?;
    let (mine, today) = ([it.prescriber_id], ids::now().date_naive());
    for day in [it.given_at.date_naive(), today] {
        if prescribers(scope, &mine, &it.modalities, day).await?.is_empty() {
            let message = "only a prescriber gives a clearance: a practitioner with a credential in force, that day and today, that \
                           allows to prescribe these kinds of treatment (addCredential)";
            return Err(Error::Forbidden(message.to_owned()));
        }
    }
    it.stamp = Stamp::new(scope.viewer().staff, ids::now());
    kept::add(scope, &it).await?;
    Ok(it)
}

/// The clearance to be changed.
async fn editable(scope: &mut Scope, id: Uuid, expected: i32) -> error::Result<Clearance> {
    scope.viewer().check(Action::Update, RecordKind::Clearance)?;
    let it: Clearance = listing::one(scope, id).await?;
    error::at_version("clearance", it.stamp.version, expected)?;
    if it.entered_in_error {
        return Err(Error::input(
            "input.id",
            Code::WrongState.says("is marked as entered in error: give a new one (giveClearance)"),
        ));
    }
    Ok(it)
}

async fn revoke(scope: &mut Scope, id: Uuid, expected: i32, reason: String) -> error::Result<Clearance> {
    let before = editable(scope, id, expected).await?;
    if before.revoked_at.is_some() {
        return Err(Error::input("input.id", Code::Done.says("was revoked already")));
    }
    let (by, now) = (scope.viewer().staff, ids::now());
    let stamp = before.stamp.changed(by, now);
    let after = Clearance { revoked_at: Some(now), revoked_by: by, revoke_reason: Some(reason), stamp, ..before };
    kept::save(scope, Action::Update, &after, expected).await?;
    Ok(after)
}

async fn mark(scope: &mut Scope, id: Uuid, expected: i32) -> error::Result<Clearance> {
    let before = editable(scope, id, expected).await?;
    let stamp = before.stamp.changed(scope.viewer().staff, ids::now());
    let after = Clearance { entered_in_error: true, stamp, ..before };
    kept::save(scope, Action::Update, &after, expected).await?;
    Ok(after)
}

/// The mutations of this module.
#[derive(Default)]
pub struct ClearanceMutation;

#[Object]
impl ClearanceMutation {
    /// Gives a clearance as the prescriber: FORBIDDEN without a credential in force that lets you prescribe
    /// these kinds of treatment; REAUTHENTICATION_REQUIRED when the password or a code was given too long ago.
    async fn give_clearance(&self, ctx: &Context<'_>, input: GiveClearanceInput) -> Result<ClearancePayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let new = input.read()?;
        let work = transaction(move |scope| Box::pin(give(scope, new)));
        Ok(ClearancePayload { clearance: operation.mutate(retry, work).await? })
    }

    /// Revokes a clearance, from now on. Any practitioner may: it is the careful side.
    async fn revoke_clearance(&self, ctx: &Context<'_>, input: RevokeClearanceInput) -> Result<ClearancePayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::Clearance, &input.id);
        let reason = inputs.text("reason", &input.reason, 2000);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(revoke(scope, id, input.expected_version, reason)));
        Ok(ClearancePayload { clearance: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Marks a clearance as entered in error. It is kept, and covers nothing.
    async fn mark_clearance_entered_in_error(
        &self,
        ctx: &Context<'_>,
        input: MarkClearanceEnteredInErrorInput,
    ) -> Result<ClearancePayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::Clearance, &input.id);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(mark(scope, id, input.expected_version)));
        Ok(ClearancePayload { clearance: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }
}
