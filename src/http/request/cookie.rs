//! The token in a cookie: taken from requests only that a foreign page could not have made a browser send.

use crate::access::token::COOKIE;
use crate::error::NotSignedIn;
use crate::http::home::Home;
use actix_web::HttpRequest;
use actix_web::http::{
    Method,
    header::{self, HeaderName},
};

/// A request that comes with the cookie says that it means to: a page can send this header to its own origin only, or
/// where CORS lets it.
pub const CSRF: HeaderName = HeaderName::from_static("clinic-csrf");

/// Why the cookie is not taken: for programs and for people.
pub type Refused = (NotSignedIn, &'static str);

const NOT_BY_GET: Refused = (NotSignedIn::Csrf, "sign in first: the cookie is taken with POST only");
const NO_HEADER: Refused =
    (NotSignedIn::Csrf, "sign in first: the cookie is taken with the header Clinic-Csrf: 1 only");
const FOREIGN: Refused = (
    NotSignedIn::Origin,
    "sign in first: the cookie is taken at this service's own address (--public-url) only, from its pages and those of \
     --allowed-origins",
);
const TWICE: Refused = (NotSignedIn::Unknown, "sign in first: the request has the cookie twice");

/// The token of the cookie; `None` when there is no such cookie, an error with the reason when it is not taken.
///
/// Forms and plain text never get here: a POST is JSON, which a foreign page can't send without asking (CORS). The
/// header is asked for beside that, the name that is asked must be ours, and where the browser says which page asks, that
/// too.
pub fn cookie_token(http: &HttpRequest, home: &Home) -> Result<Option<String>, Refused> {
    let Some(token) = sent(http)? else { return Ok(None) };
    if http.method() != Method::POST {
        return Err(NOT_BY_GET);
    }
    if !http.headers().contains_key(CSRF) {
        return Err(NO_HEADER);
    }
    if !home.takes(http) {
        return Err(FOREIGN);
    }
    Ok(Some(token))
}

/// The token of the cookie with which a WebSocket is asked for. A page can't add a header there, and the browser always says
/// which page it is: without that, it is not taken.
pub fn socket_cookie(http: &HttpRequest, home: &Home) -> Result<Option<String>, Refused> {
    let Some(token) = sent(http)? else { return Ok(None) };
    if !http.headers().contains_key(header::ORIGIN) || !home.takes(http) {
        return Err(FOREIGN);
    }
    Ok(Some(token))
}

/// The token that the cookie holds.
fn sent(http: &HttpRequest) -> Result<Option<String>, Refused> {
    let mut tokens = Vec::new();
    for value in http.headers().get_all(header::COOKIE) {
        let pairs = value.to_str().unwrap_or_default().split(';');
        let named = pairs.filter_map(|pair| pair.trim().split_once('='));
        tokens.extend(named.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value.trim().to_owned()));
    }
    let token = tokens.pop();
    if tokens.is_empty() { Ok(token) } else { Err(TWICE) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Command, CommandLine};
    use actix_web::test::TestRequest;
    use clap::Parser;

    fn home() -> Home {
        let flags = ["clinic", "serve", "--public-url", "https://clinic.example.com"];
        let Command::Serve(settings) = CommandLine::try_parse_from(flags).expect("flags").command else {
            panic!("serve")
        };
        Home::of(&settings, "127.0.0.1:8080".parse().expect("an address"))
    }

    fn taken(headers: &[(&'static str, &'static str)]) -> Result<Option<String>, Refused> {
        let request = headers.iter().fold(TestRequest::post(), |request, pair| request.append_header(*pair));
        cookie_token(&request.to_http_request(), &home())
    }

    const MINE: (&str, &str) = ("cookie", "a=b; __Host-clinic=token; c=d");
    const MEANT: (&str, &str) = ("clinic-csrf", "1");
    const HOST: (&str, &str) = ("host", "clinic.example.com");

    #[test]
    fn a_cookie_is_taken_at_home() {
        let page = [MINE, MEANT, HOST, ("origin", "https://clinic.example.com"), ("sec-fetch-site", "same-origin")];
        assert_eq!(taken(&page), Ok(Some("token".to_owned())));
        assert_eq!(taken(&[MINE, MEANT, HOST]), Ok(Some("token".to_owned())), "no browser");
        assert_eq!(taken(&[("cookie", "clinic=x; __Host-clinic2=y"), HOST]), Ok(None));
    }

    #[test]
    fn a_cookie_is_not_taken_from_strangers() {
        for (name, value) in
            [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("host", "evil.example")]
        {
            assert_eq!(taken(&[MINE, MEANT, HOST, (name, value)]), Err(FOREIGN), "{name}: {value}");
        }
        let rebound = [MINE, MEANT, ("host", "evil.example"), ("origin", "https://evil.example")];
        assert_eq!(taken(&rebound), Err(FOREIGN), "a page of a name that points here");
        assert_eq!(taken(&[MINE, HOST]), Err(NO_HEADER));
        assert_eq!(taken(&[MINE, MEANT, ("cookie", "__Host-clinic=other")]), Err(TWICE));
        let get = TestRequest::get().append_header(MINE).append_header(MEANT).append_header(HOST).to_http_request();
        assert_eq!(cookie_token(&get, &home()), Err(NOT_BY_GET));
    }

    #[test]
    fn a_socket_takes_the_cookie_from_pages_of_this_service_only() {
        let taken = |headers: &[(&'static str, &'static str)]| {
            let request = headers.iter().fold(TestRequest::get(), |request, pair| request.append_header(*pair));
            socket_cookie(&request.to_http_request(), &home())
        };
        let own = ("origin", "https://clinic.example.com");
        assert_eq!(taken(&[MINE, HOST, own]), Ok(Some("token".to_owned())));
        assert_eq!(taken(&[HOST, own]), Ok(None));
        assert_eq!(taken(&[MINE, HOST]), Err(FOREIGN), "a page always has an origin");
        assert_eq!(taken(&[MINE, HOST, ("origin", "https://evil.example")]), Err(FOREIGN));
        assert_eq!(taken(&[MINE, ("host", "evil.example"), own]), Err(FOREIGN));
        assert_eq!(taken(&[MINE, HOST, own, ("cookie", "__Host-clinic=other")]), Err(TWICE));
    }
}
