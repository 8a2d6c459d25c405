//! How many uploads a process takes at once, from whom, and with how much memory and disk. Whose bytes come slowly holds
//! a place and a file of its own, and nobody else's.

use super::picture::PictureFault;
use crate::config::UploadSettings;
use crate::keys;
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

/// How long an upload waits for its turn, and for memory.
pub const QUEUE: Duration = Duration::from_secs(20);
/// Uploads whose bytes are on their way: 64 files of 25 MiB.
const PLACES: usize = 64;
/// Those of one staff member.
const PLACES_OF_ONE: usize = 4;
/// Photos that are on their way out to one staff member.
const READINGS_OF_ONE: usize = 32;
/// Who waits for one of these at most. Of an address, one is taken at a time.
const WAITING: usize = 128;
const WAITING_AT_ADDRESS: usize = 8;
/// What is remembered of uploads: for as long as an address holds.
const REMEMBERED: (u64, Duration) = (10_000, Duration::from_secs(15 * 60));
const MIB: u64 = 1024 * 1024;

/// Why an upload is not taken now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    /// Another one by the same address is under way.
    Address,
    /// Others are.
    Others,
}

/// What every upload of a process goes through.
pub struct Intake {
    folder: PathBuf,
    least_rate: u64,
    memory: u32,
    places: Arc<Semaphore>,
    addresses: Arc<Turns>,
    senders: Arc<Turns>,
    readers: Arc<Turns>,
    unpacking: Arc<Semaphore>,
    slow: Arc<Semaphore>,
    faults: Cache<[u8; 32], PictureFault>,
    kept: Cache<(Uuid, [u8; 32]), String>,
}

/// The place of an upload, until it is dropped.
pub struct Place {
    _address: Turn,
    _sender: Turn,
    _place: OwnedSemaphorePermit,
}

impl Intake {
    /// Takes uploads into files of the data folder, or where that can't be written, of the system's folder for such. They
    /// have no names: a process that dies leaves none.
    pub fn open(settings: &UploadSettings, data_dir: &Path) -> Result<Self, String> {
        let folder = data_dir.join("uploads");
        let made = std::fs::create_dir_all(&folder).and_then(|()| keys::close_to_others(&folder));
        let folder = match made.and_then(|()| tempfile::tempfile_in(&folder)) {
            Ok(_) => folder,
            Err(error) => {
                let other = std::env::temp_dir();
                tracing::warn!(%error, folder = %other.display(), "uploads can't be kept in the data folder meanwhile");
                tempfile::tempfile_in(&other)
                    .map_err(|error| format!("uploads can't be kept in {} meanwhile: {error}", other.display()))?;
                other
            }
        };
        let (capacity, time) = REMEMBERED;
        let memory = usize::try_from(settings.photo_memory).unwrap_or(usize::MAX);
        Ok(Self {
            folder,
            least_rate: settings.upload_least_rate,
            memory: settings.photo_memory,
            places: Arc::new(Semaphore::new(PLACES)),
            addresses: Turns::new(1, WAITING_AT_ADDRESS),
            senders: Turns::new(PLACES_OF_ONE, WAITING),
            readers: Turns::new(READINGS_OF_ONE, WAITING),
            unpacking: Arc::new(Semaphore::new(memory)),
            slow: Arc::new(Semaphore::new(1)),
            faults: Cache::builder().max_capacity(capacity).time_to_live(time).build(),
            kept: Cache::builder().max_capacity(capacity).time_to_live(time).build(),
        })
    }

    /// Bytes a second that an upload must bring; 0: no least.
    pub fn least_rate(&self) -> u64 {
        self.least_rate
    }

    /// The most memory that unpacking one picture may take, bytes.
    pub fn most_memory(&self) -> u64 {
        u64::from(self.memory) * MIB
    }

    /// A place for an upload of a photo by somebody: one at a time for the photo, some for them, more for all.
    pub async fn enter(&self, photo: Uuid, sender: Uuid) -> Result<Place, Busy> {
        let until = Instant::now() + QUEUE;
        let address = self.addresses.enter(photo, until).await.ok_or(Busy::Address)?;
        let sender = self.senders.enter(sender, until).await.ok_or(Busy::Others)?;
        let place = timeout_at(until, Arc::clone(&self.places).acquire_owned()).await;
        let place = place.ok().and_then(Result::ok).ok_or(Busy::Others)?;
        Ok(Place { _address: address, _sender: sender, _place: place })
    }

