//! What lists of merges can be filtered and sorted by.

use super::PatientMerge;
use crate::page::{self, Key};

page::list_filter! {
    /// Filter for a list of merges.
    #[graphql(name = "PatientMergeFilter")]
    MergeFilter => MergeCondition {
        /// Of this patient, who was merged away.
        from_id: id(Patient) "from_id",
        /// Into this patient, who stayed.
        into_id: id(Patient) "into_id",
        /// True: only those that were taken back. False: only those that stand.
        undone: present "undone_at",
        /// Done or taken back at or after this moment.
        updated_since: from "updated_at",
    }
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
