//! Signing in and out, and whose token it is.

mod enter;
mod ongoing;
mod payer;
mod scopes;

pub(super) use ongoing::Rotation;
pub use ongoing::{
    Rotated, SignInEntry, end_of_place, end_of_staff, ever_signed_in, forget_proofs, with_second_factor,
};

use super::api_key::Keyring;
use super::held::{self, Held};
use super::refusal::Tried;
use super::seal::Seal;
use super::throttle;
use super::token::{self, TokenHash};
use super::viewer::Viewer;
use crate::db::{Pool, Sql};
use crate::error::{Error, NotSignedIn, Result};
use crate::ids;
use crate::vocabulary::StaffRole;
use crate::watch::Looks;
use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::RunQueryDsl;
use moka::sync::Cache;
use std::time::Duration;
use uuid::Uuid;

/// One sentence for an unknown e-mail, a wrong password and a disabled account: they must be indistinguishable.
pub(super) const REFUSED: &str = "the e-mail or the password is wrong";
pub(super) const CODE_REFUSED: &str = "the code is wrong, or was used already: each works once. Wait for the next one";

/// How long the limits assume that a token is valid; each request checks for itself.
const PAYS_FOR: Duration = Duration::from_secs(5);

/// How long a sign-in lasts.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// The longest time without a request.
    pub idle: Duration,
    /// The longest time in all.
    pub absolute: Duration,
    /// How long after a password or a code a person may sign records.
    pub reauthenticate_after: Duration,
}

/// From where and how somebody signs in.
#[derive(Debug, Clone, Copy)]
pub struct Entered<'a> {
    /// The network address.
    pub address: &'a str,
    /// The `User-Agent` of the client.
    pub client: &'a str,
    /// Whether the token goes into a cookie.
    pub by_cookie: bool,
}

/// What somebody signs in with.
pub struct Credentials<'a> {
    /// E-mail of the account.
    pub email: &'a str,
    /// Its password.
    pub password: String,
    /// A code of the second factor, if it was sent along.
    pub code: Option<&'a str>,
    /// The organisation, for an account that has several.
    pub organisation: Option<Uuid>,
}

/// A completed sign-in.
#[derive(Debug)]
pub struct SignedIn {
    /// The token, shown this once.
    pub token: String,
    /// When it ends at the latest.
    pub expires_at: DateTime<Utc>,
    /// The viewer it belongs to.
    pub viewer: Viewer,
    /// Whether only setting up a second factor is allowed.
    pub enrolment_only: bool,
    /// Whether it accepts a pending membership.
    pub enters: bool,
}

/// What the right password leads to.
#[derive(Debug)]
pub enum Outcome {
    /// A sign-in.
    SignedIn(SignedIn),
    /// A challenge: the token to send with a code.
    CodeNeeded(String),
}

/// The result of an attempt to sign in, with the organisations in whose access logs it belongs.
pub struct Attempt {
    /// The sign-in, or why not.
    pub outcome: Result<Outcome>,
    /// The organisation and staff of the account that was tried, where there is one.
    pub places: Vec<(Uuid, Uuid)>,
    /// Whether it was the code that was refused.
    pub code_refused: bool,
    /// Whose account was tried, if the password was not proved. Nobody then waits to find out where the attempt
    /// belongs, and `places` is empty.
    pub unproved: Option<Tried>,
}

impl Attempt {
    pub(super) fn refused(error: Error, places: Vec<(Uuid, Uuid)>) -> Self {
        Self { outcome: Err(error), places, code_refused: false, unproved: None }
    }

    fn unproved(account: Option<Uuid>) -> Self {
        let unproved = Some(Tried { account, also: None });
        Self { unproved, ..Self::refused(Error::Unauthenticated(NotSignedIn::Unknown, REFUSED), Vec::new()) }
    }

    pub(super) fn by_code(self) -> Self {
        Self { code_refused: true, ..self }
    }
}

/// An active membership in an organisation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    viewer: Viewer,
    pub(super) must_have_second_factor: bool,
    /// Whether it is pending until its owner names it when signing in.
    waits: bool,
}

impl Place {
    fn of(org: Uuid, staff: Uuid, role: StaffRole, must_have_second_factor: bool, waits: bool) -> Self {
        let (staff, role) = (Some(staff), Some(role));
        let viewer = Viewer { org, staff, role, sign_in: None, emergency: false, service: None };
        Self { viewer, must_have_second_factor, waits }
    }
}

