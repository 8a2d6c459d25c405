//! The SQL of aftercare notes.

use super::AftercareNote;
use super::filter::Condition;
use crate::access::Scope;
use crate::error::Result;
use crate::page::{listing, stored};
use crate::record::Stamp;
use crate::signing;
use uuid::Uuid;

stored! {
    AftercareNote = aftercare_note signed;
    always: patient_id, session_id, author_id, kind, noted_at, escalate;
    asked: text, redness, swelling, pain, adherence;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::authored, Stamp::authored_columns;
    }
    asked_parts {
        signature(signed_at, signed_by, signature_meaning, content_hash, signature_reason)
            = signing::from_columns, signing::to_columns;
    }
    light: "session", "addenda", "retraction", "copiedFrom";
}
listing!(AftercareNote, Condition, super::OrderBy, {
    "patient_id" => |it| Some(it.patient_id),
    "session_id" => |it| Some(it.session_id),
});

/// Notes by id.
pub async fn notes(scope: &mut Scope, wanted: &[Uuid]) -> Result<Vec<AftercareNote>> {
    listing::by_ids(scope, wanted).await
}

/// One note, or NOT_FOUND.
pub async fn note(scope: &mut Scope, id: Uuid) -> Result<AftercareNote> {
    listing::one(scope, id).await
}
