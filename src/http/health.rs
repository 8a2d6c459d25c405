//! Whether the service lives, and whether it can serve.

use super::App;
use actix_web::{HttpResponse, web};
use serde_json::json;

/// The process answers.
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "live"}))
}

/// The database answers. 503 while it is away, 200 again when it is back.
pub async fn ready(app: web::Data<App>) -> HttpResponse {
    if app.service.doorkeeper.pool().is_ready().await {
        HttpResponse::Ok().json(json!({"status": "ready"}))
    } else {
        HttpResponse::ServiceUnavailable()
            .insert_header(("Retry-After", "1"))
            .json(json!({"status": "unavailable", "reason": "the database does not answer"}))
    }
}
