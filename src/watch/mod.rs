//! What is counted and timed of the running service, for `/metrics`; and what is traced of a request (`trace`).
//!
//! Each subject has a file here and a field of `Watch`: its meters, registered once under the names that
//! `docs/watching.md` explains. A new subject is a file with a `new(&mut Registrar)` of its own, a field, and rows on that
//! page; a test holds the page to what is registered. What others have to be asked for (the size of a pool, the process's
//! memory) is asked when somebody looks: `Watch::at_each_look`.
//!
//! **Nobody's data.** A label's value is a word of the program's own (`&'static str`), but for two: the name of an operation
//! (`Operations::name` takes none from a client) and the program's version. So no label can hold a person, an id, or a
//! query.
//!
//! Counting costs an atomic addition, timing an uncontended lock, a label one look-up in a map; there is nothing to switch
//! on. The meters belong to a service, not to the process: two in one process count apart.

mod access_log;
mod door;
mod export;
mod live;
mod operations;
mod pools;
mod process;
mod registrar;
mod requests;
mod statement;
pub mod trace;
mod webhooks;
mod work;
mod writes;

pub use live::{LiveConnection, Transport};
pub use operations::{Asked, UNKNOWN};
pub use pools::PoolMeters;
pub use registrar::{Looks, Registrar};
pub use trace::{StatementSpan, Traces};
pub use work::Work;

use access_log::AccessLogMeters;
use door::DoorMeters;
use live::Live;
use operations::Operations;
use pools::Pools;
use prometheus_client::encoding::prometheus_text;
use prometheus_client::registry::Registry;
use registrar::Caches;
use requests::Requests;
use std::sync::{Mutex, PoisonError};
use webhooks::WebhookMeters;
use work::WorkMeters;
use writes::Writes;

/// The media type of `Watch::text`.
pub const MEDIA_TYPE: &str = prometheus_text::CONTENT_TYPE;

type Look = Box<dyn Fn() + Send + Sync>;

/// The meters of a running service, and its traces.
pub struct Watch {
    registry: Registry,
    looks: Mutex<Vec<Look>>,
    pools: Pools,
    /// Requests over HTTP.
    pub requests: Requests,
    /// GraphQL operations, and the gate in front of them.
    pub operations: Operations,
    /// Caches in this process.
    pub caches: Caches,
    /// What is written, and the ledger.
    pub writes: Writes,
    /// The access log.
    pub access_log: AccessLogMeters,
    /// Sign-ins and limits.
    pub door: DoorMeters,
    /// Those who stay connected.
    pub live: Live,
    /// Work in the background, and checkpoints.
    pub work: WorkMeters,
    /// Webhooks.
    pub webhooks: WebhookMeters,
    /// Where traces go, if they go anywhere.
    pub traces: Option<Traces>,
}

impl Default for Watch {
    /// Meters that nobody looks at, of a command for instance.
    fn default() -> Self {
        Self::new(None)
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl Watch {
    /// Registers the meters of every subject.
    pub fn new(traces: Option<Traces>) -> Self {
        let mut registry = Registry::default();
        let mut registrar = Registrar(&mut registry);
        let look = process::look(&mut registrar);
        Self {
            pools: Pools::new(&mut registrar),
            requests: Requests::new(&mut registrar),
            operations: Operations::new(&mut registrar),
            caches: Caches::new(&mut registrar),
            writes: Writes::new(&mut registrar),
            access_log: AccessLogMeters::new(&mut registrar),
            door: DoorMeters::new(&mut registrar),
            live: Live::new(&mut registrar),
            work: WorkMeters::new(&mut registrar),
            webhooks: WebhookMeters::new(&mut registrar),
            looks: Mutex::new(vec![look]),
            traces,
            registry,
        }
    }

    /// The meters of a pool of connections, by a name of its own.
    pub fn pool(&self, name: &'static str) -> PoolMeters {
        self.pools.of(name)
    }

    /// Has this run before each `text`: it asks for what changes by itself and sets its gauges. It must not wait.
    pub fn at_each_look(&self, look: impl Fn() + Send + Sync + 'static) {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(look));
    }

    /// Every meter, in Prometheus' text format (`MEDIA_TYPE`).
    ///
    /// # Errors
    ///
    /// A value that can't be written as text; none of these meters has one.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        for look in self.looks.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            look();
        }
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests;
