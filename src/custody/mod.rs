//! What the law asks of a record: held for a court, given out whole, erased.

pub mod export;
mod filter;
pub mod remains;
pub mod store;

pub use export::Export;
pub use filter::{ErasureCondition, ErasureFilter, ErasureOrder, HoldCondition, HoldFilter, HoldOrder};

use crate::ledger::Record;
use crate::record::Stamp;
use crate::vocabulary::RecordKind;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A legal hold. While it is in force, the patient's record can't be erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegalHold {
    /// Its id.
    pub id: Uuid,
    /// The patient whose record is on hold.
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

/// A file that the object store must delete after an erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredObject {
    /// The photo it was.
    pub photo_id: Uuid,
    /// SHA-256 of its bytes, hexadecimal; none if it was never uploaded.
    pub content_hash: Option<String>,
    /// Its media type.
    pub media_type: Option<String>,
}

/// What remains of an erased patient. Nothing in it identifies the patient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatientErasure {
    /// Its id.
    pub id: Uuid,
    /// The id that the patient had: the access log has it too.
    #[serde(rename = "erased_id")]
    pub patient_id: Uuid,
    /// When the record was erased.
    pub erased_at: DateTime<Utc>,
    /// Who erased the record.
    pub erased_by: Option<Uuid>,
    /// Why the record was erased.
    pub reason: String,
    /// Who or what required the erasure.
    pub authority: String,
    /// The number of rows erased, by table, and the number of ledger entries whose content was erased.
    pub counts: BTreeMap<String, i64>,
    /// The files that the object store must delete.
    pub objects: Vec<StoredObject>,
    /// When the object store had deleted them; null while that is still to be done, or where there was nothing to
    /// delete.
    pub objects_deleted_at: Option<DateTime<Utc>>,
    /// Which entries of the ledger lost their content: the first and the last of each run, in order. None for an erasure
    /// from before they were named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emptied: Option<Vec<(i64, i64)>>,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

impl Record for LegalHold {
    const KIND: RecordKind = RecordKind::LegalHold;
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

impl Record for PatientErasure {
    const KIND: RecordKind = RecordKind::PatientErasure;
    fn id(&self) -> Uuid {
        self.id
    }
    fn version(&self) -> i32 {
        self.stamp.version
    }
    /// Nobody's: the ledger keeps it when the patient is gone.
    fn patient_id(&self) -> Option<Uuid> {
        None
    }
}

/// The name of the export's form, which clients can go by.
pub const EXPORT_FORMAT: &str = "clinic.patient/1";

/// The most ledger entries, and the most looks, that one export holds: some tens of megabytes.
pub const MOST_EXPORTED: i64 = 50_000;
