//! Photos in the API: the record, links to its bytes, its queries.

pub mod mutation;

use super::stamp::RecordStamp;
use crate::ids;
use crate::objects::{Pass, Reading, Use};
use crate::operation::{AtOnce, Running, plain};
use crate::page::{Connection, Listed, PageArguments, global_id, listing};
use crate::patient::{Patient, loader as patients};
use crate::photo::{
    MediaType, Photo, PhotoFilter, PhotoOrder, PhotoPair, PhotoPhase, PhotoPurpose, PhotoStatus, PhotoView, link_until,
    loader,
};
use crate::scalars::DateTime;
use crate::session::{TreatmentSession, loader as sessions};
use crate::vocabulary::{BodyArea, RecordKind, Side};
use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};

impl Listed for Photo {
    const NAME: &'static str = "Photo";
    fn whose(&self) -> Option<uuid::Uuid> {
        crate::ledger::Record::patient_id(self)
    }
}

/// Which bytes of a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum PhotoSize {
    /// As it was uploaded, without EXIF and position.
    Original,
    /// A JPEG of at most 400 pixels a side.
    Thumbnail,
}

/// Why a photo is withheld.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum PhotoWithheld {
    /// The patient has no active consent for this purpose: none was given, it was withdrawn, or it has expired.
    NoConsent,
    /// LEGAL_DUTY was asked for, no legal hold stands on the patient and no reason was stated.
    NoDuty,
    /// A link belongs to the sign-in of a person: a program, which signs in by a key, gets none.
    NeedsSignIn,
    /// Its bytes are not stored: they have not arrived yet, or never will.
    NotStored,
    /// It was entered in error.
    EnteredInError,
}

/// A link to a photo's bytes, or why there is none.
#[derive(SimpleObject)]
pub struct PhotoLink {
    /// The link: fetch it with GET and without a token; null if it is withheld. It is a path of this service, unless
    /// the service knows its public address. It ends early when the consent is withdrawn or the viewer loses the right
    /// to see the photo.
    url: Option<String>,
    /// When the link expires, five to ten minutes from now; null if it is withheld. Who asks again within the same five minutes
    /// by the clock is given the same link, so that a browser shows the picture from its cache.
    expires_at: Option<DateTime>,
    /// Why there is no link; null if there is one.
    withheld: Option<PhotoWithheld>,
}

/// A photo from before a treatment and one from after it, of the same area and side, from the same view and from about
/// the same distance.
#[Object]
impl PhotoPair {
    /// The photo before: the latest one from before the first photo after the treatment.
    async fn before(&self) -> &Photo {
        &self.before
    }
    /// The photo after the treatment.
    async fn after(&self) -> &Photo {
        &self.after
    }
    /// The area of the body.
    async fn area(&self) -> BodyArea {
        self.after.area
    }
    /// The view it was taken from.
    async fn view(&self) -> PhotoView {
        self.after.view
    }
    /// The side of the body, the patient's.
    async fn side(&self) -> Side {
        self.after.side
    }
    /// Whole days between the two.
    async fn days_between(&self) -> i64 {
        self.days()
    }
    /// How much farther away the camera was in the later photo, cm; null if a distance is not known.
    async fn distance_difference_cm(&self) -> Option<i32> {
        self.farther_cm()
    }
}

impl Photo {
    fn withheld(&self) -> Option<PhotoWithheld> {
        match self.status {
            PhotoStatus::Stored => None,
            PhotoStatus::EnteredInError => Some(PhotoWithheld::EnteredInError),
            PhotoStatus::AwaitingUpload | PhotoStatus::Abandoned => Some(PhotoWithheld::NotStored),
        }
    }
}

