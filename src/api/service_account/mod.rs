//! Service accounts and their keys in the API, and the viewer.

pub mod mutation;

use super::stamp::RecordStamp;
use crate::ids;
use crate::operation::{AtOnce, Running, plain};
use crate::organisation::{Staff, loader as people};
use crate::page::{Connection, Listed, PageArguments, global_id, listing};
use crate::scalars::DateTime;
use crate::service_account::{
    ApiKey, KeyCondition, KeyFilter, KeyOrder, ServiceAccount, ServiceFilter, ServiceOrder, loader,
};
use crate::vocabulary::{RecordKind, ServiceScope};
use async_graphql::{Context, Enum, ID, Object, Result};
use uuid::Uuid;

impl Listed for ServiceAccount {
    const NAME: &'static str = "ServiceAccount";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}
impl Listed for ApiKey {
    const NAME: &'static str = "ApiKey";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// A service account: an account of a program. It may read what its scopes allow, and can write nothing.
#[Object]
impl ServiceAccount {
    /// Typed id, `service_account_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::ServiceAccount, self.id)
    }
    /// Its name, unique in the organisation.
    async fn name(&self) -> &str {
        &self.name
    }
    /// What it may read.
    async fn scopes(&self) -> &[ServiceScope] {
        &self.scopes
    }
    /// Whether its keys are accepted. Closing the account takes effect with the next request.
    async fn active(&self) -> bool {
        self.active
    }
    /// Its keys, including those no longer valid; newest first.
    async fn keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
    ) -> Result<Connection<ApiKey>> {
        let arguments = PageArguments { first, after, ..PageArguments::default() };
        let order: Option<KeyOrder> = None;
        listing::under(ctx, ("service_account_id", self.id), Ok(KeyCondition::default()), order, arguments).await
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

plain!(ServiceAccount: id, name, active);

/// A key of a service account. The key itself is shown once, when it is made; only its SHA-256 is kept.
#[Object]
impl ApiKey {
    /// Typed id, `api_key_…`. It is not the key itself.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::ApiKey, self.id)
    }
    /// The service account that the key belongs to.
    async fn service_account(&self, ctx: &Context<'_>) -> Result<ServiceAccount> {
        listing::required(ctx, self.service_account_id).await
    }
    /// The first characters of the key, to tell it from others: `clinic_key_` and 8 characters.
    async fn prefix(&self) -> &str {
        &self.prefix
    }
    /// The networks it is accepted from, such as 192.0.2.0/24; empty for anywhere.
    async fn allowed_addresses(&self) -> &[String] {
        &self.allowed_addresses
    }
    /// When it expires.
    async fn expires_at(&self) -> DateTime {
        DateTime(self.expires_at)
    }
    /// When it was revoked; null if it was not.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.revoked_at.map(DateTime)
    }
    /// Whether it is valid now: neither revoked nor expired. Its account may still be closed.
    async fn holds(&self) -> bool {
        self.holds_at(ids::now())
    }
    /// When it was last used, to the minute; null if never.
    async fn last_used_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        loader::last_use(ctx, self.id).await.map(|found| found.map(|(at, _)| DateTime(at))).transpose()
    }
    /// The network address it was last used from.
    async fn last_used_from(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        loader::last_use(ctx, self.id).await.map(|found| found.and_then(|(_, from)| from)).transpose()
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

plain!(ApiKey: id, prefix, expires_at, revoked_at, holds);

/// The kind of viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum ViewerKind {
    /// A person who signed in.
    Staff,
    /// A program with an API key.
    ServiceAccount,
}

/// The viewer: a person or a program.
pub struct Asking {
    staff: Option<Uuid>,
    service: Option<(Uuid, Vec<ServiceScope>)>,
}

/// The viewer: a person or a program.
#[Object(name = "Viewer")]
impl Asking {
    /// The kind of viewer.
    async fn kind(&self) -> ViewerKind {
        if self.service.is_some() { ViewerKind::ServiceAccount } else { ViewerKind::Staff }
    }
    /// The person; null for a program.
    async fn staff(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.staff).await
    }
    /// `service_account_…` of the program; null for a person.
    async fn service_account_id(&self) -> Option<ID> {
        self.service.as_ref().map(|(id, _)| global_id(RecordKind::ServiceAccount, *id))
    }
    /// What the program may read; empty for a person, whose rights come from their role.
    async fn scopes(&self) -> &[ServiceScope] {
        self.service.as_ref().map(|(_, scopes)| scopes.as_slice()).unwrap_or_default()
    }
}

/// The queries of this module.
#[derive(Default)]
pub struct ServiceAccountQuery;

#[Object]
impl ServiceAccountQuery {
    /// The viewer, a person or a program. `me` is for people only.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Asking> {
        let viewer = ctx.operation()?.reader().await?.viewer();
        Ok(Asking { staff: viewer.staff, service: viewer.service.map(|mark| (mark.id, mark.scopes.list())) })
    }

    /// A service account; null with NOT_FOUND if there is none with this id.
    async fn service_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`service_account_…`")] id: ID,
    ) -> Option<Result<ServiceAccount>> {
        listing::root_one(ctx, &id).await
    }

    /// The service accounts, newest first unless asked otherwise.
    #[allow(clippy::too_many_arguments)]
    async fn service_accounts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<ServiceFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<ServiceOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<ServiceAccount>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }

    /// The API keys of all service accounts, newest first: never the keys themselves.
    async fn api_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<KeyFilter>>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<ApiKey>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, None, PageArguments { first, after, last, before }).await
    }
}
