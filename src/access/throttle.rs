//! Failed sign-ins delay the next ones: by account and network address together, by account alone, by address alone,
//! and by sign-in for people who are already signed in.
//!
//! The strict count is that of an account at one address: only the person who tries passwords waits. The count of an
//! account over all addresses is generous, so that strangers can't lock its owner out; it guards against attempts from
//! very many addresses: NIST SP 800-63B 5.2.2 and OWASP ASVS 2.2.1 allow at most 100 consecutive failures of an
//! account.
//!
//! At an address from which an account signed in within 30 days, a sign-in to that account waits only for its own count
//! there: not for the count of the address, nor for that of the account over all addresses. This must not reveal which
//! accounts those are. So while one of these two delays runs, an attempt is processed all the same, password included,
//! and only the right password is let in; any other attempt gets RATE_LIMITED, whether or not the e-mail has an account
//! and is known there. Where nobody has signed in lately, no password is checked during the delay, so that strangers
//! cost no hashes.

use super::rate::network_of;
use crate::db::Sql;
use crate::error::{Error, Result};
use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types as st;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The longest delay, in seconds.
const LONGEST_DELAY: i64 = 900;
/// How long ago a delay of zero ends. It must not end at the moment of the attempt: an attempt that came a moment
/// earlier, and is counted a moment later, would be told to wait.
const NO_DELAY: TimeDelta = TimeDelta::hours(1);
/// For how many days an address from which somebody signed in counts as known.
const KNOWN_FOR: i64 = 30;
/// After how many days without a failure counts are deleted: later than any of them expires.
const SWEPT_AFTER: i64 = 2;

/// What failures are counted under.
#[derive(Debug, Clone, Copy)]
enum Counter<'a> {
    /// The e-mail that was tried, whether or not it has an account, and the address it was tried from.
    EmailAtAddress(&'a str, &'a str),
    /// The e-mail, wherever it was tried.
    Email(&'a str),
    /// The address the request came from; for IPv6, its 64-bit network.
    Address(&'a str),
    /// The sign-in in which somebody confirms their identity.
    SignIn(Uuid),
}

impl Counter<'_> {
    fn key(&self) -> (&'static str, Vec<u8>) {
        let email_hash = |email: &str| Sha256::digest(email.as_bytes());
        match self {
            Self::EmailAtAddress(email, address) => {
                let both = [email_hash(email).as_slice(), &network_of(address)].concat();
                ("email_at_address", Sha256::digest(both).to_vec())
            }
            Self::Email(email) => ("email", email_hash(email).to_vec()),
            Self::Address(address) => ("address", Sha256::digest(network_of(address)).to_vec()),
            Self::SignIn(id) => ("sign_in", Sha256::digest(id.as_bytes()).to_vec()),
        }
    }

    /// The number of failures without a delay. The next one waits 1 s, then 2, 4, 8 … up to `LONGEST_DELAY`. A clinic
    /// shares one address.
    fn free(&self) -> i32 {
        match self {
            Self::EmailAtAddress(..) | Self::SignIn(_) => 5,
            Self::Address(_) => 30,
            Self::Email(_) => 100,
        }
    }

    /// The count is forgotten after this time without a failure.
    fn forgotten_after(&self) -> TimeDelta {
        match self {
            Self::EmailAtAddress(..) | Self::Address(_) | Self::SignIn(_) => TimeDelta::minutes(30),
            Self::Email(_) => TimeDelta::hours(24),
        }
    }
}

/// Whether a delay still runs. If it ends later than any delay can last, it was written before the clock was set back.
fn runs(until: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    until > now && until <= now + TimeDelta::seconds(LONGEST_DELAY)
}

/// RATE_LIMITED while a delay runs.
async fn check(connection: &mut AsyncPgConnection, counter: Counter<'_>, now: DateTime<Utc>) -> Result<()> {
    let (kind, key) = counter.key();
    let blocked: Vec<DateTime<Utc>> =
        Sql::<st::Timestamptz>::new("SELECT blocked_until FROM sign_in_failure WHERE kind = ")
            .bind(kind)
            .text(" AND key_hash = ")
            .bind(key)
            .load(connection)
            .await?;
    match blocked.as_slice().first() {
        Some(until) if runs(*until, now) => {
            let wait = (*until - now).num_seconds().max(0) + 1;
            Err(Error::RateLimited { retry_after: u64::try_from(wait).unwrap_or(1) })
        }
        _ => Ok(()),
    }
}

