//! `clinic serve`.

use super::value::parse_duration;
use super::{
    CheckpointSettings, DatabaseSettings, MailSettings, ObjectSettings, Secret, TlsSettings, UploadSettings,
    WatchSettings, WebhookSettings,
};
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How to serve.
#[derive(Debug, Clone, Args)]
pub struct ServeSettings {
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseSettings,

    /// Where photos are.
    #[command(flatten)]
    pub objects: ObjectSettings,

    /// How uploads are taken.
    #[command(flatten)]
    pub uploads: UploadSettings,

    /// Who sends mail.
    #[command(flatten)]
    pub mail: MailSettings,

    /// Where checkpoints are.
    #[command(flatten)]
    pub checkpoints: CheckpointSettings,

    /// How often a checkpoint is written, where anything happened since the last
    #[arg(long, env = "CLINIC_CHECKPOINT_INTERVAL", default_value = "1m", value_name = "TIME", value_parser = parse_duration)]
    pub checkpoint_interval: Duration,

    /// Refuse to start, and be not ready, while the database is behind its newest checkpoint: an old copy was put back
    #[arg(long, env = "CLINIC_REFUSE_BEHIND_CHECKPOINT")]
    pub refuse_behind_checkpoint: bool,

    /// Fill a demo organisation if there is none, set the demo accounts' password and print it
    #[arg(long, env = "CLINIC_DEMO")]
    pub demo: bool,

    /// Password of the demo accounts; generated and printed when absent
    #[arg(long, env = "CLINIC_DEMO_PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    pub demo_password: Option<Secret>,

    /// Address to listen on; port 0 takes a free one
    #[arg(long, env = "CLINIC_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,

    /// TLS.
    #[command(flatten)]
    pub tls: TlsSettings,

    /// Threads that serve requests; one per core when absent
    #[arg(long, env = "CLINIC_WORKERS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: Option<u16>,

    /// Maximum number of database connections
    #[arg(long, env = "CLINIC_POOL_SIZE", default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=1000))]
    pub pool_size: u16,

    /// How long a request waits for a free connection before it gets UNAVAILABLE
    #[arg(long, env = "CLINIC_POOL_WAIT", default_value = "800ms", value_name = "TIME", value_parser = parse_duration)]
    pub pool_wait: Duration,

    /// How long one SQL statement may take
    #[arg(long, env = "CLINIC_STATEMENT_TIMEOUT", default_value = "5s", value_name = "TIME", value_parser = parse_duration)]
    pub statement_timeout: Duration,

    /// How long a statement waits for a lock
    #[arg(long, env = "CLINIC_LOCK_TIMEOUT", default_value = "3s", value_name = "TIME", value_parser = parse_duration)]
    pub lock_timeout: Duration,

    /// How long a request may take; longer than a statement
    #[arg(long, env = "CLINIC_REQUEST_DEADLINE", default_value = "10s", value_name = "TIME", value_parser = parse_duration)]
    pub request_deadline: Duration,

    /// How long requests under way get to end when the service stops; longer than a request
    #[arg(long, env = "CLINIC_SHUTDOWN_TIMEOUT", default_value = "15s", value_name = "TIME", value_parser = parse_duration)]
    pub shutdown_timeout: Duration,

    /// A sign-in ends after so long without a request
    #[arg(long, env = "CLINIC_SIGN_IN_IDLE", default_value = "15m", value_name = "TIME", value_parser = parse_duration)]
    pub sign_in_idle: Duration,

    /// A sign-in ends after so long, whatever happens
    #[arg(long, env = "CLINIC_SIGN_IN_LIFETIME", default_value = "12h", value_name = "TIME", value_parser = parse_duration)]
    pub sign_in_lifetime: Duration,

    /// Signing, and whatever gives power or data away, asks for the password or a code again if the last was given longer ago
    #[arg(long, env = "CLINIC_REAUTHENTICATE_AFTER", default_value = "10m", value_name = "TIME", value_parser = parse_duration)]
    pub reauthenticate_after: Duration,

    /// Origins whose pages may call the API, separated by commas, such as `https://app.example.com`
    #[arg(long, env = "CLINIC_ALLOWED_ORIGINS", value_delimiter = ',', value_name = "ORIGINS")]
    pub allowed_origins: Vec<String>,

    /// Take a client's address from the last entry of the last X-Forwarded-For: only behind a proxy that writes it
    #[arg(long, env = "CLINIC_TRUST_PROXY")]
    pub trust_proxy: bool,

    /// Largest request body, in bytes
    #[arg(long, env = "CLINIC_MAX_BODY", default_value_t = 1024 * 1024, value_name = "BYTES")]
    pub max_body: usize,

    /// Highest cost of one query (docs/api.md says how it is counted)
    #[arg(long, env = "CLINIC_MAX_COST", default_value_t = 50_000, value_name = "COST")]
    pub max_cost: u64,

    /// Points that one account may spend in a minute, over all processes (docs/limits.md); 0: no limit
    #[arg(long, env = "CLINIC_RATE_LIMIT_ACCOUNT", default_value_t = 300_000, value_name = "POINTS")]
    pub rate_limit_account: u64,

