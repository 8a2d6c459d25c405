//! Failed sign-ins slow the next ones down, by account name and by network address.

use crate::db::Sql;
use crate::error::{Error, Result};
use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types as st;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sha2::{Digest, Sha256};

/// Failures that cost nothing. The next one waits 1 s, then 2, 4, 8 … up to `LONGEST_DELAY`.
const FREE_FAILURES: i32 = 5;
/// Failures of one address that cost nothing: a clinic shares one.
const FREE_ADDRESS_FAILURES: i32 = 30;
/// No delay grows over this, in seconds.
const LONGEST_DELAY: i64 = 900;
/// A count is forgotten after this many minutes without a failure.
const FORGOTTEN_AFTER: i64 = 30;

/// What failures are counted by.
#[derive(Debug, Clone, Copy)]
pub(super) enum Counter<'a> {
    /// The e-mail that was tried, whether or not it has an account.
    Email(&'a str),
    /// The address the request came from.
    Address(&'a str),
}

impl Counter<'_> {
    fn key(&self) -> (&'static str, Vec<u8>, i32) {
        match self {
            Self::Email(email) => ("email", Sha256::digest(email.as_bytes()).to_vec(), FREE_FAILURES),
            Self::Address(address) => ("address", Sha256::digest(address.as_bytes()).to_vec(), FREE_ADDRESS_FAILURES),
        }
    }
}

/// RATE_LIMITED while a delay runs.
pub(super) async fn check(connection: &mut AsyncPgConnection, counter: Counter<'_>, now: DateTime<Utc>) -> Result<()> {
    let (kind, key, _) = counter.key();
    let blocked: Vec<DateTime<Utc>> =
        Sql::<st::Timestamptz>::new("SELECT blocked_until FROM sign_in_failure WHERE kind = ")
            .bind(kind)
            .text(" AND key_hash = ")
            .bind(key)
            .load(connection)
            .await?;
    match blocked.as_slice().first() {
        // One that ends later than any delay lasts was written before the clock went back.
        Some(until) if *until > now && *until <= now + TimeDelta::seconds(LONGEST_DELAY) => {
            let wait = (*until - now).num_seconds().max(0) + 1;
            Err(Error::RateLimited { retry_after: u64::try_from(wait).unwrap_or(1) })
        }
        _ => Ok(()),
    }
}

/// The delay after a number of failures, in seconds.
fn delay(failures: i32, free: i32) -> i64 {
    let over = failures - free;
    if over < 0 {
        0
    } else {
        1_i64.checked_shl(u32::try_from(over).unwrap_or(0).min(20)).unwrap_or(LONGEST_DELAY).min(LONGEST_DELAY)
    }
}

/// Counts a failure; concurrent ones are each counted.
pub(super) async fn failed(connection: &mut AsyncPgConnection, counter: Counter<'_>, now: DateTime<Utc>) -> Result<()> {
    let (kind, key, free) = counter.key();
    let failures: i32 = Sql::<st::Integer>::new(
        "INSERT INTO sign_in_failure AS f (kind, key_hash, failures, last_failed_at, blocked_until) VALUES (",
    )
    .bind(kind)
    .text(", ")
    .bind(key.clone())
    .text(", 1, ")
    .bind(now)
    .text(", ")
    .bind(now)
    .text(") ON CONFLICT (kind, key_hash) DO UPDATE SET failures = CASE WHEN f.last_failed_at < ")
    .bind(now - TimeDelta::minutes(FORGOTTEN_AFTER))
    .text(" THEN 1 ELSE f.failures + 1 END, last_failed_at = excluded.last_failed_at RETURNING failures")
    .get_result(connection)
    .await?;
    let seconds = delay(failures, free);
    if seconds > 0 {
        let until = now + TimeDelta::seconds(seconds);
        Sql::<()>::new("UPDATE sign_in_failure SET blocked_until = CASE WHEN blocked_until > ")
            .bind(now + TimeDelta::seconds(LONGEST_DELAY))
            .text(" THEN ")
            .bind(until)
            .text(" ELSE greatest(blocked_until, ")
            .bind(until)
            .text(") END WHERE kind = ")
            .bind(kind)
            .text(" AND key_hash = ")
            .bind(key)
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// A success forgets the failures of that e-mail (not of the address: an attacker may own one account).
pub(super) async fn succeeded(connection: &mut AsyncPgConnection, email: &str) -> Result<()> {
    let (kind, key, _) = Counter::Email(email).key();
    Sql::<()>::new("DELETE FROM sign_in_failure WHERE kind = ")
        .bind(kind)
        .text(" AND key_hash = ")
        .bind(key)
        .execute(connection)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_and_stop_growing() {
        let delays: Vec<i64> =
            [1, 4, 5, 6, 7, 8, 14, 15, 40, i32::MAX].iter().map(|n| delay(*n, FREE_FAILURES)).collect();
        assert_eq!(delays, [0, 0, 1, 2, 4, 8, 512, 900, 900, 900]);
    }
}
