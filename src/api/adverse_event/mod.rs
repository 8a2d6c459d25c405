//! Adverse events in the API: the record, what notes propose, the queries and the links.

pub mod input;
pub mod mutation;

use super::stamp::RecordStamp;
use crate::adverse_event::proposal::{ProposedAdverseEvent, kind_of};
use crate::adverse_event::{
    AdverseEvent, AdverseEventFilter, AdverseEventKind, AdverseEventOrder, AdverseEventOutcome, AdverseEventSeverity,
    AuthorityReport, Causality, Expectedness, FollowUp, missing,
};
use crate::aftercare::{AftercareNote, loader as notes};
use crate::catalogue::{Device, ProductLot};
use crate::operation::{AtOnce, Running, plain};
use crate::organisation::{Staff, loader as people};
use crate::page::{Connection, Listed, PageArguments, global_id, listing};
use crate::patient::{Patient, loader as patients};
use crate::protocol::Symptom;
use crate::scalars::DateTime;
use crate::session::{TreatmentSession, loader as sessions};
use crate::vocabulary::{BodyArea, RecordKind};
use async_graphql::{Context, ID, Object, Result};

impl Listed for AdverseEvent {
    const NAME: &'static str = "AdverseEvent";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// A later report on how an adverse event developed.
#[Object(name = "AdverseEventFollowUp")]
impl FollowUp {
    /// The moment the follow-up is about.
    async fn at(&self) -> DateTime {
        DateTime(self.at)
    }
    /// Who wrote it.
    async fn author(&self, ctx: &Context<'_>) -> Result<AtOnce<Staff>> {
        people::staff_of_record(ctx, self.author_id).await
    }
    /// The state of the event at that moment.
    async fn outcome(&self) -> AdverseEventOutcome {
        self.outcome
    }
    /// What was found at this follow-up.
    async fn text(&self) -> &str {
        &self.text
    }
}

/// A report to an authority or a manufacturer.
#[Object]
impl AuthorityReport {
    /// The authority or manufacturer it was reported to.
    async fn to(&self) -> &str {
        &self.to
    }
    /// When it was reported.
    async fn at(&self) -> DateTime {
        DateTime(self.at)
    }
    /// The reference number given there.
    async fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }
}

