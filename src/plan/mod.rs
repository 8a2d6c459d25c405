//! Treatment plans: the course that a consultation led to, and how far it has come.

mod filter;
mod progress;
pub mod store;

pub use filter::{PlanCondition, PlanFilter, PlanOrder};
pub use progress::{DateWindow, Progress, SessionFact, progress};

use crate::ledger::Record;
use crate::record::Stamp;
use crate::vocabulary::{BodyArea, Concern, RecordKind, Side, vocabulary};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

vocabulary! {
    /// The status of a treatment plan, as in the CarePlan resource of FHIR R4.
    TreatmentPlanStatus {
        /// Under way.
        Active = "active",
        /// Paused.
        OnHold = "on_hold",
        /// Done.
        Completed = "completed",
        /// Revoked: given up.
        Revoked = "revoked",
        /// Entered in error: it is kept, but not counted.
        EnteredInError = "entered_in_error",
    }
}

impl TreatmentPlanStatus {
    /// Whether a plan may go from this status to another.
    pub fn may_become(self, next: Self) -> bool {
        use TreatmentPlanStatus::{Active, Completed, EnteredInError, OnHold, Revoked};
        self != next
            && match (self, next) {
                (EnteredInError, _) => false,
                (_, EnteredInError) => true,
                (Active, OnHold | Completed | Revoked) | (OnHold, Active | Completed | Revoked) => true,
                (Completed | Revoked, Active) => true,
                _ => false,
            }
    }
}

/// An area that a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PlanArea {
    /// The area of the body.
    pub area: BodyArea,
    /// The side of the body.
    pub side: Side,
}

/// An earlier course of a plan, before it was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierCourse {
    /// The protocol it followed.
    pub protocol_version_id: Uuid,
    /// The number of sessions planned then.
    pub planned_sessions: i16,
    /// The areas.
    pub areas: Vec<PlanArea>,
    /// Until when it applied.
    pub until: DateTime<Utc>,
    /// Why it was changed.
    pub reason: String,
    /// Who changed it.
    pub changed_by: Option<Uuid>,
}

/// A treatment plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreatmentPlan {
    /// Its id.
    pub id: Uuid,
    /// The patient whom the record is about.
    pub patient_id: Uuid,
    /// The consultation it comes from.
    pub consultation_id: Uuid,
    /// The version of the protocol that it follows.
    pub protocol_version_id: Uuid,
    /// The concerns it is for.
    pub concerns: Vec<Concern>,
    /// The areas to be treated.
    pub areas: Vec<PlanArea>,
    /// The number of planned sessions, 1 to 50.
    pub planned_sessions: i16,
    /// Its status.
    pub status: TreatmentPlanStatus,
    /// Why it has that status.
    pub status_reason: Option<String>,
    /// Remarks.
    pub note: Option<String>,
    /// The day it begins.
    pub started_on: NaiveDate,
    /// Its earlier courses, oldest first.
    pub earlier_courses: Vec<EarlierCourse>,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

impl Record for TreatmentPlan {
    const KIND: RecordKind = RecordKind::TreatmentPlan;
    fn id(&self) -> Uuid {
        self.id
    }
    fn version(&self) -> i32 {
        self.stamp.version
    }
    fn patient_id(&self) -> Option<Uuid> {
        Some(self.patient_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_can_be_taken_up_again_unless_it_never_was() {
        use TreatmentPlanStatus::{Active, EnteredInError};
        for from in TreatmentPlanStatus::ALL {
            assert_eq!(from.may_become(EnteredInError), *from != EnteredInError, "{from:?}");
            assert_eq!(from.may_become(Active), !matches!(from, Active | EnteredInError), "{from:?}");
            assert!(!from.may_become(*from) && !EnteredInError.may_become(*from));
        }
    }
}
