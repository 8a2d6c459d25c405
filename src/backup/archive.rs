//! The file itself: a tar, compressed with zstd, encrypted with age if there is a key. The `age`, `zstd` and `tar` commands
//! open it too.

use super::contents::Content;
use age::secrecy::SecretString;
use bytes::Bytes;
use std::cell::Cell;
use std::fmt::Display;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::rc::Rc;
use std::str::FromStr;
use tokio::sync::mpsc;

/// How it is closed.
pub enum Lock {
    /// Not at all.
    Open,
    /// To keys.
    Recipients(Vec<age::x25519::Recipient>),
    /// With a passphrase.
    Passphrase(SecretString),
}

impl Lock {
    /// Reads the settings.
    pub fn of(recipients: &[String], passphrase_file: Option<&Path>) -> Result<Self, String> {
        if let Some(file) = passphrase_file {
            return Ok(Self::Passphrase(passphrase(file)?));
        }
        if recipients.is_empty() {
            return Ok(Self::Open);
        }
        let parse = |key: &String| {
            age::x25519::Recipient::from_str(key.trim())
                .map_err(|why| format!("--recipient: {key:?} is not a key such as age1…: {why}"))
        };
        Ok(Self::Recipients(recipients.iter().map(parse).collect::<Result<_, _>>()?))
    }

    /// Whether everybody can read it.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }
}

/// What opens it.
pub enum Unlock {
    /// Nothing.
    Nothing,
    /// Keys.
    Identities(Vec<age::x25519::Identity>),
    /// A passphrase.
    Passphrase(SecretString),
}

impl Unlock {
    /// Reads the settings.
    pub fn of(identity: Option<&Path>, passphrase_file: Option<&Path>) -> Result<Self, String> {
        if let Some(file) = passphrase_file {
            return Ok(Self::Passphrase(passphrase(file)?));
        }
        let Some(file) = identity else { return Ok(Self::Nothing) };
        let text = std::fs::read_to_string(file)
            .map_err(|error| format!("--identity: {} can't be read: {error}", file.display()))?;
        let keys = identities(&text);
        if keys.is_empty() {
            return Err(format!("--identity: {} has no AGE-SECRET-KEY-1…", file.display()));
        }
        Ok(Self::Identities(keys))
    }
}

/// The identities of a text with one in a line.
pub(super) fn identities(text: &str) -> Vec<age::x25519::Identity> {
    let keys = text.lines().map(str::trim).filter(|line| line.starts_with("AGE-SECRET-KEY-1"));
    keys.filter_map(|line| age::x25519::Identity::from_str(line).ok()).collect()
}

fn passphrase(file: &Path) -> Result<SecretString, String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("--passphrase-file: {} can't be read: {error}", file.display()))?;
    match text.lines().next().unwrap_or_default().trim_end_matches('\r') {
        "" => Err(format!("--passphrase-file: the first line of {} is empty", file.display())),
        line => Ok(SecretString::from(line.to_owned())),
    }
}

/// The bytes on their way to the disk.
enum Sink {
    Open(BufWriter<File>),
    Sealed(Box<age::stream::StreamWriter<BufWriter<File>>>),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Open(file) => file.write(bytes),
            Self::Sealed(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Open(file) => file.flush(),
            Self::Sealed(stream) => stream.flush(),
        }
    }
}

/// Writes entries as they come, until there are no more; how many bytes the file has.
pub(super) fn write(file: File, lock: &Lock, mut entries: mpsc::Receiver<(String, Bytes)>) -> std::io::Result<u64> {
    let file = BufWriter::with_capacity(1 << 20, file);
    let sink = match lock {
        Lock::Open => Sink::Open(file),
        Lock::Recipients(keys) => {
            let keys = keys.iter().map(|key| key as &dyn age::Recipient);
            let encryptor = age::Encryptor::with_recipients(keys).map_err(std::io::Error::other)?;
            Sink::Sealed(Box::new(encryptor.wrap_output(file)?))
        }
        Lock::Passphrase(passphrase) => {
            let encryptor = age::Encryptor::with_user_passphrase(passphrase.clone());
            Sink::Sealed(Box::new(encryptor.wrap_output(file)?))
        }
    };
    let mut zstd = zstd::Encoder::new(sink, 3)?;
    zstd.include_checksum(true)?;
    let mut tar = tar::Builder::new(zstd);
    while let Some((name, bytes)) = entries.blocking_recv() {
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(bytes.len()).unwrap_or(0));
        header.set_mode(0o600);
        tar.append_data(&mut header, name, &bytes[..])?;
    }
    let file = match tar.into_inner()?.finish()? {
        Sink::Open(file) => file,
        Sink::Sealed(stream) => stream.finish()?,
    };
    let file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

const DAMAGED: &str = "is damaged or cut off";
/// Bytes of an entry at most. A part of the dump has 8 MiB, a photo 25, the manifest of a million photos some 300: a file
/// that says more is not ours, and must not fill the memory.
const LARGEST_ENTRY: u64 = 1 << 30;

