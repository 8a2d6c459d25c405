//! What lists of recalls can be filtered and sorted by.

use super::{Recall, RecallReason, RecallState};
use crate::db::Sql;
use crate::error::Result;
use crate::ids;
use crate::page::{self, FilterIds, Key};
use crate::scalars::{Date, DateTime};
use crate::vocabulary::RecordKind;
use async_graphql::{ID, InputObject};
use chrono::NaiveDate;
use uuid::Uuid;

/// What to keep of a list of recalls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, InputObject)]
pub struct RecallFilter {
    /// Of this patient.
    pub patient_id: Option<ID>,
    /// About this lot.
    pub lot_id: Option<ID>,
    /// For these reasons.
    pub reason: Option<Vec<RecallReason>>,
    /// In these states today (in UTC). The list to work through is `[OPEN, OVERDUE]`.
    pub state: Option<Vec<RecallState>>,
    /// Whose first day is this one or later.
    pub due_from: Option<Date>,
    /// Whose first day is before this one.
    pub due_before: Option<Date>,
    /// Made or changed at or after this moment.
    pub updated_since: Option<DateTime>,
}

/// A filter of recalls with its ids read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct RecallCondition {
    filter: RecallFilter,
    patient: Option<Uuid>,
    lot: Option<Uuid>,
    made_at: Option<chrono::DateTime<chrono::Utc>>,
    today: NaiveDate,
}

impl RecallFilter {
    /// Reads the ids; all faults at once.
    pub fn read(self) -> Result<RecallCondition> {
        let mut ids = FilterIds::default();
        let patient = ids.read("patientId", RecordKind::Patient, self.patient_id.as_ref());
        let lot = ids.read("lotId", RecordKind::ProductLot, self.lot_id.as_ref());
        ids.finish()?;
        Ok(RecallCondition { filter: self, patient, lot, made_at: None, today: ids::now().date_naive() })
    }
}

impl RecallCondition {
    /// Those that were made together with this one: about the same lot, at the same moment.
    pub fn made_with(recall: &Recall) -> Self {
        let filter = RecallFilter { reason: Some(vec![recall.reason]), ..RecallFilter::default() };
        Self { filter, lot: recall.lot_id, made_at: Some(recall.stamp.created_at), ..Self::default() }
    }

    fn push_state<R>(&self, sql: &mut Sql<R>, state: RecallState) {
        let live = |sql: &mut Sql<R>| {
            sql.push("((status = 'open' OR (status = 'snoozed' AND snoozed_until <= ")
                .push_bind(self.today)
                .push(")) AND due_until ");
        };
        match state {
            RecallState::Open => {
                live(sql);
                sql.push(">= ").push_bind(self.today).push(")");
            }
            RecallState::Overdue => {
                live(sql);
                sql.push("< ").push_bind(self.today).push(")");
            }
            RecallState::Snoozed => {
                sql.push("(status = 'snoozed' AND snoozed_until > ").push_bind(self.today).push(")");
            }
            RecallState::Done | RecallState::Dismissed | RecallState::Superseded => {
                sql.push("status = ").push_bind(state.as_str());
            }
        }
    }
}

impl page::Condition for RecallCondition {
    fn patient(&self) -> Option<Uuid> {
        self.patient
    }

    fn push_to<R>(&self, sql: &mut Sql<R>) {
        let filter = &self.filter;
        for (column, id) in [("patient_id", self.patient), ("lot_id", self.lot)] {
            if let Some(id) = id {
                sql.push(format!(" AND {column} = ")).push_bind(id);
            }
        }
        sql.push_any_of("reason", filter.reason.iter().flatten().map(|it| it.as_str()), filter.reason.is_some());
        if let Some(states) = &filter.state {
            sql.push(" AND (false");
            for state in RecallState::ALL.iter().filter(|state| states.contains(state)) {
                sql.push(" OR ");
                self.push_state(sql, *state);
            }
            sql.push(")");
        }
        if let Some(from) = filter.due_from {
            sql.push(" AND due_from >= ").push_bind(from.0);
        }
        if let Some(before) = filter.due_before {
            sql.push(" AND due_from < ").push_bind(before.0);
        }
        if let Some(made_at) = self.made_at {
            sql.push(" AND created_at = ").push_bind(made_at);
        }
        if let Some(since) = filter.updated_since {
            sql.push(" AND updated_at >= ").push_bind(since.0);
        }
    }
}

page::list_order! {
    /// The order of a list of recalls.
    RecallOrder /
    /// What lists of recalls can be sorted by.
    RecallOrderField of Recall, id "recall.id", first Asc {
        /// Their first day.
        DueFrom "dueFrom" "recall.due_from" as Key::Date(NaiveDate::MIN) => |it| Key::Date(it.due_from),
        /// When they were made.
        CreatedAt "createdAt" "recall.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "recall.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}
