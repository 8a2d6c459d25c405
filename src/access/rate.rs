//! Limits per minute, shared by all processes on one database.
//!
//! A process takes a part of a limit at a time (a twentieth) from the row of the account or address, with one
//! statement, and spends it without asking again. The row gives out no more than the limit in a window, so all
//! processes together never exceed it. When Postgres can't be reached, each process continues with the whole limit for
//! itself.

use crate::db::{Pool, Sql};
use crate::error::Result;
use chrono::{DateTime, Utc};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use uuid::Uuid;

/// Seconds of a window. Windows begin with the minutes of the clock.
pub const WINDOW: i64 = 60;
/// The number of parts of a limit; a process takes one part at a time.
const PARTS: u64 = 20;

/// What is charged.
#[derive(Debug, Clone, Copy)]
pub enum Payer<'a> {
    /// A staff member or a service account: points.
    Account(Uuid),
    /// A network address: requests. For IPv6, the 64-bit network of one subscriber.
    Address(&'a str),
}

impl Payer<'_> {
    /// The name of the policy.
    fn policy(self) -> &'static str {
        match self {
            Self::Account(_) => "account",
            Self::Address(_) => "address",
        }
    }

    fn hash(self) -> [u8; 32] {
        match self {
            Self::Account(id) => Sha256::digest(id.as_bytes()).into(),
            Self::Address(text) => Sha256::digest(network_of(text)).into(),
        }
    }
}

/// The key an address is counted under: an IPv4 address, or for IPv6 the 64-bit network of one subscriber.
pub(super) fn network_of(address: &str) -> Vec<u8> {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => address.octets().get(..8).unwrap_or_default().to_vec(),
        Ok(IpAddr::V4(address)) => address.octets().to_vec(),
        Err(_) => address.as_bytes().to_vec(),
    }
}

/// The state of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// `account` or `address`.
    pub policy: &'static str,
    /// Points or requests in a window.
    pub limit: u64,
    /// What is left, as far as this process knows: others may have taken more since it last asked.
    pub remaining: u64,
    /// Seconds until the limit is whole again.
    pub resets_in: u64,
}

/// The result of a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// Whether there was enough.
    pub passed: bool,
    /// The state after the charge.
    pub standing: Standing,
    /// What was taken.
    points: u64,
    /// The window it was taken in.
    window: i64,
}

/// The share of one limit that this process has in one window.
#[derive(Debug, Default)]
struct Bucket {
    /// The number of the window since 1970.
    window: i64,
    /// Taken by all processes, when this one last asked.
    taken: u64,
    /// Taken by this one.
    leased: u64,
    /// Spent of that.
    spent: u64,
}

impl Bucket {
    fn held(&self) -> u64 {
        self.leased.saturating_sub(self.spent)
    }

    /// Moves to a window, if it is a later one.
    fn turn(&mut self, window: i64) {
        if self.window < window {
            *self = Self { window, ..Self::default() };
        }
    }

    /// Adopts what the row gave: `wanted` was added to it and made it `after`.
    fn take(&mut self, window: i64, after: u64, wanted: u64, limit: u64) {
        self.turn(window);
        let before = after.saturating_sub(wanted);
        self.leased = self.leased.saturating_add(limit.saturating_sub(before).min(wanted));
        self.taken = after.min(limit);
    }

    /// Takes from the process's own limit when the row can't be reached.
    fn take_alone(&mut self, wanted: u64, limit: u64) {
        self.leased = self.leased.saturating_add(wanted).min(limit);
        self.taken = self.taken.max(self.leased);
    }
}

