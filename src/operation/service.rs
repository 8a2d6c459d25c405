//! The parts of the service that operations need.

use super::cursors::Cursors;
use crate::access::sign_in::Doorkeeper;
use crate::access::vigil::Vigil;
use crate::access::{Seal, refusal};
use crate::error::Result;
use crate::feed::{Tail, Watermark};
use crate::ledger::{AccessEvent, AccessLog, Event};
use crate::mail::Mailer;
use crate::objects::{Links, Objects};
use crate::outbound::Outbound;
use crate::watch::Watch;
use std::sync::Arc;
use tokio::sync::Notify;
use uuid::Uuid;

/// The parts of the service that operations need.
pub struct Service {
    /// Sign-in and the door to the data.
    pub doorkeeper: Doorkeeper,
    /// The access log.
    pub access_log: AccessLog,
    /// The object store of the photos.
    pub objects: Objects,
    /// Signs the links to them.
    pub links: Links,
    /// Seals the cursors of lists.
    pub cursors: Cursors,
    /// Sends mail, if a mail server is configured.
    pub mailer: Option<Mailer>,
    /// Sends events to the receivers of webhooks.
    pub outbound: Outbound,
    /// Seals the secrets of webhooks.
    pub webhook_seal: Seal,
    /// Notified when a webhook was added or changed.
    pub webhooks: Notify,
    /// The ends of the ledgers, for whoever waits for them to move.
    pub tail: Arc<Tail>,
    /// Watches over the tokens of those who stay connected.
    pub vigil: Arc<Vigil>,
    /// A moment since when to ask what changed.
    pub watermark: Watermark,
    /// Notified of each failed sign-in that waits to be written to the access logs.
    pub refused: Notify,
    /// What is counted and traced.
    pub watch: Arc<Watch>,
}

impl Service {
    /// Writes the pending failed sign-ins to the access logs they belong in, and returns how many were written. What
    /// one log refuses waits for the next time and does not hold up the others.
    ///
    /// # Errors
    ///
    /// The first of those that were not written.
    pub async fn log_refused(&self) -> Result<usize> {
        let (transaction, waiting) = refusal::take(self.doorkeeper.pool()).await?;
        let writes = waiting.into_iter().map(|(id, refusal, places)| async move {
            let rows = places.into_iter().map(|(org, staff)| AccessEvent {
                org,
                actor: Some(staff),
                request_id: refusal.request_id.clone(),
                event: Event::SignInRefused,
                operation: refusal.operation.clone(),
                from_address: refusal.from_address.clone(),
                reason: None,
                patients: Vec::new(),
            });
            // After a crash before the commit they are written twice, which is better than never.
            futures::future::try_join_all(rows.map(|row| self.access_log.write(row))).await.map(|_| id)
        });
        let (written, failed): (Vec<_>, Vec<_>) =
            futures::future::join_all(writes).await.into_iter().partition(Result::is_ok);
        let written: Vec<Uuid> = written.into_iter().flatten().collect();
        let count = written.len();
        refusal::take_out(transaction, written).await?;
        failed.into_iter().find_map(Result::err).map_or(Ok(count), Err)
    }
}
