//! Invitations: nobody becomes a member of an organisation without accepting. Until then the account is unchanged.

use super::account::{self, Account};
use super::one_time::{self, Bearer, OneTimeToken, Purpose, Whose};
use super::password;
use super::refusal::Tried;
use super::scope::Scope;
use super::sight::Sight;
use super::sign_in::{Doorkeeper, REFUSED};
use super::throttle;
use super::viewer::Viewer;
use crate::error::{Code, Error, NotSignedIn, Result};
use crate::ids;
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

const SPENT: &str =
    "this invitation is no longer valid: it works once, for 7 days, and only the newest one. Ask for another";

/// Makes an invitation that replaces earlier ones of the same staff member.
pub async fn make(connection: &mut AsyncPgConnection, bearer: Bearer) -> Result<OneTimeToken> {
    account::lock(connection, bearer.account).await?;
    one_time::make(connection, Purpose::Invitation, bearer).await
}

/// Ends the invitation of a staff member, if they have one.
pub async fn end(connection: &mut AsyncPgConnection, account: Uuid, org: Uuid, staff: Uuid) -> Result<()> {
    account::lock(connection, account).await?;
    one_time::end(connection, Purpose::Invitation, Whose::Staff(org, staff)).await
}

/// An acceptance whose sender has proved that the account is theirs.
pub struct Acceptance {
    token: String,
    /// The person the invitation is for.
    pub bearer: Bearer,
    /// The account as it was read.
    account: Account,
    /// The hash of its first password: the account was not a member anywhere before.
    first_password: Option<String>,
}

/// The result of an acceptance.
pub enum Answer {
    /// It can be saved.
    Proven(Box<Acceptance>),
    /// E-mail or password is wrong.
    Refused {
        /// What to answer.
        error: Error,
        /// Whose attempt it was, for the access logs: of the organisations of the account, and of the one it is invited
        /// to.
        tried: Tried,
    },
}

impl Doorkeeper {
    /// Checks who accepts an invitation. A wrong password counts as one at sign-in does, before it is checked; a right
    /// one resets the count only where there is no second factor. Whoever is already a member somewhere proves the
    /// account by its password; for a first membership, the password is set. A weak password gets the same answer in
    /// both cases, so that it does not reveal whether there is an account.
    pub async fn answer_invitation(&self, token: &str, email: &str, password: String, address: &str) -> Result<Answer> {
        let (email, now) = (email.trim().to_lowercase(), ids::now());
        let mut accounts = self.pool().accounts().await?;
        let Some(bearer) = one_time::look(&mut accounts, Purpose::Invitation, token).await? else {
            throttle::check_address(&mut accounts, address, now).await?;
            throttle::refused(&mut accounts, address, now).await?;
            return Err(spent());
        };
        let account = account::by_id(&mut accounts, bearer.account).await?;
        let places = account::places(&mut accounts, account.id).await?;
        drop(accounts);
        if let Some(fault) = password::judge(password.clone(), vec![email.clone()]).await? {
            return Err(Error::input("input.password", Code::WeakPassword.says(fault)));
        }
        let token = token.to_owned();
        if places.is_empty() && account.email == email && account.disabled_at.is_none() {
            let first_password = Some(password::hash(password).await?);
            return Ok(Answer::Proven(Box::new(Acceptance { token, bearer, account, first_password })));
        }
        let wait = throttle::attempt(&mut *self.pool().accounts().await?, &email, address, now).await?;
        let hash = (account.email == email && !places.is_empty()).then(|| account.password_hash.clone());
        let right = password::verify(password, hash).await?;
        if !right || account.disabled_at.is_some() {
            wait.over()?;
            throttle::refused(&mut *self.pool().accounts().await?, address, now).await?;
            let tried = Tried { account: Some(account.id), also: Some((bearer.org, bearer.staff)) };
            return Ok(Answer::Refused { error: Error::Unauthenticated(NotSignedIn::Unknown, REFUSED), tried });
        }
        wait.over_for_owner()?;
        let mut accounts = self.pool().accounts().await?;
        if !account.has_second_factor() {
            throttle::succeeded(&mut accounts, &email, address).await?;
        }
        Ok(Answer::Proven(Box::new(Acceptance { token, bearer, account, first_password: None })))
    }

    /// Opens a scope to save an acceptance in the name of the person who accepts. They have no rights here yet, so this
    /// one write uses the rights of the program.
    pub async fn open_scope_to_join(&self, (org, staff): (Uuid, Uuid), request_id: &str) -> Result<Scope> {
        let transaction = self.pool().write(org).await?;
        let viewer = Viewer { staff: Some(staff), ..Viewer::program(org) };
        let sight = Sight { all: false, emergencies: Vec::new() };
        Ok(Scope::new(viewer, request_id.to_owned(), transaction, true, sight))
    }
}

/// Uses up the invitation and makes the account a member, in the transaction that changes the staff member. Refused if
/// the account has changed since it was read.
pub async fn accept(connection: &mut AsyncPgConnection, acceptance: &Acceptance) -> Result<()> {
    let Acceptance { token, bearer, account: before, first_password } = acceptance;
    account::lock(connection, bearer.account).await?;
    if !one_time::use_up(connection, Purpose::Invitation, token).await? {
        return Err(spent());
    }
    let now = account::by_id(connection, bearer.account).await?;
    let first = account::places(connection, bearer.account).await?.is_empty();
    if now.password_hash != before.password_hash || now.disabled_at.is_some() || first != first_password.is_some() {
        return Err(Error::Unauthenticated(NotSignedIn::Unknown, REFUSED));
    }
    if let Some(hash) = first_password {
        account::set_password(connection, bearer.account, hash).await?;
    }
    account::join(connection, bearer.account, bearer.org, bearer.staff).await
}

/// Completes a pending membership of an account. False if the account is a member already.
pub async fn enter(connection: &mut AsyncPgConnection, bearer: Bearer) -> Result<bool> {
    account::lock(connection, bearer.account).await?;
    if account::places(connection, bearer.account).await?.iter().any(|(org, _)| *org == bearer.org) {
        return Ok(false);
    }
    account::join(connection, bearer.account, bearer.org, bearer.staff).await.map(|()| true)
}

/// The single answer to an invitation that was used, has ended or was never made.
pub fn spent() -> Error {
    Error::input("input.token", Code::WrongSecret.says(SPENT))
}
