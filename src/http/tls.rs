//! TLS of the service's own, where no proxy stands in front: TLS 1.2 and 1.3, with HTTP/2 and HTTP/1.1 in it. The files are read
//! again when they change, and open connections stay open.

use crate::config::TlsSettings;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// The certificate that new connections are shown.
#[derive(Debug)]
pub struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
}

/// How a changed file is recognised: the length and time of each.
type Stamp = [Option<(u64, SystemTime)>; 2];

impl Certificate {
    /// Reads the files of the settings; `None` where the settings name none.
    ///
    /// # Errors
    /// One line that names the file and says what is wrong with it.
    pub fn open(settings: &TlsSettings) -> Result<Option<Arc<Self>>, String> {
        let (Some(chain), Some(key)) = (&settings.tls_certificate, &settings.tls_key) else { return Ok(None) };
        let current = RwLock::new(Arc::new(read(chain, key)?));
        Ok(Some(Arc::new(Self { chain: chain.clone(), key: key.clone(), current })))
    }

    /// How the server speaks TLS with it.
    ///
    /// # Errors
    /// The library lacks what it needs: never, as it is built.
    pub fn config(self: &Arc<Self>) -> Result<ServerConfig, String> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| format!("TLS can't be set up: {error}"))?;
        // The server itself offers h2 and http/1.1, in this order.
        Ok(builder.with_no_client_auth().with_cert_resolver(Arc::<Self>::clone(self)))
    }

    /// Reloads the files. If they are unusable, the previous ones stay in use.
    fn reload(&self) {
        match read(&self.chain, &self.key) {
            Ok(fresh) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
                tracing::info!("the TLS certificate was read again: new connections are shown it");
            }
            Err(why) => tracing::warn!(why, "the TLS certificate can't be read again: the one from before stays"),
        }
    }

    fn stamp(&self) -> Stamp {
        [&self.chain, &self.key].map(|file| {
            let about = std::fs::metadata(file).ok()?;
            Some((about.len(), about.modified().ok()?))
        })
    }

    /// Reads the files again when they have changed, and at every SIGHUP. Never ends.
    pub async fn follow(self: Arc<Self>) {
        let mut seen = self.stamp();
        let mut looks = tokio::time::interval(LOOK);
        let mut hangup = hangups();
        loop {
            let asked = tokio::select! {
                _ = looks.tick() => false,
                () = hangup.next() => true,
            };
            let now = self.stamp();
            if asked || now != seen {
                seen = now;
                self.reload();
            }
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Said by name: other libraries of this program bring providers too, and rustls would not choose.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn read(chain: &Path, key: &Path) -> Result<CertifiedKey, String> {
    let text = |flag: &str, file: &Path| {
        std::fs::read(file).map_err(|error| format!("{flag}: {} can't be read: {error}", file.display()))
    };
    of_bytes((chain, &text("--tls-certificate", chain)?), (key, &text("--tls-key", key)?))
}

/// The certificate of two files that hold these bytes.
pub(crate) fn of_bytes(
    (chain, certificates): (&Path, &[u8]),
    (key, private): (&Path, &[u8]),
) -> Result<CertifiedKey, String> {
    let certificates = CertificateDer::pem_slice_iter(certificates)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("--tls-certificate: {} is damaged: {error}", chain.display()))?;
    if certificates.is_empty() {
        let file = chain.display();
        return Err(format!(
            "--tls-certificate: {file} holds no certificate: give it as PEM, the service's own first, then the chain"
        ));
    }
    let private = PrivateKeyDer::from_pem_slice(private).map_err(|_| {
        format!("--tls-key: {} holds no private key: give it as PEM, without a password", key.display())
    })?;
    CertifiedKey::from_der(certificates, private, &provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            format!("--tls-key: {} is not the key of the certificate in {}", key.display(), chain.display())
        }
        other => format!("--tls-certificate and --tls-key can't be used: {other}"),
    })
}

#[cfg(unix)]
struct Hangups(Option<tokio::signal::unix::Signal>);

#[cfg(unix)]
fn hangups() -> Hangups {
    use tokio::signal::unix::{SignalKind, signal};
    Hangups(signal(SignalKind::hangup()).ok())
}

#[cfg(unix)]
impl Hangups {
    async fn next(&mut self) {
        match &mut self.0 {
            Some(signal) => {
                signal.recv().await;
            }
            None => std::future::pending().await,
        }
    }
}

#[cfg(not(unix))]
struct Hangups;

#[cfg(not(unix))]
fn hangups() -> Hangups {
    Hangups
}

#[cfg(not(unix))]
impl Hangups {
    async fn next(&mut self) {
        std::future::pending().await
    }
}
