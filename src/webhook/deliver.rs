//! Delivering for one webhook: one change after the other, each until its receiver has taken it.

use super::event::Event;
use super::log::{self, Delivery};
use super::schedule::Schedule;
use super::{Webhook, WebhookReason, WebhookStatus, notice};
use crate::access::lease::{self, At, Lease, Whose};
use crate::access::{Scope, Seal, program};
use crate::error::{Error, Result};
use crate::feed::{self, From, Position, RecordChange, Wanted};
use crate::ids;
use crate::ledger::{AccessEvent, Event as Access};
use crate::operation::Service;
use crate::outbound::{Answer, SigningSecret, sign};
use crate::page::{kept, listing};
use crate::vocabulary::Action;
use chrono::TimeDelta;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::sleep;
use url::Url;
use uuid::Uuid;

/// How long a lease lasts without being renewed: so long nobody delivers for the webhooks of a process that was killed.
const LEASE: TimeDelta = TimeDelta::seconds(10);
/// How often it is renewed while a receiver is waited for.
const RENEWED: Duration = Duration::from_secs(3);
/// Changes that are read at once, and how long they are delivered without asking again what the account may see.
const READ: usize = 20;
const FRESH: Duration = Duration::from_secs(5);
/// What the access log calls it.
const OPERATION: &str = "webhook";
/// The answer of a receiver that wants no more, ever.
const GONE: u16 = 410;

/// Delivers.
pub struct Deliverer {
    pub(super) service: Arc<Service>,
    pub(super) schedule: Schedule,
    /// This process, in leases.
    pub(super) holder: Uuid,
    /// True once the service stops.
    pub(super) stops: watch::Receiver<bool>,
}

/// What is to be delivered next.
struct Batch {
    webhook: Webhook,
    secrets: Vec<SigningSecret>,
    changes: Vec<RecordChange>,
    end: Position,
    more: bool,
    read: Instant,
}

/// What becomes of a webhook after a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The next change.
    Change,
    /// Nothing now: the try failed, or the webhook is another process's.
    Nothing,
}

fn at(position: Position) -> At {
    At { cursor: position.cursor(), seq: position.seq, within: position.place.is_some() }
}

/// The secrets that sign now.
pub fn secrets(seal: &Seal, webhook: &Webhook) -> Result<Vec<SigningSecret>> {
    let sealed = webhook.signing_at(ids::now()).into_iter();
    sealed.map(|sealed| Ok(SigningSecret::of_bytes(seal.open(webhook.id, sealed)?))).collect()
}

/// Sends an event to a webhook. `awaited`: somebody waits for the answer.
pub async fn send(
    service: &Service,
    url: &str,
    event: &Event,
    secrets: &[SigningSecret],
    awaited: bool,
) -> Result<Answer> {
    let url = Url::parse(url).map_err(|_| Error::Internal("the address of a webhook is none".to_owned()))?;
    let headers = sign(&event.id, ids::now(), &event.body, secrets)?;
    let answer = service.outbound.post(&url, headers, event.body.clone(), awaited).await;
    service.watch.webhooks.tried(answer.failure.map(|failure| failure.as_str()), answer.took);
    Ok(answer)
}

impl Deliverer {
    fn stopping(&self) -> bool {
        *self.stops.borrow()
    }

    /// Delivers what there is for a webhook, if nobody else does; whether anything was tried. After an error its lease is left
    /// to end, so that the next try is not made at once.
    pub async fn work(&self, whose: Whose) -> Result<bool> {
        let pool = self.service.doorkeeper.pool();
        let Some(mut lease) = lease::claim(pool, whose, self.holder, ids::now() + LEASE).await? else {
            return Ok(false);
        };
        let mut tried = false;
        while !self.stopping() {
            let Some(batch) = self.read(&lease).await? else { break };
            tried |= !batch.changes.is_empty();
            if !self.deliver_all(&mut lease, batch).await? {
                break;
            }
        }
        lease::release(pool, &lease).await?;
        Ok(tried)
    }

    /// Delivers a batch; whether there may be more now.
    async fn deliver_all(&self, lease: &mut Lease, batch: Batch) -> Result<bool> {
        for change in &batch.changes {
            if self.stopping() {
                return Ok(false);
            }
            if batch.read.elapsed() > FRESH {
                return Ok(true);
            }
            if self.deliver(lease, &batch, change).await? == Next::Nothing {
                return Ok(false);
            }
        }
        let end = at(batch.end);
        if end.cursor != lease.cursor {
            let moved = lease::passed(self.service.doorkeeper.pool(), lease, &end).await?;
            lease.cursor = end.cursor;
            return Ok(moved && batch.more);
        }
        Ok(batch.more)
    }

