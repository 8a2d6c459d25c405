//! Staff in the API, and their sign-ins.

use crate::access::sign_in::SignInEntry;
use crate::api::history::history;
use crate::credential::Credential;
use crate::ids;
use crate::ledger::RecordVersion;
use crate::operation::{AtOnce, Running, plain};
use crate::organisation::{Location, Organisation, Staff, loader};
use crate::page::{Connection, Listed, global_id, listing};
use crate::privacy::{EmergencyAccess, EmergencyCondition};
use crate::scalars::{Date, DateTime};
use crate::vocabulary::{RecordKind, StaffRole};
use async_graphql::{Context, ID, InputObject, Object, Result};

/// The prefix of the ids of sign-ins, which are not records.
pub const SIGN_IN: &str = "sign_in";

impl Listed for Staff {
    const NAME: &'static str = "Staff";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// A staff member: the membership of an account in the organisation.
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
    /// The number of emergency accesses that await review. Only for `me` of an admin; null for everybody else.
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
    /// The number of the professional licence.
    async fn licence_number(&self) -> Option<&str> {
        self.licence_number.as_deref()
    }
    /// Whether they may sign in, once they have joined.
    async fn active(&self) -> bool {
        self.active
    }
    /// The last day on which they work here (in UTC); null: it has no end. After it they can't sign in here, and no new
    /// record can name them.
    async fn ends_on(&self) -> Option<Date> {
        self.ends_on.map(Date)
    }
    /// The clinics that they work at; empty for all. No new record of another clinic can name them as its practitioner.
    async fn locations(&self, ctx: &Context<'_>) -> Result<Vec<Location>> {
        listing::linked_many(ctx, self.location_ids.iter().copied()).await
    }
    /// Their credentials, newest first: what they are registered as, and what that allows.
    async fn credentials(&self, ctx: &Context<'_>) -> Result<Vec<Credential>> {
        listing::whole(ctx, ("staff_id", self.id)).await
    }
    /// When they were last invited; null if never. The invitation is valid for 7 days, until they accept it or are no
    /// longer active.
    async fn invited_at(&self) -> Option<DateTime> {
        self.invited_at.map(DateTime)
    }
    /// When they joined, by accepting the invitation or by being given a membership at once. Null: they are still
    /// invited and can't sign in here.
    async fn joined_at(&self) -> Option<DateTime> {
        self.joined_at.map(DateTime)
    }
    /// The organisation that the staff member works in.
    async fn organisation(&self, ctx: &Context<'_>) -> Result<Organisation> {
        loader::organisation(ctx).await
    }
    /// Whether they sign in with a second factor. Null with FORBIDDEN for everybody but themselves and admins.
    async fn second_factor(&self, ctx: &Context<'_>) -> Option<Result<bool>> {
        Some(loader::has_second_factor(ctx, self.id).await)
    }
    /// Their valid sign-ins to this organisation, newest first, at most 100. Null with FORBIDDEN for everybody but
    /// themselves and admins.
    async fn sign_ins(&self, ctx: &Context<'_>) -> Option<Result<Vec<SignIn>>> {
        Some(loader::sign_ins(ctx, self.id).await.map(|found| found.into_iter().map(SignIn).collect()))
    }
    /// The version number: 1 at first, increased by 1 with each change. Send it back as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.stamp.version
    }
    /// When they were added.
    async fn created_at(&self) -> DateTime {
        DateTime(self.stamp.created_at)
    }
    /// Who created the record; null if the program did it by itself, such as the command line.
    async fn created_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
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
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
    ) -> Result<Connection<RecordVersion>> {
        history(ctx, RecordKind::Staff, self.id, first, after).await
    }
}

plain!(Staff: id, display_name, email, role, licence_number, active, ends_on, invited_at, joined_at, version, created_at, updated_at);

/// A sign-in of a person, as shown to them.
pub struct SignIn(SignInEntry);

/// A valid sign-in, of a browser or a program.
#[Object]
impl SignIn {
    /// Typed id, `sign_in_…`, for `revokeSignIn`. It is not a token.
    async fn id(&self) -> ID {
        ID(ids::show_with(SIGN_IN, self.0.id))
    }
    /// Whether this is the sign-in that sends the request.
    async fn current(&self) -> bool {
        self.0.current
    }
    /// The `User-Agent` of the client, at most 200 characters; empty if there was none.
    async fn client(&self) -> &str {
        &self.0.client
    }
    /// The network address it came from.
    async fn address(&self) -> &str {
        &self.0.address
    }
    /// When the sign-in was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
    /// When it was last used, accurate to a fifteenth of the idle time.
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

/// Filter for a list of staff.
#[derive(InputObject, Default)]
pub struct StaffFilter {
    /// Of this role.
    pub(super) role: Option<StaffRole>,
    /// True: active ones only. False: inactive ones only.
    pub(super) active: Option<bool>,
    /// Added or changed at or after this moment.
    pub(super) updated_since: Option<DateTime>,
}
