//! What lists of aftercare notes can be filtered and sorted by.

use super::{AftercareNote, AftercareNoteKind};
use crate::db::Sql;
use crate::error::Result;
use crate::ids;
use crate::page::{self, Direction, Key, Order};
use crate::scalars::DateTime;
use crate::vocabulary::RecordKind;
use async_graphql::{Enum, ID, InputObject};
use uuid::Uuid;

/// What to keep of a list of aftercare notes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, InputObject)]
#[graphql(name = "AftercareNoteFilter")]
pub struct Filter {
    /// Of this patient.
    pub patient_id: Option<ID>,
    /// After this session.
    pub session_id: Option<ID>,
    /// By this author.
    pub author_id: Option<ID>,
    /// Of these kinds.
    pub kind: Option<Vec<AftercareNoteKind>>,
    /// Those a practitioner must look at only, or the others only.
    pub escalate: Option<bool>,
    /// Telling of this moment or later.
    pub noted_from: Option<DateTime>,
    /// Telling of a time before this moment.
    pub noted_before: Option<DateTime>,
    /// Signed ones only, or drafts only.
    pub signed: Option<bool>,
    /// Added or changed at or after this moment.
    pub updated_since: Option<DateTime>,
}

/// What lists of aftercare notes can be sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Enum)]
#[graphql(name = "AftercareNoteOrderField")]
#[allow(clippy::enum_variant_names)] // the API's names of three moments
pub enum OrderField {
    /// The moment they tell of.
    #[default]
    NotedAt,
    /// When they were added.
    CreatedAt,
    /// When they were last changed.
    UpdatedAt,
}

/// The order of a list of aftercare notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, InputObject)]
#[graphql(name = "AftercareNoteOrder")]
pub struct OrderBy {
    /// What to sort by.
    pub field: OrderField,
    /// Which end first.
    #[graphql(default_with = "Direction::Desc")]
    pub direction: Direction,
}

impl Default for OrderBy {
    fn default() -> Self {
        Self { field: OrderField::NotedAt, direction: Direction::Desc }
    }
}

impl page::ListOrder<AftercareNote> for OrderBy {
    fn order(self) -> Order {
        let (name, column) = match self.field {
            OrderField::NotedAt => ("notedAt", "aftercare_note.noted_at"),
            OrderField::CreatedAt => ("createdAt", "aftercare_note.created_at"),
            OrderField::UpdatedAt => ("updatedAt", "aftercare_note.updated_at"),
        };
        Order {
            name: format!("{name}:{:?}", self.direction),
            column,
            id: "aftercare_note.id",
            direction: self.direction,
            sample: Key::Time(0),
        }
    }

    fn key(self, note: &AftercareNote) -> (Key, Uuid) {
        let time = match self.field {
            OrderField::NotedAt => note.noted_at,
            OrderField::CreatedAt => note.stamp.created_at,
            OrderField::UpdatedAt => note.stamp.updated_at,
        };
        (Key::time(time), note.id)
    }
}

/// A filter with its ids read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Condition {
    filter: Filter,
    patient: Option<Uuid>,
    session: Option<Uuid>,
    author: Option<Uuid>,
}

impl Filter {
    /// Reads the ids; all faults at once.
    pub fn read(self) -> Result<Condition> {
        let mut faults = crate::error::Faults::default();
        let mut read = |path: &str, kind: RecordKind, id: &Option<ID>| {
            id.as_ref().and_then(|id| match ids::parse(kind, id) {
                Ok(id) => Some(id),
                Err(message) => {
                    faults.add(format!("filter.{path}"), message);
                    None
                }
            })
        };
        let patient = read("patientId", RecordKind::Patient, &self.patient_id);
        let session = read("sessionId", RecordKind::TreatmentSession, &self.session_id);
        let author = read("authorId", RecordKind::Staff, &self.author_id);
        faults.into_result()?;
        Ok(Condition { filter: self, patient, session, author })
    }
}

impl page::Condition for Condition {
    fn patient(&self) -> Option<Uuid> {
        self.patient
    }

    fn record(&self) -> Option<Uuid> {
        self.session
    }

    fn push_to<R>(&self, sql: &mut Sql<R>) {
        let filter = &self.filter;
        for (column, id) in [("patient_id", self.patient), ("session_id", self.session), ("author_id", self.author)] {
            if let Some(id) = id {
                sql.push(format!(" AND aftercare_note.{column} = ")).push_bind(id);
            }
        }
        let kinds = filter.kind.iter().flatten().map(|kind| kind.as_str());
        sql.push_any_of("aftercare_note.kind", kinds, filter.kind.is_some());
        if let Some(escalate) = filter.escalate {
            sql.push(" AND aftercare_note.escalate = ").push_bind(escalate);
        }
        if let Some(from) = filter.noted_from {
            sql.push(" AND aftercare_note.noted_at >= ").push_bind(from.0);
        }
        if let Some(before) = filter.noted_before {
            sql.push(" AND aftercare_note.noted_at < ").push_bind(before.0);
        }
        match filter.signed {
            Some(true) => {
                sql.push(" AND aftercare_note.signed_at IS NOT NULL");
            }
            Some(false) => {
                sql.push(" AND aftercare_note.signed_at IS NULL");
            }
            None => {}
        }
        if let Some(since) = filter.updated_since {
            sql.push(" AND aftercare_note.updated_at >= ").push_bind(since.0);
        }
    }
}
