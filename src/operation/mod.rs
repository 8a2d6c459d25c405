//! One GraphQL operation: who sent it, the one picture it reads, and the transaction of each of its mutations.

mod batch;
mod input;

pub use batch::{Batch, Batches, batches};
pub use input::{Inputs, patched};

use crate::access::sign_in::Doorkeeper;
use crate::access::{Caller, Emergency, Scope};
use crate::error::{Error, Result};
use crate::ledger::{self, AccessEvent, AccessLog, Claim, Event, Record, Retry};
use crate::mail::Mailer;
use crate::objects::{Links, Objects};
use futures::future::BoxFuture;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};
use uuid::Uuid;

/// What is known of a request before anything runs.
#[derive(Debug, Clone, Default)]
pub struct RequestFacts {
    /// Its id: the client's, or ours.
    pub id: String,
    /// The network address it came from.
    pub address: String,
    /// The bearer token, if any.
    pub token: Option<String>,
    /// The `Idempotency-Key`, if any.
    pub idempotency_key: Option<String>,
    /// Why restricted patients are looked at, if it was said (`Access-Reason`).
    pub reason: Option<String>,
    /// The operation's name, or its first root field: what the access log calls it.
    pub name: String,
}

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
    /// Sends mail, if the settings say by whom.
    pub mailer: Option<Mailer>,
}

/// One operation under way.
pub struct Operation {
    service: Arc<Service>,
    facts: RequestFacts,
    token: Mutex<Option<String>>,
    reader: Mutex<Option<Scope>>,
    shown: std::sync::Mutex<Shown>,
}

/// To whom an operation showed whose data.
#[derive(Default)]
struct Shown {
    viewer: Option<(Uuid, Option<Uuid>)>,
    patients: BTreeSet<Uuid>,
    emergencies: Vec<Emergency>,
    looked: bool,
}

/// The open reading scope, for as long as it is held.
pub type Reader<'a> = MappedMutexGuard<'a, Scope>;

/// The work of a mutation: it gets the open transaction and gives the record it made or changed.
pub type Work<'w, R> = Box<dyn for<'s> FnOnce(&'s mut Scope) -> BoxFuture<'s, Result<R>> + Send + 'w>;

/// The work of a mutation, from a closure.
pub fn transaction<'w, R>(
    work: impl for<'s> FnOnce(&'s mut Scope) -> BoxFuture<'s, Result<R>> + Send + 'w,
) -> Work<'w, R> {
    Box::new(work)
}

impl Operation {
    /// Starts one. Nothing is opened until it is needed.
    pub fn new(service: Arc<Service>, facts: RequestFacts) -> Self {
        let token = Mutex::new(facts.token.clone());
        Self { service, facts, token, reader: Mutex::new(None), shown: std::sync::Mutex::default() }
    }

    /// The service.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// The service, for what goes on beside the operation.
    pub fn shared_service(&self) -> Arc<Service> {
        Arc::clone(&self.service)
    }

    /// What is known of the request.
    pub fn facts(&self) -> &RequestFacts {
        &self.facts
    }

