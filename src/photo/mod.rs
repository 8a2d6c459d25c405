//! Photos: their record here, their bytes in the object store.

pub mod clean;
mod filter;
pub mod intake;
pub mod loader;
pub mod picture;
pub mod store;
mod turned;
pub mod upload;

pub use filter::{PhotoCondition, PhotoFilter, PhotoOrder};

use crate::ledger::Record;
use crate::objects::{Reading, Reason};
use crate::record::Stamp;
use crate::vocabulary::{BodyArea, RecordKind, Side, vocabulary};
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The most bytes of an upload.
pub const MOST_BYTES: usize = 25 * 1024 * 1024;

/// How long an upload's address may be used, minutes.
pub const UPLOAD_MINUTES: i64 = 15;

/// How long a link to the bytes may be used at least, minutes; and at most twice as long.
pub const LINK_MINUTES: i64 = 5;

vocabulary! {
    /// How far a photo has progressed.
    PhotoStatus {
        /// Its bytes are expected.
        AwaitingUpload = "awaiting_upload",
        /// Its bytes are kept.
        Stored = "stored",
        /// Its bytes never came.
        Abandoned = "abandoned",
        /// It was made in error and is shown no more.
        EnteredInError = "entered_in_error",
    }
}

vocabulary! {
    /// The place of a photo in the course of treatment.
    PhotoPhase {
        /// Before it.
        Before = "before",
        /// Straight after it.
        Immediate = "immediate",
        /// Days or weeks after it.
        FollowUp = "follow_up",
    }
}

vocabulary! {
    /// The view a photo was taken from; sides are the patient's.
    PhotoView {
        /// From the front.
        Frontal = "frontal",
        /// From the left, half turned.
        ObliqueLeft = "oblique_left",
        /// From the right, half turned.
        ObliqueRight = "oblique_right",
        /// From the left.
        LateralLeft = "lateral_left",
        /// From the right.
        LateralRight = "lateral_right",
    }
}

vocabulary! {
    /// The media type of a photo's bytes.
    MediaType {
        /// image/jpeg
        Jpeg = "image/jpeg",
        /// image/png
        Png = "image/png",
        /// image/webp
        Webp = "image/webp",
    }
}

/// The purpose a photo is shown for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, async_graphql::Enum)]
pub enum PhotoPurpose {
    /// The clinical record: needs an active CLINICAL_PHOTO consent of the patient.
    ClinicalRecord,
    /// Marketing: needs an active MARKETING_PHOTO consent of the patient.
    Marketing,
    /// A duty of the record that outlasts the consent, such as a claim or a complaint: needs a legal hold on the patient, or a
    /// reason stated with the request (header `Access-Reason`); either is in the access log.
    LegalDuty,
}

impl From<PhotoPurpose> for Reason {
    fn from(purpose: PhotoPurpose) -> Self {
        match purpose {
            PhotoPurpose::ClinicalRecord => Self::ClinicalRecord,
            PhotoPurpose::Marketing => Self::Marketing,
            PhotoPurpose::LegalDuty => Self::LegalDuty,
        }
    }
}

impl PhotoPurpose {
    /// The purpose that a link was given out for; none for an export, which is the patient's own.
    pub fn of(reason: Reason) -> Option<Self> {
        match reason {
            Reason::ClinicalRecord => Some(Self::ClinicalRecord),
            Reason::Marketing => Some(Self::Marketing),
            Reason::LegalDuty => Some(Self::LegalDuty),
            Reason::Export => None,
        }
    }
}

