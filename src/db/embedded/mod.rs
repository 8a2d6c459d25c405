//! A Postgres of the service's own, for when no other is given: a real server on real files, on a Unix socket that
//! only its own user can open. It starts with the service and stops after it.
//!
//! Under the data folder:
//!
//! | name | what |
//! |---|---|
//! | `lock` | held while a service uses the folder |
//! | `passwords` | of the roles `postgres` and `clinic_owner`, for this user's eyes only |
//! | `postgres/` | the cluster, its socket and its log; see `home` for where it is when root starts the service |

mod attach;
mod cluster;
mod find;
mod home;
mod keeper;
mod lock;
mod passwords;
mod roles;
mod server;
mod settings;
#[cfg(test)]
mod tests;
mod user;

use std::fmt::{self, Display, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::attach::{Attached, attach};
use self::find::Binaries;
pub use self::find::find_tool;
use self::home::Home;
use self::keeper::Kept;
use self::lock::Lock;
use self::passwords::Passwords;
use self::server::Server;

/// A server that is silent for this long is given up. One that reports recovery is waited for.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How long a fast shutdown may take before a harder one.
const FAST_STOP_MAX: Duration = Duration::from_secs(60);

/// Where the server's files are and how it is to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data folder; made where there is none.
    pub data_dir: PathBuf,
    /// The folder of `postgres`, `initdb` and `pg_ctl`; if none is given, the known places are searched.
    pub postgres_bin: Option<PathBuf>,
    /// Whether committed data must survive a power cut. False is for tests only.
    pub durable: bool,
}

/// Why no server runs: one line for the person who started the service.
#[derive(Debug)]
pub struct StartError {
    message: String,
    in_use: bool,
}

impl StartError {
    fn new(message: impl Into<String>) -> Self {
        let message = message.into().lines().map(str::trim).collect::<Vec<_>>().join("; ");
        Self { message, in_use: false }
    }

    /// Whether another service or command holds the data folder: its server may be attached to.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        self.in_use
    }

    /// `<path> can't be <done>: <error>`
    fn at(path: &Path, done: &str, error: &std::io::Error) -> Self {
        Self::new(format!("{} can't be {done}: {error}", path.display()))
    }
}

impl Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StartError {}

/// A running server. Dropping it stops it as well as is possible without waiting long; prefer [`stop`](Self::stop).
pub struct EmbeddedPostgres {
    // Fields are dropped in this order, so the lock is released after the server has gone.
    kept: Arc<Kept>,
    owner_url: String,
    superuser_url: String,
    _lock: Lock,
}

impl Drop for EmbeddedPostgres {
    fn drop(&mut self) {
        drop(self.kept.take());
    }
}

impl EmbeddedPostgres {
    /// Makes the cluster at the first start, clears away what a killed service left, and starts the server. Answers
    /// when the role `clinic_owner` can connect to the database `clinic`.
    ///
    /// # Errors
    ///
    /// Another service uses the folder, no usable Postgres is on this machine, the files can't be written, or the
    /// server does not come up; each in one line.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let starting = tokio::task::spawn_blocking(move || Starting::prepare(&options));
        let mut starting = starting.await.map_err(|error| StartError::new(error.to_string()))??;
        let start = Instant::now();
        loop {
            match starting.wait_until_ready().await {
                Ok(client) => {
                    roles::make(client, &starting.passwords).await?;
                    return Ok(starting.into_running());
                }
                // The last server was killed and one of its workers has not noticed yet.
                Err(why) if why.message.contains("pre-existing shared memory") && start.elapsed() < SILENCE_MAX => {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    starting = tokio::task::spawn_blocking(move || starting.again())
                        .await
                        .map_err(|error| StartError::new(error.to_string()))??;
                }
                Err(why) => return Err(why),
            }
        }
    }

    /// `postgres://` URL of the role `clinic_owner` on the database `clinic`. It holds a password: don't log it.
    #[must_use]
    pub fn owner_url(&self) -> &str {
        &self.owner_url
    }

    /// The same for the superuser, who is exempt from row-level security: only for backups.
    #[must_use]
    pub fn superuser_url(&self) -> &str {
        &self.superuser_url
    }

    /// Shuts the server down and returns when it is gone. Open connections are cut and their transactions rolled back.
    /// The data folder stays locked until the value is dropped.
    pub async fn stop(&mut self) {
        // No other server is started from here on.
        let Some(mut server) = self.kept.take() else {
            return;
        };
        server.ask_to_stop();
        let start = Instant::now();
        while server.ended().is_none() && start.elapsed() < FAST_STOP_MAX {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if server.ended().is_none() {
            tracing::warn!("Postgres takes too long to stop: its next start will recover what is left");
            server.ask_to_stop_at_once();
        }
        // Dropping waits; as a rule there is nothing left to wait for.
        let waited = tokio::task::spawn_blocking(move || {
            if server.ended().is_some() {
                server.dismiss_watcher();
            }
        });
        let _ = waited.await;
    }

    /// From now on, restarts the server whenever it ends by itself (killed, out of memory, out of disk), until it is
    /// stopped or dropped.
    pub fn keep_up(&self) {
        tokio::spawn(keeper::keep_up(Arc::downgrade(&self.kept)));
    }
}

