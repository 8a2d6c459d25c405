//! What lists of treatment plans can be filtered and sorted by.

use super::{TreatmentPlan, TreatmentPlanStatus};
use crate::db::Sql;
use crate::error::Result;
use crate::page::{self, FilterIds, Key};
use crate::scalars::DateTime;
use crate::vocabulary::{Concern, RecordKind};
use async_graphql::{ID, InputObject};
use uuid::Uuid;

/// What to keep of a list of treatment plans.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, InputObject)]
#[graphql(name = "TreatmentPlanFilter")]
pub struct PlanFilter {
    /// Of this patient.
    pub patient_id: Option<ID>,
    /// Following this version of a protocol.
    pub protocol_version_id: Option<ID>,
    /// Of these statuses.
    pub status: Option<Vec<TreatmentPlanStatus>>,
    /// For one of these concerns.
    pub concern: Option<Vec<Concern>>,
    /// Added or changed at or after this moment.
    pub updated_since: Option<DateTime>,
}

/// A filter with its ids read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct PlanCondition {
    filter: PlanFilter,
    patient: Option<Uuid>,
    protocol: Option<Uuid>,
}

impl PlanFilter {
    /// Reads the ids; all faults at once.
    pub fn read(self) -> Result<PlanCondition> {
        let mut ids = FilterIds::default();
        let patient = ids.read("patientId", RecordKind::Patient, self.patient_id.as_ref());
        let protocol = ids.read("protocolVersionId", RecordKind::ProtocolVersion, self.protocol_version_id.as_ref());
        ids.finish()?;
        Ok(PlanCondition { filter: self, patient, protocol })
    }
}

impl page::Condition for PlanCondition {
    fn patient(&self) -> Option<Uuid> {
        self.patient
    }

    fn push_to<R>(&self, sql: &mut Sql<R>) {
        for (column, id) in [("patient_id", self.patient), ("protocol_version_id", self.protocol)] {
            if let Some(id) = id {
                sql.push(format!(" AND treatment_plan.{column} = ")).push_bind(id);
            }
        }
        let filter = &self.filter;
        sql.push_any_of("status", filter.status.iter().flatten().map(|it| it.as_str()), filter.status.is_some());
        if let Some(concerns) = &filter.concern {
            let words: Vec<String> = concerns.iter().map(|it| it.as_str().to_owned()).collect();
            sql.push(" AND concerns && ").push_bind(words);
        }
        if let Some(since) = filter.updated_since {
            sql.push(" AND updated_at >= ").push_bind(since.0);
        }
    }
}

page::list_order! {
    /// The order of a list of treatment plans.
    #[graphql(name = "TreatmentPlanOrder")]
    PlanOrder /
    /// What lists of treatment plans can be sorted by.
    #[graphql(name = "TreatmentPlanOrderField")]
    PlanOrderField of TreatmentPlan, id "treatment_plan.id", first Desc {
        /// The day they begin.
        StartedOn "startedOn" "treatment_plan.started_on" as Key::Date(chrono::NaiveDate::MIN) => |it| Key::Date(it.started_on),
        /// When they were made.
        CreatedAt "createdAt" "treatment_plan.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "treatment_plan.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}
