//! The second factor: codes of an authenticator app (RFC 6238: SHA-1, 6 digits, 30 s, one step either way), and recovery
//! codes for the day the app is lost. Each code works once.

use super::account::{self, Account};
use super::sign_in::{Doorkeeper, Rotated, Rotation};
use super::throttle;
use super::{Caller, password};
use crate::db::Sql;
use crate::error::{Code, Error, Result};
use crate::ids;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rand::{Rng, TryRngCore};
use totp_rs::{Builder, Totp};
use uuid::Uuid;

/// The number of recovery codes.
const RECOVERY_CODES: usize = 10;
/// Letters and digits without look-alikes: 16 of these are 79 bits.
const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";

/// How a signed-in person confirms their identity.
pub enum Proof {
    /// Their password.
    Password(String),
    /// A code of their app, or a recovery code.
    Code(String),
}

/// A second factor that is being set up.
pub struct NewFactor {
    /// The secret in base 32, for an app that can't scan a picture.
    pub secret: String,
    /// `otpauth://totp/…`
    pub uri: String,
    /// The same as a QR code: a PNG.
    pub qr: Vec<u8>,
}

fn totp(secret: Vec<u8>, email: &str) -> Result<Totp> {
    let builder = Builder::new().with_digits(6).with_skew(1).with_step_duration(30).with_secret(secret);
    // A colon would end the name in the URI.
    let builder = builder.with_issuer(Some("Clinic")).with_account_name(email.replace(':', " "));
    builder.build().map_err(|error| Error::Internal(format!("a second factor can't be made: {error}")))
}

fn new_recovery_codes() -> Vec<String> {
    let mut random = rand::rng();
    let mut group = || -> String {
        (0..4).filter_map(|_| LETTERS.get(random.random_range(0..LETTERS.len()))).map(|b| char::from(*b)).collect()
    };
    (0..RECOVERY_CODES).map(|_| [group(), group(), group(), group()].join("-")).collect()
}

impl Doorkeeper {
    /// Accepts a code if it belongs to this account and is unused. Of several concurrent calls, only one succeeds.
    pub(super) async fn take_code(&self, account: &Account, code: &str) -> Result<bool> {
        let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let is_totp = code.len() == 6 && code.bytes().all(|digit| digit.is_ascii_digit());
        let (Some(sealed), true) = (&account.totp_secret, account.has_second_factor()) else { return Ok(false) };
        let now = ids::now();
        let taking = if is_totp {
            let totp = totp(self.seal().open(account.id, sealed)?, &account.email)?;
            let Some(step) = totp.check(&code, u64::try_from(now.timestamp()).unwrap_or(0)) else { return Ok(false) };
            let step = i64::try_from(step).unwrap_or(0);
            Sql::<()>::new("UPDATE account SET totp_last_step = ")
                .bind(step)
                .text(" WHERE totp_confirmed_at IS NOT NULL AND (totp_last_step IS NULL OR totp_last_step < ")
                .bind(step)
                .text(") AND totp_secret = ")
                .bind(sealed.clone())
                .text(" AND id = ")
                .bind(account.id)
        } else {
            Sql::<()>::new("UPDATE recovery_code SET used_at = ")
                .bind(now)
                .text(" WHERE used_at IS NULL AND account_id = ")
                .bind(account.id)
                .text(" AND code_hash = ")
                .bind(self.seal().recovery_hash(account.id, &code))
        };
        let mut accounts = self.pool().accounts().await?;
        Ok(taking.execute(&mut accounts).await? == 1)
    }

    /// Whether a signed-in person confirms their identity. A wrong password or code is counted, before it is checked,
    /// against that sign-in, so strangers who attack the account do not delay its owner.
    pub(super) async fn prove(&self, account: &Account, sign_in: Uuid, proof: Proof) -> Result<bool> {
        throttle::attempt_in(&mut *self.pool().accounts().await?, sign_in, ids::now()).await?;
        let right = match proof {
            Proof::Password(given) => password::verify(given, Some(account.password_hash.clone())).await?,
            Proof::Code(code) => self.take_code(account, &code).await?,
        };
        if right {
            throttle::succeeded_in(&mut *self.pool().accounts().await?, sign_in).await?;
        }
        Ok(right)
    }

