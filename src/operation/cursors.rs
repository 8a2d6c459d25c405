//! Seals cursors. A cursor holds a place in a list, which may be a name or a birth date, so only the service can read
//! one and nobody can forge one. A cursor that was altered, or made for another organisation, list or order, does not
//! open.

use crate::error::{Error, Result};
use aes_siv::KeyInit;
use aes_siv::siv::Aes128Siv;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

/// Names what is sealed and how, so that no other use of the key can be mistaken for it.
const PURPOSE: &[u8] = b"clinic cursor 1";

/// What a cursor is valid for.
#[derive(Debug, Clone, Copy)]
pub struct CursorOf<'a> {
    /// The organisation.
    pub org: Uuid,
    /// The list: the type of its records.
    pub list: &'a str,
    /// The order.
    pub order: &'a str,
}

impl CursorOf<'_> {
    fn headers(&self) -> [&[u8]; 4] {
        [PURPOSE, self.org.as_bytes(), self.list.as_bytes(), self.order.as_bytes()]
    }
}

/// Seals and opens cursors with AES-SIV (RFC 5297). The same place gives the same cursor, so a page that is read twice
/// is identical. All processes that share the key accept each other's cursors.
pub struct Cursors([u8; 32]);

impl Cursors {
    /// With the key from the keys folder.
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// A place, as sent to a client.
    pub fn seal(&self, cursor: CursorOf<'_>, place: &[u8]) -> Result<String> {
        let sealed = Aes128Siv::new(&self.0.into()).encrypt(cursor.headers(), place);
        let sealed = sealed.map_err(|_| Error::Internal("a cursor can't be sealed".to_owned()))?;
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// The place in a client's text, if it was sealed for this list.
    pub fn open(&self, cursor: CursorOf<'_>, text: &str) -> Option<Vec<u8>> {
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        Aes128Siv::new(&self.0.into()).decrypt(cursor.headers(), &sealed).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLACE: &[u8] = br#"[{"Text":"lovelace ada"},"01890a5d-ac96-774b-bcce-b302099a8057"]"#;

    fn of(org: u128, list: &'static str, order: &'static str) -> CursorOf<'static> {
        CursorOf { org: Uuid::from_u128(org), list, order }
    }

    #[test]
    fn a_cursor_is_stable_and_says_nothing() {
        let cursors = Cursors::new([7; 32]);
        let here = of(1, "Patient", "name:Asc");
        let sealed = cursors.seal(here, PLACE).expect("sealed");
        assert_eq!(cursors.seal(here, PLACE).ok().as_ref(), Some(&sealed));
        assert_eq!(cursors.open(here, &sealed).as_deref(), Some(PLACE));
        let bytes = URL_SAFE_NO_PAD.decode(&sealed).expect("letters");
        assert!(!bytes.windows(4).any(|part| PLACE.windows(4).any(|plain| plain == part)));
    }

    #[test]
    fn a_cursor_is_good_for_what_it_was_made_for() {
        let cursors = Cursors::new([7; 32]);
        let sealed = cursors.seal(of(1, "Patient", "name:Asc"), PLACE).expect("sealed");
        for other in [of(2, "Patient", "name:Asc"), of(1, "Staff", "name:Asc"), of(1, "Patient", "name:Desc")] {
            assert_eq!(cursors.open(other, &sealed), None, "{other:?}");
        }
        assert_eq!(Cursors::new([8; 32]).open(of(1, "Patient", "name:Asc"), &sealed), None);
    }

    proptest! {
        #[test]
        fn no_altered_cursor_opens(at in 0_usize..80, turn in 1_u8..=255) {
            let (cursors, here) = (Cursors::new([7; 32]), of(1, "Patient", "name:Asc"));
            let mut bytes = URL_SAFE_NO_PAD.decode(cursors.seal(here, PLACE).expect("sealed")).expect("letters");
            let at = at % bytes.len();
            bytes[at] ^= turn;
            prop_assert_eq!(cursors.open(here, &URL_SAFE_NO_PAD.encode(&bytes)), None);
            bytes.truncate(at);
            prop_assert_eq!(cursors.open(here, &URL_SAFE_NO_PAD.encode(&bytes)), None);
        }
    }
}
