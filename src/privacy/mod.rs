//! What may be seen of whom, and who saw it: restricted patients, emergency access, and the access log as it is shown.

pub mod alert;
mod filter;
pub mod loader;
pub mod looks;
pub mod store;

pub use filter::{
    EmergencyAccessFilter, EmergencyAccessOrder, EmergencyCondition, RestrictionCondition, RestrictionFilter,
    RestrictionOrder,
};

use crate::ledger::Record;
use crate::record::Stamp;
use crate::vocabulary::RecordKind;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How long a reason for emergency access is at least, in characters.
pub const SHORTEST_REASON: usize = 10;
/// How long emergency access lasts unless asked otherwise, and at least and at most, in minutes.
pub const MINUTES: (i32, i32, i32) = (60, 5, 240);

/// A restriction. While it is in force, nothing of the patient is shown without a stated reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatientRestriction {
    /// Its id.
    pub id: Uuid,
    /// The patient whose record is restricted.
    pub patient_id: Uuid,
    /// Why it was placed.
    pub reason: String,
    /// When it was placed.
    pub placed_at: DateTime<Utc>,
    /// Who placed it.
    pub placed_by: Option<Uuid>,
    /// When it was lifted; none while it is in force.
    pub lifted_at: Option<DateTime<Utc>>,
    /// Who lifted it.
    pub lifted_by: Option<Uuid>,
    /// Why it was lifted.
    pub lift_reason: Option<String>,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

/// Emergency access: for a limited time a staff member sees the whole record of one patient, and admins are notified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmergencyAccess {
    /// Its id.
    pub id: Uuid,
    /// The patient whose record it opens.
    pub patient_id: Uuid,
    /// The staff member who has the access.
    pub staff_id: Uuid,
    /// Why the access was needed.
    pub reason: String,
    /// When it began.
    pub begun_at: DateTime<Utc>,
    /// When it ends by itself.
    pub ends_at: DateTime<Utc>,
    /// When it was ended early.
    pub ended_at: Option<DateTime<Utc>>,
    /// When the admins were notified by mail.
    pub alerted_at: Option<DateTime<Utc>>,
    /// When it was reviewed.
    pub reviewed_at: Option<DateTime<Utc>>,
    /// The admin who reviewed it.
    pub reviewed_by: Option<Uuid>,
    /// What the review found.
    pub review_note: Option<String>,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

impl EmergencyAccess {
    /// Whether it is open at a moment.
    pub fn is_open(&self, now: DateTime<Utc>) -> bool {
        self.ended_at.is_none() && now < self.ends_at
    }
}

impl Record for PatientRestriction {
    const KIND: RecordKind = RecordKind::PatientRestriction;
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

impl Record for EmergencyAccess {
    const KIND: RecordKind = RecordKind::EmergencyAccess;
    fn id(&self) -> Uuid {
        self.id
    }
    fn version(&self) -> i32 {
        self.stamp.version
    }
    fn patient_id(&self) -> Option<Uuid> {
        Some(self.patient_id)
    }
    fn own_of(&self) -> Option<Uuid> {
        Some(self.staff_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn emergency_access_ends_by_the_clock_or_by_hand() {
        let now = crate::ids::now();
        let mut access = EmergencyAccess {
            id: Uuid::nil(),
            patient_id: Uuid::nil(),
            staff_id: Uuid::nil(),
            reason: "Unconscious".to_owned(),
            begun_at: now,
            ends_at: now + TimeDelta::minutes(5),
            ended_at: None,
            alerted_at: None,
            reviewed_at: None,
            reviewed_by: None,
            review_note: None,
            stamp: Stamp::new(None, now),
        };
        assert!(access.is_open(now) && access.is_open(now + TimeDelta::seconds(299)));
        assert!(!access.is_open(now + TimeDelta::minutes(5)));
        access.ended_at = Some(now);
        assert!(!access.is_open(now));
    }
}
