//! Whether the service lives, and whether it can serve.

use super::App;
use actix_web::{HttpResponse, web};
use serde_json::json;
use std::sync::atomic::Ordering;

/// What is said while the database is behind its newest checkpoint. The log says which organisation's and how far.
const BEHIND: &str = "the database is behind its newest checkpoint: an old copy was put back, or its end was cut off";

/// The process answers.
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "live"}))
}

/// The database answers. 503 while it is away, 200 again when it is back. Its body warns while the database is behind its
/// newest checkpoint; that is 503 too, if the settings say so.
pub async fn ready(app: web::Data<App>) -> HttpResponse {
    let unavailable = |reason: &str| {
        HttpResponse::ServiceUnavailable()
            .insert_header(("Retry-After", "1"))
            .json(json!({"status": "unavailable", "reason": reason}))
    };
    if !app.service.doorkeeper.pool().is_ready().await {
        return unavailable("the database does not answer");
    }
    match app.behind.load(Ordering::Relaxed) {
        0 => HttpResponse::Ok().json(json!({"status": "ready"})),
        _ if app.refuse_behind => unavailable(BEHIND),
        _ => HttpResponse::Ok().json(json!({"status": "ready", "warning": BEHIND})),
    }
}
