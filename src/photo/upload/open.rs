//! Giving the bytes of a photo out.

use super::{Bearer, Outcome, Refused, why};
use crate::ids;
use crate::ledger::Event;
use crate::objects::{Reading, Use};
use crate::photo::intake::Turn;
use crate::photo::{Photo, PhotoPurpose, PhotoStatus, object_name, store};
use crate::vocabulary::{Action, RecordKind};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;

/// A photo's bytes on their way out.
pub struct Opened {
    /// The media type of its bytes.
    pub media_type: &'static str,
    /// Its size in bytes.
    pub size: u64,
    /// For how many seconds its reader may keep it: as long as the link may be used.
    pub keep: u64,
    /// The bytes.
    pub stream: BoxStream<'static, std::io::Result<Bytes>>,
}

/// Points of a photo and of a thumbnail on their way out.
const ORIGINAL_POINTS: u64 = 50;
const THUMBNAIL_POINTS: u64 = 10;

impl Bearer {
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
        let (whose, mut why) = why(&scope, &pass, &photo);
        let agrees = match PhotoPurpose::of(reason) {
            None => scope.viewer().check(Action::Export, RecordKind::Patient).is_ok(),
            Some(PhotoPurpose::LegalDuty) => {
                let hold = store::holds(&mut scope, &[photo.patient_id]).await?.pop();
                why = why.or(hold.map(|(_, reason)| format!("legal hold: {reason}")));
                why.is_some()
            }
            Some(purpose) => store::agrees(&mut scope, photo.patient_id, purpose).await?,
        };
        scope.rollback().await;
        let allowed = shown(&photo).and_then(|()| {
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
        let keep = u64::try_from((pass.until - ids::now()).num_seconds()).unwrap_or(0);
        Ok(Opened { media_type, size, keep, stream: holding(turn, stream) })
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

fn shown(photo: &Photo) -> Outcome<()> {
    match photo.status {
        PhotoStatus::Stored => Ok(()),
        PhotoStatus::EnteredInError => Err(Refused::new(410, "PHOTO_WITHDRAWN", "this photo was entered in error")),
        PhotoStatus::AwaitingUpload | PhotoStatus::Abandoned => {
            Err(Refused::new(404, "NOT_FOUND", "this photo has no bytes"))
        }
    }
}
