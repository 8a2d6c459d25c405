//! What the clinic treats with: devices, products and their lots.

mod filter;
pub mod store;

pub use filter::{
    DeviceCondition, DeviceFilter, DeviceOrder, LotCondition, LotFilter, LotOrder, ProductCondition, ProductFilter,
    ProductOrder,
};

use crate::ledger::Record;
use crate::record::Stamp;
use crate::vocabulary::{DeviceKind, IntradermalUse, ProductRole, RecordKind};
use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A recall by the manufacturer or an authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakerRecall {
    /// When the clinic heard of it.
    pub at: DateTime<Utc>,
    /// Why it was recalled.
    pub reason: String,
    /// The number of the notice.
    pub reference: Option<String>,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// Its id.
    pub id: Uuid,
    /// Model.
    pub model: String,
    /// Manufacturer.
    pub manufacturer: Option<String>,
    /// Serial number, unique for its model.
    pub serial: Option<String>,
    /// Its kind.
    pub kind: DeviceKind,
    /// The least depth it can be set to, mm.
    pub depth_min_mm: Option<Decimal>,
    /// The greatest depth it can be set to, mm.
    pub depth_max_mm: Option<Decimal>,
    /// The step between two settings, mm.
    pub depth_step_mm: Option<Decimal>,
    /// The location where it is kept.
    pub location_id: Option<Uuid>,
    /// Whether it is in use.
    pub active: bool,
    /// The recall by its manufacturer, if there was one.
    pub recalled: Option<MakerRecall>,
    /// Remarks.
    pub note: Option<String>,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

/// A product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Its id.
    pub id: Uuid,
    /// Name, unique in the organisation.
    pub name: String,
    /// Manufacturer.
    pub manufacturer: Option<String>,
    /// What it is used as.
    pub role: ProductRole,
    /// Approval for use within the skin.
    pub intradermal_use: IntradermalUse,
    /// Strength, such as `lidocaine 5 %`.
    pub strength: Option<String>,
    /// Whether it is in use.
    pub active: bool,
    /// Remarks.
    pub note: Option<String>,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

/// A lot of a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductLot {
    /// Its id.
    pub id: Uuid,
    /// The product it is a lot of.
    pub product_id: Uuid,
    /// Its number, unique for the product.
    pub lot: String,
    /// The last day on which it may be used.
    pub expires_on: Option<NaiveDate>,
    /// The day it was received.
    pub received_on: Option<NaiveDate>,
    /// The recall by its manufacturer, if there was one.
    pub recalled: Option<MakerRecall>,
    /// Remarks.
    pub note: Option<String>,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

macro_rules! record {
    ($record:ty, $kind:ident) => {
        impl Record for $record {
            const KIND: RecordKind = RecordKind::$kind;
            fn id(&self) -> Uuid {
                self.id
            }
            fn version(&self) -> i32 {
                self.stamp.version
            }
            fn patient_id(&self) -> Option<Uuid> {
                None
            }
        }
    };
}
record!(Device, Device);
record!(Product, Product);
record!(ProductLot, ProductLot);

/// A name or a number of a lot without what people write differently: ASCII letters and digits, in lower case.
pub fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|it| it.to_ascii_lowercase()).collect()
}

impl ProductLot {
    /// Whether the lot may not be used on a day any more. Its last day is still a day to use it.
    pub fn is_expired_on(&self, day: NaiveDate) -> bool {
        self.expires_on.is_some_and(|last| day > last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids;

    #[test]
    fn a_lot_may_be_used_on_its_last_day() {
        let day = |day| NaiveDate::from_ymd_opt(2026, 3, day).expect("a day");
        let lot = ProductLot {
            id: ids::new_id(),
            product_id: ids::new_id(),
            lot: "A1".to_owned(),
            expires_on: Some(day(15)),
            received_on: None,
            recalled: None,
            note: None,
            stamp: Stamp::new(None, ids::now()),
        };
        assert!(!lot.is_expired_on(day(15)) && lot.is_expired_on(day(16)));
        assert!(!ProductLot { expires_on: None, ..lot }.is_expired_on(day(31)));
    }
}
