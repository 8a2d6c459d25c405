//! Proposing, signing, rejecting and withdrawing consents.

use super::ConsentPayload;
use super::signature::{ConsentSigningInput, Signing, signed};
use crate::access::Scope;
use crate::consent::{
    Consent, ConsentStatus, ConsentStep, ConsentTemplate, ConsentTemplateVersion, ConsentTemplateVersionStatus, store,
};
use crate::error::{self, Code, Error, Flaw};
use crate::ids;
use crate::operation::{Inputs, Running, transaction};
use crate::page::listing;
use crate::patient::{Patient, store as patients};
use crate::record::Stamp;
use crate::scalars::DateTime;
use crate::vocabulary::{Action, RecordKind};
use async_graphql::{Context, ID, InputObject, Object, Result};
use chrono::Utc;
use uuid::Uuid;

/// Proposes a text to a patient.
#[derive(InputObject)]
pub struct ProposeConsentInput {
    /// An id made by the client, which makes a retry safe: `consent_` and a UUIDv7 in 26 characters (see `Node.id`). Absent:
    /// the service makes one.
    id: Option<ID>,
    /// `patient_…`
    patient_id: ID,
    /// `consent_version_…`, a PUBLISHED one.
    template_version_id: ID,
    /// Remarks, at most 2,000 characters.
    note: Option<String>,
}

/// Signs a proposed consent.
#[derive(InputObject)]
pub struct GiveConsentInput {
    /// `consent_…`, a PROPOSED one.
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// The signature.
    signing: ConsentSigningInput,
}

/// Records a consent signed on the spot, without proposing it first.
#[derive(InputObject)]
pub struct RecordConsentInput {
    /// An id made by the client, which makes a retry safe: `consent_` and a UUIDv7 in 26 characters (see `Node.id`). Absent:
    /// the service makes one.
    id: Option<ID>,
    /// `patient_…`
    patient_id: ID,
    /// `consent_version_…`, a PUBLISHED one.
    template_version_id: ID,
    /// The signature.
    signing: ConsentSigningInput,
    /// Remarks, at most 2,000 characters.
    note: Option<String>,
}

/// Records that the patient refused a proposed consent.
#[derive(InputObject)]
pub struct RejectConsentInput {
    /// `consent_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// The reason, at most 2,000 characters.
    reason: String,
}

/// Records that the patient withdrew a consent.
#[derive(InputObject)]
pub struct WithdrawConsentInput {
    /// `consent_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// The reason, at most 2,000 characters.
    reason: String,
    /// When it was withdrawn, not before it was given and not in the future; now when absent.
    at: Option<DateTime>,
}

/// Marks a consent as entered in error.
#[derive(InputObject)]
pub struct MarkConsentEnteredInErrorInput {
    /// `consent_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// What was wrong, at most 2,000 characters.
    reason: String,
}

/// A published version of a text that is in use, for a consent to it.
async fn published(scope: &mut Scope, id: Uuid) -> error::Result<(ConsentTemplateVersion, ConsentTemplate)> {
    let path = "input.templateVersionId";
    let found = listing::by_ids::<ConsentTemplateVersion>(scope, &[id]).await?.into_iter().next();
    let Some(version) = found else {
        return Err(Error::input(path, Flaw::not_found("version of a consent template of this organisation")));
    };
    match version.status {
        ConsentTemplateVersionStatus::Published => {}
        ConsentTemplateVersionStatus::Draft => {
            return Err(Error::input(
                path,
                Code::WrongState.says("is a draft: publish it first (publishConsentTemplateVersion)"),
            ));
        }
        ConsentTemplateVersionStatus::Retired => {
            return Err(Error::input(path, Code::Inactive.says("is retired: use the template's publishedVersion")));
        }
    }
    let template: ConsentTemplate = listing::one(scope, version.template_id).await?;
    if !template.active {
        return Err(Error::input(path, Code::Inactive.says("is of a consent template that is out of use")));
    }
    Ok((version, template))
}

