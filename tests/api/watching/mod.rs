//! What is watched of the service: /metrics, traces, and the files for Prometheus and Grafana. None of it has a word of a
//! patient.

mod files;
mod traces;

use crate::live::Socket;
use crate::support::*;
use std::collections::{BTreeMap, BTreeSet};

/// Stands in every place where a client may put text. No name of the program's has it.
const WORD: &str = "Quibblewick";

/// What the text says: each series with its value.
fn series(text: &str) -> BTreeMap<&str, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').expect("a value"))
        .map(|(name, value)| (name, value.parse().expect("a number")))
        .collect()
}

/// The names of all metrics that are told, with their kinds.
fn names(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    lines.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
}

/// The value of a series.
#[track_caller]
fn value(text: &str, of: &str) -> f64 {
    series(text).get(of).copied().unwrap_or_else(|| panic!("no {of} in\n{text}"))
}

/// The values of labels.
fn labels(text: &str) -> BTreeSet<&str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs =
        lines.filter_map(|line| Some(line.split_once('{')?.1.rsplit_once('}')?.0)).flat_map(|all| all.split("\","));
    pairs.filter_map(|pair| Some(pair.split_once("=\"")?.1.trim_end_matches('"'))).collect()
}

/// What a clinic tells after a bit of everything, with the word in it wherever a client may put one.
async fn after_a_bit_of_everything(clinic: &Clinic) -> String {
    let anna = clinic.practitioner();
    let input = json!({"legalName": {"given": WORD, "family": WORD}, "birthDate": "1990-01-01", "email": format!("{WORD}@example.com"), "chartNumber": WORD});
    let made = anna.does("registerPatient", input, "patient { id version }").await.ok();
    let patient = Made::of(&made["registerPatient"]["patient"]);
    let named = format!("query {WORD}($id: ID!) {{ {WORD}: patient(id: $id) {{ displayName }} }}");
    anna.graphql(&named, json!({"id": patient.id})).await.ok();
    let stale = json!({"id": patient.id, "expectedVersion": 7, "patch": {"preferredName": WORD}});
    assert_eq!(anna.does("updatePatient", stale, "patient { id }").await.code(), "CONFLICT");
    assert_eq!(anna.graphql(&format!("{{ {WORD} }}"), json!({})).await.code(), "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(clinic.anonymous().sign_in(&format!("{WORD}@example.com"), WORD).await.code(), "UNAUTHENTICATED");
    clinic.sign_in_again(&clinic.north, Role::Auditor).await;
    let page = json!({"documentId": "page", "variables": {"first": 1}});
    Answer::to(anna.request(reqwest::Method::POST, "/graphql").json(&page)).await.ok();
    for path in [format!("/{WORD}"), format!("/photos/{WORD}"), format!("/{}", patient.id)] {
        let request =
            anna.request(reqwest::Method::GET, &path).header("traceparent", WORD).header("x-request-id", WORD);
        request.send().await.expect("an answer");
    }
    let odd = reqwest::Method::from_bytes(WORD.as_bytes()).expect("a method");
    anna.request(odd, "/graphql").send().await.expect("an answer");
    follow_one(&anna, &patient).await;
    let text = clinic.metrics().await;
    let uuid = uuid_of(&patient.id).to_string();
    for word in [WORD, &WORD.to_lowercase(), &patient.id, &uuid, "example.com", "127.0.0.1", &anna.member.id] {
        assert!(!text.contains(word), "{word} in\n{text}");
    }
    text
}

/// Follows until something is told, and leaves; then is refused, and follows on.
async fn follow_one(anna: &Caller, patient: &Made) {
    let mut socket = Socket::of(anna).await;
    socket.follow(WORD, json!({"filter": {"patientId": patient.id}})).await;
    let edit = patient.edit_with(json!({"patch": {"language": "de"}}));
    let writing = async {
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
        anna.does("updatePatient", edit, "patient { id }").await.ok()
    };
    futures::join!(socket.change(WORD), writing);
    socket.send(tokio_tungstenite::tungstenite::Message::Close(None)).await;
    let mut nobody = Socket::open(anna.address()).await;
    nobody.say(&crate::live::init(WORD)).await;
    assert_eq!(nobody.hear().await.code(), 4403);
}

/// A clinic with a persisted document, whose metrics are served.
async fn watched_clinic(more: &[&str]) -> Clinic {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("documents.json");
    let page = "query FirstPatients($first: Int) { patients(first: $first) { nodes { displayName } } }";
    std::fs::write(&file, json!({"page": page}).to_string()).expect("a file");
    let flags = ["--metrics-listen", "0", "--persisted-documents", file.to_str().expect("text")];
    Clinic::with(&[&flags, more].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_what_happens_and_tell_of_nobody() {
    let clinic = watched_clinic(&[]).await;
    let text = after_a_bit_of_everything(&clinic).await;
    for of in [
        "clinic_operations_total{operation=\"registerPatient\",kind=\"mutation\",code=\"ok\"}",
        "clinic_operations_total{operation=\"patient\",kind=\"query\",code=\"ok\"}",
        "clinic_operations_total{operation=\"FirstPatients\",kind=\"query\",code=\"ok\"}",
        "clinic_operations_total{operation=\"updatePatient\",kind=\"mutation\",code=\"CONFLICT\"}",
        "clinic_operations_total{operation=\"unknown\",kind=\"unknown\",code=\"GRAPHQL_VALIDATION_FAILED\"}",
        "clinic_operations_total{operation=\"signIn\",kind=\"mutation\",code=\"UNAUTHENTICATED\"}",
        "clinic_operation_duration_seconds_count{operation=\"patient\",kind=\"query\"}",
        "clinic_gate_refusals_total{code=\"GRAPHQL_VALIDATION_FAILED\"}",
        "clinic_sign_ins_total{outcome=\"refused\"}",
        "clinic_sign_ins_total{outcome=\"signed_in\"}",
        "clinic_ledger_entries_total{kind=\"patient\",action=\"create\"}",
        "clinic_ledger_head_held_seconds_count",
        "clinic_access_log_rows_total{event=\"signed_in\"}",
        "clinic_http_requests_total{route=\"/photos/{token}\",method=\"GET\",status=\"404\"}",
        "clinic_http_requests_total{route=\"other\",method=\"GET\",status=\"404\"}",
        "clinic_http_requests_total{route=\"/graphql\",method=\"other\",status=\"405\"}",
        "clinic_live_events_total",
        "clinic_live_lag_seconds_count",
        "clinic_live_sockets_closed_total{why=\"forbidden\"}",
        "clinic_build_info{version=\"0.1.0\"}",
    ] {
        assert!(value(&text, of) >= 1.0, "{of}\n{text}");
    }
    // Patients were shown by three operations at least, and an operation waits for its row.
    assert!(value(&text, "clinic_access_log_rows_total{event=\"read\"}") >= 3.0);
    assert!(value(&text, "clinic_access_log_wait_seconds_count") >= 4.0);
    assert!(value(&text, "clinic_pool_connections_max{pool=\"requests\"}") == 8.0);
    assert!(value(&text, "clinic_pool_connections{pool=\"requests\"}") >= 1.0);
    assert!(value(&text, "clinic_pool_wait_seconds_count{pool=\"access_log\"}") >= 1.0);
    assert!(value(&text, "clinic_http_requests_under_way") == 0.0);
    assert_eq!(value(&text, "clinic_live_connections{transport=\"websocket\"}"), 0.0);
    assert_eq!(value(&text, "clinic_live_subscriptions"), 0.0);
    // The refused change took no entry.
    assert!(value(&text, "clinic_ledger_entries_total{kind=\"patient\",action=\"update\"}") == 1.0);
    // The same again is found in the caches.
    clinic.practitioner().graphql("{ me { id } }", json!({})).await.ok();
    let of = "clinic_cache_lookups_total{cache=\"documents\",outcome=\"hit\"}";
    let before = value(&clinic.metrics().await, of);
    clinic.practitioner().graphql("{ me { id } }", json!({})).await.ok();
    assert_eq!(value(&clinic.metrics().await, of), before + 1.0);
    // Nothing but words of the program's: no text, no id.
    let fits = |label: &str| {
        let plain = label.chars().all(|c| c.is_ascii_alphanumeric() || "_./{}+-".contains(c));
        let digits = label.chars().filter(char::is_ascii_digit).count();
        plain && label.len() <= 40 && digits <= 8
    };
    let odd: Vec<_> = labels(&text).into_iter().filter(|label| !fits(label)).collect();
    assert!(labels(&text).len() > 60 && odd.is_empty(), "{odd:?}");
    files::hold_to(&names(&text), &text);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_an_address_of_their_own() {
    let mut clinic = Clinic::with(&["--metrics-listen", "0"]).await;
    let response = clinic.get_metrics("/metrics").await;
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(clinic.get_metrics("/graphql").await.status(), 404);
    assert_eq!(clinic.get_metrics("/").await.status(), 404);
    // The API's own address knows nothing of it, to whoever asks.
    let public = clinic.admin().request(reqwest::Method::GET, "/metrics").send().await.expect("an answer");
    assert_eq!(public.status(), 404);
    assert!(clinic.metrics_address().is_some_and(|address| address.ip().is_loopback()));
    clinic.restart(&[]).await;
    assert_eq!(clinic.metrics_address(), None);
}
