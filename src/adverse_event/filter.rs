//! What lists of adverse events can be filtered and sorted by.

use super::{AdverseEvent, AdverseEventKind, AdverseEventSeverity};
use crate::db::Sql;
use crate::error::Result;
use crate::page::{self, FilterIds, Key};
use crate::scalars::DateTime;
use crate::vocabulary::RecordKind;
use async_graphql::{ID, InputObject};
use uuid::Uuid;

/// What to keep of a list of adverse events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, InputObject)]
pub struct AdverseEventFilter {
    /// Of this patient.
    pub patient_id: Option<ID>,
    /// After this session.
    pub session_id: Option<ID>,
    /// With this lot suspected.
    pub lot_id: Option<ID>,
    /// Of these kinds.
    pub kind: Option<Vec<AdverseEventKind>>,
    /// This bad.
    pub severity: Option<Vec<AdverseEventSeverity>>,
    /// Serious ones only, or the others only.
    pub serious: Option<bool>,
    /// Those that are not over (ONGOING, IMPROVING, UNKNOWN) only, or the others only.
    pub open: Option<bool>,
    /// Begun at or after this moment.
    pub onset_from: Option<DateTime>,
    /// Begun before this moment.
    pub onset_before: Option<DateTime>,
    /// True also shows those that were entered in error.
    pub include_entered_in_error: Option<bool>,
    /// Reported or changed at or after this moment.
    pub updated_since: Option<DateTime>,
}

/// A filter of adverse events with its ids read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct AdverseEventCondition {
    filter: AdverseEventFilter,
    patient: Option<Uuid>,
    session: Option<Uuid>,
    lot: Option<Uuid>,
}

impl AdverseEventFilter {
    /// Reads the ids; all faults at once.
    pub fn read(self) -> Result<AdverseEventCondition> {
        let mut ids = FilterIds::default();
        let patient = ids.read("patientId", RecordKind::Patient, self.patient_id.as_ref());
        let session = ids.read("sessionId", RecordKind::TreatmentSession, self.session_id.as_ref());
        let lot = ids.read("lotId", RecordKind::ProductLot, self.lot_id.as_ref());
        ids.finish()?;
        Ok(AdverseEventCondition { filter: self, patient, session, lot })
    }
}

impl page::Condition for AdverseEventCondition {
    fn patient(&self) -> Option<Uuid> {
        self.patient
    }

    fn record(&self) -> Option<Uuid> {
        self.session
    }

    fn push_to<R>(&self, sql: &mut Sql<R>) {
        let filter = &self.filter;
        for (column, id) in [("patient_id", self.patient), ("session_id", self.session), ("lot_id", self.lot)] {
            if let Some(id) = id {
                sql.push(format!(" AND {column} = ")).push_bind(id);
            }
        }
        sql.push_any_of("kind", filter.kind.iter().flatten().map(|it| it.as_str()), filter.kind.is_some());
        sql.push_any_of("severity", filter.severity.iter().flatten().map(|it| it.as_str()), filter.severity.is_some());
        if let Some(serious) = filter.serious {
            sql.push(" AND serious = ").push_bind(serious);
        }
        if let Some(open) = filter.open {
            sql.push(" AND (outcome IN ('ongoing', 'improving', 'unknown')) = ").push_bind(open);
        }
        if let Some(from) = filter.onset_from {
            sql.push(" AND onset_at >= ").push_bind(from.0);
        }
        if let Some(before) = filter.onset_before {
            sql.push(" AND onset_at < ").push_bind(before.0);
        }
        if filter.include_entered_in_error != Some(true) {
            sql.push(" AND NOT entered_in_error");
        }
        if let Some(since) = filter.updated_since {
            sql.push(" AND updated_at >= ").push_bind(since.0);
        }
    }
}

page::list_order! {
    /// The order of a list of adverse events.
    AdverseEventOrder /
    /// What lists of adverse events can be sorted by.
    AdverseEventOrderField of AdverseEvent, id "adverse_event.id", first Desc {
        /// When they began.
        OnsetAt "onsetAt" "adverse_event.onset_at" as Key::Time(0) => |it| Key::time(it.onset_at),
        /// When they were reported.
        CreatedAt "createdAt" "adverse_event.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "adverse_event.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}
