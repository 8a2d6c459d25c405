//! Background work of the running service, each kind in its own task.

use crate::access::rate::Rates;
use crate::db::{self, Address};
use crate::http::tls::Certificate;
use crate::operation::Service;
use crate::watch::{Watch, Work};
use crate::{custody, photo, privacy, webhook};
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
            tokio::spawn(keep_partitions(application, Arc::clone(&service.watch))),
            tokio::spawn(sweep(Arc::clone(service), rates)),
            tokio::spawn(keep_alerting(Arc::clone(service))),
            tokio::spawn(keep_logging_refused(Arc::clone(service))),
        ];
        tasks.extend(certificate.map(|certificate| tokio::spawn(certificate.follow())));
        Self(tasks)
    }

    /// Stops them. Pending work is done at the next start.
    pub(super) fn stop(&self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// At start and once an hour: gives up uploads that never arrived, deletes what interrupted ones left, and deletes old
/// windows of the limits.
async fn sweep(service: Arc<Service>, rates: Arc<Rates>) {
    if let Err(error) = service.objects.answers().await {
        tracing::error!(
            ?error,
            "the object store does not answer: photos can be neither sent nor fetched until it does"
        );
    }
    let work = &service.watch.work;
    let mut hours = tokio::time::interval(Duration::from_secs(3600));
    loop {
        hours.tick().await;
        match work.ran(Work::Uploads, photo::upload::sweep(&service).await) {
            Ok((0, 0)) => {}
            Ok((given_up, cut)) => tracing::info!(given_up, cut, "photo uploads were swept"),
            Err(error) => tracing::warn!(?error, "the sweep of photo uploads failed: the next try is in an hour"),
        }
        if let Err(error) = work.ran(Work::Remains, custody::remains::sweep(&service).await) {
            tracing::warn!(?error, "the files of erased patients were not all deleted: the next try is in an hour");
        }
        if let Err(error) = work.ran(Work::SignIns, service.doorkeeper.sweep().await) {
            tracing::warn!(
                ?error,
                "the sweep of failed sign-ins and replaced tokens failed: the next try is in an hour"
            );
        }
        if let Err(error) = work.ran(Work::WebhookLog, webhook::notice::sweep(&service).await) {
            tracing::warn!(?error, "the sweep of the log of webhooks failed: the next try is in an hour");
        }
        if let Err(error) = work.ran(Work::Limits, rates.sweep().await) {
            tracing::warn!(?error, "the sweep of limits failed: the next try is in an hour");
        }
    }
}

/// How long failed sign-ins are collected before they go to the access logs, so that the time of one answer reveals
/// nothing about the one before.
const REFUSED_WAIT: Duration = Duration::from_secs(1);

/// At start, and a second after a failed sign-in: writes pending failures to the access logs they belong in.
async fn keep_logging_refused(service: Arc<Service>) {
    loop {
        match service.watch.work.ran(Work::Refusals, service.log_refused().await) {
            Ok(0) => service.refused.notified().await,
            Ok(_) => continue,
            Err(error) => tracing::warn!(?error, "failed sign-ins are not in the access log yet: trying again"),
        }
        tokio::time::sleep(REFUSED_WAIT).await;
    }
}

/// At start and once a minute: notifies admins of emergency access, and of webhooks that were disabled, that they have not
/// been notified of.
async fn keep_alerting(service: Arc<Service>) {
    let mut minutes = tokio::time::interval(Duration::from_secs(60));
    loop {
        minutes.tick().await;
        if let Err(error) = service.watch.work.ran(Work::Alerts, privacy::alert::send_due(&service).await) {
            tracing::warn!(?error, "admins were not notified of emergency access: the next try is in a minute");
        }
        if let Err(error) = service.watch.work.ran(Work::WebhookNotices, webhook::notice::send_due(&service).await) {
            tracing::warn!(
                ?error,
                "admins were not notified of webhooks that were disabled: the next try is in a minute"
            );
        }
    }
}

/// Once a day: makes the partitions of the coming months.
async fn keep_partitions(application: Address, watch: Arc<Watch>) {
    let mut days = tokio::time::interval(Duration::from_secs(24 * 3600));
    loop {
        days.tick().await;
        let made = async {
            let client = db::connect(&application).await?;
            let ahead = "SELECT ensure_month_partitions(now()::date, (now() + interval '3 months')::date)";
            client.batch_execute(ahead).await.map_err(|error| error.to_string())
        };
        if let Err(error) = watch.work.ran(Work::Partitions, made.await) {
            tracing::error!(error, "the month partitions were not made");
        }
    }
}
