//! What an answer looks like, and a field that fails.

use crate::support::*;
use std::time::{Duration, Instant};

/// Where each of these stands in a text, which must be in this order.
#[track_caller]
fn in_order(text: &str, keys: &[&str]) {
    let places: Vec<_> = keys
        .iter()
        .map(|key| text.find(&format!("\"{key}\":")).unwrap_or_else(|| panic!("no {key} in {text}")))
        .collect();
    assert!(places.is_sorted(), "{keys:?} in {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_come_in_the_order_of_the_query_and_a_failure_nulls_what_it_must() {
    let clinic = Clinic::start().await;
    let (anna, desk) = (clinic.practitioner(), clinic.front_desk());
    let patient = anna.patient_with("Ada", "Lovelace", json!({"chartNumber": "P-000001"})).await;
    let id = json!({"id": patient.id});
    // A failed nullable field leaves its siblings.
    let query = "query ($id: ID!) { patient(id: $id) { displayName sessions { totalCount } b: version consultations { totalCount }
        healthHistory { text } a: chartNumber aftercareNotes { totalCount } createdBy { id } } me { role } }";
    let answer = desk.graphql(query, id.clone()).await;
    let keys = [
        "patient",
        "displayName",
        "sessions",
        "b",
        "consultations",
        "healthHistory",
        "a",
        "aftercareNotes",
        "createdBy",
        "me",
        "role",
    ];
    in_order(&answer.text[answer.text.find("\"data\"").unwrap()..], &keys);
    let expected = json!({
        "displayName": "Ada Lovelace", "sessions": null, "b": 1, "consultations": null, "healthHistory": null, "a": "P-000001",
        "aftercareNotes": null, "createdBy": {"id": anna.id()},
    });
    assert_eq!((&answer.data["patient"], &answer.data["me"]["role"]), (&expected, &json!("FRONT_DESK")));
    let mut paths: Vec<_> = answer.errors.iter().map(|error| error["path"].to_string()).collect();
    paths.sort();
    let failed = ["aftercareNotes", "consultations", "healthHistory", "sessions"];
    assert_eq!(paths, failed.map(|field| format!("[\"patient\",\"{field}\"]")));
    assert!(answer.codes().iter().all(|code| *code == "FORBIDDEN"));
    assert!(answer.errors.iter().all(|error| error["locations"][0]["line"].is_u64()));
    // A failed non-null field nulls its nearest nullable parent, and no more.
    let query = "query ($id: ID!) { first: patient(id: $id) { displayName history(first: 101) { totalCount } } second: patient(id: $id) { displayName } me { id } }";
    let answer = anna.graphql(query, id.clone()).await;
    assert_eq!((answer.code(), &answer.errors[0]["path"]), ("BAD_USER_INPUT", &json!(["first", "history"])));
    assert_eq!(answer.data, json!({"first": null, "second": {"displayName": "Ada Lovelace"}, "me": {"id": anna.id()}}));
    in_order(&answer.text[answer.text.find("\"data\"").unwrap()..], &["first", "second", "me"]);
    let answer = anna.graphql("{ me { id } patients(first: 101) { totalCount } }", json!({})).await;
    assert_eq!((&answer.data, &answer.errors[0]["path"]), (&Value::Null, &json!(["patients"])), "up to the root");
    // In a list.
    let query = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";
    let answer = anna.graphql(query, json!({"ids": [new_id("patient"), patient.id, "junk", anna.id()]})).await;
    assert_eq!(
        answer.data["nodes"],
        json!([null, {"__typename": "Patient", "id": patient.id}, null, {"__typename": "Staff", "id": anna.id()}]),
        "{}",
        answer.text
    );
    let told: Vec<_> =
        answer.errors.iter().map(|error| (error["path"].clone(), error["extensions"]["code"].clone())).collect();
    assert_eq!(told, [(json!(["nodes", 0]), json!("NOT_FOUND")), (json!(["nodes", 2]), json!("BAD_USER_INPUT"))]);
    assert_eq!(answer.errors[1]["extensions"]["fields"][0]["path"], "ids.2");
    // The field that failed, below the list that it took with it.
    let query = "query ($s: String!) { patients(search: $s) { edges { node { displayName history(first: 101) { totalCount } } } } }";
    let answer = anna.graphql(query, json!({"s": "Lovelace"})).await;
    assert_eq!(answer.errors[0]["path"], json!(["patients", "edges", 0, "node", "history"]), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_fails_leaves_no_transaction_open_for_the_next_request() {
    let clinic = Clinic::with(crate::retries::PATIENT).await;
    let anna = clinic.practitioner();
    let sql = clinic.database.superuser().await;
    // The failure of one root field drops its siblings while they wait for the database.
    let query = "{ a: me { id } b: organisation { id } patients(first: 101) { totalCount } c: staff { totalCount } }";
    for i in 0..8 {
        let answers = (0..16).map(|_| anna.graphql(query, json!({})));
        for answer in futures::future::join_all(answers).await {
            assert_eq!(answer.code(), "BAD_USER_INPUT", "{}", answer.text);
        }
        anna.patient("Ada", &format!("Lovelace {i}")).await;
        assert_eq!(
            anna.ask("{ patients { totalCount } }").await["patients"]["totalCount"],
            i + 1,
            "not an older picture"
        );
    }
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    // Connections are put in order beside the answers.
    let begun = Instant::now();
    while sql.one(open).await != "0" {
        assert!(begun.elapsed() < Duration::from_secs(20), "a transaction was left open");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
