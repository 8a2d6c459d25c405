//! How far each webhook has come, and which process delivers for it until when. It is asked for all organisations at once,
//! before a tenant is known, so the table has no row-level security and is read here alone.
//!
//! **One process at a time.** A lease is claimed by an UPDATE that finds the one before over. It has a number, which every
//! later claim and every change by an admin raises: whoever comes with an older number moves nothing any more, however late
//! they come.

use super::scope::Scope;
use crate::db::{Pool, Sql};
use crate::error::Result;
use crate::ids;
use crate::vocabulary::RecordKind;
use chrono::{DateTime, Utc};
use diesel::sql_types as st;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

type Time = DateTime<Utc>;
type OptTime = st::Nullable<st::Timestamptz>;

/// A webhook: its organisation and its id.
pub type Whose = (Uuid, Uuid);

/// A place in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    /// The cursor of what was delivered last.
    pub cursor: String,
    /// The number of its entry.
    pub seq: i64,
    /// Whether there is more of that entry.
    pub within: bool,
}

/// How a webhook stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Which.
    pub whose: Whose,
    /// The word of its status.
    pub status: String,
    /// The number of the entry that was delivered last, and whether there is more of it.
    pub seq: i64,
    /// Whether there is more of that entry.
    pub within: bool,
    /// Until when a process delivers for it.
    pub leased_until: Option<Time>,
    /// When the next try is due, while tries fail.
    pub next_try_at: Option<Time>,
    /// Of when the change is that is being delivered or failed.
    pub oldest_at: Option<Time>,
    /// Whether admins are still to be told that it was disabled.
    pub untold: bool,
}

/// What is shown of a webhook's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The cursor of what was delivered last.
    pub cursor: String,
    /// When a delivery last went well.
    pub last_success_at: Option<Time>,
    /// Since when tries fail.
    pub failing_since: Option<Time>,
    /// How many of the same change.
    pub failures: i32,
    /// When the next is due.
    pub next_try_at: Option<Time>,
}

/// The right to deliver for a webhook, until it ends.
#[derive(Debug, Clone)]
pub struct Lease {
    /// For which.
    pub whose: Whose,
    number: i64,
    /// The cursor of what was delivered last.
    pub cursor: String,
    /// Tries of the next change that failed.
    pub failures: i32,
    /// Since when.
    pub failing_since: Option<Time>,
}

/// The end of a statement: this webhook's row.
fn of_webhook<R>(sql: &mut Sql<R>, (org, webhook): Whose) {
    sql.push(" WHERE org_id = ").push_bind(org).push(" AND webhook_id = ").push_bind(webhook);
}

/// The same as long as the lease has this number.
fn held<R>(sql: &mut Sql<R>, lease: &Lease) {
    of_webhook(sql, lease.whose);
    sql.push(" AND lease = ").push_bind(lease.number);
}

/// How every webhook of every organisation stands, but for those that were ended. For the program itself.
pub async fn all(pool: &Pool) -> Result<Vec<Standing>> {
    type Row = ((Uuid, Uuid, String), (i64, bool, bool), (Option<Time>, Option<Time>, Option<Time>));
    let ask =
        Sql::<((st::Uuid, st::Uuid, st::Text), (st::BigInt, st::Bool, st::Bool), (OptTime, OptTime, OptTime))>::new(
            "SELECT org_id, webhook_id, status, seq, within, untold, leased_until, next_try_at, oldest_at FROM webhook_place \
         WHERE status <> 'ended' ORDER BY coalesce(next_try_at, leased_until) NULLS FIRST",
        );
    let rows: Vec<Row> = ask.load(&mut *pool.accounts().await?).await?;
    let each = rows.into_iter().map(|((org, webhook, status), (seq, within, untold), times)| {
        let (leased_until, next_try_at, oldest_at) = times;
        Standing { whose: (org, webhook), status, seq, within, leased_until, next_try_at, oldest_at, untold }
    });
    Ok(each.collect())
}

/// The organisations that have or had a webhook. For the program itself.
pub async fn organisations(pool: &Pool) -> Result<Vec<Uuid>> {
    let ask = Sql::<st::Uuid>::new("SELECT DISTINCT org_id FROM webhook_place");
    Ok(ask.load(&mut *pool.accounts().await?).await?)
}

/// Claims a webhook that nobody delivers for and whose next try is due; `None` if another was first.
pub async fn claim(pool: &Pool, whose: Whose, holder: Uuid, until: Time) -> Result<Option<Lease>> {
    let now = ids::now();
    let mut sql = Sql::<(st::BigInt, st::Text, st::Integer, OptTime)>::new(
        "UPDATE webhook_place SET lease = lease + 1, holder = ",
    );
    sql.push_bind(holder).push(", leased_until = ").push_bind(until);
    of_webhook(&mut sql, whose);
    sql.push(" AND status = 'active' AND (leased_until IS NULL OR leased_until <= ")
        .push_bind(now)
        .push(") AND (next_try_at IS NULL OR next_try_at <= ")
        .push_bind(now)
        .push(") RETURNING lease, place, failures, failing_since");
    let rows: Vec<(i64, String, i32, Option<Time>)> = sql.load(&mut *pool.accounts().await?).await?;
    let claimed = rows.into_iter().next();
    Ok(claimed.map(|(number, cursor, failures, failing_since)| Lease {
        whose,
        number,
        cursor,
        failures,
        failing_since,
    }))
}

/// Runs a statement that finds the row only while the lease is held: whether it did.
async fn did(sql: Sql<()>, connection: &mut AsyncPgConnection) -> Result<bool> {
    Ok(sql.execute(connection).await? == 1)
}

