//! Adding, changing and testing webhooks.

use super::change::{self, Patch};
use crate::access::Scope;
use crate::error::{self, Code, Error, Flaw};
use crate::feed::Position;
use crate::ids;
use crate::operation::{Inputs, Operation, Running, transaction};
use crate::outbound::{Failure, SigningSecret, fresh_event_id};
use crate::record::Stamp;
use crate::vocabulary::{Action, RecordKind};
use crate::webhook::deliver::{secrets, send};
use crate::webhook::event::Event;
use crate::webhook::log::{self, Delivery};
use crate::webhook::{MOST_DESCRIPTION, MOST_OVERLAP_HOURS, MOST_URL, OVERLAP_HOURS, Webhook, WebhookStatus};
use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use chrono::TimeDelta;
use url::Url;

/// Adds a webhook.
#[derive(InputObject)]
pub struct AddWebhookInput {
    /// An id made by the client, which makes a retry safe: `webhook_` and a UUIDv7 in 26 characters (see `Node.id`). Absent:
    /// the service makes one.
    id: Option<ID>,
    /// The service account with whose rights it is told, `service_account_…`.
    service_account_id: ID,
    /// Where events are sent: an `https` address of the public internet, at most 2,000 characters. The operator may have
    /// opened other networks, and those by `http` too.
    url: String,
    /// What it is for, at most 500 characters.
    description: Option<String>,
    /// The kinds of records that it is told of; empty for all that the account may read.
    #[graphql(default)]
    kinds: Vec<RecordKind>,
}

/// Changes a webhook. An absent field stays as it is. The next try is made at once.
#[derive(InputObject)]
pub struct UpdateWebhookInput {
    /// `webhook_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// Where events are sent from now on.
    url: Option<String>,
    /// What it is for, at most 500 characters; null clears it.
    description: MaybeUndefined<String>,
    /// All the kinds of records that it is told of from now on; empty for all that the account may read.
    kinds: Option<Vec<RecordKind>>,
}

/// Replaces the secret of a webhook.
#[derive(InputObject)]
pub struct RotateWebhookSecretInput {
    /// `webhook_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// How many hours the old secret signs beside the new one, 0 to 720, so that there is time to install the new one.
    #[graphql(default_with = "OVERLAP_HOURS")]
    overlap_hours: i32,
}

/// Pauses a webhook.
#[derive(InputObject)]
pub struct PauseWebhookInput {
    /// `webhook_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
}

/// Resumes a webhook.
#[derive(InputObject)]
pub struct ResumeWebhookInput {
    /// `webhook_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// A cursor of `changes` after which it begins; absent: where it stopped.
    after: Option<String>,
}

/// Tells the receiver of a webhook again.
#[derive(InputObject)]
pub struct ReplayWebhookInput {
    /// `webhook_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
    /// The cursor of `changes` after which it begins anew.
    after: String,
}

/// Sends a test.
#[derive(InputObject)]
pub struct TestWebhookInput {
    /// `webhook_…`
    id: ID,
}

/// Ends a webhook.
#[derive(InputObject)]
pub struct EndWebhookInput {
    /// `webhook_…`
    id: ID,
    /// The version of the record that you read.
    expected_version: i32,
}

/// What mutations of a webhook return.
#[derive(SimpleObject)]
pub struct WebhookPayload {
    /// The webhook after the change.
    webhook: Webhook,
}

/// What mutations return that make a secret.
#[derive(SimpleObject)]
pub struct WebhookSecretPayload {
    /// The webhook after the change.
    webhook: Webhook,
    /// The secret, `whsec_…`, that its receiver verifies signatures with. It is shown only this once. Null when a retry finds
    /// it already made: rotate it then.
    secret: Option<String>,
}

/// Result of `testWebhook`.
#[derive(SimpleObject)]
pub struct TestWebhookPayload {
    /// The webhook that was tested; a test changes nothing of it.
    webhook: Webhook,
    /// Whether the receiver took the event: it answered 200 to 299.
    delivered: bool,
    /// The status that it answered with; null if it gave none.
    status_code: Option<i32>,
    /// Why it was not taken.
    error: Option<Failure>,
    /// How long it took, in milliseconds.
    duration_ms: i32,
}

/// The kinds without repeats, in the order of the vocabulary.
fn each_once(kinds: &[RecordKind]) -> Vec<RecordKind> {
    RecordKind::ALL.iter().copied().filter(|kind| kinds.contains(kind)).collect()
}

/// Reads an address: its form is checked here, and where it leads by `reachable`.
fn url_of(inputs: &mut Inputs, text: &str) -> String {
    let text = inputs.text("url", text, MOST_URL);
    if text.is_empty() {
        return text;
    }
    let whole = Url::parse(&text).ok().filter(|url| {
        ["https", "http"].contains(&url.scheme()) && url.username().is_empty() && url.password().is_none()
    });
    match whole {
        // Letters beyond ASCII are longer as they are kept.
        Some(url) if url.as_str().len() > MOST_URL && text.chars().count() <= MOST_URL => {
            inputs.fault("url", Flaw::too_long(url.as_str().len(), MOST_URL));
            text
        }
        Some(url) => url.into(),
        None => {
            let form = "must be an address such as https://receiver.example.com/clinic, without a user and a password";
            inputs.fault("url", Code::WrongForm.says(form));
            text
        }
    }
}

