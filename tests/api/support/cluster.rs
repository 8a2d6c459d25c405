//! One private Postgres for the whole test process.

use clinic::db::Address;
use clinic::db::embedded::{EmbeddedPostgres, Options};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{self, Sender};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_postgres::{Config, NoTls};

/// The cluster: a thread and a runtime of its own hold it for as long as the process lives.
pub struct Cluster {
    owner: Config,
    superuser: Config,
    log: PathBuf,
    dropped: UnboundedSender<String>,
}

static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| {
    let (started, cluster) = mpsc::channel();
    std::thread::spawn(move || keep(&started));
    cluster.recv().expect("the cluster's thread").expect("a Postgres for the tests")
});

fn keep(started: &Sender<Result<Cluster, String>>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("runtime");
    runtime.block_on(async {
        let folder = tempfile::Builder::new().prefix("clinic-tests-").tempdir_in(place()).expect("a folder").keep();
        sweep_after_us(&folder);
        let options = Options { data_dir: folder.clone(), postgres_bin: None, durable: false };
        let postgres = match EmbeddedPostgres::start(options).await {
            Ok(postgres) => postgres,
            Err(error) => return drop(started.send(Err(error.to_string()))),
        };
        let owner: Config = postgres.owner_url().parse().expect("the owner's URL");
        let passwords = std::fs::read_to_string(folder.join("passwords")).expect("passwords");
        let password = passwords.lines().find_map(|line| line.strip_prefix("postgres=")).expect("the superuser's");
        let mut superuser = owner.clone();
        superuser.user("postgres").password(password);
        let (dropped, mut databases) = unbounded_channel::<String>();
        let log = folder.join("postgres/server.log");
        let _ = started.send(Ok(Cluster { owner, superuser: superuser.clone(), log, dropped }));
        while let Some(name) = databases.recv().await {
            let (client, connection) = superuser.connect(NoTls).await.expect("the superuser");
            let connection = tokio::spawn(connection);
            client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.expect("drop");
            drop(client);
            let _ = connection.await;
        }
    });
}

/// In memory, where there is enough of it: a database for each test is thousands of files made and thrown away, which took
/// a disk a quarter of all the processors' time.
fn place() -> PathBuf {
    const ENOUGH_KIB: u64 = 4 << 20;
    let memory = Path::new("/dev/shm");
    let free = || {
        let told = Command::new("df").args(["-Pk", "/dev/shm"]).output().ok()?;
        let told = String::from_utf8(told.stdout).ok()?;
        told.lines().nth(1)?.split_whitespace().nth(3)?.parse::<u64>().ok()
    };
    let fits = memory.is_dir() && free().is_some_and(|free| free >= ENOUGH_KIB);
    if fits { memory.to_owned() } else { std::env::temp_dir() }
}

/// A shell that outlives this process: when the pipe ends it waits for Postgres to be gone (its own watcher stops it)
/// and takes the folder away. Statics are never dropped, so nothing in this process could.
fn sweep_after_us(folder: &Path) {
    let script = r#"trap '' HUP INT TERM; read -r _
        for _ in $(seq 600); do [ -e "$1/postgres/data/postmaster.pid" ] || break; sleep 0.1; done
        away=$(readlink "$1/postgres") && rm -rf "$away"; rm -rf "$1""#;
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(script).arg("sh").arg(folder);
    let shell = shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a shell");
    std::mem::forget(shell);
}

impl Cluster {
    /// The one.
    pub fn get() -> &'static Self {
        &CLUSTER
    }

    /// As the role that owns the tables.
    pub fn owner(&self, database: &str) -> Config {
        let mut config = self.owner.clone();
        config.dbname(database);
        config
    }

    /// The same, as the program has it.
    pub fn address(&self, database: &str) -> Address {
        Address::parse("the owner's", &self.url(database)).expect("an address")
    }

    /// As the superuser.
    pub fn superuser(&self, database: &str) -> Config {
        let mut config = self.superuser.clone();
        config.dbname(database);
        config
    }

    /// The `DATABASE_URL` of a database.
    pub fn url(&self, database: &str) -> String {
        let config = &self.owner;
        let password = std::str::from_utf8(config.get_password().expect("a password")).expect("text");
        let [tokio_postgres::config::Host::Unix(socket)] = config.get_hosts() else { panic!("one Unix socket") };
        let socket: String = socket.to_str().expect("text").replace('/', "%2F");
        format!("postgres://clinic_owner:{password}@/{database}?host={socket}")
    }

    /// What the server logs.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Drops a database some time soon, whoever is still connected to it.
    pub fn drop_soon(&self, database: String) {
        let _ = self.dropped.send(database);
    }
}
