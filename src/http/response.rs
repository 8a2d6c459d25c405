//! GraphQL over HTTP, outwards: status, headers and body of what the executor answered.
//!
//! `data` is left out where nothing was executed: the engine writes `null` there, which by GraphQL's rules would mean
//! that execution began.

use std::collections::BTreeMap;

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use async_graphql::{ErrorExtensionValues, PathSegment, Response, ServerError, Value};
use serde::Serialize;

use super::request::{MediaType, REQUEST_ID};

/// A document with 2,000 unknown fields is told about the first 20.
const MOST_REQUEST_ERRORS: usize = 20;
/// The engine quotes the value it could not take, however long.
const LONGEST_ENGINE_MESSAGE: usize = 500;

/// Answers one request.
pub fn single(response: Response, media: MediaType, request_id: &str) -> HttpResponse {
    let cookies = cookies(&response);
    let mut http = send_shaped(&Shaped::of(response), media, request_id);
    set(&mut http, cookies);
    http
}

/// Answers with a response that has its shape already.
pub(super) fn send_shaped(answer: &Shaped, media: MediaType, request_id: &str) -> HttpResponse {
    let status = answer.status(media);
    let mut http = send(serde_json::to_vec(answer), status, media, request_id);
    if let Some(seconds) = answer.retry_after().filter(|_| status == StatusCode::TOO_MANY_REQUESTS) {
        http.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    http
}

/// The cookies that resolvers set: the one header of theirs that goes out.
fn cookies(response: &Response) -> Vec<header::HeaderValue> {
    let set = response.http_headers.get_all("set-cookie").iter();
    set.filter_map(|cookie| header::HeaderValue::from_bytes(cookie.as_bytes()).ok()).collect()
}

fn set(http: &mut HttpResponse, cookies: Vec<header::HeaderValue>) {
    for cookie in cookies {
        http.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// Answers a batch, in its order. The status is the one that all answers share, 200 where they differ.
pub fn batch(responses: Vec<Response>, media: MediaType, request_id: &str) -> HttpResponse {
    let cookies = responses.iter().flat_map(cookies).collect();
    let answers: Vec<_> = responses.into_iter().map(Shaped::of).collect();
    let mut statuses = answers.iter().map(|answer| answer.status(media));
    let first = statuses.next().unwrap_or(StatusCode::OK);
    let status = if statuses.all(|status| status == first) { first } else { StatusCode::OK };
    let mut http = send(serde_json::to_vec(&answers), status, media, request_id);
    set(&mut http, cookies);
    http
}

fn send(body: serde_json::Result<Vec<u8>>, status: StatusCode, media: MediaType, request_id: &str) -> HttpResponse {
    let (status, body) = match body {
        Ok(body) => (status, body),
        // A value with keys that are no strings: none of our types has them.
        Err(_) => {
            let body =
                br#"{"errors":[{"message":"something went wrong on our side","extensions":{"code":"INTERNAL"}}]}"#;
            (StatusCode::INTERNAL_SERVER_ERROR, body.to_vec())
        }
    };
    let mut response = HttpResponse::build(status);
    response
        .content_type(media.content_type())
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((REQUEST_ID, request_id));
    match status {
        StatusCode::UNAUTHORIZED => response.insert_header((header::WWW_AUTHENTICATE, "Bearer")),
        StatusCode::SERVICE_UNAVAILABLE => response.insert_header((header::RETRY_AFTER, "1")),
        _ => &mut response,
    };
    response.body(body)
}

/// A response in the shape that the GraphQL specification gives it.
#[derive(Serialize)]
pub(super) struct Shaped {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ServerError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extensions: BTreeMap<String, Value>,
}

impl Shaped {
    /// Gives a response its shape.
    pub(super) fn of(response: Response) -> Self {
        let mut errors = response.errors;
        // An error of a field has a path; one of the request has none.
        let executed = response.data != Value::Null || errors.iter().any(|error| !error.path.is_empty());
        if !executed {
            errors.truncate(MOST_REQUEST_ERRORS);
        }
        let errors = labelled(errors);
        let refused = refused_whole(&response.data, &errors);
        let data = (executed || errors.is_empty()).then_some(if refused { Value::Null } else { response.data });
        Self { errors, data, extensions: response.extensions }
    }

    /// What failed as a whole, though a field said so: a subscription that could not begin, or had to end.
    pub(super) fn failed(errors: Vec<ServerError>) -> Self {
        Self { errors: labelled(errors), data: None, extensions: BTreeMap::new() }
    }

    /// Whether it says that nobody is signed in.
    pub(super) fn is_signed_out(&self) -> bool {
        self.data.is_none() && self.common_code() == Some("UNAUTHENTICATED")
    }

    /// The errors, where nothing was executed.
    pub(super) fn refusal(&self) -> Option<&[ServerError]> {
        self.data.is_none().then_some(&*self.errors)
    }

    /// Whether it was refused for what its sender is or did before, and not for what it says.
    pub(super) fn is_of_sender(&self) -> bool {
        matches!(self.common_code(), Some("UNAUTHENTICATED" | "RATE_LIMITED" | "UNAVAILABLE"))
    }

    /// By the draft: `application/json` is 200 for whatever was well-formed; `application/graphql-response+json` tells
    /// failures apart. Numbers as in the draft's text of 2025: the one of 2026 has 422 for 400 after parsing.
    pub(super) fn status(&self, media: MediaType) -> StatusCode {
        if media == MediaType::Json || self.data.as_ref().is_some_and(|data| *data != Value::Null) {
            return StatusCode::OK;
        }
        match self.common_code() {
            Some("UNAUTHENTICATED") => StatusCode::UNAUTHORIZED,
            Some("RATE_LIMITED") => StatusCode::TOO_MANY_REQUESTS,
            Some("UNAVAILABLE") => StatusCode::SERVICE_UNAVAILABLE,
            _ if self.data.is_some() => StatusCode::OK,
            Some("INTERNAL") => StatusCode::INTERNAL_SERVER_ERROR,
            Some("FORBIDDEN") => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The longest wait, in seconds, that an error asks for.
    fn retry_after(&self) -> Option<u64> {
        let waits = self.errors.iter().filter_map(|error| match error.extensions.as_ref()?.get("retryAfter")? {
            Value::Number(seconds) => seconds.as_u64(),
            _ => None,
        });
        waits.max()
    }

    /// The code that all errors have.
    fn common_code(&self) -> Option<&str> {
        common_code(&self.errors)
    }
}

fn common_code(errors: &[ServerError]) -> Option<&str> {
    let first = code(errors.first()?)?;
    errors.iter().all(|error| code(error) == Some(first)).then_some(first)
}

/// Whether nothing was answered, for a reason that is of the whole operation and of no field: then there is no data, as if
/// it had not been begun, and the status says why.
fn refused_whole(data: &Value, errors: &[ServerError]) -> bool {
    let nothing = matches!(data, Value::Object(fields) if fields.values().all(|value| *value == Value::Null));
    nothing && matches!(common_code(errors), Some("UNAUTHENTICATED" | "RATE_LIMITED" | "UNAVAILABLE"))
}

/// These errors, each with a code.
pub(super) fn labelled(mut errors: Vec<ServerError>) -> Vec<ServerError> {
    errors.iter_mut().filter(|error| code(error).is_none()).for_each(label);
    errors
}

/// The code of an error.
pub(super) fn code(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        _ => None,
    }
}

/// Gives a code to an error that has none: the engine made it, or a resolver let a foreign error through, whose text
/// could hold anything and is not for clients.
fn label(error: &mut ServerError) {
    let input = ["Invalid value for argument", "Failed to parse ", "Expected input type "];
    let code = if input.iter().any(|start| error.message.starts_with(start)) {
        "BAD_USER_INPUT"
    } else if !error.path.is_empty() {
        let field = match error.path.first() {
            Some(PathSegment::Field(field)) => field.as_str(),
            Some(PathSegment::Index(_)) | None => "",
        };
        tracing::error!(field, "an error without a code came out of a resolver: its text was withheld");
        error.message = "something went wrong on our side. The request id finds it in the log".to_owned();
        "INTERNAL"
    } else if error.message.starts_with(" --> ") {
        "GRAPHQL_PARSE_FAILED"
    } else {
        "GRAPHQL_VALIDATION_FAILED"
    };
    if let Some((end, _)) = error.message.char_indices().nth(LONGEST_ENGINE_MESSAGE) {
        error.message.truncate(end);
        error.message.push('…');
    }
    error.extensions.get_or_insert_with(ErrorExtensionValues::default).set("code", code);
}

#[cfg(test)]
mod tests {
    use actix_web::{body::to_bytes, http::header::HeaderName};
    use async_graphql::{EmptyMutation, EmptySubscription, Object, Request, Schema, Variables, value};
    use serde_json::json;

    use super::*;

    const NEW: MediaType = MediaType::GraphqlResponse;

    struct Query;

    #[Object]
    impl Query {
        async fn add(&self, a: i32, b: Option<Vec<i32>>) -> i32 {
            b.unwrap_or_default().iter().fold(a, |sum, b| sum.saturating_add(*b))
        }

        async fn leak(&self) -> async_graphql::Result<Option<i32>> {
            Err("/etc/passwd: permission denied".into())
        }

        async fn coded(&self, code: String) -> async_graphql::Result<i32> {
            let mut error = async_graphql::Error::new("said so");
            error.extensions.get_or_insert_default().set("code", code);
            Err(error)
        }
    }

    async fn run(query: &str, variables: &str) -> Response {
        let variables: Variables = serde_json::from_str(variables).expect("variables");
        let schema = Schema::new(Query, EmptyMutation, EmptySubscription);
        schema.execute(Request::new(query).variables(variables)).await
    }

    async fn parts(response: HttpResponse) -> (u16, serde_json::Value) {
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body()).await.expect("a body");
        (status, serde_json::from_slice(&body).expect("json"))
    }

    #[actix_web::test]
    async fn what_the_engine_refuses_gets_a_code_and_no_data() {
        let cases = [
            ("{", "{}", "GRAPHQL_PARSE_FAILED"),
            ("{ nothing }", "{}", "GRAPHQL_VALIDATION_FAILED"),
            ("{ add }", "{}", "GRAPHQL_VALIDATION_FAILED"),
            ("query A { add(a: 1) } query B { add(a: 1) }", "{}", "GRAPHQL_VALIDATION_FAILED"),
            ("subscription { a }", "{}", "GRAPHQL_VALIDATION_FAILED"),
            ("{ add(a: \"x\") }", "{}", "BAD_USER_INPUT"),
            ("query ($a: Int!) { add(a: $a) }", r#"{"a": "x"}"#, "BAD_USER_INPUT"),
            ("query ($b: [Int!]) { add(a: 1, b: $b) }", r#"{"b": [1, {}]}"#, "BAD_USER_INPUT"),
        ];
        for (query, variables, code) in cases {
            for (media, status) in [(NEW, 400), (MediaType::Json, 200)] {
                let (found, body) = parts(single(run(query, variables).await, media, "the-id")).await;
                assert_eq!(found, status, "{query}");
                assert_eq!(body.pointer("/errors/0/extensions/code"), Some(&json!(code)), "{query}: {body}");
                assert_eq!(body.get("data"), None, "{query}");
            }
        }
    }

    #[actix_web::test]
    async fn a_value_that_its_type_cannot_hold_is_the_clients_fault() {
        let response = run("{ add(a: 9999999999) }", "{}").await;
        let (status, body) = parts(single(response, NEW, "the-id")).await;
        assert_eq!((status, body.pointer("/errors/0/extensions/code")), (200, Some(&json!("BAD_USER_INPUT"))));
        assert_eq!(body.get("data"), Some(&json!(null)));
    }

    #[actix_web::test]
    async fn a_foreign_error_never_gets_out() {
        let (status, body) = parts(single(run("{ add(a: 1) leak }", "{}").await, NEW, "the-id")).await;
        assert_eq!((status, body.pointer("/errors/0/extensions/code")), (200, Some(&json!("INTERNAL"))));
        assert!(!body.to_string().contains("passwd"), "{body}");
    }

    #[actix_web::test]
    async fn statuses_follow_the_codes_where_there_is_no_data() {
        let cases: &[(&[&str], u16)] = &[
            (&["UNAUTHENTICATED"], 401),
            (&["UNAUTHENTICATED", "UNAUTHENTICATED"], 401),
            (&["UNAUTHENTICATED", "NOT_FOUND"], 200),
            (&["RATE_LIMITED"], 429),
            (&["UNAVAILABLE"], 503),
            (&["FORBIDDEN"], 200),
        ];
        for (codes, status) in cases {
            let error = |code: &&str| {
                let mut error = ServerError::new("said so", None).with_path(vec![PathSegment::Field("a".to_owned())]);
                error.extensions.get_or_insert_default().set("code", *code);
                error
            };
            let response = || Response::from_errors(codes.iter().map(error).collect());
            assert_eq!(single(response(), NEW, "the-id").status().as_u16(), *status, "{codes:?}");
            assert_eq!(single(response(), MediaType::Json, "the-id").status().as_u16(), 200, "{codes:?}");
            let mut partial = response();
            partial.data = value!({"a": null, "b": 1});
            assert_eq!(single(partial, NEW, "the-id").status().as_u16(), 200, "{codes:?}");
            // Each mutation is null by itself: if there is nothing else, the whole was refused.
            let mut nothing = response();
            nothing.data = value!({"a": null});
            let (found, body) = parts(single(nothing, NEW, "the-id")).await;
            let data = if *status == 200 { json!({"a": null}) } else { json!(null) };
            assert_eq!((found, body.get("data")), (*status, Some(&data)), "{codes:?}");
        }
        let response = run("{ coded(code: \"UNAUTHENTICATED\") }", "{}").await;
        let response = single(response, NEW, "the-id");
        let header = |name: HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
        assert_eq!((response.status().as_u16(), header(header::WWW_AUTHENTICATE)), (401, Some("Bearer")));
        assert_eq!(header(header::CONTENT_TYPE), Some("application/graphql-response+json; charset=utf-8"));
        assert_eq!((header(header::CACHE_CONTROL), header(REQUEST_ID)), (Some("no-store"), Some("the-id")));
        let response = single(run("{ coded(code: \"UNAVAILABLE\") }", "{}").await, NEW, "the-id");
        assert_eq!(response.headers().get(header::RETRY_AFTER).map(|value| value.as_bytes()), Some(&b"1"[..]));
        let mut limited = run("{ coded(code: \"RATE_LIMITED\") }", "{}").await;
        for error in &mut limited.errors {
            error.extensions.get_or_insert_default().set("retryAfter", 40);
        }
        let response = single(limited, NEW, "the-id");
        assert_eq!(response.headers().get(header::RETRY_AFTER).map(|value| value.as_bytes()), Some(&b"40"[..]));
    }

    #[actix_web::test]
    async fn batches_are_arrays_in_order() {
        let good = || Response::new(value!({"a": 1}));
        let bad = || Response::from_errors(vec![ServerError::new("no", None)]);
        let (status, body) = parts(batch(vec![good(), bad()], NEW, "the-id")).await;
        assert_eq!(status, 200);
        assert_eq!(body.pointer("/0"), Some(&json!({"data": {"a": 1}})));
        assert_eq!(body.pointer("/1/errors/0/message"), Some(&json!("no")));
        assert_eq!(parts(batch(vec![bad(), bad()], NEW, "the-id")).await.0, 400);
        assert_eq!(parts(batch(vec![bad(), bad()], MediaType::Json, "the-id")).await.0, 200);
    }

    #[actix_web::test]
    async fn errors_do_not_grow_with_the_request() {
        let fields = (0..300).map(|i| format!("unknown{i} ")).collect::<String>();
        let (_, body) = parts(single(run(&format!("{{ {fields} }}"), "{}").await, NEW, "the-id")).await;
        assert_eq!(body.get("errors").and_then(|errors| errors.as_array()).map(Vec::len), Some(MOST_REQUEST_ERRORS));
        let mut error = ServerError::new(format!("Failed to parse \"Int\": {}", "é".repeat(10_000)), None);
        label(&mut error);
        assert_eq!(error.message.chars().count(), LONGEST_ENGINE_MESSAGE + 1);
    }

    #[actix_web::test]
    async fn extensions_are_kept_and_null_data_without_errors_stays() {
        let response = Response::new(Value::Null).extension("cost", value!(3));
        assert_eq!(parts(single(response, NEW, "x")).await, (200, json!({"data": null, "extensions": {"cost": 3}})));
    }
}