/// Counts a failure, also each of concurrent ones. With `waits`, none is counted while a delay runs. Returns whether it
/// was counted.
async fn count(
    connection: &mut AsyncPgConnection,
    counter: Counter<'_>,
    now: DateTime<Utc>,
    waits: bool,
) -> Result<bool> {
    let (kind, key) = counter.key();
    let counted = Sql::<()>::new(
        "INSERT INTO sign_in_failure AS f (kind, key_hash, failures, last_failed_at, blocked_until) VALUES (",
    )
    .bind(kind)
    .text(", ")
    .bind(key)
    .text(", 1, ")
    .bind(now)
    .text(", ")
    .bind(now - NO_DELAY)
    .text(
        ") ON CONFLICT (kind, key_hash) DO UPDATE SET last_failed_at = excluded.last_failed_at, \
         (failures, blocked_until) = (SELECT t.n, excluded.last_failed_at + make_interval(secs => CASE WHEN t.n < ",
    )
    .bind(counter.free())
    .text(" THEN ")
    .bind(-NO_DELAY.num_seconds())
    .text(" ELSE least(power(2::float8, least(t.n - ")
    .bind(counter.free())
    .text(", 20)), ")
    .bind(LONGEST_DELAY)
    .text(") END) FROM (SELECT CASE WHEN f.last_failed_at < ")
    .bind(now - counter.forgotten_after())
    .text(" THEN 1 ELSE f.failures + 1 END AS n) AS t) WHERE ")
    .bind(!waits)
    .text(" OR f.blocked_until <= ")
    .bind(now)
    .text(" OR f.blocked_until > ")
    .bind(now + TimeDelta::seconds(LONGEST_DELAY))
    .execute(connection)
    .await?;
    Ok(counted > 0)
}

/// Counts an attempt as a failure before it is checked, so that a burst can't outrun the count; RATE_LIMITED while a
/// delay runs. A success takes it back.
async fn take(connection: &mut AsyncPgConnection, counter: Counter<'_>, now: DateTime<Utc>) -> Result<()> {
    if count(connection, counter, now, true).await? {
        return Ok(());
    }
    // A success in between has removed the delay.
    check(connection, counter, now).await
}

async fn forget(connection: &mut AsyncPgConnection, counter: Counter<'_>) -> Result<()> {
    let (kind, key) = counter.key();
    Sql::<()>::new("DELETE FROM sign_in_failure WHERE kind = ")
        .bind(kind)
        .text(" AND key_hash = ")
        .bind(key)
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether an account was signed in to from this address lately.
async fn is_known(connection: &mut AsyncPgConnection, email: &str, address: &str, now: DateTime<Utc>) -> Result<bool> {
    let from: Vec<String> = Sql::<st::Text>::new(
        "SELECT DISTINCT i.from_address FROM sign_in i JOIN account a ON a.id = i.account_id WHERE a.email = ",
    )
    .bind(email)
    .text(" AND i.created_at > ")
    .bind(now - TimeDelta::days(KNOWN_FOR))
    .load(connection)
    .await?;
    let network = network_of(address);
    Ok(from.iter().any(|known| network_of(known) == network))
}

/// Whether anybody signed in from this address lately. A sign-in from before networks were stored counts as possible.
async fn has_known(connection: &mut AsyncPgConnection, address: &str, now: DateTime<Utc>) -> Result<bool> {
    let since = now - TimeDelta::days(KNOWN_FOR);
    let known = Sql::<st::Bool>::new("SELECT EXISTS (SELECT FROM sign_in WHERE network = ")
        .bind(network_of(address))
        .text(" AND created_at > ")
        .bind(since)
        .text(") OR EXISTS (SELECT FROM sign_in WHERE network IS NULL AND created_at > ")
        .bind(since)
        .text(")")
        .get_result(connection)
        .await?;
    Ok(known)
}

/// What an attempt to sign in waits for, if anything: the count of its address, or of its e-mail over all addresses.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wait {
    /// Seconds.
    retry_after: Option<u64>,
    /// Whether the e-mail's account was signed in to from this address lately.
    known: bool,
}

impl Wait {
    /// RATE_LIMITED while a delay runs. For attempts without the right password.
    pub(super) fn over(self) -> Result<()> {
        self.retry_after.map_or(Ok(()), |retry_after| Err(Error::RateLimited { retry_after }))
    }

    /// The same, except at an address where the account is known. For attempts with the right password: elsewhere they
    /// must wait too, or the delay would reveal that the password is right.
    pub(super) fn over_for_owner(self) -> Result<()> {
        if self.known { Ok(()) } else { self.over() }
    }
}

/// The delay of a count that was checked.
fn seconds(asked: Result<()>) -> Result<Option<u64>> {
    match asked {
        Ok(()) => Ok(None),
        Err(Error::RateLimited { retry_after }) => Ok(Some(retry_after)),
        Err(error) => Err(error),
    }
}

