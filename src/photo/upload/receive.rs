//! Taking the bytes of a photo in.

use super::{Bearer, Outcome, Refused, agrees_to_bytes, why};
use crate::access::Scope;
use crate::error::Error;
use crate::ids;
use crate::ledger::Event;
use crate::objects::{Incoming, Objects, Pass, Reading, Use};
use crate::page::kept;
use crate::photo::intake::{Arrived, Memory, QUEUE};
use crate::photo::picture::{self, Look, Picture, PictureFault};
use crate::photo::{MediaType, Photo, PhotoStatus, object_name, store};
use crate::vocabulary::{Action, RecordKind};
use std::time::Duration;
use tokio::time::Instant;

/// What the address of an upload answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// `photo_…`
    pub photo_id: String,
    /// SHA-256 of the stored bytes, hexadecimal.
    pub content_hash: String,
    /// Its width in pixels.
    pub width: i32,
    /// Its height in pixels.
    pub height: i32,
}

impl Stored {
    fn of(photo: &Photo) -> Option<Self> {
        Some(Self {
            photo_id: ids::show(RecordKind::Photo, photo.id),
            content_hash: photo.content_hash.clone()?,
            width: photo.width?,
            height: photo.height?,
        })
    }
}

/// How long unpacking one picture may take before its sender is told so.
const UNPACKING: Duration = Duration::from_secs(30);

/// Points of an upload, and of each megapixel that is unpacked for it.
const UPLOAD_POINTS: u64 = 100;
const MEGAPIXEL_POINTS: u64 = 100;

impl Bearer {
    /// Whether an upload may begin, before any of its bytes is read.
    pub async fn admit(&self, token: &str) -> Outcome<Pass> {
        let pass = self.pass(token)?;
        if pass.purpose != Use::Upload {
            return Err(Refused::unknown());
        }
        let mut scope = self.scope(&pass, false).await?;
        let photo = self.photo(&pass, &mut scope).await;
        scope.rollback().await;
        // By a sign-in that holds, what is refused is paid for, too.
        self.pay(&pass, UPLOAD_POINTS).await?;
        takes_bytes(&photo?)?;
        Ok(pass)
    }

    /// Whether a photo still takes bytes, as things are now; and the answer to bytes of this hash, if that is known before
    /// they are unpacked or written.
    async fn settled(&self, pass: &Pass, hash: Option<&str>) -> Outcome<Option<Stored>> {
        let mut scope = self.scope(pass, false).await?;
        let photo = self.photo(pass, &mut scope).await?;
        let twin = match hash {
            Some(hash) if photo.status == PhotoStatus::AwaitingUpload => {
                store::twin(&mut scope, photo.patient_id, hash).await?
            }
            _ => None,
        };
        scope.rollback().await;
        takes_bytes(&photo)?;
        match (hash, twin) {
            (_, Some(twin)) => Err(same_elsewhere(Some(twin))),
            (Some(hash), None) => same_bytes(&photo, hash),
            (None, None) => Ok(None),
        }
    }

    /// Takes the whole of an upload: checks, cleans and keeps it. Nothing is left behind unless it is kept.
    pub async fn receive(&self, pass: Pass, arrived: Arrived) -> Outcome<Stored> {
        let sent = arrived.sent;
        if let Some(fault) = self.intake.fault_of(&sent) {
            return Err(fault.into());
        }
        if let Some(hash) = self.intake.kept_as(pass.record, &sent)
            && let Some(stored) = self.settled(&pass, Some(&hash)).await?
        {
            return Ok(stored);
        }
        let (picture, _memory) = match self.unpacked(&pass, arrived).await? {
            Unpacked::New(picture, memory) => (picture, memory),
            Unpacked::Stored(stored) => return Ok(stored),
        };
        if let Some(stored) = self.settled(&pass, Some(&picture.hash)).await? {
            self.intake.note_kept(pass.record, sent, picture.hash);
            return Ok(stored);
        }
        let facts = Facts::of(&picture);
        let objects = &self.service.objects;
        let original = objects.bring(&format!("{}-original", pass.record), picture.bytes.into()).await?;
        let thumbnail = match objects.bring(&format!("{}-thumbnail", pass.record), picture.thumbnail.into()).await {
            Ok(thumbnail) => thumbnail,
            Err(error) => {
                original.remove().await;
                return Err(error.into());
            }
        };
        let stored = self.keep(&pass, &facts, original, thumbnail).await?;
        self.intake.note_kept(pass.record, sent, facts.hash);
        Ok(stored)
    }

