//! A receiver of webhooks on loopback: a real HTTP server that answers as the test says.

use crate::support::*;
use standardwebhooks::Webhook;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a receiver was sent.
#[derive(Debug, Clone)]
pub struct Got {
    /// `webhook-id`
    pub id: String,
    /// Every header.
    pub headers: http::HeaderMap,
    /// The body as it came.
    pub text: String,
    /// How the receiver answered.
    pub answered: u16,
}

impl Got {
    /// The body as JSON.
    pub fn body(&self) -> Value {
        serde_json::from_str(&self.text).expect("JSON")
    }

    /// `type` of the body.
    pub fn kind(&self) -> String {
        self.body()["type"].as_str().expect("a type").to_owned()
    }

    /// `data.sequence` and `data.recordId` of the body.
    pub fn change(&self) -> (i64, String) {
        let data = &self.body()["data"];
        (data["sequence"].as_i64().expect("a number"), data["recordId"].as_str().expect("an id").to_owned())
    }

    /// Whether a secret verifies it, by the convention's own crate.
    pub fn verifies(&self, secret: &str) -> bool {
        Webhook::new(secret).expect("a secret").verify(self.text.as_bytes(), &self.headers).is_ok()
    }
}

/// What a receiver answers: the status, and more lines of the head; 0 is no answer at all.
pub type Answering = (u16, &'static str);

type Rule = Box<dyn FnMut(usize) -> Answering + Send>;

/// A receiver. It stops with the test.
#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    taken: Arc<Mutex<Vec<Got>>>,
    rule: Arc<Mutex<Rule>>,
    delay: Arc<Mutex<Duration>>,
}

impl Receiver {
    /// One that takes everything.
    pub async fn start() -> Self {
        Self::answering(|_| (204, "")).await
    }

    /// One that answers the n-th request by a rule.
    pub async fn answering(rule: impl FnMut(usize) -> Answering + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let receiver =
            Self { url, taken: Arc::default(), rule: Arc::new(Mutex::new(Box::new(rule))), delay: Arc::default() };
        let serving = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.serve(stream).await });
            }
        });
        receiver
    }

    /// Answers by another rule from now on.
    pub fn now_answers(&self, rule: impl FnMut(usize) -> Answering + Send + 'static) {
        *self.rule.lock().expect("a rule") = Box::new(rule);
    }

    /// Takes so long for each answer from now on.
    pub fn slows_down(&self, delay: Duration) {
        *self.delay.lock().expect("a delay") = delay;
    }

    async fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut bytes = Vec::new();
        loop {
            let (head, length) = loop {
                if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                    let head = String::from_utf8(bytes.drain(..end + 4).collect()).ok()?;
                    let headers = headers_of(&head);
                    let length = headers.get("content-length")?.to_str().ok()?.parse::<usize>().ok()?;
                    break (headers, length);
                }
                read_more(&mut stream, &mut bytes).await?;
            };
            while bytes.len() < length {
                read_more(&mut stream, &mut bytes).await?;
            }
            let text = String::from_utf8(bytes.drain(..length).collect()).ok()?;
            let id = head.get("webhook-id")?.to_str().ok()?.to_owned();
            let (status, more) = {
                let mut taken = self.taken.lock().expect("a list");
                let answer = self.rule.lock().expect("a rule")(taken.len());
                taken.push(Got { id, headers: head, text, answered: answer.0 });
                answer
            };
            if status == 0 {
                tokio::time::sleep(Duration::from_secs(60)).await;
                return None;
            }
            let delay = *self.delay.lock().expect("a delay");
            tokio::time::sleep(delay).await;
            let answer = format!("HTTP/1.1 {status} Whatever\r\n{more}content-length: 5\r\n\r\nwords");
            stream.write_all(answer.as_bytes()).await.ok()?;
        }
    }

    /// Everything that came, in order.
    pub fn got(&self) -> Vec<Got> {
        self.taken.lock().expect("a list").clone()
    }

    /// What it took (200 to 299), each once by its id, in order.
    pub fn took(&self) -> Vec<Got> {
        let mut seen = std::collections::BTreeSet::new();
        let all = self.got().into_iter().filter(|got| (200..300).contains(&got.answered));
        all.filter(|got| seen.insert(got.id.clone())).collect()
    }

    /// Waits until so many came.
    pub async fn until_got(&self, many: usize) -> Vec<Got> {
        until(&format!("{many} events"), async || self.got().len() >= many).await;
        self.got()
    }

    /// Waits until so many different ones were taken.
    pub async fn until_took(&self, many: usize) -> Vec<Got> {
        until(&format!("{many} events taken"), async || self.took().len() >= many).await;
        self.took()
    }
}

async fn read_more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let mut part = [0; 4096];
    let read = stream.read(&mut part).await.ok().filter(|read| *read > 0)?;
    bytes.extend(&part[..read]);
    Some(())
}

fn headers_of(head: &str) -> http::HeaderMap {
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    lines
        .map(|(name, value)| {
            let name: http::HeaderName = name.to_ascii_lowercase().parse().expect("a name");
            (name, value.parse().expect("a value"))
        })
        .collect()
}

/// Waits until something is so, for half a minute.
pub async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let start = std::time::Instant::now();
    while !done().await {
        assert!(start.elapsed() < Duration::from_secs(45), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
