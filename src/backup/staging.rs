//! Where what is restored lies until all of it is there: a fresh folder inside the store, or with an S3 the store itself.

use crate::error::Error;
use crate::ids;
use crate::objects::Objects;
use bytes::Bytes;
use std::path::{Path, PathBuf};

/// The way of a backup's objects into a store.
pub(super) struct Staging<'s> {
    store: &'s Objects,
    /// The fresh folder, and the store's.
    fresh: Option<(Objects, PathBuf, PathBuf)>,
    staged: Vec<String>,
    settled: Vec<String>,
}

fn plain(error: Error) -> String {
    error.operator_message()
}

impl<'s> Staging<'s> {
    /// Begins. Nothing is written outside the fresh folder before `settle`.
    pub(super) fn open(store: &'s Objects) -> Result<Self, String> {
        let fresh = match store.folder() {
            Some(folder) => {
                let fresh = folder.join(format!(".restoring-{}", ids::new_id()));
                std::fs::create_dir(&fresh).map_err(|error| cannot(&fresh, &error))?;
                let objects = Objects::open_folder(&fresh)?;
                Some((objects, fresh, folder.to_owned()))
            }
            None => None,
        };
        Ok(Self { store, fresh, staged: Vec::new(), settled: Vec::new() })
    }

    /// Takes an object in. One that is in the store already must be the same.
    pub(super) async fn add(&mut self, name: String, bytes: Bytes) -> Result<(), String> {
        match &self.fresh {
            Some((fresh, ..)) => {
                if !fresh.add(&name, bytes).await.map_err(plain)? {
                    return Err(format!("the backup has {name} twice"));
                }
                self.staged.push(name);
            }
            None if self.store.add(&name, bytes.clone()).await.map_err(plain)? => self.settled.push(name),
            None => match self.store.whole(&name).await.map_err(plain)? {
                Some(there) if there == bytes => {}
                _ => return Err(in_the_way(&name)),
            },
        }
        Ok(())
    }

    /// Moves everything to where it belongs. No link is followed on the way.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        let Some((_, fresh, folder)) = &self.fresh else { return Ok(()) };
        for name in std::mem::take(&mut self.staged) {
            let (from, to) = (fresh.join(&name), folder.join(&name));
            make_folders(folder, &name)?;
            match std::fs::symlink_metadata(&to) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    std::fs::rename(&from, &to).map_err(|error| cannot(&to, &error))?;
                    self.settled.push(name);
                }
                Ok(there) if there.is_file() && same(&from, &to) => {}
                _ => return Err(in_the_way(&name)),
            }
        }
        Ok(())
    }

    /// Takes everything back: how many objects could not be.
    pub(super) async fn undo(mut self) -> usize {
        let mut left = 0;
        for name in std::mem::take(&mut self.settled) {
            left += usize::from(self.store.remove(&name).await.is_err());
        }
        left
    }
}

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        if let Some((_, fresh, _)) = &self.fresh {
            let _ = std::fs::remove_dir_all(fresh);
        }
    }
}

/// Makes the folders that lead to a name, one by one: each is made, or is a folder itself and no link.
fn make_folders(folder: &Path, name: &str) -> Result<(), String> {
    let Some((parents, _)) = name.rsplit_once('/') else { return Ok(()) };
    let mut path = folder.to_owned();
    for part in parents.split('/') {
        path.push(part);
        match std::fs::create_dir(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let there = std::fs::symlink_metadata(&path).map_err(|error| cannot(&path, &error))?;
                if !there.is_dir() {
                    return Err(format!("{} is no folder: put it aside first", path.display()));
                }
            }
            Err(error) => return Err(cannot(&path, &error)),
        }
    }
    Ok(())
}

fn same(one: &Path, other: &Path) -> bool {
    matches!((std::fs::read(one), std::fs::read(other)), (Ok(one), Ok(other)) if one == other)
}

fn in_the_way(name: &str) -> String {
    format!("the store has another {name} already: restore into an empty one")
}

fn cannot(path: &Path, error: &std::io::Error) -> String {
    format!("{} can't be written: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(folder: &Path) -> Objects {
        Objects::open_folder(folder).expect("a store")
    }

    #[tokio::test]
    async fn nothing_is_in_the_store_before_all_is_there_and_nothing_is_left_otherwise() {
        let folder = tempfile::tempdir().expect("a folder");
        let objects = store(folder.path());
        let mut staging = Staging::open(&objects).expect("a fresh folder");
        staging.add("a/b/one".to_owned(), Bytes::from_static(b"1")).await.expect("taken in");
        assert!(staging.add("a/b/one".to_owned(), Bytes::from_static(b"1")).await.is_err(), "twice");
        assert!(!folder.path().join("a").exists());
        staging.settle().expect("settled");
        assert_eq!(std::fs::read(folder.path().join("a/b/one")).expect("there"), b"1");
        assert_eq!(staging.undo().await, 0);
        assert!(!folder.path().join("a/b/one").exists());
        assert!(std::fs::read_dir(folder.path()).expect("a folder").all(|it| it.expect("one").file_name() == "a"));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn no_link_leads_out_of_the_store() {
        let (folder, outside) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("another"));
        std::os::unix::fs::symlink(outside.path(), folder.path().join("a")).expect("a link");
        std::fs::create_dir(folder.path().join("b")).expect("a folder");
        std::os::unix::fs::symlink(outside.path().join("x"), folder.path().join("b/one")).expect("a link");
        let objects = store(folder.path());
        for name in ["a/one", "b/one"] {
            let mut staging = Staging::open(&objects).expect("a fresh folder");
            staging.add(name.to_owned(), Bytes::from_static(b"1")).await.expect("taken in");
            assert!(staging.settle().is_err(), "{name}");
            assert_eq!(staging.undo().await, 0);
        }
        assert_eq!(std::fs::read_dir(outside.path()).expect("a folder").count(), 0);
    }
}
