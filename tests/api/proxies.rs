//! Real proxies in front of the service, HAProxy and nginx: whatever a client says of its address, the one that counts is
//! the one that the proxy saw. `script/test` brings both; where they can't be had the test says so and tries nothing.

use crate::support::*;
use std::io::Write;
use std::net::{IpAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where a client comes from whose proxy is at 127.0.0.1.
const CLIENT: &str = "127.0.0.2";
const OTHER: &str = "127.0.0.3";

/// How a proxy writes down where a request came from.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// HAProxy: in a line of its own.
    LineOfItsOwn,
    /// HAProxy: at the end of the last line that came.
    EndOfTheLine,
    /// nginx: at the end of all lines, which become one.
    AllInOneLine,
    /// nginx: in the place of what came.
    InTheirPlace,
}

impl Way {
    fn program(self) -> &'static str {
        match self {
            Self::LineOfItsOwn | Self::EndOfTheLine => "haproxy",
            Self::AllInOneLine | Self::InTheirPlace => "nginx",
        }
    }

    /// The proxy's configuration, from one port to another.
    fn configuration(self, port: u16, service: u16) -> String {
        let header = match self {
            Self::LineOfItsOwn => "option forwardfor",
            Self::EndOfTheLine => "http-request set-header X-Forwarded-For \"%[req.fhdr(X-Forwarded-For)], %[src]\"",
            Self::AllInOneLine => "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
            Self::InTheirPlace => "proxy_set_header X-Forwarded-For $remote_addr;",
        };
        match self.program() {
            "haproxy" => format!(
                "defaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
                 frontend f\n  bind 127.0.0.1:{port}\n  {header}\n  default_backend b\n\
                 backend b\n  server s 127.0.0.1:{service}\n"
            ),
            _ => format!(
                "daemon off; master_process off; pid nginx.pid; error_log stderr; events {{}}\n\
                 http {{ access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n\
                 uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n\
                 server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{service}; {header} }} }} }}\n"
            ),
        }
    }
}

/// Where a program is: Debian keeps servers where not everybody looks.
fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// A proxy that runs as long as the value lives.
struct Proxy {
    running: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Proxy {
    fn start(program: &Path, way: Way, service: u16) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let file = folder.path().join("proxy.conf");
        std::fs::write(&file, way.configuration(port, service)).expect("a file");
        let mut command = Command::new(program);
        match way.program() {
            "haproxy" => command.arg("-db").arg("-f").arg(&file),
            _ => command.arg("-p").arg(folder.path()).arg("-c").arg(&file),
        };
        let running = command.stdout(Stdio::null()).spawn().expect("a proxy");
        let proxy = Self { running, port, _folder: folder };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{way:?} does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        proxy
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.running.kill();
        let _ = self.running.wait();
    }
}

/// A client at an address of this machine.
fn client(address: &str) -> reqwest::Client {
    let address: IpAddr = address.parse().expect("an address");
    reqwest::Client::builder().no_proxy().local_address(address).build().expect("a client")
}

/// Asks through a proxy, with lines of X-Forwarded-For of the client's own.
async fn ask(from: &str, proxy: &Proxy, lines: &[&str], token: Option<&str>, body: &Value) -> Answer {
    let request = client(from).post(format!("http://127.0.0.1:{}/graphql", proxy.port)).json(body);
    let request = token.map_or(request.try_clone().expect("a request"), |token| request.bearer_auth(token));
    Answer::to(lines.iter().fold(request, |request, line| request.header("X-Forwarded-For", *line))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_real_proxies_a_client_does_not_choose_its_address() {
    let clinic = Clinic::with(&["--trust-proxy"]).await;
    let service: u16 = clinic.url("").rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let (admin, sql) = (clinic.admin(), clinic.database.superuser().await);
    let account = admin.service_account("Reader", &["PATIENTS_READ"]).await;
    let (_, key) = admin.api_key(&account, json!({"allowedAddresses": [CLIENT]})).await;
    let viewer = json!({"query": "{ viewer { kind } }"});
    let forged: [&[&str]; 7] = [
        &[],
        &[CLIENT],
        &[CLIENT, CLIENT],
        &["203.0.113.9, 127.0.0.2"],
        &["203.0.113.9", "203.0.113.10, 127.0.0.2"],
        &["127.0.0.2:80", "[::ffff:127.0.0.2]"],
        &["127.0.0.2,"],
    ];
    for way in [Way::LineOfItsOwn, Way::EndOfTheLine, Way::AllInOneLine, Way::InTheirPlace] {
        let Some(program) = found(way.program()) else {
            // Written past the capture of tests' output: it must be seen.
            let _ = writeln!(std::io::stderr(), "\nSKIPPED: {way:?} was not tried, there is no {}\n", way.program());
            continue;
        };
        let proxy = Proxy::start(&program, way, service);
        for lines in forged {
            let right = ask(CLIENT, &proxy, &[&["203.0.113.9"], lines].concat(), Some(&key), &viewer).await;
            assert_eq!(right.outcome(), "ok", "{way:?} {lines:?}: {}", right.text);
            let wrong = ask(OTHER, &proxy, lines, Some(&key), &viewer).await;
            assert_eq!(wrong.code(), "UNAUTHENTICATED", "{way:?} {lines:?}: a forged line passes a key's addresses");
        }
        let seen = "SELECT DISTINCT from_address FROM access_log WHERE event = 'refused'";
        assert_eq!(sql.column(seen).await, [OTHER], "{way:?}: the log has the proxy's word");
        // Wrong passwords are counted where they come from.
        sql.run("DELETE FROM sign_in_failure").await;
        let sign_in = "mutation ($input: SignInInput!) { signIn(input: $input) { token } }";
        let input = json!({"email": format!("{way:?}@nowhere.example"), "password": "a wrong password"});
        let body = json!({"query": sign_in, "variables": {"input": input}});
        let mut told = Vec::new();
        for n in 0..9 {
            let line = format!("203.0.113.{n}");
            told.push(ask(OTHER, &proxy, &[&line, &line], None, &body).await.outcome());
        }
        assert!(told.iter().any(|it| it == "RATE_LIMITED"), "{way:?}: {told:?}");
        let counted = "SELECT count(*) FROM sign_in_failure WHERE kind = 'address'";
        assert_eq!(sql.one(counted).await, "1", "{way:?}: one address");
    }
}
