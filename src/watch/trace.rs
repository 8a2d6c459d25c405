//! Traces: a request, its operations, their statements. Sent over OTLP to the collector of the settings, if they name one.
//!
//! Spans are made here by hand and not out of log lines, so that nothing gets into one but what is named here: methods,
//! routes, statuses, trusted names of operations, codes, costs, verbs and tables. No header but `traceparent` is read, and
//! of that nothing is taken but its numbers (`tracestate` is somebody's text, and is dropped).

use super::export::{Sender, TIMEOUT};
use super::operations::Asked;
use super::statement::name_of;
use futures::future::Either;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{
    FutureExt, Span as _, SpanBuilder, SpanKind, Status, TraceContextExt, Tracer, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider, Span};
use std::fmt::Write;
use std::time::Duration;
use tokio::runtime::Handle;

/// The header that a request's trace comes in.
pub const TRACEPARENT: &str = "traceparent";
/// The header that an answer says its trace in.
pub const TRACERESPONSE: &str = "traceresponse";

/// How long the service waits for the last traces to leave when it stops.
const LAST: Duration = Duration::from_secs(3);

/// Makes spans and sends them, a batch every five seconds. What does not fit the queue of 2,048 is dropped: nobody waits for
/// a collector.
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

/// A request's span, while it is held.
#[derive(Debug, Clone)]
pub struct RequestSpan(Context);

/// An operation's span, if its request is traced.
#[derive(Debug, Clone)]
pub struct OperationSpan(Option<Context>);

/// A statement's span, while it runs.
#[derive(Debug)]
pub struct StatementSpan(Span);

/// `traceparent`, and nothing else, for the parser.
struct Parent<'h>(&'h str);

impl Extractor for Parent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

impl Traces {
    /// Sends to a collector's address, such as `http://127.0.0.1:4318`, a share of the traces from 0 to 1. If `trusting`, a
    /// request that says it is traced is traced whatever the share; a request from anybody must not decide that.
    ///
    /// # Errors
    ///
    /// One line, where the address is none.
    pub fn open(endpoint: &str, share: f64, trusting: bool, runtime: Handle) -> Result<Self, String> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_timeout(TIMEOUT)
            .with_http_client(Sender::new(runtime)?)
            .build()
            .map_err(|error| format!("--otlp-endpoint: {error}"))?;
        let own = Sampler::TraceIdRatioBased(share);
        let sampler = if trusting { Sampler::ParentBased(Box::new(own)) } else { own };
        let resource = Resource::builder_empty()
            .with_service_name("clinic")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(sampler)
            .with_resource(resource)
            .build();
        Ok(Self { tracer: provider.tracer("clinic"), provider })
    }

    /// Sends what is left, and ends.
    pub async fn close(&self) {
        let provider = self.provider.clone();
        let ended = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(LAST)).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }

    /// Begins a request's span, in the trace that it comes with or in a new one.
    pub fn request(&self, traceparent: Option<&str>, method: &'static str, route: &'static str) -> RequestSpan {
        let none = Context::new();
        let parent = match traceparent {
            Some(header) => TraceContextPropagator::new().extract_with_context(&none, &Parent(header)),
            None => none,
        };
        let named = SpanBuilder::from_name(format!("{method} {route}"))
            .with_kind(SpanKind::Server)
            .with_attributes([KeyValue::new("http.request.method", method), KeyValue::new("http.route", route)]);
        let span = self.tracer.build_with_context(named, &parent);
        RequestSpan(parent.with_span(span))
    }

    /// Begins the span of an operation of the request that runs here.
    pub fn operation(&self, asked: &Asked) -> OperationSpan {
        let request = Context::current();
        if !request.span().is_recording() {
            return OperationSpan(None);
        }
        let named = SpanBuilder::from_name(format!("{} {}", asked.kind, asked.name)).with_attributes([
            KeyValue::new("graphql.operation.type", asked.kind),
            KeyValue::new("graphql.operation.name", asked.name.to_string()),
        ]);
        let span = self.tracer.build_with_context(named, &request);
        OperationSpan(Some(request.with_span(span)))
    }

    /// Begins the span of a statement of the operation that runs here, if that is traced. `text` is asked for then only.
    pub fn statement(&self, text: impl FnOnce() -> String) -> Option<StatementSpan> {
        let operation = Context::current();
        if !operation.span().is_recording() {
            return None;
        }
        let text = text();
        let (verb, table) = name_of(&text);
        let name = table.map_or_else(|| verb.to_owned(), |table| format!("{verb} {table}"));
        let mut attributes =
            vec![KeyValue::new("db.system.name", "postgresql"), KeyValue::new("db.operation.name", verb)];
        attributes.extend(table.map(|table| KeyValue::new("db.collection.name", table.to_owned())));
        let named = SpanBuilder::from_name(name).with_kind(SpanKind::Client).with_attributes(attributes);
        Some(StatementSpan(self.tracer.build_with_context(named, &operation)))
    }
}

