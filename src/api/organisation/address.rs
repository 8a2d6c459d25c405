//! Postal addresses: of patients and of locations.

use crate::error::Code;
use crate::operation::Inputs;
use crate::record::Address;
use async_graphql::{InputObject, Object};

/// A postal address.
#[Object]
impl Address {
    /// Street and number, one line or several.
    async fn lines(&self) -> &[String] {
        &self.lines
    }
    /// Town.
    async fn city(&self) -> Option<&str> {
        self.city.as_deref()
    }
    /// State, province or county.
    async fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }
    /// Postal code, as the country writes it.
    async fn postal_code(&self) -> Option<&str> {
        self.postal_code.as_deref()
    }
    /// ISO 3166-1 alpha-2 country code.
    async fn country(&self) -> &str {
        &self.country
    }
}

/// A postal address.
#[derive(InputObject)]
pub struct AddressInput {
    /// Street and number, 1 to 4 lines.
    lines: Vec<String>,
    /// Town.
    city: Option<String>,
    /// State, province or county.
    region: Option<String>,
    /// Postal code, as the country writes it.
    postal_code: Option<String>,
    /// ISO 3166-1 alpha-2 country code, such as ES.
    country: String,
}

impl AddressInput {
    /// Checks the address; faults are noted under `path`.
    /// Its country, as it was sent.
    pub fn country(&self) -> &str {
        self.country.trim()
    }

    pub fn read(&self, inputs: &mut Inputs, path: &str) -> Address {
        if self.lines.is_empty() || self.lines.len() > 4 {
            let flaw = Code::of_count(self.lines.len()).says("must have 1 to 4 lines").with("max", 4);
            inputs.fault(&format!("{path}.lines"), flaw);
        }
        let lines = self.lines.iter().enumerate();
        let lines = lines.map(|(i, line)| inputs.text(&format!("{path}.lines.{i}"), line, 200)).collect();
        let country = self.country.trim().to_ascii_uppercase();
        if country.len() != 2 || !country.bytes().all(|letter| letter.is_ascii_uppercase()) {
            inputs.fault(
                &format!("{path}.country"),
                Code::WrongForm.says("must be a two-letter country code such as ES"),
            );
        }
        Address {
            lines,
            city: inputs.opt_text(&format!("{path}.city"), self.city.as_deref(), 200),
            region: inputs.opt_text(&format!("{path}.region"), self.region.as_deref(), 200),
            postal_code: inputs.opt_text(&format!("{path}.postalCode"), self.postal_code.as_deref(), 20),
            country,
        }
    }
}
