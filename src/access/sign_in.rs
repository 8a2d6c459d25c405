//! Signing in and out, and who a token belongs to.

use super::account::{self, Account};
use super::api_key::{self, Keyring};
use super::held::{self, Held};
use super::password;
use super::rate::network_of;
use super::refusal::Tried;
use super::scope::{self, Emergency, Scope, Sight, SignInMark, Viewer};
use super::seal::Seal;
use super::throttle;
use super::token::{self, TokenHash};
use crate::db::{Pool, Sql};
use crate::error::{Error, NotSignedIn, Result};
use crate::ids;
use crate::objects::Holder;
use crate::vocabulary::StaffRole;
use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use moka::sync::Cache;
use std::time::Duration;
use uuid::Uuid;

/// One sentence for an unknown e-mail, a wrong password and a disabled account: they must not be told apart.
pub(super) const REFUSED: &str = "the e-mail or the password is wrong";
pub(super) const CODE_REFUSED: &str = "the code is wrong, or was used already: each works once. Wait for the next one";
const LINK_ENDED: &str = "this address was given to a sign-in that holds no more: sign in and ask for a new one";

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

/// By what a sign-in is known.
#[derive(Debug, Clone, Copy)]
enum By {
    /// Its token, and whether that came in the cookie.
    Token(TokenHash, bool),
    /// Its id: of a link that it was given.
    SignIn(Uuid),
    /// Its id: of a token that a newer one took the place of. It proves nothing.
    Replaced(Uuid),
}

/// What a payer is remembered by.
type PayerKey = (TokenHash, bool);

fn payer_key(caller: Caller<'_>) -> Option<PayerKey> {
    Some((token::hash(caller.token?), caller.by_cookie))
}

type ViewerRow = (
    (Uuid, StaffRole, DateTime<Utc>, DateTime<Utc>),
    (Uuid, Option<DateTime<Utc>>, bool),
    (String, bool, Option<String>),
);
type ViewerSql = (
    (st::Uuid, st::Text, st::Timestamptz, st::Timestamptz),
    (st::Uuid, st::Nullable<st::Timestamptz>, st::Bool),
    (st::Text, st::Bool, st::Nullable<st::Text>),
);

/// Emergency access of staff `s` that is open at the bound moment, as `e`.
fn push_emergencies<R>(sql: &mut Sql<R>, now: DateTime<Utc>) {
    sql.push(
        " CROSS JOIN LATERAL (SELECT string_agg(g.patient_id::text, ',') AS patients, \
         json_agg(json_build_object('patient', g.patient_id, 'reason', g.reason) ORDER BY g.id)::text AS reasons \
         FROM emergency_access g WHERE g.org_id = s.org_id AND g.staff_id = s.id AND g.ended_at IS NULL AND g.ends_at > ",
    )
    .push_bind(now)
    .push(") AS e");
}

/// FORBIDDEN for who has to set up a second factor first, unless that is what they ask for.
async fn let_in(scope: Scope, caller: Caller<'_>) -> Result<Scope> {
    if scope.viewer().sign_in.is_some_and(|sign_in| sign_in.enrolment_only) && !caller.enrolling {
        scope.rollback().await;
        return Err(Error::SecondFactorMissing);
    }
    Ok(scope)
}

/// Whose clinical records alone somebody sees who has none but emergency access.
const ONLY_PATIENTS: &str = "set_config('app.only_patients', CASE WHEN s.role = 'front_desk' THEN coalesce(e.patients, '') \
                             ELSE '' END, true) <> ''";

