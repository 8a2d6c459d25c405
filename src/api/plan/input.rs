//! What the mutations of treatment plans take and give.

use crate::error;
use crate::ids;
use crate::operation::Inputs;
use crate::plan::{PlanArea, TreatmentPlan, TreatmentPlanStatus};
use crate::record::Stamp;
use crate::scalars::Date;
use crate::vocabulary::{BodyArea, Concern, RecordKind, Side};
use async_graphql::{ID, InputObject, MaybeUndefined, SimpleObject};
use chrono::NaiveDate;
use uuid::Uuid;

/// The most areas of a plan.
const MOST_AREAS: usize = 40;

/// An area that a plan is for.
#[derive(InputObject, Clone, Copy)]
pub struct PlanAreaInput {
    /// Where.
    pub(super) area: BodyArea,
    /// Which side, the patient's.
    #[graphql(default_with = "Side::Bilateral")]
    pub(super) side: Side,
}

/// Makes a treatment plan out of a consultation that found the patient suitable.
#[derive(InputObject)]
pub struct CreateTreatmentPlanInput {
    /// An id the client made (`plan_…` of a UUIDv7): makes a retry safe.
    pub(super) id: Option<ID>,
    /// The consultation, `consultation_…`: its patient is the plan's.
    pub(super) consultation_id: ID,
    /// A published version of a protocol, `protocol_version_…`.
    pub(super) protocol_version_id: ID,
    /// What it is for; the consultation's concerns when absent.
    pub(super) concerns: Option<Vec<Concern>>,
    /// Where, one area at least, at most 40.
    pub(super) areas: Vec<PlanAreaInput>,
    /// The sessions that are planned, within what the protocol says.
    pub(super) planned_sessions: i32,
    /// The day it begins; today (UTC) when absent.
    pub(super) started_on: Option<Date>,
    /// Remarks, at most 20,000 characters.
    pub(super) note: Option<String>,
}

/// Changes to a plan that leave its course as it is. An absent field stays, null clears.
#[derive(InputObject)]
pub struct TreatmentPlanPatch {
    /// What it is for.
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
    /// The version that was read.
    pub(super) expected_version: i32,
    /// The changes.
    pub(super) patch: TreatmentPlanPatch,
}

/// Changes the course of a plan that is under way: what it was is kept, and so is every session.
#[derive(InputObject)]
pub struct ChangeTreatmentCourseInput {
    /// `plan_…`
    pub(super) id: ID,
    /// The version that was read.
    pub(super) expected_version: i32,
    /// Another published version of a protocol.
    pub(super) protocol_version_id: Option<ID>,
    /// The sessions that are planned in all, those done included.
    pub(super) planned_sessions: Option<i32>,
    /// Where, all of them.
    pub(super) areas: Option<Vec<PlanAreaInput>>,
    /// Why, at most 2,000 characters.
    pub(super) reason: String,
}

/// Pauses, takes up, completes or gives up a plan.
#[derive(InputObject)]
pub struct ChangeTreatmentPlanStatusInput {
    /// `plan_…`
    pub(super) id: ID,
    /// The version that was read.
    pub(super) expected_version: i32,
    /// ACTIVE to ON_HOLD, COMPLETED or REVOKED; ON_HOLD, COMPLETED and REVOKED back to ACTIVE; any to ENTERED_IN_ERROR.
    pub(super) status: TreatmentPlanStatus,
    /// Why, at most 2,000 characters; needed for all but ACTIVE and COMPLETED.
    pub(super) reason: Option<String>,
}

/// The treatment plan.
#[derive(SimpleObject)]
pub struct TreatmentPlanPayload {
    /// It.
    pub(super) treatment_plan: TreatmentPlan,
}

pub(super) fn areas(inputs: &mut Inputs, given: &[PlanAreaInput]) -> Vec<PlanArea> {
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
    if !years.contains(&chrono::Datelike::year(&day)) {
        inputs.fault(path, "must be a day from 1970 to 2200");
    }
}
