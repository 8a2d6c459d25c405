//! Outcome assessments: the result of a treatment, scored on a scale.

mod filter;
mod scale;
mod series;
pub mod store;

pub use filter::{OutcomeCondition, OutcomeFilter, OutcomeOrder};
pub use scale::{Better, OutcomeScale, ScaleLabel, scale, scales};
#[allow(unused_imports)] // care rules stand on them
pub use series::{BestPair, OutcomeSeries, Point, SeriesChoice, series_of};

use crate::ledger::Record;
use crate::record::Stamp;
use crate::vocabulary::{BodyArea, RecordKind, vocabulary};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

vocabulary! {
    /// The role of a rater.
    #[graphql(name = "OutcomeRaterRole")]
    RaterRole {
        /// A practitioner who knows the treatment.
        Practitioner = "practitioner",
        /// The patient.
        Patient = "patient",
        /// Somebody who does not know which picture came first.
        Blinded = "blinded",
    }
}

/// An outcome assessment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeAssessment {
    /// Its id.
    pub id: Uuid,
    /// The patient whom the record is about.
    pub patient_id: Uuid,
    /// The treatment plan it belongs to.
    pub plan_id: Option<Uuid>,
    /// The session it followed.
    pub session_id: Option<Uuid>,
    /// Code of the scale.
    pub scale: String,
    /// Version of the scale.
    pub scale_version: String,
    /// The area that was scored.
    pub area: Option<BodyArea>,
    /// The score.
    pub score: Decimal,
    /// The role of the rater.
    pub rater_role: RaterRole,
    /// The staff member who scored; none for the patient.
    pub rater_id: Option<Uuid>,
    /// When it was assessed.
    pub assessed_at: DateTime<Utc>,
    /// The earlier photo that it was compared with.
    pub compared_with_photo_id: Option<Uuid>,
    /// The photo that was scored.
    pub photo_id: Option<Uuid>,
    /// Remarks.
    pub note: Option<String>,
    /// Entered in error: it is kept, but not part of any series.
    pub entered_in_error: bool,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

impl Record for OutcomeAssessment {
    const KIND: RecordKind = RecordKind::OutcomeAssessment;
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
