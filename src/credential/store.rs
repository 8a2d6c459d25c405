//! The SQL of credentials.

use super::{Credential, CredentialCondition, CredentialOrder};
use crate::access::Scope;
use crate::error::Result;
use crate::page::{listing, stored};
use crate::record::Stamp;
use crate::vocabulary::Modality;
use chrono::NaiveDate;
use uuid::Uuid;

stored! {
    Credential = credential;
    always: staff_id, prescriber, active;
    asked: profession, number, body, jurisdiction, valid_from, expires_on, note;
    words: modalities;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
}
listing!(Credential, CredentialCondition, CredentialOrder, {
    "staff_id" => |it| Some(it.staff_id),
});

/// Those of the staff whose credentials allow them to prescribe these kinds of treatment on a day.
pub async fn prescribers(
    scope: &mut Scope,
    staff: &[Uuid],
    modalities: &[Modality],
    on: NaiveDate,
) -> Result<Vec<Uuid>> {
    let held: Vec<Credential> = listing::all_under(scope, "staff_id", staff).await?;
    Ok(held.into_iter().filter(|it| it.prescribes(modalities, on)).map(|it| it.staff_id).collect())
}
