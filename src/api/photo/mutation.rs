//! Requesting an upload, changing the description of a photo, marking one as entered in error.

use crate::access::Scope;
use crate::aftercare::store as notes;
use crate::error::{self, Code, Error, Faults};
use crate::ids;
use crate::objects::{Pass, Use};
use crate::operation::{Inputs, Running, patched, transaction};
use crate::page::{kept, listing};
use crate::patient::store as patients;
use crate::photo::{MOST_BYTES, Photo, PhotoPhase, PhotoPurpose, PhotoStatus, PhotoView, UPLOAD_MINUTES, store};
use crate::record::Stamp;
use crate::scalars::DateTime;
use crate::session::store as sessions;
use crate::vocabulary::{Action, BodyArea, RecordKind, Side};
use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use chrono::{SubsecRound, TimeDelta};
use uuid::Uuid;

/// Describes a photo to be uploaded and requests an address for its bytes.
#[derive(InputObject)]
pub struct RequestPhotoUploadInput {
    /// An id made by the client, which makes a retry safe: `photo_` and a UUIDv7 in 26 characters (see `Node.id`). Absent:
    /// the service makes one.
    id: Option<ID>,
    /// `patient_…`
    patient_id: ID,
    /// The patient's session that it belongs to, `session_…`.
    session_id: Option<ID>,
    /// The patient's aftercare note that it belongs to, `note_…`.
    aftercare_note_id: Option<ID>,
    /// The patient's adverse event that it shows, `adverse_event_…`.
    adverse_event_id: Option<ID>,
    /// When it was taken; now when absent.
    taken_at: Option<DateTime>,
    /// Its place in the course of treatment.
    phase: PhotoPhase,
    /// The view it was taken from.
    view: PhotoView,
    /// The area of the body.
    area: BodyArea,
    /// The side of the body, the patient's.
    side: Side,
    /// The light, at most 200 characters.
    lighting: Option<String>,
    /// Distance of the camera, cm, 1 to 500.
    distance_cm: Option<i32>,
    /// Whether the skin is free of make-up.
    make_up_free: Option<bool>,
    /// Remarks, at most 2,000 characters.
    note: Option<String>,
}

/// Changes to the description of a photo. An absent field stays as it is; null clears it.
#[derive(InputObject)]
pub struct PhotoPatch {
    /// The patient's session that it belongs to, `session_…`.
    session_id: MaybeUndefined<ID>,
    /// The patient's aftercare note that it belongs to, `note_…`.
    aftercare_note_id: MaybeUndefined<ID>,
    /// The patient's adverse event that it shows, `adverse_event_…`.
    adverse_event_id: MaybeUndefined<ID>,
    /// When it was taken.
    taken_at: Option<DateTime>,
    /// Its place in the course of treatment.
    phase: Option<PhotoPhase>,
    /// The view it was taken from.
    view: Option<PhotoView>,
    /// The area of the body.
    area: Option<BodyArea>,
    /// The side of the body, the patient's.
    side: Option<Side>,
    /// The light, at most 200 characters.
    lighting: MaybeUndefined<String>,
    /// Distance of the camera, cm, 1 to 500.
    distance_cm: MaybeUndefined<i32>,
    /// Whether the skin is free of make-up.
    make_up_free: MaybeUndefined<bool>,
    /// Remarks, at most 2,000 characters.
    note: MaybeUndefined<String>,
}

/// Changes the description of a photo. Its bytes never change.
#[derive(InputObject)]
pub struct UpdatePhotoInput {
    /// `photo_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// The fields to change.
    patch: PhotoPatch,
}

/// Marks a stored photo as entered in error. It is no longer shown; its record and bytes stay as evidence.
#[derive(InputObject)]
pub struct MarkPhotoEnteredInErrorInput {
    /// `photo_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// The reason, at most 2,000 characters.
    reason: String,
}

/// Result of `requestPhotoUpload`: where to send the bytes.
#[derive(SimpleObject)]
pub struct RequestPhotoUploadPayload {
    /// The photo, still without bytes.
    photo: Photo,
    /// Send the bytes here with PUT and without a token. It is a path of this service, unless the service knows its
    /// public address.
    upload_url: String,
    /// When the address expires, 15 minutes after the request.
    expires_at: DateTime,
    /// The maximum size accepted, in bytes.
    max_bytes: i32,
}

/// What mutations of a photo return.
#[derive(SimpleObject)]
pub struct PhotoPayload {
    /// The photo after the change.
    photo: Photo,
}

const LONGEST_LIGHTING: usize = 200;
const LONGEST_NOTE: usize = 2000;