    /// The picture of an upload. What its head and its hash tell is told before anything is unpacked; each step waits for
    /// its memory while it holds none.
    async fn unpacked(&self, pass: &Pass, arrived: Arrived) -> Outcome<Unpacked> {
        let (until, most) = (Instant::now() + QUEUE, self.intake.most_memory());
        let note = |fault| {
            self.intake.note_fault(arrived.sent, fault);
            Refused::from(fault)
        };
        let looking = picture::LOOKING + 4 * u64::try_from(arrived.size).unwrap_or(0);
        let looking = self.intake.memory(looking, until).await?;
        let file = arrived.clone();
        let (looked, memory) =
            off(looking, move || look(&file, most).map(|looked| looked.map(|look| look.seen()))).await?;
        drop(memory);
        let seen = looked?.map_err(note)?;
        if let Some(stored) = self.settled(pass, seen.hash.as_deref()).await? {
            return Ok(Unpacked::Stored(stored));
        }
        let turn = if seen.slow { Some(self.intake.slow(until).await?) } else { None };
        let memory = self.intake.memory(seen.memory, until).await?;
        self.pay(pass, MEGAPIXEL_POINTS * seen.pixels.div_ceil(1_000_000)).await?;
        let file = arrived.clone();
        let unpacking = off(memory, move || {
            let _turn = turn;
            look(&file, most).map(|looked| looked.and_then(Look::unpack))
        });
        let slow = |_| {
            tracing::warn!(pixels = seen.pixels, "a picture takes too long to be unpacked");
            note(PictureFault::TooDear)
        };
        let (unpacked, mut memory) = tokio::time::timeout(UNPACKING, unpacking).await.map_err(slow)??;
        let picture = unpacked?.map_err(note)?;
        memory.keep(picture.bytes.len().saturating_add(picture.thumbnail.len()));
        Ok(Unpacked::New(Box::new(picture), memory))
    }

    /// Keeps what was brought, in one transaction with its ledger entry.
    async fn keep(&self, pass: &Pass, facts: &Facts, original: Incoming, thumbnail: Incoming) -> Outcome<Stored> {
        let mut scope = match self.scope(pass, true).await {
            Ok(scope) => scope,
            Err(refused) => {
                futures::join!(original.remove(), thumbnail.remove());
                return Err(refused);
            }
        };
        let checked = check(&mut scope, pass, facts).await;
        let photo = match checked {
            Ok(Check::New(photo)) => *photo,
            Ok(Check::Stored(stored)) => {
                futures::join!(scope.rollback(), original.remove(), thumbnail.remove());
                return Ok(stored);
            }
            Err(refused) => {
                futures::join!(scope.rollback(), original.remove(), thumbnail.remove());
                return Err(refused);
            }
        };
        // The row is held: nobody else writes these names until the transaction ends.
        let name = |reading| object_name(pass.holder.org, pass.record, reading);
        let kept = async {
            original.keep(&name(Reading::Original)).await?;
            thumbnail.keep(&name(Reading::Thumbnail)).await?;
            kept::save(&mut scope, Action::Update, &photo, photo.stamp.version - 1).await
        };
        if let Err(error) = kept.await {
            // Without the connection the row is no longer held; then the names are the next upload's, or the sweep's.
            if !error.is_lost_connection() {
                remove_both(&self.service.objects, pass.holder.org, &photo).await;
            }
            scope.rollback().await;
            return Err(match error {
                Error::Conflict { current_version: None, .. } => same_elsewhere(None),
                other => other.into(),
            });
        }
        let (whose, why) = why(&scope, pass, &photo);
        scope.commit().await?;
        self.log(pass, Event::Read, whose, why).await?;
        Stored::of(&photo).ok_or_else(|| Error::Internal("a stored photo without its facts".to_owned()).into())
    }
}

