//! New passwords: changed by their owner, or set with a one-time link that an admin hands out and nobody else sees.

use super::account::{self, Account};
use super::one_time::{self, Bearer, OneTimeToken, Purpose};
use super::refusal::Tried;
use super::second_factor::Proof;
use super::sign_in::{Doorkeeper, Place, Rotated, Rotation};
use super::throttle;
use super::{Caller, password};
use crate::error::{Code, Error, Result};
use crate::ids;
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

const SPENT: &str =
    "this link is no longer valid: it works once, for an hour, and only the newest one. Ask for another";

/// Makes a link to set a new password; it replaces earlier ones.
pub async fn make_link(connection: &mut AsyncPgConnection, bearer: Bearer) -> Result<OneTimeToken> {
    account::lock(connection, bearer.account).await?;
    one_time::make(connection, Purpose::PasswordReset, bearer).await
}

/// The result of using a valid link.
pub enum Reset {
    /// The password was set, for this staff member of this organisation.
    Done(Uuid, Uuid),
    /// The account is not active, or not only active, where the link was made. The link then sets no password, and the
    /// account's organisations are informed of the attempt.
    Elsewhere(Tried),
}

/// The single answer to a link that was used, has ended or was never made, and to one that would open another
/// organisation.
pub fn spent() -> Error {
    Error::input("input.token", Code::WrongSecret.says(SPENT))
}

impl Doorkeeper {
    /// The organisations where an account is an active member. A password opens all of them, so only the admins of an
    /// account's sole organisation may make a link to set it.
    pub async fn active_in(&self, account: Uuid) -> Result<Vec<Uuid>> {
        let places = account::places(&mut *self.pool().accounts().await?, account).await?;
        Ok(self.active_places(&places, None).await?.iter().map(Place::org).collect())
    }

    /// Sets the password that a link is for, ends every sign-in of the account, and leaves its second factor as it is.
    /// A link ends when the account joins another organisation, or is closed in this one.
    pub async fn reset_password(&self, link: &str, new: String, address: &str) -> Result<Reset> {
        let now = ids::now();
        let mut accounts = self.pool().accounts().await?;
        // A link can't be guessed, so its holder does not wait because of the failures of strangers.
        let Some(Bearer { account, org, staff }) = one_time::look(&mut accounts, Purpose::PasswordReset, link).await?
        else {
            throttle::check_address(&mut accounts, address, now).await?;
            throttle::refused(&mut accounts, address, now).await?;
            return Err(spent());
        };
        let account = account::by_id(&mut accounts, account).await?;
        let places = account::places(&mut accounts, account.id).await?;
        drop(accounts);
        if self.active_in(account.id).await? != [org] {
            return Ok(Reset::Elsewhere(Tried { account: Some(account.id), also: None }));
        }
        if let Some(fault) = password::judge(new.clone(), vec![account.email.clone()]).await? {
            return Err(Error::input("input.newPassword", Code::WeakPassword.says(fault)));
        }
        let password_hash = password::hash(new).await?;
        let mut transaction = self.pool().write(org).await?;
        let connection = transaction.connection()?;
        account::lock(connection, account.id).await?;
        let as_before = account::places(connection, account.id).await? == places;
        if !as_before || !one_time::use_up(connection, Purpose::PasswordReset, link).await? {
            transaction.rollback().await;
            return Err(spent());
        }
        account::set_password(connection, account.id, &password_hash).await?;
        throttle::succeeded(connection, &account.email, address).await?;
        transaction.commit().await?;
        Ok(Reset::Done(org, staff))
    }

    /// Changes the password of the caller's account. Every other sign-in of it ends, and this one continues under a new
    /// token. `None` if the current password is wrong.
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
        let rotation = Rotation { end_others: Some(account.id), ..Rotation::default() };
        self.rotate(transaction, caller, rotation).await.map(Some)
    }
}
