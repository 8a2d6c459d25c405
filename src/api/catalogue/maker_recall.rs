//! Recalls by a maker or an authority, of devices and of lots.

use crate::access::Scope;
use crate::catalogue::{Device, MakerRecall, ProductLot};
use crate::error::{self, Code, Faults};
use crate::ids;
use crate::operation::Inputs;
use crate::page::{kept, listing};
use crate::scalars::DateTime;
use crate::vocabulary::{Action, RecordKind};
use async_graphql::{ID, InputObject};
use uuid::Uuid;

/// Records that a manufacturer or an authority recalls a device or a lot. A session that uses it gets a warning, or is
/// blocked if its protocol says so.
#[derive(InputObject)]
pub struct NoteMakerRecallInput {
    /// `device_…` or `lot_…`
    pub(super) id: ID,
    /// The version of the record that you read.
    pub(super) expected_version: i32,
    /// The reason, at most 2,000 characters.
    pub(super) reason: String,
    /// The number of the notice; for a lot.
    pub(super) reference: Option<String>,
    /// When the clinic heard of it; now when absent.
    pub(super) at: Option<DateTime>,
}

/// The recall as read from the input.
pub(super) fn read_recall(input: &NoteMakerRecallInput, kind: RecordKind) -> error::Result<(Uuid, MakerRecall)> {
    let mut inputs = Inputs::new();
    let id = inputs.id("id", kind, &input.id);
    let recall = MakerRecall {
        at: input.at.map_or_else(ids::now, |at| inputs.past_time("at", at.0)),
        reason: inputs.text("reason", &input.reason, 2000),
        reference: inputs.opt_text("reference", input.reference.as_deref(), 100),
    };
    if kind == RecordKind::Device && recall.reference.is_some() {
        inputs.fault("reference", Code::NotApplicable.says("may only be sent for a lot: write it into the reason"));
    }
    inputs.finish()?;
    Ok((id, recall))
}

fn not_twice(recalled: Option<&MakerRecall>) -> error::Result<()> {
    let mut faults = Faults::default();
    if recalled.is_some() {
        faults.add("input.id", Code::Done.says("is recalled already"));
    }
    faults.into_result()
}

pub(super) async fn recall_device(
    scope: &mut Scope,
    id: Uuid,
    expected: i32,
    recall: MakerRecall,
) -> error::Result<Device> {
    scope.viewer().check(Action::Update, RecordKind::Device)?;
    let mut device: Device = listing::one(scope, id).await?;
    error::at_version("device", device.stamp.version, expected)?;
    not_twice(device.recalled.as_ref())?;
    device.recalled = Some(recall);
    device.stamp = device.stamp.changed(scope.viewer().staff, ids::now());
    kept::save(scope, Action::Update, &device, expected).await?;
    Ok(device)
}

pub(super) async fn recall_lot(
    scope: &mut Scope,
    id: Uuid,
    expected: i32,
    recall: MakerRecall,
) -> error::Result<ProductLot> {
    scope.viewer().check(Action::Update, RecordKind::ProductLot)?;
    let mut lot: ProductLot = listing::one(scope, id).await?;
    error::at_version("product lot", lot.stamp.version, expected)?;
    not_twice(lot.recalled.as_ref())?;
    lot.recalled = Some(recall);
    lot.stamp = lot.stamp.changed(scope.viewer().staff, ids::now());
    kept::save(scope, Action::Update, &lot, expected).await?;
    Ok(lot)
}
