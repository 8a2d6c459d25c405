//! What can be wrong with a value of an input, for programs and for people.
//!
//! A `Code` is the meaning, which programs act on; its parameters are the values that a translated message needs. What a
//! flaw that is found in many places says, it says here.

use std::fmt::Display;

/// A value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Param {
    /// A text; a decimal number too, so that no digit is lost.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Several texts.
    Words(Vec<String>),
}

impl From<String> for Param {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Param {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<usize> for Param {
    fn from(number: usize) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<i64> for Param {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<i32> for Param {
    fn from(number: i32) -> Self {
        Self::Number(number.into())
    }
}

impl From<i16> for Param {
    fn from(number: i16) -> Self {
        Self::Number(number.into())
    }
}

impl From<Vec<String>> for Param {
    fn from(words: Vec<String>) -> Self {
        Self::Words(words)
    }
}

impl From<rust_decimal::Decimal> for Param {
    fn from(number: rust_decimal::Decimal) -> Self {
        Self::Text(number.to_string())
    }
}

/// Declares the codes: variant, word, the parameters that it may have.
macro_rules! codes {
    ($($(#[$meta:meta])* $variant:ident = $word:literal [$($param:literal),*],)+) => {
        /// The meaning of a flaw. docs/errors.md has the table of all, with an example of each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code { $($(#[$meta])* $variant,)+ }

        impl Code {
            /// The word that clients get as `code`.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The names of the parameters that it may have.
            fn params(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($param),*],)+ }
            }
        }
    };
}

codes! {
    /// It has to be there.
    Required = "REQUIRED" ["type", "unless"],
    /// It is there and holds nothing.
    Empty = "EMPTY" ["max"],
    /// A text has too many characters.
    TooLong = "TOO_LONG" ["length", "max"],
    /// A text has too few characters.
    TooShort = "TOO_SHORT" ["min"],
    /// A list has too many entries, or a record too many parts.
    TooMany = "TOO_MANY" ["count", "max"],
    /// A number, day or size is over what can be.
    TooLarge = "TOO_LARGE" ["value", "min", "max", "unit"],
    /// A number, day or size is under what can be.
    TooSmall = "TOO_SMALL" ["value", "min", "max", "unit"],
    /// A number has too many digits after the point.
    TooPrecise = "TOO_PRECISE" ["digits", "max"],
    /// A number is not one of its steps.
    WrongStep = "WRONG_STEP" ["min", "step"],
    /// It is of another type.
    WrongType = "WRONG_TYPE" ["type"],
    /// The input has no such field.
    UnknownField = "UNKNOWN_FIELD" ["type"],
    /// No such word is in the list.
    UnknownValue = "UNKNOWN_VALUE" ["value", "allowed"],
    /// A day is not written as one.
    NotADate = "NOT_A_DATE" [],
    /// A moment is not written as one.
    NotADateTime = "NOT_A_DATE_TIME" [],
    /// A leap second, which is not kept.
    LeapSecond = "LEAP_SECOND" [],
    /// A decimal number is not written as one.
    NotADecimal = "NOT_A_DECIMAL" [],
    /// It is not an id of this service.
    NotAnId = "NOT_AN_ID" ["prefix"],
    /// It is the id of another kind of record.
    WrongKind = "WRONG_KIND" ["prefix"],
    /// It is not a language tag.
    NotALanguage = "NOT_A_LANGUAGE" [],
    /// It is not an e-mail address.
    NotAnEmail = "NOT_AN_EMAIL" [],
    /// It is not a telephone number.
    NotAPhone = "NOT_A_PHONE" [],
    /// It is not written as it must be: a country, a zone, a network, base64, a hash, a cursor.
    WrongForm = "WRONG_FORM" [],
    /// It has a character that can't be seen or kept.
    BadCharacter = "BAD_CHARACTER" [],
    /// It lies in the future.
    InFuture = "IN_FUTURE" ["value"],
    /// It lies in the past.
    InPast = "IN_PAST" ["value"],
    /// It is before or after what it must follow or precede.
    WrongOrder = "WRONG_ORDER" ["value", "other"],
    /// It is there beside what excludes it.
    NotTogether = "NOT_TOGETHER" ["other"],
    /// It lacks what it goes with.
    Needs = "NEEDS" ["other"],
    /// It says nothing here: it belongs to another kind, status or outcome.
    NotApplicable = "NOT_APPLICABLE" [],
    /// It is there more than once.
    Duplicate = "DUPLICATE" [],
    /// Another record has it already.
    Taken = "TAKEN" [],
    /// It is the same as what it must differ from.
    Same = "SAME" ["other"],
    /// It differs from what it must equal or belong to.
    Mismatch = "MISMATCH" ["other"],
    /// It names a record that this organisation does not have, or that you may not see.
    NotFound = "NOT_FOUND" [],
    /// It names what is out of use, closed, or not active.
    Inactive = "INACTIVE" [],
    /// It names a patient who was merged into another.
    Merged = "MERGED" [],
    /// It names a patient who is archived.
    Archived = "ARCHIVED" [],
    /// What is asked for was done already.
    Done = "DONE" [],
    /// The record's status does not allow it.
    WrongState = "WRONG_STATE" [],
    /// The person is not one who may do it, or not there.
    WrongPerson = "WRONG_PERSON" [],
    /// The record is needed by another, or would break a rule of the service.
    NotAllowed = "NOT_ALLOWED" [],
    /// A password is too easily guessed.
    WeakPassword = "WEAK_PASSWORD" [],
    /// A password, code or token is wrong, spent or expired.
    WrongSecret = "WRONG_SECRET" [],
}

/// A flaw of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    code: Code,
    params: Vec<(&'static str, Param)>,
    message: String,
}

impl Code {
    /// What lies over its range, or under it.
    pub fn of_range(is_over: bool) -> Self {
        if is_over { Self::TooLarge } else { Self::TooSmall }
    }

