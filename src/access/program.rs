//! What the service does in the name of a service account, without a key of it: reading for a webhook.

use super::scope::Scope;
use super::sight::{self, Sight};
use super::viewer::Viewer;
use crate::db::{Pool, Sql};
use crate::error::Result;
use crate::vocabulary::ServiceScope;
use diesel::sql_types as st;
use uuid::Uuid;

type Row = (bool, Vec<Option<String>>, String, String);
type RowSql = (st::Bool, st::Array<st::Nullable<st::Text>>, st::Text, st::Text);

/// Opens a reading scope for a service account: with the rights that a key of it has, and as without a stated reason.
/// `None` if the account is closed.
pub async fn open(pool: &Pool, (org, account): (Uuid, Uuid), request_id: &str) -> Result<Option<Scope>> {
    let mut whose = Sql::<RowSql>::new("SELECT a.active, a.scopes, ");
    sight::push_opened(&mut whose, org, false, "''");
    whose
        .push(", set_config('app.only_patients', '', true) FROM service_account a WHERE a.org_id = ")
        .push_bind(org)
        .push(" AND a.id = ")
        .push_bind(account);
    let (transaction, rows) = pool.begin::<_, Row>(false, org, &whose).await?;
    let Some((true, scopes, opened, _)) = rows.into_iter().next() else {
        transaction.rollback().await;
        return Ok(None);
    };
    let scopes: Vec<ServiceScope> = scopes.iter().flatten().filter_map(|scope| ServiceScope::parse(scope)).collect();
    let viewer = Viewer::of_service_account(org, account, &scopes);
    let sight = Sight { all: opened == "all", emergencies: Vec::new() };
    Ok(Some(Scope::new(viewer, request_id.to_owned(), transaction, false, sight)))
}
