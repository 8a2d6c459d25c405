//! Everything there is in one file, and back: the database by Postgres' own tools, photos, checkpoints; compressed, and
//! encrypted if a key is given. And the canonical export, which shows that both sides hold the same.

mod archive;
mod canonical;
mod check;
mod contents;
mod restore;
mod restoring;
mod staging;
mod take;

pub use archive::{Lock, Unlock};
pub use canonical::export;
pub use check::{Checked, Told, Trust, check};
pub use restore::{Targets, restore};
pub use take::{Sources, take};

use crate::config::ReaderSettings;
use crate::db::Database;
use crate::db::{self, Address};
use crate::evidence::Mark;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tokio_postgres::Client;
use uuid::Uuid;

/// The name of the form.
const FORMAT: &str = "clinic.backup/2";
/// That of before manifests were signed.
const UNSIGNED_FORMAT: &str = "clinic.backup/1";
/// The name of the last entry, which describes all others.
const MANIFEST: &str = "manifest.json";

/// What a backup says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    format: String,
    /// Of the program that wrote it.
    version: String,
    at: chrono::DateTime<chrono::Utc>,
    /// The major version of the Postgres that it is from.
    postgres: u32,
    /// How many rows each table has.
    tables: BTreeMap<String, i64>,
    /// How far the chains had come.
    chains: Vec<Chains>,
    /// Every other entry.
    entries: BTreeMap<String, Entry>,
    /// Photos that the object store did not have.
    missing: Vec<String>,
}

/// The heads of an organisation's chains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chains {
    organisation: Uuid,
    ledger: Mark,
    access_log: Mark,
}

/// An entry's size and SHA-256, and its place in the file, from 0; the old form has no places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<u64>,
    size: u64,
    sha256: String,
}

impl Entry {
    fn of(bytes: &[u8]) -> Self {
        use sha2::Digest;
        let sha256 = crate::record::hex::text(&sha2::Sha256::digest(bytes));
        Self { place: None, size: u64::try_from(bytes.len()).unwrap_or(0), sha256 }
    }

    fn placeless(&self) -> Self {
        Self { place: None, ..self.clone() }
    }

    /// Whether it is of these bytes.
    fn is_of(&self, bytes: &[u8]) -> bool {
        self.placeless() == Self::of(bytes)
    }
}

/// How whoever reads everything connects: the role that was given, or the superuser of a private server, or the owner. One
/// that row-level security holds would read nothing, and is refused.
pub async fn reader(database: &Database, settings: &ReaderSettings) -> Result<Address, String> {
    let address = match (&settings.backup_database_url, &database.superuser) {
        (Some(url), _) => Address::parse("CLINIC_BACKUP_DATABASE_URL", url.expose())?,
        (None, Some(superuser)) => superuser.clone(),
        (None, None) => database.owner.clone(),
    };
    let client = db::connect(&address).await?;
    let ask = "SELECT rolsuper OR (rolbypassrls AND pg_has_role(current_user, 'pg_read_all_data', 'MEMBER')) FROM pg_roles \
               WHERE rolname = current_user";
    let row = client.query_one(ask, &[]).await.map_err(|error| failed(&error))?;
    if row.get(0) {
        return Ok(address);
    }
    Err(format!(
        "the role {} does not see every row, row-level security holds it: make one that does (CREATE ROLE clinic_backup \
         LOGIN BYPASSRLS PASSWORD '…'; GRANT pg_read_all_data TO clinic_backup) and give its address in \
         CLINIC_BACKUP_DATABASE_URL",
        address.config().get_user().unwrap_or_default()
    ))
}

/// One picture of the whole database, until the connection ends.
async fn picture(address: &Address) -> Result<Client, String> {
    let client = db::connect(address).await?;
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0; \
                 SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL timezone = 'UTC'; \
                 SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1; SET LOCAL datestyle = 'ISO, YMD'; \
                 SET LOCAL intervalstyle = 'postgres'";
    client.batch_execute(begin).await.map_err(|error| failed(&error))?;
    Ok(client)
}

