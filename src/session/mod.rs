//! Treatment sessions: what was done, where on the skin, with what.

mod filter;
pub mod loader;
mod parts;
pub mod store;

pub use filter::{Filter, OrderBy};

use crate::ledger::Record;
use crate::record::{Signature, Stamp, hex};
use crate::signing::Missing;
use crate::vocabulary::{BodyArea, DeviceKind, IntradermalUse, Modality, ProductRole, RecordKind, Side, vocabulary};
use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

vocabulary! {
    /// How a session stands, as FHIR R4's Procedure has it.
    SessionStatus {
        /// Being prepared.
        Preparation = "preparation",
        /// Under way.
        InProgress = "in_progress",
        /// It did not take place.
        NotDone = "not_done",
        /// Paused.
        OnHold = "on_hold",
        /// Ended before it was complete.
        Stopped = "stopped",
        /// Done.
        Completed = "completed",
        /// It never was: kept, and out of every count.
        EnteredInError = "entered_in_error",
    }
}

impl SessionStatus {
    /// Whether an edit may move a draft from this status to another. Completing and stopping have their own mutations.
    pub fn may_become(self, next: Self) -> bool {
        use SessionStatus::{EnteredInError, InProgress, NotDone, OnHold, Preparation};
        self == next
            || next == EnteredInError
            || matches!(
                (self, next),
                (Preparation, InProgress | NotDone) | (InProgress, OnHold) | (OnHold, InProgress | NotDone)
            )
    }

    /// Whether the treatment is over, one way or another.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Stopped | Self::NotDone | Self::EnteredInError)
    }
}

vocabulary! {
    /// What the skin showed when an area was done. Recorded, not judged: sources differ.
    Endpoint {
        /// Nothing.
        None = "none",
        /// Redness.
        Erythema = "erythema",
        /// Pinpoint bleeding.
        PinpointBleeding = "pinpoint_bleeding",
        /// Something else; the note says what.
        Other = "other",
    }
}

/// The device that was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceUse {
    /// Maker and model.
    pub model: String,
    /// Serial number.
    pub serial: Option<String>,
    /// Its kind.
    pub kind: DeviceKind,
}

/// The numbing cream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopicalAnaesthetic {
    /// Product.
    pub product: String,
    /// Strength, such as `lidocaine 5 %`.
    pub strength: Option<String>,
    /// Lot.
    pub lot: Option<String>,
    /// When it was put on.
    pub applied_at: Option<DateTime<Utc>>,
    /// When it was taken off.
    pub removed_at: Option<DateTime<Utc>>,
    /// Skin under it, cm².
    pub area_cm2: Option<Decimal>,
}

/// A treated area.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionArea {
    /// Its id.
    pub id: Uuid,
    /// Where.
    pub area: BodyArea,
    /// Which side.
    pub side: Side,
    /// Needle depth, mm.
    pub needle_depth_mm: Option<Decimal>,
    /// Passes.
    pub passes: Option<i16>,
    /// Speed, turns a minute.
    pub speed_rpm: Option<i32>,
    /// Radiofrequency energy of a pulse, mJ. A depth under RF can't be compared with a pen's.
    pub rf_energy_mj: Option<Decimal>,
    /// Radiofrequency pulse width, ms.
    pub rf_pulse_width_ms: Option<Decimal>,
    /// What the skin showed.
    pub endpoint: Option<Endpoint>,
    /// Remarks.
    pub note: Option<String>,
}

/// A product that was used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProductUse {
    /// Its id.
    pub id: Uuid,
    /// What as.
    pub role: ProductRole,
    /// Product.
    pub product: String,
    /// Manufacturer.
    pub manufacturer: Option<String>,
    /// Lot.
    pub lot: Option<String>,
    /// Last day it may be used.
    pub expires_on: Option<NaiveDate>,
    /// How much.
    pub quantity: Option<Decimal>,
    /// Of what unit, such as `mL`.
    pub unit: Option<String>,
    /// Where.
    pub area: Option<BodyArea>,
    /// Whether it is approved for use in the skin.
    pub intradermal_use: IntradermalUse,
    /// The lot, if it is of the catalogue.
    #[serde(default)]
    pub lot_id: Option<Uuid>,
}

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

/// A treatment session, without its areas and products.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TreatmentSession {
    /// Its id.
    pub id: Uuid,
    /// Whose.
    pub patient_id: Uuid,
    /// Who treated.
    pub practitioner_id: Uuid,
    /// Who supervised.
    pub supervisor_id: Option<Uuid>,
    /// Where.
    pub location_id: Uuid,
    /// How it stands.
    pub status: SessionStatus,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// The kind of treatment.
    pub modality: Modality,
    /// The device.
    pub device: Option<DeviceUse>,
    /// How the skin was prepared.
    pub skin_preparation: Option<String>,
    /// What the needles glided on.
    pub glide: Option<String>,
    /// The numbing cream.
    pub anaesthetic: Option<TopicalAnaesthetic>,
    /// Pain as the patient put it, 0 to 10.
    pub pain_score: Option<i16>,
    /// What the skin did at once.
    pub immediate_reaction: Option<String>,
    /// Remarks.
    pub note: Option<String>,
    /// Why it was stopped.
    pub stop_reason: Option<String>,
    /// The plan it is a session of.
    #[serde(default)]
    pub plan_id: Option<Uuid>,
    /// The version of the protocol that it was checked against.
    #[serde(default)]
    pub protocol_version_id: Option<Uuid>,
    /// The device, if it is of the catalogue.
    #[serde(default)]
    pub device_id: Option<Uuid>,
    /// What the care rules said when it was logged, with what was overridden and why.
    #[serde(default)]
    pub checks: Vec<KeptCheck>,
    /// Version and times.
    #[serde(flatten)]
    pub stamp: Stamp,
    /// The signature.
    pub signature: Option<Signature>,
    /// The areas and products that came with it out of the ledger, for the answer to a retry; none out of its table.
    #[serde(flatten, skip_serializing)]
    pub kept_parts: Option<Parts>,
}

