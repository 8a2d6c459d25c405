//! The SQL of webhooks; that of their places is in `access::lease`.

use super::{Webhook, WebhookCondition, WebhookOrder};
use crate::access::{Scope, lease};
use crate::error::Result;
use crate::page::{kept, listing, stored};
use crate::record::Stamp;
use crate::vocabulary::Action;

stored! {
    Webhook = webhook;
    always: service_account_id, url, status, status_at, starts_after;
    asked: description, reason, secret, secret_fingerprint, old_secret, old_secret_until;
    words: kinds;
    parts {
        stamp(version, created_at, created_by, updated_at, updated_by) = Stamp::of, Stamp::columns;
    }
}
listing!(Webhook, WebhookCondition, WebhookOrder, {});

/// Adds a webhook and its place.
pub async fn add(scope: &mut Scope, webhook: &Webhook, at: &lease::At) -> Result<()> {
    kept::add(scope, webhook).await?;
    lease::add(scope, webhook.id, webhook.status.as_str(), at).await
}

/// Saves a change by an admin: whoever delivers for it stops, and begins anew with what it says now, at another place if
/// one is given.
pub async fn save(scope: &mut Scope, after: &Webhook, expected: i32, at: Option<&lease::At>) -> Result<()> {
    kept::save(scope, Action::Update, after, expected).await?;
    lease::changed(scope, after.id, after.status.as_str(), at).await
}
