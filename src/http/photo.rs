//! `/photos`: the bytes of photos, in and out, under signed addresses. Answers that fail are JSON,
//! `{"error": {"code", "message"}}`.

use super::App;
use super::address::client_address;
use super::request::{self, REQUEST_ID};
use crate::error::Error;
use crate::photo::MOST_BYTES;
use crate::photo::intake::{Arrived, Intake};
use crate::photo::picture::{HEAD, sniff};
use crate::photo::upload::{Bearer, Refused, Stored};
use crate::watch::trace;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER,
};
use actix_web::{HttpRequest, HttpResponse, web};
use futures::StreamExt;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout_at;

/// How long the bytes of an upload may take to come.
const DEADLINE: Duration = Duration::from_secs(120);
/// Over how long the least rate is counted.
const PACE: Duration = Duration::from_secs(10);
/// What is read of a body that is refused, so that its sender gets to read the answer.
const DRAIN: (usize, Duration) = (2 * MOST_BYTES, Duration::from_secs(10));

fn bearer(http: &HttpRequest, app: &App, id: &str) -> Bearer {
    Bearer {
        service: Arc::clone(&app.service),
        intake: Arc::clone(&app.intake),
        rates: Arc::clone(&app.rates),
        request_id: id.to_owned(),
        address: client_address(http, app.trust_proxy),
    }
}

fn refusal(refused: &Refused, id: &str) -> HttpResponse {
    let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response.insert_header((REQUEST_ID, id)).insert_header((CACHE_CONTROL, "no-store"));
    if let Some(seconds) = refused.retry_after {
        response.insert_header((RETRY_AFTER, seconds));
    }
    response.json(json!({"error": {"code": refused.code, "message": refused.message}}))
}

fn note(http: &HttpRequest, id: &str, status: u16, begun: Instant) {
    let millis = begun.elapsed().as_secs_f64() * 1000.0;
    tracing::info!(request = id, trace = trace::current(), method = %http.method(), status, millis, "photo");
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
        let place = app.intake.enter(pass.record, pass.holder.staff).await?;
        let arrived = collect(&mut payload, &app.intake).await?;
        Ok((pass, arrived, place))
    };
    match body.await {
        Ok((pass, arrived, place)) => {
            // In a task of its own: a client that hangs up can't cut it half-way.
            let work = actix_web::rt::spawn(trace::carried(async move {
                let outcome = bearer.receive(pass, arrived).await;
                drop(place);
                outcome
            }));
            let ended = |_| Refused::new(500, "INTERNAL", "something went wrong on our side; nothing was saved");
            work.await.map_err(ended)?
        }
        Err(refused) => {
            // Who was too slow has been waited for.
            if refused.status != StatusCode::REQUEST_TIMEOUT.as_u16() {
                drain(payload).await;
            }
            Err(refused)
        }
    }
}

/// Reads the body into a file as it comes: what is no picture is refused at its first bytes, what is too long at the
/// limit, what comes too slowly within ten seconds.
async fn collect(payload: &mut web::Payload, intake: &Intake) -> Result<Arrived, Refused> {
    let lost = |error: std::io::Error| {
        tracing::error!(%error, "the bytes of an upload can't be kept");
        Refused::from(Error::Unavailable)
    };
    let mut arriving = intake.file().await.map_err(lost)?;
    let mut head = Vec::with_capacity(HEAD);
    let mut pace = Pace::start(intake.least_rate());
    while let Some(chunk) = pace.next(payload).await? {
        if arriving.size().saturating_add(chunk.len()) > MOST_BYTES {
            return Err(Refused::too_large());
        }
        if head.len() < HEAD {
            head.extend(chunk.iter().take(HEAD - head.len()));
            if head.len() == HEAD {
                tell(&head)?;
            }
        }
        arriving.add(&chunk).await.map_err(lost)?;
    }
    if arriving.size() == 0 {
        return Err(Refused::new(400, "UPLOAD_CUT", "the upload is empty: send the picture's bytes as the body"));
    }
    arriving.end().await.map_err(lost)
}

/// How fast a body comes: at least so much in each ten seconds, all of it within two minutes.
struct Pace {
    least: u64,
    ends: tokio::time::Instant,
    window_ends: tokio::time::Instant,
    brought: u64,
}

impl Pace {
    fn start(rate: u64) -> Self {
        let now = tokio::time::Instant::now();
        let least = rate.saturating_mul(PACE.as_secs());
        Self { least, ends: now + DEADLINE, window_ends: now + PACE, brought: 0 }
    }

    async fn next(&mut self, payload: &mut web::Payload) -> Result<Option<web::Bytes>, Refused> {
        loop {
            let now = tokio::time::Instant::now();
            if now >= self.ends {
                let message = "the picture did not arrive within 120 s; nothing was kept";
                return Err(Refused::new(408, "REQUEST_TIMEOUT", message));
            }
            if now >= self.window_ends {
                if self.brought < self.least {
                    let message = "the picture arrives too slowly; nothing was kept: try again on a better connection";
                    return Err(Refused::new(408, "REQUEST_TIMEOUT", message));
                }
                (self.window_ends, self.brought) = (now + PACE, 0);
            }
            match timeout_at(self.ends.min(self.window_ends), payload.next()).await {
                Ok(Some(Ok(chunk))) => {
                    self.brought = self.brought.saturating_add(u64::try_from(chunk.len()).unwrap_or(0));
                    return Ok(Some(chunk));
                }
                Ok(Some(Err(_))) => return Err(Refused::cut()),
                Ok(None) => return Ok(None),
                Err(_) => {}
            }
        }
    }
}

fn tell(head: &[u8]) -> Result<(), Refused> {
    sniff(head).fault().map_or(Ok(()), |fault| Err(fault.into()))
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
                .insert_header((CACHE_CONTROL, format!("private, max-age={}, immutable", opened.keep)))
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
