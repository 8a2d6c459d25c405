//! Protocols in the API: the records, their queries and their links.

pub mod input;
pub mod mutation;

use super::stamp::RecordStamp;
use crate::operation::{AtOnce, plain};
use crate::organisation::{Staff, loader as people};
use crate::page::{Connection, Listed, PageArguments, global_id, listing};
use crate::protocol::{
    Protocol, ProtocolFilter, ProtocolOrder, ProtocolVersion, ProtocolVersionFilter, ProtocolVersionOrder, Rules,
    VersionStatus,
};
use crate::scalars::DateTime;
use crate::vocabulary::{Concern, Modality, RecordKind};
use async_graphql::{Context, ID, Object, Result};

impl Listed for Protocol {
    const NAME: &'static str = "Protocol";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}
impl Listed for ProtocolVersion {
    const NAME: &'static str = "ProtocolVersion";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// A protocol: care rules as data, kept in versions.
#[Object]
impl Protocol {
    /// Typed id, `protocol_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::Protocol, self.id)
    }
    /// Name, unique in the organisation.
    async fn name(&self) -> &str {
        &self.name
    }
    /// The version it was copied from.
    async fn copied_from(&self, ctx: &Context<'_>) -> Option<Result<ProtocolVersion>> {
        listing::linked(ctx, self.copied_from).await
    }
    /// Whether it is in use.
    async fn active(&self) -> bool {
        self.active
    }
    /// The version in force; null before the first is published.
    async fn published_version(&self, ctx: &Context<'_>) -> Option<Result<ProtocolVersion>> {
        self.version_that_is(ctx, VersionStatus::Published).await
    }
    /// The version being written, if there is one.
    async fn draft_version(&self, ctx: &Context<'_>) -> Option<Result<ProtocolVersion>> {
        self.version_that_is(ctx, VersionStatus::Draft).await
    }
    /// Every version, newest first unless asked otherwise.
    #[allow(clippy::too_many_arguments)]
    async fn versions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<ProtocolVersionFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<ProtocolVersionOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Result<Connection<ProtocolVersion>> {
        let condition = filter.unwrap_or_default().read();
        let window = PageArguments { first, after, last, before };
        listing::under(ctx, ("protocol_id", self.id), condition, order_by, window).await
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

plain!(Protocol: id, name, active);

impl Protocol {
    async fn version_that_is(&self, ctx: &Context<'_>, status: VersionStatus) -> Option<Result<ProtocolVersion>> {
        match listing::whole::<ProtocolVersion>(ctx, ("protocol_id", self.id)).await {
            Ok(versions) => versions.into_iter().find(|version| version.status == status).map(Ok),
            Err(error) => Some(Err(error)),
        }
    }
}

/// A version of a protocol. A published version takes no changes; plans and sessions keep the version they began with.
#[Object]
impl ProtocolVersion {
    /// Typed id, `protocol_version_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::ProtocolVersion, self.id)
    }
    /// The protocol it is a version of.
    async fn protocol(&self, ctx: &Context<'_>) -> Result<Protocol> {
        listing::required(ctx, self.protocol_id).await
    }
    /// The number of the version: 1, 2, 3 …
    async fn number(&self) -> i32 {
        self.number
    }
    /// How far the version is: DRAFT, PUBLISHED or RETIRED.
    async fn status(&self) -> VersionStatus {
        self.status
    }
    /// The kind of treatment.
    async fn modality(&self) -> Modality {
        self.modality
    }
    /// The concerns it is for.
    async fn indications(&self) -> &[Concern] {
        &self.indications
    }
    /// What the version prescribes: intervals, depths, contraindications, aftercare.
    async fn rules(&self) -> &Rules {
        &self.rules
    }
    /// When it was published.
    async fn published_at(&self) -> Option<DateTime> {
        self.published_at.map(DateTime)
    }
    /// Who published it; null if the program did it by itself, such as the command line.
    async fn published_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.published_by).await
    }
    /// What changed since the version before.
    async fn change_note(&self) -> Option<&str> {
        self.change_note.as_deref()
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

plain!(ProtocolVersion: id, number, status, modality, published_at, change_note);

/// The queries of this module.
#[derive(Default)]
pub struct ProtocolQuery;

#[Object]
impl ProtocolQuery {
    /// A protocol; null with NOT_FOUND if there is none with this id.
    async fn protocol(
        &self, ctx: &Context<'_>, #[graphql(desc = "`protocol_…`")] id: ID
    ) -> Option<Result<Protocol>> {
        listing::root_one(ctx, &id).await
    }

    /// A version of a protocol; null with NOT_FOUND if there is none with this id.
    async fn protocol_version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`protocol_version_…`")] id: ID,
    ) -> Option<Result<ProtocolVersion>> {
        listing::root_one(ctx, &id).await
    }

    /// Versions of all protocols, newest first.
    async fn protocol_versions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<ProtocolVersionFilter>>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<ProtocolVersion>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, None, PageArguments { first, after, last, before }).await
    }

    /// Protocols, by name unless asked otherwise.
    #[allow(clippy::too_many_arguments)]
    async fn protocols(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<ProtocolFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<ProtocolOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<Protocol>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }
}
