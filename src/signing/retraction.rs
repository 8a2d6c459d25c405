//! Retractions: what is signed and should not count is marked, and stays as it is.

use crate::ledger::Record;
use crate::vocabulary::RecordKind;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The retraction of a signed record. It takes no change itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retraction {
    /// Its id.
    pub id: Uuid,
    /// The patient in whose chart the record is.
    pub patient_id: Uuid,
    /// The kind of the retracted record.
    pub record_kind: RecordKind,
    /// The retracted record.
    pub record_id: Uuid,
    /// When the record was retracted.
    pub retracted_at: DateTime<Utc>,
    /// Who retracted it.
    pub retracted_by: Uuid,
    /// Why it should not count.
    pub reason: String,
    /// The draft that was copied to the right chart, of the same kind.
    pub copy_id: Option<Uuid>,
}

impl Record for Retraction {
    const KIND: RecordKind = RecordKind::Retraction;
    fn id(&self) -> Uuid {
        self.id
    }
    fn version(&self) -> i32 {
        1
    }
    fn patient_id(&self) -> Option<Uuid> {
        Some(self.patient_id)
    }
}
