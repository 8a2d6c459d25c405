//! The parts of the service that operations need.

use super::cursors::Cursors;
use crate::access::refusal;
use crate::access::sign_in::Doorkeeper;
use crate::error::Result;
use crate::ledger::{AccessEvent, AccessLog, Event};
use crate::mail::Mailer;
use crate::objects::{Links, Objects};
use tokio::sync::Notify;
use uuid::Uuid;

/// The parts of the service that operations need.
pub struct Service {
    /// Sign-in and the door to the data.
    pub doorkeeper: Doorkeeper,
    /// Who saw what.
    pub access_log: AccessLog,
    /// Photos' bytes.
    pub objects: Objects,
    /// Signs the links to them.
    pub links: Links,
    /// Seals the cursors of lists.
    pub cursors: Cursors,
    /// Sends mail, if the settings say by whom.
    pub mailer: Option<Mailer>,
    /// Told of each refused try to sign in that waits to be written to the access logs.
    pub refused: Notify,
}

impl Service {
    /// Writes the refused tries that wait to the access logs they belong in. How many were written. What one log does not take
    /// waits for the next time, and holds up no other.
    ///
    /// # Errors
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
            // A crash before the commit writes them twice: better than never.
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
