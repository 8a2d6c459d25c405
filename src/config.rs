//! Every setting: one flag, one environment variable, one default. Secrets never print.

use crate::keys::Keys;
use clap::{Args, Parser, Subcommand};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The clinical record of a medical-aesthetics organisation: a GraphQL service over Postgres.
#[derive(Debug, Parser)]
#[command(name = "clinic", version, about, max_term_width = 100)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API; brings the database up to date first
    Serve(Box<ServeSettings>),
    /// Bring the database up to date, and stop
    Migrate(DatabaseSettings),
    /// Print the GraphQL schema (SDL)
    Schema,
    /// Manage who works in an organisation
    Staff(StaffArguments),
    /// Fill a demo organisation with believable patients
    Demo(DemoSettings),
    /// Check the evidence
    Audit(AuditArguments),
    /// Check a front end's persisted documents against this schema
    Documents(DocumentsArguments),
    /// Write everything there is into one file: the database, photos, checkpoints
    Backup(Box<BackupSettings>),
    /// Bring a backup into an empty database
    Restore(Box<RestoreSettings>),
    /// Write every row as text, in an order that does not change: the same content gives the same bytes
    Export(Box<ExportSettings>),
}

/// Which database.
#[derive(Debug, Clone, Args)]
pub struct DatabaseSettings {
    /// Postgres to use, as the role that owns the tables; absent, the service runs a private one of its own
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<Secret>,

    /// How the service connects as the role clinic_app; absent, DATABASE_URL with that role and a password derived from it
    #[arg(long, global = true, env = "CLINIC_APP_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub app_database_url: Option<Secret>,

    /// Where the private Postgres keeps its files
    #[arg(long, global = true, env = "CLINIC_DATA_DIR", default_value = ".clinic", value_name = "DIR")]
    pub data_dir: PathBuf,

    /// Where the keys are that are not in the database: of checkpoints and of second factors; absent, the folder keys in the data folder
    #[arg(long, global = true, env = "CLINIC_KEY_DIR", value_name = "DIR")]
    pub key_dir: Option<PathBuf>,

    /// Where the programs of the private Postgres are; absent, they are looked for
    #[arg(long, global = true, env = "CLINIC_POSTGRES_BIN", value_name = "DIR")]
    pub postgres_bin: Option<PathBuf>,

    /// Let the private Postgres forget commits when the machine loses power: for tests only
    #[arg(long, global = true, env = "CLINIC_UNSAFE_FAST_DATABASE", hide = true)]
    pub unsafe_fast_database: bool,
}

impl DatabaseSettings {
    /// The keys that are not in the database.
    pub fn keys(&self) -> Keys {
        Keys::at(&self.key_dir.clone().unwrap_or_else(|| self.data_dir.join("keys")))
    }
}

/// Where photos' bytes are, and how links to them are signed.
#[derive(Debug, Clone, Args)]
pub struct ObjectSettings {
    /// Where photos are kept: a folder, or s3://bucket/prefix; absent, the folder objects in the data folder
    #[arg(long, env = "CLINIC_OBJECT_STORE", value_name = "FOLDER|URL")]
    pub object_store: Option<String>,

    /// Address of the S3, such as `https://minio.example.com:9000`; absent, AWS
    #[arg(long, env = "CLINIC_S3_ENDPOINT", value_name = "URL")]
    pub s3_endpoint: Option<String>,

    /// Region of the S3
    #[arg(long, env = "CLINIC_S3_REGION", default_value = "us-east-1", value_name = "REGION")]
    pub s3_region: String,

    /// Access key of the S3; absent, the machine's own role is asked for
    #[arg(long, env = "CLINIC_S3_ACCESS_KEY_ID", value_name = "KEY")]
    pub s3_access_key_id: Option<String>,

    /// Secret of that access key
    #[arg(long, env = "CLINIC_S3_SECRET_ACCESS_KEY", hide_env_values = true, value_name = "SECRET")]
    pub s3_secret_access_key: Option<Secret>,

