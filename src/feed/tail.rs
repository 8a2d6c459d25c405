//! The end of each ledger, for whoever waits for it to move. A write of this process tells of itself once it is committed;
//! what other processes write is asked for, a few times a second and only while somebody waits. Nothing happens within the
//! writing transaction.

use crate::db::Pool;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, SemaphorePermit, watch};
use uuid::Uuid;

/// How often the ends are asked for: what another process wrote is noticed so much later at most.
const EVERY: Duration = Duration::from_millis(250);
/// Those who wait at most, in one process. Each holds a connection of its own to it, and none to the database.
const MOST: usize = 1_000;
/// Those of one account.
const MOST_OF_ONE: usize = 20;
/// Subscriptions of one person or program, and of all, in one process.
const MOST_FOLLOWED_BY_ONE: usize = 100;
const MOST_FOLLOWED: usize = 2_000;

/// The ends of the ledgers that somebody waits for.
pub struct Tail {
    heads: Mutex<HashMap<Uuid, Head>>,
    places: Mutex<Places>,
    followed: Mutex<Places>,
    /// Looks that followers may take at a time: the others' requests have the rest of the connections.
    looks: Semaphore,
    wanted: Arc<Notify>,
    closed: watch::Sender<bool>,
}

/// The end of one ledger, as far as it is known, and how many wait for it.
struct Head {
    seq: watch::Sender<i64>,
    waiters: usize,
}

impl Tail {
    /// Starts asking for what other processes write. `looks` is how many looks followers may take at a time.
    pub fn start(pool: Pool, looks: usize) -> Arc<Self> {
        let tail = Arc::new(Self::idle(looks));
        tokio::spawn(follow(Arc::downgrade(&tail), pool));
        tail
    }

    fn idle(looks: usize) -> Self {
        Self {
            heads: Mutex::default(),
            places: Mutex::default(),
            followed: Mutex::default(),
            looks: Semaphore::new(looks),
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
        self.take(Of::Waiting, whose)
    }

    /// A place for a subscription of somebody; none while they have enough, or all are taken.
    pub fn follow(self: &Arc<Self>, who: Uuid) -> Option<Place> {
        self.take(Of::Followed, who)
    }

    /// Waits for one's turn to look, in the order of asking.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.looks.acquire().await.ok()
    }

    fn take(self: &Arc<Self>, of: Of, whose: Uuid) -> Option<Place> {
        let (all_at_most, own_at_most) = match of {
            Of::Waiting => (MOST, MOST_OF_ONE),
            Of::Followed => (MOST_FOLLOWED, MOST_FOLLOWED_BY_ONE),
        };
        let mut places = self.places(of);
        let own = places.of.get(&whose).copied().unwrap_or(0);
        if places.all >= all_at_most || own >= own_at_most {
            return None;
        }
        places.all += 1;
        places.of.insert(whose, own + 1);
        Some(Place { tail: Arc::clone(self), of, whose })
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

    fn places(&self, of: Of) -> MutexGuard<'_, Places> {
        let places = match of {
            Of::Waiting => &self.places,
            Of::Followed => &self.followed,
        };
        places.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Places that are taken.
#[derive(Default)]
struct Places {
    all: usize,
    of: HashMap<Uuid, usize>,
}

/// What a place is for.
#[derive(Clone, Copy)]
enum Of {
    Waiting,
    Followed,
}

/// A place among those who wait or follow, until it is dropped.
pub struct Place {
    tail: Arc<Tail>,
    of: Of,
    whose: Uuid,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.tail.places(self.of);
        places.all -= 1;
        if let Some(own) = places.of.get_mut(&self.whose) {
            *own -= 1;
            if *own == 0 {
                places.of.remove(&self.whose);
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
        let tail = Arc::new(Tail::idle(1));
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
        let tail = Arc::new(Tail::idle(1));
        let mut waiter = tail.watch(Uuid::nil());
        tail.close();
        assert_eq!(waiter.beyond(0).now_or_never(), Some(false));
        assert_eq!(tail.watch(Uuid::nil()).beyond(0).now_or_never(), Some(false));
    }

    #[test]
    fn who_left_is_not_asked_for() {
        let tail = Arc::new(Tail::idle(1));
        let (first, second) = (tail.watch(Uuid::nil()), tail.watch(Uuid::nil()));
        drop(first);
        assert_eq!(tail.heads().len(), 1);
        drop(second);
        assert_eq!(tail.heads().len(), 0);
    }

    #[test]
    fn places_are_bounded_for_each_and_for_all() {
        let tail = Arc::new(Tail::idle(1));
        let own: Vec<_> = (0..MOST_OF_ONE).map(|_| tail.place(Uuid::nil()).expect("a place")).collect();
        assert!(tail.place(Uuid::nil()).is_none());
        let others = (1..).map(|who| tail.place(Uuid::from_u128(who))).take_while(Option::is_some);
        let others: Vec<_> = others.collect();
        assert_eq!(own.len() + others.len(), MOST);
        drop(own);
        assert!(tail.place(Uuid::nil()).is_some());
        drop(others);
        assert!(tail.places(Of::Waiting).of.is_empty() && tail.places(Of::Waiting).all == 0);
        // Who follows has places of another kind.
        let own: Vec<_> = (0..MOST_FOLLOWED_BY_ONE).map(|_| tail.follow(Uuid::nil()).expect("a place")).collect();
        assert!(tail.follow(Uuid::nil()).is_none() && tail.place(Uuid::nil()).is_some());
        let others = (1..).map(|who| tail.follow(Uuid::from_u128(who))).take_while(Option::is_some);
        assert_eq!(own.len() + others.collect::<Vec<_>>().len(), MOST_FOLLOWED);
    }
}
