//! The first reading of a backup: the whole file, held to the list of what a backup may hold, to its own manifest and to
//! the signature of that. Nothing is written.

use super::archive::{self, Unlock};
use super::contents::{Content, was_taken_along};
use super::{Entry, FORMAT, Manifest, UNSIGNED_FORMAT};
use crate::evidence::{KeyRing, Seal};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// What is told of the way: what is under way, and how much is done of how much.
pub type Told = Arc<dyn Fn(&'static str, u64, u64) + Send + Sync>;

/// What was read in the first pass, and found good.
#[derive(Debug)]
pub struct Checked {
    pub(super) manifest: Manifest,
    pub(super) public_key: Option<String>,
    /// The id of the key that vouches for it, one of those that were given; none where nobody does.
    pub vouched: Option<String>,
    /// The names of the keys that it holds.
    pub keys: Vec<String>,
}

/// Who is asked whether a backup is theirs.
pub enum Trust {
    /// Whoever holds one of these keys.
    Keys(KeyRing),
    /// Nobody; a backup without a signature is taken only if that was said.
    Nobody {
        /// Whether it may be without a signature.
        unsigned: bool,
    },
}

/// Reads the whole file and holds it to its manifest, its manifest to its signature, and that to the keys that were given.
pub async fn check(input: &Path, unlock: &Arc<Unlock>, trust: &Trust, told: Told) -> Result<Checked, String> {
    let (path, unlock) = (input.to_owned(), Arc::clone(unlock));
    let shown = input.display().to_string();
    let read = tokio::task::spawn_blocking(move || {
        let mut found = Found::default();
        let told = |done, total| told("looking at the backup", done, total);
        archive::read(&path, &unlock, &told, |name, bytes| found.take(name, bytes))?;
        Ok::<_, String>(found)
    });
    let found = read.await.map_err(|error| error.to_string())??;
    found.judge(trust).map_err(|why| format!("{shown} {why}"))
}

/// What there is in a file, as it comes.
#[derive(Debug, Default)]
pub(super) struct Found {
    entries: BTreeMap<String, Entry>,
    manifest: Option<Vec<u8>>,
    signature: Option<Vec<u8>>,
    public_key: Option<Vec<u8>>,
    /// The first entry that a backup with a signature would not have.
    stray: Option<String>,
}

impl Found {
    /// Takes an entry in: only what a backup may hold, once, and nothing after the manifest but its signature.
    pub(super) fn take(&mut self, name: String, bytes: Vec<u8>) -> Result<(), String> {
        match (Content::of(&name), &self.manifest, &self.signature) {
            (Some(Content::Manifest), None, None) => {
                self.manifest = Some(bytes);
                return Ok(());
            }
            (Some(Content::Signature), Some(_), None) => {
                self.signature = Some(bytes);
                return Ok(());
            }
            (Some(Content::Manifest | Content::Signature), ..) | (_, Some(_), _) => {
                return Err(format!("the backup is damaged: {name:?} is not where it belongs"));
            }
            (None, ..) if !was_taken_along(&name) => {
                return Err(format!(
                    "the backup holds {name:?}: no backup of this program does, nothing was taken of it"
                ));
            }
            (None, ..) => _ = self.stray.get_or_insert_with(|| name.clone()),
            _ => {}
        }
        let place = u64::try_from(self.entries.len()).ok();
        let entry = Entry { place, ..Entry::of(&bytes) };
        if name == super::contents::PUBLIC_KEY {
            self.public_key = Some(bytes);
        }
        match self.entries.insert(name.clone(), entry) {
            None => Ok(()),
            Some(_) => Err(format!("the backup is damaged: it holds {name:?} twice")),
        }
    }

    /// Holds all of it to the manifest, and that to its signature.
    pub(super) fn judge(self, trust: &Trust) -> Result<Checked, String> {
        let text = self.manifest.ok_or("is damaged or cut off: it has no manifest")?;
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(|_| "has a manifest that can't be read".to_owned())?;
        let is_old = manifest.format == UNSIGNED_FORMAT;
        if !is_old && manifest.format != FORMAT {
            return Err(format!("is of another version of this program ({:?})", manifest.format));
        }
        if let Some(stray) = self.stray.filter(|_| !is_old) {
            return Err(format!("holds {stray:?}: no backup of this program does"));
        }
        if is_old && self.signature.is_some() {
            return Err("is damaged: backups of that form have no signature".to_owned());
        }
        let public_key = self.public_key.and_then(|bytes| String::from_utf8(bytes).ok());
        let vouched = vouch(&text, self.signature.as_deref(), public_key.as_deref(), trust)?;
        let found =
            |name: &String| self.entries.get(name).map(|entry| if is_old { entry.placeless() } else { entry.clone() });
        if let Some((name, _)) = manifest.entries.iter().find(|(name, entry)| found(name).as_ref() != Some(*entry)) {
            return Err(format!("is damaged: {name:?}"));
        }
        if manifest.entries.len() != self.entries.len() {
            return Err("is damaged: it has more than its manifest says".to_owned());
        }
        let is_key = |name: &&String| Content::of(name).is_some_and(|content| content.is_key());
        let keys = manifest.entries.keys().filter(is_key).cloned().collect();
        Ok(Checked { manifest, public_key, vouched, keys })
    }
}

/// The id of the key that vouches for a manifest.
fn vouch(
    manifest: &[u8],
    signature: Option<&[u8]>,
    enclosed: Option<&str>,
    trust: &Trust,
) -> Result<Option<String>, String> {
    let Some(signature) = signature else {
        return match trust {
            Trust::Keys(_) => Err("is not signed: --public-key asks for the signature of that key".to_owned()),
            Trust::Nobody { unsigned: false } => Err("is not signed, it is of an older version of this program or \
                somebody took its signature away: --unsigned restores it, if you know where it comes from"
                .to_owned()),
            Trust::Nobody { unsigned: true } => Ok(None),
        };
    };
    let seal: Seal = serde_json::from_slice(signature).map_err(|_| "has a signature that can't be read".to_owned())?;
    match trust {
        Trust::Keys(keys) => keys.holds(manifest, &seal).map(|()| Some(seal.key)),
        // That only shows that it is whole: whoever makes a backup can put a key of theirs in.
        Trust::Nobody { .. } => {
            let keys =
                KeyRing::parse(enclosed.unwrap_or_default()).map_err(|why| format!("is damaged: its key {why}"))?;
            keys.holds(manifest, &seal).map(|()| None)
        }
    }
}
