//! What lists of outcome assessments can be filtered and sorted by.

use super::{OutcomeAssessment, RaterRole};
use crate::db::Sql;
use crate::error::Result;
use crate::page::{self, FilterIds, Key};
use crate::scalars::DateTime;
use crate::vocabulary::{BodyArea, RecordKind};
use async_graphql::{ID, InputObject};
use uuid::Uuid;

/// What to keep of a list of outcome assessments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, InputObject)]
#[graphql(name = "OutcomeAssessmentFilter")]
pub struct OutcomeFilter {
    /// Of this patient.
    pub patient_id: Option<ID>,
    /// Of this plan.
    pub plan_id: Option<ID>,
    /// After this session.
    pub session_id: Option<ID>,
    /// On this scale, by its code.
    pub scale: Option<String>,
    /// On this version of a scale.
    pub scale_version: Option<String>,
    /// By raters of these roles.
    pub rater_role: Option<Vec<RaterRole>>,
    /// Of these areas.
    pub area: Option<Vec<BodyArea>>,
    /// Assessed at or after this moment.
    pub assessed_from: Option<DateTime>,
    /// Assessed before this moment.
    pub assessed_before: Option<DateTime>,
    /// Made in error only, or the others only. Absent: the others.
    pub entered_in_error: Option<bool>,
    /// Added or changed at or after this moment.
    pub updated_since: Option<DateTime>,
}

/// A filter of outcome assessments with its ids read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct OutcomeCondition {
    filter: OutcomeFilter,
    patient: Option<Uuid>,
    plan: Option<Uuid>,
    session: Option<Uuid>,
}

impl OutcomeFilter {
    /// Reads the ids; all faults at once.
    pub fn read(self) -> Result<OutcomeCondition> {
        let mut ids = FilterIds::default();
        let patient = ids.read("patientId", RecordKind::Patient, self.patient_id.as_ref());
        let plan = ids.read("planId", RecordKind::TreatmentPlan, self.plan_id.as_ref());
        let session = ids.read("sessionId", RecordKind::TreatmentSession, self.session_id.as_ref());
        ids.finish()?;
        Ok(OutcomeCondition { filter: self, patient, plan, session })
    }
}

impl page::Condition for OutcomeCondition {
    fn patient(&self) -> Option<Uuid> {
        self.patient
    }

    fn record(&self) -> Option<Uuid> {
        self.session.or(self.plan)
    }

    fn push_to<R>(&self, sql: &mut Sql<R>) {
        for (column, id) in [("patient_id", self.patient), ("plan_id", self.plan), ("session_id", self.session)] {
            if let Some(id) = id {
                sql.push(format!(" AND {column} = ")).push_bind(id);
            }
        }
        for (column, text) in [("scale", &self.filter.scale), ("scale_version", &self.filter.scale_version)] {
            if let Some(text) = text {
                sql.push(format!(" AND {column} = ")).push_bind(text.clone());
            }
        }
        let roles = self.filter.rater_role.iter().flatten().map(|role| role.as_str());
        sql.push_any_of("rater_role", roles, self.filter.rater_role.is_some());
        let areas = self.filter.area.iter().flatten().map(|area| area.as_str());
        sql.push_any_of("area", areas, self.filter.area.is_some());
        if let Some(from) = self.filter.assessed_from {
            sql.push(" AND assessed_at >= ").push_bind(from.0);
        }
        if let Some(before) = self.filter.assessed_before {
            sql.push(" AND assessed_at < ").push_bind(before.0);
        }
        sql.push(" AND entered_in_error = ").push_bind(self.filter.entered_in_error.unwrap_or(false));
        if let Some(since) = self.filter.updated_since {
            sql.push(" AND updated_at >= ").push_bind(since.0);
        }
    }
}

page::list_order! {
    /// The order of a list of outcome assessments.
    #[graphql(name = "OutcomeAssessmentOrder")]
    OutcomeOrder /
    /// What lists of outcome assessments can be sorted by.
    #[graphql(name = "OutcomeAssessmentOrderField")]
    OutcomeOrderField of OutcomeAssessment, id "outcome_assessment.id", first Desc {
        /// When they were assessed.
        AssessedAt "assessedAt" "outcome_assessment.assessed_at" as Key::Time(0) => |it| Key::time(it.assessed_at),
        /// When they were added.
        CreatedAt "createdAt" "outcome_assessment.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "outcome_assessment.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}
