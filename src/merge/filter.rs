//! What lists of merges can be filtered and sorted by.

use super::PatientMerge;
use crate::page::{self, Key};

page::list_filter! {
    /// All of them.
    all MergeCondition
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
