//! Phone numbers: as people write them, and in E.164, by Google's libphonenumber.

use crate::error::{Code, Flaw};
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, Region};

/// The countries that a number without a country code may be of: ISO 3166-1 alpha-2. Unknown ones count nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Countries(Vec<Region>);

impl Countries {
    /// The countries with these codes, each once.
    pub fn of<'c>(codes: impl IntoIterator<Item = &'c str>) -> Self {
        let mut countries = Vec::new();
        for region in codes.into_iter().filter_map(|code| code.trim().to_ascii_uppercase().parse::<Region>().ok()) {
            if !countries.contains(&region) {
                countries.push(region);
            }
        }
        Self(countries)
    }
}

/// Why a text is no number that can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// No number can be read from it.
    NotANumber,
    /// It has no country code, and none of the countries it may be of has such numbers.
    NoCountry,
    /// It has no country code, and more than one country has such numbers.
    AnyCountry,
    /// No country has this code.
    UnknownCountry,
    /// It has fewer digits than the country's numbers.
    TooShort,
    /// It has more digits than the country's numbers.
    TooLong,
}

impl Unusable {
    /// What is wrong and what to send.
    pub fn flaw(self) -> Flaw {
        let code = match self {
            Self::NotANumber | Self::UnknownCountry => Code::NotAPhone,
            Self::NoCountry | Self::AnyCountry => return Code::Needs.says(self.message()).with("other", "countryCode"),
            Self::TooShort => Code::TooShort,
            Self::TooLong => Code::TooLong,
        };
        code.says(self.message())
    }

    fn message(self) -> &'static str {
        match self {
            Self::NotANumber => "must be a phone number, such as +34 600 123 456",
            Self::NoCountry => {
                "has no country code, and no location's country has such numbers: send it with + and the code, such as +34600123456"
            }
            Self::AnyCountry => {
                "has no country code, and the locations are in more than one country that has such numbers: send it with + and the \
                 code, such as +34600123456"
            }
            Self::UnknownCountry => {
                "begins with a country code that no country has: after the + comes one such as 34 or 44"
            }
            Self::TooShort => "has too few digits to be dialled in its country",
            Self::TooLong => "has too many digits to be dialled in its country",
        }
    }
}

/// Whether a text says its country itself.
pub fn is_international(text: &str) -> bool {
    text.trim_start_matches(|it: char| !it.is_alphanumeric() && !is_plus(it)).starts_with(is_plus)
        || text.trim_start().to_ascii_lowercase().starts_with("tel:")
}

fn is_plus(character: char) -> bool {
    matches!(character, '+' | '＋')
}

fn parse(text: &str, region: Option<Region>) -> Result<PhoneNumber, Unusable> {
    use rlibphonenumber::ParseError;
    PHONE_NUMBER_UTIL.parse(text, region).map_err(|error| match error {
        ParseError::InvalidCountryCode => Unusable::UnknownCountry,
        ParseError::TooShortAfterIdd | ParseError::TooShortNsn => Unusable::TooShort,
        ParseError::TooLongNsn => Unusable::TooLong,
        _ => Unusable::NotANumber,
    })
}

/// Whether somebody abroad could dial it: its length is one of its country's. Which ranges are given out changes by the
/// week, so they are not asked for.
fn dialled(number: &PhoneNumber) -> Result<String, Unusable> {
    use rlibphonenumber::{NumberLengthType, ValidationError};
    match number.is_possible_with_reason() {
        Ok(NumberLengthType::IsPossible) => Ok(number.format_as(PhoneNumberFormat::E164).into_owned()),
        Ok(NumberLengthType::IsPossibleLocalOnly) | Err(ValidationError::TooShort | ValidationError::InvalidLength) => {
            Err(Unusable::TooShort)
        }
        Err(ValidationError::TooLong) => Err(Unusable::TooLong),
        Err(_) => Err(Unusable::UnknownCountry),
    }
}

