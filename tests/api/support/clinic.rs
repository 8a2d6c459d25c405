//! A test's own service.

use super::template::{self, Organisation, Role};
use super::{Anonymous, Database, SignedIn};
use clap::Parser;
use clinic::config::{Command, CommandLine};
use clinic::server::Server;
use std::path::Path;
use std::sync::LazyLock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Services that run at a time. Each takes `POOL` connections and a few of its test's; the cluster has 200.
pub const MOST_CLINICS: usize = 6;
const POOL: &str = "8";

static PLACES: LazyLock<std::sync::Arc<Semaphore>> = LazyLock::new(|| Semaphore::new(MOST_CLINICS).into());

/// Starts a service as `clinic serve` would, on a free port.
pub async fn serve(database_url: &str, flags: &[&str]) -> Server {
    let mut line = vec!["clinic", "serve", "--database-url", database_url, "--listen", "127.0.0.1:0"];
    if !flags.contains(&"--pool-size") {
        line.extend(["--pool-size", POOL]);
    }
    // The tests send thousands of requests from one address, and count statements.
    for limit in ["--rate-limit-account", "--rate-limit-address"] {
        if !flags.contains(&limit) {
            line.extend([limit, "0"]);
        }
    }
    // The receivers of the tests are on loopback.
    if !flags.contains(&"--webhook-allow-network") {
        line.extend(["--webhook-allow-network", "127.0.0.0/8"]);
    }
    let keys = std::env::temp_dir().join("clinic-tests-keys").display().to_string();
    if !flags.contains(&"--key-dir") {
        line.extend(["--key-dir", &keys]);
    }
    line.extend(flags);
    let Command::Serve(settings) = CommandLine::try_parse_from(&line).expect("flags").command else { panic!("serve") };
    clinic::start(&settings).await.expect("a service").0
}

/// The flags, with folders for photos, keys and checkpoints unless they say where those go. Every copy of the template has
/// the same two organisations: their checkpoints must not meet.
fn with_store<'f>(folder: &'f Path, evidence: &'f Path, flags: &[&'f str]) -> Vec<&'f str> {
    let mut flags = flags.to_vec();
    if !flags.contains(&"--checkpoint-store") {
        flags.extend(["--checkpoint-store", evidence.to_str().expect("text")]);
    }
    if !flags.contains(&"--key-dir") {
        flags.extend(["--key-dir", evidence.to_str().expect("text")]);
    }
    if !flags.contains(&"--object-store") {
        flags.extend(["--object-store", folder.to_str().expect("text")]);
    }
    flags
}

/// A running service on a database of its own. It stops with the value.
pub struct Clinic {
    server: Option<Server>,
    door: Anonymous,
    /// Its database.
    pub database: Database,
    /// The organisation most tests work in.
    pub north: Organisation,
    /// Another one, whose records the north must never see.
    pub south: Organisation,
    objects: tempfile::TempDir,
    evidence: tempfile::TempDir,
    _place: OwnedSemaphorePermit,
}

impl Clinic {
    /// Starts one with the default settings.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts one with more flags of `clinic serve`.
    pub async fn with(flags: &[&str]) -> Self {
        let place = PLACES.clone().acquire_owned().await.expect("a place");
        Self::at(Database::copy().await, flags, place).await
    }

    /// Starts one whose every SQL statement is in the server's log.
    pub async fn logging_statements() -> Self {
        let place = PLACES.clone().acquire_owned().await.expect("a place");
        let database = Database::copy().await;
        let superuser = database.superuser().await;
        superuser.run(&format!("ALTER DATABASE {} SET log_statement = 'all'", database.name)).await;
        Self::at(database, &[], place).await
    }

    async fn at(database: Database, flags: &[&str], place: OwnedSemaphorePermit) -> Self {
        let world = template::get().await.clone();
        let objects = tempfile::tempdir().expect("a folder");
        let evidence = tempfile::tempdir().expect("a folder");
        let server = serve(&database.url(), &with_store(objects.path(), evidence.path(), flags)).await;
        let door = Anonymous::at(server.address());
        Self {
            server: Some(server),
            door,
            database,
            north: world.north,
            south: world.south,
            objects,
            evidence,
            _place: place,
        }
    }

    /// Stops the service and starts it again on the same database, with other flags.
    pub async fn restart(&mut self, flags: &[&str]) {
        self.restart_at(&self.database.url(), flags).await;
    }

    /// Stops the service and starts it again on its database as somebody else's address reaches it.
    pub async fn restart_at(&mut self, database_url: &str, flags: &[&str]) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
        let server = serve(database_url, &with_store(self.objects.path(), self.evidence.path(), flags)).await;
        self.door = Anonymous::at(server.address());
        self.server = Some(server);
    }

    /// The folder of its photos.
    pub fn objects(&self) -> &Path {
        self.objects.path()
    }

    /// The folder of its checkpoints, and of the key that they are signed with.
    pub fn evidence(&self) -> &Path {
        self.evidence.path()
    }

    /// Stops the service; what else there is stays.
    pub async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }

    /// `http://127.0.0.1:port` and a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.as_ref().expect("running").address())
    }

    /// What `/metrics` says. For a clinic that was started with `--metrics-listen 0`.
    pub async fn metrics(&self) -> String {
        let response = self.get_metrics("/metrics").await;
        assert_eq!(response.status(), 200);
        response.text().await.expect("text")
    }

    /// Where `/metrics` is served.
    pub fn metrics_address(&self) -> Option<std::net::SocketAddr> {
        self.server.as_ref().expect("running").metrics_address()
    }

    /// Asks the server of `/metrics`.
    pub async fn get_metrics(&self, path: &str) -> reqwest::Response {
        let address = self.metrics_address().expect("--metrics-listen");
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        client.get(format!("http://{address}{path}")).send().await.expect("an answer")
    }

    /// Somebody without a sign-in.
    pub fn anonymous(&self) -> Anonymous {
        self.door.clone()
    }

    /// Somebody of an organisation.
    pub fn of(&self, organisation: &Organisation, role: Role) -> SignedIn {
        SignedIn::new(&self.door, organisation, organisation.who(role).clone())
    }

    /// The north's practitioner.
    pub fn practitioner(&self) -> SignedIn {
        self.of(&self.north, Role::Practitioner)
    }

    /// The north's admin.
    pub fn admin(&self) -> SignedIn {
        self.of(&self.north, Role::Admin)
    }

    /// The north's front desk.
    pub fn front_desk(&self) -> SignedIn {
        self.of(&self.north, Role::FrontDesk)
    }

    /// The north's auditor.
    pub fn auditor(&self) -> SignedIn {
        self.of(&self.north, Role::Auditor)
    }

    /// The south's practitioner: of another organisation.
    pub fn stranger(&self) -> SignedIn {
        self.of(&self.south, Role::Practitioner)
    }

    /// Waits until refused tries to sign in are in the access logs: that takes about a second.
    pub async fn refusals_logged(&self) {
        let sql = self.database.superuser().await;
        for _ in 0..200 {
            if sql.one("SELECT count(*) FROM refused_sign_in").await == "0" {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("refused tries wait for the access log");
    }

    /// A fresh sign-in of somebody, with the real password.
    pub async fn sign_in_again(&self, organisation: &Organisation, role: Role) -> SignedIn {
        let mut member = organisation.who(role).clone();
        member.token = self.door.sign_in(&member.email, template::PASSWORD).await.ok()["signIn"]["token"]
            .as_str()
            .expect("a token")
            .to_owned();
        SignedIn::new(&self.door, organisation, member)
    }
}

impl Drop for Clinic {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(server.stop()));
        }
    }
}