/// A photo. Its bytes are behind `link`.
#[Object]
impl Photo {
    /// Typed id, `photo_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::Photo, self.id)
    }
    /// The patient in the photo.
    async fn patient(&self, ctx: &Context<'_>) -> Result<AtOnce<Patient>> {
        patients::patient_of_record(ctx, self.patient_id).await
    }
    /// The session it belongs to.
    async fn session(&self, ctx: &Context<'_>) -> Option<Result<TreatmentSession>> {
        Some(sessions::session_of_record(ctx, self.session_id?).await)
    }
    /// The aftercare note it belongs to, `note_…`.
    async fn aftercare_note_id(&self) -> Option<ID> {
        self.aftercare_note_id.map(|id| global_id(RecordKind::AftercareNote, id))
    }
    /// The adverse event it shows, `adverse_event_…`.
    async fn adverse_event_id(&self) -> Option<ID> {
        self.adverse_event_id.map(|id| global_id(RecordKind::AdverseEvent, id))
    }
    /// How far it has progressed.
    async fn status(&self) -> PhotoStatus {
        self.status
    }
    /// Whether the record was marked as entered in error: its bytes are not shown, and lists leave it out unless
    /// `includeEnteredInError` is true.
    async fn entered_in_error(&self) -> bool {
        self.status == PhotoStatus::EnteredInError
    }
    /// Why it was marked as entered in error.
    async fn status_reason(&self) -> Option<&str> {
        self.status_reason.as_deref()
    }
    /// When it was taken.
    async fn taken_at(&self) -> DateTime {
        DateTime(self.taken_at)
    }
    /// Its place in the course of treatment.
    async fn phase(&self) -> PhotoPhase {
        self.phase
    }
    /// The view it was taken from.
    async fn view(&self) -> PhotoView {
        self.view
    }
    /// The area of the body.
    async fn area(&self) -> BodyArea {
        self.area
    }
    /// The side of the body, the patient's.
    async fn side(&self) -> Side {
        self.side
    }
    /// How the area was lit.
    async fn lighting(&self) -> Option<&str> {
        self.lighting.as_deref()
    }
    /// Distance of the camera, cm.
    async fn distance_cm(&self) -> Option<i16> {
        self.distance_cm
    }
    /// Whether the skin is free of make-up.
    async fn make_up_free(&self) -> Option<bool> {
        self.make_up_free
    }
    /// Remarks.
    async fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
    /// Until when its bytes may be uploaded.
    async fn upload_expires_at(&self) -> Option<DateTime> {
        self.upload_expires_at.map(DateTime)
    }
    /// When its bytes arrived.
    async fn stored_at(&self) -> Option<DateTime> {
        self.stored_at.map(DateTime)
    }
    /// SHA-256 of the stored bytes, hexadecimal. It differs from that of the file sent, because EXIF and position are
    /// removed.
    async fn content_hash(&self) -> Option<&str> {
        self.content_hash.as_deref()
    }
    /// The media type of the bytes, such as `image/jpeg`.
    async fn media_type(&self) -> Option<&str> {
        self.media_type.map(MediaType::as_str)
    }
    /// Its size in bytes.
    async fn byte_size(&self) -> Option<i32> {
        self.byte_size
    }
    /// Its width in pixels.
    async fn width(&self) -> Option<i32> {
        self.width
    }
    /// Its height in pixels.
    async fn height(&self) -> Option<i32> {
        self.height
    }
    /// A link to the bytes for a purpose that the patient currently consents to, or why there is none.
    async fn link(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the photo is needed for.")] purpose: PhotoPurpose,
        #[graphql(desc = "The original or the thumbnail.", default_with = "PhotoSize::Original")] size: PhotoSize,
    ) -> Option<Result<PhotoLink>> {
        let link = async {
            let agreed = match self.withheld() {
                Some(why) => Err(why),
                None if purpose == PhotoPurpose::LegalDuty && ctx.operation()?.states_reason() => Ok(()),
                None if loader::agrees(ctx, self.patient_id, purpose).await? => Ok(()),
                None if purpose == PhotoPurpose::LegalDuty => Err(PhotoWithheld::NoDuty),
                None => Err(PhotoWithheld::NoConsent),
            };
            if let Err(why) = agreed {
                return Ok(PhotoLink { url: None, expires_at: None, withheld: Some(why) });
            }
            let operation = ctx.operation()?;
            let viewer = operation.reader().await?.viewer();
            let Ok(holder) = operation.holder(&viewer) else {
                return Ok(PhotoLink { url: None, expires_at: None, withheld: Some(PhotoWithheld::NeedsSignIn) });
            };
            let reading = match size {
                PhotoSize::Original => Reading::Original,
                PhotoSize::Thumbnail => Reading::Thumbnail,
            };
            let pass = Pass {
                purpose: Use::Read(reading, purpose.into()),
                holder,
                record: self.id,
                until: link_until(ids::now()),
            };
            let url = operation.service().links.address(&pass);
            Ok(PhotoLink { url: Some(url), expires_at: Some(DateTime(pass.until)), withheld: None })
        };
        Some(link.await)
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

plain!(Photo: id, aftercare_note_id, adverse_event_id, status, entered_in_error, status_reason, taken_at, phase, view, area, side, lighting, distance_cm, make_up_free, note, upload_expires_at, stored_at, content_hash, media_type, byte_size, width, height);

/// The queries of this module.
#[derive(Default)]
pub struct PhotoQuery;

#[Object]
impl PhotoQuery {
    /// A photo; null with NOT_FOUND if there is none with this id.
    async fn photo(&self, ctx: &Context<'_>, #[graphql(desc = "`photo_…`")] id: ID) -> Option<Result<Photo>> {
        listing::root_one(ctx, &id).await
    }

    /// Photos of all patients, latest first unless asked otherwise.
    #[allow(clippy::too_many_arguments)]
    async fn photos(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<PhotoFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<PhotoOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<Photo>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }
}
