//! Creating treatment plans, changing their course, pausing, completing and revoking them.

use super::input::{
    ChangeTreatmentCourseInput, ChangeTreatmentPlanStatusInput, CreateTreatmentPlanInput, NewPlan, TreatmentPlanPatch,
    TreatmentPlanPayload, UpdateTreatmentPlanInput, areas, check_start,
};
use crate::access::Scope;
use crate::call_back::due;
use crate::consultation::{Candidacy, store as consultations};
use crate::error::{self, Code, Error, Faults, Flaw};
use crate::ids;
use crate::operation::{Inputs, Running, patched, transaction};
use crate::page::{kept, listing};
use crate::patient::store as patients;
use crate::plan::{EarlierCourse, PlanArea, TreatmentPlan, TreatmentPlanStatus};
use crate::protocol::{ProtocolVersion, VersionStatus};
use crate::record::Stamp;
use crate::vocabulary::{Action, RecordKind};
use async_graphql::{Context, Object, Result};
use uuid::Uuid;

/// The published version that a plan is to follow; a fault at `path` if there is none.
async fn published(scope: &mut Scope, id: Uuid, path: &str) -> error::Result<ProtocolVersion> {
    let found = listing::by_ids::<ProtocolVersion>(scope, &[id]).await?.pop();
    match found {
        Some(version) if version.status == VersionStatus::Published => Ok(version),
        Some(version) => Err(Error::input(
            path,
            Code::WrongState.says(format!("is {}: only a published version can be followed", version.status.words())),
        )),
        None => Err(Error::input(path, Flaw::not_found("version of a protocol of this organisation"))),
    }
}

fn check_count(faults: &mut Faults, planned: i16, version: &ProtocolVersion) {
    let (least, most) = (version.rules.sessions_min, version.rules.sessions_max);
    if i32::from(planned) < least || i32::from(planned) > most {
        let message =
            format!("is {planned}; the protocol is for {least} to {most} sessions. A copy of it can say otherwise");
        let flaw = Code::of_range(i32::from(planned) > most).says(message).with("value", planned.to_string());
        faults.add("input.plannedSessions", flaw.with("min", least.to_string()).with("max", most.to_string()));
    }
}

async fn create(scope: &mut Scope, new: NewPlan) -> error::Result<TreatmentPlan> {
    scope.viewer().check(Action::Create, RecordKind::TreatmentPlan)?;
    let NewPlan { mut plan, concerns } = new;
    let consultation = consultations::consultation(scope, plan.consultation_id).await?;
    crate::signing::store::refuse_retracted(scope, consultation.id, "input.consultationId").await?;
    patients::active_patient(scope, consultation.patient_id, "input.consultationId").await?;
    let version = published(scope, plan.protocol_version_id, "input.protocolVersionId").await?;
    let mut faults = Faults::default();
    if consultation.candidacy != Some(Candidacy::Suitable) {
        let found = consultation.candidacy.map_or_else(|| "not decided".to_owned(), |it| it.words());
        faults.add(
            "input.consultationId",
            Code::NotAllowed.says(format!("found the patient {found}: a plan needs one that found them suitable")),
        );
    }
    check_count(&mut faults, plan.planned_sessions, &version);
    faults.into_result()?;
    plan.patient_id = consultation.patient_id;
    plan.concerns = concerns.unwrap_or(consultation.concerns);
    plan.stamp = Stamp::new(scope.viewer().staff, ids::now());
    kept::add(scope, &plan).await?;
    due::refresh(scope, plan.id, None).await?;
    Ok(plan)
}

/// The plan that an edit was made for.
async fn at_version(scope: &mut Scope, id: Uuid, expected: i32) -> error::Result<TreatmentPlan> {
    scope.viewer().check(Action::Update, RecordKind::TreatmentPlan)?;
    let plan: TreatmentPlan = listing::one(scope, id).await?;
    error::at_version("treatment plan", plan.stamp.version, expected)?;
    Ok(plan)
}

async fn save(scope: &mut Scope, mut plan: TreatmentPlan, expected: i32) -> error::Result<TreatmentPlan> {
    plan.stamp = plan.stamp.changed(scope.viewer().staff, ids::now());
    kept::save(scope, Action::Update, &plan, expected).await?;
    due::refresh(scope, plan.id, None).await?;
    Ok(plan)
}

async fn change(scope: &mut Scope, id: Uuid, expected: i32, patch: TreatmentPlanPatch) -> error::Result<TreatmentPlan> {
    let before = at_version(scope, id, expected).await?;
    let mut inputs = Inputs::new();
    let note = inputs.patch_text("patch.note", patch.note, 20_000);
    let started_on = patch.started_on.map_or(before.started_on, |day| day.0);
    check_start(&mut inputs, "patch.startedOn", started_on);
    inputs.finish()?;
    let after = TreatmentPlan {
        concerns: patch.concerns.unwrap_or_else(|| before.concerns.clone()),
        started_on,
        note: patched(note, before.note.clone()),
        ..before
    };
    save(scope, after, expected).await
}

struct NewCourse {
    protocol_version: Option<Uuid>,
    planned_sessions: Option<i16>,
    areas: Option<Vec<PlanArea>>,
    reason: String,
}

