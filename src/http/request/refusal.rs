//! A request that was refused before GraphQL came into it.

use std::fmt;

use actix_web::{
    HttpResponse, HttpResponseBuilder, ResponseError,
    http::{
        StatusCode,
        header::{self, HeaderName},
    },
};
use serde_json::json;

use crate::error::NotSignedIn;

use super::{MediaType, REQUEST_ID};

/// A refusal by HTTP's rules, answered as a GraphQL error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRefusal {
    /// The status code.
    pub status: StatusCode,
    /// `extensions.code`.
    pub code: &'static str,
    /// What is wrong and what would be right. Never quotes what the client sent.
    pub message: String,
    /// Headers that go with the status.
    pub headers: Vec<(HeaderName, &'static str)>,
    /// What it is answered in.
    pub media: MediaType,
    /// Seconds to wait, where waiting helps.
    pub retry_after: Option<u64>,
    /// Why the request is nobody's, where that is what is wrong.
    pub reason: Option<NotSignedIn>,
}

impl RequestRefusal {
    /// A refusal in `application/json`, without headers of its own.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            headers: Vec::new(),
            media: MediaType::Json,
            retry_after: None,
            reason: None,
        }
    }

    /// Too many requests of one address.
    pub fn too_many(seconds: u64) -> Self {
        let message = format!("too many requests from this network address: wait {seconds} s");
        let refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", message);
        Self { retry_after: Some(seconds), ..refusal }
    }

    /// A request that HTTP can carry, and that says nothing sensible.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BAD_REQUEST", message)
    }

    pub(super) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message)
    }

    pub(super) fn method_not_allowed(message: String, allow: &'static str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message).with(header::ALLOW, allow)
    }

    pub(super) fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn because(mut self, reason: NotSignedIn) -> Self {
        self.reason = Some(reason);
        self
    }

    pub(super) fn closing(self) -> Self {
        self.with(header::CONNECTION, "close")
    }

    /// The same refusal, answered in `media`.
    #[must_use]
    pub fn in_media(mut self, media: MediaType) -> Self {
        self.media = media;
        self
    }

    /// The HTTP response, marked with the request's id.
    pub fn into_response(self, request_id: &str) -> HttpResponse {
        self.respond().insert_header((REQUEST_ID, request_id)).body(self.body())
    }

    fn respond(&self) -> HttpResponseBuilder {
        let mut response = HttpResponse::build(self.status);
        response.content_type(self.media.content_type()).insert_header((header::CACHE_CONTROL, "no-store"));
        for (name, value) in &self.headers {
            response.insert_header((name.clone(), *value));
        }
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        response
    }

    fn body(&self) -> String {
        let mut extensions = json!({"code": self.code});
        if let (Some(seconds), Some(extensions)) = (self.retry_after, extensions.as_object_mut()) {
            extensions.insert("retryAfter".to_owned(), seconds.into());
        }
        if let (Some(reason), Some(extensions)) = (self.reason, extensions.as_object_mut()) {
            extensions.insert("reason".to_owned(), reason.word().into());
        }
        json!({"errors": [{"message": self.message, "extensions": extensions}]}).to_string()
    }
}

impl fmt::Display for RequestRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl ResponseError for RequestRefusal {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        self.respond().body(self.body())
    }
}
