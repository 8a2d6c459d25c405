//! HTTP/2 over TLS, and that what bounds a request over HTTP/1.1 bounds it there too, one stream or hundreds.

use crate::support::*;
use crate::tls::{BOTH, Files, client, open, port_of, text};
use bytes::Bytes;
use futures::future::join_all;
use h2::client::{ResponseFuture, SendRequest};
use http::{HeaderMap, Request, StatusCode};
use rustls::pki_types::{CertificateDer, ServerName};
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// One connection of a client.
struct Wire {
    sender: SendRequest<Bytes>,
    driving: tokio::task::JoinHandle<()>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.driving.abort();
    }
}

impl Wire {
    /// `window`: how much of each answer's body it takes before it is asked.
    async fn open(port: u16, trusted: &CertificateDer<'static>, window: u32) -> Self {
        let config = client(trusted, BOTH, &[b"h2"]);
        let socket = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
        let name = ServerName::try_from("localhost").expect("a name");
        let tls = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, socket).await.expect("TLS");
        assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(window).initial_max_send_streams(1);
        let (sender, connection) = builder.handshake::<_, Bytes>(tls).await.expect("HTTP/2");
        let driving = tokio::spawn(async move {
            let _ = connection.await;
        });
        Self { sender, driving }
    }

    /// Sends a head and, if there is one, a whole body.
    async fn begin(&self, request: Request<()>, body: Option<&str>) -> (ResponseFuture, h2::SendStream<Bytes>) {
        let mut sender = timeout(LONG, self.sender.clone().ready()).await.expect("in time").expect("ready");
        let (answer, mut stream) = sender.send_request(request, false).expect("sent");
        if let Some(body) = body {
            stream.send_data(Bytes::copy_from_slice(body.as_bytes()), true).expect("a body");
        }
        (answer, stream)
    }

    async fn ask(&self, request: Request<()>, body: &str) -> (StatusCode, HeaderMap, String) {
        let (answer, _stream) = self.begin(request, Some(body)).await;
        read(answer).await
    }
}

async fn read(answer: ResponseFuture) -> (StatusCode, HeaderMap, String) {
    let whole = async {
        let (head, mut body) = answer.await.expect("an answer").into_parts();
        let mut said = Vec::new();
        while let Some(Ok(chunk)) = body.data().await {
            let _ = body.flow_control().release_capacity(chunk.len());
            said.extend_from_slice(&chunk);
        }
        (head.status, head.headers, String::from_utf8_lossy(&said).into_owned())
    };
    timeout(LONG, whole).await.expect("an answer in time")
}

fn graphql(token: &str) -> http::request::Builder {
    let request = Request::post("https://localhost/graphql").header("content-type", "application/json");
    if token.is_empty() { request } else { request.header("authorization", format!("Bearer {token}")) }
}

const ME: &str = r#"{"query":"{ me { role } }"}"#;
const WINDOW: u32 = 65_535;

