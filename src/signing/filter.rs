//! What lists of addenda can be filtered and sorted by.

use super::{Addendum, Countersignature, Retraction};
use crate::db::Sql;
use crate::page::{self, Direction, Key, Order};
use crate::vocabulary::SignatureMeaning;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Which addenda to keep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Condition {
    /// About this patient's records.
    pub patient: Option<Uuid>,
    /// By this author.
    pub author: Option<Uuid>,
    /// To this record.
    pub record: Option<Uuid>,
    /// Added, or moved to another patient by a merge, at or after this moment.
    pub updated_since: Option<DateTime<Utc>>,
}

impl page::Condition for Condition {
    fn patient(&self) -> Option<Uuid> {
        self.patient
    }

    fn record(&self) -> Option<Uuid> {
        self.record
    }

    fn push_to<R>(&self, sql: &mut Sql<R>) {
        for (column, id) in [("patient_id", self.patient), ("author_id", self.author), ("record_id", self.record)] {
            if let Some(id) = id {
                sql.push(format!(" AND {column} = ")).push_bind(id);
            }
        }
        if let Some(since) = self.updated_since {
            sql.push(" AND coalesce(addendum.moved_at, addendum.added_at) >= ").push_bind(since);
        }
    }
}

/// By when they were added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddendumOrder {
    /// In the list of all addenda.
    OfAll(Direction),
    /// In the list of a record, oldest first. Its cursors are its own.
    OfRecord,
}

impl Default for AddendumOrder {
    fn default() -> Self {
        Self::OfAll(Direction::Desc)
    }
}

impl page::ListOrder<Addendum> for AddendumOrder {
    fn order(self) -> Order {
        let (name, direction) = match self {
            Self::OfAll(direction) => (format!("addedAt:{direction:?}"), direction),
            Self::OfRecord => ("addenda".to_owned(), Direction::Asc),
        };
        Order { name, column: "addendum.added_at", id: "addendum.id", direction, sample: Key::Time(0) }
    }

    fn key(self, addendum: &Addendum) -> (Key, Uuid) {
        (Key::time(addendum.added_at), addendum.id)
    }
}

page::list_filter! {
    /// Filter for a list of further signatures.
    CountersignatureFilter => CountersignatureCondition {
        /// On this patient's records.
        patient_id: id(Patient) "patient_id",
        /// By this staff member.
        signed_by: id(Staff) "signed_by",
        /// With any of these meanings.
        meaning: any_of(SignatureMeaning) "meaning",
        /// Made at or after this moment.
        signed_from: from "signed_at",
        /// Made before this moment.
        signed_before: before "signed_at",
        /// Made, or moved to another patient by a merge, at or after this moment.
        updated_since: from "coalesce(countersignature.moved_at, countersignature.signed_at)",
    }
}

page::list_order! {
    /// The order of a list of further signatures.
    CountersignatureOrder /
    /// What lists of further signatures can be sorted by.
    CountersignatureOrderField of Countersignature, id "countersignature.id", first Desc {
        /// When they were made.
        SignedAt "signedAt" "countersignature.signed_at" as Key::Time(0) => |it| Key::time(it.signed_at),
    }
}

page::list_filter! {
    /// Filter for a list of retractions.
    RetractionFilter => RetractionCondition {
        /// Of this patient's records.
        patient_id: id(Patient) "patient_id",
        /// By this staff member.
        retracted_by: id(Staff) "retracted_by",
        /// Made at or after this moment.
        retracted_from: from "retracted_at",
        /// Made before this moment.
        retracted_before: before "retracted_at",
        /// Made, or moved to another patient by a merge, at or after this moment.
        updated_since: from "coalesce(retraction.moved_at, retraction.retracted_at)",
    }
}

page::list_order! {
    /// The order of a list of retractions.
    RetractionOrder /
    /// What lists of retractions can be sorted by.
    RetractionOrderField of Retraction, id "retraction.id", first Desc {
        /// When they were made.
        RetractedAt "retractedAt" "retraction.retracted_at" as Key::Time(0) => |it| Key::time(it.retracted_at),
    }
}
