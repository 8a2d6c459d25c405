//! Accounts: who can sign in, in any organisation. They belong to no tenant.

use super::held;
use super::one_time::{self, Purpose, Whose};
use super::token::TokenHash;
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
    /// The e-mail its owner signs in with, in lower case.
    pub email: String,
    /// argon2id, in the PHC string form.
    pub password_hash: String,
    /// If set, the account can't sign in anywhere.
    pub disabled_at: Option<DateTime<Utc>>,
    /// The sealed secret of the authenticator app. Until it is confirmed it does not count as a second factor.
    pub totp_secret: Option<Vec<u8>>,
    /// When its owner proved that their app makes the right codes.
    pub totp_confirmed_at: Option<DateTime<Utc>>,
}

impl Account {
    /// Whether it asks for a code after the password.
    pub fn has_second_factor(&self) -> bool {
        self.totp_confirmed_at.is_some()
    }
}

const COLUMNS: (
    tables::account::id,
    tables::account::email,
    tables::account::password_hash,
    tables::account::disabled_at,
    tables::account::totp_secret,
    tables::account::totp_confirmed_at,
) = (
    tables::account::id,
    tables::account::email,
    tables::account::password_hash,
    tables::account::disabled_at,
    tables::account::totp_secret,
    tables::account::totp_confirmed_at,
);

/// The account with an e-mail (lower case).
pub(crate) async fn find(connection: &mut AsyncPgConnection, email: &str) -> Result<Option<Account>> {
    use tables::account;
    Ok(account::table.select(COLUMNS).filter(account::email.eq(email)).first(connection).await.optional()?)
}

/// The account with an id.
pub(super) async fn by_id(connection: &mut AsyncPgConnection, id: Uuid) -> Result<Account> {
    use tables::account;
    let found = account::table.find(id).select(COLUMNS).first(connection).await.optional()?;
    found.ok_or_else(|| Error::Internal("an account that is named is not there".to_owned()))
}

/// The account of a sign-in that has not ended.
pub(super) async fn of_sign_in(connection: &mut AsyncPgConnection, sign_in: Uuid) -> Result<Option<Account>> {
    use tables::{account, sign_in as sign_ins};
    Ok(account::table
        .inner_join(sign_ins::table)
        .select(COLUMNS)
        .filter(sign_ins::id.eq(sign_in))
        .filter(sign_ins::ended_at.is_null())
        .first(connection)
        .await
        .optional()?)
}

/// The organisations of which an account is a member, with its staff id there: those whose invitation it accepted,
/// whether or not it is active there now.
pub(super) async fn places(connection: &mut AsyncPgConnection, account: Uuid) -> Result<Vec<(Uuid, Uuid)>> {
    use tables::account_membership as membership;
    Ok(membership::table
        .select((membership::org_id, membership::staff_id))
        .filter(membership::account_id.eq(account))
        .order(membership::org_id)
        .load(connection)
        .await?)
}

/// Every organisation that has a member.
pub async fn organisations(pool: &Pool) -> Result<Vec<Uuid>> {
    let mut connection = pool.accounts().await?;
    let connection = &mut *connection;
    use tables::account_membership as membership;
    Ok(membership::table.select(membership::org_id).distinct().load(connection).await?)
}

/// Creates an account, or finds the one with this e-mail, and says whether it is new. An existing account keeps its
/// password, because it belongs to its owner. Either is locked until the transaction ends.
pub async fn find_or_create(
    connection: &mut AsyncPgConnection,
    email: &str,
    password_hash: &str,
) -> Result<(Uuid, bool)> {
    use tables::account;
    let now = ids::now();
    let made = diesel::insert_into(account::table)
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
    let account = account.ok_or_else(|| Error::Internal("an account that was just made is gone".to_owned()))?;
    lock(connection, account.id).await?;
    Ok((account.id, made == 1))
}

/// Gives an account its first membership, and this password with it. An account that is already a member somewhere is
/// not changed, because it belongs to its owner. The statements are the same either way.
pub async fn join_first(
    connection: &mut AsyncPgConnection,
    account: Uuid,
    (org, staff): (Uuid, Uuid),
    password_hash: &str,
) -> Result<()> {
    const NOWHERE: &str = " AND NOT EXISTS (SELECT FROM account_membership m WHERE m.account_id = a.id)";
    Sql::<()>::new("UPDATE account a SET password_hash = ")
        .bind(password_hash.to_owned())
        .text(", password_changed_at = ")
        .bind(ids::now())
        .text(" WHERE a.id = ")
        .bind(account)
        .text(NOWHERE)
        .execute(connection)
        .await?;
    Sql::<()>::new("INSERT INTO account_membership (account_id, org_id, staff_id) SELECT a.id, ")
        .bind(org)
        .text(", ")
        .bind(staff)
        .text(" FROM account a WHERE a.id = ")
        .bind(account)
        .text(NOWHERE)
        .execute(connection)
        .await?;
    Ok(())
}

