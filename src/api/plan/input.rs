//! What the mutations of treatment plans take and give.

use crate::error::{self, Code};
use crate::ids;
use crate::operation::Inputs;
use crate::plan::{PlanArea, TreatmentPlan, TreatmentPlanStatus};
use crate::record::Stamp;
use crate::scalars::Date;
use crate::vocabulary::{BodyArea, Concern, RecordKind, Side};
use async_graphql::{ID, InputObject, MaybeUndefined, SimpleObject};
use chrono::NaiveDate;
use uuid::Uuid;

/// The maximum number of areas of a plan.
const MOST_AREAS: usize = 40;

/// An area that a plan is for.
#[derive(InputObject, Clone, Copy)]
pub struct PlanAreaInput {
    /// The area of the body.
    pub(super) area: BodyArea,
    /// The side of the body, the patient's.
    #[graphql(default_with = "Side::Bilateral")]
    pub(super) side: Side,
}

/// Creates a treatment plan from a consultation that found the patient suitable.
#[derive(InputObject)]
pub struct CreateTreatmentPlanInput {
    /// An id made by the client, which makes a retry safe: `plan_` and a UUIDv7 in 26 characters (see `Node.id`). Absent:
    /// the service makes one.
    pub(super) id: Option<ID>,
    /// The consultation, `consultation_…`: its patient is the plan's.
    pub(super) consultation_id: ID,
    /// A published version of a protocol, `protocol_version_…`.
    pub(super) protocol_version_id: ID,
    /// The concerns it is for; those of the consultation when absent.
    pub(super) concerns: Option<Vec<Concern>>,
    /// The areas to be treated, 1 to 40.
    pub(super) areas: Vec<PlanAreaInput>,
    /// The number of planned sessions, within the range of the protocol.
    pub(super) planned_sessions: i32,
    /// The day it begins; today (UTC) when absent.
    pub(super) started_on: Option<Date>,
    /// Remarks, at most 20,000 characters.
    pub(super) note: Option<String>,
}

/// Changes to a plan, other than to its course. An absent field stays as it is; null clears it.
#[derive(InputObject)]
pub struct TreatmentPlanPatch {
    /// The concerns it is for.
    pub(super) concerns: Option<Vec<Concern>>,
    /// The day it begins.
    pub(super) started_on: Option<Date>,
    /// Remarks, at most 20,000 characters.
    pub(super) note: MaybeUndefined<String>,
}

/// Changes a plan.
#[derive(InputObject)]
pub struct UpdateTreatmentPlanInput {
    /// `plan_…`
    pub(super) id: ID,
    /// The version of the record that you read.
    pub(super) expected_version: i32,
    /// The fields to change.
    pub(super) patch: TreatmentPlanPatch,
}

/// Changes the course of an active plan. The earlier course and every session are kept.
#[derive(InputObject)]
pub struct ChangeTreatmentCourseInput {
    /// `plan_…`
    pub(super) id: ID,
    /// The version of the record that you read.
    pub(super) expected_version: i32,
    /// Another published version of a protocol.
    pub(super) protocol_version_id: Option<ID>,
    /// The total number of planned sessions, including those done.
    pub(super) planned_sessions: Option<i32>,
    /// All the areas to be treated.
    pub(super) areas: Option<Vec<PlanAreaInput>>,
    /// The reason, at most 2,000 characters.
    pub(super) reason: String,
}

/// Pauses, resumes, completes or revokes a plan.
#[derive(InputObject)]
pub struct ChangeTreatmentPlanStatusInput {
    /// `plan_…`
    pub(super) id: ID,
    /// The version of the record that you read.
    pub(super) expected_version: i32,
    /// ACTIVE to ON_HOLD, COMPLETED or REVOKED; ON_HOLD, COMPLETED and REVOKED back to ACTIVE; any to ENTERED_IN_ERROR.
    pub(super) status: TreatmentPlanStatus,
    /// The reason, at most 2,000 characters; required for every status but ACTIVE and COMPLETED.
    pub(super) reason: Option<String>,
}

/// What mutations of a treatment plan return.
#[derive(SimpleObject)]
pub struct TreatmentPlanPayload {
    /// The treatment plan after the change.
    pub(super) treatment_plan: TreatmentPlan,
}

pub(super) fn areas(inputs: &mut Inputs, given: &[PlanAreaInput]) -> Vec<PlanArea> {
    if given.is_empty() || given.len() > MOST_AREAS {
        let flaw = Code::of_count(given.len()).says(format!("must have from 1 to {MOST_AREAS} entries"));
        inputs.fault("areas", flaw.with("max", MOST_AREAS));
    }
    let mut areas: Vec<PlanArea> = Vec::new();
    for (i, area) in given.iter().take(MOST_AREAS).enumerate() {
        let area = PlanArea { area: area.area, side: area.side };
        if areas.contains(&area) {
            inputs.fault(&format!("areas.{i}"), Code::Duplicate.says("is there twice"));
        }
        areas.push(area);
    }
    areas
}

pub(super) struct NewPlan {
    pub(super) plan: TreatmentPlan,
    pub(super) concerns: Option<Vec<Concern>>,
}

impl CreateTreatmentPlanInput {
    pub(super) fn read(self) -> error::Result<NewPlan> {
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

pub(super) fn check_start(inputs: &mut Inputs, path: &str, day: NaiveDate) {
    let years = 1970..=2200;
    let year = chrono::Datelike::year(&day);
    if !years.contains(&year) {
        let flaw = Code::of_range(year > *years.end()).says("must be a day from 1970 to 2200");
        inputs.fault(path, flaw.with("min", "1970-01-01").with("max", "2200-12-31"));
    }
}