fn emergencies(reasons: Option<&String>) -> Result<Vec<Emergency>> {
    Ok(reasons.map_or_else(|| Ok(Vec::new()), |reasons| serde_json::from_str(reasons))?)
}

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

    /// Signs in. The attempt is counted before the password is looked at, so a burst can't outrun the count. Where there
    /// is a second factor, the count is forgotten when its code was right and not before.
    ///
    /// Up to where the right password is known to be right, the same is done and waited for whoever is tried: an e-mail
    /// without an account, one of a disabled account, one with many places.
    pub async fn sign_in(&self, with: Credentials<'_>, entered: Entered<'_>) -> Result<Attempt> {
        let (email, address) = (with.email.trim().to_lowercase(), entered.address);
        let now = ids::now();
        let (wait, found) = {
            let mut accounts = self.pool.accounts().await?;
            let wait = throttle::attempt(&mut accounts, &email, address, now).await?;
            (wait, account::find(&mut accounts, &email).await?)
        };
        let hash = found.as_ref().map(|account| account.password_hash.clone());
        let right = password::verify(with.password, hash).await?;
        let tried = found.as_ref().map(|account| account.id);
        let Some(found) = found.filter(|account| right && account.disabled_at.is_none()) else {
            wait.over()?;
            throttle::refused(&mut *self.pool.accounts().await?, address, now).await?;
            return Ok(Attempt::unproved(tried));
        };
        wait.over_for_owner()?;
        let mut accounts = self.pool.accounts().await?;
        let places = account::places(&mut accounts, found.id).await?;
        if !found.has_second_factor() {
            throttle::succeeded(&mut accounts, &email, address).await?;
        }
        drop(accounts);
        let place = match self.place(found.id, &places, with.organisation).await {
            Ok(place) => place,
            Err(error) => return Ok(Attempt::refused(error, places)),
        };
        let outcome = match (found.has_second_factor(), with.code) {
            (false, _) => self.open(&found, &place, false, entered).await.map(Outcome::SignedIn),
            (true, None) => {
                let challenge = self.challenge(&found, place.viewer.org, place.viewer.author()?).await;
                challenge.map(Outcome::CodeNeeded)
            }
            (true, Some(code)) => {
                let taken = self.take_code(&found, code).await?;
                let mut accounts = self.pool.accounts().await?;
                if !taken {
                    throttle::refused(&mut accounts, address, now).await?;
                    return Ok(
                        Attempt::refused(Error::Unauthenticated(NotSignedIn::Unknown, CODE_REFUSED), places).by_code()
                    );
                }
                throttle::succeeded(&mut accounts, &email, address).await?;
                drop(accounts);
                self.open(&found, &place, true, entered).await.map(Outcome::SignedIn)
            }
        };
        Ok(Attempt { outcome, places, code_refused: false, unproved: None })
    }

    /// The places of an account where it is active.
    pub(super) async fn active_places(&self, places: &[(Uuid, Uuid)], wanted: Option<Uuid>) -> Result<Vec<Place>> {
        let mut active = Vec::new();
        for (org, staff) in places.iter().filter(|(org, _)| wanted.is_none_or(|wanted| wanted == *org)) {
            let role = Sql::<(st::Text, st::Bool)>::new(
                "SELECT s.role, s.role = ANY (o.second_factor_roles) FROM staff s JOIN organisation o ON o.org_id = s.org_id \
                 WHERE s.org_id = ",
            )
            .bind(*org)
            .text(" AND s.id = ")
            .bind(*staff)
            .text(" AND s.active");
            let (transaction, found) = self.pool.begin::<_, (StaffRole, bool)>(false, *org, &role).await?;
            transaction.commit().await?;
            let found = found.as_slice().first();
            active.extend(found.map(|(role, must_have)| Place::of(*org, *staff, *role, *must_have, false)));
        }
        Ok(active)
    }

    /// The place of an account in an organisation that waits for its owner: somebody was added there with a password and had
    /// an account already. Naming the organisation when signing in is their yes.
    async fn waiting_place(&self, account: Uuid, org: Uuid) -> Result<Option<Place>> {
        let sql = Sql::<(st::Uuid, st::Text, st::Bool)>::new(
            "SELECT s.id, s.role, s.role = ANY (o.second_factor_roles) FROM staff s JOIN organisation o ON o.org_id = s.org_id \
             WHERE s.org_id = ",
        )
        .bind(org)
        .text(" AND s.account_id = ")
        .bind(account)
        .text(" AND s.active AND s.joined_at IS NOT NULL");
        let (transaction, found) = self.pool.begin::<_, (Uuid, StaffRole, bool)>(false, org, &sql).await?;
        transaction.commit().await?;
        let found = found.as_slice().first();
        Ok(found.map(|(staff, role, must_have)| Place::of(org, *staff, *role, *must_have, true)))
    }

    /// The one place that is meant.
    pub(super) async fn place(&self, account: Uuid, places: &[(Uuid, Uuid)], wanted: Option<Uuid>) -> Result<Place> {
        match self.active_places(places, wanted).await?.as_slice() {
            [] => {
                let elsewhere = wanted.filter(|wanted| places.iter().all(|(org, _)| org != wanted));
                let waiting = match elsewhere {
                    Some(org) => self.waiting_place(account, org).await?,
                    None => None,
                };
                waiting.ok_or(Error::Unauthenticated(NotSignedIn::Unknown, REFUSED))
            }
            [only] => Ok(*only),
            _ => Err(Error::input(
                "input.organisationId",
                "this account works in several organisations: say which (ask its admin for the id)",
            )),
        }
    }

    /// Opens a sign-in, if the account's password and second factor are still those that were looked at: its row is
    /// locked meanwhile, so that whoever changes them ends this sign-in too or comes first.
    pub(super) async fn open(
        &self,
        account: &Account,
        place: &Place,
        second_factor: bool,
        entered: Entered<'_>,
    ) -> Result<SignedIn> {
        let viewer = place.viewer;
        let (token, hash) = token::generate().ok_or_else(|| Error::Internal("no randomness".to_owned()))?;
        let now = ids::now();
        let absolute = TimeDelta::from_std(self.lifetimes.absolute).unwrap_or(TimeDelta::hours(12));
        let expires_at = now + absolute;
        let mut accounts = self.pool.accounts().await?;
        let opened = Sql::<()>::new(
            "INSERT INTO sign_in (token_hash, account_id, org_id, staff_id, created_at, last_seen_at, expires_at, id, client, \
             from_address, by_cookie, proved_at, second_factor, network) SELECT ",
        )
        .bind(hash.to_vec())
        .text(", a.id, ")
        .bind(viewer.org)
        .text(", ")
        .bind(viewer.author()?)
        .text(", ")
        .bind(now)
        .text(", ")
        .bind(now)
        .text(", ")
        .bind(expires_at)
        .text(", ")
        .bind(ids::new_id())
        .text(", ")
        .bind(entered.client)
        .text(", ")
        .bind(entered.address)
        .text(", ")
        .bind(entered.by_cookie)
        .text(", ")
        .bind(now)
        .text(", ")
        .bind(second_factor)
        .text(", ")
        .bind(network_of(entered.address))
        .text(" FROM account a WHERE a.disabled_at IS NULL AND a.id = ")
        .bind(account.id)
        .text(" AND a.password_hash = ")
        .bind(account.password_hash.clone())
        .text(" AND (a.totp_confirmed_at IS NULL OR ")
        .bind(second_factor)
        .text(") FOR SHARE OF a")
        .execute(&mut accounts)
        .await?;
        if opened == 0 {
            return Err(Error::Unauthenticated(NotSignedIn::Unknown, REFUSED));
        }
        self.remember(hash, viewer.org);
        let enrolment_only = place.must_have_second_factor && !second_factor;
        Ok(SignedIn { token, expires_at, viewer, enrolment_only, enters: place.waits })
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

    /// Opens a scope for the owner of a token: a read-only consistent picture, or a write.
    pub async fn open_scope(&self, caller: Caller<'_>, writable: bool) -> Result<Scope> {
        if let Some(key) = caller.token.filter(|token| api_key::looks_like(token)) {
            let from = (caller.request_id, caller.address);
            return self.keyring.open_scope(key, from, caller.reason.is_some(), writable).await;
        }
        let token = caller.token.filter(|token| token::is_well_formed(token));
        let hash = token::hash(token.ok_or_else(held::unknown)?);
        let remembered = self.organisations.get(&hash);
        let mut held = match remembered {
            Some(_) => None,
            None => Some(self.held(hash).await?.ok_or_else(held::unknown)?),
        };
        let found = held.as_ref().and_then(Held::organisation);
        if let Some(org) = found {
            self.remember(hash, org);
        }
        if let Some(org) = remembered.or(found) {
            let by = By::Token(hash, caller.by_cookie);
            let opened = self.open_scope_by((org, by), caller.reason.is_some(), caller.request_id, writable).await?;
            if let Some((scope, last_seen_at)) = opened {
                let mut scope = let_in(scope, caller).await?;
                self.keep_alive(&mut scope, hash, last_seen_at, caller.background);
                return Ok(scope);
            }
            held = self.held(hash).await?;
        }
        let scope = self.open_held(held.ok_or_else(held::unknown)?, caller, writable).await?;
        let_in(scope, caller).await
    }

    /// What is known of a token: of a sign-in, whether or not it holds, or of one that waits for a code.
    async fn held(&self, hash: TokenHash) -> Result<Option<Held>> {
        held::look(&mut *self.pool.accounts().await?, hash).await
    }

    /// Opens a scope for a token that its sign-in has no more: one to read with, if it was replaced just now and the
    /// operation changes nothing. It proves nothing, and the idle clock goes on.
    async fn open_held(&self, held: Held, caller: Caller<'_>, writable: bool) -> Result<Scope> {
        let refusal = held.refusal(self.idle(), caller.by_cookie);
        let reads = held.reads_for(caller.by_cookie).filter(|_| !caller.changes && !writable);
        let Some((org, sign_in)) = reads else { return Err(refusal) };
        let by = By::Replaced(sign_in);
        let opened = self.open_scope_by((org, by), caller.reason.is_some(), caller.request_id, false).await?;
        Ok(opened.ok_or(refusal)?.0)
    }

    /// Opens a scope for the holder of a signed link, as the sign-in that it was given to would open one now.
    pub async fn open_scope_of(&self, holder: &Holder, request_id: &str, writable: bool) -> Result<Scope> {
        let by = By::SignIn(holder.sign_in);
        let opened = self.open_scope_by((holder.org, by), holder.reasoned, request_id, writable).await?;
        let Some((scope, _)) = opened else { return Err(Error::Forbidden(LINK_ENDED.to_owned())) };
        let viewer = scope.viewer();
        let other = viewer.staff != Some(holder.staff);
        if other || viewer.sign_in.is_none_or(|sign_in| sign_in.enrolment_only) {
            scope.rollback().await;
            return Err(Error::Forbidden(LINK_ENDED.to_owned()));
        }
        Ok(scope)
    }

    /// Opens a scope for a sign-in, with when it was last seen; `None` if it holds no more.
    async fn open_scope_by(
        &self,
        (org, by): (Uuid, By),
        reason_stated: bool,
        request_id: &str,
        writable: bool,
    ) -> Result<Option<(Scope, DateTime<Utc>)>> {
        let whose = self.whose(org, by, reason_stated);
        let (transaction, rows) = self.pool.begin(writable, org, &whose).await?;
        let found: Option<&ViewerRow> = rows.as_slice().first();
        let Some(((staff, role, last_seen_at, ends_at), (id, proved_at, enrolment_only), (opened, emergency, reasons))) =
            found
        else {
            transaction.rollback().await;
            return Ok(None);
        };
        let fresh = TimeDelta::from_std(self.lifetimes.reauthenticate_after).unwrap_or(TimeDelta::minutes(10));
        let proved_at = proved_at.filter(|_| !matches!(by, By::Replaced(_)));
        let sign_in = SignInMark {
            id: *id,
            proved_at,
            lately: proved_at.is_some_and(|proved_at| proved_at > ids::now() - fresh),
            enrolment_only: *enrolment_only,
            idle_ends_at: *last_seen_at + self.idle(),
            ends_at: *ends_at,
        };
        let viewer = Viewer {
            org,
            staff: Some(*staff),
            role: Some(*role),
            sign_in: Some(sign_in),
            emergency: *emergency,
            service: None,
        };
        let sight = Sight { all: opened == "all", emergencies: emergencies(reasons.as_ref())? };
        Ok(Some((Scope::new(viewer, request_id.to_owned(), transaction, writable, sight), *last_seen_at)))
    }

    /// Who pays for a request: the staff member or the service account of its token or key, if that holds; `None` for
    /// nobody's and for one that holds no more. The answer is remembered for some seconds, or until the token is refused.
    pub async fn payer(&self, caller: Caller<'_>) -> Result<Option<Uuid>> {
        let Some(key) = payer_key(caller) else { return Ok(None) };
        if let Some(payer) = self.payers.get(&key) {
            return Ok(Some(payer));
        }
        match self.open_scope(Caller { enrolling: true, reason: None, ..caller }, false).await {
            Ok(scope) => {
                let payer = scope.viewer().actor();
                scope.rollback().await;
                if let Some(payer) = payer {
                    self.payers.insert(key, payer);
                }
                Ok(payer)
            }
            Err(Error::Unauthenticated(..)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Notes that a token or key was refused: it pays for nothing more.
    pub fn forget_payer(&self, caller: Caller<'_>) {
        if let Some(key) = payer_key(caller) {
            self.payers.invalidate(&key);
        }
    }

    /// Whether a token or key was not refused since it last paid.
    pub fn is_payer(&self, caller: Caller<'_>) -> bool {
        payer_key(caller).is_some_and(|key| self.payers.contains_key(&key))
    }

    /// The organisation and service account of an API key that was met before, also of one that is refused now.
    pub fn known_key(&self, token: &str) -> Option<(Uuid, Uuid)> {
        if api_key::looks_like(token) { self.keyring.known(token) } else { None }
    }

    /// Asks whose sign-in it is, if it holds now: not ended, not expired, not idle too long, account and staff active. The
    /// same statement says which restricted patients are open to them, and whose clinical records alone somebody sees
    /// who has none but emergency access: the row policies ask for both, and without them show less.
    fn whose(&self, org: Uuid, by: By, reason_stated: bool) -> Sql<ViewerSql> {
        let now = ids::now();
        let mut sql = Sql::new(
            "SELECT s.id, s.role, i.last_seen_at, i.expires_at, i.id, i.proved_at, \
             a.totp_confirmed_at IS NULL AND s.role = ANY (o.second_factor_roles), ",
        );
        scope::push_opened(&mut sql, org, reason_stated, "coalesce(e.patients, '')");
        sql.push(format!(
            ", {ONLY_PATIENTS}, e.reasons FROM sign_in i JOIN account a ON a.id = i.account_id \
             JOIN staff s ON s.org_id = i.org_id AND s.id = i.staff_id JOIN organisation o ON o.org_id = i.org_id"
        ));
        push_emergencies(&mut sql, now);
        sql.push(" WHERE i.ended_at IS NULL AND a.disabled_at IS NULL AND s.active AND ");
        match by {
            By::Token(hash, by_cookie) => {
                sql.push("i.token_hash = ").push_bind(hash.to_vec()).push(" AND i.by_cookie = ").push_bind(by_cookie)
            }
            By::SignIn(id) | By::Replaced(id) => sql.push("i.id = ").push_bind(id),
        };
        sql.push(" AND s.org_id = ")
            .push_bind(org)
            .push(" AND i.expires_at > ")
            .push_bind(now)
            .push(" AND i.last_seen_at > ")
            .push_bind(now - self.idle());
        sql
    }

    fn idle(&self) -> TimeDelta {
        TimeDelta::from_std(self.lifetimes.idle).unwrap_or(TimeDelta::minutes(15))
    }

    /// Moves the idle clock, at most every fifteenth of the idle time, beside the request and not in its way. One in the
    /// background leaves it as it is: nobody sits before it.
    fn keep_alive(&self, scope: &mut Scope, hash: TokenHash, last_seen_at: DateTime<Utc>, background: bool) {
        let now = ids::now();
        let step = TimeDelta::from_std(self.lifetimes.idle / 15).unwrap_or(TimeDelta::minutes(1));
        if background || now - last_seen_at < step {
            return;
        }
        scope.idle_until(now + self.idle());
        let pool = self.pool.clone();
        tokio::spawn(async move {
            if let Ok(mut accounts) = pool.accounts().await {
                let _ = Sql::<()>::new("UPDATE sign_in SET last_seen_at = greatest(last_seen_at, ")
                    .bind(now)
                    .text(") WHERE ended_at IS NULL AND token_hash = ")
                    .bind(hash.to_vec())
                    .execute(&mut accounts)
                    .await;
            }
        });
    }
}
