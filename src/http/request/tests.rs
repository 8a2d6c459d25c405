//! Requests as clients send them, and as nobody should.

use actix_web::{App, FromRequest, HttpResponse, http::header::ContentType, test, test::TestRequest};
use serde_json::{Value, json};

use super::*;

/// Reads one request and says what came out: the parameters, `"page"`, or status, code and message of the refusal.
async fn outcome(request: TestRequest, limits: BodyLimits) -> (u16, Value) {
    let app =
        test::init_service(App::new().default_service(web::to(move |request: HttpRequest, payload: web::Payload| {
            let limits = limits.clone();
            async move {
                match read(&request, payload, &limits).await {
                    Ok(Incoming::Page) => HttpResponse::Ok().json("page"),
                    Ok(Incoming::Call(call)) => {
                        let requests = call.requests.iter().map(|one| {
                            json!([one.query, one.operation_name, serde_json::to_value(&one.variables).expect("json")])
                        });
                        HttpResponse::Ok().json(json!({"batch": call.batch, "requests": requests.collect::<Vec<_>>()}))
                    }
                    Err(refusal) => refusal.into_response("the-id"),
                }
            }
        })))
        .await;
    let response = test::call_service(&app, request.to_request()).await;
    (response.status().as_u16(), test::read_body_json(response).await)
}

fn post(body: impl Into<web::Bytes>) -> TestRequest {
    TestRequest::post().uri("/graphql").insert_header(ContentType::json()).set_payload(body)
}

fn get(query: &str) -> TestRequest {
    TestRequest::get().uri(&format!("/graphql?{query}"))
}

fn code(body: &Value) -> &str {
    body.pointer("/errors/0/extensions/code").and_then(Value::as_str).unwrap_or_default()
}

