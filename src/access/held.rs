//! A token that opens nothing: what became of it. Who holds it may know; of a token that was never given, nobody learns
//! anything.

use super::one_time::Purpose;
use super::token::TokenHash;
use crate::db::Sql;
use crate::error::{Error, NotSignedIn, Result};
use crate::ids;
use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types as st;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

const UNKNOWN: &str = "sign in first: the request has no token that anybody knows";
const REVOKED: &str = "sign in again: this sign-in was ended";
const EXPIRED: &str = "sign in again: this sign-in has come to its end";
const IDLE: &str = "sign in again: this sign-in was not used for too long";
const CODE_AWAITED: &str = "this is the challenge of a sign-in that waits for a code: send both to completeSignIn";

/// A token that is in the database.
pub(super) struct Held {
    /// The organisation of its sign-in; none for a challenge.
    pub(super) org: Option<Uuid>,
    ended: bool,
    expires_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
    by_cookie: bool,
}

type Row = (Option<Uuid>, bool, DateTime<Utc>, DateTime<Utc>, bool);
type RowSql = (st::Nullable<st::Uuid>, st::Bool, st::Timestamptz, st::Timestamptz, st::Bool);

impl Held {
    /// Why a token that was looked for and opened nothing is not taken. What is neither ended nor over by its clocks is of
    /// an account that was disabled, or of a place that was closed.
    pub(super) fn refusal(&self, idle: TimeDelta, by_cookie: bool) -> Error {
        let now = ids::now();
        if self.org.is_none() {
            Error::Unauthenticated(NotSignedIn::SecondFactor, CODE_AWAITED)
        } else if self.by_cookie != by_cookie {
            unknown()
        } else if self.ended {
            revoked()
        } else if self.expires_at <= now {
            Error::Unauthenticated(NotSignedIn::Expired, EXPIRED)
        } else if self.last_seen_at <= now - idle {
            Error::Unauthenticated(NotSignedIn::Idle, IDLE)
        } else {
            revoked()
        }
    }
}

/// The one answer to a token that nobody was given, and to none.
pub(super) fn unknown() -> Error {
    Error::Unauthenticated(NotSignedIn::Unknown, UNKNOWN)
}

/// The answer to a token whose sign-in was ended.
pub(super) fn revoked() -> Error {
    Error::Unauthenticated(NotSignedIn::Revoked, REVOKED)
}

/// What is known of a token: of a sign-in, whether or not it holds, or of one that waits for a code.
pub(super) async fn look(connection: &mut AsyncPgConnection, hash: TokenHash) -> Result<Option<Held>> {
    let rows: Vec<Row> = Sql::<RowSql>::new(
        "SELECT org_id, ended_at IS NOT NULL, expires_at, last_seen_at, by_cookie FROM sign_in WHERE token_hash = ",
    )
    .bind(hash.to_vec())
    .text(" UNION ALL SELECT NULL, false, expires_at, created_at, false FROM one_time_token WHERE used_at IS NULL AND purpose = ")
    .bind(Purpose::SignIn.word())
    .text(" AND expires_at > ")
    .bind(ids::now())
    .text(" AND token_hash = ")
    .bind(hash.to_vec())
    .load(connection)
    .await?;
    Ok(rows.into_iter().next().map(|(org, ended, expires_at, last_seen_at, by_cookie)| Held {
        org,
        ended,
        expires_at,
        last_seen_at,
        by_cookie,
    }))
}
