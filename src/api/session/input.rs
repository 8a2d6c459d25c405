//! The parts of a session as inputs: device, anaesthetic, areas, products.

use crate::error::{Code, Flaw};
use crate::ids;
use crate::operation::Inputs;
use crate::scalars::{Date, DateTime, Decimal};
use crate::session::{
    AnaestheticAgent, DeviceUse, Endpoint, LocalAnaesthetic, Parts, ProductUse, SessionArea, TopicalAnaesthetic,
};
use crate::vocabulary::{BodyArea, DeviceKind, IntradermalUse, Modality, ProductRole, RecordKind, Side};
use async_graphql::{ID, InputObject};
use chrono::{TimeDelta, Utc};
use rust_decimal::Decimal as Number;
use uuid::Uuid;

/// The maximum number of areas, and of products, of a session.
const MOST_PARTS: usize = 40;
/// The greatest depth of a motorised pen, mm (the range of the common devices, 0 to 2.5 mm).
const DEEPEST_PEN: Number = Number::from_parts(25, 0, 0, false, 1);
/// The greatest depth of an RF device, mm (the body handpieces on the market).
const DEEPEST_RF: Number = Number::from_parts(80, 0, 0, false, 1);

/// The message for a field given together with a catalogue id that fills it.
const FROM_CATALOGUE: &str = "comes from the catalogue: leave it out, or leave the catalogue's id out";

/// The device used: either one from the catalogue (`deviceId` alone) or a description (`model` and `kind`).
#[derive(InputObject)]
pub struct DeviceUseInput {
    /// A device of the catalogue, `device_…`, which supplies model, serial number and kind.
    device_id: Option<ID>,
    /// Manufacturer and model, at most 200 characters. Required without `deviceId`.
    model: Option<String>,
    /// Serial number.
    serial: Option<String>,
    /// Its kind. Required without `deviceId`.
    kind: Option<DeviceKind>,
}

impl DeviceUseInput {
    /// The device as described, or the catalogue id with a description still to be filled in.
    pub(super) fn read(&self, inputs: &mut Inputs, path: &str) -> (DeviceUse, Option<Uuid>) {
        let field = |name: &str| format!("{path}.{name}");
        let device_id = inputs.opt_id(&field("deviceId"), RecordKind::Device, self.device_id.as_ref());
        if device_id.is_some() {
            let given =
                [("model", self.model.is_some()), ("serial", self.serial.is_some()), ("kind", self.kind.is_some())];
            for (name, _) in given.iter().filter(|(_, given)| *given) {
                inputs.fault(&field(name), Code::NotTogether.says(FROM_CATALOGUE));
            }
            return (DeviceUse { model: String::new(), serial: None, kind: DeviceKind::Other }, device_id);
        }
        if self.kind.is_none() {
            inputs.fault(&field("kind"), Code::Required.says("is missing: send it, or deviceId"));
        }
        let device = DeviceUse {
            model: inputs.text(&field("model"), self.model.as_deref().unwrap_or_default(), 200),
            serial: inputs.opt_text(&field("serial"), self.serial.as_deref(), 100),
            kind: self.kind.unwrap_or(DeviceKind::Other),
        };
        (device, None)
    }
}

/// The numbing cream.
#[derive(InputObject)]
pub struct TopicalAnaestheticInput {
    /// The name of the product.
    product: String,
    /// Strength, such as `lidocaine 5 %`.
    strength: Option<String>,
    /// The number of the lot, as printed on the package.
    lot: Option<String>,
    /// When it was put on.
    applied_at: Option<DateTime>,
    /// When it was taken off.
    removed_at: Option<DateTime>,
    /// The area of skin it covered, cm², up to 20,000.
    area_cm2: Option<Decimal>,
    /// How much of it was put on, g, above 0, up to 1,000.
    grams: Option<Decimal>,
    /// Whether it was covered with a film.
    occluded: Option<bool>,
    /// Its agents, at most 5, each once. Without them the rule DOSE reads them out of `strength` and `product`.
    #[graphql(default)]
    agents: Vec<AnaestheticAgentInput>,
    /// The patient's weight, kg, 1 to 500.
    weight_kg: Option<Decimal>,
    /// The day they were weighed; not in the future. Goes with `weightKg`.
    weighed_on: Option<Date>,
}

