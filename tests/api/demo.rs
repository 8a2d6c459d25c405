//! `clinic demo`: a clinic made by the program keeps the rules that hold for one made by hand.

use crate::support::Database;
use std::process::{Output, Stdio};
use tokio::process::Command;

const PASSWORD: &str = "a demo password of the tests";

async fn clinic(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clinic"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CLINIC_") || name == "DATABASE_URL") {
        command.env_remove(name);
    }
    command.args(arguments).env("CLINIC_DEMO_PASSWORD", PASSWORD).stdin(Stdio::null()).kill_on_drop(true);
    command.output().await.expect("clinic")
}

async fn fill(database: &Database, patients: &str) {
    let url = database.url();
    let output = clinic(&["demo", "--database-url", &url, "--patients", patients, "--seed", "5"]).await;
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains(PASSWORD), "{output:?}");
}

/// Every patient, as far as the current day does not move it.
async fn patients(database: &Database) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', chart_number, given_name, family_name, phone, sex_at_birth, p.status, \
                   (SELECT count(*) FROM health_entry h WHERE h.patient_id = p.id)) FROM patient p ORDER BY chart_number";
    database.superuser().await.column(sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_is_in_the_ledger_version_by_version() {
    let database = Database::empty().await;
    fill(&database, "60").await;
    let sql = database.superuser().await;
    for table in ["patient", "health_entry", "consultation", "treatment_session", "aftercare_note", "addendum"] {
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
    fill(&grown, "30").await;
    let accounts = "SELECT email || password_changed_at FROM account ORDER BY email";
    let before = grown.superuser().await.column(accounts).await;
    fill(&grown, "70").await;
    fill(&grown, "50").await;
    fill(&whole, "70").await;
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
