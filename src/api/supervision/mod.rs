//! Supervision in the API: agreements, the queue of reviews, its monthly figures.

pub mod mutation;

use super::stamp::RecordStamp;
use crate::error::{Code, Error, Faults};
use crate::ids;
use crate::operation::{AtOnce, Running, plain};
use crate::organisation::{Location, Staff, loader as people};
use crate::page::{Connection, Listed, PageArguments, global_id, listing};
use crate::patient::{Patient, loader as patients};
use crate::scalars::{Date, DateTime};
use crate::supervision::store::{self, Figure, Whose};
use crate::supervision::{
    AgreementFilter, AgreementOrder, ChartReview, ChartReviewOutcome, ReviewFilter, ReviewOrder, SupervisionAgreement,
};
use crate::vocabulary::RecordKind;
use async_graphql::{Context, ID, Object, Result};

/// The longest time that figures are asked of, in days: ten years.
const LONGEST: i64 = 3_660;

impl Listed for SupervisionAgreement {
    const NAME: &'static str = "SupervisionAgreement";
    fn whose(&self) -> Option<uuid::Uuid> {
        None
    }
}

impl Listed for ChartReview {
    const NAME: &'static str = "ChartReview";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// An agreement by which somebody reads part of a colleague's signed records.
#[Object]
impl SupervisionAgreement {
    /// Typed id, `supervision_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::SupervisionAgreement, self.id)
    }
    /// The staff member who reads and reviews the records.
    async fn supervisor(&self, ctx: &Context<'_>) -> Result<AtOnce<Staff>> {
        people::staff_of_record(ctx, self.supervisor_id).await
    }
    /// Whose signed records are read.
    async fn supervisee(&self, ctx: &Context<'_>) -> Result<AtOnce<Staff>> {
        people::staff_of_record(ctx, self.supervisee_id).await
    }
    /// At which clinic; null: at all.
    async fn location(&self, ctx: &Context<'_>) -> Option<Result<Location>> {
        listing::linked(ctx, self.location_id).await
    }
    /// How many of a hundred signed records are read.
    async fn percent(&self) -> i16 {
        self.percent
    }
    /// Within how many days of the signature.
    async fn within_days(&self) -> i16 {
        self.within_days
    }
    /// The first day of the agreement.
    async fn starts_on(&self) -> Date {
        Date(self.starts_on)
    }
    /// Its last day; null: it has no end.
    async fn ends_on(&self) -> Option<Date> {
        self.ends_on.map(Date)
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

plain!(SupervisionAgreement: id, percent, within_days, starts_on, ends_on, note);

/// The review of a signed record that an agreement's sample holds.
#[Object]
impl ChartReview {
    /// Typed id, `chart_review_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::ChartReview, self.id)
    }
    /// The patient whose record is reviewed.
    async fn patient(&self, ctx: &Context<'_>) -> Result<AtOnce<Patient>> {
        patients::patient_of_record(ctx, self.patient_id).await
    }
    /// The agreement that asks for it.
    async fn agreement(&self, ctx: &Context<'_>) -> Option<Result<SupervisionAgreement>> {
        listing::linked(ctx, Some(self.agreement_id)).await
    }
    /// The staff member who is to review the record.
    async fn reviewer(&self, ctx: &Context<'_>) -> Result<AtOnce<Staff>> {
        people::staff_of_record(ctx, self.reviewer_id).await
    }
    /// The id of the signed record; `node(id:)` returns it.
    async fn record_id(&self) -> ID {
        global_id(self.record_kind, self.record_id)
    }
    /// The kind of the signed record.
    async fn record_kind(&self) -> RecordKind {
        self.record_kind
    }
    /// Who signed it first.
    async fn signed_by(&self, ctx: &Context<'_>) -> Result<AtOnce<Staff>> {
        people::staff_of_record(ctx, self.signed_by).await
    }
    /// When it was signed first.
    async fn signed_at(&self) -> DateTime {
        DateTime(self.signed_at)
    }
    /// The last day of the review, in UTC.
    async fn due_on(&self) -> Date {
        Date(self.due_on)
    }
    /// Whether it is due and its last day is past.
    async fn overdue(&self) -> bool {
        self.is_overdue(ids::now().date_naive())
    }
    /// What came of it; null: it is due.
    async fn outcome(&self) -> Option<ChartReviewOutcome> {
        self.outcome
    }
    /// What the reviewer has to say.
    async fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
    /// When it was reviewed.
    async fn reviewed_at(&self) -> Option<DateTime> {
        self.reviewed_at.map(DateTime)
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

plain!(ChartReview: id, record_id, record_kind, signed_at, due_on, overdue, outcome, note, reviewed_at);

/// How the reviews of a month stand, by the month of their last day.
#[Object(name = "ChartReviewFigure")]
impl Figure {
    /// The month, such as `2026-11`.
    async fn month(&self) -> &str {
        &self.month
    }
    /// How many reviews there are, without those of records that were retracted.
    async fn due(&self) -> i64 {
        self.due
    }
    /// How many of them have an outcome.
    async fn done(&self) -> i64 {
        self.done
    }
    /// How many of them the supervisor agreed to.
    async fn agreed(&self) -> i64 {
        self.agreed
    }
    /// How many of them need a revision.
    async fn needs_revision(&self) -> i64 {
        self.needs_revision
    }
    /// How many of them are not done, and their last day is past.
    async fn overdue(&self) -> i64 {
        self.overdue
    }
}

/// The queries of this module.
#[derive(Default)]
pub struct SupervisionQuery;

#[Object]
impl SupervisionQuery {
    /// An agreement of supervision; null with NOT_FOUND if there is none with this id.
    async fn supervision_agreement(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`supervision_…`")] id: ID,
    ) -> Option<Result<SupervisionAgreement>> {
        listing::root_one(ctx, &id).await
    }

    /// Agreements of supervision, newest first unless asked otherwise.
    #[allow(clippy::too_many_arguments)]
    async fn supervision_agreements(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<AgreementFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<AgreementOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<SupervisionAgreement>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }

    /// A review of a signed record; null with NOT_FOUND if there is none with this id.
    async fn chart_review(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`chart_review_…`")] id: ID,
    ) -> Option<Result<ChartReview>> {
        listing::root_one(ctx, &id).await
    }

    /// Reviews of signed records, the first due first unless asked otherwise: the queue of a supervisor
    /// (`filter: {reviewerId, done: false}`). Null with FORBIDDEN for roles that see no clinical record.
    #[allow(clippy::too_many_arguments)]
    async fn chart_reviews(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<ReviewFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<ReviewOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<ChartReview>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }

    /// How the reviews stand whose last day is in these days, month by month, the earliest first; at most ten years. Null
    /// with FORBIDDEN for roles that see no clinical record.
    async fn chart_review_figures(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first day.")] from: Date,
        #[graphql(desc = "The last day.")] until: Date,
        #[graphql(desc = "Of this supervisor only, `staff_…`.")] reviewer_id: Option<ID>,
        #[graphql(desc = "Of what this staff member signed only, `staff_…`.")] signed_by: Option<ID>,
    ) -> Option<Result<Vec<Figure>>> {
        let found = async {
            let mut faults = Faults::default();
            let mut read = |path: &str, id: &Option<ID>| {
                let parsed = id.as_ref().map(|id| ids::parse(RecordKind::Staff, id));
                parsed.and_then(|parsed| parsed.map_err(|flaw| faults.add(path, flaw)).ok())
            };
            let whose = Whose { reviewer: read("reviewerId", &reviewer_id), signed_by: read("signedBy", &signed_by) };
            faults.into_result()?;
            if until.0 < from.0 || (until.0 - from.0).num_days() > LONGEST {
                return Err(Error::input(
                    "until",
                    Code::WrongOrder.says("must be after `from`, by ten years at most").with("other", "from"),
                )
                .into());
            }
            let mut scope = ctx.operation()?.reader().await?;
            Ok(store::figures(&mut scope, (from.0, until.0), whose, ids::now().date_naive()).await?)
        };
        Some(Box::pin(found).await)
    }
}
