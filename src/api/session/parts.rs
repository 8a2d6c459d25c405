//! The parts of a session: device, anaesthetic, areas, products.

use crate::catalogue::ProductLot;
use crate::operation::plain;
use crate::page::listing;
use crate::scalars::{Date, DateTime, Decimal};
use crate::session::{
    AnaestheticAgent, DeviceUse, Endpoint, LocalAnaesthetic, ProductUse, SessionArea, TopicalAnaesthetic,
};
use crate::vocabulary::{BodyArea, DeviceKind, IntradermalUse, ProductRole, Side};
use async_graphql::{Context, Object, Result};

/// The device that was used.
#[Object]
impl DeviceUse {
    /// Manufacturer and model.
    async fn model(&self) -> &str {
        &self.model
    }
    /// Serial number.
    async fn serial(&self) -> Option<&str> {
        self.serial.as_deref()
    }
    /// The kind of device.
    async fn kind(&self) -> DeviceKind {
        self.kind
    }
}

plain!(DeviceUse: model, serial, kind);

/// The numbing cream.
#[Object]
impl TopicalAnaesthetic {
    /// The name of the product.
    async fn product(&self) -> &str {
        &self.product
    }
    /// Strength, such as `lidocaine 5 %`.
    async fn strength(&self) -> Option<&str> {
        self.strength.as_deref()
    }
    /// The number of the lot, as printed on the package.
    async fn lot(&self) -> Option<&str> {
        self.lot.as_deref()
    }
    /// When it was put on.
    async fn applied_at(&self) -> Option<DateTime> {
        self.applied_at.map(DateTime)
    }
    /// When it was taken off.
    async fn removed_at(&self) -> Option<DateTime> {
        self.removed_at.map(DateTime)
    }
    /// The area of skin it covered, cm².
    async fn area_cm2(&self) -> Option<Decimal> {
        self.area_cm2.map(Decimal)
    }
    /// How much of it was put on, g.
    async fn grams(&self) -> Option<Decimal> {
        self.grams.map(Decimal)
    }
    /// Whether it was covered with a film.
    async fn occluded(&self) -> Option<bool> {
        self.occluded
    }
    /// Its agents, at most 5.
    async fn agents(&self) -> &[AnaestheticAgent] {
        &self.agents
    }
    /// The patient's weight, kg.
    async fn weight_kg(&self) -> Option<Decimal> {
        self.weight_kg.map(Decimal)
    }
    /// The day they were weighed.
    async fn weighed_on(&self) -> Option<Date> {
        self.weighed_on.map(Date)
    }
}

plain!(TopicalAnaesthetic: product, strength, lot, applied_at, removed_at, area_cm2, grams, occluded, weight_kg, weighed_on);

/// An agent of a numbing cream.
#[Object]
impl AnaestheticAgent {
    /// Which local anaesthetic it is.
    async fn agent(&self) -> LocalAnaesthetic {
        self.agent
    }
    /// How much of the cream it is, % by weight.
    async fn percent(&self) -> Decimal {
        Decimal(self.percent)
    }
}

plain!(AnaestheticAgent: agent, percent);

/// A treated area.
#[Object]
impl SessionArea {
    /// The area of the body.
    async fn area(&self) -> BodyArea {
        self.area
    }
    /// The side of the body, the patient's.
    async fn side(&self) -> Side {
        self.side
    }
    /// How deep the needles went, mm.
    async fn needle_depth_mm(&self) -> Option<Decimal> {
        self.needle_depth_mm.map(Decimal)
    }
    /// How many times the device was passed over the area.
    async fn passes(&self) -> Option<i16> {
        self.passes
    }
    /// Speed in revolutions per minute.
    async fn speed_rpm(&self) -> Option<i32> {
        self.speed_rpm
    }
    /// Radiofrequency energy of a pulse, mJ. A depth under RF can't be compared with a pen's.
    async fn rf_energy_mj(&self) -> Option<Decimal> {
        self.rf_energy_mj.map(Decimal)
    }
    /// Radiofrequency pulse width, ms.
    async fn rf_pulse_width_ms(&self) -> Option<Decimal> {
        self.rf_pulse_width_ms.map(Decimal)
    }
    /// The visible endpoint on the skin.
    async fn endpoint(&self) -> Option<Endpoint> {
        self.endpoint
    }
    /// Remarks.
    async fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
}

plain!(SessionArea: area, side, needle_depth_mm, passes, speed_rpm, rf_energy_mj, rf_pulse_width_ms, endpoint, note);

/// A product that was used.
#[Object]
impl ProductUse {
    /// What it was used as.
    async fn role(&self) -> ProductRole {
        self.role
    }
    /// The name of the product.
    async fn product(&self) -> &str {
        &self.product
    }
    /// The name of the manufacturer.
    async fn manufacturer(&self) -> Option<&str> {
        self.manufacturer.as_deref()
    }
    /// The number of the lot, as printed on the package.
    async fn lot(&self) -> Option<&str> {
        self.lot.as_deref()
    }
    /// The last day on which it may be used.
    async fn expires_on(&self) -> Option<Date> {
        self.expires_on.map(Date)
    }
    /// The quantity used, in `unit`.
    async fn quantity(&self) -> Option<Decimal> {
        self.quantity.map(Decimal)
    }
    /// Unit of the quantity, such as `mL`.
    async fn unit(&self) -> Option<&str> {
        self.unit.as_deref()
    }
    /// Where it was used.
    async fn area(&self) -> Option<BodyArea> {
        self.area
    }
    /// Approval for use within the skin.
    async fn intradermal_use(&self) -> IntradermalUse {
        self.intradermal_use
    }
    /// The lot in the catalogue, as it is now; null if it was typed in.
    async fn catalogue_lot(&self, ctx: &Context<'_>) -> Option<Result<ProductLot>> {
        listing::linked(ctx, self.lot_id).await
    }
}

plain!(ProductUse: role, product, manufacturer, lot, expires_on, quantity, unit, area, intradermal_use);
