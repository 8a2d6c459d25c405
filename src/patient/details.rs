//! More of who a patient is and how to reach them: former names, other phones, language, identifiers of other systems.

use super::PersonName;
use serde::{Deserialize, Serialize};

/// A phone beside the first one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherPhone {
    /// E.164.
    pub number: String,
    /// Whose or where, such as `work`.
    pub label: Option<String>,
}

/// What another system calls a patient.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ExternalIdentifier {
    /// The system: a URI or a name that the clinic gives it.
    pub system: String,
    /// The patient's identifier in it.
    pub value: String,
}

/// More of a patient. What is empty is left out of the ledger, so that who has none of it is written as before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatientDetails {
    /// Names that the patient had before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_names: Vec<PersonName>,
    /// Phones beside the first one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_phones: Vec<OtherPhone>,
    /// The language that the patient speaks, a BCP 47 tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Whether they need an interpreter; none if nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs_interpreter: Option<bool>,
    /// What other systems call them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<ExternalIdentifier>,
}
