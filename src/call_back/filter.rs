//! What lists of recalls can be filtered and sorted by.

use super::{CallBack, CallBackReason, CallBackState};
use crate::db::Sql;
use crate::ids;
use crate::page::{self, Key};
use crate::scalars::DateTime;
use chrono::NaiveDate;

page::list_filter! {
    /// Filter for a list of recalls.
    #[graphql(name = "RecallFilter")]
    CallBackFilter => CallBackCondition {
        /// Of this patient.
        patient_id: id(Patient) "patient_id",
        /// About this lot.
        lot_id: id(ProductLot) "lot_id",
        /// For these reasons.
        reason: any_of(CallBackReason) "reason",
        /// In these states today (in UTC). The list to work through is `[OPEN, OVERDUE]`. What waits to be done (OPEN, OVERDUE,
        /// SNOOZED) for a patient who is archived or has died is in none of them, but for a SAFETY_NOTICE: a patient's own list without
        /// this filter has it, and it is back when the patient is.
        state: others(CallBackState) "status",
        /// Whose first due day is this day or later.
        due_from: from_day "due_from",
        /// Whose first due day is before this day.
        due_before: before_day "due_from",
        /// Made or changed at or after this moment.
        updated_since: from "updated_at",
        /// Made at this moment.
        #[graphql(skip)]
        made_at: at "created_at",
    }
    also: push_states;
}

impl CallBackCondition {
    /// Those that were made together with this one: about the same lot, at the same moment.
    pub fn made_with(recall: &CallBack) -> Self {
        let made_at = Some(DateTime(recall.stamp.created_at));
        let filter = CallBackFilter { reason: Some(vec![recall.reason]), made_at, ..CallBackFilter::default() };
        Self { filter, ids: recall.lot_id.map(|lot| ("lot_id", lot)).into_iter().collect() }
    }
}

fn push_states<R>(filter: &CallBackFilter, sql: &mut Sql<R>) {
    if let Some(states) = &filter.state {
        let today = ids::now().date_naive();
        sql.push(" AND (false");
        for state in CallBackState::ALL.iter().filter(|state| states.contains(state)) {
            sql.push(" OR ");
            push_state(sql, *state, today);
        }
        sql.push(")");
    }
}

/// Nobody calls back whom the clinic does not treat any more, but for their safety.
const WORKED_THROUGH: &str = " AND (recall.reason = 'safety_notice' OR EXISTS (SELECT 1 FROM patient AS treated \
    WHERE treated.org_id = recall.org_id AND treated.id = recall.patient_id AND treated.status <> 'archived' \
    AND treated.deceased_on IS NULL))";

fn push_state<R>(sql: &mut Sql<R>, state: CallBackState, today: NaiveDate) {
    let live = |sql: &mut Sql<R>| {
        sql.push("((status = 'open' OR (status = 'snoozed' AND snoozed_until <= ")
            .push_bind(today)
            .push(")) AND due_until ");
    };
    match state {
        CallBackState::Open => {
            live(sql);
            sql.push(">= ").push_bind(today).push(WORKED_THROUGH).push(")");
        }
        CallBackState::Overdue => {
            live(sql);
            sql.push("< ").push_bind(today).push(WORKED_THROUGH).push(")");
        }
        CallBackState::Snoozed => {
            sql.push("(status = 'snoozed' AND snoozed_until > ").push_bind(today).push(WORKED_THROUGH).push(")");
        }
        CallBackState::Done | CallBackState::Dismissed | CallBackState::Superseded => {
            sql.push("status = ").push_bind(state.as_str());
        }
    }
}

page::list_order! {
    /// The order of a list of recalls.
    #[graphql(name = "RecallOrder")]
    CallBackOrder /
    /// What lists of recalls can be sorted by.
    #[graphql(name = "RecallOrderField")]
    CallBackOrderField of CallBack, id "recall.id", first Asc {
        /// Their first due day.
        DueFrom "dueFrom" "recall.due_from" as Key::Date(NaiveDate::MIN) => |it| Key::Date(it.due_from),
        /// When they were made.
        CreatedAt "createdAt" "recall.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "recall.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}
