//! `/graphql` over WebSocket, by the sub-protocol `graphql-transport-ws`: many operations of one client at a time, each with
//! an id of its own.

use super::messages::{Answer, End, PROTOCOL, Sent, read};
use super::{Judged, Out, Sender, Task, Told, WAITING, carry, ended, errors_of, place};
use crate::access::rate::Payer;
use crate::access::vigil::Stay;
use crate::error::Error;
use crate::feed::Place;
use crate::http::App;
use crate::http::address::client_address;
use crate::http::request::{self, RequestRefusal};
use crate::http::run::{at_the_gate, facts_of, told};
use crate::operation::Operation;
use crate::watch::Transport;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::rt::spawn;
use actix_web::{HttpRequest, HttpResponse, web};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseCode, CloseReason, ProtocolError, Session};
use futures::StreamExt;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use uuid::Uuid;

/// How long a client may take to say who it is.
const INIT_WITHIN: Duration = Duration::from_secs(5);
/// How often a client is pinged, by WebSocket's own ping, which browsers answer by themselves. One that was not heard of since
/// the last ping is gone.
const PING_EVERY: Duration = Duration::from_secs(20);
/// How long a client may take to take what is sent.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);
/// Operations of one connection at a time.
const OPERATIONS: usize = 50;

/// Whether a request asks for a WebSocket.
pub fn is_asked_for(head: &HeaderMap) -> bool {
    let upgrade = head.get(header::UPGRADE).and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|upgrade| upgrade.split(',').any(|one| one.trim().eq_ignore_ascii_case("websocket")))
}

/// Takes a WebSocket.
pub async fn socket(http: HttpRequest, payload: web::Payload, app: web::Data<App>) -> HttpResponse {
    let begun = Instant::now();
    let id = request::request_id(http.headers());
    let mut answer = open(&http, payload, &app, &id).await.unwrap_or_else(|refusal| refusal.into_response(&id));
    told(&mut answer, None, (&id, &http, begun), "socket");
    answer
}

async fn open(
    http: &HttpRequest,
    payload: web::Payload,
    app: &web::Data<App>,
    id: &str,
) -> Result<HttpResponse, RequestRefusal> {
    let address = client_address(http, app.trust_proxy);
    if let Some(charge) = app.rates.charge(Payer::Address(&address), 1).await.filter(|charge| !charge.passed) {
        return Err(RequestRefusal::too_many(charge.standing.resets_in));
    }
    // No rule of browsers holds foreign pages off a WebSocket.
    if !app.home.is_page(http) {
        let message = "this page may not connect: --allowed-origins names the pages that may";
        return Err(RequestRefusal::new(StatusCode::FORBIDDEN, "FORBIDDEN", message));
    }
    let (mut facts, mut why_none) = facts_of(http, app, id, address)?;
    // What is said of one request is said of none of the many that come this way.
    (facts.idempotency_key, facts.background) = (None, false);
    if facts.token.is_none() {
        match request::socket_cookie(http, &app.home) {
            Ok(None) => {}
            Ok(token) => (facts.token, facts.by_cookie) = (token, true),
            Err(why) => why_none = why,
        }
    }
    let opened = actix_ws::handle_with_protocols(http, payload, &[PROTOCOL]).map_err(|error| {
        let message = "this is not how a WebSocket of version 13 is asked for (RFC 6455)";
        tracing::debug!(%error, "{message}");
        let refusal = RequestRefusal::bad_request(message);
        let version = (header::SEC_WEBSOCKET_VERSION, "13");
        RequestRefusal { headers: vec![version], ..refusal }
    });
    let (answer, session, messages) = opened?;
    let speaks = answer.headers().contains_key(header::SEC_WEBSOCKET_PROTOCOL);
    let bytes = app.body.bytes;
    let messages = messages.max_frame_size(bytes).aggregate_continuations().max_continuation_size(bytes);
    let (to, told) = mpsc::channel(WAITING);
    let connection = Connection {
        sender: Sender { app: app.clone(), facts, why_none, sets_cookies: false },
        session,
        under_way: HashMap::new(),
        begun: 0,
        to,
        known: None,
        heard: true,
    };
    spawn(connection.live(messages, told, speaks));
    Ok(answer)
}

/// A connection, as long as it lasts.
struct Connection {
    sender: Sender,
    session: Session,
    /// Operations under way, by their numbers, with their ids.
    under_way: HashMap<u64, (String, Task)>,
    /// How many were begun.
    begun: u64,
    to: mpsc::Sender<(u64, Option<Told>)>,
    /// Once the client is known: its sign-in, watched over, and its place.
    known: Option<(Option<Stay>, Place)>,
    /// Whether anything was heard of the client since the last ping.
    heard: bool,
}

