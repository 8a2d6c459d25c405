//! Migrates a database, as its owner.

use super::address::{Address, told};
use super::roles;
use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use std::time::Duration;
use tokio_postgres::Client;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");
const OLDEST_POSTGRES: i32 = 150_000;

/// The result of a migration.
#[derive(Debug, Clone, Copy)]
pub struct MigrationOutcome {
    /// Migrations that ran now.
    pub applied: usize,
}

/// Opens a connection of the owner; the error is one line for the person at the terminal.
pub async fn connect(address: &Address) -> Result<Client, String> {
    let mut address = address.clone();
    address.config_mut().connect_timeout(Duration::from_secs(5)).application_name("clinic migrate");
    let (client, connection) = address.connect().await.map_err(|error| {
        let why = told(&error);
        format!("the database can't be reached ({why}): check DATABASE_URL and that the server is up")
    })?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "owner connection closed");
        }
    });
    Ok(client)
}

/// Creates the application role, runs the missing migrations, and makes the partitions of this month and the next ones.
/// Refuses a database migrated by a newer program, and a server older than Postgres 15.
pub async fn migrate(address: &Address) -> Result<MigrationOutcome, String> {
    let client = connect(address).await?;
    let version: i32 = client
        .query_one("SELECT current_setting('server_version_num')::int4", &[])
        .await
        .map_err(|error| format!("the server's version can't be read: {error}"))?
        .get(0);
    if version < OLDEST_POSTGRES {
        return Err(format!(
            "this server is Postgres {}: version 15 or newer is needed; point DATABASE_URL at one, or leave it out for the \
             embedded one",
            version / 10_000
        ));
    }
    roles::ensure(&client, address.config()).await?;
    refuse_newer(&client).await?;
    let applied = run_missing(address).await?;
    client
        .execute(
            "SELECT ensure_month_partitions((now() - interval '1 month')::date, (now() + interval '3 months')::date)",
            &[],
        )
        .await
        .map_err(|error| format!("the month partitions can't be made: {error}"))?;
    Ok(MigrationOutcome { applied })
}

/// Refuses a database that is not at exactly this program's version: a command must not migrate the database of a
/// running service.
pub async fn refuse_outdated(address: &Address) -> Result<(), String> {
    let client = connect(address).await?;
    refuse_newer(&client).await?;
    let known = MigrationSource::<Pg>::migrations(&MIGRATIONS)
        .map_err(|error| format!("the built-in migrations can't be read: {error}"))?
        .len();
    let applied: i64 = client
        .query_one("SELECT count(*) FROM __diesel_schema_migrations", &[])
        .await
        .map_err(|error| format!("the migrations of the database can't be read: {error}"))?
        .get(0);
    if usize::try_from(applied).ok() == Some(known) {
        return Ok(());
    }
    Err("the service that runs on this data folder is of an older version: stop it first, or use its own program"
        .to_owned())
}

/// Whether a database has no tables, views or sequences.
pub async fn is_empty(client: &Client) -> Result<bool, String> {
    let row = client
        .query_one(
            "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'm', 'S')",
            &[],
        )
        .await
        .map_err(|error| format!("the database can't be looked at: {error}"))?;
    Ok(row.get::<_, i64>(0) == 0)
}

/// Makes the application role, for a database that is about to be restored.
pub async fn make_roles(address: &Address) -> Result<(), String> {
    roles::ensure(&connect(address).await?, address.config()).await
}

async fn refuse_newer(client: &Client) -> Result<(), String> {
    let exists: bool = client
        .query_one("SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL", &[])
        .await
        .map_err(|error| format!("the database can't be looked at: {error}"))?
        .get(0);
    if !exists {
        return Ok(());
    }
    let known: Vec<String> = MigrationSource::<Pg>::migrations(&MIGRATIONS)
        .map_err(|error| format!("the built-in migrations can't be read: {error}"))?
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect();
    let rows = client
        .query("SELECT version FROM __diesel_schema_migrations ORDER BY version", &[])
        .await
        .map_err(|error| format!("the migrations of the database can't be read: {error}"))?;
    match rows.iter().map(|row| row.get::<_, String>(0)).find(|version| !known.contains(version)) {
        Some(version) => Err(format!(
            "this database is newer than this program (it has migration {version}): start the version of clinic that \
             migrated it, or a newer one"
        )),
        None => Ok(()),
    }
}

async fn run_missing(address: &Address) -> Result<usize, String> {
    let (client, connection) =
        address.connect().await.map_err(|error| format!("the database can't be reached: {}", told(&error)))?;
    let connection = AsyncPgConnection::try_from_client_and_connection(client, connection)
        .await
        .map_err(|error| format!("the database can't be reached: {error}"))?;
    tokio::task::spawn_blocking(move || {
        let mut wrapper: AsyncConnectionWrapper<AsyncPgConnection> = connection.into();
        let applied = wrapper
            .run_pending_migrations(MIGRATIONS)
            .map_err(|error| format!("a migration failed and was taken back: {error}"))?;
        Ok(applied.len())
    })
    .await
    .map_err(|error| format!("the migrations did not finish: {error}"))?
}
