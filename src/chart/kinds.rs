//! The kinds of record that a chart is made of: one row each. A new kind of record gets its row here, and nowhere else in
//! this folder.

use crate::access::Scope;
use crate::adverse_event::AdverseEvent;
use crate::aftercare::AftercareNote;
use crate::call_back::CallBack;
use crate::clearance::Clearance;
use crate::consent::Consent;
use crate::consultation::Consultation;
use crate::error::{Error, Result};
use crate::health::HealthEntry;
use crate::health_review::HealthReview;
use crate::outcome::OutcomeAssessment;
use crate::page::listing;
use crate::photo::Photo;
use crate::plan::TreatmentPlan;
use crate::session::TreatmentSession;
use crate::signing::Addendum;
use crate::vocabulary::RecordKind;
use async_graphql::Union;
use uuid::Uuid;

/// A kind of record on the timeline.
pub struct Kind {
    /// The kind; its word is its table.
    pub kind: RecordKind,
    /// The column of the moment it tells of.
    pub at: &'static str,
    /// Whether a row is signed.
    pub signed: &'static str,
    /// Whether a row was made in error.
    pub in_error: &'static str,
    /// Words from the row's own vocabularies that distinguish it; no free text.
    pub summary: &'static str,
}

/// The kinds on the timeline, in the order of the union, and those that are not: a kind that is in neither list does not
/// compile.
macro_rules! timeline {
    (
        on { $($(#[$meta:meta])* $kind:ident, $at:literal, $signed:expr, $in_error:expr, $summary:literal;)+ }
        not_on { $($other:ident),+ $(,)? }
    ) => {
        /// A record of the timeline.
        #[derive(Clone, Union)]
        pub enum TimelineRecord { $($(#[$meta])* $kind($kind),)+ }

        /// Every kind of the timeline.
        pub const KINDS: &[Kind] = &[$(Kind {
            kind: RecordKind::$kind,
            at: $at,
            signed: $signed,
            in_error: $in_error,
            summary: $summary,
        },)+];

        /// Records of one kind for a timeline, in one statement (a session's parts apart).
        pub async fn records(
            scope: &mut Scope,
            kind: RecordKind,
            wanted: &[Uuid],
        ) -> Result<Vec<(Uuid, TimelineRecord)>> {
            Ok(match kind {
                $(RecordKind::$kind => {
                    let found = listing::by_ids::<$kind>(scope, wanted).await?;
                    found.into_iter().map(|record| (record.id, TimelineRecord::$kind(record))).collect()
                })+
                $(RecordKind::$other)|+ => {
                    return Err(Error::Internal(format!("{} on a timeline", kind.one())));
                }
            })
        }
    };
}

const SIGNED: &str = "signed_at IS NOT NULL";
const NEVER: &str = "false";
const IN_ERROR: &str = "entered_in_error";
const STATUS_IN_ERROR: &str = "status = 'entered_in_error'";

timeline! {
    on {
        /// An entry of the health history.
        HealthEntry, "created_at", NEVER, IN_ERROR, "concat_ws(', ', kind, severity)";
        /// A review of the health history.
        HealthReview, "reviewed_at", NEVER, IN_ERROR, "concat_ws(', ', 'allergies ' || allergies, 'medicines ' || medicines, \
            'conditions ' || conditions, 'pregnancy ' || pregnancy)";
        /// A consultation.
        Consultation, "held_at", SIGNED, NEVER, "concat_ws(', ', mode, candidacy)";
        /// A treatment session.
        TreatmentSession, "started_at", SIGNED, STATUS_IN_ERROR, "concat_ws(', ', modality, status)";
        /// An aftercare note.
        AftercareNote, "noted_at", SIGNED, NEVER, "concat_ws(', ', kind, CASE WHEN escalate THEN 'escalated' END)";
        /// An addendum.
        Addendum, "added_at", NEVER, NEVER, "concat_ws(' ', 'to', record_kind)";
        /// A treatment plan.
        TreatmentPlan, "created_at", NEVER, STATUS_IN_ERROR, "concat_ws(', ', planned_sessions || ' sessions', status)";
        /// A consent.
        Consent, "created_at", NEVER, STATUS_IN_ERROR, "concat_ws(', ', kind, status)";
        /// A photo.
        Photo, "taken_at", NEVER, "status <> 'stored'", "concat_ws(', ', phase, view, area)";
        /// An outcome assessment.
        OutcomeAssessment, "assessed_at", NEVER, IN_ERROR, "concat_ws(', ', scale, rater_role)";
        /// A clearance.
        Clearance, "given_at", NEVER, IN_ERROR, "concat_ws(', ', array_to_string(modalities, ', '), CASE WHEN revoked_at IS NOT NULL THEN 'revoked' END)";
        /// An adverse event.
        AdverseEvent, "onset_at", NEVER, IN_ERROR, "concat_ws(', ', kind, severity, outcome)";
        /// A recall.
        CallBack, "created_at", NEVER, NEVER, "concat_ws(', ', reason, status)";
    }
    not_on {
        Organisation, Location, Staff, Credential, Patient, HealthTerm, Countersignature, Retraction,
        SupervisionAgreement, ChartReview, Device, Product, ProductLot, Protocol, ProtocolVersion, ConsentTemplate,
        ConsentTemplateVersion, PatientMerge, LegalHold, PatientErasure, PatientRestriction, EmergencyAccess,
        ServiceAccount, ApiKey, Webhook,
    }
}