impl RequestPhotoUploadInput {
    fn read(self) -> error::Result<Photo> {
        let mut inputs = Inputs::new();
        let now = ids::now();
        let photo = Photo {
            id: inputs.new_id(RecordKind::Photo, self.id.as_ref()),
            patient_id: inputs.id("patientId", RecordKind::Patient, &self.patient_id),
            session_id: inputs.opt_id("sessionId", RecordKind::TreatmentSession, self.session_id.as_ref()),
            aftercare_note_id: inputs.opt_id(
                "aftercareNoteId",
                RecordKind::AftercareNote,
                self.aftercare_note_id.as_ref(),
            ),
            adverse_event_id: inputs.opt_id("adverseEventId", RecordKind::AdverseEvent, self.adverse_event_id.as_ref()),
            status: PhotoStatus::AwaitingUpload,
            status_reason: None,
            taken_at: self.taken_at.map_or(now, |time| inputs.past_time("takenAt", time.0)),
            phase: self.phase,
            view: self.view,
            area: self.area,
            side: self.side,
            lighting: inputs.opt_text("lighting", self.lighting.as_deref(), LONGEST_LIGHTING),
            distance_cm: inputs.small("distanceCm", self.distance_cm, 1, 500),
            make_up_free: self.make_up_free,
            note: inputs.opt_text("note", self.note.as_deref(), LONGEST_NOTE),
            // In whole seconds, like the time in the address.
            upload_expires_at: Some((now + TimeDelta::minutes(UPLOAD_MINUTES)).trunc_subsecs(0)),
            stored_at: None,
            content_hash: None,
            media_type: None,
            byte_size: None,
            width: None,
            height: None,
            stamp: Stamp::new(None, now),
        };
        inputs.finish()?;
        Ok(photo)
    }
}

impl PhotoPatch {
    fn apply(self, before: &Photo) -> error::Result<Photo> {
        let mut inputs = Inputs::new();
        let mut link = |path: &str, kind: RecordKind, patch: MaybeUndefined<ID>, before: Option<Uuid>| {
            patched(inputs.patch(path, patch, |inputs, path, id| Some(inputs.id(path, kind, &id))), before)
        };
        let session_id = link("patch.sessionId", RecordKind::TreatmentSession, self.session_id, before.session_id);
        let aftercare_note_id =
            link("patch.aftercareNoteId", RecordKind::AftercareNote, self.aftercare_note_id, before.aftercare_note_id);
        let adverse_event_id =
            link("patch.adverseEventId", RecordKind::AdverseEvent, self.adverse_event_id, before.adverse_event_id);
        let distance = inputs.patch("patch.distanceCm", self.distance_cm, |inputs, path, distance| {
            inputs.small(path, Some(distance), 1, 500)
        });
        let lighting = inputs.patch_text("patch.lighting", self.lighting, LONGEST_LIGHTING);
        let note = inputs.patch_text("patch.note", self.note, LONGEST_NOTE);
        let taken_at = self.taken_at.map(|time| inputs.past_time("patch.takenAt", time.0));
        inputs.finish()?;
        Ok(Photo {
            session_id,
            aftercare_note_id,
            adverse_event_id,
            taken_at: taken_at.unwrap_or(before.taken_at),
            phase: self.phase.unwrap_or(before.phase),
            view: self.view.unwrap_or(before.view),
            area: self.area.unwrap_or(before.area),
            side: self.side.unwrap_or(before.side),
            lighting: patched(lighting, before.lighting.clone()),
            distance_cm: patched(distance, before.distance_cm),
            make_up_free: patched(self.make_up_free, before.make_up_free),
            note: patched(note, before.note.clone()),
            ..before.clone()
        })
    }
}

/// Checks that the records a photo names exist and belong to its patient.
async fn check_links(scope: &mut Scope, photo: &Photo, prefix: &str) -> error::Result<()> {
    let mut faults = Faults::default();
    let mut note = |field: &str, what: &str, whose: Option<Uuid>| match whose {
        None => {
            faults.add(format!("{prefix}{field}"), Code::NotFound.says(format!("is not {what} of this organisation")))
        }
        Some(whose) if whose != photo.patient_id => {
            faults.add(format!("{prefix}{field}"), Code::Mismatch.says(format!("is {what} of another patient")));
        }
        Some(_) => {}
    };
    if let Some(session) = photo.session_id {
        let found = sessions::sessions(scope, &[session]).await?;
        note("sessionId", "a session", found.first().map(|session| session.patient_id));
    }
    if let Some(aftercare) = photo.aftercare_note_id {
        let found = notes::notes(scope, &[aftercare]).await?;
        note("aftercareNoteId", "an aftercare note", found.first().map(|note| note.patient_id));
    }
    if let Some(event) = photo.adverse_event_id {
        note("adverseEventId", "an adverse event", store::patient_of_adverse_event(scope, event).await?);
    }
    faults.into_result()
}

async fn request(scope: &mut Scope, mut photo: Photo) -> error::Result<Photo> {
    scope.viewer().check(Action::Create, RecordKind::Photo)?;
    photo.stamp = Stamp::new(Some(scope.viewer().author()?), ids::now());
    let patient = patients::active_patient(scope, photo.patient_id, "input.patientId").await?;
    patient.lived_on(photo.taken_at.date_naive(), "input.takenAt")?;
    if !store::agrees(scope, photo.patient_id, PhotoPurpose::ClinicalRecord).await? {
        let message =
            "has no consent to clinical photos in force: record one first (recordConsent, kind CLINICAL_PHOTO)";
        return Err(Error::input("input.patientId", Code::NotAllowed.says(message)));
    }
    check_links(scope, &photo, "input.").await?;
    kept::add(scope, &photo).await?;
    Ok(photo)
}

