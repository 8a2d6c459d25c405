//! Outcome assessments: what came of a treatment, scored on a scale.

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
    /// Who scores an outcome.
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
    /// Whose.
    pub patient_id: Uuid,
    /// Of which plan.
    pub plan_id: Option<Uuid>,
    /// After which session.
    pub session_id: Option<Uuid>,
    /// Code of the scale.
    pub scale: String,
    /// Version of the scale.
    pub scale_version: String,
    /// Where.
    pub area: Option<BodyArea>,
    /// The score.
    pub score: Decimal,
    /// Who scored.
    pub rater_role: RaterRole,
    /// The staff member who scored; none for the patient.
    pub rater_id: Option<Uuid>,
    /// When.
    pub assessed_at: DateTime<Utc>,
    /// The earlier photo that it was compared with.
    pub compared_with_photo_id: Option<Uuid>,
    /// The photo that was scored.
    pub photo_id: Option<Uuid>,
    /// Remarks.
    pub note: Option<String>,
    /// It never was: kept, and out of every series.
    pub entered_in_error: bool,
    /// Version and times.
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
