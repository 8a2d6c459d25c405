//! What a backup may hold: a closed list. What takes one and what restores one both go by it; anything else is refused.

use super::MANIFEST;
use crate::keys;
use crate::objects::Reading;
use crate::photo::object_name;
use uuid::Uuid;

/// A dump goes into entries of this size: its own is not known before it ends.
pub(super) const PART: usize = 8 << 20;
/// The signature of the manifest.
pub(super) const SIGNATURE: &str = "manifest.sig";
/// The public keys that checkpoints, and the manifest, are signed with.
pub(super) const PUBLIC_KEY: &str = "public-key.pem";
/// The name of the secret of links, in the folder of photos.
pub(super) const LINK_SECRET: &str = "link-secret";

/// An entry of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// What describes all others.
    Manifest,
    /// Its signature.
    Signature,
    /// Public keys.
    PublicKey,
    /// A part of the database, by its number.
    Database(u32),
    /// A file of a photo, by its name in the object store.
    Object(String),
    /// A checkpoint, by its name in their store.
    Checkpoint(String),
    /// A key, by its name in the folder of keys.
    Key(&'static str),
    /// The secret of links.
    LinkSecret,
}

impl Content {
    /// Reads the name of an entry. Each has one spelling; there is none with `..`, and none that is absolute.
    pub(super) fn of(name: &str) -> Option<Self> {
        let content = match name {
            MANIFEST => Self::Manifest,
            SIGNATURE => Self::Signature,
            PUBLIC_KEY => Self::PublicKey,
            _ => match name.split_once('/')? {
                ("database", number) => Self::Database(number.parse().ok()?),
                ("objects", rest) => Self::Object(object(rest)?),
                ("checkpoints", rest) => Self::Checkpoint(checkpoint(rest)?),
                ("keys", key) => Self::Key(keys::NAMES.iter().find(|known| **known == key)?),
                ("link", LINK_SECRET) => Self::LinkSecret,
                _ => return None,
            },
        };
        (content.name() == name).then_some(content)
    }

    /// Its name.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Manifest => MANIFEST.to_owned(),
            Self::Signature => SIGNATURE.to_owned(),
            Self::PublicKey => PUBLIC_KEY.to_owned(),
            Self::Database(number) => format!("database/{number:06}"),
            Self::Object(name) => format!("objects/{name}"),
            Self::Checkpoint(name) => format!("checkpoints/{name}"),
            Self::Key(name) => format!("keys/{name}"),
            Self::LinkSecret => format!("link/{LINK_SECRET}"),
        }
    }

    /// The most bytes that it may have.
    pub(super) fn most_bytes(&self) -> u64 {
        match self {
            // That of a million photos has some 300 MB.
            Self::Manifest => 1 << 30,
            Self::Signature | Self::Checkpoint(_) | Self::PublicKey => 64 << 10,
            Self::Database(_) => u64::try_from(PART).unwrap_or(u64::MAX),
            // A picture that had to be turned is written anew, and can be larger than what was sent.
            Self::Object(_) => 256 << 20,
            Self::Key(_) | Self::LinkSecret => 32,
        }
    }

    /// Whether it is a secret of the service.
    pub(super) fn is_key(&self) -> bool {
        matches!(self, Self::Key(_) | Self::LinkSecret)
    }
}

/// Whether a backup of before manifests were signed may have had this, though nothing of ours is named so: whatever lay in
/// the folders of keys and checkpoints went into it. It is left where it is.
pub(super) fn was_taken_along(name: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['/', '\\', '\0']);
    match name.split_once('/') {
        Some(("keys" | "link", file)) => plain(file),
        Some(("checkpoints", rest)) => rest.ends_with(".json") && rest.split('/').all(plain),
        _ => false,
    }
}

fn object(name: &str) -> Option<String> {
    let mut parts = name.split('/');
    let (org, photo): (Uuid, Uuid) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let reading = match parts.next()? {
        "original" => Reading::Original,
        "thumbnail" => Reading::Thumbnail,
        _ => return None,
    };
    Some(object_name(org, photo, reading))
}

/// `<organisation>/<number of the ledger's entry, 19 digits>-<time, as 20261122T120300.123456Z>.json`
fn checkpoint(name: &str) -> Option<String> {
    let (org, file) = name.split_once('/')?;
    let org: Uuid = org.parse().ok()?;
    let (number, time) = file.strip_suffix(".json")?.split_once('-')?;
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let (day, rest) = time.strip_suffix('Z')?.split_once('T')?;
    let (second, micros) = rest.split_once('.')?;
    let fits = digits(number, 19) && digits(day, 8) && digits(second, 6) && digits(micros, 6);
    fits.then(|| format!("{org}/{file}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORG: &str = "01234567-89ab-7def-8123-456789abcdef";

    #[test]
    fn what_a_backup_holds_has_one_spelling() {
        let photo = "0fedcba9-8765-7321-8fed-cba987654321";
        for name in [
            "manifest.json",
            "manifest.sig",
            "public-key.pem",
            "database/000000",
            "database/000123",
            "database/1234567",
            &format!("objects/{ORG}/{photo}/original"),
            &format!("objects/{ORG}/{photo}/thumbnail"),
            &format!("checkpoints/{ORG}/0000000000000000042-20261122T120300.123456Z.json"),
            "keys/checkpoint",
            "keys/second-factor",
            "keys/webhooks",
            "link/link-secret",
        ] {
            assert_eq!(Content::of(name).map(|content| content.name()).as_deref(), Some(name));
        }
    }

    #[test]
    fn nothing_else_is_one() {
        let upper = ORG.to_uppercase();
        for name in [
            "",
            "/",
            "keys/",
            "keys/../checkpoint",
            "keys/../../planted",
            "keys//etc/passwd",
            "keys/checkpoint/",
            "keys/checkpoint\0",
            "keys/id_rsa",
            "/keys/checkpoint",
            "./keys/checkpoint",
            "KEYS/checkpoint",
            "keys\\checkpoint",
            "link/other",
            "database/0",
            "database/+00001",
            "database/../000001",
            "manifest.json/",
            &format!("objects/{ORG}/original"),
            &format!("objects/{ORG}/{ORG}/original/"),
            &format!("objects/{ORG}/{ORG}/original/x"),
            &format!("objects/{ORG}/../original"),
            &format!("objects/{upper}/{ORG}/original"),
            &format!("objects/{{{ORG}}}/{ORG}/original"),
            &format!("checkpoints/{ORG}/../x.json"),
            &format!("checkpoints/{ORG}/1-20261122T120300.123456Z.json"),
            &format!("checkpoints/{ORG}/0000000000000000042-2026/122T120300.123456Z.json"),
            "planted",
        ] {
            assert_eq!(Content::of(name), None, "{name:?}");
        }
        assert!(was_taken_along("keys/checkpoint.old") && was_taken_along("checkpoints/a/b.json"));
        for name in ["keys/../x", "keys/.x", "keys/a/b", "checkpoints/../x.json", "checkpoints//x.json", "planted"] {
            assert!(!was_taken_along(name), "{name:?}");
        }
    }
}
