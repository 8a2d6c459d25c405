//! The SQL of adverse events.

use super::{AdverseEvent, AdverseEventCondition, AdverseEventOrder, AuthorityReport};
use crate::error::Result;
use crate::page::{listing, stored};
use crate::record::Stamp;
use chrono::{DateTime, Utc};

stored! {
    AdverseEvent = adverse_event;
    always: patient_id, session_id, aftercare_note_id, lot_id, kind, onset_at, severity, serious, expectedness, outcome, entered_in_error;
    asked: description, area, suspected_cause, causality, action_taken, resolved_at, device_id, device_model, device_serial;
    json: follow_ups, reports;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
    asked_parts {
        report(reported_to, reported_at, report_reference) = report_of, report_columns;
    }
}
listing!(AdverseEvent, AdverseEventCondition, AdverseEventOrder, {
    "patient_id" => |it| Some(it.patient_id), "session_id" => |it| it.session_id,
});

fn report_of(
    to: Option<String>,
    at: Option<DateTime<Utc>>,
    reference: Option<String>,
) -> Result<Option<AuthorityReport>> {
    Ok(to.zip(at).map(|(to, at)| AuthorityReport { to, at, reference }))
}

type ReportColumns = (Option<String>, Option<DateTime<Utc>>, Option<String>);

fn report_columns(report: &Option<AuthorityReport>) -> Result<ReportColumns> {
    let report = report.as_ref();
    Ok((report.map(|it| it.to.clone()), report.map(|it| it.at), report.and_then(|it| it.reference.clone())))
}
