//! The SQL of adverse events.

use super::{
    AdverseEvent, AdverseEventCondition, AdverseEventKind, AdverseEventOrder, AdverseEventOutcome,
    AdverseEventSeverity, AuthorityReport, Causality, Expectedness,
};
use crate::db::tables::adverse_event;
use crate::error::{Error, Result};
use crate::record::Stamp;
use crate::vocabulary::BodyArea;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use uuid::Uuid;

crate::page::listing!(AdverseEvent, adverse_event, Row, AdverseEventCondition, AdverseEventOrder, {
    "patient_id" => |it| Some(it.patient_id), "session_id" => |it| it.session_id,
});

crate::page::kept!(AdverseEvent, adverse_event, Row);

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = adverse_event, treat_none_as_null = true)]
struct Row {
    org_id: Uuid,
    id: Uuid,
    patient_id: Uuid,
    session_id: Option<Uuid>,
    aftercare_note_id: Option<Uuid>,
    lot_id: Option<Uuid>,
    kind: AdverseEventKind,
    description: Option<String>,
    onset_at: DateTime<Utc>,
    area: Option<BodyArea>,
    severity: AdverseEventSeverity,
    serious: bool,
    expectedness: Expectedness,
    suspected_cause: Option<String>,
    causality: Option<Causality>,
    action_taken: Option<String>,
    outcome: AdverseEventOutcome,
    resolved_at: Option<DateTime<Utc>>,
    reported_to: Option<String>,
    reported_at: Option<DateTime<Utc>>,
    report_reference: Option<String>,
    follow_ups: serde_json::Value,
    entered_in_error: bool,
    version: i32,
    created_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_at: DateTime<Utc>,
    updated_by: Option<Uuid>,
}

impl TryFrom<Row> for AdverseEvent {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self> {
        let report = row.reported_to.zip(row.reported_at);
        Ok(Self {
            id: row.id,
            patient_id: row.patient_id,
            session_id: row.session_id,
            aftercare_note_id: row.aftercare_note_id,
            lot_id: row.lot_id,
            kind: row.kind,
            description: row.description,
            onset_at: row.onset_at,
            area: row.area,
            severity: row.severity,
            serious: row.serious,
            expectedness: row.expectedness,
            suspected_cause: row.suspected_cause,
            causality: row.causality,
            action_taken: row.action_taken,
            outcome: row.outcome,
            resolved_at: row.resolved_at,
            report: report.map(|(to, at)| AuthorityReport { to, at, reference: row.report_reference }),
            follow_ups: serde_json::from_value(row.follow_ups)?,
            entered_in_error: row.entered_in_error,
            stamp: Stamp {
                version: row.version,
                created_at: row.created_at,
                created_by: row.created_by,
                updated_at: row.updated_at,
                updated_by: row.updated_by,
            },
        })
    }
}

impl Row {
    fn of(org_id: Uuid, it: &AdverseEvent) -> Result<Self> {
        Ok(Self {
            org_id,
            id: it.id,
            patient_id: it.patient_id,
            session_id: it.session_id,
            aftercare_note_id: it.aftercare_note_id,
            lot_id: it.lot_id,
            kind: it.kind,
            description: it.description.clone(),
            onset_at: it.onset_at,
            area: it.area,
            severity: it.severity,
            serious: it.serious,
            expectedness: it.expectedness,
            suspected_cause: it.suspected_cause.clone(),
            causality: it.causality,
            action_taken: it.action_taken.clone(),
            outcome: it.outcome,
            resolved_at: it.resolved_at,
            reported_to: it.report.as_ref().map(|report| report.to.clone()),
            reported_at: it.report.as_ref().map(|report| report.at),
            report_reference: it.report.as_ref().and_then(|report| report.reference.clone()),
            follow_ups: serde_json::to_value(&it.follow_ups)?,
            entered_in_error: it.entered_in_error,
            version: it.stamp.version,
            created_at: it.stamp.created_at,
            created_by: it.stamp.created_by,
            updated_at: it.stamp.updated_at,
            updated_by: it.stamp.updated_by,
        })
    }
}
