//! Staff and locations by id, batched.

use super::filter::{PlaceFilter, PlaceOrder};
use super::{Location, Organisation, Staff, store};
use crate::access::sign_in::{self, SignInEntry};
use crate::error::{Error, SharedError};
use crate::operation::{AtOnce, Batch, Running};
use crate::page::Columns;
use crate::page::{Page, Window, listing};
use crate::vocabulary::{Action, RecordKind};
use async_graphql::dataloader::Loader;
use async_graphql::{Context, Result};
use std::collections::HashMap;
use uuid::Uuid;

/// The organisation of the viewer: one for a whole operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Own;

impl Loader<Own> for Batch {
    type Value = Organisation;
    type Error = SharedError;

    async fn load(&self, _: &[Own]) -> Result<HashMap<Own, Organisation>, SharedError> {
        Ok(HashMap::from([(Own, store::organisation(&mut *self.0.reader().await?).await?)]))
    }
}

/// The organisation of the viewer, batched.
pub async fn organisation(ctx: &Context<'_>) -> Result<Organisation> {
    let own = ctx.load(Own).await?;
    own.ok_or_else(|| Error::Internal("a viewer without an organisation".to_owned()).into())
}

/// A page of the organisation's locations: the same for everybody who asks in one operation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LocationPage {
    /// Which of them.
    pub filter: PlaceFilter,
    /// The order.
    pub order: PlaceOrder,
    /// The window.
    pub window: Window,
}

/// How many locations there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LocationsCounted(pub PlaceFilter);

impl Loader<LocationPage> for Batch {
    type Value = Page<Location>;
    type Error = SharedError;

    async fn load(&self, keys: &[LocationPage]) -> Result<HashMap<LocationPage, Page<Location>>, SharedError> {
        let mut scope = self.0.reader().await?;
        let mut found = HashMap::new();
        for key in keys {
            let page = listing::page(&mut scope, &key.filter, key.order, &key.window, Columns::all()).await?;
            found.insert(key.clone(), page);
        }
        Ok(found)
    }
}

impl Loader<LocationsCounted> for Batch {
    type Value = i64;
    type Error = SharedError;

    async fn load(&self, keys: &[LocationsCounted]) -> Result<HashMap<LocationsCounted, i64>, SharedError> {
        let mut scope = self.0.reader().await?;
        let mut found = HashMap::new();
        for key in keys {
            found.insert(*key, listing::count::<Location>(&mut scope, &key.0).await?);
        }
        Ok(found)
    }
}

/// The sign-ins of a staff member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct SignInsOf(Uuid);

/// Whether a staff member has a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct SecondFactorOf(Uuid);

impl Loader<SignInsOf> for Batch {
    type Value = Vec<SignInEntry>;
    type Error = SharedError;

    async fn load(&self, keys: &[SignInsOf]) -> Result<HashMap<SignInsOf, Vec<SignInEntry>>, SharedError> {
        let staff: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let mut scope = self.0.reader().await?;
        let found = self.0.service().doorkeeper.sign_ins(&mut scope, &staff).await?;
        Ok(found.into_iter().map(|(staff, sign_ins)| (SignInsOf(staff), sign_ins)).collect())
    }
}

impl Loader<SecondFactorOf> for Batch {
    type Value = bool;
    type Error = SharedError;

    async fn load(&self, keys: &[SecondFactorOf]) -> Result<HashMap<SecondFactorOf, bool>, SharedError> {
        let staff: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let found = sign_in::with_second_factor(&mut *self.0.reader().await?, &staff).await?;
        Ok(found.into_iter().map(|staff| (SecondFactorOf(staff), true)).collect())
    }
}

/// Refuses what only somebody themself and who manages staff may see, before it is batched with what others may.
async fn own_or_managed(ctx: &Context<'_>, staff: Uuid) -> Result<()> {
    let viewer = ctx.operation()?.reader().await?.viewer();
    if viewer.staff != Some(staff) && viewer.check(Action::Update, RecordKind::Staff).is_err() {
        let why = "this is shown to the staff member themselves and to admins";
        return Err(Error::Forbidden(why.to_owned()).into());
    }
    Ok(())
}

/// The sign-ins of a staff member, batched.
pub async fn sign_ins(ctx: &Context<'_>, staff: Uuid) -> Result<Vec<SignInEntry>> {
    own_or_managed(ctx, staff).await?;
    let sign_ins = ctx.load(SignInsOf(staff)).await?.unwrap_or_default();
    ctx.operation()?.lead_to(sign_ins.len())?;
    Ok(sign_ins)
}

/// Whether a staff member has a second factor, batched.
pub async fn has_second_factor(ctx: &Context<'_>, staff: Uuid) -> Result<bool> {
    own_or_managed(ctx, staff).await?;
    Ok(ctx.load(SecondFactorOf(staff)).await?.unwrap_or_default())
}

/// The staff member of a record, for the field that returns them: only what the field selects is read.
pub async fn staff_of_record(ctx: &Context<'_>, id: Uuid) -> Result<AtOnce<Staff>> {
    listing::needed(ctx, id).await.map(AtOnce)
}

/// The staff member a record may have; the program itself made some. Its failure nulls this field only.
pub async fn opt_staff(ctx: &Context<'_>, id: Option<Uuid>) -> Option<Result<AtOnce<Staff>>> {
    listing::given(ctx, id).await.map(|found| found.map(AtOnce))
}

/// The location with an id, batched with its siblings.
pub async fn location(ctx: &Context<'_>, id: Uuid) -> Option<Result<AtOnce<Location>>> {
    listing::given(ctx, Some(id)).await.map(|found| found.map(AtOnce))
}

/// The location of a record, for the field that returns it: only what the field selects is read.
pub async fn location_of_record(ctx: &Context<'_>, id: Uuid) -> Result<AtOnce<Location>> {
    listing::needed(ctx, id).await.map(AtOnce)
}

/// The whole location of a record, for rules that compute with it.
pub async fn whole_location(ctx: &Context<'_>, id: Uuid) -> Result<Location> {
    listing::required(ctx, id).await
}
