//! The numbing cream as a session has it: what it is, how much, where, for how long, and for whom.

use crate::vocabulary::vocabulary;
use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

vocabulary! {
    /// A local anaesthetic.
    LocalAnaesthetic {
        /// Lidocaine (lignocaine).
        Lidocaine = "lidocaine",
        /// Prilocaine.
        Prilocaine = "prilocaine",
        /// Tetracaine (amethocaine).
        Tetracaine = "tetracaine",
        /// Benzocaine.
        Benzocaine = "benzocaine",
        /// Another one; the product says which.
        Other = "other",
    }
}

/// An agent of a numbing cream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnaestheticAgent {
    /// Which it is.
    pub agent: LocalAnaesthetic,
    /// How much of the cream it is, % by weight.
    pub percent: Decimal,
}

/// The numbing cream. What came later is left out where it is not known: a signature is over the text, and what was signed
/// before has no such fields.
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
    /// The area of skin it covered, cm².
    pub area_cm2: Option<Decimal>,
    /// How much of it was put on, g.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grams: Option<Decimal>,
    /// Whether it was covered with a film.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occluded: Option<bool>,
    /// Its agents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<AnaestheticAgent>,
    /// The patient's weight, kg.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_kg: Option<Decimal>,
    /// The day they were weighed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weighed_on: Option<NaiveDate>,
}