/// A new proposal.
struct NewConsent {
    id: Uuid,
    patient: Uuid,
    version: Uuid,
    note: Option<String>,
}

impl NewConsent {
    /// The consent as a proposal tied to its text, with its patient and the text.
    async fn proposed(self, scope: &mut Scope) -> error::Result<(Consent, Patient, ConsentTemplateVersion)> {
        scope.viewer().check(Action::Create, RecordKind::Consent)?;
        let patient = patients::active_patient(scope, self.patient, "input.patientId").await?;
        let (version, template) = published(scope, self.version).await?;
        let consent = Consent {
            id: self.id,
            patient_id: patient.id,
            template_version_id: version.id,
            kind: template.kind,
            modalities: version.modalities.clone(),
            text_hash: version.text_hash.clone(),
            status: ConsentStatus::Proposed,
            given: None,
            expires_at: None,
            ended_at: None,
            ended_reason: None,
            note: self.note,
            stamp: Stamp::new(scope.viewer().staff, ids::now()),
        };
        Ok((consent, patient, version))
    }
}

async fn propose(scope: &mut Scope, new: NewConsent) -> error::Result<Consent> {
    let (consent, ..) = new.proposed(scope).await?;
    store::add(scope, &consent, None).await?;
    Ok(consent)
}

async fn record(scope: &mut Scope, new: NewConsent, signing: Signing) -> error::Result<Consent> {
    let (consent, patient, version) = new.proposed(scope).await?;
    let consent = signed(scope, consent, &patient, &version, &signing).await?;
    store::add(scope, &consent, signing.image.as_ref()).await?;
    Ok(consent)
}

/// The consent that a step applies to, and its status after the step.
async fn stepping(
    scope: &mut Scope,
    id: Uuid,
    expected: i32,
    step: ConsentStep,
) -> error::Result<(Consent, ConsentStatus)> {
    scope.viewer().check(Action::Update, RecordKind::Consent)?;
    let consent: Consent = listing::one(scope, id).await?;
    error::at_version("consent", consent.stamp.version, expected)?;
    let status = consent.status.after(step).map_err(|why| Error::input("input.id", Code::WrongState.says(why)))?;
    Ok((consent, status))
}

async fn give(scope: &mut Scope, id: Uuid, expected: i32, signing: Signing) -> error::Result<Consent> {
    let (before, _) = stepping(scope, id, expected, ConsentStep::Give).await?;
    let patient = patients::active_patient(scope, before.patient_id, "input.id").await?;
    let version: ConsentTemplateVersion = listing::one(scope, before.template_version_id).await?;
    let stamp = before.stamp.changed(scope.viewer().staff, ids::now());
    let after = Consent { stamp, ..signed(scope, before, &patient, &version, &signing).await? };
    store::save(scope, &after, expected, signing.image.as_ref()).await?;
    Ok(after)
}

/// The end of a consent: how, why and when.
struct Ending {
    step: ConsentStep,
    reason: String,
    at: Option<chrono::DateTime<Utc>>,
}

async fn end(scope: &mut Scope, id: Uuid, expected: i32, ending: Ending) -> error::Result<Consent> {
    let (before, status) = stepping(scope, id, expected, ending.step).await?;
    let given = before.given.as_ref().map(|given| given.at);
    let now = ids::now();
    if ending.at.zip(given).is_some_and(|(end, given)| end < given) {
        return Err(Error::input("input.at", Code::WrongOrder.says("is before the consent was given")));
    }
    let after = Consent {
        status,
        // A consent may be given minutes ahead of our clock; one that ends now must not end before it was given.
        ended_at: Some(ending.at.unwrap_or_else(|| given.map_or(now, |given| now.max(given)))),
        ended_reason: Some(ending.reason),
        stamp: before.stamp.changed(scope.viewer().staff, now),
        ..before
    };
    store::save(scope, &after, expected, None).await?;
    Ok(after)
}

