//! A token that no longer belongs to a sign-in: what became of it, and whether it may still read. Its holder may know;
//! for a token that was never issued, nobody learns anything.

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
const EXPIRED: &str = "sign in again: this sign-in has expired";
const IDLE: &str = "sign in again: this sign-in was not used for too long";
const REPLACED: &str = "a newer token took this one's place: send the request again with that one, and with the same Idempotency-Key if it \
     changes something (what stands before the error may have been done)";
const CODE_AWAITED: &str = "this is the challenge of a sign-in that waits for a code: send both to completeSignIn";

/// How long a replaced token may still read, so that requests under way are answered.
const READS_ON: TimeDelta = TimeDelta::seconds(30);
/// How long the fate of a token is remembered: longer than most sign-ins last.
const KEPT: TimeDelta = TimeDelta::days(1);

/// A token that is in the database.
pub(super) struct Held {
    /// The organisation of its sign-in; none for a challenge.
    org: Option<Uuid>,
    ended: bool,
    expires_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
    by_cookie: bool,
    /// The sign-in that continues under a newer token, and until when this token may read.
    replaced: Option<(Uuid, DateTime<Utc>)>,
}

type Row = ((Option<Uuid>, bool, bool), (DateTime<Utc>, DateTime<Utc>), (Option<Uuid>, Option<DateTime<Utc>>));
type RowSql = (
    (st::Nullable<st::Uuid>, st::Bool, st::Bool),
    (st::Timestamptz, st::Timestamptz),
    (st::Nullable<st::Uuid>, st::Nullable<st::Timestamptz>),
);

impl Held {
    /// The organisation of the sign-in that the token belongs to: none for a challenge or a replaced token.
    pub(super) fn organisation(&self) -> Option<Uuid> {
        self.org.filter(|_| self.replaced.is_none())
    }

    /// The sign-in for which a token, from the cookie or from the header, may still read.
    pub(super) fn reads_for(&self, by_cookie: bool) -> Option<(Uuid, Uuid)> {
        let reads = self.replaced.filter(|(_, until)| *until > ids::now() && self.by_cookie == by_cookie);
        self.org.zip(reads.map(|(sign_in, _)| sign_in))
    }

    /// Why a token that was looked up and gave no access is refused. If it is neither ended nor expired, its account
    /// was disabled or its membership closed.
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
        } else if self.replaced.is_some() {
            Error::Unauthenticated(NotSignedIn::Revoked, REPLACED)
        } else {
            revoked()
        }
    }
}

/// The single answer to a token that was never issued, and to a missing token.
pub(super) fn unknown() -> Error {
    Error::Unauthenticated(NotSignedIn::Unknown, UNKNOWN)
}

/// The answer to a token whose sign-in has ended.
pub(super) fn revoked() -> Error {
    Error::Unauthenticated(NotSignedIn::Revoked, REVOKED)
}

/// What is known about a token: that of a sign-in, valid or not, or of a challenge.
pub(super) async fn look(connection: &mut AsyncPgConnection, hash: TokenHash) -> Result<Option<Held>> {
    let rows: Vec<Row> = Sql::<RowSql>::new(
        "SELECT org_id, ended_at IS NOT NULL, by_cookie, expires_at, last_seen_at, NULL, NULL FROM sign_in \
         WHERE token_hash = ",
    )
    .bind(hash.to_vec())
    .text(
        " UNION ALL SELECT i.org_id, i.ended_at IS NOT NULL, i.by_cookie, i.expires_at, i.last_seen_at, i.id, \
         r.reads_until FROM replaced_token r JOIN sign_in i ON i.id = r.sign_in_id WHERE r.token_hash = ",
    )
    .bind(hash.to_vec())
    .text(
        " UNION ALL SELECT NULL, false, false, expires_at, created_at, NULL, NULL FROM one_time_token \
         WHERE used_at IS NULL AND purpose = ",
    )
    .bind(Purpose::SignIn.word())
    .text(" AND expires_at > ")
    .bind(ids::now())
    .text(" AND token_hash = ")
    .bind(hash.to_vec())
    .load(connection)
    .await?;
    Ok(rows.into_iter().next().map(|((org, ended, by_cookie), (expires_at, last_seen_at), (sign_in, until))| Held {
        org,
        ended,
        expires_at,
        last_seen_at,
        by_cookie,
        replaced: sign_in.zip(until),
    }))
}

/// Records a replaced token, in the transaction that replaces it.
pub(super) async fn keep(connection: &mut AsyncPgConnection, old: TokenHash, sign_in: Uuid) -> Result<()> {
    let now = ids::now();
    Sql::<()>::new("INSERT INTO replaced_token (token_hash, sign_in_id, replaced_at, reads_until) VALUES (")
        .bind(old.to_vec())
        .text(", ")
        .bind(sign_in)
        .text(", ")
        .bind(now)
        .text(", ")
        .bind(now + READS_ON)
        .text(")")
        .execute(connection)
        .await?;
    Ok(())
}

/// Stops the replaced tokens of an account from reading. Those of a sign-in that ends stop without this.
pub(super) async fn end(connection: &mut AsyncPgConnection, account: Uuid) -> Result<()> {
    let now = ids::now();
    Sql::<()>::new("UPDATE replaced_token AS r SET reads_until = ")
        .bind(now)
        .text(" FROM sign_in i WHERE i.id = r.sign_in_id AND r.reads_until > ")
        .bind(now)
        .text(" AND i.account_id = ")
        .bind(account)
        .execute(connection)
        .await?;
    Ok(())
}

/// Deletes the records of tokens that were replaced long ago.
pub(super) async fn sweep(connection: &mut AsyncPgConnection) -> Result<()> {
    Sql::<()>::new("DELETE FROM replaced_token WHERE replaced_at < ")
        .bind(ids::now() - KEPT)
        .execute(connection)
        .await?;
    Ok(())
}
