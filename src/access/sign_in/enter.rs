//! Signing in: with a password, and a code where there is a second factor.

use super::{Attempt, CODE_REFUSED, Credentials, Doorkeeper, Entered, Outcome, Place, REFUSED, SignedIn};
use crate::access::account::{self, Account};
use crate::access::rate::network_of;
use crate::access::{password, throttle, token};
use crate::db::Sql;
use crate::error::{Code, Error, NotSignedIn, Result};
use crate::ids;
use crate::vocabulary::StaffRole;
use chrono::TimeDelta;
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// How an attempt ended, in a word.
fn outcome_of(attempt: &Result<Attempt>) -> &'static str {
    match attempt.as_ref().map(|attempt| &attempt.outcome) {
        Ok(Ok(Outcome::SignedIn(_))) => "signed_in",
        Ok(Ok(Outcome::CodeNeeded(_))) => "code_needed",
        Err(Error::RateLimited { .. }) | Ok(Err(Error::RateLimited { .. })) => "throttled",
        Ok(Err(Error::Unauthenticated(..))) => "refused",
        Ok(Err(_)) | Err(_) => "failed",
    }
}

impl Doorkeeper {
    /// Signs in. The attempt is counted before the password is checked, so that a burst can't outrun the count. If
    /// there is a second factor, the count is reset only when its code was right.
    ///
    /// Until the password is known to be right, the work and the waiting are the same whoever is tried: an e-mail
    /// without an account, a disabled account, or an account in many organisations.
    pub async fn sign_in(&self, with: Credentials<'_>, entered: Entered<'_>) -> Result<Attempt> {
        let attempt = self.attempt(with, entered).await;
        self.pool.watch().door.sign_in(outcome_of(&attempt));
        attempt
    }

    async fn attempt(&self, with: Credentials<'_>, entered: Entered<'_>) -> Result<Attempt> {
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

    /// The memberships of an account that are active.
    pub(in crate::access) async fn active_places(
        &self,
        places: &[(Uuid, Uuid)],
        wanted: Option<Uuid>,
    ) -> Result<Vec<Place>> {
        let mut active = Vec::new();
        for (org, staff) in places.iter().filter(|(org, _)| wanted.is_none_or(|wanted| wanted == *org)) {
            let role = Sql::<(st::Text, st::Bool)>::new(
                "SELECT s.role, s.role = ANY (o.second_factor_roles) FROM staff s JOIN organisation o ON o.org_id = s.org_id \
                 WHERE s.org_id = ",
            )
            .bind(*org)
            .text(" AND s.id = ")
            .bind(*staff)
            .text(" AND s.active AND (s.ends_on IS NULL OR s.ends_on >= ")
            .bind(ids::now().date_naive())
            .text(")");
            let (transaction, found) = self.pool.begin::<_, (StaffRole, bool)>(false, *org, &role).await?;
            transaction.commit().await?;
            let found = found.as_slice().first();
            active.extend(found.map(|(role, must_have)| Place::of(*org, *staff, *role, *must_have, false)));
        }
        Ok(active)
    }

    /// The pending membership of an account in an organisation: somebody was added there with a password but already
    /// had an account. Naming the organisation when signing in accepts it.
    async fn waiting_place(&self, account: Uuid, org: Uuid) -> Result<Option<Place>> {
        let sql = Sql::<(st::Uuid, st::Text, st::Bool)>::new(
            "SELECT s.id, s.role, s.role = ANY (o.second_factor_roles) FROM staff s JOIN organisation o ON o.org_id = s.org_id \
             WHERE s.org_id = ",
        )
        .bind(org)
        .text(" AND s.account_id = ")
        .bind(account)
        .text(" AND s.active AND s.joined_at IS NOT NULL AND (s.ends_on IS NULL OR s.ends_on >= ")
        .bind(ids::now().date_naive())
        .text(")");
        let (transaction, found) = self.pool.begin::<_, (Uuid, StaffRole, bool)>(false, org, &sql).await?;
        transaction.commit().await?;
        let found = found.as_slice().first();
        Ok(found.map(|(staff, role, must_have)| Place::of(org, *staff, *role, *must_have, true)))
    }

    /// The one membership that is meant.
    pub(in crate::access) async fn place(
        &self,
        account: Uuid,
        places: &[(Uuid, Uuid)],
        wanted: Option<Uuid>,
    ) -> Result<Place> {
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
                Code::Required
                    .says("this account works in several organisations: say which (ask its admin for the id)"),
            )),
        }
    }

    /// Opens a sign-in, if the account's password and second factor are still those that were checked. Its row is
    /// locked meanwhile, so that whoever changes them either ends this sign-in too or comes first.
    pub(in crate::access) async fn open(
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
}