/// A photo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Photo {
    /// Its id.
    pub id: Uuid,
    /// The patient in the photo.
    pub patient_id: Uuid,
    /// The session it belongs to.
    pub session_id: Option<Uuid>,
    /// The aftercare note it belongs to.
    pub aftercare_note_id: Option<Uuid>,
    /// The adverse event it shows.
    pub adverse_event_id: Option<Uuid>,
    /// How far it has progressed.
    pub status: PhotoStatus,
    /// Why it was marked as entered in error.
    pub status_reason: Option<String>,
    /// When it was taken.
    pub taken_at: DateTime<Utc>,
    /// Its place in the course of treatment.
    pub phase: PhotoPhase,
    /// The view it was taken from.
    pub view: PhotoView,
    /// The area of the body.
    pub area: BodyArea,
    /// The side of the body, the patient's.
    pub side: Side,
    /// The light.
    pub lighting: Option<String>,
    /// Distance of the camera, cm.
    pub distance_cm: Option<i16>,
    /// Whether the skin is free of make-up.
    pub make_up_free: Option<bool>,
    /// Remarks.
    pub note: Option<String>,
    /// Until when its bytes may be uploaded.
    pub upload_expires_at: Option<DateTime<Utc>>,
    /// When its bytes arrived.
    pub stored_at: Option<DateTime<Utc>>,
    /// SHA-256 of the stored bytes, hexadecimal.
    pub content_hash: Option<String>,
    /// The media type of its bytes.
    pub media_type: Option<MediaType>,
    /// Its size in bytes.
    pub byte_size: Option<i32>,
    /// Its width in pixels.
    pub width: Option<i32>,
    /// Its height in pixels.
    pub height: Option<i32>,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

impl Record for Photo {
    const KIND: RecordKind = RecordKind::Photo;
    fn id(&self) -> Uuid {
        self.id
    }
    fn version(&self) -> i32 {
        self.stamp.version
    }
    fn patient_id(&self) -> Option<Uuid> {
        Some(self.patient_id)
    }
}

/// The name of a photo's bytes in the object store: ids alone, and none that a merge of patients changes.
pub fn object_name(org: Uuid, photo: Uuid, reading: Reading) -> String {
    let part = match reading {
        Reading::Original => "original",
        Reading::Thumbnail => "thumbnail",
    };
    format!("{org}/{photo}/{part}")
}

/// A photo from before a treatment and one from after it that can be compared side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhotoPair {
    /// The photo before the treatment.
    pub before: Photo,
    /// The photo after the treatment.
    pub after: Photo,
}

impl PhotoPair {
    /// Whole days between the two.
    pub fn days(&self) -> i64 {
        (self.after.taken_at - self.before.taken_at).num_days()
    }

    /// How much farther away the camera was in the later photo, cm; none if a distance is not known.
    pub fn farther_cm(&self) -> Option<i32> {
        Some(i32::from(self.after.distance_cm?) - i32::from(self.before.distance_cm?))
    }
}

/// Whether two photos were taken from about as far away: within a fifth of the greater distance. Not known counts.
fn about_as_far(one: &Photo, other: &Photo) -> bool {
    match (one.distance_cm, other.distance_cm) {
        (Some(one), Some(other)) => 5 * (i32::from(one) - i32::from(other)).abs() <= i32::from(one.max(other)),
        _ => true,
    }
}

/// Pairs what was taken of the same area and side from the same view and about as far away: each photo after a
/// treatment with the latest one from before the first of them. By area, side and view, then by time. `keep` says which
/// photos take part.
pub fn pairs(photos: &[Photo], keep: impl Fn(&Photo) -> bool) -> Vec<PhotoPair> {
    let place = |photo: &Photo| (photo.area, photo.side, photo.view);
    let mut stored: Vec<&Photo> =
        photos.iter().filter(|photo| photo.status == PhotoStatus::Stored && keep(photo)).collect();
    stored.sort_by_key(|photo| (place(photo), photo.taken_at, photo.phase, photo.id));
    let groups = stored.chunk_by(|one, other| place(one) == place(other));
    let of_group = |group: &[&Photo]| -> Vec<PhotoPair> {
        let first_after = group.iter().position(|photo| photo.phase != PhotoPhase::Before).unwrap_or(group.len());
        let (earlier, later) = group.split_at(first_after);
        let afters = later.iter().filter(|photo| photo.phase != PhotoPhase::Before);
        afters
            .filter_map(|after| {
                let before = earlier.iter().rev().find(|before| about_as_far(before, after))?;
                Some(PhotoPair { before: (*before).clone(), after: (*after).clone() })
            })
            .collect()
    };
    groups.flat_map(of_group).collect()
}

