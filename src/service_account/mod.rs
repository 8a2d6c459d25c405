//! Programs as users: service accounts, what they may read, and their keys.

mod filter;
pub mod loader;
pub mod store;

pub use filter::{KeyCondition, KeyFilter, KeyOrder, ServiceCondition, ServiceFilter, ServiceOrder};

use crate::ledger::Record;
use crate::record::Stamp;
use crate::vocabulary::{RecordKind, ServiceScope};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How long a key holds unless it is said, in days.
pub const KEY_DAYS: i32 = 90;
/// The longest, in days.
pub const MOST_KEY_DAYS: i32 = 365;
/// How long the old key still holds when one is rotated, in hours, unless it is said.
pub const OVERLAP_HOURS: i32 = 24;
/// The longest: 30 days.
pub const MOST_OVERLAP_HOURS: i32 = 720;
/// The most networks of one key.
pub const MOST_NETWORKS: usize = 20;

/// A service account: an account of a program. It may read what its scopes allow, and can write nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceAccount {
    /// Its id.
    pub id: Uuid,
    /// Its name, unique in the organisation.
    pub name: String,
    /// What it may read.
    pub scopes: Vec<ServiceScope>,
    /// Whether its keys are accepted.
    pub active: bool,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

/// A key of a service account. The key itself is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its id.
    pub id: Uuid,
    /// The service account that the key belongs to.
    pub service_account_id: Uuid,
    /// The first characters of the key.
    pub prefix: String,
    /// Its SHA-256: no part of the content that the ledger keeps.
    #[serde(skip)]
    pub secret_hash: Vec<u8>,
    /// The networks it is accepted from; empty for anywhere.
    pub allowed_addresses: Vec<String>,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

macro_rules! record {
    ($type:ty, $kind:ident) => {
        impl Record for $type {
            const KIND: RecordKind = RecordKind::$kind;
            fn id(&self) -> Uuid {
                self.id
            }
            fn version(&self) -> i32 {
                self.stamp.version
            }
            fn patient_id(&self) -> Option<Uuid> {
                None
            }
        }
    };
}
record!(ServiceAccount, ServiceAccount);
record!(ApiKey, ApiKey);

impl ApiKey {
    /// Whether it holds at a moment.
    pub fn holds_at(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && self.expires_at > now
    }

    /// The key that takes the place of this one: for the same networks, for as long as this one was made for.
    pub fn successor(&self, by: Option<Uuid>, now: DateTime<Utc>) -> Self {
        let lifetime = self.expires_at - self.stamp.created_at;
        Self {
            id: crate::ids::new_id(),
            service_account_id: self.service_account_id,
            prefix: String::new(),
            secret_hash: Vec::new(),
            allowed_addresses: self.allowed_addresses.clone(),
            expires_at: now + lifetime,
            revoked_at: None,
            stamp: Stamp::new(by, now),
        }
    }

    /// This key when another takes its place: it holds so much longer, and no longer than it did.
    pub fn superseded(&self, overlap: TimeDelta, by: Option<Uuid>, now: DateTime<Utc>) -> Self {
        let expires_at = self.expires_at.min(now + overlap);
        Self { expires_at, stamp: self.stamp.changed(by, now), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_lasts_as_long_and_the_old_one_no_longer_than_it_did() {
        let made = Utc::now() - TimeDelta::days(60);
        let old = ApiKey {
            id: Uuid::nil(),
            service_account_id: Uuid::nil(),
            prefix: "clinic_key_01234567".to_owned(),
            secret_hash: vec![1],
            allowed_addresses: vec!["192.0.2.0/24".to_owned()],
            expires_at: made + TimeDelta::days(90),
            revoked_at: None,
            stamp: Stamp::new(None, made),
        };
        let now = Utc::now();
        let new = old.successor(None, now);
        assert_eq!((new.expires_at, &new.allowed_addresses), (now + TimeDelta::days(90), &old.allowed_addresses));
        assert!(new.secret_hash.is_empty() && new.prefix.is_empty());
        assert_eq!(old.superseded(TimeDelta::hours(24), None, now).expires_at, now + TimeDelta::hours(24));
        assert_eq!(
            old.superseded(TimeDelta::hours(720), None, now).expires_at,
            old.expires_at.min(now + TimeDelta::days(30))
        );
        let late = old.expires_at - TimeDelta::hours(1);
        assert_eq!(old.superseded(TimeDelta::hours(24), None, late).expires_at, old.expires_at);
        assert!(old.holds_at(now) && !old.holds_at(old.expires_at));
        assert!(!old.superseded(TimeDelta::zero(), None, now).holds_at(now));
        assert!(!ApiKey { revoked_at: Some(now), ..old }.holds_at(now));
    }
}
