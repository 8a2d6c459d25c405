//! Secrets of 32 bytes that are not in the database: each in a file that only its owner reads.

use rand::TryRngCore;
use rand::rngs::OsRng;
use std::path::{Path, PathBuf};

/// The name of every key that a folder may hold. Backups go by this list.
pub const NAMES: [&str; 4] = ["checkpoint", "cursors", "second-factor", "webhooks"];

/// The folder of keys: each is made when it is first asked for.
#[derive(Debug, Clone)]
pub struct Keys {
    folder: PathBuf,
}

impl Keys {
    /// The folder of the settings; it is made at the first key.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// A key by its name.
    pub fn key(&self, name: &str) -> Result<[u8; 32], String> {
        let plain = |error: std::io::Error| {
            format!("the keys' folder {} can't be used ({error}): choose another with --key-dir", self.folder.display())
        };
        std::fs::create_dir_all(&self.folder).map_err(plain)?;
        close_to_others(&self.folder).map_err(plain)?;
        kept(&self.folder.join(name))
    }

    /// Where a key is.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// A key that was never anybody's.
pub fn fresh() -> Result<[u8; 32], String> {
    let mut key = [0_u8; 32];
    OsRng.try_fill_bytes(&mut key).map_err(|_| "the system gives no randomness".to_owned())?;
    Ok(key)
}

/// The key in a file, made at the first start. Two processes that start at once agree: the file appears whole.
pub fn kept(file: &Path) -> Result<[u8; 32], String> {
    let plain = |error: std::io::Error| format!("the key {} can't be kept: {error}", file.display());
    let new = file.with_extension(uuid::Uuid::now_v7().to_string());
    if !file.exists() {
        write_secret(&new, &fresh()?).map_err(plain)?;
        let linked = std::fs::hard_link(&new, file);
        let _ = std::fs::remove_file(&new);
        match linked {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(plain(error)),
        }
    }
    of_bytes(file, &std::fs::read(file).map_err(plain)?)
}

/// The key that a file holds.
pub(crate) fn of_bytes(file: &Path, bytes: &[u8]) -> Result<[u8; 32], String> {
    bytes.try_into().map_err(|_| format!("the key {} is not 32 bytes long: remove it", file.display()))
}

fn write_secret(file: &Path, key: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(file)?;
    file.write_all(key)?;
    file.sync_all()
}

/// Lets nobody but its owner into a folder.
#[cfg(unix)]
pub fn close_to_others(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
}

/// Lets nobody but its owner into a folder.
#[cfg(not(unix))]
pub fn close_to_others(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_closed_to_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = Keys::at(&folder.path().join("keys"));
        let first = keys.key("one").expect("a key");
        assert_eq!(keys.key("one"), Ok(first));
        assert_ne!(keys.key("two"), Ok(first));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(keys.file("one")).expect("a file").permissions().mode();
            assert_eq!(mode & 0o077, 0);
        }
        std::fs::write(keys.file("three"), b"short").expect("write");
        assert!(keys.key("three").is_err());
    }

    /// A key that no backup knows would be lost with its machine.
    #[test]
    fn every_key_of_the_folder_is_listed() {
        fn read(folder: &Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).expect("a folder").map(|it| it.expect("an entry").path()) {
                if entry.is_dir() {
                    read(&entry, found);
                } else if entry.extension().is_some_and(|it| it == "rs") && !entry.ends_with("keys.rs") {
                    let text = std::fs::read_to_string(&entry).expect("text");
                    let names = text.split("keys().key(\"").skip(1).filter_map(|rest| rest.split('"').next());
                    found.extend(names.map(str::to_owned));
                }
            }
        }
        let mut found = Vec::new();
        read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        assert!(found.len() >= 2);
        assert!(found.iter().all(|name| NAMES.contains(&name.as_str())), "{found:?}");
    }
}
