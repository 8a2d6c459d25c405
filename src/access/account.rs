//! Accounts: who can sign in, in whichever organisation. They belong to no tenant.

use crate::db::{Pool, Sql, tables};
use crate::error::{Error, Result};
use crate::ids;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

/// An account.
#[derive(Debug, Clone, Queryable)]
pub struct Account {
    /// Its id.
    pub id: Uuid,
    /// argon2id, in the PHC string form.
    pub password_hash: String,
    /// Set: it signs in nowhere.
    pub disabled_at: Option<DateTime<Utc>>,
}

/// The account with an e-mail (lower case).
pub(crate) async fn find(connection: &mut AsyncPgConnection, email: &str) -> Result<Option<Account>> {
    use tables::account;
    Ok(account::table
        .select((account::id, account::password_hash, account::disabled_at))
        .filter(account::email.eq(email))
        .first(connection)
        .await
        .optional()?)
}

/// The organisations an account has a place in, with its staff id there.
pub(super) async fn places(connection: &mut AsyncPgConnection, account: Uuid) -> Result<Vec<(Uuid, Uuid)>> {
    use tables::account_membership as membership;
    Ok(membership::table
        .select((membership::org_id, membership::staff_id))
        .filter(membership::account_id.eq(account))
        .order(membership::org_id)
        .load(connection)
        .await?)
}

/// Every organisation that somebody has a place in.
pub async fn organisations(pool: &Pool) -> Result<Vec<Uuid>> {
    let mut connection = pool.accounts().await?;
    let connection = &mut *connection;
    use tables::account_membership as membership;
    Ok(membership::table.select(membership::org_id).distinct().load(connection).await?)
}

/// Makes an account, or finds the one with this e-mail. A found one keeps its password: it is its owner's.
pub async fn find_or_create(connection: &mut AsyncPgConnection, email: &str, password_hash: &str) -> Result<Uuid> {
    use tables::account;
    let now = ids::now();
    diesel::insert_into(account::table)
        .values((
            account::id.eq(ids::new_id()),
            account::email.eq(email),
            account::password_hash.eq(password_hash),
            account::created_at.eq(now),
            account::password_changed_at.eq(now),
        ))
        .on_conflict(account::email)
        .do_nothing()
        .execute(connection)
        .await?;
    let account = find(connection, email).await?;
    account.map(|account| account.id).ok_or_else(|| Error::Internal("an account that was just made is gone".to_owned()))
}

/// Gives an account its place in an organisation.
pub async fn join(connection: &mut AsyncPgConnection, account: Uuid, org: Uuid, staff: Uuid) -> Result<()> {
    use tables::account_membership as membership;
    diesel::insert_into(membership::table)
        .values((membership::account_id.eq(account), membership::org_id.eq(org), membership::staff_id.eq(staff)))
        .execute(connection)
        .await?;
    Ok(())
}

/// How many organisations an account has a place in.
pub async fn place_count(connection: &mut AsyncPgConnection, account: Uuid) -> Result<usize> {
    Ok(places(connection, account).await?.len())
}

/// Sets a password and ends every sign-in of the account.
pub async fn set_password(connection: &mut AsyncPgConnection, account: Uuid, password_hash: &str) -> Result<()> {
    use tables::account as accounts;
    let now = ids::now();
    diesel::update(accounts::table.find(account))
        .set((accounts::password_hash.eq(password_hash), accounts::password_changed_at.eq(now)))
        .execute(connection)
        .await?;
    Sql::<()>::new("UPDATE sign_in SET ended_at = ")
        .bind(now)
        .text(" WHERE ended_at IS NULL AND account_id = ")
        .bind(account)
        .execute(connection)
        .await?;
    Ok(())
}
