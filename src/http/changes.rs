//! `GET /changes`: the change feed as lines of JSON, for programs without a GraphQL client. It waits, if it is told to, until
//! there is something to tell. It asks what the query `changes` asks, so rights, limits and the access log are the same.

use super::App;
use super::address::client_address;
use super::live::place;
use super::request::{self, Parameters, REQUEST_ID, RequestRefusal};
use super::run::{carry_through, charge_address, facts_of, failed, payer, told};
use crate::access::rate::{Payer, Standing};
use crate::error::Error;
use crate::feed::{Place, Position};
use crate::gate::Admitted;
use crate::operation::{Operation, RequestFacts};
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse, web};
use async_graphql::{Response, ServerError, Value, Variables};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout_at;
use url::form_urlencoded;

/// What is asked for each page.
const DOCUMENT: &str = "query ($after: String, $first: Int, $kinds: [RecordKind!]) { changes(after: $after, first: $first, \
    kinds: $kinds) { edges { cursor node { sequence at action kind recordId version patientId movedFromPatientId mark \
    actorId requestId } } pageInfo { hasNextPage endCursor } } }";
/// Lines of an answer, at most.
const LINES: i64 = 100;
/// The longest wait, in seconds. Proxies give up an answer that does not begin within 60 s.
const LONGEST_WAIT: u64 = 30;
/// How long somebody who was woken waits before they look again, so that a busy ledger that tells them nothing is not read
/// without a pause.
const PAUSE: Duration = Duration::from_millis(200);

/// What a request asks for.
#[derive(Debug, PartialEq)]
struct Asked {
    after: Option<String>,
    first: i64,
    kinds: Option<Vec<String>>,
    wait: Duration,
}

impl Asked {
    fn read(query: &str) -> Result<Self, RequestRefusal> {
        let mut asked = Self { after: None, first: LINES, kinds: None, wait: Duration::ZERO };
        let mut given = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if given.contains(&name) {
                return Err(RequestRefusal::bad_request("a parameter is given twice"));
            }
            match &*name {
                "after" => asked.after = Some(value.into_owned()).filter(|after| !after.is_empty()),
                "first" => asked.first = number("first", &value, 1..=LINES.unsigned_abs())?.cast_signed(),
                "wait" => asked.wait = Duration::from_secs(number("wait", &value, 0..=LONGEST_WAIT)?),
                "kinds" => asked.kinds = Some(value.split(',').map(|kind| kind.trim().to_owned()).collect()),
                _ => return Err(RequestRefusal::bad_request("/changes takes after, first, kinds and wait")),
            }
            given.push(name);
        }
        Ok(asked)
    }

    fn parameters(&self) -> Parameters {
        let variables = json!({"after": self.after, "first": self.first, "kinds": self.kinds});
        Parameters {
            query: DOCUMENT.to_owned(),
            document_id: None,
            operation_name: None,
            variables: Variables::from_json(variables),
        }
    }
}

fn number(name: &str, text: &str, range: std::ops::RangeInclusive<u64>) -> Result<u64, RequestRefusal> {
    let wrong = || {
        RequestRefusal::bad_request(format!("{name} takes a whole number from {} to {}", range.start(), range.end()))
    };
    text.parse().ok().filter(|number| range.contains(number)).ok_or_else(wrong)
}

/// `GET /changes?after=…&kinds=…&first=…&wait=…`
pub async fn changes(http: HttpRequest, app: web::Data<App>) -> HttpResponse {
    let begun = Instant::now();
    let id = request::request_id(http.headers());
    let address = client_address(&http, app.trust_proxy);
    let charge = app.rates.charge(Payer::Address(&address), 1).await;
    let mut standing = charge.map(|charge| charge.standing);
    let answer = match charge.filter(|charge| !charge.passed) {
        Some(charge) => Err(RequestRefusal::too_many(charge.standing.resets_in)),
        None => answer(&http, &app, (&id, address), &mut standing).await,
    };
    let mut answer = answer.unwrap_or_else(|refusal| refusal.into_response(&id));
    told(&mut answer, standing.as_ref(), (&id, &http, begun), "changes");
    answer
}

async fn answer(
    http: &HttpRequest,
    app: &web::Data<App>,
    (id, address): (&str, String),
    standing: &mut Option<Standing>,
) -> Result<HttpResponse, RequestRefusal> {
    let asked = Asked::read(http.query_string())?;
    let (mut facts, (reason, why_none)) = facts_of(http, app, id, address)?;
    if facts.token.is_none() {
        return Ok(refused(failed(Error::Unauthenticated(reason, why_none)).errors, id));
    }
    let parameters = asked.parameters();
    let admitted = match app.gate.admit(DOCUMENT, None, &parameters.variables) {
        Ok(admitted) => admitted,
        Err(refusal) => return Ok(refused(refusal.into_response().errors, id)),
    };
    // Nobody sits before it.
    facts.background = true;
    facts.name = admitted.root_field().to_owned();
    facts.cost = admitted.cost();
    let charge = match payer(app, &facts).await {
        Some(payer) => app.rates.charge(Payer::Account(payer), facts.cost).await,
        None => charge_address(app, &facts, facts.cost).await,
    };
    *standing = charge.map_or(*standing, |charge| Some(charge.standing));
    if let Some(charge) = charge.filter(|charge| !charge.passed) {
        return Ok(refused(failed(Error::RateLimited { retry_after: charge.standing.resets_in }).errors, id));
    }
    let place = if asked.wait.is_zero() { None } else { Some(place(app, &facts)?) };
    Ok(match follow(app, &admitted, &facts, asked, place).await {
        Ok(lines) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "application/x-ndjson"))
            .insert_header((CACHE_CONTROL, "no-store"))
            .insert_header((REQUEST_ID, id))
            .body(lines),
        Err(errors) => refused(errors, id),
    })
}

