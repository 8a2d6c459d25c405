//! Secrets of webhooks, and signatures by them: symmetric ones of Standard Webhooks (`v1`, HMAC-SHA256).

use crate::error::{Error, Result};
use crate::ids;
use crate::record::hex;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use rand::TryRngCore;
use rand::rngs::OsRng;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};

/// Bytes of a secret; the convention asks for 24 to 64.
const LENGTH: usize = 32;
/// What secrets begin with.
const PREFIX: &str = "whsec_";

/// A secret that a receiver verifies signatures with.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(Vec<u8>);

impl std::fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl SigningSecret {
    /// A new one.
    pub fn fresh() -> Result<Self> {
        let mut bytes = vec![0; LENGTH];
        OsRng.try_fill_bytes(&mut bytes).map_err(|_| Error::Internal("no randomness".to_owned()))?;
        Ok(Self(bytes))
    }

    /// From its bytes.
    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Its bytes, to be sealed.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// As its receiver gets it: `whsec_` and base64.
    pub fn shown(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    /// What tells it from others without telling it: the first 8 hexadecimal digits of the SHA-256 of the text that its
    /// receiver has.
    pub fn fingerprint(&self) -> String {
        hex::text(&Sha256::digest(self.shown().as_bytes())).chars().take(8).collect()
    }
}

/// The headers of an event: its id, when it is sent, and a signature by each secret.
pub fn sign(id: &str, at: DateTime<Utc>, body: &str, secrets: &[SigningSecret]) -> Result<HeaderMap> {
    let broken = |_| Error::Internal("an event that can't be signed".to_owned());
    let seconds = at.timestamp();
    let each = secrets.iter().map(|secret| {
        Webhook::from_bytes(secret.0.clone())
            .and_then(|webhook| webhook.sign(id, seconds, body.as_bytes()))
            .map_err(broken)
    });
    let signatures: Vec<String> = each.collect::<Result<_>>()?;
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (HEADER_WEBHOOK_ID, id.to_owned()),
        (HEADER_WEBHOOK_TIMESTAMP, seconds.to_string()),
        (HEADER_WEBHOOK_SIGNATURE, signatures.join(" ")),
    ] {
        let value = HeaderValue::from_str(&value).map_err(|_| Error::Internal("a header that is none".to_owned()))?;
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(headers)
}

/// An id that nothing else has, for an event that is no change.
pub fn fresh_event_id() -> String {
    format!("msg_{}", ids::new_id().simple())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_secret_verifies_what_was_signed_and_no_other_does() {
        let [old, new, other] = [(); 3].map(|()| SigningSecret::fresh().expect("random"));
        let body = r#"{"type":"patient.created"}"#;
        let headers = sign("msg_1", Utc::now(), body, &[new.clone(), old.clone()]).expect("signed");
        let verifies = |secret: &SigningSecret, body: &str| {
            Webhook::new(&secret.shown()).expect("a secret").verify(body.as_bytes(), &headers).is_ok()
        };
        assert!(verifies(&old, body) && verifies(&new, body));
        assert!(!verifies(&other, body) && !verifies(&old, r#"{"type":"patient.erased"}"#));
        let alone = sign("msg_1", Utc::now(), body, &[new]).expect("signed");
        assert!(Webhook::new(&old.shown()).expect("a secret").verify(body.as_bytes(), &alone).is_err());
    }

    /// The example of the convention's own test suites.
    #[test]
    fn a_signature_is_that_of_the_convention() {
        let secret = SigningSecret::of_bytes(STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64"));
        let at = DateTime::from_timestamp(1_614_265_330, 0).expect("a time");
        let headers = sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, r#"{"test": 2432232314}"#, &[secret]).expect("signed");
        assert_eq!(headers["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_is_told_by_its_fingerprint_and_never_prints() {
        let secret = SigningSecret::of_bytes(vec![7; LENGTH]);
        assert_eq!(format!("{secret:?}"), "***");
        assert!(secret.shown().starts_with("whsec_") && secret.fingerprint().len() == 8);
        assert_ne!(secret.fingerprint(), SigningSecret::of_bytes(vec![8; LENGTH]).fingerprint());
    }
}
