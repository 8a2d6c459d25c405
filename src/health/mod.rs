//! The health history: conditions, medications, allergies, pregnancy or nursing, prior procedures.

pub mod codes;
mod filter;
pub mod loader;
pub mod store;

pub use filter::{Filter, OrderBy};

use crate::ledger::Record;
use crate::record::Stamp;
use crate::vocabulary::{ContraindicationSeverity, RecordKind, vocabulary};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

vocabulary! {
    /// What an entry of the health history is about.
    HealthEntryKind {
        /// An illness or a state.
        Condition = "condition",
        /// A medicine.
        Medication = "medication",
        /// An allergy.
        Allergy = "allergy",
        /// Pregnant, or nursing a child.
        PregnancyOrNursing = "pregnancy_or_nursing",
        /// A procedure done before, here or elsewhere.
        PriorProcedure = "prior_procedure",
    }
}

/// An entry of a patient's health history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HealthEntry {
    /// Its id.
    pub id: Uuid,
    /// The patient whom the record is about.
    pub patient_id: Uuid,
    /// Its kind.
    pub kind: HealthEntryKind,
    /// A code that rules look for, such as `isotretinoin`.
    pub code: Option<String>,
    /// The entry in words.
    pub text: String,
    /// How strongly it contraindicates a treatment.
    pub severity: Option<ContraindicationSeverity>,
    /// The day it began.
    pub onset_on: Option<NaiveDate>,
    /// The day it ended.
    pub ended_on: Option<NaiveDate>,
    /// For a medicine: the last dose.
    pub last_dose_on: Option<NaiveDate>,
    /// The source of the information: the patient, a letter, an examination.
    pub source: Option<String>,
    /// The practitioner who verified it.
    pub verified_by: Option<Uuid>,
    /// When it was verified.
    pub verified_at: Option<DateTime<Utc>>,
    /// Entered in error: the entry is kept, but no rule looks at it.
    pub entered_in_error: bool,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

impl HealthEntry {
    /// An entry of which nothing is known but what it says.
    pub fn saying(patient_id: Uuid, kind: HealthEntryKind, code: Option<&str>, text: &str, stamp: Stamp) -> Self {
        Self {
            id: Uuid::nil(),
            patient_id,
            kind,
            code: code.map(str::to_owned),
            text: text.to_owned(),
            severity: None,
            onset_on: None,
            ended_on: None,
            last_dose_on: None,
            source: None,
            verified_by: None,
            verified_at: None,
            entered_in_error: false,
            stamp,
        }
    }
}

impl Record for HealthEntry {
    const KIND: RecordKind = RecordKind::HealthEntry;
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
