//! Call-backs: whom the clinic asks back, why and by when; worked through as a list. The API calls them recalls.

pub mod due;
mod filter;
mod reconcile;
pub mod store;

pub use filter::{CallBackCondition, CallBackFilter, CallBackOrder};
pub use reconcile::{Change, Wanted, reconcile};

use crate::ledger::Record;
use crate::record::Stamp;
use crate::vocabulary::{RecordKind, vocabulary};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

vocabulary! {
    /// Why a patient is recalled.
    #[graphql(name = "RecallReason")]
    CallBackReason {
        /// The next session of a course.
        NextSession = "next_session",
        /// A review of the results.
        ResultsReview = "results_review",
        /// A session that maintains the result.
        Maintenance = "maintenance",
        /// A notice about a lot that was used.
        SafetyNotice = "safety_notice",
    }
}

vocabulary! {
    /// The stored status of a recall.
    #[graphql(name = "RecallStatus")]
    CallBackStatus {
        /// Live: to be worked on.
        Open = "open",
        /// Postponed until a day; open again from that day on.
        Snoozed = "snoozed",
        /// Answered.
        Done = "done",
        /// Given up, with a reason.
        Dismissed = "dismissed",
        /// Replaced by another, or no longer required by the plan.
        Superseded = "superseded",
    }
}

vocabulary! {
    /// The state of a recall today.
    #[graphql(name = "RecallState")]
    CallBackState {
        /// Live, and its last due day has not passed.
        Open = "open",
        /// Live, and its last due day has passed.
        Overdue = "overdue",
        /// Postponed until a day that has not come yet.
        Snoozed = "snoozed",
        /// Answered.
        Done = "done",
        /// Given up.
        Dismissed = "dismissed",
        /// Replaced by another, or no longer required by the plan.
        Superseded = "superseded",
    }
}

vocabulary! {
    /// How a patient was contacted.
    ContactChannel {
        /// By telephone.
        Phone = "phone",
        /// By e-mail.
        Email = "email",
        /// By text message.
        Sms = "sms",
        /// By letter.
        Letter = "letter",
        /// Face to face.
        InPerson = "in_person",
    }
}

vocabulary! {
    /// The result of an attempt to contact a patient.
    ContactOutcome {
        /// Nobody answered.
        NoAnswer = "no_answer",
        /// A message was left or sent.
        LeftMessage = "left_message",
        /// The patient knows.
        Reached = "reached",
        /// The patient has an appointment.
        Booked = "booked",
        /// The patient knows, and does not want to come.
        Declined = "declined",
    }
}

impl ContactOutcome {
    /// Whether the patient knows now. A message that was left is not enough.
    pub fn is_contact(self) -> bool {
        matches!(self, Self::Reached | Self::Booked | Self::Declined)
    }
}

/// An attempt to reach the patient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its id.
    pub id: Uuid,
    /// When the attempt was made.
    pub at: DateTime<Utc>,
    /// The staff member who made the attempt.
    pub by: Uuid,
    /// How the patient was contacted.
    pub channel: ContactChannel,
    /// The result of the attempt.
    pub outcome: ContactOutcome,
    /// Remarks.
    pub note: Option<String>,
}

/// A recall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallBack {
    /// Its id.
    pub id: Uuid,
    /// The patient whom the record is about.
    pub patient_id: Uuid,
    /// Why the patient is recalled.
    pub reason: CallBackReason,
    /// The plan that asks for it.
    pub plan_id: Option<Uuid>,
    /// The session that it follows.
    pub after_session_id: Option<Uuid>,
    /// The lot that it is about.
    pub lot_id: Option<Uuid>,
    /// The first due day.
    pub due_from: NaiveDate,
    /// The last due day.
    pub due_until: NaiveDate,
    /// The stored status.
    pub status: CallBackStatus,
    /// Until when it is postponed.
    pub snoozed_until: Option<NaiveDate>,
    /// Why it was closed.
    pub closed_reason: Option<String>,
    /// The session that answered it.
    pub done_by_session_id: Option<Uuid>,
    /// The rule that computed it, or the text given when it was made by hand.
    pub basis: String,
    /// Attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

impl Record for CallBack {
    const KIND: RecordKind = RecordKind::CallBack;
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

impl CallBack {
    /// Whether it is still worked on, now or after a pause.
    pub fn is_live(&self) -> bool {
        matches!(self.status, CallBackStatus::Open | CallBackStatus::Snoozed)
    }

    /// How it stands on a day.
    pub fn state_on(&self, today: NaiveDate) -> CallBackState {
        match self.status {
            CallBackStatus::Done => CallBackState::Done,
            CallBackStatus::Dismissed => CallBackState::Dismissed,
            CallBackStatus::Superseded => CallBackState::Superseded,
            CallBackStatus::Snoozed if self.snoozed_until.is_some_and(|until| today < until) => CallBackState::Snoozed,
            CallBackStatus::Open | CallBackStatus::Snoozed if today > self.due_until => CallBackState::Overdue,
            CallBackStatus::Open | CallBackStatus::Snoozed => CallBackState::Open,
        }
    }

    /// Whether the patient knows what it is about.
    pub fn has_contact(&self) -> bool {
        self.attempts.iter().any(|attempt| attempt.outcome.is_contact())
    }
}

#[cfg(test)]
mod tests;
