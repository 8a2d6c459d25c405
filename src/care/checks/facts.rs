//! Everything that the checks look at.

use crate::catalogue::{Device, ProductLot};
use crate::consultation::Candidacy;
use crate::health::HealthEntry;
use crate::protocol::Rules;
use crate::session::SessionStatus;
use crate::vocabulary::{BodyArea, FitzpatrickType, Modality, Side};
use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

/// An area of the session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AreaFact {
    /// The area of the body.
    pub area: BodyArea,
    /// The side of the body.
    pub side: Side,
    /// Needle depth, mm.
    pub depth_mm: Option<Decimal>,
}

/// An earlier session of the patient.
#[derive(Debug, Clone, PartialEq)]
pub struct EarlierSession {
    /// Its id.
    pub id: Uuid,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// The day it took place, where it took place.
    pub day: NaiveDate,
    /// Its status.
    pub status: SessionStatus,
    /// The kind of treatment.
    pub modality: Modality,
    /// Its areas.
    pub areas: Vec<(BodyArea, Side)>,
}

/// A product of the session, with what is known of its lot.
#[derive(Debug, Clone, PartialEq)]
pub struct LotFact {
    /// The product's name.
    pub product: String,
    /// The lot's number, as written.
    pub lot: Option<String>,
    /// The last day, as written.
    pub expires_on: Option<NaiveDate>,
    /// The lot of the catalogue.
    pub known: Option<ProductLot>,
}

/// How the consent that the session needs stands when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsentFact {
    /// There.
    InForce(Uuid),
    /// There never was one for this kind of treatment.
    Missing,
    /// The patient was asked, and said no.
    Refused(Uuid),
    /// It was withdrawn or ended, on this day where it is known.
    Ended(Uuid, Option<NaiveDate>),
    /// It has run out, on this day.
    Expired(Uuid, Option<NaiveDate>),
}

/// The consultation that the session rests on: the latest before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConsultationFact {
    /// Its id.
    pub id: Uuid,
    /// The day it was held.
    pub held_on: NaiveDate,
    /// Until when it says that it holds.
    pub valid_until: Option<NaiveDate>,
    /// What it found.
    pub candidacy: Option<Candidacy>,
}

/// The numbing cream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreamFact {
    /// Minutes it was on, where both times are known.
    pub minutes: Option<i64>,
}

/// Everything that the checks look at.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The rules.
    pub rules: &'a Rules,
    /// The version of the protocol they are of.
    pub protocol_version: Uuid,
    /// The protocol's kind of treatment.
    pub protocol_modality: Modality,
    /// The session's kind of treatment.
    pub modality: Modality,
    /// When it begins.
    pub started_at: DateTime<Utc>,
    /// The day of that, in the location's zone.
    pub day: NaiveDate,
    /// Its areas.
    pub areas: &'a [AreaFact],
    /// The device of the catalogue.
    pub device: Option<&'a Device>,
    /// The products.
    pub lots: &'a [LotFact],
    /// The numbing cream.
    pub cream: Option<CreamFact>,
    /// The patient's skin type.
    pub skin_type: Option<FitzpatrickType>,
    /// The patient.
    pub patient: Uuid,
    /// The health history, without what was entered in error.
    pub health: &'a [HealthEntry],
    /// Other sessions of the patient.
    pub sessions: &'a [EarlierSession],
    /// The consent to this treatment.
    pub consent: ConsentFact,
    /// The consultation.
    pub consultation: Option<ConsultationFact>,
}

/// An area in words, with its side where that is one of two.
pub(super) fn place(area: &AreaFact) -> String {
    match area.side {
        Side::Left | Side::Right => format!("{} {}", area.side.words(), area.area.words()),
        Side::Midline | Side::Bilateral => area.area.words(),
    }
}
