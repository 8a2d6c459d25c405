//! Former names, other phones, language and identifiers of other systems, in the API.

use crate::error::{Code, Flaw};
use crate::operation::{Inputs, patched};
use crate::patient::{ExternalIdentifier, OtherPhone, PatientDetails, PersonName};
use async_graphql::{InputObject, MaybeUndefined, Object};
use std::collections::HashSet;

/// The most former names, other phones and identifiers of a patient.
const MOST: usize = 20;

/// A phone beside the first one.
#[Object]
impl OtherPhone {
    /// E.164 number.
    async fn number(&self) -> &str {
        &self.number
    }
    /// Whose or where, such as `work`.
    async fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }
}

/// What another system calls a patient.
#[Object]
impl ExternalIdentifier {
    /// The system: a URI or a name that the clinic gives it.
    async fn system(&self) -> &str {
        &self.system
    }
    /// The patient's identifier in it.
    async fn value(&self) -> &str {
        &self.value
    }
}

/// A name as on the identity document.
#[derive(InputObject)]
pub struct PersonNameInput {
    /// Given name.
    given: String,
    /// Middle names.
    middle: Option<String>,
    /// Family name; leave it out for somebody with one name.
    family: Option<String>,
}

impl PersonNameInput {
    pub(super) fn read(&self, inputs: &mut Inputs, path: &str) -> PersonName {
        PersonName {
            given: inputs.text(&format!("{path}.given"), &self.given, 100),
            middle: inputs.opt_text(&format!("{path}.middle"), self.middle.as_deref(), 100),
            // An empty text is no way to say that there is none: it is what a form sends that somebody left.
            family: self.family.as_deref().map(|family| inputs.text(&format!("{path}.family"), family, 100)),
        }
    }
}

/// A phone beside the first one.
#[derive(InputObject)]
pub struct OtherPhoneInput {
    /// Phone number, as people write it; kept in E.164.
    pub(super) number: String,
    /// Whose or where, such as `work`, at most 60 characters.
    label: Option<String>,
}

/// What another system calls a patient.
#[derive(InputObject, Clone)]
pub struct ExternalIdentifierInput {
    /// The system: a URI or a name that the clinic gives it, at most 200 characters.
    pub(super) system: String,
    /// The patient's identifier in it, at most 200 characters.
    pub(super) value: String,
}

impl ExternalIdentifierInput {
    pub(super) fn read(&self, inputs: &mut Inputs, path: &str) -> ExternalIdentifier {
        ExternalIdentifier {
            system: inputs.text(&format!("{path}.system"), &self.system, 200),
            value: inputs.text(&format!("{path}.value"), &self.value, 200),
        }
    }
}

/// What an input says of it; what it leaves out stays as it is.
pub(super) struct DetailsInput {
    pub(super) former_names: Option<Vec<PersonNameInput>>,
    pub(super) other_phones: Option<Vec<OtherPhoneInput>>,
    pub(super) language: MaybeUndefined<String>,
    pub(super) needs_interpreter: MaybeUndefined<bool>,
    pub(super) identifiers: Option<Vec<ExternalIdentifierInput>>,
}

/// The same, checked.
pub(super) struct ReadDetails {
    former_names: Option<Vec<PersonName>>,
    other_phones: Option<Vec<OtherPhone>>,
    language: MaybeUndefined<String>,
    needs_interpreter: MaybeUndefined<bool>,
    identifiers: Option<Vec<ExternalIdentifier>>,
}

/// Reads each of a list; a longer one is a fault.
fn each<I, T>(
    inputs: &mut Inputs,
    path: &str,
    list: Option<Vec<I>>,
    read: impl Fn(&I, &mut Inputs, &str) -> T,
) -> Option<Vec<T>> {
    let list = list?;
    if list.len() > MOST {
        inputs.fault(path, Flaw::too_many(list.len(), MOST, "entries"));
    }
    Some(list.iter().take(MOST).enumerate().map(|(i, it)| read(it, inputs, &format!("{path}.{i}"))).collect())
}

impl DetailsInput {
    pub(super) fn read(self, inputs: &mut Inputs, prefix: &str) -> ReadDetails {
        let path = |name: &str| format!("{prefix}{name}");
        let phone = |it: &OtherPhoneInput, inputs: &mut Inputs, path: &str| {
            let at = format!("{path}.number");
            let number = inputs.phone(&at, Some(&it.number)).unwrap_or_else(|| {
                inputs.fault(&at, Flaw::empty());
                String::new()
            });
            OtherPhone { number, label: inputs.opt_text(&format!("{path}.label"), it.label.as_deref(), 60) }
        };
        let former_names = each(inputs, &path("formerNames"), self.former_names, |it, inputs, at| it.read(inputs, at));
        let other_phones = each(inputs, &path("otherPhones"), self.other_phones, phone);
        let identifiers = each(inputs, &path("identifiers"), self.identifiers, |it, inputs, at| it.read(inputs, at));
        let mut seen = HashSet::new();
        for (i, it) in identifiers.iter().flatten().enumerate() {
            if !seen.insert(it) {
                inputs.fault(&path(&format!("identifiers.{i}")), Code::Duplicate.says("is there twice: send it once"));
            }
        }
        let language =
            inputs.patch(&path("language"), self.language, |inputs, path, tag| inputs.language(path, Some(&tag)));
        ReadDetails { former_names, other_phones, language, needs_interpreter: self.needs_interpreter, identifiers }
    }
}

impl ReadDetails {
    /// The details after a change.
    pub(super) fn apply(self, before: &PatientDetails) -> PatientDetails {
        PatientDetails {
            former_names: self.former_names.unwrap_or_else(|| before.former_names.clone()),
            other_phones: self.other_phones.unwrap_or_else(|| before.other_phones.clone()),
            language: patched(self.language, before.language.clone()),
            needs_interpreter: patched(self.needs_interpreter, before.needs_interpreter),
            identifiers: self.identifiers.unwrap_or_else(|| before.identifiers.clone()),
        }
    }
}
