//! Protocols: care rules as data, in versions that a clinic copies, edits and publishes.

pub mod defaults;
mod filter;
mod rules;
pub mod store;

pub use filter::{
    ProtocolCondition, ProtocolFilter, ProtocolOrder, ProtocolVersionCondition, ProtocolVersionFilter,
    ProtocolVersionOrder,
};
#[cfg(test)]
pub use rules::DepthLimit;
pub use rules::{
    CheckInDue, Contraindication, ContraindicationScope, Rules, Symptom, SymptomThreshold, SymptomWindowHours, Verdicts,
};

use crate::ledger::Record;
use crate::record::Stamp;
use crate::vocabulary::{Concern, Modality, RecordKind, vocabulary};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

vocabulary! {
    /// The status of a version of a protocol.
    VersionStatus {
        /// Being written; nothing can be checked against it.
        Draft = "draft",
        /// In force. It can't be changed.
        Published = "published",
        /// Replaced or taken out of use. Records that were checked against it keep it.
        Retired = "retired",
    }
}

/// A protocol. Its rules are in its versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protocol {
    /// Its id.
    pub id: Uuid,
    /// Name, unique in the organisation.
    pub name: String,
    /// The version it was copied from.
    pub copied_from: Option<Uuid>,
    /// Whether it is in use.
    pub active: bool,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

/// A version of a protocol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProtocolVersion {
    /// Its id.
    pub id: Uuid,
    /// The protocol it is a version of.
    pub protocol_id: Uuid,
    /// The number of the version: 1, 2, 3 …
    pub number: i32,
    /// Its status.
    pub status: VersionStatus,
    /// The kind of treatment.
    pub modality: Modality,
    /// The concerns it is for.
    pub indications: Vec<Concern>,
    /// The rules.
    pub rules: Rules,
    /// When it was published.
    pub published_at: Option<DateTime<Utc>>,
    /// Who published it; none for the program itself.
    pub published_by: Option<Uuid>,
    /// What changed since the version before.
    pub change_note: Option<String>,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

impl Record for Protocol {
    const KIND: RecordKind = RecordKind::Protocol;
    fn id(&self) -> Uuid {
        self.id
    }
    fn version(&self) -> i32 {
        self.stamp.version
    }
    fn patient_id(&self) -> Option<Uuid> {
        None
    }
}

impl Record for ProtocolVersion {
    const KIND: RecordKind = RecordKind::ProtocolVersion;
    fn id(&self) -> Uuid {
        self.id
    }
    fn version(&self) -> i32 {
        self.stamp.version
    }
    fn patient_id(&self) -> Option<Uuid> {
        None
    }
}
