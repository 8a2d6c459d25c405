//! Typed ids, read and written here a second time: a test that used the service's own code would not see it change.

use uuid::Uuid;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// `patient_01k9…` of a UUID.
pub fn typed(prefix: &str, id: Uuid) -> String {
    let digits = (0..26).rev().map(|place| ALPHABET[((id.as_u128() >> (place * 5)) & 31) as usize] as char);
    format!("{prefix}_{}", digits.collect::<String>())
}

/// A fresh typed id, as a client makes one.
pub fn new_id(prefix: &str) -> String {
    typed(prefix, Uuid::now_v7())
}

/// The UUID in a typed id.
pub fn uuid_of(id: &str) -> Uuid {
    let (_, digits) = id.rsplit_once('_').expect("a typed id");
    let digit = |byte| ALPHABET.iter().position(|known| *known == byte).expect("a digit") as u128;
    Uuid::from_u128(digits.bytes().fold(0, |value, byte| (value << 5) | digit(byte)))
}
