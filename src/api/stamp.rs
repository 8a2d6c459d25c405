//! The fields common to all records: version, creation and last change, history.

use crate::api::history::history;
use crate::ledger::{Record, RecordVersion};
use crate::operation::AtOnce;
use crate::organisation::{Staff, loader as people};
use crate::page::Connection;
use crate::record::Stamp;
use crate::scalars::DateTime;
use crate::vocabulary::RecordKind;
use async_graphql::{Context, Object, Result};
use uuid::Uuid;

/// The part of a record that is the same for all kinds. Its fields appear as the record's own (`#[graphql(flatten)]`).
pub struct RecordStamp {
    kind: RecordKind,
    id: Uuid,
    stamp: Stamp,
}

impl RecordStamp {
    /// The stamp of a record.
    pub fn of<R: Record>(record: &R, stamp: &Stamp) -> Self {
        Self { kind: R::KIND, id: record.id(), stamp: stamp.clone() }
    }
}

/// Version, creation and last change, history.
#[Object]
impl RecordStamp {
    /// The version number: 1 at first, increased by 1 with each change. Send it back as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.stamp.version
    }
    /// When the record was created.
    async fn created_at(&self) -> DateTime {
        DateTime(self.stamp.created_at)
    }
    /// Who created the record; null if the program did it by itself, such as the command line.
    async fn created_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.stamp.created_by).await
    }
    /// When the record was last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.stamp.updated_at)
    }
    /// Who last changed the record; null if the program did it by itself, such as the command line.
    async fn updated_by(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Staff>>> {
        people::opt_staff(ctx, self.stamp.updated_by).await
    }
    /// Every version of this record, newest first.
    async fn history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
    ) -> Result<Connection<RecordVersion>> {
        history(ctx, self.kind, self.id, first, after).await
    }
}