async fn served(flags: &[&str]) -> (Clinic, u16, CertificateDer<'static>, Files) {
    let (files, shown) = Files::new();
    let (certificate, key) = (files.certificate(), files.key());
    let pair = ["--tls-certificate", text(&certificate), "--tls-key", text(&key)];
    let clinic = Clinic::with(&[&pair[..], flags].concat()).await;
    let port = port_of(&clinic);
    (clinic, port, shown, files)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_is_held_to_the_name_that_is_asked_for() {
    let (_clinic, port, shown, _files) = served(&[]).await;
    let wire = Wire::open(port, &shown, WINDOW).await;
    let from = |authority: &str, origin: &str| {
        let request = Request::post(format!("https://{authority}/graphql")).header("content-type", "application/json");
        request.header("origin", origin).header("clinic-csrf", "1")
    };
    let (own, page) = (format!("localhost:{port}"), format!("https://localhost:{port}"));
    let (evil, evil_page) = (format!("evil.example:{port}"), format!("https://evil.example:{port}"));
    let input = format!("{{email: \"practitioner@north.example\", password: \"{PASSWORD}\", cookie: true}}");
    let sign_in = json!({"query": format!("mutation {{ signIn(input: {input}) {{ expiresAt }} }}")}).to_string();
    let (_, headers, body) = wire.ask(from(&own, &page).body(()).unwrap(), &sign_in).await;
    let cookie = headers.get("set-cookie").unwrap_or_else(|| panic!("a cookie: {body}")).to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    for (authority, origin, taken) in
        [(&own, &page, true), (&evil, &evil_page, false), (&evil, &page, false), (&own, &evil_page, false)]
    {
        let request = from(authority, origin).header("cookie", &cookie).body(()).unwrap();
        let (_, _, body) = wire.ask(request, ME).await;
        assert_eq!(body.contains("PRACTITIONER"), taken, "{authority} {origin}: {body}");
        assert_eq!(body.contains("ORIGIN"), !taken, "{authority} {origin}: {body}");
        let (_, headers, body) = wire.ask(from(authority, origin).body(()).unwrap(), &sign_in).await;
        assert_eq!(headers.contains_key("set-cookie"), taken, "{authority} {origin}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_is_served_and_its_limits_hold() {
    let (clinic, port, shown, _files) = served(&[]).await;
    let token = clinic.practitioner().member.token.clone();
    let wire = Wire::open(port, &shown, WINDOW).await;
    // Many at once on one connection.
    let asked = (0..50).map(|_| wire.ask(graphql(&token).body(()).unwrap(), ME));
    for (status, headers, body) in join_all(asked).await {
        assert!(status == 200 && body.contains("PRACTITIONER"), "{status} {body}");
        assert_eq!(headers["strict-transport-security"], "max-age=63072000");
        assert_eq!(headers["x-content-type-options"], "nosniff");
    }
    let (status, _, body) = wire.ask(graphql("").body(()).unwrap(), ME).await;
    assert!(status == 401 || body.contains("UNAUTHENTICATED"), "{status} {body}");
    // A body that is too long, said and not said.
    let long = " ".repeat((1 << 20) + 1);
    let (status, _, body) =
        wire.ask(graphql(&token).header("content-length", long.len()).body(()).unwrap(), &long).await;
    assert!(status == 413 && body.contains("QUERY_TOO_LARGE"), "{status} {body}");
    let (status, _, body) = wire.ask(graphql(&token).body(()).unwrap(), &long).await;
    assert!(status == 413 && body.contains("QUERY_TOO_LARGE"), "{status} {body}");
    // A head that is too large, by its bytes and by its fields.
    let large = graphql(&token).header("x-large", "x".repeat(200_000));
    let many = (0..120).fold(graphql(&token), |request, i| request.header(format!("x-{i}"), "x"));
    for request in [large, many] {
        let (status, headers, body) = wire.ask(request.body(()).unwrap(), ME).await;
        assert_eq!((status.as_u16(), body.as_str()), (431, ""));
        assert_eq!(headers["x-content-type-options"], "nosniff");
    }
    // A slow body is cut by its deadline, and keeps nobody waiting meanwhile.
    let begun = Instant::now();
    let (slow, mut drops) = wire.begin(graphql(&token).body(()).unwrap(), None).await;
    drops.send_data(Bytes::from_static(b"{\"query\":"), false).expect("a part");
    let (status, _, _) = wire.ask(graphql(&token).body(()).unwrap(), ME).await;
    assert!(status == 200 && begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    let (status, _, body) = read(slow).await;
    assert!(status == 408 && body.contains("REQUEST_TIMEOUT"), "{status} {body}");
    assert!((9..30).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    let (status, _, _) = wire.ask(graphql(&token).body(()).unwrap(), ME).await;
    assert_eq!(status, 200, "the connection is as good as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_never_ends_is_cut() {
    let (_clinic, port, shown, _files) = served(&[]).await;
    tokio::task::block_in_place(|| {
        let mut wire = open(port, &shown, BOTH, &[b"h2"]).expect("a connection");
        let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        // Settings; then the first byte of a head, without its end.
        sent.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
        sent.extend([0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82]);
        wire.write_all(&sent).expect("sent");
        let begun = Instant::now();
        let mut part = [0; 1024];
        while wire.read(&mut part).is_ok_and(|length| length > 0) {}
        assert!(begun.elapsed() < Duration::from_secs(19), "the service ended it, not our own limit");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn many_streams_of_a_connection_pass_no_limit() {
    let (clinic, port, shown, _files) = served(&[]).await;
    let token = clinic.practitioner().member.token.clone();
    // A client that takes no answer: each holds its place until it is taken.
    let wire = Wire::open(port, &shown, 0).await;
    let mut asked = Vec::new();
    for _ in 0..600 {
        asked.push(wire.begin(graphql(&token).body(()).unwrap(), Some(ME)).await);
    }
    let heads = asked.into_iter().map(|(answer, stream)| async move {
        match timeout(Duration::from_secs(15), answer).await {
            Ok(answer) => Some((answer.expect("an answer"), stream)),
            Err(_) => None,
        }
    });
    let heads: Vec<_> = join_all(heads).await;
    let count = |wanted: u16| heads.iter().flatten().filter(|(head, _)| head.status().as_u16() == wanted).count();
    let silent = heads.iter().filter(|head| head.is_none()).count();
    assert_eq!((count(200), silent, count(503)), (100, 400, 100));
    // Another connection is served, and so is this one once it lets go.
    let other = Wire::open(port, &shown, WINDOW).await;
    assert_eq!(other.ask(graphql(&token).body(()).unwrap(), ME).await.0, 200);
    drop(heads);
    // What it let go of is noticed one by one.
    let begun = Instant::now();
    loop {
        let (answer, _stream) = wire.begin(graphql(&token).body(()).unwrap(), Some(ME)).await;
        let status = timeout(LONG, answer).await.expect("in time").expect("an answer").status();
        if status == 200 {
            break;
        }
        assert!(status == 503 && begun.elapsed() < LONG, "{status}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_one_limit_however_it_asks() {
    let (_clinic, port, shown, _files) = served(&["--rate-limit-address", "20"]).await;
    let wire = Wire::open(port, &shown, WINDOW).await;
    let body = r#"{"query":"{ __typename }"}"#;
    let answers = join_all((0..90).map(|_| wire.ask(graphql("").body(()).unwrap(), body))).await;
    let passed = answers.iter().filter(|(status, ..)| *status == 200).count();
    let refused = answers.iter().filter(|(status, ..)| *status == 429).count();
    // Twice the limit if the minute ended meanwhile.
    assert!(passed <= 40 && passed + refused == 90, "{passed} passed, {refused} refused");
}
