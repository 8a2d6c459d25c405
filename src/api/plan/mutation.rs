//! Making treatment plans, changing their course, pausing, completing and giving them up.

use crate::access::Scope;
use crate::consultation::{Candidacy, store as consultations};
use crate::error::{self, Error, Faults};
use crate::ids;
use crate::operation::{Inputs, Running, patched, transaction};
use crate::page::listing;
use crate::patient::store as patients;
use crate::plan::{EarlierCourse, PlanArea, TreatmentPlan, TreatmentPlanStatus, store};
use crate::protocol::{ProtocolVersion, VersionStatus};
use crate::recall::due;
use crate::record::Stamp;
use crate::scalars::Date;
use crate::vocabulary::{Action, BodyArea, Concern, RecordKind, Side};
use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use chrono::NaiveDate;
use uuid::Uuid;

/// The most areas of a plan.
const MOST_AREAS: usize = 40;

/// An area that a plan is for.
#[derive(InputObject, Clone, Copy)]
pub struct PlanAreaInput {
    /// Where.
    area: BodyArea,
    /// Which side, the patient's.
    #[graphql(default_with = "Side::Bilateral")]
    side: Side,
}

/// Makes a treatment plan out of a consultation that found the patient suitable.
#[derive(InputObject)]
pub struct CreateTreatmentPlanInput {
    /// An id the client made (`plan_…` of a UUIDv7): makes a retry safe.
    id: Option<ID>,
    /// The consultation, `consultation_…`: its patient is the plan's.
    consultation_id: ID,
    /// A published version of a protocol, `protocol_version_…`.
    protocol_version_id: ID,
    /// What it is for; the consultation's concerns when absent.
    concerns: Option<Vec<Concern>>,
    /// Where, one area at least, at most 40.
    areas: Vec<PlanAreaInput>,
    /// The sessions that are planned, within what the protocol says.
    planned_sessions: i32,
    /// The day it begins; today (UTC) when absent.
    started_on: Option<Date>,
    /// Remarks, at most 20,000 characters.
    note: Option<String>,
}

/// Changes to a plan that leave its course as it is. An absent field stays, null clears.
#[derive(InputObject)]
pub struct TreatmentPlanPatch {
    /// What it is for.
    concerns: Option<Vec<Concern>>,
    /// The day it begins.
    started_on: Option<Date>,
    /// Remarks, at most 20,000 characters.
    note: MaybeUndefined<String>,
}

/// Changes a plan.
#[derive(InputObject)]
pub struct UpdateTreatmentPlanInput {
    /// `plan_…`
    id: ID,
    /// The version that was read.
    expected_version: i32,
    /// The changes.
    patch: TreatmentPlanPatch,
}

/// Changes the course of a plan that is under way: what it was is kept, and so is every session.
#[derive(InputObject)]
pub struct ChangeTreatmentCourseInput {
    /// `plan_…`
    id: ID,
    /// The version that was read.
    expected_version: i32,
    /// Another published version of a protocol.
    protocol_version_id: Option<ID>,
    /// The sessions that are planned in all, those done included.
    planned_sessions: Option<i32>,
    /// Where, all of them.
    areas: Option<Vec<PlanAreaInput>>,
    /// Why, at most 2,000 characters.
    reason: String,
}

/// Pauses, takes up, completes or gives up a plan.
#[derive(InputObject)]
pub struct ChangeTreatmentPlanStatusInput {
    /// `plan_…`
    id: ID,
    /// The version that was read.
    expected_version: i32,
    /// ACTIVE to ON_HOLD, COMPLETED or REVOKED; ON_HOLD, COMPLETED and REVOKED back to ACTIVE; any to ENTERED_IN_ERROR.
    status: TreatmentPlanStatus,
    /// Why, at most 2,000 characters; needed for all but ACTIVE and COMPLETED.
    reason: Option<String>,
}

/// The treatment plan.
#[derive(SimpleObject)]
pub struct TreatmentPlanPayload {
    /// It.
    treatment_plan: TreatmentPlan,
}

fn areas(inputs: &mut Inputs, given: &[PlanAreaInput]) -> Vec<PlanArea> {
    if given.is_empty() || given.len() > MOST_AREAS {
        inputs.fault("areas", format!("must have from 1 to {MOST_AREAS} entries"));
    }
    let mut areas: Vec<PlanArea> = Vec::new();
    for (i, area) in given.iter().take(MOST_AREAS).enumerate() {
        let area = PlanArea { area: area.area, side: area.side };
        if areas.contains(&area) {
            inputs.fault(&format!("areas.{i}"), "is there twice");
        }
        areas.push(area);
    }
    areas
}

