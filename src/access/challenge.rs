//! A sign-in whose password was right and that awaits a code.

use super::account::{self, Account};
use super::one_time::{self, Bearer, Purpose};
use super::sign_in::{Attempt, CODE_REFUSED, Doorkeeper, Entered, Outcome};
use super::throttle;
use crate::error::{Error, NotSignedIn, Result};
use crate::ids;
use uuid::Uuid;

/// How many codes may be tried after one right password.
const MOST_TRIES: i32 = 5;

const OVER: &str = "this challenge is over: it holds for 5 minutes, 5 tries and one sign-in. Begin again with signIn";

impl Doorkeeper {
    /// Makes a challenge. Completing it takes its token and a code, nothing else.
    pub(super) async fn challenge(&self, account: &Account, org: Uuid, staff: Uuid) -> Result<String> {
        let bearer = Bearer { account: account.id, org, staff };
        let mut accounts = self.pool().accounts().await?;
        Ok(one_time::make(&mut accounts, Purpose::SignIn, bearer).await?.token)
    }

    /// Completes a sign-in that awaits a code. The attempt is counted before the code is checked.
    pub async fn complete_sign_in(&self, challenge: &str, code: &str, entered: Entered<'_>) -> Result<Attempt> {
        let now = ids::now();
        let mut accounts = self.pool().accounts().await?;
        // The holder of the challenge knew the password, and may come from an address where the account is known; the
        // other limits are checked below.
        let Some(bearer) = one_time::look(&mut accounts, Purpose::SignIn, challenge).await? else {
            throttle::check_address(&mut accounts, entered.address, now).await?;
            throttle::refused(&mut accounts, entered.address, now).await?;
            return Err(Error::Unauthenticated(NotSignedIn::Unknown, OVER));
        };
        let Bearer { account, org, staff } = bearer;
        // Read before the challenge is used up. A password changed after this changes the hash that is signed in with;
        // one changed before has ended the challenge.
        let account = account::by_id(&mut accounts, account).await?;
        throttle::attempt(&mut accounts, &account.email, entered.address, now).await?.over_for_owner()?;
        if one_time::count_try(&mut accounts, Purpose::SignIn, challenge, MOST_TRIES).await?.is_none() {
            throttle::refused(&mut accounts, entered.address, now).await?;
            return Err(Error::Unauthenticated(NotSignedIn::Unknown, OVER));
        }
        let joined = account::places(&mut accounts, account.id).await?;
        drop(accounts);
        let places = vec![(org, staff)];
        if !self.take_code(&account, code).await? {
            let mut accounts = self.pool().accounts().await?;
            throttle::refused(&mut accounts, entered.address, now).await?;
            return Ok(Attempt::refused(Error::Unauthenticated(NotSignedIn::Unknown, CODE_REFUSED), places).by_code());
        }
        let mut accounts = self.pool().accounts().await?;
        throttle::succeeded(&mut accounts, &account.email, entered.address).await?;
        let used = one_time::use_up(&mut accounts, Purpose::SignIn, challenge).await?;
        drop(accounts);
        if !used {
            return Ok(Attempt::refused(Error::Unauthenticated(NotSignedIn::Unknown, OVER), places));
        }
        let outcome = match self.place(account.id, &joined, Some(org)).await {
            Ok(place) => self.open(&account, &place, true, entered).await.map(Outcome::SignedIn),
            Err(error) => Err(error),
        };
        Ok(Attempt { outcome, places, code_refused: false, unproved: None })
    }
}
