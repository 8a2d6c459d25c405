//! The scalars of the API.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{NaiveDate, SecondsFormat, Utc};

/// A day, `2026-11-22` (RFC 3339 full-date).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Date(pub NaiveDate);

/// A day, `2026-11-22` (RFC 3339 full-date).
#[Scalar(specified_by_url = "https://scalars.graphql.org/andimarek/local-date.html")]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else { return Err(InputValueError::expected_type(value)) };
        let well_formed = text.len() == 10;
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()
            .filter(|_| well_formed)
            .map(Self)
            .ok_or_else(|| InputValueError::custom("must be a day that exists, as in 2026-11-22"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.format("%Y-%m-%d").to_string())
    }
}

/// A moment, `2026-11-22T09:30:00Z` (RFC 3339). Any offset is taken; UTC is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateTime(pub chrono::DateTime<Utc>);

/// A moment, `2026-11-22T09:30:00Z` (RFC 3339). Any offset is taken; UTC is given.
#[Scalar(specified_by_url = "https://scalars.graphql.org/andimarek/date-time.html")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else { return Err(InputValueError::expected_type(value)) };
        let years = -62_135_596_800..=253_402_300_799; // 0001-01-01 to 9999-12-31
        chrono::DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|time| time.with_timezone(&Utc))
            .filter(|time| years.contains(&time.timestamp()))
            .map(Self)
            .ok_or_else(|| InputValueError::custom("must be a moment with its offset, as in 2026-11-22T09:30:00Z"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

/// A decimal number, given as a string so that no digit is lost: `"1.25"`. A number is taken too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Decimal(pub rust_decimal::Decimal);

/// A decimal number, given as a string so that no digit is lost: `"1.25"`. A number is taken too.
#[Scalar]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        let text = match &value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return Err(InputValueError::expected_type(value)),
        };
        rust_decimal::Decimal::from_str_exact(&text)
            .map(Self)
            .map_err(|_| InputValueError::custom("must be a decimal number of at most 28 digits, as in 1.25"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.normalize().to_string())
    }
}

/// Any JSON value: a field of a record's history, as the ledger kept it.
#[derive(Debug, Clone, PartialEq)]
pub struct Json(pub serde_json::Value);

/// Any JSON value: a field of a record's history, as the ledger kept it.
#[Scalar(name = "JSON")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value.into_json()?))
    }

    fn to_value(&self) -> Value {
        Value::from_json(self.0.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_moments_are_read_strictly() {
        assert!(Date::parse("2026-02-29".into()).is_err());
        assert!(Date::parse("2024-02-29".into()).is_ok());
        assert!(Date::parse("2024-2-9".into()).is_err());
        assert!(DateTime::parse("2026-11-22T09:30:00".into()).is_err());
        let read = DateTime::parse("2026-11-22T09:30:00+01:00".into()).map(|time| time.to_value());
        assert_eq!(read.ok(), Some(Value::from("2026-11-22T08:30:00Z")));
    }

    #[test]
    fn decimals_keep_their_digits() {
        let read = Decimal::parse("0.10".into()).map(|decimal| decimal.to_value());
        assert_eq!(read.ok(), Some(Value::from("0.1")));
        assert!(Decimal::parse("1e400".into()).is_err());
    }
}
