//! Adding, changing and recalling devices, products and lots.

use crate::access::Scope;
use crate::catalogue::{Device, MakerRecall, Product, ProductLot, store};
use crate::error::{self, Error, Faults};
use crate::ids;
use crate::operation::{Inputs, Running, patched, transaction};
use crate::organisation::store as people;
use crate::page::{Listing, listing};
use crate::record::Stamp;
use crate::scalars::{Date, DateTime, Decimal};
use crate::vocabulary::{Action, DeviceKind, IntradermalUse, ProductRole, RecordKind};
use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use rust_decimal::Decimal as Number;
use uuid::Uuid;

/// The deepest any device reaches, mm (the body handpieces of RF devices).
const DEEPEST: Number = Number::from_parts(80, 0, 0, false, 1);

/// Adds a device.
#[derive(InputObject)]
pub struct AddDeviceInput {
    /// An id the client made (`device_…` of a UUIDv7): makes a retry safe.
    id: Option<ID>,
    /// Model, at most 200 characters.
    model: String,
    /// Manufacturer.
    manufacturer: Option<String>,
    /// Serial number, unique for its model.
    serial: Option<String>,
    /// Its kind.
    kind: DeviceKind,
    /// The shallowest depth it can be set to, mm, 0 to 8.
    depth_min_mm: Option<Decimal>,
    /// The deepest, mm, 0 to 8.
    depth_max_mm: Option<Decimal>,
    /// The step between two settings, mm.
    depth_step_mm: Option<Decimal>,
    /// Where it stands.
    location_id: Option<ID>,
    /// Remarks.
    note: Option<String>,
}

/// Changes to a device. An absent field stays, null clears.
#[derive(InputObject)]
pub struct DevicePatch {
    /// Manufacturer.
    manufacturer: MaybeUndefined<String>,
    /// Serial number, unique for its model.
    serial: MaybeUndefined<String>,
    /// The shallowest depth it can be set to, mm, 0 to 8.
    depth_min_mm: MaybeUndefined<Decimal>,
    /// The deepest, mm, 0 to 8.
    depth_max_mm: MaybeUndefined<Decimal>,
    /// The step between two settings, mm.
    depth_step_mm: MaybeUndefined<Decimal>,
    /// Where it stands.
    location_id: MaybeUndefined<ID>,
    /// Whether it is in use.
    active: Option<bool>,
    /// Remarks.
    note: MaybeUndefined<String>,
}

/// Changes a device.
#[derive(InputObject)]
pub struct UpdateDeviceInput {
    /// `device_…`
    id: ID,
    /// The version that was read.
    expected_version: i32,
    /// The changes.
    patch: DevicePatch,
}

/// Adds a product.
#[derive(InputObject)]
pub struct AddProductInput {
    /// An id the client made (`product_…` of a UUIDv7): makes a retry safe.
    id: Option<ID>,
    /// Name, unique in the organisation, at most 200 characters.
    name: String,
    /// Manufacturer.
    manufacturer: Option<String>,
    /// What it is used as.
    role: ProductRole,
    /// Whether it is approved for use in the skin.
    #[graphql(default_with = "IntradermalUse::Unknown")]
    intradermal_use: IntradermalUse,
    /// Strength, such as `lidocaine 5 %`.
    strength: Option<String>,
    /// Remarks.
    note: Option<String>,
}

/// Changes to a product. An absent field stays, null clears.
#[derive(InputObject)]
pub struct ProductPatch {
    /// Manufacturer.
    manufacturer: MaybeUndefined<String>,
    /// What it is used as.
    role: Option<ProductRole>,
    /// Whether it is approved for use in the skin.
    intradermal_use: Option<IntradermalUse>,
    /// Strength, such as `lidocaine 5 %`.
    strength: MaybeUndefined<String>,
    /// Whether it is in use.
    active: Option<bool>,
    /// Remarks.
    note: MaybeUndefined<String>,
}

/// Changes a product.
#[derive(InputObject)]
pub struct UpdateProductInput {
    /// `product_…`
    id: ID,
    /// The version that was read.
    expected_version: i32,
    /// The changes.
    patch: ProductPatch,
}

