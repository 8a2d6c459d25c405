//! TLS of the service's own, by a client that looks at what it is shown.

use crate::binary::{Service, until};
use crate::support::*;
use clap::Parser;
use clinic::config::{Command, CommandLine};
use clinic::server::Server;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub type Wire = StreamOwned<ClientConnection, TcpStream>;

/// A certificate and its key, in files.
pub struct Files {
    folder: TempDir,
}

impl Files {
    pub fn new() -> (Self, CertificateDer<'static>) {
        let files = Self { folder: tempfile::tempdir().expect("a folder") };
        let shown = files.renew();
        (files, shown)
    }

    /// Writes a new certificate with its key.
    pub fn renew(&self) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        std::fs::write(self.certificate(), made.cert.pem()).expect("written");
        std::fs::write(self.key(), made.signing_key.serialize_pem()).expect("written");
        made.cert.der().clone()
    }

    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    pub fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

/// How a client that trusts this certificate alone speaks TLS.
pub fn client(
    trusted: &CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&[u8]],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).expect("a root");
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let mut config =
        builder.with_protocol_versions(versions).expect("versions").with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|it| it.to_vec()).collect();
    config
}

/// Puts a file in the place of another in one step, of the same length and time: who looks at those sees no change.
fn swap(file: &Path, text: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, text.to_owned() + &"\n".repeat(4096 - text.len())).expect("written");
    let long_ago = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    std::fs::File::options().write(true).open(&new).expect("a file").set_modified(long_ago).expect("a time");
    std::fs::rename(&new, file).expect("in its place");
}

/// Opens a connection that trusts this certificate alone.
pub fn open(
    port: u16,
    trusted: &CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&[u8]],
) -> std::io::Result<Wire> {
    let config = client(trusted, versions, protocols);
    let name = ServerName::try_from("localhost").expect("a name");
    let mut session = ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut wire = TcpStream::connect(("127.0.0.1", port))?;
    wire.set_read_timeout(Some(Duration::from_secs(20)))?;
    session.complete_io(&mut wire)?;
    Ok(StreamOwned::new(session, wire))
}

/// Asks over an open connection, which stays open: the head and the body of the answer.
pub fn ask(wire: &mut Wire, token: &str) -> std::io::Result<(String, String)> {
    let body = json!({"query": "{ me { role } }"}).to_string();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    wire.write_all((head + &body).as_bytes())?;
    let mut got = Vec::new();
    loop {
        let mut part = [0; 4096];
        let length = wire.read(&mut part)?;
        if length == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        got.extend_from_slice(&part[..length]);
        let said = String::from_utf8_lossy(&got).into_owned();
        if let Some((head, body)) = said.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let wanted = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if wanted.is_some_and(|wanted| body.len() >= wanted) {
                return Ok((head, body.to_owned()));
            }
        }
    }
}

pub fn port_of(clinic: &Clinic) -> u16 {
    clinic.url("").rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
}

/// Both versions and nothing older.
pub const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

