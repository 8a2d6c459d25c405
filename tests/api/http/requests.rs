//! Media types, status codes, methods, batches, headers.

use super::{INTROSPECTION, NEW, OLD, header, plain_client, post};
use crate::support::*;
use reqwest::Method;

/// Method, query string, headers, body; the status and the code of the answer.
type Case<'a> = (Method, &'a str, Vec<(&'a str, &'a str)>, String, u16, &'a str);

#[tokio::test(flavor = "multi_thread")]
async fn both_media_types_have_their_status_codes() {
    let clinic = Clinic::start().await;
    let (desk, nobody) = (clinic.front_desk(), clinic.anonymous());
    let wrong = "mutation { signIn(input: {email: \"desk@north.example\", password: \"wrong\"}) { token } }";
    for (by, query, code, status) in [
        (&*desk, "{ me { id } }", "ok", 200),
        (&*nobody, "{ __typename }", "ok", 200),
        (&*desk, "{ me { id }", "GRAPHQL_PARSE_FAILED", 400),
        (&*desk, "", "GRAPHQL_PARSE_FAILED", 400),
        (&*desk, "{ me { shoeSize } }", "GRAPHQL_VALIDATION_FAILED", 400),
        (&*desk, "query ($id: ID!) { node(id: $id) { id } }", "BAD_USER_INPUT", 400),
        (&*desk, "{ patients(first: 101) { nodes { id } } }", "BAD_USER_INPUT", 200),
        (&*desk, "{ sessions { totalCount } me { id } }", "FORBIDDEN", 200),
        (&*desk, "{ node(id: \"x\") { id } }", "BAD_USER_INPUT", 200),
        (&*nobody, "{ me { id } }", "UNAUTHENTICATED", 401),
        (&nobody.with_token("not-a-token"), "{ me { id } }", "UNAUTHENTICATED", 401),
        (&*nobody, wrong, "UNAUTHENTICATED", 401),
    ] {
        for (accept, expected) in [(NEW, status), (OLD, 200), ("*/*", 200)] {
            let answer = Answer::to(post(by, accept, json!({"query": query}))).await;
            assert_eq!((answer.outcome().as_str(), answer.status.as_u16()), (code, expected), "{query} as {accept}");
            let kind = if accept == NEW { NEW } else { OLD };
            assert_eq!(header(&answer, "content-type"), format!("{kind}; charset=utf-8"));
            assert_eq!(header(&answer, "cache-control"), "no-store");
            assert_eq!(header(&answer, "www-authenticate"), if expected == 401 { "Bearer" } else { "" });
        }
    }
    let no_accept = plain_client()
        .post(clinic.url("/graphql"))
        .bearer_auth(&desk.member.token)
        .json(&json!({"query": "{ __typename }"}));
    assert_eq!(header(&Answer::to(no_accept).await, "content-type"), "application/json; charset=utf-8");
}

const OK: &str = r#"{"query":"{ __typename }"}"#;
const JSON: (&str, &str) = ("content-type", OLD);