/// Reads a file from its beginning to its end, each entry whole. `take` gets each; `told` how much of the file is read.
pub(super) fn read(
    path: &Path,
    unlock: &Unlock,
    told: &dyn Fn(u64, u64),
    take: impl FnMut(String, Vec<u8>) -> Result<(), String>,
) -> Result<(), String> {
    let shown = path.display();
    let file = File::open(path).map_err(|error| format!("{shown} can't be read: {error}"))?;
    let size = file.metadata().map_or(0, |about| about.len());
    let counted = Counted { inner: BufReader::with_capacity(1 << 20, file), done: 0, size, told };
    read_from(&shown, counted, unlock, LARGEST_ENTRY, take)
}

/// The same from anywhere.
pub(super) fn read_from<'r>(
    shown: &dyn Display,
    mut source: impl Read + 'r,
    unlock: &Unlock,
    largest: u64,
    take: impl FnMut(String, Vec<u8>) -> Result<(), String>,
) -> Result<(), String> {
    let damaged = |error: std::io::Error| format!("{shown} {DAMAGED}: {error}");
    let mut first = Vec::new();
    source.by_ref().take(4).read_to_end(&mut first).map_err(damaged)?;
    let form = <[u8; 4]>::try_from(first.as_slice()).unwrap_or_default();
    let whole = std::io::Cursor::new(first).chain(source);
    let plain: Box<dyn Read + 'r> = match &form {
        b"age-" => Box::new(opened(whole, unlock).map_err(|why| format!("{shown} {why}"))?),
        [0x28, 0xB5, 0x2F, 0xFD] => Box::new(whole),
        _ => return Err(format!("{shown} is no backup of this program")),
    };
    entries(shown, zstd::Decoder::new(plain).map_err(damaged)?, largest, take)
}

/// Bytes at most of an entry that no list knows.
const LARGEST_STRAY: u64 = 1 << 20;

/// The entries of a tar, each whole. A backup holds plain files: links, folders, devices and names that take an entry of
/// their own are refused.
pub(super) fn entries(
    shown: &dyn Display,
    tar: impl Read,
    largest: u64,
    mut take: impl FnMut(String, Vec<u8>) -> Result<(), String>,
) -> Result<(), String> {
    let damaged = |error: std::io::Error| format!("{shown} {DAMAGED}: {error}");
    let left = Rc::new(Cell::new(largest));
    let mut tar = tar::Archive::new(Bounded { inner: tar, left: Rc::clone(&left) });
    for entry in tar.entries().map_err(damaged)?.raw(true) {
        let mut entry = entry.map_err(damaged)?;
        let name = std::str::from_utf8(&entry.path_bytes()).map(str::to_owned);
        let name = name.map_err(|_| format!("{shown} {DAMAGED}: an entry has no name"))?;
        if entry.header().entry_type() != tar::EntryType::Regular {
            return Err(format!("{shown} {DAMAGED}: {name:?} is no plain file"));
        }
        let most = Content::of(&name).map_or(LARGEST_STRAY, |content| content.most_bytes()).min(largest);
        let size = entry.header().size().map_err(damaged)?;
        if size > most {
            return Err(format!("{shown} {DAMAGED}: {name:?} is too large"));
        }
        let mut bytes = Vec::new();
        entry.by_ref().take(most).read_to_end(&mut bytes).map_err(damaged)?;
        if u64::try_from(bytes.len()).ok() != Some(size) {
            return Err(format!("{shown} {DAMAGED}: {name:?} is not whole"));
        }
        take(name, bytes)?;
        left.set(largest);
    }
    // To the very end, where the checksum is.
    left.set(u64::MAX);
    std::io::copy(&mut tar.into_inner(), &mut std::io::sink()).map_err(damaged)?;
    Ok(())
}

/// Gives no more than may come before the next entry: a few bytes of zstd can be terabytes, in the name of an entry too.
struct Bounded<R> {
    inner: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let left = self.left.get();
        if left == 0 {
            return Err(std::io::Error::other("an entry of it is too large"));
        }
        let most = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = self.inner.read(bytes.get_mut(..most).unwrap_or_default())?;
        self.left.set(left.saturating_sub(u64::try_from(count).unwrap_or(0)));
        Ok(count)
    }
}

fn opened<R: Read>(sealed: R, unlock: &Unlock) -> Result<age::stream::StreamReader<R>, String> {
    let decryptor = age::Decryptor::new(sealed).map_err(|why| format!("{DAMAGED}: {why}"))?;
    let opened = match (unlock, decryptor.is_scrypt()) {
        (Unlock::Passphrase(passphrase), true) => {
            let mut identity = age::scrypt::Identity::new(passphrase.clone());
            identity.set_max_work_factor(22);
            decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity))
        }
        (Unlock::Identities(keys), false) => decryptor.decrypt(keys.iter().map(|key| key as &dyn age::Identity)),
        (_, true) => return Err("is encrypted with a passphrase: give it with --passphrase-file".to_owned()),
        (_, false) => return Err("is encrypted to a key: give it with --identity".to_owned()),
    };
    opened.map_err(|_| "can't be opened: the passphrase or the key is another one".to_owned())
}

/// Tells how far the reading has come.
struct Counted<'t, R> {
    inner: R,
    done: u64,
    size: u64,
    told: &'t dyn Fn(u64, u64),
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(bytes)?;
        self.done += u64::try_from(count).unwrap_or(0);
        (self.told)(self.done, self.size);
        Ok(count)
    }
}
