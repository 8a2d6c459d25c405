//! One treatment session: what was done, with what, and how it went.

use super::chart::Scribe;
use super::complaint::depth_in_quarters;
use super::dice::Dice;
use super::shelf;
use crate::record::Stamp;
use crate::session::{
    DeviceUse, Endpoint, Parts, ProductUse, SessionArea, SessionStatus, TopicalAnaesthetic, TreatmentSession,
};
use crate::vocabulary::{BodyArea, IntradermalUse, Modality, ProductRole, Side};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

/// What stays the same from session to session of a course.
#[derive(Clone, Copy)]
pub(super) struct Treatment {
    pub(super) modality: Modality,
    pub(super) areas: &'static [(BodyArea, Side)],
    pub(super) practitioner: Uuid,
}

/// A session that was completed, with its parts; `number` of the course, from 1.
pub(super) fn session(
    scribe: &mut Scribe<'_>,
    treatment: &Treatment,
    number: i64,
    started_at: DateTime<Utc>,
) -> (TreatmentSession, Parts) {
    let id = scribe.id(started_at);
    let minutes = scribe.dice.between(7, 16) * 5;
    let ended_at = started_at + TimeDelta::minutes(minutes);
    let logged_at = ended_at + TimeDelta::seconds(scribe.dice.between(180, 2400));
    let modality = treatment.modality;
    let needles = needles(modality);
    let areas = areas(scribe, treatment, number, started_at);
    let products = products(scribe, treatment, started_at);
    let device = device(scribe, modality);
    let dice = &mut scribe.dice;
    let anaesthetic =
        (needles && dice.chance(880)).then(|| Box::new(anaesthetic(dice, started_at, treatment.areas.len())));
    let pain_score = needles.then(|| {
        let pain = dice.between(1, 5) + i64::from(anaesthetic.is_none()) * 2;
        i16::try_from(pain).unwrap_or(0)
    });
    let session = TreatmentSession {
        id,
        patient_id: scribe.chart.patient.id,
        practitioner_id: treatment.practitioner,
        supervisor_id: None,
        location_id: scribe.place.id,
        status: SessionStatus::Completed,
        started_at,
        ended_at: Some(ended_at),
        modality,
        device: device.as_ref().map(|(_, device)| device.clone()),
        skin_preparation: Some(
            dice.word(&[
                "Chlorhexidine 0.5 % in alcohol, dried",
                "Cleansed, then hypochlorous acid spray",
                "Gentle cleanser, then 70 % isopropyl alcohol",
            ])
            .to_owned(),
        ),
        glide: needles
            .then(|| dice.word(&["Hyaluronic acid gel", "Hyaluronic acid 1 % serum", "Sterile saline"]).to_owned()),
        anaesthetic,
        pain_score,
        immediate_reaction: needles.then(|| reaction(dice).to_owned()),
        note: Some(note(dice, number)),
        stop_reason: None,
        plan_id: None,
        protocol_version_id: None,
        device_id: device.map(|(id, _)| id),
        stamp: Stamp::new(Some(treatment.practitioner), logged_at),
        signature: None,
        kept_parts: None,
    };
    (session, Parts { areas, products, checks: Vec::new() })
}

fn needles(modality: Modality) -> bool {
    matches!(modality, Modality::Microneedling | Modality::RfMicroneedling | Modality::Prp)
}

fn areas(scribe: &mut Scribe<'_>, treatment: &Treatment, number: i64, started_at: DateTime<Utc>) -> Vec<SessionArea> {
    let needles = needles(treatment.modality);
    let rf = treatment.modality == Modality::RfMicroneedling;
    let mut areas = Vec::with_capacity(treatment.areas.len());
    for (area, side) in treatment.areas {
        let id = scribe.id(started_at);
        let dice = &mut scribe.dice;
        let (least, most) = depth_in_quarters(*area);
        // Courses start shallow and go deeper as the skin is known.
        let quarters = (least + dice.between(0, 1) + number / 2).min(most);
        let (energy, width) = (dice.between(8, 30), dice.between(3, 12));
        areas.push(SessionArea {
            id,
            area: *area,
            side: *side,
            needle_depth_mm: needles.then(|| Decimal::new(quarters * 25, 2)),
            passes: needles.then(|| i16::try_from(dice.between(2, 5)).unwrap_or(2)),
            speed_rpm: (needles && !rf).then(|| i32::try_from(dice.between(10, 28) * 500).unwrap_or(8000)),
            rf_energy_mj: rf.then(|| Decimal::new(energy * 100, 2)),
            rf_pulse_width_ms: rf.then(|| Decimal::new(width * 1000, 2)),
            endpoint: needles.then(|| {
                if quarters >= 4 {
                    dice.weighted(Endpoint::PinpointBleeding, &[(350, Endpoint::Erythema)])
                } else {
                    dice.weighted(Endpoint::Erythema, &[(100, Endpoint::PinpointBleeding), (20, Endpoint::None)])
                }
            }),
            note: dice.chance(60).then(|| {
                dice.word(&[
                    "Left out a healing blemish",
                    "More sensitive than last time",
                    "Extra pass over the deeper scars",
                    "Kept outside the orbital rim",
                ])
                .to_owned()
            }),
        });
    }
    areas
}

/// The location's device, and as it is written down.
fn device(scribe: &mut Scribe<'_>, modality: Modality) -> Option<(Uuid, DeviceUse)> {
    let model = shelf::model_for(&mut scribe.dice, modality)?;
    let device = scribe.world.shelf.device(scribe.place.id, model)?;
    Some((device.id, DeviceUse { model: model.to_owned(), serial: device.serial.clone(), kind: device.kind }))
}

