//! Taking a backup, beside the running service.

use super::archive::{self, Lock};
use super::contents::{Content, LINK_SECRET, PART, SIGNATURE};
use super::{
    Entry, FORMAT, MANIFEST, Manifest, OF_THE_SERVER, chains, environment, failed, last_words, photo_objects, picture,
    row_counts, server_major, tool,
};
use crate::config::DatabaseSettings;
use crate::db::Address;
use crate::db::embedded::find_tool;
use crate::evidence::{self, KeyRing};
use crate::objects::Objects;
use crate::record::hex;
use crate::{db, ids, keys};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

/// What was written.
#[derive(Debug)]
pub struct Taken {
    /// Bytes of the file.
    pub size: u64,
    /// Rows.
    pub rows: i64,
    /// Photos' files.
    pub objects: usize,
    /// Those that the store did not have, or not as they were.
    pub missing: Vec<String>,
    /// The id of the key that it is signed with, if there is one.
    pub signed: Option<String>,
    /// The objects that the application role left in the database and that are not records; any role may create them.
    /// Each comes with the statement that removes it, for a superuser; the owner can't.
    pub planted: Vec<String>,
}

/// Where everything is.
pub struct Sources<'s> {
    /// The database.
    pub database: &'s DatabaseSettings,
    /// As who sees every row.
    pub reader: &'s Address,
    /// Photos.
    pub objects: &'s Objects,
    /// Checkpoints.
    pub checkpoints: &'s Objects,
    /// Whether the keys go in too.
    pub include_keys: bool,
}

