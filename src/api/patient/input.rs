//! What the mutations of patients take and give.

use super::details::{DetailsInput, ExternalIdentifierInput, OtherPhoneInput, PersonNameInput, ReadDetails};
use crate::api::duplicates::{PossibleDuplicate, duplicates_of};
use crate::api::organisation::AddressInput;
use crate::error::{Code, Flaw};
use crate::ids;
use crate::operation::{Inputs, patched};
use crate::patient::{EmergencyContact, Patient, PatientDetails, PatientStatus, PersonName, SexAtBirth, SkinType};
use crate::phone::Countries;
use crate::record::Stamp;
use crate::scalars::Date;
use crate::vocabulary::{FitzpatrickType, RecordKind};
use async_graphql::{ComplexObject, Context, ID, InputObject, MaybeUndefined, Result, SimpleObject};
use uuid::Uuid;

/// Whom to call in an emergency.
#[derive(InputObject)]
pub struct EmergencyContactInput {
    /// The name of the person to call.
    name: String,
    /// The contact's relationship to the patient.
    relationship: Option<String>,
    /// Phone number, as people write it; kept in E.164.
    phone: String,
}

impl EmergencyContactInput {
    fn read(&self, inputs: &mut Inputs, path: &str) -> EmergencyContact {
        EmergencyContact {
            name: inputs.text(&format!("{path}.name"), &self.name, 200),
            relationship: inputs.opt_text(&format!("{path}.relationship"), self.relationship.as_deref(), 100),
            phone: inputs.phone(&format!("{path}.phone"), Some(&self.phone)).unwrap_or_else(|| {
                inputs.fault(&format!("{path}.phone"), Flaw::empty());
                String::new()
            }),
        }
    }
}

/// An assessment of the skin type.
#[derive(InputObject)]
pub struct SkinTypeInput {
    /// Fitzpatrick phototype, I to VI.
    fitzpatrick_type: FitzpatrickType,
    /// When it was assessed; today when absent. The sender is the assessor.
    assessed_on: Option<Date>,
}

impl SkinTypeInput {
    fn read(&self, inputs: &mut Inputs, path: &str) -> SkinType {
        let assessed_on = inputs.past_date(&format!("{path}.assessedOn"), self.assessed_on.map(|date| date.0));
        SkinType {
            fitzpatrick: self.fitzpatrick_type,
            assessed_on: Some(assessed_on.unwrap_or_else(|| ids::now().date_naive())),
            assessed_by: None,
        }
    }
}

/// Registers a patient.
#[derive(InputObject)]
pub struct RegisterPatientInput {
    /// An id made by the client, which makes a retry safe: `patient_` and a UUIDv7 in 26 characters (see `Node.id`). Absent:
    /// the service makes one.
    pub(super) id: Option<ID>,
    /// Chart number from an older system; when absent, the next number is assigned. Unique in the organisation.
    pub(super) chart_number: Option<String>,
    /// The name on the identity document.
    pub(super) legal_name: PersonNameInput,
    /// The name the patient wants to be called.
    pub(super) preferred_name: Option<String>,
    /// Date of birth.
    pub(super) birth_date: Date,
    /// Sex at birth.
    pub(super) sex_at_birth: Option<SexAtBirth>,
    /// Gender, in the patient's words.
    pub(super) gender: Option<String>,
    /// Pronouns, in the patient's words.
    pub(super) pronouns: Option<String>,
    /// E-mail.
    pub(super) email: Option<String>,
    /// Phone number, as people write it; kept in E.164. Without a country code it is of the country of the address, or else
    /// of the locations.
    pub(super) phone: Option<String>,
    /// Names that the patient had before, at most 20.
    pub(super) former_names: Option<Vec<PersonNameInput>>,
    /// Phones beside the first one, at most 20.
    pub(super) other_phones: Option<Vec<OtherPhoneInput>>,
    /// The language that the patient speaks, a BCP 47 tag such as `uk`.
    pub(super) language: Option<String>,
    /// Whether they need an interpreter.
    pub(super) needs_interpreter: Option<bool>,
    /// What other systems call the patient, at most 20. Each is of one patient of the organisation.
    pub(super) identifiers: Option<Vec<ExternalIdentifierInput>>,
    /// The home address.
    pub(super) address: Option<AddressInput>,
    /// Whom to call in an emergency.
    pub(super) emergency_contact: Option<EmergencyContactInput>,
    /// Fitzpatrick phototype, assessed today; use `skinType` for another day.
    pub(super) fitzpatrick_type: Option<FitzpatrickType>,
    /// Skin type with the day it was assessed.
    pub(super) skin_type: Option<SkinTypeInput>,
}

