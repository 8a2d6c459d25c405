//! How the ledger keeps contents: compressed by zstd, with a dictionary of what such contents look like. A digest covers
//! the content itself, to the letter, so a content is unpacked before anything is done with it.
//!
//! The first byte is the number of the dictionary; a zstd frame that states its size follows. A dictionary is never changed
//! or removed, because entries that were packed with it can be read only with it. A better dictionary gets a new number.
//!
//! Each content is compressed alone, and the dictionary holds nobody's data: an erased entry leaves nothing in others.

use crate::error::{self, Error};
use crate::vocabulary::Action;
use diesel::sql_types as st;
use std::cell::RefCell;
use std::sync::LazyLock;
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};
use zstd::zstd_safe::{find_frame_compressed_size, get_frame_content_size};

/// Trained on contents of the demo clinic, with the ids replaced by random ones.
const FIRST: &[u8] = include_bytes!("ledger-1.zdict");
/// The number of the dictionary that contents are packed with.
const NEWEST: u8 = 1;
/// zstd's own default. Level 9 would save another 2 to 4 %.
const LEVEL: i32 = 3;
/// The largest content that is packed. A request has 1 MiB by default, and a content a little more than its request.
const LARGEST: usize = 16 << 20;

static PACKER: LazyLock<std::io::Result<EncoderDictionary<'static>>> =
    LazyLock::new(|| EncoderDictionary::try_copy(FIRST, LEVEL));
static UNPACKER: LazyLock<std::io::Result<DecoderDictionary<'static>>> =
    LazyLock::new(|| DecoderDictionary::try_copy(FIRST));

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Why a packed content can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// This program does not have the dictionary with this number.
    Dictionary(u8),
    /// The bytes are not what `pack` made.
    Damaged(String),
}

impl Unreadable {
    /// The reason in one sentence.
    pub fn told(self) -> String {
        match self {
            Self::Dictionary(number) => format!(
                "a content is packed with dictionary {number}, which this program does not have: a newer program wrote it, or \
                 somebody changed it"
            ),
            Self::Damaged(why) => why,
        }
    }

    fn damaged(error: impl std::fmt::Display) -> Self {
        Self::Damaged(format!("a content can't be unpacked: {error}"))
    }
}

fn compressor() -> std::io::Result<Compressor<'static>> {
    match &*PACKER {
        Ok(dictionary) => Compressor::with_prepared_dictionary(dictionary),
        Err(error) => Err(std::io::Error::new(error.kind(), error.to_string())),
    }
}

fn decompressor() -> std::io::Result<Decompressor<'static>> {
    match &*UNPACKER {
        Ok(dictionary) => Decompressor::with_prepared_dictionary(dictionary),
        Err(error) => Err(std::io::Error::new(error.kind(), error.to_string())),
    }
}

/// Packs a content. It unpacks the result again before it returns it, so what can't be read back is never kept.
pub fn pack(content: &str) -> Result<Vec<u8>, String> {
    let plain = |error: std::io::Error| format!("a content can't be packed: {error}");
    let frame = COMPRESSOR.with_borrow_mut(|kept| {
        let compressor = match kept {
            Some(compressor) => compressor,
            None => kept.insert(compressor().map_err(plain)?),
        };
        compressor.compress(content.as_bytes()).map_err(plain)
    })?;
    let packed = [&[NEWEST], frame.as_slice()].concat();
    if unpack(&packed).map_err(Unreadable::told)? != content {
        return Err("a packed content can't be read back as it was".to_owned());
    }
    Ok(packed)
}

/// Unpacks a content.
pub fn unpack(packed: &[u8]) -> Result<String, Unreadable> {
    let frame = match packed.split_first() {
        Some((&NEWEST, frame)) => frame,
        Some((number, _)) => return Err(Unreadable::Dictionary(*number)),
        None => return Err(Unreadable::damaged("it is empty")),
    };
    // One frame and nothing after it: what zstd would skip is not part of a content.
    if find_frame_compressed_size(frame) != Ok(frame.len()) {
        return Err(Unreadable::damaged("it is not one whole frame"));
    }
    let size = get_frame_content_size(frame).ok().flatten();
    let size = size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size <= LARGEST);
    let size = size.ok_or_else(|| Unreadable::damaged("it states no possible size"))?;
    let bytes = DECOMPRESSOR.with_borrow_mut(|kept| {
        let decompressor = match kept {
            Some(decompressor) => decompressor,
            None => kept.insert(decompressor().map_err(Unreadable::damaged)?),
        };
        decompressor.decompress(frame, size).map_err(Unreadable::damaged)
    })?;
    String::from_utf8(bytes).map_err(|_| Unreadable::damaged("it is not text"))
}