/// The photo to be edited, if it can be.
async fn open(scope: &mut Scope, id: Uuid, expected: i32) -> error::Result<Photo> {
    scope.viewer().check(Action::Update, RecordKind::Photo)?;
    let photo: Photo = listing::one(scope, id).await?;
    let refused = |why: &str| Err(Error::Conflict { message: why.to_owned(), current_version: None });
    match photo.status {
        PhotoStatus::EnteredInError => refused("this photo was entered in error: it takes no change any more"),
        PhotoStatus::Abandoned => {
            refused("this photo's upload was given up: ask for a new one with requestPhotoUpload")
        }
        PhotoStatus::AwaitingUpload | PhotoStatus::Stored => {
            error::at_version("photo", photo.stamp.version, expected)?;
            Ok(photo)
        }
    }
}

async fn change(scope: &mut Scope, id: Uuid, expected: i32, patch: PhotoPatch) -> error::Result<Photo> {
    let before = open(scope, id, expected).await?;
    let mut after = patch.apply(&before)?;
    if after.taken_at != before.taken_at {
        let patient = patients::patient(scope, after.patient_id).await?;
        patient.lived_on(after.taken_at.date_naive(), "input.patch.takenAt")?;
    }
    check_links(scope, &after, "input.patch.").await?;
    after.stamp = before.stamp.changed(scope.viewer().staff, ids::now());
    kept::save(scope, Action::Update, &after, expected).await?;
    Ok(after)
}

async fn take_back(scope: &mut Scope, id: Uuid, expected: i32, reason: String) -> error::Result<Photo> {
    let mut photo = open(scope, id, expected).await?;
    if photo.status == PhotoStatus::AwaitingUpload {
        return Err(Error::input(
            "input.id",
            Code::WrongState.says("has no bytes yet: leave its upload address unused, and it is given up"),
        ));
    }
    photo.status = PhotoStatus::EnteredInError;
    photo.status_reason = Some(reason);
    photo.stamp = photo.stamp.changed(scope.viewer().staff, ids::now());
    kept::save(scope, Action::Update, &photo, expected).await?;
    Ok(photo)
}

/// The mutations of this module.
#[derive(Default)]
pub struct PhotoMutation;

#[Object]
impl PhotoMutation {
    /// Adds a photo that awaits its bytes, and returns the address to send them to: JPEG, PNG, WebP or HEIC, recognised by
    /// content, at most 25 MiB. A HEIC is kept as a JPEG. docs/photos.md describes the answers of that address.
    async fn request_photo_upload(
        &self,
        ctx: &Context<'_>,
        input: RequestPhotoUploadInput,
    ) -> Result<RequestPhotoUploadPayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let photo = input.read()?;
        let viewer = std::sync::OnceLock::new();
        let work = transaction(|scope| {
            let _ = viewer.set(scope.viewer());
            Box::pin(request(scope, photo))
        });
        let photo = operation.mutate(retry, work).await?;
        let viewer = match viewer.into_inner() {
            Some(viewer) => viewer,
            // A retry: the result of the first try stands.
            None => operation.reader().await?.viewer(),
        };
        let pass = Pass {
            purpose: Use::Upload,
            holder: operation.holder(&viewer)?,
            record: photo.id,
            until: photo.upload_expires_at.unwrap_or(photo.stamp.created_at),
        };
        Ok(RequestPhotoUploadPayload {
            upload_url: operation.service().links.address(&pass),
            expires_at: DateTime(pass.until),
            max_bytes: i32::try_from(MOST_BYTES).unwrap_or(i32::MAX),
            photo,
        })
    }

    /// Changes the description of a photo.
    async fn update_photo(&self, ctx: &Context<'_>, input: UpdatePhotoInput) -> Result<PhotoPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::Photo, &input.id);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(change(scope, id, input.expected_version, input.patch)));
        Ok(PhotoPayload { photo: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }

    /// Marks a photo as entered in error, such as one of another patient. Links to it end at once.
    async fn mark_photo_entered_in_error(
        &self,
        ctx: &Context<'_>,
        input: MarkPhotoEnteredInErrorInput,
    ) -> Result<PhotoPayload> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::Photo, &input.id);
        let reason = inputs.text("reason", &input.reason, LONGEST_NOTE);
        inputs.finish()?;
        let operation = ctx.operation()?;
        let work = transaction(move |scope| Box::pin(take_back(scope, id, input.expected_version, reason)));
        Ok(PhotoPayload { photo: operation.mutate(operation.retry(ctx, None)?, work).await? })
    }
}
