//! Registering, changing, archiving and restoring patients.

use crate::access::Scope;
use crate::api::organisation::AddressInput;
use crate::error::Error;
use crate::ids;
use crate::operation::{Inputs, Running, patched, transaction};
use crate::patient::{EmergencyContact, Patient, PatientStatus, PersonName, SexAtBirth, SkinType, store};
use crate::record::Stamp;
use crate::scalars::Date;
use crate::vocabulary::{Action, FitzpatrickType, RecordKind};
use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use uuid::Uuid;

/// A name as on the identity document.
#[derive(InputObject)]
pub struct PersonNameInput {
    /// Given name.
    given: String,
    /// Middle names.
    middle: Option<String>,
    /// Family name.
    family: String,
}

impl PersonNameInput {
    fn read(&self, inputs: &mut Inputs, path: &str) -> PersonName {
        PersonName {
            given: inputs.text(&format!("{path}.given"), &self.given, 100),
            middle: inputs.opt_text(&format!("{path}.middle"), self.middle.as_deref(), 100),
            family: inputs.text(&format!("{path}.family"), &self.family, 100),
        }
    }
}

/// Whom to call in an emergency.
#[derive(InputObject)]
pub struct EmergencyContactInput {
    /// Their name.
    name: String,
    /// What they are to the patient.
    relationship: Option<String>,
    /// E.164 number.
    phone: String,
}

impl EmergencyContactInput {
    fn read(&self, inputs: &mut Inputs, path: &str) -> EmergencyContact {
        EmergencyContact {
            name: inputs.text(&format!("{path}.name"), &self.name, 200),
            relationship: inputs.opt_text(&format!("{path}.relationship"), self.relationship.as_deref(), 100),
            phone: inputs.phone(&format!("{path}.phone"), Some(&self.phone)).unwrap_or_else(|| {
                inputs.fault(&format!("{path}.phone"), "must not be empty");
                String::new()
            }),
        }
    }
}

/// A skin type as it is assessed.
#[derive(InputObject)]
pub struct SkinTypeInput {
    /// Fitzpatrick phototype, I to VI.
    fitzpatrick_type: FitzpatrickType,
    /// When it was assessed; today when absent. The assessor is who sends this.
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
    /// An id the client made (`patient_…` of a UUIDv7): makes a retry safe.
    id: Option<ID>,
    /// Chart number from an older system; absent, the next one is given. Unique in the organisation.
    chart_number: Option<String>,
    /// As on the identity document.
    legal_name: PersonNameInput,
    /// What they want to be called.
    preferred_name: Option<String>,
    /// Date of birth.
    birth_date: Date,
    /// Sex at birth.
    sex_at_birth: Option<SexAtBirth>,
    /// Gender, in the patient's words.
    gender: Option<String>,
    /// Pronouns, in the patient's words.
    pronouns: Option<String>,
    /// E-mail.
    email: Option<String>,
    /// E.164 number.
    phone: Option<String>,
    /// Where they live.
    address: Option<AddressInput>,
    /// Whom to call in an emergency.
    emergency_contact: Option<EmergencyContactInput>,
    /// Fitzpatrick phototype, assessed today; `skinType` gives another day.
    fitzpatrick_type: Option<FitzpatrickType>,
    /// Skin type with the day it was assessed.
    skin_type: Option<SkinTypeInput>,
}

/// The registered patient.
#[derive(SimpleObject)]
pub struct RegisterPatientPayload {
    /// They.
    patient: Patient,
}

/// Changes to a patient. An absent field stays, null clears.
#[derive(InputObject)]
pub struct PatientPatch {
    /// Chart number, unique in the organisation.
    chart_number: Option<String>,
    /// As on the identity document.
    legal_name: Option<PersonNameInput>,
    /// What they want to be called.
    preferred_name: MaybeUndefined<String>,
    /// Date of birth.
    birth_date: Option<Date>,
    /// Sex at birth.
    sex_at_birth: MaybeUndefined<SexAtBirth>,
    /// Gender, in the patient's words.
    gender: MaybeUndefined<String>,
    /// Pronouns, in the patient's words.
    pronouns: MaybeUndefined<String>,
    /// E-mail.
    email: MaybeUndefined<String>,
    /// E.164 number.
    phone: MaybeUndefined<String>,
    /// Where they live.
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
    id: ID,
    /// The version that was read.
    expected_version: i32,
    /// The changes.
    patch: PatientPatch,
}

