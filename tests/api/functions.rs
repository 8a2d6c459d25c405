//! The functions of the database, and what its two roles may do beside calling them.

use crate::ledger::enter;
use crate::schema::migrated;
use crate::support::*;
use uuid::Uuid;

/// Every function of ours, with who may call it. What a policy asks is everybody's; what runs with the owner's rights is
/// the application role's alone. A function without a row here fails the test.
const FUNCTIONS: &[(&str, &str)] = &[
    ("closed_behind(uuid[])", "everybody"),
    ("closed_but_for(text)", "everybody"),
    ("closed_entries()", "everybody"),
    ("closed_merges()", "everybody"),
    ("closed_patients()", "everybody"),
    ("current_org()", "everybody"),
    ("ensure_month_partitions(date, date)", "clinic_app, with the owner's rights"),
    ("entries_at(uuid[], timestamp with time zone)", "everybody"),
    ("entry_just_written(bigint, text, text)", "everybody"),
    ("erase_patient_records(bigint)", "clinic_app, with the owner's rights"),
    ("erased_by(bigint)", "everybody"),
    ("erasing_patients()", "everybody"),
    ("forget_words(uuid[])", "everybody"),
    ("keeps_what_holds(text, jsonb)", "everybody"),
    ("ledger_heads(uuid[])", "clinic_app"),
    ("ledger_span(bigint, bigint, timestamp with time zone)", "everybody"),
    ("merge_span(patient_merge)", "everybody"),
    ("merges_around(uuid[])", "everybody"),
    ("merges_of_patients(uuid[])", "everybody"),
    ("move_patient_records(bigint, bigint)", "clinic_app, with the owner's rights"),
    ("moving_patient()", "everybody"),
    ("newest_entries(uuid[])", "everybody"),
    ("only_patients()", "everybody"),
    ("owner_before(bigint, uuid)", "everybody"),
    ("patient_parts()", "everybody"),
    ("patient_tables()", "everybody"),
    ("patient_with_merged(uuid)", "everybody"),
    ("patient_with_number(text)", "everybody"),
    ("records_of_patients(uuid[])", "everybody"),
    ("records_to_erase(uuid)", "everybody"),
    ("records_to_move(uuid, uuid, jsonb)", "everybody"),
    ("restricted_patient(text, uuid)", "everybody"),
    ("strayed_entries()", "everybody"),
];

/// A function of ours: not one that the migrations' own program brings along.
const OF_OURS: &str = "pronamespace = 'public'::regnamespace AND proname NOT LIKE 'diesel\\_%'";

