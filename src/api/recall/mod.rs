//! Recalls in the API: the record and the queries.

pub mod mutation;
pub mod safety_notice;
pub mod trace;

use super::stamp::RecordStamp;
use crate::catalogue::ProductLot;
use crate::ids;
use crate::operation::Running;
use crate::organisation::{Staff, loader as people};
use crate::page::{Connection, Listed, PageArguments, global_id, listing};
use crate::patient::{Patient, loader as patients};
use crate::recall::{
    Attempt, ContactChannel, ContactOutcome, Recall, RecallFilter, RecallOrder, RecallReason, RecallState,
};
use crate::scalars::{Date, DateTime};
use crate::session::{TreatmentSession, loader as sessions};
use crate::vocabulary::RecordKind;
use async_graphql::{Context, ID, Object, Result};

impl Listed for Recall {
    const NAME: &'static str = "Recall";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// One try to reach a patient.
#[Object(name = "RecallAttempt")]
impl Attempt {
    /// When.
    async fn at(&self) -> DateTime {
        DateTime(self.at)
    }
    /// Who tried.
    async fn by(&self, ctx: &Context<'_>) -> Result<Staff> {
        people::staff_of_record(ctx, self.by).await
    }
    /// How.
    async fn channel(&self) -> ContactChannel {
        self.channel
    }
    /// What came of it.
    async fn outcome(&self) -> ContactOutcome {
        self.outcome
    }
    /// Remarks.
    async fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
}

/// A recall: somebody whom the clinic asks back.
#[Object]
impl Recall {
    /// Typed id, `recall_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::Recall, self.id)
    }
    /// Whose.
    pub async fn patient(&self, ctx: &Context<'_>) -> Result<Patient> {
        patients::patient_of_record(ctx, self.patient_id).await
    }
    /// Why.
    async fn reason(&self) -> RecallReason {
        self.reason
    }
    /// `plan_…` that asks for it; null for one made by hand.
    async fn plan_id(&self) -> Option<ID> {
        self.plan_id.map(|id| global_id(RecordKind::TreatmentPlan, id))
    }
    /// The session that it follows. Null with FORBIDDEN for roles that see no clinical record.
    async fn after_session(&self, ctx: &Context<'_>) -> Option<Result<TreatmentSession>> {
        Some(sessions::session_of_record(ctx, self.after_session_id?).await)
    }
    /// The lot that a safety notice is about.
    async fn lot(&self, ctx: &Context<'_>) -> Option<Result<ProductLot>> {
        listing::linked(ctx, self.lot_id).await
    }
    /// The first day to come.
    async fn due_from(&self) -> Date {
        Date(self.due_from)
    }
    /// The last.
    async fn due_until(&self) -> Date {
        Date(self.due_until)
    }
    /// How it stands today. A day begins at midnight in UTC here; the clinic's own day may differ by some hours.
    async fn state(&self) -> RecallState {
        self.state_on(ids::now().date_naive())
    }
    /// Until when it is put off: from that day on it is open again.
    async fn snoozed_until(&self) -> Option<Date> {
        self.snoozed_until.map(Date)
    }
    /// Why it was completed without a session, or dismissed.
    async fn closed_reason(&self) -> Option<&str> {
        self.closed_reason.as_deref()
    }
    /// The session that answered it. Null with FORBIDDEN for roles that see no clinical record.
    async fn done_by_session(&self, ctx: &Context<'_>) -> Option<Result<TreatmentSession>> {
        Some(sessions::session_of_record(ctx, self.done_by_session_id?).await)
    }
    /// Which rule computed it, or what was said when it was made by hand.
    async fn basis(&self) -> &str {
        &self.basis
    }
    /// Tries to reach the patient, oldest first; at most 100.
    async fn attempts(&self, ctx: &Context<'_>) -> Result<&[Attempt]> {
        ctx.operation()?.lead_to(self.attempts.len())?;
        Ok(&self.attempts)
    }
    /// Whether the patient knows: an attempt ended with REACHED, BOOKED or DECLINED.
    async fn contacted(&self) -> bool {
        self.has_contact()
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

/// The queries of this slice.
#[derive(Default)]
pub struct RecallQuery;

#[Object]
impl RecallQuery {
    /// A recall; null with NOT_FOUND if there is none with this id.
    async fn recall(&self, ctx: &Context<'_>, #[graphql(desc = "`recall_…`")] id: ID) -> Option<Result<Recall>> {
        listing::root_one(ctx, &id).await
    }

    /// Recalls, the first due first unless asked otherwise. The list to work through is
    /// `filter: {state: [OPEN, OVERDUE]}`.
    #[allow(clippy::too_many_arguments)]
    async fn recalls(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which to keep.")] filter: Option<RecallFilter>,
        #[graphql(desc = "How to sort them.")] order_by: Option<RecallOrder>,
        #[graphql(desc = "The first so many, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<Recall>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }
}
