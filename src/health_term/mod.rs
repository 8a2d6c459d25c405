//! A clinic's own words for the code list: names and codes that its staff use in health histories.

mod filter;
pub mod loader;
pub mod store;

pub use filter::{HealthTermCondition, HealthTermFilter, HealthTermOrder};

use crate::ledger::Record;
use crate::record::Stamp;
use crate::vocabulary::RecordKind;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A name or a code that a clinic adds to the code list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthTerm {
    /// Its id.
    pub id: Uuid,
    /// The code that it stands for: one of the list, or one of the clinic's own.
    pub code: String,
    /// The name or the code that is looked for in health entries. A `*` at the end of a word stands for the rest of it.
    pub term: String,
    /// The language of the name, a BCP 47 tag.
    pub language: Option<String>,
    /// Whether it is looked for.
    pub active: bool,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

impl Record for HealthTerm {
    const KIND: RecordKind = RecordKind::HealthTerm;
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