/// Result of `registerPatient`.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct RegisterPatientPayload {
    /// The new patient.
    pub(super) patient: Patient,
}

#[ComplexObject]
impl RegisterPatientPayload {
    /// Other patients who may be the same person, the likeliest first. The new one is registered all the same: if it is one
    /// person, merge the two charts (`mergePatients`).
    async fn possible_duplicates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most this many, the most likely first: 0 to 50, 10 by default.")] first: Option<i32>,
    ) -> Option<Result<Vec<PossibleDuplicate>>> {
        Some(duplicates_of(ctx, &self.patient, first).await)
    }
}

/// Changes to a patient. An absent field stays as it is; null clears it.
#[derive(InputObject)]
pub struct PatientPatch {
    /// Chart number, unique in the organisation.
    chart_number: Option<String>,
    /// The name on the identity document.
    legal_name: Option<PersonNameInput>,
    /// The name the patient wants to be called.
    preferred_name: MaybeUndefined<String>,
    /// Date of birth.
    birth_date: Option<Date>,
    /// The day they died; not before the date of birth, not in the future. They leave the lists to work through, but for safety
    /// notices.
    deceased_on: MaybeUndefined<Date>,
    /// Sex at birth.
    sex_at_birth: MaybeUndefined<SexAtBirth>,
    /// Gender, in the patient's words.
    gender: MaybeUndefined<String>,
    /// Pronouns, in the patient's words.
    pronouns: MaybeUndefined<String>,
    /// E-mail.
    email: MaybeUndefined<String>,
    /// Phone number, as people write it; kept in E.164. Without a country code it is of the country of the address in this
    /// patch, or else of the locations.
    phone: MaybeUndefined<String>,
    /// Names that the patient had before, at most 20: all of them.
    former_names: Option<Vec<PersonNameInput>>,
    /// Phones beside the first one, at most 20: all of them.
    other_phones: Option<Vec<OtherPhoneInput>>,
    /// The language that the patient speaks, a BCP 47 tag such as `uk`.
    language: MaybeUndefined<String>,
    /// Whether they need an interpreter.
    needs_interpreter: MaybeUndefined<bool>,
    /// What other systems call the patient, at most 20: all of them. Each is of one patient of the organisation.
    identifiers: Option<Vec<ExternalIdentifierInput>>,
    /// The home address.
    address: MaybeUndefined<AddressInput>,
    /// Whom to call in an emergency.
    emergency_contact: MaybeUndefined<EmergencyContactInput>,
    /// Skin type with the day it was assessed.
    skin_type: MaybeUndefined<SkinTypeInput>,
}

/// Changes a patient.
#[derive(InputObject)]
pub struct UpdatePatientInput {
    /// `patient_…`
    pub(super) id: ID,
    /// The version of the record that you read.
    pub(super) expected_version: i32,
    /// The fields to change.
    pub(super) patch: PatientPatch,
}

/// Result of `updatePatient`.
#[derive(SimpleObject)]
pub struct UpdatePatientPayload {
    /// The patient after the change.
    pub(super) patient: Patient,
}

/// Archives a patient.
#[derive(InputObject)]
pub struct ArchivePatientInput {
    /// `patient_…`
    pub(super) id: ID,
    /// The version of the record that you read.
    pub(super) expected_version: i32,
    /// Why the patient is archived.
    pub(super) reason: String,
}

