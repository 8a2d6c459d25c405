//! What every record shows of itself in the same way: version, who and when, history.

use crate::api::history::history;
use crate::ledger::{Record, RecordVersion};
use crate::organisation::{Staff, loader as people};
use crate::page::Connection;
use crate::record::Stamp;
use crate::scalars::DateTime;
use crate::vocabulary::RecordKind;
use async_graphql::{Context, Object, Result};
use uuid::Uuid;

/// The part of a record that is the same for all kinds; its fields are shown as the record's own
/// (`#[graphql(flatten)]`).
pub struct RecordStamp {
    kind: RecordKind,
    id: Uuid,
    stamp: Stamp,
}

impl RecordStamp {
    /// Of a record.
    pub fn of<R: Record>(record: &R, stamp: &Stamp) -> Self {
        Self { kind: R::KIND, id: record.id(), stamp: stamp.clone() }
    }
}

/// Version, who and when, history.
#[Object]
impl RecordStamp {
    /// 1 at first, one more with each change: send it back as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.stamp.version
    }
    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.stamp.created_at)
    }
    /// By whom; null for the program itself.
    async fn created_by(&self, ctx: &Context<'_>) -> Option<Result<Staff>> {
        people::opt_staff(ctx, self.stamp.created_by).await
    }
    /// When it was last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.stamp.updated_at)
    }
    /// By whom; null for the program itself.
    async fn updated_by(&self, ctx: &Context<'_>) -> Option<Result<Staff>> {
        people::opt_staff(ctx, self.stamp.updated_by).await
    }
    /// Every version of this record, newest first.
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
    ) -> Result<Connection<RecordVersion>> {
        history(ctx, self.kind, self.id, first, after).await
    }
}
