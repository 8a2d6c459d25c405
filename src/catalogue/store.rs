//! The SQL of devices, products and lots.

use super::{
    Device, DeviceCondition, DeviceOrder, LotCondition, LotOrder, MakerRecall, Product, ProductCondition, ProductLot,
    ProductOrder,
};
use crate::db::tables::{device, product, product_lot};
use crate::error::{Error, Result};
use crate::record::Stamp;
use crate::vocabulary::{DeviceKind, IntradermalUse, ProductRole};
use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use rust_decimal::Decimal;
use uuid::Uuid;

crate::page::listing!(Device, device, DeviceRow, DeviceCondition, DeviceOrder, { "location_id" => |it| it.location_id });
crate::page::listing!(Product, product, ProductRow, ProductCondition, ProductOrder, {});
crate::page::listing!(ProductLot, product_lot, LotRow, LotCondition, LotOrder, { "product_id" => |it| Some(it.product_id) });

/// Adding and changing devices.
pub mod devices {
    crate::page::kept!(super::Device, device, super::DeviceRow);
}

/// Adding and changing products.
pub mod products {
    crate::page::kept!(super::Product, product, super::ProductRow);
}

/// Adding and changing lots.
pub mod lots {
    crate::page::kept!(super::ProductLot, product_lot, super::LotRow);
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = device, treat_none_as_null = true)]
struct DeviceRow {
    org_id: Uuid,
    id: Uuid,
    model: String,
    manufacturer: Option<String>,
    serial: Option<String>,
    kind: DeviceKind,
    depth_min_mm: Option<Decimal>,
    depth_max_mm: Option<Decimal>,
    depth_step_mm: Option<Decimal>,
    location_id: Option<Uuid>,
    active: bool,
    recalled_at: Option<DateTime<Utc>>,
    recall_reason: Option<String>,
    note: Option<String>,
    version: i32,
    created_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_at: DateTime<Utc>,
    updated_by: Option<Uuid>,
}

fn recalled(at: Option<DateTime<Utc>>, reason: Option<String>, reference: Option<String>) -> Option<MakerRecall> {
    at.zip(reason).map(|(at, reason)| MakerRecall { at, reason, reference })
}

impl TryFrom<DeviceRow> for Device {
    type Error = Error;
    fn try_from(row: DeviceRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            model: row.model,
            manufacturer: row.manufacturer,
            serial: row.serial,
            kind: row.kind,
            depth_min_mm: row.depth_min_mm.map(|depth| depth.normalize()),
            depth_max_mm: row.depth_max_mm.map(|depth| depth.normalize()),
            depth_step_mm: row.depth_step_mm.map(|depth| depth.normalize()),
            location_id: row.location_id,
            active: row.active,
            recalled: recalled(row.recalled_at, row.recall_reason, None),
            note: row.note,
            stamp: Stamp {
                version: row.version,
                created_at: row.created_at,
                created_by: row.created_by,
                updated_at: row.updated_at,
                updated_by: row.updated_by,
            },
        })
    }
}

impl DeviceRow {
    fn of(org_id: Uuid, it: &Device) -> Result<Self> {
        Ok(Self {
            org_id,
            id: it.id,
            model: it.model.clone(),
            manufacturer: it.manufacturer.clone(),
            serial: it.serial.clone(),
            kind: it.kind,
            depth_min_mm: it.depth_min_mm,
            depth_max_mm: it.depth_max_mm,
            depth_step_mm: it.depth_step_mm,
            location_id: it.location_id,
            active: it.active,
            recalled_at: it.recalled.as_ref().map(|recall| recall.at),
            recall_reason: it.recalled.as_ref().map(|recall| recall.reason.clone()),
            note: it.note.clone(),
            version: it.stamp.version,
            created_at: it.stamp.created_at,
            created_by: it.stamp.created_by,
            updated_at: it.stamp.updated_at,
            updated_by: it.stamp.updated_by,
        })
    }
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = product, treat_none_as_null = true)]
struct ProductRow {
    org_id: Uuid,
    id: Uuid,
    name: String,
    manufacturer: Option<String>,
    role: ProductRole,
    intradermal_use: IntradermalUse,
    strength: Option<String>,
    active: bool,
    note: Option<String>,
    version: i32,
    created_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_at: DateTime<Utc>,
    updated_by: Option<Uuid>,
}

impl TryFrom<ProductRow> for Product {
    type Error = Error;
    fn try_from(row: ProductRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            name: row.name,
            manufacturer: row.manufacturer,
            role: row.role,
            intradermal_use: row.intradermal_use,
            strength: row.strength,
            active: row.active,
            note: row.note,
            stamp: Stamp {
                version: row.version,
                created_at: row.created_at,
                created_by: row.created_by,
                updated_at: row.updated_at,
                updated_by: row.updated_by,
            },
        })
    }
}

impl ProductRow {
    fn of(org_id: Uuid, it: &Product) -> Result<Self> {
        Ok(Self {
            org_id,
            id: it.id,
            name: it.name.clone(),
            manufacturer: it.manufacturer.clone(),
            role: it.role,
            intradermal_use: it.intradermal_use,
            strength: it.strength.clone(),
            active: it.active,
            note: it.note.clone(),
            version: it.stamp.version,
            created_at: it.stamp.created_at,
            created_by: it.stamp.created_by,
            updated_at: it.stamp.updated_at,
            updated_by: it.stamp.updated_by,
        })
    }
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = product_lot, treat_none_as_null = true)]
struct LotRow {
    org_id: Uuid,
    id: Uuid,
    product_id: Uuid,
    lot: String,
    expires_on: Option<NaiveDate>,
    received_on: Option<NaiveDate>,
    recalled_at: Option<DateTime<Utc>>,
    recall_reason: Option<String>,
    recall_reference: Option<String>,
    note: Option<String>,
    version: i32,
    created_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_at: DateTime<Utc>,
    updated_by: Option<Uuid>,
}

impl TryFrom<LotRow> for ProductLot {
    type Error = Error;
    fn try_from(row: LotRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            product_id: row.product_id,
            lot: row.lot,
            expires_on: row.expires_on,
            received_on: row.received_on,
            recalled: recalled(row.recalled_at, row.recall_reason, row.recall_reference),
            note: row.note,
            stamp: Stamp {
                version: row.version,
                created_at: row.created_at,
                created_by: row.created_by,
                updated_at: row.updated_at,
                updated_by: row.updated_by,
            },
        })
    }
}

impl LotRow {
    fn of(org_id: Uuid, it: &ProductLot) -> Result<Self> {
        Ok(Self {
            org_id,
            id: it.id,
            product_id: it.product_id,
            lot: it.lot.clone(),
            expires_on: it.expires_on,
            received_on: it.received_on,
            recalled_at: it.recalled.as_ref().map(|recall| recall.at),
            recall_reason: it.recalled.as_ref().map(|recall| recall.reason.clone()),
            recall_reference: it.recalled.as_ref().and_then(|recall| recall.reference.clone()),
            note: it.note.clone(),
            version: it.stamp.version,
            created_at: it.stamp.created_at,
            created_by: it.stamp.created_by,
            updated_at: it.stamp.updated_at,
            updated_by: it.stamp.updated_by,
        })
    }
}
