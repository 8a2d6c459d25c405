//! What is counted and traced of requests and of the operations in them.

use super::App;
use super::request::Parameters;
use super::response::code;
use crate::gate::{Admitted, Refusal, codes};
use crate::watch::trace::{OperationSpan, TRACEPARENT, TRACERESPONSE};
use crate::watch::{Asked, UNKNOWN, Watch};
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web;
use async_graphql::Response;
use async_graphql::parser::types::OperationType;
use std::time::Instant;

/// The routes that there are: others are counted together.
const ROUTES: [&str; 7] =
    ["/", "/graphql", "/changes", "/photos/upload/{token}", "/photos/{token}", "/health/live", "/health/ready"];

/// The codes that an operation may be answered with: others are counted together.
const CODES: [&str; 20] = [
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "REAUTHENTICATION_REQUIRED",
    "NOT_FOUND",
    "REASON_REQUIRED",
    "CONFLICT",
    "RECORD_SIGNED",
    "PROTOCOL_BLOCKED",
    "IDEMPOTENCY_MISMATCH",
    "RATE_LIMITED",
    "UNAVAILABLE",
    "INTERNAL",
    codes::BAD_USER_INPUT,
    codes::QUERY_TOO_LARGE,
    codes::PARSE_FAILED,
    codes::VALIDATION_FAILED,
    codes::INTROSPECTION_DISABLED,
    codes::PERSISTED_QUERY_NOT_FOUND,
    codes::PERSISTED_DOCUMENT_REQUIRED,
    "BAD_REQUEST",
];

/// Counts and times every request, and begins its trace.
pub async fn count(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let Some(app) = request.app_data::<web::Data<App>>().cloned() else { return next.call(request).await };
    let watch = &app.service.watch;
    let counted = watch.requests.begin(request.match_pattern().as_deref(), request.method().as_str(), &ROUTES);
    let Some(traces) = &watch.traces else {
        let answer = next.call(request).await;
        counted.answered(status_of(&answer));
        return answer;
    };
    let span = traces.request(traceparent(&request), counted.method(), counted.route());
    let mut answer = span.around(next.call(request)).await;
    if let Ok(answer) = &mut answer
        && let Ok(value) = HeaderValue::from_str(&span.response())
    {
        answer.headers_mut().insert(HeaderName::from_static(TRACERESPONSE), value);
    }
    let status = status_of(&answer);
    span.answered(status);
    counted.answered(status);
    answer
}

fn status_of<B>(answer: &Result<ServiceResponse<B>, Error>) -> u16 {
    match answer {
        Ok(answer) => answer.status().as_u16(),
        Err(error) => error.as_response_error().status_code().as_u16(),
    }
}

/// The one `traceparent` of a request: with two, nobody knows which is meant.
fn traceparent(request: &ServiceRequest) -> Option<&str> {
    let mut given = request.headers().get_all(TRACEPARENT);
    let first = given.next()?.to_str().ok()?;
    given.next().is_none().then_some(first)
}

/// Asks the gate, and notes what it said.
pub(super) fn at_gate(app: &App, ask: impl FnOnce() -> Result<Admitted, Refusal>) -> Result<Admitted, Refusal> {
    let begun = Instant::now();
    let said = ask();
    let noted = said.as_ref().map(Admitted::cost).map_err(|refusal| refusal.code);
    app.service.watch.operations.gate(noted, begun.elapsed());
    said
}

/// An operation under way.
pub(super) struct Watched<'a> {
    watch: &'a Watch,
    asked: Asked,
    cost: u64,
    span: OperationSpan,
}

impl<'a> Watched<'a> {
    /// Starts its clock. A persisted document's operation has the name that it has in the operator's file; any other that
    /// of its root field: a name that comes with a request could be a patient's.
    pub(super) fn begin(app: &'a App, one: &Parameters, outcome: &Result<Admitted, Refusal>) -> Self {
        let watch = &*app.service.watch;
        let admitted = outcome.as_ref().ok();
        let name = admitted.map_or(UNKNOWN, |admitted| {
            let filed = one.document_id.as_ref().and_then(|_| admitted.name());
            filed.unwrap_or_else(|| admitted.root_field())
        });
        let kind = match admitted.map(Admitted::kind) {
            Some(OperationType::Query) => "query",
            Some(OperationType::Mutation) => "mutation",
            Some(OperationType::Subscription) => "subscription",
            None => UNKNOWN,
        };
        let asked = watch.operations.ask(watch.operations.name(name), kind);
        let span = watch.traces.as_ref().map_or_else(OperationSpan::none, |traces| traces.operation(&asked));
        Self { watch, asked, cost: admitted.map_or(0, Admitted::cost), span }
    }

    /// Runs it within its span.
    pub(super) fn around<F: Future>(&self, running: F) -> impl Future<Output = F::Output> {
        self.span.around(running)
    }

    /// Ends it with its answer.
    pub(super) fn answered(self, answer: &Response) {
        let first = answer.errors.first().map(|error| code(error).unwrap_or_default());
        let code = self.watch.operations.answered(&self.asked, first, &CODES);
        self.span.answered(code, self.cost);
    }
}

#[cfg(test)]
mod tests {
    use super::{CODES, ROUTES};

    #[test]
    fn every_route_is_counted_by_itself() {
        let source = include_str!("mod.rs");
        let routes: Vec<&str> =
            source.split("web::resource(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(routes.len() > 5 && routes.iter().all(|route| ROUTES.contains(route)), "{routes:?}");
    }

    #[test]
    fn every_code_is_counted_by_itself() {
        let words = |source: &'static str, after: &'static str| {
            source.split(after).skip(1).filter_map(|rest| rest.split('"').next()).collect::<Vec<_>>()
        };
        let (of_errors, _) = include_str!("../error.rs")
            .split_once("pub fn code(")
            .expect("codes")
            .1
            .split_once("\n    }")
            .expect("an end");
        let codes = [words(of_errors, "=> \""), words(include_str!("../gate/mod.rs"), ": &str = \"")].concat();
        let lost: Vec<_> = codes.iter().filter(|code| !CODES.contains(code)).collect();
        assert!(codes.len() > 20 && lost.is_empty(), "{lost:?} of {codes:?}");
    }
}
