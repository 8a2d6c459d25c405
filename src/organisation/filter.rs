//! What lists of locations and staff can be sorted by.

use super::{Location, Staff};
use crate::db::Sql;
use crate::page::{Condition, Direction, Key, ListOrder, Order};
use crate::record::Stamp;
use crate::vocabulary::StaffRole;
use async_graphql::{Enum, InputObject};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Filter for a list of locations or staff.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct PlaceFilter {
    /// True: active ones only. False: inactive ones only.
    pub active: Option<bool>,
    /// Staff of one role.
    pub role: Option<StaffRole>,
    /// Added or changed at or after this moment.
    pub updated_since: Option<DateTime<Utc>>,
}

impl Condition for PlaceFilter {
    fn patient(&self) -> Option<Uuid> {
        None
    }

    fn push_to<R>(&self, sql: &mut Sql<R>) {
        if let Some(active) = self.active {
            sql.push(" AND active = ").push_bind(active);
        }
        if let Some(role) = self.role {
            sql.push(" AND role = ").push_bind(role.as_str());
        }
        if let Some(since) = self.updated_since {
            sql.push(" AND updated_at >= ").push_bind(since);
        }
    }
}

/// What lists of clinics and of staff can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum)]
pub enum PlaceOrderField {
    /// The name that others see.
    Name,
    /// When they were added.
    CreatedAt,
}

/// The order of a list of clinics or of staff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, InputObject)]
pub struct PlaceOrder {
    /// The field to sort by.
    pub field: PlaceOrderField,
    /// The sort direction.
    #[graphql(default_with = "Direction::Asc")]
    pub direction: Direction,
}

impl Default for PlaceOrder {
    fn default() -> Self {
        Self { field: PlaceOrderField::Name, direction: Direction::Asc }
    }
}

impl PlaceOrder {
    fn in_sql(self, name_column: &'static str) -> Order {
        let (name, column, sample) = match self.field {
            PlaceOrderField::Name => ("name", name_column, Key::Text(String::new())),
            PlaceOrderField::CreatedAt => ("createdAt", "created_at", Key::Time(0)),
        };
        Order { name: format!("{name}:{:?}", self.direction), column, id: "id", direction: self.direction, sample }
    }

    fn place(self, name: &str, stamp: &Stamp) -> Key {
        match self.field {
            PlaceOrderField::Name => Key::Text(name.to_owned()),
            PlaceOrderField::CreatedAt => Key::time(stamp.created_at),
        }
    }
}

impl ListOrder<Location> for PlaceOrder {
    fn order(self) -> Order {
        self.in_sql("name COLLATE \"C\"")
    }

    fn key(self, location: &Location) -> (Key, Uuid) {
        (self.place(&location.name, &location.stamp), location.id)
    }
}

impl ListOrder<Staff> for PlaceOrder {
    fn order(self) -> Order {
        self.in_sql("display_name COLLATE \"C\"")
    }

    fn key(self, member: &Staff) -> (Key, Uuid) {
        (self.place(&member.display_name, &member.stamp), member.id)
    }
}
