//! The SQL of consultations.

use super::Consultation;
use super::filter::Condition;
use crate::access::Scope;
use crate::error::Result;
use crate::page::{listing, stored};
use crate::record::Stamp;
use crate::signing;
use uuid::Uuid;

stored! {
    Consultation = consultation signed;
    always: patient_id, practitioner_id, location_id, held_at, mode, expectations_discussed;
    asked: goals, findings, prior_procedures, candidacy, candidacy_reasons, recommended_plan, valid_until;
    opt_json: patch_test;
    words: concerns, scar_types;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::authored, Stamp::authored_columns;
    }
    asked_parts {
        signature(signed_at, signed_by, signature_meaning, content_hash, signature_reason)
            = signing::from_columns, signing::to_columns;
    }
    light: "addenda", "retraction", "copiedFrom";
}
listing!(Consultation, Condition, super::OrderBy, {
    "patient_id" => |it| Some(it.patient_id),
});

/// One consultation, or NOT_FOUND.
pub async fn consultation(scope: &mut Scope, id: Uuid) -> Result<Consultation> {
    listing::one(scope, id).await
}
