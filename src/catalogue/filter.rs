//! What lists of devices, products and lots can be filtered and sorted by.

use super::{Device, Product, ProductLot};
use crate::db::Sql;
use crate::error::Result;
use crate::page::{self, FilterIds, Key};
use crate::scalars::{Date, DateTime};
use crate::vocabulary::{DeviceKind, ProductRole, RecordKind};
use async_graphql::{ID, InputObject};
use uuid::Uuid;

/// What to keep of a list of devices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, InputObject)]
pub struct DeviceFilter {
    /// Of these kinds.
    pub kind: Option<Vec<DeviceKind>>,
    /// At this location.
    pub location_id: Option<ID>,
    /// In use only, or out of use only.
    pub active: Option<bool>,
    /// Taken back by their maker only, or the others only.
    pub recalled: Option<bool>,
    /// Added or changed at or after this moment.
    pub updated_since: Option<DateTime>,
}

/// A filter of devices with its ids read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct DeviceCondition {
    filter: DeviceFilter,
    location: Option<Uuid>,
}

impl DeviceFilter {
    /// Reads the ids; all faults at once.
    pub fn read(self) -> Result<DeviceCondition> {
        let mut ids = FilterIds::default();
        let location = ids.read("locationId", RecordKind::Location, self.location_id.as_ref());
        ids.finish()?;
        Ok(DeviceCondition { filter: self, location })
    }
}

fn push_recalled<R>(sql: &mut Sql<R>, recalled: Option<bool>) {
    if let Some(recalled) = recalled {
        sql.push(if recalled { " AND recalled_at IS NOT NULL" } else { " AND recalled_at IS NULL" });
    }
}

fn push_active<R>(sql: &mut Sql<R>, active: Option<bool>) {
    if let Some(active) = active {
        sql.push(" AND active = ").push_bind(active);
    }
}

fn push_updated_since<R>(sql: &mut Sql<R>, since: Option<DateTime>) {
    if let Some(since) = since {
        sql.push(" AND updated_at >= ").push_bind(since.0);
    }
}

impl page::Condition for DeviceCondition {
    fn patient(&self) -> Option<Uuid> {
        None
    }

    fn push_to<R>(&self, sql: &mut Sql<R>) {
        let kinds = self.filter.kind.iter().flatten().map(|kind| kind.as_str());
        sql.push_any_of("kind", kinds, self.filter.kind.is_some());
        if let Some(location) = self.location {
            sql.push(" AND location_id = ").push_bind(location);
        }
        push_active(sql, self.filter.active);
        push_recalled(sql, self.filter.recalled);
        push_updated_since(sql, self.filter.updated_since);
    }
}

page::list_order! {
    /// The order of a list of devices.
    DeviceOrder /
    /// What lists of devices can be sorted by.
    DeviceOrderField of Device, id "device.id", first Asc {
        /// Model.
        Model "model" "device.model COLLATE \"C\"" as Key::Text(String::new()) => |it| Key::Text(it.model.clone()),
        /// When they were added.
        CreatedAt "createdAt" "device.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "device.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}

/// What to keep of a list of products.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, InputObject)]
pub struct ProductFilter {
    /// Used as these.
    pub role: Option<Vec<ProductRole>>,
    /// In use only, or out of use only.
    pub active: Option<bool>,
    /// Added or changed at or after this moment.
    pub updated_since: Option<DateTime>,
}

/// A filter of products.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ProductCondition(pub ProductFilter);

impl page::Condition for ProductCondition {
    fn patient(&self) -> Option<Uuid> {
        None
    }

    fn push_to<R>(&self, sql: &mut Sql<R>) {
        let roles = self.0.role.iter().flatten().map(|role| role.as_str());
        sql.push_any_of("role", roles, self.0.role.is_some());
        push_active(sql, self.0.active);
        push_updated_since(sql, self.0.updated_since);
    }
}

page::list_order! {
    /// The order of a list of products.
    ProductOrder /
    /// What lists of products can be sorted by.
    ProductOrderField of Product, id "product.id", first Asc {
        /// Name.
        Name "name" "product.name COLLATE \"C\"" as Key::Text(String::new()) => |it| Key::Text(it.name.clone()),
        /// When they were added.
        CreatedAt "createdAt" "product.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "product.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}

/// What to keep of a list of lots.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, InputObject)]
#[graphql(name = "ProductLotFilter")]
pub struct LotFilter {
    /// Of this product.
    pub product_id: Option<ID>,
    /// With this number, to the letter.
    pub lot: Option<String>,
    /// Whose last day is before this one.
    pub expires_before: Option<Date>,
    /// Taken back by their maker only, or the others only.
    pub recalled: Option<bool>,
    /// Added or changed at or after this moment.
    pub updated_since: Option<DateTime>,
}

/// A filter of lots with its ids read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct LotCondition {
    filter: LotFilter,
    product: Option<Uuid>,
}

impl LotFilter {
    /// Reads the ids; all faults at once.
    pub fn read(self) -> Result<LotCondition> {
        let mut ids = FilterIds::default();
        let product = ids.read("productId", RecordKind::Product, self.product_id.as_ref());
        ids.finish()?;
        Ok(LotCondition { filter: self, product })
    }
}

impl page::Condition for LotCondition {
    fn patient(&self) -> Option<Uuid> {
        None
    }

    fn push_to<R>(&self, sql: &mut Sql<R>) {
        if let Some(product) = self.product {
            sql.push(" AND product_id = ").push_bind(product);
        }
        if let Some(lot) = &self.filter.lot {
            sql.push(" AND lot = ").push_bind(lot.clone());
        }
        if let Some(day) = self.filter.expires_before {
            sql.push(" AND expires_on < ").push_bind(day.0);
        }
        push_recalled(sql, self.filter.recalled);
        push_updated_since(sql, self.filter.updated_since);
    }
}

page::list_order! {
    /// The order of a list of lots.
    #[graphql(name = "ProductLotOrder")]
    LotOrder /
    /// What lists of lots can be sorted by.
    #[graphql(name = "ProductLotOrderField")]
    LotOrderField of ProductLot, id "product_lot.id", first Asc {
        /// Number.
        Lot "lot" "product_lot.lot COLLATE \"C\"" as Key::Text(String::new()) => |it| Key::Text(it.lot.clone()),
        /// When they were added.
        CreatedAt "createdAt" "product_lot.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "product_lot.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}
