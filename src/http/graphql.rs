//! `/graphql`: a request comes in, passes the gate, runs, and is answered.

use super::App;
use super::request::{self, GraphqlCall, Incoming, Parameters, RequestRefusal};
use super::response;
use crate::error::Error;
use crate::graphql::gate::{Admitted, Refusal};
use crate::operation::{Operation, RequestFacts, batches};
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};
use async_graphql::parser::types::OperationType;
use async_graphql::{Response, ServerError};
use std::sync::Arc;
use std::time::Instant;

/// The explorer: one page of our own, no script from elsewhere.
const EXPLORER: &str = include_str!("explorer.html");

/// `/` leads to the explorer.
pub async fn root() -> HttpResponse {
    HttpResponse::Found().insert_header((LOCATION, "/graphql")).finish()
}

/// Takes every method of `/graphql`.
pub async fn graphql(http: HttpRequest, payload: web::Payload, app: web::Data<App>) -> HttpResponse {
    let begun = Instant::now();
    let id = request::request_id(http.headers());
    let answer = match request::read(&http, payload, &app.body).await {
        Ok(Incoming::Page) if app.explorer => explorer(),
        Ok(Incoming::Page) => HttpResponse::NotFound().finish(),
        Ok(Incoming::Call(call)) => {
            let media = call.media;
            run(&http, call, &app, &id).await.unwrap_or_else(|refusal| refusal.in_media(media).into_response(&id))
        }
        Err(refusal) => refusal.into_response(&id),
    };
    let millis = begun.elapsed().as_secs_f64() * 1000.0;
    tracing::info!(request = id, method = %http.method(), status = answer.status().as_u16(), millis, "graphql");
    answer
}

fn explorer() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; \
             frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ))
        .insert_header(("Referrer-Policy", "no-referrer"))
        .body(EXPLORER)
}

async fn run(
    http: &HttpRequest,
    call: GraphqlCall,
    app: &web::Data<App>,
    id: &str,
) -> Result<HttpResponse, RequestRefusal> {
    let facts = RequestFacts {
        id: id.to_owned(),
        address: client_address(http, app.trust_proxy),
        token: request::bearer_token(http.headers())?.map(str::to_owned),
        idempotency_key: request::idempotency_key(http.headers())?.map(str::to_owned),
        reason: request::access_reason(http.headers())?,
        name: String::new(),
    };
    // All of a batch is judged before any of it runs.
    let mut admitted = Vec::with_capacity(call.requests.len());
    for one in &call.requests {
        let outcome = app.gate.admit(&one.query, one.operation_name.as_deref(), &one.variables);
        if let Ok(admitted) = &outcome {
            call.permits(admitted.kind())?;
        }
        admitted.push(outcome);
    }
    let mut answers = Vec::with_capacity(admitted.len());
    for (place, (one, outcome)) in call.requests.into_iter().zip(admitted).enumerate() {
        answers.push(execute(app, one, outcome, &facts, call.batch.then_some(place)).await);
    }
    Ok(match (call.batch, answers.pop()) {
        (false, Some(only)) => response::single(only, call.media, id),
        (_, last) => {
            answers.extend(last);
            response::batch(answers, call.media, id)
        }
    })
}

async fn execute(
    app: &web::Data<App>,
    one: Parameters,
    outcome: Result<Admitted, Refusal>,
    facts: &RequestFacts,
    place: Option<usize>,
) -> Response {
    let admitted = match outcome {
        Ok(admitted) => admitted,
        Err(refusal) => return refusal.into_response(),
    };
    if facts.token.is_none() && !admitted.is_public() {
        return failed(Error::Unauthenticated(
            "sign in first: send Authorization: Bearer <token> (mutation signIn gives one)",
        ));
    }
    let mut facts = facts.clone();
    facts.name = admitted.root_field().to_owned();
    if let (Some(key), Some(place)) = (&facts.idempotency_key, place) {
        facts.idempotency_key = Some(format!("{key}#{place}"));
    }
    let work = carry_out(app.clone(), one, admitted.clone(), facts);
    if admitted.kind() == OperationType::Mutation {
        // In a task of its own: a client that hangs up can't cut it half-way.
        let task = actix_web::rt::spawn(work);
        match tokio::time::timeout(app.deadline, task).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => failed(Error::Internal("a mutation's task ended early".to_owned())),
            Err(_) => failed(Error::Unavailable),
        }
    } else {
        tokio::time::timeout(app.deadline, work).await.unwrap_or_else(|_| failed(Error::Unavailable))
    }
}

/// Runs an operation and closes it: what it showed is in the access log before it is answered.
async fn carry_out(app: web::Data<App>, one: Parameters, admitted: Admitted, facts: RequestFacts) -> Response {
    let operation = Arc::new(Operation::new(Arc::clone(&app.service), facts));
    let request = admitted.request(one.variables).data(Arc::clone(&operation)).data(batches(Arc::clone(&operation)));
    let response = app.schema.execute(request).await;
    let refused = response.errors.iter().any(|error| matches!(code_of(error), Some("FORBIDDEN" | "REASON_REQUIRED")));
    match operation.finish(refused).await {
        Ok(()) => response.extension("cost", async_graphql::Value::from(admitted.cost())),
        Err(error) => failed(error),
    }
}

fn code_of(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        async_graphql::Value::String(code) => Some(code),
        _ => None,
    }
}

/// An answer without data, about the request as a whole.
fn failed(error: Error) -> Response {
    let mut error = async_graphql::Error::from(error).into_server_error(async_graphql::Pos::default());
    error.locations.clear();
    Response::from_errors(vec![error])
}

/// The address a request came from.
pub(super) fn client_address(http: &HttpRequest, trust_proxy: bool) -> String {
    let forwarded = || {
        let header = http.headers().get("x-forwarded-for")?.to_str().ok()?;
        header.rsplit(',').next().and_then(|last| last.trim().parse::<std::net::IpAddr>().ok())
    };
    let proxy = if trust_proxy { forwarded() } else { None };
    proxy.or_else(|| http.peer_addr().map(|peer| peer.ip())).map_or_else(|| "unknown".to_owned(), |ip| ip.to_string())
}
