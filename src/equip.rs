//! What every organisation starts with: the default protocols and the default texts of consents.

pub mod update;

use crate::access::{Scope, account};
use crate::db::Pool;
use crate::error::{Error, Result};
use crate::{consent, protocol};

/// Gives the organisation of the scope what it lacks of the defaults.
pub async fn equip(scope: &mut Scope) -> Result<()> {
    protocol::defaults::install(scope).await?;
    consent::defaults::install_defaults(scope).await
}

/// Equips every organisation that was founded before there were defaults.
pub async fn equip_all(pool: &Pool) -> std::result::Result<(), String> {
    for org in account::organisations(pool).await.map_err(|error| error.operator_message())? {
        let mut scope = Scope::program(pool, org).await.map_err(|error| error.operator_message())?;
        let done = match equip(&mut scope).await {
            Ok(()) => scope.commit().await.map(drop),
            Err(error) => {
                scope.rollback().await;
                Err(error)
            }
        };
        match done {
            // Another process of the service was first.
            Ok(()) | Err(Error::Conflict { .. }) => {}
            Err(error) => return Err(error.operator_message()),
        }
    }
    Ok(())
}
