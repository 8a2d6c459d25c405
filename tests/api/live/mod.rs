//! What stays open: subscriptions over WebSocket and server-sent events.

mod clients;
mod documented;
mod events;
mod follow;
mod protocol;
mod revoked;
pub mod rights;
mod two_processes;

use crate::support::*;
use futures::{SinkExt, StreamExt};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message, http};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// What a subscription is asked for, mostly.
pub const CHANGED: &str =
    "subscription ($filter: RecordChangeFilter, $after: String) { recordChanged(filter: $filter, after: $after) {
    cursor sequence at action kind recordId version patientId movedFromPatientId mark actorId requestId } }";

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A WebSocket that says what it is told to say, and hears what comes.
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What comes.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    Message(Value),
    Closed(u16, String),
    Gone,
}

impl Heard {
    pub fn message(self) -> Value {
        match self {
            Self::Message(message) => message,
            other => panic!("no message but {other:?}"),
        }
    }

    pub fn code(&self) -> u16 {
        match self {
            Self::Closed(code, _) => *code,
            other => panic!("not closed but {other:?}"),
        }
    }
}

impl Socket {
    /// Asks for a WebSocket with these headers.
    pub async fn ask(address: SocketAddr, headers: &[(&'static str, &str)]) -> Result<Self, tungstenite::Error> {
        let mut request = format!("ws://{address}/graphql").into_client_request().expect("an address");
        for (name, value) in headers {
            let value = http::HeaderValue::from_str(value).expect("a header");
            request.headers_mut().append(*name, value);
        }
        connect_async(request).await.map(|(socket, _)| Self(socket))
    }

    /// Speaks the protocol; nobody is known yet.
    pub async fn open(address: SocketAddr) -> Self {
        Self::ask(address, &[("sec-websocket-protocol", "graphql-transport-ws")]).await.expect("a socket")
    }

    /// Somebody who is known.
    pub async fn of(who: &Caller) -> Self {
        let mut socket = Self::open(who.address()).await;
        socket.say(&init(who.token())).await;
        assert_eq!(socket.hear().await.message(), json!({"type": "connection_ack"}));
        socket
    }

    pub async fn say(&mut self, message: &Value) {
        self.send(Message::text(message.to_string())).await;
    }

    pub async fn send(&mut self, message: Message) {
        self.0.send(message).await.expect("sent");
    }

    /// The next message, or how it ended.
    pub async fn hear(&mut self) -> Heard {
        tokio::time::timeout(PATIENCE, self.next()).await.expect("nothing came")
    }

    /// Whether nothing comes for so long.
    pub async fn is_silent_for(&mut self, millis: u64) -> bool {
        tokio::time::timeout(Duration::from_millis(millis), self.next()).await.is_err()
    }

    async fn next(&mut self) -> Heard {
        loop {
            return match self.0.next().await {
                Some(Ok(Message::Text(text))) => Heard::Message(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Close(Some(frame)))) => Heard::Closed(frame.code.into(), frame.reason.to_string()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Close(None)) | Err(_)) | None => Heard::Gone,
                Some(Ok(other)) => panic!("{other:?}"),
            };
        }
    }

    /// Begins an operation.
    pub async fn subscribe(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({"query": query, "variables": variables});
        self.say(&json!({"type": "subscribe", "id": id, "payload": payload})).await;
    }

    /// Begins following changes, and waits until it follows.
    pub async fn follow(&mut self, id: &str, variables: Value) {
        self.subscribe(id, CHANGED, variables).await;
        self.is_there(id).await;
    }

    /// Waits until an operation that says nothing at first is under way: a refusal would come before the answer to this.
    pub async fn is_there(&mut self, id: &str) {
        let probe = format!("{id}-probe");
        self.subscribe(&probe, "{ me { id } }", json!({})).await;
        let next = self.hear().await.message();
        assert_eq!((&next["id"], &next["type"]), (&json!(probe), &json!("next")), "{next}");
        assert_eq!(self.hear().await.message(), json!({"type": "complete", "id": probe}));
        // The query began later, but may have been faster.
        tokio::time::sleep(Duration::from_millis(300)).await;
    }

    /// The next event of an operation: its data.
    pub async fn event(&mut self, id: &str) -> Value {
        let next = self.hear().await.message();
        assert_eq!((&next["id"], &next["type"]), (&json!(id), &json!("next")), "{next}");
        assert!(next["payload"].get("errors").is_none(), "{next}");
        next["payload"]["data"].clone()
    }

    /// The next change of a subscription `recordChanged`.
    pub async fn change(&mut self, id: &str) -> Value {
        self.event(id).await["recordChanged"].clone()
    }
}

/// How a client says who it is.
pub fn init(token: &str) -> Value {
    json!({"type": "connection_init", "payload": {"authorization": format!("Bearer {token}")}})
}

/// An answer as events, read as it comes.
pub struct Events {
    answer: reqwest::Response,
    rest: String,
}

/// One event: its name and what it holds. A comment has neither.
pub type Event = (String, String);

impl Events {
    pub async fn of(who: &Caller, query: &str, variables: Value) -> Self {
        let request = who.request(reqwest::Method::POST, "/graphql").header("accept", "text/event-stream");
        Self::to(request.json(&json!({"query": query, "variables": variables}))).await
    }

    pub async fn to(request: reqwest::RequestBuilder) -> Self {
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { answer, rest: String::new() }
    }

    /// The next event; none if the answer ended.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.rest.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.rest = rest;
                if block.starts_with(':') {
                    continue;
                }
                let line = |name: &str| {
                    let found = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    found.unwrap_or_default().to_owned()
                };
                return Some((line("event"), line("data")));
            }
            let chunk = tokio::time::timeout(PATIENCE, self.answer.chunk()).await.expect("nothing came");
            match chunk {
                Ok(Some(bytes)) => self.rest.push_str(std::str::from_utf8(&bytes).expect("text")),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// The next result.
    pub async fn result(&mut self) -> Value {
        let (name, data) = self.next().await.expect("an event");
        assert_eq!(name, "next");
        serde_json::from_str(&data).expect("JSON")
    }
}
