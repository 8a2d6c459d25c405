//! The role and the database that the service is given in its own Postgres, looked after at every start.

use tokio_postgres::{Client, Config, Error, NoTls};

use super::StartError;
use super::passwords::Passwords;

/// Makes, or puts right, role `clinic_owner` and database `clinic`, as the superuser that `config` signs in.
pub(super) async fn make(config: Config, passwords: &Passwords) -> Result<(), StartError> {
    let failed = |error: Error| {
        let why = error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
        StartError::new(format!("the clinic's role and database can't be made: {why}"))
    };
    let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
    let connection = tokio::spawn(connection);
    let made = make_with(&client, passwords).await.map_err(failed);
    drop(client);
    let _ = connection.await;
    made
}

async fn make_with(client: &Client, passwords: &Passwords) -> Result<(), Error> {
    let role = client.query_opt("SELECT FROM pg_roles WHERE rolname = 'clinic_owner'", &[]).await?;
    let verb = if role.is_some() { "ALTER" } else { "CREATE" };
    // CREATEROLE: it makes `clinic_app`, the role that the service works as. The password is hexadecimal digits.
    let role = format!(
        "{verb} ROLE clinic_owner LOGIN CREATEROLE NOSUPERUSER NOCREATEDB NOREPLICATION NOBYPASSRLS PASSWORD '{}'",
        passwords.owner
    );
    client.batch_execute(&role).await?;
    let database = client.query_opt("SELECT FROM pg_database WHERE datname = 'clinic'", &[]).await?;
    if database.is_none() {
        client.batch_execute("CREATE DATABASE clinic OWNER clinic_owner").await?;
    }
    Ok(())
}
