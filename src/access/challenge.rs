//! A sign-in whose password was right and whose code is awaited.

use super::account::{self, Account};
use super::sign_in::{Attempt, CODE_REFUSED, Doorkeeper, Entered, Outcome};
use super::throttle;
use super::token;
use crate::db::Sql;
use crate::error::{Error, Result};
use crate::ids;
use chrono::TimeDelta;
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// How long a code is waited for, in minutes.
const WAITS: i64 = 5;
/// Codes that may be tried with one right password.
const MOST_TRIES: i32 = 5;

const OVER: &str = "this challenge is over: it holds for 5 minutes, 5 tries and one sign-in. Begin again with signIn";

type Row = (Uuid, Uuid, Uuid);
type RowSql = (st::Uuid, st::Uuid, st::Uuid);

impl Doorkeeper {
    /// Makes a challenge: its token is all that somebody needs beside the code.
    pub(super) async fn challenge(&self, account: &Account, org: Uuid, staff: Uuid) -> Result<String> {
        let (token, hash) = token::generate().ok_or_else(|| Error::Internal("no randomness".to_owned()))?;
        let now = ids::now();
        let mut accounts = self.pool().accounts().await?;
        Sql::<()>::new("DELETE FROM sign_in_challenge WHERE expires_at < ")
            .bind(now)
            .text(" AND account_id = ")
            .bind(account.id)
            .execute(&mut accounts)
            .await?;
        Sql::<()>::new(
            "INSERT INTO sign_in_challenge (token_hash, account_id, org_id, staff_id, tries, created_at, expires_at) VALUES (",
        )
        .bind(hash.to_vec())
        .text(", ")
        .bind(account.id)
        .text(", ")
        .bind(org)
        .text(", ")
        .bind(staff)
        .text(", 0, ")
        .bind(now)
        .text(", ")
        .bind(now + TimeDelta::minutes(WAITS))
        .text(")")
        .execute(&mut accounts)
        .await?;
        Ok(token)
    }

    /// Ends a sign-in that waits for a code. The try is counted before the code is looked at.
    pub async fn complete_sign_in(&self, challenge: &str, code: &str, entered: Entered<'_>) -> Result<Attempt> {
        if !token::is_well_formed(challenge) {
            return Err(Error::Unauthenticated(OVER));
        }
        let (hash, now) = (token::hash(challenge).to_vec(), ids::now());
        let mut accounts = self.pool().accounts().await?;
        throttle::check_address(&mut accounts, entered.address, now).await?;
        let tried: Vec<Row> = Sql::<RowSql>::new("UPDATE sign_in_challenge SET tries = tries + 1 WHERE tries < ")
            .bind(MOST_TRIES)
            .text(" AND used_at IS NULL AND expires_at > ")
            .bind(now)
            .text(" AND token_hash = ")
            .bind(hash.clone())
            .text(" RETURNING account_id, org_id, staff_id")
            .load(&mut accounts)
            .await?;
        let Some((account, org, staff)) = tried.into_iter().next() else {
            throttle::refused(&mut accounts, entered.address, now).await?;
            return Err(Error::Unauthenticated(OVER));
        };
        // Read before the challenge is used up: a password that changes after this changes the hash that is signed in
        // with, one that changed before has ended the challenge.
        let account = account::by_id(&mut accounts, account).await?;
        throttle::attempt(&mut accounts, &account.email, entered.address, now).await?;
        drop(accounts);
        let places = vec![(org, staff)];
        if !self.take_code(&account, code).await? {
            let mut accounts = self.pool().accounts().await?;
            throttle::refused(&mut accounts, entered.address, now).await?;
            return Ok(Attempt::refused(Error::Unauthenticated(CODE_REFUSED), places).by_code());
        }
        let mut accounts = self.pool().accounts().await?;
        throttle::succeeded(&mut accounts, &account.email, entered.address).await?;
        let used = Sql::<()>::new("UPDATE sign_in_challenge SET used_at = ")
            .bind(now)
            .text(" WHERE used_at IS NULL AND token_hash = ")
            .bind(hash)
            .execute(&mut accounts)
            .await?;
        drop(accounts);
        if used == 0 {
            return Ok(Attempt::refused(Error::Unauthenticated(OVER), places));
        }
        let outcome = match self.place(&places, Some(org)).await {
            Ok(place) => self.open(&account, &place, true, entered).await.map(Outcome::SignedIn),
            Err(error) => Err(error),
        };
        Ok(Attempt { outcome, places, code_refused: false })
    }
}