/// An agent of a numbing cream.
#[derive(InputObject)]
pub struct AnaestheticAgentInput {
    /// Which local anaesthetic it is.
    agent: LocalAnaesthetic,
    /// How much of the cream it is, % by weight, above 0, up to 100.
    percent: Decimal,
}

/// The most agents of a numbing cream.
const MOST_AGENTS: usize = 5;
/// The least of what must be more than nothing, at the two digits that are kept.
const LEAST: Number = Number::from_parts(1, 0, 0, false, 2);

fn read_agents(inputs: &mut Inputs, path: &str, given: &[AnaestheticAgentInput]) -> Vec<AnaestheticAgent> {
    if given.len() > MOST_AGENTS {
        inputs.fault(path, Flaw::too_many(given.len(), MOST_AGENTS, "agents"));
        return Vec::new();
    }
    let mut read: Vec<AnaestheticAgent> = Vec::new();
    for (i, it) in given.iter().enumerate() {
        let field = format!("{path}.{i}.percent");
        let percent = inputs.decimal(&field, Some(it.percent.0), LEAST, Number::ONE_HUNDRED, 2);
        if read.iter().any(|known| known.agent == it.agent && it.agent != LocalAnaesthetic::Other) {
            inputs.fault(&format!("{path}.{i}.agent"), Code::Duplicate.says("is there twice"));
        }
        read.extend(percent.map(|percent| AnaestheticAgent { agent: it.agent, percent }));
    }
    read
}

impl TopicalAnaestheticInput {
    pub(super) fn read(&self, inputs: &mut Inputs, path: &str) -> TopicalAnaesthetic {
        let mut time =
            |name: &str, time: Option<DateTime>| time.map(|time| inputs.past_time(&format!("{path}.{name}"), time.0));
        let applied_at = time("appliedAt", self.applied_at);
        let removed_at = time("removedAt", self.removed_at);
        if applied_at.zip(removed_at).is_some_and(|(on, off)| off < on) {
            inputs.fault(
                &format!("{path}.removedAt"),
                Code::WrongOrder.says("is before appliedAt").with("other", "appliedAt"),
            );
        }
        let area = self.area_cm2.map(|area| area.0);
        if self.weighed_on.is_some() && self.weight_kg.is_none() {
            inputs.fault(
                &format!("{path}.weighedOn"),
                Code::Needs.says("goes with weightKg, which is missing").with("other", "weightKg"),
            );
        }
        let number = |it: Option<Decimal>| it.map(|it| it.0);
        let (grams, weight) = (number(self.grams), number(self.weight_kg));
        TopicalAnaesthetic {
            product: inputs.text(&format!("{path}.product"), &self.product, 200),
            strength: inputs.opt_text(&format!("{path}.strength"), self.strength.as_deref(), 100),
            lot: inputs.opt_text(&format!("{path}.lot"), self.lot.as_deref(), 100),
            applied_at,
            removed_at,
            area_cm2: inputs.decimal(&format!("{path}.areaCm2"), area, Number::ZERO, Number::from(20_000), 1),
            grams: inputs.decimal(&format!("{path}.grams"), grams, LEAST, Number::from(1000), 2),
            occluded: self.occluded,
            agents: read_agents(inputs, &format!("{path}.agents"), &self.agents),
            weight_kg: inputs.decimal(&format!("{path}.weightKg"), weight, Number::ONE, Number::from(500), 1),
            weighed_on: inputs.past_date(&format!("{path}.weighedOn"), self.weighed_on.map(|it| it.0)),
        }
    }
}

