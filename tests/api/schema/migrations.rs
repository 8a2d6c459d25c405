//! What the migrations make of the database.

use super::{checkout, migrated, updating};
use crate::support::{Database, Sql};
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_migrations::{FileBasedMigrations, MigrationHarness};
use std::collections::BTreeMap;

/// Everything the catalogs say of the schema, a line for each thing.
pub async fn catalog(sql: &Sql) -> Vec<String> {
    const OURS: &str = "relnamespace = 'public'::regnamespace AND relname <> '__diesel_schema_migrations' \
                        AND relname <> '__diesel_schema_migrations_pkey'";
    let questions = [
        format!("SELECT 'relation', relname, relkind, relowner::regrole, relacl, relrowsecurity, relforcerowsecurity, \
            pg_get_partkeydef(oid), pg_get_expr(relpartbound, oid), reloptions FROM pg_class WHERE {OURS}"),
        format!("SELECT 'column', relname, attnum, attname, format_type(atttypid, atttypmod), attnotnull, attcollation::regcollation, \
            attidentity, attgenerated, pg_get_expr(adbin, adrelid), attacl FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid \
            LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attnum > 0 AND relkind <> 'i' AND relkind <> 'I' AND {OURS}"),
        format!("SELECT 'constraint', relname, conname, convalidated, pg_get_constraintdef(o.oid) FROM pg_constraint o \
            JOIN pg_class c ON conrelid = c.oid WHERE {OURS}"),
        format!("SELECT 'index', relname, indisvalid, pg_get_indexdef(c.oid) FROM pg_index JOIN pg_class c ON indexrelid = c.oid WHERE {OURS}"),
        format!("SELECT 'policy', relname, polname, polcmd, polpermissive, polroles, pg_get_expr(polqual, polrelid), \
            pg_get_expr(polwithcheck, polrelid) FROM pg_policy JOIN pg_class c ON polrelid = c.oid WHERE {OURS}"),
        format!("SELECT 'trigger', relname, tgname, pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON tgrelid = c.oid \
            WHERE NOT tgisinternal AND {OURS}"),
        "SELECT 'function', proname, proowner::regrole, proacl, pg_get_functiondef(oid) FROM pg_proc \
            WHERE pronamespace = 'public'::regnamespace AND prokind <> 'a'".to_owned(),
        "SELECT 'type', typname, typtype, typacl FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typname !~ '__diesel'".to_owned(),
        "SELECT 'schema', nspname, nspacl FROM pg_namespace WHERE nspname !~ '^pg_'".to_owned(),
        "SELECT 'default privileges', defaclrole::regrole, defaclobjtype, defaclacl FROM pg_default_acl".to_owned(),
        "SELECT 'extension', extname FROM pg_extension".to_owned(),
    ];
    let mut lines = Vec::new();
    for question in questions {
        let rows = sql.rows(&question).await;
        lines.extend(
            rows.into_iter().map(|row| row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>().join(" | ")),
        );
    }
    lines.sort();
    lines
}

/// Takes every migration back.
async fn revert_all(database: &Database) {
    let (client, connection) = database.owner_config().connect(tokio_postgres::NoTls).await.expect("the owner");
    let connection = AsyncPgConnection::try_from_client_and_connection(client, connection).await.expect("a connection");
    let reverted = tokio::task::spawn_blocking(move || {
        let mut wrapper: AsyncConnectionWrapper<AsyncPgConnection> = connection.into();
        let migrations = FileBasedMigrations::from_path(checkout("migrations")).expect("migrations");
        wrapper.revert_all_migrations(migrations).expect("down").len()
    });
    assert_eq!(reverted.await.expect("down"), std::fs::read_dir(checkout("migrations")).expect("migrations").count());
}

/// Takes migrations back, from the newest to this one.
pub async fn revert_down_to(database: &Database, version: &'static str) {
    let (client, connection) = database.owner_config().connect(tokio_postgres::NoTls).await.expect("the owner");
    let connection = AsyncPgConnection::try_from_client_and_connection(client, connection).await.expect("a connection");
    let reverting = tokio::task::spawn_blocking(move || {
        let mut wrapper: AsyncConnectionWrapper<AsyncPgConnection> = connection.into();
        let migrations = FileBasedMigrations::from_path(checkout("migrations")).expect("migrations");
        while wrapper.revert_last_migration(migrations.clone()).expect("down").to_string() != version {}
    });
    reverting.await.expect("down");
}

