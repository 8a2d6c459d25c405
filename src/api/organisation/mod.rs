//! Organisation, locations and staff in the API.

pub mod mutation;

use crate::access::sessions::SignInEntry;
use crate::api::history::history;
use crate::ids;
use crate::ledger::RecordVersion;
use crate::operation::{Inputs, Running};
use crate::organisation::filter::{LOCATION_NAME, PlaceOrder, STAFF_NAME};
use crate::organisation::{Location, Organisation, Staff, loader, store};
use crate::page::{Connection, Listed, PageArguments, batch_counter, counter, global_id, listing};
use crate::privacy::{EmergencyAccess, EmergencyCondition};
use crate::record::Address;
use crate::scalars::DateTime;
use crate::vocabulary::{RecordKind, StaffRole};
use async_graphql::{Context, ID, InputObject, Object, Result};

/// What the ids of sign-ins start with: they are no records.
pub const SIGN_IN: &str = "sign_in";

impl Listed for Location {
    const NAME: &'static str = "Location";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}
impl Listed for Staff {
    const NAME: &'static str = "Staff";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// A clinic group. Everything belongs to one organisation, and nobody sees another's.
#[Object]
impl Organisation {
    /// Typed id, `organisation_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::Organisation, self.id)
    }

    /// Its name.
    async fn name(&self) -> &str {
        &self.name
    }

    /// 1 at first, one more with each change: send it back as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.stamp.version
    }

    /// The roles that must sign in with a second factor.
    async fn second_factor_roles(&self) -> &[StaffRole] {
        &self.second_factor_roles
    }

    /// When it was founded here.
    async fn created_at(&self) -> DateTime {
        DateTime(self.stamp.created_at)
    }

    /// Its clinics, by name.
    async fn locations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Active ones only, or inactive ones only.")] active: Option<bool>,
        #[graphql(desc = "The first so many, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
    ) -> Result<Connection<Location>> {
        let arguments = PageArguments { first, after, ..PageArguments::default() };
        locations(ctx, active, PlaceOrder::default(), arguments).await
    }

    /// Every version of this record, newest first.
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
    ) -> Result<Connection<RecordVersion>> {
        history(ctx, RecordKind::Organisation, self.id, first, after).await
    }
}

/// A postal address.
#[Object]
impl Address {
    /// Street and number, one line or several.
    async fn lines(&self) -> &[String] {
        &self.lines
    }
    /// Town.
    async fn city(&self) -> Option<&str> {
        self.city.as_deref()
    }
    /// State, province or county.
    async fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }
    /// Postal code.
    async fn postal_code(&self) -> Option<&str> {
        self.postal_code.as_deref()
    }
    /// ISO 3166-1 alpha-2 country code.
    async fn country(&self) -> &str {
        &self.country
    }
}

/// A postal address.
#[derive(InputObject)]
pub struct AddressInput {
    /// Street and number, 1 to 4 lines.
    lines: Vec<String>,
    /// Town.
    city: Option<String>,
    /// State, province or county.
    region: Option<String>,
    /// Postal code.
    postal_code: Option<String>,
    /// ISO 3166-1 alpha-2 country code, such as ES.
    country: String,
}

impl AddressInput {
    /// Checks it; faults are noted under `path`.
    pub fn read(&self, inputs: &mut Inputs, path: &str) -> Address {
        if self.lines.is_empty() || self.lines.len() > 4 {
            inputs.fault(&format!("{path}.lines"), "must have 1 to 4 lines");
        }
        let lines = self.lines.iter().enumerate();
        let lines = lines.map(|(i, line)| inputs.text(&format!("{path}.lines.{i}"), line, 200)).collect();
        let country = self.country.trim().to_ascii_uppercase();
        if country.len() != 2 || !country.bytes().all(|letter| letter.is_ascii_uppercase()) {
            inputs.fault(&format!("{path}.country"), "must be a two-letter country code such as ES");
        }
        Address {
            lines,
            city: inputs.opt_text(&format!("{path}.city"), self.city.as_deref(), 200),
            region: inputs.opt_text(&format!("{path}.region"), self.region.as_deref(), 200),
            postal_code: inputs.opt_text(&format!("{path}.postalCode"), self.postal_code.as_deref(), 20),
            country,
        }
    }
}

