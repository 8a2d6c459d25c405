//! The transaction of a mutation.

use super::Operation;
use crate::access::Scope;
use crate::error::Result;
use crate::ledger::{self, Claim, Record, Retry};
use futures::future::BoxFuture;
use std::collections::BTreeSet;

/// The work of a mutation: it gets the open transaction and gives the record it made or changed.
pub type Work<'w, R> = Box<dyn for<'s> FnOnce(&'s mut Scope) -> BoxFuture<'s, Result<R>> + Send + 'w>;

/// The work of a mutation, from a closure.
pub fn transaction<'w, R>(
    work: impl for<'s> FnOnce(&'s mut Scope) -> BoxFuture<'s, Result<R>> + Send + 'w,
) -> Work<'w, R> {
    Box::new(work)
}

impl Operation {
    /// Runs a mutation in one transaction: whole, with its ledger entry, or not at all. With a retry's mark, the same
    /// request again gives the record as the first try left it, to who may still do and see that. What gives data or a secret
    /// away comes without a mark: each try is done anew and noted anew.
    pub async fn mutate<R: Record>(&self, retry: Option<Retry>, work: Work<'_, R>) -> Result<R> {
        // What is read after this mutation must see it: the picture of before is closed.
        self.close_reader().await;
        let mut scope = self.open(true).await?;
        self.standing.signed_in(scope.viewer().sign_in);
        self.note_viewer(&scope);
        match Self::claim_and_work(&mut scope, retry, work).await {
            Ok(record) => {
                self.note_viewer(&scope);
                let refused = scope.take_refused();
                let seen = scope.commit().await?;
                self.note_seen(seen, refused);
                Ok(record)
            }
            Err(error) => {
                // Nothing was changed; what was read may be in the error, and whom it was refused is known all the same.
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