/// Until when a link that is made now may be used: the end of the next five minutes by the clock. Whoever asks again within
/// five minutes by the clock is given the same link, so that a browser finds in its cache what it has already.
pub fn link_until(now: DateTime<Utc>) -> DateTime<Utc> {
    let window = TimeDelta::minutes(LINK_MINUTES);
    now.duration_trunc(window).unwrap_or(now) + window + window
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids;
    use proptest::prelude::*;

    fn photo(phase: PhotoPhase, day: i64, distance_cm: Option<i16>) -> Photo {
        let at = DateTime::from_timestamp(1_700_000_000 + day * 86_400, 0).expect("a time");
        Photo {
            id: ids::new_id(),
            patient_id: Uuid::nil(),
            session_id: None,
            aftercare_note_id: None,
            adverse_event_id: None,
            status: PhotoStatus::Stored,
            status_reason: None,
            taken_at: at,
            phase,
            view: PhotoView::Frontal,
            area: BodyArea::Cheek,
            side: Side::Left,
            lighting: None,
            distance_cm,
            make_up_free: None,
            note: None,
            upload_expires_at: None,
            stored_at: None,
            content_hash: None,
            media_type: None,
            byte_size: None,
            width: None,
            height: None,
            stamp: Stamp::new(None, at),
        }
    }

    #[test]
    fn each_after_meets_the_latest_before_of_its_distance() {
        let near = photo(PhotoPhase::Before, 0, Some(50));
        let far = photo(PhotoPhase::Before, 1, Some(100));
        let straight = photo(PhotoPhase::Immediate, 2, Some(90));
        let late = photo(PhotoPhase::FollowUp, 30, Some(50));
        let next_course = photo(PhotoPhase::Before, 31, Some(50));
        let later = photo(PhotoPhase::FollowUp, 60, None);
        let all = [&later, &next_course, &late, &straight, &far, &near].map(Clone::clone);
        let found: Vec<(Uuid, Uuid, i64, Option<i32>)> = pairs(&all, |_| true)
            .iter()
            .map(|pair| (pair.before.id, pair.after.id, pair.days(), pair.farther_cm()))
            .collect();
        assert_eq!(
            found,
            [(far.id, straight.id, 1, Some(-10)), (near.id, late.id, 30, Some(0)), (far.id, later.id, 59, None)]
        );
    }

    #[test]
    fn another_view_side_or_area_and_what_is_not_stored_makes_no_pair() {
        let before = photo(PhotoPhase::Before, 0, None);
        let after = photo(PhotoPhase::FollowUp, 9, None);
        assert_eq!(pairs(&[before.clone(), after.clone()], |_| true).len(), 1);
        for other in [
            Photo { view: PhotoView::LateralLeft, ..after.clone() },
            Photo { side: Side::Right, ..after.clone() },
            Photo { area: BodyArea::Chin, ..after.clone() },
            Photo { status: PhotoStatus::EnteredInError, ..after.clone() },
            Photo { status: PhotoStatus::AwaitingUpload, ..after.clone() },
        ] {
            assert_eq!(pairs(&[before.clone(), other], |_| true), []);
        }
    }

    fn any_photo() -> impl Strategy<Value = Photo> {
        let phase = prop::sample::select(PhotoPhase::ALL);
        let view = prop::sample::select(&PhotoView::ALL[..2]);
        let side = prop::sample::select(&Side::ALL[..2]);
        (phase, 0_i64..40, prop::option::of(30_i16..120), view, side)
            .prop_map(|(phase, day, distance, view, side)| Photo { view, side, ..photo(phase, day, distance) })
    }

    proptest! {
        #[test]
        fn pairs_are_comparable_in_order_and_each_after_is_in_one(
            photos in proptest::collection::vec(any_photo(), 0..25)
        ) {
            let found = pairs(&photos, |_| true);
            let mut afters: Vec<Uuid> = found.iter().map(|pair| pair.after.id).collect();
            afters.sort();
            afters.dedup();
            prop_assert_eq!(afters.len(), found.len());
            for pair in &found {
                let PhotoPair { before, after } = pair;
                prop_assert!(before.phase == PhotoPhase::Before && after.phase != PhotoPhase::Before);
                prop_assert!(before.taken_at <= after.taken_at && pair.days() >= 0);
                prop_assert_eq!((before.area, before.side, before.view), (after.area, after.side, after.view));
                if let Some(difference) = pair.farther_cm() {
                    let most = f64::from(before.distance_cm.max(after.distance_cm).unwrap_or(0));
                    prop_assert!(f64::from(difference.abs()) <= most / 5.0);
                }
            }
            let mut shuffled = photos.clone();
            shuffled.reverse();
            prop_assert_eq!(pairs(&shuffled, |_| true), found);
        }
    }
}
