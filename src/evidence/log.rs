//! Which chain, and the first entry of it that is not as it was.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Which chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// Every write.
    Ledger,
    /// Every look, sign-in and refusal.
    Access,
}

impl Log {
    /// What it is called.
    pub fn words(self) -> &'static str {
        match self {
            Self::Ledger => "ledger",
            Self::Access => "access log",
        }
    }

    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Ledger => "public.ledger",
            Self::Access => "public.access_log",
        }
    }

    /// The rows of an organisation. First seq, digest and hash, then what the digest covers.
    pub(super) fn rows(self, org: Uuid) -> String {
        let columns = match self {
            Self::Ledger => {
                "salt, org_id, at, actor_id, request_id, action, record_kind, record_id, patient_id, version, content, packed"
            }
            Self::Access => "org_id, at, actor_id, request_id, event, operation, from_address, patient_ids, reason",
        };
        let table = self.table();
        format!("SELECT seq, digest, hash, {columns} FROM {table} WHERE org_id = '{org}' ORDER BY seq")
    }
}

/// The first entry of a chain that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which chain.
    pub log: Log,
    /// Its number.
    pub seq: i64,
    /// What is wrong with it.
    pub why: String,
}

pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