fn unreachable(failure: Failure) -> Flaw {
    Code::NotAllowed.says(match failure {
        Failure::NotAllowed => {
            "leads to a network that webhooks may not reach: the public internet by https, and what the operator opened \
             (--webhook-allow-network)"
        }
        _ => "leads nowhere: its name was not found",
    })
}

/// Refuses an address that leads where webhooks may not go, for whoever may do this to a webhook: for nobody else is a name
/// looked up. It is asked again at each delivery.
async fn reachable(operation: &Operation, action: Action, url: &str) -> error::Result<()> {
    let viewer = operation.reader().await?.viewer();
    // No connection is held while a name is looked up.
    operation.close_reader().await;
    viewer.check(action, RecordKind::Webhook)?;
    let read = Url::parse(url).map_err(|_| Error::Internal("an address that was read is none".to_owned()))?;
    let checked = operation.service().outbound.check(&read).await;
    checked.map_err(|failure| Error::input("input.url", unreachable(failure)))
}

fn place_of(inputs: &mut Inputs, text: &str) -> Option<Position> {
    let place = Position::read(text);
    if place.is_none() {
        inputs.fault("after", Code::WrongForm.says("is not a cursor of changes: send one of them as it came"));
    }
    place
}

/// The secret, if it is the one of the webhook as it is answered and not of an earlier try.
fn shown_once(webhook: Webhook, secret: &SigningSecret) -> WebhookSecretPayload {
    let own = webhook.secret_fingerprint == secret.fingerprint();
    WebhookSecretPayload { webhook, secret: own.then(|| secret.shown()) }
}

impl UpdateWebhookInput {
    fn read(self) -> error::Result<(change::Seen, Patch)> {
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::Webhook, &self.id);
        let url = self.url.as_deref().map(|url| url_of(&mut inputs, url));
        let description = inputs.patch_text("description", self.description, MOST_DESCRIPTION);
        let kinds = self.kinds.as_deref().map(each_once);
        inputs.finish()?;
        let description = match description {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(text) => Some(Some(text)),
        };
        Ok(((id, self.expected_version), Patch { url, description, kinds }))
    }
}

/// Reads which webhook is changed, and the version that was seen.
fn seen(id: &ID, expected: i32) -> error::Result<change::Seen> {
    Ok((ids::argument("input.id", RecordKind::Webhook, id)?, expected))
}

/// Sends a test and writes it into the log of deliveries.
async fn test(operation: &Operation, webhook: Webhook) -> error::Result<TestWebhookPayload> {
    let (service, org) = (operation.service(), operation.org().await?);
    let event = Event::ping(org, webhook.id, fresh_event_id());
    let answer = send(service, &webhook.url, &event, &secrets(&service.webhook_seal, &webhook)?, true).await?;
    let tried = Delivery::of((&event.id, &event.kind), (None, 1), &answer);
    let mut scope = Scope::program(service.doorkeeper.pool(), org).await?;
    match log::write(&mut scope, webhook.id, &tried).await {
        Ok(()) => _ = scope.commit().await?,
        Err(error) => {
            scope.rollback().await;
            return Err(error);
        }
    }
    let (delivered, Delivery { status_code, error, duration_ms, .. }) = (tried.error.is_none(), tried);
    Ok(TestWebhookPayload { webhook, delivered, status_code, error, duration_ms })
}

/// The mutations of this module.
#[derive(Default)]
pub struct WebhookMutation;

#[Object]
impl WebhookMutation {
    /// Adds a webhook, which is told of what changes from now on. Only this payload shows its secret.
    async fn add_webhook(&self, ctx: &Context<'_>, input: AddWebhookInput) -> Result<WebhookSecretPayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, input.id.as_ref())?;
        let (mut inputs, secret, now) = (Inputs::new(), SigningSecret::fresh()?, ids::now());
        let id = inputs.new_id(RecordKind::Webhook, input.id.as_ref());
        let (sealed, secret_fingerprint) = change::sealed(&operation.service().webhook_seal, id, &secret)?;
        let new = Webhook {
            id,
            service_account_id: inputs.id("serviceAccountId", RecordKind::ServiceAccount, &input.service_account_id),
            url: url_of(&mut inputs, &input.url),
            description: inputs.opt_text("description", input.description.as_deref(), MOST_DESCRIPTION),
            kinds: each_once(&input.kinds),
            status: WebhookStatus::Active,
            reason: None,
            status_at: now,
            starts_after: String::new(),
            secret: sealed,
            secret_fingerprint,
            old_secret: None,
            old_secret_until: None,
            stamp: Stamp::new(None, now),
        };
        inputs.finish()?;
        reachable(operation, Action::Create, &new.url).await?;
        let work = transaction(move |scope| Box::pin(change::add(scope, new)));
        let webhook = operation.mutate(retry, work).await?;
        operation.service().webhooks.notify_one();
        Ok(shown_once(webhook, &secret))
    }

