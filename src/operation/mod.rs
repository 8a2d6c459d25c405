//! One GraphQL operation: its viewer, the single snapshot it reads from, and the transaction of each of its mutations.

mod at_once;
mod batch;
mod cursors;
mod digest;
mod input;
mod mutate;
mod repeated;
mod seen;
mod service;
mod standing;

pub use at_once::{AtOnce, Plain, whole_paths};
pub(crate) use at_once::{camel, camel_case, camel_length, plain, plain_value};
pub use batch::{Batch, Batches, batches};
pub use cursors::{CursorOf, Cursors};
pub use input::{Inputs, is_language_tag, patched};
pub use mutate::transaction;
pub use seen::{RefusedAt, reason_of};
pub use service::Service;

use crate::access::{Caller, Emergency, Scope, SignInMark, Viewer};
use crate::error::{Error, Result, SharedError};
use crate::ledger::{Event, UnderWay};
use crate::objects::Holder;
use crate::vocabulary::RecordKind;
use async_graphql::ServerError;
use async_graphql::dataloader::Loader;
use futures::future::BoxFuture;
use repeated::Repeated;
use standing::Standing;
use std::collections::BTreeSet;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};
use uuid::Uuid;

/// What is known of a request before anything runs.
#[derive(Debug, Clone, Default)]
pub struct RequestFacts {
    /// Its id, from the client or generated.
    pub id: String,
    /// The network address it came from.
    pub address: String,
    /// The token, if any: of the `Authorization` header or of the cookie.
    pub token: Option<String>,
    /// Whether it came in the cookie.
    pub by_cookie: bool,
    /// Whether the request came from an origin from which the cookie is not accepted.
    pub foreign: bool,
    /// The `User-Agent` of the client.
    pub client: String,
    /// Whether it asks only for what is allowed before a required second factor is set up.
    pub enrolling: bool,
    /// Whether it is a mutation.
    pub changes: bool,
    /// Whether it runs in the background, without a person waiting for it (`Clinic-Background`).
    pub background: bool,
    /// The `Idempotency-Key`, if any.
    pub idempotency_key: Option<String>,
    /// The reason for reading restricted patients, if one was stated (`Access-Reason`).
    pub reason: Option<String>,
    /// The first root field of the operation, by its name in the schema: the access log records it as the operation. A
    /// name chosen by the client could say anything.
    pub name: String,
    /// The cost of the operation, in points, as computed by the gate.
    pub cost: u64,
}

/// The number of records that any operation may load, whatever its cost. The largest chart of the demo clinic has some
/// 400.
const RECORDS: u64 = 2_000;
/// The number of records that an operation may load for each point of its cost. The gate can't know the length of a
/// list without pages and counts it as one record; few are longer than this.
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
    ended: OnceLock<ServerError>,
    records: AtomicU64,
    standing: Standing,
    repeated: Repeated,
    _under_way: UnderWay,
}

/// The token of an operation: the one sent with the request, or that of a sign-in that was made or renewed in the
/// operation.
#[derive(Debug, Clone, Default)]
pub struct CallerToken {
    /// The token, if there is one.
    pub token: Option<String>,
    /// Whether it is the cookie's.
    pub by_cookie: bool,
}

/// Which viewer saw which patients, and which were refused. A sign-in during the operation starts another entry; what
/// was shown before stays under the name of the viewer who saw it.
struct Shown {
    viewer: (Uuid, Option<Uuid>),
    /// The turns in which this viewer was active, each by the number of sign-ins made in the operation before it.
    turns: BTreeSet<usize>,
    patients: BTreeSet<Uuid>,
    refused: BTreeSet<Uuid>,
    emergencies: Vec<Emergency>,
    looked: bool,
}

/// The open reading scope, while it is held.
pub type Reader<'a> = MappedMutexGuard<'a, Scope>;

impl Operation {
    /// Starts an operation. Nothing is opened until it is needed.
    pub fn new(service: Arc<Service>, facts: RequestFacts) -> Self {
        let token = Mutex::new(CallerToken { token: facts.token.clone(), by_cookie: facts.by_cookie });
        let (shown, changes) = (std::sync::Mutex::default(), std::sync::Mutex::default());
        let (key_refused, records) = (AtomicBool::new(false), AtomicU64::new(0));
        let (reader, _under_way) = (Mutex::new(None), service.access_log.under_way());
        let (standing, repeated, ended) = (Standing::default(), Repeated::default(), OnceLock::new());
        Self {
            service,
            facts,
            token,
            reader,
            shown,
            changes,
            key_refused,
            ended,
            records,
            standing,
            repeated,
            _under_way,
        }
    }

    /// The service.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// The service, for work that continues beside the operation.
    pub fn shared_service(&self) -> Arc<Service> {
        Arc::clone(&self.service)
    }

    /// Records that the operation met before, and may meet again.
    pub fn repeated(&self) -> &Repeated {
        &self.repeated
    }

    /// What is known of the request.
    pub fn facts(&self) -> &RequestFacts {
        &self.facts
    }

    /// Ends the mutations of this operation: those that are left are refused as this one was, and not tried.
    pub fn end(&self, refused: &ServerError) {
        // The first one stays.
        let _ = self.ended.set(refused.clone());
    }

