//! Seals the data of second factors with a key that is not in the database.

use crate::error::{Error, Result};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce};
use hmac::{Hmac, Mac};
use rand::TryRngCore;
use sha2::Sha256;
use uuid::Uuid;

const NONCE: usize = 12;

/// Seals secrets and recovery codes with a key that is not in the database.
pub(super) struct Seal([u8; 32]);

impl Seal {
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    pub(super) fn close(&self, account: Uuid, secret: &[u8]) -> Result<Vec<u8>> {
        let lost = || Error::Internal("a second factor's secret can't be sealed".to_owned());
        let mut nonce = [0_u8; NONCE];
        rand::rngs::OsRng.try_fill_bytes(&mut nonce).map_err(|_| lost())?;
        let payload = Payload { msg: secret, aad: account.as_bytes() };
        let sealed = ChaCha20Poly1305::new((&self.0).into()).encrypt(Nonce::from_slice(&nonce), payload);
        Ok([nonce.as_slice(), &sealed.map_err(|_| lost())?].concat())
    }

    pub(super) fn open(&self, account: Uuid, sealed: &[u8]) -> Result<Vec<u8>> {
        let other = "a second factor's secret does not open with the key second-factor: is it another one than it was?";
        let Some((nonce, msg)) = sealed.split_at_checked(NONCE) else {
            return Err(Error::Internal(other.to_owned()));
        };
        let payload = Payload { msg, aad: account.as_bytes() };
        let opened = ChaCha20Poly1305::new((&self.0).into()).decrypt(Nonce::from_slice(nonce), payload);
        opened.map_err(|_| Error::Internal(other.to_owned()))
    }

    /// The stored hash of a recovery code, regardless of how the code is written.
    pub(super) fn recovery_hash(&self, account: Uuid, code: &str) -> Vec<u8> {
        let plain: String = code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
        // A key of any length is accepted, so the only possible failure does not occur.
        let mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.0).map(|mac| {
            let mac = mac.chain_update(b"recovery").chain_update(account.as_bytes()).chain_update(plain.as_bytes());
            mac.finalize().into_bytes().to_vec()
        });
        mac.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_secret_opens_for_its_account_and_key_only() {
        let (seal, account) = (Seal::new([7; 32]), Uuid::now_v7());
        let sealed = seal.close(account, b"12345678901234567890").expect("sealed");
        assert!(!sealed.windows(10).any(|part| part == b"1234567890"));
        assert_ne!(sealed, seal.close(account, b"12345678901234567890").expect("sealed"));
        assert_eq!(seal.open(account, &sealed).expect("opened"), b"12345678901234567890");
        assert!(seal.open(Uuid::now_v7(), &sealed).is_err());
        assert!(Seal::new([8; 32]).open(account, &sealed).is_err());
        assert!(seal.open(account, b"short").is_err());
    }
}
