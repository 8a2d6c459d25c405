//! The service as a value: start it, ask its address, stop it.

use crate::access::rate::Rates;
use crate::access::sign_in::{Doorkeeper, Lifetimes};
use crate::access::{account, password};
use crate::config::{DatabaseSettings, Introspection, ServeSettings};
use crate::db::embedded::{self, EmbeddedPostgres, Options};
use crate::db::{self, Address, Pool, PoolSettings};
use crate::graphql::gate::{DocumentCache, Limits};
use crate::graphql::persisted::Persisted;
use crate::http::{self, App, request::BodyLimits, tls::Certificate};
use crate::ledger::{ACCESS_LOG_CONNECTIONS, AccessLog};
use crate::mail::Mailer;
use crate::objects::{Links, Objects};
use crate::operation::{Cursors, Service};
use crate::photo::intake::Intake;
use crate::{custody, demo, equip, evidence, graphql, photo, privacy};
use actix_web::dev::ServerHandle;
use actix_web::middleware::{Compress, from_fn};
use actix_web::{HttpServer, web};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// A database that is reached: the owner's way in, the application role's, and the private server if it is ours.
pub struct Database {
    /// As the owner: migrations, partitions.
    pub owner: Address,
    /// As the application role: everything else.
    pub application: Address,
    /// As the superuser of a private server: for backups only.
    pub superuser: Option<Address>,
    embedded: Option<EmbeddedPostgres>,
}

impl Database {
    /// Reaches the database of the settings, starting the private one if need be, and brings it up to date.
    pub async fn open(settings: &DatabaseSettings) -> Result<Self, String> {
        Self::open_as_is(settings).await?.migrated().await
    }

    /// The same for a command. A private server that a running service holds is used beside it, as it is, and left to it.
    pub async fn reach(settings: &DatabaseSettings) -> Result<Self, String> {
        let (mut database, is_ours) = Self::start_or_attach(settings).await?;
        if is_ours {
            return database.migrated().await;
        }
        if let Err(message) = db::refuse_outdated(&database.owner).await {
            database.close().await;
            return Err(message);
        }
        Ok(database)
    }

    /// The same with whatever is in it, or nothing.
    pub async fn reach_as_is(settings: &DatabaseSettings) -> Result<Self, String> {
        Ok(Self::start_or_attach(settings).await?.0)
    }

    async fn start_or_attach(settings: &DatabaseSettings) -> Result<(Self, bool), String> {
        let (owner, superuser) = match (&settings.database_url, Self::start(settings).await) {
            (_, Ok(database)) => return Ok((database, true)),
            (None, Err(error)) if error.1 => {
                let attached = embedded::attach(&settings.data_dir).await.map_err(|error| error.to_string())?;
                (attached.owner_url, attached.superuser_url)
            }
            (_, Err(error)) => return Err(error.0),
        };
        Ok((Self::of(settings, &owner, Some(&superuser), None)?, false))
    }

    async fn open_as_is(settings: &DatabaseSettings) -> Result<Self, String> {
        Self::start(settings).await.map_err(|error| error.0)
    }

    /// The error, and whether another service holds the private server.
    async fn start(settings: &DatabaseSettings) -> Result<Self, (String, bool)> {
        let plain = |message: String| (message, false);
        match &settings.database_url {
            Some(url) => Self::of(settings, url.expose(), None, None).map_err(plain),
            None => {
                let options = Options {
                    data_dir: settings.data_dir.clone(),
                    postgres_bin: settings.postgres_bin.clone(),
                    durable: !settings.unsafe_fast_database,
                };
                let started = EmbeddedPostgres::start(options).await;
                let server = started.map_err(|error| (error.to_string(), error.is_in_use()))?;
                let (owner, superuser) = (server.owner_url().to_owned(), server.superuser_url().to_owned());
                Self::of(settings, &owner, Some(&superuser), Some(server)).map_err(plain)
            }
        }
    }

    fn of(
        settings: &DatabaseSettings,
        owner: &str,
        superuser: Option<&str>,
        embedded: Option<EmbeddedPostgres>,
    ) -> Result<Self, String> {
        let owner = Address::parse("DATABASE_URL", owner)?;
        let application = match &settings.app_database_url {
            Some(url) => Address::parse("CLINIC_APP_DATABASE_URL", url.expose())?,
            None => db::application_address(&owner).map_err(|error| error.operator_message())?,
        };
        let superuser = superuser.map(|url| Address::parse("the superuser's address", url)).transpose()?;
        Ok(Self { owner, application, superuser, embedded })
    }

