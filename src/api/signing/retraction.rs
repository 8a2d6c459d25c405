//! Retractions in the API.

use crate::api::history::history;
use crate::ledger::RecordVersion;
use crate::operation::{AtOnce, plain};
use crate::organisation::{Staff, loader as people};
use crate::page::{Connection, Listed, PageArguments, global_id, listing};
use crate::patient::{Patient, loader as patients};
use crate::scalars::DateTime;
use crate::signing::{Retraction, RetractionFilter, RetractionOrder};
use crate::vocabulary::RecordKind;
use async_graphql::{Context, ID, Object, Result};

impl Listed for Retraction {
    const NAME: &'static str = "Retraction";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// The retraction of a signed record: the record can still be read, with its signatures, and no longer counts.
#[Object]
impl Retraction {
    /// Typed id, `retraction_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::Retraction, self.id)
    }
    /// The patient in whose chart the record is.
    async fn patient(&self, ctx: &Context<'_>) -> Result<AtOnce<Patient>> {
        patients::patient_of_record(ctx, self.patient_id).await
    }
    /// The id of the retracted record; `node(id:)` returns it.
    async fn record_id(&self) -> ID {
        global_id(self.record_kind, self.record_id)
    }
    /// The kind of the retracted record.
    async fn record_kind(&self) -> RecordKind {
        self.record_kind
    }
    /// When it was retracted.
    async fn at(&self) -> DateTime {
        DateTime(self.retracted_at)
    }
    /// Who retracted it.
    async fn by(&self, ctx: &Context<'_>) -> Result<AtOnce<Staff>> {
        people::staff_of_record(ctx, self.retracted_by).await
    }
    /// Why it does not count.
    async fn reason(&self) -> &str {
        &self.reason
    }
    /// The id of the draft that was copied to the right chart; `node(id:)` returns it.
    async fn copy_id(&self) -> Option<ID> {
        self.copy_id.map(|id| global_id(self.record_kind, id))
    }
    /// Its only version: a retraction is never changed.
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
    ) -> Result<Connection<RecordVersion>> {
        history(ctx, RecordKind::Retraction, self.id, first, after).await
    }
}

plain!(Retraction: id, record_id, record_kind, at, reason, copy_id);

/// The queries of this module.
#[derive(Default)]
pub struct RetractionQuery;

#[Object]
impl RetractionQuery {
    /// A retraction; null with NOT_FOUND if there is none with this id.
    async fn retraction(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`retraction_…`")] id: ID,
    ) -> Option<Result<Retraction>> {
        listing::root_one(ctx, &id).await
    }

    /// Retractions of signed records, newest first unless asked otherwise. Null with FORBIDDEN for roles that see no
    /// clinical record.
    #[allow(clippy::too_many_arguments)]
    async fn retractions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<RetractionFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<RetractionOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<Retraction>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }
}