/// What an upload is.
enum Unpacked {
    /// A picture, with the memory that its bytes take.
    New(Box<Picture>, Memory),
    /// What the photo has already.
    Stored(Stored),
}

fn look(file: &Arrived, most: u64) -> std::io::Result<Result<Look, PictureFault>> {
    Ok(picture::look(&file.read()?, most))
}

/// Runs what takes processor time, off the async threads. The memory goes along: it is not given back before the work has
/// ended, whoever still waits for it.
async fn off<T: Send + 'static>(
    memory: Memory,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Outcome<(Outcome<T>, Memory)> {
    let ended = tokio::task::spawn_blocking(move || (work(), memory)).await;
    let (outcome, memory) = ended.map_err(|_| Error::Internal("decoding a picture ended early".to_owned()))?;
    let unread = |error| Error::Internal(format!("an upload can't be read again: {error}"));
    Ok((outcome.map_err(|error| unread(error).into()), memory))
}

fn takes_bytes(photo: &Photo) -> Outcome<()> {
    match photo.status {
        PhotoStatus::AwaitingUpload | PhotoStatus::Stored => Ok(()),
        PhotoStatus::Abandoned => Err(Refused::new(410, "LINK_EXPIRED", "this upload was given up: ask for a new one")),
        PhotoStatus::EnteredInError => {
            Err(Refused::new(409, "CONFLICT", "this photo was entered in error: ask for a new upload"))
        }
    }
}

/// For a photo that is stored: its answer to the same bytes, a refusal of others.
fn same_bytes(photo: &Photo, hash: &str) -> Outcome<Option<Stored>> {
    match photo.status {
        PhotoStatus::Stored if photo.content_hash.as_deref() == Some(hash) => Ok(Stored::of(photo)),
        PhotoStatus::Stored => Err(Refused::new(
            409,
            "PHOTO_STORED",
            "this photo has its bytes already, and they are others: ask for a new upload for another picture",
        )),
        _ => Ok(None),
    }
}

fn same_elsewhere(id: Option<uuid::Uuid>) -> Refused {
    let which = id.map_or_else(|| "another upload of this minute".to_owned(), |id| ids::show(RecordKind::Photo, id));
    Refused::new(409, "PHOTO_DUPLICATE", format!("this patient has this very picture already: {which}"))
}

/// What is noted of a picture.
struct Facts {
    media_type: MediaType,
    hash: String,
    size: usize,
    width: u32,
    height: u32,
}

impl Facts {
    fn of(picture: &Picture) -> Self {
        Self {
            media_type: picture.media_type,
            hash: picture.hash.clone(),
            size: picture.bytes.len(),
            width: picture.width,
            height: picture.height,
        }
    }
}

enum Check {
    New(Box<Photo>),
    Stored(Stored),
}

/// The photo as it will be, its row held; or what it is already.
async fn check(scope: &mut Scope, pass: &Pass, facts: &Facts) -> Outcome<Check> {
    scope.viewer().check(Action::Create, RecordKind::Photo)?;
    let before = store::held(scope, pass.record).await?;
    takes_bytes(&before)?;
    agrees_to_bytes(scope, &before).await?;
    if let Some(stored) = same_bytes(&before, &facts.hash)? {
        return Ok(Check::Stored(stored));
    }
    if let Some(twin) = store::twin(scope, before.patient_id, &facts.hash).await? {
        return Err(same_elsewhere(Some(twin)));
    }
    let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let now = ids::now();
    Ok(Check::New(Box::new(Photo {
        status: PhotoStatus::Stored,
        stored_at: Some(now),
        content_hash: Some(facts.hash.clone()),
        media_type: Some(facts.media_type),
        byte_size: Some(i32::try_from(facts.size).unwrap_or(i32::MAX)),
        width: Some(number(facts.width)),
        height: Some(number(facts.height)),
        stamp: before.stamp.changed(Some(pass.holder.staff), now),
        ..before
    })))
}

async fn remove_both(objects: &Objects, org: uuid::Uuid, photo: &Photo) {
    for reading in [Reading::Original, Reading::Thumbnail] {
        if let Err(error) = objects.remove(&object_name(org, photo.id, reading)).await {
            tracing::warn!(?error, "the bytes of an upload that failed wait for the sweep");
        }
    }
}
