//! GraphQL over HTTP, inwards: from an HTTP request to the GraphQL requests in it, by the GraphQL-over-HTTP draft.
//!
//! Stricter than the draft where a browser could be made to send something on a stranger's behalf: bodies are JSON
//! only, and GET runs queries only. Every refusal is an answer in GraphQL's own shape.

mod accept;
mod cookie;
mod headers;
mod parameters;
mod refusal;

use std::time::Duration;

use actix_web::{
    HttpRequest,
    http::{Method, StatusCode, header},
    web,
};
use async_graphql::{Variables, parser::types::OperationType};
use futures::StreamExt;

pub(super) use accept::EVENTS;
pub use accept::{Events, MediaType};
pub use cookie::{CSRF, cookie_token, socket_cookie};
pub(crate) use headers::REQUEST_ID;
pub use headers::{BACKGROUND, access_reason, background, bearer_token, client, idempotency_key, request_id};
pub use refusal::RequestRefusal;

/// How much of a body is read, and for how long.
#[derive(Debug, Clone)]
pub struct BodyLimits {
    /// Bytes of a body: 1 MiB, ten times the largest document, the rest for variables.
    pub bytes: usize,
    /// For the whole body, from the end of the head: 10 s. The server's own time-out covers the head only, and a body
    /// may come in drop by drop.
    pub deadline: Duration,
    /// Requests in one batch: 5.
    pub batch: usize,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { bytes: 1 << 20, deadline: Duration::from_secs(10), batch: 5 }
    }
}

/// What an HTTP request to `/graphql` is for.
#[derive(Debug)]
pub enum Incoming {
    /// GraphQL to be run.
    Call(GraphqlCall),
    /// A person opened the address in a browser: show the explorer.
    Page,
}

/// The GraphQL requests of one HTTP request.
#[derive(Debug)]
pub struct GraphqlCall {
    /// In the order in which they are to be run and answered: one, or a batch of one to five.
    pub requests: Vec<Parameters>,
    /// Whether the answer is an array.
    pub batch: bool,
    /// What the client wants to be answered in.
    pub media: MediaType,
    /// Whether it wants them as events.
    pub events: Events,
    /// GET or POST.
    pub method: Method,
}

/// One GraphQL request, well-formed but not yet parsed.
#[derive(Debug, PartialEq)]
pub struct Parameters {
    /// The document; empty where one is named.
    pub query: String,
    /// The persisted document that is meant, by its id (`documentId`) or its hash (`extensions.persistedQuery`).
    pub document_id: Option<String>,
    /// The operation to run, where the document has several. Never empty.
    pub operation_name: Option<String>,
    /// Values for the operation's variables.
    pub variables: Variables,
}

