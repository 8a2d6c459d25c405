//! One-time tokens: handed out once, stored as a hash, with an expiry, used once. Password links, sign-ins that await a
//! code, and invitations are such tokens.

use super::token;
use crate::db::Sql;
use crate::error::{Error, Result};
use crate::ids;
use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types as st;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To set a new password.
    PasswordReset,
    /// To complete, with a code, a sign-in whose password was right.
    SignIn,
    /// To accept membership in an organisation.
    Invitation,
}

impl Purpose {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::PasswordReset => "password_reset",
            Self::SignIn => "sign_in",
            Self::Invitation => "invitation",
        }
    }

    fn holds(self) -> TimeDelta {
        match self {
            Self::PasswordReset => TimeDelta::hours(1),
            Self::SignIn => TimeDelta::minutes(5),
            Self::Invitation => TimeDelta::days(7),
        }
    }

    /// Whether a new token replaces the earlier ones of a staff member.
    fn newest_alone(self) -> bool {
        self != Self::SignIn
    }
}

/// The person a token is for: an account, as a staff member of an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bearer {
    /// The account.
    pub account: Uuid,
    /// The organisation.
    pub org: Uuid,
    /// The staff member in it.
    pub staff: Uuid,
}

/// Which tokens to end.
#[derive(Debug, Clone, Copy)]
pub(super) enum Whose {
    /// Those of an account, in all organisations.
    Account(Uuid),
    /// Those of a staff member: organisation and id.
    Staff(Uuid, Uuid),
}

/// A new token, shown only this once.
#[derive(Debug, Clone)]
pub struct OneTimeToken {
    /// The token.
    pub token: String,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
}

/// Makes a token, and deletes expired ones of the account. If only the newest token is valid, the caller has locked the
/// account, so that of two made at once the later replaces the earlier.
pub(super) async fn make(connection: &mut AsyncPgConnection, purpose: Purpose, bearer: Bearer) -> Result<OneTimeToken> {
    let (token, hash) = token::generate().ok_or_else(|| Error::Internal("no randomness".to_owned()))?;
    let now = ids::now();
    let expires_at = now + purpose.holds();
    let mut clearing = Sql::<()>::new("DELETE FROM one_time_token WHERE (expires_at < ").bind(now);
    if purpose.newest_alone() {
        clearing.push(" OR org_id = ").push_bind(bearer.org);
    }
    clearing.push(") AND purpose = ").push_bind(purpose.word());
    clearing.push(" AND account_id = ").push_bind(bearer.account);
    clearing.execute(connection).await?;
    Sql::<()>::new(
        "INSERT INTO one_time_token (token_hash, purpose, account_id, org_id, staff_id, tries, created_at, expires_at) \
         VALUES (",
    )
    .bind(hash.to_vec())
    .text(", ")
    .bind(purpose.word())
    .text(", ")
    .bind(bearer.account)
    .text(", ")
    .bind(bearer.org)
    .text(", ")
    .bind(bearer.staff)
    .text(", 0, ")
    .bind(now)
    .text(", ")
    .bind(expires_at)
    .text(")")
    .execute(connection)
    .await?;
    Ok(OneTimeToken { token, expires_at })
}

/// Appends the condition that it is this token, for this purpose, and still valid.
fn push_holds<R>(sql: &mut Sql<R>, purpose: Purpose, token: &str) {
    sql.push("used_at IS NULL AND expires_at > ")
        .push_bind(ids::now())
        .push(" AND purpose = ")
        .push_bind(purpose.word())
        .push(" AND token_hash = ")
        .push_bind(token::hash(token).to_vec());
}

type BearerSql = (st::Uuid, st::Uuid, st::Uuid);

async fn bearer(connection: &mut AsyncPgConnection, sql: Sql<BearerSql>) -> Result<Option<Bearer>> {
    let found: Vec<(Uuid, Uuid, Uuid)> = sql.load(connection).await?;
    Ok(found.into_iter().next().map(|(account, org, staff)| Bearer { account, org, staff }))
}

/// The person a valid token is for. Looking does not use it up.
pub(super) async fn look(connection: &mut AsyncPgConnection, purpose: Purpose, token: &str) -> Result<Option<Bearer>> {
    if !token::is_well_formed(token) {
        return Ok(None);
    }
    let mut sql = Sql::new("SELECT account_id, org_id, staff_id FROM one_time_token WHERE ");
    push_holds(&mut sql, purpose, token);
    bearer(connection, sql).await
}

/// The same, and counts an attempt: after `most` of them the token is over.
pub(super) async fn count_try(
    connection: &mut AsyncPgConnection,
    purpose: Purpose,
    token: &str,
    most: i32,
) -> Result<Option<Bearer>> {
    if !token::is_well_formed(token) {
        return Ok(None);
    }
    let mut sql = Sql::new("UPDATE one_time_token SET tries = tries + 1 WHERE tries < ").bind(most).text(" AND ");
    push_holds(&mut sql, purpose, token);
    sql.push(" RETURNING account_id, org_id, staff_id");
    bearer(connection, sql).await
}

/// Uses up a token. Of several concurrent calls, only one returns true.
pub(super) async fn use_up(connection: &mut AsyncPgConnection, purpose: Purpose, token: &str) -> Result<bool> {
    let mut sql = Sql::<()>::new("UPDATE one_time_token SET used_at = ").bind(ids::now()).text(" WHERE ");
    push_holds(&mut sql, purpose, token);
    Ok(sql.execute(connection).await? == 1)
}

/// Ends unused tokens.
pub(super) async fn end(connection: &mut AsyncPgConnection, purpose: Purpose, whose: Whose) -> Result<()> {
    let mut sql = Sql::<()>::new("UPDATE one_time_token SET used_at = ").bind(ids::now());
    sql.push(" WHERE used_at IS NULL AND purpose = ").push_bind(purpose.word());
    match whose {
        Whose::Account(account) => sql.push(" AND account_id = ").push_bind(account),
        Whose::Staff(org, staff) => sql.push(" AND org_id = ").push_bind(org).push(" AND staff_id = ").push_bind(staff),
    };
    sql.execute(connection).await?;
    Ok(())
}