    /// Brings it up to date.
    pub async fn migrated(mut self) -> Result<Self, String> {
        match db::migrate(&self.owner).await {
            Ok(outcome) => {
                tracing::info!(applied = outcome.applied, "the database is up to date");
                Ok(self)
            }
            Err(message) => {
                self.close().await;
                Err(message)
            }
        }
    }

    /// Starts the private server again whenever it ends by itself, until `close`.
    pub fn keep_up(&self) {
        if let Some(embedded) = &self.embedded {
            embedded.keep_up();
        }
    }

    /// Stops the private server, if there is one.
    pub async fn close(&mut self) {
        if let Some(mut embedded) = self.embedded.take() {
            embedded.stop().await;
        }
    }

    /// Refuses to serve as a role that row-level security does not hold, or that owns the tables.
    async fn refuse_too_mighty(&self) -> Result<(), String> {
        let client = db::connect(&self.application).await?;
        let mighty: bool = client
            .query_one(
                "SELECT rolsuper OR rolbypassrls OR pg_has_role(current_user, tableowner, 'MEMBER') \
                 FROM pg_roles, pg_tables WHERE rolname = current_user AND tablename = 'patient'",
                &[],
            )
            .await
            .map_err(|error| format!("the application role can't be looked at: {error}"))?
            .get(0);
        if mighty {
            return Err(
                "the service would connect as a superuser, a role with BYPASSRLS or the owner of the tables: give \
                        CLINIC_APP_DATABASE_URL the role clinic_app"
                    .to_owned(),
            );
        }
        for told in db::loose_ends(&client).await? {
            tracing::warn!("the database has what nobody needs: {told}");
        }
        Ok(())
    }

    /// A pool of a few connections, for a command.
    pub fn small_pool(&self) -> Result<Pool, String> {
        let settings = PoolSettings {
            size: 4,
            wait: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(600),
            lock_timeout: Duration::from_secs(10),
        };
        Pool::new(self.application.clone(), &settings).map_err(|error| error.operator_message())
    }
}

/// What answers HTTP.
struct Serving {
    address: SocketAddr,
    handle: ServerHandle,
    running: tokio::task::JoinHandle<std::io::Result<()>>,
    photos: tokio::task::JoinHandle<()>,
    certificate: Option<tokio::task::JoinHandle<()>>,
    alerts: tokio::task::JoinHandle<()>,
    refused: tokio::task::JoinHandle<()>,
    checkpoints: Checkpoints,
    demo: Option<demo::Demo>,
}

/// The running service.
pub struct Server {
    address: SocketAddr,
    handle: ServerHandle,
    running: tokio::task::JoinHandle<std::io::Result<()>>,
    housekeeping: tokio::task::JoinHandle<()>,
    photos: tokio::task::JoinHandle<()>,
    certificate: Option<tokio::task::JoinHandle<()>>,
    alerts: tokio::task::JoinHandle<()>,
    refused: tokio::task::JoinHandle<()>,
    checkpoints: Checkpoints,
    database: Database,
    /// The demo sign-in, if one was asked for.
    pub demo: Option<demo::Demo>,
}

impl Server {
    /// Starts the service: the database, the demo if asked for, then HTTP. The error is one line.
    pub async fn start(settings: &ServeSettings) -> Result<Self, String> {
        settings.check()?;
        let certificate = Certificate::open(&settings.tls)?;
        let (gate, persisted) = documents(settings.max_cost, settings.persisted_documents.as_deref()).await?;
        // The port first: a port in use is told before a database is started for nothing.
        let listener = TcpListener::bind(settings.listen).map_err(|error| {
            format!(
                "{} can't be listened on ({error}): stop what uses it or choose another with --listen",
                settings.listen
            )
        })?;
        let mut database = Database::open(&settings.database).await?;
        match Self::serve(settings, &database, listener, certificate, (gate, persisted)).await {
            Ok(Serving { address, handle, running, photos, certificate, alerts, refused, checkpoints, demo }) => {
                database.keep_up();
                let housekeeping = tokio::spawn(keep_house(database.application.clone()));
                Ok(Self {
                    address,
                    handle,
                    running,
                    housekeeping,
                    photos,
                    certificate,
                    alerts,
                    refused,
                    checkpoints,
                    database,
                    demo,
                })
            }
            Err(message) => {
                database.close().await;
                Err(message)
            }
        }
    }

