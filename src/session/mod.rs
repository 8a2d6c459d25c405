//! Treatment sessions: what was done, where on the skin, with what.

mod check_rows;
mod checks;
mod content;
mod cream;
mod filter;
mod kinds;
pub mod loader;
mod missing;
mod parts;
mod reason;
pub mod store;

pub use checks::{
    CheckRule, CheckVerdict, KeptCheck, Override, SessionCheck, answers_changed, blocked, one_reason_each,
    refuse_blocked, refuse_own_sign_off,
};
pub use content::Content;
pub use cream::{AnaestheticAgent, LocalAnaesthetic, TopicalAnaesthetic};
pub use filter::{Filter, OrderBy};
pub use kinds::strain_alike;
pub use missing::missing;
pub use reason::{CheckCode, CheckParam, Reason};

use crate::ledger::Record;
use crate::record::{Signature, Stamp};
use crate::vocabulary::{BodyArea, DeviceKind, IntradermalUse, Modality, ProductRole, RecordKind, Side, vocabulary};
use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

vocabulary! {
    /// The status of a session, as in the Procedure resource of FHIR R4.
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
        /// Entered in error: it is kept, but not counted.
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
    /// Manufacturer and model.
    pub model: String,
    /// Serial number.
    pub serial: Option<String>,
    /// Its kind.
    pub kind: DeviceKind,
}

/// A treated area.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionArea {
    /// Its id.
    pub id: Uuid,
    /// The area of the body.
    pub area: BodyArea,
    /// The side of the body.
    pub side: Side,
    /// Needle depth, mm.
    pub needle_depth_mm: Option<Decimal>,
    /// Passes.
    pub passes: Option<i16>,
    /// Speed in revolutions per minute.
    pub speed_rpm: Option<i32>,
    /// Radiofrequency energy of a pulse, mJ. A depth under RF can't be compared with a pen's.
    pub rf_energy_mj: Option<Decimal>,
    /// Radiofrequency pulse width, ms.
    pub rf_pulse_width_ms: Option<Decimal>,
    /// The visible endpoint on the skin.
    pub endpoint: Option<Endpoint>,
    /// Remarks.
    pub note: Option<String>,
}

/// A product that was used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProductUse {
    /// Its id.
    pub id: Uuid,
    /// What it was used as.
    pub role: ProductRole,
    /// Product.
    pub product: String,
    /// Manufacturer.
    pub manufacturer: Option<String>,
    /// Lot.
    pub lot: Option<String>,
    /// The last day on which it may be used.
    pub expires_on: Option<NaiveDate>,
    /// The quantity used, in `unit`.
    pub quantity: Option<Decimal>,
    /// The unit of the quantity, such as `mL`.
    pub unit: Option<String>,
    /// The area it was used on.
    pub area: Option<BodyArea>,
    /// Approval for use within the skin.
    pub intradermal_use: IntradermalUse,
    /// The lot, if it is of the catalogue.
    #[serde(default)]
    pub lot_id: Option<Uuid>,
}

/// A treatment session, without its areas, products and checks.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct TreatmentSession {
    /// Its id.
    pub id: Uuid,
    /// The patient whom the record is about.
    pub patient_id: Uuid,
    /// The practitioner who treated.
    pub practitioner_id: Uuid,
    /// The staff member who supervised.
    pub supervisor_id: Option<Uuid>,
    /// Where it took place.
    pub location_id: Uuid,
    /// Its status.
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
    /// The product that the needles glided on.
    pub glide: Option<String>,
    /// The numbing cream.
    pub anaesthetic: Option<Box<TopicalAnaesthetic>>,
    /// Pain as the patient put it, 0 to 10.
    pub pain_score: Option<i16>,
    /// The immediate reaction of the skin.
    pub immediate_reaction: Option<String>,
    /// Remarks.
    pub note: Option<String>,
    /// Why it was stopped.
    pub stop_reason: Option<String>,
    /// The plan it belongs to.
    #[serde(default)]
    pub plan_id: Option<Uuid>,
    /// The version of the protocol that it was checked against.
    #[serde(default)]
    pub protocol_version_id: Option<Uuid>,
    /// The device, if it is of the catalogue.
    #[serde(default)]
    pub device_id: Option<Uuid>,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
    /// The signature.
    pub signature: Option<Signature>,
    /// The parts that came with it out of the ledger, for the answer to a retry; none out of its table.
    #[serde(flatten)]
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

/// What a session is made of beside its own row.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Parts {
    /// The areas, in the order they were given.
    pub areas: Vec<SessionArea>,
    /// The products, in the order they were given.
    pub products: Vec<ProductUse>,
    /// What the care rules said when it was last changed, with what was overridden and why. Entries of the ledger from
    /// before there were care rules have none.
    #[serde(default)]
    pub checks: Vec<KeptCheck>,
}

#[cfg(test)]
mod tests {
    use super::*;

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