impl RequestSpan {
    /// Runs the answering of the request within the span.
    pub fn around<F: Future>(&self, answering: F) -> impl Future<Output = F::Output> {
        answering.with_context(self.0.clone())
    }

    /// The value of `traceresponse`.
    pub fn response(&self) -> String {
        let span = self.0.span();
        let (trace, flags) = (span.span_context().trace_id(), span.span_context().trace_flags());
        format!("00-{trace}-{}-{:02x}", span.span_context().span_id(), flags.to_u8())
    }

    /// Ends it with the status of its answer.
    pub fn answered(self, status: u16) {
        let span = self.0.span();
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        if status >= 500 {
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

impl OperationSpan {
    /// Of a service that traces nothing.
    pub fn none() -> Self {
        Self(None)
    }

    /// Runs the operation within the span.
    pub fn around<F: Future>(&self, running: F) -> impl Future<Output = F::Output> {
        within(self.0.clone(), running)
    }

    /// Ends it with the code of its answer and its cost.
    pub fn answered(self, code: &'static str, cost: u64) {
        let Some(context) = self.0 else { return };
        let span = context.span();
        span.set_attribute(KeyValue::new("clinic.code", code));
        span.set_attribute(KeyValue::new("clinic.cost", i64::try_from(cost).unwrap_or(i64::MAX)));
        if matches!(code, "INTERNAL" | "UNAVAILABLE") {
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

impl StatementSpan {
    /// Ends it. What the database says of a failure may name values, so it is not kept.
    pub fn ended(mut self, failed: bool) {
        if failed {
            self.0.set_status(Status::error(""));
        }
        self.0.end();
    }
}

fn within<F: Future>(context: Option<Context>, running: F) -> impl Future<Output = F::Output> {
    match context {
        Some(context) => Either::Left(running.with_context(context)),
        None => Either::Right(running),
    }
}

/// Takes the span that runs here along to wherever this future will run: a task of its own.
pub fn carried<F: Future>(running: F) -> impl Future<Output = F::Output> {
    let context = Context::current();
    let traced = context.span().is_recording();
    within(traced.then_some(context), running)
}

/// The id of the trace that runs here, for log lines.
pub fn current() -> Option<String> {
    let context = Context::current();
    let span = context.span();
    let mut id = String::with_capacity(32);
    let _ = span.span_context().is_valid().then(|| write!(id, "{}", span.span_context().trace_id()));
    (!id.is_empty()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traces(share: f64, trusting: bool) -> Traces {
        Traces::open("http://127.0.0.1:9", share, trusting, Handle::current()).expect("traces")
    }

    const ID: &str = "0af7651916cd43dd8448eb211c80319c";

    #[tokio::test(flavor = "multi_thread")]
    async fn a_trace_is_taken_over_and_said() {
        let traces = traces(1.0, false);
        let span = traces.request(Some(&format!("00-{ID}-b7ad6b7169203331-00")), "POST", "/graphql");
        assert!(span.response().starts_with(&format!("00-{ID}-")) && span.response().ends_with("-01"));
        assert!(!span.response().contains("b7ad6b7169203331"), "its own span");
        let inside = span.around(async { current() }).await;
        assert_eq!(inside.as_deref(), Some(ID));
        assert_eq!(current(), None);
        let in_a_task = span.around(async { tokio::spawn(carried(async { current() })).await }).await;
        assert_eq!(in_a_task.expect("a task").as_deref(), Some(ID));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_no_trace_begins_a_new_one() {
        let traces = traces(1.0, false);
        let zeros = "0".repeat(32);
        for header in [
            "",
            "00",
            "Zoë Ramírez",
            &format!("ff-{ID}-b7ad6b7169203331-01"),
            &format!("00-{zeros}-b7ad6b7169203331-01"),
            &format!("00-{ID}-0000000000000000-01"),
            &format!("00-{}-b7ad6b7169203331-01", ID.to_uppercase()),
            &format!("00-{ID}-b7ad6b7169203331-01-more"),
        ] {
            let told = traces.request(Some(header), "GET", "/").response();
            let id = told.get(3..35).expect("an id");
            assert!(id != ID && id != zeros && id.chars().all(|c| c.is_ascii_hexdigit()), "{header}: {told}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn only_a_trusted_sender_decides_what_is_traced() {
        let header = format!("00-{ID}-b7ad6b7169203331-01");
        assert!(traces(0.0, false).request(Some(&header), "GET", "/").response().ends_with("-00"));
        assert!(traces(0.0, true).request(Some(&header), "GET", "/").response().ends_with("-01"));
        let untraced = traces(0.0, false);
        let span = untraced.request(None, "GET", "/");
        let statement = span.around(async { untraced.statement(|| panic!("its text is asked for")).is_none() }).await;
        assert!(statement);
    }
}