#[tokio::test(flavor = "multi_thread")]
async fn no_function_looks_for_a_name_in_a_temporary_schema() {
    let (_database, sql) = migrated().await;
    // A body that was parsed when it was written looks for nothing; any other has the one path, pg_temp last in it.
    let open = format!(
        "SELECT proname FROM pg_proc WHERE {OF_OURS} AND array_to_string(proconfig, ' ') IS DISTINCT FROM 'search_path=pg_catalog, pg_temp' \
         AND (prosecdef OR prosqlbody IS NULL)"
    );
    assert_eq!(sql.column(&open).await, [""; 0], "functions that may be led astray");
    // Every table is written in full: public is not on the path.
    let tables = sql.column("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition").await;
    for row in sql.rows(&format!("SELECT proname, prosrc FROM pg_proc WHERE {OF_OURS} AND prosqlbody IS NULL")).await {
        let (name, body) = (row[0].clone().unwrap(), row[1].clone().unwrap());
        for table in &tables {
            for before in ["FROM", "JOIN", "UPDATE", "INTO"] {
                assert!(!body.contains(&format!("{before} {table} ")), "{name}: {before} {table}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_call_which_function_is_a_list() {
    let (_database, sql) = migrated().await;
    let found = sql.rows(&format!(
        "SELECT proname || '(' || oidvectortypes(proargtypes) || ')', CASE WHEN has_function_privilege('public', oid, 'EXECUTE') THEN 'everybody' \
         ELSE (SELECT coalesce(string_agg(DISTINCT a.grantee::regrole::text, ' '), 'nobody') FROM aclexplode(proacl) a WHERE a.grantee <> proowner) END \
         || CASE WHEN prosecdef THEN ', with the owner''s rights' ELSE '' END FROM pg_proc WHERE {OF_OURS} ORDER BY proname"
    )).await;
    let found: Vec<(String, String)> =
        found.into_iter().map(|row| (row[0].clone().unwrap(), row[1].clone().unwrap())).collect();
    let expected: Vec<(String, String)> =
        FUNCTIONS.iter().map(|(name, who)| ((*name).to_owned(), (*who).to_owned())).collect();
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_two_roles_have_no_right_that_nobody_needs() {
    let (database, sql) = migrated().await;
    let app = async || {
        let (client, connection) =
            database.application_config().connect(tokio_postgres::NoTls).await.expect("clinic_app");
        tokio::spawn(connection);
        client
    };
    let loose = async || clinic::db::loose_ends(&app().await).await.expect("an answer");
    let name = &database.name;
    sql.run(&format!("GRANT TEMPORARY, CREATE ON DATABASE {name} TO PUBLIC; GRANT CREATE ON SCHEMA public TO PUBLIC"))
        .await;
    sql.run("CREATE SCHEMA other; GRANT CREATE ON SCHEMA other TO clinic_app").await;
    let told = loose().await.join("\n");
    for what in ["temporary tables: REVOKE TEMPORARY", "make schemas: REVOKE CREATE ON DATABASE", "things in a schema"]
    {
        assert!(told.contains(what), "{what}: {told}");
    }
    sql.run(&format!("DROP SCHEMA other; REVOKE CREATE ON DATABASE {name} FROM PUBLIC")).await;
    // The start takes away what the owner may.
    clinic::db::migrate(&database.address()).await.expect("migrated");
    assert_eq!(loose().await, [""; 0]);
    let rights = "SELECT has_database_privilege('clinic_app', current_database(), 'TEMPORARY'), has_database_privilege('clinic_app', current_database(), 'CREATE'), \
        has_schema_privilege('clinic_app', 'public', 'CREATE'), (SELECT rolcreaterole FROM pg_roles WHERE rolname = 'clinic_owner')";
    assert_eq!(sql.rows(rights).await, [["f"; 4].map(|it| Some(it.to_owned())).to_vec()]);
    // What the role may always do is told with what takes it back, which is run here, and told no more.
    app()
        .await
        .batch_execute(
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO clinic_owner; \
             ALTER DEFAULT PRIVILEGES GRANT ALL ON TYPES TO clinic_owner WITH GRANT OPTION; \
             ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC; \
             ALTER DEFAULT PRIVILEGES REVOKE ALL ON SCHEMAS FROM clinic_app; \
             SELECT lo_create(0), lo_from_bytea(0, 'x')",
        )
        .await
        .expect("any role may");
    let settings = format!("ALTER ROLE clinic_app IN DATABASE {name} SET synchronous_commit = off");
    app().await.batch_execute(&settings).await.expect("any role may");
    let told = loose().await;
    assert_eq!(told.len(), 6, "{told:?}");
    for what in [
        "clinic_app has settings of its own, synchronous_commit=off, which outlive the service: ALTER ROLE clinic_app IN DATABASE",
        "clinic_app set default privileges, which no backup takes along: ALTER DEFAULT PRIVILEGES FOR ROLE clinic_app IN SCHEMA public \
         REVOKE ALL ON TABLES FROM clinic_owner",
        "clinic_app made large objects, 2 of them, which no backup takes along",
    ] {
        assert!(told.iter().any(|line| line.starts_with(what)), "{what}: {told:?}");
    }
    for line in &told {
        sql.run(line.split_once(": ").expect("a statement").1).await;
    }
    assert_eq!(loose().await, [""; 0]);
    let refused =
        app().await.batch_execute("CREATE TEMPORARY TABLE health_entry (id uuid)").await.expect_err("no right");
    assert_eq!(refused.code().map(|it| it.code()), Some("42501"));
    // A start makes it so for a database that came from anywhere, and serves.
    let clinic = Clinic::start().await;
    clinic.practitioner().patient("Zoë", "Ramírez").await;
    let granted = "SELECT has_database_privilege('clinic_app', current_database(), 'TEMPORARY')";
    assert_eq!(clinic.database.superuser().await.one(granted).await, "f");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_temporary_table_runs_nothing_as_the_owner() {
    let clinic = Clinic::start().await;
    let (anna, org) = (clinic.practitioner(), clinic.north.uuid);
    let (from, into) = (anna.patient("Zoë", "Ramírez").await, anna.patient("Zoë", "Ramírez").await);
    let gone = anna.patient("Gone", "Soon").await;
    let entry = uuid_of(&anna.health_entry(&from).await.id);
    let [from, into, gone] = [&from, &into, &gone].map(|it| uuid_of(&it.id));
    let superuser = clinic.database.superuser().await;
    // Even where somebody gave the right back.
    superuser.run(&format!("GRANT TEMPORARY ON DATABASE {} TO clinic_app", clinic.database.name)).await;
    let app = clinic.database.app(Some(org)).await;
    app.run("SET app.opened = 'all'; CREATE TEMPORARY TABLE ran (who text); GRANT ALL ON pg_temp.ran TO PUBLIC; \
        CREATE FUNCTION pg_temp.spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO pg_temp.ran VALUES (current_user); RETURN coalesce(new, old); END $$").await;
    let moment = "2026-11-30T10:00:00Z";
    app.run("BEGIN").await;
    let first = enter(
        &app,
        org,
        ("merge", "health_entry", entry),
        Some(into),
        &json!({"patient_id": into, "updated_at": moment}),
    )
    .await;
    let merge = json!({"from_id": from, "into_id": into, "merged_at": moment, "undone_at": null});
    let last = enter(&app, org, ("merge", "patient_merge", Uuid::now_v7()), Some(into), &merge).await;
    let tables = superuser.column("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> '__diesel_schema_migrations'").await;
    for table in &tables {
        app.run(&format!("CREATE TEMPORARY TABLE {table} AS TABLE public.{table}; GRANT ALL ON pg_temp.{table} TO PUBLIC; \
            CREATE TRIGGER spy BEFORE INSERT OR UPDATE OR DELETE ON pg_temp.{table} FOR EACH ROW EXECUTE FUNCTION pg_temp.spy()")).await;
    }
    app.run("SET search_path = pg_temp, public").await;
    app.run(&format!("SELECT public.move_patient_records({first}, {last})")).await;
    let owner = app.one(&format!("SELECT patient_id FROM public.health_entry WHERE id = '{entry}'")).await;
    assert_eq!(owner, into.to_string(), "the table itself was meant");
    let right: Value =
        serde_json::from_str(&app.one(&format!("SELECT public.records_to_erase('{gone}')")).await).unwrap();
    let mut erasure = right;
    erasure["erased_id"] = json!(gone);
    app.run("SET search_path = public").await;
    app.run("DROP TABLE pg_temp.ledger, pg_temp.ledger_head").await;
    let last = enter(&app, org, ("erase", "patient_erasure", Uuid::now_v7()), None, &erasure).await;
    app.run("SET search_path = pg_temp, public").await;
    app.run(&format!(
        "SELECT public.erase_patient_records({last}); SELECT public.ensure_month_partitions((now() + interval '13 months')::date, (now() + interval '14 months')::date)"
    ))
    .await;
    assert_eq!(app.one(&format!("SELECT count(*) FROM public.patient WHERE id = '{gone}'")).await, "0");
    assert_eq!(app.column("SELECT who FROM pg_temp.ran").await, [""; 0], "a trigger ran");
    app.run("ROLLBACK").await;
}
