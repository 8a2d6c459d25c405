//! Consents and their texts in the API: the records, their queries and their links.

pub mod mutation;
pub mod signature;
pub mod template_input;
pub mod template_mutation;

use super::stamp::RecordStamp;
use crate::consent::{
    Consent, ConsentFilter, ConsentKind, ConsentOrder, ConsentSignatureMethod, ConsentSigner, ConsentState,
    ConsentStatus, ConsentTemplate, ConsentTemplateVersion, ConsentTemplateVersionStatus, Given, TemplateFilter,
    TemplateOrder, VersionFilter, VersionOrder, loader,
};
use crate::ids;
use crate::operation::{AtOnce, plain};
use crate::organisation::{Staff, loader as people};
use crate::page::{Connection, Listed, PageArguments, global_id, listing};
use crate::patient::{Patient, loader as patients};
use crate::record::hex;
use crate::scalars::DateTime;
use crate::vocabulary::{Modality, RecordKind};
use async_graphql::{Context, ID, Object, Result, SimpleObject};
use chrono::NaiveDate;

impl Listed for ConsentTemplate {
    const NAME: &'static str = "ConsentTemplate";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}
impl Listed for ConsentTemplateVersion {
    const NAME: &'static str = "ConsentTemplateVersion";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}
impl Listed for Consent {
    const NAME: &'static str = "Consent";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// The version of a text with a status that at most one of its versions has.
async fn version_of(
    ctx: &Context<'_>,
    template: uuid::Uuid,
    status: ConsentTemplateVersionStatus,
) -> Option<Result<ConsentTemplateVersion>> {
    match listing::whole::<ConsentTemplateVersion>(ctx, ("template_id", template)).await {
        Ok(versions) => versions.into_iter().find(|version| version.status == status).map(Ok),
        Err(error) => Some(Err(error)),
    }
}

/// A text that patients agree to. Its wording is in its versions.
#[Object]
impl ConsentTemplate {
    /// Typed id, `consent_template_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::ConsentTemplate, self.id)
    }
    /// Name, unique in the organisation.
    async fn name(&self) -> &str {
        &self.name
    }
    /// What the consent is for: a treatment, photos or data.
    async fn kind(&self) -> ConsentKind {
        self.kind
    }
    /// Whether it is in use. If not, no patient is asked to agree to it any more.
    async fn active(&self) -> bool {
        self.active
    }
    /// The version that patients are asked to agree to now; null before the first is published.
    async fn published_version(&self, ctx: &Context<'_>) -> Option<Result<ConsentTemplateVersion>> {
        version_of(ctx, self.id, ConsentTemplateVersionStatus::Published).await
    }
    /// The version that is being written; null if none is.
    async fn draft_version(&self, ctx: &Context<'_>) -> Option<Result<ConsentTemplateVersion>> {
        version_of(ctx, self.id, ConsentTemplateVersionStatus::Draft).await
    }
    /// All its versions, newest first unless asked otherwise.
    #[allow(clippy::too_many_arguments)]
    async fn versions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<VersionFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<VersionOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Result<Connection<ConsentTemplateVersion>> {
        let condition = filter.unwrap_or_default().read();
        let window = PageArguments { first, after, last, before };
        listing::under(ctx, ("template_id", self.id), condition, order_by, window).await
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

plain!(ConsentTemplate: id, name, kind, active);

/// A version of a text that patients agree to. A published version takes no changes.
#[Object]
impl ConsentTemplateVersion {
    /// Typed id, `consent_version_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::ConsentTemplateVersion, self.id)
    }
    /// The text it is a version of.
    async fn template(&self, ctx: &Context<'_>) -> Result<ConsentTemplate> {
        listing::required(ctx, self.template_id).await
    }
    /// The number of the version: 1 for the first, increased by 1 with each.
    async fn number(&self) -> i32 {
        self.number
    }
    /// How far the version is: DRAFT, PUBLISHED or RETIRED.
    async fn status(&self) -> ConsentTemplateVersionStatus {
        self.status
    }
    /// The wording, in plain text or Markdown.
    async fn text(&self) -> &str {
        &self.text
    }
    /// SHA-256 of the text's UTF-8 bytes, as 64 hexadecimal digits. Send it back with the signature.
    async fn text_hash(&self) -> String {
        hex::text(&self.text_hash)
    }
    /// BCP 47 tag of its language, such as `en` or `es-MX`.
    async fn language(&self) -> &str {
        &self.language
    }
    /// The treatments it covers; all when empty.
    async fn modalities(&self) -> &[Modality] {
        &self.modalities
    }
    /// How many days a consent to it is valid; null for no limit.
    async fn valid_days(&self) -> Option<i32> {
        self.valid_days
    }
    /// When it was published.
    async fn published_at(&self) -> Option<DateTime> {
        self.published_at.map(DateTime)
    }
    /// Who published it; null if the program did it by itself, such as the command line.
    async fn published_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.published_by).await
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

plain!(ConsentTemplateVersion: id, number, status, text, text_hash, language, valid_days, published_at);

/// The signature on a consent.
pub struct ConsentSignature {
    consent: uuid::Uuid,
    given: Given,
}

/// The signature on a consent.
#[Object]
impl ConsentSignature {
    /// When it was signed.
    async fn given_at(&self) -> DateTime {
        DateTime(self.given.at)
    }
    /// Who signed.
    async fn signer(&self) -> ConsentSigner {
        self.given.signer
    }
    /// Their name; for a typed signature, what they typed.
    async fn signer_name(&self) -> &str {
        &self.given.name
    }
    /// The relationship of a guardian to the patient.
    async fn relationship(&self) -> Option<&str> {
        self.given.relationship.as_deref()
    }
    /// How it was signed.
    async fn method(&self) -> ConsentSignatureMethod {
        self.given.method
    }
    /// SHA-256 of the drawn image's bytes, or of the typed name, 64 hexadecimal digits.
    async fn signature_hash(&self) -> String {
        hex::text(&self.given.signature_hash)
    }
    /// The drawn signature as a `data:` URL, PNG or JPEG; null for a typed name. It is looked up only when requested.
    async fn signature_image(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        match self.given.method {
            ConsentSignatureMethod::DrawnImage => loader::signature(ctx, self.consent).await,
            ConsentSignatureMethod::TypedName => None,
        }
    }
    /// The staff member who witnessed the signature.
    async fn witness(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.given.witness_id).await
    }
    /// Another person who witnessed the signature.
    async fn witness_name(&self) -> Option<&str> {
        self.given.witness_name.as_deref()
    }
}

/// A consent of a patient to one version of a text.
#[Object]
impl Consent {
    /// Typed id, `consent_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::Consent, self.id)
    }
    /// The patient whom the record is about.
    async fn patient(&self, ctx: &Context<'_>) -> Result<AtOnce<Patient>> {
        patients::patient_of_record(ctx, self.patient_id).await
    }
    /// The version of the text that was agreed to.
    async fn template_version(&self, ctx: &Context<'_>) -> Result<ConsentTemplateVersion> {
        listing::required(ctx, self.template_version_id).await
    }
    /// What the consent is for: a treatment, photos or data.
    async fn kind(&self) -> ConsentKind {
        self.kind
    }
    /// The treatments it covers; all when empty.
    async fn modalities(&self) -> &[Modality] {
        &self.modalities
    }
    /// SHA-256 of the text, 64 hexadecimal digits.
    async fn text_hash(&self) -> String {
        hex::text(&self.text_hash)
    }
    /// Its status, as in FHIR R4. An ACTIVE consent may have expired: `state` and `inForce` tell.
    async fn status(&self) -> ConsentStatus {
        self.status
    }
    /// Whether the record was marked as entered in error: it never held, and lists leave it out unless
    /// `includeEnteredInError` is true.
    async fn entered_in_error(&self) -> bool {
        self.status == ConsentStatus::EnteredInError
    }
    /// Its state now.
    async fn state(&self, ctx: &Context<'_>) -> Result<ConsentState> {
        Ok(self.state_at(ids::now(), born(ctx, self).await?))
    }
    /// Whether it is in force now. A guardian's is not from the day on which the patient is of age.
    async fn in_force(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.in_force_at(ids::now(), born(ctx, self).await?))
    }
    /// The signature; null before it is signed.
    async fn signature(&self) -> Option<ConsentSignature> {
        self.given.clone().map(|given| ConsentSignature { consent: self.id, given })
    }
    /// When it expires; null for never.
    async fn expires_at(&self) -> Option<DateTime> {
        self.expires_at.map(DateTime)
    }
    /// When it was withdrawn, rejected or found to be an error.
    async fn ended_at(&self) -> Option<DateTime> {
        self.ended_at.map(DateTime)
    }
    /// Why it was withdrawn, rejected or marked as an error.
    async fn ended_reason(&self) -> Option<&str> {
        self.ended_reason.as_deref()
    }
    /// Remarks.
    async fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

plain!(Consent: id, kind, text_hash, status, entered_in_error, expires_at, ended_at, ended_reason, note);

/// The day on which the patient was born, where it matters: a guardian's consent ends with the childhood.
async fn born(ctx: &Context<'_>, consent: &Consent) -> Result<NaiveDate> {
    match &consent.given {
        Some(given) if given.signer == ConsentSigner::Guardian => {
            Ok(listing::required::<Patient>(ctx, consent.patient_id).await?.birth_date)
        }
        _ => Ok(NaiveDate::MIN),
    }
}

/// The queries of this module.
#[derive(Default)]
pub struct ConsentQuery;

#[Object]
impl ConsentQuery {
    /// A text that patients agree to; null with NOT_FOUND if there is none with this id.
    async fn consent_template(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`consent_template_…`")] id: ID,
    ) -> Option<Result<ConsentTemplate>> {
        listing::root_one(ctx, &id).await
    }