/// Reads, and where there is nothing yet waits and reads again. No connection of the database is held meanwhile. Whose token
/// it is, and what they may, is asked each time.
async fn follow(
    app: &web::Data<App>,
    admitted: &Admitted,
    facts: &RequestFacts,
    mut asked: Asked,
    _place: Option<Place>,
) -> Result<String, Vec<ServerError>> {
    let until = tokio::time::Instant::now() + asked.wait;
    loop {
        let operation = Arc::new(Operation::new(Arc::clone(&app.service), facts.clone()));
        let reading = carry_through(app, &operation, asked.parameters(), admitted.clone());
        let response = tokio::time::timeout(app.deadline, reading).await.unwrap_or_else(|_| failed(Error::Unavailable));
        let page = Page::of(response)?;
        let end = Position::read(&page.end).map_or(0, |end| end.seq);
        if !page.lines.is_empty() || page.more || tokio::time::Instant::now() >= until {
            return Ok(page.text());
        }
        let org = operation.org().await.map_err(|error| failed(error).errors)?;
        drop(operation);
        let mut waiter = app.service.tail.watch(org);
        if timeout_at(until, waiter.beyond(end)).await != Ok(true) {
            return Ok(page.text());
        }
        asked.after = Some(page.end);
        tokio::time::sleep_until(until.min(tokio::time::Instant::now() + PAUSE)).await;
    }
}

/// An answer's changes, as lines.
struct Page {
    lines: Vec<String>,
    end: String,
    more: bool,
}

impl Page {
    fn of(response: Response) -> Result<Self, Vec<ServerError>> {
        if !response.errors.is_empty() {
            return Err(response.errors);
        }
        let broken = || failed(Error::Internal("the feed's answer is not as it was asked for".to_owned())).errors;
        let data = response.data.into_json().map_err(|_| broken())?;
        let page = data.get("changes").ok_or_else(broken)?;
        let info = page.get("pageInfo").ok_or_else(broken)?;
        let end = info.get("endCursor").and_then(serde_json::Value::as_str).ok_or_else(broken)?.to_owned();
        let more = info.get("hasNextPage").and_then(serde_json::Value::as_bool).ok_or_else(broken)?;
        let edges = page.get("edges").and_then(serde_json::Value::as_array).ok_or_else(broken)?;
        let lines = edges.iter().map(|edge| {
            let mut line = edge.get("node")?.as_object()?.clone();
            line.insert("cursor".to_owned(), edge.get("cursor")?.clone());
            Some(serde_json::Value::Object(line).to_string())
        });
        Ok(Self { lines: lines.collect::<Option<_>>().ok_or_else(broken)?, end, more })
    }

    /// A line for each change, and one that says where to go on.
    fn text(&self) -> String {
        let last = json!({"endCursor": self.end, "hasNextPage": self.more}).to_string();
        self.lines.iter().chain([&last]).map(|line| format!("{line}\n")).collect()
    }
}

/// A refusal, with the status that its code stands for.
fn refused(mut errors: Vec<ServerError>, id: &str) -> HttpResponse {
    let extension = |name: &str| errors.first()?.extensions.as_ref()?.get(name).cloned();
    let code = extension("code").and_then(|code| code.into_json().ok()?.as_str().map(str::to_owned));
    let retry_after = if let Some(Value::Number(seconds)) = extension("retryAfter") { seconds.as_u64() } else { None };
    let status = match code.as_deref() {
        Some("UNAUTHENTICATED") => StatusCode::UNAUTHORIZED,
        Some("FORBIDDEN" | "REASON_REQUIRED" | "SECOND_FACTOR_REQUIRED") => StatusCode::FORBIDDEN,
        Some("RATE_LIMITED") => StatusCode::TOO_MANY_REQUESTS,
        Some("UNAVAILABLE") => StatusCode::SERVICE_UNAVAILABLE,
        Some("BAD_USER_INPUT") => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    for error in &mut errors {
        error.locations.clear();
        error.path.clear();
    }
    let mut answer = HttpResponse::build(status);
    answer.insert_header((CACHE_CONTROL, "no-store")).insert_header((REQUEST_ID, id));
    match (status, retry_after) {
        (StatusCode::UNAUTHORIZED, _) => answer.insert_header((WWW_AUTHENTICATE, "Bearer")),
        (StatusCode::SERVICE_UNAVAILABLE, None) => answer.insert_header((RETRY_AFTER, "1")),
        (_, Some(seconds)) => answer.insert_header((RETRY_AFTER, seconds)),
        _ => &mut answer,
    };
    answer.json(json!({"errors": errors}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_and_what_is_wrong_is_told() {
        let asked = Asked::read("after=AQ&kinds=PATIENT,%20PHOTO&wait=30&first=7").expect("parameters");
        let kinds = Some(vec!["PATIENT".to_owned(), "PHOTO".to_owned()]);
        assert_eq!(asked, Asked { after: Some("AQ".to_owned()), first: 7, kinds, wait: Duration::from_secs(30) });
        let asked = Asked::read("after=").expect("parameters");
        assert_eq!(asked, Asked { after: None, first: LINES, kinds: None, wait: Duration::ZERO });
        for (query, told) in [
            ("wait=31", "wait takes a whole number from 0 to 30"),
            ("wait=soon", "wait takes a whole number"),
            ("first=0", "first takes a whole number from 1 to 100"),
            ("first=101", "first takes"),
            ("since=1", "/changes takes after, first, kinds and wait"),
            ("wait=1&wait=2", "given twice"),
        ] {
            let refusal = Asked::read(query).expect_err(query);
            assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
            assert!(refusal.message.contains(told), "{query}: {}", refusal.message);
        }
    }
}
