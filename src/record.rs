//! What every kind of record carries.

use crate::error::{Error, Result};
use crate::vocabulary::SignatureMeaning;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Version, and who made and changed the record when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// 1 when it is made, one more with each change.
    pub version: i32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Who created the record; none for the program itself.
    pub created_by: Option<Uuid>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Who last changed the record.
    pub updated_by: Option<Uuid>,
}

/// The columns of a stamp: version, created at and by, updated at and by.
pub type StampColumns<By> = (i32, DateTime<Utc>, By, DateTime<Utc>, By);

impl Stamp {
    /// The stamp of a new record.
    pub fn new(by: Option<Uuid>, at: DateTime<Utc>) -> Self {
        Self { version: 1, created_at: at, created_by: by, updated_at: at, updated_by: by }
    }

    /// From its columns.
    pub fn of(
        version: i32,
        created_at: DateTime<Utc>,
        created_by: Option<Uuid>,
        updated_at: DateTime<Utc>,
        updated_by: Option<Uuid>,
    ) -> Result<Self> {
        Ok(Self { version, created_at, created_by, updated_at, updated_by })
    }

    /// Its columns.
    pub fn columns(&self) -> Result<StampColumns<Option<Uuid>>> {
        Ok((self.version, self.created_at, self.created_by, self.updated_at, self.updated_by))
    }

    /// From its columns, where each record has an author.
    pub fn authored(
        version: i32,
        created_at: DateTime<Utc>,
        created_by: Uuid,
        updated_at: DateTime<Utc>,
        updated_by: Uuid,
    ) -> Result<Self> {
        Self::of(version, created_at, Some(created_by), updated_at, Some(updated_by))
    }

    /// Its columns, where each record has an author.
    pub fn authored_columns(&self) -> Result<StampColumns<Uuid>> {
        match (self.created_by, self.updated_by) {
            (Some(created_by), Some(updated_by)) => {
                Ok((self.version, self.created_at, created_by, self.updated_at, updated_by))
            }
            _ => Err(Error::Internal("a record without an author".to_owned())),
        }
    }

    /// The stamp after a change.
    pub fn changed(&self, by: Option<Uuid>, at: DateTime<Utc>) -> Self {
        Self { version: self.version + 1, updated_at: at, updated_by: by, ..self.clone() }
    }
}

/// A signature on a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// When the record was signed.
    pub signed_at: DateTime<Utc>,
    /// Who signed.
    pub signed_by: Uuid,
    /// The meaning of the signature.
    pub meaning: SignatureMeaning,
    /// SHA-256 of the record's content when it was signed.
    #[serde(with = "hex")]
    pub content_hash: Vec<u8>,
    /// Why somebody else's work was taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whose work the record is. Not kept with the signature: the record says it.
    #[serde(skip)]
    pub of: Option<Uuid>,
}

impl Signature {
    /// The signature as it is shown with a record that is this person's work.
    pub fn on_work_of(self, who: Uuid) -> Self {
        Self { of: Some(who), ..self }
    }
}

/// Bytes as hexadecimal text.
pub mod hex {
    use serde::{Deserialize, Deserializer, Serializer};

    /// The text.
    pub fn text(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// For `serde(with)`.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&text(bytes))
    }

    /// For `serde(with)`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits: Option<Vec<u8>> = text
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
            .collect();
        digits.ok_or_else(|| serde::de::Error::custom("not hexadecimal"))
    }
}

/// A postal address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Street and number, one line or several.
    pub lines: Vec<String>,
    /// Town.
    pub city: Option<String>,
    /// State, province or county.
    pub region: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// ISO 3166-1 alpha-2 country code.
    pub country: String,
}
