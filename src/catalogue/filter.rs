//! What lists of devices, products and lots can be filtered and sorted by.

use super::{Device, Product, ProductLot};
use crate::db::Sql;
use crate::page::{self, Key};
use crate::scalars::Date;
use crate::vocabulary::{DeviceKind, ProductRole};

page::list_filter! {
    /// Filter for a list of devices.
    DeviceFilter => DeviceCondition {
        /// Of these kinds.
        kind: any_of(DeviceKind) "kind",
        /// At this location.
        location_id: id(Location) "location_id",
        /// True: only those in use. False: only those out of use.
        active: flag "active",
        /// True: only those recalled by the maker. False: only the others.
        recalled: present "recalled_at",
        /// Added or changed at or after this moment.
        updated_since: from "updated_at",
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

page::list_filter! {
    /// Filter for a list of products.
    ProductFilter => ProductCondition {
        /// With one of these roles.
        role: any_of(ProductRole) "role",
        /// True: only those in use. False: only those out of use.
        active: flag "active",
        /// Added or changed at or after this moment.
        updated_since: from "updated_at",
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

page::list_filter! {
    /// Filter for a list of lots.
    #[graphql(name = "ProductLotFilter")]
    LotFilter => LotCondition {
        /// Of this product.
        product_id: id(Product) "product_id",
        /// With exactly this number.
        lot: text "lot",
        /// Whose last day of use is before this day.
        expires_before: before_day "expires_on",
        /// True: only those recalled by the maker. False: only the others.
        recalled: present "recalled_at",
        /// Still good on this day: not recalled by the maker, and not past the last day of use (which is a day to use it).
        /// A lot whose last day nobody entered counts as good.
        usable_on: other(Date) "expires_on",
        /// Added or changed at or after this moment.
        updated_since: from "updated_at",
    }
    also: push_usable;
}

/// Neither recalled nor `ProductLot::is_expired_on` the day, in SQL.
fn push_usable<R>(filter: &LotFilter, sql: &mut Sql<R>) {
    if let Some(Date(day)) = filter.usable_on {
        sql.push(" AND recalled_at IS NULL AND (expires_on IS NULL OR expires_on >= ").push_bind(day).push(")");
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