/// RATE_LIMITED while an address is delayed for failures at any account.
pub(super) async fn check_address(connection: &mut AsyncPgConnection, address: &str, now: DateTime<Utc>) -> Result<()> {
    check(connection, Counter::Address(address), now).await
}

/// An attempt to sign in; RATE_LIMITED while everybody must wait. The caller checks the other delays once the password
/// was checked. The statements are the same for every e-mail.
pub(super) async fn attempt(
    connection: &mut AsyncPgConnection,
    email: &str,
    address: &str,
    now: DateTime<Utc>,
) -> Result<Wait> {
    let at_address = seconds(check_address(connection, address, now).await)?;
    let first = Wait { retry_after: at_address, known: false };
    if at_address.is_some() && !has_known(connection, address, now).await? {
        first.over()?;
    }
    // The strict count comes first: an attempt that it delays adds nothing to the count that delays others.
    take(connection, Counter::EmailAtAddress(email, address), now).await?;
    let everywhere = seconds(take(connection, Counter::Email(email), now).await)?;
    let wait = Wait { retry_after: at_address.max(everywhere), ..first };
    if wait.retry_after.is_none() {
        return Ok(wait);
    }
    if at_address.is_none() && !has_known(connection, address, now).await? {
        wait.over()?;
    }
    Ok(Wait { known: is_known(connection, email, address, now).await?, ..wait })
}

/// Counts a failed attempt for its address. Only this count is not made beforehand, because a clinic shares one
/// address.
pub(super) async fn refused(connection: &mut AsyncPgConnection, address: &str, now: DateTime<Utc>) -> Result<()> {
    count(connection, Counter::Address(address), now, false).await.map(|_| ())
}

/// A success resets the failures of that e-mail: over all addresses, because they are no longer consecutive, and from
/// this one. It does not reset those of the address, because an attacker may own an account.
pub(super) async fn succeeded(connection: &mut AsyncPgConnection, email: &str, address: &str) -> Result<()> {
    forget(connection, Counter::EmailAtAddress(email, address)).await?;
    forget(connection, Counter::Email(email)).await
}

/// An attempt of a signed-in person to confirm their identity; RATE_LIMITED while that sign-in must wait. Attempts on
/// the account from outside do not count here.
pub(super) async fn attempt_in(connection: &mut AsyncPgConnection, sign_in: Uuid, now: DateTime<Utc>) -> Result<()> {
    take(connection, Counter::SignIn(sign_in), now).await
}

/// A success resets the failures of that sign-in.
pub(super) async fn succeeded_in(connection: &mut AsyncPgConnection, sign_in: Uuid) -> Result<()> {
    forget(connection, Counter::SignIn(sign_in)).await
}

/// Deletes counts that expired long ago.
pub(super) async fn sweep(connection: &mut AsyncPgConnection, now: DateTime<Utc>) -> Result<()> {
    Sql::<()>::new("DELETE FROM sign_in_failure WHERE last_failed_at < ")
        .bind(now - TimeDelta::days(SWEPT_AFTER))
        .execute(connection)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_counted_by_its_network() {
        let same = |one, other| {
            let counters =
                |address| [Counter::Address(address).key(), Counter::EmailAtAddress("a@b.example", address).key()];
            let (one, other) = (counters(one), counters(other));
            assert_eq!(one[0] == other[0], one[1] == other[1]);
            one == other
        };
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
        assert!(same("unknown", "unknown") && !same("unknown", "192.0.2.2"));
    }

    #[test]
    fn counters_are_told_apart() {
        let keys = [
            Counter::Email("a@b.example").key(),
            Counter::Email("c@b.example").key(),
            Counter::EmailAtAddress("a@b.example", "192.0.2.1").key(),
            Counter::EmailAtAddress("a@b.example", "192.0.2.2").key(),
            Counter::EmailAtAddress("c@b.example", "192.0.2.1").key(),
            Counter::Address("192.0.2.1").key(),
            Counter::SignIn(Uuid::from_u128(1)).key(),
            Counter::SignIn(Uuid::from_u128(2)).key(),
        ];
        let different: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(different.len(), keys.len());
        assert!(keys.iter().all(|(_, hash)| hash.len() == 32));
    }

    #[test]
    fn a_delay_from_before_the_clock_went_back_is_none() {
        let now = Utc::now();
        assert!(runs(now + TimeDelta::seconds(1), now) && runs(now + TimeDelta::seconds(LONGEST_DELAY), now));
        assert!(!runs(now, now) && !runs(now + TimeDelta::seconds(LONGEST_DELAY + 1), now));
    }
}
