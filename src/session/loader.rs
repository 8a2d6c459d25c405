//! Sessions of patients, sessions by id, areas, products and checks of sessions: batched.

use super::{Filter, KeptCheck, OrderBy, ProductUse, SessionArea, TreatmentSession, store};
use crate::error::SharedError;
use crate::operation::Batch;
use crate::page::listing::{self, Loading};
use crate::page::{Connection, PageArguments};
use async_graphql::dataloader::Loader;
use async_graphql::{Context, Result};
use std::collections::HashMap;
use uuid::Uuid;

/// The areas of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AreasOf(pub Uuid);

/// The products of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProductsOf(pub Uuid);

/// The checks of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChecksOf(pub Uuid);

impl Loader<AreasOf> for Batch {
    type Value = Vec<SessionArea>;
    type Error = SharedError;

    async fn load(&self, keys: &[AreasOf]) -> Result<HashMap<AreasOf, Self::Value>, SharedError> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let mut scope = self.0.reader().await?;
        let areas = store::areas_of(&mut scope, &ids).await?;
        Ok(areas.into_iter().map(|(session, areas)| (AreasOf(session), areas)).collect())
    }
}

impl Loader<ProductsOf> for Batch {
    type Value = Vec<ProductUse>;
    type Error = SharedError;

    async fn load(&self, keys: &[ProductsOf]) -> Result<HashMap<ProductsOf, Self::Value>, SharedError> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let mut scope = self.0.reader().await?;
        let products = store::products_of(&mut scope, &ids).await?;
        Ok(products.into_iter().map(|(session, products)| (ProductsOf(session), products)).collect())
    }
}

impl Loader<ChecksOf> for Batch {
    type Value = Vec<KeptCheck>;
    type Error = SharedError;

    async fn load(&self, keys: &[ChecksOf]) -> Result<HashMap<ChecksOf, Self::Value>, SharedError> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let mut scope = self.0.reader().await?;
        let checks = store::checks_of(&mut scope, &ids).await?;
        Ok(checks.into_iter().map(|(session, checks)| (ChecksOf(session), checks)).collect())
    }
}

/// The session a record must have.
pub async fn session_of_record(ctx: &Context<'_>, id: Uuid) -> Result<TreatmentSession> {
    listing::required(ctx, id).await
}

/// A page of a patient's sessions: the `sessions` field of a patient.
pub fn of_patient<'a>(
    ctx: &'a Context<'_>,
    patient: Uuid,
    filter: Filter,
    order: OrderBy,
    arguments: PageArguments,
) -> Loading<'a, Connection<TreatmentSession>> {
    listing::under(ctx, ("patient_id", patient), filter.read(), Some(order), arguments)
}