/// Reads the end of a consent.
fn read_ending(id: &ID, step: ConsentStep, reason: &str, at: Option<DateTime>) -> error::Result<(Uuid, Ending)> {
    let mut inputs = Inputs::new();
    let id = inputs.id("id", RecordKind::Consent, id);
    let reason = inputs.text("reason", reason, 2000);
    let at = at.map(|at| inputs.past_time("at", at.0));
    inputs.finish()?;
    Ok((id, Ending { step, reason, at }))
}

/// The mutations of consents.
#[derive(Default)]
pub struct ConsentMutation;

#[Object]
impl ConsentMutation {
    /// Proposes a published text to a patient. The result is a PROPOSED consent, tied to that version and its hash.
    async fn propose_consent(&self, ctx: &Context<'_>, input: ProposeConsentInput) -> Result<ConsentPayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let mut inputs = Inputs::new();
        let new = NewConsent {
            id: inputs.new_id(RecordKind::Consent, input.id.as_ref()),
            patient: inputs.id("patientId", RecordKind::Patient, &input.patient_id),
            version: inputs.id("templateVersionId", RecordKind::ConsentTemplateVersion, &input.template_version_id),
            note: inputs.opt_text("note", input.note.as_deref(), 2000),
        };
        inputs.finish()?;
        let work = transaction(move |scope| Box::pin(propose(scope, new)));
        Ok(ConsentPayload { consent: operation.mutate(retry, work).await? })
    }

    /// Signs a proposed consent. It is then ACTIVE until it expires or is withdrawn.
    async fn give_consent(&self, ctx: &Context<'_>, input: GiveConsentInput) -> Result<ConsentPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::Consent, &input.id);
        let signing = input.signing.read(&mut inputs);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(give(scope, id, input.expected_version, signing)));
        Ok(ConsentPayload { consent: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Records a consent signed on the spot: `proposeConsent` and `giveConsent` in one step.
    async fn record_consent(&self, ctx: &Context<'_>, input: RecordConsentInput) -> Result<ConsentPayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let mut inputs = Inputs::new();
        let new = NewConsent {
            id: inputs.new_id(RecordKind::Consent, input.id.as_ref()),
            patient: inputs.id("patientId", RecordKind::Patient, &input.patient_id),
            version: inputs.id("templateVersionId", RecordKind::ConsentTemplateVersion, &input.template_version_id),
            note: inputs.opt_text("note", input.note.as_deref(), 2000),
        };
        let signing = input.signing.read(&mut inputs);
        inputs.finish()?;
        let work = transaction(move |scope| Box::pin(record(scope, new, signing)));
        Ok(ConsentPayload { consent: operation.mutate(retry, work).await? })
    }

    /// Records that the patient refused a proposed consent.
    async fn reject_consent(&self, ctx: &Context<'_>, input: RejectConsentInput) -> Result<ConsentPayload> {
        let (id, ending) = read_ending(&input.id, ConsentStep::Reject, &input.reason, None)?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(end(scope, id, input.expected_version, ending)));
        Ok(ConsentPayload { consent: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Records that the patient withdrew a consent. It was in force until then.
    async fn withdraw_consent(&self, ctx: &Context<'_>, input: WithdrawConsentInput) -> Result<ConsentPayload> {
        let (id, ending) = read_ending(&input.id, ConsentStep::Withdraw, &input.reason, input.at)?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(end(scope, id, input.expected_version, ending)));
        Ok(ConsentPayload { consent: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Marks a consent as entered in error: it is kept, but has no effect.
    async fn mark_consent_entered_in_error(
        &self,
        ctx: &Context<'_>,
        input: MarkConsentEnteredInErrorInput,
    ) -> Result<ConsentPayload> {
        let (id, ending) = read_ending(&input.id, ConsentStep::EnterInError, &input.reason, None)?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(end(scope, id, input.expected_version, ending)));
        Ok(ConsentPayload { consent: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }
}
