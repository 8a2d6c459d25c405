//! The scalars of the API.

use crate::error::{Code, Flaw};
use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{Datelike, NaiveDate, SecondsFormat, SubsecRound, Timelike, Utc};

/// What is wrong with a value that is sent for a scalar of ours, by the scalar's name. `None` for a value that is read, and
/// for a name that is none of ours.
pub fn flaw(name: &str, value: &Value) -> Option<Flaw> {
    match name {
        "Date" => Date::read(value).err(),
        "DateTime" => DateTime::read(value).err(),
        "Decimal" => Decimal::read(value).err(),
        _ => None,
    }
}

fn as_text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// A day, `2026-11-22` (RFC 3339 full-date).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Date(pub NaiveDate);

/// A day, `2026-11-22` (RFC 3339 full-date).
#[Scalar(specified_by_url = "https://scalars.graphql.org/andimarek/local-date.html")]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        Self::read(&value).map_err(|flaw| InputValueError::custom(flaw.message()))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.format("%Y-%m-%d").to_string())
    }
}

impl Date {
    fn read(value: &Value) -> Result<Self, Flaw> {
        let day = as_text(value).and_then(read_day);
        day.map(Self).ok_or_else(|| Code::NotADate.says("must be a day that exists, as in 2026-11-22"))
    }
}

/// Nanoseconds of a second; chrono counts those of a leap second on from here.
const NANOSECONDS: u32 = 1_000_000_000;

/// Whether a text begins with digits where `0` stands in a shape, and with the shape's own letters elsewhere.
fn has_shape(text: &str, shape: &str) -> bool {
    let fits = |(letter, wanted): (u8, u8)| if wanted == b'0' { letter.is_ascii_digit() } else { letter == wanted };
    text.is_ascii() && text.len() >= shape.len() && text.bytes().zip(shape.bytes()).all(fits)
}

/// A day of the years 1 to 9999. The shape is held to first: chrono takes signs and spaces in place of digits.
fn read_day(text: &str) -> Option<NaiveDate> {
    let well_formed = text.len() == 10 && has_shape(text, "0000-00-00");
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    day.filter(|day| well_formed && day.year() >= 1)
}

/// A moment of the years 1 to 9999 in UTC, leap seconds among them.
fn read_moment(text: &str) -> Option<chrono::DateTime<Utc>> {
    let years = -62_135_596_800..=253_402_300_799; // 0001-01-01 to 9999-12-31
    let text = text.to_ascii_uppercase();
    let well_formed = has_shape(&text, "0000-00-00T00:00:00");
    let time = chrono::DateTime::parse_from_rfc3339(&text).ok()?.with_timezone(&Utc);
    (well_formed && years.contains(&time.timestamp())).then_some(time)
}

/// A moment, `2026-11-22T09:30:00Z` (RFC 3339). Any offset is accepted; UTC is returned. Precision is a microsecond;
/// finer digits are cut off. A leap second (`23:59:60`) is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateTime(pub chrono::DateTime<Utc>);

/// A moment, `2026-11-22T09:30:00Z` (RFC 3339). Any offset is accepted; UTC is returned. Precision is a microsecond;
/// finer digits are cut off. A leap second (`23:59:60`) is refused.
#[Scalar(specified_by_url = "https://scalars.graphql.org/andimarek/date-time.html")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        Self::read(&value).map_err(|flaw| InputValueError::custom(flaw.message()))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl DateTime {
    fn read(value: &Value) -> Result<Self, Flaw> {
        let time = as_text(value)
            .and_then(read_moment)
            .ok_or_else(|| Code::NotADateTime.says("must be a moment with its offset, as in 2026-11-22T09:30:00Z"))?;
        // Postgres has no such second: it would become one of the next day.
        if time.nanosecond() >= NANOSECONDS {
            let message = "is a leap second, which is not kept: send second 59, or 00 of the next minute";
            return Err(Code::LeapSecond.says(message));
        }
        Ok(Self(time.trunc_subsecs(6)))
    }
}

/// A decimal number, returned as a string so that no digit is lost: `"1.25"`. A JSON number is accepted too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Decimal(pub rust_decimal::Decimal);

/// A decimal number, returned as a string so that no digit is lost: `"1.25"`. A JSON number is accepted too.
#[Scalar]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        Self::read(&value).map_err(|flaw| InputValueError::custom(flaw.message()))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.normalize().to_string())
    }
}

impl Decimal {
    fn read(value: &Value) -> Result<Self, Flaw> {
        let text = match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let plain = text.filter(|text| is_plain_decimal(text));
        let read = plain.and_then(|text| rust_decimal::Decimal::from_str_exact(&text).ok());
        let message = "must be a decimal number of at most 28 digits, with a point, as in 1.25";
        read.map(Self).ok_or_else(|| Code::NotADecimal.says(message))
    }
}

/// Whether a text is a number as it is written down: a minus sign if need be, digits, and digits after a point. What else the
/// library reads (`1_0`, `+1`, `.5`) is nothing that a person means by a dose or a depth.
fn is_plain_decimal(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    match unsigned.split_once('.') {
        Some((whole, part)) => digits(whole) && digits(part),
        None => digits(unsigned),
    }
}

