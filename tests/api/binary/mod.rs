//! The built program, as its owner runs it: started, killed, started again, stopped, and its command line.

mod commands;
mod defaults;
mod running;

use crate::support::*;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(120);

/// The program, without the settings that are lying about where the tests run.
pub fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clinic"));
    for (name, _) in std::env::vars()
        .filter(|(name, _)| name.starts_with("CLINIC_") && name != "CLINIC_POSTGRES_BIN" || name == "DATABASE_URL")
    {
        command.env_remove(name);
    }
    // Photos and keys go where nobody looks, unless the test says a data folder. Checkpoints go where nobody else's are:
    // every copy of the template has the same two organisations.
    if !arguments.contains(&"--data-dir") {
        static PLACES: std::sync::LazyLock<TempDir> =
            std::sync::LazyLock::new(|| tempfile::tempdir().expect("a folder"));
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        command.env("CLINIC_OBJECT_STORE", std::env::temp_dir().join("clinic-tests-photos"));
        command.env("CLINIC_CHECKPOINT_STORE", PLACES.path().join(number.to_string()));
        command.env("CLINIC_KEY_DIR", PLACES.path().join("keys"));
    }
    command.env("CLINIC_RATE_LIMIT_ADDRESS", "0").env("CLINIC_RATE_LIMIT_ACCOUNT", "0");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// What a command that ends came to.
#[derive(Debug)]
pub struct Ended {
    pub success: bool,
    pub out: String,
    pub err: String,
}

impl Ended {
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.success, "{self:?}");
        self.out
    }

    /// The one line a failed command says.
    #[track_caller]
    pub fn complaint(&self) -> &str {
        assert!(!self.success, "{self:?}");
        let lines: Vec<_> = self.err.lines().filter(|line| !line.starts_with('{')).collect();
        assert_eq!(lines.len(), 1, "one line: {self:?}");
        lines[0].strip_prefix("clinic: ").expect("who says it")
    }
}

pub async fn run_with(mut command: Command, input: &str) -> Ended {
    let mut child = command.spawn().expect("clinic");
    // It may end without reading.
    let _ = child.stdin.take().expect("stdin").write_all(input.as_bytes()).await;
    let ended = timeout(LONG, child.wait_with_output()).await.expect("an end").expect("output");
    Ended {
        success: ended.status.success(),
        out: String::from_utf8(ended.stdout).expect("text"),
        err: String::from_utf8(ended.stderr).expect("text"),
    }
}

pub async fn run(arguments: &[&str], input: &str) -> Ended {
    run_with(program(arguments), input).await
}

/// The ledger of every organisation in a database is whole.
pub async fn verify(database_url: &str) {
    let said = run(&["audit", "--database-url", database_url, "verify"], "").await.ok();
    assert!(
        ["north", "south"].iter().all(|name| said.contains(&format!("{name}: the ledger is whole\n")))
            && !said.contains("broken"),
        "{said}"
    );
}

/// A running `clinic serve`.
pub struct Service {
    child: Child,
    pub address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Service {
    /// Starts it with these arguments, and waits until it listens.
    pub async fn start(arguments: &[&str]) -> Self {
        let mut command = program(&[&["serve", "--listen", "127.0.0.1:0"], arguments].concat());
        let mut child = command.spawn().expect("clinic");
        let log = Arc::new(Mutex::new(String::new()));
        let (mut stderr, heard) = (child.stderr.take().expect("stderr"), Arc::clone(&log));
        tokio::spawn(async move {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = stderr.read(&mut part).await {
                heard.lock().unwrap().push_str(&String::from_utf8_lossy(&part[..length]));
            }
        });
        let mut said = BufReader::new(child.stdout.take().expect("stdout")).lines();
        let first = timeout(LONG, said.next_line()).await.expect("a word").expect("stdout");
        let first = first.unwrap_or_else(|| panic!("no start: {}", log.lock().unwrap()));
        let address = first.strip_prefix("clinic listens on http").and_then(|rest| rest.split_once("/graphql"));
        let address = address.map(|(rest, more)| (rest.trim_start_matches(['s', ':', '/']), more));
        let address = address.unwrap_or_else(|| panic!("no address in {first}")).0.parse().expect("an address");
        tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
        Self { child, address, log }
    }

    pub async fn on(folder: &Path) -> Self {
        Self::start(&["--data-dir", folder.to_str().unwrap()]).await
    }

    /// Somebody at its door.
    pub fn door(&self) -> Anonymous {
        Anonymous::at(self.address)
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id().expect("running")
    }

    pub fn signal(&self, name: &str) {
        send_signal(name, self.id());
    }

    /// Stops it as its owner would; it ends well.
    pub async fn stop(&mut self) {
        self.signal("TERM");
        assert!(self.end().await, "{}", self.log());
    }

    async fn end(&mut self) -> bool {
        timeout(LONG, self.child.wait()).await.expect("an end").expect("a status").success()
    }

    pub async fn sign_in(&self, email: &str) -> Caller {
        let answer = self.door().sign_in(email, PASSWORD).await.ok();
        self.door().with_token(answer["signIn"]["token"].as_str().expect("a token"))
    }
}

fn send_signal(name: &str, pid: u32) {
    let sent = std::process::Command::new("/bin/sh")
        .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &pid.to_string()])
        .status();
    assert!(sent.expect("kill").success(), "{name} to {pid}");
}

/// Waits for something that has no event to wait for.
pub async fn until(what: &str, mut there: impl AsyncFnMut() -> bool) {
    let waited = timeout(LONG, async {
        while !there().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("{what} never came"));
}

pub fn data_folder() -> TempDir {
    tempfile::Builder::new().prefix("clinic-binary-").tempdir().expect("a folder")
}

pub fn add<'a>(place: &[&'a str], email: &'a str, role: &'a str) -> Vec<&'a str> {
    let mut arguments = vec!["staff"];
    arguments.extend(place);
    arguments.extend(["add", "--email", email, "--name", "Somebody", "--role", role, "--organisation", "Clinic"]);
    arguments
}
