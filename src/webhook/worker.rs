//! Looks for webhooks that there is something for, and has it delivered. Every process of the service runs one; whoever
//! claims a webhook first delivers for it.

use super::deliver::Deliverer;
use super::schedule::Schedule;
use crate::access::lease::{self, Standing, Whose};
use crate::feed::Waiter;
use crate::ids;
use crate::operation::Service;
use crate::watch::Work;
use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::future::{BoxFuture, select_all};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

/// How often webhooks are looked at, while there are some, and while there are none.
const EVERY: Duration = Duration::from_secs(1);
const EVERY_IDLE: Duration = Duration::from_secs(5);
/// How long a webhook rests after a look that told it nothing, so that a busy ledger is not read without a pause.
const PAUSE: Duration = Duration::from_millis(200);
/// Webhooks that one process delivers for at a time. None holds a connection of the database while it waits for a receiver.
const MOST: usize = 32;
/// How long deliveries under way get to end when the service stops. One that is cut is made again under the same id.
const PATIENCE: Duration = Duration::from_secs(5);

/// The worker of a running service.
pub struct Worker {
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl Worker {
    /// Starts it.
    pub fn start(service: &Arc<Service>, schedule: Schedule) -> Self {
        let (stop, stops) = watch::channel(false);
        let (service, holder) = (Arc::clone(service), ids::new_id());
        let deliverer = Arc::new(Deliverer { service: Arc::clone(&service), schedule, holder, stops: stops.clone() });
        let desk = Desk { service, deliverer, busy: Arc::default(), waiters: HashMap::new(), tasks: JoinSet::new() };
        Self { stop, running: tokio::spawn(desk.run(stops)) }
    }

    /// Ends it: what is under way is ended and its lease given back, so that another process goes on at once.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        if timeout(PATIENCE, &mut self.running).await.is_err() {
            self.running.abort();
        }
    }
}

/// What is delivered for, until the value is dropped.
struct Busy(Arc<Mutex<HashSet<Whose>>>, Whose);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

struct Desk {
    service: Arc<Service>,
    deliverer: Arc<Deliverer>,
    busy: Arc<Mutex<HashSet<Whose>>>,
    /// One for each organisation with a webhook that may go on.
    waiters: HashMap<Uuid, Waiter>,
    tasks: JoinSet<()>,
}

impl Desk {
    async fn run(mut self, mut stops: watch::Receiver<bool>) {
        while !*stops.borrow() {
            let looked = lease::all(self.service.doorkeeper.pool()).await;
            let looked = self.service.watch.work.ran(Work::Webhooks, looked);
            if let Err(error) = &looked {
                tracing::debug!(?error, "webhooks can't be looked at now");
            }
            let standing = looked.unwrap_or_default();
            self.tell(&standing);
            let wait = self.take_up(&standing);
            let changed = self.service.webhooks.notified();
            tokio::select! {
                _ = stops.wait_for(|stops| *stops) => {}
                () = changed => {}
                () = further(&mut self.waiters, &wait.from) => {}
                Some(_) = self.tasks.join_next(), if !self.tasks.is_empty() => {}
                () = sleep(wait.at_most) => {}
            }
        }
        while self.tasks.join_next().await.is_some() {}
    }

    /// Sets the gauges.
    fn tell(&self, standing: &[Standing]) {
        let active = || standing.iter().filter(|it| it.status == "active");
        let failing = active().filter(|it| it.next_try_at.is_some()).count();
        let of = |status: &str| standing.iter().filter(|it| it.status == status).count();
        let oldest = active().filter_map(|it| it.oldest_at).min();
        let lag = oldest.and_then(|at| (ids::now() - at).to_std().ok()).unwrap_or_default();
        let delivering = active().count() - failing;
        self.service.watch.webhooks.stand([delivering, failing, of("paused"), of("disabled")], lag);
    }

    /// Has everything delivered that there is something for, and says what is waited for now.
    fn take_up(&mut self, standing: &[Standing]) -> Wait {
        let now = ids::now();
        let mut wait = Wait { at_most: if standing.is_empty() { EVERY_IDLE } else { EVERY }, from: HashMap::new() };
        let mut orgs = HashSet::new();
        for it in standing.iter().filter(|it| it.status == "active") {
            let org = it.whose.0;
            orgs.insert(org);
            if self.is_busy(it.whose) || !is_over(it.leased_until, now) {
                continue;
            }
            if let Some(left) = it.next_try_at.and_then(|at| (at - now).to_std().ok()).filter(|left| !left.is_zero()) {
                wait.at_most = wait.at_most.min(left);
                continue;
            }
            let tail = &self.service.tail;
            let waiter = self.waiters.entry(org).or_insert_with(|| tail.watch(org));
            let further = it.within || it.next_try_at.is_some() || waiter.beyond(it.seq).now_or_never() == Some(true);
            if further {
                self.deliver_for(it.whose);
            } else {
                let from = wait.from.entry(org).or_insert(it.seq);
                *from = it.seq.min(*from);
            }
        }
        self.waiters.retain(|org, _| orgs.contains(org));
        wait
    }

    fn is_busy(&self, whose: Whose) -> bool {
        let busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.len() >= MOST || busy.contains(&whose)
    }

    fn deliver_for(&mut self, whose: Whose) {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(whose);
        let (busy, deliverer) = (Busy(Arc::clone(&self.busy), whose), Arc::clone(&self.deliverer));
        let mut stops = deliverer.stops.clone();
        self.tasks.spawn(async move {
            let tried = deliverer.work(whose).await;
            if let Err(error) = &tried {
                let (organisation, webhook) = whose;
                tracing::warn!(?error, %organisation, %webhook, "a webhook could not be served: it is tried again");
            }
            if !tried.unwrap_or(false) {
                let _ = timeout(PAUSE, stops.wait_for(|stops| *stops)).await;
            }
            drop(busy);
        });
    }
}

/// What is waited for.
struct Wait {
    at_most: Duration,
    /// The entry from which on each ledger has something new for somebody.
    from: HashMap<Uuid, i64>,
}

fn is_over(until: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    until.is_none_or(|until| until <= now)
}

/// Returns once one of these ledgers goes on; never if there is none.
async fn further(waiters: &mut HashMap<Uuid, Waiter>, from: &HashMap<Uuid, i64>) {
    let waiting: Vec<BoxFuture<'_, bool>> =
        waiters.iter_mut().filter_map(|(org, waiter)| from.get(org).map(|seq| waiter.beyond(*seq).boxed())).collect();
    let went_on = !waiting.is_empty() && select_all(waiting).await.0;
    if !went_on {
        // None, or the service stops.
        std::future::pending::<()>().await;
    }
}
