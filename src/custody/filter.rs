//! What lists of legal holds and erasures can be filtered and sorted by.

use super::{LegalHold, PatientErasure};
use crate::db::Sql;
use crate::page::{self, Key};
use uuid::Uuid;

/// All holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct HoldCondition;

impl page::Condition for HoldCondition {
    fn patient(&self) -> Option<Uuid> {
        None
    }

    fn push_to<R>(&self, _: &mut Sql<R>) {}
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

/// All erasures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ErasureCondition;

impl page::Condition for ErasureCondition {
    fn patient(&self) -> Option<Uuid> {
        None
    }

    fn push_to<R>(&self, _: &mut Sql<R>) {}
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
