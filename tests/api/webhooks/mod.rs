//! Webhooks: receivers that are told of each change, once and in order, whatever becomes of them and of the service.

mod documented;
mod failures;
mod killed;
mod networks;
mod order;
mod receiver;
mod rights;
mod secrets;
mod told;

use crate::support::*;
pub use receiver::{Got, Receiver, until};

/// A schedule that is over in no time: four tries.
pub const SOON: &[&str] = &["--webhook-schedule", "30ms,30ms,30ms"];
/// One that goes on for as long as a test may.
pub const PATIENT: &[&str] = &["--webhook-schedule", PATIENT_WAITS];
const PATIENT_WAITS: &str = "20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,\
    20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,20ms,5s,5s,5s,5s,5s,5s";

/// Everything that a webhook says of how it stands.
pub const STANDING: &str = "query ($id: ID!) { webhook(id: $id) { id url status reason kinds version cursor startsAfter failedTries \
    lastSuccessAt failingSince nextTryAt secretFingerprint oldSecretUntil deliveries(first: 100) { totalCount nodes { eventId \
    sequence type attempt at durationMs statusCode error nextTryAt } } } }";

/// A webhook as it was added.
pub struct Hook {
    pub made: Made,
    pub secret: String,
    pub service: Made,
}

/// Adds a webhook with the rights of these scopes.
pub async fn hook(admin: &SignedIn, receiver: &Receiver, scopes: &[&str], kinds: &[&str]) -> Hook {
    let service = admin.service_account(&format!("Receiver {}", uuid::Uuid::now_v7()), scopes).await;
    let input = json!({"serviceAccountId": service.id, "url": receiver.url, "kinds": kinds});
    let added = admin.does("addWebhook", input, "webhook { id version } secret").await.ok();
    let secret = added["addWebhook"]["secret"].as_str().expect("a secret").to_owned();
    Hook { made: Made::of(&added["addWebhook"]["webhook"]), secret, service }
}

/// How a webhook stands.
pub async fn standing(who: &Caller, hook: &Hook) -> Value {
    who.graphql(STANDING, json!({"id": hook.made.id})).await.ok()["webhook"].clone()
}

/// Does something with a webhook at its version; the webhook afterwards.
pub async fn change(admin: &SignedIn, mutation: &str, hook: &Hook, more: Value) -> Made {
    let now = Made::of(&standing(admin, hook).await);
    admin.make(mutation, "webhook", now.edit_with(more)).await
}
