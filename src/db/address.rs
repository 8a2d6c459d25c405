//! How to reach a database: its address, the role, and the encryption of the connection.

use super::tls::{Asked, Mode};
use rustls::CertificateError;
use std::error::Error as _;
use std::io;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Error, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The other half of an open connection, which must be polled.
pub type Wire = Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// A database's address.
#[derive(Clone)]
pub struct Address {
    config: Config,
    asked: Asked,
    connector: MakeRustlsConnect,
}

impl Address {
    /// Reads a URL, with libpq's `sslmode` and `sslrootcert`. `name` is the name of the setting.
    ///
    /// # Errors
    ///
    /// One line, without the URL, because it contains a password.
    pub fn parse(name: &str, url: &str) -> Result<Self, String> {
        let (plain, mode, root) = without_tls(url);
        let mut config: Config = plain.parse().map_err(|_| {
            format!("{name} is not a Postgres address: write postgres://user:password@host:5432/database")
        })?;
        if config.get_hosts().is_empty() {
            return Err(format!("{name} names no host: write postgres://user:password@host:5432/database"));
        }
        let told = |why: String| format!("{name}: {why}");
        let mode = mode.or_else(|| match config.get_ssl_mode() {
            SslMode::Disable => Some("disable".to_owned()),
            SslMode::Require => Some("require".to_owned()),
            _ => None,
        });
        let asked = Asked::of(mode.as_deref(), root.as_deref()).map_err(told)?;
        let connector = MakeRustlsConnect::new(asked.client().map_err(told)?);
        // As in libpq: nobody can eavesdrop on a socket of this machine.
        let local = config.get_hosts().iter().all(|host| !matches!(host, Host::Tcp(_)));
        config.ssl_mode(match asked.mode {
            _ if local => SslMode::Disable,
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        });
        Ok(Self { config, asked, connector })
    }

    /// The host and the role.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The same, mutable.
    pub fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }

    /// Opens a connection.
    ///
    /// # Errors
    ///
    /// As reported by the driver; `told` puts them into words.
    pub async fn connect(&self) -> Result<(Client, Wire), Error> {
        let error = match self.config.connect(self.connector.clone()).await {
            Err(error) if self.config.get_ssl_mode() == SslMode::Prefer && is_about_tls(&error) => error,
            outcome => return outcome,
        };
        // As in libpq: TLS that is only preferred is given up.
        let mut plain = self.config.clone();
        plain.ssl_mode(SslMode::Disable);
        plain.connect(self.connector.clone()).await.map_err(|_| error)
    }

    /// The environment variables that make a Postgres program use TLS in the same way.
    pub(crate) fn tls_environment(&self) -> impl Iterator<Item = (&'static str, String)> {
        let mode = ("PGSSLMODE", self.asked.mode.word().to_owned());
        std::iter::once(mode).chain(self.asked.root.clone().map(|root| ("PGSSLROOTCERT", root)))
    }
}

/// The error and its cause, in words that say what to do.
pub fn told(error: &Error) -> String {
    match tls_error(error) {
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
            return "the server's certificate is not from a root in sslrootcert".to_owned();
        }
        Some(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => return "the server's certificate is not for the host that the address names".to_owned(),
        _ => {}
    }
    let cause = error.source().map(ToString::to_string);
    match cause {
        Some(cause) if cause == "server does not support TLS" => {
            "the server does not speak TLS, and sslmode asks for it".to_owned()
        }
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn tls_error(error: &Error) -> Option<&rustls::Error> {
    error.source()?.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref()
}

/// Whether the handshake failed, or the server accepts no TLS connection from here.
fn is_about_tls(error: &Error) -> bool {
    tls_error(error).is_some() || error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
}

/// A URL without `sslmode` and `sslrootcert`, whose values the driver does not all know, and those two values.
fn without_tls(url: &str) -> (String, Option<String>, Option<String>) {
    let (mut mode, mut root) = (None, None);
    let scheme = ["postgres://", "postgresql://"].into_iter().find(|scheme| url.starts_with(scheme));
    let Some(scheme) = scheme else { return (url.to_owned(), None, None) };
    // A question mark may stand in a password.
    let rest = url.get(scheme.len()..).unwrap_or_default();
    let after = scheme.len() + rest.find('@').unwrap_or(0);
    let Some(at) = url.get(after..).and_then(|rest| rest.find('?')).map(|at| after + at) else {
        return (url.to_owned(), None, None);
    };
    let (front, query) = (url.get(..at).unwrap_or_default(), url.get(at + 1..).unwrap_or_default());
    let mut kept = Vec::new();
    for pair in query.split('&') {
        // A plus is a plus here.
        let plain = pair.replace('+', "%2B");
        match url::form_urlencoded::parse(plain.as_bytes()).next() {
            Some((name, value)) if name == "sslmode" => mode = Some(value.into_owned()),
            Some((name, value)) if name == "sslrootcert" => root = Some(value.into_owned()),
            _ => kept.push(pair),
        }
    }
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    (format!("{front}{query}"), mode, root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_tls_are_taken_out_of_a_url_and_nothing_else() {
        let cases = [
            ("postgres://u:p@h/d", "postgres://u:p@h/d", None, None),
            ("postgres://u:p@h/d?sslmode=require", "postgres://u:p@h/d", Some("require"), None),
            (
                "postgresql://u:p?x@h/d?a=1&sslrootcert=%2Fmy%20root+1.pem&sslmode=verify-ca&b=2",
                "postgresql://u:p?x@h/d?a=1&b=2",
                Some("verify-ca"),
                Some("/my root+1.pem"),
            ),
            ("host=h sslmode=require", "host=h sslmode=require", None, None),
        ];
        for (url, plain, mode, root) in cases {
            let wanted = (plain.to_owned(), mode.map(str::to_owned), root.map(str::to_owned));
            assert_eq!(without_tls(url), wanted, "{url}");
        }
    }

    #[test]
    fn the_mode_is_what_was_asked_and_sockets_have_none() {
        let mode = |url: &str| Address::parse("it", url).map(|it| (it.config.get_ssl_mode(), it.asked.mode));
        assert_eq!(mode("postgres://u@h/d"), Ok((SslMode::Prefer, Mode::Prefer)));
        assert_eq!(mode("postgres://u@h/d?sslmode=disable"), Ok((SslMode::Disable, Mode::Disable)));
        assert_eq!(mode("postgres://u@h/d?sslmode=require"), Ok((SslMode::Require, Mode::Require)));
        assert_eq!(mode("host=h user=u sslmode=require"), Ok((SslMode::Require, Mode::Require)));
        assert_eq!(mode("postgres://u@/d?host=%2Frun&sslmode=require"), Ok((SslMode::Disable, Mode::Require)));
        for wrong in
            ["h", "postgres://u@/d", "postgres://u:secret@h/d?sslmode=no", "postgres://u@h/d?sslmode=verify-full"]
        {
            assert!(mode(wrong).is_err_and(|why| why.starts_with("it") && !why.contains("secret")), "{wrong}");
        }
    }
}
