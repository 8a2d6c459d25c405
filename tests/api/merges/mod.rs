//! Two charts of one person: found, made one without losing anything, and taken apart again.

mod marked;
mod tables;
mod told;
mod undone;

use crate::access::merging;
use crate::ledger::broken;
use crate::support::*;
pub use marked::everything;
use std::collections::BTreeSet;

pub const MERGE: &str = "merge { id version moved { kind count ids } conflicts { field from into taken } } patient { id version chartNumber email \
    status healthHistory { text } } moved { kind count ids } conflicts { field from into taken }";

// --- Possible duplicates ---------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn possible_duplicates_are_scored_and_explained() {
    let clinic = Clinic::start().await;
    let desk = clinic.front_desk();
    let born = |day: &str, phone: Option<&str>| json!({"birthDate": day, "phone": phone});
    let zoe = desk.patient_with("Zoë", "Ramírez", born("1990-05-07", Some("+34600123456"))).await;
    let same = desk.patient_with("Zoe", "Ramirez", born("1990-05-07", Some("+34 600 12 34 56"))).await;
    let misspelt = desk.patient_with("Zoe", "Ramires", born("1990-05-07", None)).await;
    let swapped = desk.patient_with("Ramírez", "Zoë", born("1990-07-05", None)).await;
    let married = desk.patient_with("Zoë", "Sol", born("1990-05-07", Some("+34600123456"))).await;
    desk.patient_with("Ian", "Smith", born("1990-05-07", None)).await;
    desk.patient_with("Zoë", "Ramírez", born("1950-11-30", None)).await;
    clinic.stranger().patient_with("Zoë", "Ramírez", born("1990-05-07", Some("+34600123456"))).await;
    let query = "query ($id: ID!, $first: Int) { possibleDuplicates(patientId: $id, first: $first) { score patient { id } reasons { field explanation weight } } }";
    let found = desk.graphql(query, json!({"id": zoe.id})).await.ok()["possibleDuplicates"].clone();
    let found = found.as_array().expect("a list");
    let ids: Vec<&str> = found.iter().filter_map(|it| it["patient"]["id"].as_str()).collect();
    assert_eq!(ids[0], same.id);
    let all: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(all, [&same, &misspelt, &swapped, &married].map(|it| it.id.as_str()).into());
    assert_eq!((&found[0]["score"], found[0]["reasons"].as_array().map(Vec::len)), (&json!(1.0), Some(3)));
    for duplicate in found {
        let reasons = duplicate["reasons"].as_array().expect("reasons");
        let sum: f64 = reasons.iter().filter_map(|it| it["weight"].as_f64()).sum();
        assert!((sum.min(1.0) - duplicate["score"].as_f64().expect("a score")).abs() < 0.001, "{duplicate}");
    }
    let scores: Vec<f64> = found.iter().filter_map(|it| it["score"].as_f64()).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    let one = desk.graphql(query, json!({"id": zoe.id, "first": 1})).await.ok();
    assert_eq!(one["possibleDuplicates"].as_array().map(Vec::len), Some(1));
    assert_eq!(desk.graphql(query, json!({"id": zoe.id, "first": 51})).await.outcome(), "BAD_USER_INPUT");
    assert_eq!(clinic.stranger().graphql(query, json!({"id": zoe.id})).await.outcome(), "NOT_FOUND");
}

