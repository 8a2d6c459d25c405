//! Restricting patients; beginning, ending and reviewing emergency access.

use crate::access::{Emergency, Scope};
use crate::error::{self, Code, Error};
use crate::ids;
use crate::operation::{Inputs, Running, transaction};
use crate::page::{kept, listing};
use crate::patient::{PatientStatus, store as patients};
use crate::privacy::{EmergencyAccess, MINUTES, PatientRestriction, SHORTEST_REASON, alert, store};
use crate::record::Stamp;
use crate::vocabulary::{Action, RecordKind, StaffRole};
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use chrono::TimeDelta;
use uuid::Uuid;

/// Restricts a patient's record.
#[derive(InputObject)]
pub struct RestrictPatientInput {
    /// An id made by the client, which makes a retry safe: `restriction_` and a UUIDv7 in 26 characters (see `Node.id`).
    /// Absent: the service makes one.
    id: Option<ID>,
    /// `patient_…`
    patient_id: ID,
    /// The reason, for example that the patient works here.
    reason: String,
}

/// Result of `restrictPatient`.
#[derive(SimpleObject)]
pub struct RestrictPatientPayload {
    /// The new restriction.
    restriction: PatientRestriction,
}

/// Lifts a restriction.
#[derive(InputObject)]
pub struct LiftPatientRestrictionInput {
    /// `restriction_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// Why it is lifted.
    reason: String,
}

/// Result of `liftPatientRestriction`.
#[derive(SimpleObject)]
pub struct LiftPatientRestrictionPayload {
    /// The lifted restriction.
    restriction: PatientRestriction,
}

/// Begins emergency access to the record of one patient.
#[derive(InputObject)]
pub struct BeginEmergencyAccessInput {
    /// An id made by the client, which makes a retry safe: `emergency_access_` and a UUIDv7 in 26 characters (see
    /// `Node.id`). Absent: the service makes one.
    id: Option<ID>,
    /// `patient_…`; or `chartNumber`.
    patient_id: Option<ID>,
    /// The patient's chart number, for viewers who can't find a restricted patient; or `patientId`.
    chart_number: Option<String>,
    /// The reason, in 10 to 1000 characters. Admins read it.
    reason: String,
    /// How many minutes the access lasts: 5 to 240.
    #[graphql(default = 60)]
    minutes: i32,
}

/// Result of `beginEmergencyAccess`.
#[derive(SimpleObject)]
pub struct BeginEmergencyAccessPayload {
    /// The emergency access, with the time at which it ends.
    emergency_access: EmergencyAccess,
}

/// Ends emergency access early.
#[derive(InputObject)]
pub struct EndEmergencyAccessInput {
    /// `emergency_access_…`: your own; an admin may end anybody's.
    id: ID,
}

/// Result of `endEmergencyAccess`.
#[derive(SimpleObject)]
pub struct EndEmergencyAccessPayload {
    /// The emergency access, now ended.
    emergency_access: EmergencyAccess,
}

/// Records what the review of an emergency access found.
#[derive(InputObject)]
pub struct ReviewEmergencyAccessInput {
    /// `emergency_access_…`; not your own.
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// What was found.
    note: String,
}

/// Result of `reviewEmergencyAccess`.
#[derive(SimpleObject)]
pub struct ReviewEmergencyAccessPayload {
    /// The emergency access, with its review.
    emergency_access: EmergencyAccess,
}

async fn restrict(scope: &mut Scope, mut restriction: PatientRestriction) -> error::Result<PatientRestriction> {
    scope.viewer().check(Action::Create, RecordKind::PatientRestriction)?;
    let patient = patients::patient(scope, restriction.patient_id).await?;
    if patient.status == PatientStatus::Merged {
        return Err(Error::input(
            "input.patientId",
            Code::Merged.says("was merged into another patient: restrict that one (mergedInto)"),
        ));
    }
    store::take_turns(scope, patient.id).await?;
    if !store::restricted(scope, &[patient.id]).await?.is_empty() {
        return Err(Error::input("input.patientId", Code::Done.says("is restricted already")));
    }
    (restriction.placed_by, restriction.placed_at) = (scope.viewer().staff, ids::now());
    restriction.stamp = Stamp::new(restriction.placed_by, restriction.placed_at);
    // The new row closes the record to this transaction too, but its ledger entry must still find the patient.
    scope.open_patient(patient.id).await?;
    kept::add(scope, &restriction).await?;
    Ok(restriction)
}

