//! One GraphQL operation: who sent it, the one picture it reads, and the transaction of each of its mutations.

mod batch;
mod cursors;
mod input;
mod mutate;
mod seen;
mod service;
mod standing;

pub use batch::{Batch, Batches, batches};
pub use cursors::{CursorOf, Cursors};
pub use input::{Inputs, patched};
pub use mutate::transaction;
pub use seen::{RefusedAt, reason_of};
pub use service::Service;

use crate::access::{Caller, Emergency, Scope, SignInMark, Viewer};
use crate::error::{Error, Result};
use crate::ledger::{Event, UnderWay};
use crate::objects::Holder;
use crate::vocabulary::RecordKind;
use standing::Standing;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};
use uuid::Uuid;

/// What is known of a request before anything runs.
#[derive(Debug, Clone, Default)]
pub struct RequestFacts {
    /// Its id: the client's, or ours.
    pub id: String,
    /// The network address it came from.
    pub address: String,
    /// The token, if any: of the `Authorization` header or of the cookie.
    pub token: Option<String>,
    /// Whether it came in the cookie.
    pub by_cookie: bool,
    /// Whether the cookie would not be taken from where it came.
    pub foreign: bool,
    /// What the client calls itself (`User-Agent`).
    pub client: String,
    /// Whether it asks for nothing that somebody may not who has to set up a second factor first.
    pub enrolling: bool,
    /// Whether it is a mutation.
    pub changes: bool,
    /// Whether nobody sits before it (`Clinic-Background`).
    pub background: bool,
    /// The `Idempotency-Key`, if any.
    pub idempotency_key: Option<String>,
    /// Why restricted patients are looked at, if it was said (`Access-Reason`).
    pub reason: Option<String>,
    /// The operation's first root field, by its name in the schema: what the access log calls it. A name that the client
    /// gives could say anything.
    pub name: String,
    /// What the gate priced the operation at, in points.
    pub cost: u64,
}

/// The records that any operation may lead to, whatever it costs. The largest chart of the demo clinic has some 400.
const RECORDS: u64 = 2_000;
/// The records that an operation may lead to for each point of its price. The gate can't know how long a list without
/// pages is and takes it for one record; few are longer than this.
const RECORDS_A_POINT: u64 = 20;

/// One operation under way.
pub struct Operation {
    service: Arc<Service>,
    facts: RequestFacts,
    token: Mutex<CallerToken>,
    reader: Mutex<Option<Scope>>,
    shown: std::sync::Mutex<Vec<Shown>>,
    changes: std::sync::Mutex<Vec<usize>>,
    key_refused: AtomicBool,
    records: AtomicU64,
    standing: Standing,
    _under_way: UnderWay,
}

/// The token of an operation: the request's, or that of a sign-in that was made or given a new token in it.
#[derive(Debug, Clone, Default)]
pub struct CallerToken {
    /// It.
    pub token: Option<String>,
    /// Whether it is the cookie's.
    pub by_cookie: bool,
}

/// To whom an operation showed whose data, and who was closed to them. A sign-in in the midst of it begins another: what
/// was shown before stays on the name of who saw it.
struct Shown {
    viewer: (Uuid, Option<Uuid>),
    /// How many sign-ins were made in the operation before it was theirs.
    turns: BTreeSet<usize>,
    patients: BTreeSet<Uuid>,
    refused: BTreeSet<Uuid>,
    emergencies: Vec<Emergency>,
    looked: bool,
}

/// The open reading scope, for as long as it is held.
pub type Reader<'a> = MappedMutexGuard<'a, Scope>;

