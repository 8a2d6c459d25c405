//! Two roles: the owner migrates, `clinic_app` serves. The application role owns nothing, is no superuser and can't pass
//! by row-level security, so a fault in a query can't show another organisation's row.

use super::Address;
use crate::error::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use tokio_postgres::{Client, Config};

const APPLICATION_ROLE: &str = "clinic_app";

/// How the application role connects: the owner's address with the role's own name and password. The password is
/// derived from the owner's, so that every process given the same `DATABASE_URL` derives the same one and nothing has to
/// be stored. A separate URL for the application role takes precedence.
pub fn application_address(owner: &Address) -> Result<Address> {
    let mut address = owner.clone();
    address.config_mut().user(APPLICATION_ROLE);
    if owner.config().get_password().is_some() {
        address.config_mut().password(derived_password(owner.config())?);
    }
    Ok(address)
}

fn derived_password(owner: &Config) -> Result<String> {
    let secret = owner.get_password().unwrap_or_default();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret)
        .map_err(|_| Error::Internal("the password can't be a key".to_owned()))?;
    mac.update(b"clinic application role");
    Ok(URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// Makes the application role where it is missing and takes from it what it must not have.
pub async fn ensure(owner: &Client, config: &Config) -> std::result::Result<(), String> {
    let known = owner
        .query_opt("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = $1", &[&APPLICATION_ROLE])
        .await
        .map_err(|error| format!("the roles of the database can't be read: {error}"))?;
    if let Some(row) = &known
        && row.get::<_, bool>(0)
    {
        return Err(format!(
            "the role {APPLICATION_ROLE} is a superuser or has BYPASSRLS: take that from it (ALTER ROLE {APPLICATION_ROLE} \
             NOSUPERUSER NOBYPASSRLS), row-level security would protect nothing"
        ));
    }
    let password = match config.get_password() {
        Some(_) => {
            let password = derived_password(config).map_err(|error| error.operator_message())?;
            format!(" PASSWORD '{password}'")
        }
        None => String::new(),
    };
    if known.is_none() {
        let statement = format!(
            "CREATE ROLE {APPLICATION_ROLE} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOINHERIT{password}"
        );
        if let Err(error) = owner.batch_execute(&statement).await {
            // Another process may have made it just now.
            let made = owner.query_opt("SELECT 1 FROM pg_roles WHERE rolname = $1", &[&APPLICATION_ROLE]).await;
            if !matches!(made, Ok(Some(_))) {
                return Err(format!(
                    "the role {APPLICATION_ROLE} is missing and can't be made by this user ({error}): give it CREATEROLE, \
                     or make the role and set CLINIC_APP_DATABASE_URL"
                ));
            }
        }
    } else if !password.is_empty() {
        // A role made by an administrator may keep its own password: then CLINIC_APP_DATABASE_URL names it.
        let statement = format!("ALTER ROLE {APPLICATION_ROLE}{password}");
        if let Err(error) = owner.batch_execute(&statement).await {
            tracing::debug!(%error, "the application role keeps its password");
        }
    }
    Ok(())
}
