//! The SQL of a session's checks. Like its areas and products they are replaced as a whole while the session is a draft;
//! the database itself refuses any change once it is signed.

use super::{CheckCode, CheckRule, CheckVerdict, KeptCheck, Override};
use crate::access::{Door, Scope};
use crate::db::Sql;
use crate::db::tables::session_check;
use crate::error::Result;
use crate::vocabulary::RecordKind;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use std::collections::HashMap;
use uuid::Uuid;

#[derive(Queryable)]
struct CheckRow {
    _org_id: Uuid,
    session_id: Uuid,
    _position: i16,
    rule: CheckRule,
    verdict: CheckVerdict,
    cause: String,
    record_kind: Option<RecordKind>,
    record_id: Option<Uuid>,
    protocol_version_id: Option<Uuid>,
    override_reason: Option<String>,
    override_by: Option<Uuid>,
    override_supervisor_id: Option<Uuid>,
    override_at: Option<DateTime<Utc>>,
    code: Option<CheckCode>,
    params: Option<serde_json::Value>,
}

impl From<CheckRow> for KeptCheck {
    fn from(row: CheckRow) -> Self {
        let overridden = || {
            Some(Override {
                reason: row.override_reason?,
                by: row.override_by?,
                supervisor_id: row.override_supervisor_id,
                at: row.override_at?,
            })
        };
        Self {
            rule: row.rule,
            verdict: row.verdict,
            cause: row.cause,
            code: row.code,
            params: row.params.and_then(|it| serde_json::from_value(it).ok()).unwrap_or_default(),
            record_kind: row.record_kind,
            record_id: row.record_id,
            protocol_version_id: row.protocol_version_id,
            overridden: overridden(),
        }
    }
}

/// The checks of sessions, in the order in which the rules gave them.
pub async fn checks_of(scope: &mut Scope, sessions: &[Uuid]) -> Result<HashMap<Uuid, Vec<KeptCheck>>> {
    load(scope.read(RecordKind::TreatmentSession)?, sessions).await
}

pub(super) async fn load(door: Door<'_>, sessions: &[Uuid]) -> Result<HashMap<Uuid, Vec<KeptCheck>>> {
    let rows: Vec<CheckRow> = session_check::table
        .filter(session_check::org_id.eq(door.org))
        .filter(session_check::session_id.eq_any(sessions))
        .order((session_check::session_id, session_check::position))
        .load(door.connection)
        .await?;
    let mut found: HashMap<Uuid, Vec<KeptCheck>> = HashMap::new();
    for row in rows {
        found.entry(row.session_id).or_default().push(row.into());
    }
    Ok(found)
}

/// Adds checks in one statement.
pub(super) async fn insert(door: Door<'_>, session: Uuid, checks: &[KeptCheck]) -> Result<()> {
    if checks.is_empty() {
        return Ok(());
    }
    Sql::<()>::new(
        "INSERT INTO session_check (org_id, session_id, position, rule, verdict, cause, record_kind, record_id, \
         protocol_version_id, override_reason, override_by, override_supervisor_id, override_at, code, params) SELECT ",
    )
    .bind(door.org)
    .text(", ")
    .bind(session)
    .text(
        ", p.position - 1, p.rule, p.verdict, p.cause, p.record_kind, p.record_id, p.protocol_version_id, \
         p.done ->> 'reason', (p.done ->> 'by')::uuid, (p.done ->> 'supervisor_id')::uuid, \
         (p.done ->> 'at')::timestamptz, p.code, p.params FROM ROWS FROM (json_to_recordset(",
    )
    .bind(serde_json::to_value(checks)?)
    .text(
        ") AS (rule text, verdict text, cause text, record_kind text, record_id uuid, protocol_version_id uuid, \
         \"override\" json, code text, params jsonb)) WITH ORDINALITY AS p (rule, verdict, cause, record_kind, \
         record_id, protocol_version_id, done, code, params, position)",
    )
    .execute(door.connection)
    .await?;
    Ok(())
}

/// Puts these checks in the place of all there were.
pub(super) async fn replace(door: Door<'_>, session: Uuid, checks: &[KeptCheck]) -> Result<()> {
    let Door { org, connection } = door;
    let old = session_check::table.filter(session_check::org_id.eq(org)).filter(session_check::session_id.eq(session));
    diesel::delete(old).execute(connection).await?;
    insert(Door { org, connection }, session, checks).await
}
