//! The checkpoints of the evidence: at start the database is compared with the newest ones, and new ones are written.

use crate::access::account;
use crate::config::ServeSettings;
use crate::db::{self, Address, Database};
use crate::evidence;
use crate::operation::Service;
use crate::watch::Work;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How often writing the last checkpoint is tried when the service stops, since there is no next interval.
const TRIES_AT_THE_END: u32 = 10;

/// Opens the writer of checkpoints, and compares the database with the checkpoints found there. The error is one line.
pub(super) async fn held_to_checkpoints(
    settings: &ServeSettings,
    database: &Database,
) -> Result<(evidence::Writer, Arc<AtomicUsize>), String> {
    let mut writer = evidence::Writer::open(&settings.checkpoints, &settings.objects, &settings.database)?;
    let behind = Arc::new(AtomicUsize::new(0));
    let look = async {
        writer.read_newest().await?;
        writer.behind(&db::connect(&database.application).await?).await
    };
    match look.await {
        Ok(found) => {
            tell_behind(&found, &behind);
            if found.is_empty() || !settings.refuse_behind_checkpoint {
                return Ok((writer, behind));
            }
            let told: Vec<String> = found.iter().map(evidence::Behind::told).collect();
            Err(format!(
                "--refuse-behind-checkpoint: {}. Was an old copy of the database put back? clinic audit verify tells more",
                told.join("; ")
            ))
        }
        Err(why) if settings.refuse_behind_checkpoint => {
            Err(format!("--refuse-behind-checkpoint: the database can't be compared with its checkpoints: {why}"))
        }
        Err(why) => {
            tracing::warn!(why, "the database can't be compared with its checkpoints");
            Ok((writer, behind))
        }
    }
}

/// Logs which chains are behind their checkpoint when their number has changed.
fn tell_behind(found: &[evidence::Behind], known: &AtomicUsize) {
    if known.swap(found.len(), Ordering::Relaxed) == found.len() {
        return;
    }
    for one in found {
        tracing::warn!(
            organisation = %one.organisation,
            "the database is behind its newest checkpoint, an old copy was put back or its end was cut off: {}",
            one.told()
        );
    }
    if found.is_empty() {
        tracing::info!("the database is no longer behind any checkpoint");
    }
}

/// The task that writes checkpoints of the evidence: at every interval, and once more when the service stops.
pub(super) struct Checkpoints {
    stop: tokio::sync::oneshot::Sender<()>,
    writing: tokio::task::JoinHandle<()>,
}

impl Checkpoints {
    pub(super) fn start(
        (mut writer, behind): (evidence::Writer, Arc<AtomicUsize>),
        service: &Arc<Service>,
        application: Address,
        every: Duration,
    ) -> Self {
        let (stop, mut stopped) = tokio::sync::oneshot::channel();
        let service = Arc::clone(service);
        let writing = tokio::spawn(async move {
            let watch = &service.watch.work;
            watch.behind(behind.load(Ordering::Relaxed));
            let mut write = async || {
                let organisations = account::organisations(service.doorkeeper.pool()).await;
                let organisations = organisations.map_err(|error| error.operator_message())?;
                let client = db::connect(&application).await?;
                let found = writer.behind(&client).await?;
                tell_behind(&found, &behind);
                watch.behind(found.len());
                let written = writer.write(&client, &organisations).await?;
                watch.checkpoints(written);
                if written > 0 {
                    tracing::debug!(written, "checkpoints of the evidence were written");
                }
                Ok::<_, String>(())
            };
            while tokio::time::timeout(every, &mut stopped).await.is_err() {
                if let Err(error) = watch.ran(Work::Checkpoints, write().await) {
                    tracing::warn!(
                        error,
                        "the checkpoints of the evidence were not written: the next try is at the next interval"
                    );
                }
            }
            for _ in 0..TRIES_AT_THE_END {
                let Err(error) = watch.ran(Work::Checkpoints, write().await) else { return };
                tracing::warn!(error, "the last checkpoints of the evidence were not written: trying again");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
        Self { stop, writing }
    }

    /// Called after the last request, so that its changes are covered by a checkpoint too.
    pub(super) async fn stop(self) {
        let _ = self.stop.send(());
        let _ = tokio::time::timeout(Duration::from_secs(10), self.writing).await;
    }
}