    async fn serve(
        settings: &ServeSettings,
        database: &Database,
        listener: TcpListener,
        certificate: Option<Arc<Certificate>>,
        (gate, persisted): (DocumentCache, Persisted),
    ) -> Result<Serving, String> {
        let plain = |error: std::io::Error| format!("the service can't start: {error}");
        // Before anything is written: what is written might reach the checkpoint.
        let (writer, behind) = held_to_checkpoints(settings, database).await?;
        let objects = Objects::open(&settings.objects, &settings.database.data_dir)?;
        let demo = if settings.demo {
            let password = settings.demo_password.as_ref().map(|password| password.expose().to_owned());
            Some(demo::ensure(database, &objects, password).await?)
        } else {
            None
        };
        let pool_settings = PoolSettings {
            size: usize::from(settings.pool_size),
            wait: settings.pool_wait,
            statement_timeout: settings.statement_timeout,
            lock_timeout: settings.lock_timeout,
        };
        let pool = Pool::new(database.application.clone(), &pool_settings).map_err(|error| error.operator_message())?;
        if !pool.is_ready().await {
            return Err(
                "the database refuses the role clinic_app: set CLINIC_APP_DATABASE_URL if it has a password of its \
                 own. With a new password of the owner, give the owner CREATEROLE for one start, or set that of \
                 clinic_app"
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
        // Connections of its own: a request that has written must not be told UNAVAILABLE because the others hold them all.
        let log_pool = PoolSettings { size: ACCESS_LOG_CONNECTIONS, wait: settings.statement_timeout, ..pool_settings };
        let log_pool = Pool::new(database.application.clone(), &log_pool).map_err(|error| error.operator_message())?;
        let service = Arc::new(Service {
            access_log: AccessLog::start(log_pool, !settings.unsafe_no_access_log),
            mailer: Mailer::open(&settings.mail)?,
            doorkeeper: Doorkeeper::new(pool, lifetimes, second_factor_key),
            objects,
            links,
            refused: Notify::new(),
            cursors: Cursors::new(settings.database.keys().key("cursors")?),
        });
        password::make_ready().await.map_err(|error| error.operator_message())?;
        if settings.unsafe_no_access_log {
            tracing::warn!("looks at patients are NOT written into the access log");
        }
        let keeping = (Arc::clone(&service), Arc::clone(&rates));
        let alerting = Arc::clone(&service);
        let intake = Arc::new(Intake::open(&settings.uploads, &settings.database.data_dir)?);
        let address = listener.local_addr().map_err(plain)?;
        let app = web::Data::new(App {
            gate,
            persisted,
            only_persisted: settings.only_persisted_documents,
            introspection: settings.introspection,
            rates,
            schema: graphql::schema(),
            intake,
            service,
            body: BodyLimits { bytes: settings.max_body, ..BodyLimits::default() },
            deadline: settings.request_deadline,
            home: http::Home::of(settings, address),
            trust_proxy: settings.trust_proxy,
            explorer: settings.introspection != Introspection::None && !settings.only_persisted_documents,
            behind: Arc::clone(&behind),
            refuse_behind: settings.refuse_behind_checkpoint,
        });
        let cors = settings.clone();
        let workers = settings
            .workers
            .map_or_else(|| std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get), usize::from);
        let server = HttpServer::new(move || {
            actix_web::App::new()
                .app_data(app.clone())
                .wrap(Compress::default())
                .wrap(http::cors(&cors))
                .wrap(from_fn(http::streams::hold))
                .wrap(http::shield(cors.tls.tls_certificate.is_some()))
                .configure(http::routes)
        })
        .on_connect(http::streams::open)
        .workers(workers)
        .disable_signals()
        .shutdown_timeout(settings.shutdown_timeout.as_secs());
        let server = match &certificate {
            Some(certificate) => server.listen_rustls_0_23(listener, certificate.config()?),
            None => server.listen(listener),
        };
        let server = server.map_err(plain)?.run();
        let handle = server.handle();
        let application = database.application.clone();
        let checkpoints = Checkpoints::start((writer, behind), &keeping.0, application, settings.checkpoint_interval);
        let photos = tokio::spawn(keep_photos(keeping.0, keeping.1));
        let certificate = certificate.map(|certificate| tokio::spawn(certificate.follow()));
        let refused = tokio::spawn(keep_logging_refused(Arc::clone(&alerting)));
        let alerts = tokio::spawn(keep_alerting(alerting));
        let running = tokio::spawn(server);
        Ok(Serving { address, handle, running, photos, certificate, alerts, refused, checkpoints, demo })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://` or `https://`, and where it listens.
    pub fn url(&self) -> String {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Stops: requests under way end, then the database goes.
    pub async fn stop(mut self) {
        self.housekeeping.abort();
        self.photos.abort();
        if let Some(certificate) = &self.certificate {
            certificate.abort();
        }
        self.alerts.abort();
        // What waits still is written at the next start.
        self.refused.abort();
        self.handle.stop(true).await;
        let _ = (&mut self.running).await;
        self.checkpoints.stop().await;
        self.database.close().await;
    }
}

/// The gate, and the documents of a file, each checked. The error is one line: the first complaint.
pub async fn documents(max_cost: u64, file: Option<&Path>) -> Result<(DocumentCache, Persisted), String> {
    let limits = Limits { cost: max_cost, ..Limits::default() };
    let gate = DocumentCache::new(limits, &graphql::schema().sdl())?;
    let Some(file) = file else { return Ok((gate, Persisted::default())) };
    let persisted = Persisted::read(file, &gate).await.map_err(|complaints| {
        let more = complaints.len().saturating_sub(1);
        let more =
            if more > 0 { format!(" (and {more} more: clinic documents check tells all)") } else { String::new() };
        format!("--persisted-documents: {}{more}", complaints.first().map(String::as_str).unwrap_or_default())
    })?;
    tracing::info!(documents = persisted.count(), "persisted documents were read");
    Ok((gate, persisted))
}

/// How often the last checkpoint is tried when the service stops: there is no next interval that it could wait for.
const TRIES_AT_THE_END: u32 = 10;

/// Opens the writer of checkpoints, and holds the database to what it finds there. The error is one line.
async fn held_to_checkpoints(
    settings: &ServeSettings,
    database: &Database,
) -> Result<(evidence::Writer, Arc<AtomicUsize>), String> {
    let mut writer = evidence::Writer::open(&settings.checkpoints, &settings.objects, &settings.database)?;
    let behind = Arc::new(AtomicUsize::new(0));
    let look = async {
        writer.read_newest().await?;
        writer.behind(&db::connect(&database.application).await?).await
    };
    match look.await {
        Ok(found) => {
            tell_behind(&found, &behind);
            if found.is_empty() || !settings.refuse_behind_checkpoint {
                return Ok((writer, behind));
            }
            let told: Vec<String> = found.iter().map(evidence::Behind::told).collect();
            Err(format!(
                "--refuse-behind-checkpoint: {}. Was an old copy of the database put back? clinic audit verify tells more",
                told.join("; ")
            ))
        }
        Err(why) if settings.refuse_behind_checkpoint => {
            Err(format!("--refuse-behind-checkpoint: the database can't be held to its checkpoints: {why}"))
        }
        Err(why) => {
            tracing::warn!(why, "the database can't be held to its checkpoints");
            Ok((writer, behind))
        }
    }
}

/// Says what is behind its checkpoint when that is another number of chains than before.
fn tell_behind(found: &[evidence::Behind], known: &AtomicUsize) {
    if known.swap(found.len(), Ordering::Relaxed) == found.len() {
        return;
    }
    for one in found {
        tracing::warn!(
            organisation = %one.organisation,
            "the database is behind its newest checkpoint, an old copy was put back or its end was cut off: {}",
            one.told()
        );
    }
    if found.is_empty() {
        tracing::info!("the database is behind no checkpoint any more");
    }
}

/// The task that writes checkpoints of the evidence: at every interval, and once more when the service stops.
struct Checkpoints {
    stop: tokio::sync::oneshot::Sender<()>,
    writing: tokio::task::JoinHandle<()>,
}

impl Checkpoints {
    fn start(
        (mut writer, behind): (evidence::Writer, Arc<AtomicUsize>),
        service: &Arc<Service>,
        application: Address,
        every: Duration,
    ) -> Self {
        let (stop, mut stopped) = tokio::sync::oneshot::channel();
        let service = Arc::clone(service);
        let writing = tokio::spawn(async move {
            let mut write = async || {
                let organisations = account::organisations(service.doorkeeper.pool()).await;
                let organisations = organisations.map_err(|error| error.operator_message())?;
                let client = db::connect(&application).await?;
                tell_behind(&writer.behind(&client).await?, &behind);
                let written = writer.write(&client, &organisations).await?;
                if written > 0 {
                    tracing::debug!(written, "checkpoints of the evidence were written");
                }
                Ok::<_, String>(())
            };
            while tokio::time::timeout(every, &mut stopped).await.is_err() {
                if let Err(error) = write().await {
                    tracing::warn!(error, "the checkpoints of the evidence wait for the next interval");
                }
            }
            for _ in 0..TRIES_AT_THE_END {
                let Err(error) = write().await else { return };
                tracing::warn!(error, "the last checkpoints of the evidence are tried again");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
        Self { stop, writing }
    }

    /// After the last request: what it did gets its checkpoint too.
    async fn stop(self) {
        let _ = self.stop.send(());
        let _ = tokio::time::timeout(Duration::from_secs(10), self.writing).await;
    }
}

/// At start and once an hour: uploads that never came, what cut ones left, and the limits of windows long over.
async fn keep_photos(service: Arc<Service>, rates: Arc<Rates>) {
    if let Err(error) = service.objects.answers().await {
        tracing::error!(
            ?error,
            "the object store does not answer: photos can be neither sent nor fetched until it does"
        );
    }
    let mut hours = tokio::time::interval(Duration::from_secs(3600));
    loop {
        hours.tick().await;
        match photo::upload::sweep(&service).await {
            Ok((0, 0)) => {}
            Ok((given_up, cut)) => tracing::info!(given_up, cut, "photo uploads were swept"),
            Err(error) => tracing::warn!(?error, "the sweep of photo uploads waits for the next hour"),
        }
        if let Err(error) = custody::remains::sweep(&service).await {
            tracing::warn!(?error, "the files of erased patients wait for the next hour");
        }
        if let Err(error) = service.doorkeeper.sweep().await {
            tracing::warn!(?error, "the sweep of failed sign-ins and replaced tokens waits for the next hour");
        }
        if let Err(error) = rates.sweep().await {
            tracing::warn!(?error, "the sweep of limits waits for the next hour");
        }
    }
}

/// How long refused tries to sign in wait for one another on their way to the access logs: so that no answer's time tells
/// of the one before.
const REFUSED_WAIT: Duration = Duration::from_secs(1);

/// At start, and a second after a refused try to sign in: what waits is written to the access logs it belongs in.
async fn keep_logging_refused(service: Arc<Service>) {
    loop {
        match service.log_refused().await {
            Ok(0) => service.refused.notified().await,
            Ok(_) => continue,
            Err(error) => tracing::warn!(?error, "refused tries to sign in wait for the access log"),
        }
        tokio::time::sleep(REFUSED_WAIT).await;
    }
}

/// At start and once a minute: admins are told of emergency access that they were not told of.
async fn keep_alerting(service: Arc<Service>) {
    let mut minutes = tokio::time::interval(Duration::from_secs(60));
    loop {
        minutes.tick().await;
        if let Err(error) = privacy::alert::send_due(&service).await {
            tracing::warn!(?error, "telling admins of emergency access waits for the next minute");
        }
    }
}

/// Once a day: the month partitions ahead.
async fn keep_house(application: Address) {
    let mut days = tokio::time::interval(Duration::from_secs(24 * 3600));
    loop {
        days.tick().await;
        match db::connect(&application).await {
            Ok(client) => {
                let ahead = "SELECT ensure_month_partitions(now()::date, (now() + interval '3 months')::date)";
                if let Err(error) = client.batch_execute(ahead).await {
                    tracing::error!(%error, "the month partitions can't be made");
                }
            }
            Err(error) => tracing::warn!(error, "the month partitions wait for the database"),
        }
    }
}
