//! Clearances: a prescriber has examined a patient and directs that they may be treated (a good-faith examination, a
//! patient-specific direction).

mod filter;
pub mod store;

pub use filter::{ClearanceCondition, ClearanceFilter, ClearanceOrder};

use crate::ledger::Record;
use crate::record::Stamp;
use crate::vocabulary::{BodyArea, Modality, RecordKind};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A clearance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clearance {
    /// Its id.
    pub id: Uuid,
    /// The patient whom the record is about.
    pub patient_id: Uuid,
    /// The prescriber who gave it.
    pub prescriber_id: Uuid,
    /// The kinds of treatment that it covers, each once; one at least.
    pub modalities: Vec<Modality>,
    /// The areas that it covers, each once; empty for all.
    pub areas: Vec<BodyArea>,
    /// Whether the prescriber saw the patient face to face.
    pub in_person: bool,
    /// When it was given.
    pub given_at: DateTime<Utc>,
    /// Its last day, where the treatment takes place; none: it has no end.
    pub valid_until: Option<NaiveDate>,
    /// What the prescriber directs.
    pub note: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Who revoked it.
    pub revoked_by: Option<Uuid>,
    /// Why it was revoked.
    pub revoke_reason: Option<String>,
    /// Entered in error: it is kept, and covers nothing.
    pub entered_in_error: bool,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

impl Record for Clearance {
    const KIND: RecordKind = RecordKind::Clearance;
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

impl Clearance {
    /// Whether it is in force at a moment, which is this day where the treatment takes place.
    pub fn in_force(&self, at: DateTime<Utc>, day: NaiveDate) -> bool {
        let standing = !self.entered_in_error && self.revoked_at.is_none_or(|revoked| at < revoked);
        standing && self.given_at <= at && self.valid_until.is_none_or(|last| day <= last)
    }

    /// Whether it covers a kind of treatment.
    pub fn covers(&self, modality: Modality) -> bool {
        self.modalities.contains(&modality)
    }

    /// Whether it covers an area.
    pub fn covers_area(&self, area: BodyArea) -> bool {
        self.areas.is_empty() || self.areas.contains(&area)
    }
}