/// Adds a lot of a product.
#[derive(InputObject)]
pub struct AddProductLotInput {
    /// An id the client made (`lot_…` of a UUIDv7): makes a retry safe.
    id: Option<ID>,
    /// `product_…`
    product_id: ID,
    /// Its number, unique for the product, at most 100 characters.
    lot: String,
    /// The last day it may be used.
    expires_on: Option<Date>,
    /// When it came.
    received_on: Option<Date>,
    /// Remarks.
    note: Option<String>,
}

/// Changes to a lot. An absent field stays, null clears.
#[derive(InputObject)]
pub struct ProductLotPatch {
    /// The last day it may be used.
    expires_on: MaybeUndefined<Date>,
    /// When it came.
    received_on: MaybeUndefined<Date>,
    /// Remarks.
    note: MaybeUndefined<String>,
}

/// Changes a lot.
#[derive(InputObject)]
pub struct UpdateProductLotInput {
    /// `lot_…`
    id: ID,
    /// The version that was read.
    expected_version: i32,
    /// The changes.
    patch: ProductLotPatch,
}

/// Notes that a maker or an authority takes a device or a lot back: a session with it is warned of, or blocked if its protocol says so.
#[derive(InputObject)]
pub struct NoteMakerRecallInput {
    /// `device_…` or `lot_…`
    id: ID,
    /// The version that was read.
    expected_version: i32,
    /// Why, at most 2,000 characters.
    reason: String,
    /// The number of the notice; for a lot.
    reference: Option<String>,
    /// When the clinic heard of it; now when absent.
    at: Option<DateTime>,
}

/// The device.
#[derive(SimpleObject)]
pub struct DevicePayload {
    /// It.
    device: Device,
}

/// The product.
#[derive(SimpleObject)]
pub struct ProductPayload {
    /// It.
    product: Product,
}

/// The lot.
#[derive(SimpleObject)]
pub struct ProductLotPayload {
    /// It.
    product_lot: ProductLot,
}

fn depth(inputs: &mut Inputs, path: &str, depth: Option<Decimal>) -> Option<Number> {
    inputs.decimal(path, depth.map(|depth| depth.0), Number::ZERO, DEEPEST, 2)
}

/// Checks what the depths of a device say together.
fn check_depths(inputs: &mut Inputs, prefix: &str, device: &Device) {
    if device.depth_min_mm.zip(device.depth_max_mm).is_some_and(|(least, most)| least > most) {
        inputs.fault(&format!("{prefix}depthMaxMm"), "is less than depthMinMm");
    }
    if device.depth_max_mm.is_some_and(|most| most.is_zero()) {
        inputs.fault(&format!("{prefix}depthMaxMm"), "must be over 0");
    }
    if device.depth_step_mm.is_some_and(|step| step.is_zero()) {
        inputs.fault(&format!("{prefix}depthStepMm"), "must be over 0");
    }
}

async fn check_location(scope: &mut Scope, location: Option<Uuid>, path: &str) -> error::Result<()> {
    let Some(location) = location else { return Ok(()) };
    match people::locations(scope, &[location]).await?.first() {
        Some(_) => Ok(()),
        None => Err(Error::input(path, "is not a location of this organisation")),
    }
}

impl AddDeviceInput {
    fn read(self) -> error::Result<Device> {
        let mut inputs = Inputs::new();
        let device = Device {
            id: inputs.new_id(RecordKind::Device, self.id.as_ref()),
            model: inputs.text("model", &self.model, 200),
            manufacturer: inputs.opt_text("manufacturer", self.manufacturer.as_deref(), 200),
            serial: inputs.opt_text("serial", self.serial.as_deref(), 100),
            kind: self.kind,
            depth_min_mm: depth(&mut inputs, "depthMinMm", self.depth_min_mm),
            depth_max_mm: depth(&mut inputs, "depthMaxMm", self.depth_max_mm),
            depth_step_mm: depth(&mut inputs, "depthStepMm", self.depth_step_mm),
            location_id: inputs.opt_id("locationId", RecordKind::Location, self.location_id.as_ref()),
            active: true,
            recalled: None,
            note: inputs.opt_text("note", self.note.as_deref(), 2000),
            stamp: Stamp::new(None, ids::now()),
        };
        check_depths(&mut inputs, "", &device);
        inputs.finish()?;
        Ok(device)
    }
}