/// A clinic of the organisation.
#[Object]
impl Location {
    /// Typed id, `location_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::Location, self.id)
    }
    /// Its name, unique in the organisation.
    async fn name(&self) -> &str {
        &self.name
    }
    /// IANA time zone, such as Europe/Madrid: windows of care are computed in it.
    async fn time_zone(&self) -> &str {
        &self.time_zone
    }
    /// Where it is.
    async fn address(&self) -> Option<&Address> {
        self.address.as_ref()
    }
    /// E.164 number.
    async fn phone(&self) -> Option<&str> {
        self.phone.as_deref()
    }
    /// Whether new records may name it.
    async fn active(&self) -> bool {
        self.active
    }
    /// 1 at first, one more with each change: send it back as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.stamp.version
    }
    /// When it was added.
    async fn created_at(&self) -> DateTime {
        DateTime(self.stamp.created_at)
    }
    /// When it was last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.stamp.updated_at)
    }
    /// Every version of this record, newest first.
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
    ) -> Result<Connection<RecordVersion>> {
        history(ctx, RecordKind::Location, self.id, first, after).await
    }
}

/// Somebody's place in the organisation.
#[Object]
impl Staff {
    /// Typed id, `staff_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::Staff, self.id)
    }
    /// The name others see.
    async fn display_name(&self) -> &str {
        &self.display_name
    }
    /// How many emergency accesses wait for their review. For `me` of an admin; null for everybody else.
    async fn unreviewed_emergency_access(&self, ctx: &Context<'_>) -> Option<Result<i64>> {
        let found = async {
            let mut scope = ctx.operation()?.reader().await?;
            let viewer = scope.viewer();
            if viewer.staff != Some(self.id) || viewer.role != Some(StaffRole::Admin) {
                return Ok(None);
            }
            let condition = EmergencyCondition::to_review(self.id);
            Ok(Some(listing::count::<EmergencyAccess>(&mut scope, &condition).await?))
        };
        found.await.transpose()
    }
    /// The e-mail they sign in with.
    async fn email(&self) -> &str {
        &self.email
    }
    /// What they may do.
    async fn role(&self) -> StaffRole {
        self.role
    }
    /// Professional licence.
    async fn licence_number(&self) -> Option<&str> {
        self.licence_number.as_deref()
    }
    /// Whether they may sign in, once they have joined.
    async fn active(&self) -> bool {
        self.active
    }
    /// When they were last invited; null for who was never. The invitation holds for 7 days, until they accept or are not
    /// active any more.
    async fn invited_at(&self) -> Option<DateTime> {
        self.invited_at.map(DateTime)
    }
    /// When they joined: accepted the invitation, or were given their place at once. Null: they are invited still, and
    /// can't sign in here.
    async fn joined_at(&self) -> Option<DateTime> {
        self.joined_at.map(DateTime)
    }
    /// The organisation.
    async fn organisation(&self, ctx: &Context<'_>) -> Result<Organisation> {
        loader::organisation(ctx).await
    }
    /// Whether they sign in with a second factor. Null with FORBIDDEN but for themselves and admins.
    async fn second_factor(&self, ctx: &Context<'_>) -> Option<Result<bool>> {
        Some(loader::has_second_factor(ctx, self.id).await)
    }
    /// Their sign-ins to this organisation that hold, newest first, at most 100. Null with FORBIDDEN but for themselves
    /// and admins.
    async fn sign_ins(&self, ctx: &Context<'_>) -> Option<Result<Vec<SignIn>>> {
        Some(loader::sign_ins(ctx, self.id).await.map(|found| found.into_iter().map(SignIn).collect()))
    }
    /// 1 at first, one more with each change: send it back as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.stamp.version
    }
    /// When they were added.
    async fn created_at(&self) -> DateTime {
        DateTime(self.stamp.created_at)
    }
    /// By whom; null for the program itself.
    async fn created_by(&self, ctx: &Context<'_>) -> Option<Result<Staff>> {
        loader::opt_staff(ctx, self.stamp.created_by).await
    }
    /// When their entry was last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.stamp.updated_at)
    }
    /// Every version of this record, newest first.
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
    ) -> Result<Connection<RecordVersion>> {
        history(ctx, RecordKind::Staff, self.id, first, after).await
    }
}

/// A sign-in of somebody, as they see it.
pub struct SignIn(SignInEntry);

/// A sign-in that holds: somebody's browser or program.
#[Object]
impl SignIn {
    /// Typed id, `sign_in_…`, for revokeSignIn. It is no token.
    async fn id(&self) -> ID {
        ID(ids::show_with(SIGN_IN, self.0.id))
    }
    /// Whether this is the sign-in that asks.
    async fn current(&self) -> bool {
        self.0.current
    }
    /// What the client called itself (`User-Agent`), at most 200 characters; empty if it said nothing.
    async fn client(&self) -> &str {
        &self.0.client
    }
    /// The network address it came from.
    async fn address(&self) -> &str {
        &self.0.address
    }
    /// When.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
    /// When it was last used, to a fifteenth of the idle time.
    async fn last_seen_at(&self) -> DateTime {
        DateTime(self.0.last_seen_at)
    }
    /// When it ends at the latest.
    async fn expires_at(&self) -> DateTime {
        DateTime(self.0.expires_at)
    }
    /// Whether it was made with a second factor.
    async fn second_factor(&self) -> bool {
        self.0.second_factor
    }
    /// Whether its token is the cookie of a browser.
    async fn by_cookie(&self) -> bool {
        self.0.by_cookie
    }
}

