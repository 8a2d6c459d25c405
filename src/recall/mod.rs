//! Recalls: whom the clinic asks back, why and by when; worked through as a list.

pub mod due;
mod filter;
mod reconcile;
pub mod store;

pub use filter::{RecallCondition, RecallFilter, RecallOrder};
pub use reconcile::{Change, Wanted, reconcile};

use crate::ledger::Record;
use crate::record::Stamp;
use crate::vocabulary::{RecordKind, vocabulary};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

vocabulary! {
    /// Why somebody is asked back.
    RecallReason {
        /// The next session of a course.
        NextSession = "next_session",
        /// A look at the results.
        ResultsReview = "results_review",
        /// A session that keeps the result.
        Maintenance = "maintenance",
        /// A notice about a lot that was used.
        SafetyNotice = "safety_notice",
    }
}

vocabulary! {
    /// How a recall is kept.
    RecallStatus {
        /// To be worked on.
        Open = "open",
        /// Put off until a day; open again from that day on.
        Snoozed = "snoozed",
        /// Answered.
        Done = "done",
        /// Given up, with a reason.
        Dismissed = "dismissed",
        /// Another has taken its place, or the plan asks for it no more.
        Superseded = "superseded",
    }
}

vocabulary! {
    /// How a recall stands today.
    RecallState {
        /// To be worked on, and its last day is not over.
        Open = "open",
        /// To be worked on, and its last day is over.
        Overdue = "overdue",
        /// Put off until a day that has not come.
        Snoozed = "snoozed",
        /// Answered.
        Done = "done",
        /// Given up.
        Dismissed = "dismissed",
        /// Another has taken its place, or the plan asks for it no more.
        Superseded = "superseded",
    }
}

vocabulary! {
    /// How somebody was tried.
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
    /// What came of it.
    ContactOutcome {
        /// Nobody answered.
        NoAnswer = "no_answer",
        /// A message was left or sent.
        LeftMessage = "left_message",
        /// They know.
        Reached = "reached",
        /// They have an appointment.
        Booked = "booked",
        /// They know, and do not want to come.
        Declined = "declined",
    }
}

impl ContactOutcome {
    /// Whether the patient knows now. A message that was left is not enough.
    pub fn is_contact(self) -> bool {
        matches!(self, Self::Reached | Self::Booked | Self::Declined)
    }
}

/// One try to reach the patient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its id.
    pub id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// Who tried.
    pub by: Uuid,
    /// How.
    pub channel: ContactChannel,
    /// What came of it.
    pub outcome: ContactOutcome,
    /// Remarks.
    pub note: Option<String>,
}

/// A recall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recall {
    /// Its id.
    pub id: Uuid,
    /// Whose.
    pub patient_id: Uuid,
    /// Why.
    pub reason: RecallReason,
    /// The plan that asks for it.
    pub plan_id: Option<Uuid>,
    /// The session that it follows.
    pub after_session_id: Option<Uuid>,
    /// The lot that it is about.
    pub lot_id: Option<Uuid>,
    /// The first day to come.
    pub due_from: NaiveDate,
    /// The last.
    pub due_until: NaiveDate,
    /// How it is kept.
    pub status: RecallStatus,
    /// Until when it is put off.
    pub snoozed_until: Option<NaiveDate>,
    /// Why it was closed.
    pub closed_reason: Option<String>,
    /// The session that answered it.
    pub done_by_session_id: Option<Uuid>,
    /// Which rule computed it, or who asked for it why.
    pub basis: String,
    /// Tries, oldest first.
    pub attempts: Vec<Attempt>,
    /// Version and times.
    #[serde(flatten)]
    pub stamp: Stamp,
}

impl Record for Recall {
    const KIND: RecordKind = RecordKind::Recall;
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

impl Recall {
    /// Whether it is still worked on, now or after a pause.
    pub fn is_live(&self) -> bool {
        matches!(self.status, RecallStatus::Open | RecallStatus::Snoozed)
    }

    /// How it stands on a day.
    pub fn state_on(&self, today: NaiveDate) -> RecallState {
        match self.status {
            RecallStatus::Done => RecallState::Done,
            RecallStatus::Dismissed => RecallState::Dismissed,
            RecallStatus::Superseded => RecallState::Superseded,
            RecallStatus::Snoozed if self.snoozed_until.is_some_and(|until| today < until) => RecallState::Snoozed,
            RecallStatus::Open | RecallStatus::Snoozed if today > self.due_until => RecallState::Overdue,
            RecallStatus::Open | RecallStatus::Snoozed => RecallState::Open,
        }
    }

    /// Whether the patient knows what it is about.
    pub fn has_contact(&self) -> bool {
        self.attempts.iter().any(|attempt| attempt.outcome.is_contact())
    }
}

#[cfg(test)]
mod tests;
