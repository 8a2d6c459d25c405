//! Writing, publishing and retiring the texts that patients agree to.

use super::{ConsentTemplatePayload, ConsentTemplateVersionPayload};
use crate::access::Scope;
use crate::consent::{
    ConsentKind, ConsentTemplate, ConsentTemplateVersion, ConsentTemplateVersionStatus, hash_of, store,
};
use crate::error::{self, Error};
use crate::ids;
use crate::operation::{Inputs, Running, patched, transaction};
use crate::page::listing;
use crate::record::Stamp;
use crate::vocabulary::{Action, Modality, RecordKind};
use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result};
use uuid::Uuid;

/// The most characters of a text.
const LONGEST_TEXT: usize = 50_000;
/// The longest a consent may hold, days: a hundred years.
const LONGEST_DAYS: i32 = 36_500;

/// Makes a text that patients agree to, with a first draft of what it says.
#[derive(InputObject)]
pub struct CreateConsentTemplateInput {
    /// An id the client made (`consent_template_…` of a UUIDv7): makes a retry safe.
    id: Option<ID>,
    /// Name, unique in the organisation, at most 200 characters.
    name: String,
    /// What it is about.
    kind: ConsentKind,
    /// What it says, plain text or Markdown, at most 50,000 characters. Space around it is cut.
    text: String,
    /// BCP 47 tag of its language, such as `en` or `es-MX`.
    language: String,
    /// The treatments it covers, each once; all when empty. For TREATMENT only.
    #[graphql(default)]
    modalities: Vec<Modality>,
    /// How long a consent to it holds, days, 1 to 36,500; for ever when absent.
    valid_days: Option<i32>,
}

/// Starts a new version of a text, as a draft that says what the newest version says.
#[derive(InputObject)]
pub struct DraftConsentTemplateVersionInput {
    /// An id the client made (`consent_version_…` of a UUIDv7): makes a retry safe.
    id: Option<ID>,
    /// `consent_template_…`
    template_id: ID,
}

/// Changes to a draft of a text. An absent field stays, null clears.
#[derive(InputObject)]
pub struct ConsentTemplateVersionPatch {
    /// What it says, plain text or Markdown, at most 50,000 characters. Space around it is cut.
    text: Option<String>,
    /// BCP 47 tag of its language, such as `en` or `es-MX`.
    language: Option<String>,
    /// The treatments it covers, each once; all when empty. For TREATMENT only.
    modalities: Option<Vec<Modality>>,
    /// How long a consent to it holds, days, 1 to 36,500.
    valid_days: MaybeUndefined<i32>,
}

/// Changes a draft of a text.
#[derive(InputObject)]
pub struct UpdateConsentTemplateVersionInput {
    /// `consent_version_…`
    id: ID,
    /// The version of the row that was read.
    expected_version: i32,
    /// The changes.
    patch: ConsentTemplateVersionPatch,
}

/// Publishes a draft of a text.
#[derive(InputObject)]
pub struct PublishConsentTemplateVersionInput {
    /// `consent_version_…`
    id: ID,
    /// The version of the row that was read.
    expected_version: i32,
}

/// Takes a text out of use.
#[derive(InputObject)]
pub struct RetireConsentTemplateInput {
    /// `consent_template_…`
    id: ID,
    /// The version that was read.
    expected_version: i32,
}

/// The shape of a BCP 47 tag: a language of 2 to 8 letters, then parts of 1 to 8 letters and digits.
fn is_language_tag(text: &str) -> bool {
    let mut parts = text.split('-');
    let language = parts.next().unwrap_or_default();
    text.len() <= 35
        && (2..=8).contains(&language.len())
        && language.bytes().all(|letter| letter.is_ascii_alphabetic())
        && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|letter| letter.is_ascii_alphanumeric()))
}

/// Checks what a version says, under a path.
fn check(inputs: &mut Inputs, prefix: &str, kind: ConsentKind, version: &ConsentTemplateVersion) {
    if !is_language_tag(&version.language) {
        inputs.fault(&format!("{prefix}language"), "must be a BCP 47 language tag, such as en or es-MX");
    }
    let mut once = version.modalities.clone();
    once.sort_unstable();
    once.dedup();
    if once.len() < version.modalities.len() {
        inputs.fault(&format!("{prefix}modalities"), "names a treatment twice");
    }
    if kind != ConsentKind::Treatment && !once.is_empty() {
        inputs.fault(&format!("{prefix}modalities"), "goes with kind TREATMENT only: leave it empty");
    }
    inputs.range(&format!("{prefix}validDays"), version.valid_days, 1, LONGEST_DAYS);
}

