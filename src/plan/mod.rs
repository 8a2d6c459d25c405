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
    /// How a treatment plan stands, as FHIR R4's CarePlan has it.
    TreatmentPlanStatus {
        /// Under way.
        Active = "active",
        /// Paused.
        OnHold = "on_hold",
        /// Done.
        Completed = "completed",
        /// Given up.
        Revoked = "revoked",
        /// It never was: kept, and out of every count.
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
    /// Where.
    pub area: BodyArea,
    /// Which side.
    pub side: Side,
}

/// What a plan was before its course was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierCourse {
    /// The protocol it followed.
    pub protocol_version_id: Uuid,
    /// The sessions that were planned.
    pub planned_sessions: i16,
    /// The areas.
    pub areas: Vec<PlanArea>,
    /// Until when it held.
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
    /// Whose.
    pub patient_id: Uuid,
    /// The consultation it comes from.
    pub consultation_id: Uuid,
    /// The version of the protocol that it follows.
    pub protocol_version_id: Uuid,
    /// What it is for.
    pub concerns: Vec<Concern>,
    /// Where.
    pub areas: Vec<PlanArea>,
    /// The sessions that are planned, 1 to 50.
    pub planned_sessions: i16,
    /// How it stands.
    pub status: TreatmentPlanStatus,
    /// Why it stands so.
    pub status_reason: Option<String>,
    /// Remarks.
    pub note: Option<String>,
    /// The day it begins.
    pub started_on: NaiveDate,
    /// What it was before its course was changed, oldest first.
    pub earlier_courses: Vec<EarlierCourse>,
    /// Version and times.
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