    /// What has more entries than it may have, or none.
    pub fn of_count(count: usize) -> Self {
        if count == 0 { Self::Empty } else { Self::TooMany }
    }

    /// A flaw of this meaning, in the words of the place that found it: what is wrong and what would be valid, as the rest
    /// of a sentence that begins with the field.
    pub fn says(self, message: impl Into<String>) -> Flaw {
        Flaw { code: self, params: Vec::new(), message: message.into() }
    }
}

impl Flaw {
    /// Adds a parameter: one of `Code::params`.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Param>) -> Self {
        debug_assert!(self.code.params().contains(&name), "{:?} has no parameter {name}", self.code);
        self.params.push((name, value.into()));
        self
    }

    /// The meaning.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Its values.
    pub fn params(&self) -> &[(&'static str, Param)] {
        &self.params
    }

    /// The words.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// An empty text where one is needed.
    pub fn empty() -> Self {
        Code::Empty.says("must not be empty")
    }

    /// A text that is longer than `max` characters.
    pub fn too_long(length: usize, max: usize) -> Self {
        Code::TooLong
            .says(format!("has {length} characters; at most {max} are kept"))
            .with("length", length)
            .with("max", max)
    }

    /// A list of more than `max` of `what`.
    pub fn too_many(count: usize, max: usize, what: &str) -> Self {
        Code::TooMany.says(format!("has {count} {what}; at most {max} are kept")).with("count", count).with("max", max)
    }

    /// A record that has as many parts as it can have.
    pub fn full(max: usize, what: &str) -> Self {
        Code::TooMany.says(format!("has {max} {what}, the most there can be")).with("count", max).with("max", max)
    }

    /// A number outside its range, of a unit if it has one.
    pub fn out_of_range<N: PartialOrd + Display>(value: N, min: N, max: N, unit: Option<&str>) -> Self {
        let code = Code::of_range(value > max);
        let of = unit.map(|unit| format!(" {unit}")).unwrap_or_default();
        let flaw = code
            .says(format!("is {value}; it must be from {min} to {max}{of}"))
            .with("value", value.to_string())
            .with("min", min.to_string())
            .with("max", max.to_string());
        match unit {
            Some(unit) => flaw.with("unit", unit),
            None => flaw,
        }
    }

    /// A number with more than `max` digits after the point.
    pub fn too_precise(digits: u32, max: u32) -> Self {
        Code::TooPrecise
            .says(format!("has {digits} digits after the point; at most {max} are kept"))
            .with("digits", i64::from(digits))
            .with("max", i64::from(max))
    }

    /// A name of what this organisation does not have: `what` is "lot of this organisation".
    pub fn not_found(what: &str) -> Self {
        Code::NotFound.says(format!("is not a {what}"))
    }

    /// A text that is no typed id.
    pub fn not_an_id() -> Self {
        Code::NotAnId.says("is not an id of this service")
    }

    /// What can't be sent beside `other`.
    pub fn not_with(other: &'static str) -> Self {
        Code::NotTogether.says(format!("can't be sent with {other}: send one of them")).with("other", other)
    }
}