    /// Begins to set up a second factor. It takes effect only after one of its codes was confirmed; beginning again
    /// discards the first.
    pub async fn begin_second_factor(&self, sign_in: Uuid) -> Result<NewFactor> {
        let account = self.owner(sign_in).await?;
        if account.has_second_factor() {
            return Err(Error::input(
                "input",
                Code::Done.says("there is a second factor already: take it away with removeSecondFactor"),
            ));
        }
        let mut secret = vec![0_u8; 20];
        rand::rngs::OsRng
            .try_fill_bytes(&mut secret)
            .map_err(|_| Error::Internal("the system gives no randomness".to_owned()))?;
        let sealed = self.seal().close(account.id, &secret)?;
        let totp = totp(secret, &account.email)?;
        let unshown = |error| Error::Internal(format!("a second factor can't be shown: {error}"));
        let (uri, qr) = (totp.to_url().map_err(unshown)?, totp.to_qr_png().map_err(unshown)?);
        let mut accounts = self.pool().accounts().await?;
        Sql::<()>::new("UPDATE account SET totp_secret = ")
            .bind(sealed)
            .text(", totp_last_step = NULL WHERE totp_confirmed_at IS NULL AND id = ")
            .bind(account.id)
            .execute(&mut accounts)
            .await?;
        Ok(NewFactor { secret: totp.secret().to_base32(), uri, qr })
    }

    /// Confirms the second factor being set up, with one of its codes, and returns the recovery codes. Every other
    /// sign-in of the account ends, and this one continues under a new token. `None` if the code is wrong.
    pub async fn confirm_second_factor(
        &self,
        caller: Caller<'_>,
        sign_in: Uuid,
        code: &str,
    ) -> Result<Option<(Vec<String>, Rotated)>> {
        let account = self.owner(sign_in).await?;
        let Some(sealed) = account.totp_secret.clone().filter(|_| !account.has_second_factor()) else {
            return Err(Error::input(
                "input.code",
                Code::WrongState.says("there is none to confirm: begin with beginSecondFactor"),
            ));
        };
        let now = ids::now();
        let mut accounts = self.pool().accounts().await?;
        throttle::attempt_in(&mut accounts, sign_in, now).await?;
        let totp = totp(self.seal().open(account.id, &sealed)?, &account.email)?;
        let Some(step) = totp.check(code.trim(), u64::try_from(now.timestamp()).unwrap_or(0)) else {
            return Ok(None);
        };
        throttle::succeeded_in(&mut accounts, sign_in).await?;
        drop(accounts);
        let places = account::places(&mut *self.pool().accounts().await?, account.id).await?;
        let places = self.active_places(&places, None).await?;
        let mut transaction = self.pool().write(self.organisation_of_caller(caller).await?).await?;
        let connection = transaction.connection()?;
        let confirmed = Sql::<()>::new("UPDATE account SET totp_confirmed_at = ")
            .bind(now)
            .text(", totp_last_step = ")
            .bind(i64::try_from(step).unwrap_or(0))
            .text(" WHERE totp_confirmed_at IS NULL AND totp_secret = ")
            .bind(sealed)
            .text(" AND id = ")
            .bind(account.id)
            .execute(connection)
            .await?;
        if confirmed == 0 {
            transaction.rollback().await;
            return Ok(None);
        }
        let codes = self.write_recovery_codes(transaction.connection()?, account.id).await?;
        let was_enrolling = places.iter().any(|place| place.must_have_second_factor);
        let rotation = Rotation { end_others: Some(account.id), second_factor: Some(true), was_enrolling };
        let rotated = self.rotate(transaction, caller, rotation).await?;
        Ok(Some((codes, rotated)))
    }

    async fn write_recovery_codes(&self, connection: &mut AsyncPgConnection, account: Uuid) -> Result<Vec<String>> {
        let now = ids::now();
        Sql::<()>::new("DELETE FROM recovery_code WHERE account_id = ").bind(account).execute(connection).await?;
        let codes = new_recovery_codes();
        for code in &codes {
            Sql::<()>::new("INSERT INTO recovery_code (account_id, code_hash, created_at) VALUES (")
                .bind(account)
                .text(", ")
                .bind(self.seal().recovery_hash(account, code))
                .text(", ")
                .bind(now)
                .text(")")
                .execute(connection)
                .await?;
        }
        Ok(codes)
    }

