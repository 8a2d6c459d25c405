//! Two roles: the owner migrates, `clinic_app` serves. The application role owns nothing, is not a superuser and can't
//! bypass row-level security, so a fault in a query can't show a row of another organisation. It can't create anything
//! either, not even a temporary table, so that nothing of its own can stand where the owner's functions look.

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
    if let Some(secret) = owner.config().get_password() {
        address.config_mut().password(derived_password(secret)?);
    }
    Ok(address)
}

/// The application role's password, derived from the owner's.
pub(super) fn derived_password(owners: &[u8]) -> Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(owners)
        .map_err(|_| Error::Internal("the password can't be a key".to_owned()))?;
    mac.update(b"clinic application role");
    Ok(URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// Creates the application role if it is missing, and revokes from it and from the owner what they must not have.
pub async fn ensure(owner: &Client, config: &Config) -> std::result::Result<(), String> {
    let known = owner
        .query_opt("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = $1", &[&APPLICATION_ROLE])
        .await
        .map_err(unread)?;
    if let Some(row) = &known
        && row.get::<_, bool>(0)
    {
        return Err(format!(
            "the role {APPLICATION_ROLE} is a superuser or has BYPASSRLS: take that from it (ALTER ROLE {APPLICATION_ROLE} \
             NOSUPERUSER NOBYPASSRLS), row-level security would protect nothing"
        ));
    }
    let password = match config.get_password() {
        Some(secret) => {
            let password = derived_password(secret).map_err(|error| error.operator_message())?;
            format!(" PASSWORD '{password}'")
        }
        None => String::new(),
    };
    let may = Owner::of(owner).await?;
    if known.is_none() {
        let statement = format!("{CREATE}{password}");
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
    } else if !password.is_empty() && may.makes_roles {
        // A role created by an administrator may keep its own password: CLINIC_APP_DATABASE_URL then names it.
        let statement = format!("ALTER ROLE {APPLICATION_ROLE}{password}");
        if let Err(error) = owner.batch_execute(&statement).await {
            tracing::debug!(%error, "the application role keeps its password");
        }
    }
    may.give_up(owner).await;
    Ok(())
}

/// The statement that creates the application role; its password is appended.
pub(super) const CREATE: &str =
    "CREATE ROLE clinic_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOINHERIT";

fn unread(error: tokio_postgres::Error) -> String {
    format!("the roles of the database can't be read: {error}")
}

/// The owner's rights, and those it can give up or revoke.
struct Owner {
    /// CREATEROLE, or a superuser.
    makes_roles: bool,
    statements: Vec<String>,
}

impl Owner {
    async fn of(owner: &Client) -> std::result::Result<Self, String> {
        // A role that is also used for other things keeps CREATEROLE, and a warning is logged.
        let row = owner
            .query_one(
                "SELECT r.rolcreaterole OR r.rolsuper, \
                 r.rolcreaterole AND NOT (r.rolsuper OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls) AND NOT EXISTS \
                 (SELECT FROM pg_auth_members m WHERE m.member = r.oid AND m.roleid <> to_regrole('clinic_app')), \
                 pg_has_role(d.datdba, 'USAGE') AND has_database_privilege('public', d.oid, 'TEMPORARY'), \
                 quote_ident(d.datname), pg_has_role(n.nspowner, 'USAGE') AND has_schema_privilege('public', n.oid, 'CREATE') \
                 FROM pg_roles r, pg_database d, pg_namespace n \
                 WHERE r.rolname = current_user AND d.datname = current_database() AND n.nspname = 'public'",
                &[],
            )
            .await
            .map_err(unread)?;
        let database: String = row.get(3);
        let each: [(usize, String); 3] = [
            (2, format!("REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC")),
            (4, "REVOKE CREATE ON SCHEMA public FROM PUBLIC".to_owned()),
            (1, "ALTER ROLE CURRENT_USER NOCREATEROLE".to_owned()),
        ];
        let statements = each.into_iter().filter(|(may, _)| row.get(*may)).map(|(_, statement)| statement);
        Ok(Self { makes_roles: row.get(0), statements: statements.collect() })
    }

    /// Revokes what it can. `loose_ends` finds and reports the rest.
    async fn give_up(&self, owner: &Client) {
        for statement in &self.statements {
            match owner.batch_execute(statement).await {
                Ok(()) => tracing::info!(statement, "an unneeded right was revoked"),
                Err(error) => tracing::debug!(%error, statement, "an unneeded right could not be revoked"),
            }
        }
    }
}

/// The rights that the two roles should not have, and the objects that the application role left behind, each with what
/// to do about it. Asked on a connection of the application role.
pub async fn loose_ends(application: &Client) -> std::result::Result<Vec<String>, String> {
    let row = application
        .query_one(
            "SELECT quote_ident(current_database()), quote_ident(current_user), quote_ident(o.rolname), \
             has_database_privilege(current_database(), 'TEMPORARY'), has_database_privilege(current_database(), 'CREATE'), \
             EXISTS (SELECT FROM pg_namespace n WHERE n.nspname !~ '^pg_(temp|toast)' AND has_schema_privilege(n.oid, 'CREATE')), \
             o.rolsuper OR o.rolbypassrls, o.rolcreaterole AND NOT o.rolsuper, \
             NOT o.rolsuper AND EXISTS (SELECT FROM pg_roles g WHERE g.rolname IN \
             ('pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files') AND pg_has_role(o.oid, g.oid, 'MEMBER')) \
             FROM pg_roles o, pg_tables t WHERE t.schemaname = 'public' AND t.tablename = 'patient' AND o.rolname = t.tableowner",
            &[],
        )
        .await
        .map_err(unread)?;
    let (database, role, owner): (String, String, String) = (row.get(0), row.get(1), row.get(2));
    let each: [(usize, String); 6] = [
        (3, format!("{role} can make temporary tables: REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC, {role}")),
        (4, format!("{role} can make schemas: REVOKE CREATE ON DATABASE {database} FROM PUBLIC, {role}")),
        (5, format!("{role} can make things in a schema: REVOKE CREATE ON SCHEMA public FROM PUBLIC, {role}")),
        (6, format!("{owner}, which owns the tables, is a superuser or has BYPASSRLS: let a plain role own them")),
        (
            7,
            format!(
                "{owner}, which owns the tables, can make roles and needs it no more: ALTER ROLE {owner} NOCREATEROLE"
            ),
        ),
        (8, format!("{owner}, which owns the tables, can reach files or programs of the server: REVOKE that from it")),
    ];
    let mut found: Vec<String> = each.into_iter().filter(|(is, _)| row.get(*is)).map(|(_, told)| told).collect();
    found.extend(planted(application).await?);
    Ok(found)
}

/// Default privileges of the role $1, each with the statements that make them the system's own again; and its large objects.
/// Those of a whole database are not beside the system's but instead of them: what those are is granted again.
const PLANTED: &str = "
    WITH privileges AS (
        SELECT d.oid, d.defaclnamespace = 0 AS instead, d.defaclacl AS acl,
            acldefault(CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END, d.defaclrole) AS usual,
            'ALTER DEFAULT PRIVILEGES FOR ROLE ' || d.defaclrole::regrole::text
                || coalesce(' IN SCHEMA ' || quote_ident(n.nspname), '') AS begin,
            ' ALL ON ' || CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS'
                WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END AS kind
        FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace WHERE d.defaclrole = to_regrole($1)
    )
    (SELECT 'set default privileges, which no backup takes along: ' || concat_ws('; ',
        begin || ' REVOKE' || kind || ' FROM ' || (SELECT string_agg(DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC'
            ELSE a.grantee::regrole::text END, ', ') FROM aclexplode(acl) a),
        CASE WHEN instead THEN begin || ' GRANT' || kind || ' TO ' || (SELECT string_agg(DISTINCT CASE a.grantee WHEN 0
            THEN 'PUBLIC' ELSE a.grantee::regrole::text END, ', ') FROM aclexplode(usual) a) END)
    FROM privileges ORDER BY oid)
    UNION ALL
    SELECT 'made large objects, ' || count(*) || ' of them, which no backup takes along (REVOKE EXECUTE ON FUNCTION '
        || 'lo_create(oid), lo_creat(integer), lo_from_bytea(oid, bytea) FROM PUBLIC, and there will be no more): '
        || 'SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE lomowner = ' || quote_literal($1) || '::regrole'
    FROM pg_largeobject_metadata WHERE lomowner = to_regrole($1) HAVING count(*) > 0
    UNION ALL
    SELECT 'has settings of its own, ' || array_to_string(s.setconfig, ', ') || ', which outlive the service: ALTER ROLE '
        || s.setrole::regrole || coalesce(' IN DATABASE ' || quote_ident(d.datname), '') || ' RESET ALL'
    FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase
    WHERE s.setrole = to_regrole($1) AND (s.setdatabase = 0 OR d.datname = current_database())";

/// The objects that the application role left in the database and that are not records; any role may create them. Each
/// comes with the statement that removes it, for a superuser; the owner can't.
pub(crate) async fn planted(client: &Client) -> std::result::Result<Vec<String>, String> {
    let rows = client.query(PLANTED, &[&APPLICATION_ROLE]).await.map_err(unread)?;
    Ok(rows.iter().map(|row| format!("{APPLICATION_ROLE} {}", row.get::<_, String>(0))).collect())
}
