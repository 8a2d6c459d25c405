//! The network address that a request came from.

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderName};
use std::net::{IpAddr, SocketAddr};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address a request came from: the peer's, or, where a proxy is trusted, the one that this wrote down. Nothing else
/// that a request says of where it came from is looked at (`Forwarded`, `X-Real-IP`).
pub(super) fn client_address(http: &HttpRequest, trust_proxy: bool) -> String {
    let said = if trust_proxy { forwarded_for(http.headers()) } else { None };
    let address = said.or_else(|| http.peer_addr().map(|peer| peer.ip()));
    address.map_or_else(|| "unknown".to_owned(), |address| address.to_canonical().to_string())
}

/// The last address of the last line. Lines of one name are one list, in their order (RFC 9110, 5.3): a proxy adds to its end,
/// in a line of its own or in the last one, and what stands before is whatever the client sent. Where the last place holds
/// no address nobody said one: an earlier one would be the client's choice.
fn forwarded_for(head: &HeaderMap) -> Option<IpAddr> {
    let line = head.get_all(FORWARDED_FOR).last()?.to_str().ok()?;
    address_in(line.rsplit(',').next()?.trim())
}

/// An address, with a port or without: `192.0.2.7`, `192.0.2.7:1234`, `2001:db8::7`, `[2001:db8::7]`, `[2001:db8::7]:1234`.
fn address_in(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    text.parse().ok().or_else(bracketed).or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    const PEER: &str = "198.51.100.1";

    fn from(lines: &[&str]) -> String {
        let request = TestRequest::default().peer_addr(format!("{PEER}:5000").parse().expect("an address"));
        let request = lines.iter().fold(request, |request, line| request.append_header((FORWARDED_FOR, *line)));
        client_address(&request.to_http_request(), true)
    }

    #[test]
    fn the_last_address_of_the_last_line_counts() {
        for (lines, address) in [
            (&["192.0.2.7"][..], "192.0.2.7"),
            (&["203.0.113.9, 192.0.2.7"], "192.0.2.7"),
            (&["203.0.113.9,192.0.2.7  "], "192.0.2.7"),
            (&["203.0.113.9", "192.0.2.7"], "192.0.2.7"),
            (&["203.0.113.9, 203.0.113.10", "203.0.113.11", "203.0.113.12, 192.0.2.7"], "192.0.2.7"),
            (&["garbage", "192.0.2.7"], "192.0.2.7"),
            (&["192.0.2.7:4711"], "192.0.2.7"),
            (&["203.0.113.9, 2001:DB8::7"], "2001:db8::7"),
            (&["[2001:db8::7]"], "2001:db8::7"),
            (&["[2001:db8::7]:4711"], "2001:db8::7"),
            (&["::ffff:192.0.2.7"], "192.0.2.7"),
            (&["[::ffff:192.0.2.7]:4711"], "192.0.2.7"),
        ] {
            assert_eq!(from(lines), address, "{lines:?}");
        }
    }

    #[test]
    fn where_the_last_place_holds_no_address_the_peer_counts() {
        for last in [
            "",
            " ",
            "unknown",
            "_hidden",
            "unix:",
            "192.0.2",
            "192.0.2.256",
            "192.0.2.7:",
            "192.0.2.7:99999",
            "[192.0.2.7]",
            "[2001:db8::7",
            "2001:db8::7]",
            "fe80::1%eth0",
            "192.0.2.7 192.0.2.8",
            "192.0.2.7;192.0.2.8",
            "0x7f.1",
            "for=192.0.2.7",
            "\"192.0.2.7\"",
            "é",
        ] {
            assert_eq!(from(&[last]), PEER, "{last}");
            assert_eq!(from(&["203.0.113.9", last]), PEER, "a line {last}");
            assert_eq!(from(&[&format!("203.0.113.9, {last}")]), PEER, "{last} in the line");
        }
        assert_eq!(from(&[]), PEER);
    }

    #[test]
    fn without_trust_and_by_other_names_nothing_is_said() {
        let request = || TestRequest::default().peer_addr(format!("{PEER}:5000").parse().expect("an address"));
        let others = [("forwarded", "for=192.0.2.7"), ("x-real-ip", "192.0.2.7"), ("x-forwarded", "192.0.2.7")];
        let said = others.iter().fold(request(), |request, pair| request.append_header(*pair)).to_http_request();
        assert_eq!((client_address(&said, true), client_address(&said, false)), (PEER.to_owned(), PEER.to_owned()));
        let said = request().append_header((FORWARDED_FOR, "192.0.2.7")).to_http_request();
        assert_eq!(client_address(&said, false), PEER);
        let mapped = TestRequest::default().peer_addr("[::ffff:192.0.2.7]:5000".parse().expect("an address"));
        assert_eq!(client_address(&mapped.to_http_request(), false), "192.0.2.7");
    }
}
