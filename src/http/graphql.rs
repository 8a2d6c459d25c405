//! `/graphql`: a request comes in, passes the gate, runs, and is answered.

use super::address::client_address;
use super::request::{self, Events, GraphqlCall, Incoming, RequestRefusal};
use super::run::{Turn, at_the_gate, facts_of, payer, told};
use super::{App, live, response};
use crate::access::rate::{Charge, Payer, Standing};
use crate::error::NotSignedIn;
use crate::gate::{Admitted, Refusal};
use crate::operation::RequestFacts;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};
use async_graphql::parser::types::OperationType;
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
    let address = client_address(&http, app.trust_proxy);
    let charge = app.rates.charge(Payer::Address(&address), 1).await;
    let mut standing = charge.map(|charge| charge.standing);
    let answer = match charge.filter(|charge| !charge.passed) {
        // Before the body is read.
        Some(Charge { standing, .. }) => {
            RequestRefusal::too_many(standing.resets_in).in_media(request::answered_in(&http)).into_response(&id)
        }
        None => answer(&http, payload, &app, (&id, address), &mut standing).await,
    };
    let mut answer = answer;
    told(&mut answer, standing.as_ref(), (&id, &http, begun), "graphql");
    answer
}

async fn answer(
    http: &HttpRequest,
    payload: web::Payload,
    app: &web::Data<App>,
    (id, address): (&str, String),
    standing: &mut Option<Standing>,
) -> HttpResponse {
    match request::read(http, payload, &app.body).await {
        Ok(Incoming::Page) if app.explorer => explorer(),
        Ok(Incoming::Page) => HttpResponse::NotFound().finish(),
        Ok(Incoming::Call(call)) => {
            let media = call.media;
            let answer = run(http, call, app, (id, address), standing).await;
            answer.unwrap_or_else(|refusal| refusal.in_media(media).into_response(id))
        }
        Err(refusal) => refusal.into_response(id),
    }
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
    (id, address): (&str, String),
    standing: &mut Option<Standing>,
) -> Result<HttpResponse, RequestRefusal> {
    let (facts, why_none) = facts_of(http, app, id, address)?;
    let admitted = judge(app, &call)?;
    let goes_on = |outcome: &Result<Admitted, Refusal>| {
        outcome.as_ref().is_ok_and(|admitted| admitted.kind() == OperationType::Subscription)
    };
    if call.events == Events::Rather || admitted.iter().any(goes_on) {
        return as_events(app, (facts, why_none), call, admitted).await;
    }
    let more = u64::try_from(admitted.len()).unwrap_or(u64::MAX).saturating_sub(1);
    if more > 0
        && let Some(charge) = app.rates.charge(Payer::Address(&facts.address), more).await
    {
        *standing = Some(charge.standing);
        if !charge.passed {
            return Err(RequestRefusal::too_many(charge.standing.resets_in));
        }
    }
    let payer = if admitted.iter().any(Result::is_ok) { payer(app, &facts).await } else { None };
    let mut turn = Turn { app, facts: &facts, why_none, payer, by_address: *standing, standing: *standing };
    let mut answers = Vec::with_capacity(admitted.len());
    for (place, (one, outcome)) in call.requests.into_iter().zip(admitted).enumerate() {
        answers.push(turn.take(one, outcome, call.batch.then_some(place)).await);
    }
    *standing = turn.standing;
    Ok(match (call.batch, answers.pop()) {
        (false, Some(only)) => response::single(only, call.media, id),
        (_, last) => {
            answers.extend(last);
            response::batch(answers, call.media, id)
        }
    })
}

/// What the gate says of each request. All of a batch is judged before any of it runs.
fn judge(app: &App, call: &GraphqlCall) -> Result<Vec<Result<Admitted, Refusal>>, RequestRefusal> {
    let mut admitted = Vec::with_capacity(call.requests.len());
    for one in &call.requests {
        let outcome = at_the_gate(app, one);
        if let Ok(admitted) = &outcome {
            call.permits(admitted.kind())?;
        }
        admitted.push(outcome);
    }
    Ok(admitted)
}

/// Answers the one request of a call with events.
async fn as_events(
    app: &web::Data<App>,
    who: (RequestFacts, (NotSignedIn, &'static str)),
    mut call: GraphqlCall,
    mut admitted: Vec<Result<Admitted, Refusal>>,
) -> Result<HttpResponse, RequestRefusal> {
    match (call.requests.pop(), admitted.pop()) {
        (Some(one), Some(outcome)) if !call.batch => live::events::answer(app, who, (one, outcome)).await,
        _ => Err(RequestRefusal::bad_request(
            "a batch can't be answered as text/event-stream: send one request at a time",
        )),
    }
}