    /// Reads what comes after the place of a webhook, as its service account sees it now; none if nothing may be delivered.
    async fn read(&self, lease: &Lease) -> Result<Option<Batch>> {
        let (pool, (org, id)) = (self.service.doorkeeper.pool(), lease.whose);
        let mut scope = Scope::program(pool, org).await?;
        let webhook = listing::one::<Webhook>(&mut scope, id).await;
        scope.rollback().await;
        let webhook = webhook?;
        if webhook.status != WebhookStatus::Active {
            return Ok(None);
        }
        let secrets = secrets(&self.service.webhook_seal, &webhook)?;
        let request_id = format!("webhook-{}", ids::new_id());
        let Some(mut scope) = program::open(pool, (org, webhook.service_account_id), &request_id).await? else {
            self.give_up(lease, &webhook, WebhookReason::AccountClosed, None).await?;
            return Ok(None);
        };
        let mut kinds = feed::kinds(&scope, None)?;
        kinds.retain(|kind| webhook.wants(*kind));
        let place = Position::read(&lease.cursor).ok_or_else(|| Error::Internal("a place that is none".to_owned()))?;
        // While it fails, the next one alone: what is not sent is not looked at.
        let first = if lease.failures > 0 { 1 } else { READ };
        let page = feed::page(&mut scope, From::After(place), first, &Wanted::of(kinds)).await;
        let seen = scope.take_seen();
        scope.rollback().await;
        let page = match page {
            Ok(page) => page,
            Err(Error::BadUserInput(_)) => {
                self.give_up(lease, &webhook, WebhookReason::Ledger, None).await?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if !seen.is_empty() {
            let look = AccessEvent {
                org,
                actor: Some(webhook.service_account_id),
                request_id,
                event: Access::Read,
                operation: OPERATION.to_owned(),
                from_address: receiver_of(&webhook.url),
                reason: None,
                patients: seen.into_iter().collect(),
            };
            // Before any of it is sent.
            self.service.access_log.write(look).await?;
        }
        let read = Instant::now();
        Ok(Some(Batch { webhook, secrets, changes: page.changes, end: page.end, more: page.more, read }))
    }

    /// Sends one change, and notes what came of it.
    async fn deliver(&self, lease: &mut Lease, batch: &Batch, change: &RecordChange) -> Result<Next> {
        let pool = self.service.doorkeeper.pool();
        if !lease::renew(pool, lease, ids::now() + LEASE, change.at).await? {
            return Ok(Next::Nothing);
        }
        let (org, id) = lease.whose;
        let event = Event::of(org, id, change);
        let sending = send(&self.service, &batch.webhook.url, &event, &batch.secrets, false);
        tokio::pin!(sending);
        let answer = loop {
            tokio::select! {
                answer = &mut sending => break answer?,
                () = sleep(RENEWED) => {
                    if !lease::renew(pool, lease, ids::now() + LEASE, change.at).await? {
                        return Ok(Next::Nothing);
                    }
                }
            }
        };
        let attempt = lease.failures.saturating_add(1);
        let tried = Delivery::of((&event.id, &event.kind), (Some(change.seq), attempt), &answer);
        if answer.failure.is_none() {
            let moved = self.note(lease, &tried, Outcome::Taken(at(change.position))).await?;
            (lease.failures, lease.failing_since) = (0, None);
            lease.cursor = change.position.cursor();
            return Ok(if moved { Next::Change } else { Next::Nothing });
        }
        let failures = usize::try_from(attempt).unwrap_or(usize::MAX);
        match self.schedule.wait(failures, answer.retry_after, rand::random()) {
            _ if answer.status == Some(GONE) => {
                self.give_up(lease, &batch.webhook, WebhookReason::Gone, Some(tried)).await?;
            }
            None => self.give_up(lease, &batch.webhook, WebhookReason::Failed, Some(tried)).await?,
            Some(wait) => {
                let tried = Delivery { next_try_at: Some(ids::now() + wait), ..tried };
                self.note(lease, &tried, Outcome::Failed).await?;
            }
        }
        Ok(Next::Nothing)
    }

    /// Writes a try into the log, with what it makes of the place: both or nothing. False if the lease is another's by now.
    async fn note(&self, lease: &Lease, tried: &Delivery, outcome: Outcome) -> Result<bool> {
        let (org, id) = lease.whose;
        let mut scope = Scope::program(self.service.doorkeeper.pool(), org).await?;
        let noted = async {
            log::write(&mut scope, id, tried).await?;
            match outcome {
                Outcome::Taken(at) => lease::delivered(&mut scope, lease, &at).await,
                Outcome::Failed => lease::failed(&mut scope, lease, tried.next_try_at.unwrap_or_else(ids::now)).await,
            }
        };
        match noted.await {
            Ok(true) => scope.commit().await.map(|_| true),
            other => {
                scope.rollback().await;
                other
            }
        }
    }

    /// Disables a webhook, with its ledger entry, and has its admins told.
    async fn give_up(
        &self,
        lease: &Lease,
        webhook: &Webhook,
        reason: WebhookReason,
        tried: Option<Delivery>,
    ) -> Result<()> {
        let (org, id) = lease.whose;
        let mut scope = Scope::program(self.service.doorkeeper.pool(), org).await?;
        let (expected, now) = (webhook.stamp.version, ids::now());
        let mut after = webhook.clone().with_status(WebhookStatus::Disabled, Some(reason), now);
        after.stamp = after.stamp.changed(None, now);
        let given_up = async {
            if let Some(tried) = &tried {
                log::write(&mut scope, id, tried).await?;
            }
            // In the order in which an admin's change takes the two rows.
            kept::save(&mut scope, Action::Update, &after, expected).await?;
            lease::disabled(&mut scope, lease, after.status.as_str()).await
        };
        match given_up.await {
            Ok(true) => {}
            // An admin changed it meanwhile: what they said holds.
            Ok(false) | Err(Error::Conflict { .. }) => {
                scope.rollback().await;
                return Ok(());
            }
            Err(error) => {
                scope.rollback().await;
                return Err(error);
            }
        }
        let entry = scope.newest_entry();
        scope.commit().await?;
        if let Some(entry) = entry {
            self.service.tail.moved(org, entry);
        }
        self.service.watch.webhooks.given_up();
        tracing::warn!(
            organisation = %org,
            webhook = %id,
            reason = reason.as_str(),
            "a webhook was disabled: it is told of nothing until it is resumed"
        );
        let service = Arc::clone(&self.service);
        tokio::spawn(async move {
            // What fails here is tried again once a minute.
            let _ = notice::send_due(&service).await;
        });
        Ok(())
    }
}

/// What a try makes of the place.
enum Outcome {
    Taken(At),
    Failed,
}

/// Where a look goes, for the access log: the host of the receiver.
fn receiver_of(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}
