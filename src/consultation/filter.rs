//! What lists of consultations can be filtered and sorted by.

use super::{Candidacy, Concern, Consultation, ConsultationMode};
use crate::db::Sql;
use crate::error::Result;
use crate::ids;
use crate::page::{self, Direction, Key, Order};
use crate::scalars::DateTime;
use crate::vocabulary::RecordKind;
use async_graphql::{Enum, ID, InputObject};
use uuid::Uuid;

/// What to keep of a list of consultations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, InputObject)]
#[graphql(name = "ConsultationFilter")]
pub struct Filter {
    /// Of this patient.
    pub patient_id: Option<ID>,
    /// By this practitioner.
    pub practitioner_id: Option<ID>,
    /// At this location.
    pub location_id: Option<ID>,
    /// Held in this way.
    pub mode: Option<ConsultationMode>,
    /// With any of these concerns.
    pub concerns: Option<Vec<Concern>>,
    /// With any of these outcomes.
    pub candidacy: Option<Vec<Candidacy>>,
    /// Held at or after this moment.
    pub held_from: Option<DateTime>,
    /// Held before this moment.
    pub held_before: Option<DateTime>,
    /// Signed ones only, or drafts only.
    pub signed: Option<bool>,
    /// Added or changed at or after this moment.
    pub updated_since: Option<DateTime>,
}

/// What lists of consultations can be sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Enum)]
#[graphql(name = "ConsultationOrderField")]
#[allow(clippy::enum_variant_names)] // the API's names of three moments
pub enum OrderField {
    /// When they were held.
    #[default]
    HeldAt,
    /// When they were recorded.
    CreatedAt,
    /// When they were last changed.
    UpdatedAt,
}

/// The order of a list of consultations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, InputObject)]
#[graphql(name = "ConsultationOrder")]
pub struct OrderBy {
    /// What to sort by.
    pub field: OrderField,
    /// Which end first.
    #[graphql(default_with = "Direction::Desc")]
    pub direction: Direction,
}

impl Default for OrderBy {
    fn default() -> Self {
        Self { field: OrderField::HeldAt, direction: Direction::Desc }
    }
}

impl page::ListOrder<Consultation> for OrderBy {
    fn order(self) -> Order {
        let (name, column) = match self.field {
            OrderField::HeldAt => ("heldAt", "consultation.held_at"),
            OrderField::CreatedAt => ("createdAt", "consultation.created_at"),
            OrderField::UpdatedAt => ("updatedAt", "consultation.updated_at"),
        };
        Order {
            name: format!("{name}:{:?}", self.direction),
            column,
            id: "consultation.id",
            direction: self.direction,
            sample: Key::Time(0),
        }
    }

    fn key(self, consultation: &Consultation) -> (Key, Uuid) {
        let time = match self.field {
            OrderField::HeldAt => consultation.held_at,
            OrderField::CreatedAt => consultation.stamp.created_at,
            OrderField::UpdatedAt => consultation.stamp.updated_at,
        };
        (Key::time(time), consultation.id)
    }
}

/// A filter with its ids read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Condition {
    filter: Filter,
    patient: Option<Uuid>,
    practitioner: Option<Uuid>,
    location: Option<Uuid>,
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
        let practitioner = read("practitionerId", RecordKind::Staff, &self.practitioner_id);
        let location = read("locationId", RecordKind::Location, &self.location_id);
        faults.into_result()?;
        Ok(Condition { filter: self, patient, practitioner, location })
    }
}

impl page::Condition for Condition {
    fn patient(&self) -> Option<Uuid> {
        self.patient
    }

    fn push_to<R>(&self, sql: &mut Sql<R>) {
        let filter = &self.filter;
        for (column, id) in
            [("patient_id", self.patient), ("practitioner_id", self.practitioner), ("location_id", self.location)]
        {
            if let Some(id) = id {
                sql.push(format!(" AND consultation.{column} = ")).push_bind(id);
            }
        }
        if let Some(mode) = filter.mode {
            sql.push(" AND consultation.mode = ").push_bind(mode.as_str());
        }
        if let Some(concerns) = &filter.concerns {
            let words: Vec<String> = concerns.iter().map(|concern| concern.as_str().to_owned()).collect();
            sql.push(" AND consultation.concerns && ").push_bind(words);
        }
        let candidacy = filter.candidacy.iter().flatten().map(|candidacy| candidacy.as_str());
        sql.push_any_of("consultation.candidacy", candidacy, filter.candidacy.is_some());
        if let Some(from) = filter.held_from {
            sql.push(" AND consultation.held_at >= ").push_bind(from.0);
        }
        if let Some(before) = filter.held_before {
            sql.push(" AND consultation.held_at < ").push_bind(before.0);
        }
        match filter.signed {
            Some(true) => {
                sql.push(" AND consultation.signed_at IS NOT NULL");
            }
            Some(false) => {
                sql.push(" AND consultation.signed_at IS NULL");
            }
            None => {}
        }
        if let Some(since) = filter.updated_since {
            sql.push(" AND consultation.updated_at >= ").push_bind(since.0);
        }
    }
}
