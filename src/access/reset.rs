//! New passwords: changed by their owner, or set by a one-time link that an admin hands out and nobody else's eyes see.

use super::account::{self, Account};
use super::second_factor::Proof;
use super::sessions::{Rotated, Rotation};
use super::sign_in::Doorkeeper;
use super::throttle;
use super::{Caller, password, token};
use crate::db::Sql;
use crate::error::{Error, Result};
use crate::ids;
use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types as st;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

/// How long a link holds, in minutes.
const HOLDS: i64 = 60;

const SPENT: &str = "this link holds no more: it works once, for an hour, and the newest alone. Ask for another";

/// A link's token, shown this once.
pub struct ResetToken {
    /// It.
    pub token: String,
    /// When it holds no more.
    pub expires_at: DateTime<Utc>,
}

/// Makes a link to set a new password, in the place of earlier ones.
pub async fn make_link(
    connection: &mut AsyncPgConnection,
    account: Uuid,
    org: Uuid,
    by: Option<Uuid>,
) -> Result<ResetToken> {
    let (token, hash) = token::generate().ok_or_else(|| Error::Internal("no randomness".to_owned()))?;
    let now = ids::now();
    let expires_at = now + TimeDelta::minutes(HOLDS);
    // Of two that are made at once the later one takes the earlier one's place.
    account::lock(connection, account).await?;
    Sql::<()>::new("DELETE FROM password_reset WHERE account_id = ").bind(account).execute(connection).await?;
    Sql::<()>::new(
        "INSERT INTO password_reset (token_hash, account_id, org_id, requested_by, created_at, expires_at) VALUES (",
    )
    .bind(hash.to_vec())
    .text(", ")
    .bind(account)
    .text(", ")
    .bind(org)
    .text(", ")
    .bind(by)
    .text(", ")
    .bind(now)
    .text(", ")
    .bind(expires_at)
    .text(")")
    .execute(connection)
    .await?;
    Ok(ResetToken { token, expires_at })
}

impl Doorkeeper {
    /// Sets the password that a link is for, ends every sign-in of the account, and leaves its second factor as it is.
    /// Gives the organisation and the staff member, for the access log.
    pub async fn reset_password(&self, link: &str, new: String, address: &str) -> Result<(Uuid, Option<Uuid>)> {
        let now = ids::now();
        let mut accounts = self.pool().accounts().await?;
        throttle::check_address(&mut accounts, address, now).await?;
        let hash = token::hash(link).to_vec();
        let found: Vec<(Uuid, Uuid)> = Sql::<(st::Uuid, st::Uuid)>::new(
            "SELECT account_id, org_id FROM password_reset WHERE used_at IS NULL AND expires_at > ",
        )
        .bind(now)
        .text(" AND token_hash = ")
        .bind(hash.clone())
        .load(&mut accounts)
        .await?;
        let Some((account, org)) = found.into_iter().next() else {
            throttle::refused(&mut accounts, address, now).await?;
            return Err(Error::input("input.token", SPENT));
        };
        let account = account::by_id(&mut accounts, account).await?;
        let staff = account::places(&mut accounts, account.id).await?.into_iter().find(|place| place.0 == org);
        drop(accounts);
        if let Some(fault) = password::judge(new.clone(), vec![account.email.clone()]).await? {
            return Err(Error::input("input.newPassword", fault));
        }
        let password_hash = password::hash(new).await?;
        let mut transaction = self.pool().write(org).await?;
        let connection = transaction.connection()?;
        let used = Sql::<()>::new("UPDATE password_reset SET used_at = ")
            .bind(now)
            .text(" WHERE used_at IS NULL AND expires_at > ")
            .bind(now)
            .text(" AND token_hash = ")
            .bind(hash)
            .execute(connection)
            .await?;
        if used == 0 {
            transaction.rollback().await;
            return Err(Error::input("input.token", SPENT));
        }
        account::set_password(connection, account.id, &password_hash).await?;
        throttle::succeeded(connection, &account.email, address).await?;
        transaction.commit().await?;
        Ok((org, staff.map(|(_, staff)| staff)))
    }

    /// Changes the password of the caller's account. Every other sign-in of it ends, and this one goes on under a new
    /// token. `None`: the current password is wrong.
    pub async fn change_password(
        &self,
        caller: Caller<'_>,
        (account, sign_in): (&Account, Uuid),
        current: String,
        new: String,
    ) -> Result<Option<Rotated>> {
        if !self.prove(account, sign_in, Proof::Password(current)).await? {
            return Ok(None);
        }
        let hash = password::hash(new).await?;
        let mut transaction = self.pool().write(self.organisation_of_caller(caller).await?).await?;
        account::write_password(transaction.connection()?, account.id, &hash).await?;
        let rotation = Rotation { end_others: Some(account.id), second_factor: None };
        self.rotate(transaction, caller, rotation).await.map(Some)
    }
}