/// A treated area.
#[derive(InputObject)]
pub struct SessionAreaInput {
    /// The area of the body.
    area: BodyArea,
    /// The side of the body, the patient's.
    #[graphql(default_with = "Side::Bilateral")]
    side: Side,
    /// Needle depth, mm: 0 to 2.5, or to 8 for RF microneedling.
    needle_depth_mm: Option<Decimal>,
    /// Passes, 1 to 50.
    passes: Option<i32>,
    /// Speed in revolutions per minute, up to 30,000.
    speed_rpm: Option<i32>,
    /// Radiofrequency energy of a pulse, mJ, up to 10,000. For RF microneedling.
    rf_energy_mj: Option<Decimal>,
    /// Radiofrequency pulse width, ms, up to 10,000. For RF microneedling.
    rf_pulse_width_ms: Option<Decimal>,
    /// The visible endpoint on the skin.
    endpoint: Option<Endpoint>,
    /// Remarks.
    note: Option<String>,
}

impl SessionAreaInput {
    fn read(&self, inputs: &mut Inputs, path: &str, modality: Modality) -> SessionArea {
        let field = |name: &str| format!("{path}.{name}");
        let (energy, width) = (self.rf_energy_mj.map(|it| it.0), self.rf_pulse_width_ms.map(|it| it.0));
        let (least, most) = (Number::new(1, 2), Number::from(10_000));
        let area = SessionArea {
            id: ids::new_id(),
            area: self.area,
            side: self.side,
            needle_depth_mm: inputs.decimal(
                &field("needleDepthMm"),
                self.needle_depth_mm.map(|it| it.0),
                Number::ZERO,
                DEEPEST_RF,
                2,
            ),
            passes: inputs.small(&field("passes"), self.passes, 1, 50),
            speed_rpm: inputs.range(&field("speedRpm"), self.speed_rpm, 1, 30_000),
            rf_energy_mj: inputs.decimal(&field("rfEnergyMj"), energy, least, most, 2),
            rf_pulse_width_ms: inputs.decimal(&field("rfPulseWidthMs"), width, least, most, 2),
            endpoint: self.endpoint,
            note: inputs.opt_text(&field("note"), self.note.as_deref(), 2000),
        };
        check_area(inputs, path, &area, modality);
        area
    }
}

/// Checks that the settings of an area suit the kind of treatment.
pub(super) fn check_area(inputs: &mut Inputs, path: &str, area: &SessionArea, modality: Modality) {
    if modality == Modality::RfMicroneedling {
        return;
    }
    let of_rf = [("rfEnergyMj", area.rf_energy_mj), ("rfPulseWidthMs", area.rf_pulse_width_ms)];
    for (name, _) in of_rf.iter().filter(|(_, given)| given.is_some()) {
        inputs.fault(&format!("{path}.{name}"), Code::NotApplicable.says("may only be sent with RF_MICRONEEDLING"));
    }
    if let Some(depth) = area.needle_depth_mm.filter(|depth| *depth > DEEPEST_PEN && *depth <= DEEPEST_RF) {
        inputs
            .fault(&format!("{path}.needleDepthMm"), Flaw::out_of_range(depth, Number::ZERO, DEEPEST_PEN, Some("mm")));
    }
}

/// A product used: either a lot from the catalogue (`lotId`) or a description (`product`).
#[derive(InputObject)]
pub struct ProductUseInput {
    /// What it was used as.
    role: ProductRole,
    /// A lot of the catalogue, `lot_…`, which supplies product, manufacturer, lot, expiresOn and intradermalUse.
    lot_id: Option<ID>,
    /// Product, at most 200 characters. Required without `lotId`.
    product: Option<String>,
    /// The name of the manufacturer.
    manufacturer: Option<String>,
    /// The number of the lot, as printed on the package.
    lot: Option<String>,
    /// The last day on which it may be used.
    expires_on: Option<Date>,
    /// The quantity used, up to 100,000; with `unit`.
    quantity: Option<Decimal>,
    /// Unit of the quantity, such as `mL`.
    unit: Option<String>,
    /// Where it was used.
    area: Option<BodyArea>,
    /// Approval for use within the skin; UNKNOWN when absent.
    intradermal_use: Option<IntradermalUse>,
}

