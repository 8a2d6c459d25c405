//! What the clinic treats with: the catalogue's devices, products and lots.

use super::dice::Dice;
use crate::catalogue::{Device, MakerRecall, Product, ProductLot};
use crate::ids;
use crate::record::Stamp;
use crate::vocabulary::{DeviceKind, IntradermalUse, Modality, ProductRole};
use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, TimeZone, Utc};
use rust_decimal::Decimal;
use std::collections::HashMap;
use uuid::Uuid;

/// How far back the oldest consultations lie, days: 18 months.
pub(super) const DAYS: i64 = 546;

/// Since when everything is said to be there.
pub(super) fn opened_at() -> DateTime<Utc> {
    Utc.timestamp_opt(1_704_067_200, 0).single().unwrap_or_default()
}

/// Ids of the demo's own places and people, the same in every database.
pub(super) fn fixed_id(kind: u64, number: u64) -> Uuid {
    ids::id_at(opened_at(), Dice::new(0xde40 + kind, number).bytes())
}

/// Model, maker, kind, least and greatest depth in hundredths of a millimetre.
type Model = (&'static str, &'static str, DeviceKind, Option<(i64, i64)>);

/// Invented makers and models; each location has one of each.
const MODELS: [Model; 5] = [
    ("Aldermoor Stylo 2", "Aldermoor", DeviceKind::MotorisedPen, Some((25, 250))),
    ("Veridian DermaPoint M4", "Veridian", DeviceKind::MotorisedPen, Some((20, 300))),
    ("Aldermoor Roll 540", "Aldermoor", DeviceKind::Manual, None),
    ("Kestrel Lumen RF-36", "Kestrel", DeviceKind::Rf, Some((50, 350))),
    ("Norrsken Panel 633", "Norrsken", DeviceKind::Other, None),
];

/// Name, maker, role, whether it may go into the skin, strength.
type Stock = (&'static str, &'static str, ProductRole, IntradermalUse, Option<&'static str>);

const STOCK: [Stock; 10] = [
    ("Stylo cartridge 12 needles", "Aldermoor", ProductRole::Cartridge, IntradermalUse::Unknown, None),
    (RECALLED, "Fennimore Labs", ProductRole::Serum, IntradermalUse::Yes, Some("hyaluronic acid 1 %")),
    ("Peptide Calm", "Fennimore Labs", ProductRole::Serum, IntradermalUse::Unknown, None),
    ("C-Bright 10 %", "Orlaya", ProductRole::Serum, IntradermalUse::No, Some("ascorbic acid 10 %")),
    ("RF-36 tip, insulated", "Kestrel", ProductRole::Cartridge, IntradermalUse::Unknown, None),
    ("Autologous PRP, Selva tube 10 mL", "Selva", ProductRole::Prp, IntradermalUse::Yes, None),
    ("Follia GF", "Orlaya", ProductRole::GrowthSerum, IntradermalUse::No, None),
    ("Numbrella", "Halvard", ProductRole::Anaesthetic, IntradermalUse::No, Some("lidocaine 5 %")),
    ("Dermasopor", "Halvard", ProductRole::Anaesthetic, IntradermalUse::No, Some("lidocaine 2.5 % + prilocaine 2.5 %")),
    ("Tetravel", "Orlaya", ProductRole::Anaesthetic, IntradermalUse::No, Some("tetracaine 4 %")),
];

/// The product of which a lot is taken back by its maker.
const RECALLED: &str = "Hyalure 1 %";
/// How long ago that lot came, and how long ago it was taken back, days.
const RECALLED_CAME: i64 = 200;
const RECALLED_BACK: i64 = 12;
/// The longest time from a lot's purchase to its use, days.
pub(super) const KEPT: i64 = 95;

/// The catalogue.
#[derive(Debug, Clone, Default)]
pub(super) struct Shelf {
    devices: Vec<Device>,
    lots: Vec<ProductLot>,
    by_number: HashMap<String, usize>,
}

/// The number of the lot of a product that came in two months of a year.
pub(super) fn lot_number(product: &str, bought: NaiveDate) -> String {
    let period = bought.month0() / 2;
    let letters: String = product.chars().filter(char::is_ascii_alphabetic).take(2).collect::<String>().to_uppercase();
    let last = ["A", "B", "C"].get((period % 3) as usize).copied().unwrap_or_default();
    format!("{letters}{:02}{period}{last}", bought.year() % 100)
}

/// Its last day.
pub(super) fn expires_on(bought: NaiveDate) -> NaiveDate {
    NaiveDate::from_ymd_opt(bought.year() + 1, bought.month0() / 2 * 2 + 2, 28).unwrap_or(bought)
}

impl Shelf {
    pub(super) fn new(devices: Vec<Device>, lots: Vec<ProductLot>) -> Self {
        let by_number = lots.iter().enumerate().map(|(place, lot)| (lot.lot.clone(), place)).collect();
        Self { devices, lots, by_number }
    }

    /// The lot of a number.
    pub(super) fn lot(&self, number: &str) -> Option<&ProductLot> {
        self.by_number.get(number).and_then(|place| self.lots.get(*place))
    }

    /// The lot that its maker takes back.
    pub(super) fn recalled(&self) -> Option<&ProductLot> {
        self.lots.iter().find(|lot| lot.recalled.is_some())
    }

    /// A location's device of a model.
    pub(super) fn device(&self, location: Uuid, model: &str) -> Option<&Device> {
        self.devices.iter().find(|device| device.location_id == Some(location) && device.model == model)
    }

    /// A device by its id.
    pub(super) fn device_of(&self, id: Uuid) -> Option<&Device> {
        self.devices.iter().find(|device| device.id == id)
    }
}

/// The usual model for a kind of treatment, and others in so many of 1,000 sessions.
pub(super) fn model_for(world: &mut Dice, modality: Modality) -> Option<&'static str> {
    let [stylo, dermapoint, roll, lumen, panel] = MODELS.map(|(model, ..)| model);
    match modality {
        Modality::Microneedling => Some(world.weighted(stylo, &[(300, dermapoint), (40, roll)])),
        Modality::Prp => Some(stylo),
        Modality::RfMicroneedling => Some(lumen),
        Modality::LedLightTherapy => Some(panel),
        Modality::TopicalGrowthSerum | Modality::Other => None,
    }
}