async fn lift(scope: &mut Scope, id: Uuid, expected: i32, reason: String) -> error::Result<PatientRestriction> {
    scope.viewer().check(Action::Update, RecordKind::PatientRestriction)?;
    let mut restriction: PatientRestriction = listing::one(scope, id).await?;
    // Lifting opens the record to everybody, so it requires a stated reason first.
    patients::patient(scope, restriction.patient_id).await?;
    error::at_version("restriction", restriction.stamp.version, expected)?;
    if restriction.lifted_at.is_some() {
        return Err(Error::input("input.id", Code::Done.says("is lifted already")));
    }
    let now = ids::now();
    (restriction.lifted_at, restriction.lifted_by) = (Some(now), scope.viewer().staff);
    restriction.lift_reason = Some(reason);
    restriction.stamp = restriction.stamp.changed(restriction.lifted_by, now);
    kept::save(scope, Action::Update, &restriction, expected).await?;
    Ok(restriction)
}

/// Whose record is to be opened.
enum Whose {
    Id(Uuid),
    ChartNumber(String),
}

async fn begin(scope: &mut Scope, mut access: EmergencyAccess, whose: Whose) -> error::Result<EmergencyAccess> {
    scope.viewer().check(Action::Create, RecordKind::EmergencyAccess)?;
    access.patient_id = match whose {
        Whose::Id(id) => id,
        Whose::ChartNumber(number) => {
            let found = patients::numbered(scope, &number).await?;
            found.ok_or_else(|| Error::NotFound("there is no patient with this chart number".to_owned()))?
        }
    };
    scope.open_patient(access.patient_id).await?;
    let patient = patients::patient(scope, access.patient_id).await?;
    if patient.status == PatientStatus::Merged {
        return Err(Error::input(
            "input.patientId",
            Code::Merged.says("was merged into another patient: open that one (mergedInto)"),
        ));
    }
    store::take_turns(scope, patient.id).await?;
    let (now, length) = (ids::now(), access.ends_at - access.begun_at);
    access.staff_id = scope.viewer().author()?;
    if let Some(open) = store::open_of(scope, access.staff_id, patient.id, now).await? {
        let message = format!(
            "is open to you in an emergency already, as {}: it can be ended with endEmergencyAccess",
            ids::show(RecordKind::EmergencyAccess, open.id)
        );
        return Err(Error::input("input.patientId", Code::Done.says(message)));
    }
    (access.begun_at, access.ends_at) = (now, now + length);
    access.stamp = Stamp::new(Some(access.staff_id), now);
    kept::add(scope, &access).await?;
    scope.begins(Emergency { patient: patient.id, reason: access.reason.clone() });
    Ok(access)
}

async fn end(scope: &mut Scope, id: Uuid) -> error::Result<EmergencyAccess> {
    let viewer = scope.viewer();
    let of = if viewer.role == Some(StaffRole::Admin) { None } else { viewer.staff };
    let mut access = store::held(scope, Action::Update, id, of).await?;
    let now = ids::now();
    if !access.is_open(now) {
        return Err(Error::input("input.id", Code::Done.says("has ended already")));
    }
    scope.open_patient(access.patient_id).await?;
    let expected = access.stamp.version;
    access.ended_at = Some(now);
    access.stamp = access.stamp.changed(viewer.staff, now);
    kept::save(scope, Action::Update, &access, expected).await?;
    Ok(access)
}

async fn review(scope: &mut Scope, id: Uuid, expected: i32, note: String) -> error::Result<EmergencyAccess> {
    scope.viewer().check(Action::Read, RecordKind::EmergencyAccess)?;
    let mut access = store::held(scope, Action::Update, id, None).await?;
    error::at_version("emergency access", access.stamp.version, expected)?;
    if Some(access.staff_id) == scope.viewer().staff {
        return Err(Error::input("input.id", Code::WrongPerson.says("is your own: another admin must review it")));
    }
    if access.reviewed_at.is_some() {
        return Err(Error::input("input.id", Code::Done.says("is reviewed already")));
    }
    // The review is a control by two people: a token alone does not prove the second.
    scope.viewer().proved_lately()?;
    scope.open_patient(access.patient_id).await?;
    let (by, now) = (scope.viewer().staff, ids::now());
    (access.reviewed_at, access.reviewed_by, access.review_note) = (Some(now), by, Some(note));
    access.stamp = access.stamp.changed(by, now);
    kept::save(scope, Action::Update, &access, expected).await?;
    Ok(access)
}

/// The mutations of this module.
#[derive(Default)]
pub struct PrivacyMutation;

