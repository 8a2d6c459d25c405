//! Security headers that every answer has unless it overrides them.

use actix_web::middleware::DefaultHeaders;

/// Name and value.
const HEADERS: &[(&str, &str)] = &[
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    // Pages of listed origins read the API by CORS, which this does not touch. Photos have their own value.
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("Cache-Control", "no-store"),
];
/// Two years: only over TLS of our own, since a proxy in front decides for itself.
const TRANSPORT: (&str, &str) = ("Strict-Transport-Security", "max-age=63072000");

/// Sets the headers that an answer does not set itself.
pub fn shield(tls: bool) -> DefaultHeaders {
    let tls = tls.then_some(TRANSPORT);
    HEADERS.iter().copied().chain(tls).fold(DefaultHeaders::new(), |headers, pair| headers.add(pair))
}
