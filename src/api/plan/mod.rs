//! Treatment plans in the API: the record, what is derived of it, its queries and its links.

pub mod input;
pub mod mutation;

use super::stamp::RecordStamp;
use crate::care::{Estimate, loader as care};
use crate::consultation::Consultation;
use crate::operation::{AtOnce, Running, plain};
use crate::organisation::{Staff, loader as people};
use crate::page::{Connection, Listed, PageArguments, global_id, listing};
use crate::patient::{Patient, loader as patients};
use crate::plan::{
    DateWindow, EarlierCourse, PlanArea, PlanFilter, PlanOrder, Progress, SessionFact, TreatmentPlan,
    TreatmentPlanStatus, progress,
};
use crate::protocol::ProtocolVersion;
use crate::scalars::{Date, DateTime};
use crate::session::{self, TreatmentSession};
use crate::vocabulary::{BodyArea, Concern, RecordKind, Side};
use async_graphql::{Context, ID, Object, Result};
use chrono::{NaiveDate, Utc};
use chrono_tz::Tz;

impl Listed for TreatmentPlan {
    const NAME: &'static str = "TreatmentPlan";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// An area that a plan is for.
#[Object]
impl PlanArea {
    /// The area of the body.
    async fn area(&self) -> BodyArea {
        self.area
    }
    /// The side of the body, the patient's.
    async fn side(&self) -> Side {
        self.side
    }
}

/// An earlier course of a plan, before it was changed.
#[Object]
impl EarlierCourse {
    /// The protocol it followed.
    async fn protocol_version(&self, ctx: &Context<'_>) -> Result<ProtocolVersion> {
        listing::required(ctx, self.protocol_version_id).await
    }
    /// The number of sessions planned then.
    async fn planned_sessions(&self) -> i16 {
        self.planned_sessions
    }
    /// The areas of the body that were treated before.
    async fn areas(&self) -> &[PlanArea] {
        &self.areas
    }
    /// Until when it applied.
    async fn until(&self) -> DateTime {
        DateTime(self.until)
    }
    /// Why it was changed.
    async fn reason(&self) -> &str {
        &self.reason
    }
    /// Who changed it.
    async fn changed_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.changed_by).await
    }
}

/// A range of days in which something falls due, both ends included.
#[Object]
impl DateWindow {
    /// Not before this day.
    async fn from(&self) -> Date {
        Date(self.from)
    }
    /// The day to aim at, where there is one.
    async fn target(&self) -> Option<Date> {
        self.target.map(Date)
    }
    /// Overdue after this day.
    async fn until(&self) -> Date {
        Date(self.until)
    }
}

/// The progress of a plan. It is derived from the plan's sessions and protocol, never stored.
#[Object(name = "TreatmentPlanProgress")]
impl Progress {
    /// Sessions completed.
    async fn done(&self) -> usize {
        self.done
    }
    /// Sessions still planned.
    async fn remaining(&self) -> usize {
        self.remaining
    }
    /// The last completed session.
    async fn last_session(&self, ctx: &Context<'_>) -> Option<Result<TreatmentSession>> {
        listing::linked(ctx, self.last_session).await
    }
    /// When the next session is due; null when all are done or the plan is not active.
    async fn next_session(&self) -> Option<&DateWindow> {
        self.next_session.as_ref()
    }
    /// When results are to be reviewed: after the last session of a completed course, else after the first session.
    async fn results_review(&self) -> Option<&DateWindow> {
        self.results_review.as_ref()
    }
    /// When maintenance falls due, once all sessions are done.
    async fn maintenance(&self) -> Option<&DateWindow> {
        self.maintenance.as_ref()
    }
    /// Whether the next session or maintenance is overdue.
    async fn overdue(&self) -> bool {
        self.overdue
    }
}

/// The facts about a plan's sessions that its progress depends on, each in the time zone of its location.
pub(crate) async fn facts(ctx: &Context<'_>, sessions: &[TreatmentSession]) -> Result<Vec<SessionFact>> {
    let zones =
        futures::future::try_join_all(sessions.iter().map(|session| people::whole_location(ctx, session.location_id)));
    let facts = sessions
        .iter()
        .zip(zones.await?)
        .map(|(session, location)| SessionFact::of(session, location.time_zone.parse().unwrap_or(Tz::UTC)));
    Ok(facts.collect())
}