#[tokio::test(flavor = "multi_thread")]
async fn the_api_is_served_over_tls() {
    let (files, shown) = Files::new();
    let flags = ["--tls-certificate", text(&files.certificate()), "--tls-key", text(&files.key())].map(str::to_owned);
    let clinic = Clinic::with(&flags.each_ref().map(String::as_str)).await;
    let (port, token) = (port_of(&clinic), clinic.practitioner().member.token.clone());
    tokio::task::block_in_place(|| {
        for version in BOTH {
            let mut wire = open(port, &shown, &[version], &[b"http/1.1"]).expect("a connection");
            for _ in 0..2 {
                let (head, body) = ask(&mut wire, &token).expect("an answer");
                assert!(head.starts_with("http/1.1 200"), "{head}");
                assert!(body.contains("PRACTITIONER"), "{body}");
                assert!(head.contains("\r\nstrict-transport-security: max-age=63072000"), "{head}");
            }
            assert_eq!(wire.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        }
        let wire = open(port, &shown, BOTH, &[b"http/1.1", b"h2"]).expect("a connection");
        assert_eq!(wire.conn.alpn_protocol(), Some(&b"h2"[..]), "what the service would rather speak");
        // One that says nothing of protocols speaks HTTP/1.1.
        let mut wire = open(port, &shown, BOTH, &[]).expect("a connection");
        assert!(ask(&mut wire, &token).expect("an answer").0.starts_with("http/1.1 200"));
        let (_, stranger) = Files::new();
        assert!(open(port, &stranger, BOTH, &[b"http/1.1"]).is_err(), "it is the certificate of the file");
        // Plain HTTP on the same port gets no answer of HTTP.
        let mut plain = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        plain.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
        plain.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
        let mut got = Vec::new();
        let _ = plain.read_to_end(&mut got);
        assert!(!got.starts_with(b"HTTP/"), "{}", String::from_utf8_lossy(&got));
    });
    // A client that sends nothing keeps nobody waiting.
    let _silent = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    tokio::task::block_in_place(|| {
        let begun = Instant::now();
        let mut wire = open(port, &shown, BOTH, &[b"http/1.1"]).expect("a connection");
        ask(&mut wire, &token).expect("an answer");
        assert!(begun.elapsed() < Duration::from_secs(10));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_taken_without_cutting_anybody_off() {
    let (files, first) = Files::new();
    let flags = ["--tls-certificate", text(&files.certificate()), "--tls-key", text(&files.key())].map(str::to_owned);
    let clinic = Clinic::with(&flags.each_ref().map(String::as_str)).await;
    let (port, token) = (port_of(&clinic), clinic.practitioner().member.token.clone());
    let connect = |trusted: &CertificateDer<'static>| {
        tokio::task::block_in_place(|| open(port, trusted, BOTH, &[b"http/1.1"]).is_ok())
    };
    let shows = async |trusted: &CertificateDer<'static>| {
        let begun = Instant::now();
        while !connect(trusted) {
            assert!(begun.elapsed() < Duration::from_secs(30), "the new certificate is never shown");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let mut kept = open(port, &first, BOTH, &[b"http/1.1"]).expect("a connection");
    tokio::task::block_in_place(|| ask(&mut kept, &token)).expect("an answer");
    let second = files.renew();
    shows(&second).await;
    assert!(!connect(&first), "the old one is shown no more");
    let (head, _) = tokio::task::block_in_place(|| ask(&mut kept, &token)).expect("an answer on the old connection");
    assert!(head.starts_with("http/1.1 200"), "{head}");
    // What can't be used leaves the one before in place.
    std::fs::write(files.key(), "nonsense").expect("written");
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(connect(&second));
    let third = files.renew();
    shows(&third).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_reads_the_certificate_again() {
    let (files, _) = Files::new();
    let exchange = || {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        swap(&files.certificate(), &made.cert.pem());
        swap(&files.key(), &made.signing_key.serialize_pem());
        made.cert.der().clone()
    };
    let first = exchange();
    let database = Database::copy().await;
    let (url, certificate, key) = (database.url(), files.certificate(), files.key());
    let flags = ["--database-url", &url, "--tls-certificate", text(&certificate), "--tls-key", text(&key)];
    let mut service = Service::start(&flags).await;
    let (port, token) = (service.address.port(), world().await.north.who(Role::Practitioner).token.clone());
    let connect = |trusted: &CertificateDer<'static>| {
        tokio::task::block_in_place(|| open(port, trusted, BOTH, &[b"http/1.1"]).is_ok())
    };
    let second = {
        // Asked every second: an idle connection of HTTP/1.1 is closed.
        let mut kept = open(port, &first, BOTH, &[b"http/1.1"]).expect("a connection");
        let mut still = || tokio::task::block_in_place(|| ask(&mut kept, &token)).expect("an answer").0;
        assert!(still().starts_with("http/1.1 200"));
        let second = exchange();
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(still().starts_with("http/1.1 200"));
        }
        assert!(connect(&first), "nobody can have seen that the files are others");
        service.signal("HUP");
        until("the new certificate", async || connect(&second)).await;
        assert!(!connect(&first), "the old one is shown no more");
        assert!(still().starts_with("http/1.1 200"), "the old connection lives on");
        second
    };
    // What can't be used leaves the one before in place, and is told.
    assert!(!service.log().contains("can't be read again"), "{}", service.log());
    swap(&files.key(), "nonsense");
    service.signal("HUP");
    until("a word of it", async || service.log().contains("the TLS certificate can't be read again")).await;
    assert!(service.log().contains("holds no private key"), "{}", service.log());
    assert!(connect(&second));
    let third = exchange();
    service.signal("HUP");
    until("the third certificate", async || connect(&third)).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_can_not_be_used_are_told_in_one_line() {
    let (files, _) = Files::new();
    let (other, _) = Files::new();
    let (certificate, key) = (files.certificate(), files.key());
    let empty = files.folder.path().join("empty.pem");
    let junk = files.folder.path().join("junk.pem");
    std::fs::write(&empty, "").unwrap();
    std::fs::write(&junk, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let gone = files.folder.path().join("gone.pem");
    for (certificate, key, why) in [
        (&certificate, &other.key(), "is not the key of the certificate in"),
        (&gone, &key, "--tls-certificate: "),
        (&certificate, &gone, "--tls-key: "),
        (&empty, &key, "holds no certificate"),
        (&certificate, &empty, "holds no private key"),
        (&certificate, &certificate, "holds no private key"),
        (&key, &key, "holds no certificate"),
        (&junk, &key, "--tls-certificate"),
    ] {
        let line = ["clinic", "serve", "--listen", "127.0.0.1:0", "--database-url", "postgres://u@127.0.0.1:1/x"];
        let line = line.into_iter().chain(["--tls-certificate", text(certificate), "--tls-key", text(key)]);
        let Command::Serve(settings) = CommandLine::try_parse_from(line).expect("flags").command else {
            panic!("serve")
        };
        let told = Server::start(&settings).await.err().expect("an error");
        assert!(told.contains(why) && told.lines().count() == 1, "{told}");
        assert!(!told.contains("PRIVATE"), "{told}");
    }
}