/// An adverse event: an unwanted effect during or after a treatment.
#[Object]
impl AdverseEvent {
    /// Typed id, `adverse_event_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::AdverseEvent, self.id)
    }
    /// The patient whom the record is about.
    pub async fn patient(&self, ctx: &Context<'_>) -> Result<AtOnce<Patient>> {
        patients::patient_of_record(ctx, self.patient_id).await
    }
    /// The session it followed.
    async fn session(&self, ctx: &Context<'_>) -> Option<Result<TreatmentSession>> {
        Some(sessions::session_of_record(ctx, self.session_id?).await)
    }
    /// The aftercare note that it was reported from.
    async fn aftercare_note(&self, ctx: &Context<'_>) -> Option<Result<AftercareNote>> {
        Some(notes::note_of_record(ctx, self.aftercare_note_id?).await)
    }
    /// The suspected lot.
    async fn lot(&self, ctx: &Context<'_>) -> Option<Result<ProductLot>> {
        listing::linked(ctx, self.lot_id).await
    }
    /// The kind of unwanted effect.
    async fn kind(&self) -> AdverseEventKind {
        self.kind
    }
    /// A description; always there for OTHER.
    async fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }
    /// When it began.
    async fn onset_at(&self) -> DateTime {
        DateTime(self.onset_at)
    }
    /// Where on the body.
    async fn area(&self) -> Option<BodyArea> {
        self.area
    }
    /// How severe it is.
    async fn severity(&self) -> AdverseEventSeverity {
        self.severity
    }
    /// Whether it caused death, threatened life, disabled the patient, required a stay in hospital, or required an
    /// intervention to prevent permanent impairment (21 CFR 803.3).
    async fn serious(&self) -> bool {
        self.serious
    }
    /// Whether it is a known effect of the treatment at that time.
    async fn expectedness(&self) -> Expectedness {
        self.expectedness
    }
    /// What is suspected to have caused it.
    async fn suspected_cause(&self) -> Option<&str> {
        self.suspected_cause.as_deref()
    }
    /// How likely the treatment caused it (WHO-UMC).
    async fn causality(&self) -> Option<Causality> {
        self.causality
    }
    /// What was done.
    async fn action_taken(&self) -> Option<&str> {
        self.action_taken.as_deref()
    }
    /// The present state: that of the last follow-up.
    async fn outcome(&self) -> AdverseEventOutcome {
        self.outcome
    }
    /// When it was over; set when the outcome is RESOLVED or RESOLVED_WITH_SEQUELAE.
    async fn resolved_at(&self) -> Option<DateTime> {
        self.resolved_at.map(DateTime)
    }
    /// The last report to an authority or a manufacturer.
    async fn report(&self) -> Option<&AuthorityReport> {
        self.report.as_ref()
    }
    /// Every report to an authority or a manufacturer, in the order in which they were recorded; at most 50.
    async fn reports(&self, ctx: &Context<'_>) -> Result<&[AuthorityReport]> {
        ctx.operation()?.lead_to(self.reports.len())?;
        Ok(&self.reports)
    }
    /// The device of the catalogue that was in use.
    async fn device(&self, ctx: &Context<'_>) -> Option<Result<Device>> {
        listing::linked(ctx, self.device_id).await
    }
    /// Manufacturer and model of the device, as they were when the event was reported.
    async fn device_model(&self) -> Option<&str> {
        self.device_model.as_deref()
    }
    /// The serial number of the device.
    async fn device_serial(&self) -> Option<&str> {
        self.device_serial.as_deref()
    }
    /// The follow-ups, oldest first; at most 200.
    async fn follow_ups(&self, ctx: &Context<'_>) -> Result<&[FollowUp]> {
        ctx.operation()?.lead_to(self.follow_ups.len())?;
        Ok(&self.follow_ups)
    }
    /// What the report still lacks: one sentence for each item, which starts with the name of the field. Empty when the
    /// report is complete.
    async fn missing(&self) -> Vec<String> {
        missing(self)
    }
    /// Whether the record was marked as entered in error: it never happened, and lists leave it out unless
    /// `includeEnteredInError` is true.
    async fn entered_in_error(&self) -> bool {
        self.entered_in_error
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

plain!(AdverseEvent: id, kind, description, onset_at, area, severity, serious, expectedness, suspected_cause, causality, action_taken, outcome, resolved_at, entered_in_error);

/// An adverse event proposed by an aftercare note: a symptom that lasts longer than usual.
#[Object]
impl ProposedAdverseEvent {
    /// The kind to report.
    async fn kind(&self) -> AdverseEventKind {
        kind_of(self.proposal.symptom)
    }
    /// The symptom that lasts longer than it usually does.
    async fn symptom(&self) -> Symptom {
        self.proposal.symptom
    }
    /// Its score in the note, 1 to 10.
    async fn score(&self) -> i16 {
        self.proposal.score
    }
    /// Until when the symptom was to be expected: 7 days from the session's end, unless the protocol says otherwise.
    async fn expected_until(&self) -> DateTime {
        DateTime(self.proposal.expected_until)
    }
    /// Whole hours from the session's end to the note.
    async fn hours_since_session(&self) -> i64 {
        self.proposal.hours_since_session
    }
    /// The severity that follows from the score: 1 to 3 MILD, 4 to 6 MODERATE, 7 to 10 SEVERE.
    async fn severity(&self) -> AdverseEventSeverity {
        self.proposal.severity
    }
    /// Why the event is proposed, in one sentence.
    async fn reason(&self) -> &str {
        &self.proposal.reason
    }
    /// The event already reported from this note, or for this session and kind.
    async fn already(&self) -> Option<&AdverseEvent> {
        self.already.as_ref()
    }
}

/// The queries of this module.
#[derive(Default)]
pub struct AdverseEventQuery;

#[Object]
impl AdverseEventQuery {
    /// An adverse event; null with NOT_FOUND if there is none with this id.
    async fn adverse_event(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`adverse_event_…`")] id: ID,
    ) -> Option<Result<AdverseEvent>> {
        listing::root_one(ctx, &id).await
    }

    /// Adverse events, the latest onset first unless asked otherwise, without those entered in error. Null with
    /// FORBIDDEN for roles that see no clinical record.
    #[allow(clippy::too_many_arguments)]
    async fn adverse_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<AdverseEventFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<AdverseEventOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<AdverseEvent>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }
}
