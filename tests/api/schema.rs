//! Rules of the two schemas: the API's (SDL, descriptions) and the database's (migrations, keys, row-level security).

use crate::support::*;
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_migrations::{FileBasedMigrations, MigrationHarness};
use std::collections::BTreeMap;
use std::process::Command;

/// A path from the root of the checkout.
fn checkout(path: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

// --- The API ---------------------------------------------------------------------------------------------------------

#[test]
fn schema_graphql_is_what_the_program_prints() {
    let printed = Command::new(env!("CARGO_BIN_EXE_clinic")).arg("schema").output().expect("clinic schema");
    let printed = String::from_utf8(printed.stdout).expect("text");
    assert!(printed.contains("type Mutation"), "{printed}");
    let kept = std::fs::read_to_string(checkout("schema.graphql")).unwrap_or_default();
    assert!(kept == printed, "schema.graphql is not the schema: target/debug/clinic schema > schema.graphql");
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

// --- The database ----------------------------------------------------------------------------------------------------

/// Everything the catalogs say of the schema, a line for each thing.
async fn catalog(sql: &Sql) -> Vec<String> {
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

/// A copy of the template, and the superuser in it.
pub async fn migrated() -> (Database, Sql) {
    let database = Database::copy().await;
    let sql = database.superuser().await;
    (database, sql)
}

/// Tables with an `org_id` that are read before a tenant is known: only `src/access` does (`layers.rs`).
const BEFORE_THE_TENANT: [&str; 4] = ["account_membership", "api_key_use", "one_time_token", "sign_in"];

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

#[tokio::test(flavor = "multi_thread")]
async fn every_foreign_key_has_an_index_that_leads_with_its_columns() {
    let (_database, sql) = migrated().await;
    // An index of the rows with a value there serves as well: a foreign key of a NULL refers to nothing.
    let without = sql.column("
        SELECT conrelid::regclass || ' ' || pg_get_constraintdef(o.oid) FROM pg_constraint o
        WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND NOT EXISTS (
            SELECT FROM pg_index WHERE indrelid = conrelid AND indisvalid
            AND (SELECT array_agg(k ORDER BY k) FROM unnest((indkey::int2[])[0:cardinality(conkey) - 1]) k)
                = (SELECT array_agg(k ORDER BY k) FROM unnest(conkey) k)
            AND (indpred IS NULL OR pg_get_expr(indpred, indrelid) IN (
                SELECT format('(%I IS NOT NULL)', attname) FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey))))").await;
    assert_eq!(without, [""; 0]);
    let all = sql.one("SELECT count(*) FROM pg_constraint WHERE contype = 'f'").await;
    assert!(all.parse::<u32>().expect("a number") >= 25, "only {all} foreign keys were looked at");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_references_stay_in_the_tenant() {
    let (_database, sql) = migrated().await;
    let primary = sql
        .column(&format!(
            "
        SELECT relname FROM pg_class c WHERE {} AND NOT EXISTS (
            SELECT FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
            WHERE indrelid = c.oid AND indisprimary AND attname = 'org_id')",
            of_a_tenant()
        ))
        .await;
    assert_eq!(primary, [""; 0], "primary keys that do not begin with org_id");
    // An account belongs to no organisation, so a reference to one can't name any.
    let across = sql.column(&format!("
        SELECT relname || ' ' || pg_get_constraintdef(o.oid) FROM pg_constraint o JOIN pg_class c ON c.oid = conrelid
        WHERE {} AND contype IN ('p', 'u', 'x', 'f') AND NOT (contype = 'f' AND confrelid = 'account'::regclass) AND NOT EXISTS (
            SELECT FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey) AND attname = 'org_id')", of_a_tenant())).await;
    assert_eq!(across, [""; 0], "keys without org_id");
    let deletes = sql.column("SELECT conrelid::regclass || ' ' || conname FROM pg_constraint WHERE contype = 'f' AND (confdeltype <> 'a' OR confupdtype <> 'a')").await;
    assert_eq!(deletes, [""; 0], "references that change rows by themselves");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_level_security_is_forced_on_every_tenant_table_and_partition() {
    let (_database, sql) = migrated().await;
    let open = sql.column(&format!("
        SELECT relname FROM pg_class c WHERE ({} OR (relispartition AND relkind = 'r')) AND NOT (relrowsecurity AND relforcerowsecurity)",
        of_a_tenant())).await;
    assert_eq!(open, [""; 0], "tables without forced row-level security");
    let bare = sql
        .column(&format!(
            "SELECT relname FROM pg_class c WHERE {} AND NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid)",
            of_a_tenant()
        ))
        .await;
    assert_eq!(bare, [""; 0], "tables without a policy");
    // A policy of an INSERT has a check and no condition; every other needs the condition, and a check too if it has one.
    let loose = sql
        .column(
            "
        SELECT polrelid::regclass || ' ' || polname FROM pg_policy
        WHERE NOT coalesce(pg_get_expr(polqual, polrelid), 'current_org') ~ 'current_org'
           OR NOT coalesce(pg_get_expr(polwithcheck, polrelid), 'current_org') ~ 'current_org'
           OR (polqual IS NULL AND polwithcheck IS NULL)",
        )
        .await;
    let (narrowing, loose): (Vec<String>, Vec<String>) =
        loose.into_iter().partition(|policy| policy.ends_with(" open_patients") || policy.ends_with(" only_patients"));
    assert_eq!(loose, [""; 0], "policies that do not ask for the tenant");
    // Those two narrow what the others let through, on everything that is some patient's.
    let restrictive = sql
        .column("SELECT polrelid::regclass || ' ' || polname FROM pg_policy WHERE NOT polpermissive ORDER BY 1")
        .await;
    assert!(narrowing.iter().all(|policy| restrictive.contains(policy)), "{narrowing:?} widen");
    let owned = sql
        .column(
            "SELECT name FROM patient_tables() WHERE name NOT IN ('patient_restriction', 'emergency_access') \
             UNION SELECT unnest(ARRAY['patient', 'ledger'])",
        )
        .await;
    for table in owned {
        assert!(restrictive.contains(&format!("{table} open_patients")), "{table} shows restricted patients");
    }
    let partitions = sql.one("SELECT count(*) FROM pg_class WHERE relispartition AND relkind = 'r'").await;
    assert!(partitions.parse::<u32>().expect("a number") >= 8, "{partitions} partitions");
    let granted =
        sql.column("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' AND relacl IS NOT NULL").await;
    assert_eq!(granted, [""; 0], "partitions that somebody may reach past their parent");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_trigger_and_no_rule() {
    let (_database, sql) = migrated().await;
    assert_eq!(
        sql.column("SELECT tgrelid::regclass || ' ' || tgname FROM pg_trigger WHERE NOT tgisinternal").await,
        [""; 0]
    );
    assert_eq!(sql.column("SELECT evtname FROM pg_event_trigger").await, [""; 0]);
    let rules = "SELECT ev_class::regclass || ' ' || rulename FROM pg_rewrite JOIN pg_class c ON c.oid = ev_class WHERE relnamespace = 'public'::regnamespace";
    assert_eq!(sql.column(rules).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_rs_is_what_the_database_has() {
    let (_database, sql) = migrated().await;
    let mut real: BTreeMap<String, String> = BTreeMap::new();
    let rows = sql.rows("
        SELECT relname, attname, typname, attnotnull FROM pg_class c JOIN pg_attribute ON attrelid = c.oid JOIN pg_type t ON t.oid = atttypid
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND attnum > 0
        AND relname <> '__diesel_schema_migrations' ORDER BY relname, attnum").await;
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
        real.entry(table.clone()).or_default().push_str(&format!("{column} -> {rust}, "));
    }
    for (table, columns) in &mut real {
        let keys = sql.column(&format!("SELECT attname FROM pg_index JOIN LATERAL unnest(indkey::int2[]) WITH ORDINALITY AS k (attnum, place) ON true \
            JOIN pg_attribute a ON a.attrelid = indrelid AND a.attnum = k.attnum WHERE indisprimary AND indrelid = '{table}'::regclass ORDER BY place")).await;
        *columns = format!("({}) {columns}", keys.join(", "));
    }
    let written = std::fs::read_to_string(checkout("src/db/tables.rs")).expect("tables.rs");
    let tables = written.split("diesel::table! {").skip(1).map(|text| {
        let (head, rest) = text.split_once('{').expect("a table");
        let (name, keys) = head.trim().split_once(' ').expect("a key");
        let columns =
            rest.split('}').next().expect("columns").lines().map(str::trim).filter(|line| line.contains("->"));
        let columns: String = columns.map(|line| format!("{} ", line.trim())).collect();
        (name.to_owned(), format!("{keys} {columns}"))
    });
    assert_eq!(tables.collect::<BTreeMap<_, _>>(), real);
}

/// What the application role may do with each table. DELETE is for parts of drafts and for bookkeeping, never for a
/// record; what is append-only has no UPDATE. A table without a row here fails the test.
const GRANTS: &[(&str, &str)] = &[
    ("access_log", "INSERT SELECT"),
    ("access_log_head", "INSERT SELECT UPDATE"),
    ("access_log_patient", "INSERT SELECT"),
    ("account", "INSERT SELECT UPDATE"),
    ("account_membership", "INSERT SELECT"),
    ("addendum", "INSERT SELECT"),
    ("adverse_event", "INSERT SELECT UPDATE"),
    ("aftercare_note", "INSERT SELECT UPDATE"),
    ("api_key", "INSERT SELECT UPDATE"),
    ("api_key_use", "INSERT SELECT UPDATE"),
    ("chart_counter", "INSERT SELECT UPDATE"),
    ("consent", "INSERT SELECT UPDATE"),
    ("consent_signature", "INSERT SELECT"),
    ("consent_template", "INSERT SELECT UPDATE"),
    ("consent_template_version", "INSERT SELECT UPDATE"),
    ("consultation", "INSERT SELECT UPDATE"),
    ("device", "INSERT SELECT UPDATE"),
    ("emergency_access", "INSERT SELECT UPDATE"),
    ("health_entry", "INSERT SELECT UPDATE"),
    ("idempotency", "DELETE INSERT SELECT UPDATE"),
    ("ledger", "INSERT SELECT"),
    ("ledger_head", "INSERT SELECT UPDATE"),
    ("legal_hold", "INSERT SELECT UPDATE"),
    ("location", "INSERT SELECT UPDATE"),
    ("one_time_token", "DELETE INSERT SELECT UPDATE"),
    ("organisation", "INSERT SELECT UPDATE"),
    ("outcome_assessment", "INSERT SELECT UPDATE"),
    ("patient", "INSERT SELECT UPDATE"),
    ("patient_erasure", "INSERT SELECT UPDATE"),
    ("patient_merge", "INSERT SELECT UPDATE"),
    ("patient_restriction", "INSERT SELECT UPDATE"),
    ("patient_search", "DELETE INSERT SELECT"),
    ("photo", "INSERT SELECT UPDATE"),
    ("product", "INSERT SELECT UPDATE"),
    ("product_lot", "INSERT SELECT UPDATE"),
    ("product_use", "DELETE INSERT SELECT"),
    ("protocol", "INSERT SELECT UPDATE"),
    ("protocol_version", "INSERT SELECT UPDATE"),
    ("rate_budget", "DELETE INSERT SELECT UPDATE"),
    ("recall", "INSERT SELECT UPDATE"),
    ("recovery_code", "DELETE INSERT SELECT UPDATE"),
    ("refused_sign_in", "DELETE INSERT SELECT UPDATE"),
    ("replaced_token", "DELETE INSERT SELECT UPDATE"),
    ("service_account", "INSERT SELECT UPDATE"),
    ("session_area", "DELETE INSERT SELECT"),
    ("sign_in", "INSERT SELECT UPDATE"),
    ("sign_in_failure", "DELETE INSERT SELECT UPDATE"),
    ("staff", "INSERT SELECT UPDATE"),
    ("treatment_plan", "INSERT SELECT UPDATE"),
    ("treatment_session", "INSERT SELECT UPDATE"),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_application_role_owns_nothing_and_has_these_rights_only() {
    let (_database, sql) = migrated().await;
    let role = sql.rows("SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolreplication, rolinherit, rolcanlogin FROM pg_roles WHERE rolname = 'clinic_app'").await;
    assert_eq!(role, [["f", "f", "f", "f", "f", "f", "t"].map(|it| Some(it.to_owned())).to_vec()]);
    assert_eq!(sql.one("SELECT count(*) FROM pg_auth_members WHERE member = 'clinic_app'::regrole").await, "0");
    assert_eq!(
        sql.one("SELECT count(*) FROM pg_shdepend WHERE deptype = 'o' AND refobjid = 'clinic_app'::regrole").await,
        "0"
    );
    assert_eq!(sql.one("SELECT has_schema_privilege('clinic_app', 'public', 'CREATE')").await, "f");
    let rights = sql.rows("
        SELECT relname, coalesce(string_agg(privilege, ' ' ORDER BY privilege) FILTER (WHERE has_table_privilege('clinic_app', c.oid, privilege)), '')
        FROM pg_class c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS privilege
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S') AND NOT relispartition
        AND relname <> '__diesel_schema_migrations' GROUP BY relname ORDER BY relname").await;
    let rights: Vec<(String, String)> =
        rights.into_iter().map(|row| (row[0].clone().unwrap(), row[1].clone().unwrap())).collect();
    let expected: Vec<(String, String)> =
        GRANTS.iter().map(|(table, rights)| ((*table).to_owned(), (*rights).to_owned())).collect();
    assert_eq!(rights, expected);
    assert_eq!(
        sql.one(
            "SELECT has_table_privilege('clinic_app', '__diesel_schema_migrations', 'SELECT, INSERT, UPDATE, DELETE')"
        )
        .await,
        "f"
    );
}

/// Rows of every tenant table, in the north.
async fn fill(clinic: &Clinic) -> (Made, Made) {
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    anna.health_entry(&patient).await;
    let signed = anna.signed_session(&patient).await;
    let draft = anna.session(&patient).await;
    anna.signed_consultation(&patient).await;
    let consultation = anna.consultation(&patient).await;
    anna.plan(&consultation, &anna.protocol().await).await;
    anna.photo_with(&patient, json!({})).await;
    anna.signed_note(&signed).await;
    anna.note(&signed).await;
    anna.addendum(&signed).await;
    let text = anna.consent_text("DATA", json!({})).await;
    anna.consent(&patient, &text, json!({"typedName": null, "signatureImage": SIGNATURE_PNG})).await;
    anna.outcome(&patient, "2", 1, json!({})).await;
    anna.device("Pen").await;
    let product = anna.product("Serum").await;
    anna.lot(&product, "L-1").await;
    anna.adverse_event(&signed).await;
    anna.recall(&patient).await;
    let key = anna.prepare(
        "mutation ($input: RegisterPatientInput!) { registerPatient(input: $input) { patient { id } } }",
        json!({"input": {"legalName": {"given": "Iñaki", "family": "Sol"}, "birthDate": "1971-01-02"}}),
    );
    Answer::to(key.header("idempotency-key", "fill")).await.ok();
    let (admin, other) = (clinic.admin(), anna.patient("Zoë", "Ramírez").await);
    admin.make("placeLegalHold", "legalHold", json!({"patientId": patient.id, "reason": "Case 12"})).await;
    anna.make("mergePatients", "merge", crate::access::merging(&other, &patient, json!({}))).await;
    let gone = anna.patient("Gone", "Soon").await;
    let input = crate::access::erasing(&admin, &gone).await;
    admin.make("erasePatient", "erasure", input).await;
    let restriction = json!({"patientId": patient.id, "reason": "Works here"});
    let restriction = admin.make("restrictPatient", "restriction", restriction).await;
    admin
        .because("To lift it")
        .make("liftPatientRestriction", "restriction", restriction.edit_with(json!({"reason": "Left"})))
        .await;
    let emergency = json!({"patientId": patient.id, "reason": "Unconscious at the door"});
    anna.make("beginEmergencyAccess", "emergencyAccess", emergency).await;
    let service = admin.service_account("Reader", &["AUDIT_READ"]).await;
    admin.api_key(&service, json!({})).await;
    (signed, draft)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_tenant_no_row_of_any_tenant_table_is_seen() {
    let clinic = Clinic::start().await;
    fill(&clinic).await;
    let all = clinic.database.superuser().await;
    let (north, south) = (clinic.north.uuid, clinic.south.uuid);
    let (none, other) = (clinic.database.app(None).await, clinic.database.app(Some(south)).await);
    let own = clinic.database.app(Some(north)).await;
    let owner = clinic.database.owner().await;
    for table in tenant_tables(&all).await {
        let count = format!("SELECT count(*) FROM {table} WHERE org_id = '{north}'");
        let rows = all.one(&count).await;
        assert_ne!(rows, "0", "{table} has no row to hide: fill() must make one");
        assert_eq!(own.one(&count).await, rows, "{table} with its tenant");
        assert_eq!(other.one(&count).await, "0", "{table} with another tenant");
        assert_eq!(none.one(&format!("SELECT count(*) FROM {table}")).await, "0", "{table} with no tenant");
        assert_eq!(owner.one(&format!("SELECT count(*) FROM {table}")).await, "0", "{table}, the owner with no tenant");
        none.run("SET app.org_id = ''").await;
        assert_eq!(none.one(&format!("SELECT count(*) FROM {table}")).await, "0", "{table} with an empty tenant");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tenant_can_write_no_row_of_another() {
    let clinic = Clinic::start().await;
    let patient = clinic.practitioner().patient("Zoë", "Ramírez").await;
    let (north, south) = (clinic.north.uuid, clinic.south.uuid);
    let sql = clinic.database.app(Some(south)).await;
    let id = uuid_of(&patient.id);
    assert_eq!(sql.run(&format!("UPDATE patient SET gender = 'x' WHERE org_id = '{north}' AND id = '{id}'")).await, 0);
    for statement in [
        format!("INSERT INTO chart_counter (org_id, next_number) VALUES ('{north}', 1)"),
        format!("INSERT INTO patient_search (org_id, trigram, patient_id) VALUES ('{north}', 7, '{id}')"),
        format!("UPDATE organisation SET org_id = '{north}'"),
    ] {
        let refused = sql.try_run(&statement).await.expect_err(&statement);
        assert!(refused.starts_with("42501 new row violates row-level security"), "{statement}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_row_takes_no_update_and_no_record_is_deleted() {
    let clinic = Clinic::start().await;
    fill(&clinic).await;
    let superuser = clinic.database.superuser().await;
    let app = clinic.database.app(Some(clinic.north.uuid)).await;
    // The owner is no way round: row-level security is forced on it too.
    let owner = clinic.database.owner().await;
    owner.run(&format!("SET app.org_id = '{}'", clinic.north.uuid)).await;
    for table in ["consultation", "treatment_session", "aftercare_note"] {
        let before = superuser.rows(&format!("SELECT * FROM {table} WHERE signed_at IS NOT NULL ORDER BY id")).await;
        assert_ne!(before.len(), 0, "{table}");
        for (who, sql) in [("clinic_app", &app), ("clinic_owner", &owner)] {
            for change in [
                "version = version + 1",
                "signed_at = NULL, signed_by = NULL, content_hash = NULL, signature_meaning = NULL",
            ] {
                let touched = sql.run(&format!("UPDATE {table} SET {change} WHERE signed_at IS NOT NULL")).await;
                assert_eq!(touched, 0, "{who} {table} {change}");
            }
        }
        assert_eq!(
            app.run(&format!("UPDATE {table} SET version = version WHERE signed_at IS NULL")).await,
            1,
            "{table}: the draft"
        );
        let refused = app.try_run(&format!("DELETE FROM {table}")).await.expect_err("no DELETE");
        assert!(refused.starts_with("42501 permission denied"), "{refused}");
        assert_eq!(owner.run(&format!("DELETE FROM {table}")).await, 0, "{table}: the owner deletes");
        let after = superuser.rows(&format!("SELECT * FROM {table} WHERE signed_at IS NOT NULL ORDER BY id")).await;
        assert_eq!(before, after, "{table}");
    }
    for (table, change) in [("addendum", "text = 'x'"), ("ledger", "content = 'x'"), ("access_log", "operation = 'x'")]
    {
        for statement in [format!("UPDATE {table} SET {change}"), format!("DELETE FROM {table}")] {
            let refused = app.try_run(&statement).await.expect_err(&statement);
            assert!(refused.starts_with("42501 permission denied"), "{statement}: {refused}");
            assert_eq!(owner.run(&statement).await, 0, "the owner: {statement}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parts_of_a_signed_session_are_as_fixed_as_the_session() {
    let clinic = Clinic::start().await;
    let (signed, draft) = fill(&clinic).await;
    let (signed, draft) = (uuid_of(&signed.id), uuid_of(&draft.id));
    let app = clinic.database.app(Some(clinic.north.uuid)).await;
    for table in ["session_area", "product_use"] {
        let columns = app
            .one(&format!(
                "SELECT string_agg(column_name, ', ') FROM information_schema.columns \
            WHERE table_name = '{table}' AND column_name NOT IN ('id', 'position', 'session_id')"
            ))
            .await;
        let copy_into = |session| {
            format!(
                "INSERT INTO {table} (id, position, session_id, {columns}) \
            SELECT gen_random_uuid(), 90, '{session}', {columns} FROM {table} WHERE session_id = '{signed}' AND position = 0"
            )
        };
        let refused = app.try_run(&copy_into(signed)).await.expect_err("a part more");
        assert!(refused.starts_with("42501 new row violates row-level security"), "{table}: {refused}");
        let refused = app.try_run(&format!("UPDATE {table} SET session_id = '{draft}'")).await.expect_err("an update");
        assert!(refused.starts_with("42501 permission denied"), "{table}: {refused}");
        assert_eq!(
            app.run(&format!("DELETE FROM {table} WHERE session_id = '{signed}'")).await,
            0,
            "{table} of the signed one"
        );
        assert_eq!(app.run(&copy_into(draft)).await, 1, "{table} of the draft takes one more");
        assert_eq!(
            app.run(&format!("DELETE FROM {table} WHERE session_id = '{draft}'")).await,
            3,
            "{table} of the draft"
        );
        assert_eq!(app.one(&format!("SELECT count(*) FROM {table} WHERE session_id = '{signed}'")).await, "2");
    }
}
