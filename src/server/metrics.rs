//! The server of `/metrics`, beside that of the API.

use crate::http;
use crate::watch::Watch;
use actix_web::dev::ServerHandle;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

/// A running server of `/metrics`.
pub(super) struct Metrics {
    address: SocketAddr,
    handle: ServerHandle,
}

impl Metrics {
    /// Serves from now on. The error is one line.
    pub(super) fn start(watch: &Arc<Watch>, listener: TcpListener) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("/metrics can't be served: {error}");
        let address = listener.local_addr().map_err(failed)?;
        let server = http::metrics::serve(watch, listener).map_err(failed)?;
        let handle = server.handle();
        tokio::spawn(server);
        if !address.ip().to_canonical().is_loopback() {
            tracing::warn!(%address, "/metrics asks for no token: whoever reaches this address may read it");
        }
        Ok(Self { address, handle })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it.
    pub(super) async fn stop(self) {
        self.handle.stop(false).await;
    }
}
