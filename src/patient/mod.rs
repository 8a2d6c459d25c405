//! Patients: who they are and how to reach them.

mod details;
pub mod loader;
pub mod search;
pub mod store;

pub use details::{ExternalIdentifier, OtherPhone, PatientDetails};

use crate::error::Code;
use crate::folding::fold;
use crate::ledger::Record;
use crate::record::{Address, Stamp};
use crate::vocabulary::{FitzpatrickType, RecordKind, vocabulary};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

vocabulary! {
    /// Sex at birth.
    SexAtBirth {
        /// Female.
        Female = "female",
        /// Male.
        Male = "male",
        /// Intersex.
        Intersex = "intersex",
        /// Not known or not told.
        Unknown = "unknown",
    }
}

vocabulary! {
    /// How a patient stands.
    PatientStatus {
        /// Treated here.
        Active = "active",
        /// Put away: kept, and out of the usual lists.
        Archived = "archived",
        /// A duplicate that was merged into another patient.
        Merged = "merged",
    }
}

/// The name on the identity document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonName {
    /// Given name.
    pub given: String,
    /// Middle names.
    pub middle: Option<String>,
    /// Family name; none of somebody with one name.
    pub family: Option<String>,
}

/// The emergency contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmergencyContact {
    /// Their name.
    pub name: String,
    /// The contact's relationship to the patient.
    pub relationship: Option<String>,
    /// E.164.
    pub phone: String,
}

/// The skin type with who assessed it and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkinType {
    /// The type.
    pub fitzpatrick: FitzpatrickType,
    /// When it was assessed.
    pub assessed_on: Option<NaiveDate>,
    /// Who assessed the skin type.
    pub assessed_by: Option<Uuid>,
}

/// A patient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Patient {
    /// Its id.
    pub id: Uuid,
    /// Human-readable, unique in the organisation.
    pub chart_number: String,
    /// The name on the identity document.
    pub legal_name: PersonName,
    /// The name the patient wants to be called.
    pub preferred_name: Option<String>,
    /// Date of birth.
    pub birth_date: NaiveDate,
    /// The day they died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deceased_on: Option<NaiveDate>,
    /// Sex at birth.
    pub sex_at_birth: Option<SexAtBirth>,
    /// Gender, in the patient's words.
    pub gender: Option<String>,
    /// Pronouns, in the patient's words.
    pub pronouns: Option<String>,
    /// E-mail, lower case.
    pub email: Option<String>,
    /// E.164.
    pub phone: Option<String>,
    /// Former names, other phones, language and identifiers of other systems.
    #[serde(flatten)]
    pub details: Box<PatientDetails>,
    /// The home address.
    pub address: Option<Address>,
    /// Whom to call.
    pub emergency_contact: Option<EmergencyContact>,
    /// Skin type.
    pub skin_type: Option<SkinType>,
    /// The patient's status.
    pub status: PatientStatus,
    /// Why they were archived or restored.
    pub status_reason: Option<String>,
    /// The patient a merged one became.
    pub merged_into: Option<Uuid>,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

impl Record for Patient {
    const KIND: RecordKind = RecordKind::Patient;
    fn id(&self) -> Uuid {
        self.id
    }
    fn version(&self) -> i32 {
        self.stamp.version
    }
    fn patient_id(&self) -> Option<Uuid> {
        Some(self.id)
    }
}

impl PersonName {
    /// What names are sorted by: family name, then given name, folded. One name stands where a family name does.
    pub fn key(&self) -> String {
        let given = fold(&self.given);
        self.family.as_deref().map_or(given.clone(), |family| format!("{} {given}", fold(family)))
    }

    /// A given name with the family name, if there is one.
    pub fn with_family(&self, given: &str) -> String {
        self.family.as_deref().map_or_else(|| given.to_owned(), |family| format!("{given} {family}"))
    }
}

impl Patient {
    /// The name to show: the preferred one with the family name, else the legal one.
    pub fn shown_name(&self) -> String {
        let given = self.preferred_name.as_ref().unwrap_or(&self.legal_name.given);
        self.legal_name.with_family(given)
    }

    /// Refuses a day before the birth or after the death. The day may be that of another time zone, so the day before and the
    /// day after are let through.
    pub fn lived_on(&self, day: NaiveDate, path: &str) -> crate::error::Result<()> {
        if let Some(died) = self.deceased_on.filter(|died| day.pred_opt().is_some_and(|before| before > *died)) {
            return Err(crate::error::Error::input(
                path,
                Code::WrongOrder
                    .says(format!("is {day}, after the patient died ({died})"))
                    .with("value", day.to_string())
                    .with("other", "deceasedOn"),
            ));
        }
        if day.succ_opt().is_some_and(|next| next < self.birth_date) {
            let message = format!("is {day}, before the patient was born ({})", self.birth_date);
            return Err(crate::error::Error::input(
                path,
                Code::WrongOrder.says(message).with("value", day.to_string()).with("other", "birthDate"),
            ));
        }
        Ok(())
    }

    /// What patients are sorted by: family name, then given name, folded.
    pub fn name_key(&self) -> String {
        self.legal_name.key()
    }
}
