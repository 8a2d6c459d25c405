//! Invitations: nobody gets a place in an organisation but by their own yes. Until then the account is as it was.

use super::account::{self, Account};
use super::one_time::{self, Bearer, OneTimeToken, Purpose, Whose};
use super::password;
use super::refusal::Tried;
use super::scope::Scope;
use super::sight::Sight;
use super::sign_in::{Doorkeeper, REFUSED};
use super::throttle;
use super::viewer::Viewer;
use crate::error::{Error, NotSignedIn, Result};
use crate::ids;
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

const SPENT: &str = "this invitation holds no more: it works once, for 7 days, and the newest alone. Ask for another";

/// Makes an invitation, in the place of earlier ones of the same staff member.
pub async fn make(connection: &mut AsyncPgConnection, bearer: Bearer) -> Result<OneTimeToken> {
    account::lock(connection, bearer.account).await?;
    one_time::make(connection, Purpose::Invitation, bearer).await
}

/// Ends the invitation of a staff member, if they have one.
pub async fn end(connection: &mut AsyncPgConnection, account: Uuid, org: Uuid, staff: Uuid) -> Result<()> {
    account::lock(connection, account).await?;
    one_time::end(connection, Purpose::Invitation, Whose::Staff(org, staff)).await
}

/// A yes to an invitation whose sender has shown that the account is theirs.
pub struct Acceptance {
    token: String,
    /// Whom the invitation is for.
    pub bearer: Bearer,
    /// The account as it was looked at.
    account: Account,
    /// The hash of the password that is its first: nobody had a place with it before.
    first_password: Option<String>,
}

/// What became of a yes.
pub enum Answer {
    /// It can be written down.
    Proven(Box<Acceptance>),
    /// E-mail or password is wrong.
    Refused {
        /// What to answer.
        error: Error,
        /// Whose it was, for the access logs: of the account's places, and of the one that it is invited to.
        tried: Tried,
    },
}

impl Doorkeeper {
    /// Judges who says yes to an invitation. A wrong password counts as one at sign-in does, before it is looked at; a right
    /// one forgets the count only where there is no second factor. Whoever has a place somewhere proves the account by its
    /// password; for whom this is the first, the password is set. A weak one is told alike to both, so that it tells nobody
    /// whether there is an account.
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
            return Err(Error::input("input.password", fault));
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

    /// Opens a scope to write a yes down, in the name of who says it. They have no right here yet: for this one write the
    /// program's stands in.
    pub async fn open_scope_to_join(&self, (org, staff): (Uuid, Uuid), request_id: &str) -> Result<Scope> {
        let transaction = self.pool().write(org).await?;
        let viewer = Viewer { staff: Some(staff), ..Viewer::program(org) };
        let sight = Sight { all: false, emergencies: Vec::new() };
        Ok(Scope::new(viewer, request_id.to_owned(), transaction, true, sight))
    }
}

/// Uses the invitation up and gives the account its place: in the transaction that changes the staff member. Refused, if
/// the account is not any more what was looked at.
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

/// Gives an account a place that waited for its owner. False: it has it already.
pub async fn enter(connection: &mut AsyncPgConnection, bearer: Bearer) -> Result<bool> {
    account::lock(connection, bearer.account).await?;
    if account::places(connection, bearer.account).await?.iter().any(|(org, _)| *org == bearer.org) {
        return Ok(false);
    }
    account::join(connection, bearer.account, bearer.org, bearer.staff).await.map(|()| true)
}

/// The one answer to an invitation that was used, has ended or was never made.
pub fn spent() -> Error {
    Error::input("input.token", SPENT)
}
