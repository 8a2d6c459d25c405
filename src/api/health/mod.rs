//! The health history in the API.

pub mod mutation;

use crate::api::history::history;
use crate::health::codes::{FoundIn, HealthCourse, MatchedCode, code_list, matched};
use crate::health::{DatePrecision, Filter, HealthEntry, HealthEntryKind, OrderBy};
use crate::health_term;
use crate::ledger::RecordVersion;
use crate::operation::{AtOnce, Running, plain};
use crate::organisation::{Staff, loader as people};
use crate::page::{Connection, Listed, PageArguments, global_id, listing};
use crate::patient::{Patient, loader as patients};
use crate::scalars::{Date, DateTime};
use crate::vocabulary::{ContraindicationSeverity, RecordKind};
use async_graphql::{Context, ID, Object, Result};

impl Listed for HealthEntry {
    const NAME: &'static str = "HealthEntry";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// An entry of a patient's health history.
#[Object]
impl HealthEntry {
    /// Typed id, `health_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::HealthEntry, self.id)
    }
    /// The patient whom the record is about.
    async fn patient(&self, ctx: &Context<'_>) -> Result<AtOnce<Patient>> {
        patients::patient_of_record(ctx, self.patient_id).await
    }
    /// The kind of entry: a condition, a medicine, an allergy, a pregnancy or a procedure.
    async fn kind(&self) -> HealthEntryKind {
        self.kind
    }
    /// A code that rules look for, such as `isotretinoin`.
    async fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }
    /// The entry in words.
    async fn text(&self) -> &str {
        &self.text
    }
    /// How strongly it contraindicates a treatment.
    async fn severity(&self) -> Option<ContraindicationSeverity> {
        self.severity
    }
    /// What the code list and the clinic's own terms recognise in its code, its kind and its words, the surest first. Empty: no rule judges the
    /// entry by itself.
    async fn matched(&self, ctx: &Context<'_>) -> Result<Vec<MatchedHealthCode>> {
        let found = matched(self, &health_term::loader::in_use(ctx).await?);
        ctx.operation()?.lead_to(found.len())?;
        Ok(found.into_iter().map(MatchedHealthCode).collect())
    }
    /// The day it began.
    async fn onset_on(&self) -> Option<Date> {
        self.onset_on.map(Date)
    }
    /// How precisely `onsetOn` is known: of a month or a year it is the first day.
    async fn onset_precision(&self) -> DatePrecision {
        self.onset_precision
    }
    /// The day it ended; null while it lasts.
    async fn ended_on(&self) -> Option<Date> {
        self.ended_on.map(Date)
    }
    /// How precisely `endedOn` is known: of a month or a year it is the first day.
    async fn ended_precision(&self) -> DatePrecision {
        self.ended_precision
    }
    /// For a medicine: the last dose.
    async fn last_dose_on(&self) -> Option<Date> {
        self.last_dose_on.map(Date)
    }
    /// How precisely `lastDoseOn` is known: of a month or a year it is the first day.
    async fn last_dose_precision(&self) -> DatePrecision {
        self.last_dose_precision
    }
    /// The source of the information: the patient, a letter, an examination.
    async fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }
    /// The practitioner who verified it.
    async fn verified_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.verified_by).await
    }
    /// When it was verified.
    async fn verified_at(&self) -> Option<DateTime> {
        self.verified_at.map(DateTime)
    }
    /// Whether the record was marked as entered in error: no rule looks at it, and lists leave it out unless
    /// `includeEnteredInError` is true.
    async fn entered_in_error(&self) -> bool {
        self.entered_in_error
    }
    /// The version number: 1 at first, increased by 1 with each change. Send it back as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.stamp.version
    }
    /// When it was added.
    async fn created_at(&self) -> DateTime {
        DateTime(self.stamp.created_at)
    }
    /// Who created the record.
    async fn created_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.stamp.created_by).await
    }
    /// When it was last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.stamp.updated_at)
    }
    /// Who last changed the record.
    async fn updated_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.stamp.updated_by).await
    }
    /// Every version of this record, newest first.
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
    ) -> Result<Connection<RecordVersion>> {
        history(ctx, RecordKind::HealthEntry, self.id, first, after).await
    }
}

plain!(HealthEntry: id, kind, code, text, severity, onset_on, onset_precision, ended_on, ended_precision, last_dose_on, last_dose_precision, source, verified_at, entered_in_error, version, created_at, updated_at);

/// A match, as the API shows it.
pub struct MatchedHealthCode(MatchedCode);

/// Something of the code list that a health entry is about.
#[Object]
impl MatchedHealthCode {
    /// The code that rules look for, such as `isotretinoin`.
    async fn code(&self) -> &str {
        &self.0.code.code
    }
    /// The name that the code list has for the code.
    async fn label(&self) -> &str {
        &self.0.code.label
    }
    /// Where in the entry it was found. Words alone never block: they may deny what they name.
    async fn found_in(&self) -> FoundIn {
        self.0.found_in
    }
    /// How long it counts.
    async fn course(&self) -> HealthCourse {
        self.0.code.course
    }
    /// Where the code list says so.
    async fn source(&self) -> &str {
        &self.0.code.source
    }
    /// The version of the code list.
    async fn list_version(&self) -> &str {
        &code_list().version
    }
}

/// The queries of this module.
#[derive(Default)]
pub struct HealthQuery;

#[Object]
impl HealthQuery {
    /// An entry of a health history; null with NOT_FOUND if there is none with this id.
    async fn health_entry(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`health_…`")] id: ID,
    ) -> Option<Result<HealthEntry>> {
        listing::root_one(ctx, &id).await
    }

    /// Health entries of all patients, newest first unless asked otherwise. Null with FORBIDDEN for roles that see no
    /// clinical record.
    #[allow(clippy::too_many_arguments)]
    async fn health_entries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<Filter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<OrderBy>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<HealthEntry>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }
}
