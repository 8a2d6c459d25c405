//! Devices, products and lots in the API: the records, their queries and their links.

pub mod device;
pub mod entry;
pub mod lot;
pub mod maker_recall;
pub mod mutation;
pub mod product;

use super::stamp::RecordStamp;
use crate::catalogue::{
    Device, DeviceFilter, DeviceOrder, LotFilter, LotOrder, MakerRecall, Product, ProductFilter, ProductLot,
    ProductOrder,
};
use crate::operation::{AtOnce, plain};
use crate::organisation::{Location, loader as people};
use crate::page::{Connection, Listed, PageArguments, global_id, listing};
use crate::scalars::{Date, DateTime, Decimal};
use crate::vocabulary::{DeviceKind, IntradermalUse, ProductRole, RecordKind};
use async_graphql::{Context, ID, Object, Result};

impl Listed for Device {
    const NAME: &'static str = "Device";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}
impl Listed for Product {
    const NAME: &'static str = "Product";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}
impl Listed for ProductLot {
    const NAME: &'static str = "ProductLot";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// A recall by the manufacturer or an authority.
#[Object]
impl MakerRecall {
    /// When the clinic heard of it.
    async fn at(&self) -> DateTime {
        DateTime(self.at)
    }
    /// Why it was recalled.
    async fn reason(&self) -> &str {
        &self.reason
    }
    /// The number of the notice.
    async fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }
}

/// A device of the catalogue.
#[Object]
impl Device {
    /// Typed id, `device_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::Device, self.id)
    }
    /// The name of the model, as the manufacturer gives it.
    async fn model(&self) -> &str {
        &self.model
    }
    /// The name of the manufacturer.
    async fn manufacturer(&self) -> Option<&str> {
        self.manufacturer.as_deref()
    }
    /// Serial number, unique for its model.
    async fn serial(&self) -> Option<&str> {
        self.serial.as_deref()
    }
    /// The kind of device.
    async fn kind(&self) -> DeviceKind {
        self.kind
    }
    /// The least depth it can be set to, mm.
    async fn depth_min_mm(&self) -> Option<Decimal> {
        self.depth_min_mm.map(Decimal)
    }
    /// The greatest depth it can be set to, mm. A deeper session is blocked.
    async fn depth_max_mm(&self) -> Option<Decimal> {
        self.depth_max_mm.map(Decimal)
    }
    /// The step between two settings, mm.
    async fn depth_step_mm(&self) -> Option<Decimal> {
        self.depth_step_mm.map(Decimal)
    }
    /// The location where it is kept.
    async fn location(&self, ctx: &Context<'_>) -> Option<Result<AtOnce<Location>>> {
        Some(people::location_of_record(ctx, self.location_id?).await)
    }
    /// Whether it is in use.
    async fn active(&self) -> bool {
        self.active
    }
    /// The recall by its manufacturer, if there was one.
    async fn recalled(&self) -> Option<&MakerRecall> {
        self.recalled.as_ref()
    }
    /// Remarks.
    async fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

plain!(Device: id, model, manufacturer, serial, kind, depth_min_mm, depth_max_mm, depth_step_mm, active, note);

/// A product of the catalogue.
#[Object]
impl Product {
    /// Typed id, `product_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::Product, self.id)
    }
    /// Name, unique in the organisation.
    async fn name(&self) -> &str {
        &self.name
    }
    /// The name of the manufacturer.
    async fn manufacturer(&self) -> Option<&str> {
        self.manufacturer.as_deref()
    }
    /// What it is used as.
    async fn role(&self) -> ProductRole {
        self.role
    }
    /// Approval for use within the skin.
    async fn intradermal_use(&self) -> IntradermalUse {
        self.intradermal_use
    }
    /// Strength, such as `lidocaine 5 %`.
    async fn strength(&self) -> Option<&str> {
        self.strength.as_deref()
    }
    /// Whether it is in use.
    async fn active(&self) -> bool {
        self.active
    }
    /// Remarks.
    async fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
    /// Its lots, by number unless asked otherwise.
    #[allow(clippy::too_many_arguments)]
    async fn lots(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<LotFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<LotOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Result<Connection<ProductLot>> {
        let condition = filter.unwrap_or_default().read();
        let window = PageArguments { first, after, last, before };
        listing::under(ctx, ("product_id", self.id), condition, order_by, window).await
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

plain!(Product: id, name, manufacturer, role, intradermal_use, strength, active, note);

/// A lot of a product.
#[Object]
impl ProductLot {
    /// Typed id, `lot_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::ProductLot, self.id)
    }
    /// The product it is a lot of.
    async fn product(&self, ctx: &Context<'_>) -> Result<Product> {
        listing::required(ctx, self.product_id).await
    }
    /// Its number, unique for the product.
    async fn lot(&self) -> &str {
        &self.lot
    }
    /// The last day on which it may be used.
    async fn expires_on(&self) -> Option<Date> {
        self.expires_on.map(Date)
    }
    /// The day it was received.
    async fn received_on(&self) -> Option<Date> {
        self.received_on.map(Date)
    }
    /// The recall by its manufacturer, if there was one.
    async fn recalled(&self) -> Option<&MakerRecall> {
        self.recalled.as_ref()
    }
    /// Remarks.
    async fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

plain!(ProductLot: id, lot, expires_on, received_on, note);

/// The queries of this module.
#[derive(Default)]
pub struct CatalogueQuery;

#[Object]
impl CatalogueQuery {
    /// A device; null with NOT_FOUND if there is none with this id.
    async fn device(&self, ctx: &Context<'_>, #[graphql(desc = "`device_…`")] id: ID) -> Option<Result<Device>> {
        listing::root_one(ctx, &id).await
    }

    /// Devices, by model unless asked otherwise.
    #[allow(clippy::too_many_arguments)]
    async fn devices(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<DeviceFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<DeviceOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<Device>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }

    /// A product; null with NOT_FOUND if there is none with this id.
    async fn product(&self, ctx: &Context<'_>, #[graphql(desc = "`product_…`")] id: ID) -> Option<Result<Product>> {
        listing::root_one(ctx, &id).await
    }

    /// Products, by name unless asked otherwise.
    #[allow(clippy::too_many_arguments)]
    async fn products(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<ProductFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<ProductOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<Product>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }

    /// A lot; null with NOT_FOUND if there is none with this id.
    async fn product_lot(
        &self, ctx: &Context<'_>, #[graphql(desc = "`lot_…`")] id: ID
    ) -> Option<Result<ProductLot>> {
        listing::root_one(ctx, &id).await
    }

    /// Lots of all products, by number unless asked otherwise.
    #[allow(clippy::too_many_arguments)]
    async fn product_lots(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<LotFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<LotOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<ProductLot>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }
}
