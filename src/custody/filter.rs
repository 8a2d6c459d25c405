//! What lists of legal holds and erasures can be filtered and sorted by.

use super::{LegalHold, PatientErasure};
use crate::page::{self, Key};

page::list_filter! {
    /// All holds.
    all HoldCondition
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
    /// All erasures.
    all ErasureCondition
}

page::list_order! {
    /// The order of a list of erasures.
    ErasureOrder /
    /// What lists of erasures can be sorted by.
    ErasureOrderField of PatientErasure, id "patient_erasure.id", first Desc {
        /// When they were done.
        CreatedAt "createdAt" "patient_erasure.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
    }
}
