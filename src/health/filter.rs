//! What lists of health entries can be filtered and sorted by.

use super::{ContraindicationSeverity, HealthEntry, HealthEntryKind};
use crate::db::Sql;
use crate::error::Result;
use crate::ids;
use crate::page::{Direction, Key, Order};
use crate::scalars::DateTime;
use crate::vocabulary::RecordKind;
use async_graphql::{Enum, ID, InputObject};
use uuid::Uuid;

/// What to keep of a list of health entries.
#[derive(Debug, Clone, Default, InputObject)]
#[graphql(name = "HealthEntryFilter")]
pub struct Filter {
    /// Of this patient.
    pub patient_id: Option<ID>,
    /// Of these kinds.
    pub kind: Option<Vec<HealthEntryKind>>,
    /// Of these severities.
    pub severity: Option<Vec<ContraindicationSeverity>>,
    /// With this code, such as `isotretinoin`.
    pub code: Option<String>,
    /// Made in error only, or the others only. Absent: the others.
    pub entered_in_error: Option<bool>,
    /// Added or changed at or after this moment.
    pub updated_since: Option<DateTime>,
}

/// What lists of health entries can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "HealthEntryOrderField")]
pub enum OrderField {
    /// When they were added.
    CreatedAt,
    /// When they were last changed.
    UpdatedAt,
}

/// The order of a list of health entries.
#[derive(Debug, Clone, Copy, InputObject)]
#[graphql(name = "HealthEntryOrder")]
pub struct OrderBy {
    /// What to sort by.
    pub field: OrderField,
    /// Which end first.
    #[graphql(default_with = "Direction::Desc")]
    pub direction: Direction,
}

impl Default for OrderBy {
    fn default() -> Self {
        Self { field: OrderField::CreatedAt, direction: Direction::Desc }
    }
}

impl OrderBy {
    /// The order in SQL.
    pub fn order(self) -> Order {
        let (name, column) = match self.field {
            OrderField::CreatedAt => ("createdAt", "health_entry.created_at"),
            OrderField::UpdatedAt => ("updatedAt", "health_entry.updated_at"),
        };
        let name = format!("{name}:{:?}", self.direction);
        Order { name, column, id: "health_entry.id", direction: self.direction, sample: Key::Time(0) }
    }

    /// An entry's place in the order.
    pub fn key(self, entry: &HealthEntry) -> (Key, Uuid) {
        let time = match self.field {
            OrderField::CreatedAt => entry.stamp.created_at,
            OrderField::UpdatedAt => entry.stamp.updated_at,
        };
        (Key::time(time), entry.id)
    }
}

/// A filter with its id read.
#[derive(Debug, Clone)]
pub struct Condition {
    filter: Filter,
    patient: Option<Uuid>,
}

impl Filter {
    /// Reads the id.
    pub fn read(self) -> Result<Condition> {
        let patient = match &self.patient_id {
            Some(id) => Some(ids::argument("filter.patientId", RecordKind::Patient, id)?),
            None => None,
        };
        Ok(Condition { filter: self, patient })
    }
}

impl Condition {
    /// The one patient whose entries it keeps, if it is about one.
    pub fn patient(&self) -> Option<Uuid> {
        self.patient
    }

    /// Appends ` AND …` for each part.
    pub fn push_to<R>(&self, sql: &mut Sql<R>) {
        let filter = &self.filter;
        if let Some(patient) = self.patient {
            sql.push(" AND health_entry.patient_id = ").push_bind(patient);
        }
        let kinds = filter.kind.iter().flatten().map(|kind| kind.as_str());
        sql.push_any_of("health_entry.kind", kinds, filter.kind.is_some());
        let severities = filter.severity.iter().flatten().map(|severity| severity.as_str());
        sql.push_any_of("health_entry.severity", severities, filter.severity.is_some());
        if let Some(code) = &filter.code {
            sql.push(" AND health_entry.code = ").push_bind(code.as_str());
        }
        sql.push(" AND health_entry.entered_in_error = ").push_bind(filter.entered_in_error.unwrap_or(false));
        if let Some(since) = filter.updated_since {
            sql.push(" AND health_entry.updated_at >= ").push_bind(since.0);
        }
    }
}
