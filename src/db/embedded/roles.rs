//! The roles and the database of the service in its own Postgres, checked at every start.

use tokio_postgres::{Client, Config, Error, NoTls};

use super::StartError;
use super::passwords::Passwords;
use crate::db::roles::{CREATE, derived_password};

/// Creates or repairs the roles `clinic_owner` and `clinic_app` and the database `clinic`, as the superuser that
/// `config` signs in as.
pub(super) async fn make(config: Config, passwords: &Passwords) -> Result<(), StartError> {
    let failed = |error: Error| {
        let why = error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
        StartError::new(format!("the clinic's roles and database can't be made: {why}"))
    };
    let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
    let connection = tokio::spawn(connection);
    let made = make_with(&client, passwords).await.map_err(failed);
    drop(client);
    let _ = connection.await;
    made
}

async fn make_with(client: &Client, passwords: &Passwords) -> Result<(), Error> {
    // The owner makes no role: both are made here. The passwords are hexadecimal digits, and base 64 of the URL's sort.
    let application = derived_password(passwords.owner.as_bytes()).unwrap_or_default();
    for (name, create, password) in
        [("clinic_owner", "CREATE ROLE clinic_owner LOGIN", &passwords.owner), ("clinic_app", CREATE, &application)]
    {
        if client.query_opt("SELECT FROM pg_roles WHERE rolname = $1", &[&name]).await?.is_none() {
            client.batch_execute(create).await?;
        }
        let role = format!(
            "ALTER ROLE {name} LOGIN NOCREATEROLE NOSUPERUSER NOCREATEDB NOREPLICATION NOBYPASSRLS PASSWORD '{password}'"
        );
        client.batch_execute(&role).await?;
    }
    let database = client.query_opt("SELECT FROM pg_database WHERE datname = 'clinic'", &[]).await?;
    if database.is_none() {
        client.batch_execute("CREATE DATABASE clinic OWNER clinic_owner").await?;
    }
    Ok(())
}
