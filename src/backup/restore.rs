//! Bringing a backup back, into nothing. What was checked is read once more, held to its manifest again, and lies in fresh
//! folders until the last of it is there.

use super::archive::{self, Unlock};
use super::check::{Checked, Told};
use super::contents::{Content, LINK_SECRET};
use super::restoring::Arriving;
use super::staging::Staging;
use super::{Chains, Manifest, chains, row_counts, server_major};
use crate::config::DatabaseSettings;
use crate::db::embedded::find_tool;
use crate::db::{self, Address};
use crate::objects::Objects;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc;

/// What came back.
#[derive(Debug)]
pub struct Restored {
    /// When the backup was taken.
    pub at: chrono::DateTime<chrono::Utc>,
    /// Rows.
    pub rows: i64,
    /// Photos' files.
    pub objects: usize,
    /// Photos' files that the backup did not have.
    pub missing: Vec<String>,
    /// The PEM text of the public keys that the backup has.
    pub public_key: Option<String>,
    manifest: Manifest,
}

/// Where everything goes.
pub struct Targets<'t> {
    /// The settings of the database.
    pub settings: &'t DatabaseSettings,
    /// As the owner.
    pub owner: &'t Address,
    /// Photos.
    pub objects: &'t Objects,
    /// Checkpoints.
    pub checkpoints: &'t Objects,
    /// Whether keys come too.
    pub include_keys: bool,
}

/// Restores what was checked. What fails before the database commits is taken back; what fails after is said.
pub async fn restore(
    targets: &Targets<'_>,
    input: &Path,
    unlock: &Arc<Unlock>,
    checked: Checked,
    told: Told,
) -> Result<Restored, String> {
    let Checked { manifest, public_key, .. } = checked;
    let client = db::connect(targets.owner).await?;
    if !db::is_empty(&client).await? {
        return Err("the database is not empty: restore into an empty one only".to_owned());
    }
    let needed = manifest.postgres.max(server_major(&client).await?);
    let program =
        find_tool("pg_restore", targets.settings.postgres_bin.as_deref(), needed).map_err(|why| why.to_string())?;
    drop(client);
    db::make_roles(targets.owner).await?;
    let mut coming = Coming::open(targets, &manifest)?;
    if let Err(why) = coming.bring(&program, input, unlock, &told).await {
        let left = match coming.undo().await {
            0 => String::new(),
            left => format!("; {left} files could not be taken out of their folders again"),
        };
        let empty = match db::connect(targets.owner).await {
            Ok(client) => db::is_empty(&client).await,
            Err(error) => Err(error),
        };
        let came = match empty {
            Ok(true) => "nothing was restored".to_owned(),
            Ok(false) => "the database is no longer empty: empty it before the next try".to_owned(),
            Err(error) => format!("whether the database is still empty can't be told ({error})"),
        };
        return Err(format!("{why}; {came}{left}"));
    }
    drop(coming);
    let verified = verify(targets, &manifest, &told).await;
    verified.map_err(|why| format!("it was restored, and is not what was backed up: {why}"))?;
    db::migrate(targets.owner)
        .await
        .map_err(|why| format!("it was restored, and can't be brought up to date: {why}"))?;
    Ok(Restored {
        at: manifest.at,
        rows: manifest.tables.values().sum(),
        objects: manifest.entries.keys().filter(|name| name.starts_with("objects/")).count(),
        missing: manifest.missing.clone(),
        public_key,
        manifest,
    })
}

/// The second pass: photos and checkpoints into fresh folders, the database into one transaction; when all is there, each
/// where it belongs.
struct Coming<'t> {
    targets: &'t Targets<'t>,
    manifest: &'t Manifest,
    photos: Staging<'t>,
    checkpoints: Staging<'t>,
    keys: Vec<(PathBuf, Vec<u8>)>,
    /// Keys that were written.
    kept: Vec<PathBuf>,
    database: Arriving,
    /// How many entries have come.
    count: u64,
}

impl<'t> Coming<'t> {
    fn open(targets: &'t Targets<'t>, manifest: &'t Manifest) -> Result<Self, String> {
        Ok(Self {
            targets,
            manifest,
            photos: Staging::open(targets.objects)?,
            checkpoints: Staging::open(targets.checkpoints)?,
            keys: Vec::new(),
            kept: Vec::new(),
            database: Arriving::default(),
            count: 0,
        })
    }

    async fn bring(&mut self, program: &Path, input: &Path, unlock: &Arc<Unlock>, told: &Told) -> Result<(), String> {
        let (sender, mut entries) = mpsc::channel::<(String, Vec<u8>)>(4);
        let (path, unlock, told) = (input.to_owned(), Arc::clone(unlock), Arc::clone(told));
        let reading = tokio::task::spawn_blocking(move || {
            archive::read(&path, &unlock, &|done, total| told("restoring", done, total), |name, bytes| {
                sender.blocking_send((name, bytes)).map_err(|_| "the restoring ended".to_owned())
            })
        });
        let mut outcome = Ok(());
        while let Some((name, bytes)) = entries.recv().await {
            outcome = self.take_in(program, &name, bytes).await;
            if outcome.is_err() {
                break;
            }
        }
        drop(entries);
        let read = reading.await.map_err(|error| error.to_string()).and_then(|read| read);
        let ready = outcome.and(read).and_then(|()| self.settle());
        // pg_restore commits once it has all of its input: only what was read whole, and is in its place, may come to that.
        match (ready, std::mem::take(&mut self.database).under_way()) {
            (Ok(()), Ok(restoring)) => restoring.end().await,
            (Err(why), Ok(restoring)) => Err(restoring.give_up(why).await),
            (Ok(()), Err(why)) | (Err(why), Err(_)) => Err(why),
        }
    }

