//! Clearances in the API: the record, queries and links.

pub mod mutation;

use super::stamp::RecordStamp;
use crate::clearance::{Clearance, ClearanceFilter, ClearanceOrder};
use crate::operation::{AtOnce, plain};
use crate::organisation::{Staff, loader as people};
use crate::page::{Connection, Listed, PageArguments, global_id, listing};
use crate::patient::{Patient, loader as patients};
use crate::scalars::{Date, DateTime};
use crate::vocabulary::{BodyArea, Modality, RecordKind};
use async_graphql::{Context, ID, Object, Result};

impl Listed for Clearance {
    const NAME: &'static str = "Clearance";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// A clearance: a prescriber has examined a patient and directs that they may be treated.
#[Object]
impl Clearance {
    /// Typed id, `clearance_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::Clearance, self.id)
    }
    /// The patient whom the record is about.
    async fn patient(&self, ctx: &Context<'_>) -> Result<AtOnce<Patient>> {
        patients::patient_of_record(ctx, self.patient_id).await
    }
    /// The prescriber who gave it.
    async fn prescriber(&self, ctx: &Context<'_>) -> Result<AtOnce<Staff>> {
        people::staff_of_record(ctx, self.prescriber_id).await
    }
    /// The kinds of treatment that it covers.
    async fn modalities(&self) -> &[Modality] {
        &self.modalities
    }
    /// The areas that it covers; empty for all.
    async fn areas(&self) -> &[BodyArea] {
        &self.areas
    }
    /// Whether the prescriber saw the patient face to face.
    async fn in_person(&self) -> bool {
        self.in_person
    }
    /// When it was given.
    async fn given_at(&self) -> DateTime {
        DateTime(self.given_at)
    }
    /// Its last day, by the clock of the place of treatment; null: it has no end.
    async fn valid_until(&self) -> Option<Date> {
        self.valid_until.map(Date)
    }
    /// What the prescriber directs.
    async fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
    /// When it was revoked.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.revoked_at.map(DateTime)
    }
    /// Who revoked it.
    async fn revoked_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.revoked_by).await
    }
    /// Why it was revoked.
    async fn revoke_reason(&self) -> Option<&str> {
        self.revoke_reason.as_deref()
    }
    /// Whether the record was marked as entered in error: it covers nothing, and lists leave it out unless
    /// `includeEnteredInError` is true.
    async fn entered_in_error(&self) -> bool {
        self.entered_in_error
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

plain!(Clearance: id, in_person, given_at, valid_until, note, revoked_at, revoke_reason, entered_in_error);

/// The queries of this module.
#[derive(Default)]
pub struct ClearanceQuery;

#[Object]
impl ClearanceQuery {
    /// A clearance; null with NOT_FOUND if there is none with this id.
    async fn clearance(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`clearance_…`")] id: ID,
    ) -> Option<Result<Clearance>> {
        listing::root_one(ctx, &id).await
    }

    /// Clearances, newest first unless asked otherwise, without those entered in error unless the filter asks for them.
    /// Null with FORBIDDEN for roles that see no clinical record.
    #[allow(clippy::too_many_arguments)]
    async fn clearances(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<ClearanceFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<ClearanceOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<Clearance>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }
}
