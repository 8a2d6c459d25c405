//! A place in an organisation's ledger, as a cursor. Unlike the cursors of lists it is not sealed, as it says nothing that
//! the change beside it does not, and it is good for ever.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeZone, Utc};

/// The form of a cursor: its first byte. Another form gets another.
const FORM: u8 = 1;
/// Bytes of a cursor: the form, the number, the time in microseconds, the place.
const LENGTH: usize = 1 + 8 + 8 + 4;
/// The time of no entry.
const NEVER: i64 = i64::MIN;
/// After all that an entry tells.
const WHOLE: u32 = u32::MAX;

/// A place in an organisation's ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The number of the entry; 0 before the first.
    pub seq: i64,
    /// The time of that entry: where to look for the next, and whether it is still the same ledger. None before the first.
    pub at: Option<DateTime<Utc>>,
    /// The last of what the entry tells that was read; none where that is all of it.
    pub place: Option<u32>,
}

impl Position {
    /// Before the first entry.
    pub const START: Self = Self { seq: 0, at: None, place: None };

    /// As a client gets it.
    pub fn cursor(self) -> String {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.push(FORM);
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(self.at.map_or(NEVER, |at| at.timestamp_micros()).to_be_bytes());
        bytes.extend(self.place.unwrap_or(WHOLE).to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a client's text.
    pub fn read(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (form, rest) = bytes.split_first()?;
        let (seq, rest) = rest.split_first_chunk::<8>()?;
        let (at, rest) = rest.split_first_chunk::<8>()?;
        let place = u32::from_be_bytes(rest.try_into().ok()?);
        let (seq, micros) = (i64::from_be_bytes(*seq), i64::from_be_bytes(*at));
        let at = if micros == NEVER { None } else { Some(Utc.timestamp_micros(micros).single()?) };
        let place = (place != WHOLE).then_some(place);
        (*form == FORM && seq >= 0).then_some(Self { seq, at, place })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_place_is_read_back(seq in 0..i64::MAX, micros in -1_000_000_000_000_000_i64..4_000_000_000_000_000, place: Option<u32>) {
            let place = place.filter(|place| *place != WHOLE);
            for at in [None, Utc.timestamp_micros(micros).single()] {
                let position = Position { seq, at, place };
                prop_assert_eq!(Position::read(&position.cursor()), Some(position));
            }
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC*", bytes: Vec<u8>) {
            let _ = Position::read(&text);
            if let Some(position) = Position::read(&URL_SAFE_NO_PAD.encode(bytes)) {
                prop_assert_eq!(Position::read(&position.cursor()), Some(position));
            }
        }
    }

    #[test]
    fn a_cursor_never_changes_its_form() {
        let at = Utc.timestamp_micros(1_796_000_000_123_456).single();
        let position = Position { seq: 4711, at, place: None };
        // Whoever holds it goes on with it after any update of the service.
        assert_eq!(position.cursor(), "AQAAAAAAABJnAAZhc9YGIkD_____");
        assert_eq!(Position::read("AQAAAAAAABJnAAZhc9YGIkD_____"), Some(position));
        assert_eq!(Position::read("AgAAAAAAABJnAAZhc9YGIkD_____"), None, "another form");
        assert_eq!(Position::read(&position.cursor()[..27]), None, "cut");
    }
}
