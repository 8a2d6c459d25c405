//! A test's own database, and plain SQL on it.

use super::cluster::Cluster;
use super::template;
use clinic::db::Address;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio_postgres::{Config, NoTls, SimpleQueryMessage};
use uuid::Uuid;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A database that is dropped with the value.
pub struct Database {
    /// Its name.
    pub name: String,
}

impl Database {
    /// A copy of the template: two organisations, four roles and a location in each.
    pub async fn copy() -> Self {
        template::get().await;
        let database =
            Self::named(&format!("CREATE DATABASE $ TEMPLATE {} OWNER clinic_owner", template::DATABASE)).await;
        // The template's sign-ins are as old as the process.
        database.superuser().await.run("UPDATE sign_in SET last_seen_at = now(), proved_at = now()").await;
        database
    }

    /// One without a table.
    pub async fn empty() -> Self {
        Self::named("CREATE DATABASE $ OWNER clinic_owner").await
    }

    async fn named(statement: &str) -> Self {
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let postgres = Sql::connect(&Cluster::get().superuser("postgres")).await;
        postgres.run(&statement.replace('$', &name)).await;
        Self { name }
    }

    /// Its `DATABASE_URL`.
    pub fn url(&self) -> String {
        Cluster::get().url(&self.name)
    }

    /// How the owner connects.
    pub fn owner_config(&self) -> Config {
        Cluster::get().owner(&self.name)
    }

    /// How the application role connects, as the program does it.
    pub fn application_config(&self) -> Config {
        clinic::db::application_address(&self.address()).expect("an address").config().clone()
    }

    /// The same, as the program has it.
    pub fn address(&self) -> Address {
        Cluster::get().address(&self.name)
    }

    /// The URL of another role of the server.
    pub fn url_of(&self, role: &str, password: &str) -> String {
        let url = self.url();
        let (_, rest) = url.split_once('@').expect("a URL");
        format!("postgres://{role}:{password}@{rest}")
    }

    /// How the superuser connects.
    pub fn superuser_config(&self) -> Config {
        Cluster::get().superuser(&self.name)
    }

    /// As the superuser, whom nothing holds back.
    pub async fn superuser(&self) -> Sql {
        Sql::connect(&Cluster::get().superuser(&self.name)).await
    }

    /// As the role that owns the tables.
    pub async fn owner(&self) -> Sql {
        Sql::connect(&self.owner_config()).await
    }

    /// As the role the service works as, in an organisation, or with no tenant set.
    pub async fn app(&self, organisation: Option<Uuid>) -> Sql {
        let sql = self.superuser().await;
        sql.run("SET SESSION AUTHORIZATION clinic_app").await;
        if let Some(organisation) = organisation {
            sql.run(&format!("SET app.org_id = '{organisation}'")).await;
        }
        sql
    }

    /// The log of the server it is on, with the lines of every other database too.
    pub fn server_log(&self) -> &'static Path {
        Cluster::get().log()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        Cluster::get().drop_soon(std::mem::take(&mut self.name));
    }
}

/// A connection for plain SQL. Every value comes back as the text Postgres writes.
pub struct Sql(tokio_postgres::Client);

/// A row: each column's text, or none for NULL.
pub type Row = Vec<Option<String>>;

impl Sql {
    /// Connects.
    pub async fn connect(config: &Config) -> Self {
        let (client, connection) = config.connect(NoTls).await.expect("a connection");
        tokio::spawn(connection);
        Self(client)
    }

    /// Runs statements; how many rows the last one touched, or the SQLSTATE and message it failed with.
    pub async fn try_run(&self, sql: &str) -> Result<u64, String> {
        let messages = self.0.simple_query(sql).await.map_err(|error| match error.as_db_error() {
            Some(error) => format!("{} {}", error.code().code(), error.message()),
            None => error.to_string(),
        })?;
        let counts = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::CommandComplete(rows) => Some(*rows),
            _ => None,
        });
        Ok(counts.last().unwrap_or(0))
    }

    /// Runs statements that must not fail.
    pub async fn run(&self, sql: &str) -> u64 {
        self.try_run(sql).await.unwrap_or_else(|error| panic!("{error}\n{sql}"))
    }

    /// The rows of a query.
    pub async fn rows(&self, sql: &str) -> Vec<Row> {
        let messages = self.0.simple_query(sql).await.unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect()),
            _ => None,
        });
        rows.collect()
    }

    /// The first column of a query, without its NULLs.
    pub async fn column(&self, sql: &str) -> Vec<String> {
        self.rows(sql).await.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect()
    }

    /// The one value of a query; empty for NULL.
    pub async fn one(&self, sql: &str) -> String {
        let rows = self.rows(sql).await;
        assert_eq!((rows.len(), rows.first().map_or(0, Vec::len)), (1, 1), "one value: {sql}");
        rows.into_iter().flatten().next().flatten().unwrap_or_default()
    }
}
