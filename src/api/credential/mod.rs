//! Credentials of staff in the API: the record, its queries and its links.

pub mod mutation;

use super::stamp::RecordStamp;
use crate::credential::{Credential, CredentialFilter, CredentialOrder};
use crate::ids;
use crate::operation::{AtOnce, plain};
use crate::organisation::{Staff, loader as people};
use crate::page::{Connection, Listed, PageArguments, global_id, listing};
use crate::scalars::Date;
use crate::vocabulary::{Modality, RecordKind};
use async_graphql::{Context, ID, Object, Result};

impl Listed for Credential {
    const NAME: &'static str = "Credential";
    fn whose(&self) -> Option<uuid::Uuid> {
        None
    }
}

/// A credential of a staff member: a profession that they are registered in, and what it allows.
#[Object]
impl Credential {
    /// Typed id, `credential_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::Credential, self.id)
    }
    /// The staff member who holds it.
    async fn staff(&self, ctx: &Context<'_>) -> Result<AtOnce<Staff>> {
        people::staff_of_record(ctx, self.staff_id).await
    }
    /// The profession, such as `physician`.
    async fn profession(&self) -> &str {
        &self.profession
    }
    /// The holder's number in that register.
    async fn number(&self) -> &str {
        &self.number
    }
    /// The authority that issued it and keeps the register, such as the General Medical Council.
    async fn body(&self) -> &str {
        &self.body
    }
    /// The country or state in which it is valid, such as `United Kingdom` or `New York`.
    async fn jurisdiction(&self) -> &str {
        &self.jurisdiction
    }
    /// Whether the holder acts as a prescriber by it: signs off what a rule blocks, and gives a clearance.
    async fn prescriber(&self) -> bool {
        self.prescriber
    }
    /// The kinds of treatment that it is limited to; empty for all.
    async fn modalities(&self) -> &[Modality] {
        &self.modalities
    }
    /// Its first day; null: it holds already.
    async fn valid_from(&self) -> Option<Date> {
        self.valid_from.map(Date)
    }
    /// Its last day; null: it has no end.
    async fn expires_on(&self) -> Option<Date> {
        self.expires_on.map(Date)
    }
    /// Whether it counts: false once it was withdrawn, or if it was noted in error.
    async fn active(&self) -> bool {
        self.active
    }
    /// Whether it counts today (in UTC): active, and between its first day and its last.
    async fn in_force(&self) -> bool {
        self.counts_on(ids::now().date_naive())
    }
    /// Remarks.
    async fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

plain!(Credential: id, profession, number, body, jurisdiction, prescriber, valid_from, expires_on, active, note);

/// The queries of this module.
#[derive(Default)]
pub struct CredentialQuery;

#[Object]
impl CredentialQuery {
    /// A credential; null with NOT_FOUND if there is none with this id.
    async fn credential(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`credential_…`")] id: ID,
    ) -> Option<Result<Credential>> {
        listing::root_one(ctx, &id).await
    }

    /// Credentials of the staff, newest first unless asked otherwise.
    #[allow(clippy::too_many_arguments)]
    async fn credentials(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<CredentialFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<CredentialOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<Credential>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }
}
