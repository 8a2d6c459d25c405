//! The end of each ledger, for whoever waits for it to move. A write of this process tells of itself once it is committed;
//! what other processes write is asked for, a few times a second and only while somebody waits. Nothing happens within the
//! writing transaction.

use crate::db::Pool;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

/// How often the ends are asked for: what another process wrote is noticed so much later at most.
const EVERY: Duration = Duration::from_millis(250);
/// Those who wait at most, in one process. Each holds a connection of its own to it, and none to the database.
const MOST: usize = 1_000;
/// Those of one account.
const MOST_OF_ONE: usize = 20;

/// The ends of the ledgers that somebody waits for.
pub struct Tail {
    heads: Mutex<HashMap<Uuid, Head>>,
    places: Mutex<HashMap<Uuid, usize>>,
    wanted: Arc<Notify>,
    closed: watch::Sender<bool>,
}

/// The end of one ledger, as far as it is known, and how many wait for it.
struct Head {
    seq: watch::Sender<i64>,
    waiters: usize,
}

impl Tail {
    /// Starts asking for what other processes write.
    pub fn start(pool: Pool) -> Arc<Self> {
        let tail = Arc::new(Self::idle());
        tokio::spawn(follow(Arc::downgrade(&tail), pool));
        tail
    }

    fn idle() -> Self {
        Self {
            heads: Mutex::default(),
            places: Mutex::default(),
            wanted: Arc::default(),
            closed: watch::Sender::new(false),
        }
    }

    /// Tells that an entry with this number was committed.
    pub fn moved(&self, org: Uuid, seq: i64) {
        if let Some(head) = self.heads().get(&org) {
            head.seq.send_if_modified(|known| {
                let further = seq > *known;
                *known = seq.max(*known);
                further
            });
        }
    }

    /// Waits for a ledger from now on. Ask for it before you read, so that nothing comes between.
    pub fn watch(self: &Arc<Self>, org: Uuid) -> Waiter {
        let seq = {
            let mut heads = self.heads();
            let head = heads.entry(org).or_insert_with(|| Head { seq: watch::Sender::new(0), waiters: 0 });
            head.waiters += 1;
            head.seq.subscribe()
        };
        self.wanted.notify_one();
        Waiter { tail: Arc::clone(self), org, seq, closed: self.closed.subscribe() }
    }

    /// A place for somebody who waits; none while they have enough, or all are taken.
    pub fn place(self: &Arc<Self>, whose: Uuid) -> Option<Place> {
        let mut places = self.places();
        let all: usize = places.values().sum();
        let own = places.get(&whose).copied().unwrap_or(0);
        if all >= MOST || own >= MOST_OF_ONE {
            return None;
        }
        places.insert(whose, own + 1);
        Some(Place { tail: Arc::clone(self), whose })
    }

    /// Ends all waiting, for good: the service stops.
    pub fn close(&self) {
        self.closed.send_replace(true);
        self.wanted.notify_one();
    }

    /// Returns once all waiting has ended.
    pub async fn closed(&self) {
        // The sender is here as long as this is.
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
    }

    fn heads(&self) -> MutexGuard<'_, HashMap<Uuid, Head>> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn places(&self) -> MutexGuard<'_, HashMap<Uuid, usize>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who waits for one ledger.
pub struct Waiter {
    tail: Arc<Tail>,
    org: Uuid,
    seq: watch::Receiver<i64>,
    closed: watch::Receiver<bool>,
}

impl Waiter {
    /// Returns once the ledger goes on beyond this number: true; or once the service stops: false.
    pub async fn beyond(&mut self, seq: i64) -> bool {
        tokio::select! {
            biased;
            _ = self.closed.wait_for(|closed| *closed) => false,
            further = self.seq.wait_for(|head| *head > seq) => further.is_ok(),
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut heads = self.tail.heads();
        if let Some(head) = heads.get_mut(&self.org) {
            head.waiters -= 1;
            if head.waiters == 0 {
                heads.remove(&self.org);
            }
        }
    }
}

/// A place among those who wait, until it is dropped.
pub struct Place {
    tail: Arc<Tail>,
    whose: Uuid,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.tail.places();
        if let Some(own) = places.get_mut(&self.whose) {
            *own -= 1;
            if *own == 0 {
                places.remove(&self.whose);
            }
        }
    }
}

/// Asks for the ends that somebody waits for, until the service stops.
async fn follow(tail: Weak<Tail>, pool: Pool) {
    loop {
        let Some(here) = tail.upgrade() else { return };
        if *here.closed.borrow() {
            return;
        }
        let orgs: Vec<Uuid> = here.heads().keys().copied().collect();
        if orgs.is_empty() {
            let wanted = Arc::clone(&here.wanted);
            drop(here);
            wanted.notified().await;
            continue;
        }
        match pool.ledger_heads(orgs).await {
            Ok(heads) => heads.into_iter().for_each(|(org, seq)| here.moved(org, seq)),
            Err(error) => tracing::debug!(?error, "the ends of the ledgers can't be asked for"),
        }
        drop(here);
        tokio::time::sleep(EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn who_waits_is_told_once_the_ledger_is_further() {
        let tail = Arc::new(Tail::idle());
        let (ours, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut waiter = tail.watch(ours);
        tail.moved(other, 9);
        tail.moved(ours, 4);
        assert_eq!(waiter.beyond(4).now_or_never(), None, "that far it was read");
        assert_eq!(waiter.beyond(3).now_or_never(), Some(true), "what was told before is not lost");
        // An answer of the database may be older than what this process wrote.
        tail.moved(ours, 3);
        assert_eq!(waiter.beyond(3).now_or_never(), Some(true));
        let waiting = waiter.beyond(4);
        tail.moved(ours, 5);
        assert_eq!(waiting.now_or_never(), Some(true));
    }

    #[tokio::test]
    async fn nobody_waits_for_a_service_that_stops() {
        let tail = Arc::new(Tail::idle());
        let mut waiter = tail.watch(Uuid::nil());
        tail.close();
        assert_eq!(waiter.beyond(0).now_or_never(), Some(false));
        assert_eq!(tail.watch(Uuid::nil()).beyond(0).now_or_never(), Some(false));
    }

    #[test]
    fn who_left_is_not_asked_for() {
        let tail = Arc::new(Tail::idle());
        let (first, second) = (tail.watch(Uuid::nil()), tail.watch(Uuid::nil()));
        drop(first);
        assert_eq!(tail.heads().len(), 1);
        drop(second);
        assert_eq!(tail.heads().len(), 0);
    }

    #[test]
    fn places_are_bounded_for_each_and_for_all() {
        let tail = Arc::new(Tail::idle());
        let own: Vec<_> = (0..MOST_OF_ONE).map(|_| tail.place(Uuid::nil()).expect("a place")).collect();
        assert!(tail.place(Uuid::nil()).is_none());
        let others = (1..).map(|who| tail.place(Uuid::from_u128(who))).take_while(Option::is_some);
        let others: Vec<_> = others.collect();
        assert_eq!(own.len() + others.len(), MOST);
        drop(own);
        assert!(tail.place(Uuid::nil()).is_some());
        drop(others);
        assert!(tail.places().is_empty());
    }
}