impl GraphqlCall {
    /// Whether an operation of this kind may come this way: a GET changes nothing, because browsers send GETs by
    /// themselves; and what goes on is answered as events.
    ///
    /// # Errors
    /// 405 with `Allow: POST`; 406 for a subscription whose sender takes no events.
    pub fn permits(&self, kind: OperationType) -> Result<(), RequestRefusal> {
        if kind == OperationType::Subscription {
            if self.events != Events::No && !self.batch {
                return Ok(());
            }
            let message = "a subscription is answered as text/event-stream, alone: accept that, or send it over WebSocket \
                           (graphql-transport-ws) to this address";
            let refusal = RequestRefusal::new(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", message);
            return Err(refusal.in_media(self.media));
        }
        if self.method == Method::POST || kind == OperationType::Query {
            return Ok(());
        }
        let message = format!("a {kind} can't be sent with GET: send it with POST");
        Err(RequestRefusal::method_not_allowed(message, "POST").in_media(self.media))
    }
}

/// What a request is answered in, also one that is refused before it is read.
pub fn answered_in(request: &HttpRequest) -> MediaType {
    accept::negotiate(request.headers()).unwrap_or(MediaType::Json)
}

/// Reads the GraphQL requests out of an HTTP request.
///
/// # Errors
/// 405 for other methods than GET and POST, 406 when nothing acceptable can be answered, 415 for a body that is not
/// plain JSON, 413 and 408 for a body too long or too slow, 400 for what is malformed.
pub async fn read(
    request: &HttpRequest,
    payload: web::Payload,
    limits: &BodyLimits,
) -> Result<Incoming, RequestRefusal> {
    let is_get = request.method() == Method::GET;
    if !is_get && request.method() != Method::POST {
        let message = "this address takes GET and POST".to_owned();
        return Err(RequestRefusal::method_not_allowed(message, "GET, POST"));
    }
    let head = request.headers();
    let mut given = Vec::new();
    if is_get {
        given = parameters::query_pairs(request.query_string())?;
        let asks = |name: &str| matches!(name, "query" | "documentId" | "extensions");
        if !given.iter().any(|(name, _)| asks(name)) && accept::wants_page(head) {
            return Ok(Incoming::Page);
        }
    }
    let events = accept::events(head);
    let of_events = (events != Events::No).then_some(MediaType::GraphqlResponse);
    let media = accept::negotiate(head).or(of_events).ok_or_else(|| {
        let message = "answers come as application/graphql-response+json or application/json: accept one of them";
        RequestRefusal::new(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", message)
    })?;
    let (requests, batch) = if is_get {
        parameters::from_query(given).map(|only| (vec![only], false))
    } else {
        headers::hold_body_type(head).map_err(|refusal| refusal.in_media(media))?;
        let body = body(request, payload, limits).await.map_err(|refusal| refusal.in_media(media))?;
        parameters::from_body(&body, limits.batch)
    }
    .map_err(|refusal| refusal.in_media(media))?;
    Ok(Incoming::Call(GraphqlCall { requests, batch, media, events, method: request.method().clone() }))
}

async fn body(request: &HttpRequest, payload: web::Payload, limits: &BodyLimits) -> Result<Vec<u8>, RequestRefusal> {
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: usize| length > limits.bytes) {
        return Err(too_long(limits));
    }
    tokio::time::timeout(limits.deadline, collect(payload, limits)).await.unwrap_or_else(|_| {
        let message = format!("the body did not arrive within {} s", limits.deadline.as_secs());
        Err(RequestRefusal::new(StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", message).closing())
    })
}

async fn collect(mut payload: web::Payload, limits: &BodyLimits) -> Result<Vec<u8>, RequestRefusal> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| RequestRefusal::bad_request("the body broke off").closing())?;
        if body.len().saturating_add(chunk.len()) > limits.bytes {
            return Err(too_long(limits));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The request in a message that is no body.
///
/// # Errors
/// 400 for what is malformed.
pub fn parameters_of(message: &serde_json::Value) -> Result<Parameters, RequestRefusal> {
    let (mut requests, _) = parameters::from_body(message.to_string().as_bytes(), 1)?;
    requests.pop().ok_or_else(|| RequestRefusal::bad_request("there is no request"))
}

/// The rest of the body is not worth reading, so the connection goes with it.
fn too_long(limits: &BodyLimits) -> RequestRefusal {
    let message = format!("the body is longer than {} bytes: send less at once", limits.bytes);
    RequestRefusal::new(StatusCode::PAYLOAD_TOO_LARGE, "QUERY_TOO_LARGE", message).closing()
}

/// Reads bytes as a body, as a query string and as each header: for the fuzz targets.
pub(crate) fn fuzz(bytes: &[u8]) {
    use header::{HeaderMap, HeaderName, HeaderValue};
    let _ = parameters::from_body(bytes, BodyLimits::default().batch);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = parameters::query_pairs(text).and_then(parameters::from_query);
    }
    if let Ok(value) = HeaderValue::from_bytes(bytes) {
        let mut head = HeaderMap::new();
        let own =
            ["idempotency-key", "access-reason", "x-request-id", "clinic-background"].map(HeaderName::from_static);
        for name in [header::ACCEPT, header::AUTHORIZATION, header::CONTENT_TYPE].into_iter().chain(own) {
            head.insert(name, value.clone());
        }
        let _ = (accept::negotiate(&head), accept::wants_page(&head), headers::hold_body_type(&head));
        let _ = (bearer_token(&head), idempotency_key(&head), access_reason(&head), request_id(&head));
        let _ = background(&head);
    }
}

#[cfg(test)]
mod tests;