impl DevicePatch {
    fn apply(self, before: &Device) -> error::Result<Device> {
        let mut inputs = Inputs::new();
        let mut mm = |path: &str, patch: MaybeUndefined<Decimal>, before: Option<Number>| {
            let patch = inputs.patch(path, patch, |inputs, path, value| depth(inputs, path, Some(value)));
            patched(patch, before)
        };
        let depth_min_mm = mm("patch.depthMinMm", self.depth_min_mm, before.depth_min_mm);
        let depth_max_mm = mm("patch.depthMaxMm", self.depth_max_mm, before.depth_max_mm);
        let depth_step_mm = mm("patch.depthStepMm", self.depth_step_mm, before.depth_step_mm);
        let location = inputs.patch("patch.locationId", self.location_id, |inputs, path, id| {
            Some(inputs.id(path, RecordKind::Location, &id))
        });
        let after = Device {
            manufacturer: patched(
                inputs.patch_text("patch.manufacturer", self.manufacturer, 200),
                before.manufacturer.clone(),
            ),
            serial: patched(inputs.patch_text("patch.serial", self.serial, 100), before.serial.clone()),
            depth_min_mm,
            depth_max_mm,
            depth_step_mm,
            location_id: patched(location, before.location_id),
            active: self.active.unwrap_or(before.active),
            note: patched(inputs.patch_text("patch.note", self.note, 2000), before.note.clone()),
            ..before.clone()
        };
        check_depths(&mut inputs, "patch.", &after);
        inputs.finish()?;
        Ok(after)
    }
}

/// A clash of names as the fault of a field.
fn taken<T>(outcome: error::Result<T>, path: &str, what: &str) -> error::Result<T> {
    outcome.map_err(|error| match error {
        Error::Conflict { current_version: None, .. } => {
            Error::input(path, format!("{what} is in the catalogue already"))
        }
        other => other,
    })
}

/// Checks that the id a client made is not in use, so that a clash of names is known from a clash of ids.
async fn fresh<T: Listing>(scope: &mut Scope, id: Uuid) -> error::Result<()> {
    if listing::by_ids::<T>(scope, &[id]).await?.is_empty() {
        return Ok(());
    }
    Err(Error::Conflict { message: "a record with this id exists already".to_owned(), current_version: None })
}

async fn add_device(scope: &mut Scope, mut device: Device) -> error::Result<Device> {
    scope.viewer().check(Action::Create, RecordKind::Device)?;
    device.stamp = Stamp::new(scope.viewer().staff, ids::now());
    check_location(scope, device.location_id, "input.locationId").await?;
    fresh::<Device>(scope, device.id).await?;
    taken(store::devices::add(scope, &device).await, "input.serial", "this serial number of this model")?;
    Ok(device)
}

async fn change_device(scope: &mut Scope, id: Uuid, expected: i32, patch: DevicePatch) -> error::Result<Device> {
    scope.viewer().check(Action::Update, RecordKind::Device)?;
    let before: Device = listing::one(scope, id).await?;
    error::at_version("device", before.stamp.version, expected)?;
    let mut after = patch.apply(&before)?;
    check_location(scope, after.location_id, "input.patch.locationId").await?;
    after.stamp = before.stamp.changed(scope.viewer().staff, ids::now());
    let saved = store::devices::save(scope, Action::Update, &after, expected).await;
    taken(saved, "input.patch.serial", "this serial number of this model")?;
    Ok(after)
}

async fn add_product(scope: &mut Scope, mut product: Product) -> error::Result<Product> {
    scope.viewer().check(Action::Create, RecordKind::Product)?;
    product.stamp = Stamp::new(scope.viewer().staff, ids::now());
    fresh::<Product>(scope, product.id).await?;
    taken(store::products::add(scope, &product).await, "input.name", "a product of this name")?;
    Ok(product)
}

