//! What lists of locations and staff can be sorted by.

use crate::page::{Direction, Key, Order};
use crate::record::Stamp;
use async_graphql::{Enum, InputObject};

/// The column that locations are sorted by when it goes by name.
pub const LOCATION_NAME: &str = "name COLLATE \"C\"";
/// The column that staff is sorted by when it goes by name.
pub const STAFF_NAME: &str = "display_name COLLATE \"C\"";

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
    /// What to sort by.
    pub field: PlaceOrderField,
    /// Which end first.
    #[graphql(default_with = "Direction::Asc")]
    pub direction: Direction,
}

impl Default for PlaceOrder {
    fn default() -> Self {
        Self { field: PlaceOrderField::Name, direction: Direction::Asc }
    }
}

impl PlaceOrder {
    /// The order in SQL.
    pub fn order(self, name_column: &'static str) -> Order {
        let (name, column, sample) = match self.field {
            PlaceOrderField::Name => ("name", name_column, Key::Text(String::new())),
            PlaceOrderField::CreatedAt => ("createdAt", "created_at", Key::Time(0)),
        };
        Order { name: format!("{name}:{:?}", self.direction), column, id: "id", direction: self.direction, sample }
    }

    /// A place in the order.
    pub fn key(self, name: &str, stamp: &Stamp) -> Key {
        match self.field {
            PlaceOrderField::Name => Key::Text(name.to_owned()),
            PlaceOrderField::CreatedAt => Key::time(stamp.created_at),
        }
    }
}
