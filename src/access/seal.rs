//! Seals secrets with a key that is not in the database: those of second factors, and those of webhooks.

use crate::error::{Error, Result};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce};
use hmac::{Hmac, Mac};
use rand::TryRngCore;
use sha2::Sha256;
use uuid::Uuid;

const NONCE: usize = 12;

/// Seals secrets and recovery codes with a key that is not in the database.
pub struct Seal {
    key: [u8; 32],
    name: &'static str,
}

impl Seal {
    /// One with a key, by the name that the key has (`keys::NAMES`).
    pub fn new(key: [u8; 32], name: &'static str) -> Self {
        Self { key, name }
    }

    /// Seals a secret of an account or a record: it opens for the same one only.
    pub fn close(&self, whose: Uuid, secret: &[u8]) -> Result<Vec<u8>> {
        let lost = || Error::Internal("a secret can't be sealed".to_owned());
        let mut nonce = [0_u8; NONCE];
        rand::rngs::OsRng.try_fill_bytes(&mut nonce).map_err(|_| lost())?;
        let payload = Payload { msg: secret, aad: whose.as_bytes() };
        let sealed = ChaCha20Poly1305::new((&self.key).into()).encrypt(Nonce::from_slice(&nonce), payload);
        Ok([nonce.as_slice(), &sealed.map_err(|_| lost())?].concat())
    }

    /// Opens what was sealed for the same account or record.
    pub fn open(&self, whose: Uuid, sealed: &[u8]) -> Result<Vec<u8>> {
        let name = self.name;
        let other =
            || Error::Internal(format!("a secret does not open with the key {name}: is it another one than it was?"));
        let (nonce, msg) = sealed.split_at_checked(NONCE).ok_or_else(other)?;
        let payload = Payload { msg, aad: whose.as_bytes() };
        let opened = ChaCha20Poly1305::new((&self.key).into()).decrypt(Nonce::from_slice(nonce), payload);
        opened.map_err(|_| other())
    }

    /// The stored hash of a recovery code, regardless of how the code is written.
    pub(super) fn recovery_hash(&self, account: Uuid, code: &str) -> Vec<u8> {
        let plain: String = code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
        // A key of any length is accepted, so the only possible failure does not occur.
        let mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.key).map(|mac| {
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
        let (seal, account) = (Seal::new([7; 32], "second-factor"), Uuid::now_v7());
        let sealed = seal.close(account, b"12345678901234567890").expect("sealed");
        assert!(!sealed.windows(10).any(|part| part == b"1234567890"));
        assert_ne!(sealed, seal.close(account, b"12345678901234567890").expect("sealed"));
        assert_eq!(seal.open(account, &sealed).expect("opened"), b"12345678901234567890");
        assert!(seal.open(Uuid::now_v7(), &sealed).is_err());
        assert!(Seal::new([8; 32], "second-factor").open(account, &sealed).is_err());
        assert!(seal.open(account, b"short").is_err());
    }
}
