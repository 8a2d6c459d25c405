//! Restrictions and emergency access in the API.

pub mod access_log;
pub mod mutation;

use super::stamp::RecordStamp;
use crate::operation::{AtOnce, Running, plain};
use crate::organisation::{Staff, loader as people};
use crate::page::{Connection, Listed, PageArguments, global_id, listing};
use crate::patient::{Patient, loader as patients};
use crate::privacy::{
    EmergencyAccess, EmergencyAccessFilter, EmergencyAccessOrder, PatientRestriction, RestrictionFilter,
};
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

/// A restriction. While it is in force, nothing of the patient is shown without a stated reason.
#[Object]
impl PatientRestriction {
    /// Typed id, `restriction_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::PatientRestriction, self.id)
    }
    /// The patient whose record is restricted, `patient_…`.
    async fn patient_id(&self) -> ID {
        global_id(RecordKind::Patient, self.patient_id)
    }
    /// The patient whose record is restricted; null with REASON_REQUIRED while the restriction is in force, unless a
    /// reason was stated.
    async fn patient(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Patient>>> {
        Some(patients::patient_of_record(ctx, self.patient_id).await)
    }
    /// Why it was placed.
    async fn reason(&self) -> &str {
        &self.reason
    }
    /// When it was placed.
    async fn placed_at(&self) -> DateTime {
        DateTime(self.placed_at)
    }
    /// Who placed it.
    async fn placed_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.placed_by).await
    }
    /// When it was lifted; null while it is in force.
    async fn lifted_at(&self) -> Option<DateTime> {
        self.lifted_at.map(DateTime)
    }
    /// Who lifted it.
    async fn lifted_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.lifted_by).await
    }
    /// Why it was lifted.
    async fn lift_reason(&self) -> Option<&str> {
        self.lift_reason.as_deref()
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

plain!(PatientRestriction: id, patient_id, reason, placed_at, lifted_at, lift_reason);

/// FORBIDDEN unless the viewer may read emergency access. Mutations return the access to whoever begins or ends their
/// own, but they may not read its review.
async fn reads_reviews(ctx: &Context<'_>) -> Result<()> {
    let viewer = ctx.operation()?.reader().await?.viewer();
    Ok(viewer.check(Action::Read, RecordKind::EmergencyAccess)?)
}

/// Emergency access: for a limited time a staff member sees the whole record of one patient, whatever their role and
/// without stating a reason again. Admins are notified, and each access is logged.
#[Object]
impl EmergencyAccess {
    /// Typed id, `emergency_access_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::EmergencyAccess, self.id)
    }
    /// The patient whose record it opens, `patient_…`.
    async fn patient_id(&self) -> ID {
        global_id(RecordKind::Patient, self.patient_id)
    }
    /// The patient whose record it opens; null with REASON_REQUIRED for a viewer who may not see a restricted patient
    /// now.
    async fn patient(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Patient>>> {
        Some(patients::patient_of_record(ctx, self.patient_id).await)
    }
    /// The staff member who has the access.
    async fn staff(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, Some(self.staff_id)).await
    }
    /// Why the access was needed.
    async fn reason(&self) -> &str {
        &self.reason
    }
    /// When it began.
    async fn begun_at(&self) -> DateTime {
        DateTime(self.begun_at)
    }
    /// When it ends by itself.
    async fn ends_at(&self) -> DateTime {
        DateTime(self.ends_at)
    }
    /// When it was ended early; null if it was not.
    async fn ended_at(&self) -> Option<DateTime> {
        self.ended_at.map(DateTime)
    }
    /// Whether it is open now.
    async fn open(&self) -> bool {
        self.is_open(crate::ids::now())
    }
    /// When the admins were notified by mail; null if they have not been yet, or if the service sends no mail.
    async fn alerted_at(&self) -> Option<DateTime> {
        self.alerted_at.map(DateTime)
    }
    /// When an admin reviewed it; null while the review is pending.
    async fn reviewed_at(&self) -> Option<DateTime> {
        self.reviewed_at.map(DateTime)
    }
    /// Who reviewed it. Null with FORBIDDEN for all but admins and auditors.
    async fn reviewed_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        match reads_reviews(ctx).await {
            Ok(()) => people::opt_staff(ctx, self.reviewed_by).await,
            Err(error) => Some(Err(error)),
        }
    }
    /// What the review found. Null with FORBIDDEN for all but admins and auditors.
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

plain!(EmergencyAccess: id, patient_id, reason, begun_at, ends_at, ended_at, open, alerted_at, reviewed_at);

/// The queries of this module.
#[derive(Default)]
pub struct PrivacyQuery;

#[Object]
impl PrivacyQuery {
    /// The restrictions of patients' records, newest first. Those in force are of patients who are not shown without a
    /// stated reason (`Access-Reason`), and left out with them. Null with FORBIDDEN for roles that see no clinical record.
    async fn patient_restrictions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<RestrictionFilter>>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<PatientRestriction>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, None, PageArguments { first, after, last, before }).await
    }

    /// Emergency access, newest first unless asked otherwise. Null with FORBIDDEN for all but admins and auditors.
    #[allow(clippy::too_many_arguments)]
    async fn emergency_accesses(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<EmergencyAccessFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<EmergencyAccessOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<EmergencyAccess>>> {
        let window = PageArguments { first, after, last, before };
        listing::root(ctx, filter.unwrap_or_default().read(), order_by, window).await
    }
}