    /// A turn for a photo on its way out to somebody.
    pub async fn reading(&self, reader: Uuid) -> Result<Turn, Busy> {
        self.readers.enter(reader, Instant::now() + QUEUE).await.ok_or(Busy::Others)
    }

    /// Memory for so many bytes, as soon as it is there.
    pub async fn memory(&self, bytes: u64, until: Instant) -> Result<Memory, Busy> {
        let most = self.memory;
        let wanted = u32::try_from(bytes.div_ceil(MIB)).unwrap_or(most).clamp(1, most);
        let got = timeout_at(until, Arc::clone(&self.unpacking).acquire_many_owned(wanted)).await;
        got.ok().and_then(Result::ok).map(Memory).ok_or(Busy::Others)
    }

    /// A turn for a picture that takes seconds of a processor: one at a time, so that the others don't wait for it.
    pub async fn slow(&self, until: Instant) -> Result<OwnedSemaphorePermit, Busy> {
        let got = timeout_at(until, Arc::clone(&self.slow).acquire_owned()).await;
        got.ok().and_then(Result::ok).ok_or(Busy::Others)
    }

    /// A file for the bytes of an upload.
    pub async fn file(&self) -> io::Result<Arriving> {
        let folder = self.folder.clone();
        let file =
            tokio::task::spawn_blocking(move || tempfile::tempfile_in(folder)).await.map_err(io::Error::other)??;
        Ok(Arriving { file: tokio::fs::File::from_std(file), size: 0, hash: Sha256::new() })
    }

    /// What these bytes were found to be, not long ago.
    pub fn fault_of(&self, sent: &[u8; 32]) -> Option<PictureFault> {
        self.faults.get(sent)
    }

    /// Notes what is wrong with these bytes: they are not unpacked again.
    pub fn note_fault(&self, sent: [u8; 32], fault: PictureFault) {
        self.faults.insert(sent, fault);
    }

    /// The hash that these bytes are kept under as this photo, if they came not long ago.
    pub fn kept_as(&self, photo: Uuid, sent: &[u8; 32]) -> Option<String> {
        self.kept.get(&(photo, *sent))
    }

    /// Notes what these bytes are kept as: they are not unpacked again.
    pub fn note_kept(&self, photo: Uuid, sent: [u8; 32], hash: String) {
        self.kept.insert((photo, sent), hash);
    }
}

/// Memory that is somebody's until it is dropped.
#[derive(Debug)]
pub struct Memory(OwnedSemaphorePermit);

impl Memory {
    /// Gives back all but this many bytes.
    pub fn keep(&mut self, bytes: usize) {
        let keep = u64::try_from(bytes).unwrap_or(u64::MAX).div_ceil(MIB);
        let spare = self.0.num_permits().saturating_sub(usize::try_from(keep).unwrap_or(usize::MAX));
        drop(self.0.split(spare));
    }
}

/// An upload on its way into a file.
pub struct Arriving {
    file: tokio::fs::File,
    size: usize,
    hash: Sha256,
}

impl Arriving {
    /// How many bytes have come.
    pub fn size(&self) -> usize {
        self.size
    }

    /// More of it.
    pub async fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.size = self.size.saturating_add(bytes.len());
        self.file.write_all(bytes).await
    }

    /// All of it has come.
    pub async fn end(mut self) -> io::Result<Arrived> {
        self.file.flush().await?;
        let file = self.file.into_std().await;
        Ok(Arrived { file: Arc::new(file), size: self.size, sent: self.hash.finalize().into() })
    }
}

/// An upload that is whole, in its file.
#[derive(Clone)]
pub struct Arrived {
    file: Arc<File>,
    /// How many bytes it has.
    pub size: usize,
    /// Their SHA-256.
    pub sent: [u8; 32],
}

