//! The transaction of a mutation.

use super::Operation;
use crate::access::Scope;
use crate::error::Result;
use crate::ledger::{self, Claim, Record, Retry};
use futures::future::BoxFuture;
use std::collections::BTreeSet;

/// The work of a mutation. It receives the open transaction and returns the record that it created or changed.
pub type Work<'w, R> = Box<dyn for<'s> FnOnce(&'s mut Scope) -> BoxFuture<'s, Result<R>> + Send + 'w>;

/// The work of a mutation, from a closure.
pub fn transaction<'w, R>(
    work: impl for<'s> FnOnce(&'s mut Scope) -> BoxFuture<'s, Result<R>> + Send + 'w,
) -> Work<'w, R> {
    Box::new(work)
}

impl Operation {
    /// Runs a mutation in one transaction: it either completes, with its ledger entry, or changes nothing. With a retry
    /// key, the same request returns the record as the first try left it, provided the sender may still make that
    /// change and see the record. Mutations that hand out data or a secret come without a retry key: each try runs and
    /// is recorded anew.
    pub async fn mutate<R: Record>(&self, retry: Option<Retry>, work: Work<'_, R>) -> Result<R> {
        // Later reads must see this mutation, so the earlier snapshot is closed.
        self.close_reader().await;
        let mut scope = self.open(true).await?;
        self.standing.signed_in(scope.viewer().sign_in);
        self.note_viewer(&scope);
        match Self::claim_and_work(&mut scope, retry, work).await {
            Ok(record) => {
                self.note_viewer(&scope);
                let refused = scope.take_refused();
                let (org, entry) = (scope.org(), scope.newest_entry());
                let seen = scope.commit().await?;
                if let Some(entry) = entry {
                    self.service.tail.moved(org, entry);
                }
                self.note_seen(seen, refused);
                Ok(record)
            }
            Err(error) => {
                // Nothing was changed, but the error may contain data that was read, and the patients who were refused
                // are known.
                let seen = if error.tells_of_records() { scope.take_seen() } else { BTreeSet::new() };
                self.note_seen(seen, scope.take_refused());
                scope.rollback().await;
                Err(error)
            }
        }
    }

    async fn claim_and_work<R: Record>(scope: &mut Scope, retry: Option<Retry>, work: Work<'_, R>) -> Result<R> {
        let Some(retry) = retry else {
            return work(scope).await;
        };
        match ledger::claim(scope, &retry).await? {
            Claim::Done(first) => ledger::replay(scope, first).await,
            Claim::New => {
                let record = work(scope).await?;
                ledger::settle(scope, &retry).await?;
                Ok(record)
            }
        }
    }
}
