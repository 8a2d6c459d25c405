//! The files of erased patients: taken out of the object store once the erasure is committed, and noted when all are gone.

use super::{ErasureCondition, ErasureOrder, PatientErasure};
use crate::access::{Scope, account};
use crate::error::Result;
use crate::ids;
use crate::objects::Reading;
use crate::operation::Service;
use crate::page::{kept, listing};
use crate::photo::object_name;
use crate::vocabulary::Action;
use uuid::Uuid;

/// Takes away every file of an erased patient. A file that is gone already is no fault, so this can be done again.
pub async fn take_away(service: &Service, org: Uuid, mut erasure: PatientErasure) -> Result<PatientErasure> {
    if erasure.objects_deleted_at.is_some() {
        return Ok(erasure);
    }
    for object in &erasure.objects {
        for reading in [Reading::Original, Reading::Thumbnail] {
            service.objects.remove(&object_name(org, object.photo_id, reading)).await?;
        }
    }
    let mut scope = Scope::program(service.doorkeeper.pool(), org).await?;
    let expected = erasure.stamp.version;
    erasure.objects_deleted_at = Some(ids::now());
    erasure.stamp = erasure.stamp.changed(None, ids::now());
    if let Err(error) = kept::save(&mut scope, Action::Update, &erasure, expected).await {
        scope.rollback().await;
        return Err(error);
    }
    scope.commit().await?;
    Ok(erasure)
}

/// Goes on with every erasure whose files were not all taken away. How many were finished.
pub async fn sweep(service: &Service) -> Result<usize> {
    let mut finished = 0;
    for org in account::organisations(service.doorkeeper.pool()).await? {
        let mut scope = Scope::program(service.doorkeeper.pool(), org).await?;
        let left =
            listing::all::<PatientErasure>(&mut scope, &ErasureCondition::default(), ErasureOrder::default()).await;
        scope.rollback().await;
        for erasure in left?.into_iter().filter(|it| it.objects_deleted_at.is_none()) {
            take_away(service, org, erasure).await?;
            finished += 1;
        }
    }
    Ok(finished)
}