    /// The operation's one consistent picture, opened at first use.
    pub async fn reader(&self) -> Result<Reader<'_>> {
        let mut guard = self.reader.lock().await;
        if guard.is_none() {
            let scope = self.open(false).await?;
            self.note_viewer(&scope);
            *guard = Some(scope);
        }
        MutexGuard::try_map(guard, Option::as_mut).map_err(|_| Error::Internal("the reading scope is gone".to_owned()))
    }

    async fn open(&self, writable: bool) -> Result<Scope> {
        let token = self.token.lock().await.clone();
        let caller = Caller {
            token: token.as_deref(),
            request_id: &self.facts.id,
            address: &self.facts.address,
            reason: self.facts.reason.as_deref(),
        };
        self.service.doorkeeper.open_scope(caller, writable).await
    }

    /// The bearer token: the request's, or that of a sign-in in this very operation.
    pub async fn token(&self) -> Option<String> {
        self.token.lock().await.clone()
    }

    /// Goes on as somebody who has just signed in, so that the payload of the sign-in can show who they are.
    pub async fn continue_as(&self, token: String) {
        self.close_reader().await;
        *self.token.lock().await = Some(token);
    }

    fn note_viewer(&self, scope: &Scope) {
        if let Ok(mut shown) = self.shown.lock() {
            shown.viewer = Some((scope.org(), scope.viewer().staff));
            let known = shown.emergencies.clone();
            shown.emergencies.extend(scope.emergencies().iter().filter(|it| !known.contains(it)).cloned());
            shown.looked |= scope.looked();
        }
    }

    fn note_seen(&self, patients: BTreeSet<Uuid>) {
        if let Ok(mut shown) = self.shown.lock() {
            shown.patients.extend(patients);
        }
    }

    /// Runs a mutation in one transaction: whole, with its ledger entry, or not at all. With a retry's mark, the same
    /// request again gives the record as the first try left it.
    pub async fn mutate<R: Record>(&self, retry: Option<Retry>, work: Work<'_, R>) -> Result<R> {
        // What is read after this mutation must see it: the picture of before is closed.
        self.close_reader().await;
        let mut scope = self.open(true).await?;
        self.note_viewer(&scope);
        match Self::claim_and_work(&mut scope, retry, work).await {
            Ok(record) => {
                self.note_viewer(&scope);
                let seen = scope.commit().await?;
                self.note_seen(seen);
                Ok(record)
            }
            Err(error) => {
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
            Claim::Done(seq) => {
                let record: R = ledger::snapshot_at(scope, seq).await?;
                scope.show(record.patient_id());
                Ok(record)
            }
            Claim::New => {
                let record = work(scope).await?;
                ledger::settle(scope, &retry).await?;
                Ok(record)
            }
        }
    }

    async fn close_reader(&self) {
        if let Some(mut scope) = self.reader.lock().await.take() {
            self.note_viewer(&scope);
            self.note_seen(scope.take_seen());
            if let Err(error) = scope.commit().await {
                tracing::debug!(?error, "a reading transaction did not end cleanly");
            }
        }
    }

    /// Ends the operation: the picture is closed, and whose data was shown is in the access log before anything is
    /// sent. An error here means nothing may be sent.
    pub async fn finish(&self, refused: bool) -> Result<()> {
        if let Some(scope) = self.reader.lock().await.as_mut() {
            self.note_viewer(scope);
            self.note_seen(scope.take_seen());
        }
        let Shown { viewer, patients, emergencies, looked } = match self.shown.lock() {
            Ok(mut shown) => std::mem::take(&mut *shown),
            Err(_) => return Err(Error::Internal("the list of shown patients is lost".to_owned())),
        };
        let log = async {
            let Some((org, actor)) = viewer else { return Ok(()) };
            if patients.is_empty() && !refused && !looked {
                return Ok(());
            }
            let event = if refused { Event::Refused } else { Event::Read };
            let reason = reason_of(&patients, &emergencies, self.facts.reason.as_deref());
            self.write_down(org, actor, event, patients.into_iter().collect(), reason).await
        };
        let ((), logged) = futures::join!(self.close_reader(), log);
        logged
    }

    /// Writes to the access log.
    pub async fn log(&self, org: Uuid, actor: Option<Uuid>, event: Event, patients: Vec<Uuid>) -> Result<()> {
        self.write_down(org, actor, event, patients, self.facts.reason.clone()).await
    }

    async fn write_down(
        &self,
        org: Uuid,
        actor: Option<Uuid>,
        event: Event,
        patients: Vec<Uuid>,
        reason: Option<String>,
    ) -> Result<()> {
        self.service
            .access_log
            .write(AccessEvent {
                org,
                actor,
                request_id: self.facts.id.clone(),
                event,
                operation: self.facts.name.clone(),
                from_address: self.facts.address.clone(),
                reason,
                patients,
            })
            .await
    }
}

/// Why these patients were looked at, for the access log: the emergency access that was open to one of them, and what was
/// stated.
pub fn reason_of(patients: &BTreeSet<Uuid>, emergencies: &[Emergency], stated: Option<&str>) -> Option<String> {
    let open = emergencies.iter().filter(|it| patients.contains(&it.patient));
    let mut reasons: Vec<String> = open.map(|it| format!("emergency: {}", it.reason)).collect();
    reasons.extend(stated.map(str::to_owned));
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// The operation of a resolver.
pub trait Running {
    /// It.
    fn operation(&self) -> Result<&Arc<Operation>>;
    /// Its batches.
    fn batches(&self) -> Result<&Arc<Batches>>;
}

impl Running for async_graphql::Context<'_> {
    fn operation(&self) -> Result<&Arc<Operation>> {
        self.data_opt().ok_or_else(|| Error::Internal("a resolver without its operation".to_owned()))
    }

    fn batches(&self) -> Result<&Arc<Batches>> {
        self.data_opt().ok_or_else(|| Error::Internal("a resolver without its batches".to_owned()))
    }
}