impl Place {
    pub(super) fn org(&self) -> Uuid {
        self.viewer.org
    }
}

/// Everything that sign-in needs: the pool, the lifetimes, and which organisation a token belongs to. The organisation
/// never changes during a token's life, so it may be cached; whether the token is valid is checked for each request.
pub struct Doorkeeper {
    pool: Pool,
    lifetimes: Lifetimes,
    seal: Seal,
    organisations: Cache<TokenHash, Uuid>,
    organisation_looks: Looks,
    payers: Cache<PayerKey, Uuid>,
    payer_looks: Looks,
    keyring: Keyring,
}

/// The sender of a request, as far as the request itself tells.
#[derive(Debug, Clone, Copy, Default)]
pub struct Caller<'a> {
    /// Their token.
    pub token: Option<&'a str>,
    /// Whether the token came in the cookie. A token made for the cookie works only there, any other token only in the
    /// header.
    pub by_cookie: bool,
    /// Whether they ask only for what is allowed before a required second factor is set up.
    pub enrolling: bool,
    /// Whether they ask for a mutation. A token that was replaced just now may only read.
    pub changes: bool,
    /// Whether the request runs in the background: the idle time then continues.
    pub background: bool,
    /// The id of the request.
    pub request_id: &'a str,
    /// The network address it came from.
    pub address: &'a str,
    /// The reason for seeing a restricted patient, if one was stated.
    pub reason: Option<&'a str>,
}

/// The key under which a payer is cached.
type PayerKey = (TokenHash, bool);

impl Doorkeeper {
    /// Creates the doorkeeper. The key seals the secrets of second factors.
    pub fn new(pool: Pool, lifetimes: Lifetimes, second_factor_key: [u8; 32]) -> Self {
        let organisations = Cache::new(100_000);
        let payers = Cache::builder().max_capacity(100_000).time_to_live(PAYS_FOR).build();
        let (keyring, seal) = (Keyring::new(pool.clone()), Seal::new(second_factor_key, "second-factor"));
        let [organisation_looks, payer_looks] = ["tokens", "payers"].map(|cache| pool.watch().caches.looks(cache));
        Self { pool, lifetimes, seal, organisations, organisation_looks, payers, payer_looks, keyring }
    }

    /// The pool, for work outside requests.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(super) fn lifetimes(&self) -> Lifetimes {
        self.lifetimes
    }

    pub(super) fn seal(&self) -> &Seal {
        &self.seal
    }

    pub(super) fn remember(&self, hash: TokenHash, org: Uuid) {
        self.organisations.insert(hash, org);
    }

    fn idle(&self) -> TimeDelta {
        TimeDelta::from_std(self.lifetimes.idle).unwrap_or(TimeDelta::minutes(15))
    }

    /// Deletes expired counts of failed sign-ins, and tokens that were replaced long ago.
    pub async fn sweep(&self) -> Result<()> {
        let mut accounts = self.pool.accounts().await?;
        throttle::sweep(&mut accounts, ids::now()).await?;
        held::sweep(&mut accounts).await
    }

    /// The organisation of a caller's token.
    pub(super) async fn organisation_of_caller(&self, caller: Caller<'_>) -> Result<Uuid> {
        let hash = token::hash(caller.token.ok_or_else(held::unknown)?);
        match self.organisations.get(&hash) {
            Some(org) => Ok(org),
            None => self.held(hash).await?.and_then(|held| held.organisation()).ok_or_else(held::unknown),
        }
    }

    /// What is known about a token: that of a sign-in, valid or not, or of a challenge.
    async fn held(&self, hash: TokenHash) -> Result<Option<Held>> {
        held::look(&mut *self.pool.accounts().await?, hash).await
    }

    /// Ends a sign-in. It is not an error if the token has already ended.
    pub async fn sign_out(&self, token: &str) -> Result<()> {
        let mut accounts = self.pool.accounts().await?;
        Sql::<()>::new("UPDATE sign_in SET ended_at = ")
            .bind(ids::now())
            .text(" WHERE ended_at IS NULL AND token_hash = ")
            .bind(token::hash(token).to_vec())
            .execute(&mut accounts)
            .await?;
        Ok(())
    }
}
