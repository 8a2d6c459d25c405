//! What the service does by itself while it runs, each in a task of its own.

use crate::access::rate::Rates;
use crate::db::{self, Address};
use crate::http::tls::Certificate;
use crate::operation::Service;
use crate::{custody, photo, privacy};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// The tasks of a running service.
pub(super) struct Housekeeping(Vec<JoinHandle<()>>);

impl Housekeeping {
    /// Starts them.
    pub(super) fn start(
        service: &Arc<Service>,
        rates: Arc<Rates>,
        application: Address,
        certificate: Option<Arc<Certificate>>,
    ) -> Self {
        let mut tasks = vec![
            tokio::spawn(keep_partitions(application)),
            tokio::spawn(sweep(Arc::clone(service), rates)),
            tokio::spawn(keep_alerting(Arc::clone(service))),
            tokio::spawn(keep_logging_refused(Arc::clone(service))),
        ];
        tasks.extend(certificate.map(|certificate| tokio::spawn(certificate.follow())));
        Self(tasks)
    }

    /// Stops them. What waits still is done at the next start.
    pub(super) fn stop(&self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// At start and once an hour: uploads that never came, what cut ones left, and the limits of windows long over.
async fn sweep(service: Arc<Service>, rates: Arc<Rates>) {
    if let Err(error) = service.objects.answers().await {
        tracing::error!(
            ?error,
            "the object store does not answer: photos can be neither sent nor fetched until it does"
        );
    }
    let mut hours = tokio::time::interval(Duration::from_secs(3600));
    loop {
        hours.tick().await;
        match photo::upload::sweep(&service).await {
            Ok((0, 0)) => {}
            Ok((given_up, cut)) => tracing::info!(given_up, cut, "photo uploads were swept"),
            Err(error) => tracing::warn!(?error, "the sweep of photo uploads waits for the next hour"),
        }
        if let Err(error) = custody::remains::sweep(&service).await {
            tracing::warn!(?error, "the files of erased patients wait for the next hour");
        }
        if let Err(error) = service.doorkeeper.sweep().await {
            tracing::warn!(?error, "the sweep of failed sign-ins and replaced tokens waits for the next hour");
        }
        if let Err(error) = rates.sweep().await {
            tracing::warn!(?error, "the sweep of limits waits for the next hour");
        }
    }
}

/// How long refused tries to sign in wait for one another on their way to the access logs: so that no answer's time tells
/// of the one before.
const REFUSED_WAIT: Duration = Duration::from_secs(1);

/// At start, and a second after a refused try to sign in: what waits is written to the access logs it belongs in.
async fn keep_logging_refused(service: Arc<Service>) {
    loop {
        match service.log_refused().await {
            Ok(0) => service.refused.notified().await,
            Ok(_) => continue,
            Err(error) => tracing::warn!(?error, "refused tries to sign in wait for the access log"),
        }
        tokio::time::sleep(REFUSED_WAIT).await;
    }
}

/// At start and once a minute: admins are told of emergency access that they were not told of.
async fn keep_alerting(service: Arc<Service>) {
    let mut minutes = tokio::time::interval(Duration::from_secs(60));
    loop {
        minutes.tick().await;
        if let Err(error) = privacy::alert::send_due(&service).await {
            tracing::warn!(?error, "telling admins of emergency access waits for the next minute");
        }
    }
}

/// Once a day: the month partitions ahead.
async fn keep_partitions(application: Address) {
    let mut days = tokio::time::interval(Duration::from_secs(24 * 3600));
    loop {
        days.tick().await;
        match db::connect(&application).await {
            Ok(client) => {
                let ahead = "SELECT ensure_month_partitions(now()::date, (now() + interval '3 months')::date)";
                if let Err(error) = client.batch_execute(ahead).await {
                    tracing::error!(%error, "the month partitions can't be made");
                }
            }
            Err(error) => tracing::warn!(error, "the month partitions wait for the database"),
        }
    }
}