/// Today at the location of a plan's last session; in UTC before the first session.
pub(crate) fn today(facts: &[SessionFact]) -> NaiveDate {
    let zone = facts.iter().max_by_key(|fact| fact.at).map_or(Tz::UTC, |fact| fact.zone);
    Utc::now().with_timezone(&zone).date_naive()
}

/// A treatment plan: a course of sessions that follows from a consultation and a version of a protocol.
#[Object]
impl TreatmentPlan {
    /// Typed id, `plan_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::TreatmentPlan, self.id)
    }
    /// The patient whom the record is about.
    async fn patient(&self, ctx: &Context<'_>) -> Result<AtOnce<Patient>> {
        patients::patient_of_record(ctx, self.patient_id).await
    }
    /// The consultation it comes from.
    async fn consultation(&self, ctx: &Context<'_>) -> Option<Result<Consultation>> {
        listing::linked(ctx, Some(self.consultation_id)).await
    }
    /// The version of the protocol that it follows. Later versions do not change it.
    async fn protocol_version(&self, ctx: &Context<'_>) -> Result<ProtocolVersion> {
        listing::required(ctx, self.protocol_version_id).await
    }
    /// The concerns it is for.
    async fn concerns(&self) -> &[Concern] {
        &self.concerns
    }
    /// The areas to be treated.
    async fn areas(&self) -> &[PlanArea] {
        &self.areas
    }
    /// The number of planned sessions.
    async fn planned_sessions(&self) -> i16 {
        self.planned_sessions
    }
    /// How far the course of treatment is.
    async fn status(&self) -> TreatmentPlanStatus {
        self.status
    }
    /// Whether the record was marked as entered in error: nothing of it is due, and lists leave it out unless
    /// `includeEnteredInError` is true.
    async fn entered_in_error(&self) -> bool {
        self.status == TreatmentPlanStatus::EnteredInError
    }
    /// Why it has that status.
    async fn status_reason(&self) -> Option<&str> {
        self.status_reason.as_deref()
    }
    /// Remarks.
    async fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
    /// The day it begins.
    async fn started_on(&self) -> Date {
        Date(self.started_on)
    }
    /// Its earlier courses, oldest first.
    async fn earlier_courses(&self, ctx: &Context<'_>) -> Result<&[EarlierCourse]> {
        ctx.operation()?.lead_to(self.earlier_courses.len())?;
        Ok(&self.earlier_courses)
    }
    /// The progress of the plan.
    async fn progress(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The day on which `overdue` is judged; when absent, today at the location of the last session."
        )]
        on: Option<Date>,
    ) -> Result<Progress> {
        let progress = async {
            let version: ProtocolVersion = listing::required(ctx, self.protocol_version_id).await?;
            let sessions = listing::whole::<TreatmentSession>(ctx, ("plan_id", self.id)).await?;
            let sessions = crate::signing::loader::standing(ctx, sessions, |it| Some(it.id)).await?;
            let facts = facts(ctx, &sessions).await?;
            let day = on.map_or_else(|| today(&facts), |day| day.0);
            Ok(progress(self, (version.modality, &version.rules), &facts, day))
        };
        Box::pin(progress).await
    }
    /// An estimate of when maintenance will be needed: from the patient's own results if there are three or more since
    /// the last session, else from the protocol. Null before the first completed session.
    async fn maintenance_estimate(&self, ctx: &Context<'_>) -> Option<Result<Estimate>> {
        Box::pin(care::maintenance_of(ctx, self)).await.transpose()
    }
    /// Its sessions, newest first unless asked otherwise.
    #[allow(clippy::too_many_arguments)]
    async fn sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<session::Filter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<session::OrderBy>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Result<Connection<TreatmentSession>> {
        let condition = filter.unwrap_or_default().read();
        let window = PageArguments { first, after, last, before };
        listing::under(ctx, ("plan_id", self.id), condition, order_by, window).await
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

plain!(TreatmentPlan: id, planned_sessions, status, entered_in_error, status_reason, note, started_on);

/// The queries of this module.
#[derive(Default)]
pub struct PlanQuery;

#[Object]
impl PlanQuery {
    /// A treatment plan; null with NOT_FOUND if there is none with this id.
    async fn treatment_plan(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`plan_…`")] id: ID,
    ) -> Option<Result<TreatmentPlan>> {
        listing::root_one(ctx, &id).await
    }

    /// Treatment plans, the latest first unless asked otherwise. Null with FORBIDDEN for roles that see no clinical record.
    #[allow(clippy::too_many_arguments)]
    async fn treatment_plans(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<PlanFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<PlanOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<TreatmentPlan>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }
}