    /// What ended the mutations of this operation, if anything did.
    pub fn ended(&self) -> Option<&ServerError> {
        self.ended.get()
    }

    /// Counts the records that a link or a list loads, once for each place in the result.
    ///
    /// # Errors
    ///
    /// `QUERY_TOO_LARGE` beyond what the cost of the operation allows. Nested lists without pages multiply, and no cost
    /// computed before the records are known can say by how much.
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

    /// The single consistent snapshot of the operation, opened at first use.
    pub async fn reader(&self) -> Result<Reader<'_>> {
        let mut guard = self.reader.lock().await;
        if guard.is_none() {
            // Boxed: nearly every field may be the first to read, and its future would carry this one.
            let scope = Box::pin(self.open(false)).await?;
            self.standing.signed_in(scope.viewer().sign_in);
            self.note_viewer(&scope);
            *guard = Some(scope);
        }
        MutexGuard::try_map(guard, Option::as_mut).map_err(|_| Error::Internal("the reading scope is gone".to_owned()))
    }

    /// The organisation of the viewer. Available without waiting once something was read.
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

    /// The token: the one sent with the request, or that of a sign-in made in this operation.
    pub async fn token(&self) -> CallerToken {
        self.token.lock().await.clone()
    }

    /// The sender of the request.
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

    /// Logs a refused API key that exists (wrong address, expired, and so on), once for each operation.
    async fn log_refused_key(&self, token: &str) -> Result<()> {
        let Some((org, service)) = self.service.doorkeeper.known_key(token) else { return Ok(()) };
        if self.key_refused.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        self.log(org, Some(service), Event::Refused, Vec::new()).await
    }

    /// Continues with the token of a sign-in that was just made or renewed, so that the payload can show who is signed
    /// in. `errors` is the number of fields that had failed before.
    pub async fn continue_with(&self, token: String, by_cookie: bool, errors: usize) {
        self.close_reader().await;
        if let Ok(mut changes) = self.changes.lock() {
            changes.push(errors);
        }
        self.standing.changes();
        *self.token.lock().await = CallerToken { token: Some(token), by_cookie };
    }

    /// FORBIDDEN for clinical records that the viewer may read only through emergency access, unless the access is open
    /// and covers this patient. It is checked for each field before batching, because a sibling may be allowed what
    /// this field is refused.
    pub fn in_emergency_of(&self, record: RecordKind, patient: Option<Uuid>) -> Result<()> {
        self.standing.in_emergency_of(record, patient)
    }

    /// The most recent sign-in of the operation, as far as it is known, to tell when it ends.
    pub fn sign_in(&self) -> Option<SignInMark> {
        self.standing.sign_in()
    }

    /// Records that the sign-in has ended during the operation.
    pub fn forget_sign_in(&self) {
        self.standing.signed_in(None);
    }

    /// Whether the request stated a reason for what it looks at.
    pub fn states_reason(&self) -> bool {
        self.facts.reason.is_some()
    }

    /// The holder of a link to bytes: this sign-in, with the reason it stated.
    pub fn holder(&self, viewer: &Viewer) -> Result<Holder> {
        let staff = viewer.author()?;
        let sign_in = viewer.sign_in.ok_or_else(|| Error::Internal("a link for nobody's sign-in".to_owned()))?;
        Ok(Holder { org: viewer.org, staff, sign_in: sign_in.id, reasoned: self.states_reason() })
    }

    /// Closes the snapshot. Its connection is free for others, and later reads see the then current data.
    pub async fn close_reader(&self) {
        self.repeated.forget();
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
    /// The operation of this resolver.
    fn operation(&self) -> Result<&Arc<Operation>>;
    /// The batches of this resolver, to load one more record or list.
    ///
    /// # Errors
    ///
    /// `QUERY_TOO_LARGE` when the operation loads too many records (`Operation::lead_to`).
    fn batches(&self) -> Result<&Arc<Batches>>;
    /// Loads one more record or list, batched with the siblings that load the same. Boxed, because the future of every
    /// field of a type is as large as the largest among them.
    ///
    /// # Errors
    ///
    /// Those of `batches`, and of the load.
    fn load<K>(&self, key: K) -> BoxFuture<'_, std::result::Result<Option<LoadedBy<K>>, SharedError>>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        Batch: Loader<K, Error = SharedError>;
}

/// What a key loads.
type LoadedBy<K> = <Batch as Loader<K>>::Value;

impl Running for async_graphql::Context<'_> {
    fn operation(&self) -> Result<&Arc<Operation>> {
        self.data_opt().ok_or_else(|| Error::Internal("a resolver without its operation".to_owned()))
    }

    fn batches(&self) -> Result<&Arc<Batches>> {
        self.operation()?.lead_to(1)?;
        self.data_opt().ok_or_else(|| Error::Internal("a resolver without its batches".to_owned()))
    }

    fn load<K>(&self, key: K) -> BoxFuture<'_, std::result::Result<Option<LoadedBy<K>>, SharedError>>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        Batch: Loader<K, Error = SharedError>,
    {
        Box::pin(async move { self.batches()?.load_one(key).await })
    }
}
