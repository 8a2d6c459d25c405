//! Timelines and their records, batched.

use super::filter::{TimelineCondition, order};
use super::{TimelineEntry, TimelineFilter, TimelineRecord, kinds, store};
use crate::error::SharedError;
use crate::operation::{Batch, Plain, Running};
use crate::page::{Connection, Key, Listed, PageArguments, Window, batch_counter};
use crate::vocabulary::RecordKind;
use async_graphql::dataloader::Loader;
use async_graphql::{Context, Result};
use std::collections::HashMap;
use uuid::Uuid;

impl Plain for TimelineEntry {}

impl Listed for TimelineEntry {
    const NAME: &'static str = "TimelineEntry";
    fn whose(&self) -> Option<uuid::Uuid> {
        None
    }
}

/// A patient's timeline, windowed: siblings with the same window share one statement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct TimelineOf {
    patient: Uuid,
    condition: TimelineCondition,
    window: Window,
}

impl Loader<TimelineOf> for Batch {
    type Value = Vec<TimelineEntry>;
    type Error = SharedError;

    async fn load(&self, keys: &[TimelineOf]) -> Result<HashMap<TimelineOf, Self::Value>, SharedError> {
        let mut groups: HashMap<(&TimelineCondition, &Window), Vec<Uuid>> = HashMap::new();
        for key in keys {
            groups.entry((&key.condition, &key.window)).or_default().push(key.patient);
        }
        let mut scope = self.0.reader().await?;
        let mut found = HashMap::new();
        for ((condition, window), patients) in groups {
            for (patient, entries) in store::timelines(&mut scope, &patients, condition, window).await? {
                let key = TimelineOf { patient, condition: condition.clone(), window: window.clone() };
                found.insert(key, entries);
            }
        }
        Ok(found)
    }
}

/// How long a patient's timeline is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct TimelineCounted {
    patient: Uuid,
    condition: TimelineCondition,
}

impl Loader<TimelineCounted> for Batch {
    type Value = i64;
    type Error = SharedError;

    async fn load(&self, keys: &[TimelineCounted]) -> Result<HashMap<TimelineCounted, i64>, SharedError> {
        let mut groups: HashMap<&TimelineCondition, Vec<Uuid>> = HashMap::new();
        for key in keys {
            groups.entry(&key.condition).or_default().push(key.patient);
        }
        let mut scope = self.0.reader().await?;
        let mut found = HashMap::new();
        for (condition, patients) in groups {
            for (patient, count) in store::counts(&mut scope, &patients, condition).await? {
                found.insert(TimelineCounted { patient, condition: condition.clone() }, count);
            }
        }
        Ok(found)
    }
}

/// The record behind a place on a timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RecordOf {
    /// Its kind.
    pub kind: RecordKind,
    /// Its id.
    pub id: Uuid,
}

impl Loader<RecordOf> for Batch {
    type Value = TimelineRecord;
    type Error = SharedError;

    async fn load(&self, keys: &[RecordOf]) -> Result<HashMap<RecordOf, TimelineRecord>, SharedError> {
        let mut kinds: HashMap<RecordKind, Vec<Uuid>> = HashMap::new();
        for key in keys {
            kinds.entry(key.kind).or_default().push(key.id);
        }
        let mut scope = self.0.reader().await?;
        let mut found = HashMap::new();
        for (kind, records) in kinds {
            for (id, record) in kinds::records(&mut scope, kind, &records).await? {
                found.insert(RecordOf { kind, id }, record);
            }
        }
        Ok(found)
    }
}

/// A patient's timeline, newest first.
pub async fn timeline(
    ctx: &Context<'_>,
    patient: Uuid,
    filter: TimelineFilter,
    arguments: PageArguments,
) -> Result<Connection<TimelineEntry>> {
    let condition = filter.read()?;
    for part in condition.kinds() {
        ctx.operation()?.in_emergency_of(part.kind, Some(patient))?;
    }
    let order = order("at", "id");
    let window = arguments.window::<TimelineEntry>(ctx, &order).await?;
    let key = TimelineOf { patient, condition: condition.clone(), window: window.clone() };
    let rows = ctx.load(key).await?.unwrap_or_default();
    let count = batch_counter(ctx, TimelineCounted { patient, condition })?;
    Ok(Connection::new(window.page(rows), &order, |entry| (Key::time(entry.at), entry.record_id), count))
}
