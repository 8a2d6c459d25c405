//! Protocols: care rules as data, in versions that a clinic copies, edits and publishes.

pub mod defaults;
mod filter;
mod rules;
pub mod store;

pub use filter::{
    ProtocolCondition, ProtocolFilter, ProtocolOrder, ProtocolVersionCondition, ProtocolVersionFilter,
    ProtocolVersionOrder,
};
pub use rules::{Contraindication, ContraindicationScope, Rules, SymptomWindowHours};

use crate::ledger::Record;
use crate::record::Stamp;
use crate::vocabulary::{Concern, Modality, RecordKind, vocabulary};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

vocabulary! {
    /// How a version of a protocol or of a text stands.
    VersionStatus {
        /// Being written; nothing can be checked against it.
        Draft = "draft",
        /// In force. It takes no change.
        Published = "published",
        /// Replaced or taken out of use; what was checked against it keeps it.
        Retired = "retired",
    }
}

/// A protocol: what its versions are versions of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protocol {
    /// Its id.
    pub id: Uuid,
    /// Name, unique in the organisation.
    pub name: String,
    /// The version that it began as a copy of.
    pub copied_from: Option<Uuid>,
    /// Whether it is in use.
    pub active: bool,
    /// Version and times.
    #[serde(flatten)]
    pub stamp: Stamp,
}

/// A version of a protocol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProtocolVersion {
    /// Its id.
    pub id: Uuid,
    /// Of which protocol.
    pub protocol_id: Uuid,
    /// 1, 2, 3 …
    pub number: i32,
    /// How it stands.
    pub status: VersionStatus,
    /// The kind of treatment.
    pub modality: Modality,
    /// What it is for.
    pub indications: Vec<Concern>,
    /// The rules.
    pub rules: Rules,
    /// When it was published.
    pub published_at: Option<DateTime<Utc>>,
    /// By whom; none for the program itself.
    pub published_by: Option<Uuid>,
    /// What changed since the version before.
    pub change_note: Option<String>,
    /// Version and times.
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
