//! Timelines and charts in the API.

use crate::adverse_event::AdverseEvent;
use crate::aftercare::AftercareNote;
use crate::chart::{PatientChart, TimelineEntry, TimelineRecord, loader::RecordOf, store};
use crate::consent::Consent;
use crate::consultation::Consultation;
use crate::error;
use crate::health::HealthEntry;
use crate::ids;
use crate::ledger::{Entry, Record, shown_content};
use crate::operation::Running;
use crate::organisation::{Staff, loader as people};
use crate::outcome::OutcomeAssessment;
use crate::page::global_id;
use crate::patient::Patient;
use crate::photo::Photo;
use crate::plan::TreatmentPlan;
use crate::recall::Recall;
use crate::record::Signature;
use crate::scalars::{DateTime, Json};
use crate::session::TreatmentSession;
use crate::signing::Addendum;
use crate::vocabulary::{Action, RecordKind};
use async_graphql::{Context, ID, Object, Result};
use serde::Deserialize;
use uuid::Uuid;

/// A place on a patient's timeline.
#[Object]
impl TimelineEntry {
    /// The moment it tells of: when a session began, a consultation was held, a photo taken.
    async fn at(&self) -> DateTime {
        DateTime(self.at)
    }
    /// The kind of the record.
    async fn kind(&self) -> RecordKind {
        self.kind
    }
    /// A few words that tell one from another, such as `microneedling, completed`. No free text.
    async fn summary(&self) -> &str {
        &self.summary
    }
    /// Typed id of the record: `node(id:)` shows it.
    async fn record_id(&self) -> ID {
        global_id(self.kind, self.record_id)
    }
    /// The record. `node(id: recordId)` shows it too.
    async fn record(&self, ctx: &Context<'_>) -> Option<Result<TimelineRecord>> {
        let found = async {
            let key = RecordOf { kind: self.kind, id: self.record_id };
            Ok(ctx.batches()?.load_one(key).await?)
        };
        found.await.transpose()
    }
    /// Whether the record is signed.
    async fn signed(&self) -> bool {
        self.signed
    }
}

/// A record as it was known at a moment, of any kind.
pub struct ChartRecord(Entry);

/// The signature in a content.
#[derive(Deserialize)]
struct Signed {
    signature: Option<Signature>,
}

/// A record as it was known at a moment, of any kind.
#[Object]
impl ChartRecord {
    /// Its kind.
    async fn kind(&self) -> RecordKind {
        self.0.kind
    }
    /// Typed id.
    async fn id(&self) -> ID {
        global_id(self.0.kind, self.0.record)
    }
    /// The version it had.
    async fn version(&self) -> i32 {
        self.0.version
    }
    /// When it got that version.
    async fn at(&self) -> DateTime {
        DateTime(self.0.at)
    }
    /// By whom; null for the program itself.
    async fn by(&self, ctx: &Context<'_>) -> Option<Result<Staff>> {
        people::opt_staff(ctx, self.0.actor).await
    }
    /// What was done then.
    async fn action(&self) -> Action {
        self.0.action
    }
    /// The number of the entry in the organisation's ledger.
    async fn ledger_sequence(&self) -> i64 {
        self.0.seq
    }
    /// The signature it had, with the hash of what was signed; null while it was a draft.
    async fn signature(&self) -> Option<Result<Signature>> {
        match self.0.record_as::<Signed>() {
            Ok(signed) => signed.signature.map(Ok),
            Err(error) => Some(Err(error.into())),
        }
    }
    /// All of it, with the names of the API and typed ids; words of lists are the ledger's, in lower case.
    async fn content(&self) -> Result<Json> {
        Ok(Json(shown_content(&self.0.json()?)))
    }
}

impl PatientChart {
    /// Its records of a kind. Each list counts as so many records, under each of its names.
    fn of_kind<R: Record>(&self, ctx: &Context<'_>) -> Result<Vec<R>> {
        let entries = self.records.iter().rev().filter(|entry| entry.kind == R::KIND);
        ctx.operation()?.lead_to(entries.clone().count())?;
        Ok(entries.map(Entry::record_as).collect::<error::Result<Vec<R>>>()?)
    }
}

