//! How meters are made: each is registered under its full name, with a sentence of help.

use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::atomic::AtomicU64;

/// A gauge of seconds, or of what else is no whole number.
pub type Seconds = Gauge<f64, AtomicU64>;
/// Histograms by labels.
pub type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// Registers meters.
pub struct Registrar<'r>(pub(super) &'r mut Registry);

impl Registrar<'_> {
    /// A number that only grows. `_total` comes with the text.
    pub fn counter(&mut self, name: &str, help: &str) -> Counter {
        self.keep(name, help, Counter::default())
    }

    /// A number that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &str) -> Gauge {
        self.keep(name, help, Gauge::default())
    }

    /// How values are spread, in steps up to each of `buckets`.
    pub fn histogram(&mut self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        self.keep(name, help, Histogram::new(buckets.iter().copied()))
    }

    /// One meter for each set of labels.
    pub fn family<L, M, C>(&mut self, name: &str, help: &str, family: Family<L, M, C>) -> Family<L, M, C>
    where
        L: EncodeLabelSet + Clone + Hash + Eq + Debug + Send + Sync + 'static,
        M: EncodeMetric + TypedMetric + Debug + Send + Sync + 'static,
        C: MetricConstructor<M> + Clone + Send + Sync + 'static,
        Family<L, M, C>: Metric,
    {
        self.keep(name, help, family)
    }

    /// Any meter.
    pub fn keep<M: Metric + Clone>(&mut self, name: &str, help: &str, meter: M) -> M {
        // The full stop comes with the text.
        self.0.register(name, help, meter.clone());
        meter
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Look {
    cache: &'static str,
    outcome: &'static str,
}

/// How often caches have what they are asked for.
#[derive(Debug)]
pub struct Caches(Family<Look, Counter>);

/// The look-ups in one cache.
#[derive(Debug, Clone, Default)]
pub struct Looks {
    hits: Counter,
    misses: Counter,
}

impl Caches {
    pub(super) fn new(registrar: &mut Registrar<'_>) -> Self {
        let help = "Look-ups in a cache of this process, by whether it had what was asked for";
        Self(registrar.family("clinic_cache_lookups", help, Family::default()))
    }

    /// The look-ups in a cache, by a name of its own.
    pub fn looks(&self, cache: &'static str) -> Looks {
        let of = |outcome| self.0.get_or_create_owned(&Look { cache, outcome });
        Looks { hits: of("hit"), misses: of("miss") }
    }
}

impl Looks {
    /// Counts what a look-up found, and gives it on.
    pub fn found<T>(&self, found: Option<T>) -> Option<T> {
        if found.is_some() { &self.hits } else { &self.misses }.inc();
        found
    }
}
