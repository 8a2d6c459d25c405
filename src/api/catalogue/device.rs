//! Devices: what their mutations take, and what they do.

use super::entry::{fresh, taken};
use crate::access::Scope;
use crate::catalogue::Device;
use crate::error::{self, Code, Error, Flaw};
use crate::ids;
use crate::operation::{Inputs, patched};
use crate::organisation::store as people;
use crate::page::{kept, listing};
use crate::record::Stamp;
use crate::scalars::Decimal;
use crate::vocabulary::{Action, DeviceKind, RecordKind};
use async_graphql::{ID, InputObject, MaybeUndefined, SimpleObject};
use rust_decimal::Decimal as Number;
use uuid::Uuid;

/// The greatest depth of any device, mm (the body handpieces of RF devices).
const DEEPEST: Number = Number::from_parts(80, 0, 0, false, 1);

/// Adds a device.
#[derive(InputObject)]
pub struct AddDeviceInput {
    /// An id made by the client, which makes a retry safe: `device_` and a UUIDv7 in 26 characters (see `Node.id`). Absent:
    /// the service makes one.
    pub(super) id: Option<ID>,
    /// Model, at most 200 characters.
    pub(super) model: String,
    /// The name of the manufacturer.
    pub(super) manufacturer: Option<String>,
    /// Serial number, unique for its model.
    pub(super) serial: Option<String>,
    /// The kind of device.
    pub(super) kind: DeviceKind,
    /// The least depth it can be set to, mm, 0 to 8.
    pub(super) depth_min_mm: Option<Decimal>,
    /// The greatest depth it can be set to, mm, 0 to 8.
    pub(super) depth_max_mm: Option<Decimal>,
    /// The step between two settings, mm.
    pub(super) depth_step_mm: Option<Decimal>,
    /// The location where it is kept.
    pub(super) location_id: Option<ID>,
    /// Remarks.
    pub(super) note: Option<String>,
}

/// Changes to a device. An absent field stays as it is; null clears it.
#[derive(InputObject)]
pub struct DevicePatch {
    /// The name of the manufacturer.
    manufacturer: MaybeUndefined<String>,
    /// Serial number, unique for its model.
    serial: MaybeUndefined<String>,
    /// The least depth it can be set to, mm, 0 to 8.
    depth_min_mm: MaybeUndefined<Decimal>,
    /// The greatest depth it can be set to, mm, 0 to 8.
    depth_max_mm: MaybeUndefined<Decimal>,
    /// The step between two settings, mm.
    depth_step_mm: MaybeUndefined<Decimal>,
    /// The location where it is kept.
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
    pub(super) id: ID,
    /// The version of the record that you read.
    pub(super) expected_version: i32,
    /// The fields to change.
    pub(super) patch: DevicePatch,
}

/// What mutations of a device return.
#[derive(SimpleObject)]
pub struct DevicePayload {
    /// The device after the change.
    pub(super) device: Device,
}

fn depth(inputs: &mut Inputs, path: &str, depth: Option<Decimal>) -> Option<Number> {
    inputs.decimal(path, depth.map(|depth| depth.0), Number::ZERO, DEEPEST, 2)
}

/// Checks that the depths of a device agree.
fn check_depths(inputs: &mut Inputs, prefix: &str, device: &Device) {
    if device.depth_min_mm.zip(device.depth_max_mm).is_some_and(|(least, most)| least > most) {
        inputs.fault(
            &format!("{prefix}depthMaxMm"),
            Code::WrongOrder.says("is less than depthMinMm").with("other", "depthMinMm"),
        );
    }
    if device.depth_max_mm.is_some_and(|most| most.is_zero()) {
        inputs.fault(
            &format!("{prefix}depthMaxMm"),
            Code::TooSmall.says("must be over 0").with("min", "0").with("unit", "mm"),
        );
    }
    if device.depth_step_mm.is_some_and(|step| step.is_zero()) {
        inputs.fault(
            &format!("{prefix}depthStepMm"),
            Code::TooSmall.says("must be over 0").with("min", "0").with("unit", "mm"),
        );
    }
}

async fn check_location(scope: &mut Scope, location: Option<Uuid>, path: &str) -> error::Result<()> {
    let Some(location) = location else { return Ok(()) };
    match people::locations(scope, &[location]).await?.first() {
        Some(_) => Ok(()),
        None => Err(Error::input(path, Flaw::not_found("location of this organisation"))),
    }
}

impl AddDeviceInput {
    pub(super) fn read(self) -> error::Result<Device> {
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

pub(super) async fn add_device(scope: &mut Scope, mut device: Device) -> error::Result<Device> {
    scope.viewer().check(Action::Create, RecordKind::Device)?;
    device.stamp = Stamp::new(scope.viewer().staff, ids::now());
    check_location(scope, device.location_id, "input.locationId").await?;
    fresh::<Device>(scope, device.id).await?;
    taken(kept::add(scope, &device).await, "input.serial", "this serial number of this model")?;
    Ok(device)
}

pub(super) async fn change_device(
    scope: &mut Scope,
    id: Uuid,
    expected: i32,
    patch: DevicePatch,
) -> error::Result<Device> {
    scope.viewer().check(Action::Update, RecordKind::Device)?;
    let before: Device = listing::one(scope, id).await?;
    error::at_version("device", before.stamp.version, expected)?;
    let mut after = patch.apply(&before)?;
    check_location(scope, after.location_id, "input.patch.locationId").await?;
    after.stamp = before.stamp.changed(scope.viewer().staff, ids::now());
    let saved = kept::save(scope, Action::Update, &after, expected).await;
    taken(saved, "input.patch.serial", "this serial number of this model")?;
    Ok(after)
}
