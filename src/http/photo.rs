//! `/photos`: the bytes of photos, in and out, under signed addresses. Answers that fail are JSON,
//! `{"error": {"code", "message"}}`.

use super::App;
use super::graphql::client_address;
use super::request::{self, REQUEST_ID};
use crate::photo::MOST_BYTES;
use crate::photo::picture::{Content, HEAD, PictureFault, sniff};
use crate::photo::upload::{Bearer, Refused, Stored};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER,
};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use serde_json::json;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// How long the bytes of an upload may take to come.
const DEADLINE: Duration = Duration::from_secs(120);
/// How long an upload waits for others to end.
const QUEUE: Duration = Duration::from_secs(20);
/// Uploads whose bytes are in memory at a time: 8 of 25 MiB.
static UPLOADS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(8));
/// What is read of a body that is refused, so that its sender gets to read the answer.
const DRAIN: (usize, Duration) = (2 * MOST_BYTES, Duration::from_secs(10));

fn bearer(http: &HttpRequest, app: &App, id: &str) -> Bearer {
    Bearer {
        service: Arc::clone(&app.service),
        request_id: id.to_owned(),
        address: client_address(http, app.trust_proxy),
    }
}

fn refusal(refused: &Refused, id: &str) -> HttpResponse {
    let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response.insert_header((REQUEST_ID, id)).insert_header((CACHE_CONTROL, "no-store"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.insert_header((RETRY_AFTER, "1"));
    }
    response.json(json!({"error": {"code": refused.code, "message": refused.message}}))
}

fn note(http: &HttpRequest, id: &str, status: u16, begun: Instant) {
    let millis = begun.elapsed().as_secs_f64() * 1000.0;
    tracing::info!(request = id, method = %http.method(), status, millis, "photo");
}

/// `PUT /photos/upload/<token>`
pub async fn upload(
    http: HttpRequest,
    token: web::Path<String>,
    payload: web::Payload,
    app: web::Data<App>,
) -> HttpResponse {
    let begun = Instant::now();
    let id = request::request_id(http.headers());
    let answer = match take(&http, &token, payload, &app, &id).await {
        Ok(stored) => HttpResponse::Ok()
            .insert_header((REQUEST_ID, id.as_str()))
            .insert_header((CACHE_CONTROL, "no-store"))
            .json(json!({
                "photoId": stored.photo_id, "contentHash": stored.content_hash, "width": stored.width, "height": stored.height,
            })),
        Err(refused) => refusal(&refused, &id),
    };
    note(&http, &id, answer.status().as_u16(), begun);
    answer
}

async fn take(
    http: &HttpRequest,
    token: &str,
    mut payload: web::Payload,
    app: &App,
    id: &str,
) -> Result<Stored, Refused> {
    let bearer = bearer(http, app, id);
    let body = async {
        let pass = bearer.admit(token).await?;
        let declared = http.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > MOST_BYTES as u64) {
            return Err(Refused::too_large());
        }
        let busy = || Refused::new(503, "UNAVAILABLE", "many pictures are being uploaded: try again in a minute");
        let place = tokio::time::timeout(QUEUE, UPLOADS.acquire()).await.ok().and_then(Result::ok).ok_or_else(busy)?;
        let slow =
            |_| Refused::new(408, "REQUEST_TIMEOUT", "the picture did not arrive within 120 s; nothing was kept");
        let bytes = tokio::time::timeout(DEADLINE, collect(&mut payload)).await.map_err(slow)??;
        Ok((pass, bytes, place))
    };
    match body.await {
        Ok((pass, bytes, place)) => {
            // In a task of its own: a client that hangs up can't cut it half-way.
            let work = actix_web::rt::spawn(async move {
                let outcome = bearer.receive(pass, bytes).await;
                drop(place);
                outcome
            });
            let ended = |_| Refused::new(500, "INTERNAL", "something went wrong on our side; nothing was saved");
            work.await.map_err(ended)?
        }
        Err(refused) => {
            drain(payload).await;
            Err(refused)
        }
    }
}

/// Reads the body as it comes: what is no picture is refused at its first bytes, what is too long at the limit.
async fn collect(payload: &mut web::Payload) -> Result<Bytes, Refused> {
    let mut body = BytesMut::new();
    let mut told = false;
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Refused::cut())?;
        if body.len().saturating_add(chunk.len()) > MOST_BYTES {
            return Err(Refused::too_large());
        }
        body.extend_from_slice(&chunk);
        if !told && body.len() >= HEAD {
            tell(&body)?;
            told = true;
        }
    }
    if body.is_empty() {
        return Err(Refused::new(400, "UPLOAD_CUT", "the upload is empty: send the picture's bytes as the body"));
    }
    Ok(body.freeze())
}

fn tell(head: &[u8]) -> Result<(), Refused> {
    match sniff(head) {
        Content::Picture(_) => Ok(()),
        Content::Heic => Err(PictureFault::Heic.into()),
        Content::Other => Err(PictureFault::NotAPicture.into()),
    }
}

async fn drain(mut payload: web::Payload) {
    let (mut left, time) = DRAIN;
    let rest = async {
        while let Some(Ok(chunk)) = payload.next().await {
            left = left.saturating_sub(chunk.len());
            if left == 0 {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(time, rest).await;
}

/// `GET /photos/<token>`
pub async fn download(http: HttpRequest, token: web::Path<String>, app: web::Data<App>) -> HttpResponse {
    let begun = Instant::now();
    let id = request::request_id(http.headers());
    let answer = match bearer(&http, &app, &id).open(&token).await {
        Ok(opened) => {
            let name = opened.media_type.rsplit('/').next().unwrap_or("jpeg");
            HttpResponse::Ok()
                .insert_header((REQUEST_ID, id.as_str()))
                .insert_header((CONTENT_TYPE, opened.media_type))
                .insert_header((CACHE_CONTROL, "private, no-store"))
                .insert_header((CONTENT_DISPOSITION, format!("inline; filename=\"photo.{name}\"")))
                .insert_header((CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"))
                .insert_header(("Cross-Origin-Resource-Policy", "cross-origin"))
                .insert_header(("Referrer-Policy", "no-referrer"))
                .body(actix_web::body::SizedStream::new(opened.size, opened.stream))
        }
        Err(refused) => refusal(&refused, &id),
    };
    note(&http, &id, answer.status().as_u16(), begun);
    answer
}
