//! Consultations of patients, consultations by id: batched.

use super::filter::Condition;
use super::{Consultation, Filter, OrderBy, store};
use crate::error::SharedError;
use crate::operation::{Batch, Running};
use crate::page::{Connection, PageArguments, Window, batch_counter};
use async_graphql::dataloader::Loader;
use async_graphql::{Context, Result};
use std::collections::HashMap;
use uuid::Uuid;

/// A window on the consultations of a patient.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConsultationsOf {
    patient: Uuid,
    list: ConsultationList,
}

/// What siblings share: the same list of another patient.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ConsultationList {
    condition: Condition,
    order: OrderBy,
    window: Window,
}

impl Loader<ConsultationsOf> for Batch {
    type Value = Vec<Consultation>;
    type Error = SharedError;

    async fn load(&self, keys: &[ConsultationsOf]) -> Result<HashMap<ConsultationsOf, Self::Value>, SharedError> {
        let mut lists: HashMap<&ConsultationList, Vec<Uuid>> = HashMap::new();
        for key in keys {
            lists.entry(&key.list).or_default().push(key.patient);
        }
        let mut scope = self.0.reader().await?;
        let mut found = HashMap::new();
        for (list, patients) in lists {
            let order = list.order.order();
            let consultations =
                store::of_patients(&mut scope, &patients, &list.condition, &order, &list.window).await?;
            found.extend(
                consultations
                    .into_iter()
                    .map(|(patient, rows)| (ConsultationsOf { patient, list: list.clone() }, rows)),
            );
        }
        Ok(found)
    }
}

/// How many a condition keeps of a patient's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ConsultationsCounted {
    patient: Uuid,
    condition: Condition,
}

impl Loader<ConsultationsCounted> for Batch {
    type Value = i64;
    type Error = SharedError;

    async fn load(&self, keys: &[ConsultationsCounted]) -> Result<HashMap<ConsultationsCounted, i64>, SharedError> {
        let mut conditions: HashMap<&Condition, Vec<Uuid>> = HashMap::new();
        for key in keys {
            conditions.entry(&key.condition).or_default().push(key.patient);
        }
        let mut scope = self.0.reader().await?;
        let mut found = HashMap::new();
        for (condition, patients) in conditions {
            for (patient, count) in store::counts_of_patients(&mut scope, &patients, condition).await? {
                found.insert(ConsultationsCounted { patient, condition: condition.clone() }, count);
            }
        }
        Ok(found)
    }
}

/// A page of a patient's consultations: the `consultations` field of a patient.
pub async fn of_patient(
    ctx: &Context<'_>,
    patient: Uuid,
    filter: Filter,
    order: OrderBy,
    arguments: PageArguments,
) -> Result<Connection<Consultation>> {
    let condition = filter.read()?;
    let window = arguments.window(&order.order())?;
    let list = ConsultationList { condition: condition.clone(), order, window: window.clone() };
    let rows = ctx.batches()?.load_one(ConsultationsOf { patient, list }).await?.unwrap_or_default();
    let count = batch_counter(ctx, ConsultationsCounted { patient, condition })?;
    Ok(Connection::new(window.page(rows), &order.order(), |consultation| order.key(consultation), count))
}