async fn change_product(scope: &mut Scope, id: Uuid, expected: i32, patch: ProductPatch) -> error::Result<Product> {
    scope.viewer().check(Action::Update, RecordKind::Product)?;
    let before: Product = listing::one(scope, id).await?;
    error::at_version("product", before.stamp.version, expected)?;
    let mut inputs = Inputs::new();
    let after = Product {
        manufacturer: patched(
            inputs.patch_text("patch.manufacturer", patch.manufacturer, 200),
            before.manufacturer.clone(),
        ),
        role: patch.role.unwrap_or(before.role),
        intradermal_use: patch.intradermal_use.unwrap_or(before.intradermal_use),
        strength: patched(inputs.patch_text("patch.strength", patch.strength, 100), before.strength.clone()),
        active: patch.active.unwrap_or(before.active),
        note: patched(inputs.patch_text("patch.note", patch.note, 2000), before.note.clone()),
        stamp: before.stamp.changed(scope.viewer().staff, ids::now()),
        ..before.clone()
    };
    inputs.finish()?;
    store::products::save(scope, Action::Update, &after, expected).await?;
    Ok(after)
}

async fn add_lot(scope: &mut Scope, mut lot: ProductLot) -> error::Result<ProductLot> {
    scope.viewer().check(Action::Create, RecordKind::ProductLot)?;
    lot.stamp = Stamp::new(scope.viewer().staff, ids::now());
    if listing::by_ids::<Product>(scope, &[lot.product_id]).await?.is_empty() {
        return Err(Error::input("input.productId", "is not a product of this organisation"));
    }
    fresh::<ProductLot>(scope, lot.id).await?;
    taken(store::lots::add(scope, &lot).await, "input.lot", "this lot of this product")?;
    Ok(lot)
}

async fn change_lot(scope: &mut Scope, id: Uuid, expected: i32, patch: ProductLotPatch) -> error::Result<ProductLot> {
    scope.viewer().check(Action::Update, RecordKind::ProductLot)?;
    let before: ProductLot = listing::one(scope, id).await?;
    error::at_version("product lot", before.stamp.version, expected)?;
    let mut inputs = Inputs::new();
    let after = ProductLot {
        expires_on: patched(patch.expires_on.map_value(|day| day.0), before.expires_on),
        received_on: patched(patch.received_on.map_value(|day| day.0), before.received_on),
        note: patched(inputs.patch_text("patch.note", patch.note, 2000), before.note.clone()),
        stamp: before.stamp.changed(scope.viewer().staff, ids::now()),
        ..before.clone()
    };
    inputs.finish()?;
    store::lots::save(scope, Action::Update, &after, expected).await?;
    Ok(after)
}

/// What a recall says, as it was read.
fn read_recall(input: &NoteMakerRecallInput, kind: RecordKind) -> error::Result<(Uuid, MakerRecall)> {
    let mut inputs = Inputs::new();
    let id = inputs.id("id", kind, &input.id);
    let recall = MakerRecall {
        at: input.at.map_or_else(ids::now, |at| inputs.past_time("at", at.0)),
        reason: inputs.text("reason", &input.reason, 2000),
        reference: inputs.opt_text("reference", input.reference.as_deref(), 100),
    };
    if kind == RecordKind::Device && recall.reference.is_some() {
        inputs.fault("reference", "goes with a lot: write it into the reason");
    }
    inputs.finish()?;
    Ok((id, recall))
}

fn not_twice(recalled: Option<&MakerRecall>) -> error::Result<()> {
    let mut faults = Faults::default();
    if recalled.is_some() {
        faults.add("input.id", "is recalled already");
    }
    faults.into_result()
}

async fn recall_device(scope: &mut Scope, id: Uuid, expected: i32, recall: MakerRecall) -> error::Result<Device> {
    scope.viewer().check(Action::Update, RecordKind::Device)?;
    let mut device: Device = listing::one(scope, id).await?;
    error::at_version("device", device.stamp.version, expected)?;
    not_twice(device.recalled.as_ref())?;
    device.recalled = Some(recall);
    device.stamp = device.stamp.changed(scope.viewer().staff, ids::now());
    store::devices::save(scope, Action::Update, &device, expected).await?;
    Ok(device)
}

async fn recall_lot(scope: &mut Scope, id: Uuid, expected: i32, recall: MakerRecall) -> error::Result<ProductLot> {
    scope.viewer().check(Action::Update, RecordKind::ProductLot)?;
    let mut lot: ProductLot = listing::one(scope, id).await?;
    error::at_version("product lot", lot.stamp.version, expected)?;
    not_twice(lot.recalled.as_ref())?;
    lot.recalled = Some(recall);
    lot.stamp = lot.stamp.changed(scope.viewer().staff, ids::now());
    store::lots::save(scope, Action::Update, &lot, expected).await?;
    Ok(lot)
}

