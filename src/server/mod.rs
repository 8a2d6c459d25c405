//! The service as a value: start it, ask its address, stop it.

mod checkpoints;
mod housekeeping;
mod metrics;
pub(crate) mod refold;

use crate::access::rate::Rates;
use crate::access::sign_in::{Doorkeeper, Lifetimes};
use crate::access::vigil::Vigil;
use crate::access::{Seal, password};
use crate::api;
use crate::api::persisted::Persisted;
use crate::config::{Introspection, ServeSettings};
use crate::db::{Database, Pool, PoolSettings, take_a_share};
use crate::equip;
use crate::evidence;
use crate::feed::{Tail, Watermark};
use crate::gate::{DocumentCache, DocumentLimits};
use crate::http::{self, App, request::BodyLimits, tls::Certificate};
use crate::ledger::{ACCESS_LOG_CONNECTIONS, AccessLog};
use crate::mail::Mailer;
use crate::objects::{Links, Objects};
use crate::operation::{Cursors, Service};
use crate::outbound::Outbound;
use crate::photo::intake::Intake;
use crate::watch::{Traces, Watch};
use crate::webhook::{schedule::Schedule, worker::Worker};
use actix_web::dev::ServerHandle;
use actix_web::middleware::{Compress, from_fn};
use actix_web::{HttpServer, web};
use checkpoints::{Checkpoints, held_to_checkpoints};
use housekeeping::Housekeeping;
use metrics::Metrics;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use tokio::sync::Notify;

/// The service before it answers requests: it holds its port, and its database is reached, up to date and not behind
/// its checkpoints. Anything that must be in the database before the first request is written now.
pub struct Prepared {
    settings: ServeSettings,
    listener: TcpListener,
    metrics: Option<TcpListener>,
    watch: Arc<Watch>,
    certificate: Option<Arc<Certificate>>,
    gate: DocumentCache,
    persisted: Persisted,
    database: Database,
    objects: Objects,
    evidence: (evidence::Writer, Arc<AtomicUsize>),
}

/// The running service.
pub struct Server {
    address: SocketAddr,
    secure: bool,
    handle: ServerHandle,
    running: tokio::task::JoinHandle<std::io::Result<()>>,
    housekeeping: Housekeeping,
    webhooks: Worker,
    tail: Arc<Tail>,
    checkpoints: Checkpoints,
    metrics: Option<Metrics>,
    watch: Arc<Watch>,
    database: Database,
}

impl Server {
    /// Starts the service: the database, then HTTP. The error is one line.
    pub async fn start(settings: &ServeSettings) -> Result<Self, String> {
        Prepared::open(settings).await?.serve().await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where `/metrics` is served, if it is.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(Metrics::address)
    }

    /// `http://` or `https://`, and where it listens.
    pub fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Stops the service: requests under way end, then the database is closed.
    pub async fn stop(mut self) {
        self.housekeeping.stop();
        // Who waits is answered, and does not hold the rest up.
        self.tail.close();
        tokio::join!(self.handle.stop(true), self.webhooks.stop());
        let _ = (&mut self.running).await;
        self.checkpoints.stop().await;
        if let Some(metrics) = self.metrics.take() {
            metrics.stop().await;
        }
        if let Some(traces) = &self.watch.traces {
            traces.close().await;
        }
        self.database.close().await;
    }
}

impl Prepared {
    /// Takes the port, reaches the database and compares it with its checkpoints. The error is one line.
    pub async fn open(settings: &ServeSettings) -> Result<Self, String> {
        settings.check()?;
        let certificate = Certificate::open(&settings.tls)?;
        let (gate, persisted) = documents(settings.max_cost, settings.persisted_documents.as_deref()).await?;
        // The port comes first, so that a port in use is reported before a database is started for nothing.
        let listener = bind(settings.listen, "--listen")?;
        let metrics = settings.watch.metrics_listen.map(|own| bind(own, "--metrics-listen")).transpose()?;
        let watch = watch(settings)?;
        let mut database = Database::open(&settings.database).await?;
        let opened = async {
            // Before anything is written, because new entries might catch up with the checkpoint.
            let evidence = held_to_checkpoints(settings, &database).await?;
            refold::ensure(&database.owner).await?;
            Ok((evidence, Objects::open(&settings.objects, &settings.database.data_dir)?))
        };
        match opened.await {
            Ok((evidence, objects)) => {
                let settings = settings.clone();
                let gate = gate.watched(&watch);
                Ok(Self {
                    settings,
                    listener,
                    metrics,
                    watch,
                    certificate,
                    gate,
                    persisted,
                    database,
                    objects,
                    evidence,
                })
            }
            Err(message) => {
                database.close().await;
                Err(message)
            }
        }
    }

