//! The log of deliveries, with its SQL. It is no record: rows are kept for 30 days.

use crate::access::Scope;
use crate::db::Sql;
use crate::error::Result;
use crate::ids;
use crate::outbound::{Answer, Failure};
use crate::vocabulary::RecordKind;
use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use std::collections::HashMap;
use uuid::Uuid;

/// How long rows are kept.
const KEPT: TimeDelta = TimeDelta::days(30);

/// A try to deliver an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: Uuid,
    /// The `webhook-id` of the event.
    pub event_id: String,
    /// The number of the change's entry in the ledger; none for a test.
    pub seq: Option<i64>,
    /// The type of the event.
    pub event_type: String,
    /// Which try of the event it was, from 1 on.
    pub attempt: i32,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// How long it took, in milliseconds.
    pub duration_ms: i32,
    /// The status that the receiver answered with.
    pub status_code: Option<i32>,
    /// Why it failed.
    pub error: Option<Failure>,
    /// When the next try is due.
    pub next_try_at: Option<DateTime<Utc>>,
}

impl Delivery {
    /// A try that was made now.
    pub fn of((event_id, event_type): (&str, &str), (seq, attempt): (Option<i64>, i32), answer: &Answer) -> Self {
        Self {
            id: ids::new_id(),
            event_id: event_id.to_owned(),
            seq,
            event_type: event_type.to_owned(),
            attempt,
            at: ids::now() - TimeDelta::from_std(answer.took).unwrap_or_default(),
            duration_ms: i32::try_from(answer.took.as_millis()).unwrap_or(i32::MAX),
            status_code: answer.status.map(i32::from),
            error: answer.failure,
            next_try_at: None,
        }
    }
}

/// Writes a row.
pub async fn write(scope: &mut Scope, webhook: Uuid, delivery: &Delivery) -> Result<()> {
    let door = scope.ledger()?;
    let mut sql = Sql::<()>::new(
        "INSERT INTO webhook_delivery (org_id, id, webhook_id, event_id, seq, event_type, attempt, at, duration_ms, \
         status_code, error, next_try_at) VALUES (",
    );
    sql.push_bind(door.org).push(", ").push_bind(delivery.id).push(", ").push_bind(webhook);
    sql.push(", ").push_bind(delivery.event_id.clone()).push(", ");
    sql.push_opt(delivery.seq);
    sql.push(", ").push_bind(delivery.event_type.clone()).push(", ").push_bind(delivery.attempt);
    sql.push(", ").push_bind(delivery.at).push(", ").push_bind(delivery.duration_ms).push(", ");
    sql.push_opt(delivery.status_code);
    sql.push(", ").push_bind(delivery.error.map(|error| error.as_str().to_owned())).push(", ");
    sql.push_opt(delivery.next_try_at);
    sql.push(")");
    sql.execute(door.connection).await?;
    Ok(())
}

type Time = DateTime<Utc>;
type Row = ((Uuid, Uuid, String, Option<i64>), (String, i32, Time, i32), (Option<i32>, Option<Failure>, Option<Time>));
type RowSql = (
    (st::Uuid, st::Uuid, st::Text, st::Nullable<st::BigInt>),
    (st::Text, st::Integer, st::Timestamptz, st::Integer),
    (st::Nullable<st::Integer>, st::Nullable<st::Text>, st::Nullable<st::Timestamptz>),
);

fn delivery(row: Row) -> (Uuid, Delivery) {
    let ((webhook, id, event_id, seq), (event_type, attempt, at, duration_ms), (status_code, error, next_try_at)) = row;
    (webhook, Delivery { id, event_id, seq, event_type, attempt, at, duration_ms, status_code, error, next_try_at })
}

/// The newest tries of each of these webhooks before a place in their order, at most `limit` for each, in one statement.
pub async fn pages(
    scope: &mut Scope,
    webhooks: &[Uuid],
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<HashMap<Uuid, Vec<Delivery>>> {
    let door = scope.read(RecordKind::Webhook)?;
    let mut sql = Sql::<RowSql>::new(
        "SELECT v.webhook_id, v.id, v.event_id, v.seq, v.event_type, v.attempt, v.at, v.duration_ms, v.status_code, v.error, \
         v.next_try_at FROM unnest(",
    );
    sql.push_bind(webhooks.to_vec())
        .push("::uuid[]) AS w (id) CROSS JOIN LATERAL (SELECT d.* FROM webhook_delivery d WHERE d.org_id = ")
        .push_bind(door.org)
        .push(" AND d.webhook_id = w.id");
    if let Some((at, id)) = before {
        sql.push(" AND (d.at, d.id) < (").push_bind(at).push(", ").push_bind(id).push(")");
    }
    sql.push(" ORDER BY d.at DESC, d.id DESC LIMIT ").push_bind(limit);
    sql.push(") AS v ORDER BY v.webhook_id, v.at DESC, v.id DESC");
    let rows: Vec<Row> = sql.load(door.connection).await?;
    let mut found: HashMap<Uuid, Vec<Delivery>> = HashMap::new();
    for (webhook, delivery) in rows.into_iter().map(delivery) {
        found.entry(webhook).or_default().push(delivery);
    }
    Ok(found)
}

/// How many tries of each of these webhooks there are, in one statement.
pub async fn counts(scope: &mut Scope, webhooks: &[Uuid]) -> Result<HashMap<Uuid, i64>> {
    let door = scope.read(RecordKind::Webhook)?;
    let counts: Vec<(Uuid, i64)> =
        Sql::<(st::Uuid, st::BigInt)>::new("SELECT d.webhook_id, count(*) FROM webhook_delivery d WHERE d.org_id = ")
            .bind(door.org)
            .text(" AND d.webhook_id = ANY (")
            .bind(webhooks.to_vec())
            .text(") GROUP BY d.webhook_id")
            .load(door.connection)
            .await?;
    Ok(counts.into_iter().collect())
}

/// Deletes the rows of an organisation that are older than is kept; how many.
pub async fn sweep(scope: &mut Scope) -> Result<usize> {
    let door = scope.ledger()?;
    let gone = Sql::<()>::new("DELETE FROM webhook_delivery WHERE org_id = ")
        .bind(door.org)
        .text(" AND at < ")
        .bind(ids::now() - KEPT)
        .execute(door.connection)
        .await?;
    Ok(gone)
}
