//! What the care rules answered of a session, as it is kept with it.

use crate::record::hex;
use crate::vocabulary::{RecordKind, vocabulary};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

vocabulary! {
    /// What a care rule answers.
    CheckVerdict {
        /// Nothing speaks against it.
        Pass = "pass",
        /// To be weighed; going on takes a reason.
        Warn = "warn",
        /// Not to be done, unless a supervising prescriber signs it off.
        Block = "block",
    }
}

vocabulary! {
    /// A care rule.
    CheckRule {
        /// Time since the last session of the same area.
        Interval = "interval",
        /// Needle depth: the device's range and the protocol's limit for the area.
        Depth = "depth",
        /// Contraindications in the health history.
        Contraindication = "contraindication",
        /// Consents that the session needs.
        Consent = "consent",
        /// Lots that are expired or recalled.
        Lot = "lot",
        /// The device: recalled or out of use.
        Device = "device",
        /// A consultation that still holds.
        Consultation = "consultation",
        /// The patient's skin type against the protocol's.
        SkinType = "skin_type",
        /// How long the numbing cream was on, and what speaks against it.
        Anaesthetic = "anaesthetic",
    }
}

/// What a care rule said of a session, as it is kept with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptCheck {
    /// The rule.
    pub rule: CheckRule,
    /// Its answer.
    pub verdict: CheckVerdict,
    /// Why, in a sentence.
    pub cause: String,
    /// The kind of the record that triggered it.
    pub record_kind: Option<RecordKind>,
    /// That record.
    pub record_id: Option<Uuid>,
    /// The version of the protocol whose rule it is.
    pub protocol_version_id: Option<Uuid>,
    /// Who went on all the same, why and on whose sign-off.
    #[serde(rename = "override")]
    pub overridden: Option<Override>,
}

impl KeptCheck {
    /// The id of this answer to a session: the same as long as rule, verdict, record, cause with its values and version
    /// of the protocol are the same, so that who settles it names what they saw. The session is part of it because
    /// clients keep objects by their id.
    pub fn id(&self, session: Uuid) -> String {
        let version = self.protocol_version_id.unwrap_or_default();
        let record = self.record_id.unwrap_or_default();
        let parts: [&[u8]; 7] = [
            session.as_bytes(),
            self.rule.as_str().as_bytes(),
            self.verdict.as_str().as_bytes(),
            self.record_kind.map_or("", RecordKind::as_str).as_bytes(),
            record.as_bytes(),
            version.as_bytes(),
            self.cause.as_bytes(),
        ];
        let mut digest = Sha256::new();
        for part in parts {
            digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(part);
        }
        format!("check_{}", hex::text(digest.finalize().get(..16).unwrap_or_default()))
    }

    /// Whether another answer is this one: what settled the one settles the other.
    pub fn is_same(&self, other: &Self) -> bool {
        let parts = |it: &Self| (it.rule, it.verdict, it.record_kind, it.record_id, it.protocol_version_id);
        parts(self) == parts(other) && self.cause == other.cause
    }

    /// Whether it passes, or was overridden as its verdict asks: a warning with a reason, a block by a supervisor.
    pub fn is_settled(&self) -> bool {
        match self.verdict {
            CheckVerdict::Pass => true,
            CheckVerdict::Warn => self.overridden.is_some(),
            CheckVerdict::Block => self.overridden.as_ref().is_some_and(|it| it.supervisor_id.is_some()),
        }
    }
}

/// Refuses to go on while a check of this session blocks that nobody signed off: PROTOCOL_BLOCKED with the checks.
pub fn refuse_blocked(session: Uuid, checks: &[KeptCheck], what_to_do: &str) -> crate::error::Result<()> {
    let blocking: Vec<&KeptCheck> =
        checks.iter().filter(|it| it.verdict == CheckVerdict::Block && !it.is_settled()).collect();
    if blocking.is_empty() {
        return Ok(());
    }
    Err(blocked(session, checks, &blocking, "the protocol blocks this session", what_to_do))
}

/// Refuses to whoever signed off a block of this session to carry it out or to sign it: it takes two. Only a sign-off that
/// still stands counts. FORBIDDEN, with what to do.
pub fn refuse_own_sign_off(checks: &[KeptCheck], viewer: Option<Uuid>, what_to_do: &str) -> crate::error::Result<()> {
    let theirs = |it: &Override| it.supervisor_id.is_some() && it.supervisor_id == viewer;
    let signed_off = |it: &KeptCheck| it.verdict == CheckVerdict::Block && it.overridden.as_ref().is_some_and(theirs);
    if checks.iter().any(signed_off) {
        let message = format!("you signed off what the protocol blocks of this session: {what_to_do}");
        return Err(crate::error::Error::Forbidden(message));
    }
    Ok(())
}

/// PROTOCOL_BLOCKED for these of a session's checks, with all that do not pass.
pub fn blocked(
    session: Uuid,
    checks: &[KeptCheck],
    blocking: &[&KeptCheck],
    why: &str,
    what_to_do: &str,
) -> crate::error::Error {
    let causes: Vec<&str> = blocking.iter().map(|it| it.cause.as_str()).collect();
    let message = format!("{why}: {}. {what_to_do}", causes.join("; "));
    let refused = checks.iter().filter(|it| it.verdict != CheckVerdict::Pass);
    crate::error::Error::ProtocolBlocked {
        message,
        checks: refused
            .map(|it| crate::error::RefusedCheck {
                id: it.id(session),
                rule: it.rule.as_str().to_uppercase(),
                verdict: it.verdict.as_str().to_uppercase(),
                cause: it.cause.clone(),
                record_id: it.record_kind.zip(it.record_id).map(|(kind, id)| crate::ids::show(kind, id)),
            })
            .collect(),
    }
}

/// CONFLICT: the answer that was to be settled is not what the care rules say now.
pub fn answers_changed() -> crate::error::Error {
    crate::error::Error::Conflict {
        message:
            "the care rules do not give this answer any more: ask them again (chartCompleteness, sessionChecks) and \
                  settle what they say now"
                .to_owned(),
        current_version: None,
    }
}

/// An answer with the session that it is about: what the API shows.
#[derive(Debug, Clone)]
pub struct SessionCheck {
    /// The session.
    pub session: Uuid,
    /// The answer.
    pub kept: KeptCheck,
}

impl SessionCheck {
    /// The answers to one session.
    pub fn all(session: Uuid, checks: &[KeptCheck]) -> Vec<Self> {
        checks.iter().map(|kept| Self { session, kept: kept.clone() }).collect()
    }
}

/// Going on in spite of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Why.
    pub reason: String,
    /// Who.
    pub by: Uuid,
    /// The supervising prescriber who signed it off: for a block.
    pub supervisor_id: Option<Uuid>,
    /// When.
    pub at: DateTime<Utc>,
}
