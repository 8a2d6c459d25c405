//! Bringing a backup back, into nothing: the file is read to its end and held to its own hashes before anything is written.

use super::archive::{self, Unlock};
use super::{Chains, Entry, FORMAT, MANIFEST, Manifest, chains, environment, last_words, row_counts, server_major};
use crate::config::DatabaseSettings;
use crate::db::embedded::find_tool;
use crate::db::{self, Address};
use crate::objects::Objects;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
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
}

/// What is told of the way: what is under way, and how much is done of how much.
pub type Told = Arc<dyn Fn(&'static str, u64, u64) + Send + Sync>;

/// What was read in the first pass.
pub struct Checked {
    manifest: Manifest,
    public_key: Option<String>,
}

/// Reads the whole file and holds every entry to the manifest. Nothing is written.
pub async fn check(input: &Path, unlock: &Arc<Unlock>, told: Told) -> Result<Checked, String> {
    let (path, unlock) = (input.to_owned(), Arc::clone(unlock));
    let shown = input.display().to_string();
    let read = tokio::task::spawn_blocking(move || {
        let (mut found, mut manifest, mut public_key) = (BTreeMap::new(), None, None);
        archive::read(&path, &unlock, &|done, total| told("looking at the backup", done, total), |name, bytes| {
            if name == MANIFEST {
                manifest = Some(bytes);
                return Ok(());
            }
            found.insert(name.clone(), Entry::of(&bytes));
            if name == "public-key.pem" {
                public_key = String::from_utf8(bytes).ok();
            }
            Ok(())
        })?;
        Ok::<_, String>((found, manifest, public_key))
    });
    let (found, manifest, public_key) = read.await.map_err(|error| error.to_string())??;
    let manifest = manifest.ok_or_else(|| format!("{shown} is damaged or cut off: it has no manifest"))?;
    let manifest: Manifest =
        serde_json::from_slice(&manifest).map_err(|_| format!("{shown} has a manifest that can't be read"))?;
    if manifest.format != FORMAT {
        return Err(format!("{shown} is of another version of this program ({})", manifest.format));
    }
    if found != manifest.entries {
        let wrong = manifest.entries.iter().find(|(name, entry)| found.get(*name) != Some(entry));
        let which = wrong.map_or("it has more than its manifest says", |(name, _)| name.as_str());
        return Err(format!("{shown} is damaged: {which}"));
    }
    Ok(Checked { manifest, public_key })
}

/// Restores what was checked. What fails before the database commits is taken back; what fails after is said.
pub async fn restore(
    targets: &Targets<'_>,
    input: &Path,
    unlock: &Arc<Unlock>,
    checked: Checked,
    told: Told,
) -> Result<Restored, String> {
    let Checked { manifest, public_key } = checked;
    let client = db::connect(targets.owner).await?;
    if !db::is_empty(&client).await? {
        return Err("the database is not empty: restore into an empty one only".to_owned());
    }
    let needed = manifest.postgres.max(server_major(&client).await?);
    let program =
        find_tool("pg_restore", targets.settings.postgres_bin.as_deref(), needed).map_err(|why| why.to_string())?;
    drop(client);
    db::make_roles(targets.owner).await?;
    let mut written = Vec::new();
    if let Err(why) = bring(targets, &program, input, unlock, &mut written, &told).await {
        let mut left = 0;
        for (store, name) in &written {
            let store = if *store == Store::Photos { targets.objects } else { targets.checkpoints };
            left += usize::from(store.remove(name).await.is_err());
        }
        let left = if left == 0 {
            String::new()
        } else {
            format!("; {left} files could not be taken out of the stores again")
        };
        return Err(format!("{why}; nothing was restored{left}"));
    }
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Store {
    Photos,
    Checkpoints,
}

/// The second pass: photos and checkpoints into their stores, then the database in one transaction.
async fn bring(
    targets: &Targets<'_>,
    program: &Path,
    input: &Path,
    unlock: &Arc<Unlock>,
    written: &mut Vec<(Store, String)>,
    told: &Told,
) -> Result<(), String> {
    let (sender, mut entries) = mpsc::channel::<(String, Vec<u8>)>(4);
    let (path, unlock, told) = (input.to_owned(), Arc::clone(unlock), Arc::clone(told));
    let reading = tokio::task::spawn_blocking(move || {
        archive::read(&path, &unlock, &|done, total| told("restoring", done, total), |name, bytes| {
            sender.blocking_send((name, bytes)).map_err(|_| "the restoring ended".to_owned())
        })
    });
    let mut database = None;
    let mut outcome = Ok(());
    while let Some((name, bytes)) = entries.recv().await {
        outcome = take_in(targets, program, &mut database, written, &name, bytes).await;
        if outcome.is_err() {
            break;
        }
    }
    drop(entries);
    let read = reading.await.map_err(|error| error.to_string());
    // pg_restore commits when its input ends: only what was read whole may come to that.
    match (outcome, read) {
        (Ok(()), Ok(Ok(()))) => match database {
            Some(restoring) => restoring.end().await,
            None => Err("the backup holds no database".to_owned()),
        },
        (outcome, read) => {
            let why = outcome.and(read.and_then(|read| read)).err().unwrap_or_default();
            Err(match database {
                Some(restoring) => restoring.give_up(why).await,
                None => why,
            })
        }
    }
}

async fn take_in(
    targets: &Targets<'_>,
    program: &Path,
    database: &mut Option<Restoring>,
    written: &mut Vec<(Store, String)>,
    name: &str,
    bytes: Vec<u8>,
) -> Result<(), String> {
    match name.split_once('/') {
        Some(("database", _)) => {
            if database.is_none() {
                *database = Some(Restoring::start(program, targets.owner)?);
            }
            match database {
                Some(restoring) => restoring.feed(&bytes).await,
                None => Ok(()),
            }
        }
        Some(("objects", rest)) => add(targets.objects, Store::Photos, rest, bytes.into(), written).await,
        Some(("checkpoints", rest)) => add(targets.checkpoints, Store::Checkpoints, rest, bytes.into(), written).await,
        Some(("keys", rest)) => keep_key(&targets.settings.keys().file(rest), &bytes),
        Some(("link", rest)) => match targets.objects.folder() {
            Some(folder) => keep_key(&folder.join(rest), &bytes),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Adds an object. One that is there already must be the same.
async fn add(
    objects: &Objects,
    store: Store,
    name: &str,
    bytes: Bytes,
    written: &mut Vec<(Store, String)>,
) -> Result<(), String> {
    let plain = |error: crate::error::Error| error.operator_message();
    if objects.add(name, bytes.clone()).await.map_err(plain)? {
        written.push((store, name.to_owned()));
        return Ok(());
    }
    match objects.whole(name).await.map_err(plain)? {
        Some(there) if there == bytes => Ok(()),
        _ => Err(format!("the store has another {name} already: restore into an empty one")),
    }
}

/// Keeps a key where there is none.
fn keep_key(file: &Path, bytes: &[u8]) -> Result<(), String> {
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
        Ok(mut new) => new.write_all(bytes).and_then(|()| new.sync_all()).map_err(plain),
        Err(_) if std::fs::read(file).is_ok_and(|there| there == bytes) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(format!("there is another key at {}: put it aside first", file.display()))
        }
        Err(error) => Err(plain(error)),
    }
}

/// pg_restore, fed as the file is read. It works in one transaction.
struct Restoring {
    child: tokio::process::Child,
    input: tokio::process::ChildStdin,
    said: tokio::task::JoinHandle<Vec<u8>>,
}

impl Restoring {
    fn start(program: &Path, owner: &Address) -> Result<Self, String> {
        use tokio::io::AsyncReadExt;
        let environment = environment(owner);
        let database = environment.iter().find(|(name, _)| *name == "PGDATABASE").map(|(_, value)| value.clone());
        let mut command = tokio::process::Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        // The schema itself is there; what is in it is the owner's.
        command.args(["--no-owner", "--exit-on-error", "--single-transaction", "--no-password"]);
        command.arg(format!("--dbname={}", database.unwrap_or_default())).envs(environment);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| format!("pg_restore can't be run: {error}"))?;
        let (input, mut err) = (child.stdin.take().ok_or("pg_restore has no input")?, child.stderr.take());
        let said = tokio::spawn(async move {
            let mut said = Vec::new();
            if let Some(err) = &mut err {
                let _ = err.read_to_end(&mut said).await;
            }
            said
        });
        Ok(Self { child, input, said })
    }

    async fn feed(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.input.write_all(bytes).await.map_err(|error| format!("pg_restore stopped ({error})"))
    }

    /// Its input ends; it commits.
    async fn end(mut self) -> Result<(), String> {
        drop(self.input);
        let ended = self.child.wait().await.map_err(|error| format!("pg_restore: {error}"))?;
        let said = self.said.await.unwrap_or_default();
        if ended.success() { Ok(()) } else { Err(format!("pg_restore failed: {}", last_words(&said))) }
    }

    /// Ends it before its input does, so that it does not commit; why it went wrong, in its own words if it has any.
    async fn give_up(mut self, why: String) -> String {
        let ended = tokio::time::timeout(std::time::Duration::from_millis(200), self.child.wait()).await;
        let _ = self.child.kill().await;
        let said = self.said.await.unwrap_or_default();
        match ended {
            Ok(_) if !said.is_empty() => format!("pg_restore failed: {}", last_words(&said)),
            _ => why,
        }
    }
}

/// What is there now is what the manifest says.
async fn verify(targets: &Targets<'_>, manifest: &Manifest, told: &Told) -> Result<(), String> {
    let total = u64::try_from(manifest.entries.len()).unwrap_or(0);
    for (done, (name, entry)) in manifest.entries.iter().enumerate() {
        told("looking at what was restored", u64::try_from(done).unwrap_or(0), total);
        let Some(name) = name.strip_prefix("objects/") else { continue };
        let bytes = targets.objects.whole(name).await.map_err(|error| error.operator_message())?;
        if bytes.map(|bytes| Entry::of(&bytes)).as_ref() != Some(entry) {
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
