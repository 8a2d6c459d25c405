//! Reading inputs: every fault is collected, with its path.

use super::digest::digest;
use super::{Operation, RequestFacts};
use crate::characters::{fault_of_line, fault_of_prose};
use crate::error::{Code, Error, Faults, Flaw, Result};
use crate::ids;
use crate::ledger::Retry;
use crate::phone::Countries;
use crate::vocabulary::RecordKind;
use async_graphql::{ID, MaybeUndefined};
use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

/// The maximum length of a one-line text: a name, a number, a place, or, the longest, an e-mail address. A text that
/// may be longer is a note, of several lines.
const LONGEST_LINE: usize = 254;

/// A reader of one mutation's input. `path` prefixes every fault.
#[derive(Default)]
pub struct Inputs {
    faults: Faults,
    countries: Countries,
}

impl Inputs {
    /// Starts reading.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts reading; a phone number without a country code is of one of these countries.
    pub fn in_countries(countries: Countries) -> Self {
        Self { countries, ..Self::default() }
    }

    /// Notes a fault at `input.<path>`.
    pub fn fault(&mut self, path: &str, flaw: Flaw) {
        self.faults.add(format!("input.{path}"), flaw);
    }

    /// Ends reading and reports all faults at once.
    pub fn finish(self) -> Result<()> {
        self.faults.into_result()
    }

    /// A typed id. An invalid one gives the nil id, which is never used because `finish` fails.
    pub fn id(&mut self, path: &str, kind: RecordKind, id: &ID) -> Uuid {
        ids::parse(kind, id).unwrap_or_else(|flaw| {
            self.fault(path, flaw);
            Uuid::nil()
        })
    }

    /// A typed id that may be absent.
    pub fn opt_id(&mut self, path: &str, kind: RecordKind, id: Option<&ID>) -> Option<Uuid> {
        id.map(|id| self.id(path, kind, id))
    }

    /// The id made by the client for a new record, or a fresh one.
    pub fn new_id(&mut self, kind: RecordKind, id: Option<&ID>) -> Uuid {
        id.map_or_else(ids::new_id, |id| {
            let id = self.id("id", kind, id);
            if id.get_version_num() != 7 && !id.is_nil() {
                self.fault("id", Code::WrongForm.says("must be made from a version 7 UUID, the ones ordered by time"));
            }
            id
        })
    }

    /// Required text of at most `most` characters. White space around it is removed. Text without a visible character
    /// counts as empty, whether it is a name or a reason.
    pub fn text(&mut self, path: &str, text: &str, most: usize) -> String {
        let text = text.trim();
        if text.is_empty() {
            self.fault(path, Flaw::empty());
        }
        self.check_text(path, text, most);
        text.to_owned()
    }

    /// Optional text; empty text counts as absent. Text without a visible character is a fault, not absent, because the
    /// sender meant to send something.
    pub fn opt_text(&mut self, path: &str, text: Option<&str>, most: usize) -> Option<String> {
        let text = text.map(str::trim).filter(|text| !text.is_empty())?;
        self.check_text(path, text, most);
        Some(text.to_owned())
    }

    fn check_text(&mut self, path: &str, text: &str, most: usize) {
        let length = text.chars().count();
        if length > most {
            self.fault(path, Flaw::too_long(length, most));
        }
        let fault = if most <= LONGEST_LINE { fault_of_line(text) } else { fault_of_prose(text) };
        if let Some(fault) = fault {
            self.fault(path, Code::BadCharacter.says(fault));
        }
    }

    /// A field of a patch, checked where it has a value.
    pub fn patch<T, U>(
        &mut self,
        path: &str,
        patch: MaybeUndefined<T>,
        check: impl FnOnce(&mut Self, &str, T) -> Option<U>,
    ) -> MaybeUndefined<U> {
        match patch {
            MaybeUndefined::Undefined => MaybeUndefined::Undefined,
            MaybeUndefined::Null => MaybeUndefined::Null,
            MaybeUndefined::Value(value) => {
                check(self, path, value).map_or(MaybeUndefined::Null, MaybeUndefined::Value)
            }
        }
    }

    /// A text field of a patch; empty text clears.
    pub fn patch_text(&mut self, path: &str, patch: MaybeUndefined<String>, most: usize) -> MaybeUndefined<String> {
        self.patch(path, patch, |inputs, path, text| inputs.opt_text(path, Some(&text), most))
    }

    /// A whole number in a range.
    pub fn range<N: PartialOrd + std::fmt::Display + Copy>(
        &mut self,
        path: &str,
        value: Option<N>,
        least: N,
        most: N,
    ) -> Option<N> {
        let value = value?;
        if value < least || value > most {
            self.fault(path, Flaw::out_of_range(value, least, most, unit_of(path)));
        }
        Some(value)
    }

    /// A small whole number in a range.
    pub fn small(&mut self, path: &str, value: Option<i32>, least: i16, most: i16) -> Option<i16> {
        let value = self.range(path, value, i32::from(least), i32::from(most))?;
        i16::try_from(value).ok()
    }

    /// A decimal in a range, with at most `scale` digits after the point.
    pub fn decimal(
        &mut self,
        path: &str,
        value: Option<Decimal>,
        least: Decimal,
        most: Decimal,
        scale: u32,
    ) -> Option<Decimal> {
        let value = self.range(path, value, least, most)?.normalize();
        if value.scale() > scale {
            self.fault(path, Flaw::too_precise(value.scale(), scale));
        }
        Some(value)
    }