impl Connection {
    async fn live(
        mut self,
        mut messages: AggregatedMessageStream,
        mut told: mpsc::Receiver<(u64, Option<Told>)>,
        speaks: bool,
    ) {
        let app = self.sender.app.clone();
        let _counted = app.service.watch.live.connection(Transport::WebSocket);
        let end = if speaks { self.serve(&mut messages, &mut told).await } else { End::NoProtocol };
        app.service.watch.live.closed(end.word());
        tracing::debug!(request = self.sender.facts.id, end = end.word(), "a socket ends");
        self.under_way.clear();
        if let Some((code, reason)) = end.told() {
            let reason = CloseReason { code: CloseCode::from(code), description: Some(reason) };
            let _ = tokio::time::timeout(TAKEN_WITHIN, self.session.close(Some(reason))).await;
        }
    }

    /// Hears and answers until it ends.
    async fn serve(
        &mut self,
        messages: &mut AggregatedMessageStream,
        told: &mut mpsc::Receiver<(u64, Option<Told>)>,
    ) -> End {
        let service = Arc::clone(&self.sender.app.service);
        let init_by = tokio::time::sleep(INIT_WITHIN);
        tokio::pin!(init_by);
        let mut pings = tokio::time::interval(PING_EVERY);
        pings.reset();
        loop {
            let is_known = self.known.is_some();
            let mut nobody = None;
            let stay = self.known.as_mut().map_or(&mut nobody, |(stay, _)| stay);
            let step = tokio::select! {
                biased;
                () = service.tail.closed() => Err(End::GoingAway),
                () = ended(stay) => Err(End::Forbidden(super::ENDED.1.to_owned())),
                () = &mut init_by, if !is_known => Err(End::InitTimeout),
                _ = pings.tick() => self.ping().await,
                message = messages.next() => match message {
                    Some(message) => self.hear(message).await,
                    None => Err(End::Gone),
                },
                Some((number, told)) = told.recv() => self.pass_on(number, told).await,
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    async fn ping(&mut self) -> Result<(), End> {
        if !std::mem::take(&mut self.heard) {
            return Err(End::Silent);
        }
        taken(self.session.ping(b"")).await
    }

    async fn say(&mut self, answer: Answer<'_>) -> Result<(), End> {
        taken(self.session.text(answer.text())).await
    }

    async fn hear(&mut self, message: Result<AggregatedMessage, ProtocolError>) -> Result<(), End> {
        self.heard = true;
        match message {
            Ok(AggregatedMessage::Text(text)) => match read(&text).map_err(End::BadRequest)? {
                Sent::Init(payload) => self.init(payload).await,
                Sent::Ping(payload) => self.say(Answer::Pong { payload }).await,
                Sent::Pong => Ok(()),
                Sent::Subscribe { id, payload } => self.subscribe(id, &payload).await,
                Sent::Complete(id) => {
                    self.under_way.retain(|_, (theirs, _)| *theirs != id);
                    Ok(())
                }
            },
            Ok(AggregatedMessage::Binary(_)) => Err(End::BadRequest("messages are text")),
            Ok(AggregatedMessage::Ping(bytes)) => taken(self.session.pong(&bytes)).await,
            Ok(AggregatedMessage::Pong(_)) => Ok(()),
            Ok(AggregatedMessage::Close(reason)) => {
                // The code comes back; what else it says is the client's own.
                let code = reason.map(|reason| CloseReason { description: None, ..reason });
                let _ = self.session.clone().close(code).await;
                Err(End::Gone)
            }
            Err(ProtocolError::Overflow) => Err(End::TooLarge),
            Err(ProtocolError::Io(error)) => Err(end_of(&error)),
            Err(_) => Err(End::NotWebSocket),
        }
    }

    /// Finds out who it is, once.
    async fn init(&mut self, payload: Map<String, Value>) -> Result<(), End> {
        if self.known.is_some() {
            return Err(End::InitTwice);
        }
        let forbidden = |refusal: RequestRefusal| End::Forbidden(refusal.message);
        let said = head_of(&payload)?;
        if let Some(token) = request::bearer_token(&said).map_err(forbidden)? {
            (self.sender.facts.token, self.sender.facts.by_cookie) = (Some(token.to_owned()), false);
        }
        if let Some(reason) = request::access_reason(&said).map_err(forbidden)? {
            self.sender.facts.reason = Some(reason);
        }
        let facts = &self.sender.facts;
        let Some(token) = facts.token.clone() else { return Err(End::Forbidden(self.sender.why_none.1.to_owned())) };
        let place = place(&self.sender.app, facts).map_err(|refusal| End::TryAgain(refusal.message))?;
        let mut asking = facts.clone();
        "connection_init".clone_into(&mut asking.name);
        asking.background = true;
        let service = &self.sender.app.service;
        let operation = Operation::new(Arc::clone(service), asking);
        let org = operation.org().await;
        let org = operation.finish(&[]).await.and(org).map_err(refused)?;
        self.known = Some((Some(service.vigil.keep(&token, org)), place));
        self.say(Answer::ConnectionAck).await
    }

    async fn subscribe(&mut self, id: String, payload: &Value) -> Result<(), End> {
        if self.known.is_none() {
            return Err(End::Unauthorized);
        }
        if self.under_way.values().any(|(theirs, _)| *theirs == id) {
            return Err(End::Twice(id));
        }
        let app = &self.sender.app;
        let one = match request::parameters_of(payload) {
            Ok(one) => one,
            Err(_) => return Err(End::BadRequest("the payload of subscribe is a GraphQL request")),
        };
        let charge = app.rates.charge(Payer::Address(&self.sender.facts.address), 1).await;
        let too_many = charge.filter(|charge| !charge.passed).map(|charge| charge.standing.resets_in);
        let full = (self.under_way.len() >= OPERATIONS).then_some(1);
        if let Some(retry_after) = too_many.or(full) {
            let errors = errors_of(Error::RateLimited { retry_after });
            return self.say(Answer::Error { id: &id, payload: &errors }).await;
        }
        let outcome = at_the_gate(app, &one);
        self.begun += 1;
        let out = Out { number: self.begun, to: self.to.clone() };
        let mut sender = self.sender.clone();
        sender.facts.id = Uuid::now_v7().to_string();
        let judged: Judged = (one, outcome);
        let task = Task(spawn(carry::carry(sender, judged, out, false)));
        self.under_way.insert(self.begun, (id, task));
        Ok(())
    }

    /// Passes on what an operation tells; nothing of one that the client completed.
    async fn pass_on(&mut self, number: u64, told: Option<Told>) -> Result<(), End> {
        let Some((id, _)) = self.under_way.get(&number) else { return Ok(()) };
        let id = id.clone();
        let (text, ends) = match &told {
            Some(Told::Begun) => return Ok(()),
            Some(Told::Next(shaped) | Told::Failed(shaped)) if shaped.is_signed_out() => {
                return Err(End::Forbidden(super::ENDED.1.to_owned()));
            }
            Some(Told::Next(shaped) | Told::Failed(shaped)) => match shaped.refusal() {
                Some(payload) => (Answer::Error { id: &id, payload }.text(), true),
                None => (Answer::Next { id: &id, payload: shaped }.text(), false),
            },
            Some(Told::Cut) => return Err(End::GoingAway),
            None => (Answer::Complete { id: &id }.text(), true),
        };
        if ends {
            self.under_way.remove(&number);
        }
        taken(self.session.text(text)).await
    }
}

/// What an error of reading means. What was wrong with a message is told like an error of the connection.
fn end_of(error: &std::io::Error) -> End {
    let within = error.get_ref();
    if within.is_some_and(|within| within.is::<std::str::Utf8Error>())
        || error.kind() == std::io::ErrorKind::InvalidData
    {
        End::NotText
    } else if error.kind() == std::io::ErrorKind::Other && error.to_string().contains("maximum continuation size") {
        End::TooLarge
    } else {
        End::Gone
    }
}

/// Waits until something is taken by the client's side.
async fn taken(sending: impl Future<Output = Result<(), actix_ws::Closed>>) -> Result<(), End> {
    match tokio::time::timeout(TAKEN_WITHIN, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Gone),
        Err(_) => Err(End::Silent),
    }
}

/// What a client says of itself when it connects, as the headers that say the same of a request.
fn head_of(payload: &Map<String, Value>) -> Result<HeaderMap, End> {
    let mut head = HeaderMap::new();
    for (name, value) in payload {
        let plain = name.replace('-', "").to_ascii_lowercase();
        let header = match plain.as_str() {
            "authorization" => header::AUTHORIZATION,
            "accessreason" => HeaderName::from_static("access-reason"),
            _ => continue,
        };
        let value = value.as_str().and_then(|text| HeaderValue::from_bytes(text.as_bytes()).ok());
        head.append(header, value.ok_or(End::BadRequest("authorization and accessReason are texts"))?);
    }
    Ok(head)
}

/// Why somebody may not connect.
fn refused(error: Error) -> End {
    match &error {
        Error::Unavailable => End::TryAgain("the service can't answer now: connect again".to_owned()),
        _ => End::Forbidden(errors_of(error).into_iter().next().map(|error| error.message).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_client_says_of_itself_is_read_as_headers_are() {
        let head = |value: Value| head_of(value.as_object().expect("an object"));
        let said =
            head(json!({"Authorization": "Bearer abc", "accessReason": "a call of José", "more": 1})).expect("read");
        assert_eq!(request::bearer_token(&said), Ok(Some("abc")));
        assert_eq!(request::access_reason(&said), Ok(Some("a call of José".to_owned())));
        assert!(head(json!({"access-reason": "a call"})).expect("read").contains_key("access-reason"));
        assert!(head(json!({"authorization": 7})).is_err() && head(json!({"authorization": "a\nb"})).is_err());
        let twice = head(json!({"authorization": "Bearer a", "Authorization": "Bearer b"})).expect("read");
        assert!(request::bearer_token(&twice).is_err());
    }
}
