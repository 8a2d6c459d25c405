//! The health history: conditions, medications, allergies, pregnancy or nursing, prior procedures.

mod alike;
pub mod codes;
mod filter;
pub mod loader;
mod precision;
pub mod store;

pub use alike::are_alike;
pub use filter::{Filter, OrderBy};
pub use precision::DatePrecision;

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
    /// How exactly the day it began is known.
    #[serde(default, skip_serializing_if = "DatePrecision::is_day")]
    pub onset_precision: DatePrecision,
    /// The day it ended.
    pub ended_on: Option<NaiveDate>,
    /// How exactly the day it ended is known.
    #[serde(default, skip_serializing_if = "DatePrecision::is_day")]
    pub ended_precision: DatePrecision,
    /// For a medicine: the last dose.
    pub last_dose_on: Option<NaiveDate>,
    /// How exactly the last dose is known.
    #[serde(default, skip_serializing_if = "DatePrecision::is_day")]
    pub last_dose_precision: DatePrecision,
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
            onset_precision: DatePrecision::Day,
            ended_on: None,
            ended_precision: DatePrecision::Day,
            last_dose_on: None,
            last_dose_precision: DatePrecision::Day,
            source: None,
            verified_by: None,
            verified_at: None,
            entered_in_error: false,
            stamp,
        }
    }

    /// The latest day on which it can have begun.
    pub fn onset_by(&self) -> Option<NaiveDate> {
        self.onset_on.map(|day| self.onset_precision.last(day))
    }

    /// The latest day on which it can have ended.
    pub fn ended_by(&self) -> Option<NaiveDate> {
        self.ended_on.map(|day| self.ended_precision.last(day))
    }

    /// The latest day on which the last dose can have been.
    pub fn last_dose_by(&self) -> Option<NaiveDate> {
        self.last_dose_on.map(|day| self.last_dose_precision.last(day))
    }

    /// The last day on which a state can have held, the later of its end and its last dose; none while it lasts.
    pub fn held_until(&self) -> Option<NaiveDate> {
        self.ended_by().map(|end| self.last_dose_by().map_or(end, |dose| dose.max(end)))
    }

    /// Whether it holds on a day: an allergy for good, anything else until the later of its end and its last dose.
    pub fn in_force_on(&self, day: NaiveDate) -> bool {
        let last = self.held_until();
        !self.entered_in_error && (self.kind == HealthEntryKind::Allergy || last.is_none_or(|last| day <= last))
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
