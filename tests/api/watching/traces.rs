//! Traces, as a collector gets them.

use super::*;
use actix_web::{App, HttpResponse, HttpServer, web};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Told;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::sync::{Arc, Mutex};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// A collector: keeps what comes.
struct Collector {
    url: String,
    bodies: Arc<Mutex<Vec<web::Bytes>>>,
    handle: actix_web::dev::ServerHandle,
}

impl Collector {
    fn start() -> Self {
        let bodies = Arc::<Mutex<Vec<web::Bytes>>>::default();
        let kept = web::Data::from(Arc::clone(&bodies));
        let take = async |body: web::Bytes, kept: web::Data<Mutex<Vec<web::Bytes>>>| {
            kept.lock().unwrap().push(body);
            HttpResponse::Ok().finish()
        };
        let server =
            HttpServer::new(move || App::new().app_data(kept.clone()).route("/v1/traces", web::post().to(take)));
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { url, bodies, handle }
    }

    fn spans(&self) -> Vec<Span> {
        let bodies = self.bodies.lock().unwrap();
        let requests = bodies.iter().map(|body| ExportTraceServiceRequest::decode(body.clone()).expect("OTLP"));
        let all =
            requests.flat_map(|request| request.resource_spans).flat_map(|it| it.scope_spans).flat_map(|it| it.spans);
        all.collect()
    }

    /// Whether any of what came has these bytes.
    fn has(&self, word: &str) -> bool {
        self.bodies.lock().unwrap().iter().any(|body| body.windows(word.len()).any(|it| it == word.as_bytes()))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attribute(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|it| it.key == key).and_then(|it| it.value.clone()?.value);
    match found {
        Some(Told::StringValue(text)) => text,
        Some(Told::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_has_request_operations_and_statements_and_tells_of_nobody() {
    let collector = Collector::start();
    let mut clinic = watched_clinic(&["--otlp-endpoint", &collector.url]).await;
    after_a_bit_of_everything(&clinic).await;
    let anna = clinic.practitioner();
    let patient = anna.patient(WORD, WORD).await;
    let document = "query Chart($id: ID!) { patient(id: $id) { displayName sessions { nodes { id practitioner { displayName } } } } }";
    let request = anna.prepare(document, json!({"id": patient.id}));
    let answer = Answer::to(
        request.header("traceparent", format!("00-{TRACE}-{PARENT}-01")).header("tracestate", format!("x={WORD}")),
    )
    .await;
    let told = answer.headers["traceresponse"].to_str().expect("text").to_owned();
    assert!(told.starts_with(&format!("00-{TRACE}-")) && told.ends_with("-01"), "{told}");
    answer.ok();
    let input = json!({"id": patient.id, "expectedVersion": patient.version, "patch": {"preferredName": WORD}});
    let change = "mutation Change($input: UpdatePatientInput!) { updatePatient(input: $input) { patient { id } } }";
    let other = TRACE.replace('0', "1");
    let request =
        anna.prepare(change, json!({"input": input})).header("traceparent", format!("00-{other}-{PARENT}-00"));
    Answer::to(request).await.ok();
    // Stopping sends what is left.
    clinic.stop().await;
    let spans = collector.spans();
    let of = |trace: &str| spans.iter().filter(|span| hex(&span.trace_id) == trace).collect::<Vec<_>>();
    let reading = of(TRACE);
    let named = |spans: &[&Span], name: &str| {
        let found = spans.iter().find(|span| span.name == name).copied().cloned();
        found.unwrap_or_else(|| panic!("no {name} in {:?}", spans.iter().map(|span| &span.name).collect::<Vec<_>>()))
    };
    let request = named(&reading, "POST /graphql");
    assert_eq!(hex(&request.parent_span_id), PARENT);
    assert_eq!(told.split('-').nth(2), Some(hex(&request.span_id).as_str()));
    assert_eq!(attribute(&request, "http.response.status_code"), "200");
    let operation = named(&reading, "query patient");
    assert_eq!(operation.parent_span_id, request.span_id);
    assert_eq!(attribute(&operation, "clinic.code"), "ok");
    for statement in ["BEGIN", "SELECT patient", "SELECT treatment_session", "COMMIT"] {
        assert_eq!(named(&reading, statement).parent_span_id, operation.span_id, "{statement}");
    }
    let writing = of(&other);
    let operation = named(&writing, "mutation updatePatient");
    for statement in ["UPDATE patient", "INSERT ledger", "COMMIT"] {
        assert_eq!(named(&writing, statement).parent_span_id, operation.span_id, "{statement}");
    }
    // A persisted document has its own name; what a client calls its operation is not taken.
    assert!(spans.iter().any(|span| span.name == "query FirstPatients") && !collector.has("Chart"));
    let uuid = uuid_of(&patient.id).to_string();
    for word in [
        WORD,
        &WORD.to_lowercase(),
        &patient.id,
        &uuid,
        "example.com",
        "127.0.0.1",
        &anna.member.id,
        "displayName",
        "$1",
    ] {
        assert!(!collector.has(word), "{word}");
    }
    collector.handle.stop(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_nobody_waits_and_no_trace_is_said() {
    let mut clinic = Clinic::start().await;
    let ask = async |clinic: &Clinic| {
        let request = clinic.practitioner().prepare("{ me { id } }", json!({}));
        Answer::to(request.header("traceparent", format!("00-{TRACE}-{PARENT}-01"))).await
    };
    let answer = ask(&clinic).await;
    assert!(!answer.headers.contains_key("traceresponse"));
    answer.ok();
    // Nothing listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = format!("http://{}", free.local_addr().expect("an address"));
    drop(free);
    clinic.restart(&["--otlp-endpoint", &nobody, "--trace-share", "0"]).await;
    let answer = ask(&clinic).await;
    assert!(answer.headers["traceresponse"].to_str().expect("text").ends_with("-00"), "none of all");
    answer.ok();
    clinic.restart(&["--otlp-endpoint", &nobody]).await;
    assert!(ask(&clinic).await.headers["traceresponse"].to_str().expect("text").ends_with("-01"));
}
