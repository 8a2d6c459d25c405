//! What the care rules answered of a session, as it is kept with it: in rows of its own, and as JSON in the ledger and under
//! the signature.

use super::reason::{CheckCode, CheckParam, Params};
use crate::record::hex;
use crate::vocabulary::{RecordKind, vocabulary};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

vocabulary! {
    /// The verdict of a care rule.
    CheckVerdict {
        /// No objection.
        Pass = "pass",
        /// A warning: continuing requires a reason.
        Warn = "warn",
        /// A block: not to be done unless a supervising prescriber signs it off.
        Block = "block",
    }
}

vocabulary! {
    /// A care rule.
    CheckRule {
        /// Whether there is a protocol to check the session against.
        Protocol = "protocol",
        /// Time since the last session of the same area, and until the next.
        Interval = "interval",
        /// The number of sessions of the plan, and its areas.
        Course = "course",
        /// Needle depth: the device's range and the protocol's limit for the area.
        Depth = "depth",
        /// Contraindications in the health history.
        Contraindication = "contraindication",
        /// Whether the health history was asked at this visit, every part of it.
        History = "history",
        /// Consents that the session needs.
        Consent = "consent",
        /// Lots that are expired or recalled.
        Lot = "lot",
        /// Products that are not approved for use within the skin, under needles.
        Product = "product",
        /// The device: recalled or out of use.
        Device = "device",
        /// A consultation that is signed, about the same part of the body and still valid.
        Consultation = "consultation",
        /// The patient's skin type against the protocol's.
        SkinType = "skin_type",
        /// How long the numbing cream was on, and its contraindications.
        Anaesthetic = "anaesthetic",
        /// How much of it was put on, against what its agents allow for the patient's weight.
        Dose = "dose",
        /// The patient's age against the protocol's.
        Age = "age",
        /// A prescriber's clearance, where the location asks for one.
        Clearance = "clearance",
    }
}

/// The answer of a care rule, as stored with the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptCheck {
    /// The rule.
    pub rule: CheckRule,
    /// Its answer.
    pub verdict: CheckVerdict,
    /// The reason, in one sentence.
    pub cause: String,
    /// The reason for programs: none of an answer that was kept before there were codes. Such a one keeps its form, since its
    /// signature is over that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<CheckCode>,
    /// What the reason names.
    #[serde(default, skip_serializing_if = "Params::is_empty")]
    pub params: Params,
    /// The kind of the record that triggered it.
    pub record_kind: Option<RecordKind>,
    /// That record.
    pub record_id: Option<Uuid>,
    /// The version of the protocol that the rule belongs to.
    pub protocol_version_id: Option<Uuid>,
    /// The override, if there is one: who made it, why, and who signed it off.
    #[serde(rename = "override")]
    pub overridden: Option<Override>,
}

impl KeptCheck {
    /// The id of this answer for a session. It stays the same as long as the rule, the verdict, the record, the cause
    /// with its values and the version of the protocol stay the same, so that whoever settles it names what they saw.
    /// The session is part of it because clients cache objects by their id.
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

    /// The parameters of its code, by name.
    pub fn named_params(&self) -> Vec<CheckParam> {
        let value = |(name, value): (&String, &String)| CheckParam { name: name.clone(), value: value.clone() };
        self.params.iter().map(value).collect()
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

/// PROTOCOL_BLOCKED, with the checks, while a check of this session blocks and nobody has signed it off.
pub fn refuse_blocked(session: Uuid, checks: &[KeptCheck], what_to_do: &str) -> crate::error::Result<()> {
    let blocking: Vec<&KeptCheck> =
        checks.iter().filter(|it| it.verdict == CheckVerdict::Block && !it.is_settled()).collect();
    if blocking.is_empty() {
        return Ok(());
    }
    Err(blocked(session, checks, &blocking, "the protocol blocks this session", what_to_do))
}

/// FORBIDDEN if the viewer signed off a block of this session and now wants to carry it out or sign it: that takes two
/// people. Only a sign-off that is still valid counts. The error says what to do.
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
                code: it.code.map(|code| code.as_str().to_uppercase()),
                params: it.params.clone(),
                cause: it.cause.clone(),
                record_id: it.record_kind.zip(it.record_id).map(|(kind, id)| crate::ids::show(kind, id)),
            })
            .collect(),
    }
}

/// What is wrong with one reason for several answers.
pub fn one_reason_each(answers: usize) -> String {
    format!("is needed: {answers} answers of this rule are meant, and each has its own reason; name one by its id")
}

/// CONFLICT: the care rules no longer give the answer that was to be settled.
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
    pub fn all(session: Uuid, checks: Vec<KeptCheck>) -> Vec<Self> {
        checks.into_iter().map(|kept| Self { session, kept }).collect()
    }
}

/// An override of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Why the check was overridden.
    pub reason: String,
    /// Who overrode the check.
    pub by: Uuid,
    /// The supervising prescriber who signed it off: for a block.
    pub supervisor_id: Option<Uuid>,
    /// When the check was overridden.
    pub at: DateTime<Utc>,
}
