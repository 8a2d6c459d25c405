//! The bytes of photos, in and out, for who holds a signed address. Whether they may still is asked at each use.

use super::intake::{Arrived, Busy, Intake, Memory, QUEUE, Turn};
use super::picture::{self, Look, Picture, PictureFault};
use super::{MOST_BYTES, Photo, PhotoPurpose, PhotoStatus, object_name, store};
use crate::access::Scope;
use crate::access::rate::{Payer, Rates};
use crate::error::Error;
use crate::ids;
use crate::ledger::{AccessEvent, Event};
use crate::objects::{Incoming, Objects, Pass, Reading, Use};
use crate::operation::{Service, reason_of};
use crate::page::{kept, listing};
use crate::vocabulary::{Action, RecordKind};
use bytes::Bytes;
use chrono::TimeDelta;
use futures::StreamExt;
use futures::stream::BoxStream;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Why an address does not do what was asked of it, for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// A stable word.
    pub code: &'static str,
    /// What is wrong and what would be right.
    pub message: String,
    /// Seconds after which another try makes sense.
    pub retry_after: Option<u64>,
}

impl Refused {
    /// A refusal.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: (status == 503).then_some(1) }
    }

    fn after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    fn unknown() -> Self {
        Self::new(404, "NOT_FOUND", "this is not an address that this service gave out")
    }

    /// The body is too long.
    pub fn too_large() -> Self {
        Self::new(
            413,
            "PHOTO_TOO_LARGE",
            format!("the picture is larger than 25 MiB ({MOST_BYTES} bytes): send a smaller one"),
        )
    }

    /// The body broke off.
    pub fn cut() -> Self {
        Self::new(400, "UPLOAD_CUT", "the upload broke off before its end; nothing was kept: send it again")
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        if let Error::Internal(cause) = &error {
            tracing::error!(cause, "a photo's bytes");
        }
        let (status, message) = match &error {
            Error::Unauthenticated(..) | Error::Forbidden(_) | Error::SecondFactorMissing | Error::ReasonRequired => {
                (403, error.public_message())
            }
            Error::NotFound(_) => (404, error.public_message()),
            Error::Conflict { .. } => (409, error.public_message()),
            Error::Unavailable => (503, error.public_message()),
            Error::RateLimited { .. } => (429, error.public_message()),
            Error::Internal(_) => (500, error.public_message()),
            _ => (400, error.public_message()),
        };
        let refused = Self::new(status, error.code(), message);
        match error {
            Error::RateLimited { retry_after } => refused.after(retry_after),
            _ => refused,
        }
    }
}

impl From<Busy> for Refused {
    fn from(busy: Busy) -> Self {
        match busy {
            Busy::Address => Self::new(
                409,
                "UPLOAD_UNDER_WAY",
                "another upload to this address is under way: let it end, or try again in some seconds",
            ),
            Busy::Others => {
                Self::new(503, "UNAVAILABLE", "many pictures are being uploaded: try again in some seconds")
            }
        }
        .after(5)
    }
}

impl From<PictureFault> for Refused {
    fn from(fault: PictureFault) -> Self {
        let (status, code, message) = match fault {
            PictureFault::NotAPicture => {
                (415, "NOT_A_PHOTO", "this is no picture that is taken: send a JPEG, PNG or WebP")
            }
            PictureFault::Heic => (
                415,
                "HEIC_NOT_TAKEN",
                "HEIC and AVIF pictures are not taken: send a JPEG (iPhone: Settings, Camera, Formats, Most Compatible; \
                 or share the picture as JPEG)",
            ),
            PictureFault::Animated => (415, "NOT_A_PHOTO", "this picture moves: send a still JPEG, PNG or WebP"),
            PictureFault::Broken => {
                (400, "PHOTO_BROKEN", "the picture can't be read to its end, it may have been cut: send it again")
            }
            PictureFault::TooManyPixels => {
                (413, "PHOTO_TOO_LARGE", "the picture has more than 64 megapixels: send a smaller one")
            }
            PictureFault::TooDear => (
                413,
                "PHOTO_TOO_LARGE",
                "unpacking the picture takes more memory than there is for one, or too long: send a smaller one, with 8 \
                 bits a channel, or a plain JPEG",
            ),
            PictureFault::Lossless => (
                413,
                "PHOTO_TOO_LARGE",
                "a WebP of this size that is packed without loss, or whose transparency is, may take more memory than there \
                 is for one picture: send it as a JPEG, as a PNG, or as a lossy WebP without transparency",
            ),
        };
        Self::new(status, code, message)
    }
}

/// What the address of an upload answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// `photo_…`
    pub photo_id: String,
    /// SHA-256 of the bytes as kept, hexadecimal.
    pub content_hash: String,
    /// Pixels across.
    pub width: i32,
    /// Pixels down.
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

/// A photo's bytes on their way out.
pub struct Opened {
    /// What they are.
    pub media_type: &'static str,
    /// How many.
    pub size: u64,
    /// They.
    pub stream: BoxStream<'static, std::io::Result<Bytes>>,
}

