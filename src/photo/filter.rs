//! What lists of photos can be filtered and sorted by.

use super::{Photo, PhotoPhase, PhotoStatus, PhotoView};
use crate::db::Sql;
use crate::page::{self, Key};
use crate::vocabulary::{BodyArea, Side};

page::list_filter! {
    /// Filter for a list of photos.
    PhotoFilter => PhotoCondition {
        /// Of this patient.
        patient_id: id(Patient) "patient_id",
        /// Of this session.
        session_id: id(TreatmentSession) "session_id",
        /// Of these statuses; absent, STORED and AWAITING_UPLOAD.
        status: any_of(PhotoStatus) "status",
        /// True also shows those that were entered in error. Absent or false: they are left out, unless `status` names
        /// ENTERED_IN_ERROR.
        include_entered_in_error: other(bool) "status",
        /// Of these phases.
        phase: any_of(PhotoPhase) "phase",
        /// From these views.
        view: any_of(PhotoView) "view",
        /// Of these areas.
        area: any_of(BodyArea) "area",
        /// Of these sides.
        side: any_of(Side) "side",
        /// Taken at or after this moment.
        taken_since: from "taken_at",
        /// Taken before this moment.
        taken_before: before "taken_at",
        /// Added or changed at or after this moment.
        updated_since: from "updated_at",
    }
    record: "session_id";
    also: push_shown;
}

/// What a list shows that says no status.
const SHOWN: &[PhotoStatus] = &[PhotoStatus::Stored, PhotoStatus::AwaitingUpload];

fn push_shown<R>(filter: &PhotoFilter, sql: &mut Sql<R>) {
    let errors = (filter.include_entered_in_error == Some(true)).then_some(&PhotoStatus::EnteredInError);
    let shown = SHOWN.iter().chain(errors).map(|word| word.as_str());
    sql.push_any_of("status", shown, filter.status.is_none());
}

page::list_order! {
    /// The order of a list of photos.
    PhotoOrder /
    /// What lists of photos can be sorted by.
    PhotoOrderField of Photo, id "photo.id", first Desc {
        /// When they were taken.
        TakenAt "takenAt" "photo.taken_at" as Key::Time(0) => |it| Key::time(it.taken_at),
        /// When they were added.
        CreatedAt "createdAt" "photo.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "photo.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}