/// A POST with these headers and this body.
fn sent(headers: &[(&'static str, &'static str)], body: &str, status: u16, code: &'static str) -> Case<'static> {
    (Method::POST, "", headers.to_vec(), body.to_owned(), status, code)
}

fn posts() -> Vec<Case<'static>> {
    vec![
        sent(&[JSON], OK, 200, "ok"),
        sent(&[("content-type", "application/json; charset=utf-8")], OK, 200, "ok"),
        sent(&[], OK, 415, "UNSUPPORTED_MEDIA_TYPE"),
        sent(&[("content-type", "text/plain")], OK, 415, "UNSUPPORTED_MEDIA_TYPE"),
        sent(&[("content-type", "application/graphql")], "{ __typename }", 415, "UNSUPPORTED_MEDIA_TYPE"),
        sent(
            &[("content-type", "application/x-www-form-urlencoded")],
            "query=%7B__typename%7D",
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        sent(&[("content-type", "application/json; charset=iso-8859-1")], OK, 415, "UNSUPPORTED_MEDIA_TYPE"),
        sent(&[JSON, ("content-encoding", "gzip")], OK, 415, "UNSUPPORTED_MEDIA_TYPE"),
        sent(&[JSON, ("accept", "text/html")], OK, 406, "NOT_ACCEPTABLE"),
        sent(&[JSON, ("accept", "application/json;q=0")], OK, 406, "NOT_ACCEPTABLE"),
        sent(&[JSON], "", 400, "BAD_REQUEST"),
        sent(&[JSON], "{", 400, "BAD_REQUEST"),
        sent(&[JSON], "\"{ __typename }\"", 400, "BAD_REQUEST"),
        sent(&[JSON], "{}", 400, "BAD_REQUEST"),
        sent(&[JSON], r#"{"query":1}"#, 400, "BAD_REQUEST"),
        sent(&[JSON], r#"{"query":"{ __typename }","variables":[]}"#, 400, "BAD_REQUEST"),
        sent(&[JSON], r#"{"query":"{ __typename }","operationName":7}"#, 400, "BAD_REQUEST"),
        sent(&[JSON], r#"{"query":"{ __typename }","extensions":"x"}"#, 400, "BAD_REQUEST"),
        sent(&[JSON], r#"{"query":"{ __typename }"} x"#, 400, "BAD_REQUEST"),
        sent(&[JSON], &"[".repeat(100_000), 400, "BAD_REQUEST"),
        sent(&[JSON], &" ".repeat(1024 * 1024 + 1), 413, "QUERY_TOO_LARGE"),
        sent(&[JSON, ("authorization", "Basic YTpi")], OK, 401, "UNAUTHENTICATED"),
    ]
}

fn others() -> Vec<Case<'static>> {
    vec![
        (Method::PUT, "", vec![JSON], OK.into(), 405, "METHOD_NOT_ALLOWED"),
        (Method::DELETE, "", vec![], String::new(), 405, "METHOD_NOT_ALLOWED"),
        (Method::GET, "?query=%7B__typename%7D", vec![], String::new(), 200, "ok"),
        (
            Method::GET,
            "?query=query(%24n%3ABoolean!)%7Bme%7Bid%20role%20%40skip(if%3A%24n)%7D%7D&variables=%7B%22n%22%3Afalse%7D&operationName=",
            vec![],
            String::new(),
            200,
            "ok",
        ),
        (
            Method::GET,
            "?query=query%20A%7B__typename%7Dquery%20B%7Bx%7D&operationName=C",
            vec![],
            String::new(),
            200,
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (Method::GET, "", vec![], String::new(), 400, "BAD_REQUEST"),
        (Method::GET, "?query=%7B__typename%7D&variables=%7B", vec![], String::new(), 400, "BAD_REQUEST"),
        (Method::GET, "?query=%7B__typename%7D&query=%7B__typename%7D", vec![], String::new(), 400, "BAD_REQUEST"),
        (Method::GET, "?query=%FF", vec![], String::new(), 400, "BAD_REQUEST"),
        (Method::GET, "?query=mutation%7BsignOut%7BsignedOut%7D%7D", vec![], String::new(), 405, "METHOD_NOT_ALLOWED"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_graphql_request_is_refused_by_http_s_rules() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    for (method, query, headers, body, status, outcome) in posts().into_iter().chain(others()) {
        let mut request = plain_client().request(method.clone(), clinic.url(&format!("/graphql{query}")));
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            request = request.bearer_auth(&anna.member.token);
        }
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        let shown: String = body.chars().take(60).collect();
        let answer = Answer::to(request.body(body)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.outcome().as_str()),
            (status, outcome),
            "{method} {query} {headers:?} {shown} {}",
            answer.text
        );
        assert_ne!(header(&answer, "x-request-id"), "", "{method} {query}");
        if status == 405 {
            assert_eq!(header(&answer, "allow"), if method == Method::GET { "POST" } else { "GET, POST" });
        }
    }
    anna.ask("{ me { id } }").await; // the GET did not sign out
    assert_eq!(Answer::to(anna.request(Method::GET, "/nowhere")).await.status.as_u16(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_has_at_most_five() {
    let clinic = Clinic::start().await;
    let desk = clinic.front_desk();
    let one = json!({"query": "{ __typename }"});
    for (many, status, code) in [
        (1, 200, ""),
        (5, 200, ""),
        (6, 400, "QUERY_TOO_LARGE"),
        (20_000, 400, "QUERY_TOO_LARGE"),
        (0, 400, "BAD_REQUEST"),
    ] {
        let response = post(&desk, NEW, json!(vec![&one; many])).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{many}");
        let body: Value = response.json().await.unwrap();
        match status {
            200 => assert_eq!(body.as_array().unwrap().len(), many),
            _ => assert_eq!(body["errors"][0]["extensions"]["code"], code),
        }
    }
    // In their order: the second sees what the first has done; the third fails alone.
    let register = "mutation { registerPatient(input: {legalName: {given: \"A\", family: \"B\"}, birthDate: \"1990-01-01\"}) { patient { chartNumber } } }";
    let batch = json!([{"query": register}, {"query": "{ patients { totalCount } }"}, {"query": "{ x }"}, one]);
    let body: Value = post(&desk, NEW, batch).send().await.unwrap().json().await.unwrap();
    assert!(body[0].pointer("/data/registerPatient/patient/chartNumber").is_some_and(Value::is_string), "{body}");
    assert_eq!(body[1].pointer("/data/patients/totalCount"), Some(&json!(1)));
    assert_eq!(body[2].pointer("/errors/0/extensions/code"), Some(&json!("GRAPHQL_VALIDATION_FAILED")));
    assert_eq!(body[3]["data"]["__typename"], "Query");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_compressed_for_who_asks() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let client = plain_client();
    for (accept, encoding) in [("gzip", "gzip"), ("br", "br"), ("zstd", "zstd"), ("identity", "")] {
        let request =
            client.post(clinic.url("/graphql")).bearer_auth(&anna.member.token).header("accept-encoding", accept);
        let response = request.json(&json!({"query": INTROSPECTION})).send().await.unwrap();
        assert_eq!(
            response.headers().get("content-encoding").map_or("", |value| value.to_str().unwrap()),
            encoding,
            "{accept}"
        );
        let size = response.bytes().await.unwrap().len();
        assert!(if encoding.is_empty() { size > 400_000 } else { size < 200_000 }, "{accept}: {size} bytes");
    }
    let data = anna.ask(INTROSPECTION).await; // unpacked by the client
    assert_eq!(data["__schema"]["queryType"]["name"], "Query");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_origins_are_let_in_by_a_list() {
    let listed = Clinic::with(&["--allowed-origins", "https://app.example.com,http://localhost:3000"]).await;
    let anna = listed.practitioner();
    for (origin, allowed) in [
        ("https://app.example.com", true),
        ("http://localhost:3000", true),
        ("https://evil.example", false),
        ("https://app.example.com.evil.example", false),
        ("http://app.example.com", false),
        ("null", false),
    ] {
        let expected = if allowed { origin } else { "" };
        let answer = Answer::to(post(&anna, NEW, json!({"query": "{ __typename }"})).header("origin", origin)).await;
        assert_eq!(header(&answer, "access-control-allow-origin"), expected, "{origin}");
        // Without the header above a browser gives no page the answer, whatever this one says.
        assert!(!allowed || header(&answer, "access-control-allow-credentials") == "true", "{origin}");
        let ask = listed
            .anonymous()
            .request(Method::OPTIONS, "/graphql")
            .header("origin", origin)
            .header("access-control-request-method", "POST");
        let ask = Answer::to(ask.header(
            "access-control-request-headers",
            "authorization,content-type,idempotency-key,x-request-id,clinic-csrf",
        ))
        .await;
        // A browser goes by this header alone.
        assert_eq!(header(&ask, "access-control-allow-origin"), expected, "{origin}");
        if allowed {
            assert!(ask.status.is_success(), "{origin}");
            assert!(header(&answer, "access-control-expose-headers").contains("x-request-id"), "{origin}");
            let headers = header(&ask, "access-control-allow-headers").to_lowercase();
            assert!(
                ["authorization", "content-type", "idempotency-key", "x-request-id", "clinic-csrf"]
                    .iter()
                    .all(|name| headers.contains(name)),
                "{headers}"
            );
        }
    }
    let odd = listed
        .anonymous()
        .request(Method::OPTIONS, "/graphql")
        .header("origin", "https://app.example.com")
        .header("access-control-request-method", "DELETE");
    assert_eq!(Answer::to(odd).await.status.as_u16(), 400);
    drop(listed);
    let none = Clinic::start().await;
    let answer = Answer::to(
        post(&none.practitioner(), NEW, json!({"query": "{ __typename }"})).header("origin", "https://app.example.com"),
    )
    .await;
    assert_eq!(header(&answer, "access-control-allow-origin"), "");
    assert_eq!(header(&answer, "access-control-allow-credentials"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_has_an_id_from_end_to_end() {
    let clinic = Clinic::start().await;
    let desk = clinic.front_desk();
    let register = "mutation { registerPatient(input: {legalName: {given: \"A\", family: \"B\"}, birthDate: \"1990-01-01\"}) { patient { id } } }";
    let answer = Answer::to(desk.prepare(register, json!({})).header("x-request-id", "trace-1.A_b")).await;
    assert_eq!(header(&answer, "x-request-id"), "trace-1.A_b");
    let sql = clinic.database.superuser().await;
    for (table, count) in [("ledger", "1"), ("access_log", "1")] {
        assert_eq!(
            sql.one(&format!("SELECT count(*) FROM {table} WHERE request_id = 'trace-1.A_b'")).await,
            count,
            "{table}"
        );
    }
    let mut made = std::collections::HashSet::new();
    for unfit in ["", "with space", "<script>", &"x".repeat(129)] {
        let answer = Answer::to(desk.prepare("{ me { id } }", json!({})).header("x-request-id", unfit)).await;
        let id: uuid::Uuid = header(&answer, "x-request-id").parse().expect("one of our own");
        assert!(made.insert(id));
    }
}