    /// Signs links to photos, at least 32 characters; absent, one is kept in the photos' folder, or with S3 made anew at each start
    #[arg(long, env = "CLINIC_LINK_SECRET", hide_env_values = true, value_name = "SECRET")]
    pub link_secret: Option<Secret>,

    /// What links to photos start with, such as `https://clinic.example.com`; absent, they are paths of this service
    #[arg(long, env = "CLINIC_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
}

/// Where checkpoints of the evidence are.
#[derive(Debug, Clone, Args)]
pub struct CheckpointSettings {
    /// Where signed checkpoints are kept: a folder, or s3://bucket/prefix with the S3 settings of photos; absent, the folder checkpoints in the data folder
    #[arg(long, alias = "checkpoints", env = "CLINIC_CHECKPOINT_STORE", value_name = "FOLDER|URL")]
    pub checkpoint_store: Option<String>,
}

impl ObjectSettings {
    /// Settings that contradict each other, with those of checkpoints, which may use the same S3.
    pub fn check_with(&self, checkpoints: &CheckpointSettings) -> Result<(), String> {
        let store = checkpoints.checkpoint_store.as_deref();
        if store.is_some_and(|it| it.contains("://") && !it.starts_with("s3://") && !it.starts_with("file://")) {
            return Err("--checkpoint-store is a folder, or s3://bucket/prefix".to_owned());
        }
        if store.is_some_and(|it| it.starts_with("s3://")) {
            let s3_is_used =
                Self { s3_endpoint: None, s3_access_key_id: None, s3_secret_access_key: None, ..self.clone() };
            if self.s3_access_key_id.is_some() != self.s3_secret_access_key.is_some() {
                return Err("--s3-access-key-id and --s3-secret-access-key go together".to_owned());
            }
            return s3_is_used.check();
        }
        self.check()
    }

    /// Settings that contradict each other, as one line.
    pub fn check(&self) -> Result<(), String> {
        if self.s3_access_key_id.is_some() != self.s3_secret_access_key.is_some() {
            return Err("--s3-access-key-id and --s3-secret-access-key go together".to_owned());
        }
        let is_s3 = self.object_store.as_deref().is_some_and(|address| address.starts_with("s3://"));
        if !is_s3 && (self.s3_endpoint.is_some() || self.s3_access_key_id.is_some()) {
            return Err("--s3-endpoint and --s3-access-key-id go with --object-store s3://bucket".to_owned());
        }
        if self.object_store.as_deref().is_some_and(|address| {
            address.contains("://") && !address.starts_with("s3://") && !address.starts_with("file://")
        }) {
            return Err("--object-store is a folder, or s3://bucket/prefix".to_owned());
        }
        match &self.public_url {
            Some(url) if !url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) => {
                Err(format!("--public-url: {url:?} is not an address such as https://clinic.example.com"))
            }
            _ => Ok(()),
        }
    }
}

/// TLS of the service's own.
#[derive(Debug, Clone, Args)]
pub struct TlsSettings {
    /// File of the TLS certificate and its chain, PEM; read again when it changes and at SIGHUP; absent, plain HTTP
    #[arg(long, env = "CLINIC_TLS_CERTIFICATE", value_name = "FILE")]
    pub tls_certificate: Option<PathBuf>,

    /// File of that certificate's private key, PEM
    #[arg(long, env = "CLINIC_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Speak plain HTTP on an address that other machines reach, with no proxy in front: patients' data is open to the network
    #[arg(long, env = "CLINIC_ALLOW_PLAIN_HTTP")]
    pub allow_plain_http: bool,
}

/// How mail is sent.
#[derive(Debug, Clone, Default, Args)]
pub struct MailSettings {
    /// Mail server that tells admins of emergency access, such as `smtps://user:password@mail.example.com`; absent, nobody is told by mail
    #[arg(long, env = "CLINIC_SMTP_URL", hide_env_values = true, value_name = "URL")]
    pub smtp_url: Option<Secret>,