impl Operation {
    /// Starts one. Nothing is opened until it is needed.
    pub fn new(service: Arc<Service>, facts: RequestFacts) -> Self {
        let token = Mutex::new(CallerToken { token: facts.token.clone(), by_cookie: facts.by_cookie });
        let (shown, changes) = (std::sync::Mutex::default(), std::sync::Mutex::default());
        let (key_refused, records) = (AtomicBool::new(false), AtomicU64::new(0));
        let (reader, _under_way) = (Mutex::new(None), service.access_log.under_way());
        let standing = Standing::default();
        Self { service, facts, token, reader, shown, changes, key_refused, records, standing, _under_way }
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

    /// Counts records that a link or a list leads to, once for each place in the answer.
    ///
    /// # Errors
    /// `QUERY_TOO_LARGE` past what the operation's price allows: lists without pages in one another multiply, and no
    /// price that is named before the records are known can say by how much.
    pub fn lead_to(&self, records: usize) -> Result<()> {
        self.records.fetch_add(u64::try_from(records).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.held()
    }

    /// # Errors
    /// `QUERY_TOO_LARGE` once the operation led to too much. It is answered with this alone.
    pub fn held(&self) -> Result<()> {
        let allowed = RECORDS.saturating_add(RECORDS_A_POINT.saturating_mul(self.facts.cost));
        if self.records.load(Ordering::Relaxed) <= allowed {
            return Ok(());
        }
        Err(Error::QueryTooLarge(format!(
            "this operation leads to more than {allowed} records: put fewer lists into one another, or ask for them by \
             their own root fields"
        )))
    }

    /// The operation's one consistent picture, opened at first use.
    pub async fn reader(&self) -> Result<Reader<'_>> {
        let mut guard = self.reader.lock().await;
        if guard.is_none() {
            let scope = self.open(false).await?;
            self.standing.signed_in(scope.viewer().sign_in);
            self.note_viewer(&scope);
            *guard = Some(scope);
        }
        MutexGuard::try_map(guard, Option::as_mut).map_err(|_| Error::Internal("the reading scope is gone".to_owned()))
    }

    /// The organisation that is asked now. Known without waiting once something was read.
    pub async fn org(&self) -> Result<Uuid> {
        match self.standing.org() {
            Some(org) => Ok(org),
            None => Ok(self.reader().await?.org()),
        }
    }

    async fn open(&self, writable: bool) -> Result<Scope> {
        let token = self.token().await;
        let opened = self.service.doorkeeper.open_scope(self.caller(&token), writable).await;
        if let (Err(Error::Unauthenticated(..)), Some(refused)) = (&opened, &token.token) {
            self.forget_sign_in();
            self.service.doorkeeper.forget_payer(self.caller(&token));
            self.log_refused_key(refused).await?;
        }
        opened
    }

    /// The token: the request's, or that of a sign-in in this very operation.
    pub async fn token(&self) -> CallerToken {
        self.token.lock().await.clone()
    }

    /// Who sends the request.
    pub fn caller<'a>(&'a self, token: &'a CallerToken) -> Caller<'a> {
        Caller {
            token: token.token.as_deref(),
            by_cookie: token.by_cookie,
            enrolling: self.facts.enrolling,
            changes: self.facts.changes,
            background: self.facts.background,
            request_id: &self.facts.id,
            address: &self.facts.address,
            reason: self.facts.reason.as_deref(),
        }
    }

    /// A key that exists and is refused (its address, its end) is worth a line in the access log: one for an operation.
    async fn log_refused_key(&self, token: &str) -> Result<()> {
        let Some((org, service)) = self.service.doorkeeper.known_key(token) else { return Ok(()) };
        if self.key_refused.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        self.log(org, Some(service), Event::Refused, Vec::new()).await
    }

    /// Goes on with the token of a sign-in that was just made or renewed, so that the payload can show who it is. `errors`:
    /// how many fields had failed before.
    pub async fn continue_with(&self, token: String, by_cookie: bool, errors: usize) {
        self.close_reader().await;
        if let Ok(mut changes) = self.changes.lock() {
            changes.push(errors);
        }
        self.standing.changes();
        *self.token.lock().await = CallerToken { token: Some(token), by_cookie };
    }

    /// FORBIDDEN for clinical records that the viewer reads by emergency access alone, unless they are this patient's and it
    /// is open for them. Asked of each field before it is batched with its siblings: what one is refused, another may see.
    pub fn in_emergency_of(&self, record: RecordKind, patient: Option<Uuid>) -> Result<()> {
        self.standing.in_emergency_of(record, patient)
    }

    /// The sign-in that the operation went on with last, as far as anybody asked: to tell when it ends.
    pub fn sign_in(&self) -> Option<SignInMark> {
        self.standing.sign_in()
    }

    /// Notes that the sign-in has ended in the operation.
    pub fn forget_sign_in(&self) {
        self.standing.signed_in(None);
    }

    /// To whom a link to bytes is given: to this sign-in, with the reason that it stated.
    pub fn holder(&self, viewer: &Viewer) -> Result<Holder> {
        let staff = viewer.author()?;
        let sign_in = viewer.sign_in.ok_or_else(|| Error::Internal("a link for nobody's sign-in".to_owned()))?;
        Ok(Holder { org: viewer.org, staff, sign_in: sign_in.id, reasoned: self.facts.reason.is_some() })
    }

    /// Closes the picture: its connection is free for others, and what is read from here on is what is there now.
    pub async fn close_reader(&self) {
        if let Some(mut scope) = self.reader.lock().await.take() {
            self.note_viewer(&scope);
            self.note_seen(scope.take_seen(), scope.take_refused());
            if let Err(error) = scope.commit().await {
                tracing::debug!(?error, "a reading transaction did not end cleanly");
            }
        }
    }
}

/// The operation of a resolver.
pub trait Running {
    /// It.
    fn operation(&self) -> Result<&Arc<Operation>>;
    /// Its batches, to look one more record or list up.
    ///
    /// # Errors
    /// `QUERY_TOO_LARGE` when the operation leads to too much (`Operation::lead_to`).
    fn batches(&self) -> Result<&Arc<Batches>>;
}

impl Running for async_graphql::Context<'_> {
    fn operation(&self) -> Result<&Arc<Operation>> {
        self.data_opt().ok_or_else(|| Error::Internal("a resolver without its operation".to_owned()))
    }

    fn batches(&self) -> Result<&Arc<Batches>> {
        self.operation()?.lead_to(1)?;
        self.data_opt().ok_or_else(|| Error::Internal("a resolver without its batches".to_owned()))
    }
}
