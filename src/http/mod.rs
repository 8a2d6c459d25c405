//! The HTTP face: /graphql, /changes, /photos, /health, and the explorer page; and /metrics, on an address of its own.

mod address;
mod as_of;
mod changes;
mod graphql;
mod health;
mod home;
mod limits;
mod live;
pub mod metrics;
mod photo;
pub mod request;
pub mod response;
mod run;
mod shield;
pub mod streams;
pub mod tls;
pub mod watched;

use crate::access::rate::Rates;
use crate::api::Schema;
use crate::api::persisted::Persisted;
use crate::config::{Introspection, ServeSettings};
use crate::gate::DocumentCache;
use crate::operation::Service;
use crate::photo::intake::Intake;
use crate::watch::trace;
use actix_cors::Cors;
use actix_web::guard::{GuardContext, fn_guard};
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use actix_web::web;
pub use home::Home;
use request::BodyLimits;
pub use shield::shield;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

/// What every worker shares.
pub struct App {
    /// The schema.
    pub schema: Schema,
    /// The gate in front of it, with the parsed documents.
    pub gate: DocumentCache,
    /// The documents that may be named instead of sent.
    pub persisted: Persisted,
    /// Whether nothing else is taken.
    pub only_persisted: bool,
    /// Who may ask about the schema.
    pub introspection: Introspection,
    /// The limits by the minute.
    pub rates: Arc<Rates>,
    /// Places, memory and files for uploads.
    pub intake: Arc<Intake>,
    /// Sign-in, data, access log.
    pub service: Arc<Service>,
    /// Limits on bodies.
    pub body: BodyLimits,
    /// How long a request may take.
    pub deadline: Duration,
    /// Where the cookie is taken, and from whose pages.
    pub home: Home,
    /// Whether the client's address is what the proxy says.
    pub trust_proxy: bool,
    /// Whether the explorer page is served.
    pub explorer: bool,
    /// How many chains of the database are behind their newest checkpoint.
    pub behind: Arc<AtomicUsize>,
    /// Whether the service is not ready then.
    pub refuse_behind: bool,
}

fn asks_for_socket(request: &GuardContext<'_>) -> bool {
    live::socket::is_asked_for(request.head().headers())
}

/// The routes.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/graphql")
                .route(web::get().guard(fn_guard(asks_for_socket)).to(live::socket::socket))
                .route(web::to(graphql::graphql)),
        )
        .service(web::resource("/changes").route(web::get().to(changes::changes)))
        .service(web::resource("/photos/upload/{token}").route(web::put().to(photo::upload)))
        .service(web::resource("/photos/{token}").route(web::get().to(photo::download)))
        .service(web::resource("/health/live").route(web::get().to(health::live)))
        .service(web::resource("/health/ready").route(web::get().to(health::ready)))
        .service(web::resource("/").route(web::get().to(graphql::root)));
}

/// Cross-origin requests: from the listed origins only. The cookie may come from them too, with its header
/// (`request::cookie_token`).
pub fn cors(settings: &ServeSettings) -> Cors {
    let mut cors = Cors::default()
        .allowed_methods(["GET", "POST", "PUT"])
        .allowed_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("x-request-id"),
            HeaderName::from_static("access-reason"),
            request::CSRF,
            request::BACKGROUND,
            HeaderName::from_static(trace::TRACEPARENT),
        ])
        .expose_headers([
            HeaderName::from_static("x-request-id"),
            RETRY_AFTER,
            limits::POLICY,
            limits::REMAINING,
            HeaderName::from_static(trace::TRACERESPONSE),
        ])
        .max_age(600);
    for origin in &settings.allowed_origins {
        cors = cors.allowed_origin(origin).supports_credentials();
    }
    cors
}
