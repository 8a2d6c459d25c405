//! What lists of merges can be filtered and sorted by.

use super::PatientMerge;
use crate::db::Sql;
use crate::page::{self, Key};
use uuid::Uuid;

/// All of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct MergeCondition;

impl page::Condition for MergeCondition {
    fn patient(&self) -> Option<Uuid> {
        None
    }

    fn push_to<R>(&self, _: &mut Sql<R>) {}
}

page::list_order! {
    /// The order of a list of merges.
    MergeOrder /
    /// What lists of merges can be sorted by.
    MergeOrderField of PatientMerge, id "patient_merge.id", first Desc {
        /// When they were made.
        CreatedAt "createdAt" "patient_merge.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
    }
}
