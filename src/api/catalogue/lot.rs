//! Lots of products: what their mutations take, and what they do.

use super::entry::{fresh, taken};
use crate::access::Scope;
use crate::catalogue::{Product, ProductLot};
use crate::error::{self, Error, Flaw};
use crate::ids;
use crate::operation::{Inputs, patched};
use crate::page::{kept, listing};
use crate::record::Stamp;
use crate::scalars::Date;
use crate::vocabulary::{Action, RecordKind};
use async_graphql::{ID, InputObject, MaybeUndefined, SimpleObject};
use uuid::Uuid;

/// Adds a lot of a product.
#[derive(InputObject)]
pub struct AddProductLotInput {
    /// An id made by the client, which makes a retry safe: `lot_` and a UUIDv7 in 26 characters (see `Node.id`). Absent: the
    /// service makes one.
    pub(super) id: Option<ID>,
    /// `product_…`
    pub(super) product_id: ID,
    /// Its number, unique for the product, at most 100 characters.
    pub(super) lot: String,
    /// The last day on which it may be used.
    pub(super) expires_on: Option<Date>,
    /// The day it was received.
    pub(super) received_on: Option<Date>,
    /// Remarks.
    pub(super) note: Option<String>,
}

/// Changes to a lot. An absent field stays as it is; null clears it.
#[derive(InputObject)]
pub struct ProductLotPatch {
    /// The last day on which it may be used.
    expires_on: MaybeUndefined<Date>,
    /// The day it was received.
    received_on: MaybeUndefined<Date>,
    /// Remarks.
    note: MaybeUndefined<String>,
}

/// Changes a lot.
#[derive(InputObject)]
pub struct UpdateProductLotInput {
    /// `lot_…`
    pub(super) id: ID,
    /// The version of the record that you read.
    pub(super) expected_version: i32,
    /// The fields to change.
    pub(super) patch: ProductLotPatch,
}

/// What mutations of a lot return.
#[derive(SimpleObject)]
pub struct ProductLotPayload {
    /// The lot after the change.
    pub(super) product_lot: ProductLot,
}

pub(super) async fn add_lot(scope: &mut Scope, mut lot: ProductLot) -> error::Result<ProductLot> {
    scope.viewer().check(Action::Create, RecordKind::ProductLot)?;
    lot.stamp = Stamp::new(scope.viewer().staff, ids::now());
    if listing::by_ids::<Product>(scope, &[lot.product_id]).await?.is_empty() {
        return Err(Error::input("input.productId", Flaw::not_found("product of this organisation")));
    }
    fresh::<ProductLot>(scope, lot.id).await?;
    taken(kept::add(scope, &lot).await, "input.lot", "this lot of this product")?;
    Ok(lot)
}

pub(super) async fn change_lot(
    scope: &mut Scope,
    id: Uuid,
    expected: i32,
    patch: ProductLotPatch,
) -> error::Result<ProductLot> {
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
    kept::save(scope, Action::Update, &after, expected).await?;
    Ok(after)
}
