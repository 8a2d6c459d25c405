//! Rules of the two schemas: the API's (SDL, descriptions) and the database's (migrations, keys, row-level security).

mod conventions;
mod migrations;
mod released;
mod rows;
mod tables;

pub use migrations::revert_down_to;

use crate::support::*;
pub use migrations::catalog;
use std::process::Command;

/// A path from the root of the checkout.
fn checkout(path: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Whether what is generated is to be written anew, and not only compared.
fn updating() -> bool {
    std::env::var_os("UPDATE").is_some()
}

// --- The API ---------------------------------------------------------------------------------------------------------

#[test]
fn schema_graphql_is_what_the_program_prints() {
    let printed = Command::new(env!("CARGO_BIN_EXE_clinic")).arg("schema").output().expect("clinic schema");
    let printed = String::from_utf8(printed.stdout).expect("text");
    assert!(printed.contains("type Mutation"), "{printed}");
    if updating() {
        std::fs::write(checkout("schema.graphql"), &printed).expect("schema.graphql");
    }
    let kept = std::fs::read_to_string(checkout("schema.graphql")).unwrap_or_default();
    assert!(
        kept == printed,
        "schema.graphql is not the schema: UPDATE=1 script/test --test api schema:: writes it anew"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_in_the_schema_is_described() {
    let clinic = Clinic::start().await;
    let schema = Schema::ask(&clinic.anonymous()).await;
    let mut silent = Vec::new();
    let mut look = |path: String, description: &str| {
        if description.trim().is_empty() {
            silent.push(path);
        }
    };
    for ty in schema.types.iter().filter(|ty| ty.name != "ID") {
        look(ty.name.clone(), &ty.description);
        for part in ty.fields.iter().chain(&ty.input_fields).chain(&ty.enum_values) {
            look(format!("{}.{}", ty.name, part.name), &part.description);
            // The one argument of a mutation says no more than its type, which is described.
            let own = part.arguments.iter().filter(|argument| !(ty.name == "Mutation" && argument.name == "input"));
            for argument in own {
                look(format!("{}.{}({})", ty.name, part.name, argument.name), &argument.description);
            }
        }
    }
    assert!(schema.types.len() > 50, "only {} types were looked at", schema.types.len());
    assert!(silent.is_empty(), "{} without a description:\n{}", silent.len(), silent.join("\n"));
}

/// A copy of the template, and the superuser in it.
pub async fn migrated() -> (Database, Sql) {
    let database = Database::copy().await;
    let sql = database.superuser().await;
    (database, sql)
}

/// Tables with an `org_id` that are read before a tenant is known: only `src/access` does (`layers.rs`).
const BEFORE_THE_TENANT: [&str; 5] =
    ["account_membership", "api_key_use", "one_time_token", "sign_in", "webhook_place"];

/// Condition of a `pg_class`: a table of a tenant (not a partition, not one of those above).
fn of_a_tenant() -> String {
    let exempt = BEFORE_THE_TENANT.map(|name| format!("'{name}'")).join(", ");
    format!(
        "relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND relname NOT IN ({exempt}) \
        AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'org_id')"
    )
}

async fn tenant_tables(sql: &Sql) -> Vec<String> {
    let tables = sql.column(&format!("SELECT relname FROM pg_class c WHERE {} ORDER BY 1", of_a_tenant())).await;
    assert!(tables.len() >= 18, "{tables:?}");
    tables
}