/// The ids and scores of a list of possible duplicates.
fn scored(found: &Value) -> Vec<(&str, f64)> {
    let each = found.as_array().expect("a list").iter();
    each.map(|it| (it["patient"]["id"].as_str().expect("an id"), it["score"].as_f64().expect("a score"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_here_already_is_told_before_and_after_somebody_is_registered() {
    let clinic = Clinic::start().await;
    let desk = clinic.front_desk();
    let hong =
        desk.patient_with("Hồng", "Trần", json!({"birthDate": "1990-05-07", "phone": "+44 (0)7700 900417"})).await;
    let goetz = desk.patient_with("Götz", "Böhm", json!({"birthDate": "1980-02-01"})).await;
    clinic.stranger().patient_with("Hồng", "Trần", json!({"birthDate": "1990-05-07"})).await;
    let ask = "query ($input: RegisterPatientInput!, $first: Int) { possiblePatients(input: $input, first: $first) {
        score patient { id } reasons { field } } }";
    let person = |given: &str, family: &str, day: &str, phone: Option<&str>| json!({"legalName": {"given": given, "family": family}, "birthDate": day, "phone": phone});
    let again = person("Hong", "Tran", "1990-05-07", Some("+44 7700 900417"));
    let before = desk.graphql(ask, json!({"input": again})).await.ok();
    assert_eq!(scored(&before["possiblePatients"]), [(hong.id.as_str(), 1.0)]);
    assert_eq!(desk.graphql(ask, json!({"input": again, "first": 0})).await.ok()["possiblePatients"], json!([]));
    assert_eq!(desk.graphql(ask, json!({"input": again, "first": 51})).await.outcome(), "BAD_USER_INPUT");
    assert_eq!(
        desk.graphql(ask, json!({"input": person("", "Tran", "1990-05-07", None)})).await.faults(),
        ["input.legalName.given"]
    );
    for (other, expected) in [
        (person("Goetz", "Boehm", "1980-02-01", None), Some(&goetz)),
        (person("Götz", "Böhm", "1980-01-02", None), Some(&goetz)),
        (person("Hong", "Tran", "1971-11-30", None), None),
        (person("Anna", "Nuova", "1990-05-07", None), None),
    ] {
        let found = desk.graphql(ask, json!({"input": other})).await.ok();
        let ids: Vec<&str> = scored(&found["possiblePatients"]).into_iter().map(|it| it.0).collect();
        assert_eq!(ids, expected.map(|it| it.id.as_str()).into_iter().collect::<Vec<_>>(), "{other}");
    }
    // It is registered all the same, and the answer tells.
    let told = desk
        .does("registerPatient", again, "patient { id } possibleDuplicates { score patient { id } reasons { field } }")
        .await
        .ok();
    assert_eq!(scored(&told["registerPatient"]["possibleDuplicates"]), [(hong.id.as_str(), 1.0)]);
    let told = desk
        .does("registerPatient", person("Anna", "Nuova", "1999-09-09", None), "possibleDuplicates { score }")
        .await
        .ok();
    assert_eq!(told["registerPatient"]["possibleDuplicates"], json!([]));
    // Nothing was kept by asking, and whom a clerk may not see is not told of.
    assert_eq!(desk.ask("{ patients { totalCount } }").await["patients"]["totalCount"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_merged_says_why() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (a, b, c) = (anna.patient("A", "Sol").await, anna.patient("A", "Sol").await, anna.patient("A", "Sol").await);
    let send = async |input: Value| anna.does("mergePatients", input, "merge { id }").await;
    let itself = send(merging(&a, &a, json!({}))).await;
    assert_eq!((itself.outcome().as_str(), itself.faults()), ("BAD_USER_INPUT", vec!["input.intoId"]));
    let foreign = clinic.stranger().patient("A", "Sol").await;
    let across = send(merging(&foreign, &a, json!({}))).await;
    assert_eq!((across.outcome().as_str(), across.faults()), ("BAD_USER_INPUT", vec!["input.fromId"]));
    let idle = send(merging(&a, &b, json!({"resolution": [{"field": "PHONE", "take": "FROM"}]}))).await;
    assert_eq!(idle.faults(), ["input.resolution.0.field"]);
    let mut stale = merging(&a, &b, json!({}));
    stale["expectedVersions"]["into"] = json!(7);
    assert_eq!(send(stale).await.outcome(), "CONFLICT");
    send(merging(&a, &b, json!({}))).await.ok();
    let (a, b) = (Made { version: 2, ..a }, Made { version: 2, ..b });
    assert_eq!(send(merging(&a, &b, json!({}))).await.faults(), ["input.fromId"], "merged already");
    assert_eq!(send(merging(&c, &a, json!({}))).await.faults(), ["input.intoId"], "merged already");
    let input = json!({"patientId": a.id, "kind": "ALLERGY", "text": "Latex"});
    assert_eq!(anna.does("addHealthEntry", input, "__typename").await.faults(), ["input.patientId"]);
    // The same picture in both charts.
    let (sql, org) = (clinic.database.superuser().await, clinic.north.uuid);
    for patient in [&b, &c] {
        sql.run(&format!("INSERT INTO photo (org_id, id, patient_id, status, taken_at, phase, view, area, side, stored_at, content_hash, media_type, \
            byte_size, width, height, version, created_at, updated_at) VALUES ('{org}', gen_random_uuid(), '{}', 'stored', now(), 'before', 'frontal', \
            'nose', 'midline', now(), sha256('x'), 'image/png', 1, 1, 1, 1, now(), now())", uuid_of(&patient.id))).await;
    }
    let twice = send(merging(&c, &b, json!({}))).await;
    assert_eq!((twice.faults(), twice.text.contains("the same picture")), (vec!["input.fromId"], true));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_merges_at_once_one_wins_and_nothing_written_meanwhile_is_lost() {
    let clinic = Clinic::with(&["--pool-wait", "10s"]).await;
    let (anna, sql) = (clinic.practitioner(), clinic.database.superuser().await);
    for round in 0..5 {
        let family = format!("Sol {round}");
        let (a, b, c) =
            (anna.patient("A", &family).await, anna.patient("A", &family).await, anna.patient("A", &family).await);
        let session = anna.session(&a).await;
        let merge = async |from: &Made, into: &Made| {
            anna.does("mergePatients", merging(from, into, json!({})), "merge { id }").await
        };
        let entry = json!({"patientId": a.id, "kind": "ALLERGY", "text": "Latex"});
        let writes =
            futures::future::join_all((0..8).map(|_| anna.does("addHealthEntry", entry.clone(), "healthEntry { id }")));
        let edit = anna.does("updateSession", session.edit_with(json!({"patch": {"note": "x"}})), "session { id }");
        let (one, two, three, written, edited) =
            futures::join!(merge(&a, &b), merge(&a, &c), merge(&b, &a), writes, edit);
        let merges = [one.outcome(), two.outcome(), three.outcome()];
        assert_eq!(merges.iter().filter(|it| *it == "ok").count(), 1, "{merges:?}");
        assert!(merges.iter().all(|it| it == "ok" || it == "CONFLICT"), "{merges:?}");
        for answer in written.iter().chain([&edited]) {
            assert!(["ok", "CONFLICT", "BAD_USER_INPUT"].contains(&answer.outcome().as_str()), "{}", answer.text);
        }
        // Nothing hangs on a chart that is closed.
        for table in ["health_entry", "treatment_session"] {
            let lost = format!(
                "SELECT count(*) FROM {table} t JOIN patient p ON p.id = t.patient_id WHERE p.status = 'merged'"
            );
            assert_eq!(sql.one(&lost).await, "0", "{table} in round {round}");
        }
        sql.plain_ledger("record_kind = 'treatment_session'").await;
        let differ = "SELECT count(*) FROM treatment_session s WHERE s.patient_id::text <> (SELECT content::jsonb ->> 'patient_id' FROM ledger l \
            WHERE l.record_id = s.id ORDER BY seq DESC LIMIT 1)";
        assert_eq!(sql.one(differ).await, "0");
    }
    assert_eq!(broken(&sql, "ledger", clinic.north.uuid).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retried_merge_is_the_first_one_again() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (from, into) = (anna.patient("A", "Sol").await, anna.patient("A", "Sol").await);
    anna.health_entry(&from).await;
    let input = merging(&from, &into, json!({"id": new_id("merge")}));
    let first = anna.does("mergePatients", input.clone(), MERGE).await.ok();
    let entries = clinic.database.superuser().await.one("SELECT count(*) FROM ledger").await;
    assert_eq!(anna.does("mergePatients", input, MERGE).await.ok(), first);
    assert_eq!(clinic.database.superuser().await.one("SELECT count(*) FROM ledger").await, entries);
}