async fn change_course(scope: &mut Scope, id: Uuid, expected: i32, new: NewCourse) -> error::Result<TreatmentPlan> {
    let mut plan = at_version(scope, id, expected).await?;
    if !matches!(plan.status, TreatmentPlanStatus::Active | TreatmentPlanStatus::OnHold) {
        return Err(Error::input(
            "input.id",
            Code::WrongState.says(format!("this plan is {}: take it up again first", plan.status.words())),
        ));
    }
    let version = match new.protocol_version.filter(|id| *id != plan.protocol_version_id) {
        Some(id) => published(scope, id, "input.protocolVersionId").await?,
        None => listing::one(scope, plan.protocol_version_id).await?,
    };
    let planned = new.planned_sessions.unwrap_or(plan.planned_sessions);
    let mut faults = Faults::default();
    check_count(&mut faults, planned, &version);
    faults.into_result()?;
    let areas = new.areas.unwrap_or_else(|| plan.areas.clone());
    if (version.id, planned, &areas) == (plan.protocol_version_id, plan.planned_sessions, &plan.areas) {
        return Err(Error::input(
            "input",
            Code::Same.says("changes nothing: give another protocol version, number of sessions or areas"),
        ));
    }
    plan.earlier_courses.push(EarlierCourse {
        protocol_version_id: plan.protocol_version_id,
        planned_sessions: plan.planned_sessions,
        areas: std::mem::replace(&mut plan.areas, areas),
        until: ids::now(),
        reason: new.reason,
        changed_by: scope.viewer().staff,
    });
    (plan.protocol_version_id, plan.planned_sessions) = (version.id, planned);
    save(scope, plan, expected).await
}

async fn change_status(
    scope: &mut Scope,
    id: Uuid,
    expected: i32,
    (status, reason): (TreatmentPlanStatus, Option<String>),
) -> error::Result<TreatmentPlan> {
    let mut plan = at_version(scope, id, expected).await?;
    if !plan.status.may_become(status) {
        let message = format!("can't go from {} to {}", plan.status.words(), status.words());
        return Err(Error::input("input.status", Code::WrongState.says(message)));
    }
    (plan.status, plan.status_reason) = (status, reason);
    save(scope, plan, expected).await
}

/// The mutations of this module.
#[derive(Default)]
pub struct PlanMutation;

#[Object]
impl PlanMutation {
    /// Creates a treatment plan.
    async fn create_treatment_plan(
        &self,
        ctx: &Context<'_>,
        input: CreateTreatmentPlanInput,
    ) -> Result<TreatmentPlanPayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let new = input.read()?;
        let work = transaction(move |scope| Box::pin(create(scope, new)));
        Ok(TreatmentPlanPayload { treatment_plan: operation.mutate(retry, work).await? })
    }

    /// Changes a treatment plan, other than its course.
    async fn update_treatment_plan(
        &self,
        ctx: &Context<'_>,
        input: UpdateTreatmentPlanInput,
    ) -> Result<TreatmentPlanPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::TreatmentPlan, &input.id);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let (expected, patch) = (input.expected_version, input.patch);
        let work = transaction(move |scope| Box::pin(change(scope, id, expected, patch)));
        Ok(TreatmentPlanPayload { treatment_plan: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Changes the course of a treatment plan midway: another protocol, more or fewer sessions, other areas.
    async fn change_treatment_course(
        &self,
        ctx: &Context<'_>,
        input: ChangeTreatmentCourseInput,
    ) -> Result<TreatmentPlanPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::TreatmentPlan, &input.id);
        let new = NewCourse {
            protocol_version: inputs.opt_id(
                "protocolVersionId",
                RecordKind::ProtocolVersion,
                input.protocol_version_id.as_ref(),
            ),
            planned_sessions: inputs.small("plannedSessions", input.planned_sessions, 1, 50),
            areas: input.areas.as_deref().map(|given| areas(&mut inputs, given)),
            reason: inputs.text("reason", &input.reason, 2000),
        };
        inputs.finish()?;
        let operation = ctx.operation()?;
        let expected = input.expected_version;
        let work = transaction(move |scope| Box::pin(change_course(scope, id, expected, new)));
        Ok(TreatmentPlanPayload { treatment_plan: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Pauses, resumes, completes or revokes a treatment plan.
    async fn change_treatment_plan_status(
        &self,
        ctx: &Context<'_>,
        input: ChangeTreatmentPlanStatusInput,
    ) -> Result<TreatmentPlanPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::TreatmentPlan, &input.id);
        let reason = inputs.opt_text("reason", input.reason.as_deref(), 2000);
        let plain = matches!(input.status, TreatmentPlanStatus::Active | TreatmentPlanStatus::Completed);
        if reason.is_none() && !plain {
            inputs.fault("reason", Code::Required.says("is missing: why?"));
        }
        inputs.finish()?;
        let operation = ctx.operation()?;
        let (expected, change) = (input.expected_version, (input.status, reason));
        let work = transaction(move |scope| Box::pin(change_status(scope, id, expected, change)));
        Ok(TreatmentPlanPayload { treatment_plan: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }
}
