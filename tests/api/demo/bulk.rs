//! A large demo is written at once into an empty record: the rows are those of the slow way, and what was taken away for
//! it is there again.

use super::{clinic, fill, started};
use crate::binary::{add, program, run_with};
use crate::schema::catalog;
use crate::support::*;
use std::time::{Duration, Instant};

/// The tables of charts, with what their rows are compared by.
const FILLED: [&str; 18] = [
    "patient",
    "patient_search",
    "name_piece",
    "health_entry",
    "health_review",
    "consultation",
    "treatment_plan",
    "treatment_session",
    "session_area",
    "product_use",
    "session_check",
    "aftercare_note",
    "addendum",
    "consent",
    "adverse_event",
    "photo",
    "outcome_assessment",
    "recall",
];

/// Of an entry all but the salt, which is chance, and what follows from it.
const ENTRY: &str =
    "org_id, seq, at, actor_id, request_id, action, record_kind, record_id, patient_id, version, content, packed";

/// How many transactions wrote the patients.
const WRITTEN_BY: &str = "SELECT count(DISTINCT xmin::text) FROM patient";

async fn nobody_is_there(sql: &Sql, before: &[String]) {
    assert_eq!(sql.one("SELECT count(*) FROM patient").await, "0");
    assert_eq!(catalog(sql).await, before, "policies, references and indexes are as they were");
}

/// Ends a fill in the middle of its work.
async fn cut_off(database: &Database, sql: &Sql, photos: &str) {
    let mut filling = started(database, "20000", photos);
    let copying = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND query LIKE 'COPY public.%'",
        database.name
    );
    let begun = Instant::now();
    while sql.one(&copying).await == "0" {
        assert!(begun.elapsed() < Duration::from_secs(120), "nothing is copied");
        assert!(filling.try_wait().expect("a child").is_none(), "it ended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    filling.kill().await.expect("killed");
    let others = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid() AND query LIKE 'COPY public.%'",
        database.name
    );
    while sql.one(&others).await != "0" {
        assert!(begun.elapsed() < Duration::from_secs(120), "its server process goes on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Puts everything away that a fill wrote, the rows into tables named `once_…`.
async fn put_away(sql: &Sql) {
    let tables: Vec<String> =
        FILLED.iter().map(|table| format!("CREATE TABLE once_{table} AS TABLE {table}")).collect();
    sql.run(&tables.join("; ")).await;
    sql.run(&format!(
        "CREATE TABLE once_ledger AS SELECT {ENTRY} FROM ledger; CREATE TABLE once_counter AS TABLE chart_counter"
    ))
    .await;
    sql.run(&format!(
        "TRUNCATE {} CASCADE; DELETE FROM chart_counter; DELETE FROM ledger l WHERE l.seq >= (SELECT min(seq) FROM ledger WHERE patient_id IS NOT NULL); \
         UPDATE ledger_head h SET seq = l.seq, hash = l.hash FROM (SELECT org_id, seq, hash FROM ledger ORDER BY seq DESC LIMIT 1) AS l WHERE l.org_id = h.org_id",
        FILLED.join(", ")
    ))
    .await;
}

/// An organisation of its own with one patient, who is like one of the demo.
async fn somebody_elsewhere(database: &Database, sql: &Sql) {
    let url = database.url();
    let line = add(&["--database-url", &url], "someone@else.example", "admin");
    run_with(program(&line), "a long password of the tests\n").await.ok();
    sql.run(
        "INSERT INTO patient SELECT (jsonb_populate_record(NULL::patient, to_jsonb(p) || jsonb_build_object('id', gen_random_uuid(), \
         'org_id', (SELECT org_id FROM organisation WHERE org_id NOT IN (SELECT org_id FROM once_patient))))).* FROM (TABLE once_patient LIMIT 1) AS p",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_demo_is_written_at_once_and_is_the_same() {
    let (database, photos) = (Database::empty().await, tempfile::tempdir().expect("a folder"));
    let store = photos.path().to_str().expect("text");
    clinic::db::migrate(&database.address()).await.expect("migrate");
    let sql = database.superuser().await;
    // A fill makes the months of its histories before anything else.
    sql.run("SELECT ensure_month_partitions((now() - interval '40 months')::date, now()::date)").await;
    let before = catalog(&sql).await;
    cut_off(&database, &sql, store).await;
    nobody_is_there(&sql, &before).await;

    // Somebody who uses a table is not waited for.
    let other = database.superuser().await;
    other.run("BEGIN; LOCK TABLE recall IN ACCESS SHARE MODE").await;
    let refused =
        clinic(&["demo", "--database-url", &database.url(), "--patients", "1000", "--object-store", store]).await;
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("another program uses the tables"), "{told}");
    other.run("ROLLBACK").await;
    nobody_is_there(&sql, &before).await;

    fill(&database, "1000", photos.path()).await;
    assert_eq!(sql.one(WRITTEN_BY).await, "1", "all at once");
    assert_eq!(catalog(&sql).await, before, "policies, references and indexes are as they were");
    let verified = clinic(&["audit", "--database-url", &database.url(), "verify"]).await;
    assert!(verified.status.success(), "{verified:?}");

    // Beside a patient of anybody it is the other way.
    put_away(&sql).await;
    somebody_elsewhere(&database, &sql).await;
    fill(&database, "1000", photos.path()).await;
    assert_eq!(sql.one(WRITTEN_BY).await, "3", "in chunks, and somebody elsewhere");
    for table in FILLED {
        let mine = format!("SELECT * FROM {table} WHERE org_id IN (SELECT org_id FROM once_patient)");
        for (one, two) in [(format!("TABLE once_{table}"), mine.clone()), (mine.clone(), format!("TABLE once_{table}"))]
        {
            let unlike = format!("SELECT count(*) FROM (({one}) EXCEPT ALL ({two})) AS t");
            assert_eq!(sql.one(&unlike).await, "0", "{table}");
        }
        assert_ne!(sql.one(&format!("SELECT count(*) FROM once_{table}")).await, "0", "{table}");
    }
    let unlike = format!("SELECT count(*) FROM (SELECT * FROM once_ledger EXCEPT ALL SELECT {ENTRY} FROM ledger) AS t");
    assert_eq!(sql.one(&unlike).await, "0", "the ledger");
    let heads = "SELECT max(seq) FROM";
    let mine = "ledger WHERE org_id IN (SELECT org_id FROM once_patient)";
    assert_eq!(sql.one(&format!("{heads} once_ledger")).await, sql.one(&format!("{heads} {mine}")).await);
    let counters = "SELECT count(*) FROM once_counter o JOIN chart_counter c USING (org_id, next_number)";
    assert_eq!(sql.one(counters).await, "1");
}