/// What to keep of a list of staff.
#[derive(InputObject, Default)]
pub struct StaffFilter {
    /// Of this role.
    role: Option<StaffRole>,
    /// Active ones only, or inactive ones only.
    active: Option<bool>,
}

/// The queries of this slice.
#[derive(Default)]
pub struct OrganisationQuery;

#[Object]
impl OrganisationQuery {
    /// The person who is signed in. FORBIDDEN for a program: `viewer` tells either.
    async fn me(&self, ctx: &Context<'_>) -> Result<Staff> {
        let mut scope = ctx.operation()?.reader().await?;
        let id = scope.viewer().author()?;
        Ok(store::staff_member(&mut scope, id).await?)
    }

    /// The organisation one is signed in to.
    async fn organisation(&self, ctx: &Context<'_>) -> Result<Organisation> {
        loader::organisation(ctx).await
    }

    /// A location; null with NOT_FOUND if there is none with this id.
    async fn location(
        &self, ctx: &Context<'_>, #[graphql(desc = "`location_…`")] id: ID
    ) -> Option<Result<Location>> {
        let found = async {
            let id = ids::argument("id", RecordKind::Location, &id)?;
            Ok(store::location(&mut *ctx.operation()?.reader().await?, id).await?)
        };
        Some(found.await)
    }

    /// A staff member; null with NOT_FOUND if there is none with this id.
    async fn staff_member(&self, ctx: &Context<'_>, #[graphql(desc = "`staff_…`")] id: ID) -> Option<Result<Staff>> {
        let found = async {
            let id = ids::argument("id", RecordKind::Staff, &id)?;
            Ok(store::staff_member(&mut *ctx.operation()?.reader().await?, id).await?)
        };
        Some(found.await)
    }

    /// The clinics, by name unless asked otherwise.
    #[allow(clippy::too_many_arguments)]
    async fn locations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which to keep.")] filter: Option<LocationFilter>,
        #[graphql(desc = "How to sort them.")] order_by: Option<PlaceOrder>,
        #[graphql(desc = "The first so many, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Location>> {
        let active = filter.unwrap_or_default().active;
        locations(ctx, active, order_by.unwrap_or_default(), PageArguments { first, after, last, before }).await
    }

    /// The staff, by name unless asked otherwise.
    #[allow(clippy::too_many_arguments)]
    async fn staff(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which to keep.")] filter: Option<StaffFilter>,
        #[graphql(desc = "How to sort them.")] order_by: Option<PlaceOrder>,
        #[graphql(desc = "The first so many, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Staff>> {
        let filter = filter.unwrap_or_default();
        let filter = store::PlaceFilter { active: filter.active, role: filter.role };
        let order_by = order_by.unwrap_or_default();
        let order = order_by.order(STAFF_NAME);
        let window = PageArguments { first, after, last, before }.window::<Staff>(ctx, &order).await?;
        let page = store::staff_page(&mut *ctx.operation()?.reader().await?, &filter, &order, &window).await?;
        let count = counter(move |operation| {
            let filter = filter.clone();
            async move { store::staff_count(&mut *operation.reader().await?, &filter).await }
        });
        Ok(Connection::new(page, &order, |it| (order_by.key(&it.display_name, &it.stamp), it.id), count))
    }
}

/// A page of the clinics: the root field's and the organisation's.
async fn locations(
    ctx: &Context<'_>,
    active: Option<bool>,
    order_by: PlaceOrder,
    arguments: PageArguments,
) -> Result<Connection<Location>> {
    let order = order_by.order(LOCATION_NAME);
    let window = arguments.window::<Location>(ctx, &order).await?;
    let page =
        ctx.batches()?.load_one(loader::LocationPage { active, order: order_by, window }).await?.unwrap_or_default();
    let count = batch_counter(ctx, loader::LocationsCounted(active))?;
    Ok(Connection::new(page, &order, |it| (order_by.key(&it.name, &it.stamp), it.id), count))
}

/// What to keep of a list of clinics.
#[derive(InputObject, Default)]
pub struct LocationFilter {
    /// Active ones only, or inactive ones only.
    active: Option<bool>,
}