#[actix_web::test]
async fn well_formed_bodies_are_read() {
    let cases = [
        (r#"{"query":"{a}"}"#, json!(["{a}", null, {}])),
        (r#" {"query":"{","operationName":null,"variables":null,"extensions":null}"#, json!(["{", null, {}])),
        (r#"{"query":"","operationName":"","extensions":{"x":1},"id":7}"#, json!(["", null, {}])),
        (
            r#"{"operationName":"A","query":"q","variables":{"a":[1,{"b":"ü"}],"n":null}}"#,
            json!(["q", "A", {"a": [1, {"b": "ü"}], "n": null}]),
        ),
    ];
    for (body, expected) in cases {
        let (status, found) = outcome(post(body), BodyLimits::default()).await;
        assert_eq!((status, found), (200, json!({"batch": false, "requests": [expected]})), "{body}");
    }
}

#[actix_web::test]
async fn malformed_bodies_are_refused_without_being_quoted() {
    let deep = format!(r#"{{"query":"{{a}}","variables":{{"a":{}}}}}"#, "[".repeat(100_000));
    let cases: Vec<(&[u8], &str)> = vec![
        (b"", "the body is not valid JSON at line 1, column 0"),
        (b"NONSENSE", "the body is not valid JSON at line 1, column 1"),
        (b"{\"query\":", "the body is not valid JSON at line 1, column 9"),
        (b"{\"query\":\"{a}\"} x", "the body is not valid JSON at line 1, column 17"),
        (b"{\"query\":\"\xff\"}", "the body is not UTF-8"),
        (deep.as_bytes(), "the body is not valid JSON at line 1, column 158"),
        (b"{}", "query is missing: send a GraphQL document as a string"),
        (b"{\"qeury\":\"{a}\"}", "query is missing: send a GraphQL document as a string"),
        (b"{\"query\":null}", "query is missing: send a GraphQL document as a string"),
        (b"{\"query\":{\"secret\":1}}", "query must be a string"),
        (b"{\"query\":\"{a}\",\"operationName\":1}", "operationName must be a string or null"),
        (b"{\"query\":\"{a}\",\"variables\":[7]}", "variables must be an object or null"),
        (b"{\"query\":\"{a}\",\"variables\":\"{}\"}", "variables must be an object or null"),
        (b"{\"query\":\"{a}\",\"extensions\":true}", "extensions must be an object or null"),
        (b"[]", "the batch is empty: send at least one request in it"),
    ];
    for (body, message) in cases {
        let (status, found) = outcome(post(body.to_vec()), BodyLimits::default()).await;
        assert_eq!((status, code(&found)), (400, "BAD_REQUEST"), "{}", String::from_utf8_lossy(body));
        assert_eq!(found.pointer("/errors/0/message"), Some(&json!(message)));
    }
    for body in [r#""secret""#, "7", "null", r#"["secret"]"#, r#"[["{a}"]]"#, r#"{"query":"secret","query":"b"}"#] {
        let (status, found) = outcome(post(body), BodyLimits::default()).await;
        assert_eq!((status, code(&found)), (400, "BAD_REQUEST"), "{body}");
        let text = found.to_string();
        assert!(text.contains("each at most once") && !text.contains("secret"), "{text}");
    }
}

#[actix_web::test]
async fn batches_are_small() {
    let batch = |n: usize| format!("[{}]", vec![r#"{"query":"{a}"}"#; n].join(","));
    for n in [1, 5] {
        let (status, found) = outcome(post(batch(n)), BodyLimits::default()).await;
        assert_eq!((status, found.get("batch")), (200, Some(&json!(true))));
        assert_eq!(found.get("requests").and_then(Value::as_array).map(Vec::len), Some(n));
    }
    for n in [6, 20_000] {
        let (status, found) = outcome(post(batch(n)), BodyLimits::default()).await;
        assert_eq!((status, code(&found)), (400, "QUERY_TOO_LARGE"), "{n}");
        assert!(found.to_string().contains("more than the allowed 5 requests"), "{found}");
    }
    let (status, _) = outcome(post(r#"[{"query":"{a}"},{}]"#), BodyLimits::default()).await;
    assert_eq!(status, 400);
}

#[actix_web::test]
async fn queries_come_by_get() {
    let cases = [
        ("query=%7Ba%7D", json!(["{a}", null, {}])),
        ("query=q+%2B&operationName=&variables=&extensions=", json!(["q +", null, {}])),
        ("query=q&operationName=null&variables=null&x=1", json!(["q", "null", {}])),
        ("query=q&operationName=A&variables=%7B%22a%22%3A%22%C3%BC%22%7D", json!(["q", "A", {"a": "ü"}])),
    ];
    for (query, expected) in cases {
        let (status, found) = outcome(get(query), BodyLimits::default()).await;
        assert_eq!((status, found), (200, json!({"batch": false, "requests": [expected]})), "{query}");
    }
    let malformed = [
        "",
        "query",
        "variables=%7B%7D",
        "query=q&variables=%7B",
        "query=q&variables=%5B1%5D",
        "query=q&variables=secret",
        "query=q&extensions=1",
        "query=q&query=q",
        "query=%FF",
        "query=q&variables=%7B%22a%22:%22%FF%22%7D",
    ];
    for query in malformed {
        let (status, found) = outcome(get(query), BodyLimits::default()).await;
        // An empty document is well-formed; GraphQL itself refuses it.
        let expected = if query == "query" { (200, "") } else { (400, "BAD_REQUEST") };
        assert_eq!((status, code(&found)), expected, "{query}");
        assert!(!found.to_string().contains("secret"));
    }
}

#[actix_web::test]
async fn browsers_get_the_page_and_only_they() {
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for (query, accept, page) in [
        ("", browser, true),
        ("theme=dark", browser, true),
        ("query=%7Ba%7D", browser, false),
        ("", "application/json", false),
        ("", "text/html;q=0", false),
    ] {
        let (_, found) = outcome(get(query).insert_header((header::ACCEPT, accept)), BodyLimits::default()).await;
        assert_eq!(found == json!("page"), page, "{query} {accept}: {found}");
    }
}

#[actix_web::test]
async fn methods_and_types_are_held() {
    let body = r#"{"query":"{a}"}"#;
    for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        let (status, found) = outcome(post(body).method(method), BodyLimits::default()).await;
        assert_eq!((status, code(&found)), (405, "METHOD_NOT_ALLOWED"));
    }
    let plain = TestRequest::post().insert_header(ContentType::plaintext()).set_payload(body);
    assert_eq!(outcome(plain, BodyLimits::default()).await.0, 415);
    let (status, found) = outcome(post(body).insert_header((header::ACCEPT, "text/csv")), BodyLimits::default()).await;
    assert_eq!((status, code(&found)), (406, "NOT_ACCEPTABLE"));
}

#[actix_web::test]
async fn bodies_are_held_to_their_length_and_time() {
    let limits = BodyLimits { bytes: 64, ..BodyLimits::default() };
    for body in ["x".repeat(65), "x".repeat(1 << 20)] {
        let (status, found) = outcome(post(body), limits.clone()).await;
        assert_eq!((status, code(&found)), (413, "QUERY_TOO_LARGE"));
    }
    let declared = post("{}").insert_header((header::CONTENT_LENGTH, "65"));
    assert_eq!(outcome(declared, limits).await.0, 413);
}

#[actix_web::test]
async fn a_body_that_drips_is_given_up() {
    let limits = BodyLimits { deadline: Duration::from_millis(40), ..BodyLimits::default() };
    let server = actix_web::HttpServer::new(move || {
        let limits = limits.clone();
        App::new().default_service(web::to(move |request: HttpRequest, payload: web::Payload| {
            let limits = limits.clone();
            async move {
                match read(&request, payload, &limits).await {
                    Ok(_) => HttpResponse::Ok().finish(),
                    Err(refusal) => refusal.into_response("the-id"),
                }
            }
        }))
    })
    .workers(1)
    .bind(("127.0.0.1", 0))
    .expect("a free port");
    let address = server.addrs().first().copied().expect("an address");
    let running = server.run();
    let handle = running.handle();
    actix_web::rt::spawn(running);
    let answer = tokio::task::spawn_blocking(move || {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(address).expect("connects");
        let head = "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{";
        stream.write_all(head.as_bytes()).expect("writes");
        let mut answer = String::new();
        // Ends because the server closes the connection.
        stream.read_to_string(&mut answer).expect("reads");
        answer
    })
    .await
    .expect("answers");
    handle.stop(false).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("REQUEST_TIMEOUT") && answer.contains("x-request-id: the-id"), "{answer}");
}

#[actix_web::test]
async fn refusals_are_graphql_errors_in_the_negotiated_type() {
    let request = post("{").insert_header((header::ACCEPT, "application/graphql-response+json"));
    let (request, mut payload) = request.to_http_parts();
    let payload = web::Payload::from_request(&request, &mut payload).await.expect("a payload");
    let refusal = read(&request, payload, &BodyLimits::default()).await.expect_err("refused");
    let response = refusal.into_response("the-id");
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    assert_eq!(header("content-type").as_deref(), Some("application/graphql-response+json; charset=utf-8"));
    assert_eq!(header("cache-control").as_deref(), Some("no-store"));
    assert_eq!(header("x-request-id").as_deref(), Some("the-id"));
}

#[::core::prelude::v1::test]
fn what_changes_something_comes_by_post_and_what_goes_on_is_answered_as_events() {
    let call = |method, events, batch| {
        let media = MediaType::Json;
        GraphqlCall { requests: Vec::new(), batch, media, events, method }
    };
    let alone = |method| call(method, Events::No, false);
    assert!(alone(Method::POST).permits(OperationType::Query).is_ok());
    assert!(alone(Method::POST).permits(OperationType::Mutation).is_ok());
    assert!(alone(Method::GET).permits(OperationType::Query).is_ok());
    for events in [Events::No, Events::IfMustBe, Events::Rather] {
        let refusal = call(Method::GET, events, false).permits(OperationType::Mutation).unwrap_err();
        assert_eq!((refusal.status.as_u16(), refusal.code), (405, "METHOD_NOT_ALLOWED"));
        assert_eq!(refusal.headers, [(header::ALLOW, "POST")]);
    }
    for method in [Method::GET, Method::POST] {
        for events in [Events::IfMustBe, Events::Rather] {
            assert!(call(method.clone(), events, false).permits(OperationType::Subscription).is_ok());
            let refusal = call(method.clone(), events, true).permits(OperationType::Subscription).unwrap_err();
            assert_eq!(refusal.status.as_u16(), 406);
        }
        let refusal = alone(method).permits(OperationType::Subscription).unwrap_err();
        assert_eq!((refusal.status.as_u16(), refusal.code), (406, "NOT_ACCEPTABLE"));
    }
}
