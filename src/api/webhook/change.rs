//! What the mutations of webhooks do, within their transactions.

use crate::access::lease::At;
use crate::access::{Scope, Seal, Viewer};
use crate::error::{self, Code, Error, Faults};
use crate::feed::{self, From, Position};
use crate::ids;
use crate::outbound::SigningSecret;
use crate::page::listing;
use crate::record::Stamp;
use crate::service_account::ServiceAccount;
use crate::vocabulary::{Action, RecordKind};
use crate::webhook::{Webhook, WebhookStatus, store};
use chrono::TimeDelta;
use uuid::Uuid;

/// A secret, sealed for a webhook, with its fingerprint.
pub(super) fn sealed(seal: &Seal, webhook: Uuid, secret: &SigningSecret) -> error::Result<(Vec<u8>, String)> {
    Ok((seal.close(webhook, secret.bytes())?, secret.fingerprint()))
}

/// The place of a cursor, or the end of the ledger, as it is now: refused if this ledger does not have it.
async fn place(scope: &mut Scope, from: From) -> error::Result<At> {
    let page = match feed::page(scope, from, 0, &feed::Wanted::default()).await {
        Err(Error::BadUserInput(faults)) => {
            let mut own = Faults::default();
            faults.into_iter().for_each(|fault| own.add("input.after", fault.flaw));
            return Err(own.into_result().err().unwrap_or(Error::Unavailable));
        }
        page => page?,
    };
    let position = if let From::After(position) = from { position } else { page.end };
    Ok(At { cursor: position.cursor(), seq: position.seq, within: position.place.is_some() })
}

/// The service account, if it is there and open.
async fn account(scope: &mut Scope, id: Uuid, path: &str) -> error::Result<ServiceAccount> {
    let found: Vec<ServiceAccount> = listing::by_ids(scope, &[id]).await?;
    match found.into_iter().next() {
        Some(account) if account.active => Ok(account),
        Some(_) => Err(Error::input(path, Code::Inactive.says("is closed: open it first (updateServiceAccount)"))),
        None => Err(Error::input(path, Code::NotFound.says("is no service account of this organisation"))),
    }
}

/// Refuses kinds that the account may not read.
fn readable(org: Uuid, account: &ServiceAccount, kinds: &[RecordKind], path: &str) -> error::Result<()> {
    let viewer = Viewer::of_service_account(org, account.id, &account.scopes);
    let mut faults = Faults::default();
    for (place, kind) in kinds.iter().enumerate() {
        if viewer.check(Action::Read, *kind).is_err() {
            let message = format!("may not be read by this service account: its scopes do not cover {}", kind.one());
            faults.add(format!("{path}.{place}"), Code::NotAllowed.says(message));
        }
    }
    faults.into_result()
}

pub(super) async fn add(scope: &mut Scope, mut new: Webhook) -> error::Result<Webhook> {
    scope.viewer().check(Action::Create, RecordKind::Webhook)?;
    let account = account(scope, new.service_account_id, "input.serviceAccountId").await?;
    readable(scope.org(), &account, &new.kinds, "input.kinds")?;
    let (at, now) = (place(scope, From::Now).await?, ids::now());
    new.starts_after.clone_from(&at.cursor);
    (new.status_at, new.stamp) = (now, Stamp::new(scope.viewer().staff, now));
    store::add(scope, &new, &at).await?;
    Ok(new)
}

/// What is changed: which, and the version that was seen.
pub(super) type Seen = (Uuid, i32);

/// The webhook as it is, if it has the version that was seen and was not ended.
async fn held(scope: &mut Scope, (id, expected): Seen) -> error::Result<Webhook> {
    scope.viewer().check(Action::Update, RecordKind::Webhook)?;
    let before: Webhook = listing::one(scope, id).await?;
    error::at_version("webhook", before.stamp.version, expected)?;
    if before.status == WebhookStatus::Ended {
        return Err(Error::input("input.id", Code::Done.says("was ended for good: add another (addWebhook)")));
    }
    Ok(before)
}

