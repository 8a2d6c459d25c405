//! The running server: the `postgres` process, and a watcher that stops it if the service dies without notice.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::StartError;
use super::find::Binaries;
use super::home::Home;
use super::settings::settings;
use super::user::complaint;

/// A larger log from earlier starts is moved aside at the next start.
const LOG_MAX: u64 = 16 * 1024 * 1024;

/// One `postgres` of ours.
pub(super) struct Server {
    process: Child,
    watcher: Option<Child>,
    log: PathBuf,
    log_start: u64,
}

impl Server {
    /// Starts one. It does not accept connections yet.
    pub(super) fn spawn(
        home: &Home,
        binaries: &Binaries,
        socket_dir: &Path,
        durable: bool,
    ) -> Result<Self, StartError> {
        let log = home.log();
        let too_big = std::fs::metadata(&log).is_ok_and(|log| log.len() > LOG_MAX);
        let log_start = if too_big { 0 } else { std::fs::metadata(&log).map_or(0, |log| log.len()) };
        let aside = if too_big { r#"mv "$1" "$1.1";"# } else { "" };
        let script = format!(r#"{aside} log=$1; shift; exec "$@" >>"$log" 2>&1"#);
        let mut command = home.user.shell(&script);
        command.arg(&log).arg(binaries.program("postgres")).arg("-D").arg(home.cluster());
        for (name, value) in settings(socket_dir, durable) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        let failed = |error: std::io::Error| StartError::new(format!("Postgres can't be started: {error}"));
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(failed)?;
        let mut server = Self { process, watcher: None, log, log_start };
        server.watcher = Some(server.watch(home).spawn().map_err(failed)?);
        Ok(server)
    }

    /// The watcher's input is a pipe that only this process can write to. A word on it means that all is well. If it
    /// closes without one, the service is dead, and the watcher stops Postgres if it is still the same process.
    fn watch(&self, home: &Home) -> Command {
        let script = r#"
            trap '' HUP INT TERM
            read -r word && exit
            read -r pid <"$1" && [ "$pid" = "$2" ] && kill -INT "$2""#;
        let mut command = home.user.shell(script);
        command.arg(home.cluster().join("postmaster.pid")).arg(self.process.id().to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Its exit status, once it has ended.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().ok().flatten()
    }

    /// Requests a fast shutdown: open transactions are rolled back, committed data is written.
    pub(super) fn ask_to_stop(&self) {
        self.signal("INT");
    }

    /// Requests an immediate shutdown; the next start will recover.
    pub(super) fn ask_to_stop_at_once(&self) {
        self.signal("QUIT");
    }

    /// Kills it, when nothing else helped.
    pub(super) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Lets the watcher go, once the server is gone.
    pub(super) fn dismiss_watcher(&mut self) {
        if let Some(mut watcher) = self.watcher.take() {
            if let Some(mut pipe) = watcher.stdin.take() {
                let _ = pipe.write_all(b"stopped\n");
            }
            let _ = watcher.wait();
        }
    }

    /// What it logged since it was started.
    fn said(&self) -> String {
        let mut text = Vec::new();
        if let Ok(mut log) = std::fs::File::open(&self.log) {
            let _ = log.seek(SeekFrom::Start(self.log_start)).and_then(|_| log.read_to_end(&mut text));
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Why it ended, from its own log, in one line.
    pub(super) fn complaint(&self) -> String {
        let why = complaint(&self.said());
        if why.is_empty() { format!("it left no word in {}", self.log.display()) } else { why }
    }

    // std sends no signal but KILL.
    fn signal(&self, name: &str) {
        let mut kill = Command::new("/bin/sh");
        kill.args(["-c", r#"kill -s "$1" "$2""#, "sh", name, &self.process.id().to_string()]);
        let _ = kill.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

impl Drop for Server {
    /// The service normally uses `EmbeddedPostgres::stop`; this is for a panic or an abandoned start.
    fn drop(&mut self) {
        let mut asked = Asked::Nothing;
        let start = Instant::now();
        while self.ended().is_none() {
            match (asked, start.elapsed().as_secs()) {
                (Asked::Nothing, _) => {
                    self.ask_to_stop();
                    asked = Asked::Fast;
                }
                (Asked::Fast, 10..) => {
                    self.ask_to_stop_at_once();
                    asked = Asked::AtOnce;
                }
                (Asked::AtOnce, 15..) => self.kill(),
                _ => std::thread::sleep(Duration::from_millis(10)),
            }
        }
        self.dismiss_watcher();
    }
}

#[derive(Clone, Copy)]
enum Asked {
    Nothing,
    Fast,
    AtOnce,
}