type Key = (&'static str, [u8; 32]);

/// The limits, and this process's share of them.
pub struct Rates {
    pool: Pool,
    account: u64,
    address: u64,
    buckets: Cache<Key, Arc<Mutex<Bucket>>>,
}

impl Rates {
    /// Points per account and requests per address in a minute; 0 for no limit.
    pub fn new(pool: Pool, account: u64, address: u64) -> Self {
        // After two windows without requests a new window begins anyway.
        let idle = Duration::from_secs(120);
        let buckets = Cache::builder().max_capacity(200_000).time_to_idle(idle).build();
        Self { pool, account, address, buckets }
    }

    /// Whether accounts are limited.
    pub fn limits_accounts(&self) -> bool {
        self.account > 0
    }

    /// Takes points, at least one and at most the whole limit; `None` where there is no limit.
    pub async fn charge(&self, payer: Payer<'_>, points: u64) -> Option<Charge> {
        let limit = match payer {
            Payer::Account(_) => self.account,
            Payer::Address(_) => self.address,
        };
        if limit == 0 {
            return None;
        }
        let points = points.clamp(1, limit);
        let key = (payer.policy(), payer.hash());
        let bucket = self.buckets.get_with(key, Arc::default);
        let mut bucket = bucket.lock().await;
        let now = Utc::now().timestamp();
        bucket.turn(now.div_euclid(WINDOW));
        let missing = points.saturating_sub(bucket.held());
        if missing > 0 && bucket.taken < limit {
            self.lease(key, &mut bucket, missing.max(limit / PARTS), limit).await;
        }
        let passed = bucket.held() >= points;
        if passed {
            bucket.spent = bucket.spent.saturating_add(points);
        } else {
            self.pool.watch().door.limited(payer.policy());
        }
        let ends = bucket.window.saturating_add(1).saturating_mul(WINDOW);
        let standing = Standing {
            policy: payer.policy(),
            limit,
            remaining: limit.saturating_sub(bucket.taken).saturating_add(bucket.held()),
            resets_in: u64::try_from(ends - now).unwrap_or(1).max(1),
        };
        Some(Charge { passed, standing, points: if passed { points } else { 0 }, window: bucket.window })
    }

    /// Returns what was charged to somebody when the request turned out not to be theirs.
    pub async fn give_back(&self, payer: Payer<'_>, charge: &Charge) {
        let Some(bucket) = self.buckets.get(&(payer.policy(), payer.hash())) else { return };
        let mut bucket = bucket.lock().await;
        if bucket.window == charge.window {
            bucket.spent = bucket.spent.saturating_sub(charge.points);
        }
    }

    async fn lease(&self, key: Key, bucket: &mut Bucket, wanted: u64, limit: u64) {
        match self.ask(key, bucket.window, wanted, limit).await {
            Ok(Some((window, after))) => bucket.take(window, after, wanted, limit),
            Ok(None) => bucket.taken = limit,
            Err(error) => {
                tracing::warn!(?error, "the shared limits can't be reached: this process uses its own");
                self.pool.watch().door.alone();
                bucket.take_alone(wanted, limit);
            }
        }
    }

    /// Adds to what was taken in a window, unless the limit is reached. Returns the window of the row and what is now
    /// taken in it.
    async fn ask(&self, (kind, hash): Key, window: i64, wanted: u64, limit: u64) -> Result<Option<(i64, u64)>> {
        let long = |number: u64| i64::try_from(number).unwrap_or(i64::MAX / 4);
        let begins = DateTime::from_timestamp(window.saturating_mul(WINDOW), 0).unwrap_or_default();
        let mut connection = self.pool.accounts().await?;
        let rows: Vec<(DateTime<Utc>, i64)> = Sql::<(st::Timestamptz, st::BigInt)>::new(
            "INSERT INTO rate_budget AS b (kind, key_hash, window_start, taken) VALUES (",
        )
        .bind(kind)
        .text(", ")
        .bind(hash.to_vec())
        .text(", ")
        .bind(begins)
        .text(", ")
        .bind(long(wanted))
        // A process whose clock is behind counts on the later window.
        .text(
            ") ON CONFLICT (kind, key_hash) DO UPDATE SET taken = CASE WHEN b.window_start < excluded.window_start \
             THEN excluded.taken ELSE b.taken + excluded.taken END, \
             window_start = greatest(b.window_start, excluded.window_start) \
             WHERE b.window_start < excluded.window_start OR b.taken < ",
        )
        .bind(long(limit))
        .text(" RETURNING window_start, taken")
        .load(&mut connection)
        .await?;
        let row = rows.into_iter().next();
        Ok(row.map(|(begins, taken)| (begins.timestamp().div_euclid(WINDOW), u64::try_from(taken).unwrap_or(0))))
    }

    /// Forgets rows whose window is long over.
    pub async fn sweep(&self) -> Result<()> {
        let mut connection = self.pool.accounts().await?;
        Sql::<()>::new("DELETE FROM rate_budget WHERE window_start < ")
            .bind(Utc::now() - chrono::TimeDelta::hours(1))
            .execute(&mut connection)
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_never_gives_out_more_than_the_limit() {
        let (limit, mut row, mut given) = (100, 0, 0);
        for wanted in [30, 30, 5, 50, 7] {
            if row >= limit {
                break;
            }
            row += wanted;
            let mut bucket = Bucket::default();
            bucket.take(1, row, wanted, limit);
            given += bucket.leased;
        }
        assert_eq!(given, limit);
    }

    #[test]
    fn a_bucket_turns_with_the_window_and_never_back() {
        let mut bucket = Bucket { window: 5, taken: 9, leased: 8, spent: 7 };
        bucket.turn(4);
        assert_eq!((bucket.window, bucket.held()), (5, 1));
        bucket.turn(6);
        assert_eq!((bucket.window, bucket.taken, bucket.held()), (6, 0, 0));
        // Alone, a process takes up to the limit and no more.
        for _ in 0..9 {
            bucket.take_alone(20, 100);
        }
        assert_eq!((bucket.taken, bucket.held()), (100, 100));
    }

    #[test]
    fn addresses_of_one_subscriber_are_one() {
        let hash = |address| Payer::Address(address).hash();
        assert_eq!(hash("2001:db8:1:2::1"), hash("2001:db8:1:2:ffff::9"));
        assert_ne!(hash("2001:db8:1:2::1"), hash("2001:db8:1:3::1"));
        assert_eq!(hash("::ffff:192.0.2.1"), hash("192.0.2.1"));
        assert_ne!(hash("192.0.2.1"), hash("192.0.2.2"));
    }
}
