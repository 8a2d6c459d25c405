//! Connections of the application role, and the transactions that run on them.

use super::Sql;
use super::address::{self, Address};
use super::traced::Traced;
use crate::error::{Error, Result};
use crate::watch::{PoolMeters, Watch};
use chrono::{DateTime, Utc};
use deadpool::managed::{PoolError, QueueMode, TimeoutType, Timeouts};
use diesel::sql_types as st;
use diesel_async::methods::LoadQuery;
use diesel_async::pooled_connection::deadpool::{Object, Pool as DeadPool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The number of connections, and the time limits.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// Connections at most.
    pub size: usize,
    /// The number of threads that serve from it; 0 if the program itself does.
    pub threads: usize,
    /// How long a request waits for a free connection before it gets UNAVAILABLE.
    pub wait: Duration,
    /// Postgres' `statement_timeout`: shorter than the request's deadline.
    pub statement_timeout: Duration,
    /// Postgres' `lock_timeout`.
    pub lock_timeout: Duration,
}

thread_local! {
    /// The share of each pool that this thread takes its connections from; none for threads that don't serve.
    static SHARE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Gives this thread a share of its own of each pool. Each thread that serves calls it when it starts.
pub fn take_a_share() {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    if SHARE.get().is_none() {
        SHARE.set(Some(NEXT.fetch_add(1, Ordering::Relaxed)));
    }
}

/// The pool of connections of the application role, in one share for each thread that serves, and one for the program's
/// own work. A connection is driven by the thread that opened it, so a request on another thread would wake that thread and
/// wait for it at each statement.
#[derive(Clone)]
pub struct Pool {
    shares: Arc<[DeadPool<AsyncPgConnection>]>,
    wait: Duration,
    watch: Arc<Watch>,
    meters: PoolMeters,
}

/// Moments by the database's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moments {
    /// What time it was.
    pub now: DateTime<Utc>,
    /// When the oldest open transaction of the service began; `now` while there is none. None where the database does not
    /// track that (`track_activities`).
    pub oldest: Option<DateTime<Utc>>,
}

/// How often a request that waits for a connection of its own share looks for an idle one of another.
const LOOK_AROUND: Duration = Duration::from_millis(10);

impl Pool {
    /// Creates a pool. Connections are opened when first needed, so an unreachable database does not prevent the
    /// service from starting. It is watched under this name.
    pub fn new(
        mut address: Address,
        settings: &PoolSettings,
        (watch, name): (&Arc<Watch>, &'static str),
    ) -> Result<Self> {
        // Start-up parameters instead of SET: nothing to run on a fresh connection, and a pooler can see them.
        // A generic plan saves planning the same statement again for every request (+19 to +39 % measured).
        // What a role's own settings could take away is said too: these win.
        let config = address.config_mut();
        config.options(format!(
            "-c plan_cache_mode=force_generic_plan -c jit=off -c default_transaction_read_only=off -c row_security=on \
             -c default_transaction_isolation=read\\ committed -c statement_timeout={} -c lock_timeout={} \
             -c idle_in_transaction_session_timeout={}",
            settings.statement_timeout.as_millis(),
            settings.lock_timeout.as_millis(),
            (settings.statement_timeout * 2).as_millis(),
        ));
        config.application_name("clinic").connect_timeout(Duration::from_secs(5));
        let sizes = sizes(settings);
        let share = |size| {
            DeadPool::builder(AsyncDieselConnectionManager::new_with_config("", manager(&address, watch)))
                .max_size(size)
                // The most recently used connection is the warmest, here and in the server.
                .queue_mode(QueueMode::Lifo)
                .create_timeout(Some(Duration::from_secs(5)))
                .runtime(deadpool::Runtime::Tokio1)
                .build()
                .map_err(|error| Error::Internal(format!("the pool can't be made: {error:?}")))
        };
        let shares: Arc<[_]> = sizes.into_iter().map(share).collect::<Result<_>>()?;
        let meters = watch.pool(name);
        let (looked_at, looking) = (Arc::downgrade(&shares), meters.clone());
        watch.at_each_look(move || looked_at.upgrade().iter().for_each(|shares| stands(shares, &looking)));
        Ok(Self { shares, wait: settings.wait, watch: Arc::clone(watch), meters })
    }

    /// The meters of the service that it belongs to.
    pub fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    async fn get(&self) -> Result<Object<AsyncPgConnection>> {
        let begun = Instant::now();
        let got = self.find().await;
        self.meters.waited(begun.elapsed(), got.is_ok());
        got
    }

    /// A connection of this thread's share, in the order of asking. While none is free, or none can be opened, an idle
    /// one of another share serves as well.
    async fn find(&self) -> Result<Object<AsyncPgConnection>> {
        let serving = self.shares.len().saturating_sub(1).max(1);
        let own = SHARE.get().map_or(self.shares.len().saturating_sub(1), |share| share % serving);
        let Some(share) = self.shares.get(own) else { return Err(Error::Internal("a pool of no share".to_owned())) };
        // One that is being opened is waited for: let go half-way, it would never be there, and the share never fill.
        let at_once = Timeouts { wait: Some(Duration::ZERO), ..share.timeouts() };
        match share.timeout_get(&at_once).await {
            Ok(connection) => return Ok(connection),
            Err(PoolError::Timeout(TimeoutType::Wait)) => {}
            Err(error) => return self.idle_elsewhere(own).await.ok_or_else(|| none(&error)),
        }
        let timeouts = Timeouts { wait: Some(self.wait), ..share.timeouts() };
        let mut waiting = std::pin::pin!(share.timeout_get(&timeouts));
        loop {
            match tokio::time::timeout(LOOK_AROUND, waiting.as_mut()).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => {
                    return match self.idle_elsewhere(own).await {
                        Some(connection) => Ok(connection),
                        None => Err(none(&error)),
                    };
                }
                Err(_) => {
                    if let Some(connection) = self.idle_elsewhere(own).await {
                        return Ok(connection);
                    }
                }
            }
        }
    }

