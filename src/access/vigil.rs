//! Whether the sign-ins and keys of those who stay connected still hold. A request asks for itself; somebody who stays would
//! not notice that they were signed out. One statement a second asks for all of a process, and none while nobody stays.

use super::{api_key, token};
use crate::db::{Pool, Sql};
use crate::error::Result;
use crate::ids;
use chrono::TimeDelta;
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use token::TokenHash;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

/// How often it is asked. Who is signed out is gone so much later at most.
const EVERY: Duration = Duration::from_secs(1);

/// Those who stay connected, by their tokens.
#[derive(Default)]
pub struct Vigil {
    kept: Mutex<HashMap<TokenHash, Kept>>,
    wanted: Arc<Notify>,
}

/// A token of somebody who stays.
struct Kept {
    /// The organisation of an API key; none for the token of a sign-in.
    key_of: Option<Uuid>,
    stays: usize,
    ended: watch::Sender<bool>,
}

impl Vigil {
    /// Starts asking. `idle` is the longest time without a request.
    pub fn start(pool: Pool, idle: Duration) -> Arc<Self> {
        let vigil = Arc::new(Self::default());
        let idle = TimeDelta::from_std(idle).unwrap_or(TimeDelta::minutes(15));
        tokio::spawn(follow(Arc::downgrade(&vigil), pool, idle));
        vigil
    }

    /// Watches over a token that held just now, in this organisation.
    pub fn keep(self: &Arc<Self>, token: &str, org: Uuid) -> Stay {
        let hash = token::hash(token);
        let key_of = api_key::looks_like(token).then_some(org);
        let ended = {
            let mut kept = self.kept();
            let kept = kept.entry(hash).or_insert_with(|| Kept { key_of, stays: 0, ended: watch::Sender::new(false) });
            kept.stays += 1;
            kept.ended.subscribe()
        };
        self.wanted.notify_one();
        Stay { vigil: Arc::clone(self), hash, ended }
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<TokenHash, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those whose tokens were asked for and hold no more.
    fn tell(&self, asked: &[(TokenHash, Option<Uuid>)], holding: &HashSet<TokenHash>) {
        let kept = self.kept();
        for (hash, _) in asked.iter().filter(|(hash, _)| !holding.contains(hash)) {
            if let Some(kept) = kept.get(hash) {
                kept.ended.send_replace(true);
            }
        }
    }
}

impl Drop for Vigil {
    fn drop(&mut self) {
        self.wanted.notify_one();
    }
}

/// Somebody who stays connected, until it is dropped.
pub struct Stay {
    vigil: Arc<Vigil>,
    hash: TokenHash,
    ended: watch::Receiver<bool>,
}

impl Stay {
    /// Returns once the token holds no more.
    pub async fn ended(&mut self) {
        if self.ended.wait_for(|ended| *ended).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        let mut kept = self.vigil.kept();
        if let Some(one) = kept.get_mut(&self.hash) {
            one.stays -= 1;
            if one.stays == 0 {
                kept.remove(&self.hash);
            }
        }
    }
}

async fn follow(vigil: Weak<Vigil>, pool: Pool, idle: TimeDelta) {
    loop {
        let Some(here) = vigil.upgrade() else { return };
        let asked: Vec<_> = here.kept().iter().map(|(hash, kept)| (*hash, kept.key_of)).collect();
        if asked.is_empty() {
            let wanted = Arc::clone(&here.wanted);
            drop(here);
            wanted.notified().await;
            continue;
        }
        match holding(&pool, &asked, idle).await {
            Ok(holding) => here.tell(&asked, &holding),
            // Nobody is sent away because the database does not answer.
            Err(error) => tracing::debug!(?error, "whether those who stay are still signed in can't be asked"),
        }
        drop(here);
        tokio::time::sleep(EVERY).await;
    }
}

/// Those of these tokens that still hold.
async fn holding(pool: &Pool, asked: &[(TokenHash, Option<Uuid>)], idle: TimeDelta) -> Result<HashSet<TokenHash>> {
    let mut keys: BTreeMap<Uuid, Vec<Vec<u8>>> = BTreeMap::new();
    let mut sign_ins = Vec::new();
    for (hash, key_of) in asked {
        match key_of {
            Some(org) => keys.entry(*org).or_default().push(hash.to_vec()),
            None => sign_ins.push(hash.to_vec()),
        }
    }
    let mut holding: Vec<Vec<u8>> = Vec::with_capacity(asked.len());
    if !sign_ins.is_empty() {
        holding.extend(sign_ins_that_hold(pool, sign_ins, idle).await?);
    }
    for (org, hashes) in keys {
        holding.extend(keys_that_hold(pool, org, hashes).await?);
    }
    Ok(holding.into_iter().filter_map(|hash| hash.try_into().ok()).collect())
}

/// Those of sign-ins, and those that were replaced just now and may read a little longer. A staff member who leaves has
/// their sign-ins ended.
async fn sign_ins_that_hold(pool: &Pool, hashes: Vec<Vec<u8>>, idle: TimeDelta) -> Result<Vec<Vec<u8>>> {
    let now = ids::now();
    let mut sql = Sql::<st::Binary>::new(
        "SELECT t.hash FROM (SELECT i.token_hash AS hash, i.* FROM sign_in i UNION ALL SELECT r.token_hash, i.* \
         FROM replaced_token r JOIN sign_in i ON i.id = r.sign_in_id WHERE r.reads_until > ",
    );
    sql.push_bind(now)
        .push(") AS t JOIN account a ON a.id = t.account_id WHERE t.hash = ANY (")
        .push_bind(hashes)
        .push(") AND t.ended_at IS NULL AND a.disabled_at IS NULL AND t.expires_at > ")
        .push_bind(now)
        .push(" AND t.last_seen_at > ")
        .push_bind(now - idle);
    Ok(sql.load(&mut *pool.accounts().await?).await?)
}

async fn keys_that_hold(pool: &Pool, org: Uuid, hashes: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
    let sql = Sql::<st::Binary>::new(
        "SELECT k.secret_hash FROM api_key k JOIN service_account a ON a.org_id = k.org_id AND a.id = k.service_account_id \
         WHERE k.org_id = ",
    )
    .bind(org)
    .text(" AND k.secret_hash = ANY (")
    .bind(hashes)
    .text(") AND a.active AND k.revoked_at IS NULL AND k.expires_at > ")
    .bind(ids::now());
    let (transaction, found) = pool.begin(false, org, &sql).await?;
    transaction.commit().await?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn who_holds_no_more_is_told_and_who_left_is_not_asked_for() {
        let vigil = Arc::new(Vigil::default());
        let (mut one, mut two) = (vigil.keep("one", Uuid::nil()), vigil.keep("two", Uuid::nil()));
        let again = vigil.keep("two", Uuid::nil());
        let asked: Vec<_> = vigil.kept().keys().map(|hash| (*hash, None)).collect();
        assert_eq!(asked.len(), 2);
        vigil.tell(&asked, &HashSet::from([token::hash("two")]));
        assert_eq!(one.ended().now_or_never(), Some(()));
        assert_eq!(two.ended().now_or_never(), None);
        drop(two);
        assert_eq!(vigil.kept().len(), 2, "somebody with that token is still there");
        drop((one, again));
        assert!(vigil.kept().is_empty());
    }
}
