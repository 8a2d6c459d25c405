//! Photos of the first patients.

use super::chart::Scribe;
use super::drawing;
use crate::consent::{ConsentKind, in_force};
use crate::error::{Error, Result};
use crate::photo::picture::Picture;
use crate::photo::{MediaType, Photo, PhotoPhase, PhotoStatus, PhotoView, UPLOAD_MINUTES};
use crate::record::Stamp;
use crate::vocabulary::{Action, BodyArea, Side};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// The first area of a plan.
pub(super) fn place_of(scribe: &Scribe<'_>, plan: usize) -> (BodyArea, Side) {
    let area = scribe.chart.plans.get(plan).and_then(|plan| plan.areas.first());
    area.map_or((BodyArea::Cheek, Side::Bilateral), |it| (it.area, it.side))
}

/// Whether there are photos of this patient.
pub(super) fn photographed(scribe: &Scribe<'_>) -> bool {
    scribe.index < scribe.world.photographed
}

/// Photos at a moment, of a session: from before the first, later ones to lay beside them.
pub(super) fn take_photos(
    scribe: &mut Scribe<'_>,
    plan: usize,
    session: Option<Uuid>,
    phase: PhotoPhase,
    by: Uuid,
    at: DateTime<Utc>,
) -> Result<()> {
    let born = scribe.chart.patient.birth_date;
    let agreed = in_force(&scribe.chart.consents, ConsentKind::ClinicalPhoto, None, at, born);
    if !photographed(scribe) || agreed.is_none() || !scribe.has_come(at + TimeDelta::minutes(5)) {
        return Ok(());
    }
    let (area, side) = place_of(scribe, plan);
    let views: &[PhotoView] = match scribe.index % 4 {
        0 => &[PhotoView::Frontal, PhotoView::ObliqueLeft],
        _ => &[PhotoView::Frontal],
    };
    let better = scribe.chart.photos.len() / views.len();
    for view in views {
        let id = scribe.new_id(at);
        let made_at = at + TimeDelta::seconds(scribe.more.between(5, 30));
        let skin = scribe.chart.patient.skin_type.as_ref().map_or(3, |skin| skin.fitzpatrick.number());
        let plain = |_| Error::Internal("a drawn photo is no picture".to_owned());
        let picture = drawing::photo(id, scribe.index, skin, *view, better).map_err(plain)?;
        let expected = Photo {
            id,
            patient_id: scribe.chart.patient.id,
            session_id: session,
            aftercare_note_id: None,
            adverse_event_id: None,
            status: PhotoStatus::AwaitingUpload,
            status_reason: None,
            taken_at: at,
            phase,
            view: *view,
            area,
            side,
            lighting: Some("Ring light, 5500 K".to_owned()),
            distance_cm: Some(i16::try_from(40 + scribe.more.between(-2, 2)).unwrap_or(40)),
            make_up_free: Some(true),
            note: None,
            upload_expires_at: Some(made_at + TimeDelta::minutes(UPLOAD_MINUTES)),
            stored_at: None,
            content_hash: None,
            media_type: None,
            byte_size: None,
            width: None,
            height: None,
            stamp: Stamp::new(Some(by), made_at),
        };
        scribe.note(Action::Create, &expected, by, made_at)?;
        let stored_at = made_at + TimeDelta::seconds(scribe.more.between(3, 40));
        let stored = with_bytes(expected, &picture, by, stored_at);
        scribe.note(Action::Update, &stored, by, stored_at)?;
        scribe.chart.photos.push((stored, picture));
    }
    Ok(())
}

/// The photo once its bytes have come.
fn with_bytes(expected: Photo, picture: &Picture, by: Uuid, stored_at: DateTime<Utc>) -> Photo {
    let number = |number: u32| i32::try_from(number).ok();
    Photo {
        status: PhotoStatus::Stored,
        stored_at: Some(stored_at),
        content_hash: Some(picture.hash.clone()),
        media_type: Some(MediaType::Jpeg),
        byte_size: i32::try_from(picture.bytes.len()).ok(),
        width: number(picture.width),
        height: number(picture.height),
        stamp: expected.stamp.changed(Some(by), stored_at),
        ..expected
    }
}