async fn save(scope: &mut Scope, mut after: Webhook, at: Option<&At>) -> error::Result<Webhook> {
    let expected = after.stamp.version;
    after.stamp = after.stamp.changed(scope.viewer().staff, ids::now());
    store::save(scope, &after, expected, at).await?;
    Ok(after)
}

/// What a patch changes: an absent field stays.
pub(super) struct Patch {
    pub(super) url: Option<String>,
    pub(super) description: Option<Option<String>>,
    pub(super) kinds: Option<Vec<RecordKind>>,
}

pub(super) async fn update(scope: &mut Scope, seen: Seen, patch: Patch) -> error::Result<Webhook> {
    let mut webhook = held(scope, seen).await?;
    if let Some(kinds) = patch.kinds {
        let found: Vec<ServiceAccount> = listing::by_ids(scope, &[webhook.service_account_id]).await?;
        for account in &found {
            readable(scope.org(), account, &kinds, "input.kinds")?;
        }
        webhook.kinds = kinds;
    }
    webhook.url = patch.url.unwrap_or(webhook.url);
    webhook.description = patch.description.unwrap_or(webhook.description);
    save(scope, webhook, None).await
}

pub(super) async fn rotate(
    scope: &mut Scope,
    seen: Seen,
    secret: (Vec<u8>, String),
    overlap: TimeDelta,
) -> error::Result<Webhook> {
    let webhook = held(scope, seen).await?.rotated(secret, overlap, ids::now());
    save(scope, webhook, None).await
}

pub(super) async fn pause(scope: &mut Scope, seen: Seen) -> error::Result<Webhook> {
    let webhook = held(scope, seen).await?;
    if webhook.status != WebhookStatus::Active {
        return Err(Error::input("input.id", Code::WrongState.says("is not active: there is nothing to pause")));
    }
    save(scope, webhook.with_status(WebhookStatus::Paused, None, ids::now()), None).await
}

/// Resumes a webhook where it stopped, or after a place.
pub(super) async fn resume(scope: &mut Scope, seen: Seen, after: Option<Position>) -> error::Result<Webhook> {
    let mut webhook = held(scope, seen).await?;
    if webhook.status == WebhookStatus::Active {
        return Err(Error::input("input.id", Code::WrongState.says("is active already")));
    }
    account(scope, webhook.service_account_id, "input.id").await?;
    let at = match after {
        Some(position) => Some(place(scope, From::After(position)).await?),
        None => None,
    };
    if let Some(at) = &at {
        webhook.starts_after.clone_from(&at.cursor);
    }
    save(scope, webhook.with_status(WebhookStatus::Active, None, ids::now()), at.as_ref()).await
}

/// Tells a webhook all again that comes after a place.
pub(super) async fn replay(scope: &mut Scope, seen: Seen, after: Position) -> error::Result<Webhook> {
    let mut webhook = held(scope, seen).await?;
    let at = place(scope, From::After(after)).await?;
    webhook.starts_after.clone_from(&at.cursor);
    save(scope, webhook, Some(&at)).await
}

/// Ends a webhook: its secrets go, so that no signature by them is made again.
pub(super) async fn end(scope: &mut Scope, seen: Seen) -> error::Result<Webhook> {
    let webhook = held(scope, seen).await?.with_status(WebhookStatus::Ended, None, ids::now());
    save(scope, Webhook { secret: Vec::new(), old_secret: None, old_secret_until: None, ..webhook }, None).await
}

/// The webhook that a test is sent to, for whoever may change it.
pub(super) async fn tested(scope: &mut Scope, id: Uuid) -> error::Result<Webhook> {
    let viewer = scope.viewer();
    viewer.check(Action::Update, RecordKind::Webhook)?;
    let webhook: Webhook = listing::one(scope, id).await?;
    if webhook.status == WebhookStatus::Ended {
        return Err(Error::input("input.id", Code::Done.says("was ended for good: add another (addWebhook)")));
    }
    viewer.proved_lately()?;
    Ok(webhook)
}