#[Object]
impl PrivacyMutation {
    /// Restricts a patient's record. From then on nobody can see or change any of it without stating a reason (the
    /// header `Access-Reason`).
    async fn restrict_patient(&self, ctx: &Context<'_>, input: RestrictPatientInput) -> Result<RestrictPatientPayload> {
        let mut inputs = Inputs::new();
        let now = ids::now();
        let restriction = PatientRestriction {
            id: inputs.new_id(RecordKind::PatientRestriction, input.id.as_ref()),
            patient_id: inputs.id("patientId", RecordKind::Patient, &input.patient_id),
            reason: inputs.text("reason", &input.reason, 1000),
            placed_at: now,
            placed_by: None,
            lifted_at: None,
            lifted_by: None,
            lift_reason: None,
            stamp: Stamp::new(None, now),
        };
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(restrict(scope, restriction)));
        let restriction = operation.mutate(operation.retry(ctx, input.id.as_ref())?, work).await?;
        Ok(RestrictPatientPayload { restriction })
    }

    /// Lifts a restriction. REASON_REQUIRED without a stated reason for reading the record.
    async fn lift_patient_restriction(
        &self,
        ctx: &Context<'_>,
        input: LiftPatientRestrictionInput,
    ) -> Result<LiftPatientRestrictionPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::PatientRestriction, &input.id);
        let reason = inputs.text("reason", &input.reason, 1000);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(lift(scope, id, input.expected_version, reason)));
        let restriction = operation.mutate(operation.retry(ctx, None)?, work).await?;
        Ok(LiftPatientRestrictionPayload { restriction })
    }

    /// Begins emergency access to the record of one patient. Until it ends, you can read the whole record whatever your
    /// role, and a restricted patient without stating a reason again. It ends by itself. Every access is logged with
    /// the reason, the admins are notified by mail, and one of them reviews it.
    async fn begin_emergency_access(
        &self,
        ctx: &Context<'_>,
        input: BeginEmergencyAccessInput,
    ) -> Result<BeginEmergencyAccessPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.new_id(RecordKind::EmergencyAccess, input.id.as_ref());
        let patient = inputs.opt_id("patientId", RecordKind::Patient, input.patient_id.as_ref());
        let whose = match (patient, inputs.opt_text("chartNumber", input.chart_number.as_deref(), 40)) {
            (Some(id), None) => Whose::Id(id),
            (None, Some(number)) => Whose::ChartNumber(number),
            (None, None) => {
                inputs.fault(
                    "patientId",
                    Code::Required.says("is missing: say whose record, by patientId or by chartNumber"),
                );
                Whose::Id(Uuid::nil())
            }
            (Some(id), Some(_)) => {
                inputs.fault(
                    "chartNumber",
                    Code::NotTogether
                        .says("can't be sent with patientId: send one or the other")
                        .with("other", "patientId"),
                );
                Whose::Id(id)
            }
        };
        let reason = inputs.text("reason", &input.reason, 1000);
        if (1..SHORTEST_REASON).contains(&crate::characters::length_seen(&reason)) {
            inputs.fault(
                "reason",
                Code::TooShort
                    .says(format!("must have at least {SHORTEST_REASON} characters: admins read it"))
                    .with("min", SHORTEST_REASON),
            );
        }
        let minutes = inputs.range("minutes", Some(input.minutes), MINUTES.1, MINUTES.2).unwrap_or(MINUTES.0);
        inputs.finish()?;
        let now = ids::now();
        let access = EmergencyAccess {
            id,
            patient_id: Uuid::nil(),
            staff_id: Uuid::nil(),
            reason,
            begun_at: now,
            ends_at: now + TimeDelta::minutes(i64::from(minutes)),
            ended_at: None,
            alerted_at: None,
            reviewed_at: None,
            reviewed_by: None,
            review_note: None,
            stamp: Stamp::new(None, now),
        };
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(begin(scope, access, whose)));
        let emergency_access = operation.mutate(operation.retry(ctx, input.id.as_ref())?, work).await?;
        let service = operation.shared_service();
        if service.mailer.is_some() {
            // Sent in the background: nobody should wait for a mail server in an emergency.
            tokio::spawn(async move {
                if let Err(error) = alert::send_due(&service).await {
                    tracing::warn!(?error, "admins were not notified of emergency access: the next try is in a minute");
                }
            });
        } else {
            let id = ids::show(RecordKind::EmergencyAccess, emergency_access.id);
            tracing::warn!(id, "emergency access was begun and no admin was notified: --smtp-url is not set");
        }
        Ok(BeginEmergencyAccessPayload { emergency_access })
    }

    /// Ends emergency access early: your own, or as an admin anybody's.
    async fn end_emergency_access(
        &self,
        ctx: &Context<'_>,
        input: EndEmergencyAccessInput,
    ) -> Result<EndEmergencyAccessPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::EmergencyAccess, &input.id);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(end(scope, id)));
        let emergency_access = operation.mutate(operation.retry(ctx, None)?, work).await?;
        Ok(EndEmergencyAccessPayload { emergency_access })
    }

    /// Records what the review of an emergency access found. You can't review your own.
    async fn review_emergency_access(
        &self,
        ctx: &Context<'_>,
        input: ReviewEmergencyAccessInput,
    ) -> Result<ReviewEmergencyAccessPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::EmergencyAccess, &input.id);
        let note = inputs.text("note", &input.note, 2000);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(review(scope, id, input.expected_version, note)));
        let emergency_access = operation.mutate(operation.retry(ctx, None)?, work).await?;
        Ok(ReviewEmergencyAccessPayload { emergency_access })
    }
}
