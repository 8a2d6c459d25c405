//! Signing in and out, and who a token belongs to.

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
use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::RunQueryDsl;
use moka::sync::Cache;
use std::time::Duration;
use uuid::Uuid;

/// One sentence for an unknown e-mail, a wrong password and a disabled account: they must not be told apart.
pub(super) const REFUSED: &str = "the e-mail or the password is wrong";
pub(super) const CODE_REFUSED: &str = "the code is wrong, or was used already: each works once. Wait for the next one";

/// How long a token is taken to hold by the limits alone; each request asks for itself.
const PAYS_FOR: Duration = Duration::from_secs(5);

/// How long a sign-in lasts.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// Without a request.
    pub idle: Duration,
    /// Whatever happens.
    pub absolute: Duration,
    /// For so long after a password or a code somebody may sign records.
    pub reauthenticate_after: Duration,
}

/// From where and how somebody signs in.
#[derive(Debug, Clone, Copy)]
pub struct Entered<'a> {
    /// The network address.
    pub address: &'a str,
    /// What the client calls itself.
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
    /// A code of the second factor, if it came at once.
    pub code: Option<&'a str>,
    /// The organisation, for an account that has several.
    pub organisation: Option<Uuid>,
}

/// A successful sign-in.
#[derive(Debug)]
pub struct SignedIn {
    /// The token, shown this once.
    pub token: String,
    /// When it ends at the latest.
    pub expires_at: DateTime<Utc>,
    /// Who it belongs to.
    pub viewer: Viewer,
    /// Whether nothing but setting up a second factor is let through.
    pub enrolment_only: bool,
    /// Whether it is the owner's yes to a place that was waiting for it.
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

/// What a sign-in attempt came to, with the organisations in whose access log it belongs.
pub struct Attempt {
    /// The sign-in, or why not.
    pub outcome: Result<Outcome>,
    /// The organisation and staff of the account that was tried, where there is one.
    pub places: Vec<(Uuid, Uuid)>,
    /// Whether it was the code that was refused.
    pub code_refused: bool,
    /// Whose it was, where the password was not shown: then nobody waits to find out where it belongs, and `places` is
    /// empty.
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

/// Somebody's place in an organisation, active.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    viewer: Viewer,
    pub(super) must_have_second_factor: bool,
    /// Whether it waits for its owner to enter it by name.
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

/// Everything sign-in needs: the pool, the lifetimes, and which organisation a token belongs to. That last fact never
/// changes in a token's life, so it may be remembered; whether the token still holds is asked for each request.
pub struct Doorkeeper {
    pool: Pool,
    lifetimes: Lifetimes,
    seal: Seal,
    organisations: Cache<TokenHash, Uuid>,
    payers: Cache<PayerKey, Uuid>,
    keyring: Keyring,
}

/// Who sends a request, as far as the request itself tells.
#[derive(Debug, Clone, Copy, Default)]
pub struct Caller<'a> {
    /// Their token.
    pub token: Option<&'a str>,
    /// Whether the token came in the cookie: one that was made for it works there only, any other one in the header only.
    pub by_cookie: bool,
    /// Whether they ask for nothing that somebody may not who has to set up a second factor first.
    pub enrolling: bool,
    /// Whether they ask for a mutation: a token that was replaced just now reads only.
    pub changes: bool,
    /// Whether nobody sits before it: then the idle clock goes on.
    pub background: bool,
    /// The id of the request.
    pub request_id: &'a str,
    /// The network address it came from.
    pub address: &'a str,
    /// Why they want to see a restricted patient, if they said so.
    pub reason: Option<&'a str>,
}

/// What a payer is remembered by.
type PayerKey = (TokenHash, bool);

impl Doorkeeper {
    /// Makes one. The key seals second factors' secrets.
    pub fn new(pool: Pool, lifetimes: Lifetimes, second_factor_key: [u8; 32]) -> Self {
        let organisations = Cache::new(100_000);
        let payers = Cache::builder().max_capacity(100_000).time_to_live(PAYS_FOR).build();
        let (keyring, seal) = (Keyring::new(pool.clone()), Seal::new(second_factor_key));
        Self { pool, lifetimes, seal, organisations, payers, keyring }
    }

    /// The pool, for what is not a request.
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

    /// Takes away counts of failed sign-ins that are long forgotten, and tokens that were replaced long ago.
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

    /// What is known of a token: of a sign-in, whether or not it holds, or of one that waits for a code.
    async fn held(&self, hash: TokenHash) -> Result<Option<Held>> {
        held::look(&mut *self.pool.accounts().await?, hash).await
    }

    /// Ends a sign-in; a token that has ended already is no fault.
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