/// Holds on to a lease while a change of that time is delivered; false if it is another's by now.
pub async fn renew(pool: &Pool, lease: &Lease, until: Time, oldest_at: Time) -> Result<bool> {
    let mut sql = Sql::new("UPDATE webhook_place SET leased_until = ").bind(until);
    sql.push(", oldest_at = ").push_bind(oldest_at);
    held(&mut sql, lease);
    did(sql, &mut *pool.accounts().await?).await
}

/// Lets go of a lease.
pub async fn release(pool: &Pool, lease: &Lease) -> Result<bool> {
    let mut sql = Sql::new("UPDATE webhook_place SET leased_until = NULL, holder = NULL");
    held(&mut sql, lease);
    did(sql, &mut *pool.accounts().await?).await
}

/// Moves on to where nothing was to be told.
pub async fn passed(pool: &Pool, lease: &Lease, at: &At) -> Result<bool> {
    let mut sql = moved_to(at);
    sql.push(", oldest_at = NULL");
    held(&mut sql, lease);
    did(sql, &mut *pool.accounts().await?).await
}

fn moved_to(at: &At) -> Sql<()> {
    let mut sql = Sql::new("UPDATE webhook_place SET place = ").bind(at.cursor.clone());
    sql.push(", seq = ").push_bind(at.seq).push(", within = ").push_bind(at.within);
    sql
}

/// No try has failed.
const FRESH: &str = ", failures = 0, failing_since = NULL, next_try_at = NULL, oldest_at = NULL";

/// Moves on after a delivery; false if the lease is another's by now.
pub async fn delivered(scope: &mut Scope, lease: &Lease, at: &At) -> Result<bool> {
    let mut sql = moved_to(at);
    sql.push(FRESH).push(", last_success_at = ").push_bind(ids::now());
    held(&mut sql, lease);
    did(sql, scope.ledger()?.connection).await
}

/// Notes a try that failed, and when the next is due; false if the lease is another's by now.
pub async fn failed(scope: &mut Scope, lease: &Lease, next_try_at: Time) -> Result<bool> {
    let mut sql =
        Sql::new("UPDATE webhook_place SET failures = failures + 1, failing_since = coalesce(failing_since, ");
    sql.push_bind(ids::now()).push("), next_try_at = ").push_bind(next_try_at);
    held(&mut sql, lease);
    did(sql, scope.ledger()?.connection).await
}

/// Notes that the webhook was disabled, and that admins are to be told; false if the lease is another's by now.
pub async fn disabled(scope: &mut Scope, lease: &Lease, status: &str) -> Result<bool> {
    let mut sql = Sql::new("UPDATE webhook_place SET status = ").bind(status);
    sql.push(
        ", untold = true, next_try_at = NULL, leased_until = NULL, holder = NULL, lease = lease + 1, failures = failures + 1",
    );
    held(&mut sql, lease);
    did(sql, scope.ledger()?.connection).await
}

/// The place of a new webhook.
pub async fn add(scope: &mut Scope, webhook: Uuid, status: &str, at: &At) -> Result<()> {
    let door = scope.ledger()?;
    Sql::<()>::new(
        "INSERT INTO webhook_place (org_id, webhook_id, status, place, seq, within, lease, failures, untold) VALUES (",
    )
    .bind(door.org)
    .text(", ")
    .bind(webhook)
    .text(", ")
    .bind(status)
    .text(", ")
    .bind(at.cursor.clone())
    .text(", ")
    .bind(at.seq)
    .text(", ")
    .bind(at.within)
    .text(", 0, 0, false)")
    .execute(door.connection)
    .await?;
    Ok(())
}

/// Takes a change of a webhook by an admin over: whoever delivers for it stops, and the next begins anew, at another place
/// if one is given.
pub async fn changed(scope: &mut Scope, webhook: Uuid, status: &str, at: Option<&At>) -> Result<()> {
    let door = scope.ledger()?;
    let mut sql = Sql::<()>::new(
        "UPDATE webhook_place SET lease = lease + 1, leased_until = NULL, holder = NULL, untold = false, status = ",
    );
    sql.push_bind(status).push(FRESH);
    if let Some(at) = at {
        sql.push(", place = ").push_bind(at.cursor.clone());
        sql.push(", seq = ").push_bind(at.seq).push(", within = ").push_bind(at.within);
    }
    of_webhook(&mut sql, (door.org, webhook));
    sql.execute(door.connection).await?;
    Ok(())
}

/// Notes that admins were told.
pub async fn told(scope: &mut Scope, webhook: Uuid) -> Result<()> {
    let door = scope.ledger()?;
    let mut sql = Sql::<()>::new("UPDATE webhook_place SET untold = false");
    of_webhook(&mut sql, (door.org, webhook));
    sql.execute(door.connection).await?;
    Ok(())
}

/// How far webhooks have come.
pub async fn progress(scope: &mut Scope, webhooks: &[Uuid]) -> Result<Vec<(Uuid, Progress)>> {
    type Row = ((Uuid, String, i32), (Option<Time>, Option<Time>, Option<Time>));
    let door = scope.read(RecordKind::Webhook)?;
    let rows: Vec<Row> = Sql::<((st::Uuid, st::Text, st::Integer), (OptTime, OptTime, OptTime))>::new(
        "SELECT webhook_id, place, failures, last_success_at, failing_since, next_try_at FROM webhook_place WHERE org_id = ",
    )
    .bind(door.org)
    .text(" AND webhook_id = ANY (")
    .bind(webhooks.to_vec())
    .text(")")
    .load(door.connection)
    .await?;
    let each = rows.into_iter().map(|((webhook, cursor, failures), (last_success_at, failing_since, next_try_at))| {
        (webhook, Progress { cursor, last_success_at, failing_since, failures, next_try_at })
    });
    Ok(each.collect())
}