    /// Changes the address, the description or the kinds of a webhook. It goes on from its place.
    async fn update_webhook(&self, ctx: &Context<'_>, input: UpdateWebhookInput) -> Result<WebhookPayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, None)?;
        let (seen, patch) = input.read()?;
        if let Some(url) = &patch.url {
            reachable(operation, Action::Update, url).await?;
        }
        let work = transaction(move |scope| Box::pin(change::update(scope, seen, patch)));
        let webhook = operation.mutate(retry, work).await?;
        operation.service().webhooks.notify_one();
        Ok(WebhookPayload { webhook })
    }

    /// Gives a webhook a new secret. The old one signs beside it for a while: each event then has two signatures.
    async fn rotate_webhook_secret(
        &self,
        ctx: &Context<'_>,
        input: RotateWebhookSecretInput,
    ) -> Result<WebhookSecretPayload> {
        let operation = ctx.operation()?;
        let retry = operation.retry(ctx, None)?;
        let mut inputs = Inputs::new();
        let id = inputs.id("id", RecordKind::Webhook, &input.id);
        let hours = inputs.range("overlapHours", Some(input.overlap_hours), 0, MOST_OVERLAP_HOURS).unwrap_or(0);
        inputs.finish()?;
        let secret = SigningSecret::fresh()?;
        let sealed = change::sealed(&operation.service().webhook_seal, id, &secret)?;
        let (seen, overlap) = ((id, input.expected_version), TimeDelta::hours(i64::from(hours)));
        let work = transaction(move |scope| Box::pin(change::rotate(scope, seen, sealed, overlap)));
        let webhook = operation.mutate(retry, work).await?;
        Ok(shown_once(webhook, &secret))
    }

    /// Pauses a webhook: it keeps its place, and is told of nothing until it is resumed.
    async fn pause_webhook(&self, ctx: &Context<'_>, input: PauseWebhookInput) -> Result<WebhookPayload> {
        let operation = ctx.operation()?;
        let (retry, seen) = (operation.retry(ctx, None)?, seen(&input.id, input.expected_version)?);
        let work = transaction(move |scope| Box::pin(change::pause(scope, seen)));
        Ok(WebhookPayload { webhook: operation.mutate(retry, work).await? })
    }

    /// Resumes a webhook that was paused or disabled, where it stopped or after another place.
    async fn resume_webhook(&self, ctx: &Context<'_>, input: ResumeWebhookInput) -> Result<WebhookPayload> {
        let operation = ctx.operation()?;
        let (retry, seen) = (operation.retry(ctx, None)?, seen(&input.id, input.expected_version)?);
        let mut inputs = Inputs::new();
        let after = input.after.as_deref().and_then(|text| place_of(&mut inputs, text));
        inputs.finish()?;
        let work = transaction(move |scope| Box::pin(change::resume(scope, seen, after)));
        let webhook = operation.mutate(retry, work).await?;
        operation.service().webhooks.notify_one();
        Ok(WebhookPayload { webhook })
    }

    /// Tells the receiver of a webhook everything again that comes after a place, and from there on. Each event has the
    /// `webhook-id` that it had before.
    async fn replay_webhook(&self, ctx: &Context<'_>, input: ReplayWebhookInput) -> Result<WebhookPayload> {
        let operation = ctx.operation()?;
        let (retry, seen) = (operation.retry(ctx, None)?, seen(&input.id, input.expected_version)?);
        let mut inputs = Inputs::new();
        let after = place_of(&mut inputs, &input.after).unwrap_or(Position::START);
        inputs.finish()?;
        let work = transaction(move |scope| Box::pin(change::replay(scope, seen, after)));
        let webhook = operation.mutate(retry, work).await?;
        operation.service().webhooks.notify_one();
        Ok(WebhookPayload { webhook })
    }

    /// Sends a signed event of the type `ping` to the receiver of a webhook at once, and says what it answered. The webhook
    /// stays as it is, whatever that was.
    async fn test_webhook(&self, ctx: &Context<'_>, input: TestWebhookInput) -> Result<TestWebhookPayload> {
        let operation = ctx.operation()?;
        let id = ids::argument("input.id", RecordKind::Webhook, &input.id)?;
        let work = transaction(move |scope| Box::pin(change::tested(scope, id)));
        let webhook = operation.mutate(None, work).await?;
        Ok(test(operation, webhook).await?)
    }

    /// Ends a webhook for good. Its log stays for 30 days.
    async fn end_webhook(&self, ctx: &Context<'_>, input: EndWebhookInput) -> Result<WebhookPayload> {
        let operation = ctx.operation()?;
        let (retry, seen) = (operation.retry(ctx, None)?, seen(&input.id, input.expected_version)?);
        let work = transaction(move |scope| Box::pin(change::end(scope, seen)));
        Ok(WebhookPayload { webhook: operation.mutate(retry, work).await? })
    }
}
