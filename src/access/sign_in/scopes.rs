//! Opening a scope for who comes with a token, or with a link that a sign-in was given.

use super::{Caller, Doorkeeper};
use crate::access::api_key;
use crate::access::held::{self, Held};
use crate::access::scope::Scope;
use crate::access::sight::{self, Emergency, Sight};
use crate::access::token::{self, TokenHash};
use crate::access::viewer::{SignInMark, Viewer};
use crate::db::Sql;
use crate::error::{Error, Result};
use crate::ids;
use crate::objects::Holder;
use crate::vocabulary::StaffRole;
use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

const LINK_ENDED: &str = "this address was given to a sign-in that holds no more: sign in and ask for a new one";

/// How a sign-in is identified.
#[derive(Debug, Clone, Copy)]
enum By {
    /// Its token, and whether that came in the cookie.
    Token(TokenHash, bool),
    /// By id: for a signed link that the sign-in was given.
    SignIn(Uuid),
    /// By id: for a replaced token, which proves nothing.
    Replaced(Uuid),
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

/// FORBIDDEN for a viewer who must first set up a second factor, unless the request does that.
async fn let_in(scope: Scope, caller: Caller<'_>) -> Result<Scope> {
    if scope.viewer().sign_in.is_some_and(|sign_in| sign_in.enrolment_only) && !caller.enrolling {
        scope.rollback().await;
        return Err(Error::SecondFactorMissing);
    }
    Ok(scope)
}

/// The patients whose clinical records are visible to a viewer with no right to them but emergency access.
const ONLY_PATIENTS: &str = "set_config('app.only_patients', CASE WHEN s.role = 'front_desk' THEN coalesce(e.patients, '') \
                             ELSE '' END, true) <> ''";

fn emergencies(reasons: Option<&String>) -> Result<Vec<Emergency>> {
    Ok(reasons.map_or_else(|| Ok(Vec::new()), |reasons| serde_json::from_str(reasons))?)
}

impl Doorkeeper {
    /// Opens a scope for the owner of a token: a read-only consistent snapshot, or a write.
    pub async fn open_scope(&self, caller: Caller<'_>, writable: bool) -> Result<Scope> {
        if let Some(key) = caller.token.filter(|token| api_key::looks_like(token)) {
            let from = (caller.request_id, caller.address);
            return self.keyring.open_scope(key, from, caller.reason.is_some(), writable).await;
        }
        let token = caller.token.filter(|token| token::is_well_formed(token));
        let hash = token::hash(token.ok_or_else(held::unknown)?);
        let remembered = self.organisation_looks.found(self.organisations.get(&hash));
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

    /// Opens a scope for a token that its sign-in no longer has: for reading only, if it was replaced just now and the
    /// operation changes nothing. It proves nothing, and the idle time continues.
    async fn open_held(&self, held: Held, caller: Caller<'_>, writable: bool) -> Result<Scope> {
        let refusal = held.refusal(self.idle(), caller.by_cookie);
        let reads = held.reads_for(caller.by_cookie).filter(|_| !caller.changes && !writable);
        let Some((org, sign_in)) = reads else { return Err(refusal) };
        let by = By::Replaced(sign_in);
        let opened = self.open_scope_by((org, by), caller.reason.is_some(), caller.request_id, false).await?;
        Ok(opened.ok_or(refusal)?.0)
    }

    /// Opens a scope for the holder of a signed link, as the sign-in that the link was given to would open one now.
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

    /// Opens a scope for a sign-in, with the time it was last seen; `None` if it is no longer valid.
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

    /// Asks whose sign-in it is, if it is valid now: not ended, not expired, not idle too long, account and staff
    /// active. The same statement tells which restricted patients are open to the viewer, and which clinical records
    /// are visible to a viewer who has only emergency access: the row policies need both, and without them show less.
    fn whose(&self, org: Uuid, by: By, reason_stated: bool) -> Sql<ViewerSql> {
        let now = ids::now();
        let mut sql = Sql::new(
            "SELECT s.id, s.role, i.last_seen_at, i.expires_at, i.id, i.proved_at, \
             a.totp_confirmed_at IS NULL AND s.role = ANY (o.second_factor_roles), ",
        );
        sight::push_opened(&mut sql, org, reason_stated, "coalesce(e.patients, '')");
        sql.push(format!(
            ", {ONLY_PATIENTS}, e.reasons FROM sign_in i JOIN account a ON a.id = i.account_id \
             JOIN staff s ON s.org_id = i.org_id AND s.id = i.staff_id JOIN organisation o ON o.org_id = i.org_id"
        ));
        push_emergencies(&mut sql, now);
        sql.push(
            " WHERE i.ended_at IS NULL AND a.disabled_at IS NULL AND s.active AND (s.ends_on IS NULL OR s.ends_on >= ",
        )
        .push_bind(now.date_naive())
        .push(") AND ");
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

    /// Restarts the idle time, at most every fifteenth of it and without delaying the request. A background request
    /// leaves it as it is.
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
