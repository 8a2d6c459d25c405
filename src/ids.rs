//! Typed ids: a UUIDv7 shown with the name of its kind, `patient_01k9…`, after the TypeID convention.

use crate::error::{Code, Flaw};
use crate::kinds::{KINDS, Kind};
use crate::vocabulary::RecordKind;
use chrono::{DateTime, TimeZone, Utc};
use uuid::Uuid;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A fresh id, ordered by time.
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// An id as if made at `at`: what the demo clinic's history is made of.
pub fn id_at(at: DateTime<Utc>, random: [u8; 10]) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(u64::try_from(at.timestamp_millis()).unwrap_or(0), &random).into_uuid()
}

/// The time as Postgres keeps it: whole microseconds. What is bound equals what is read back.
pub fn now() -> DateTime<Utc> {
    let now = Utc::now();
    Utc.timestamp_micros(now.timestamp_micros()).single().unwrap_or(now)
}

/// The prefix of a kind's ids.
pub fn prefix(kind: RecordKind) -> &'static str {
    Kind::of(kind).map_or("record", |row| row.prefix)
}

/// Shows an id: the prefix, an underscore and 26 characters of base 32.
pub fn show(kind: RecordKind, id: Uuid) -> String {
    show_with(prefix(kind), id)
}

/// Shows the id of what is no record, a sign-in, with a prefix of its own.
pub fn show_with(prefix: &str, id: Uuid) -> String {
    let mut text = String::with_capacity(prefix.len() + 27);
    text.push_str(prefix);
    text.push('_');
    let value = id.as_u128();
    for place in (0..26).rev() {
        let digit = (value >> (place * 5)) & 31;
        if let Some(character) = ALPHABET.get(usize::try_from(digit).unwrap_or(0)) {
            text.push(char::from(*character));
        }
    }
    text
}

/// Reads any typed id.
pub fn parse_any(text: &str) -> Option<(RecordKind, Uuid)> {
    let (prefix_text, _) = text.rsplit_once('_')?;
    let kind = KINDS.iter().find(|row| row.prefix == prefix_text)?.kind;
    Some((kind, parse_with(prefix_text, text)?))
}

/// Reads an id with a prefix.
pub fn parse_with(prefix: &str, text: &str) -> Option<Uuid> {
    let digits = text.strip_prefix(prefix)?.strip_prefix('_')?;
    if digits.len() != 26 || digits.as_bytes().first().is_none_or(|first| *first > b'7') {
        return None;
    }
    let mut value: u128 = 0;
    for character in digits.bytes() {
        let digit = ALPHABET.iter().position(|known| *known == character)?;
        value = (value << 5) | u128::try_from(digit).ok()?;
    }
    Some(Uuid::from_u128(value))
}

/// Reads the id of one kind; the flaw says what is wrong with any other text.
pub fn parse(kind: RecordKind, text: &str) -> Result<Uuid, Flaw> {
    match parse_any(text) {
        Some((found, id)) if found == kind => Ok(id),
        Some((found, _)) => {
            let message = format!("is the id of {}; that of {} starts with {}_", found.one(), kind.one(), prefix(kind));
            Err(Code::WrongKind.says(message).with("prefix", prefix(kind)))
        }
        None => {
            let message = format!(
                "is not an id of this service; that of {} starts with {}_ and has 26 characters after it",
                kind.one(),
                prefix(kind)
            );
            Err(Code::NotAnId.says(message).with("prefix", prefix(kind)))
        }
    }
}

/// Reads an argument that must be the id of one kind.
pub fn argument(path: &str, kind: RecordKind, text: &str) -> crate::error::Result<Uuid> {
    parse(kind, text).map_err(|flaw| crate::error::Error::input(path, flaw))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(value: u128) {
            let id = Uuid::from_u128(value);
            for kind in RecordKind::ALL {
                prop_assert_eq!(parse(*kind, &show(*kind, id)), Ok(id));
            }
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC*") {
            let _ = parse_any(&text);
        }
    }

    #[test]
    fn the_typeid_specification_s_example() {
        // From the specification's valid.json, "valid-uuidv7".
        let id = Uuid::parse_str("01890a5d-ac96-774b-bcce-b302099a8057").expect("uuid");
        assert_eq!(show(RecordKind::Patient, id), "patient_01h455vb4pex5vsknk084sn02q");
    }

    #[test]
    fn another_kind_s_id_is_named() {
        let id = show(RecordKind::TreatmentSession, new_id());
        let flaw = parse(RecordKind::Patient, &id).expect_err("wrong kind");
        let message = flaw.message();
        assert!(message.contains("treatment session") && message.contains("patient_"), "{message}");
    }

    #[test]
    fn ids_sort_by_the_time_they_were_made_for() {
        let early = Utc.timestamp_opt(1_700_000_000, 0).single().expect("time");
        let late = early + chrono::TimeDelta::days(1);
        assert!(id_at(early, [9; 10]) < id_at(late, [0; 10]));
    }
}
