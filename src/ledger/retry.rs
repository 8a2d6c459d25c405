//! Safe retries: the same key and the same request give the first answer again.

use crate::access::Scope;
use crate::db::Sql;
use crate::error::{Error, Result};
use crate::ids;
use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;

/// How long a key is remembered, in hours.
const KEPT_HOURS: i64 = 24;

/// What marks a write as possibly a retry.
#[derive(Debug, Clone)]
pub struct Retry {
    /// The `Idempotency-Key`, or the id that the client made.
    pub key: String,
    /// The place of the mutation in the operation: one request may hold several.
    pub field: String,
    /// SHA-256 of the mutation's name and arguments.
    pub digest: [u8; 32],
}

/// What claiming a key found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Nobody has used it: do the work.
    New,
    /// The first try did the work, and this is its ledger entry.
    Done(i64),
}

type Row = (Vec<u8>, Option<i64>, DateTime<Utc>);
type RowSql = (st::Binary, st::Nullable<st::BigInt>, st::Timestamptz);

/// Claims a key in the write's own transaction. While another try with the key is under way this waits for its end.
pub async fn claim(scope: &mut Scope, retry: &Retry) -> Result<Claim> {
    let (org, staff, now) = (scope.org(), scope.viewer().author()?, ids::now());
    let forgotten = now - TimeDelta::hours(KEPT_HOURS);
    let inserted = Sql::<()>::new(
        "INSERT INTO idempotency AS i (org_id, staff_id, key, field, request_digest, created_at) VALUES (",
    )
    .bind(org)
    .text(", ")
    .bind(staff)
    .text(", ")
    .bind(retry.key.clone())
    .text(", ")
    .bind(retry.field.clone())
    .text(", ")
    .bind(retry.digest.to_vec())
    .text(", ")
    .bind(now)
    .text(
        ") ON CONFLICT (org_id, staff_id, key, field) DO UPDATE SET request_digest = excluded.request_digest, \
         ledger_seq = NULL, created_at = excluded.created_at WHERE i.org_id = excluded.org_id AND i.created_at < ",
    )
    .bind(forgotten)
    .execute(scope.ledger()?.connection)
    .await?;
    if inserted == 1 {
        sweep(scope, now).await?;
        return Ok(Claim::New);
    }
    let rows: Vec<Row> =
        Sql::<RowSql>::new("SELECT request_digest, ledger_seq, created_at FROM idempotency WHERE org_id = ")
            .bind(org)
            .text(" AND staff_id = ")
            .bind(staff)
            .text(" AND key = ")
            .bind(retry.key.clone())
            .text(" AND field = ")
            .bind(retry.field.clone())
            .load(scope.ledger()?.connection)
            .await?;
    match rows.into_iter().next() {
        Some((digest, Some(seq), _)) if digest == retry.digest => Ok(Claim::Done(seq)),
        Some(_) => Err(Error::IdempotencyMismatch),
        None => Err(Error::Internal("a claimed key is gone".to_owned())),
    }
}

/// Notes which ledger entry answers the key.
pub async fn settle(scope: &mut Scope, retry: &Retry) -> Result<()> {
    let (org, staff) = (scope.org(), scope.viewer().author()?);
    let seq = scope.answer().ok_or_else(|| Error::Internal("a write without a ledger entry".to_owned()))?;
    Sql::<()>::new("UPDATE idempotency SET ledger_seq = ")
        .bind(seq)
        .text(" WHERE org_id = ")
        .bind(org)
        .text(" AND staff_id = ")
        .bind(staff)
        .text(" AND key = ")
        .bind(retry.key.clone())
        .text(" AND field = ")
        .bind(retry.field.clone())
        .execute(scope.ledger()?.connection)
        .await?;
    Ok(())
}

/// Now and then clears away forgotten keys, a few at a time, so that the table stays as small as a day's writes.
async fn sweep(scope: &mut Scope, now: DateTime<Utc>) -> Result<()> {
    if rand::random::<u8>() != 0 {
        return Ok(());
    }
    let org = scope.org();
    Sql::<()>::new("DELETE FROM idempotency WHERE org_id = ")
        .bind(org)
        .text(" AND (staff_id, key, field) IN (SELECT staff_id, key, field FROM idempotency WHERE org_id = ")
        .bind(org)
        .text(" AND created_at < ")
        .bind(now - TimeDelta::hours(KEPT_HOURS))
        .text(" ORDER BY created_at LIMIT 1000 FOR UPDATE SKIP LOCKED)")
        .execute(scope.ledger()?.connection)
        .await?;
    Ok(())
}