    /// Requests that one network address may send in a minute, over all processes; 0: no limit
    #[arg(long, env = "CLINIC_RATE_LIMIT_ADDRESS", default_value_t = 3_000, value_name = "N")]
    pub rate_limit_address: u64,

    /// Documents that a front end may name instead of sending them: a map of ids to texts, or Apollo's manifest
    #[arg(long, env = "CLINIC_PERSISTED_DOCUMENTS", value_name = "FILE")]
    pub persisted_documents: Option<PathBuf>,

    /// Take nothing but the persisted documents
    #[arg(long, env = "CLINIC_ONLY_PERSISTED_DOCUMENTS")]
    pub only_persisted_documents: bool,

    /// Who may introspect the schema; none takes the explorer page away as well
    #[arg(long, env = "CLINIC_INTROSPECTION", default_value = "all", value_enum, value_name = "WHO")]
    pub introspection: Introspection,

    /// Write no look at a patient into the access log, to measure what that costs: for tests only, on loopback only
    #[arg(long, env = "CLINIC_UNSAFE_NO_ACCESS_LOG", hide = true)]
    pub unsafe_no_access_log: bool,

    /// How webhooks are delivered.
    #[command(flatten)]
    pub webhooks: WebhookSettings,

    /// What is watched.
    #[command(flatten)]
    pub watch: WatchSettings,

    /// How logs are written
    #[arg(long, env = "CLINIC_LOG_FORMAT", default_value = "json", value_enum)]
    pub log_format: LogFormat,

    /// What is logged, such as info or clinic=debug
    #[arg(long, env = "CLINIC_LOG", default_value = "info", value_name = "FILTER")]
    pub log: String,
}

/// Who may ask about the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Introspection {
    /// Anybody
    All,
    /// People who are signed in
    Staff,
    /// Admins
    Admin,
    /// Nobody
    None,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line
    Json,
    /// For reading
    Text,
}

impl ServeSettings {
    /// Settings that contradict each other, as one line.
    pub fn check(&self) -> Result<(), String> {
        self.objects.check_with(&self.checkpoints)?;
        if self.unsafe_no_access_log && !self.listen.ip().is_loopback() {
            return Err("--unsafe-no-access-log is for measuring: only a service on loopback may use it".to_owned());
        }
        self.check_tls()?;
        self.mail.check()?;
        self.watch.check(self.listen)?;
        if self.only_persisted_documents && self.persisted_documents.is_none() {
            return Err("--only-persisted-documents goes with --persisted-documents FILE".to_owned());
        }
        if self.statement_timeout >= self.request_deadline {
            return Err("--statement-timeout must be shorter than --request-deadline".to_owned());
        }
        if self.request_deadline >= self.shutdown_timeout {
            return Err("--request-deadline must be shorter than --shutdown-timeout".to_owned());
        }
        if self.sign_in_idle > self.sign_in_lifetime {
            return Err("--sign-in-idle must not be longer than --sign-in-lifetime".to_owned());
        }
        let wrong = self.allowed_origins.iter().find(|origin| {
            !url::Url::parse(origin)
                .is_ok_and(|url| url.origin().is_tuple() && url.origin().ascii_serialization() == **origin)
        });
        match wrong {
            Some(origin) => {
                Err(format!("--allowed-origins: {origin:?} is not an origin such as https://app.example.com"))
            }
            None => Ok(()),
        }
    }

    fn check_tls(&self) -> Result<(), String> {
        let tls = &self.tls;
        if tls.tls_certificate.is_some() != tls.tls_key.is_some() {
            return Err("--tls-certificate and --tls-key go together".to_owned());
        }
        let open = !self.listen.ip().to_canonical().is_loopback();
        if open && tls.tls_certificate.is_none() && !self.trust_proxy && !tls.allow_plain_http {
            return Err(format!(
                "--listen {} would speak plain HTTP to other machines: give --tls-certificate and --tls-key, or \
                 --trust-proxy if a proxy that speaks TLS stands in front",
                self.listen
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Command, CommandLine};
    use clap::Parser;

    #[test]
    fn plain_http_stays_on_this_machine() {
        let check = |flags: &[&str]| {
            let line =
                CommandLine::try_parse_from(["clinic", "serve"].iter().chain(flags)).map_err(|it| it.to_string())?;
            let Command::Serve(settings) = line.command else { return Err("no serve".to_owned()) };
            settings.check()
        };
        let pair = ["--tls-certificate", "c.pem", "--tls-key", "k.pem"];
        for address in ["127.0.0.1:80", "127.9.9.9:80", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
            assert_eq!(check(&["--listen", address]), Ok(()), "{address}");
        }
        for address in ["0.0.0.0:80", "192.168.1.2:80", "[::]:80"] {
            assert!(check(&["--listen", address]).is_err_and(|why| why.contains("--tls-certificate")), "{address}");
            assert_eq!(check(&["--listen", address, "--trust-proxy"]), Ok(()));
            assert_eq!(check(&["--listen", address, "--allow-plain-http"]), Ok(()));
            assert_eq!(check(&[&["--listen", address], &pair[..]].concat()), Ok(()));
        }
        assert!(check(&pair[..2]).is_err_and(|why| why.contains("go together")));
        assert!(check(&pair[2..]).is_err_and(|why| why.contains("go together")));
    }
}
