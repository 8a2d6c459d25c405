//! Requests over HTTP, by route. The route is the pattern in the program, never the path: a path may hold a token.

use super::registrar::{Histograms, Registrar};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use std::time::Instant;

/// From a health check to the deadline of a request, in seconds.
const DURATIONS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// The methods that any route takes.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "HEAD", "OPTIONS"];
/// What stands for anything that is not known: routes and methods are a client's words.
const OTHER: &str = "other";

pub(super) fn durations() -> Histogram {
    Histogram::new(DURATIONS)
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answered {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Route {
    route: &'static str,
}

/// The meters of requests.
#[derive(Debug)]
pub struct Requests {
    answered: Family<Answered, Counter>,
    took: Histograms<Route>,
    under_way: Gauge,
}

/// A request under way. Dropped without an answer (its client hung up) it is counted as 499, nginx's number for that.
pub struct Request<'w> {
    requests: &'w Requests,
    route: &'static str,
    method: &'static str,
    begun: Instant,
    status: u16,
}

impl Requests {
    pub(super) fn new(registrar: &mut Registrar<'_>) -> Self {
        let took = Family::new_with_constructor(durations as fn() -> Histogram);
        Self {
            answered: registrar.family(
                "clinic_http_requests",
                "Requests that were answered, by route and status; 499: the client hung up first",
                Family::default(),
            ),
            took: registrar.family(
                "clinic_http_request_duration_seconds",
                "From the head of a request to the head of its answer; bytes of photos come after",
                took,
            ),
            under_way: registrar.gauge("clinic_http_requests_under_way", "Requests that are not answered yet"),
        }
    }

    /// Starts the clock of a request. `known` are the routes that there are.
    pub fn begin(&self, route: Option<&str>, method: &str, known: &[&'static str]) -> Request<'_> {
        let one_of = |word: Option<&str>, words: &[&'static str]| {
            words.iter().find(|it| Some(**it) == word).copied().unwrap_or(OTHER)
        };
        self.under_way.inc();
        Request {
            requests: self,
            route: one_of(route, known),
            method: one_of(Some(method), &METHODS),
            begun: Instant::now(),
            status: 499,
        }
    }
}

impl Request<'_> {
    /// The route, or `other`.
    pub fn route(&self) -> &'static str {
        self.route
    }

    /// The method, or `other`.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// Ends it with this status.
    pub fn answered(mut self, status: u16) {
        self.status = status;
    }
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        let &mut Self { requests, route, method, begun, status } = self;
        requests.under_way.dec();
        requests.answered.get_or_create(&Answered { route, method, status }).inc();
        requests.took.get_or_create(&Route { route }).observe(begun.elapsed().as_secs_f64());
    }
}
