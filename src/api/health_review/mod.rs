//! Health reviews in the API.

pub mod mutation;

use super::stamp::RecordStamp;
use crate::health_review::{HealthReview, HealthReviewFilter, HealthReviewOrder, ReviewAnswer};
use crate::operation::{AtOnce, plain};
use crate::organisation::{Staff, loader as people};
use crate::page::{Connection, Listed, PageArguments, global_id, listing};
use crate::patient::{Patient, loader as patients};
use crate::scalars::DateTime;
use crate::vocabulary::RecordKind;
use async_graphql::{Context, ID, Object, Result};

impl Listed for HealthReview {
    const NAME: &'static str = "HealthReview";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// A health review: that a patient was asked about the health history, and what was said of each part. The entries
/// themselves are the health history.
#[Object]
impl HealthReview {
    /// Typed id, `review_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::HealthReview, self.id)
    }
    /// The patient whom the record is about.
    async fn patient(&self, ctx: &Context<'_>) -> Result<AtOnce<Patient>> {
        patients::patient_of_record(ctx, self.patient_id).await
    }
    /// When the patient was asked.
    async fn reviewed_at(&self) -> DateTime {
        DateTime(self.reviewed_at)
    }
    /// The staff member who asked the patient.
    async fn reviewed_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, Some(self.reviewed_by)).await
    }
    /// What was said of allergies; null if nobody asked.
    async fn allergies(&self) -> Option<ReviewAnswer> {
        self.answers.allergies
    }
    /// What was said of medicines; null if nobody asked.
    async fn medicines(&self) -> Option<ReviewAnswer> {
        self.answers.medicines
    }
    /// What was said of illnesses and states; null if nobody asked.
    async fn conditions(&self) -> Option<ReviewAnswer> {
        self.answers.conditions
    }
    /// What was said of pregnancy and nursing; null if nobody asked.
    async fn pregnancy(&self) -> Option<ReviewAnswer> {
        self.answers.pregnancy
    }
    /// Remarks.
    async fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
    /// Whether the record was marked as entered in error: it covers no session, and lists leave it out unless
    /// `includeEnteredInError` is true.
    async fn entered_in_error(&self) -> bool {
        self.entered_in_error
    }
    /// Why it was marked as entered in error.
    async fn error_reason(&self) -> Option<&str> {
        self.error_reason.as_deref()
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

plain!(HealthReview: id, reviewed_at, allergies, medicines, conditions, pregnancy, note, entered_in_error, error_reason);

/// The queries of this module.
#[derive(Default)]
pub struct HealthReviewQuery;

#[Object]
impl HealthReviewQuery {
    /// A health review; null with NOT_FOUND if there is none with this id.
    async fn health_review(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`review_…`")] id: ID,
    ) -> Option<Result<HealthReview>> {
        listing::root_one(ctx, &id).await
    }

    /// Health reviews, newest first unless asked otherwise, without those entered in error unless the filter asks for them.
    /// Null with FORBIDDEN for roles that see no clinical record.
    #[allow(clippy::too_many_arguments)]
    async fn health_reviews(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<HealthReviewFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<HealthReviewOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<HealthReview>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }
}