/// The state between the first step of starting and the last. Dropping it stops its server.
struct Starting {
    server: Server,
    home: Home,
    binaries: Binaries,
    passwords: Passwords,
    socket_dir: PathBuf,
    durable: bool,
    lock: Lock,
}

impl Starting {
    fn prepare(options: &Options) -> Result<Self, StartError> {
        let data_dir = home::make_data_dir(&options.data_dir)?;
        let lock = Lock::take(&data_dir)?;
        let home = Home::open(&data_dir, options.durable)?;
        let binaries = find::find(options.postgres_bin.as_deref(), home.made_by(), home.user)?;
        cluster::clear(&home, &binaries)?;
        let passwords = Passwords::open(&data_dir)?;
        cluster::make(&home, &binaries, &passwords, options.durable)?;
        let socket_dir = home.socket_dir()?;
        let server = Server::spawn(&home, &binaries, &socket_dir, options.durable)?;
        tracing::info!(version = binaries.major, programs = %binaries.dir.display(), "starting Postgres");
        Ok(Self { server, home, binaries, passwords, socket_dir, durable: options.durable, lock })
    }

    /// The server ended; starts another.
    fn again(mut self) -> Result<Self, StartError> {
        cluster::clear(&self.home, &self.binaries)?;
        self.server.dismiss_watcher();
        self.server = Server::spawn(&self.home, &self.binaries, &self.socket_dir, self.durable)?;
        Ok(self)
    }

    /// A superuser connection, as soon as one is possible.
    async fn wait_until_ready(&mut self) -> Result<tokio_postgres::Config, StartError> {
        let mut config = tokio_postgres::Config::new();
        config.host_path(&self.socket_dir).user("postgres").password(&self.passwords.superuser).dbname("postgres");
        config.connect_timeout(Duration::from_secs(10)).application_name("clinic start");
        let mut heard = Instant::now();
        let mut told = Instant::now();
        loop {
            if self.server.ended().is_some() {
                return Err(StartError::new(format!("Postgres did not start: {}", self.server.complaint())));
            }
            match config.connect(tokio_postgres::NoTls).await {
                Ok(_) => return Ok(config),
                Err(error) => match error.code() {
                    Some(&tokio_postgres::error::SqlState::CANNOT_CONNECT_NOW) => heard = Instant::now(),
                    Some(_) => return Err(StartError::new(format!("Postgres refuses the service: {error}"))),
                    None => {}
                },
            }
            if heard.elapsed() > SILENCE_MAX {
                let limit = SILENCE_MAX.as_secs();
                let why = self.server.complaint();
                return Err(StartError::new(format!("Postgres has not answered for {limit} s: {why}")));
            }
            if told.elapsed() > Duration::from_secs(5) {
                told = Instant::now();
                tracing::info!("Postgres is recovering from having been cut off; this ends by itself");
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    fn into_running(self) -> EmbeddedPostgres {
        let owner_url = url_of("clinic_owner", &self.passwords.owner, "clinic", &self.socket_dir);
        let superuser_url = url_of("postgres", &self.passwords.superuser, "clinic", &self.socket_dir);
        let Self { server, home, binaries, socket_dir, durable, lock, .. } = self;
        let kept = Arc::new(Kept::new(server, home, binaries, socket_dir, durable));
        EmbeddedPostgres { kept, owner_url, superuser_url, _lock: lock }
    }
}

fn url_of(role: &str, password: &str, database: &str, socket_dir: &Path) -> String {
    let mut url = format!("postgres://{role}:{password}@/{database}?host=");
    for byte in socket_dir.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            url.push(char::from(*byte));
        } else {
            // Writing to a String can't fail.
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url
}
