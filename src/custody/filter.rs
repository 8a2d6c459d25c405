//! What lists of legal holds and erasures can be filtered and sorted by.

use super::{LegalHold, PatientErasure};
use crate::page::{self, Key};

page::list_filter! {
    /// Filter for a list of legal holds.
    #[graphql(name = "LegalHoldFilter")]
    HoldFilter => HoldCondition {
        /// On this patient's record.
        patient_id: id(Patient) "patient_id",
        /// True: only those that were lifted. False: only those in force.
        lifted: present "lifted_at",
        /// Placed or lifted at or after this moment.
        updated_since: from "updated_at",
    }
}

page::list_order! {
    /// The order of a list of legal holds.
    HoldOrder /
    /// What lists of legal holds can be sorted by.
    HoldOrderField of LegalHold, id "legal_hold.id", first Desc {
        /// When they were placed.
        CreatedAt "createdAt" "legal_hold.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
    }
}

page::list_filter! {
    /// Filter for a list of erasures.
    #[graphql(name = "PatientErasureFilter")]
    ErasureFilter => ErasureCondition {
        /// Done at or after this moment, or told since then that the files are deleted.
        updated_since: from "updated_at",
    }
}

page::list_order! {
    /// The order of a list of erasures.
    ErasureOrder /
    /// What lists of erasures can be sorted by.
    ErasureOrderField of PatientErasure, id "patient_erasure.id", first Desc {
        /// When they were done.
        CreatedAt "createdAt" "patient_erasure.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed: a change tells that the files are deleted.
        UpdatedAt "updatedAt" "patient_erasure.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}
