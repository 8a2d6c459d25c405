//! Writing, publishing and retiring the texts that patients agree to.

use super::template_input::{
    ConsentTemplateVersionPatch, CreateConsentTemplateInput, DraftConsentTemplateVersionInput, LONGEST_TEXT,
    PublishConsentTemplateVersionInput, RetireConsentTemplateInput, UpdateConsentTemplateVersionInput, check,
};
use super::{ConsentTemplatePayload, ConsentTemplateVersionPayload};
use crate::access::Scope;
use crate::consent::{ConsentTemplate, ConsentTemplateVersion, ConsentTemplateVersionStatus, hash_of, store};
use crate::error::{self, Code, Error, Flaw};
use crate::ids;
use crate::operation::{Inputs, Running, patched, transaction};
use crate::page::{kept, listing};
use crate::record::Stamp;
use crate::vocabulary::{Action, RecordKind};
use async_graphql::{Context, ID, Object, Result};
use uuid::Uuid;

async fn create(
    scope: &mut Scope,
    (mut template, mut version): (ConsentTemplate, ConsentTemplateVersion),
) -> error::Result<ConsentTemplate> {
    scope.viewer().check(Action::Create, RecordKind::ConsentTemplate)?;
    let stamp = Stamp::new(scope.viewer().staff, ids::now());
    (template.stamp, version.stamp) = (stamp.clone(), stamp);
    store::add_template(scope, &template, &version).await.map_err(|error| match error {
        Error::Conflict { current_version: None, .. } => {
            Error::input("input.name", Code::Taken.says("is the name of a text already"))
        }
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
    if template.active {
        Ok(())
    } else {
        Err(Error::input(path, Code::Inactive.says("is of a text that is out of use")))
    }
}

async fn start_draft(scope: &mut Scope, id: Uuid, template: Uuid) -> error::Result<ConsentTemplateVersion> {
    scope.viewer().check(Action::Create, RecordKind::ConsentTemplateVersion)?;
    let found = listing::by_ids::<ConsentTemplate>(scope, &[template]).await?.into_iter().next();
    let Some(template) = found else {
        return Err(Error::input("input.templateId", Flaw::not_found("consent template of this organisation")));
    };
    in_use(&template, "input.templateId")?;
    let versions = versions_of(scope, template.id).await?;
    if versions.iter().any(|version| version.status == ConsentTemplateVersionStatus::Draft) {
        let message = "has a draft already: change that one (updateConsentTemplateVersion)";
        return Err(Error::input("input.templateId", Code::Done.says(message)));
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
    kept::add(scope, &version).await?;
    Ok(version)
}

/// The draft to be changed, with its text.
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
        return Err(Error::input("input.id", Code::WrongState.says(message)));
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
    kept::save(scope, Action::Update, &after, expected).await?;
    Ok(after)
}

/// Publishes a draft, after retiring the version published before.
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
        kept::save(scope, Action::Update, &retired, expected).await?;
    }
    let after = ConsentTemplateVersion {
        status: ConsentTemplateVersionStatus::Published,
        published_at: Some(now),
        published_by: by,
        stamp: before.stamp.changed(by, now),
        ..before
    };
    kept::save(scope, Action::Publish, &after, expected).await?;
    Ok(after)
}

async fn retire(scope: &mut Scope, id: Uuid, expected: i32) -> error::Result<ConsentTemplate> {
    scope.viewer().check(Action::Update, RecordKind::ConsentTemplate)?;
    let before: ConsentTemplate = listing::one(scope, id).await?;
    error::at_version("consent template", before.stamp.version, expected)?;
    if !before.active {
        return Err(Error::input("input.id", Code::Done.says("is out of use already")));
    }
    let stamp = before.stamp.changed(scope.viewer().staff, ids::now());
    let after = ConsentTemplate { active: false, stamp, ..before };
    kept::save(scope, Action::Update, &after, expected).await?;
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
    /// Creates a text that patients agree to, with its first version as a draft.
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

    /// Starts a new version of a text as a draft with the wording of the newest version. A text has at most one draft.
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

    /// Changes a draft of a text. A published version takes no changes: draft a new one.
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

    /// Publishes a draft of a text. From now on patients are asked to agree to it. The version published before becomes
    /// RETIRED; consents to it stay valid.
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

    /// Takes a text out of use. No patient is asked to agree to it any more; existing consents to it stay as they are.
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