    /// Takes an entry in, if it is the one that the manifest says. What is of no list was looked at in the first pass.
    async fn take_in(&mut self, program: &Path, name: &str, bytes: Vec<u8>) -> Result<(), String> {
        let Some(content) = Content::of(name) else { return Ok(()) };
        if !matches!(content, Content::Manifest | Content::Signature) {
            let entry = self.manifest.entries.get(name);
            let same = entry.is_some_and(|entry| entry.is_of(&bytes) && entry.place.is_none_or(|it| it == self.count));
            if !same {
                return Err(format!("the backup was changed while it was read: {name:?}"));
            }
            self.count += 1;
        }
        match content {
            Content::Database(_) => self.database.take_in(program, self.targets.owner, bytes).await,
            Content::Object(name) => self.photos.add(name, bytes.into()).await,
            Content::Checkpoint(name) => self.checkpoints.add(name, bytes.into()).await,
            Content::Key(name) if self.targets.include_keys => {
                self.keys.push((self.targets.settings.keys().file(name), bytes));
                Ok(())
            }
            Content::LinkSecret if self.targets.include_keys => {
                let folder = self.targets.objects.folder();
                self.keys.extend(folder.map(|folder| (folder.join(LINK_SECRET), bytes)));
                Ok(())
            }
            Content::Key(_) | Content::LinkSecret | Content::Manifest | Content::Signature | Content::PublicKey => {
                Ok(())
            }
        }
    }

    /// Moves all of it to where it belongs.
    fn settle(&mut self) -> Result<(), String> {
        let known = self.manifest.entries.keys().filter(|name| Content::of(name).is_some()).count();
        if u64::try_from(known).ok() != Some(self.count) {
            return Err("the backup was changed while it was read: some of it is missing".to_owned());
        }
        self.photos.settle()?;
        self.checkpoints.settle()?;
        for (file, bytes) in std::mem::take(&mut self.keys) {
            crate::keys::of_bytes(&file, &bytes)?;
            if keep_key(&file, &bytes)? {
                self.kept.push(file);
            }
        }
        Ok(())
    }

    /// Takes everything back: how many files could not be.
    async fn undo(self) -> usize {
        let keys = self.kept.iter().filter(|file| std::fs::remove_file(file).is_err()).count();
        keys + self.photos.undo().await + self.checkpoints.undo().await
    }
}

/// Keeps a key where there is none; whether it was written. A link is not followed: what is there is another key.
fn keep_key(file: &Path, bytes: &[u8]) -> Result<bool, String> {
    use std::io::Write;
    let plain = |error: std::io::Error| format!("the key {} can't be kept: {error}", file.display());
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).and_then(|()| crate::keys::close_to_others(folder)).map_err(plain)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Ok(mut new) => new.write_all(bytes).and_then(|()| new.sync_all()).map(|()| true).map_err(plain),
        Err(_) if std::fs::read(file).is_ok_and(|there| there == bytes) => Ok(false),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(format!("there is another key at {}: put it aside first", file.display()))
        }
        Err(error) => Err(plain(error)),
    }
}

/// What is there now is what the manifest says.
async fn verify(targets: &Targets<'_>, manifest: &Manifest, told: &Told) -> Result<(), String> {
    let total = u64::try_from(manifest.entries.len()).unwrap_or(0);
    for (done, (name, entry)) in manifest.entries.iter().enumerate() {
        told("looking at what was restored", u64::try_from(done).unwrap_or(0), total);
        let Some(name) = name.strip_prefix("objects/") else { continue };
        let bytes = targets.objects.whole(name).await.map_err(|error| error.operator_message())?;
        if !bytes.is_some_and(|bytes| entry.is_of(&bytes)) {
            return Err(format!("the object store does not give {name} back as it was"));
        }
    }
    Ok(())
}

impl Restored {
    /// Holds the restored database, as somebody who sees every row, to what the manifest says of it. Chains are walked
    /// apart from this.
    pub async fn same_rows(&self, reader: &Address) -> Result<(), String> {
        let client = super::picture(reader).await?;
        let (counts, heads): (_, Vec<Chains>) = (row_counts(&client).await?, chains(&client).await?);
        // A newer program has migrated it by now, and noted that.
        let migrations = "__diesel_schema_migrations";
        let wrong = self
            .manifest
            .tables
            .iter()
            .find(|(table, count)| *table != migrations && counts.get(*table) != Some(count));
        if let Some((table, count)) = wrong {
            let has = counts.get(table).copied().unwrap_or(0);
            return Err(format!("the table {table} had {count} rows and has {has}"));
        }
        if heads == self.manifest.chains { Ok(()) } else { Err("the chains ended elsewhere".to_owned()) }
    }
}
