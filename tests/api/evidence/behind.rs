//! A database that is behind its newest checkpoint.

use super::audit;
use crate::binary::{program, run_with};
use crate::support::*;
use std::time::{Duration, Instant};

/// What `/health/ready` says.
async fn ready(clinic: &Clinic) -> (u16, Value) {
    let answer = clinic.anonymous().request(reqwest::Method::GET, "/health/ready").send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

/// Asks until the answer is as wanted, 30 s at most.
async fn until(clinic: &Clinic, otherwise: &str, wanted: impl Fn(&(u16, Value)) -> bool) {
    let begun = Instant::now();
    while !wanted(&ready(clinic).await) {
        assert!(begun.elapsed() < Duration::from_secs(30), "{otherwise}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

const LEDGER: [&str; 2] = ["ledger", "ledger_head"];
const ACCESS: [&str; 3] = ["access_log", "access_log_head", "access_log_patient"];

/// Puts the copies of these tables in their place.
async fn put_back(sql: &Sql, tables: &[&str]) {
    for table in tables {
        sql.run(&format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM copy_of_{table}")).await;
    }
}

/// Why the service does not start.
async fn refused(clinic: &Clinic) -> String {
    let place = clinic.evidence().to_str().expect("text").to_owned();
    let url = clinic.database.url();
    let line = [
        "serve",
        "--database-url",
        &url,
        "--listen",
        "127.0.0.1:0",
        "--key-dir",
        &place,
        "--checkpoint-store",
        &place,
        "--object-store",
        &place,
    ];
    run_with(program(&[&line[..], &["--refuse-behind-checkpoint"]].concat()), "").await.complaint().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_copy_of_the_database_is_noticed() {
    let mut clinic = Clinic::start().await;
    let (org, sql) = (clinic.north.uuid, clinic.database.superuser().await);
    let anna = clinic.practitioner();
    let look = "query ($id: ID!) { patient(id: $id) { displayName } }";
    let patient = anna.patient("Zoë", "Before").await;
    clinic.stop().await;
    // The copy, and what is written after it.
    for table in ["ledger", "ledger_head", "access_log", "access_log_head", "access_log_patient"] {
        sql.run(&format!("CREATE TABLE copy_of_{table} AS TABLE {table}")).await;
    }
    clinic.restart(&["--refuse-behind-checkpoint"]).await;
    assert_eq!(ready(&clinic).await, (200, json!({"status": "ready"})));
    clinic.practitioner().patient("Zoë", "After").await;
    clinic.practitioner().graphql(look, json!({"id": patient.id})).await.ok();
    clinic.stop().await;

    put_back(&sql, &ACCESS).await;
    let why = refused(&clinic).await;
    assert!(why.contains(&format!("the access log of organisation {org} ends at")), "{why}");
    put_back(&sql, &LEDGER).await;
    let why = refused(&clinic).await;
    assert!(why.contains(&format!("the ledger of organisation {org} ends at")), "{why}");
    // Without the flag it serves, and says so; the other organisation is as it was.
    clinic.restart(&["--checkpoint-interval", "300ms"]).await;
    let (status, body) = ready(&clinic).await;
    assert!(
        status == 200 && body["warning"].as_str().is_some_and(|it| it.contains("behind its newest checkpoint")),
        "{body}"
    );
    assert!(!body.to_string().contains(&org.to_string()));
    // It goes on past the checkpoint on another way: from there on there are new ones.
    for i in 0..4 {
        clinic.practitioner().patient("Zoë", &format!("Other {i}")).await;
        clinic.practitioner().graphql(look, json!({"id": patient.id})).await.ok();
    }
    until(&clinic, "the warning stays", |(_, body)| !body["warning"].is_string()).await;
    let verified = audit(&clinic, &["verify"]).await;
    assert!(!verified.success && verified.out.contains("is not what the checkpoint of"), "{verified:?}");
    // Put back under the running service.
    clinic.restart(&["--checkpoint-interval", "300ms", "--refuse-behind-checkpoint"]).await;
    assert_eq!(ready(&clinic).await.0, 200);
    put_back(&sql, &LEDGER).await;
    until(&clinic, "not noticed", |(status, _)| *status == 503).await;
}
