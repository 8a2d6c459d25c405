//! Everything that the checks look at.

use super::agents::read_agents;
use crate::catalogue::{Device, Product, ProductLot, plain};
use crate::clearance::Clearance;
use crate::consultation::{Candidacy, ConsultationMode};
use crate::health::HealthEntry;
use crate::health_review::HealthReview;
use crate::health_term::HealthTerm;
use crate::organisation::ClearancePolicy;
use crate::plan::PlanArea;
use crate::protocol::{Rules, Verdicts};
use crate::session::{AnaestheticAgent, SessionStatus, TopicalAnaesthetic};
use crate::vocabulary::{BodyArea, FitzpatrickType, IntradermalUse, Modality, ProductRole, Side};
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

/// Another session of the patient, before or after.
#[derive(Debug, Clone, PartialEq)]
pub struct OtherSession {
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
    /// The kind of treatment that it is by its device, where that is another.
    pub by_device: Option<Modality>,
    /// Its areas.
    pub areas: Vec<(BodyArea, Side)>,
    /// Days between two sessions that its own protocol asks for, at least.
    pub interval_min_days: Option<i32>,
    /// The plan it belongs to.
    pub plan: Option<Uuid>,
    /// Whether it is signed.
    pub signed: bool,
}

/// The plan that the session belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanFact {
    /// Its id.
    pub id: Uuid,
    /// The number of sessions planned.
    pub planned_sessions: i16,
    /// The areas.
    pub areas: Vec<PlanArea>,
}

/// A product of the session, with what is known of its lot.
#[derive(Debug, Clone, PartialEq)]
pub struct LotFact {
    /// What it was used as; none for the cream of the session itself.
    pub role: Option<ProductRole>,
    /// The product's name.
    pub product: String,
    /// Approval for use within the skin, by the session or by the catalogue: NO where either says so.
    pub intradermal_use: IntradermalUse,
    /// The lot's number, as written.
    pub lot: Option<String>,
    /// The last day, as written.
    pub expires_on: Option<NaiveDate>,
    /// The lot of the catalogue.
    pub known: Option<ProductLot>,
}

impl LotFact {
    /// Takes what the catalogue knows of what was typed: its lot by name and number; and the product by its name, for what
    /// it is and whether it may be used within the skin.
    pub fn look_up(&mut self, products: &[Product], lots: &[ProductLot]) {
        let name = plain(&self.product);
        let Some(product) = products.iter().find(|it| plain(&it.name) == name) else { return };
        let number = self.lot.as_deref().map(plain);
        self.known = lots.iter().find(|it| it.product_id == product.id && Some(plain(&it.lot)) == number).cloned();
        if product.intradermal_use == IntradermalUse::No {
            self.intradermal_use = IntradermalUse::No;
        }
        if product.role == ProductRole::Anaesthetic {
            self.role = self.role.map(|_| ProductRole::Anaesthetic);
        }
    }
}

/// Why a consent that is there does not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsentDoubt {
    /// A guardian gave it, and the patient is of age now.
    GrownUp,
    /// A guardian gave it for a patient who was of age already.
    Adult,
    /// The patient gave it under age, by the birth date that is recorded now.
    Minor,
}

/// How the consent that the session needs stands when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsentFact {
    /// There.
    InForce(Uuid),
    /// There, and given by somebody who does not give it.
    Doubtful(Uuid, ConsentDoubt),
    /// There never was one for this kind of treatment.
    Missing,
    /// The patient was asked, and said no.
    Refused(Uuid),
    /// It was withdrawn or ended, on this day where it is known.
    Ended(Uuid, Option<NaiveDate>),
    /// It has run out, on this day.
    Expired(Uuid, Option<NaiveDate>),
}

/// The part of the body that a treatment or a consultation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tissue {
    /// The scalp and its hair.
    Hair,
    /// The skin elsewhere.
    Skin,
}

/// The consultation that the session rests on: the latest before it.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsultationFact {
    /// Its id.
    pub id: Uuid,
    /// The day it was held.
    pub held_on: NaiveDate,
    /// Until when it says that it holds.
    pub valid_until: Option<NaiveDate>,
    /// What it found.
    pub candidacy: Option<Candidacy>,
    /// Whether it is signed.
    pub signed: bool,
    /// What it was about; empty where it does not say.
    pub about: Vec<Tissue>,
    /// How it was held.
    pub mode: ConsultationMode,
}

/// A review of the health history, with the day on which the patient was asked, where the session takes place.
#[derive(Debug, Clone, PartialEq)]
pub struct ReviewFact {
    /// The review.
    pub kept: HealthReview,
    /// Its day.
    pub day: NaiveDate,
}