/// A patient's record as it was known at a moment, from the ledger. Every field of a record is as it was then; links from
/// one record to another lead to what is there now.
#[Object]
impl PatientChart {
    /// The patient as they were known.
    async fn patient(&self) -> &Patient {
        &self.patient
    }
    /// The moment.
    async fn as_of(&self) -> DateTime {
        DateTime(self.as_of)
    }
    /// The newest ledger entry that is in it.
    async fn ledger_sequence(&self) -> i64 {
        self.ledger_sequence
    }
    /// The health history, without entries that were known to be made in error; the newest change first.
    async fn health_history(&self, ctx: &Context<'_>) -> Result<Vec<HealthEntry>> {
        let mut entries = self.of_kind::<HealthEntry>(ctx)?;
        entries.retain(|entry| !entry.entered_in_error);
        Ok(entries)
    }
    /// Consultations, the newest change first.
    async fn consultations(&self, ctx: &Context<'_>) -> Result<Vec<Consultation>> {
        self.of_kind(ctx)
    }
    /// Treatment sessions, the newest change first.
    async fn sessions(&self, ctx: &Context<'_>) -> Result<Vec<TreatmentSession>> {
        self.of_kind(ctx)
    }
    /// Aftercare notes, the newest change first.
    async fn aftercare_notes(&self, ctx: &Context<'_>) -> Result<Vec<AftercareNote>> {
        self.of_kind(ctx)
    }
    /// Treatment plans, the newest change first.
    async fn treatment_plans(&self, ctx: &Context<'_>) -> Result<Vec<TreatmentPlan>> {
        self.of_kind(ctx)
    }
    /// Consents, the newest change first.
    async fn consents(&self, ctx: &Context<'_>) -> Result<Vec<Consent>> {
        self.of_kind(ctx)
    }
    /// Photos, without their bytes, the newest change first.
    async fn photos(&self, ctx: &Context<'_>) -> Result<Vec<Photo>> {
        self.of_kind(ctx)
    }
    /// Outcome assessments, the newest change first.
    async fn outcomes(&self, ctx: &Context<'_>) -> Result<Vec<OutcomeAssessment>> {
        self.of_kind(ctx)
    }
    /// Adverse events, the newest change first.
    async fn adverse_events(&self, ctx: &Context<'_>) -> Result<Vec<AdverseEvent>> {
        self.of_kind(ctx)
    }
    /// Recalls, the newest change first.
    async fn recalls(&self, ctx: &Context<'_>) -> Result<Vec<Recall>> {
        self.of_kind(ctx)
    }
    /// Addenda, the newest first.
    async fn addenda(&self, ctx: &Context<'_>) -> Result<Vec<Addendum>> {
        self.of_kind(ctx)
    }
    /// Every record of every kind that one may read, the newest change first. Kinds that a chart is not made of, such as
    /// legal holds, merges and emergency access, are left out for who may not read them.
    async fn records(&self, ctx: &Context<'_>) -> Result<Vec<ChartRecord>> {
        ctx.operation()?.lead_to(self.records.len())?;
        let merges: Vec<Vec<Uuid>> = self.records.iter().map(Entry::tells_of).collect::<error::Result<_>>()?;
        ctx.operation()?.reader().await?.show(merges.into_iter().flatten());
        Ok(self.records.iter().rev().cloned().map(ChartRecord).collect())
    }
}

/// The queries of this slice.
#[derive(Default)]
pub struct ChartQuery;

#[Object]
impl ChartQuery {
    /// A patient's record as it was known at a moment; null with NOT_FOUND if the patient was not known then. For roles
    /// that see clinical records.
    async fn chart(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`patient_…`")] patient_id: ID,
        #[graphql(desc = "The moment; absent, now.")] as_of: Option<DateTime>,
    ) -> Option<Result<PatientChart>> {
        let found = async {
            let id = ids::argument("patientId", RecordKind::Patient, &patient_id)?;
            let as_of = as_of.map_or_else(ids::now, |time| time.0);
            Ok(store::chart(&mut *ctx.operation()?.reader().await?, id, as_of).await?)
        };
        Some(found.await)
    }
}
