//! The SQL of devices, products and lots.

use super::{
    Device, DeviceCondition, DeviceOrder, LotCondition, LotOrder, MakerRecall, Product, ProductCondition, ProductLot,
    ProductOrder,
};
use crate::access::Scope;
use crate::db::Sql;
use crate::error::Result;
use crate::page::{Stored, listing, stored};
use crate::record::Stamp;
use crate::vocabulary::RecordKind;
use chrono::{DateTime, Utc};

stored! {
    Device = device;
    always: model, kind, location_id, active;
    asked: manufacturer, serial, note;
    decimal: depth_min_mm, depth_max_mm, depth_step_mm;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
    asked_parts {
        recalled(recalled_at, recall_reason) = device_recall, device_recall_columns;
    }
}
listing!(Device, DeviceCondition, DeviceOrder, { "location_id" => |it| it.location_id });
stored! {
    Product = product;
    always: name, role, intradermal_use, active;
    asked: manufacturer, strength, note;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
}
listing!(Product, ProductCondition, ProductOrder, {});
stored! {
    ProductLot = product_lot;
    always: product_id, lot;
    asked: expires_on, received_on, note;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
    asked_parts {
        recalled(recalled_at, recall_reason, recall_reference) = lot_recall, lot_recall_columns;
    }
}
listing!(ProductLot, LotCondition, LotOrder, { "product_id" => |it| Some(it.product_id) });

fn device_recall(at: Option<DateTime<Utc>>, reason: Option<String>) -> Result<Option<MakerRecall>> {
    lot_recall(at, reason, None)
}

fn device_recall_columns(recall: &Option<MakerRecall>) -> Result<(Option<DateTime<Utc>>, Option<String>)> {
    lot_recall_columns(recall).map(|(at, reason, _)| (at, reason))
}

fn lot_recall(
    at: Option<DateTime<Utc>>,
    reason: Option<String>,
    reference: Option<String>,
) -> Result<Option<MakerRecall>> {
    Ok(at.zip(reason).map(|(at, reason)| MakerRecall { at, reason, reference }))
}

type RecallColumns = (Option<DateTime<Utc>>, Option<String>, Option<String>);

fn lot_recall_columns(recall: &Option<MakerRecall>) -> Result<RecallColumns> {
    let recall = recall.as_ref();
    Ok((recall.map(|it| it.at), recall.map(|it| it.reason.clone()), recall.and_then(|it| it.reference.clone())))
}

/// What the catalogue has by name: the lots with one of these numbers, and the products of those lots or with one of these
/// names. Names and numbers are compared as `plain` gives them.
pub async fn named(
    scope: &mut Scope,
    names: Vec<String>,
    numbers: Vec<String>,
) -> Result<(Vec<Product>, Vec<ProductLot>)> {
    let lots: Vec<ProductLot> = if numbers.is_empty() {
        Vec::new()
    } else {
        let door = scope.read(RecordKind::ProductLot)?;
        let columns = ProductLot::all_columns();
        let mut sql = Sql::new(format!("SELECT {columns} FROM product_lot WHERE org_id = ")).bind(door.org);
        sql.push(" AND lower(regexp_replace(lot, '[^a-zA-Z0-9]', '', 'g')) = ANY (").push_bind(numbers).push(")");
        listing::load(sql, door.connection).await?
    };
    let door = scope.read(RecordKind::Product)?;
    let columns = Product::all_columns();
    let mut sql = Sql::new(format!("SELECT {columns} FROM product WHERE org_id = ")).bind(door.org);
    sql.push(" AND (id = ANY (").push_bind(lots.iter().map(|it| it.product_id).collect::<Vec<_>>());
    sql.push(") OR lower(regexp_replace(name, '[^a-zA-Z0-9]', '', 'g')) = ANY (").push_bind(names).push("))");
    let products: Vec<Product> = listing::load(sql, door.connection).await?;
    Ok((products, lots))
}
