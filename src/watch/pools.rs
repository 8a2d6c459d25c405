//! Pools of connections to the database.

use super::registrar::{Histograms, Registrar};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use std::time::Duration;

/// From an idle connection to longer than the default `--pool-wait`, in seconds.
const WAITS: [f64; 10] = [0.000_05, 0.000_25, 0.001, 0.005, 0.02, 0.1, 0.4, 0.8, 2.0, 5.0];

fn waits() -> Histogram {
    Histogram::new(WAITS)
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfPool {
    pool: &'static str,
}

/// The meters of all pools.
#[derive(Debug)]
pub(super) struct Pools {
    most: Family<OfPool, Gauge>,
    open: Family<OfPool, Gauge>,
    idle: Family<OfPool, Gauge>,
    waiting: Family<OfPool, Gauge>,
    waits: Histograms<OfPool>,
    refused: Family<OfPool, Counter>,
}

/// The meters of one pool.
#[derive(Debug, Clone)]
pub struct PoolMeters {
    most: Gauge,
    open: Gauge,
    idle: Gauge,
    waiting: Gauge,
    waits: Histogram,
    refused: Counter,
}

impl Pools {
    pub(super) fn new(registrar: &mut Registrar<'_>) -> Self {
        let mut gauge = |name, help| registrar.family(name, help, Family::<OfPool, Gauge>::default());
        Self {
            most: gauge("clinic_pool_connections_max", "Connections that a pool may have"),
            open: gauge("clinic_pool_connections", "Connections that are open"),
            idle: gauge("clinic_pool_connections_idle", "Open connections that nobody uses"),
            waiting: gauge("clinic_pool_waiting", "Requests that wait for a connection"),
            waits: registrar.family(
                "clinic_pool_wait_seconds",
                "How long it took to get a connection, opening it included",
                Family::new_with_constructor(waits as fn() -> Histogram),
            ),
            refused: registrar.family(
                "clinic_pool_refusals",
                "Requests that got no connection: none was free in time, or the database is away",
                Family::default(),
            ),
        }
    }

    pub(super) fn of(&self, pool: &'static str) -> PoolMeters {
        let pool = &OfPool { pool };
        PoolMeters {
            most: self.most.get_or_create_owned(pool),
            open: self.open.get_or_create_owned(pool),
            idle: self.idle.get_or_create_owned(pool),
            waiting: self.waiting.get_or_create_owned(pool),
            waits: self.waits.get_or_create_owned(pool),
            refused: self.refused.get_or_create_owned(pool),
        }
    }
}

impl PoolMeters {
    /// Notes how long somebody waited, and whether they got a connection.
    pub fn waited(&self, wait: Duration, got: bool) {
        self.waits.observe(wait.as_secs_f64());
        if !got {
            self.refused.inc();
        }
    }

    /// Sets how the pool is now: connections it may have, has, and has idle; and who waits.
    pub fn stands(&self, most: usize, open: usize, idle: usize, waiting: usize) {
        let numbers = [(&self.most, most), (&self.open, open), (&self.idle, idle), (&self.waiting, waiting)];
        for (gauge, number) in numbers {
            gauge.set(i64::try_from(number).unwrap_or(i64::MAX));
        }
    }
}