/// Every table, without the partitions of those that have them.
async fn tables(client: &Client) -> Result<Vec<String>, String> {
    let ask = "SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace \
               AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY c.relname COLLATE \"C\"";
    let rows = client.query(ask, &[]).await.map_err(|error| failed(&error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn row_counts(client: &Client) -> Result<BTreeMap<String, i64>, String> {
    let mut counts = BTreeMap::new();
    for table in tables(client).await? {
        let ask = format!("SELECT count(*) FROM public.\"{table}\"");
        let row = client.query_one(&ask, &[]).await.map_err(|error| failed(&error))?;
        counts.insert(table, row.get(0));
    }
    Ok(counts)
}

async fn chains(client: &Client) -> Result<Vec<Chains>, String> {
    let ask = "SELECT l.org_id::text, l.seq, l.hash, a.seq, a.hash FROM ledger_head l JOIN access_log_head a USING (org_id) \
               ORDER BY 1";
    let rows = client.query(ask, &[]).await.map_err(|error| failed(&error))?;
    let each = rows.iter().map(|row| {
        let organisation = row.get::<_, String>(0).parse().map_err(|_| "an organisation has no id".to_owned())?;
        let mark = |at: usize| Mark { seq: row.get(at), hash: row.get(at + 1) };
        Ok(Chains { organisation, ledger: mark(1), access_log: mark(3) })
    });
    each.collect()
}

/// The names of the objects that the photos of a picture have, each with the hash of the bytes where the database has one.
async fn photo_objects(client: &Client) -> Result<Vec<(String, Option<Vec<u8>>)>, String> {
    use crate::objects::Reading;
    let ask = "SELECT org_id::text, id::text, content_hash FROM photo WHERE content_hash IS NOT NULL ORDER BY 1, 2";
    let rows = client.query(ask, &[]).await.map_err(|error| failed(&error))?;
    let mut found = Vec::new();
    for row in &rows {
        let id = |at: usize| row.get::<_, String>(at).parse::<Uuid>().map_err(|_| "a photo has no id".to_owned());
        let (org, photo) = (id(0)?, id(1)?);
        found.push((crate::photo::object_name(org, photo, Reading::Original), row.get(2)));
        found.push((crate::photo::object_name(org, photo, Reading::Thumbnail), None));
    }
    Ok(found)
}

async fn server_major(client: &Client) -> Result<u32, String> {
    let ask = "SELECT current_setting('server_version_num')::int4 / 10000";
    let row = client.query_one(ask, &[]).await.map_err(|error| failed(&error))?;
    Ok(u32::try_from(row.get::<_, i32>(0)).unwrap_or(0))
}

/// A program of Postgres, without the surroundings' own words for it.
fn tool(program: &std::path::Path) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
        command.env_remove(name);
    }
    command.kill_on_drop(true);
    command
}

/// What `pg_dump` leaves out and `pg_restore` leaves in: it is the server's administrator's, and a plain owner can't make it.
const OF_THE_SERVER: [&str; 4] =
    ["--no-publications", "--no-subscriptions", "--no-security-labels", "--no-tablespaces"];

/// How a program of Postgres connects: never by arguments, which others on the machine can read.
fn environment(address: &Address) -> Vec<(&'static str, String)> {
    use tokio_postgres::config::Host;
    let config = address.config();
    let host = config.get_hosts().first().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(folder) => folder.display().to_string(),
    });
    let text = |text: Option<&str>| text.map(str::to_owned);
    let password = config.get_password().map(|it| String::from_utf8_lossy(it).into_owned());
    [
        ("PGHOST", host),
        ("PGPORT", config.get_ports().first().map(u16::to_string)),
        ("PGUSER", text(config.get_user())),
        ("PGDATABASE", text(config.get_dbname()).or_else(|| text(config.get_user()))),
        ("PGPASSWORD", password),
        ("PGAPPNAME", Some("clinic backup".to_owned())),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .chain(address.tls_environment())
    .collect()
}

/// Its last words, in one line.
fn last_words(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.get(lines.len().saturating_sub(3)..).unwrap_or_default().join("; ")
}

fn failed(error: &tokio_postgres::Error) -> String {
    let why = error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
    format!("the database can't be read: {why}")
}

/// Reads bytes as a backup, as the tar in one, as its manifest and as the file of what opens it: for the fuzz targets.
pub(crate) fn fuzz(bytes: &[u8]) {
    const LARGEST: u64 = 1 << 20;
    let hold = |name: String, bytes: Vec<u8>| {
        let _ = (name.split_once('/'), Entry::of(&bytes));
        Ok(())
    };
    let _ = archive::read_from(&"it", bytes, &Unlock::Nothing, LARGEST, hold);
    let _ = archive::entries(&"it", bytes, LARGEST, hold);
    let (mut found, mut names) = (check::Found::default(), std::collections::BTreeSet::new());
    let read = archive::entries(&"it", bytes, LARGEST, |name, bytes| {
        names.insert(name.clone());
        found.take(name, bytes)
    });
    // What is taken is of the list, or of the old form, which is left where it is: nothing leads out of a folder.
    if read.is_ok()
        && let Ok(checked) = found.judge(&Trust::Nobody { unsigned: true })
    {
        let leads_out = |name: &String| name.starts_with('/') || name.split('/').any(|part| part == "..");
        assert!(!names.iter().any(leads_out));
        let is_new = checked.manifest.format == FORMAT;
        assert!(!is_new || names.iter().all(|name| contents::Content::of(name).is_some()));
    }
    if let Ok(manifest) = serde_json::from_slice::<Manifest>(bytes) {
        let text = serde_json::to_vec(&manifest).unwrap_or_default();
        assert!(serde_json::from_slice::<Manifest>(&text).is_ok());
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = archive::identities(text);
    }
}
