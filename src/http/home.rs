//! Where the cookie is at home: the addresses by which this service is asked, and the pages that may ask.

use crate::config::ServeSettings;
use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use std::net::{IpAddr, SocketAddr};
use url::Url;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The names and the pages that the cookie is for. Both are held to a list: a name that somebody points at this service
/// (DNS rebinding) makes their page look like the service's own.
#[derive(Debug, Clone)]
pub struct Home {
    /// As browsers write them into `Origin`.
    origins: Vec<String>,
    /// As clients write them into `Host`.
    hosts: Vec<String>,
}

impl Home {
    /// The public address and the listed origins; where there is no public address, the address it listens on. By that one
    /// it may be asked in any case: a proxy in front need not pass the name on.
    pub fn of(settings: &ServeSettings, listens_on: SocketAddr) -> Self {
        let public = settings.objects.public_url.as_deref().and_then(|url| Url::parse(url).ok());
        let listed = settings.allowed_origins.iter().filter_map(|origin| Url::parse(origin).ok());
        let here = addresses(listens_on, settings.tls.tls_certificate.is_some());
        let own = public.map_or_else(|| here.clone(), |url| vec![url]);
        let pages: Vec<Url> = own.into_iter().chain(listed).collect();
        Self {
            origins: pages.iter().map(|url| url.origin().ascii_serialization()).collect(),
            hosts: pages.iter().chain(&here).flat_map(hosts).collect(),
        }
    }

    /// Whether the cookie is for a request that came under this name, from this page. What says no origin is no page.
    pub fn takes(&self, http: &HttpRequest) -> bool {
        let head = http.headers();
        let cross_site = head.get(SEC_FETCH_SITE).is_some_and(|site| site.as_bytes() == b"cross-site");
        !cross_site && self.is_host(http) && self.is_page(http)
    }

    /// Whether every name that the request says for this service is one of its own: `Host`, and the authority that HTTP/2
    /// and requests with a whole address have.
    fn is_host(&self, http: &HttpRequest) -> bool {
        let said = http.headers().get_all(header::HOST).map(text);
        let mut names = http.uri().authority().map(|authority| authority.as_str()).into_iter().chain(said).peekable();
        let ours = |name: &str| self.hosts.iter().any(|host| host.eq_ignore_ascii_case(name));
        names.peek().is_some() && names.all(ours)
    }

    /// Whether the request comes from one of the pages of this service, or from no page.
    pub(super) fn is_page(&self, http: &HttpRequest) -> bool {
        let mut given = http.headers().get_all(header::ORIGIN).map(text);
        let Some(origin) = given.next() else { return true };
        given.next().is_none() && self.origins.iter().any(|ours| ours == origin)
    }
}

fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or_default()
}

/// The addresses under which a service is asked that listens on one: by the names of this machine where it is this machine's.
/// Without TLS anybody on the way could be the page; on one machine nobody is on the way.
fn addresses(listens_on: SocketAddr, tls: bool) -> Vec<Url> {
    let (ip, port) = (listens_on.ip().to_canonical(), listens_on.port());
    let own = match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let here = ip.is_loopback() || ip.is_unspecified();
    let mut names = vec![own];
    if here {
        names.extend(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned));
    }
    let schemes: &[&str] = if here && !tls { &["http", "https"] } else { &["https"] };
    let urls = names.iter().flat_map(|name| schemes.iter().map(move |scheme| format!("{scheme}://{name}:{port}")));
    urls.filter_map(|url| Url::parse(&url).ok()).collect()
}

