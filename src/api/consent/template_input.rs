//! What the mutations of texts take, and what makes a text that can be kept.

use crate::consent::{ConsentKind, ConsentTemplate, ConsentTemplateVersion, ConsentTemplateVersionStatus, hash_of};
use crate::error::{self, Code};
use crate::ids;
use crate::operation::{Inputs, is_language_tag};
use crate::record::Stamp;
use crate::vocabulary::{Modality, RecordKind};
use async_graphql::{ID, InputObject, MaybeUndefined};

/// The maximum length of a text, in characters.
pub(super) const LONGEST_TEXT: usize = 50_000;
/// The longest validity of a consent, in days: a hundred years.
const LONGEST_DAYS: i32 = 36_500;

/// Creates a text that patients agree to, with a first draft of its wording.
#[derive(InputObject)]
pub struct CreateConsentTemplateInput {
    /// An id made by the client, which makes a retry safe: `consent_template_` and a UUIDv7 in 26 characters (see
    /// `Node.id`). Absent: the service makes one.
    pub(super) id: Option<ID>,
    /// Name, unique in the organisation, at most 200 characters.
    pub(super) name: String,
    /// What the consent is for: a treatment, photos or data.
    pub(super) kind: ConsentKind,
    /// The wording, in plain text or Markdown, at most 50,000 characters. White space around it is removed.
    pub(super) text: String,
    /// BCP 47 tag of its language, such as `en` or `es-MX`.
    pub(super) language: String,
    /// The treatments it covers, without repeats; all when empty. Only for TREATMENT.
    #[graphql(default)]
    pub(super) modalities: Vec<Modality>,
    /// How many days a consent to it is valid, 1 to 36,500; no limit when absent.
    pub(super) valid_days: Option<i32>,
}

/// Starts a new version of a text as a draft with the wording of the newest version.
#[derive(InputObject)]
pub struct DraftConsentTemplateVersionInput {
    /// An id made by the client, which makes a retry safe: `consent_version_` and a UUIDv7 in 26 characters (see `Node.id`).
    /// Absent: the service makes one.
    pub(super) id: Option<ID>,
    /// `consent_template_…`
    pub(super) template_id: ID,
}

/// Changes to a draft of a text. An absent field stays as it is; null clears it.
#[derive(InputObject)]
pub struct ConsentTemplateVersionPatch {
    /// The wording, in plain text or Markdown, at most 50,000 characters. White space around it is removed.
    pub(super) text: Option<String>,
    /// BCP 47 tag of its language, such as `en` or `es-MX`.
    pub(super) language: Option<String>,
    /// The treatments it covers, without repeats; all when empty. Only for TREATMENT.
    pub(super) modalities: Option<Vec<Modality>>,
    /// How many days a consent to it is valid, 1 to 36,500.
    pub(super) valid_days: MaybeUndefined<i32>,
}

/// Changes a draft of a text.
#[derive(InputObject)]
pub struct UpdateConsentTemplateVersionInput {
    /// `consent_version_…`
    pub(super) id: ID,
    /// The version of the record that you read.
    pub(super) expected_version: i32,
    /// The fields to change.
    pub(super) patch: ConsentTemplateVersionPatch,
}

/// Publishes a draft of a text.
#[derive(InputObject)]
pub struct PublishConsentTemplateVersionInput {
    /// `consent_version_…`
    pub(super) id: ID,
    /// The version of the record that you read.
    pub(super) expected_version: i32,
}

/// Takes a text out of use.
#[derive(InputObject)]
pub struct RetireConsentTemplateInput {
    /// `consent_template_…`
    pub(super) id: ID,
    /// The version of the record that you read.
    pub(super) expected_version: i32,
}

/// Checks the content of a version; faults are noted under a path.
pub(super) fn check(inputs: &mut Inputs, prefix: &str, kind: ConsentKind, version: &ConsentTemplateVersion) {
    if !is_language_tag(&version.language) {
        inputs.fault(
            &format!("{prefix}language"),
            Code::NotALanguage.says("must be a BCP 47 language tag, such as en or es-MX"),
        );
    }
    let mut once = version.modalities.clone();
    once.sort_unstable();
    once.dedup();
    if once.len() < version.modalities.len() {
        inputs.fault(&format!("{prefix}modalities"), Code::Duplicate.says("names a treatment more than once"));
    }
    if kind != ConsentKind::Treatment && !once.is_empty() {
        inputs.fault(
            &format!("{prefix}modalities"),
            Code::NotApplicable.says("may only be sent with kind TREATMENT: leave it empty"),
        );
    }
    inputs.range(&format!("{prefix}validDays"), version.valid_days, 1, LONGEST_DAYS);
}

impl CreateConsentTemplateInput {
    pub(super) fn read(self) -> error::Result<(ConsentTemplate, ConsentTemplateVersion)> {
        let mut inputs = Inputs::new();
        let stamp = Stamp::new(None, ids::now());
        let template = ConsentTemplate {
            id: inputs.new_id(RecordKind::ConsentTemplate, self.id.as_ref()),
            name: inputs.text("name", &self.name, 200),
            kind: self.kind,
            active: true,
            stamp: stamp.clone(),
        };
        let text = inputs.text("text", &self.text, LONGEST_TEXT);
        let version = ConsentTemplateVersion {
            id: ids::new_id(),
            template_id: template.id,
            number: 1,
            status: ConsentTemplateVersionStatus::Draft,
            text_hash: hash_of(text.as_bytes()),
            text,
            language: self.language.trim().to_owned(),
            modalities: self.modalities,
            valid_days: self.valid_days,
            published_at: None,
            published_by: None,
            stamp,
        };
        check(&mut inputs, "", template.kind, &version);
        inputs.finish()?;
        Ok((template, version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_told_by_their_tags() {
        for (tag, right) in [
            ("en", true),
            ("es-MX", true),
            ("zh-Hans-CN", true),
            ("de-1996", true),
            ("", false),
            ("e", false),
            ("en_US", false),
            ("en-", false),
            ("12", false),
            ("English please", false),
        ] {
            assert_eq!(is_language_tag(tag), right, "{tag}");
        }
    }
}
