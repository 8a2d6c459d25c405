//! The token in a cookie: taken from requests only that a foreign page could not have made a browser send.

use crate::access::token::COOKIE;
use crate::error::NotSignedIn;
use actix_web::HttpRequest;
use actix_web::http::{
    Method,
    header::{self, HeaderMap, HeaderName},
};

/// A request that comes with the cookie says that it means to: a page can send this header to its own origin only, or
/// where CORS lets it.
pub const CSRF: HeaderName = HeaderName::from_static("clinic-csrf");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Why the cookie is not taken: for programs and for people.
pub type Refused = (NotSignedIn, &'static str);

const NOT_BY_GET: Refused = (NotSignedIn::Csrf, "sign in first: the cookie is taken with POST only");
const NO_HEADER: Refused =
    (NotSignedIn::Csrf, "sign in first: the cookie is taken with the header Clinic-Csrf: 1 only");
const FOREIGN: Refused = (
    NotSignedIn::Origin,
    "sign in first: the cookie is taken from pages of this service's own address and of --allowed-origins only",
);
const TWICE: Refused = (NotSignedIn::Unknown, "sign in first: the request has the cookie twice");

/// The token of the cookie; `None` when there is no such cookie, an error with the reason when it is not taken.
///
/// Forms and plain text never get here: a POST is JSON, which a foreign page can't send without asking (CORS). The
/// header is asked for beside that, and where the browser says which page asks, it must be one of ours.
pub fn cookie_token(http: &HttpRequest, origins: &[String]) -> Result<Option<String>, Refused> {
    let mut tokens = Vec::new();
    for value in http.headers().get_all(header::COOKIE) {
        let pairs = value.to_str().unwrap_or_default().split(';');
        let named = pairs.filter_map(|pair| pair.trim().split_once('='));
        tokens.extend(named.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value.trim().to_owned()));
    }
    let Some(token) = tokens.pop() else { return Ok(None) };
    if !tokens.is_empty() {
        return Err(TWICE);
    }
    if http.method() != Method::POST {
        return Err(NOT_BY_GET);
    }
    let head = http.headers();
    if !head.contains_key(CSRF) {
        return Err(NO_HEADER);
    }
    let site = head.get(SEC_FETCH_SITE).map(header::HeaderValue::as_bytes);
    if site.is_some_and(|site| site == b"cross-site") || !is_ours(head, origins) {
        return Err(FOREIGN);
    }
    Ok(Some(token))
}

/// Whether the page that asks is of this very address or of a listed origin. What says no origin is no page.
fn is_ours(head: &HeaderMap, origins: &[String]) -> bool {
    let mut given = head.get_all(header::ORIGIN).map(|origin| origin.to_str().unwrap_or("null"));
    let Some(origin) = given.next() else { return true };
    if given.next().is_some() {
        return false;
    }
    if origins.iter().any(|ours| ours == origin) {
        return true;
    }
    let host = head.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
    // Without TLS anybody on the way could be the page; on one machine nobody is on the way.
    let here = ["localhost", "127.0.0.1", "[::1]"].contains(&name);
    !host.is_empty() && (origin == format!("https://{host}") || here && origin == format!("http://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn taken(headers: &[(&'static str, &'static str)]) -> Result<Option<String>, Refused> {
        let request = headers.iter().fold(TestRequest::post(), |request, pair| request.append_header(*pair));
        cookie_token(&request.to_http_request(), &["https://app.example.com".to_owned()])
    }

    const MINE: (&str, &str) = ("cookie", "a=b; __Host-clinic=token; c=d");
    const MEANT: (&str, &str) = ("clinic-csrf", "1");
    const HOST: (&str, &str) = ("host", "clinic.example.com");

    #[test]
    fn a_cookie_is_taken_from_ones_own_pages() {
        for origin in ["https://clinic.example.com", "https://app.example.com"] {
            let found = taken(&[MINE, MEANT, HOST, ("origin", origin), ("sec-fetch-site", "same-site")]);
            assert_eq!(found, Ok(Some("token".to_owned())), "{origin}");
        }
        assert_eq!(taken(&[MINE, MEANT, HOST]), Ok(Some("token".to_owned())), "no browser");
        let local = [MINE, MEANT, ("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:8080")];
        assert_eq!(taken(&local), Ok(Some("token".to_owned())));
        assert_eq!(taken(&[("cookie", "clinic=x; __Host-clinic2=y"), HOST]), Ok(None));
    }

    #[test]
    fn a_cookie_is_not_taken_from_strangers() {
        for origin in [
            "https://evil.example",
            "http://clinic.example.com",
            "https://clinic.example.com.evil.example",
            "https://clinic.example.com:444",
            "null",
            "",
        ] {
            assert_eq!(taken(&[MINE, MEANT, HOST, ("origin", origin)]), Err(FOREIGN), "{origin}");
        }
        let twice = [MINE, MEANT, HOST, ("origin", "https://app.example.com"), ("origin", "https://evil.example")];
        assert_eq!(taken(&twice), Err(FOREIGN));
        assert_eq!(taken(&[MINE, MEANT, HOST, ("sec-fetch-site", "cross-site")]), Err(FOREIGN));
        assert_eq!(taken(&[MINE, HOST]), Err(NO_HEADER));
        assert_eq!(taken(&[MINE, MEANT, ("cookie", "__Host-clinic=other")]), Err(TWICE));
        let get = TestRequest::get().append_header(MINE).append_header(MEANT).to_http_request();
        assert_eq!(cookie_token(&get, &[]), Err(NOT_BY_GET));
    }
}
