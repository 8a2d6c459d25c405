//! The SQL of devices, products and lots.

use super::{
    Device, DeviceCondition, DeviceOrder, LotCondition, LotOrder, MakerRecall, Product, ProductCondition, ProductLot,
    ProductOrder,
};
use crate::error::Result;
use crate::page::{listing, stored};
use crate::record::Stamp;
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
