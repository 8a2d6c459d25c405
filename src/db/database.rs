//! A connected database: the operator's server, or the private one, which is started and stopped with the service.

use super::embedded::{self, EmbeddedPostgres, Options};
use super::{Address, Pool, PoolSettings, application_address, connect, loose_ends, migrate, refuse_outdated};
use crate::config::DatabaseSettings;
use crate::watch::Watch;
use std::sync::Arc;
use std::time::Duration;

/// A connected database: the address for the owner, the address for the application role, and the private server if
/// there is one.
pub struct Database {
    /// As the owner: migrations, partitions.
    pub owner: Address,
    /// As the application role: everything else.
    pub application: Address,
    /// As the superuser of a private server: for backups only.
    pub superuser: Option<Address>,
    embedded: Option<EmbeddedPostgres>,
}

impl Database {
    /// Connects to the configured database, starting the private one if necessary, and migrates it.
    pub async fn open(settings: &DatabaseSettings) -> Result<Self, String> {
        Self::open_as_is(settings).await?.migrated().await
    }

    /// The same for a command. If a running service holds the private server, the command uses it as it is and leaves
    /// it to that service.
    pub async fn reach(settings: &DatabaseSettings) -> Result<Self, String> {
        let (mut database, is_ours) = Self::start_or_attach(settings).await?;
        if is_ours {
            return database.migrated().await;
        }
        if let Err(message) = refuse_outdated(&database.owner).await {
            database.close().await;
            return Err(message);
        }
        Ok(database)
    }

    /// The same, whatever the database contains, without migrating it.
    pub async fn reach_as_is(settings: &DatabaseSettings) -> Result<Self, String> {
        Ok(Self::start_or_attach(settings).await?.0)
    }

    async fn start_or_attach(settings: &DatabaseSettings) -> Result<(Self, bool), String> {
        let (owner, superuser) = match (&settings.database_url, Self::start(settings).await) {
            (_, Ok(database)) => return Ok((database, true)),
            (None, Err(error)) if error.1 => {
                let attached = embedded::attach(&settings.data_dir).await.map_err(|error| error.to_string())?;
                (attached.owner_url, attached.superuser_url)
            }
            (_, Err(error)) => return Err(error.0),
        };
        Ok((Self::of(settings, &owner, Some(&superuser), None)?, false))
    }

    async fn open_as_is(settings: &DatabaseSettings) -> Result<Self, String> {
        Self::start(settings).await.map_err(|error| error.0)
    }

    /// The error also says whether another service holds the private server.
    async fn start(settings: &DatabaseSettings) -> Result<Self, (String, bool)> {
        let plain = |message: String| (message, false);
        match &settings.database_url {
            Some(url) => Self::of(settings, url.expose(), None, None).map_err(plain),
            None => {
                let options = Options {
                    data_dir: settings.data_dir.clone(),
                    postgres_bin: settings.postgres_bin.clone(),
                    durable: !settings.unsafe_fast_database,
                };
                let started = EmbeddedPostgres::start(options).await;
                let server = started.map_err(|error| (error.to_string(), error.is_in_use()))?;
                let (owner, superuser) = (server.owner_url().to_owned(), server.superuser_url().to_owned());
                Self::of(settings, &owner, Some(&superuser), Some(server)).map_err(plain)
            }
        }
    }

    fn of(
        settings: &DatabaseSettings,
        owner: &str,
        superuser: Option<&str>,
        embedded: Option<EmbeddedPostgres>,
    ) -> Result<Self, String> {
        let owner = Address::parse("DATABASE_URL", owner)?;
        let application = match &settings.app_database_url {
            Some(url) => Address::parse("CLINIC_APP_DATABASE_URL", url.expose())?,
            None => application_address(&owner).map_err(|error| error.operator_message())?,
        };
        let superuser = superuser.map(|url| Address::parse("the superuser's address", url)).transpose()?;
        Ok(Self { owner, application, superuser, embedded })
    }

    /// Migrates it to the present version.
    pub async fn migrated(mut self) -> Result<Self, String> {
        match migrate(&self.owner).await {
            Ok(outcome) => {
                tracing::info!(applied = outcome.applied, "the database is up to date");
                Ok(self)
            }
            Err(message) => {
                self.close().await;
                Err(message)
            }
        }
    }

    /// Restarts the private server whenever it ends by itself, until `close`.
    pub fn keep_up(&self) {
        if let Some(embedded) = &self.embedded {
            embedded.keep_up();
        }
    }

    /// Stops the private server, if there is one.
    pub async fn close(&mut self) {
        if let Some(mut embedded) = self.embedded.take() {
            embedded.stop().await;
        }
    }

    /// Refuses to serve as a superuser or as the owner of the tables.
    pub async fn refuse_too_mighty(&self) -> Result<(), String> {
        let client = connect(&self.application).await?;
        let mighty: bool = client
            .query_one(
                "SELECT rolsuper OR rolbypassrls OR pg_has_role(current_user, tableowner, 'MEMBER') \
                 FROM pg_roles, pg_tables WHERE rolname = current_user AND tablename = 'patient'",
                &[],
            )
            .await
            .map_err(|error| format!("the application role can't be looked at: {error}"))?
            .get(0);
        if mighty {
            return Err(
                "the service would connect as a superuser, a role with BYPASSRLS or the owner of the tables: give \
                        CLINIC_APP_DATABASE_URL the role clinic_app"
                    .to_owned(),
            );
        }
        for told in loose_ends(&client).await? {
            tracing::warn!("the database has rights or objects that nobody needs: {told}");
        }
        Ok(())
    }

    /// A pool of a few connections, for a command.
    pub fn small_pool(&self) -> Result<Pool, String> {
        let settings = PoolSettings {
            size: 4,
            threads: 0,
            wait: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(600),
            lock_timeout: Duration::from_secs(10),
        };
        let unwatched = Arc::new(Watch::default());
        Pool::new(self.application.clone(), &settings, (&unwatched, "command"))
            .map_err(|error| error.operator_message())
    }
}