    /// The database, and where photos' bytes are.
    pub fn stores(&self) -> (&Database, &Objects) {
        (&self.database, &self.objects)
    }

    /// Closes what was opened, without having served.
    pub async fn close(mut self) {
        self.database.close().await;
    }

    /// Answers HTTP from now on. The error is one line.
    pub async fn serve(self) -> Result<Server, String> {
        let Self { settings, listener, metrics, watch, certificate, gate, persisted, mut database, objects, evidence } =
            self;
        let started = async {
            let Parts { service, rates } = parts(&settings, &database, objects, &watch).await?;
            let address = listener.local_addr().map_err(cant_start)?;
            let app = App {
                gate,
                persisted,
                only_persisted: settings.only_persisted_documents,
                introspection: settings.introspection,
                rates: Arc::clone(&rates),
                schema: api::schema(),
                intake: Arc::new(Intake::open(&settings.uploads, &settings.database.data_dir)?),
                service: Arc::clone(&service),
                body: BodyLimits { bytes: settings.max_body, ..BodyLimits::default() },
                deadline: settings.request_deadline,
                home: http::Home::of(&settings, address),
                trust_proxy: settings.trust_proxy,
                explorer: settings.introspection != Introspection::None && !settings.only_persisted_documents,
                behind: Arc::clone(&evidence.1),
                refuse_behind: settings.refuse_behind_checkpoint,
            };
            let server = listen(&settings, app, listener, certificate.as_ref())?;
            let metrics = metrics.map(|own| Metrics::start(&watch, own)).transpose()?;
            Ok((service, rates, address, server, metrics))
        };
        let (service, rates, address, server, metrics) = match started.await {
            Ok(started) => started,
            Err(message) => {
                database.close().await;
                return Err(message);
            }
        };
        let handle = server.handle();
        let application = database.application.clone();
        let checkpoints = Checkpoints::start(evidence, &service, application.clone(), settings.checkpoint_interval);
        let secure = certificate.is_some();
        let tail = Arc::clone(&service.tail);
        let webhooks = Worker::start(&service, Schedule::of(&settings.webhooks.webhook_schedule));
        let housekeeping = Housekeeping::start(&service, rates, application, certificate);
        database.keep_up();
        let running = tokio::spawn(server);
        Ok(Server {
            address,
            secure,
            handle,
            running,
            housekeeping,
            webhooks,
            tail,
            checkpoints,
            metrics,
            watch,
            database,
        })
    }
}

/// How long a client may take nothing of what is sent, until its connection is cut.
#[cfg(target_os = "linux")]
const NOTHING_TAKEN: std::time::Duration = std::time::Duration::from_secs(60);

/// Takes an address. The error is one line.
fn bind(address: SocketAddr, flag: &str) -> Result<TcpListener, String> {
    let listener = TcpListener::bind(address).map_err(|error| {
        format!("{address} can't be listened on ({error}): stop what uses it or choose another with {flag}")
    })?;
    // Connections have it from the one that they come by. Where a system can't, whoever takes nothing stays.
    #[cfg(target_os = "linux")]
    if let Err(error) = socket2::SockRef::from(&listener).set_tcp_user_timeout(Some(NOTHING_TAKEN)) {
        tracing::debug!(%error, "connections whose clients take nothing are not cut");
    }
    Ok(listener)
}

/// The meters of the service, and its traces if they go anywhere.
fn watch(settings: &ServeSettings) -> Result<Arc<Watch>, String> {
    let runtime = tokio::runtime::Handle::current();
    let open = |endpoint: &String| Traces::open(endpoint, settings.watch.trace_share, settings.trust_proxy, runtime);
    Ok(Arc::new(Watch::new(settings.watch.otlp_endpoint.as_ref().map(open).transpose()?)))
}

fn cant_start(error: std::io::Error) -> String {
    format!("the service can't start: {error}")
}

/// What requests are answered with, and the limits that apply to them.
struct Parts {
    service: Arc<Service>,
    rates: Arc<Rates>,
}