/// Any JSON value, such as a field in a record's history as the ledger kept it.
#[derive(Debug, Clone, PartialEq)]
pub struct Json(pub serde_json::Value);

/// Any JSON value, such as a field in a record's history as the ledger kept it.
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
    use proptest::prelude::*;

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
    fn a_leap_second_is_refused_with_the_reason() {
        for text in [
            "2016-12-31T23:59:60Z",
            "2016-12-31T23:59:60.5Z",
            "2017-01-01T05:29:60+05:30",
            "2026-11-22T09:30:60Z",
            "2016-12-31t23:59:60z",
        ] {
            let refused = DateTime::parse(text.into()).expect_err(text);
            let server = refused.into_server_error(async_graphql::Pos::default());
            assert!(server.message.contains("leap second"), "{text}: {}", server.message);
        }
        assert!(DateTime::parse("2016-12-31T23:59:61Z".into()).is_err());
        assert!(DateTime::parse("2016-12-31T23:59:59.999999999Z".into()).is_ok());
    }

    #[test]
    fn what_is_no_day_or_moment_of_the_years_1_to_9999_is_refused() {
        for day in [
            "0000-01-01",
            "-999-01-01",
            "+202-01-01",
            " 026-01-01",
            "10000-1-1",
            "2026-01-0 ",
            "２026-01-0",
            "2026-00-10",
        ] {
            assert!(Date::parse(day.into()).is_err(), "{day}");
        }
        for moment in [
            "0000-12-31T23:59:59Z",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "10000-01-01T00:00:00Z",
            "+2026-01-01T00:00:00Z",
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00\u{2212}01:00",
            "2026-01-01T00:00:00+0100",
        ] {
            assert!(DateTime::parse(moment.into()).is_err(), "{moment}");
        }
        for moment in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2026-01-01T00:00:00-23:59"] {
            assert!(DateTime::parse(moment.into()).is_ok(), "{moment}");
        }
    }

    proptest! {
        #[test]
        fn a_moment_is_read_to_the_microsecond_and_comes_back_as_it_was(
            seconds in -62_135_596_800_i64..=253_402_300_799, nanoseconds in 0..NANOSECONDS, offset in -1439_i32..=1439,
        ) {
            let time = chrono::DateTime::from_timestamp(seconds, nanoseconds).expect("a moment");
            let zone = chrono::FixedOffset::east_opt(offset * 60).expect("an offset");
            let there = time.with_timezone(&zone);
            // Where it is another year there, the year may have no four digits.
            prop_assume!((1..=9999).contains(&there.year()));
            let read = DateTime::parse(there.to_rfc3339_opts(SecondsFormat::Nanos, false).into()).ok();
            let read = read.expect("it is read");
            prop_assert_eq!(read.0.timestamp_micros(), seconds * 1_000_000 + i64::from(nanoseconds / 1000));
            prop_assert_eq!(read.0.nanosecond() % 1000, 0);
            prop_assert_eq!(DateTime::parse(read.to_value()).ok(), Some(read));
        }

        #[test]
        fn second_sixty_is_refused_wherever_it_stands(
            seconds in 0_i64..=253_402_300_799, fraction in "(\\.[0-9]{1,9})?", offset in -1439_i32..=1439,
        ) {
            let zone = chrono::FixedOffset::east_opt(offset * 60).expect("an offset");
            let there = chrono::DateTime::from_timestamp(seconds, 0).expect("a moment").with_timezone(&zone);
            let text = format!("{}:60{fraction}{}", there.format("%Y-%m-%dT%H:%M"), there.format("%:z"));
            prop_assert!(DateTime::parse(text.clone().into()).is_err(), "{}", text);
        }

        #[test]
        fn no_text_breaks_the_reading_of_days_and_moments(text in "[0-9+:.TtZz −-]{0,40}|\\PC{0,30}") {
            let (day, moment) = (Date::parse(text.clone().into()), DateTime::parse(text.into()));
            for value in [day.ok().map(|day| day.to_value()), moment.ok().map(|moment| moment.to_value())].into_iter().flatten() {
                prop_assert!(value.to_string().len() <= 29, "{}", value);
            }
        }

        #[test]
        fn a_day_comes_back_as_it_was(days in 1_i32..=3_652_059) {
            let day = NaiveDate::from_num_days_from_ce_opt(days).expect("a day");
            let text = day.format("%Y-%m-%d").to_string();
            prop_assert_eq!(Date::parse(text.into()).ok(), Some(Date(day)));
        }
    }

    #[test]
    fn decimals_keep_their_digits() {
        let read = Decimal::parse("0.10".into()).map(|decimal| decimal.to_value());
        assert_eq!(read.ok(), Some(Value::from("0.1")));
        assert!(Decimal::parse("1e400".into()).is_err());
        for number in ["1_0", "2_0.5", "_1", "+1", ".5", "5.", "-", "", " 1", "1 ", "1,5", "١", "0x1", "1e2", "--1"] {
            assert!(Decimal::parse(number.into()).is_err(), "{number:?}");
        }
        for number in ["0", "-1.25", "007", "20", "0.000"] {
            assert!(Decimal::parse(number.into()).is_ok(), "{number:?}");
        }
    }
}
