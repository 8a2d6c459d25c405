//! `clinic demo`: a clinic made by the program keeps the rules that hold for one made by hand.

mod bulk;

use crate::support::{Anonymous, Database, serve};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Output, Stdio};
use tokio::process::{Child, Command};

const PASSWORD: &str = "a demo password of the tests";

async fn clinic(arguments: &[&str]) -> Output {
    command(arguments).output().await.expect("clinic")
}

/// A fill under way.
fn started(database: &Database, patients: &str, photos: &str) -> Child {
    let url = database.url();
    let line = ["demo", "--database-url", &url, "--patients", patients, "--seed", "5", "--object-store", photos];
    command(&line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("clinic")
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clinic"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CLINIC_") || name == "DATABASE_URL") {
        command.env_remove(name);
    }
    // Nobody's checkpoints.
    command.env("CLINIC_CHECKPOINT_STORE", std::env::temp_dir().join("clinic-tests-none"));
    command.args(arguments).env("CLINIC_DEMO_PASSWORD", PASSWORD).stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn fill(database: &Database, patients: &str, photos: &Path) {
    let (url, photos) = (database.url(), photos.to_str().expect("text"));
    let line = ["demo", "--database-url", &url, "--patients", patients, "--seed", "5", "--object-store", photos];
    let output = clinic(&line).await;
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains(PASSWORD), "{output:?}");
}

/// Every patient, as far as the current day does not move it.
async fn patients(database: &Database) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', chart_number, given_name, family_name, phone, sex_at_birth, p.status, \
                   (SELECT count(*) FROM health_entry h WHERE h.patient_id = p.id)) FROM patient p ORDER BY chart_number";
    database.superuser().await.column(sql).await
}

