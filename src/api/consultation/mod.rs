//! Consultations in the API: the record, its patch test, its queries and its links.

pub mod input;
pub mod mutation;

use crate::api::history::history;
use crate::consultation::{
    Candidacy, Consultation, ConsultationMode, Filter, OrderBy, PatchTest, PatchTestResult, ScarType,
};
use crate::ledger::RecordVersion;
use crate::operation::{AtOnce, plain};
use crate::organisation::{Location, Staff, loader as people};
use crate::page::{Connection, Listed, PageArguments, global_id, listing};
use crate::patient::{Patient, loader as patients};
use crate::record::Signature;
use crate::scalars::{Date, DateTime};
use crate::signing::{
    Addendum, Retraction,
    loader::{self as signed, addenda, signatures},
};
use crate::vocabulary::{Concern, RecordKind};
use async_graphql::{Context, ID, Object, Result};

impl Listed for Consultation {
    const NAME: &'static str = "Consultation";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// A product tried on a small patch of skin.
#[Object]
impl PatchTest {
    /// Where on the body.
    async fn site(&self) -> &str {
        &self.site
    }
    /// When it was put on.
    async fn performed_at(&self) -> DateTime {
        DateTime(self.performed_at)
    }
    /// What was tried.
    async fn product(&self) -> &str {
        &self.product
    }
    /// The reaction of the skin; null until it has been read.
    async fn result(&self) -> Option<PatchTestResult> {
        self.result
    }
    /// Remarks.
    async fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
}

/// A consultation.
#[Object]
impl Consultation {
    /// Typed id, `consultation_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::Consultation, self.id)
    }
    /// The patient whom the record is about.
    pub async fn patient(&self, ctx: &Context<'_>) -> Result<AtOnce<Patient>> {
        patients::patient_of_record(ctx, self.patient_id).await
    }
    /// The practitioner who held it.
    async fn practitioner(&self, ctx: &Context<'_>) -> Result<AtOnce<Staff>> {
        people::staff_of_record(ctx, self.practitioner_id).await
    }
    /// Where it took place.
    async fn location(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Location>>> {
        people::location(ctx, self.location_id?).await
    }
    /// When it was held.
    async fn held_at(&self) -> DateTime {
        DateTime(self.held_at)
    }
    /// How it was held.
    async fn mode(&self) -> ConsultationMode {
        self.mode
    }
    /// What the patient wants treated.
    async fn concerns(&self) -> &[Concern] {
        &self.concerns
    }
    /// What the patient hopes for.
    async fn goals(&self) -> Option<&str> {
        self.goals.as_deref()
    }
    /// What the examination showed.
    async fn findings(&self) -> Option<&str> {
        self.findings.as_deref()
    }
    /// The shapes of the scars.
    async fn scar_types(&self) -> &[ScarType] {
        &self.scar_types
    }
    /// What was done before, here or elsewhere.
    async fn prior_procedures(&self) -> Option<&str> {
        self.prior_procedures.as_deref()
    }
    /// Whether realistic expectations were discussed: scars improve but seldom disappear, and results are not
    /// permanent.
    async fn expectations_discussed(&self) -> Option<bool> {
        self.expectations_discussed
    }
    /// The patient's suitability for treatment; null while it is not decided.
    async fn candidacy(&self) -> Option<Candidacy> {
        self.candidacy
    }
    /// The reasons for or against.
    async fn candidacy_reasons(&self) -> Option<&str> {
        self.candidacy_reasons.as_deref()
    }
    /// The plan of treatment that is recommended to the patient, in words.
    async fn recommended_plan(&self) -> Option<&str> {
        self.recommended_plan.as_deref()
    }
    /// The test of a product on a small patch of skin; null if none was made.
    async fn patch_test(&self) -> Option<&PatchTest> {
        self.patch_test.as_ref()
    }
    /// The last day on which a treatment may rely on this consultation; null: as long as the protocols say.
    async fn valid_until(&self) -> Option<Date> {
        self.valid_until.map(Date)
    }
    /// The version number: 1 at first, increased by 1 with each change. Send it back as `expectedVersion`.
    pub async fn version(&self) -> i32 {
        self.stamp.version
    }
    /// When it was recorded.
    pub async fn created_at(&self) -> DateTime {
        DateTime(self.stamp.created_at)
    }
    /// Who created the record.
    pub async fn created_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.stamp.created_by).await
    }
    /// When it was last changed.
    pub async fn updated_at(&self) -> DateTime {
        DateTime(self.stamp.updated_at)
    }
    /// Who last changed the record.
    async fn updated_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.stamp.updated_by).await
    }
    /// The first signature: by the person who did the work or who took it over; null while it is a draft.
    pub async fn signature(&self) -> Option<Signature> {
        self.signature.clone().map(|it| it.on_work_of(self.practitioner_id))
    }
    /// Its retraction: the record can still be read, and no longer counts. Null unless it was retracted.
    async fn retraction(&self, ctx: &Context<'_>) -> Option<Result<Retraction>> {
        Box::pin(signed::retraction(ctx, self.id)).await.transpose()
    }
    /// The id of the retracted record, in another chart, that this one was copied from; `node(id:)` returns it.
    async fn copied_from(&self, ctx: &Context<'_>) -> Option<Result<ID>> {
        let found = Box::pin(signed::copied_from(ctx, self.id)).await;
        found.map(|it| it.map(|(kind, id)| global_id(kind, id))).transpose()
    }
    /// All its signatures, the first one first; none while it is a draft. All are over the same content.
    async fn signatures(&self, ctx: &Context<'_>) -> Result<Vec<Signature>> {
        signatures(ctx, self.id, self.signature.as_ref(), self.practitioner_id).await
    }
    /// The addenda to the signed record, oldest first.
    pub async fn addenda(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Addendum>> {
        addenda(ctx, self.id, first, after).await
    }
    /// Every version of this record, newest first.
    pub async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
    ) -> Result<Connection<RecordVersion>> {
        history(ctx, RecordKind::Consultation, self.id, first, after).await
    }
}

plain!(Consultation: id, held_at, mode, goals, findings, prior_procedures, expectations_discussed, candidacy, candidacy_reasons, recommended_plan, valid_until, version, created_at, updated_at);

/// The queries of this module.
#[derive(Default)]
pub struct ConsultationQuery;

#[Object]
impl ConsultationQuery {
    /// A consultation; null with NOT_FOUND if there is none with this id.
    async fn consultation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`consultation_…`")] id: ID,
    ) -> Option<Result<Consultation>> {
        listing::root_one(ctx, &id).await
    }

    /// Consultations, newest first unless asked otherwise. Null with FORBIDDEN for roles that see no clinical record.
    #[allow(clippy::too_many_arguments)]
    async fn consultations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<Filter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<OrderBy>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<Consultation>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }
}
