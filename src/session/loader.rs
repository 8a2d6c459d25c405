//! Sessions of patients, sessions by id, areas and products of sessions: batched.

use super::filter::Condition;
use super::{Filter, OrderBy, ProductUse, SessionArea, TreatmentSession, store};
use crate::error::{Error, SharedError};
use crate::operation::{Batch, Running};
use crate::page::{Connection, PageArguments, Window, batch_counter};
use async_graphql::dataloader::Loader;
use async_graphql::{Context, Result};
use std::collections::HashMap;
use uuid::Uuid;

/// Looks a session up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionById(pub Uuid);

/// A window on the sessions of a patient.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionsOf {
    patient: Uuid,
    list: SessionList,
}

/// What siblings share: the same list of another patient.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct SessionList {
    condition: Condition,
    order: OrderBy,
    window: Window,
}

/// The areas of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AreasOf(pub Uuid);

/// The products of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProductsOf(pub Uuid);

impl Loader<SessionById> for Batch {
    type Value = TreatmentSession;
    type Error = SharedError;

    async fn load(&self, keys: &[SessionById]) -> Result<HashMap<SessionById, TreatmentSession>, SharedError> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let mut scope = self.0.reader().await?;
        let sessions = store::sessions(&mut scope, &ids).await?;
        Ok(sessions.into_iter().map(|session| (SessionById(session.id), session)).collect())
    }
}

impl Loader<SessionsOf> for Batch {
    type Value = Vec<TreatmentSession>;
    type Error = SharedError;

    async fn load(&self, keys: &[SessionsOf]) -> Result<HashMap<SessionsOf, Self::Value>, SharedError> {
        let mut lists: HashMap<&SessionList, Vec<Uuid>> = HashMap::new();
        for key in keys {
            lists.entry(&key.list).or_default().push(key.patient);
        }
        let mut scope = self.0.reader().await?;
        let mut found = HashMap::new();
        for (list, patients) in lists {
            let order = list.order.order();
            let sessions = store::of_patients(&mut scope, &patients, &list.condition, &order, &list.window).await?;
            found
                .extend(sessions.into_iter().map(|(patient, rows)| (SessionsOf { patient, list: list.clone() }, rows)));
        }
        Ok(found)
    }
}

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

/// The session a record must have.
pub async fn session_of_record(ctx: &Context<'_>, id: Uuid) -> Result<TreatmentSession> {
    let session = ctx.batches()?.load_one(SessionById(id)).await?;
    session.ok_or_else(|| Error::Internal("a record without its session".to_owned()).into())
}

/// How many a condition keeps of a patient's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct SessionsCounted {
    patient: Uuid,
    condition: Condition,
}

impl Loader<SessionsCounted> for Batch {
    type Value = i64;
    type Error = SharedError;

    async fn load(&self, keys: &[SessionsCounted]) -> Result<HashMap<SessionsCounted, i64>, SharedError> {
        let mut conditions: HashMap<&Condition, Vec<Uuid>> = HashMap::new();
        for key in keys {
            conditions.entry(&key.condition).or_default().push(key.patient);
        }
        let mut scope = self.0.reader().await?;
        let mut found = HashMap::new();
        for (condition, patients) in conditions {
            for (patient, count) in store::counts_of_patients(&mut scope, &patients, condition).await? {
                found.insert(SessionsCounted { patient, condition: condition.clone() }, count);
            }
        }
        Ok(found)
    }
}

/// A page of a patient's sessions: the `sessions` field of a patient.
pub async fn of_patient(
    ctx: &Context<'_>,
    patient: Uuid,
    filter: Filter,
    order: OrderBy,
    arguments: PageArguments,
) -> Result<Connection<TreatmentSession>> {
    let condition = filter.read()?;
    let window = arguments.window(&order.order())?;
    let list = SessionList { condition: condition.clone(), order, window: window.clone() };
    let rows = ctx.batches()?.load_one(SessionsOf { patient, list }).await?.unwrap_or_default();
    let count = batch_counter(ctx, SessionsCounted { patient, condition })?;
    Ok(Connection::new(window.page(rows), &order.order(), |session| order.key(session), count))
}
