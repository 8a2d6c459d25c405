//! Keeps the server running: if it ends without having been asked to, it is restarted.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::StartError;
use super::cluster;
use super::find::Binaries;
use super::home::Home;
use super::server::Server;

/// How often the server is checked.
const LOOK: Duration = Duration::from_millis(100);
/// The longest wait before restarting a server that does not stay up.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// After this long without a failure it counts as healthy again.
const WELL: Duration = Duration::from_secs(30);

/// The server, and everything needed to start another on the same files.
pub(super) struct Kept {
    // None once it was stopped deliberately.
    server: Mutex<Option<Server>>,
    home: Home,
    binaries: Binaries,
    socket_dir: PathBuf,
    durable: bool,
}

impl Kept {
    pub(super) fn new(server: Server, home: Home, binaries: Binaries, socket_dir: PathBuf, durable: bool) -> Self {
        Self { server: Mutex::new(Some(server)), home, binaries, socket_dir, durable }
    }

    /// Takes the server out: no other is started from now on.
    pub(super) fn take(&self) -> Option<Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn look(&self) -> Look {
        let Ok(mut server) = self.server.try_lock() else { return Look::Runs };
        match server.as_mut() {
            None => Look::Stopped,
            Some(server) => server.ended().map_or(Look::Runs, |status| Look::Ended(status, server.complaint())),
        }
    }

    /// Starts another server in place of one that has ended.
    fn start_again(&self) -> Result<(), StartError> {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ended) = server.as_mut() {
            cluster::clear(&self.home, &self.binaries)?;
            ended.dismiss_watcher();
            *ended = Server::spawn(&self.home, &self.binaries, &self.socket_dir, self.durable)?;
        }
        Ok(())
    }
}

enum Look {
    Runs,
    Stopped,
    Ended(ExitStatus, String),
}

/// Watches the server until it is stopped deliberately.
pub(super) async fn keep_up(kept: Weak<Kept>) {
    let (mut wait, mut started) = (LOOK, Instant::now());
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(kept) = kept.upgrade() else { return };
        match kept.look() {
            Look::Stopped => return,
            Look::Runs => {}
            Look::Ended(status, why) => {
                wait = if started.elapsed() > WELL { LOOK } else { (wait * 2).min(LONGEST_WAIT) };
                tracing::error!(%status, why, "Postgres ended: it is started again");
                tokio::time::sleep(wait).await;
                started = Instant::now();
                let again = tokio::task::spawn_blocking(move || Arc::clone(&kept).start_again());
                match again.await {
                    Ok(Ok(())) => tracing::warn!("Postgres was started again and recovers what is left"),
                    Ok(Err(error)) => tracing::error!(%error, "Postgres can't be started again: the next try follows"),
                    Err(error) => tracing::error!(%error, "starting Postgres again was cut off"),
                }
            }
        }
    }
}