/// The columns `content` and `packed` of an entry. One of them has the content; neither has that of an erased entry.
pub(crate) type Kept = (Option<String>, Option<Vec<u8>>);
/// The SQL types of these columns.
pub(crate) type KeptSql = (st::Nullable<st::Text>, st::Nullable<st::Binary>);

/// The columns for a content. Contents of merges and erasures stay text, because functions of the database read them.
pub(crate) fn kept(action: Action, content: String) -> error::Result<Kept> {
    if matches!(action, Action::Merge | Action::Erase) || content.len() > LARGEST {
        return Ok((Some(content), None));
    }
    Ok((None, Some(pack(&content).map_err(Error::Internal)?)))
}

/// The content that the columns hold; none if it was erased.
pub(crate) fn content_of((content, packed): Kept) -> error::Result<Option<String>> {
    match packed {
        Some(packed) => Ok(Some(unpack(&packed).map_err(|why| Error::Internal(why.told()))?)),
        None => Ok(content),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::hex;
    use sha2::{Digest, Sha256};

    const CONTENT: &str = r#"{"id":"01890a5d-ac96-774b-bcce-b302099a8057","note":"Zoë rested well."}"#;
    /// That content, as the zstd command packed it with the first dictionary.
    const STORED: &str = "0128b52ffd2101489d010003c3083f7aac200b8f871c8f38c51d4be8d16ba4b81b5a9afa734c19ed2ef6530a6d312767\
                          0103fc048c2c526b889604097529";

    fn stored() -> Vec<u8> {
        (0..STORED.len()).step_by(2).map(|at| u8::from_str_radix(&STORED[at..at + 2], 16).expect("hex")).collect()
    }

    #[test]
    fn the_first_dictionary_never_changes() {
        let sum = "d745f37e6a622a359e5b01caddb6e9cf8fb6cdea70969fb1ae6fcbad39bf9f88";
        assert_eq!(hex::text(&Sha256::digest(FIRST)), sum, "entries can be read only with the dictionary as it was");
        assert_eq!(unpack(&stored()), Ok(CONTENT.to_owned()));
    }

    #[test]
    fn what_is_packed_comes_back_to_the_letter() {
        let long = format!("{{\"note\":\"{}\"}}", "Well tolerated. ".repeat(60_000));
        for content in ["", " ", "{}", "{\"b\": 1,\"a\":2}", "\u{0}\u{1F600}\\u0000", CONTENT, &long] {
            let packed = pack(content).expect("packed");
            assert_eq!(unpack(&packed), Ok(content.to_owned()));
        }
        assert!(pack(CONTENT).expect("packed").len() < CONTENT.len());
    }

    #[test]
    fn merges_erasures_and_what_is_too_large_stay_text() {
        for action in Action::ALL {
            let (content, packed) = kept(*action, CONTENT.to_owned()).expect("kept");
            let as_text = matches!(action, Action::Merge | Action::Erase);
            assert_eq!((content.is_some(), packed.is_some()), (as_text, !as_text), "{action:?}");
            assert_eq!(content_of((content, packed)).expect("a content").as_deref(), Some(CONTENT));
        }
        let large = "x".repeat(LARGEST + 1);
        assert_eq!(kept(Action::Create, large.clone()).expect("kept"), (Some(large), None));
        assert_eq!(content_of((None, None)).expect("none"), None);
    }

    #[test]
    fn what_was_not_packed_is_not_unpacked() {
        let right = stored();
        assert_eq!(unpack(&[&[2], &right[1..]].concat()), Err(Unreadable::Dictionary(2)));
        let after = [&right[..], &[0]].concat();
        // A frame that zstd skips, and an empty one.
        let skipped = [&right[..], b"\x50\x2a\x4d\x18\x01\0\0\0x"].concat();
        let twice = [&right[..], &pack("").expect("packed")[1..]].concat();
        for wrong in [&[][..], &[1], &right[..right.len() - 1], &right[..9], &after, &skipped, &twice, &[1; 40]] {
            assert!(matches!(unpack(wrong), Err(Unreadable::Damaged(_))), "{wrong:?}");
        }
        for at in 0..right.len() {
            let mut flipped = right.clone();
            flipped[at] ^= 0xff;
            assert_ne!(unpack(&flipped), Ok(CONTENT.to_owned()), "byte {at}");
        }
    }
}
