//! Products: what their mutations take, and what they do.

use super::entry::{fresh, taken};
use crate::access::Scope;
use crate::catalogue::Product;
use crate::error;
use crate::ids;
use crate::operation::{Inputs, patched};
use crate::page::{kept, listing};
use crate::record::Stamp;
use crate::vocabulary::{Action, IntradermalUse, ProductRole, RecordKind};
use async_graphql::{ID, InputObject, MaybeUndefined, SimpleObject};
use uuid::Uuid;

/// Adds a product.
#[derive(InputObject)]
pub struct AddProductInput {
    /// An id made by the client, which makes a retry safe: `product_` and a UUIDv7 in 26 characters (see `Node.id`). Absent:
    /// the service makes one.
    pub(super) id: Option<ID>,
    /// Name, unique in the organisation, at most 200 characters.
    pub(super) name: String,
    /// The name of the manufacturer.
    pub(super) manufacturer: Option<String>,
    /// What it is used as.
    pub(super) role: ProductRole,
    /// Approval for use within the skin.
    #[graphql(default_with = "IntradermalUse::Unknown")]
    pub(super) intradermal_use: IntradermalUse,
    /// Strength, such as `lidocaine 5 %`.
    pub(super) strength: Option<String>,
    /// Remarks.
    pub(super) note: Option<String>,
}

/// Changes to a product. An absent field stays as it is; null clears it.
#[derive(InputObject)]
pub struct ProductPatch {
    /// The name of the manufacturer.
    manufacturer: MaybeUndefined<String>,
    /// What it is used as.
    role: Option<ProductRole>,
    /// Approval for use within the skin.
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
    pub(super) id: ID,
    /// The version of the record that you read.
    pub(super) expected_version: i32,
    /// The fields to change.
    pub(super) patch: ProductPatch,
}

/// What mutations of a product return.
#[derive(SimpleObject)]
pub struct ProductPayload {
    /// The product after the change.
    pub(super) product: Product,
}

pub(super) async fn add_product(scope: &mut Scope, mut product: Product) -> error::Result<Product> {
    scope.viewer().check(Action::Create, RecordKind::Product)?;
    product.stamp = Stamp::new(scope.viewer().staff, ids::now());
    fresh::<Product>(scope, product.id).await?;
    taken(kept::add(scope, &product).await, "input.name", "a product of this name")?;
    Ok(product)
}

pub(super) async fn change_product(
    scope: &mut Scope,
    id: Uuid,
    expected: i32,
    patch: ProductPatch,
) -> error::Result<Product> {
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
    kept::save(scope, Action::Update, &after, expected).await?;
    Ok(after)
}
