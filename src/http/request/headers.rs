//! The headers that the service gives a meaning to.

use actix_web::http::{
    StatusCode,
    header::{self, HeaderMap, HeaderName},
};
use uuid::Uuid;

use crate::characters::{fault_of_line, legible, length_seen};
use crate::error::NotSignedIn;

use super::RequestRefusal;

/// Names a request, in the log and in the answer.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Says that nobody sits before a request: a front end that asks again by itself.
pub const BACKGROUND: HeaderName = HeaderName::from_static("clinic-background");
const ACCESS_REASON: HeaderName = HeaderName::from_static("access-reason");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// A token has 43 characters; this leaves room for a longer kind and none for mischief.
const LONGEST_TOKEN: usize = 512;

/// The token of `Authorization: Bearer <token>`; `None` when the header is absent or says no more than `Bearer`, as clients
/// send it whose user is not signed in. Whether the token is any good is not looked at.
///
/// # Errors
/// 401 `UNAUTHENTICATED` when the header is there and says something else.
pub fn bearer_token(head: &HeaderMap) -> Result<Option<&str>, RequestRefusal> {
    let mut given = head.get_all(header::AUTHORIZATION);
    let Some(first) = given.next() else { return Ok(None) };
    let alone = given.next().is_none();
    let empty = |text: &str| text.trim().is_empty() || text.trim().eq_ignore_ascii_case("bearer");
    if alone && first.to_str().is_ok_and(empty) {
        return Ok(None);
    }
    let token = first.to_str().ok().filter(|_| alone).and_then(|value| {
        let (scheme, token) = value.trim().split_once(' ')?;
        let token = token.trim();
        let fits = (1..=LONGEST_TOKEN).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
        (scheme.eq_ignore_ascii_case("bearer") && fits).then_some(token)
    });
    token.map(Some).ok_or_else(|| {
        let message = "the Authorization header can't be read: send Authorization: Bearer <token>";
        RequestRefusal::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", message)
            .with(header::WWW_AUTHENTICATE, "Bearer")
            .because(NotSignedIn::Unknown)
    })
}