/// Writes the backup. `told` hears what is under way, and how much is done of how much. On failure no file is left.
pub async fn take(
    sources: &Sources<'_>,
    lock: Lock,
    output: &Path,
    told: &(dyn Fn(&'static str, u64, u64) + Sync),
) -> Result<Taken, String> {
    let plain = |error: std::io::Error| format!("{} can't be written: {error}", output.display());
    if output.exists() {
        return Err(format!("--output: {} is there already", output.display()));
    }
    if sources.include_keys && lock.is_open() {
        return Err("--include-keys: only into an encrypted backup, with --recipient or --passphrase-file".to_owned());
    }
    let mut half = output.as_os_str().to_owned();
    half.push(format!(".part-{}", ids::new_id()));
    let half = std::path::PathBuf::from(half);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&half).map_err(plain)?;
    let (entries, receiver) = mpsc::channel(4);
    let writing = tokio::task::spawn_blocking(move || archive::write(file, &lock, receiver));
    let mut filling = Filling { entries, written: BTreeMap::new() };
    let filled = fill(sources, &mut filling, told).await;
    drop(filling);
    let written = writing.await.map_err(|error| error.to_string()).and_then(|size| size.map_err(plain));
    // Why the writing failed says more than that nobody took the entries any more.
    let outcome = match (filled, written) {
        (Ok(taken), Ok(size)) => std::fs::rename(&half, output).map(|()| Taken { size, ..taken }).map_err(plain),
        (_, Err(why)) | (Err(why), _) => Err(why),
    };
    if outcome.is_err() {
        let _ = std::fs::remove_file(&half);
    }
    outcome
}

/// The way into the file.
struct Filling {
    entries: mpsc::Sender<(String, Bytes)>,
    written: BTreeMap<String, Entry>,
}

impl Filling {
    async fn put(&mut self, name: String, bytes: Bytes) -> Result<(), String> {
        if Content::of(&name).is_none_or(|content| u64::try_from(bytes.len()).is_ok_and(|it| it > content.most_bytes()))
        {
            return Err(format!("{name:?} can't be in a backup"));
        }
        let entry = Entry { place: u64::try_from(self.written.len()).ok(), ..Entry::of(&bytes) };
        self.written.insert(name.clone(), entry);
        self.send(name, bytes).await
    }

    async fn send(&self, name: String, bytes: Bytes) -> Result<(), String> {
        self.entries.send((name, bytes)).await.map_err(|_| "the file can't be written".to_owned())
    }
}

async fn fill(
    sources: &Sources<'_>,
    filling: &mut Filling,
    told: &(dyn Fn(&'static str, u64, u64) + Sync),
) -> Result<Taken, String> {
    let at = ids::now();
    // Before the picture: what a checkpoint covers is committed by then, so none in the backup is newer than its chains.
    put_checkpoints(sources, filling).await?;
    let client = picture(sources.reader).await?;
    let postgres = server_major(&client).await?;
    let dump =
        find_tool("pg_dump", sources.database.postgres_bin.as_deref(), postgres).map_err(|why| why.to_string())?;
    let row = client
        .query_one("SELECT pg_export_snapshot(), pg_database_size(current_database())", &[])
        .await
        .map_err(|error| failed(&error))?;
    let (snapshot, size): (String, i64) = (row.get(0), row.get(1));
    let planted = db::planted(&db::connect(sources.reader).await?).await?;
    let (tables, chains) = (row_counts(&client).await?, chains(&client).await?);
    let (objects, missing) = put_photos(sources, &client, filling, told).await?;
    put_keys(sources, filling).await?;
    put_dump(sources, &dump, &snapshot, filling, &|done| told("the database", done, u64::try_from(size).unwrap_or(0)))
        .await?;
    let rows = tables.values().sum();
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        at,
        postgres,
        tables,
        chains,
        entries: std::mem::take(&mut filling.written),
        missing: missing.clone(),
    };
    let manifest = serde_json::to_vec_pretty(&manifest).map_err(|error| error.to_string())?;
    let seal = evidence::sign(sources.database, &manifest)?;
    filling.send(MANIFEST.to_owned(), manifest.into()).await?;
    if let Some(seal) = &seal {
        let seal = serde_json::to_vec(seal).map_err(|error| error.to_string())?;
        filling.send(SIGNATURE.to_owned(), seal.into()).await?;
    }
    Ok(Taken { size: 0, rows, objects, missing, signed: seal.map(|seal| seal.key), planted })
}

async fn put_checkpoints(sources: &Sources<'_>, filling: &mut Filling) -> Result<(), String> {
    let plain = |error: crate::error::Error| error.operator_message();
    let names = sources.checkpoints.names("", None).await.map_err(plain)?;
    for name in names {
        let entry = format!("checkpoints/{name}");
        // Nothing else that may lie in that folder: a key, say.
        if Content::of(&entry).is_none() {
            continue;
        }
        if let Some(bytes) = sources.checkpoints.whole(&name).await.map_err(plain)? {
            filling.put(entry, bytes).await?;
        }
    }
    let keys = KeyRing::open(None, sources.database)?;
    if !keys.is_empty() {
        filling.put(Content::PublicKey.name(), keys.pem()?.into()).await?;
    }
    Ok(())
}

async fn put_photos(
    sources: &Sources<'_>,
    client: &tokio_postgres::Client,
    filling: &mut Filling,
    told: &(dyn Fn(&'static str, u64, u64) + Sync),
) -> Result<(usize, Vec<String>), String> {
    let (mut count, mut missing) = (0, Vec::new());
    let names = photo_objects(client).await?;
    let total = u64::try_from(names.len()).unwrap_or(0);
    for (done, (name, hash)) in names.into_iter().enumerate() {
        told("photos", u64::try_from(done).unwrap_or(0), total);
        match sources.objects.whole(&name).await.map_err(|error| error.operator_message())? {
            Some(bytes) => {
                let entry = Entry::of(&bytes);
                if hash.is_some_and(|hash| hex::text(&hash) != entry.sha256) {
                    missing.push(format!("{name} (its bytes are not what was uploaded)"));
                }
                filling.put(Content::Object(name).name(), bytes).await?;
                count += 1;
            }
            None => missing.push(name),
        }
    }
    Ok((count, missing))
}

async fn put_keys(sources: &Sources<'_>, filling: &mut Filling) -> Result<(), String> {
    if !sources.include_keys {
        return Ok(());
    }
    let folder = sources.database.keys();
    let mut files: Vec<_> = keys::NAMES.iter().map(|name| (Content::Key(name), folder.file(name))).collect();
    files.extend(sources.objects.folder().map(|folder| (Content::LinkSecret, folder.join(LINK_SECRET))));
    for (content, path) in files {
        match std::fs::read(&path) {
            Ok(bytes) => {
                keys::of_bytes(&path, &bytes)?;
                filling.put(content.name(), bytes.into()).await?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("the key {} can't be read: {error}", path.display())),
        }
    }
    Ok(())
}

/// pg_dump, in the same picture of the database.
async fn put_dump(
    sources: &Sources<'_>,
    program: &Path,
    snapshot: &str,
    filling: &mut Filling,
    told: &(dyn Fn(u64) + Sync),
) -> Result<(), String> {
    let mut command = tool(program);
    // The record has no large objects, and clinic_app can make some that nobody else may read. (Newer versions say
    // --no-large-objects, and know this name too.)
    command.args(["--format=custom", "--compress=0", "--no-password", "--no-owner", "--no-blobs"]).args(OF_THE_SERVER);
    command.arg(format!("--snapshot={snapshot}")).envs(environment(sources.reader));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let plain = |error: std::io::Error| format!("pg_dump can't be run: {error}");
    let mut child = command.spawn().map_err(plain)?;
    let (mut out, mut err) = (child.stdout.take().ok_or("pg_dump has no output")?, child.stderr.take());
    let complaint = tokio::spawn(async move {
        let mut said = Vec::new();
        if let Some(err) = &mut err {
            let _ = err.read_to_end(&mut said).await;
        }
        said
    });
    let (mut part, mut number, mut done) = (Vec::with_capacity(PART), 0_u32, 0);
    loop {
        let read =
            (&mut out).take(u64::try_from(PART - part.len()).unwrap_or(0)).read_buf(&mut part).await.map_err(plain)?;
        if part.len() == PART || (read == 0 && !part.is_empty()) {
            done += u64::try_from(part.len()).unwrap_or(0);
            told(done);
            let full = std::mem::replace(&mut part, Vec::with_capacity(PART));
            filling.put(Content::Database(number).name(), full.into()).await?;
            number += 1;
        }
        if read == 0 {
            break;
        }
    }
    let ended = child.wait().await.map_err(plain)?;
    let said = complaint.await.unwrap_or_default();
    if ended.success() { Ok(()) } else { Err(format!("pg_dump failed: {}", last_words(&said))) }
}
