//! Opaque bearer tokens: 256 random bits to the client, their SHA-256 to the database.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::{Digest, Sha256};

/// The SHA-256 of a token, the only part that is stored.
pub type TokenHash = [u8; 32];

const PREFIX: &str = "clinic_";

/// The cookie that holds a browser app's token. The prefix makes the browser bind it to this host, to TLS and to all
/// paths.
pub const COOKIE: &str = "__Host-clinic";

/// The `Set-Cookie` that delivers a token; without a token it removes the cookie. No script can read the cookie, and no
/// page of another site can make the browser send it.
pub fn cookie(token: Option<&str>) -> String {
    let attributes = "Path=/; Secure; HttpOnly; SameSite=Strict";
    match token {
        Some(token) => format!("{COOKIE}={token}; {attributes}"),
        None => format!("{COOKIE}=; {attributes}; Max-Age=0"),
    }
}

/// A new token and its hash. `None` when the system gives no randomness.
pub fn generate() -> Option<(String, TokenHash)> {
    let mut bits = [0_u8; 32];
    OsRng.try_fill_bytes(&mut bits).ok()?;
    let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bits));
    let hash = hash(&text);
    Some((text, hash))
}

/// The hash under which a token is looked up.
pub fn hash(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

/// Whether text could be a token at all; anything else needs no look-up.
pub fn is_well_formed(token: &str) -> bool {
    token.strip_prefix(PREFIX).is_some_and(|rest| {
        rest.len() == 43 && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_look_like_tokens() {
        let (one, hash_one) = generate().expect("random");
        let (two, _) = generate().expect("random");
        assert_ne!(one, two);
        assert!(is_well_formed(&one) && !is_well_formed("clinic_") && !is_well_formed(&one[1..]));
        assert_eq!(hash(&one), hash_one);
    }
}
