//! Safe retries: the same key with the same request returns the first result again.

use super::absent::closed;
use super::entry::Record;
use super::packed::{Kept, KeptSql, content_of};
use crate::access::Scope;
use crate::db::Sql;
use crate::error::{Error, Result};
use crate::ids;
use crate::vocabulary::{Action, RecordKind};
use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;

/// How long a key is remembered, in hours.
const KEPT_HOURS: i64 = 24;

/// What identifies a write as a possible retry.
#[derive(Debug, Clone)]
pub struct Retry {
    /// The `Idempotency-Key`, or the id that the client made.
    pub key: String,
    /// The position of the mutation in the operation, since one request may contain several.
    pub field: String,
    /// SHA-256 of the mutation's name and arguments.
    pub digest: [u8; 32],
}

/// The result of claiming a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The key is unused: do the work.
    New,
    /// The first try has done the work.
    Done(First),
}

/// What the first try left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct First {
    /// Its ledger entry.
    seq: i64,
    /// The rights that were checked for it.
    rights: Vec<(Action, RecordKind)>,
}

type Row = (Vec<u8>, Option<i64>, Option<Vec<String>>);
type RowSql = (st::Binary, st::Nullable<st::BigInt>, st::Nullable<st::Array<st::Text>>);

/// A right as the database keeps it, such as `update:recall`.
fn right_text((action, kind): (Action, RecordKind)) -> String {
    format!("{}:{}", action.as_str(), kind.as_str())
}

fn right_of(text: &str) -> Option<(Action, RecordKind)> {
    let (action, kind) = text.split_once(':')?;
    Some((Action::parse(action)?, RecordKind::parse(kind)?))
}

/// Claims a key in the write's own transaction. If another try with the key is under way, this waits for it to end.
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
         ledger_seq = NULL, rights = NULL, created_at = excluded.created_at WHERE i.org_id = excluded.org_id AND i.created_at < ",
    )
    .bind(forgotten)
    .execute(scope.ledger()?.connection)
    .await?;
    if inserted == 1 {
        sweep(scope, now).await?;
        return Ok(Claim::New);
    }
    let rows: Vec<Row> =
        Sql::<RowSql>::new("SELECT request_digest, ledger_seq, rights FROM idempotency WHERE org_id = ")
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
        Some((digest, Some(seq), rights)) if digest == retry.digest => {
            // None are stored for a try from before rights were stored; the right of its entry is checked in any case.
            let rights = rights.unwrap_or_default().iter().map(|right| right_of(right)).collect::<Option<_>>();
            let rights = rights.ok_or_else(|| Error::Internal("a right that is none".to_owned()))?;
            Ok(Claim::Done(First { seq, rights }))
        }
        Some(_) => Err(Error::IdempotencyMismatch),
        None => Err(Error::Internal("a claimed key is gone".to_owned())),
    }
}

/// The record as the first try left it, provided the viewer may still do what was done then, with everything it read
/// and wrote, and may see what it shows. A replay reveals no more than a new request would. The patients it shows are
/// recorded for the access log.
pub async fn replay<R: Record>(scope: &mut Scope, First { seq, rights }: First) -> Result<R> {
    let (org, viewer) = (scope.org(), scope.viewer());
    rights.into_iter().try_for_each(|(action, kind)| viewer.check_by_role(action, kind))?;
    let entry: Vec<(Action, Kept)> =
        Sql::<(st::Text, KeptSql)>::new("SELECT action, content, packed FROM ledger WHERE org_id = ")
            .bind(org)
            .text(" AND seq = ")
            .bind(seq)
            .load(scope.ledger()?.connection)
            .await?;
    let Some((action, kept)) = entry.into_iter().next() else {
        viewer.check_by_role(Action::Read, R::KIND)?;
        // The ledger has an entry for each number, so this one belongs to a patient who is closed to this scope.
        let whole = scope.sees_all();
        return Err(if whole { Error::Internal(format!("no ledger entry {seq}")) } else { Error::ReasonRequired });
    };
    viewer.check_by_role(action, R::KIND)?;
    let record: Option<R> = content_of(kept)?.map(|content| serde_json::from_str(&content)).transpose()?;
    let own = record.as_ref().and_then(R::own_of).is_some_and(|staff| viewer.staff == Some(staff));
    if !own {
        viewer.check_by_role(Action::Read, R::KIND)?;
    }
    let record = record.ok_or_else(|| Error::NotFound(format!("this {} was erased since", R::KIND.words())))?;
    let patients = record.tells_of();
    let told = patients.iter().map(|patient| (RecordKind::Patient, *patient));
    for (kind, id) in told.chain([(R::KIND, record.id())]) {
        if closed(scope, kind, id).await? {
            return Err(Error::ReasonRequired);
        }
    }
    scope.show(patients);
    Ok(record)
}

/// Records which ledger entry is the result for the key.
pub async fn settle(scope: &mut Scope, retry: &Retry) -> Result<()> {
    let (org, staff) = (scope.org(), scope.viewer().author()?);
    let seq = scope.answer().ok_or_else(|| Error::Internal("a write without a ledger entry".to_owned()))?;
    let rights: Vec<String> = scope.asked().map(right_text).collect();
    Sql::<()>::new("UPDATE idempotency SET ledger_seq = ")
        .bind(seq)
        .text(", rights = ")
        .bind(rights)
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

/// Now and then deletes expired keys, a few at a time, so that the table stays as small as a day's writes.
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
