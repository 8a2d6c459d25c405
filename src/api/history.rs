//! The history of a record in the API.

use crate::error::SharedError;
use crate::ledger::{Change, RecordVersion, versions};
use crate::operation::{AtOnce, Batch, Running, plain};
use crate::organisation::{Staff, loader};
use crate::page::{Connection, Direction, Key, Listed, Order, PageArguments, Window, batch_counter};
use crate::scalars::{DateTime, Json};
use crate::vocabulary::{Action, RecordKind};
use async_graphql::dataloader::Loader;
use async_graphql::{Context, Object, Result};
use std::collections::HashMap;
use uuid::Uuid;

impl Listed for RecordVersion {
    const NAME: &'static str = "RecordVersion";
    fn whose(&self) -> Option<uuid::Uuid> {
        None
    }
}

/// One version of a record: who did what, when, and which fields changed.
#[Object]
impl RecordVersion {
    /// The version of the record.
    async fn version(&self) -> i32 {
        self.version
    }
    /// When this version was made.
    async fn at(&self) -> DateTime {
        DateTime(self.at)
    }
    /// Who made this version; null if the program did it by itself, such as the command line.
    async fn by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        loader::opt_staff(ctx, self.actor).await
    }
    /// What was done.
    async fn action(&self) -> Action {
        self.action
    }
    /// The number of the entry in the organisation's ledger; numbers start at 1 and have no gaps.
    async fn ledger_sequence(&self) -> i64 {
        self.seq
    }
    /// The fields that differ from the previous version; in the first version, all fields with a value.
    async fn changes(&self) -> &[Change] {
        &self.changes
    }
}

plain!(RecordVersion: version, at, action, ledger_sequence);

/// A field that differs between two versions of a record.
#[Object]
impl Change {
    /// The field, by its name in the API.
    async fn field(&self) -> &str {
        &self.field
    }
    /// The value before; null if it was empty.
    async fn before(&self) -> Json {
        Json(self.before.clone())
    }
    /// The value after; null if it was cleared.
    async fn after(&self) -> Json {
        Json(self.after.clone())
    }
}

/// A page of the history of a record. Sibling fields with the same window share one statement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct HistoryOf {
    kind: RecordKind,
    record: Uuid,
    before: Option<i64>,
    limit: i64,
}

impl Loader<HistoryOf> for Batch {
    type Value = Vec<RecordVersion>;
    type Error = SharedError;

    async fn load(&self, keys: &[HistoryOf]) -> Result<HashMap<HistoryOf, Self::Value>, SharedError> {
        let mut groups: HashMap<(RecordKind, Option<i64>, i64), Vec<Uuid>> = HashMap::new();
        for key in keys {
            groups.entry((key.kind, key.before, key.limit)).or_default().push(key.record);
        }
        let mut scope = self.0.reader().await?;
        let mut found = HashMap::new();
        for ((kind, before, limit), records) in groups {
            for (record, versions) in versions(&mut scope, kind, &records, before, limit).await? {
                found.insert(HistoryOf { kind, record, before, limit }, versions);
            }
        }
        Ok(found)
    }
}

/// How many versions a record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct VersionsCounted {
    kind: RecordKind,
    record: Uuid,
}

impl Loader<VersionsCounted> for Batch {
    type Value = i64;
    type Error = SharedError;

    async fn load(&self, keys: &[VersionsCounted]) -> Result<HashMap<VersionsCounted, i64>, SharedError> {
        let mut kinds: HashMap<RecordKind, Vec<Uuid>> = HashMap::new();
        for key in keys {
            kinds.entry(key.kind).or_default().push(key.record);
        }
        let mut scope = self.0.reader().await?;
        let mut found = HashMap::new();
        for (kind, records) in kinds {
            for (record, count) in crate::ledger::version_counts(&mut scope, kind, &records).await? {
                found.insert(VersionsCounted { kind, record }, count);
            }
        }
        Ok(found)
    }
}

/// The versions of a record, newest first: the `history` field of every record.
pub async fn history(
    ctx: &Context<'_>,
    kind: RecordKind,
    record: Uuid,
    first: Option<i32>,
    after: Option<String>,
) -> Result<Connection<RecordVersion>> {
    let order = Order {
        name: "history".to_owned(),
        column: "seq",
        id: "id",
        direction: Direction::Desc,
        sample: Key::Number(0),
    };
    let window: Window =
        PageArguments { first, after, ..PageArguments::default() }.window::<RecordVersion>(ctx, &order).await?;
    let before = window.from.as_ref().and_then(|(key, _)| if let Key::Number(seq) = key { Some(*seq) } else { None });
    let key = HistoryOf { kind, record, before, limit: window.limit + 1 };
    let versions = ctx.load(key).await?.unwrap_or_default();
    let count = batch_counter(ctx, VersionsCounted { kind, record })?;
    Ok(Connection::new(window.page(versions), &order, move |version| (Key::Number(version.seq), record), count))
}