/// Result of `archivePatient`.
#[derive(SimpleObject)]
pub struct ArchivePatientPayload {
    /// The archived patient.
    pub(super) patient: Patient,
}

/// Restores an archived patient.
#[derive(InputObject)]
pub struct RestorePatientInput {
    /// `patient_…`
    pub(super) id: ID,
    /// The version of the record that you read.
    pub(super) expected_version: i32,
    /// Why the patient is restored.
    pub(super) reason: Option<String>,
}

/// Result of `restorePatient`.
#[derive(SimpleObject)]
pub struct RestorePatientPayload {
    /// The restored patient.
    pub(super) patient: Patient,
}

impl RegisterPatientInput {
    /// The phones of the input.
    pub(super) fn phones(&self) -> impl Iterator<Item = &str> {
        let contact = self.emergency_contact.as_ref().map(|contact| contact.phone.as_str());
        let others = self.other_phones.iter().flatten().map(|other| other.number.as_str());
        self.phone.as_deref().into_iter().chain(contact).chain(others)
    }

    /// The country of the address, where numbers without a country code are of.
    pub(super) fn country(&self) -> Option<&str> {
        self.address.as_ref().map(AddressInput::country)
    }

    pub(super) fn read(self, countries: Countries) -> crate::error::Result<Patient> {
        let mut inputs = Inputs::in_countries(countries);
        let skin_type = match (&self.skin_type, self.fitzpatrick_type) {
            (Some(skin), other) => {
                if other.is_some_and(|other| other != skin.fitzpatrick_type) {
                    inputs.fault(
                        "fitzpatrickType",
                        Code::Mismatch
                            .says("says another type than skinType: send one of them")
                            .with("other", "skinType"),
                    );
                }
                Some(skin.read(&mut inputs, "skinType"))
            }
            (None, Some(fitzpatrick)) => {
                Some(SkinType { fitzpatrick, assessed_on: Some(ids::now().date_naive()), assessed_by: None })
            }
            (None, None) => None,
        };
        let details = DetailsInput {
            former_names: self.former_names,
            other_phones: self.other_phones,
            language: self.language.map_or(MaybeUndefined::Undefined, MaybeUndefined::Value),
            needs_interpreter: self.needs_interpreter.map_or(MaybeUndefined::Undefined, MaybeUndefined::Value),
            identifiers: self.identifiers,
        };
        let details = details.read(&mut inputs, "");
        let patient = Patient {
            id: inputs.new_id(RecordKind::Patient, self.id.as_ref()),
            chart_number: inputs.opt_text("chartNumber", self.chart_number.as_deref(), 40).unwrap_or_default(),
            legal_name: self.legal_name.read(&mut inputs, "legalName"),
            preferred_name: inputs.opt_text("preferredName", self.preferred_name.as_deref(), 100),
            birth_date: inputs.past_date("birthDate", Some(self.birth_date.0)).unwrap_or_default(),
            deceased_on: None,
            sex_at_birth: self.sex_at_birth,
            gender: inputs.opt_text("gender", self.gender.as_deref(), 60),
            pronouns: inputs.opt_text("pronouns", self.pronouns.as_deref(), 60),
            email: inputs.email("email", self.email.as_deref()),
            phone: inputs.phone("phone", self.phone.as_deref()),
            details: Box::new(details.apply(&PatientDetails::default())),
            address: self.address.as_ref().map(|address| address.read(&mut inputs, "address")),
            emergency_contact: self
                .emergency_contact
                .as_ref()
                .map(|contact| contact.read(&mut inputs, "emergencyContact")),
            skin_type,
            status: PatientStatus::Active,
            status_reason: None,
            merged_into: None,
            stamp: Stamp::new(None, ids::now()),
        };
        inputs.finish()?;
        Ok(patient)
    }
}