fn read_id(kind: RecordKind, id: &ID) -> error::Result<Uuid> {
    let mut inputs = Inputs::new();
    let id = inputs.id("id", kind, id);
    inputs.finish()?;
    Ok(id)
}

/// The mutations of this slice.
#[derive(Default)]
pub struct CatalogueMutation;

#[Object]
impl CatalogueMutation {
    /// Adds a device to the catalogue.
    async fn add_device(&self, ctx: &Context<'_>, input: AddDeviceInput) -> Result<DevicePayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let device = input.read()?;
        let work = transaction(move |scope| Box::pin(add_device(scope, device)));
        Ok(DevicePayload { device: operation.mutate(retry, work).await? })
    }

    /// Changes a device.
    async fn update_device(&self, ctx: &Context<'_>, input: UpdateDeviceInput) -> Result<DevicePayload> {
        let id = read_id(RecordKind::Device, &input.id)?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(change_device(scope, id, input.expected_version, input.patch)));
        Ok(DevicePayload { device: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Notes that the maker or an authority takes a device back.
    async fn note_device_recall(&self, ctx: &Context<'_>, input: NoteMakerRecallInput) -> Result<DevicePayload> {
        let (id, recall) = read_recall(&input, RecordKind::Device)?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(recall_device(scope, id, input.expected_version, recall)));
        Ok(DevicePayload { device: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Adds a product to the catalogue.
    async fn add_product(&self, ctx: &Context<'_>, input: AddProductInput) -> Result<ProductPayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let mut inputs = Inputs::new();
        let product = Product {
            id: inputs.new_id(RecordKind::Product, input.id.as_ref()),
            name: inputs.text("name", &input.name, 200),
            manufacturer: inputs.opt_text("manufacturer", input.manufacturer.as_deref(), 200),
            role: input.role,
            intradermal_use: input.intradermal_use,
            strength: inputs.opt_text("strength", input.strength.as_deref(), 100),
            active: true,
            note: inputs.opt_text("note", input.note.as_deref(), 2000),
            stamp: Stamp::new(None, ids::now()),
        };
        inputs.finish()?;
        let work = transaction(move |scope| Box::pin(add_product(scope, product)));
        Ok(ProductPayload { product: operation.mutate(retry, work).await? })
    }

    /// Changes a product.
    async fn update_product(&self, ctx: &Context<'_>, input: UpdateProductInput) -> Result<ProductPayload> {
        let id = read_id(RecordKind::Product, &input.id)?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(change_product(scope, id, input.expected_version, input.patch)));
        Ok(ProductPayload { product: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Adds a lot of a product.
    async fn add_product_lot(&self, ctx: &Context<'_>, input: AddProductLotInput) -> Result<ProductLotPayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let mut inputs = Inputs::new();
        let lot = ProductLot {
            id: inputs.new_id(RecordKind::ProductLot, input.id.as_ref()),
            product_id: inputs.id("productId", RecordKind::Product, &input.product_id),
            lot: inputs.text("lot", &input.lot, 100),
            expires_on: input.expires_on.map(|day| day.0),
            received_on: input.received_on.map(|day| day.0),
            recalled: None,
            note: inputs.opt_text("note", input.note.as_deref(), 2000),
            stamp: Stamp::new(None, ids::now()),
        };
        inputs.finish()?;
        let work = transaction(move |scope| Box::pin(add_lot(scope, lot)));
        Ok(ProductLotPayload { product_lot: operation.mutate(retry, work).await? })
    }

    /// Changes a lot.
    async fn update_product_lot(&self, ctx: &Context<'_>, input: UpdateProductLotInput) -> Result<ProductLotPayload> {
        let id = read_id(RecordKind::ProductLot, &input.id)?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(change_lot(scope, id, input.expected_version, input.patch)));
        Ok(ProductLotPayload { product_lot: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Notes that the maker or an authority takes a lot back. `lotTrace` finds the sessions and patients it touched.
    async fn note_lot_recall(&self, ctx: &Context<'_>, input: NoteMakerRecallInput) -> Result<ProductLotPayload> {
        let (id, recall) = read_recall(&input, RecordKind::ProductLot)?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(recall_lot(scope, id, input.expected_version, recall)));
        Ok(ProductLotPayload { product_lot: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }
}
