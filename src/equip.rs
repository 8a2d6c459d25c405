//! What every organisation starts with: the default protocols and the default texts of consents.

use crate::access::Scope;
use crate::db::Pool;
use crate::error::{Error, Result};
use crate::{consent, protocol};
use tokio_postgres::Config;
use uuid::Uuid;

/// Gives the organisation of the scope what it lacks of the defaults.
pub async fn equip(scope: &mut Scope) -> Result<()> {
    protocol::defaults::install(scope).await?;
    consent::defaults::install_defaults(scope).await
}

/// The organisations, by the owner's eyes: row-level security shows the application role one at a time.
pub async fn organisations(owner: &Config) -> std::result::Result<Vec<Uuid>, String> {
    let client = crate::db::connect(owner).await?;
    let unreadable = |error| format!("the organisations can't be read: {error}");
    let query = "SELECT DISTINCT org_id::text FROM account_membership ORDER BY 1";
    let rows = client.query(query, &[]).await.map_err(unreadable)?;
    rows.iter()
        .map(|row| row.get::<_, String>(0).parse().map_err(|_| "an organisation's id can't be read".to_owned()))
        .collect()
}

/// Equips every organisation that was founded before there were defaults.
pub async fn equip_all(owner: &Config, pool: &Pool) -> std::result::Result<(), String> {
    for org in organisations(owner).await? {
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