/// How long unpacking one picture may take before its sender is told so.
const UNPACKING: Duration = Duration::from_secs(30);
/// Points of an upload, of each megapixel that is unpacked for it, and of a photo and a thumbnail on their way out.
const UPLOAD_POINTS: u64 = 100;
const MEGAPIXEL_POINTS: u64 = 100;
const ORIGINAL_POINTS: u64 = 50;
const THUMBNAIL_POINTS: u64 = 10;

/// One use of an address.
#[derive(Clone)]
pub struct Bearer {
    /// The service.
    pub service: Arc<Service>,
    /// Places, memory and files for uploads.
    pub intake: Arc<Intake>,
    /// The limits by the minute.
    pub rates: Arc<Rates>,
    /// The request's id.
    pub request_id: String,
    /// The network address it came from.
    pub address: String,
}

type Outcome<T> = Result<T, Refused>;

impl Bearer {
    fn pass(&self, token: &str) -> Outcome<Pass> {
        let pass = self.service.links.read(token).ok_or_else(Refused::unknown)?;
        if pass.until <= ids::now() {
            return Err(Refused::new(410, "LINK_EXPIRED", "this address has run out: ask for a new one"));
        }
        Ok(pass)
    }

    /// The data as the holder of the address sees them now. That the address holds no more is in the access log, and counts
    /// on where it was tried from: its owner pays nothing for it.
    async fn scope(&self, pass: &Pass, writable: bool) -> Outcome<Scope> {
        match self.service.doorkeeper.open_scope_of(&pass.holder, &self.request_id, writable).await {
            Err(error @ Error::Forbidden(_)) => {
                self.charge(Payer::Address(&self.address), 1).await?;
                self.log(pass, Event::Refused, BTreeSet::new(), None).await?;
                Err(error.into())
            }
            opened => Ok(opened?),
        }
    }

    /// The photo, if its holder sees it now: role, restriction and emergency access are those of this moment. A refusal is
    /// in the access log, with whose it is.
    async fn photo(&self, pass: &Pass, scope: &mut Scope) -> Outcome<Photo> {
        let found: crate::error::Result<Photo> = match scope.viewer().check(wanted(pass), RecordKind::Photo) {
            Ok(()) => listing::one(scope, pass.record).await,
            Err(error) => Err(error),
        };
        match found {
            Err(error @ (Error::Forbidden(_) | Error::ReasonRequired)) => {
                self.log(pass, Event::Refused, scope.take_refused(), None).await?;
                Err(error.into())
            }
            found => Ok(found?),
        }
    }

    async fn log(
        &self,
        pass: &Pass,
        event: Event,
        patients: BTreeSet<uuid::Uuid>,
        reason: Option<String>,
    ) -> Outcome<()> {
        let operation = if pass.purpose == Use::Upload { "photoUpload" } else { "photo" };
        let event = AccessEvent {
            org: pass.holder.org,
            actor: Some(pass.holder.staff),
            request_id: self.request_id.clone(),
            event,
            operation: operation.to_owned(),
            from_address: self.address.clone(),
            reason,
            patients: patients.into_iter().collect(),
        };
        Ok(self.service.access_log.write(event).await?)
    }

    /// Takes points from the account that an address was given to.
    async fn pay(&self, pass: &Pass, points: u64) -> Outcome<()> {
        self.charge(Payer::Account(pass.holder.staff), points).await
    }

    async fn charge(&self, payer: Payer<'_>, points: u64) -> Outcome<()> {
        match self.rates.charge(payer, points).await {
            Some(charge) if !charge.passed => Err(Error::RateLimited { retry_after: charge.standing.resets_in }.into()),
            _ => Ok(()),
        }
    }

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
        let memory = self.intake.memory(seen.memory, until).await?;
        self.pay(pass, MEGAPIXEL_POINTS * seen.pixels.div_ceil(1_000_000)).await?;
        let file = arrived.clone();
        let unpacking = off(memory, move || look(&file, most).map(|looked| looked.and_then(Look::unpack)));
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