    /// Sender of those mails, such as `clinic@example.com`
    #[arg(long, env = "CLINIC_MAIL_FROM", value_name = "ADDRESS")]
    pub mail_from: Option<String>,
}

impl MailSettings {
    /// Settings that contradict each other, as one line.
    pub fn check(&self) -> Result<(), String> {
        if self.smtp_url.is_some() != self.mail_from.is_some() {
            return Err("--smtp-url and --mail-from go together".to_owned());
        }
        let wrong = "--smtp-url is not an address such as smtps://user:password@mail.example.com";
        match &self.smtp_url {
            Some(address)
                if !url::Url::parse(address.expose()).is_ok_and(|it| matches!(it.scheme(), "smtp" | "smtps")) =>
            {
                Err(wrong.to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// How to serve.
#[derive(Debug, Clone, Args)]
pub struct ServeSettings {
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseSettings,

    /// Where photos are.
    #[command(flatten)]
    pub objects: ObjectSettings,

    /// Who sends mail.
    #[command(flatten)]
    pub mail: MailSettings,

    /// Where checkpoints are.
    #[command(flatten)]
    pub checkpoints: CheckpointSettings,

    /// How often a checkpoint is written, where anything happened since the last
    #[arg(long, env = "CLINIC_CHECKPOINT_INTERVAL", default_value = "1m", value_name = "TIME", value_parser = parse_duration)]
    pub checkpoint_interval: Duration,

    /// Fill a demo organisation if there is none, set the demo accounts' password and print it
    #[arg(long, env = "CLINIC_DEMO")]
    pub demo: bool,

    /// Password of the demo accounts; absent, one is made and printed
    #[arg(long, env = "CLINIC_DEMO_PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    pub demo_password: Option<Secret>,

    /// Address to listen on; port 0 takes a free one
    #[arg(long, env = "CLINIC_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,

    /// TLS.
    #[command(flatten)]
    pub tls: TlsSettings,

    /// Threads that serve requests; absent, one for each core
    #[arg(long, env = "CLINIC_WORKERS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: Option<u16>,

    /// Database connections at most
    #[arg(long, env = "CLINIC_POOL_SIZE", default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=1000))]
    pub pool_size: u16,

    /// How long a request waits for a free connection before it is told UNAVAILABLE
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

    /// Signing asks for the password or a code again if the last was given longer ago
    #[arg(long, env = "CLINIC_REAUTHENTICATE_AFTER", default_value = "10m", value_name = "TIME", value_parser = parse_duration)]
    pub reauthenticate_after: Duration,

    /// Origins whose pages may call the API, separated by commas, such as `https://app.example.com`
    #[arg(long, env = "CLINIC_ALLOWED_ORIGINS", value_delimiter = ',', value_name = "ORIGINS")]
    pub allowed_origins: Vec<String>,

    /// Take a client's address from the last X-Forwarded-For entry: only behind a proxy that writes it
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

/// Managing staff at the command line.
#[derive(Debug, Args)]
pub struct StaffArguments {
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// What to do.
    #[command(subcommand)]
    pub command: StaffCommand,
}

/// What can be done with staff.
#[derive(Debug, Subcommand)]
pub enum StaffCommand {
    /// Give somebody a place in an organisation; the password is asked for, or read from standard input
    Add {
        /// E-mail to sign in with
        #[arg(long)]
        email: String,
        /// Name that others see
        #[arg(long)]
        name: String,
        /// admin, practitioner, front_desk or auditor
        #[arg(long)]
        role: String,
        /// Name of the organisation; it is founded if there is none of that name
        #[arg(long, env = "CLINIC_ORGANISATION")]
        organisation: String,
    },
    /// List who works in every organisation
    List,
    /// Let somebody sign in no more, from their next request on
    Disable {
        /// E-mail they sign in with
        #[arg(long)]
        email: String,
    },
    /// Take away the second factor of somebody who lost their app and their recovery codes
    RemoveSecondFactor {
        /// E-mail they sign in with
        #[arg(long)]
        email: String,
    },
    /// Set a password and end the sign-ins; the password is asked for, or read from standard input
    ResetPassword {
        /// E-mail they sign in with
        #[arg(long)]
        email: String,
    },
}

/// Checking the evidence.
#[derive(Debug, Args)]
pub struct AuditArguments {
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// What to check.
    #[command(subcommand)]
    pub command: AuditCommand,
}

/// What can be checked.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Walk the ledger and the access log of every organisation, hold them to their checkpoints, and say the first broken entry, if there is one
    Verify(Box<VerifySettings>),
    /// Print the public key that checkpoints are signed with, and its id: keep it elsewhere
    Key,
    /// Write an organisation's evidence into a file that anybody can verify without this program
    Export(Box<EvidenceSettings>),
}

/// How to verify.
#[derive(Debug, Clone, Args)]
pub struct VerifySettings {
    /// Where checkpoints are.
    #[command(flatten)]
    pub checkpoints: CheckpointSettings,
    /// How to reach them, in an S3.
    #[command(flatten)]
    pub objects: ObjectSettings,
    /// Public keys of checkpoints (PEM, one or several); absent, the one of the keys' folder
    #[arg(long, env = "CLINIC_PUBLIC_KEY", value_name = "FILE")]
    pub public_key: Option<PathBuf>,
}

/// What evidence to give out.
#[derive(Debug, Clone, Args)]
pub struct EvidenceSettings {
    /// What it is verified with first.
    #[command(flatten)]
    pub verify: VerifySettings,
    /// Name of the organisation
    #[arg(long, env = "CLINIC_ORGANISATION")]
    pub organisation: String,
    /// The file to write (tar); it must not be there yet
    #[arg(long, env = "CLINIC_OUTPUT", value_name = "FILE")]
    pub output: PathBuf,
    /// Leave out what the records say: digests are then taken as they are given, the chain still verifies
    #[arg(long, env = "CLINIC_WITHOUT_CONTENT")]
    pub without_content: bool,
}

/// Who reads everything.
#[derive(Debug, Clone, Args)]
pub struct ReaderSettings {
    /// Postgres as a role that sees every row: BYPASSRLS and pg_read_all_data; absent, DATABASE_URL, or the superuser of the private Postgres
    #[arg(long, env = "CLINIC_BACKUP_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub backup_database_url: Option<Secret>,
}

/// How to back up.
#[derive(Debug, Clone, Args)]
pub struct BackupSettings {
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// Who reads it.
    #[command(flatten)]
    pub reader: ReaderSettings,
    /// Where photos are.
    #[command(flatten)]
    pub objects: ObjectSettings,
    /// Where checkpoints are.
    #[command(flatten)]
    pub checkpoints: CheckpointSettings,
    /// The file to write; it must not be there yet
    #[arg(long, env = "CLINIC_OUTPUT", value_name = "FILE")]
    pub output: PathBuf,
    /// Encrypt to this age key (age1…); several with commas between
    #[arg(long, env = "CLINIC_BACKUP_RECIPIENT", value_delimiter = ',', value_name = "KEYS")]
    pub recipient: Vec<String>,
    /// Encrypt with the passphrase that is the first line of this file
    #[arg(long, env = "CLINIC_PASSPHRASE_FILE", value_name = "FILE", conflicts_with = "recipient")]
    pub passphrase_file: Option<PathBuf>,
    /// Put the keys in too (of checkpoints, second factors, links to photos): only into an encrypted file
    #[arg(long, env = "CLINIC_INCLUDE_KEYS")]
    pub include_keys: bool,
}

/// How to restore.
#[derive(Debug, Clone, Args)]
pub struct RestoreSettings {
    /// Which database; it must be empty.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// Where photos go.
    #[command(flatten)]
    pub objects: ObjectSettings,
    /// Where checkpoints go.
    #[command(flatten)]
    pub checkpoints: CheckpointSettings,
    /// The backup
    #[arg(long, env = "CLINIC_INPUT", value_name = "FILE")]
    pub input: PathBuf,
    /// File of the age identity (AGE-SECRET-KEY-1…) that it is encrypted to
    #[arg(long, env = "CLINIC_BACKUP_IDENTITY", value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// File whose first line is the passphrase that it is encrypted with
    #[arg(long, env = "CLINIC_PASSPHRASE_FILE", value_name = "FILE", conflicts_with = "identity")]
    pub passphrase_file: Option<PathBuf>,
    /// Public keys of checkpoints (PEM), from where you keep them; absent, the one in the backup
    #[arg(long, env = "CLINIC_PUBLIC_KEY", value_name = "FILE")]
    pub public_key: Option<PathBuf>,
}

/// How to export.
#[derive(Debug, Clone, Args)]
pub struct ExportSettings {
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// Who reads it.
    #[command(flatten)]
    pub reader: ReaderSettings,
    /// Where photos are.
    #[command(flatten)]
    pub objects: ObjectSettings,
    /// The file to write (NDJSON); it must not be there yet
    #[arg(long, env = "CLINIC_OUTPUT", value_name = "FILE")]
    pub output: PathBuf,
}

/// Checking persisted documents.
#[derive(Debug, Args)]
pub struct DocumentsArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: DocumentsCommand,
}

/// What can be done with persisted documents.
#[derive(Debug, Subcommand)]
pub enum DocumentsCommand {
    /// Check every document of a file, as `clinic serve --persisted-documents` would, and name each wrong one
    Check {
        /// The file: a map of ids to texts, or Apollo's manifest
        #[arg(env = "CLINIC_PERSISTED_DOCUMENTS", value_name = "FILE")]
        file: PathBuf,
        /// Highest cost of one query
        #[arg(long, env = "CLINIC_MAX_COST", default_value_t = 50_000, value_name = "COST")]
        max_cost: u64,
    },
}

/// How to fill the demo organisation.
#[derive(Debug, Clone, Args)]
pub struct DemoSettings {
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// Where photos are kept.
    #[command(flatten)]
    pub objects: ObjectSettings,
    /// How many patients
    #[arg(long, env = "CLINIC_DEMO_PATIENTS", default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=5_000_000))]
    pub patients: u32,
    /// The same seed gives the same patients
    #[arg(long, env = "CLINIC_DEMO_SEED", default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Password of the demo accounts; absent, one is made and printed
    #[arg(long, env = "CLINIC_DEMO_PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    pub demo_password: Option<Secret>,
}

/// Text that is not shown.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl std::str::FromStr for Secret {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A length of time: `250ms`, `30s`, `15m` or `12h`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a time: write 250ms, 30s, 15m or 12h");
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (digits, unit) = text.split_at(split);
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let millis = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        _ => None,
    };
    let millis = millis.filter(|millis| (1..=366 * 24 * 3_600_000).contains(millis)).ok_or_else(wrong)?;
    Ok(Duration::from_millis(millis))
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
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_flag_has_an_environment_variable() {
        fn look(command: &clap::Command) {
            for argument in command.get_arguments().filter(|it| !["help", "version"].contains(&it.get_id().as_str())) {
                let of_staff = ["email", "name", "role"].contains(&argument.get_id().as_str());
                assert!(of_staff || argument.get_env().is_some(), "{} {}", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(look);
        }
        look(&CommandLine::command());
    }

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

    #[test]
    fn durations_say_their_unit() {
        assert_eq!(parse_duration("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        for wrong in ["", "15", "m", "-1s", "0s", "99999999999999999999h", "10 s", "1d"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn secrets_do_not_print() {
        assert_eq!(format!("{:?}", Secret::from("hunter2".to_owned())), "***");
    }
}
