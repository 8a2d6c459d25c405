//! Signing in and out, and who a token belongs to.

use super::scope::{Emergency, Scope, Sight, SignInMark, Viewer};
use super::throttle::{self, Counter};
use super::token::{self, TokenHash};
use super::{account, password};
use crate::db::{Pool, Sql};
use crate::error::{Error, Result};
use crate::ids;
use crate::vocabulary::StaffRole;
use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use moka::sync::Cache;
use std::time::Duration;
use uuid::Uuid;

/// One sentence for an unknown e-mail, a wrong password and a disabled account: they must not be told apart.
const REFUSED: &str = "the e-mail or the password is wrong";
const SIGN_IN_AGAIN: &str = "sign in first: the request has no valid token (it may have expired or been signed out)";

/// How long a sign-in lasts.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// Without a request.
    pub idle: Duration,
    /// Whatever happens.
    pub absolute: Duration,
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
}

/// What a sign-in attempt came to, with the organisations in whose access log it belongs.
pub struct Attempt {
    /// The sign-in, or why not.
    pub outcome: Result<SignedIn>,
    /// The organisation and staff of the account that was tried, where there is one.
    pub places: Vec<(Uuid, Uuid)>,
}

/// Everything sign-in needs: the pool, the lifetimes, and which organisation a token belongs to. That last fact never
/// changes in a token's life, so it may be remembered; whether the token still holds is asked for each request.
pub struct Doorkeeper {
    pool: Pool,
    lifetimes: Lifetimes,
    organisations: Cache<TokenHash, Uuid>,
}

/// Who sends a request, as far as the request itself tells.
#[derive(Debug, Clone, Copy, Default)]
pub struct Caller<'a> {
    /// Their token.
    pub token: Option<&'a str>,
    /// The id of the request.
    pub request_id: &'a str,
    /// The network address it came from.
    pub address: &'a str,
    /// Why they want to see a restricted patient, if they said so.
    pub reason: Option<&'a str>,
}

type ViewerRow =
    ((Uuid, StaffRole, DateTime<Utc>), (Uuid, Option<DateTime<Utc>>, bool), (String, bool, Option<String>));