    /// Texts that patients agree to, by name unless asked otherwise.
    #[allow(clippy::too_many_arguments)]
    async fn consent_templates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<TemplateFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<TemplateOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<ConsentTemplate>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }

    /// A version of a text; null with NOT_FOUND if there is none with this id.
    async fn consent_template_version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`consent_version_…`")] id: ID,
    ) -> Option<Result<ConsentTemplateVersion>> {
        listing::root_one(ctx, &id).await
    }

    /// Versions of all texts that patients agree to, the highest number first.
    async fn consent_template_versions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<VersionFilter>>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<ConsentTemplateVersion>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, None, PageArguments { first, after, last, before }).await
    }

    /// A consent; null with NOT_FOUND if there is none with this id.
    async fn consent(&self, ctx: &Context<'_>, #[graphql(desc = "`consent_…`")] id: ID) -> Option<Result<Consent>> {
        listing::root_one(ctx, &id).await
    }

    /// Consents, newest first unless asked otherwise. Null with FORBIDDEN for roles that see no clinical record.
    #[allow(clippy::too_many_arguments)]
    async fn consents(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<ConsentFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<ConsentOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<Consent>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }
}

/// What mutations of a consent template return.
#[derive(SimpleObject)]
pub struct ConsentTemplatePayload {
    /// The consent template after the change.
    pub consent_template: ConsentTemplate,
}

/// What mutations of a version of a consent template return.
#[derive(SimpleObject)]
pub struct ConsentTemplateVersionPayload {
    /// The version of the consent template after the change.
    pub consent_template_version: ConsentTemplateVersion,
}

/// What mutations of a consent return.
#[derive(SimpleObject)]
pub struct ConsentPayload {
    /// The consent after the change.
    pub consent: Consent,
}
