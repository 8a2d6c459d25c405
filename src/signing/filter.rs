//! What lists of addenda can be filtered and sorted by.

use super::Addendum;
use crate::db::Sql;
use crate::page::{self, Direction, Key, Order};
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