/// The changed patient.
#[derive(SimpleObject)]
pub struct UpdatePatientPayload {
    /// They, after the change.
    patient: Patient,
}

/// Puts a patient away.
#[derive(InputObject)]
pub struct ArchivePatientInput {
    /// `patient_…`
    id: ID,
    /// The version that was read.
    expected_version: i32,
    /// Why.
    reason: String,
}

/// The archived patient.
#[derive(SimpleObject)]
pub struct ArchivePatientPayload {
    /// They.
    patient: Patient,
}

/// Brings an archived patient back.
#[derive(InputObject)]
pub struct RestorePatientInput {
    /// `patient_…`
    id: ID,
    /// The version that was read.
    expected_version: i32,
    /// Why.
    reason: Option<String>,
}

/// The restored patient.
#[derive(SimpleObject)]
pub struct RestorePatientPayload {
    /// They.
    patient: Patient,
}

impl RegisterPatientInput {
    fn read(&self) -> crate::error::Result<Patient> {
        let mut inputs = Inputs::new();
        let skin_type = match (&self.skin_type, self.fitzpatrick_type) {
            (Some(skin), other) => {
                if other.is_some_and(|other| other != skin.fitzpatrick_type) {
                    inputs.fault("fitzpatrickType", "says another type than skinType: send one of them");
                }
                Some(skin.read(&mut inputs, "skinType"))
            }
            (None, Some(fitzpatrick)) => {
                Some(SkinType { fitzpatrick, assessed_on: Some(ids::now().date_naive()), assessed_by: None })
            }
            (None, None) => None,
        };
        let patient = Patient {
            id: inputs.new_id(RecordKind::Patient, self.id.as_ref()),
            chart_number: inputs.opt_text("chartNumber", self.chart_number.as_deref(), 40).unwrap_or_default(),
            legal_name: self.legal_name.read(&mut inputs, "legalName"),
            preferred_name: inputs.opt_text("preferredName", self.preferred_name.as_deref(), 100),
            birth_date: inputs.past_date("birthDate", Some(self.birth_date.0)).unwrap_or_default(),
            sex_at_birth: self.sex_at_birth,
            gender: inputs.opt_text("gender", self.gender.as_deref(), 60),
            pronouns: inputs.opt_text("pronouns", self.pronouns.as_deref(), 60),
            email: inputs.email("email", self.email.as_deref()),
            phone: inputs.phone("phone", self.phone.as_deref()),
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
struct ReadPatch {
    chart_number: Option<String>,
    legal_name: Option<PersonName>,
    preferred_name: MaybeUndefined<String>,
    birth_date: Option<chrono::NaiveDate>,
    sex_at_birth: MaybeUndefined<SexAtBirth>,
    gender: MaybeUndefined<String>,
    pronouns: MaybeUndefined<String>,
    email: MaybeUndefined<String>,
    phone: MaybeUndefined<String>,
    address: MaybeUndefined<crate::record::Address>,
    emergency_contact: MaybeUndefined<EmergencyContact>,
    skin_type: MaybeUndefined<SkinType>,
}

impl PatientPatch {
    fn read(self, inputs: &mut Inputs) -> ReadPatch {
        ReadPatch {
            chart_number: self.chart_number.map(|number| inputs.text("patch.chartNumber", &number, 40)),
            legal_name: self.legal_name.map(|name| name.read(inputs, "patch.legalName")),
            preferred_name: inputs.patch_text("patch.preferredName", self.preferred_name, 100),
            birth_date: inputs.past_date("patch.birthDate", self.birth_date.map(|date| date.0)),
            sex_at_birth: self.sex_at_birth,
            gender: inputs.patch_text("patch.gender", self.gender, 60),
            pronouns: inputs.patch_text("patch.pronouns", self.pronouns, 60),
            email: inputs.patch("patch.email", self.email, |inputs, path, text| inputs.email(path, Some(&text))),
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
    fn apply(self, before: &Patient, by: Option<Uuid>) -> Patient {
        let skin_type = self.skin_type.map_value(|skin| SkinType { assessed_by: by, ..skin });
        Patient {
            id: before.id,
            chart_number: self.chart_number.unwrap_or_else(|| before.chart_number.clone()),
            legal_name: self.legal_name.unwrap_or_else(|| before.legal_name.clone()),
            preferred_name: patched(self.preferred_name, before.preferred_name.clone()),
            birth_date: self.birth_date.unwrap_or(before.birth_date),
            sex_at_birth: patched(self.sex_at_birth, before.sex_at_birth),
            gender: patched(self.gender, before.gender.clone()),
            pronouns: patched(self.pronouns, before.pronouns.clone()),
            email: patched(self.email, before.email.clone()),
            phone: patched(self.phone, before.phone.clone()),
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

/// The patient that an edit was made for, at the version it expects.
async fn expected(scope: &mut Scope, id: Uuid, version: i32) -> crate::error::Result<Patient> {
    let patient = store::patient(scope, id).await?;
    if patient.stamp.version != version {
        return Err(Error::stale("patient", version, patient.stamp.version));
    }
    Ok(patient)
}

/// Moves a patient to another status.
async fn move_to(
    scope: &mut Scope,
    before: Patient,
    action: Action,
    status: PatientStatus,
    reason: Option<String>,
) -> crate::error::Result<Patient> {
    let stamp = before.stamp.changed(scope.viewer().staff, ids::now());
    let after = Patient { status, status_reason: reason, stamp, ..before.clone() };
    store::save(scope, action, &before, &after).await?;
    Ok(after)
}

/// The mutations of this slice.
#[derive(Default)]
pub struct PatientMutation;

#[Object]
impl PatientMutation {
    /// Registers a patient.
    async fn register_patient(&self, ctx: &Context<'_>, input: RegisterPatientInput) -> Result<RegisterPatientPayload> {
        let mut new = input.read()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| {
            Box::pin(async move {
                let author = Some(scope.viewer().author()?);
                new.stamp = Stamp::new(author, ids::now());
                if let Some(skin) = &mut new.skin_type {
                    skin.assessed_by = author;
                }
                store::register(scope, new).await
            })
        });
        let patient = operation.mutate(operation.retry(ctx, input.id.as_ref())?, work).await?;
        Ok(RegisterPatientPayload { patient })
    }

    /// Changes a patient.
    async fn update_patient(&self, ctx: &Context<'_>, input: UpdatePatientInput) -> Result<UpdatePatientPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::Patient, &input.id);
        let patch = input.patch.read(&mut inputs);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| {
            Box::pin(async move {
                scope.viewer().check(Action::Update, RecordKind::Patient)?;
                let before = expected(scope, id, input.expected_version).await?;
                if before.status == PatientStatus::Merged {
                    return Err(Error::input("input.id", "this patient was merged into another: change that one"));
                }
                let after = patch.apply(&before, scope.viewer().staff);
                store::save(scope, Action::Update, &before, &after).await?;
                Ok(after)
            })
        });
        let patient = operation.mutate(operation.retry(ctx, None)?, work).await?;
        Ok(UpdatePatientPayload { patient })
    }

    /// Puts a patient away: kept whole, out of the usual lists, no new records.
    async fn archive_patient(&self, ctx: &Context<'_>, input: ArchivePatientInput) -> Result<ArchivePatientPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::Patient, &input.id);
        let reason = inputs.text("reason", &input.reason, 1000);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| {
            Box::pin(async move {
                scope.viewer().check(Action::Archive, RecordKind::Patient)?;
                let before = expected(scope, id, input.expected_version).await?;
                if before.status != PatientStatus::Active {
                    return Err(Error::input("input.id", format!("this patient is {} already", before.status.words())));
                }
                move_to(scope, before, Action::Archive, PatientStatus::Archived, Some(reason)).await
            })
        });
        let patient = operation.mutate(operation.retry(ctx, None)?, work).await?;
        Ok(ArchivePatientPayload { patient })
    }

    /// Brings an archived patient back.
    async fn restore_patient(&self, ctx: &Context<'_>, input: RestorePatientInput) -> Result<RestorePatientPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::Patient, &input.id);
        let reason = inputs.opt_text("reason", input.reason.as_deref(), 1000);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| {
            Box::pin(async move {
                scope.viewer().check(Action::Restore, RecordKind::Patient)?;
                let before = expected(scope, id, input.expected_version).await?;
                if before.status != PatientStatus::Archived {
                    return Err(Error::input(
                        "input.id",
                        format!("this patient is {}, not archived", before.status.words()),
                    ));
                }
                move_to(scope, before, Action::Restore, PatientStatus::Active, reason).await
            })
        });
        let patient = operation.mutate(operation.retry(ctx, None)?, work).await?;
        Ok(RestorePatientPayload { patient })
    }
}