type ViewerSql = (
    (st::Uuid, st::Text, st::Timestamptz),
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

/// Whose clinical records alone somebody sees who has none but emergency access.
const ONLY_PATIENTS: &str = "set_config('app.only_patients', CASE WHEN s.role = 'front_desk' THEN coalesce(e.patients, '') \
                             ELSE '' END, true) <> ''";

fn emergencies(reasons: Option<&String>) -> Result<Vec<Emergency>> {
    Ok(reasons.map_or_else(|| Ok(Vec::new()), |reasons| serde_json::from_str(reasons))?)
}

impl Doorkeeper {
    /// Makes one.
    pub fn new(pool: Pool, lifetimes: Lifetimes) -> Self {
        Self { pool, lifetimes, organisations: Cache::new(100_000) }
    }

    /// The pool, for what is not a request.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Signs in. The attempt is counted before the password is looked at, so a burst can't outrun the count.
    pub async fn sign_in(&self, email: &str, secret: String, org: Option<Uuid>, address: &str) -> Result<Attempt> {
        let email = email.trim().to_lowercase();
        let now = ids::now();
        let found = {
            let mut accounts = self.pool.accounts().await?;
            throttle::check(&mut accounts, Counter::Address(address), now).await?;
            throttle::check(&mut accounts, Counter::Email(&email), now).await?;
            throttle::failed(&mut accounts, Counter::Email(&email), now).await?;
            account::find(&mut accounts, &email).await?
        };
        let hash = found.as_ref().map(|account| account.password_hash.clone());
        let right = password::verify(secret, hash).await?;
        let mut accounts = self.pool.accounts().await?;
        let Some(found) = found else {
            throttle::failed(&mut accounts, Counter::Address(address), now).await?;
            return Ok(Attempt { outcome: Err(Error::Unauthenticated(REFUSED)), places: Vec::new() });
        };
        let places = account::places(&mut accounts, found.id).await?;
        if !right || found.disabled_at.is_some() {
            throttle::failed(&mut accounts, Counter::Address(address), now).await?;
            return Ok(Attempt { outcome: Err(Error::Unauthenticated(REFUSED)), places });
        }
        throttle::succeeded(&mut accounts, &email).await?;
        drop(accounts);
        let outcome = self.open(&found, &places, org).await;
        Ok(Attempt { outcome, places })
    }

    async fn open(
        &self,
        account: &account::Account,
        places: &[(Uuid, Uuid)],
        wanted: Option<Uuid>,
    ) -> Result<SignedIn> {
        let mut active = Vec::new();
        for (org, staff) in places.iter().filter(|(org, _)| wanted.is_none_or(|wanted| wanted == *org)) {
            let role = Sql::<st::Text>::new("SELECT role FROM staff WHERE org_id = ")
                .bind(*org)
                .text(" AND id = ")
                .bind(*staff)
                .text(" AND active");
            let (transaction, role) = self.pool.begin::<_, StaffRole>(false, *org, &role).await?;
            transaction.commit().await?;
            active.extend(role.as_slice().first().map(|role| Viewer {
                org: *org,
                staff: Some(*staff),
                role: Some(*role),
                sign_in: None,
                emergency: false,
            }));
        }
        let viewer = match active.as_slice() {
            [] => return Err(Error::Unauthenticated(REFUSED)),
            [only] => *only,
            _ => {
                return Err(Error::input(
                    "input.organisationId",
                    "this account works in several organisations: say which (ask its admin for the id)",
                ));
            }
        };
        let (token, hash) = token::generate().ok_or_else(|| Error::Internal("no randomness".to_owned()))?;
        let now = ids::now();
        let absolute = TimeDelta::from_std(self.lifetimes.absolute).unwrap_or(TimeDelta::hours(12));
        let expires_at = now + absolute;
        let mut accounts = self.pool.accounts().await?;
        Sql::<()>::new(
            "INSERT INTO sign_in (token_hash, account_id, org_id, staff_id, created_at, last_seen_at, expires_at) VALUES (",
        )
        .bind(hash.to_vec())
        .text(", ")
        .bind(account.id)
        .text(", ")
        .bind(viewer.org)
        .text(", ")
        .bind(viewer.author()?)
        .text(", ")
        .bind(now)
        .text(", ")
        .bind(now)
        .text(", ")
        .bind(expires_at)
        .text(")")
        .execute(&mut accounts)
        .await?;
        self.organisations.insert(hash, viewer.org);
        Ok(SignedIn { token, expires_at, viewer })
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
        let token = caller.token.filter(|token| token::is_well_formed(token));
        let hash = token::hash(token.ok_or(Error::Unauthenticated(SIGN_IN_AGAIN))?);
        let org = self.organisation_of(hash).await?;
        let whose = self.whose(org, hash, caller.reason.is_some());
        let (transaction, rows) = self.pool.begin(writable, org, &whose).await?;
        let found: Option<&ViewerRow> = rows.as_slice().first();
        let Some(((staff, role, last_seen_at), (id, proved_at, enrolment_only), (opened, emergency, reasons))) = found
        else {
            transaction.rollback().await;
            return Err(Error::Unauthenticated(SIGN_IN_AGAIN));
        };
        self.keep_alive(hash, *last_seen_at);
        let sign_in = SignInMark { id: *id, proved_at: *proved_at, enrolment_only: *enrolment_only };
        let viewer =
            Viewer { org, staff: Some(*staff), role: Some(*role), sign_in: Some(sign_in), emergency: *emergency };
        let sight = Sight { all: opened == "all", emergencies: emergencies(reasons.as_ref())? };
        Ok(Scope::new(viewer, caller.request_id.to_owned(), transaction, writable, sight))
    }

    /// Opens a scope for a staff member whom a signed link names: they must be active still, and so must their account.
    pub async fn open_scope_of(&self, org: Uuid, staff: Uuid, request_id: &str, writable: bool) -> Result<Scope> {
        // The address was made for somebody who had been shown the record: a restriction was answered for then.
        let mut who = Sql::<(st::Text, st::Text, st::Bool, st::Nullable<st::Text>)>::new(format!(
            "SELECT s.role, set_config('app.opened', 'all', true), {ONLY_PATIENTS}, e.reasons FROM staff s \
             JOIN account_membership m ON m.org_id = s.org_id AND m.staff_id = s.id JOIN account a ON a.id = m.account_id"
        ));
        push_emergencies(&mut who, ids::now());
        who.push(" WHERE s.active AND a.disabled_at IS NULL AND s.org_id = ").push_bind(org);
        who.push(" AND s.id = ").push_bind(staff);
        let (transaction, roles) =
            self.pool.begin::<_, (StaffRole, String, bool, Option<String>)>(writable, org, &who).await?;
        let Some((role, _, emergency, reasons)) = roles.into_iter().next() else {
            transaction.rollback().await;
            return Err(Error::Forbidden("who asked for this address works here no more".to_owned()));
        };
        let viewer = Viewer { org, staff: Some(staff), role: Some(role), sign_in: None, emergency };
        let sight = Sight { all: true, emergencies: emergencies(reasons.as_ref())? };
        Ok(Scope::new(viewer, request_id.to_owned(), transaction, writable, sight))
    }

    async fn organisation_of(&self, hash: TokenHash) -> Result<Uuid> {
        if let Some(org) = self.organisations.get(&hash) {
            return Ok(org);
        }
        let mut accounts = self.pool.accounts().await?;
        let found: Vec<Uuid> = Sql::<st::Uuid>::new("SELECT org_id FROM sign_in WHERE token_hash = ")
            .bind(hash.to_vec())
            .load(&mut accounts)
            .await?;
        let org = *found.as_slice().first().ok_or(Error::Unauthenticated(SIGN_IN_AGAIN))?;
        self.organisations.insert(hash, org);
        Ok(org)
    }

    /// Asks whose token it is, if it holds now: not ended, not expired, not idle too long, account and staff active. The
    /// same statement says which restricted patients are open to them, and whose clinical records alone somebody sees
    /// who has none but emergency access: the row policies ask for both, and without them show less.
    fn whose(&self, org: Uuid, hash: TokenHash, reason_stated: bool) -> Sql<ViewerSql> {
        let now = ids::now();
        let idle = TimeDelta::from_std(self.lifetimes.idle).unwrap_or(TimeDelta::minutes(15));
        let mut sql = Sql::new(
            "SELECT s.id, s.role, i.last_seen_at, i.id, i.proved_at, i.enrolment_only, set_config('app.opened', CASE WHEN ",
        );
        sql.push_bind(reason_stated)
            .push(" OR NOT EXISTS (SELECT FROM patient_restriction r WHERE r.lifted_at IS NULL AND r.org_id = ")
            .push_bind(org)
            .push(format!(
                ") THEN 'all' ELSE coalesce(e.patients, '') END, true), {ONLY_PATIENTS}, e.reasons \
                 FROM sign_in i JOIN account a ON a.id = i.account_id \
                 JOIN staff s ON s.org_id = i.org_id AND s.id = i.staff_id"
            ));
        push_emergencies(&mut sql, now);
        sql.push(" WHERE i.ended_at IS NULL AND a.disabled_at IS NULL AND s.active AND i.token_hash = ")
            .push_bind(hash.to_vec())
            .push(" AND s.org_id = ")
            .push_bind(org)
            .push(" AND i.expires_at > ")
            .push_bind(now)
            .push(" AND i.last_seen_at > ")
            .push_bind(now - idle);
        sql
    }

    /// Moves the idle clock, at most every fifteenth of the idle time, beside the request and not in its way.
    fn keep_alive(&self, hash: TokenHash, last_seen_at: DateTime<Utc>) {
        let now = ids::now();
        let step = TimeDelta::from_std(self.lifetimes.idle / 15).unwrap_or(TimeDelta::minutes(1));
        if now - last_seen_at < step {
            return;
        }
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