/// A number in E.164 (`+442079460958`) from a text as people write it: `+44 (0)20 7946 0958`, `0033 6 24…`, `06 24…`. One
/// without a country code is of the one country of `countries` that has such numbers. An extension is left out.
pub fn e164(text: &str, countries: &Countries) -> Result<String, Unusable> {
    if is_international(text) {
        return dialled(&parse(text, None)?);
    }
    let tried: Vec<_> = countries.0.iter().map(|region| dialled(&parse(text, Some(*region))?)).collect();
    let mut possible: Vec<&String> = tried.iter().flatten().collect();
    possible.sort_unstable();
    possible.dedup();
    match (possible.as_slice(), tried.as_slice()) {
        ([one], _) => Ok((*one).clone()),
        ([], [Err(only)]) => Err(*only),
        ([], []) if !text.chars().any(|it| it.is_ascii_digit()) => Err(Unusable::NotANumber),
        ([], _) => Err(Unusable::NoCountry),
        _ => Err(Unusable::AnyCountry),
    }
}

/// The digits after the country code of a number in E.164; all of them if no country has the code.
pub fn national(e164: &str) -> String {
    match parse(e164, None) {
        Ok(number) => number.get_national_significant_number(),
        Err(_) => e164.chars().filter(char::is_ascii_digit).collect(),
    }
}

/// The numbers that a text may mean, in E.164 without the `+`; a part of a number is none.
pub fn meant(text: &str, countries: &Countries) -> Vec<String> {
    let regions: Vec<Option<Region>> =
        if is_international(text) { vec![None] } else { countries.0.iter().copied().map(Some).collect() };
    let mut meant: Vec<String> = Vec::new();
    for number in regions.into_iter().filter_map(|region| dialled(&parse(text, region).ok()?).ok()) {
        let digits = number.trim_start_matches('+').to_owned();
        if !meant.contains(&digits) {
            meant.push(digits);
        }
    }
    meant
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_kept_as_they_are_dialled() {
        let spain = Countries::of(["ES", "es", "??"]);
        for (text, kept) in [
            ("+44 (0)20 7946 0958", "+442079460958"),
            ("+44 020 7946 0965", "+442079460965"),
            ("+49 (0)30 123456", "+4930123456"),
            ("+39 06 1234567", "+39061234567"),
            ("+34 600-12.34/56", "+34600123456"),
            ("600 123 456", "+34600123456"),
            ("0033 6 24 91 78 24", "+33624917824"),
            ("tel:+44-20-7946-0958", "+442079460958"),
            ("＋34 600123456", "+34600123456"),
            ("+1 (212) 555-0100 ext. 5", "+12125550100"),
        ] {
            assert_eq!(e164(text, &spain).as_deref(), Ok(kept), "{text}");
        }
        for (country, text, kept) in [
            ("FR", "06 24 91 78 24", "+33624917824"),
            ("GB", "07700 900417", "+447700900417"),
            ("GB", "0044 7700 900417", "+447700900417"),
            ("DK", "32 14 56 78", "+4532145678"),
            ("US", "(212) 555-0100", "+12125550100"),
            ("RU", "8 (495) 123-45-67", "+74951234567"),
            ("IT", "06 1234567", "+39061234567"),
        ] {
            assert_eq!(e164(text, &Countries::of([country])).as_deref(), Ok(kept), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_dialled_is_refused_with_the_reason() {
        let none = Countries::default();
        let two = Countries::of(["FR", "DE"]);
        for (text, countries, why) in [
            ("no", &none, Unusable::NotANumber),
            ("", &two, Unusable::NoCountry),
            ("600 123 456", &none, Unusable::NoCountry),
            ("06 24 91 78 24", &two, Unusable::AnyCountry),
            ("+999 123456", &two, Unusable::UnknownCountry),
            ("+44 123", &two, Unusable::TooShort),
            ("+33 6 12 34 56 78 90 12", &two, Unusable::TooLong),
            ("+", &two, Unusable::NotANumber),
        ] {
            assert_eq!(e164(text, countries), Err(why), "{text}");
        }
    }

    #[test]
    fn what_is_sought_means_a_number_in_each_country() {
        assert_eq!(meant("06 24 91 78 24", &Countries::of(["FR"])), ["33624917824"]);
        assert_eq!(meant("+33 6 24 91 78 24", &Countries::default()), ["33624917824"]);
        assert_eq!(meant("91 78 24", &Countries::of(["FR"])), [""; 0]);
        assert_eq!(national("+33624917824"), "624917824");
        assert_eq!(national("+39061234567"), "061234567");
    }
}