/// What is in one list and not in the other.
fn difference(before: &[String], after: &[String]) -> String {
    let gone = before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line}\n"));
    let new = after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}\n"));
    gone.chain(new).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_up_down_and_up_leave_no_difference() {
    let database = Database::empty().await;
    let sql = database.superuser().await;
    let empty = catalog(&sql).await;
    clinic::db::migrate(&database.address()).await.expect("up");
    let first = catalog(&sql).await;
    assert!(first.len() > 300, "only {} things were looked at", first.len());
    revert_all(&database).await;
    assert_eq!(difference(&empty, &catalog(&sql).await), "", "what down left");
    clinic::db::migrate(&database.address()).await.expect("up again");
    assert_eq!(difference(&first, &catalog(&sql).await), "", "what the second up made otherwise");
}

#[tokio::test(flavor = "multi_thread")]
async fn packed_contents_are_not_thrown_away() {
    let (database, sql) = migrated().await;
    let kept = "SELECT count(packed) || ' ' || sum(hashtext(packed::text)) FROM ledger";
    let before = sql.one(kept).await;
    let down = checkout("migrations/2026-11-30-001600_packed_ledger/down.sql");
    let down = std::fs::read_to_string(down).expect("a migration");
    let refused = database.owner().await.try_run(&down).await.expect_err("there are packed contents");
    assert!(refused.contains("the ledger has packed contents"), "{refused}");
    assert_eq!(sql.one(kept).await, before);
    let forced = "SELECT relforcerowsecurity FROM pg_class WHERE oid = 'ledger'::regclass";
    assert_eq!(sql.one(forced).await, "t");
}

/// `src/db/tables.rs` as `diesel print-schema` and `cargo fmt` would write it, of the tables that the database has.
async fn tables_of(sql: &Sql) -> String {
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let rows = sql.rows("
        SELECT relname, attname, typname, attnotnull FROM pg_class c JOIN pg_attribute ON attrelid = c.oid JOIN pg_type t ON t.oid = atttypid
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND attnum > 0
        AND NOT attisdropped AND relname <> '__diesel_schema_migrations' ORDER BY relname, attnum").await;
    for row in rows {
        let [Some(table), Some(column), Some(ty), Some(required)] = row.as_slice() else { panic!("{row:?}") };
        let mut letters = ty.trim_start_matches('_').chars();
        let mut rust: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
        if ty.starts_with('_') {
            rust = format!("Array<Nullable<{rust}>>");
        }
        if required == "f" {
            rust = format!("Nullable<{rust}>");
        }
        tables.entry(table.clone()).or_default().push(format!("        {column} -> {rust},\n"));
    }
    let mut text = String::new();
    for (table, columns) in &tables {
        let keys = sql.column(&format!("SELECT attname FROM pg_index JOIN LATERAL unnest(indkey::int2[]) WITH ORDINALITY AS k (attnum, place) ON true \
            JOIN pg_attribute a ON a.attrelid = indrelid AND a.attnum = k.attnum WHERE indisprimary AND indrelid = '{table}'::regclass ORDER BY place")).await;
        text += &format!("diesel::table! {{\n    {table} ({}) {{\n{}    }}\n}}\n\n", keys.join(", "), columns.concat());
    }
    // One column, and one alone, that leads to the whole primary key of another table.
    let joins = sql.rows("
        SELECT f.relname, t.relname, min(attname) FROM pg_constraint o JOIN pg_class f ON f.oid = conrelid AND NOT f.relispartition
        JOIN pg_class t ON t.oid = confrelid JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
        JOIN pg_index ON indrelid = confrelid AND indisprimary AND indnkeyatts = 1 AND indkey[0] = confkey[1]
        WHERE contype = 'f' AND cardinality(conkey) = 1 AND conrelid <> confrelid
        GROUP BY f.relname, t.relname HAVING count(*) = 1 ORDER BY f.relname, t.relname").await;
    for join in joins {
        let [Some(child), Some(parent), Some(column)] = join.as_slice() else { panic!("{join:?}") };
        if tables.contains_key(child) {
            text += &format!("diesel::joinable!({child} -> {parent} ({column}));\n");
        }
    }
    let names: String = tables.keys().map(|table| format!("    {table},\n")).collect();
    text + &format!("\ndiesel::allow_tables_to_appear_in_same_query!(\n{names});\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_rs_is_what_the_database_has() {
    let (_database, sql) = migrated().await;
    let real = tables_of(&sql).await;
    let file = checkout("src/db/tables.rs");
    let written = std::fs::read_to_string(&file).expect("tables.rs");
    let (head, _) = written.split_once("diesel::table!").expect("a table");
    let whole = format!("{head}{real}");
    if updating() {
        std::fs::write(&file, &whole).expect("tables.rs");
    } else if written != whole {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let lines = difference(&lines(&written), &lines(&whole));
        panic!(
            "src/db/tables.rs is not what the database has: UPDATE=1 script/test --test api schema:: writes it anew\n{lines}"
        );
    }
}
