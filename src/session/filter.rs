//! What lists of sessions can be filtered and sorted by.

use super::{Modality, SessionStatus, TreatmentSession};
use crate::db::Sql;
use crate::error::Result;
use crate::ids;
use crate::page::{self, Direction, Key, Order};
use crate::scalars::DateTime;
use crate::vocabulary::RecordKind;
use async_graphql::{Enum, ID, InputObject};
use uuid::Uuid;

/// What to keep of a list of sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, InputObject)]
#[graphql(name = "SessionFilter")]
pub struct Filter {
    /// Of this patient.
    pub patient_id: Option<ID>,
    /// By this practitioner.
    pub practitioner_id: Option<ID>,
    /// At this location.
    pub location_id: Option<ID>,
    /// Of this treatment plan.
    pub plan_id: Option<ID>,
    /// Of these statuses.
    pub status: Option<Vec<SessionStatus>>,
    /// Of these kinds of treatment.
    pub modality: Option<Vec<Modality>>,
    /// Begun at or after this moment.
    pub started_from: Option<DateTime>,
    /// Begun before this moment.
    pub started_before: Option<DateTime>,
    /// Signed ones only, or drafts only.
    pub signed: Option<bool>,
    /// Added or changed at or after this moment.
    pub updated_since: Option<DateTime>,
}

/// What lists of sessions can be sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Enum)]
#[graphql(name = "SessionOrderField")]
#[allow(clippy::enum_variant_names)] // the API's names of three moments
pub enum OrderField {
    /// When they began.
    #[default]
    StartedAt,
    /// When they were logged.
    CreatedAt,
    /// When they were last changed.
    UpdatedAt,
}

/// The order of a list of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, InputObject)]
#[graphql(name = "SessionOrder")]
pub struct OrderBy {
    /// What to sort by.
    pub field: OrderField,
    /// Which end first.
    #[graphql(default_with = "Direction::Desc")]
    pub direction: Direction,
}

impl Default for OrderBy {
    fn default() -> Self {
        Self { field: OrderField::StartedAt, direction: Direction::Desc }
    }
}

impl page::ListOrder<TreatmentSession> for OrderBy {
    fn order(self) -> Order {
        let (name, column) = match self.field {
            OrderField::StartedAt => ("startedAt", "treatment_session.started_at"),
            OrderField::CreatedAt => ("createdAt", "treatment_session.created_at"),
            OrderField::UpdatedAt => ("updatedAt", "treatment_session.updated_at"),
        };
        Order {
            name: format!("{name}:{:?}", self.direction),
            column,
            id: "treatment_session.id",
            direction: self.direction,
            sample: Key::Time(0),
        }
    }

    fn key(self, session: &TreatmentSession) -> (Key, Uuid) {
        let time = match self.field {
            OrderField::StartedAt => session.started_at,
            OrderField::CreatedAt => session.stamp.created_at,
            OrderField::UpdatedAt => session.stamp.updated_at,
        };
        (Key::time(time), session.id)
    }
}

/// A filter with its ids read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Condition {
    filter: Filter,
    patient: Option<Uuid>,
    practitioner: Option<Uuid>,
    location: Option<Uuid>,
    plan: Option<Uuid>,
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
        let plan = read("planId", RecordKind::TreatmentPlan, &self.plan_id);
        faults.into_result()?;
        Ok(Condition { filter: self, patient, practitioner, location, plan })
    }
}

impl page::Condition for Condition {
    fn patient(&self) -> Option<Uuid> {
        self.patient
    }

    fn record(&self) -> Option<Uuid> {
        self.plan
    }

    fn push_to<R>(&self, sql: &mut Sql<R>) {
        for (column, id) in [
            ("patient_id", self.patient),
            ("practitioner_id", self.practitioner),
            ("location_id", self.location),
            ("plan_id", self.plan),
        ] {
            if let Some(id) = id {
                sql.push(format!(" AND treatment_session.{column} = ")).push_bind(id);
            }
        }
        sql.push_any_of(
            "treatment_session.status",
            self.filter.status.iter().flatten().map(|status| status.as_str()),
            self.filter.status.is_some(),
        );
        sql.push_any_of(
            "treatment_session.modality",
            self.filter.modality.iter().flatten().map(|kind| kind.as_str()),
            self.filter.modality.is_some(),
        );
        if let Some(from) = self.filter.started_from {
            sql.push(" AND treatment_session.started_at >= ").push_bind(from.0);
        }
        if let Some(before) = self.filter.started_before {
            sql.push(" AND treatment_session.started_at < ").push_bind(before.0);
        }
        match self.filter.signed {
            Some(true) => {
                sql.push(" AND treatment_session.signed_at IS NOT NULL");
            }
            Some(false) => {
                sql.push(" AND treatment_session.signed_at IS NULL");
            }
            None => {}
        }
        if let Some(since) = self.filter.updated_since {
            sql.push(" AND treatment_session.updated_at >= ").push_bind(since.0);
        }
    }
}
