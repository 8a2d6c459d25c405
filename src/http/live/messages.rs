//! The messages of the sub-protocol `graphql-transport-ws`, as its text has them: JSON objects with a `type`.

use crate::http::response::Shaped;
use async_graphql::ServerError;
use serde::Serialize;
use serde_json::{Map, Value};

/// The sub-protocol, as `Sec-WebSocket-Protocol` names it.
pub(super) const PROTOCOL: &str = "graphql-transport-ws";
/// The longest id of an operation, in bytes. Clients make UUIDs.
const LONGEST_ID: usize = 256;

/// A message of a client.
#[derive(Debug, PartialEq)]
pub(super) enum Sent {
    /// Who it is.
    Init(Map<String, Value>),
    /// Are you there?
    Ping(Option<Value>),
    /// I am here.
    Pong,
    /// An operation to run.
    Subscribe {
        /// The id that its results are to have.
        id: String,
        /// What a body of `POST /graphql` would be.
        payload: Value,
    },
    /// No more of this operation.
    Complete(String),
}

/// Reads a message. The error says what is wrong with it.
pub(super) fn read(text: &str) -> Result<Sent, &'static str> {
    let Ok(Value::Object(mut message)) = serde_json::from_str(text) else { return Err("a message is a JSON object") };
    let Some(Value::String(kind)) = message.remove("type") else { return Err("a message has a type") };
    let payload = message.remove("payload").filter(|payload| !payload.is_null());
    let object = |payload: Option<Value>| match payload {
        None => Ok(None),
        Some(Value::Object(fields)) => Ok(Some(fields)),
        Some(_) => Err("payload is an object"),
    };
    let mut id = || match message.remove("id") {
        Some(Value::String(id)) if (1..=LONGEST_ID).contains(&id.len()) => Ok(id),
        _ => Err("id is a text of 1 to 256 bytes"),
    };
    match kind.as_str() {
        "connection_init" => Ok(Sent::Init(object(payload)?.unwrap_or_default())),
        "ping" => Ok(Sent::Ping(object(payload)?.map(Value::Object))),
        "pong" => object(payload).map(|_| Sent::Pong),
        "subscribe" => {
            let id = id()?;
            let payload = object(payload)?.ok_or("subscribe has a payload")?;
            Ok(Sent::Subscribe { id, payload: Value::Object(payload) })
        }
        "complete" => Ok(Sent::Complete(id()?)),
        _ => Err("there is no message of this type"),
    }
}

/// A message of the service.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Answer<'a> {
    /// The client is known: it may ask now.
    ConnectionAck,
    /// I am here.
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Value>,
    },
    /// A result.
    Next { id: &'a str, payload: &'a Shaped },
    /// It failed and has ended.
    Error { id: &'a str, payload: &'a [ServerError] },
    /// It has ended.
    Complete { id: &'a str },
}

