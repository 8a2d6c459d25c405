//! Addresses that prove by themselves to whom they were given, for what and how long: no bearer token is needed, and none
//! of it can be changed. Whether that sign-in still holds is asked when one is used.

use crate::config::ObjectSettings;
use crate::keys;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::path::Path;
use uuid::Uuid;

/// What a link lets one do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Bring the bytes of a record.
    Upload,
    /// Fetch them.
    Read(Reading, Reason),
}

/// Which bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// The whole picture.
    Original,
    /// The small one.
    Thumbnail,
}

/// What for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The clinical record.
    ClinicalRecord,
    /// Marketing.
    Marketing,
    /// A duty that needs no consent: a legal hold, or a stated reason such as a complaint.
    LegalDuty,
    /// Everything of a patient given out to them: theirs whatever they agreed to.
    Export,
}

impl Use {
    fn byte(self) -> u8 {
        match self {
            Self::Upload => 0,
            Self::Read(Reading::Original, Reason::ClinicalRecord) => 1,
            Self::Read(Reading::Thumbnail, Reason::ClinicalRecord) => 2,
            Self::Read(Reading::Original, Reason::Marketing) => 3,
            Self::Read(Reading::Thumbnail, Reason::Marketing) => 4,
            Self::Read(Reading::Original, Reason::Export) => 5,
            Self::Read(Reading::Thumbnail, Reason::Export) => 6,
            Self::Read(Reading::Original, Reason::LegalDuty) => 7,
            Self::Read(Reading::Thumbnail, Reason::LegalDuty) => 8,
        }
    }

    fn of_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Upload,
            1 => Self::Read(Reading::Original, Reason::ClinicalRecord),
            2 => Self::Read(Reading::Thumbnail, Reason::ClinicalRecord),
            3 => Self::Read(Reading::Original, Reason::Marketing),
            4 => Self::Read(Reading::Thumbnail, Reason::Marketing),
            5 => Self::Read(Reading::Original, Reason::Export),
            6 => Self::Read(Reading::Thumbnail, Reason::Export),
            7 => Self::Read(Reading::Original, Reason::LegalDuty),
            8 => Self::Read(Reading::Thumbnail, Reason::LegalDuty),
            _ => return None,
        })
    }
}

/// To whom a link was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// In which organisation.
    pub org: Uuid,
    /// Who asked for it, and uses it.
    pub staff: Uuid,
    /// By which sign-in: it ends with that.
    pub sign_in: Uuid,
    /// Whether they said why they look, as restricted patients ask for.
    pub reasoned: bool,
}

/// What a link says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// What it lets one do.
    pub purpose: Use,
    /// Whose it is.
    pub holder: Holder,
    /// Of which record.
    pub record: Uuid,
    /// Until when, in whole seconds.
    pub until: DateTime<Utc>,
}

/// Bytes of what is signed: use, whether a reason was stated, four ids, seconds.
const SIGNED: usize = 2 + 4 * 16 + 8;
const SIGNATURE: usize = 32;

/// The least characters of a secret that somebody chose.
const SHORTEST_SECRET: usize = 32;

/// Signs links and reads them.
#[derive(Clone)]
pub struct Links {
    key: [u8; 32],
    base: String,
}

impl Links {
    /// Signs with the secret of the settings; else with one kept in the local store's folder; else, with S3, with one of
    /// this process's own.
    pub fn open(settings: &ObjectSettings, folder: Option<&Path>) -> Result<Self, String> {
        let key = match (&settings.link_secret, folder) {
            (Some(secret), _) if secret.expose().len() < SHORTEST_SECRET => {
                return Err(format!("--link-secret must have at least {SHORTEST_SECRET} characters"));
            }
            (Some(secret), _) => Sha256::digest(secret.expose().as_bytes()).into(),
            (None, Some(folder)) => keys::kept(&folder.join("link-secret"))?,
            (None, None) => {
                tracing::warn!(
                    "no --link-secret: links to photos are signed for this process alone and end with it; several \
                     processes need one secret in common"
                );
                keys::fresh()?
            }
        };
        Ok(Self { key, base: settings.public_url.as_deref().unwrap_or_default().trim_end_matches('/').to_owned() })
    }

