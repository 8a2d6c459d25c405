//! What uploads that never came, or were cut, leave behind.

use crate::access::Scope;
use crate::ids;
use crate::objects::Reading;
use crate::operation::Service;
use crate::page::kept;
use crate::photo::{PhotoStatus, object_name, store};
use crate::vocabulary::Action;
use chrono::TimeDelta;

/// How long after its address has run out an upload that began in time may still end.
const GRACE: TimeDelta = TimeDelta::minutes(5);
/// How old bytes that nobody kept must be to be an upload that was cut.
const CUT: TimeDelta = TimeDelta::hours(1);

/// Gives up uploads that never came, and takes away what cut ones left. How many of each.
pub async fn sweep(service: &Service) -> crate::error::Result<(usize, usize)> {
    let pool = service.doorkeeper.pool();
    let organisations = crate::access::account::organisations(pool).await?;
    let mut given_up = 0;
    for org in organisations {
        loop {
            let mut scope = Scope::program(pool, org).await?;
            let Some(mut photo) = store::overdue(&mut scope, ids::now() - GRACE).await? else {
                scope.rollback().await;
                break;
            };
            // While the row is held: what an upload left that was cut between the store and the commit.
            for reading in [Reading::Original, Reading::Thumbnail] {
                service.objects.remove(&object_name(org, photo.id, reading)).await?;
            }
            photo.status = PhotoStatus::Abandoned;
            photo.stamp = photo.stamp.changed(None, ids::now());
            kept::save(&mut scope, Action::Update, &photo, photo.stamp.version - 1).await?;
            scope.commit().await?;
            given_up += 1;
        }
    }
    Ok((given_up, service.objects.sweep(CUT).await?))
}