/// Opens the parts of the service over a database that is up to date.
async fn parts(
    settings: &ServeSettings,
    database: &Database,
    objects: Objects,
    watch: &Arc<Watch>,
) -> Result<Parts, String> {
    let pool_settings = PoolSettings {
        size: usize::from(settings.pool_size),
        threads: workers(settings),
        wait: settings.pool_wait,
        statement_timeout: settings.statement_timeout,
        lock_timeout: settings.lock_timeout,
    };
    let pool = Pool::new(database.application.clone(), &pool_settings, (watch, "requests"))
        .map_err(|error| error.operator_message())?;
    if !pool.is_ready().await {
        return Err(
            "the database refuses the role clinic_app: set CLINIC_APP_DATABASE_URL if it has a password of its own. \
             With a new password of the owner, give the owner CREATEROLE for one start, or set that of clinic_app"
                .to_owned(),
        );
    }
    database.refuse_too_mighty().await?;
    let links = Links::open(&settings.objects, objects.folder())?;
    equip::equip_all(&pool).await?;
    let lifetimes = Lifetimes {
        idle: settings.sign_in_idle,
        absolute: settings.sign_in_lifetime,
        reauthenticate_after: settings.reauthenticate_after,
    };
    let second_factor_key = settings.database.keys().key("second-factor")?;
    let rates = Arc::new(Rates::new(pool.clone(), settings.rate_limit_account, settings.rate_limit_address));
    // It has its own connections: a request that has written must not get UNAVAILABLE because others hold all of them.
    let log_pool =
        PoolSettings { size: ACCESS_LOG_CONNECTIONS, threads: 0, wait: settings.statement_timeout, ..pool_settings };
    let log_pool = Pool::new(database.application.clone(), &log_pool, (watch, "access_log"))
        .map_err(|error| error.operator_message())?;
    let service = Arc::new(Service {
        access_log: AccessLog::start(log_pool, !settings.unsafe_no_access_log),
        mailer: Mailer::open(&settings.mail)?,
        tail: Tail::start(pool.clone(), (usize::from(settings.pool_size) / 4).max(1)),
        vigil: Vigil::start(pool.clone(), settings.sign_in_idle),
        watermark: Watermark::new(pool.clone()),
        doorkeeper: Doorkeeper::new(pool, lifetimes, second_factor_key),
        objects,
        links,
        outbound: Outbound::open(&settings.webhooks, settings.request_deadline),
        webhook_seal: Seal::new(settings.database.keys().key("webhooks")?, "webhooks"),
        webhooks: Notify::new(),
        refused: Notify::new(),
        watch: Arc::clone(watch),
        cursors: Cursors::new(settings.database.keys().key("cursors")?),
    });
    password::make_ready().await.map_err(|error| error.operator_message())?;
    if settings.unsafe_no_access_log {
        tracing::warn!("access to patients is NOT written into the access log");
    }
    Ok(Parts { service, rates })
}

/// The number of threads that serve.
fn workers(settings: &ServeSettings) -> usize {
    settings
        .workers
        .map_or_else(|| std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get), usize::from)
}

/// The HTTP server on its port.
fn listen(
    settings: &ServeSettings,
    app: App,
    listener: TcpListener,
    certificate: Option<&Arc<Certificate>>,
) -> Result<actix_web::dev::Server, String> {
    let app = web::Data::new(app);
    let cors = settings.clone();
    let workers = workers(settings);
    let server = HttpServer::new(move || {
        // On each worker's own thread.
        take_a_share();
        actix_web::App::new()
            .app_data(app.clone())
            .wrap(Compress::default())
            .wrap(http::cors(&cors))
            .wrap(from_fn(http::streams::hold))
            .wrap(http::shield(cors.tls.tls_certificate.is_some()))
            .wrap(from_fn(http::watched::count))
            .configure(http::routes)
    })
    .on_connect(http::streams::open)
    .workers(workers)
    .disable_signals()
    .shutdown_timeout(settings.shutdown_timeout.as_secs());
    let server = match certificate {
        Some(certificate) => server.listen_rustls_0_23(listener, certificate.config()?),
        None => server.listen(listener),
    };
    Ok(server.map_err(cant_start)?.run())
}

/// The gate, and the documents of a file, each checked. The error is one line: the first complaint.
pub async fn documents(max_cost: u64, file: Option<&Path>) -> Result<(DocumentCache, Persisted), String> {
    let limits = DocumentLimits { cost: max_cost, ..DocumentLimits::default() };
    let gate = DocumentCache::new(limits, &api::schema().sdl())?;
    let Some(file) = file else { return Ok((gate, Persisted::default())) };
    let persisted = Persisted::read(file, &gate).map_err(|complaints| {
        let more = complaints.len().saturating_sub(1);
        let more =
            if more > 0 { format!(" (and {more} more: clinic documents check tells all)") } else { String::new() };
        format!("--persisted-documents: {}{more}", complaints.first().map(String::as_str).unwrap_or_default())
    })?;
    tracing::info!(documents = persisted.count(), "persisted documents were read");
    Ok((gate, persisted))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_connection_whose_client_takes_nothing_is_cut() {
        let listener = bind(([127, 0, 0, 1], 0).into(), "--listen").expect("a port");
        let address = listener.local_addr().expect("its address");
        let _client = std::net::TcpStream::connect(address).expect("a connection");
        let (connection, _) = listener.accept().expect("the same");
        // The kernel does it, to connections that come by a listener that has it.
        let cut_after = socket2::SockRef::from(&connection).tcp_user_timeout().expect("an option");
        assert_eq!(cut_after, Some(NOTHING_TAKEN));
    }
}
