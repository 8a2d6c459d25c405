//! TLS for connections to a database, configured as in libpq by `sslmode` and `sslrootcert` in its address.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::path::Path;
use std::sync::Arc;

/// How much security is required of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    /// Plain text.
    Disable,
    /// TLS if the server supports it; nothing is verified.
    Prefer,
    /// TLS; the certificate is verified if there are roots to verify it against.
    Require,
    /// The certificate is from one of the roots.
    VerifyCa,
    /// And the certificate is for the host of the address.
    VerifyFull,
}

/// Each mode with its libpq name.
const WORDS: [(Mode, &str); 5] = [
    (Mode::Disable, "disable"),
    (Mode::Prefer, "prefer"),
    (Mode::Require, "require"),
    (Mode::VerifyCa, "verify-ca"),
    (Mode::VerifyFull, "verify-full"),
];

impl Mode {
    /// The libpq name.
    pub(super) fn word(self) -> &'static str {
        WORDS.iter().find(|(mode, _)| *mode == self).map_or("prefer", |(_, word)| word)
    }
}

/// The roots of the system instead of a file.
const SYSTEM: &str = "system";

/// The TLS settings of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) mode: Mode,
    pub(super) root: Option<String>,
}

impl Asked {
    /// Reads the two values, and refuses a combination that makes no sense.
    pub(super) fn of(mode: Option<&str>, root: Option<&str>) -> Result<Self, String> {
        let root = root.filter(|root| !root.is_empty()).map(str::to_owned);
        let system = root.as_deref() == Some(SYSTEM);
        let mode = match mode {
            None if system => Mode::VerifyFull,
            None => Mode::Prefer,
            Some(given) => WORDS.iter().find(|(_, word)| *word == given).map(|(mode, _)| *mode).ok_or_else(|| {
                format!("sslmode={given} is not taken: write disable, prefer, require, verify-ca or verify-full")
            })?,
        };
        let word = mode.word();
        match (&root, mode) {
            (Some(_), Mode::Disable | Mode::Prefer) => {
                Err(format!("sslrootcert would check nothing with sslmode={word}: write sslmode=verify-full"))
            }
            (Some(_), Mode::Require | Mode::VerifyCa) if system => {
                Err(format!("sslrootcert=system goes with sslmode=verify-full only, not with {word}"))
            }
            (None, Mode::VerifyCa | Mode::VerifyFull) => Err(format!(
                "sslmode={word} needs the root that the certificate is checked against: sslrootcert=FILE (PEM), or \
                 sslrootcert=system"
            )),
            _ => Ok(Self { mode, root }),
        }
    }

    /// The TLS configuration for these settings.
    pub(super) fn client(&self) -> Result<ClientConfig, String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let roots = self.root.as_deref().map(roots).transpose()?;
        let verifier = Verifier {
            roots,
            checks_name: self.mode == Mode::VerifyFull,
            algorithms: provider.signature_verification_algorithms,
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| format!("TLS can't be set up: {error}"))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        Ok(config)
    }
}

fn roots(of: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    if of == SYSTEM {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return if roots.is_empty() {
            Err("sslrootcert=system: this system has no roots".to_owned())
        } else {
            Ok(roots)
        };
    }
    let bytes = std::fs::read(Path::new(of)).map_err(|error| format!("sslrootcert: {of} can't be read: {error}"))?;
    for root in CertificateDer::pem_slice_iter(&bytes) {
        let root = root.map_err(|error| format!("sslrootcert: {of} is damaged: {error}"))?;
        roots.add(root).map_err(|error| format!("sslrootcert: {of} contains something that is not a root: {error}"))?;
    }
    if roots.is_empty() { Err(format!("sslrootcert: {of} holds no certificate (PEM)")) } else { Ok(roots) }
}

/// Verifies as much as the mode requires. That the server holds the key of its certificate is always verified.
#[derive(Debug)]
struct Verifier {
    roots: Option<RootCertStore>,
    checks_name: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(roots) = &self.roots {
            let certificate = ParsedCertificate::try_from(end_entity)?;
            verify_server_cert_signed_by_trust_anchor(&certificate, roots, intermediates, now, self.algorithms.all)?;
            if self.checks_name {
                verify_server_name(&certificate, server_name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
