//! What lists of photos can be filtered and sorted by.

use super::{Photo, PhotoPhase, PhotoStatus, PhotoView};
use crate::db::Sql;
use crate::error::Result;
use crate::page::{self, FilterIds, Key};
use crate::scalars::DateTime;
use crate::vocabulary::{BodyArea, RecordKind, Side};
use async_graphql::{ID, InputObject};
use uuid::Uuid;

/// What to keep of a list of photos.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, InputObject)]
pub struct PhotoFilter {
    /// Of this patient.
    pub patient_id: Option<ID>,
    /// Of this session.
    pub session_id: Option<ID>,
    /// Of these statuses; absent, STORED and AWAITING_UPLOAD.
    pub status: Option<Vec<PhotoStatus>>,
    /// Of these phases.
    pub phase: Option<Vec<PhotoPhase>>,
    /// From these views.
    pub view: Option<Vec<PhotoView>>,
    /// Of these areas.
    pub area: Option<Vec<BodyArea>>,
    /// Of these sides.
    pub side: Option<Vec<Side>>,
    /// Taken at or after this moment.
    pub taken_since: Option<DateTime>,
    /// Taken before this moment.
    pub taken_before: Option<DateTime>,
    /// Added or changed at or after this moment.
    pub updated_since: Option<DateTime>,
}

/// A filter of photos with its ids read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct PhotoCondition {
    filter: PhotoFilter,
    patient: Option<Uuid>,
    session: Option<Uuid>,
}

impl PhotoFilter {
    /// Reads the ids; all faults at once.
    pub fn read(self) -> Result<PhotoCondition> {
        let mut ids = FilterIds::default();
        let patient = ids.read("patientId", RecordKind::Patient, self.patient_id.as_ref());
        let session = ids.read("sessionId", RecordKind::TreatmentSession, self.session_id.as_ref());
        ids.finish()?;
        Ok(PhotoCondition { filter: self, patient, session })
    }
}

/// What a list shows that says no status.
const SHOWN: &[PhotoStatus] = &[PhotoStatus::Stored, PhotoStatus::AwaitingUpload];

impl page::Condition for PhotoCondition {
    fn patient(&self) -> Option<Uuid> {
        self.patient
    }

    fn record(&self) -> Option<Uuid> {
        self.session
    }

    fn push_to<R>(&self, sql: &mut Sql<R>) {
        let filter = &self.filter;
        if let Some(patient) = self.patient {
            sql.push(" AND patient_id = ").push_bind(patient);
        }
        if let Some(session) = self.session {
            sql.push(" AND session_id = ").push_bind(session);
        }
        let statuses = filter.status.as_deref().unwrap_or(SHOWN);
        sql.push_any_of("status", statuses.iter().map(|word| word.as_str()), true);
        sql.push_any_of("phase", filter.phase.iter().flatten().map(|word| word.as_str()), filter.phase.is_some());
        sql.push_any_of("view", filter.view.iter().flatten().map(|word| word.as_str()), filter.view.is_some());
        sql.push_any_of("area", filter.area.iter().flatten().map(|word| word.as_str()), filter.area.is_some());
        sql.push_any_of("side", filter.side.iter().flatten().map(|word| word.as_str()), filter.side.is_some());
        if let Some(since) = filter.taken_since {
            sql.push(" AND taken_at >= ").push_bind(since.0);
        }
        if let Some(before) = filter.taken_before {
            sql.push(" AND taken_at < ").push_bind(before.0);
        }
        if let Some(since) = filter.updated_since {
            sql.push(" AND updated_at >= ").push_bind(since.0);
        }
    }
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