    /// An idle connection of another share than this one.
    async fn idle_elsewhere(&self, own: usize) -> Option<Object<AsyncPgConnection>> {
        for (place, share) in self.shares.iter().enumerate() {
            if place == own || share.status().available == 0 {
                continue;
            }
            let timeouts = Timeouts { wait: Some(Duration::ZERO), ..share.timeouts() };
            if let Ok(connection) = share.timeout_get(&timeouts).await {
                return Some(connection);
            }
        }
        None
    }

    fn size(&self) -> usize {
        self.shares.iter().map(|share| share.status().max_size).sum()
    }

    /// A connection without a tenant: it sees accounts, but no data of any organisation. Only for `access`.
    pub async fn accounts(&self) -> Result<Object<AsyncPgConnection>> {
        self.get().await
    }

    /// Whether the database answers.
    pub async fn is_ready(&self) -> bool {
        let check = async {
            let mut connection = self.get().await?;
            connection.batch_execute("SELECT 1").await.map_err(Error::from)
        };
        matches!(tokio::time::timeout(Duration::from_secs(2), check).await, Ok(Ok(())))
    }

    /// Opens a transaction in an organisation and asks a first question, in one round trip (plain select 71 µs, this
    /// with row-level security 137, with a separate set_config 204). If not `writable`, the transaction is read-only
    /// and repeatable-read: one consistent snapshot.
    ///
    /// A pooled connection may have died unnoticed, because the server was restarted. Such a connection is discarded
    /// and the next one is tried; nothing that was sent on it can have been lost.
    pub async fn begin<Row: 'static, T>(
        &self,
        writable: bool,
        org: Uuid,
        first: &Sql<Row>,
    ) -> Result<(Transaction, Vec<T>)>
    where
        T: Send,
        for<'c> Sql<Row>: LoadQuery<'static, &'c AsyncPgConnection, T>,
    {
        let begin = if writable { "BEGIN" } else { "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" };
        let statement = format!("{begin}; SET LOCAL app.org_id = '{org}'");
        let mut tries = 0;
        loop {
            // The transaction value exists before its BEGIN, so that a caller that stops waiting (a sibling field
            // failed, the client hung up) can't return a connection with an open transaction to the pool.
            let mut transaction = Transaction { connection: Some(self.get().await?), watch: Arc::clone(&self.watch) };
            let connection = &*transaction.connection()?;
            // Boxed, because a future that names a borrowed connection's lifetime is not `Send` to the compiler's eyes.
            let asking: BoxFuture<'_, diesel::QueryResult<Vec<T>>> =
                open_and_ask(connection, &statement, first).boxed();
            let answer = asking.await;
            match answer {
                Ok(rows) => return Ok((transaction, rows)),
                Err(error) => {
                    drop(transaction);
                    let error = Error::from(error);
                    tries += 1;
                    if !error.is_lost_connection() || tries > self.size() {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// The number of the newest ledger entry of each of these organisations, of those that have one.
    pub async fn ledger_heads(&self, orgs: Vec<Uuid>) -> Result<Vec<(Uuid, i64)>> {
        let ask = Sql::<(st::Uuid, st::BigInt)>::new("SELECT org, head FROM ledger_heads(").bind(orgs);
        let heads = ask.text(") WHERE head IS NOT NULL").load(&mut self.get().await?).await?;
        Ok(heads)
    }

    /// What time it is, and since when the oldest transaction of the service has been open.
    pub async fn moments(&self) -> Result<Moments> {
        // The time is that of the statement's beginning: before any transaction that is not listed began.
        let ask = Sql::<(st::Timestamptz, st::Nullable<st::Timestamptz>, st::Bool)>::new(
            "SELECT statement_timestamp(), min(xact_start), coalesce(bool_or(state = 'disabled'), false) \
             FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()",
        );
        let (now, oldest, hidden): (DateTime<Utc>, Option<DateTime<Utc>>, bool) =
            ask.get_result(&mut self.get().await?).await?;
        Ok(Moments { now, oldest: (!hidden).then(|| oldest.map_or(now, |oldest| oldest.min(now))) })
    }

    /// Opens a read-write transaction of the program itself in an organisation. No patient is closed to it.
    pub async fn write(&self, org: Uuid) -> Result<Transaction> {
        let open = Sql::<diesel::sql_types::Text>::new("SELECT set_config('app.opened', 'all', true)");
        Ok(self.begin::<_, String>(true, org, &open).await?.0)
    }
}

/// The connections of each share: the last one is the program's own, if there are enough for that.
fn sizes(settings: &PoolSettings) -> Vec<usize> {
    if settings.threads == 0 || settings.size <= settings.threads {
        return vec![settings.size];
    }
    let own = (settings.size / 8).clamp(1, settings.size - settings.threads);
    let (serving, threads) = (settings.size - own, settings.threads);
    let mut sizes: Vec<usize> =
        (0..threads).map(|share| serving / threads + usize::from(share < serving % threads)).collect();
    sizes.push(own);
    sizes
}

/// Sets the gauges of a pool.
fn stands(shares: &[DeadPool<AsyncPgConnection>], meters: &PoolMeters) {
    let all = || shares.iter().map(DeadPool::status);
    let waiting = all().map(|share| share.waiting).sum();
    let (most, open) = (all().map(|share| share.max_size).sum(), all().map(|share| share.size).sum());
    meters.stands(most, open, all().map(|share| share.available).sum(), waiting);
}

/// Why there is no connection, for the operator; clients get UNAVAILABLE.
fn none(error: &PoolError<diesel_async::pooled_connection::PoolError>) -> Error {
    tracing::warn!(?error, "no database connection");
    Error::Unavailable
}

/// How connections are opened and taken back.
fn manager(address: &Address, watch: &Arc<Watch>) -> ManagerConfig<AsyncPgConnection> {
    let (address, watch) = (address.clone(), Arc::clone(watch));
    let mut manager = ManagerConfig::<AsyncPgConnection>::default();
    // Fast looks at the connection's state instead of asking the server each time (+12 to +27 % measured).
    manager.recycling_method = RecyclingMethod::Fast;
    manager.custom_setup = Box::new(move |_| {
        let (address, watch) = (address.clone(), Arc::clone(&watch));
        async move {
            let bad = |error: tokio_postgres::Error| diesel::ConnectionError::BadConnection(address::told(&error));
            let (client, connection) = address.connect().await.map_err(bad)?;
            let mut connection = AsyncPgConnection::try_from_client_and_connection(client, connection).await?;
            if watch.traces.is_some() {
                connection.set_instrumentation(Traced::new(watch));
            }
            Ok(connection)
        }
        .boxed()
    });
    manager
}

/// Sends BEGIN and the first question together, and waits for both answers.
async fn open_and_ask<Row: 'static, T: Send>(
    connection: &AsyncPgConnection,
    begin: &str,
    first: &Sql<Row>,
) -> diesel::QueryResult<Vec<T>>
where
    for<'c> Sql<Row>: LoadQuery<'static, &'c AsyncPgConnection, T>,
{
    let (mut opening, mut asking) = (connection, connection);
    let (opened, rows) = futures::join!(opening.batch_execute(begin), first.clone().load::<T>(&mut asking));
    opened.and(rows)
}

/// An open transaction. Dropped without an end, its connection is closed and Postgres rolls back.
pub struct Transaction {
    connection: Option<Object<AsyncPgConnection>>,
    watch: Arc<Watch>,
}

impl Transaction {
    /// The connection the transaction runs on.
    pub fn connection(&mut self) -> Result<&mut AsyncPgConnection> {
        self.connection.as_deref_mut().ok_or_else(|| Error::Internal("a transaction that has ended".to_owned()))
    }

    /// The meters of the service that it belongs to.
    pub fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    /// Commits. Nothing has happened unless this is `Ok`.
    pub async fn commit(self) -> Result<()> {
        self.end("COMMIT").await
    }

    /// Rolls everything back.
    pub async fn rollback(self) {
        let _ = self.end("ROLLBACK").await;
    }

    async fn end(mut self, statement: &str) -> Result<()> {
        let Some(connection) = self.connection.as_deref_mut() else { return Ok(()) };
        // An error here, or a caller that stopped waiting, closes the connection.
        connection.batch_execute(statement).await?;
        // It goes back to the pool.
        drop(self.connection.take());
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(Object::take(connection));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PoolSettings, sizes};
    use std::time::Duration;

    #[test]
    fn the_shares_of_a_pool_are_all_of_it_and_none_is_empty() {
        let of = |size, threads| {
            let wait = Duration::ZERO;
            sizes(&PoolSettings { size, threads, wait, statement_timeout: wait, lock_timeout: wait })
        };
        assert_eq!(of(16, 2), [7, 7, 2]);
        assert_eq!(of(16, 0), [16]);
        assert_eq!(of(3, 2), [1, 1, 1]);
        // Too few for a share each: all threads take from one.
        assert_eq!(of(2, 2), [2]);
        for (size, threads) in (1..40).flat_map(|size| (0..20).map(move |threads| (size, threads))) {
            let sizes = of(size, threads);
            assert!(sizes.iter().sum::<usize>() == size && !sizes.contains(&0), "{size} of {threads}: {sizes:?}");
        }
    }
}