    fn mac(&self, payload: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.key).ok()?;
        mac.update(b"clinic photo link 2");
        mac.update(payload);
        Some(mac)
    }

    /// The address of a pass.
    pub fn address(&self, pass: &Pass) -> String {
        let path = if pass.purpose == Use::Upload { "/photos/upload" } else { "/photos" };
        format!("{}{path}/{}", self.base, self.sign(pass))
    }

    /// The pass as text that can't be made without the key.
    pub fn sign(&self, pass: &Pass) -> String {
        let mut bytes = Vec::with_capacity(SIGNED + SIGNATURE);
        let Holder { org, staff, sign_in, reasoned } = pass.holder;
        bytes.extend([pass.purpose.byte(), u8::from(reasoned)]);
        for id in [org, staff, sign_in, pass.record] {
            bytes.extend_from_slice(id.as_bytes());
        }
        bytes.extend_from_slice(&pass.until.timestamp().to_be_bytes());
        if let Some(mac) = self.mac(&bytes) {
            bytes.extend_from_slice(&mac.finalize().into_bytes());
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a pass that this key signed; whether its time is over is for the caller to say.
    pub fn read(&self, text: &str) -> Option<Pass> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (signed, signature) = bytes.split_at_checked(SIGNED)?;
        self.mac(signed)?.verify_slice(signature).ok()?;
        let (purpose, rest) = signed.split_first()?;
        let (reasoned, rest) = rest.split_first()?;
        let (ids, seconds) = rest.split_at_checked(4 * 16)?;
        let mut ids = ids.chunks_exact(16).map(|id| Uuid::from_slice(id).ok());
        Some(Pass {
            purpose: Use::of_byte(*purpose)?,
            holder: Holder { org: ids.next()??, staff: ids.next()??, sign_in: ids.next()??, reasoned: *reasoned == 1 },
            record: ids.next()??,
            until: DateTime::from_timestamp(i64::from_be_bytes(seconds.try_into().ok()?), 0)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn links(key: u8) -> Links {
        Links { key: [key; 32], base: "https://photos.example".to_owned() }
    }

    fn pass() -> impl Strategy<Value = Pass> {
        let ids = (any::<u128>(), any::<u128>(), any::<u128>(), any::<u128>());
        (0_u8..7, ids, any::<bool>(), 0_i64..4_000_000_000).prop_map(
            |(purpose, (org, staff, sign_in, record), reasoned, until)| Pass {
                purpose: Use::of_byte(purpose).expect("a use"),
                holder: Holder {
                    org: Uuid::from_u128(org),
                    staff: Uuid::from_u128(staff),
                    sign_in: Uuid::from_u128(sign_in),
                    reasoned,
                },
                record: Uuid::from_u128(record),
                until: DateTime::from_timestamp(until, 0).expect("a time"),
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_signed_is_read_back_and_by_this_key_only(pass in pass()) {
            let text = links(1).sign(&pass);
            prop_assert_eq!(links(1).read(&text), Some(pass));
            prop_assert_eq!(links(2).read(&text), None);
        }

        #[test]
        fn no_changed_byte_passes(pass in pass(), place in 0_usize..SIGNED + SIGNATURE, flip in 1_u8..=255) {
            let mut bytes = URL_SAFE_NO_PAD.decode(links(1).sign(&pass)).expect("base64");
            bytes[place] ^= flip;
            prop_assert_eq!(links(1).read(&URL_SAFE_NO_PAD.encode(bytes)), None);
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC*") {
            prop_assert_eq!(links(1).read(&text), None);
        }
    }
}