    /// Opens a photo's bytes, if its patient agrees and the bearer may see them now; who saw them is in the access log
    /// before the first byte goes out.
    pub async fn open(&self, token: &str) -> Outcome<Opened> {
        let pass = self.pass(token)?;
        let Use::Read(reading, reason) = pass.purpose else { return Err(Refused::unknown()) };
        let points = if reading == Reading::Original { ORIGINAL_POINTS } else { THUMBNAIL_POINTS };
        // Before a turn is taken: an address whose sign-in has ended takes none of its owner's.
        self.scope(&pass, false).await?.rollback().await;
        self.pay(&pass, points).await?;
        let turn = self.intake.reading(pass.holder.staff).await.map_err(|_| too_many_readings())?;
        let mut scope = self.scope(&pass, false).await?;
        let photo = self.photo(&pass, &mut scope).await?;
        let agreed = store::agreed(&mut scope, &[photo.patient_id]).await?;
        let exports = scope.viewer().check(Action::Export, RecordKind::Patient).is_ok();
        let (whose, why) = why(&scope, &pass, &photo);
        scope.rollback().await;
        let allowed = shown(&photo).and_then(|()| {
            let agrees = match PhotoPurpose::of(reason) {
                Some(purpose) => agreed.iter().any(|(_, agreed)| *agreed == purpose),
                None => exports,
            };
            agrees.then_some(()).ok_or_else(|| {
                let message = "the patient does not agree to this use of the photo, or not any more";
                Refused::new(403, "NO_CONSENT", message)
            })
        });
        if let Err(refused) = allowed {
            self.log(&pass, Event::Refused, whose, why).await?;
            return Err(refused);
        }
        self.log(&pass, Event::Read, whose, why).await?;
        let (size, stream) = self.service.objects.read(&object_name(pass.holder.org, photo.id, reading)).await?;
        let media_type = match (reading, photo.media_type) {
            (Reading::Original, Some(media_type)) => media_type.as_str(),
            _ => "image/jpeg",
        };
        Ok(Opened { media_type, size, stream: holding(turn, stream) })
    }
}

/// The bytes, with the turn that they hold until their reader has them, or has gone.
fn holding(
    turn: Turn,
    stream: BoxStream<'static, std::io::Result<Bytes>>,
) -> BoxStream<'static, std::io::Result<Bytes>> {
    stream.map(move |bytes| (&turn, bytes).1).boxed()
}

fn too_many_readings() -> Refused {
    Refused::new(503, "UNAVAILABLE", "many photos are on their way to you: take those first").after(5)
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

/// What the holder of an address is about to do.
fn wanted(pass: &Pass) -> Action {
    if pass.purpose == Use::Upload { Action::Create } else { Action::Read }
}

/// Whose picture it is, and why it is looked at: the emergency access that the address is used in, and that a reason was
/// stated for it. The words of that are with the look that gave the address out.
fn why(scope: &Scope, pass: &Pass, photo: &Photo) -> (BTreeSet<uuid::Uuid>, Option<String>) {
    let patients = BTreeSet::from([photo.patient_id]);
    let stated = pass.holder.reasoned.then_some("stated when the link was asked for");
    let why = reason_of(&patients, scope.emergencies(), stated);
    (patients, why)
}

fn shown(photo: &Photo) -> Outcome<()> {
    match photo.status {
        PhotoStatus::Stored => Ok(()),
        PhotoStatus::EnteredInError => Err(Refused::new(410, "PHOTO_WITHDRAWN", "this photo was entered in error")),
        PhotoStatus::AwaitingUpload | PhotoStatus::Abandoned => {
            Err(Refused::new(404, "NOT_FOUND", "this photo has no bytes"))
        }
    }
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
    media_type: super::MediaType,
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

/// How long after its address has run out an upload that began in time may still end.
const GRACE: TimeDelta = TimeDelta::minutes(5);
/// How old bytes that nobody kept must be to be an upload that was cut.
const CUT: TimeDelta = TimeDelta::hours(1);

/// Gives up uploads that never came, and takes away what cut ones left. How many of each.
pub async fn sweep(service: &Service) -> crate::error::Result<(usize, usize)> {
    let pool = service.doorkeeper.pool();
    let organisations = crate::access::account::organisations(pool).await?;
    let mut given_up = 0;
    for org in organisations {
        loop {
            let mut scope = Scope::program(pool, org).await?;
            let Some(mut photo) = store::overdue(&mut scope, ids::now() - GRACE).await? else {
                scope.rollback().await;
                break;
            };
            // While the row is held: what an upload left that was cut between the store and the commit.
            for reading in [Reading::Original, Reading::Thumbnail] {
                service.objects.remove(&object_name(org, photo.id, reading)).await?;
            }
            photo.status = PhotoStatus::Abandoned;
            photo.stamp = photo.stamp.changed(None, ids::now());
            kept::save(&mut scope, Action::Update, &photo, photo.stamp.version - 1).await?;
            scope.commit().await?;
            given_up += 1;
        }
    }
    Ok((given_up, service.objects.sweep(CUT).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_finds_no_place_or_memory_in_time_is_told_when_to_come_again() {
        let told = |busy| {
            let refused = Refused::from(busy);
            (refused.status, refused.code, refused.retry_after)
        };
        assert_eq!(told(Busy::Others), (503, "UNAVAILABLE", Some(5)));
        assert_eq!(told(Busy::Address), (409, "UPLOAD_UNDER_WAY", Some(5)));
        let limited = Refused::from(Error::RateLimited { retry_after: 42 });
        assert_eq!((limited.status, limited.retry_after), (429, Some(42)));
        assert_eq!(Refused::from(Error::Unavailable).retry_after, Some(1));
        assert_eq!(Refused::cut().retry_after, None);
    }
}