fn number(place: usize) -> u64 {
    u64::try_from(place).unwrap_or(0)
}

/// The devices of locations.
pub(super) fn devices(locations: &[Uuid], at: DateTime<Utc>) -> Vec<Device> {
    let mut devices = Vec::new();
    for (place, location) in locations.iter().enumerate() {
        for (kind, (model, maker, device, depth)) in MODELS.iter().enumerate() {
            let initials: String = model.chars().filter(|it| it.is_uppercase()).collect();
            let mm = |hundredths: i64| Decimal::new(hundredths, 2);
            devices.push(Device {
                id: fixed_id(3, number(place * MODELS.len() + kind)),
                model: (*model).to_owned(),
                manufacturer: Some((*maker).to_owned()),
                serial: Some(format!("{initials}-{:05}", 40_117 + place * 613 + kind * 29)),
                kind: *device,
                depth_min_mm: depth.map(|(least, _)| mm(least)),
                depth_max_mm: depth.map(|(_, most)| mm(most)),
                depth_step_mm: depth.map(|_| mm(25)),
                location_id: Some(*location),
                active: true,
                recalled: None,
                note: None,
                stamp: Stamp::new(None, at),
            });
        }
    }
    devices
}

/// The products.
pub(super) fn products(at: DateTime<Utc>) -> Vec<Product> {
    let product = |(place, (name, maker, role, intradermal_use, strength)): (usize, &Stock)| Product {
        id: fixed_id(4, number(place)),
        name: (*name).to_owned(),
        manufacturer: Some((*maker).to_owned()),
        role: *role,
        intradermal_use: *intradermal_use,
        strength: strength.map(str::to_owned),
        active: true,
        note: None,
        stamp: Stamp::new(None, at),
    };
    STOCK.iter().enumerate().map(product).collect()
}

/// The lots that came until a moment, one of each product every two months; one of them taken back.
pub(super) fn lots(end: DateTime<Utc>) -> Vec<ProductLot> {
    let today = end.date_naive();
    let months = |day: NaiveDate| day.year() * 6 + i32::try_from(day.month0() / 2).unwrap_or(0);
    let back = months(today - TimeDelta::days(RECALLED_CAME));
    let mut lots = Vec::new();
    for period in months(today - TimeDelta::days(DAYS + KEPT + 5))..=months(today) {
        let month = u32::try_from(period.rem_euclid(6) * 2 + 1).unwrap_or(1);
        let Some(came) = NaiveDate::from_ymd_opt(period.div_euclid(6), month, 1) else { continue };
        for (place, (name, ..)) in STOCK.iter().enumerate() {
            let came_at = came.and_time(chrono::NaiveTime::MIN).and_utc();
            let recall = MakerRecall {
                at: end - TimeDelta::days(RECALLED_BACK) + TimeDelta::hours(9),
                reason: "Particles found in some syringes".to_owned(),
                reference: Some("FSN-2041".to_owned()),
            };
            let recalled = (*name == RECALLED && period == back).then_some(recall);
            lots.push(ProductLot {
                id: fixed_id(5, number(place) * 1_000_000 + u64::try_from(period).unwrap_or(0)),
                product_id: fixed_id(4, number(place)),
                lot: lot_number(name, came),
                expires_on: Some(expires_on(came)),
                received_on: Some(came),
                recalled,
                note: None,
                stamp: Stamp::new(None, came_at),
            });
        }
    }
    lots
}
