//! Which addresses may be reached, asked where the connection is opened.

use super::failure::Failure;
use crate::network::{Network, is_public};
use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Looks names up.
pub(super) trait Names: Send + Sync {
    /// The addresses of a name.
    fn addresses(&self, name: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>>;
}

/// Asks the system.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SystemNames;

impl Names for SystemNames {
    fn addresses(&self, name: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        }
        .boxed()
    }
}

/// Which networks may be reached: the public internet by `https`, and those that the operator opened.
pub(super) struct Guard {
    names: Box<dyn Names>,
    opened: Vec<Network>,
}

impl Guard {
    /// One that opens these networks beside the public internet.
    pub fn new(names: impl Names + 'static, opened: Vec<Network>) -> Self {
        Self { names: Box::new(names), opened }
    }

    /// Whether an address may be reached, by plain HTTP or by TLS.
    ///
    /// # Errors
    ///
    /// `NotAllowed`.
    pub fn check(&self, address: IpAddr, plain: bool) -> Result<(), Failure> {
        let opened = self.opened.iter().any(|network| network.contains(address));
        if opened || (!plain && is_public(address)) { Ok(()) } else { Err(Failure::NotAllowed) }
    }

    /// The addresses of a name, if all of them may be reached: a name that leads to a closed network as well is refused
    /// whole.
    ///
    /// # Errors
    ///
    /// `Dns` if there is none, `NotAllowed`.
    pub async fn look_up(&self, name: String, plain: bool) -> Result<Vec<IpAddr>, Failure> {
        let found = self.names.addresses(name).await.map_err(|_| Failure::Dns)?;
        if found.is_empty() {
            return Err(Failure::Dns);
        }
        found.iter().try_for_each(|address| self.check(*address, plain))?;
        Ok(found)
    }
}

/// A refusal, on its way through the HTTP client.
#[derive(Debug)]
pub(super) struct Refused(pub(super) Failure);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl std::error::Error for Refused {}

/// Gives the HTTP client the addresses that it connects to: checked ones, and no others.
pub(super) struct Door {
    guard: Arc<Guard>,
    plain: bool,
}

impl Door {
    pub(super) fn new(guard: Arc<Guard>, plain: bool) -> Self {
        Self { guard, plain }
    }
}

impl Resolve for Door {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, plain, name) = (Arc::clone(&self.guard), self.plain, name.as_str().to_owned());
        Box::pin(async move {
            let found = guard.look_up(name, plain).await.map_err(Refused)?;
            let addresses: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}
