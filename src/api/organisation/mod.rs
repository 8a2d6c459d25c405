//! The organisation in the API, and the queries for it, its locations and its staff.

pub mod address;
pub mod input;
pub mod location;
pub mod location_mutation;
pub mod mutation;
pub mod staff;

pub use address::AddressInput;

use crate::api::history::history;
use crate::error::Error;
use crate::ids;
use crate::ledger::RecordVersion;
use crate::operation::{AtOnce, Running};
use crate::organisation::filter::{PlaceFilter, PlaceOrder};
use crate::organisation::{Location, Organisation, Staff, loader, store};
use crate::page::{Connection, PageArguments, global_id, listing};
use crate::scalars::DateTime;
use crate::vocabulary::{RecordKind, StaffRole};
use async_graphql::{Context, ID, Object, Result};
use location::{LocationFilter, locations};
use staff::StaffFilter;

/// A clinic group. Everything belongs to one organisation, and nobody sees the data of another.
#[Object]
impl Organisation {
    /// Typed id, `organisation_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::Organisation, self.id)
    }

    /// The name that the organisation is shown under.
    async fn name(&self) -> &str {
        &self.name
    }

    /// The version number: 1 at first, increased by 1 with each change. Send it back as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.stamp.version
    }

    /// The roles that must sign in with a second factor.
    async fn second_factor_roles(&self) -> &[StaffRole] {
        &self.second_factor_roles
    }

    /// When the organisation was created here.
    async fn created_at(&self) -> DateTime {
        DateTime(self.stamp.created_at)
    }

    /// Its clinics, by name.
    async fn locations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "True: active ones only. False: inactive ones only.")] active: Option<bool>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Location>> {
        let arguments = PageArguments { first, after, ..PageArguments::default() };
        let filter = PlaceFilter { active, ..PlaceFilter::default() };
        locations(ctx, filter, PlaceOrder::default(), arguments).await
    }

    /// Every version of this record, newest first.
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
    ) -> Result<Connection<RecordVersion>> {
        history(ctx, RecordKind::Organisation, self.id, first, after).await
    }
}

/// The queries of this module.
#[derive(Default)]
pub struct OrganisationQuery;

#[Object]
impl OrganisationQuery {
    /// The person who is signed in. FORBIDDEN for a program; `viewer` works for both.
    async fn me(&self, ctx: &Context<'_>) -> Result<AtOnce<Staff>> {
        let mut scope = ctx.operation()?.reader().await?;
        let id = scope.viewer().author()?;
        Ok(AtOnce(store::staff_member(&mut scope, id).await?))
    }

    /// The organisation you are signed in to.
    async fn organisation(&self, ctx: &Context<'_>) -> Result<Organisation> {
        loader::organisation(ctx).await
    }

    /// A location; null with NOT_FOUND if there is none with this id.
    async fn location(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`location_…`")] id: ID,
    ) -> Option<Result<AtOnce<Location>>> {
        let found = async {
            let id = ids::argument("id", RecordKind::Location, &id)?;
            Ok(store::location(&mut *ctx.operation()?.reader().await?, id).await?)
        };
        Some(found.await.map(AtOnce))
    }

    /// A staff member; null with NOT_FOUND if there is none with this id.
    async fn staff_member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "`staff_…`")] id: ID,
    ) -> Option<Result<AtOnce<Staff>>> {
        let found = async {
            let id = ids::argument("id", RecordKind::Staff, &id)?;
            Ok(store::staff_member(&mut *ctx.operation()?.reader().await?, id).await?)
        };
        Some(found.await.map(AtOnce))
    }

    /// The clinics, by name unless asked otherwise.
    #[allow(clippy::too_many_arguments)]
    async fn locations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<LocationFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<PlaceOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Location>> {
        let LocationFilter { active, updated_since } = *filter.unwrap_or_default();
        let filter = PlaceFilter { active, role: None, updated_since: updated_since.map(|moment| moment.0) };
        locations(ctx, filter, order_by.unwrap_or_default(), PageArguments { first, after, last, before }).await
    }

    /// The staff, by name unless asked otherwise.
    #[allow(clippy::too_many_arguments)]
    async fn staff(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<StaffFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<PlaceOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Staff>> {
        let filter = filter.unwrap_or_default();
        let updated_since = filter.updated_since.map(|moment| moment.0);
        let filter = PlaceFilter { active: filter.active, role: filter.role, updated_since };
        let window = PageArguments { first, after, last, before };
        match listing::root(ctx, Ok(filter), order_by, window).await {
            Some(found) => found,
            None => Err(Error::Internal("a list that is none".to_owned()).into()),
        }
    }
}