/// The value of `Idempotency-Key`; `None` when the header is absent.
///
/// # Errors
/// 400 unless it is one header of 1 to 255 visible ASCII characters.
pub fn idempotency_key(head: &HeaderMap) -> Result<Option<&str>, RequestRefusal> {
    let mut given = head.get_all(IDEMPOTENCY_KEY);
    let Some(first) = given.next() else { return Ok(None) };
    let visible = |key: &&str| (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    let key = first.to_str().ok().filter(visible).filter(|_| given.next().is_none());
    key.map(Some).ok_or_else(|| {
        RequestRefusal::bad_request("Idempotency-Key takes 1 to 255 visible ASCII characters, once: a UUID does well")
    })
}

/// The value of `Access-Reason`: why restricted patients are looked at; `None` when the header is absent. Letters beyond
/// ASCII come as UTF-8. Whoever reads the access log must see it, so it is held to the rules of a name.
///
/// # Errors
/// 400 unless it is one header of one line of 3 to 500 characters that can be seen.
pub fn access_reason(head: &HeaderMap) -> Result<Option<String>, RequestRefusal> {
    let mut given = head.get_all(ACCESS_REASON);
    let Some(first) = given.next() else { return Ok(None) };
    let once = given.next().is_none();
    let reason = std::str::from_utf8(first.as_bytes()).ok().map(str::trim).filter(|_| once);
    if let Some(fault) = reason.and_then(fault_of_line) {
        return Err(RequestRefusal::bad_request(format!("Access-Reason {fault}")));
    }
    // So the log writes the reasons of emergency access, which others are told of.
    let reason = reason.filter(|reason| !reason.to_lowercase().starts_with("emergency:"));
    let reason = reason.filter(|reason| length_seen(reason) >= 3 && reason.chars().count() <= 500);
    reason.map(|reason| Some(reason.to_owned())).ok_or_else(|| {
        RequestRefusal::bad_request(
            "Access-Reason takes 3 to 500 characters of UTF-8, once, and does not begin with `emergency:`: say why you need \
             the record",
        )
    })
}

/// Whether a request says by `Clinic-Background: 1` that nobody sits before it.
///
/// # Errors
/// 400 for any other value: a client that means something else by it must not learn so by being signed out.
pub fn background(head: &HeaderMap) -> Result<bool, RequestRefusal> {
    let mut given = head.get_all(BACKGROUND);
    let Some(first) = given.next() else { return Ok(false) };
    if first.as_bytes() == b"1" && given.next().is_none() {
        return Ok(true);
    }
    Err(RequestRefusal::bad_request(
        "Clinic-Background takes 1, once: leave it out where somebody waits for the answer",
    ))
}

/// What the client calls itself (`User-Agent`), cut to 200 characters: so that somebody knows their sign-ins again. What
/// nobody sees, or what turns the line around, is left out: nobody can be asked to call themselves something else.
pub fn client(head: &HeaderMap) -> String {
    let said = head.get(header::USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    legible(&said.unwrap_or_default()).trim().chars().take(200).collect()
}

/// The client's `X-Request-Id` if it is fit for a log line, else a new one.
pub fn request_id(head: &HeaderMap) -> String {
    let fits = |id: &&str| {
        (1..=128).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    };
    let given = head.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(fits);
    given.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

/// Lets plain JSON through. Forms and text would let a foreign page post without asking (CSRF); compressed bodies can
/// unpack to a thousand times their size.
pub(super) fn hold_body_type(head: &HeaderMap) -> Result<(), RequestRefusal> {
    let mut encodings = head.get_all(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or_default());
    if !encodings.all(|value| value.trim().eq_ignore_ascii_case("identity")) {
        let refusal = RequestRefusal::unsupported("compressed bodies are not read: send the body as it is");
        return Err(refusal.with(header::ACCEPT_ENCODING, "identity"));
    }
    let mut types = head.get_all(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
    let is_json = types.next().is_some_and(is_utf8_json) && types.next().is_none();
    if is_json { Ok(()) } else { Err(RequestRefusal::unsupported("send the body with Content-Type: application/json")) }
}

fn is_utf8_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("application/json"));
    is_json
        && parts.all(|part| match part.split_once('=') {
            Some((key, value)) if key.trim().eq_ignore_ascii_case("charset") => {
                value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

#[cfg(test)]
mod tests {
    use actix_web::{HttpRequest, test::TestRequest};

    use super::*;

    fn with(headers: &[(&'static str, &'static str)]) -> HttpRequest {
        let request = headers.iter().fold(TestRequest::default(), |request, pair| request.append_header(*pair));
        request.to_http_request()
    }

    #[test]
    fn a_bearer_token_is_read_or_said_to_be_malformed() {
        for value in ["Bearer abc-._~+/=", "bearer  abc-._~+/= ", "BEARER abc-._~+/="] {
            assert_eq!(bearer_token(with(&[("authorization", value)]).headers()), Ok(Some("abc-._~+/=")), "{value}");
        }
        assert_eq!(bearer_token(with(&[]).headers()), Ok(None));
        for nobody in ["", " ", "Bearer", "bearer "] {
            assert_eq!(bearer_token(with(&[("authorization", nobody)]).headers()), Ok(None), "{nobody:?}");
        }
        for value in ["Basic", "Basic abc", "abc", "Bearer a b", "Bearer\tabc"] {
            let refusal = bearer_token(with(&[("authorization", value)]).headers()).unwrap_err();
            assert_eq!((refusal.status.as_u16(), refusal.code), (401, "UNAUTHENTICATED"), "{value:?}");
            assert_eq!(refusal.headers, [(header::WWW_AUTHENTICATE, "Bearer")]);
            assert_eq!(refusal.reason, Some(NotSignedIn::Unknown));
        }
        assert!(bearer_token(with(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]).headers()).is_err());
        let long: &'static str = Box::leak(format!("Bearer {}", "a".repeat(513)).into_boxed_str());
        assert!(bearer_token(with(&[("authorization", long)]).headers()).is_err());
    }

    #[test]
    fn an_idempotency_key_is_short_and_visible() {
        let full: &'static str = Box::leak("k".repeat(255).into_boxed_str());
        let long: &'static str = Box::leak("k".repeat(256).into_boxed_str());
        assert_eq!(idempotency_key(with(&[]).headers()), Ok(None));
        for key in ["k", "\"quoted\"", full] {
            assert_eq!(idempotency_key(with(&[("idempotency-key", key)]).headers()), Ok(Some(key)));
        }
        for key in ["", " ", "a b", "é", long] {
            let refusal = idempotency_key(with(&[("idempotency-key", key)]).headers()).unwrap_err();
            assert_eq!((refusal.status.as_u16(), refusal.code), (400, "BAD_REQUEST"), "{key:?}");
        }
        assert!(idempotency_key(with(&[("idempotency-key", "a"), ("idempotency-key", "a")]).headers()).is_err());
    }

    #[test]
    fn an_access_reason_is_a_short_sentence() {
        assert_eq!(access_reason(with(&[]).headers()), Ok(None));
        let said = access_reason(with(&[("access-reason", " Her practitioner is away ")]).headers());
        assert_eq!(said, Ok(Some("Her practitioner is away".to_owned())));
        let long: &'static str = Box::leak("r".repeat(501).into_boxed_str());
        for reason in
            ["a b", "مراجعه\u{200c}ی بیمار", "Tra\u{302}\u{300}n hỏi", "她的醫生不在", "👩\u{200d}⚕\u{fe0f} asked"]
        {
            assert_eq!(access_reason(with(&[("access-reason", reason)]).headers()), Ok(Some(reason.to_owned())));
        }
        for wrong in ["", "  ", "ab", "a\tb c", long] {
            let refusal = access_reason(with(&[("access-reason", wrong)]).headers()).unwrap_err();
            assert_eq!((refusal.status.as_u16(), refusal.code), (400, "BAD_REQUEST"), "{wrong:?}");
        }
        assert!(access_reason(with(&[("access-reason", "one"), ("access-reason", "two")]).headers()).is_err());
    }

    #[test]
    fn an_access_reason_can_be_seen() {
        for wrong in [
            "\u{3164}\u{3164}\u{3164}",
            "\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}",
            "\u{2800}\u{2800}\u{2800}",
            "\u{ad}\u{ad}\u{ad}\u{ad}",
            "a \u{202e} b",
            "a\u{200b}\u{200b}b",
            "\u{301}\u{302}\u{303}",
            "\u{e000}\u{e000}\u{e000}",
            "\u{fffc}\u{1d159}\u{ffff}",
            "her\u{9b}31m",
        ] {
            let refusal = access_reason(with(&[("access-reason", wrong)]).headers()).unwrap_err();
            assert_eq!((refusal.status.as_u16(), refusal.code), (400, "BAD_REQUEST"), "{wrong:?}");
            assert!(refusal.message.starts_with("Access-Reason has U+"), "{wrong:?}: {}", refusal.message);
        }
    }

    #[test]
    fn a_client_is_called_what_can_be_seen() {
        for (said, client_name) in [
            ("Anna's tablet", "Anna's tablet"),
            ("Mozilla/5.0 (X11)\u{202e}\u{200b}", "Mozilla/5.0 (X11)"),
            ("\u{3164}\u{3164}", ""),
            ("Tabl\u{e9}tte\u{9b} \u{200b}", "Tabl\u{e9}tte"),
        ] {
            assert_eq!(client(with(&[("user-agent", said)]).headers()), client_name, "{said:?}");
        }
        assert_eq!(client(with(&[]).headers()), "");
    }

    #[test]
    fn the_background_is_said_by_1_alone() {
        assert_eq!(background(with(&[]).headers()), Ok(false));
        assert_eq!(background(with(&[("clinic-background", "1")]).headers()), Ok(true));
        for wrong in ["", "0", "true", "11", "1, 1"] {
            let refusal = background(with(&[("clinic-background", wrong)]).headers()).unwrap_err();
            assert_eq!((refusal.status.as_u16(), refusal.code), (400, "BAD_REQUEST"), "{wrong:?}");
        }
        assert!(background(with(&[("clinic-background", "1"), ("clinic-background", "1")]).headers()).is_err());
    }

    #[test]
    fn a_request_id_is_taken_over_or_made() {
        let long: &'static str = Box::leak("r".repeat(129).into_boxed_str());
        assert_eq!(request_id(with(&[("x-request-id", "Trace_1.a-b")]).headers()), "Trace_1.a-b");
        for id in ["", "a b", "a\"b", "é", "{}", long] {
            let made = request_id(with(&[("x-request-id", id)]).headers());
            assert_eq!(Uuid::parse_str(&made).map(|id| id.get_version_num()), Ok(7), "{id:?}");
        }
    }

    #[test]
    fn only_plain_json_is_read() {
        let json = ("content-type", "application/json");
        for headers in [
            &[json][..],
            &[("content-type", "Application/JSON; charset=UTF-8")],
            &[("content-type", "application/json;charset=\"utf-8\"; x=y")],
            &[json, ("content-encoding", "identity")],
        ] {
            assert!(hold_body_type(with(headers).headers()).is_ok(), "{headers:?}");
        }
        for headers in [
            &[][..],
            &[("content-type", "")],
            &[("content-type", "text/plain")],
            &[("content-type", "application/graphql")],
            &[("content-type", "application/x-www-form-urlencoded")],
            &[("content-type", "multipart/form-data; boundary=x")],
            &[("content-type", "application/json; charset=iso-8859-1")],
            &[("content-type", "application/json, text/plain")],
            &[json, ("content-type", "text/plain")],
            &[json, ("content-encoding", "gzip")],
            &[json, ("content-encoding", "identity, gzip")],
            &[json, ("content-encoding", "identity"), ("content-encoding", "br")],
        ] {
            let refusal = hold_body_type(with(headers).headers()).unwrap_err();
            assert_eq!((refusal.status.as_u16(), refusal.code), (415, "UNSUPPORTED_MEDIA_TYPE"), "{headers:?}");
        }
    }
}
