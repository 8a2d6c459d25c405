//! Every answer of every address has the headers that keep a browser from taking it for something else.

use crate::support::*;
use reqwest::Method;
use std::collections::BTreeMap;

/// Name and value of what every answer has.
const EVERYWHERE: &[(&str, &str)] = &[
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("permissions-policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
];
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// Method, path, headers, body; the status, or 0 for any below 500.
type Case<'a> = (Method, &'a str, &'a [(&'a str, &'a str)], &'a str, u16);

/// What an answer may say otherwise.
struct Own {
    policy: &'static str,
    resource: &'static str,
    cache: &'static str,
}

const PLAIN: Own = Own { policy: POLICY, resource: "same-origin", cache: "no-store" };

#[track_caller]
fn shielded(answer: &Answer, own: &Own, what: &str) {
    let all: BTreeMap<&str, Vec<&str>> = answer
        .headers
        .keys()
        .map(|name| (name.as_str(), answer.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()))
        .collect();
    let wanted = EVERYWHERE.iter().copied().chain([
        ("content-security-policy", own.policy),
        ("cross-origin-resource-policy", own.resource),
        ("cache-control", own.cache),
    ]);
    for (name, value) in wanted {
        let found = all.get(name).cloned().unwrap_or_default();
        assert_eq!(found.len(), 1, "{what}: {name} {found:?}");
        assert!(
            found[0] == value || value.ends_with('*') && found[0].starts_with(value.trim_end_matches('*')),
            "{what}: {name} {found:?}"
        );
    }
    for never in ["server", "x-powered-by", "set-cookie", "strict-transport-security"] {
        assert!(!all.contains_key(never), "{what}: {never}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_shielded() {
    let mut clinic = Clinic::with(&["--allowed-origins", "https://app.example.com"]).await;
    let (anna, nobody) = (clinic.practitioner(), clinic.anonymous());
    let ok = r#"{"query":"{ me { id } }"}"#;
    let json_type = [("content-type", "application/json")];
    let new = [("content-type", "application/json"), ("accept", "application/graphql-response+json")];
    let origin = [("origin", "https://app.example.com"), ("access-control-request-method", "POST")];
    let stranger = [("origin", "https://evil.example"), ("access-control-request-method", "POST")];
    let large = " ".repeat((1 << 20) + 1);
    let cases: Vec<Case> = vec![
        (Method::POST, "/graphql", &json_type, ok, 200),
        (Method::POST, "/graphql", &[("content-type", "application/json"), ("accept-encoding", "gzip")], ok, 200),
        (Method::POST, "/graphql", &new, r#"{"query":"{"}"#, 400),
        (Method::POST, "/graphql", &new, r#"{"query":"{ patients(first: 500) { totalCount } }"}"#, 200),
        (Method::POST, "/graphql", &json_type, "{", 400),
        (Method::POST, "/graphql", &json_type, &large, 413),
        (Method::POST, "/graphql", &[], ok, 415),
        (Method::POST, "/graphql", &[("content-type", "application/json"), ("accept", "text/css")], ok, 406),
        (Method::POST, "/graphql", &[("content-type", "application/json"), ("authorization", "Basic x")], ok, 401),
        (Method::GET, "/graphql?query=%7B__typename%7D", &[], "", 200),
        (Method::GET, "/graphql?query=mutation%7BsignOut%7BsignedOut%7D%7D", &[], "", 405),
        (Method::DELETE, "/graphql", &[], "", 405),
        (Method::OPTIONS, "/graphql", &origin, "", 200),
        (Method::OPTIONS, "/graphql", &stranger, "", 0),
        (Method::GET, "/", &[], "", 302),
        (Method::GET, "/health/live", &[], "", 200),
        (Method::GET, "/health/ready", &[], "", 200),
        (Method::POST, "/health/ready", &[], "", 0),
        (Method::GET, "/photos/nonsense", &[], "", 0),
        (Method::PUT, "/photos/upload/nonsense", &[], "x", 0),
        (Method::POST, "/photos/nonsense", &[], "", 0),
        (Method::GET, "/nowhere", &[], "", 404),
        (Method::HEAD, "/health/live", &[], "", 0),
        (Method::GET, "/%2e%2e/etc/passwd", &[], "", 404),
    ];
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    for (method, path, headers, body, status) in cases {
        let mut request = client.request(method.clone(), clinic.url(path)).body(body.to_owned());
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            request = request.bearer_auth(&anna.member.token);
        }
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = Answer::to(request).await;
        let what = format!("{method} {path} {headers:?}: {}", answer.status);
        assert!(status == 0 || answer.status.as_u16() == status, "{what} {}", answer.text);
        assert!(answer.status.as_u16() < 500, "{what}");
        shielded(&answer, &PLAIN, &what);
    }
    let answer = nobody.prepare("{ me { id } }", json!({}));
    shielded(&Answer::to(answer).await, &PLAIN, "nobody");
    // The explorer has a policy of its own.
    let page = nobody.request(Method::GET, "/graphql").header("accept", "text/html");
    let own = Own { policy: "default-src 'none'; script-src 'unsafe-inline'; *", ..PLAIN };
    shielded(&Answer::to(page).await, &own, "the explorer");
    clinic.restart(&["--introspection", "none"]).await;
    let page = clinic.anonymous().request(Method::GET, "/graphql").header("accept", "text/html");
    shielded(&Answer::to(page).await, &PLAIN, "no explorer");
}