    /// A BCP 47 language tag, such as `en` or `es-MX`.
    pub fn language(&mut self, path: &str, tag: Option<&str>) -> Option<String> {
        let tag = self.opt_text(path, tag, 35)?;
        if !is_language_tag(&tag) {
            self.fault(path, Code::NotALanguage.says("must be a BCP 47 language tag, such as en or es-MX"));
        }
        Some(tag)
    }

    /// A day that is not in the future. The day is counted in UTC+14, the first zone to reach it.
    pub fn past_date(&mut self, path: &str, date: Option<NaiveDate>) -> Option<NaiveDate> {
        let date = date?;
        if date > (Utc::now() + chrono::TimeDelta::hours(14)).date_naive() {
            self.fault(path, Code::InFuture.says(format!("is {date}, in the future")).with("value", date.to_string()));
        }
        if date < NaiveDate::from_ymd_opt(1880, 1, 1).unwrap_or_default() {
            self.fault(
                path,
                Code::TooSmall
                    .says(format!("is {date}; it must be 1880-01-01 or later"))
                    .with("value", date.to_string())
                    .with("min", "1880-01-01"),
            );
        }
        Some(date)
    }

    /// A moment that is not in the future (five minutes are granted to clocks that differ).
    pub fn past_time(&mut self, path: &str, time: DateTime<Utc>) -> DateTime<Utc> {
        if time > Utc::now() + chrono::TimeDelta::minutes(5) {
            self.fault(path, Code::InFuture.says("is in the future").with("value", time.to_rfc3339()));
        }
        if time.timestamp() < 0 {
            self.fault(
                path,
                Code::TooSmall.says("is before 1970").with("value", time.to_rfc3339()).with("min", "1970-01-01"),
            );
        }
        chrono::SubsecRound::trunc_subsecs(time, 6)
    }

    /// An e-mail address, roughly: what a mail server will be asked to decide.
    pub fn email(&mut self, path: &str, email: Option<&str>) -> Option<String> {
        let email = self.opt_text(path, email, 254)?.to_lowercase();
        let fine = email.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty()
                && host.contains('.')
                && !host.starts_with('.')
                && !host.ends_with('.')
                && !host.contains('@')
        });
        if !fine || email.chars().any(char::is_whitespace) {
            self.fault(path, Code::NotAnEmail.says("must be an e-mail address such as name@example.com"));
        }
        Some(email)
    }

    /// A telephone number, kept in E.164 (`+442079460958`) however it is written. One without a country code is of the
    /// countries that these inputs were made for.
    pub fn phone(&mut self, path: &str, phone: Option<&str>) -> Option<String> {
        let text = self.opt_text(path, phone, 40)?;
        let number = crate::phone::e164(&text, &self.countries);
        Some(number.unwrap_or_else(|unusable| {
            self.fault(path, unusable.flaw());
            text
        }))
    }
}

/// The unit that the name of a field ends with.
fn unit_of(path: &str) -> Option<&'static str> {
    let units = [
        ("Mm", "mm"),
        ("Cm", "cm"),
        ("Cm2", "cm²"),
        ("Kg", "kg"),
        ("Ms", "ms"),
        ("Mj", "mJ"),
        ("Rpm", "rpm"),
        ("Minutes", "min"),
        ("Hours", "h"),
        ("Days", "days"),
        ("Weeks", "weeks"),
        ("Months", "months"),
    ];
    units.into_iter().find(|(name, _)| path.ends_with(name)).map(|(_, unit)| unit)
}

/// Whether a text has the form of a BCP 47 tag: a language of 2 to 8 letters, then parts of 1 to 8 letters and digits.
pub fn is_language_tag(text: &str) -> bool {
    let mut parts = text.split('-');
    let language = parts.next().unwrap_or_default();
    text.len() <= 35
        && (2..=8).contains(&language.len())
        && language.bytes().all(|letter| letter.is_ascii_alphabetic())
        && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|letter| letter.is_ascii_alphanumeric()))
}

/// A patched field: absent keeps the value, null clears it.
pub fn patched<T>(patch: MaybeUndefined<T>, before: Option<T>) -> Option<T> {
    match patch {
        MaybeUndefined::Undefined => before,
        MaybeUndefined::Null => None,
        MaybeUndefined::Value(value) => Some(value),
    }
}

/// The digest of a mutation's name and arguments.
fn ctx_digest(ctx: &async_graphql::Context<'_>) -> Result<[u8; 32]> {
    let refused = |error: async_graphql::ServerError| Error::input("input", Code::WrongType.says(error.message));
    let arguments = ctx.field().arguments().map_err(refused)?;
    Ok(digest(ctx.field().name(), arguments))
}

impl Operation {
    /// The retry key of a mutation: the request's `Idempotency-Key`, else the id that the client made for the record.
    pub fn retry(&self, ctx: &async_graphql::Context<'_>, client_id: Option<&ID>) -> Result<Option<Retry>> {
        let RequestFacts { idempotency_key, .. } = self.facts();
        let key = match (idempotency_key, client_id) {
            (Some(key), _) => format!("key:{key}"),
            (None, Some(id)) => format!("id:{}", id.as_str()),
            (None, None) => return Ok(None),
        };
        let field = ctx.path_node.map(|node| node.to_string_vec().join(".")).unwrap_or_default();
        let field = if idempotency_key.is_some() { field } else { String::new() };
        Ok(Some(Retry { key, field, digest: ctx_digest(ctx)? }))
    }
}