#[cfg(test)]
impl ReviewFact {
    /// A review at a moment of a day in which nothing is known of any part.
    pub(super) fn none_known(day: NaiveDate, at: DateTime<Utc>) -> Self {
        let answer = Some(crate::health_review::ReviewAnswer::NoneKnown);
        let kept = HealthReview {
            id: crate::ids::new_id(),
            patient_id: Uuid::nil(),
            reviewed_at: at,
            reviewed_by: Uuid::nil(),
            answers: crate::health_review::Answers {
                allergies: answer,
                medicines: answer,
                conditions: answer,
                pregnancy: answer,
            },
            note: None,
            entered_in_error: false,
            error_reason: None,
            stamp: crate::record::Stamp::new(None, at),
        };
        Self { kept, day }
    }
}

/// The numbing cream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CreamFact {
    /// Minutes it was on, where both times are known.
    pub minutes: Option<i64>,
    /// How much of it was put on, g.
    pub grams: Option<Decimal>,
    /// The skin it covered, cm².
    pub area_cm2: Option<Decimal>,
    /// Its agents: as they were given, else as its strength or its name tells them.
    pub agents: Vec<AnaestheticAgent>,
    /// The patient's weight, kg.
    pub weight_kg: Option<Decimal>,
}

impl CreamFact {
    /// What a session says of its cream.
    pub fn of(cream: &TopicalAnaesthetic) -> Self {
        let told = || read_agents(cream.strength.as_deref().unwrap_or_default());
        let agents = Some(cream.agents.clone()).filter(|it| !it.is_empty());
        let agents = agents.or_else(|| Some(told()).filter(|it| !it.is_empty()));
        Self {
            minutes: cream.applied_at.zip(cream.removed_at).map(|(on, off)| (off - on).num_minutes()),
            grams: cream.grams,
            area_cm2: cream.area_cm2,
            agents: agents.unwrap_or_else(|| read_agents(&cream.product)),
            weight_kg: cream.weight_kg,
        }
    }
}

/// A protocol that the session is held to.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    /// Its version.
    pub version: Uuid,
    /// Its kind of treatment.
    pub modality: Modality,
    /// Its rules.
    pub rules: &'a Rules,
    /// Whether it is the only one for its kind of treatment. Of several that are published, none is the session's: their
    /// contraindications count, and no figure of theirs does.
    pub only: bool,
}

/// What the session's location asks for, and what prescribers have given.
#[derive(Debug, Clone, Copy)]
pub struct ClearanceFact<'a> {
    /// The location's policy.
    pub policy: ClearancePolicy,
    /// Whether a missing one blocks.
    pub blocks: bool,
    /// The patient's clearances.
    pub given: &'a [Clearance],
}

/// Everything that the checks look at.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The session's own protocol: named, its plan's, or the only published one of its kind.
    pub own: Option<Held<'a>>,
    /// Those of the other kinds of treatment that it uses; without a protocol of its own, all that are published for its
    /// kind.
    pub others: &'a [Held<'a>],
    /// The session's kind of treatment.
    pub modality: Modality,
    /// Every kind of treatment that it uses, its own first.
    pub uses: &'a [Modality],
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
    /// The day the patient was born.
    pub born: NaiveDate,
    /// The health history, without what was entered in error.
    pub health: &'a [HealthEntry],
    /// The clinic's own terms that are looked for in it.
    pub terms: &'a [HealthTerm],
    /// The reviews of it.
    pub reviews: &'a [ReviewFact],
    /// Other sessions of the patient.
    pub sessions: &'a [OtherSession],
    /// The plan.
    pub plan: Option<&'a PlanFact>,
    /// The consent to each kind of treatment that needs one, the session's own first.
    pub consents: &'a [(Modality, ConsentFact)],
    /// The consultation.
    pub consultation: Option<&'a ConsultationFact>,
    /// Whether the location asks for one that was held face to face.
    pub consultation_in_person: bool,
    /// The prescribers' clearances, and whether the location asks for one.
    pub clearance: Option<ClearanceFact<'a>>,
}

impl<'a> Facts<'a> {
    /// Every protocol that the session is held to, its own first.
    pub fn held(&self) -> impl Iterator<Item = &Held<'a>> {
        self.own.iter().chain(self.others)
    }

    /// Those whose figures count.
    pub fn figures(&self) -> impl Iterator<Item = &Held<'a>> {
        self.held().filter(|it| it.only)
    }

    /// Whether one of the protocols lets a rule block. Without any protocol, what a device can't do blocks, and nothing else
    /// that a protocol decides.
    pub fn blocks(&self, rule: impl Fn(&Verdicts) -> bool) -> bool {
        let mut held = self.figures().peekable();
        if held.peek().is_none() {
            return rule(&Verdicts { consent: false, ..Verdicts::default() });
        }
        held.any(|it| rule(&it.rules.blocks))
    }
}

/// What an area is part of.
pub fn tissue(area: BodyArea) -> Tissue {
    if area == BodyArea::Scalp { Tissue::Hair } else { Tissue::Skin }
}

/// An area in words, with its side where that is one of two.
pub(super) fn place(area: BodyArea, side: Side) -> String {
    match side {
        Side::Left | Side::Right => format!("{} {}", side.words(), area.words()),
        Side::Midline | Side::Bilateral => area.words(),
    }
}
