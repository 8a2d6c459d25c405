//! What is reached and what is not, with real receivers on loopback.

use super::guard::Names;
use super::*;
use crate::network::Network;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::net::IpAddr;
use std::sync::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers each look-up with the next of these; the last one stays.
struct Changing(Mutex<Vec<Vec<IpAddr>>>);

impl Changing {
    fn new(answers: &[&[&str]]) -> Self {
        let read = |list: &&[&str]| list.iter().map(|it| it.parse().expect("an address")).collect();
        Self(Mutex::new(answers.iter().rev().map(read).collect()))
    }
}

impl Names for Changing {
    fn addresses(&self, _: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        let mut left = self.0.lock().expect("answers");
        let answer = if left.len() > 1 { left.pop().expect("one") } else { left[0].clone() };
        async move { Ok(answer) }.boxed()
    }
}

fn networks(texts: &[&str]) -> Vec<Network> {
    texts.iter().map(|text| text.parse().expect("a network")).collect()
}

fn outbound(names: impl Names + 'static, opened: &[&str]) -> Outbound {
    Outbound::new(Guard::new(names, networks(opened)), Duration::from_millis(400))
}

/// A receiver that answers each connection's first request with this text, and counts connections.
async fn receiver(answer: &'static str) -> (u16, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (port, connections) = (listener.local_addr().expect("an address").port(), Arc::new(Mutex::new(0)));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            *count.lock().expect("a count") += 1;
            tokio::spawn(async move {
                let mut bytes = [0; 4096];
                let _ = stream.read(&mut bytes).await;
                let _ = stream.write_all(answer.as_bytes()).await;
                if answer.is_empty() {
                    tokio::time::sleep(Duration::from_secs(5)).await;
                }
            });
        }
    });
    (port, connections)
}

async fn post(outbound: &Outbound, url: &str) -> Answer {
    outbound.post(&url.parse().expect("a URL"), HeaderMap::new(), "{}".to_owned(), false).await
}

const FINE: &str = "HTTP/1.1 204 No Content\r\n\r\n";

#[tokio::test]
async fn a_name_that_leads_elsewhere_the_second_time_is_of_no_use() {
    let (port, connections) = receiver(FINE).await;
    let url = format!("https://rebinding.example:{port}/");
    let public: &[&str] = &["8.8.8.8"];
    let outbound = outbound(Changing::new(&[public, &["127.0.0.1"]]), &[]);
    // At the time of adding it is a public address …
    assert_eq!(outbound.check(&url.parse().expect("a URL")).await, Ok(()));
    // … and when the connection is opened it is not: what is checked is what is connected to.
    assert_eq!(post(&outbound, &url).await.failure, Some(Failure::NotAllowed));
    assert_eq!(*connections.lock().expect("a count"), 0);
}

#[tokio::test]
async fn a_name_with_one_closed_address_is_refused_whole() {
    let (port, connections) = receiver(FINE).await;
    for both in [["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "2606:4700:4700::1111"], ["8.8.8.8", "::ffff:127.0.0.1"]] {
        let outbound = outbound(Changing::new(&[&both]), &[]);
        let url = format!("https://both.example:{port}/");
        assert_eq!(outbound.check(&url.parse().expect("a URL")).await, Err(Failure::NotAllowed), "{both:?}");
        assert_eq!(post(&outbound, &url).await.failure, Some(Failure::NotAllowed), "{both:?}");
    }
    assert_eq!(*connections.lock().expect("a count"), 0);
}

#[tokio::test]
async fn addresses_written_out_are_held_to_the_same() {
    let (port, connections) = receiver(FINE).await;
    let outbound = outbound(SystemNames, &[]);
    for host in
        ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "0.0.0.0"]
    {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{host}:{port}/");
            assert_eq!(post(&outbound, &url).await.failure, Some(Failure::NotAllowed), "{url}");
            assert_eq!(outbound.check(&url.parse().expect("a URL")).await, Err(Failure::NotAllowed), "{url}");
        }
    }
    for url in ["ftp://8.8.8.8/", "https://user:password@8.8.8.8/", "http://8.8.8.8/"] {
        assert_eq!(outbound.check(&url.parse().expect("a URL")).await, Err(Failure::NotAllowed), "{url}");
    }
    assert_eq!(outbound.check(&"https://8.8.8.8/".parse().expect("a URL")).await, Ok(()));
    assert_eq!(*connections.lock().expect("a count"), 0);
}

#[tokio::test]
async fn an_opened_network_is_reached_at_the_address_that_was_looked_up() {
    let (port, connections) = receiver(FINE).await;
    let outbound = outbound(Changing::new(&[&["127.0.0.1"]]), &["127.0.0.0/8"]);
    let answer = post(&outbound, &format!("http://anything.example:{port}/")).await;
    assert_eq!((answer.status, answer.failure), (Some(204), None));
    assert_eq!(*connections.lock().expect("a count"), 1);
}

#[tokio::test]
async fn what_went_wrong_is_told_in_a_word() {
    let opened = &["127.0.0.0/8"];
    let (moved, redirects) =
        receiver("HTTP/1.1 307 Temporary Redirect\r\nlocation: /there\r\ncontent-length: 0\r\n\r\n").await;
    let (silent, _) = receiver("").await;
    let (odd, _) = receiver("this is no HTTP at all\r\n\r\n").await;
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address").port();
    let outbound = outbound(SystemNames, opened);
    let rows = [
        (format!("http://127.0.0.1:{moved}/"), Failure::Status),
        (format!("http://127.0.0.1:{silent}/"), Failure::Timeout),
        (format!("http://127.0.0.1:{odd}/"), Failure::Protocol),
        (format!("http://127.0.0.1:{closed}/"), Failure::Connect),
        (format!("https://127.0.0.1:{odd}/"), Failure::Tls),
    ];
    for (url, failure) in rows {
        assert_eq!(post(&outbound, &url).await.failure, Some(failure), "{url}");
    }
    let nameless = Outbound::new(Guard::new(Changing::new(&[&[]]), Vec::new()), Duration::from_secs(1));
    assert_eq!(post(&nameless, "https://no-such-name.example/").await.failure, Some(Failure::Dns));
    assert_eq!(*redirects.lock().expect("a count"), 1, "a redirect is not followed");
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_read() {
    let (port, _) = receiver("HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\nbegun").await;
    let answer = post(&outbound(SystemNames, &["127.0.0.0/8"]), &format!("http://127.0.0.1:{port}/")).await;
    assert_eq!((answer.status, answer.failure), (Some(200), None));
}

#[tokio::test]
async fn only_who_is_busy_may_ask_for_patience() {
    let busy = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n";
    let wrong = "HTTP/1.1 400 Bad Request\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n";
    let outbound = outbound(SystemNames, &["127.0.0.0/8"]);
    for (answer, wait) in [(busy, Some(Duration::from_secs(7))), (wrong, None)] {
        let (port, _) = receiver(answer).await;
        assert_eq!(post(&outbound, &format!("http://127.0.0.1:{port}/")).await.retry_after, wait, "{answer}");
    }
    let now = DateTime::parse_from_rfc3339("2026-11-30T10:00:00Z").expect("a time").with_timezone(&Utc);
    assert_eq!(wait_of("Mon, 30 Nov 2026 10:02:00 GMT", now), Some(Duration::from_secs(120)));
    assert_eq!(wait_of("Mon, 30 Nov 2026 09:00:00 GMT", now), Some(Duration::ZERO));
    assert_eq!((wait_of("soon", now), wait_of("-1", now)), (None, None));
}