/// The published version that a plan shall follow; a fault at `path` if there is none.
async fn published(scope: &mut Scope, id: Uuid, path: &str) -> error::Result<ProtocolVersion> {
    let found = listing::by_ids::<ProtocolVersion>(scope, &[id]).await?.pop();
    match found {
        Some(version) if version.status == VersionStatus::Published => Ok(version),
        Some(version) => {
            Err(Error::input(path, format!("is {}: only a published version can be followed", version.status.words())))
        }
        None => Err(Error::input(path, "is not a version of a protocol of this organisation")),
    }
}

fn check_count(faults: &mut Faults, planned: i16, version: &ProtocolVersion) {
    let (least, most) = (version.rules.sessions_min, version.rules.sessions_max);
    if i32::from(planned) < least || i32::from(planned) > most {
        let message =
            format!("is {planned}; the protocol is for {least} to {most} sessions. A copy of it can say otherwise");
        faults.add("input.plannedSessions", message);
    }
}

struct NewPlan {
    plan: TreatmentPlan,
    concerns: Option<Vec<Concern>>,
}

impl CreateTreatmentPlanInput {
    fn read(self) -> error::Result<NewPlan> {
        let mut inputs = Inputs::new();
        let now = ids::now();
        let plan = TreatmentPlan {
            id: inputs.new_id(RecordKind::TreatmentPlan, self.id.as_ref()),
            patient_id: Uuid::nil(),
            consultation_id: inputs.id("consultationId", RecordKind::Consultation, &self.consultation_id),
            protocol_version_id: inputs.id("protocolVersionId", RecordKind::ProtocolVersion, &self.protocol_version_id),
            concerns: Vec::new(),
            areas: areas(&mut inputs, &self.areas),
            planned_sessions: inputs.small("plannedSessions", Some(self.planned_sessions), 1, 50).unwrap_or(1),
            status: TreatmentPlanStatus::Active,
            status_reason: None,
            note: inputs.opt_text("note", self.note.as_deref(), 20_000),
            started_on: self.started_on.map_or(now.date_naive(), |day| day.0),
            earlier_courses: Vec::new(),
            stamp: Stamp::new(None, now),
        };
        check_start(&mut inputs, "startedOn", plan.started_on);
        inputs.finish()?;
        Ok(NewPlan { plan, concerns: self.concerns })
    }
}

fn check_start(inputs: &mut Inputs, path: &str, day: NaiveDate) {
    let years = 1970..=2200;
    if !years.contains(&chrono::Datelike::year(&day)) {
        inputs.fault(path, "must be a day from 1970 to 2200");
    }
}

async fn create(scope: &mut Scope, new: NewPlan) -> error::Result<TreatmentPlan> {
    scope.viewer().check(Action::Create, RecordKind::TreatmentPlan)?;
    let NewPlan { mut plan, concerns } = new;
    let consultation = consultations::consultation(scope, plan.consultation_id).await?;
    patients::active_patient(scope, consultation.patient_id, "input.consultationId").await?;
    let version = published(scope, plan.protocol_version_id, "input.protocolVersionId").await?;
    let mut faults = Faults::default();
    if consultation.candidacy != Some(Candidacy::Suitable) {
        let found = consultation.candidacy.map_or_else(|| "not decided".to_owned(), |it| it.words());
        faults.add(
            "input.consultationId",
            format!("found the patient {found}: a plan needs one that found them suitable"),
        );
    }
    check_count(&mut faults, plan.planned_sessions, &version);
    faults.into_result()?;
    plan.patient_id = consultation.patient_id;
    plan.concerns = concerns.unwrap_or(consultation.concerns);
    plan.stamp = Stamp::new(scope.viewer().staff, ids::now());
    store::add(scope, &plan).await?;
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
    store::save(scope, Action::Update, &plan, expected).await?;
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
        return Err(Error::input("input.id", format!("this plan is {}: take it up again first", plan.status.words())));
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
            "changes nothing: give another protocol version, number of sessions or areas",
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
        return Err(Error::input("input.status", message));
    }
    (plan.status, plan.status_reason) = (status, reason);
    save(scope, plan, expected).await
}

/// The mutations of this slice.
#[derive(Default)]
pub struct PlanMutation;

#[Object]
impl PlanMutation {
    /// Makes a treatment plan.
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

    /// Changes a treatment plan, but for its course.
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

    /// Pauses, takes up, completes or gives up a treatment plan.
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
            inputs.fault("reason", "is missing: why?");
        }
        inputs.finish()?;
        let operation = ctx.operation()?;
        let (expected, change) = (input.expected_version, (input.status, reason));
        let work = transaction(move |scope| Box::pin(change_status(scope, id, expected, change)));
        Ok(TreatmentPlanPayload { treatment_plan: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }
}
