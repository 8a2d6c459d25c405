//! Timelines and charts in the API.

use crate::aftercare::AftercareNote;
use crate::api::lists::{ListsInChart, of_kind};
use crate::chart::{PatientChart, TimelineEntry, TimelineRecord, loader::RecordOf, store};
use crate::consultation::Consultation;
use crate::health::HealthEntry;
use crate::ids;
use crate::ledger::{Entry, shown_content};
use crate::operation::{AtOnce, Running};
use crate::organisation::{Staff, loader as people};
use crate::page::global_id;
use crate::patient::Patient;
use crate::record::Signature;
use crate::scalars::{DateTime, Json};
use crate::session::TreatmentSession;
use crate::signing::Addendum;
use crate::vocabulary::{Action, RecordKind};
use async_graphql::{Context, ID, Object, Result};
use serde::Deserialize;
use uuid::Uuid;

/// An entry on a patient's timeline.
#[Object]
impl TimelineEntry {
    /// The moment the record is about: when a session began, a consultation was held, a photo was taken.
    async fn at(&self) -> DateTime {
        DateTime(self.at)
    }
    /// The kind of the record.
    async fn kind(&self) -> RecordKind {
        self.kind
    }
    /// A few words that distinguish the entry, such as `microneedling, completed`. No free text.
    async fn summary(&self) -> &str {
        &self.summary
    }
    /// Typed id of the record; `node(id:)` returns it.
    async fn record_id(&self) -> ID {
        global_id(self.kind, self.record_id)
    }
    /// The record. `node(id: recordId)` returns it too.
    async fn record(&self, ctx: &Context<'_>) -> Option<Result<TimelineRecord>> {
        let key = RecordOf { kind: self.kind, id: self.record_id };
        ctx.load(key).await.map_err(Into::into).transpose()
    }
    /// Whether the record is signed.
    async fn signed(&self) -> bool {
        self.signed
    }
    /// Whether the record was retracted: it is signed, and no longer counts.
    async fn retracted(&self) -> bool {
        self.retracted
    }
}

/// A record of any kind, as it was known at a moment.
pub struct ChartRecord(Entry);

/// The signature inside a record's content.
#[derive(Deserialize)]
struct Signed {
    signature: Option<Signature>,
    /// Who did the work.
    #[serde(default, alias = "author_id")]
    practitioner_id: Option<Uuid>,
}

/// A record of any kind, as it was known at a moment.
#[Object]
impl ChartRecord {
    /// The kind of record.
    async fn kind(&self) -> RecordKind {
        self.0.kind
    }
    /// The typed id of the record; `node(id:)` returns it as it is now.
    async fn record_id(&self) -> ID {
        global_id(self.0.kind, self.0.record)
    }
    /// Its version at that moment.
    async fn version(&self) -> i32 {
        self.0.version
    }
    /// When that version was made.
    async fn at(&self) -> DateTime {
        DateTime(self.0.at)
    }
    /// Who made that version; null if the program did it by itself, such as the command line.
    async fn by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.0.actor).await
    }
    /// What was done to make that version.
    async fn action(&self) -> Action {
        self.0.action
    }
    /// The number of the entry in the organisation's ledger.
    async fn ledger_sequence(&self) -> i64 {
        self.0.seq
    }
    /// Its signature at that moment, with the hash of what was signed; null while it was a draft.
    async fn signature(&self) -> Option<Result<Signature>> {
        match self.0.record_as::<Signed>() {
            Ok(signed) => signed.signature.map(|it| Ok(Signature { of: signed.practitioner_id, ..it })),
            Err(error) => Some(Err(error.into())),
        }
    }
    /// The whole content, with the names of the API and typed ids. Enumerated values are spelt as in the ledger, in
    /// lower case.
    async fn content(&self) -> Result<Json> {
        Ok(Json(shown_content(&self.0.json()?)))
    }
}

/// A patient's record as it was known at a moment, from the ledger. Every field of a record has its value of that
/// moment; links from one record to another lead to the present record.
#[Object]
impl PatientChart {
    /// The patient as known at that moment.
    async fn patient(&self) -> &Patient {
        &self.patient
    }
    /// The moment as of which the chart is shown.
    async fn as_of(&self) -> DateTime {
        DateTime(self.as_of)
    }
    /// The number of the newest ledger entry it contains.
    async fn ledger_sequence(&self) -> i64 {
        self.ledger_sequence
    }
    /// The health history, without entries that were already marked as errors; the newest change first.
    async fn health_history(&self, ctx: &Context<'_>) -> Result<Vec<HealthEntry>> {
        let mut entries = of_kind::<HealthEntry>(self, ctx)?;
        entries.retain(|entry| !entry.entered_in_error);
        Ok(entries)
    }
    /// Consultations, the newest change first.
    async fn consultations(&self, ctx: &Context<'_>) -> Result<Vec<Consultation>> {
        of_kind(self, ctx)
    }
    /// Treatment sessions, the newest change first.
    async fn sessions(&self, ctx: &Context<'_>) -> Result<Vec<TreatmentSession>> {
        of_kind(self, ctx)
    }
    /// Aftercare notes, the newest change first.
    async fn aftercare_notes(&self, ctx: &Context<'_>) -> Result<Vec<AftercareNote>> {
        of_kind(self, ctx)
    }
    #[graphql(flatten)]
    async fn lists(&self) -> ListsInChart<'_> {
        ListsInChart(self)
    }
    /// Addenda, the newest first.
    async fn addenda(&self, ctx: &Context<'_>) -> Result<Vec<Addendum>> {
        of_kind(self, ctx)
    }
    /// Every record of every kind that you may read, the newest change first. Kinds that are not part of a chart, such
    /// as legal holds, merges and emergency access, are left out for viewers who may not read them.
    async fn records(&self, ctx: &Context<'_>) -> Result<Vec<ChartRecord>> {
        ctx.operation()?.lead_to(self.records.len())?;
        let merges: Vec<Vec<Uuid>> = self.records.iter().map(Entry::tells_of).collect::<crate::error::Result<_>>()?;
        ctx.operation()?.reader().await?.show(merges.into_iter().flatten());
        Ok(self.records.iter().rev().cloned().map(ChartRecord).collect())
    }
}

/// The queries of this module.
#[derive(Default)]
pub struct ChartQuery;

#[Object]
impl ChartQuery {
    /// A patient's record as it was known at a moment; null with NOT_FOUND if the patient was not known then. Only for
    /// roles that see clinical records.
    async fn chart(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`patient_…`")] patient_id: ID,
        #[graphql(desc = "The moment; now when absent.")] as_of: Option<DateTime>,
    ) -> Option<Result<PatientChart>> {
        let found = async {
            let id = ids::argument("patientId", RecordKind::Patient, &patient_id)?;
            let as_of = as_of.map_or_else(ids::now, |time| time.0);
            Ok(store::chart(&mut *ctx.operation()?.reader().await?, id, as_of).await?)
        };
        Some(found.await)
    }
}
