//! GraphQL over HTTP: media types, status codes, methods, batches, headers; and what is refused before it is run.

use crate::support::*;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder};
use std::time::{Duration, Instant};

/// Method, query string, headers, body; the status and the code of the answer.
type Case<'a> = (Method, &'a str, Vec<(&'a str, &'a str)>, String, u16, &'a str);

const NEW: &str = "application/graphql-response+json";
const OLD: &str = "application/json";

fn post(by: &Caller, accept: &str, body: Value) -> RequestBuilder {
    by.request(Method::POST, "/graphql").header(ACCEPT, accept).json(&body)
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

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

/// A plain client, that unpacks nothing.
fn plain_client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().no_gzip().build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_graphql_request_is_refused_by_http_s_rules() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let ok = r#"{"query":"{ __typename }"}"#;
    let json_type = ("content-type", OLD);
    let cases: Vec<Case> = vec![
        (Method::POST, "", vec![json_type], ok.into(), 200, "ok"),
        (Method::POST, "", vec![("content-type", "application/json; charset=utf-8")], ok.into(), 200, "ok"),
        (Method::POST, "", vec![], ok.into(), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (Method::POST, "", vec![("content-type", "text/plain")], ok.into(), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (
            Method::POST,
            "",
            vec![("content-type", "application/graphql")],
            "{ __typename }".into(),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        (
            Method::POST,
            "",
            vec![("content-type", "application/x-www-form-urlencoded")],
            "query=%7B__typename%7D".into(),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        (
            Method::POST,
            "",
            vec![("content-type", "application/json; charset=iso-8859-1")],
            ok.into(),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        (Method::POST, "", vec![json_type, ("content-encoding", "gzip")], ok.into(), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (Method::POST, "", vec![json_type, ("accept", "text/html")], ok.into(), 406, "NOT_ACCEPTABLE"),
        (Method::POST, "", vec![json_type, ("accept", "application/json;q=0")], ok.into(), 406, "NOT_ACCEPTABLE"),
        (Method::POST, "", vec![json_type], String::new(), 400, "BAD_REQUEST"),
        (Method::POST, "", vec![json_type], "{".into(), 400, "BAD_REQUEST"),
        (Method::POST, "", vec![json_type], "\"{ __typename }\"".into(), 400, "BAD_REQUEST"),
        (Method::POST, "", vec![json_type], "{}".into(), 400, "BAD_REQUEST"),
        (Method::POST, "", vec![json_type], r#"{"query":1}"#.into(), 400, "BAD_REQUEST"),
        (Method::POST, "", vec![json_type], r#"{"query":"{ __typename }","variables":[]}"#.into(), 400, "BAD_REQUEST"),
        (
            Method::POST,
            "",
            vec![json_type],
            r#"{"query":"{ __typename }","operationName":7}"#.into(),
            400,
            "BAD_REQUEST",
        ),
        (
            Method::POST,
            "",
            vec![json_type],
            r#"{"query":"{ __typename }","extensions":"x"}"#.into(),
            400,
            "BAD_REQUEST",
        ),
        (Method::POST, "", vec![json_type], r#"{"query":"{ __typename }"} x"#.into(), 400, "BAD_REQUEST"),
        (Method::POST, "", vec![json_type], "[".repeat(100_000), 400, "BAD_REQUEST"),
        (Method::POST, "", vec![json_type], " ".repeat(1024 * 1024 + 1), 413, "QUERY_TOO_LARGE"),
        (Method::POST, "", vec![json_type, ("authorization", "Basic YTpi")], ok.into(), 401, "UNAUTHENTICATED"),
        (Method::PUT, "", vec![json_type], ok.into(), 405, "METHOD_NOT_ALLOWED"),
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
    ];
    for (method, query, headers, body, status, outcome) in cases {
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
        assert!(if encoding.is_empty() { size > 400_000 } else { size < 150_000 }, "{accept}: {size} bytes");
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

#[tokio::test(flavor = "multi_thread")]
async fn the_explorer_and_its_introspection_can_be_had_or_not() {
    let mut clinic = Clinic::start().await;
    let html = "text/html,application/xhtml+xml,*/*;q=0.8";
    let page = async |clinic: &Clinic| {
        Answer::to(clinic.anonymous().request(Method::GET, "/graphql").header(ACCEPT, html)).await
    };
    let answer = page(&clinic).await;
    assert_eq!((answer.status.as_u16(), header(&answer, "content-type")), (200, "text/html; charset=utf-8"));
    assert!(header(&answer, "content-security-policy").contains("default-src 'none'"));
    let data = clinic.anonymous().ask(INTROSPECTION).await;
    let types = data["__schema"]["types"].as_array().unwrap();
    assert!(types.iter().any(|kind| kind["name"] == "TreatmentSession") && types.len() > 100);
    let root = plain_client().get(clinic.url("/")).header(ACCEPT, html);
    assert_eq!(Answer::to(root).await.status.as_u16(), 200, "/ leads to it");
    // By role: anybody, who is signed in, admins, nobody.
    let queries = [
        INTROSPECTION,
        "{ __type(name: \"Patient\") { name } }",
        "query ($no: Boolean!) { ...f } fragment f on Query { x: __schema @skip(if: $no) { queryType { name } } }",
        "{ __typename me { id } __schema { queryType { name } } }",
    ];
    let asked = async |clinic: &Clinic, wanted: [&str; 3]| {
        let (admin, anna, nobody) = (clinic.admin(), clinic.practitioner(), clinic.anonymous());
        for (who, wanted) in [(&*admin, wanted[0]), (&*anna, wanted[1]), (&*nobody, wanted[2])] {
            for (i, query) in queries.iter().enumerate() {
                let answer = who.graphql(query, json!({"no": false})).await;
                let wanted = if i == 3 && wanted == "ok" && answer.status == 401 { "UNAUTHENTICATED" } else { wanted };
                assert_eq!(answer.outcome(), wanted, "{query} {:.300}", answer.text);
                assert!(wanted == "ok" || (answer.text.len() < 500 && answer.data.is_null()), "{}", answer.text);
            }
            assert_eq!(who.graphql("{ __typename }", json!({})).await.outcome(), "ok");
        }
    };
    asked(&clinic, ["ok", "ok", "ok"]).await;
    clinic.restart(&["--introspection", "staff"]).await;
    asked(&clinic, ["ok", "ok", "UNAUTHENTICATED"]).await;
    clinic.restart(&["--introspection", "admin"]).await;
    asked(&clinic, ["ok", "FORBIDDEN", "UNAUTHENTICATED"]).await;
    let sql = clinic.database.superuser().await;
    assert_eq!(sql.one("SELECT count(*) > 0 FROM access_log WHERE event = 'refused'").await, "t");
    let answer = page(&clinic).await;
    assert!(answer.status == 200 && answer.text.contains("Sign in to see the schema"));
    clinic.restart(&["--introspection", "none"]).await;
    asked(&clinic, ["INTROSPECTION_DISABLED"; 3]).await;
    assert_eq!(page(&clinic).await.status.as_u16(), 404);
}

/// Where each of these stands in a text, which must be in this order.
#[track_caller]
fn in_order(text: &str, keys: &[&str]) {
    let places: Vec<_> = keys
        .iter()
        .map(|key| text.find(&format!("\"{key}\":")).unwrap_or_else(|| panic!("no {key} in {text}")))
        .collect();
    assert!(places.is_sorted(), "{keys:?} in {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_come_in_the_order_of_the_query_and_a_failure_nulls_what_it_must() {
    let clinic = Clinic::start().await;
    let (anna, desk) = (clinic.practitioner(), clinic.front_desk());
    let patient = anna.patient_with("Ada", "Lovelace", json!({"chartNumber": "P-000001"})).await;
    let id = json!({"id": patient.id});
    // A failed nullable field leaves its siblings.
    let query = "query ($id: ID!) { patient(id: $id) { displayName sessions { totalCount } b: version consultations { totalCount }
        healthHistory { text } a: chartNumber aftercareNotes { totalCount } createdBy { id } } me { role } }";
    let answer = desk.graphql(query, id.clone()).await;
    let keys = [
        "patient",
        "displayName",
        "sessions",
        "b",
        "consultations",
        "healthHistory",
        "a",
        "aftercareNotes",
        "createdBy",
        "me",
        "role",
    ];
    in_order(&answer.text[answer.text.find("\"data\"").unwrap()..], &keys);
    let expected = json!({
        "displayName": "Ada Lovelace", "sessions": null, "b": 1, "consultations": null, "healthHistory": null, "a": "P-000001",
        "aftercareNotes": null, "createdBy": {"id": anna.id()},
    });
    assert_eq!((&answer.data["patient"], &answer.data["me"]["role"]), (&expected, &json!("FRONT_DESK")));
    let mut paths: Vec<_> = answer.errors.iter().map(|error| error["path"].to_string()).collect();
    paths.sort();
    let failed = ["aftercareNotes", "consultations", "healthHistory", "sessions"];
    assert_eq!(paths, failed.map(|field| format!("[\"patient\",\"{field}\"]")));
    assert!(answer.codes().iter().all(|code| *code == "FORBIDDEN"));
    assert!(answer.errors.iter().all(|error| error["locations"][0]["line"].is_u64()));
    // A failed non-null field nulls its nearest nullable parent, and no more.
    let query = "query ($id: ID!) { first: patient(id: $id) { displayName history(first: 101) { totalCount } } second: patient(id: $id) { displayName } me { id } }";
    let answer = anna.graphql(query, id.clone()).await;
    assert_eq!((answer.code(), &answer.errors[0]["path"]), ("BAD_USER_INPUT", &json!(["first", "history"])));
    assert_eq!(answer.data, json!({"first": null, "second": {"displayName": "Ada Lovelace"}, "me": {"id": anna.id()}}));
    in_order(&answer.text[answer.text.find("\"data\"").unwrap()..], &["first", "second", "me"]);
    let answer = anna.graphql("{ me { id } patients(first: 101) { totalCount } }", json!({})).await;
    assert_eq!((&answer.data, &answer.errors[0]["path"]), (&Value::Null, &json!(["patients"])), "up to the root");
    // In a list.
    let query = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";
    let answer = anna.graphql(query, json!({"ids": [new_id("patient"), patient.id, "junk", anna.id()]})).await;
    assert_eq!(
        answer.data["nodes"],
        json!([null, {"__typename": "Patient", "id": patient.id}, null, {"__typename": "Staff", "id": anna.id()}]),
        "{}",
        answer.text
    );
    let told: Vec<_> =
        answer.errors.iter().map(|error| (error["path"].clone(), error["extensions"]["code"].clone())).collect();
    assert_eq!(told, [(json!(["nodes", 0]), json!("NOT_FOUND")), (json!(["nodes", 2]), json!("BAD_USER_INPUT"))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_fails_leaves_no_transaction_open_for_the_next_request() {
    let clinic = Clinic::with(crate::retries::PATIENT).await;
    let anna = clinic.practitioner();
    let sql = clinic.database.superuser().await;
    // The failure of one root field drops its siblings while they wait for the database.
    let query = "{ a: me { id } b: organisation { id } patients(first: 101) { totalCount } c: staff { totalCount } }";
    for i in 0..8 {
        let answers = (0..16).map(|_| anna.graphql(query, json!({})));
        for answer in futures::future::join_all(answers).await {
            assert_eq!(answer.code(), "BAD_USER_INPUT", "{}", answer.text);
        }
        anna.patient("Ada", &format!("Lovelace {i}")).await;
        assert_eq!(
            anna.ask("{ patients { totalCount } }").await["patients"]["totalCount"],
            i + 1,
            "not an older picture"
        );
    }
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    // Connections are put in order beside the answers.
    let begun = Instant::now();
    while sql.one(open).await != "0" {
        assert!(begun.elapsed() < Duration::from_secs(20), "a transaction was left open");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_take_too_much_is_refused_at_once() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let repeat = |many: usize, one: &dyn Fn(usize) -> String| (0..many).map(one).collect::<Vec<_>>().join(" ");
    let nested = |many: usize, open: &str| {
        format!("{{ {} __typename {} }}", format!("{open} {{ ").repeat(many), "} ".repeat(many))
    };
    let bomb = |many: usize| {
        format!(
            "{{ ...f0 }} {} fragment f{many} on Query {{ me {{ id }} }}",
            repeat(many, &|i| format!("fragment f{i} on Query {{ ...f{} ...f{} }}", i + 1, i + 1))
        )
    };
    let wide = "patients(first: 100) { nodes { sessions(first: 100) { nodes { aftercareNotes(first: 100) { nodes { id } } } } } }";
    let too_large = [
        ("root fields", format!("{{ {} }}", repeat(21, &|i| format!("a{i}: me {{ id }}")))),
        ("mutations", format!("mutation {{ {} }}", repeat(11, &|i| format!("a{i}: signOut {{ signedOut }}")))),
        ("aliases", format!("{{ me {{ {} }} }}", repeat(101, &|i| format!("a{i}: id")))),
        ("many aliases", format!("{{ me {{ {} }} }}", repeat(2400, &|i| format!("a{i}: id")))),
        ("the same field", format!("{{ me {{ {} }} }}", "id ".repeat(2100))),
        ("depth", nested(16, "me")),
        ("brackets", nested(5000, "me")),
        ("lists", format!("query ($x: {}Int{}) {{ __typename }}", "[".repeat(3000), "]".repeat(3000))),
        ("values", format!("{{ nodes(ids: {}{}) {{ id }} }}", "[".repeat(3000), "]".repeat(3000))),
        ("fragments", bomb(25)),
        ("more fragments", bomb(500)),
        ("directives", format!("{{ __typename {} }}", "@include(if: true) ".repeat(51))),
        ("tokens", format!("{{ {} }}", "__typename ".repeat(5001))),
        ("bytes", format!("{{ __typename }} # {}", "x".repeat(101 * 1024))),
        ("a name", format!("{{ {} }}", "x".repeat(257))),
        ("cost", format!("{{ {wide} }}")),
        (
            "introspection",
            "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }".to_owned(),
        ),
    ];
    for (what, query) in too_large {
        let begun = Instant::now();
        let answer = anna.graphql(&query, json!({})).await;
        assert!(begun.elapsed() < Duration::from_secs(1), "{what}: {:?}", begun.elapsed());
        assert_eq!(
            (answer.outcome().as_str(), answer.status.as_u16(), answer.data),
            ("QUERY_TOO_LARGE", 400, Value::Null),
            "{what} {:.300}",
            answer.text
        );
    }
    let by_variable = "query ($n: Int) { patients(first: $n) { nodes { sessions(first: $n) { nodes { aftercareNotes(first: $n) { nodes { id } } } } } } }";
    assert_eq!(anna.graphql(by_variable, json!({"n": 100})).await.code(), "QUERY_TOO_LARGE");
    assert_eq!(anna.graphql(by_variable, json!({"n": 5})).await.outcome(), "ok", "the same text, for fewer rows");
    let circle = "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }";
    assert_eq!(anna.graphql(circle, json!({})).await.code(), "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(
        clinic.anonymous().graphql(&bomb(25), json!({})).await.code(),
        "QUERY_TOO_LARGE",
        "before anybody is known"
    );
    let ids: Vec<String> = (0..101).map(|_| new_id("patient")).collect();
    assert_eq!(
        anna.graphql("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({"ids": ids})).await.code(),
        "BAD_USER_INPUT"
    );
    anna.ask("{ me { id } }").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_told_to_anybody() {
    let clinic = Clinic::start().await;
    for (path, status) in [("/health/live", "live"), ("/health/ready", "ready")] {
        let answer = clinic.anonymous().request(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({"status": status}));
    }
    let content = clinic.anonymous().request(Method::POST, "/health/ready").header(CONTENT_TYPE, OLD);
    assert!(!Answer::to(content).await.status.is_success());
}

/// The introspection query that GraphiQL sends, with everything it can ask for that this schema's engine knows.
const INTROSPECTION: &str = "query IntrospectionQuery {
  __schema {
    description queryType { name } mutationType { name } subscriptionType { name } types { ...FullType }
    directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } }
  }
}
fragment FullType on __Type {
  kind name description specifiedByURL
  fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason }
  inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef }
  enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef }
}
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason }
fragment TypeRef on __Type {
  kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
  ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } }
}";

/// A list without pages is priced as one record: what lists in one another multiply to is counted as they are run.
#[tokio::test(flavor = "multi_thread")]
async fn lists_in_lists_end_where_their_price_does() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let entries = (0..9).map(|_| anna.health_entry(&patient));
    futures::future::join_all(entries).await;
    let nested = |times: usize| {
        let (open, close) = ("healthHistory { patient { ".repeat(times), "} } ".repeat(times));
        format!("query ($id: ID!) {{ patient(id: $id) {{ {open} id {close} }} }}")
    };
    let ids = json!({ "id": patient.id });
    let fine = anna.graphql(&nested(2), ids.clone()).await.ok();
    assert_eq!(fine["patient"]["healthHistory"].as_array().map(Vec::len), Some(9));
    // 9 * 9 * 9 * 9 records and their links, for fewer than 20 points.
    let refused = anna.graphql(&nested(4), ids.clone()).await;
    assert_eq!((refused.code(), &refused.data), ("QUERY_TOO_LARGE", &Value::Null));
    assert!(refused.text.contains("put fewer lists into one another"));
    // Nothing is left of it: the next one runs.
    anna.graphql(&nested(1), ids).await.ok();
}