/// How a client names the host of an address: with its port, and without where it is the scheme's own.
fn hosts(url: &Url) -> Vec<String> {
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return Vec::new() };
    let named = format!("{host}:{port}");
    if url.port().is_none() { vec![host.to_owned(), named] } else { vec![named] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Command, CommandLine};
    use actix_web::test::TestRequest;
    use clap::Parser;

    fn home(flags: &[&str], listens_on: &str) -> Home {
        let line = CommandLine::try_parse_from(["clinic", "serve"].iter().chain(flags)).expect("flags");
        let Command::Serve(settings) = line.command else { panic!("serve") };
        Home::of(&settings, listens_on.parse().expect("an address"))
    }

    fn takes(home: &Home, headers: &[(&'static str, &str)]) -> bool {
        let request = headers.iter().fold(TestRequest::post(), |request, pair| request.append_header(*pair));
        home.takes(&request.to_http_request())
    }

    #[test]
    fn the_local_set_up_is_asked_by_the_names_of_this_machine() {
        let home = home(&[], "127.0.0.1:8080");
        for host in ["127.0.0.1:8080", "localhost:8080", "LOCALHOST:8080", "[::1]:8080"] {
            assert!(takes(&home, &[("host", host)]), "{host}");
            for origin in
                ["http://127.0.0.1:8080", "http://localhost:8080", "https://localhost:8080", "http://[::1]:8080"]
            {
                assert!(takes(&home, &[("host", host), ("origin", origin)]), "{host} {origin}");
            }
        }
        for host in
            ["evil.example", "evil.example:8080", "localhost", "localhost:8081", "127.0.0.1.evil.example:8080", ""]
        {
            assert!(!takes(&home, &[("host", host)]), "{host}");
            let origin = format!("http://{host}");
            assert!(!takes(&home, &[("host", host), ("origin", &origin)]), "{host}");
            assert!(!takes(&home, &[("host", "localhost:8080"), ("origin", &origin)]), "{host}");
        }
        assert!(!takes(&home, &[]), "no host");
        assert!(!takes(&home, &[("host", "localhost:8080"), ("host", "evil.example")]));
        assert!(!takes(&home, &[("host", "localhost:8080"), ("origin", "null")]));
        assert!(!takes(&home, &[("host", "localhost:8080"), ("sec-fetch-site", "cross-site")]));
        // What a proxy would say is not looked at.
        assert!(!takes(
            &home,
            &[("host", "evil.example"), ("x-forwarded-host", "localhost:8080"), ("forwarded", "host=localhost:8080")]
        ));
    }

    #[test]
    fn a_public_address_is_the_only_one_of_its_own_pages() {
        let public = ["--public-url", "https://clinic.example.com/base"];
        let listed = ["--allowed-origins", "https://app.example.com,http://localhost:3000"];
        let home = home(&[&public[..], &listed[..]].concat(), "127.0.0.1:8080");
        // A proxy passes the name on, or asks by the address that the service listens on.
        for host in ["clinic.example.com", "clinic.example.com:443", "app.example.com", "127.0.0.1:8080"] {
            for origin in ["https://clinic.example.com", "https://app.example.com", "http://localhost:3000"] {
                assert!(takes(&home, &[("host", host), ("origin", origin)]), "{host} {origin}");
            }
            for origin in [
                "https://evil.example",
                "http://clinic.example.com",
                "https://clinic.example.com:444",
                "https://clinic.example.com.evil.example",
                "http://127.0.0.1:8080",
                "http://localhost:8080",
                "null",
                "",
            ] {
                assert!(!takes(&home, &[("host", host), ("origin", origin)]), "{host} {origin}");
            }
        }
        assert!(!takes(&home, &[("host", "evil.example"), ("origin", "https://clinic.example.com")]));
        let twice =
            [("host", "clinic.example.com"), ("origin", "https://app.example.com"), ("origin", "https://evil.example")];
        assert!(!takes(&home, &twice));
    }

    #[test]
    fn an_address_of_the_network_is_asked_by_tls() {
        let tls = ["--tls-certificate", "c.pem", "--tls-key", "k.pem"];
        let open = home(&tls, "192.168.1.2:443");
        for host in ["192.168.1.2", "192.168.1.2:443"] {
            assert!(takes(&open, &[("host", host), ("origin", "https://192.168.1.2")]), "{host}");
        }
        for (host, origin) in [
            ("192.168.1.2", "http://192.168.1.2"),
            ("localhost", "https://localhost"),
            ("clinic.local", "https://clinic.local"),
        ] {
            assert!(!takes(&open, &[("host", host), ("origin", origin)]), "{host} {origin}");
        }
        let every = home(&tls, "0.0.0.0:8443");
        assert!(takes(&every, &[("host", "localhost:8443"), ("origin", "https://localhost:8443")]));
        assert!(
            !takes(&every, &[("host", "localhost:8443"), ("origin", "http://localhost:8443")]),
            "there is no such page"
        );
        assert!(takes(&home(&[], "[::1]:80"), &[("host", "[::1]"), ("origin", "http://[::1]")]));
    }
}
