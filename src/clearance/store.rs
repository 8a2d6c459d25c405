//! The SQL of clearances.

use super::{Clearance, ClearanceCondition, ClearanceOrder};
use crate::page::{listing, stored};
use crate::record::Stamp;

stored! {
    Clearance = clearance;
    always: patient_id, prescriber_id, in_person, given_at, entered_in_error;
    asked: valid_until, note, revoked_at, revoked_by, revoke_reason;
    words: modalities, areas;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
}
listing!(Clearance, ClearanceCondition, ClearanceOrder, {
    "patient_id" => |it| Some(it.patient_id),
});
