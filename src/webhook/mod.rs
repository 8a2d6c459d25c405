//! Webhooks: receivers that are told of changes as they happen, by the Standard Webhooks convention.
//!
//! **The ledger is the queue.** A webhook keeps one place in the feed, and moves on from a change when its receiver has
//! taken it. So none is lost and none overtakes another; a try that was answered and not noted is made again under the same
//! id.

pub mod deliver;
pub mod event;
mod filter;
pub mod loader;
pub mod log;
pub mod notice;
pub mod schedule;
pub mod store;
pub mod worker;

pub use filter::{WebhookCondition, WebhookFilter, WebhookOrder};

use crate::ledger::Record;
use crate::record::Stamp;
use crate::vocabulary::{RecordKind, vocabulary};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How long an old secret still signs when it is rotated, in hours, unless it is said.
pub const OVERLAP_HOURS: i32 = 24;
/// The longest: 30 days.
pub const MOST_OVERLAP_HOURS: i32 = 720;
/// The most characters of an address.
pub const MOST_URL: usize = 2_000;
/// The most characters of a description.
pub const MOST_DESCRIPTION: usize = 500;

vocabulary! {
    /// Whether a webhook is told of changes.
    WebhookStatus {
        /// It is told of each change in order.
        Active = "active",
        /// An admin paused it: it goes on from its place when it is resumed.
        Paused = "paused",
        /// The service gave it up: `reason` says why. It goes on from its place when it is resumed.
        Disabled = "disabled",
        /// It was ended for good.
        Ended = "ended",
    }
}

vocabulary! {
    /// Why the service gave a webhook up.
    WebhookReason {
        /// The last try of a delivery failed, three days after the first.
        Failed = "failed",
        /// The receiver answered 410 Gone.
        Gone = "gone",
        /// Its service account was closed.
        AccountClosed = "account_closed",
        /// Its place is of another ledger: the database was restored to a time before it.
        Ledger = "ledger",
    }
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its id.
    pub id: Uuid,
    /// The service account with whose rights it is told.
    pub service_account_id: Uuid,
    /// Where events are sent.
    pub url: String,
    /// What it is for.
    pub description: Option<String>,
    /// The kinds of records that it is told of; empty for all that the account may read.
    pub kinds: Vec<RecordKind>,
    /// Whether it is told of changes.
    pub status: WebhookStatus,
    /// Why the service gave it up.
    pub reason: Option<WebhookReason>,
    /// Since when it has this status.
    pub status_at: DateTime<Utc>,
    /// The cursor after which it was last told to begin: at its making, or by a replay.
    pub starts_after: String,
    /// The secret, sealed: no part of the content that the ledger keeps.
    #[serde(skip)]
    pub secret: Vec<u8>,
    /// Tells the secret from others without telling it.
    pub secret_fingerprint: String,
    /// The secret before, sealed, while it still signs.
    #[serde(skip)]
    pub old_secret: Option<Vec<u8>>,
    /// Until when it does.
    pub old_secret_until: Option<DateTime<Utc>>,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

impl Record for Webhook {
    const KIND: RecordKind = RecordKind::Webhook;
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

impl Webhook {
    /// The webhook with another status from now on.
    #[must_use]
    pub fn with_status(mut self, status: WebhookStatus, reason: Option<WebhookReason>, now: DateTime<Utc>) -> Self {
        (self.status, self.reason, self.status_at) = (status, reason, now);
        self
    }

    /// The webhook with a new secret; the one before signs so much longer.
    #[must_use]
    pub fn rotated(self, (secret, fingerprint): (Vec<u8>, String), overlap: TimeDelta, now: DateTime<Utc>) -> Self {
        let old = (overlap > TimeDelta::zero()).then_some(self.secret);
        Self {
            old_secret_until: old.as_ref().map(|_| now + overlap),
            old_secret: old,
            secret,
            secret_fingerprint: fingerprint,
            ..self
        }
    }

    /// The sealed secrets that sign at a moment, the new one first.
    pub fn signing_at(&self, now: DateTime<Utc>) -> Vec<&[u8]> {
        let old = self.old_secret.as_deref().filter(|_| self.old_secret_until.is_some_and(|until| until > now));
        std::iter::once(self.secret.as_slice()).chain(old).collect()
    }

    /// Whether it is told of a kind.
    pub fn wants(&self, kind: RecordKind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook() -> Webhook {
        let now = Utc::now();
        Webhook {
            id: Uuid::nil(),
            service_account_id: Uuid::nil(),
            url: "https://receiver.example/".to_owned(),
            description: None,
            kinds: Vec::new(),
            status: WebhookStatus::Active,
            reason: None,
            status_at: now,
            starts_after: String::new(),
            secret: vec![1],
            secret_fingerprint: "one".to_owned(),
            old_secret: None,
            old_secret_until: None,
            stamp: Stamp::new(None, now),
        }
    }

    #[test]
    fn two_secrets_sign_while_the_old_one_lasts() {
        let now = Utc::now();
        let rotated = webhook().rotated((vec![2], "two".to_owned()), TimeDelta::hours(1), now);
        assert_eq!(rotated.signing_at(now + TimeDelta::minutes(59)), [&[2_u8], &[1]]);
        assert_eq!(rotated.signing_at(now + TimeDelta::hours(1)), [&[2_u8]]);
        assert_eq!(rotated.secret_fingerprint, "two");
        let at_once = webhook().rotated((vec![2], "two".to_owned()), TimeDelta::zero(), now);
        assert_eq!((at_once.signing_at(now).len(), at_once.old_secret, at_once.old_secret_until), (1, None, None));
        // A second rotation ends the first secret: two at a time sign, never three.
        let again = rotated.rotated((vec![3], "three".to_owned()), TimeDelta::hours(1), now);
        assert_eq!(again.signing_at(now), [&[3_u8], &[2]]);
    }

    #[test]
    fn no_secret_is_in_the_content() {
        let text =
            serde_json::to_string(&Webhook { old_secret: Some(vec![213, 214]), secret: vec![211, 212], ..webhook() });
        let text = text.expect("JSON");
        assert!(!text.contains("211") && !text.contains("213") && text.contains("secret_fingerprint"), "{text}");
    }

    #[test]
    fn no_kinds_are_all_kinds() {
        assert!(webhook().wants(RecordKind::Photo));
        let some = Webhook { kinds: vec![RecordKind::Patient], ..webhook() };
        assert!(some.wants(RecordKind::Patient) && !some.wants(RecordKind::Photo));
    }
}
