//! Those who stay connected: connections, subscriptions, and what they are told.

use super::registrar::Registrar;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use std::time::Duration;

/// From a write of this process to one whose reader was away, in seconds.
const LAGS: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0];

/// How somebody is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// By WebSocket.
    WebSocket,
    /// By server-sent events.
    Events,
}

impl Transport {
    fn word(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Events => "sse",
        }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct By {
    transport: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Why {
    why: &'static str,
}

/// The meters of those who stay connected.
#[derive(Debug)]
pub struct Live {
    connections: Family<By, Gauge>,
    closed: Family<Why, Counter>,
    subscriptions: Gauge,
    events: Counter,
    lag: Histogram,
}

impl Live {
    pub(super) fn new(registrar: &mut Registrar<'_>) -> Self {
        Self {
            connections: registrar.family(
                "clinic_live_connections",
                "Connections that stay open, by transport",
                Family::default(),
            ),
            closed: registrar.family("clinic_live_sockets_closed", "WebSockets that ended, by why", Family::default()),
            subscriptions: registrar.gauge("clinic_live_subscriptions", "Subscriptions under way"),
            events: registrar.counter("clinic_live_events", "Changes that subscriptions were told of"),
            lag: registrar.histogram(
                "clinic_live_lag_seconds",
                "From a change to the look that found it, of subscriptions that were up to date",
                &LAGS,
            ),
        }
    }

    /// Counts a connection until what this gives is dropped.
    pub fn connection(&self, transport: Transport) -> LiveConnection {
        LiveConnection::on(self.connections.get_or_create(&By { transport: transport.word() }).clone())
    }

    /// Notes why a WebSocket ended.
    pub fn closed(&self, why: &'static str) {
        self.closed.get_or_create(&Why { why }).inc();
    }

    /// Counts a subscription until what this gives is dropped.
    pub fn subscription(&self) -> LiveConnection {
        LiveConnection::on(self.subscriptions.clone())
    }

    /// Notes that a subscription was told of so many changes.
    pub fn told(&self, changes: usize) {
        self.events.inc_by(u64::try_from(changes).unwrap_or(u64::MAX));
    }

    /// Notes how long ago a change was when it was found.
    pub fn found_after(&self, lag: Duration) {
        self.lag.observe(lag.as_secs_f64());
    }
}

/// A connection, or a subscription, that is counted while it lasts.
#[derive(Debug)]
pub struct LiveConnection(Gauge);

impl LiveConnection {
    fn on(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for LiveConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}