impl Record for TreatmentSession {
    const KIND: RecordKind = RecordKind::TreatmentSession;
    fn id(&self) -> Uuid {
        self.id
    }
    fn version(&self) -> i32 {
        self.stamp.version
    }
    fn is_signed(&self) -> bool {
        self.signature.is_some()
    }
    fn patient_id(&self) -> Option<Uuid> {
        Some(self.patient_id)
    }
}

/// The areas and products of a session.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Parts {
    /// In the order they were given.
    pub areas: Vec<SessionArea>,
    /// In the order they were given.
    pub products: Vec<ProductUse>,
}

/// What the ledger keeps of a session: all of it.
#[derive(Debug, Serialize)]
pub struct Content<'a> {
    /// The session.
    #[serde(flatten)]
    pub session: &'a TreatmentSession,
    /// Its areas.
    pub areas: &'a [SessionArea],
    /// Its products.
    pub products: &'a [ProductUse],
}

/// What a session lacks before it can be signed, all at once.
pub fn missing(session: &TreatmentSession, parts: &Parts) -> Missing {
    let mut missing = Missing::default();
    let status = session.status;
    missing.unless(
        session.supervisor_id != Some(session.practitioner_id),
        "supervisorId",
        "is the practitioner: nobody supervises themselves",
    );
    missing.unless(status.is_over(), "status", &format!("is {}: complete or stop the session first", status.words()));
    let treated = matches!(status, SessionStatus::Completed | SessionStatus::Stopped);
    if !treated {
        return missing;
    }
    missing.unless(session.ended_at.is_some(), "endedAt", "is missing: when did the session end?");
    missing.unless(
        status != SessionStatus::Stopped || session.stop_reason.is_some(),
        "stopReason",
        "is missing: why was the session stopped?",
    );
    let needling = matches!(session.modality, Modality::Microneedling | Modality::RfMicroneedling);
    if needling {
        missing.unless(session.device.is_some(), "device", "is missing: which device was used?");
        missing.unless(!parts.areas.is_empty(), "areas", "are missing: which areas were treated?");
    }
    for (i, area) in parts.areas.iter().enumerate().filter(|_| needling) {
        let field = |name: &str| format!("areas.{i}.{name}");
        missing.unless(area.needle_depth_mm.is_some(), &field("needleDepthMm"), "is missing");
        missing.unless(area.passes.is_some(), &field("passes"), "is missing");
        missing.unless(
            session.modality != Modality::RfMicroneedling || area.rf_energy_mj.is_some(),
            &field("rfEnergyMj"),
            "is missing: a depth under RF says little without its energy",
        );
    }
    missing.unless(
        session.modality != Modality::Other || session.note.is_some(),
        "note",
        "is missing: which treatment was it?",
    );
    missing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::ids;

    fn session(status: SessionStatus) -> TreatmentSession {
        let id = ids::new_id();
        TreatmentSession {
            id,
            patient_id: id,
            practitioner_id: id,
            supervisor_id: None,
            location_id: id,
            status,
            started_at: ids::now(),
            ended_at: None,
            modality: Modality::Microneedling,
            device: None,
            skin_preparation: None,
            glide: None,
            anaesthetic: None,
            pain_score: None,
            immediate_reaction: None,
            note: None,
            stop_reason: None,
            plan_id: None,
            protocol_version_id: None,
            device_id: None,
            checks: Vec::new(),
            stamp: Stamp::new(Some(id), ids::now()),
            signature: None,
            kept_parts: None,
        }
    }

    fn faults(session: &TreatmentSession, parts: &Parts) -> Vec<String> {
        match missing(session, parts).into_result() {
            Ok(()) => Vec::new(),
            Err(Error::BadUserInput(faults)) => faults.into_iter().map(|fault| fault.path).collect(),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn everything_that_is_missing_is_told_at_once() {
        let area = SessionArea {
            id: ids::new_id(),
            area: BodyArea::Cheek,
            side: Side::Left,
            needle_depth_mm: None,
            passes: None,
            speed_rpm: None,
            rf_energy_mj: None,
            rf_pulse_width_ms: None,
            endpoint: None,
            note: None,
        };
        let parts = Parts { areas: vec![area], products: Vec::new() };
        let found = faults(&session(SessionStatus::Completed), &parts);
        assert_eq!(found, ["endedAt", "device", "areas.0.needleDepthMm", "areas.0.passes"]);
    }

    #[test]
    fn a_session_under_way_can_not_be_signed_and_one_not_done_can() {
        assert_eq!(faults(&session(SessionStatus::InProgress), &Parts::default()), ["status"]);
        assert!(faults(&session(SessionStatus::NotDone), &Parts::default()).is_empty());
    }

    #[test]
    fn nothing_leaves_a_final_status_but_into_error() {
        for from in SessionStatus::ALL {
            for to in SessionStatus::ALL {
                let over = from.is_over() && to != from && *to != SessionStatus::EnteredInError;
                assert!(!(over && from.may_become(*to)), "{from:?} -> {to:?}");
            }
            let completed = SessionStatus::Completed;
            assert!(*from == completed || !from.may_become(completed), "{from:?}");
        }
    }
}