/// The fields of a patch, checked.
pub(super) struct ReadPatch {
    chart_number: Option<String>,
    legal_name: Option<PersonName>,
    preferred_name: MaybeUndefined<String>,
    birth_date: Option<chrono::NaiveDate>,
    deceased_on: MaybeUndefined<chrono::NaiveDate>,
    sex_at_birth: MaybeUndefined<SexAtBirth>,
    gender: MaybeUndefined<String>,
    pronouns: MaybeUndefined<String>,
    email: MaybeUndefined<String>,
    phone: MaybeUndefined<String>,
    details: ReadDetails,
    address: MaybeUndefined<crate::record::Address>,
    emergency_contact: MaybeUndefined<EmergencyContact>,
    skin_type: MaybeUndefined<SkinType>,
}

impl PatientPatch {
    /// The phones of the patch.
    pub(super) fn phones(&self) -> impl Iterator<Item = &str> {
        let contact = self.emergency_contact.value().map(|contact| contact.phone.as_str());
        let others = self.other_phones.iter().flatten().map(|other| other.number.as_str());
        self.phone.value().map(String::as_str).into_iter().chain(contact).chain(others)
    }

    /// The country of the address, where numbers without a country code are of.
    pub(super) fn country(&self) -> Option<&str> {
        self.address.value().map(AddressInput::country)
    }

    pub(super) fn read(self, inputs: &mut Inputs) -> ReadPatch {
        ReadPatch {
            chart_number: self.chart_number.map(|number| inputs.text("patch.chartNumber", &number, 40)),
            legal_name: self.legal_name.map(|name| name.read(inputs, "patch.legalName")),
            preferred_name: inputs.patch_text("patch.preferredName", self.preferred_name, 100),
            birth_date: inputs.past_date("patch.birthDate", self.birth_date.map(|date| date.0)),
            deceased_on: inputs
                .patch("patch.deceasedOn", self.deceased_on, |inputs, path, date| inputs.past_date(path, Some(date.0))),
            sex_at_birth: self.sex_at_birth,
            gender: inputs.patch_text("patch.gender", self.gender, 60),
            pronouns: inputs.patch_text("patch.pronouns", self.pronouns, 60),
            email: inputs.patch("patch.email", self.email, |inputs, path, text| inputs.email(path, Some(&text))),
            details: DetailsInput {
                former_names: self.former_names,
                other_phones: self.other_phones,
                language: self.language,
                needs_interpreter: self.needs_interpreter,
                identifiers: self.identifiers,
            }
            .read(inputs, "patch."),
            phone: inputs.patch("patch.phone", self.phone, |inputs, path, text| inputs.phone(path, Some(&text))),
            address: self.address.map_value(|address| address.read(inputs, "patch.address")),
            emergency_contact: self
                .emergency_contact
                .map_value(|contact| contact.read(inputs, "patch.emergencyContact")),
            skin_type: self.skin_type.map_value(|skin| skin.read(inputs, "patch.skinType")),
        }
    }
}

impl ReadPatch {
    pub(super) fn apply(self, before: &Patient, by: Option<Uuid>) -> Patient {
        let skin_type = self.skin_type.map_value(|skin| SkinType { assessed_by: by, ..skin });
        Patient {
            id: before.id,
            chart_number: self.chart_number.unwrap_or_else(|| before.chart_number.clone()),
            legal_name: self.legal_name.unwrap_or_else(|| before.legal_name.clone()),
            preferred_name: patched(self.preferred_name, before.preferred_name.clone()),
            birth_date: self.birth_date.unwrap_or(before.birth_date),
            deceased_on: patched(self.deceased_on, before.deceased_on),
            sex_at_birth: patched(self.sex_at_birth, before.sex_at_birth),
            gender: patched(self.gender, before.gender.clone()),
            pronouns: patched(self.pronouns, before.pronouns.clone()),
            email: patched(self.email, before.email.clone()),
            phone: patched(self.phone, before.phone.clone()),
            details: Box::new(self.details.apply(&before.details)),
            address: patched(self.address, before.address.clone()),
            emergency_contact: patched(self.emergency_contact, before.emergency_contact.clone()),
            skin_type: patched(skin_type, before.skin_type.clone()),
            status: before.status,
            status_reason: before.status_reason.clone(),
            merged_into: before.merged_into,
            stamp: before.stamp.changed(by, ids::now()),
        }
    }
}