impl ProductUseInput {
    fn read(&self, inputs: &mut Inputs, path: &str) -> ProductUse {
        let field = |name: &str| format!("{path}.{name}");
        let quantity = self.quantity.map(|quantity| quantity.0);
        let unit = inputs.opt_text(&field("unit"), self.unit.as_deref(), 20);
        if quantity.is_some() != unit.is_some() {
            inputs.fault(
                &field("unit"),
                Code::Needs.says("and quantity go together: send both or none").with("other", "quantity"),
            );
        }
        let lot_id = inputs.opt_id(&field("lotId"), RecordKind::ProductLot, self.lot_id.as_ref());
        let product = self.product.as_deref();
        if lot_id.is_some() {
            let given = [
                ("product", product.is_some()),
                ("manufacturer", self.manufacturer.is_some()),
                ("lot", self.lot.is_some()),
                ("expiresOn", self.expires_on.is_some()),
                ("intradermalUse", self.intradermal_use.is_some()),
            ];
            for (name, _) in given.iter().filter(|(_, given)| *given) {
                inputs.fault(&field(name), Code::NotTogether.says(FROM_CATALOGUE));
            }
        }
        ProductUse {
            id: ids::new_id(),
            role: self.role,
            product: match lot_id {
                Some(_) => String::new(),
                None => inputs.text(&field("product"), product.unwrap_or_default(), 200),
            },
            manufacturer: inputs.opt_text(&field("manufacturer"), self.manufacturer.as_deref(), 200),
            lot: inputs.opt_text(&field("lot"), self.lot.as_deref(), 100),
            expires_on: self.expires_on.map(|date| date.0),
            quantity: inputs.decimal(&field("quantity"), quantity, Number::new(1, 3), Number::from(100_000), 3),
            unit,
            area: self.area,
            intradermal_use: self.intradermal_use.unwrap_or(IntradermalUse::Unknown),
            lot_id,
        }
    }
}

/// Reads areas and products, of a session whose checks are still to be made; faults are noted under `prefix`.
pub(super) fn read_parts(
    inputs: &mut Inputs,
    prefix: &str,
    areas: &[SessionAreaInput],
    products: &[ProductUseInput],
    modality: Modality,
) -> Parts {
    for (name, length) in [("areas", areas.len()), ("products", products.len())] {
        if length > MOST_PARTS {
            inputs.fault(&format!("{prefix}{name}"), Flaw::too_many(length, MOST_PARTS, "entries"));
        }
    }
    let areas = areas.iter().take(MOST_PARTS).enumerate();
    let areas = areas.map(|(i, area)| area.read(inputs, &format!("{prefix}areas.{i}"), modality)).collect();
    let products = products.iter().take(MOST_PARTS).enumerate();
    let products = products.map(|(i, product)| product.read(inputs, &format!("{prefix}products.{i}"))).collect();
    Parts { areas, products, checks: Vec::new() }
}

/// Checks that a session ends after its beginning and within a day of it.
pub(super) fn check_times(
    inputs: &mut Inputs,
    prefix: &str,
    started_at: chrono::DateTime<Utc>,
    ended_at: Option<chrono::DateTime<Utc>>,
) {
    let Some(ended_at) = ended_at else { return };
    if ended_at < started_at {
        inputs.fault(&format!("{prefix}endedAt"), Code::WrongOrder.says("is before the session began"));
    } else if ended_at - started_at > TimeDelta::hours(24) {
        inputs.fault(
            &format!("{prefix}endedAt"),
            Code::TooLarge.says("is over 24 hours after the session began").with("max", "24").with("unit", "h"),
        );
    }
}
