//! Webhooks in the API: the record, its queries, and the log of what was tried.

mod change;
pub mod mutation;

use super::stamp::RecordStamp;
use crate::access::lease::Progress;
use crate::operation::plain;
use crate::outbound::Failure;
use crate::page::{Connection, Direction, Key, Listed, Order, PageArguments, global_id, listing};
use crate::scalars::DateTime;
use crate::service_account::ServiceAccount;
use crate::vocabulary::RecordKind;
use crate::webhook::log::Delivery;
use crate::webhook::{Webhook, WebhookFilter, WebhookOrder, WebhookReason, WebhookStatus, loader};
use async_graphql::{Context, ID, Object, Result};
use chrono::TimeZone;

impl Listed for Webhook {
    const NAME: &'static str = "Webhook";
    fn whose(&self) -> Option<uuid::Uuid> {
        None
    }
}

impl Listed for Delivery {
    const NAME: &'static str = "WebhookDelivery";
    fn whose(&self) -> Option<uuid::Uuid> {
        None
    }
}

/// How far a webhook has come.
async fn progress(ctx: &Context<'_>, webhook: &Webhook) -> Result<Progress> {
    let found = loader::progress(ctx, webhook.id).await?;
    found.ok_or_else(|| crate::error::Error::Internal("a webhook without a place".to_owned()).into())
}

/// A webhook: a receiver that is sent an event for each change of a record, in order, by the Standard Webhooks convention. It
/// is told with the rights of a service account.
#[Object]
impl Webhook {
    /// Typed id, `webhook_…`.
    pub async fn id(&self) -> ID {
        global_id(RecordKind::Webhook, self.id)
    }
    /// The service account with whose rights it is told: its scopes say of which kinds.
    async fn service_account(&self, ctx: &Context<'_>) -> Result<ServiceAccount> {
        listing::required(ctx, self.service_account_id).await
    }
    /// Where events are sent.
    async fn url(&self) -> &str {
        &self.url
    }
    /// The purpose, in the words of whoever added it; null if they gave none.
    async fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }
    /// The kinds of records that it is told of; empty for all that the account may read.
    async fn kinds(&self) -> &[RecordKind] {
        &self.kinds
    }
    /// Whether it is told of changes.
    async fn status(&self) -> WebhookStatus {
        self.status
    }
    /// Why the service disabled it; null unless it is DISABLED.
    async fn reason(&self) -> Option<WebhookReason> {
        self.reason
    }
    /// Since when it has this status.
    async fn status_at(&self) -> DateTime {
        DateTime(self.status_at)
    }
    /// The cursor of `changes` after which it was last told to begin: when it was added, or by a replay.
    async fn starts_after(&self) -> &str {
        &self.starts_after
    }
    /// What tells its secret from others without telling it: the first 8 hexadecimal digits of the SHA-256 of `whsec_…`.
    async fn secret_fingerprint(&self) -> &str {
        &self.secret_fingerprint
    }
    /// Until when the secret before signs beside it; null if none was replaced.
    async fn old_secret_until(&self) -> Option<DateTime> {
        self.old_secret_until.map(DateTime)
    }
    /// The cursor of `changes` that it has come to: its receiver has taken all before, as far as it was for them.
    async fn cursor(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(progress(ctx, self).await?.cursor)
    }
    /// When its receiver last took an event.
    async fn last_success_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        progress(ctx, self).await.map(|it| it.last_success_at.map(DateTime)).transpose()
    }
    /// Since when its receiver does not take the next event; null if it does.
    async fn failing_since(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        progress(ctx, self).await.map(|it| it.failing_since.map(DateTime)).transpose()
    }
    /// How often the next event was tried.
    async fn failed_tries(&self, ctx: &Context<'_>) -> Result<i32> {
        Ok(progress(ctx, self).await?.failures)
    }
    /// When it is tried again; null if no try failed.
    async fn next_try_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime>> {
        progress(ctx, self).await.map(|it| it.next_try_at.map(DateTime)).transpose()
    }
    /// What was tried in the last 30 days, newest first.
    async fn deliveries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Delivery>> {
        let order = Order {
            name: "webhookDeliveries".to_owned(),
            column: "at",
            id: "id",
            direction: Direction::Desc,
            sample: Key::Time(0),
        };
        let arguments = PageArguments { first, after, ..PageArguments::default() };
        let window = arguments.window::<Delivery>(ctx, &order).await?;
        let before = window.from.as_ref().and_then(|(key, id)| match key {
            Key::Time(micros) => Some((chrono::Utc.timestamp_micros(*micros).single()?, *id)),
            _ => None,
        });
        let (rows, count) = loader::tries(ctx, self.id, before, window.limit).await?;
        Ok(Connection::new(window.page(rows), &order, |it: &Delivery| (Key::time(it.at), it.id), count))
    }
    #[graphql(flatten)]
    async fn stamp(&self) -> RecordStamp {
        RecordStamp::of(self, &self.stamp)
    }
}

plain!(Webhook: id, url, description, status, reason, status_at, starts_after, secret_fingerprint, old_secret_until);

/// A try to deliver an event of a webhook. What the receiver said beyond its status is not kept.
#[Object(name = "WebhookDelivery")]
impl Delivery {
    /// The `webhook-id` of the event: the same at each try of one change.
    async fn event_id(&self) -> &str {
        &self.event_id
    }
    /// The number of the change's entry in the ledger; null for a test.
    async fn sequence(&self) -> Option<i64> {
        self.seq
    }
    /// The type of the event, such as `treatment_session.updated`.
    #[graphql(name = "type")]
    async fn event_type(&self) -> &str {
        &self.event_type
    }
    /// Which try of the event it was, from 1 on.
    async fn attempt(&self) -> i32 {
        self.attempt
    }
    /// When it was sent.
    async fn at(&self) -> DateTime {
        DateTime(self.at)
    }
    /// How long the receiver took, in milliseconds.
    async fn duration_ms(&self) -> i32 {
        self.duration_ms
    }
    /// The status that the receiver answered with; null if it gave none.
    async fn status_code(&self) -> Option<i32> {
        self.status_code
    }
    /// Why it failed; null if the receiver took it.
    async fn error(&self) -> Option<Failure> {
        self.error
    }
    /// When it was to be tried again; null if it was not.
    async fn next_try_at(&self) -> Option<DateTime> {
        self.next_try_at.map(DateTime)
    }
}

plain!(Delivery: event_id, sequence, attempt, at, duration_ms, status_code, error, next_try_at);

/// The queries of this module.
#[derive(Default)]
pub struct WebhookQuery;

#[Object]
impl WebhookQuery {
    /// A webhook; null with NOT_FOUND if there is none with this id.
    async fn webhook(&self, ctx: &Context<'_>, #[graphql(desc = "`webhook_…`")] id: ID) -> Option<Result<Webhook>> {
        listing::root_one(ctx, &id).await
    }

    /// The webhooks, newest first unless asked otherwise.
    #[allow(clippy::too_many_arguments)]
    async fn webhooks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records that match this filter.")] filter: Option<Box<WebhookFilter>>,
        #[graphql(desc = "The sort order.")] order_by: Option<WebhookOrder>,
        #[graphql(desc = "At most this many records from the start of the list, up to 100.")] first: Option<i32>,
        #[graphql(desc = "Only records after this cursor.")] after: Option<String>,
        #[graphql(desc = "At most this many records from the end of the list, up to 100.")] last: Option<i32>,
        #[graphql(desc = "Only records before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<Webhook>>> {
        let condition = filter.unwrap_or_default().read();
        listing::root(ctx, condition, order_by, PageArguments { first, after, last, before }).await
    }
}