const TABLES: [&str; 20] = [
    "patient",
    "health_entry",
    "health_review",
    "consultation",
    "treatment_session",
    "aftercare_note",
    "addendum",
    "device",
    "product",
    "product_lot",
    "protocol",
    "protocol_version",
    "treatment_plan",
    "consent_template",
    "consent_template_version",
    "consent",
    "photo",
    "outcome_assessment",
    "adverse_event",
    "recall",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_is_in_the_ledger_version_by_version() {
    let (database, photos) = (Database::empty().await, tempfile::tempdir().expect("a folder"));
    fill(&database, "60", photos.path()).await;
    let sql = database.superuser().await;
    let text = "SELECT count(*) FROM ledger WHERE packed IS NULL";
    assert_eq!(sql.one(text).await, "0");
    let output = clinic(&["audit", "--database-url", &database.url(), "verify"]).await;
    assert!(output.status.success(), "{output:?}");
    sql.plain_ledger("true").await;
    for table in TABLES {
        assert_ne!(sql.one(&format!("SELECT count(*) FROM {table}")).await, "0", "{table} is empty");
        let version = if table == "addendum" { "1" } else { "t.version" };
        let bare = format!(
            "SELECT count(*) FROM {table} t WHERE {version} <> (SELECT count(*) FROM ledger l WHERE l.org_id = t.org_id \
             AND l.record_id = t.id AND l.record_kind = '{table}') OR NOT EXISTS (SELECT FROM ledger l WHERE l.org_id = t.org_id \
             AND l.record_id = t.id AND l.version = {version} AND l.content::jsonb ->> 'id' = t.id::text)"
        );
        assert_eq!(sql.one(&bare).await, "0", "{table}");
    }
    for table in ["consultation", "treatment_session", "aftercare_note"] {
        // The row and the ledger hold the same signature.
        let unlike = format!(
            "SELECT count(*) FROM {table} t JOIN ledger l ON l.org_id = t.org_id AND l.record_id = t.id AND l.action = 'sign' \
             WHERE encode(t.content_hash, 'hex') IS DISTINCT FROM l.content::jsonb #>> '{{signature,content_hash}}'"
        );
        assert_eq!(sql.one(&unlike).await, "0", "{table}");
        let signed = sql.one(&format!("SELECT count(*) FROM {table} WHERE signed_at IS NOT NULL")).await;
        assert_ne!(signed, "0", "{table}");
    }
    let unindexed =
        "SELECT count(*) FROM patient p WHERE NOT EXISTS (SELECT FROM patient_search s WHERE s.patient_id = p.id)";
    assert_eq!(sql.one(unindexed).await, "0");
    let output = clinic(&["audit", "--database-url", &database.url(), "verify"]).await;
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_is_added_to_and_the_same_seed_makes_the_same_one() {
    let (grown, whole) = (Database::empty().await, Database::empty().await);
    let (photos, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    fill(&grown, "30", photos.path()).await;
    let accounts = "SELECT email || password_changed_at FROM account ORDER BY email";
    let before = grown.superuser().await.column(accounts).await;
    fill(&grown, "70", photos.path()).await;
    let entries = "SELECT count(*) FROM ledger";
    let written = grown.superuser().await.one(entries).await;
    fill(&grown, "50", photos.path()).await;
    assert_eq!(written, grown.superuser().await.one(entries).await, "what is there already stays as it is");
    fill(&whole, "70", other.path()).await;
    let patients_of_grown = patients(&grown).await;
    assert_eq!(patients_of_grown.len(), 70);
    assert_eq!(patients_of_grown, patients(&whole).await);
    assert_eq!(
        before,
        grown.superuser().await.column(accounts).await,
        "accounts that have the password are left alone"
    );
    for email in ["admin@demo.clinic", "practitioner@demo.clinic", "frontdesk@demo.clinic", "auditor@demo.clinic"] {
        assert!(before.iter().any(|account| account.starts_with(email)), "{email}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chart_that_is_opened_first_is_rich() {
    let (database, photos) = (Database::empty().await, tempfile::tempdir().expect("a folder"));
    let store = photos.path().to_str().expect("text");
    let evidence = tempfile::tempdir().expect("a folder");
    let place = evidence.path().to_str().expect("text");
    let flags = [
        "--demo",
        "--demo-password",
        PASSWORD,
        "--object-store",
        store,
        "--checkpoint-store",
        place,
        "--key-dir",
        place,
    ];
    let server = serve(&database.url(), &flags).await;
    let door = Anonymous::at(server.address());
    let token = door.sign_in("practitioner@demo.clinic", PASSWORD).await.ok()["signIn"]["token"].clone();
    let practitioner = door.with_token(token.as_str().expect("a token"));
    let chart = "consents { totalCount } outcomes { totalCount } recalls { totalCount }
        sessions(first: 1) { nodes { checks { rule verdict } device { serial } products { lot } } }
        treatmentPlans { nodes { progress { done remaining } } }
        photos(first: 2) { nodes { link(purpose: CLINICAL_RECORD, size: THUMBNAIL) { url withheld } } }
        photoPairs { daysBetween }";
    let found = practitioner.ask(&format!("{{ patients(first: 1) {{ nodes {{ {chart} }} }} }}")).await;
    let first = &found["patients"]["nodes"][0];
    for list in ["consents", "outcomes", "recalls"] {
        assert!(first[list]["totalCount"].as_i64() > Some(0), "{list}: {first}");
    }
    assert!(first["sessions"]["nodes"][0]["checks"].as_array().is_some_and(|checks| checks.len() >= 9), "{first}");
    let plans = first["treatmentPlans"]["nodes"].as_array().expect("plans");
    assert!(plans.iter().any(|plan| plan["progress"]["done"].as_i64() > Some(0)), "{first}");
    assert_ne!(first["photoPairs"], json!([]), "{first}");
    for photo in first["photos"]["nodes"].as_array().expect("photos") {
        assert_eq!(photo["link"]["withheld"], Value::Null);
        let url = photo["link"]["url"].as_str().expect("a link");
        let bytes =
            door.request(reqwest::Method::GET, url).send().await.expect("an answer").bytes().await.expect("bytes");
        assert!(image::load_from_memory(&bytes).is_ok());
    }
    server.stop().await;
    let output = clinic(&["audit", "--database-url", &database.url(), "verify"]).await;
    assert!(output.status.success(), "{output:?}");
}