/// The staff of an organisation whose accounts have joined it.
pub async fn members(connection: &mut AsyncPgConnection, org: Uuid) -> Result<Vec<Uuid>> {
    use tables::account_membership as membership;
    Ok(membership::table.select(membership::staff_id).filter(membership::org_id.eq(org)).load(connection).await?)
}

/// Makes an account a member of an organisation.
pub async fn join(connection: &mut AsyncPgConnection, account: Uuid, org: Uuid, staff: Uuid) -> Result<()> {
    use tables::account_membership as membership;
    diesel::insert_into(membership::table)
        .values((membership::account_id.eq(account), membership::org_id.eq(org), membership::staff_id.eq(staff)))
        .execute(connection)
        .await?;
    Ok(())
}

/// Gives an account another e-mail. FORBIDDEN if it has a place in another organisation, or none here: an e-mail opens all
/// of them, so it is its owner's. CONFLICT if another account has the e-mail.
pub async fn change_email(connection: &mut AsyncPgConnection, account: Uuid, org: Uuid, email: &str) -> Result<()> {
    use tables::account as accounts;
    lock(connection, account).await?;
    let places = places(connection, account).await?;
    if places.is_empty() || places.iter().any(|(place, _)| *place != org) {
        let message =
            "this account works in other organisations too, or has never signed in here: its e-mail is its owner's";
        return Err(Error::Forbidden(message.to_owned()));
    }
    let changed =
        diesel::update(accounts::table.find(account)).set(accounts::email.eq(email)).execute(connection).await;
    match changed {
        Ok(_) => Ok(()),
        Err(diesel::result::Error::DatabaseError(diesel::result::DatabaseErrorKind::UniqueViolation, _)) => {
            let message = "this e-mail can't be used: another account has it".to_owned();
            Err(Error::Conflict { message, current_version: None })
        }
        Err(other) => Err(other.into()),
    }
}

/// Locks an account against changes until the transaction ends, and waits for sign-ins being made, which hold the row
/// in share mode.
pub(super) async fn lock(connection: &mut AsyncPgConnection, account: Uuid) -> Result<()> {
    use tables::account as accounts;
    let _: Option<Uuid> =
        accounts::table.find(account).select(accounts::id).for_update().first(connection).await.optional()?;
    Ok(())
}

/// Sets a password and ends every sign-in of the account.
pub async fn set_password(connection: &mut AsyncPgConnection, account: Uuid, password_hash: &str) -> Result<()> {
    write_password(connection, account, password_hash).await?;
    end_sign_ins(connection, account, None).await
}

/// Sets a password. Password links and incomplete sign-ins become invalid. The account's row is locked from here on, so
/// that a sign-in with the old password either is visible to `end_sign_ins` or is refused.
pub(super) async fn write_password(
    connection: &mut AsyncPgConnection,
    account: Uuid,
    password_hash: &str,
) -> Result<()> {
    use tables::account as accounts;
    let now = ids::now();
    diesel::update(accounts::table.find(account))
        .set((accounts::password_hash.eq(password_hash), accounts::password_changed_at.eq(now)))
        .execute(connection)
        .await?;
    one_time::end(connection, Purpose::PasswordReset, Whose::Account(account)).await
}

/// Ends the sign-ins of an account, except the one with this token, and those that await a code. Replaced tokens can no
/// longer read, including those of the sign-in that continues.
pub(super) async fn end_sign_ins(
    connection: &mut AsyncPgConnection,
    account: Uuid,
    but: Option<&TokenHash>,
) -> Result<()> {
    let now = ids::now();
    let mut ending = Sql::<()>::new("UPDATE sign_in SET ended_at = ")
        .bind(now)
        .text(" WHERE ended_at IS NULL AND account_id = ")
        .bind(account);
    if let Some(but) = but {
        ending.push(" AND token_hash <> ").push_bind(but.to_vec());
    }
    ending.execute(connection).await?;
    held::end(connection, account).await?;
    one_time::end(connection, Purpose::SignIn, Whose::Account(account)).await
}