impl CreateConsentTemplateInput {
    fn read(self) -> error::Result<(ConsentTemplate, ConsentTemplateVersion)> {
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

async fn create(
    scope: &mut Scope,
    (mut template, mut version): (ConsentTemplate, ConsentTemplateVersion),
) -> error::Result<ConsentTemplate> {
    scope.viewer().check(Action::Create, RecordKind::ConsentTemplate)?;
    let stamp = Stamp::new(scope.viewer().staff, ids::now());
    (template.stamp, version.stamp) = (stamp.clone(), stamp);
    store::add_template(scope, &template, &version).await.map_err(|error| match error {
        Error::Conflict { current_version: None, .. } => Error::input("input.name", "is the name of a text already"),
        other => other,
    })?;
    Ok(template)
}

/// The versions of a text, newest first.
async fn versions_of(scope: &mut Scope, template: Uuid) -> error::Result<Vec<ConsentTemplateVersion>> {
    let mut versions = listing::all_under::<ConsentTemplateVersion>(scope, "template_id", &[template]).await?;
    versions.sort_by_key(|version| std::cmp::Reverse(version.number));
    Ok(versions)
}

fn in_use(template: &ConsentTemplate, path: &str) -> error::Result<()> {
    if template.active { Ok(()) } else { Err(Error::input(path, "is of a text that is out of use")) }
}

async fn start_draft(scope: &mut Scope, id: Uuid, template: Uuid) -> error::Result<ConsentTemplateVersion> {
    scope.viewer().check(Action::Create, RecordKind::ConsentTemplateVersion)?;
    let found = listing::by_ids::<ConsentTemplate>(scope, &[template]).await?.into_iter().next();
    let Some(template) = found else {
        return Err(Error::input("input.templateId", "is not a consent template of this organisation"));
    };
    in_use(&template, "input.templateId")?;
    let versions = versions_of(scope, template.id).await?;
    if versions.iter().any(|version| version.status == ConsentTemplateVersionStatus::Draft) {
        let message = "has a draft already: change that one (updateConsentTemplateVersion)";
        return Err(Error::input("input.templateId", message));
    }
    let Some(newest) = versions.into_iter().next() else {
        return Err(Error::Internal("a consent template without a version".to_owned()));
    };
    let version = ConsentTemplateVersion {
        id,
        number: newest.number + 1,
        status: ConsentTemplateVersionStatus::Draft,
        published_at: None,
        published_by: None,
        stamp: Stamp::new(scope.viewer().staff, ids::now()),
        ..newest
    };
    store::versions::add(scope, &version).await?;
    Ok(version)
}

/// The draft that a change was made for, with its text.
async fn draft(
    scope: &mut Scope,
    action: Action,
    id: Uuid,
    expected: i32,
) -> error::Result<(ConsentTemplateVersion, ConsentTemplate)> {
    scope.viewer().check(action, RecordKind::ConsentTemplateVersion)?;
    let version: ConsentTemplateVersion = listing::one(scope, id).await?;
    error::at_version("consent template version", version.stamp.version, expected)?;
    if version.status != ConsentTemplateVersionStatus::Draft {
        let status = version.status.words();
        let message = format!("is {status} and takes no change: draft a new version (draftConsentTemplateVersion)");
        return Err(Error::input("input.id", message));
    }
    let template = listing::one(scope, version.template_id).await?;
    Ok((version, template))
}

async fn change(
    scope: &mut Scope,
    id: Uuid,
    expected: i32,
    patch: ConsentTemplateVersionPatch,
) -> error::Result<ConsentTemplateVersion> {
    let (before, template) = draft(scope, Action::Update, id, expected).await?;
    let mut inputs = Inputs::new();
    let text = patch.text.map_or(before.text, |text| inputs.text("patch.text", &text, LONGEST_TEXT));
    let after = ConsentTemplateVersion {
        text_hash: hash_of(text.as_bytes()),
        text,
        language: patch.language.map_or(before.language, |language| language.trim().to_owned()),
        modalities: patch.modalities.unwrap_or(before.modalities),
        valid_days: patched(patch.valid_days, before.valid_days),
        stamp: before.stamp.changed(scope.viewer().staff, ids::now()),
        ..before
    };
    check(&mut inputs, "patch.", template.kind, &after);
    inputs.finish()?;
    store::versions::save(scope, Action::Update, &after, expected).await?;
    Ok(after)
}

/// Publishes a draft; the version that was published until now is retired first.
async fn publish(scope: &mut Scope, id: Uuid, expected: i32) -> error::Result<ConsentTemplateVersion> {
    let (before, template) = draft(scope, Action::Publish, id, expected).await?;
    in_use(&template, "input.id")?;
    let (by, now) = (scope.viewer().staff, ids::now());
    let earlier = versions_of(scope, template.id).await?.into_iter();
    for earlier in earlier.filter(|version| version.status == ConsentTemplateVersionStatus::Published) {
        let expected = earlier.stamp.version;
        let retired = ConsentTemplateVersion {
            status: ConsentTemplateVersionStatus::Retired,
            stamp: earlier.stamp.changed(by, now),
            ..earlier
        };
        store::versions::save(scope, Action::Update, &retired, expected).await?;
    }
    let after = ConsentTemplateVersion {
        status: ConsentTemplateVersionStatus::Published,
        published_at: Some(now),
        published_by: by,
        stamp: before.stamp.changed(by, now),
        ..before
    };
    store::versions::save(scope, Action::Publish, &after, expected).await?;
    Ok(after)
}

async fn retire(scope: &mut Scope, id: Uuid, expected: i32) -> error::Result<ConsentTemplate> {
    scope.viewer().check(Action::Update, RecordKind::ConsentTemplate)?;
    let before: ConsentTemplate = listing::one(scope, id).await?;
    error::at_version("consent template", before.stamp.version, expected)?;
    if !before.active {
        return Err(Error::input("input.id", "is out of use already"));
    }
    let stamp = before.stamp.changed(scope.viewer().staff, ids::now());
    let after = ConsentTemplate { active: false, stamp, ..before };
    store::templates::save(scope, Action::Update, &after, expected).await?;
    Ok(after)
}

fn read_id(kind: RecordKind, id: &ID) -> error::Result<Uuid> {
    let mut inputs = Inputs::new();
    let id = inputs.id("id", kind, id);
    inputs.finish()?;
    Ok(id)
}

/// The mutations of texts.
#[derive(Default)]
pub struct ConsentTemplateMutation;

#[Object]
impl ConsentTemplateMutation {
    /// Makes a text that patients agree to, with its first version as a draft.
    async fn create_consent_template(
        &self,
        ctx: &Context<'_>,
        input: CreateConsentTemplateInput,
    ) -> Result<ConsentTemplatePayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let new = input.read()?;
        let work = transaction(move |scope| Box::pin(create(scope, new)));
        Ok(ConsentTemplatePayload { consent_template: operation.mutate(retry, work).await? })
    }

    /// Starts a new version of a text, as a draft that says what the newest version says. A text has one draft at most.
    async fn draft_consent_template_version(
        &self,
        ctx: &Context<'_>,
        input: DraftConsentTemplateVersionInput,
    ) -> Result<ConsentTemplateVersionPayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let mut inputs = Inputs::new();
        let id = inputs.new_id(RecordKind::ConsentTemplateVersion, input.id.as_ref());
        let template = inputs.id("templateId", RecordKind::ConsentTemplate, &input.template_id);
        inputs.finish()?;
        let work = transaction(move |scope| Box::pin(start_draft(scope, id, template)));
        Ok(ConsentTemplateVersionPayload { consent_template_version: operation.mutate(retry, work).await? })
    }