impl Answer<'_> {
    /// As it is sent.
    pub(super) fn text(&self) -> String {
        // A value with keys that are no strings can't be written: none of our types has them.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Why a connection is closed, with the code that the protocol's text gives it; the last ones are those of WebSocket itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The other side closed, or is gone.
    Gone,
    /// A message that the protocol does not have.
    BadRequest(&'static str),
    /// Something was asked before the connection was acknowledged.
    Unauthorized,
    /// Whoever it is may not connect, or no more.
    Forbidden(String),
    /// The client speaks no protocol that is spoken here.
    NoProtocol,
    /// The client did not say who it is in time.
    InitTimeout,
    /// Two operations with one id.
    Twice(String),
    /// The client said twice who it is.
    InitTwice,
    /// The service stops.
    GoingAway,
    /// A message of more bytes than are taken.
    TooLarge,
    /// Not a frame of WebSocket.
    NotWebSocket,
    /// A text that is not UTF-8.
    NotText,
    /// Nothing was heard for too long, or nothing was taken.
    Silent,
    /// There is no room now.
    TryAgain(String),
}

/// The longest reason that a frame holds, in bytes.
const LONGEST_REASON: usize = 123;

impl End {
    /// The code and the reason; none where nothing can be said any more.
    pub(super) fn told(&self) -> Option<(u16, String)> {
        let (code, reason) = match self {
            Self::Gone | Self::Silent => return None,
            Self::GoingAway => (1001, "the service stops: connect again".to_owned()),
            Self::NotWebSocket => (1002, "not a frame of WebSocket".to_owned()),
            Self::NotText => (1007, "a message is not UTF-8".to_owned()),
            Self::TooLarge => (1009, "the message is too long".to_owned()),
            Self::TryAgain(why) => (1013, why.clone()),
            Self::BadRequest(why) => (4400, format!("Invalid message: {why}")),
            Self::Unauthorized => (4401, "Unauthorized".to_owned()),
            Self::Forbidden(why) => (4403, format!("Forbidden: {why}")),
            Self::NoProtocol => (4406, "Subprotocol not acceptable".to_owned()),
            Self::InitTimeout => (4408, "Connection initialisation timeout".to_owned()),
            Self::Twice(id) => (4409, format!("Subscriber for {id} already exists")),
            Self::InitTwice => (4429, "Too many initialisation requests".to_owned()),
        };
        let mut end = reason.len().min(LONGEST_REASON);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        Some((code, reason.get(..end).unwrap_or_default().to_owned()))
    }

    /// In a word, for the meters.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Gone => "client",
            Self::BadRequest(_) => "bad_request",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::NoProtocol => "subprotocol",
            Self::InitTimeout => "init_timeout",
            Self::Twice(_) => "duplicate_id",
            Self::InitTwice => "init_twice",
            Self::GoingAway => "stopping",
            Self::TooLarge => "too_large",
            Self::NotWebSocket => "not_websocket",
            Self::NotText => "not_text",
            Self::Silent => "silent",
            Self::TryAgain(_) => "full",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn messages_are_read_to_the_letter() {
        let read_json = |value: Value| read(&value.to_string());
        assert_eq!(read_json(json!({"type": "connection_init"})), Ok(Sent::Init(Map::new())));
        assert_eq!(read_json(json!({"type": "connection_init", "payload": null})), Ok(Sent::Init(Map::new())));
        assert_eq!(read_json(json!({"type": "ping", "payload": {"a": 1}})), Ok(Sent::Ping(Some(json!({"a": 1})))));
        assert_eq!(read_json(json!({"type": "pong"})), Ok(Sent::Pong));
        assert_eq!(read_json(json!({"type": "complete", "id": "1", "more": 1})), Ok(Sent::Complete("1".to_owned())));
        let payload = json!({"query": "{ a }"});
        assert_eq!(
            read_json(json!({"type": "subscribe", "id": "1", "payload": payload})),
            Ok(Sent::Subscribe { id: "1".to_owned(), payload })
        );
        for wrong in [
            json!([]),
            json!("ping"),
            json!({}),
            json!({"type": 1}),
            json!({"type": "start", "id": "1", "payload": {}}),
            json!({"type": "connection_ack"}),
            json!({"type": "connection_init", "payload": []}),
            json!({"type": "ping", "payload": "x"}),
            json!({"type": "pong", "payload": 1}),
            json!({"type": "complete"}),
            json!({"type": "complete", "id": 1}),
            json!({"type": "complete", "id": ""}),
            json!({"type": "subscribe", "id": "1"}),
            json!({"type": "subscribe", "payload": {"query": "{ a }"}}),
            json!({"type": "subscribe", "id": "1", "payload": "{ a }"}),
            json!({"type": "subscribe", "id": "x".repeat(257), "payload": {}}),
        ] {
            assert!(read_json(wrong.clone()).is_err(), "{wrong}");
        }
        assert!(read("").is_err() && read("{").is_err());
    }

    #[test]
    fn a_reason_fits_its_frame() {
        let (code, reason) = End::Twice("é".repeat(120)).told().expect("a code");
        assert_eq!(code, 4409);
        assert!(reason.len() <= LONGEST_REASON && reason.starts_with("Subscriber for é"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC*") {
            let _ = read(&text);
        }
    }
}
