//! The mutations of the catalogue: adding, changing and recalling devices, products and lots.

use super::device::{AddDeviceInput, DevicePayload, UpdateDeviceInput, add_device, change_device};
use super::entry::read_id;
use super::lot::{AddProductLotInput, ProductLotPayload, UpdateProductLotInput, add_lot, change_lot};
use super::maker_recall::{NoteMakerRecallInput, read_recall, recall_device, recall_lot};
use super::product::{AddProductInput, ProductPayload, UpdateProductInput, add_product, change_product};
use crate::catalogue::{Product, ProductLot};
use crate::ids;
use crate::operation::{Inputs, Running, transaction};
use crate::record::Stamp;
use crate::vocabulary::RecordKind;
use async_graphql::{Context, Object, Result};

/// The mutations of this module.
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

    /// Records that the manufacturer or an authority recalls a device.
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

    /// Records that the manufacturer or an authority recalls a lot. `lotTrace` finds the sessions and patients
    /// affected.
    async fn note_lot_recall(&self, ctx: &Context<'_>, input: NoteMakerRecallInput) -> Result<ProductLotPayload> {
        let (id, recall) = read_recall(&input, RecordKind::ProductLot)?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(recall_lot(scope, id, input.expected_version, recall)));
        Ok(ProductLotPayload { product_lot: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }
}