    /// Changes a draft of a text. A published version takes no change: draft a new one.
    async fn update_consent_template_version(
        &self,
        ctx: &Context<'_>,
        input: UpdateConsentTemplateVersionInput,
    ) -> Result<ConsentTemplateVersionPayload> {
        let id = read_id(RecordKind::ConsentTemplateVersion, &input.id)?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(change(scope, id, input.expected_version, input.patch)));
        let retry = operation.retry(ctx, None)?;
        Ok(ConsentTemplateVersionPayload { consent_template_version: operation.mutate(retry, work).await? })
    }

    /// Publishes a draft of a text: patients are asked to agree to it from now on. The version that was published until
    /// now is RETIRED; who agreed to it still did.
    async fn publish_consent_template_version(
        &self,
        ctx: &Context<'_>,
        input: PublishConsentTemplateVersionInput,
    ) -> Result<ConsentTemplateVersionPayload> {
        let id = read_id(RecordKind::ConsentTemplateVersion, &input.id)?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(publish(scope, id, input.expected_version)));
        let retry = operation.retry(ctx, None)?;
        Ok(ConsentTemplateVersionPayload { consent_template_version: operation.mutate(retry, work).await? })
    }

    /// Takes a text out of use: nobody is asked to agree to it any more. Consents to it stay as they are.
    async fn retire_consent_template(
        &self,
        ctx: &Context<'_>,
        input: RetireConsentTemplateInput,
    ) -> Result<ConsentTemplatePayload> {
        let id = read_id(RecordKind::ConsentTemplate, &input.id)?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(retire(scope, id, input.expected_version)));
        let retry = operation.retry(ctx, None)?;
        Ok(ConsentTemplatePayload { consent_template: operation.mutate(retry, work).await? })
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