    /// Replaces the recovery codes with new ones.
    pub async fn renew_recovery_codes(&self, caller: Caller<'_>, sign_in: Uuid) -> Result<Vec<String>> {
        let account = self.owner(sign_in).await?;
        if !account.has_second_factor() {
            return Err(Error::input(
                "input",
                Code::WrongState.says("there is no second factor: set one up with beginSecondFactor"),
            ));
        }
        let mut transaction = self.pool().write(self.organisation_of_caller(caller).await?).await?;
        let codes = self.write_recovery_codes(transaction.connection()?, account.id).await?;
        transaction.commit().await?;
        Ok(codes)
    }

    /// Removes the second factor, unless its owner has a role somewhere that must have one. Every other sign-in of the
    /// account ends. `None` if the password or the code is wrong.
    pub async fn remove_second_factor(
        &self,
        caller: Caller<'_>,
        sign_in: Uuid,
        proof: Proof,
    ) -> Result<Option<Rotated>> {
        let account = self.owner(sign_in).await?;
        if !account.has_second_factor() {
            return Err(Error::input("input", Code::WrongState.says("there is no second factor")));
        }
        let places = account::places(&mut *self.pool().accounts().await?, account.id).await?;
        if self.active_places(&places, None).await?.iter().any(|place| place.must_have_second_factor) {
            return Err(Error::Forbidden("your role must have a second factor: it can't be taken away".to_owned()));
        }
        if !self.prove(&account, sign_in, proof).await? {
            return Ok(None);
        }
        let mut transaction = self.pool().write(self.organisation_of_caller(caller).await?).await?;
        drop_second_factor(transaction.connection()?, account.id).await?;
        let rotation = Rotation { end_others: Some(account.id), second_factor: Some(false), ..Rotation::default() };
        self.rotate(transaction, caller, rotation).await.map(Some)
    }

    /// Confirms the person's identity again. The sign-in continues under a new token. `None` if the password or the
    /// code is wrong.
    pub async fn confirm_identity(&self, caller: Caller<'_>, sign_in: Uuid, proof: Proof) -> Result<Option<Rotated>> {
        let account = self.owner(sign_in).await?;
        if !self.prove(&account, sign_in, proof).await? {
            return Ok(None);
        }
        let transaction = self.pool().write(self.organisation_of_caller(caller).await?).await?;
        self.rotate(transaction, caller, Rotation::default()).await.map(Some)
    }
}

/// Removes the second factor of an account: at its owner's request, or from the command line for somebody who lost
/// everything.
pub async fn drop_second_factor(connection: &mut AsyncPgConnection, account: Uuid) -> Result<()> {
    Sql::<()>::new(
        "UPDATE account SET totp_secret = NULL, totp_confirmed_at = NULL, totp_last_step = NULL WHERE id = ",
    )
    .bind(account)
    .execute(connection)
    .await?;
    Sql::<()>::new("DELETE FROM recovery_code WHERE account_id = ").bind(account).execute(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::seal::Seal;
    use super::*;

    #[test]
    fn recovery_codes_are_long_differ_and_are_read_however_they_are_written() {
        let codes = new_recovery_codes();
        let different: std::collections::BTreeSet<&String> = codes.iter().collect();
        assert_eq!((different.len(), codes.iter().all(|code| code.len() == 19)), (10, true), "{codes:?}");
        let (seal, account) = (Seal::new([7; 32], "second-factor"), Uuid::now_v7());
        let hash = seal.recovery_hash(account, "abcd-efgh-jkmn-pqrs");
        assert_eq!(hash, seal.recovery_hash(account, " ABCD efgh jkmnpqrs"));
        assert_ne!(hash, seal.recovery_hash(Uuid::now_v7(), "abcd-efgh-jkmn-pqrs"));
        assert_eq!(hash.len(), 32);
    }

    #[test]
    fn codes_are_those_of_the_rfc() {
        // RFC 6238, appendix B, SHA-1: the last six of its eight digits.
        let totp = totp(b"12345678901234567890".to_vec(), "a:b@c.example").expect("totp");
        assert_eq!(totp.check("287082", 59), Some(1));
        assert_eq!(totp.check("287082", 89), Some(1), "one step later");
        assert_eq!(totp.check("287082", 120), None, "two steps later");
        assert_eq!(totp.check("081804", 1_111_111_109), Some(37_037_036));
        assert!(totp.to_url().expect("a URI").starts_with("otpauth://totp/Clinic:a%20b"));
    }
}
