//! What a client is told about its limits: headers, and the extensions of an answer.

use crate::access::rate::{Standing, WINDOW};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use async_graphql::{Name, Value};

/// Which limit it is, how much and how long: `"account";q=300000;w=60`.
pub const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// How much is left of it and for how many seconds: `"account";r=299000;t=42`.
pub const REMAINING: HeaderName = HeaderName::from_static("ratelimit");

/// Puts both headers, by draft-ietf-httpapi-ratelimit-headers, and `Retry-After` where the limit was passed.
pub fn tell(status: StatusCode, headers: &mut HeaderMap, standing: &Standing) {
    let Standing { policy, limit, remaining, resets_in } = standing;
    let mut put = |name, text: String| {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    };
    put(POLICY, format!("\"{policy}\";q={limit};w={WINDOW}"));
    put(REMAINING, format!("\"{policy}\";r={remaining};t={resets_in}"));
    if status == StatusCode::TOO_MANY_REQUESTS && !headers.contains_key(RETRY_AFTER) {
        headers.insert(RETRY_AFTER, (*resets_in).into());
    }
}

/// The same for the extensions of an answer.
pub fn extension(standing: &Standing) -> Value {
    let pairs = [("limit", standing.limit), ("remaining", standing.remaining), ("resetsIn", standing.resets_in)];
    Value::Object(pairs.into_iter().map(|(name, number)| (Name::new(name), Value::from(number))).collect())
}
