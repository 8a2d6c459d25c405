//! Restrictions and emergency access in the API.

pub mod access_log;
pub mod mutation;

use super::stamp::RecordStamp;
use crate::operation::Running;
use crate::organisation::{Staff, loader as people};
use crate::page::{Connection, Listed, PageArguments, global_id, listing};
use crate::patient::{Patient, loader as patients};
use crate::privacy::{EmergencyAccess, EmergencyAccessFilter, EmergencyAccessOrder, PatientRestriction};
use crate::scalars::DateTime;
use crate::vocabulary::{Action, RecordKind};
use async_graphql::{Context, ID, Object, Result};

impl Listed for PatientRestriction {
    const NAME: &'static str = "PatientRestriction";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}
impl Listed for EmergencyAccess {
    const NAME: &'static str = "EmergencyAccess";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// A restriction: while it stands, nothing of the patient is shown without a stated reason.
#[Object]
impl PatientRestriction {
    /// Typed id, `restriction_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::PatientRestriction, self.id)
    }
    /// Whose record, `patient_…`.
    async fn patient_id(&self) -> ID {
        global_id(RecordKind::Patient, self.patient_id)
    }
    /// Whose record; null with REASON_REQUIRED while it stands, unless a reason was stated.
    async fn patient(&self, ctx: &Context<'_>) -> Option<Result<Patient>> {
        Some(patients::patient_of_record(ctx, self.patient_id).await)
    }
    /// Why.
    async fn reason(&self) -> &str {
        &self.reason
    }
    /// Since when.
    async fn placed_at(&self) -> DateTime {
        DateTime(self.placed_at)
    }
    /// By whom.
    async fn placed_by(&self, ctx: &Context<'_>) -> Option<Result<Staff>> {
        people::opt_staff(ctx, self.placed_by).await
    }
    /// Until when; null while it stands.
    async fn lifted_at(&self) -> Option<DateTime> {
        self.lifted_at.map(DateTime)
    }
    /// By whom.
    async fn lifted_by(&self, ctx: &Context<'_>) -> Option<Result<Staff>> {
        people::opt_staff(ctx, self.lifted_by).await
    }
    /// Why.
    async fn lift_reason(&self) -> Option<&str> {
        self.lift_reason.as_deref()
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

/// FORBIDDEN unless the viewer may read emergency access. Who begins or ends their own is answered with it and may not: what
/// was found about them is for those who look after it.
async fn reads_reviews(ctx: &Context<'_>) -> Result<()> {
    let viewer = ctx.operation()?.reader().await?.viewer();
    Ok(viewer.check(Action::Read, RecordKind::EmergencyAccess)?)
}

/// Emergency access: for a time somebody sees the whole record of one patient, whatever their role and without stating a
/// reason again. Admins are told, and each look is in the access log.
#[Object]
impl EmergencyAccess {
    /// Typed id, `emergency_access_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::EmergencyAccess, self.id)
    }
    /// To whose record, `patient_…`.
    async fn patient_id(&self) -> ID {
        global_id(RecordKind::Patient, self.patient_id)
    }
    /// To whose record; null with REASON_REQUIRED for who may not see a restricted patient now.
    async fn patient(&self, ctx: &Context<'_>) -> Option<Result<Patient>> {
        Some(patients::patient_of_record(ctx, self.patient_id).await)
    }
    /// Who.
    async fn staff(&self, ctx: &Context<'_>) -> Option<Result<Staff>> {
        people::opt_staff(ctx, Some(self.staff_id)).await
    }
    /// Why.
    async fn reason(&self) -> &str {
        &self.reason
    }
    /// Since when.
    async fn begun_at(&self) -> DateTime {
        DateTime(self.begun_at)
    }
    /// Until when at the latest: the clock ends it.
    async fn ends_at(&self) -> DateTime {
        DateTime(self.ends_at)
    }
    /// When it was ended before that; null if it was not.
    async fn ended_at(&self) -> Option<DateTime> {
        self.ended_at.map(DateTime)
    }
    /// Whether it is open now.
    async fn open(&self) -> bool {
        self.is_open(crate::ids::now())
    }
    /// When the admins were told by mail; null if they were not yet, or the service sends no mail.
    async fn alerted_at(&self) -> Option<DateTime> {
        self.alerted_at.map(DateTime)
    }
    /// When an admin looked into it; null while it waits for that.
    async fn reviewed_at(&self) -> Option<DateTime> {
        self.reviewed_at.map(DateTime)
    }
    /// Who. Null with FORBIDDEN for all but admins and auditors.
    async fn reviewed_by(&self, ctx: &Context<'_>) -> Option<Result<Staff>> {
        match reads_reviews(ctx).await {
            Ok(()) => people::opt_staff(ctx, self.reviewed_by).await,
            Err(error) => Some(Err(error)),
        }
    }
    /// What they found. Null with FORBIDDEN for all but admins and auditors.
    async fn review_note(&self, ctx: &Context<'_>) -> Option<Result<&str>> {
        match reads_reviews(ctx).await {
            Ok(()) => self.review_note.as_deref().map(Ok),
            Err(error) => Some(Err(error)),
        }
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

/// The queries of this slice.
#[derive(Default)]
pub struct PrivacyQuery;

#[Object]
impl PrivacyQuery {
    /// Emergency access, newest first unless asked otherwise. Null with FORBIDDEN for all but admins and auditors.
    #[allow(clippy::too_many_arguments)]
    async fn emergency_accesses(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which to keep.")] filter: Option<EmergencyAccessFilter>,
        #[graphql(desc = "How to sort them.")] order_by: Option<EmergencyAccessOrder>,
        #[graphql(desc = "The first so many, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<EmergencyAccess>>> {
        let window = PageArguments { first, after, last, before };
        listing::root(ctx, filter.unwrap_or_default().read(), order_by, window).await
    }
}