fn anaesthetic(dice: &mut Dice, started_at: DateTime<Utc>, areas: usize) -> TopicalAnaesthetic {
    let (product, strength) = dice.weighted(
        ("Numbrella", "lidocaine 5 %"),
        &[(350, ("Dermasopor", "lidocaine 2.5 % + prilocaine 2.5 %")), (50, ("Tetravel", "tetracaine 4 %"))],
    );
    let lot = lot(dice, product, started_at.date_naive()).0;
    let applied_at = started_at - TimeDelta::minutes(dice.between(6, 11) * 5);
    TopicalAnaesthetic {
        product: product.to_owned(),
        strength: Some(strength.to_owned()),
        lot: Some(lot),
        applied_at: Some(applied_at),
        removed_at: Some(started_at - TimeDelta::minutes(dice.between(2, 6))),
        area_cm2: Some(Decimal::from(i64::try_from(areas).unwrap_or(1) * 45 + dice.between(0, 6) * 5)),
        grams: None,
        occluded: None,
        agents: Vec::new(),
        weight_kg: None,
        weighed_on: None,
    }
}

/// A product's lot and its last day: lots come every two months and are used for three or so, so that many sessions share one.
fn lot(dice: &mut Dice, product: &str, used_on: NaiveDate) -> (String, NaiveDate) {
    let bought = used_on - TimeDelta::days(dice.between(5, shelf::KEPT));
    (shelf::lot_number(product, bought), shelf::expires_on(bought))
}

type Product = (ProductRole, &'static str, &'static str, i64, &'static str, IntradermalUse);

/// Role, product, maker, thousandths of the unit, unit, and whether it may go into the skin.
fn products(scribe: &mut Scribe<'_>, treatment: &Treatment, started_at: DateTime<Utc>) -> Vec<ProductUse> {
    use IntradermalUse::{No, Unknown, Yes};
    use ProductRole::{Cartridge, GrowthSerum, Prp, Serum};
    let cartridge: Product = (Cartridge, "Stylo cartridge 12 needles", "Aldermoor", 1000, "piece", Unknown);
    let serum: Product = scribe.dice.weighted(
        (Serum, "Hyalure 1 %", "Fennimore Labs", 2000, "mL", Yes),
        &[
            (120, (Serum, "Peptide Calm", "Fennimore Labs", 1500, "mL", Unknown)),
            (60, (Serum, "C-Bright 10 %", "Orlaya", 1000, "mL", No)),
        ],
    );
    let used: &[Product] = match treatment.modality {
        Modality::Microneedling if scribe.dice.chance(450) => &[cartridge],
        Modality::Microneedling => &[cartridge, serum],
        Modality::RfMicroneedling => &[(Cartridge, "RF-36 tip, insulated", "Kestrel", 1000, "piece", Unknown)],
        Modality::Prp => &[cartridge, (Prp, "Autologous PRP, Selva tube 10 mL", "Selva", 4000, "mL", Yes)],
        Modality::TopicalGrowthSerum => &[(GrowthSerum, "Follia GF", "Orlaya", 3000, "mL", No)],
        Modality::LedLightTherapy | Modality::Other => &[],
    };
    let mut products = Vec::with_capacity(used.len());
    for (role, product, maker, quantity, unit, intradermal_use) in used {
        let id = scribe.id(started_at);
        let (lot, expires_on) = lot(&mut scribe.dice, product, started_at.date_naive());
        // Now and then something out of date is used: the service must have something to warn of.
        let out_of_date = scribe.dice.chance(3);
        let expires_on = if out_of_date { started_at.date_naive() - TimeDelta::days(12) } else { expires_on };
        // One that was typed by hand is of no lot of the catalogue.
        let lot_id = scribe.world.shelf.lot(&lot).map(|lot| lot.id).filter(|_| !out_of_date);
        products.push(ProductUse {
            id,
            role: *role,
            product: (*product).to_owned(),
            manufacturer: Some((*maker).to_owned()),
            lot: Some(lot),
            expires_on: Some(expires_on),
            quantity: Some(Decimal::new(*quantity, 3)),
            unit: Some((*unit).to_owned()),
            area: treatment.areas.first().map(|(area, _)| *area).filter(|_| used.len() == 1),
            intradermal_use: *intradermal_use,
            lot_id,
        });
    }
    products
}

fn reaction(dice: &mut Dice) -> &'static str {
    dice.word(&[
        "Even erythema, settling within the hour",
        "Moderate erythema, slight swelling, no bruising",
        "Erythema and pinpoint bleeding, stopped with cold saline",
        "Marked erythema, warm to the touch; cooled for ten minutes",
        "Mild erythema only",
    ])
}

fn note(dice: &mut Dice, number: i64) -> String {
    let before = if number == 1 {
        dice.word(&[
            "First session of the course.",
            "First session; procedure and healing explained again.",
            "First session, photographs taken beforehand.",
        ])
    } else {
        dice.word(&[
            "Healed without trouble since last time.",
            "Reports two days of redness after the last session, then fine.",
            "Skin calmer than at the start of the course.",
            "Texture visibly better than before the course.",
            "No change noticed by the patient yet; explained that collagen takes weeks.",
        ])
    };
    let during = dice.word(&[
        "Well tolerated.",
        "Tolerated well, short break after the second pass.",
        "A little tender at the hairline, otherwise comfortable.",
        "Depth raised one step against the last session.",
        "Treated in overlapping passes, three directions.",
        "Depth kept low over bone.",
    ]);
    let after = dice.word(&[
        "Cooling mask 10 min.",
        "Soothing gel, SPF 50 given.",
        "Next visit in four weeks.",
        "Next visit in four to six weeks.",
        "Aftercare sheet handed over.",
        "",
    ]);
    format!("{before} {during} {after}").trim_end().to_owned()
}
