//! Call-backs in the API, where they are called recalls: the record and the queries.

pub mod lot_trace;
pub mod mutation;
pub mod safety_notice;

use super::stamp::RecordStamp;
use crate::call_back::{
    Attempt, CallBack, CallBackFilter, CallBackOrder, CallBackReason, CallBackState, ContactChannel, ContactOutcome,
};
use crate::catalogue::ProductLot;
use crate::ids;
use crate::operation::{AtOnce, Running, plain};
use crate::organisation::{Staff, loader as people};
use crate::page::{Connection, Listed, PageArguments, global_id, listing};
use crate::patient::{Patient, loader as patients};
use crate::scalars::{Date, DateTime};
use crate::session::{TreatmentSession, loader as sessions};
use crate::vocabulary::RecordKind;
use async_graphql::{Context, ID, Object, Result};

impl Listed for CallBack {
    const NAME: &'static str = "Recall";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// One try to reach a patient.
#[Object(name = "RecallAttempt")]
impl Attempt {
    /// When the attempt was made.
    async fn at(&self) -> DateTime {
        DateTime(self.at)
    }
    /// The staff member who made the attempt.
    async fn by(&self, ctx: &Context<'_>) -> Result<AtOnce<Staff>> {
        people::staff_of_record(ctx, self.by).await
    }
    /// How the patient was contacted.
    async fn channel(&self) -> ContactChannel {
        self.channel
    }
    /// The result of the attempt.
    async fn outcome(&self) -> ContactOutcome {
        self.outcome
    }
    /// Remarks.
    async fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
}

/// A recall: a patient whom the clinic asks to come back.
#[Object(name = "Recall")]
impl CallBack {
    /// Typed id, `recall_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::CallBack, self.id)
    }
    /// The patient whom the record is about.
    pub async fn patient(&self, ctx: &Context<'_>) -> Result<AtOnce<Patient>> {
        patients::patient_of_record(ctx, self.patient_id).await
    }
    /// Why the patient is recalled.
    async fn reason(&self) -> CallBackReason {
        self.reason
    }
    /// The plan that requires it, `plan_…`; null for a recall made by hand.
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
    /// The first due day.
    async fn due_from(&self) -> Date {
        Date(self.due_from)
    }
    /// The last due day.
    async fn due_until(&self) -> Date {
        Date(self.due_until)
    }
    /// Its state today. A day begins at midnight UTC here; the clinic's own day may differ by some hours.
    async fn state(&self) -> CallBackState {
        self.state_on(ids::now().date_naive())
    }
    /// Until when it is postponed. From that day on it is open again.
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
    /// The rule that computed it, or the text given when it was made by hand.
    async fn basis(&self) -> &str {
        &self.basis
    }
    /// Attempts to reach the patient, oldest first; at most 100.
    async fn attempts(&self, ctx: &Context<'_>) -> Result<&[Attempt]> {
        ctx.operation()?.lead_to(self.attempts.len())?;
        Ok(&self.attempts)
    }
    /// Whether the patient has been informed: an attempt ended with REACHED, BOOKED or DECLINED.
    async fn contacted(&self) -> bool {
        self.has_contact()
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

plain!(CallBack: id, reason, plan_id, due_from, due_until, state, snoozed_until, closed_reason, basis, contacted);

/// The queries of this module.
#[derive(Default)]
pub struct CallBackQuery;

#[Object]
impl CallBackQuery {
    /// A recall; null with NOT_FOUND if there is none with this id.
    async fn recall(&self, ctx: &Context<'_>, #[graphql(desc = "`recall_…`")] id: ID) -> Option<Result<CallBack>> {
        listing::root_one(ctx, &id).await
    }

    /// Recalls, the first due first unless asked otherwise. The list to work through is
    /// `filter: {state: [OPEN, OVERDUE]}`.
    #[allow(clippy::too_many_arguments)]
    async fn recalls(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<CallBackFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<CallBackOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<CallBack>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }
}
