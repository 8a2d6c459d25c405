//! Staff and locations by id, batched.

use super::{Location, Staff, store};
use crate::error::{Error, SharedError};
use crate::operation::{Batch, Running};
use async_graphql::dataloader::Loader;
use async_graphql::{Context, Result};
use std::collections::HashMap;
use uuid::Uuid;

/// Looks a staff member up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StaffById(pub Uuid);

/// Looks a location up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LocationById(pub Uuid);

impl Loader<StaffById> for Batch {
    type Value = Staff;
    type Error = SharedError;

    async fn load(&self, keys: &[StaffById]) -> Result<HashMap<StaffById, Staff>, SharedError> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let mut scope = self.0.reader().await?;
        let staff = store::staff(&mut scope, &ids).await?;
        Ok(staff.into_iter().map(|member| (StaffById(member.id), member)).collect())
    }
}

impl Loader<LocationById> for Batch {
    type Value = Location;
    type Error = SharedError;

    async fn load(&self, keys: &[LocationById]) -> Result<HashMap<LocationById, Location>, SharedError> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let mut scope = self.0.reader().await?;
        let locations = store::locations(&mut scope, &ids).await?;
        Ok(locations.into_iter().map(|location| (LocationById(location.id), location)).collect())
    }
}

/// The staff member with an id, batched with its siblings.
async fn staff(ctx: &Context<'_>, id: Uuid) -> Result<Option<Staff>> {
    Ok(ctx.batches()?.load_one(StaffById(id)).await?)
}

/// The staff member a record must have.
pub async fn staff_of_record(ctx: &Context<'_>, id: Uuid) -> Result<Staff> {
    staff(ctx, id).await?.ok_or_else(|| Error::Internal("a record names staff that is not there".to_owned()).into())
}

/// The staff member a record may have; the program itself made some. Its failure nulls this field only.
pub async fn opt_staff(ctx: &Context<'_>, id: Option<Uuid>) -> Option<Result<Staff>> {
    staff(ctx, id?).await.transpose()
}

/// The location with an id, batched with its siblings.
pub async fn location(ctx: &Context<'_>, id: Uuid) -> Option<Result<Location>> {
    let found = async { Ok(ctx.batches()?.load_one(LocationById(id)).await?) };
    found.await.transpose()
}

/// The location a record must have.
pub async fn location_of_record(ctx: &Context<'_>, id: Uuid) -> Result<Location> {
    let found = location(ctx, id).await;
    found.unwrap_or_else(|| Err(Error::Internal("a record names a location that is not there".to_owned()).into()))
}
