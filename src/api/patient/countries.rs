//! Of which countries a phone may be that is sent without a country code.

use crate::error::Result;
use crate::operation::Operation;
use crate::organisation::store as places;
use crate::phone::{self, Countries};

/// The countries that phones without a country code may be of: that of the address, or those of the locations.
pub(super) async fn countries_for(
    operation: &Operation,
    mut phones: impl Iterator<Item = &str>,
    address: Option<&str>,
) -> Result<Countries> {
    if phones.all(phone::is_international) {
        return Ok(Countries::default());
    }
    let of_address = Countries::of(address);
    if of_address != Countries::default() {
        return Ok(of_address);
    }
    places::countries(&mut *operation.reader().await?).await
}
