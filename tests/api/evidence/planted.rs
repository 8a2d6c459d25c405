//! What is put beside the evidence: the catalogue is held to what the migrations made.

use super::{audit, checkpoints, copied};
use crate::schema::migrated;
use crate::support::*;
use clinic::evidence::{begin, hold_catalogue, verify_organisation};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

/// A connection of the role that verifies.
async fn application(config: &tokio_postgres::Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_is_held_to_what_the_migrations_made() {
    let (database, sql) = migrated().await;
    let client = application(&database.application_config()).await;
    let held = async || {
        begin(&client, Uuid::nil()).await.expect("a picture");
        let held = hold_catalogue(&client).await;
        client.batch_execute("ROLLBACK").await.expect("an end");
        held
    };
    assert_eq!(held().await, Ok(()), "write into MADE of src/evidence/catalogue.rs what is in brackets here");
    sql.run(
        "SELECT ensure_month_partitions((now() + interval '13 months')::date, (now() + interval '15 months')::date)",
    )
    .await;
    let months = "SELECT count(*) FROM pg_class WHERE relname ~ (to_char(now() + interval '14 months', '_YYYY_MM') || '$') AND relkind = 'r'";
    assert_eq!(sql.one(months).await, "3");
    assert_eq!(held().await, Ok(()), "new months");
    // A setting of the role's own does not lead it astray.
    sql.run(&format!(
        "ALTER ROLE clinic_app IN DATABASE {} SET search_path = public, pg_catalog; \
         ALTER ROLE clinic_app IN DATABASE {} SET app.only_patients = '{}'",
        database.name,
        database.name,
        Uuid::nil()
    ))
    .await;
    let other = application(&database.application_config()).await;
    begin(&other, Uuid::nil()).await.expect("a picture");
    assert_eq!(hold_catalogue(&other).await, Ok(()));
    let set = other.query_one("SELECT current_setting('app.only_patients')", &[]).await.expect("a setting");
    assert_eq!(set.get::<_, &str>(0), "");
}

/// What an owner or a superuser puts beside the evidence, how it is taken away again, and what is told of it.
fn put_beside(partition: &str, current_org: &str) -> Vec<(String, String, String)> {
    let as_it_was = "(org_id = (SELECT public.current_org()))";
    let plain = [
        (
            "CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'; \
             CREATE TRIGGER spy BEFORE INSERT ON ledger_head FOR EACH ROW EXECUTE FUNCTION spy()",
            "DROP TRIGGER spy ON ledger_head; DROP FUNCTION spy()",
            "trigger spy on public.ledger_head is not ours",
        ),
        (
            "CREATE RULE quiet AS ON UPDATE TO access_log_head WHERE false DO INSTEAD NOTHING",
            "DROP RULE quiet ON access_log_head",
            "rule quiet on public.access_log_head is not ours",
        ),
        (
            "CREATE TABLE beside () INHERITS (ledger_head)",
            "DROP TABLE beside",
            "partition public.beside is another (r heap)",
        ),
        (
            "ALTER TABLE access_log_patient RENAME TO put_away; CREATE VIEW access_log_patient AS SELECT * FROM put_away; \
             GRANT SELECT ON access_log_patient TO clinic_app",
            "DROP VIEW access_log_patient; ALTER TABLE put_away RENAME TO access_log_patient",
            "table public.access_log_patient is another (v)",
        ),
        (
            "ALTER POLICY tenant ON ledger_head RENAME TO other",
            "ALTER POLICY other ON ledger_head RENAME TO tenant",
            "policy tenant on public.ledger_head is missing",
        ),
        (
            "ALTER TABLE access_log DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE access_log ENABLE ROW LEVEL SECURITY",
            "table public.access_log is another (p forced)",
        ),
    ];
    let mut all: Vec<(String, String, String)> =
        plain.into_iter().map(|(how, back, told)| (how.to_owned(), back.to_owned(), told.to_owned())).collect();
    all.push((
        format!("ALTER POLICY tenant_read ON access_log USING ({as_it_was} AND current_query() !~ 'history')"),
        format!("ALTER POLICY tenant_read ON access_log USING {as_it_was}"),
        "policy tenant_read on public.access_log is another".to_owned(),
    ));
    all.push((
        format!("CREATE POLICY odd ON {partition} FOR SELECT USING (true)"),
        format!("DROP POLICY odd ON {partition}"),
        format!("policy odd on public.{partition} is not ours"),
    ));
    all.push((
        "CREATE OR REPLACE FUNCTION public.current_org() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS \
         $$ SELECT CASE WHEN current_query() ~ 'nothing' THEN NULL ELSE NULLIF(current_setting('app.org_id', true), '')::uuid END $$"
            .to_owned(),
        current_org.to_owned(),
        "function public.current_org() is another".to_owned(),
    ));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_answers_one_query_with_other_rows_is_refused() {
    let mut clinic = Clinic::with(&["--checkpoint-interval", "300ms"]).await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    anna.health_entry(&patient).await;
    let look = "query ($id: ID!) { patient(id: $id) { displayName } }";
    anna.graphql(look, json!({"id": patient.id})).await.ok();
    clinic.stop().await;
    let (org, sql) = (clinic.north.uuid, clinic.database.superuser().await);
    audit(&clinic, &["verify"]).await.ok();

    let partition = sql
        .one("SELECT min(c.relname) FROM pg_class c WHERE c.relname ~ '^ledger_[0-9]{4}_' AND c.relkind = 'r'")
        .await;
    let current_org = sql.one("SELECT pg_get_functiondef('public.current_org()'::regprocedure)").await;
    for (how, back, told) in put_beside(&partition, &current_org) {
        sql.run(&how).await;
        let refused = audit(&clinic, &["verify"]).await;
        assert!(refused.complaint().contains(&told), "{how}\n{told}\n{refused:?}");
        assert!(!refused.out.contains("whole"), "{how}\n{refused:?}");
        sql.run(&back).await;
    }
    audit(&clinic, &["verify"]).await.ok();

    // A second row beside a true one, and a policy that shows the one to the service and the other to the walk.
    let seq = sql.one(&format!("SELECT max(seq) FROM ledger WHERE org_id = '{org}' AND record_kind = 'patient'")).await;
    let second = copied("ledger", org, seq.parse().unwrap(), seq.parse().unwrap(), "at + interval '1 microsecond'");
    let forge = format!(
        "{second}; UPDATE ledger l SET content = replace(l.content, 'Ramírez', 'Byron') WHERE l.org_id = '{org}' AND \
         l.seq = {seq} AND l.at = (SELECT max(m.at) FROM ledger m WHERE m.org_id = '{org}' AND m.seq = {seq})"
    );
    let lie = |shown: &str| {
        format!("CREATE POLICY lie ON ledger AS RESTRICTIVE FOR SELECT TO clinic_app USING (seq <> {seq} OR {shown})")
    };
    sql.plain_ledger(&format!("seq = {seq}")).await;
    sql.run(&forge).await;
    sql.run(&lie("(content LIKE '%Byron%') = (current_query() !~ '^COPY')")).await;
    let refused = audit(&clinic, &["verify"]).await;
    assert!(refused.complaint().contains("policy lie on public.ledger is not ours (restrictive"), "{refused:?}");
    let tar = tempfile::tempdir().unwrap();
    let tar = tar.path().join("north.tar");
    let export = audit(&clinic, &["export", "--organisation", "north", "--output", tar.to_str().unwrap()]).await;
    assert!(export.complaint().contains("policy lie on public.ledger") && !tar.exists(), "{export:?}");
    // Without it both rows are seen.
    sql.run("DROP POLICY lie ON ledger").await;
    let broken = audit(&clinic, &["verify"]).await;
    let why = format!("north: entry {seq} of the ledger is broken: its content is not what was sealed");
    let twice = format!("north: entry {seq} of the ledger is broken: it is there twice");
    assert!(!broken.success && (broken.out.contains(&why) || broken.out.contains(&twice)), "{broken:?}");
    sql.run(&format!("DELETE FROM ledger WHERE org_id = '{org}' AND seq = {seq} AND content LIKE '%Byron%'")).await;
    audit(&clinic, &["verify"]).await.ok();

    // The walk alone, without a look at the catalogue, counts as well.
    sql.run(&lie("current_query() ~ '^COPY'")).await;
    let client = application(&clinic.database.application_config()).await;
    begin(&client, org).await.expect("a picture");
    let found = verify_organisation(&client, org, &checkpoints(&clinic, org), &|_, _, _| {}).await.expect("a walk");
    let why = found.broken().next().map(|it| it.why.clone()).unwrap_or_default();
    assert!(why.contains("were copied out of the ledger, and a plain query counts"), "{found:?}");
}
