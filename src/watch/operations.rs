//! GraphQL operations, by name and outcome; and the gate in front of them.

use super::registrar::{Histograms, Registrar};
use super::requests::durations;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// The number of names that are told apart: the schema has some 200 root fields, a front end some hundred documents. A
/// name makes up to 15 series of its durations, and one for each code.
const MOST_NAMES: usize = 500;
/// What is beyond them.
const OTHER: &str = "other";
/// The operation of what is refused before it is known.
pub const UNKNOWN: &str = "unknown";
/// How long a name may be; longer ones are `other`.
const LONGEST_NAME: usize = 100;
/// From the cached document of a small query to the largest that is taken, in seconds.
const GATE: [f64; 9] = [0.000_005, 0.000_02, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.005, 0.02, 0.1];
/// Points: the default limit of an operation is 50,000.
const COSTS: [f64; 9] = [10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0, 30_000.0, 100_000.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answered {
    operation: Arc<str>,
    kind: &'static str,
    code: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Named {
    operation: Arc<str>,
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Refused {
    code: &'static str,
}

/// The meters of operations.
#[derive(Debug)]
pub struct Operations {
    names: RwLock<HashSet<Arc<str>>>,
    answered: Family<Answered, Counter>,
    took: Histograms<Named>,
    cost: Histogram,
    refused: Family<Refused, Counter>,
    gate: Histogram,
}

/// An operation that was asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its name, as `Operations::name` gave it.
    pub name: Arc<str>,
    /// `query`, `mutation`, or `unknown`.
    pub kind: &'static str,
    begun: Instant,
}

impl Operations {
    pub(super) fn new(registrar: &mut Registrar<'_>) -> Self {
        let took = Family::new_with_constructor(durations as fn() -> Histogram);
        Self {
            names: RwLock::default(),
            answered: registrar.family(
                "clinic_operations",
                "GraphQL operations that were answered, by name and by the code of their first error (ok: none)",
                Family::default(),
            ),
            took: registrar.family(
                "clinic_operation_duration_seconds",
                "From the gate to the answer of an operation, its rows in the access log included",
                took,
            ),
            cost: registrar.histogram(
                "clinic_operation_cost_points",
                "The price of operations that were let in",
                &COSTS,
            ),
            refused: registrar.family(
                "clinic_gate_refusals",
                "Documents and variables that the gate refused, by code",
                Family::default(),
            ),
            gate: registrar.histogram("clinic_gate_duration_seconds", "The gate's time for an operation", &GATE),
        }
    }

    /// The name that an operation has in labels: that of a persisted document, which the operator's own file holds, or the
    /// root field, which is the schema's word. A name that a client made up could say anything, and is none of these.
    pub fn name(&self, trusted: &str) -> Arc<str> {
        let known = |names: &HashSet<Arc<str>>| names.get(trusted).cloned();
        if let Some(name) = known(&self.names.read().unwrap_or_else(PoisonError::into_inner)) {
            return name;
        }
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = known(&names) {
            return name;
        }
        if trusted.is_empty() || trusted.len() > LONGEST_NAME || names.len() >= MOST_NAMES {
            return OTHER.into();
        }
        let name: Arc<str> = trusted.into();
        names.insert(Arc::clone(&name));
        name
    }

    /// Notes what the gate said: the cost of what it let in, or its code; and how long it took.
    pub fn gate(&self, said: Result<u64, &'static str>, took: Duration) {
        self.gate.observe(took.as_secs_f64());
        match said {
            // Exact up to 2^53, and a price has at most six digits.
            Ok(cost) => self.cost.observe(f64::from(u32::try_from(cost).unwrap_or(u32::MAX))),
            Err(code) => _ = self.refused.get_or_create(&Refused { code }).inc(),
        }
    }

    /// Starts the clock of an operation. `name` is one that `name` gave.
    pub fn ask(&self, name: Arc<str>, kind: &'static str) -> Asked {
        Asked { name, kind, begun: Instant::now() }
    }

    /// Ends it with a code, `ok` where there was no error. `known` are the codes that there are.
    pub fn answered(&self, asked: &Asked, code: Option<&str>, known: &[&'static str]) -> &'static str {
        let code = code.map_or("ok", |code| known.iter().find(|it| **it == code).copied().unwrap_or(OTHER));
        let (operation, kind) = (Arc::clone(&asked.name), asked.kind);
        let took = asked.begun.elapsed().as_secs_f64();
        self.took.get_or_create(&Named { operation: Arc::clone(&operation), kind }).observe(took);
        self.answered.get_or_create(&Answered { operation, kind, code }).inc();
        code
    }
}