impl Arrived {
    /// Its bytes.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        use std::io::{Read, Seek};
        let mut bytes = Vec::with_capacity(self.size);
        let mut file = &*self.file;
        file.rewind()?;
        file.read_to_end(&mut bytes)?;
        if bytes.len() == self.size { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// Turns by whose they are.
struct Turns {
    at_once: usize,
    waiting: usize,
    each: Mutex<HashMap<Uuid, (Arc<Semaphore>, usize)>>,
}

impl Turns {
    fn new(at_once: usize, waiting: usize) -> Arc<Self> {
        Arc::new(Self { at_once, waiting, each: Mutex::default() })
    }

    /// A turn, or none where too many wait or the time comes first.
    async fn enter(self: &Arc<Self>, whose: Uuid, until: Instant) -> Option<Turn> {
        let semaphore = {
            let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
            let (semaphore, count) = each.entry(whose).or_insert_with(|| (Arc::new(Semaphore::new(self.at_once)), 0));
            if *count >= self.at_once.saturating_add(self.waiting) {
                return None;
            }
            *count += 1;
            Arc::clone(semaphore)
        };
        let mut turn = Turn { turns: Arc::clone(self), whose, permit: None };
        turn.permit = Some(timeout_at(until, semaphore.acquire_owned()).await.ok()?.ok()?);
        Some(turn)
    }
}

/// One of somebody's turns, or a wait for it, until it is dropped.
pub struct Turn {
    turns: Arc<Turns>,
    whose: Uuid,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.permit = None;
        let mut each = self.turns.each.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, count)) = each.get_mut(&self.whose) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                each.remove(&self.whose);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_are_one_after_another_for_each_and_leave_nothing() {
        let turns = Turns::new(1, 1);
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let soon = || Instant::now() + Duration::from_millis(500);
        let first = turns.enter(one, soon()).await.expect("a turn");
        assert!(turns.enter(other, soon()).await.is_some(), "another's is their own");
        let waits = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.enter(one, soon()).await.is_some() }
        });
        tokio::task::yield_now().await;
        let begun = Instant::now();
        assert!(turns.enter(one, soon()).await.is_none(), "too many wait");
        assert!(begun.elapsed() < Duration::from_millis(400), "and it is told at once");
        drop(first);
        assert!(waits.await.expect("no panic"));
        let held = turns.enter(one, soon()).await.expect("a turn");
        assert!(turns.enter(one, soon()).await.is_none(), "the time comes first");
        drop(held);
        assert!(turns.each.lock().expect("whole").is_empty());
    }

    #[tokio::test]
    async fn memory_is_waited_for_and_given_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = UploadSettings { upload_least_rate: 0, photo_memory: 64 };
        let intake = Intake::open(&settings, folder.path()).expect("an intake");
        let soon = || Instant::now() + Duration::from_millis(100);
        let mut most = intake.memory(60 * MIB, soon()).await.expect("memory");
        assert_eq!(intake.memory(5 * MIB, soon()).await.err(), Some(Busy::Others), "the time comes first");
        most.keep(1);
        let more = intake.memory(63 * MIB, soon()).await.expect("all but one");
        assert_eq!(intake.memory(1, soon()).await.err(), Some(Busy::Others));
        drop((most, more));
        assert!(intake.memory(u64::MAX, soon()).await.is_ok(), "all there is");
    }

    #[tokio::test]
    async fn an_upload_lies_in_a_file_without_a_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = UploadSettings { upload_least_rate: 0, photo_memory: 64 };
        let intake = Intake::open(&settings, folder.path()).expect("an intake");
        let mut arriving = intake.file().await.expect("a file");
        arriving.add(b"one ").await.expect("space");
        arriving.add(b"two").await.expect("space");
        assert_eq!(arriving.size(), 7);
        let arrived = arriving.end().await.expect("all of it");
        let hash: [u8; 32] = Sha256::digest(b"one two").into();
        assert_eq!((arrived.read().expect("bytes"), arrived.sent), (b"one two".to_vec(), hash));
        assert_eq!(arrived.clone().read().expect("again"), b"one two");
        let named = std::fs::read_dir(folder.path().join("uploads")).expect("a folder").count();
        assert_eq!(named, 0);
    }
}
