//! What whoever keeps a copy is told.

use super::{all, brief, now, page};
use crate::access::{erasing, merging};
use crate::statements::counted;
use crate::support::*;
use futures::future::join_all;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

const WRITERS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_without_a_pause_misses_nothing_of_eight_writers_and_sees_nothing_twice() {
    let clinic = Clinic::with(&["--pool-wait", "20s"]).await;
    let (anna, reader) = (clinic.practitioner(), clinic.auditor());
    // 10,000 changes, or a few.
    let each = if std::env::var_os("CLINIC_SOAK").is_some() { 1_250 } else { 12 };
    let begin = now(&reader).await;
    let writing = AtomicUsize::new(WRITERS);
    let writers = (0..WRITERS).map(|_| async {
        let mut made = Vec::new();
        for _ in 0..each {
            made.push(anna.patient("Ada", "Lovelace").await.id);
        }
        writing.fetch_sub(1, Ordering::Relaxed);
        made
    });
    let reading = async {
        let (mut seen, mut after, mut polls) = (Vec::new(), begin.clone(), 0);
        while writing.load(Ordering::Relaxed) > 0 {
            let page = page(&reader, &after, json!({"first": 7})).await;
            seen.extend(page["nodes"].as_array().unwrap().clone());
            after = page["pageInfo"]["endCursor"].clone();
            polls += 1;
        }
        seen.extend(all(&reader, &after, json!({})).await.0);
        (seen, polls)
    };
    let (made, (seen, polls)) = futures::join!(join_all(writers), reading);
    assert!(polls > 10, "{polls} polls only");
    let sequences: Vec<i64> = seen.iter().map(|change| change["sequence"].as_i64().unwrap()).collect();
    assert!(sequences.is_sorted_by(|a, b| b - a == 1), "not each, in order, once: {sequences:?}");
    let patients: Vec<&str> = seen.iter().map(|change| change["recordId"].as_str().unwrap()).collect();
    let made: BTreeSet<String> = made.into_iter().flatten().collect();
    assert_eq!((patients.len(), made.len()), (WRITERS * each, WRITERS * each));
    assert_eq!(patients.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), made);
    // Whoever was away for it goes on where they were.
    assert_eq!(all(&reader, &begin, json!({})).await.0, seen);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_goes_on_from_every_change_and_stays_good() {
    let clinic = Clinic::start().await;
    let (anna, stranger) = (clinic.practitioner(), clinic.stranger());
    let begin = now(&anna).await;
    let patient = anna.patient("Ada", "Lovelace").await;
    let session = anna.signed_session(&patient).await;
    let input = json!({"id": session.id, "reason": "Written in the wrong chart"});
    anna.does("retractSignedRecord", input, "retraction { id }").await.ok();
    let whole = page(&anna, &begin, json!({})).await;
    let nodes = whole["nodes"].as_array().unwrap();
    assert!(nodes.len() >= 5, "{whole}");
    for (i, edge) in whole["edges"].as_array().unwrap().iter().enumerate() {
        let rest = page(&anna, &edge["cursor"], json!({})).await;
        assert_eq!(rest["nodes"].as_array().unwrap(), &nodes[i + 1..], "after {}", brief(&nodes[i]));
    }
    // One at a time is the same, and what one entry tells may be on two pages.
    let (one_by_one, end) = all(&anna, &begin, json!({"first": 1})).await;
    assert_eq!(&one_by_one, nodes);
    let empty = page(&anna, &end, json!({})).await;
    assert_eq!((&empty["nodes"], &empty["pageInfo"]["endCursor"]), (&json!([]), &end));
    assert_eq!(page(&anna, &begin, json!({"first": 0})).await["pageInfo"]["endCursor"], begin);
    for (after, first) in [(json!("?"), 5), (json!("now"), 101), (json!(""), -1)] {
        let answer = anna.graphql(super::FEED, json!({"after": after, "first": first})).await;
        assert_eq!(answer.code(), "BAD_USER_INPUT", "{}", answer.text);
    }
    // It is of this ledger: that of another organisation has no such entry, or has another one there.
    let of_another = stranger.graphql(super::FEED, json!({"after": end})).await;
    assert_eq!((of_another.code(), of_another.faults()), ("BAD_USER_INPUT", vec!["after"]), "{}", of_another.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_names_each_record_with_both_patients_and_so_does_its_undoing() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (from, into) = (anna.patient("Ada", "Lovelace").await, anna.patient("Ada", "Lovelace").await);
    let (session, health) = (anna.signed_session(&from).await, anna.health_entry(&from).await);
    let begin = now(&anna).await;
    let merge = anna.make("mergePatients", "merge", merging(&from, &into, json!({}))).await;
    let (changes, then) = all(&anna, &begin, json!({})).await;
    let moved = |changes: &[Value], (from, into): (&Made, &Made)| {
        let moved: Vec<&Value> = changes.iter().filter(|change| change["mark"] == "MOVED").collect();
        for change in &moved {
            assert_eq!((&change["patientId"], &change["movedFromPatientId"]), (&json!(into.id), &json!(from.id)));
        }
        moved.iter().map(|change| change["recordId"].as_str().unwrap().to_owned()).collect::<BTreeSet<String>>()
    };
    let ids = moved(&changes, (&from, &into));
    assert!(ids.contains(&session.id) && ids.contains(&health.id), "{ids:?}");
    let others: Vec<String> = changes.iter().filter(|change| change["mark"] != "MOVED").map(brief).collect();
    assert_eq!(others, ["PATIENT MERGE", "PATIENT MERGE", "PATIENT_MERGE MERGE"]);
    anna.does("unmergePatients", json!({"mergeId": merge.id, "reason": "Twins"}), "merge { id }").await.ok();
    let (changes, _) = all(&anna, &then, json!({})).await;
    assert_eq!(moved(&changes, (&into, &from)), ids, "all of it went back");
    // What belongs to a kind is told to whoever wants that kind alone.
    let (sessions, _) = all(&anna, &begin, json!({"kinds": ["TREATMENT_SESSION"]})).await;
    assert_eq!(sessions.iter().map(brief).collect::<Vec<_>>(), ["TREATMENT_SESSION MERGE MOVED"; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_names_everything_that_went() {
    let clinic = Clinic::start().await;
    let (anna, admin, sql) = (clinic.practitioner(), clinic.admin(), clinic.database.superuser().await);
    let start = now(&anna).await;
    let (double, patient) = (anna.patient("Ada", "Lovelace").await, anna.patient("Ada", "Lovelace").await);
    let session = anna.signed_session(&double).await;
    anna.addendum(&session).await;
    anna.make("mergePatients", "merge", merging(&double, &patient, json!({}))).await;
    // Somebody else who was one with them for a while stays.
    let other = anna.patient("Ada", "Lovelace").await;
    let kept = anna.health_entry(&other).await;
    let version = Made { version: patient.version + 1, ..patient.clone() };
    let mistake = anna.make("mergePatients", "merge", merging(&other, &version, json!({}))).await;
    anna.does("unmergePatients", json!({"mergeId": mistake.id, "reason": "Another"}), "merge { id }").await.ok();
    let before: BTreeSet<String> = all(&anna, &start, json!({}))
        .await
        .0
        .iter()
        .map(|change| change["recordId"].as_str().unwrap().to_owned())
        .collect();
    let begin = now(&admin).await;
    admin.does("erasePatient", erasing(&admin, &patient).await, "erasure { id }").await.ok();
    let (told, _) = all(&admin, &begin, json!({})).await;
    assert_eq!(brief(&told[0]), "PATIENT_ERASURE ERASE");
    let gone: Vec<&Value> = told.iter().filter(|change| change["mark"] == "ERASED").collect();
    let ids: BTreeSet<String> = gone.iter().map(|change| change["recordId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), gone.len(), "each once");
    assert!(gone.iter().all(|change| change["sequence"] == told[0]["sequence"] && change["version"].is_null()));
    let left = |id: &&String| ![&other.id, &kept.id].contains(id);
    let mine: BTreeSet<String> =
        before.iter().filter(left).filter(|id| !id.starts_with("consent_version_")).cloned().collect();
    let missing: Vec<&String> = mine.iter().filter(|id| !ids.contains(*id) && is_a_patients(id)).collect();
    assert_eq!(missing, [""; 0], "not told of");
    assert!(!ids.contains(&other.id) && !ids.contains(&kept.id), "{ids:?}");
    // Page by page it is the same, and each kind is told to whoever wants that kind.
    let (one_by_one, _) = all(&admin, &begin, json!({"first": 1})).await;
    assert_eq!(one_by_one, told);
    let (sessions, _) = all(&anna, &begin, json!({"kinds": ["TREATMENT_SESSION"]})).await;
    assert_eq!(
        (sessions.len(), &sessions[0]["recordId"], brief(&sessions[0]).as_str()),
        (1, &json!(session.id), "TREATMENT_SESSION ERASE ERASED")
    );
    // Whoever begins now is told at once that the old entries are of what is gone; who stayed is not.
    for change in all(&anna, &start, json!({})).await.0 {
        let id = change["recordId"].as_str().unwrap().to_owned();
        let erased = change["mark"] == "ERASED";
        assert_eq!(erased, ids.contains(&id), "{change}");
    }
    let count = sql.one(&format!("SELECT count(*) FROM patient WHERE id = '{}'", uuid_of(&other.id))).await;
    assert_eq!(count, "1");
}

/// Whether an id is that of a record of a patient's, by its beginning.
fn is_a_patients(id: &str) -> bool {
    ["patient_", "session_", "health_", "addendum_", "consultation_", "consent_0", "merge_"]
        .iter()
        .any(|it| id.starts_with(it))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_longer_counts_is_marked() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let (health, session) = (anna.health_entry(&patient).await, anna.signed_session(&patient).await);
    let begin = now(&anna).await;
    let error = health.edit_with(json!({"patch": {"enteredInError": true}}));
    anna.does("updateHealthEntry", error, "healthEntry { id }").await.ok();
    let input = json!({"id": session.id, "reason": "Written in the wrong chart"});
    anna.does("retractSignedRecord", input, "retraction { id }").await.ok();
    let (changes, _) = all(&anna, &begin, json!({})).await;
    let told: Vec<String> = changes.iter().map(brief).collect();
    assert_eq!(
        told,
        ["HEALTH_ENTRY UPDATE ENTERED_IN_ERROR", "RETRACTION CREATE", "TREATMENT_SESSION UPDATE RETRACTED"]
    );
    assert_eq!((&changes[0]["version"], &changes[0]["recordId"]), (&json!(2), &json!(health.id)));
    assert_eq!((&changes[2]["recordId"], &changes[2]["patientId"]), (&json!(session.id), &json!(patient.id)));
    // The retraction itself may be of no interest.
    let (sessions, _) = all(&anna, &begin, json!({"kinds": ["TREATMENT_SESSION"]})).await;
    assert_eq!(sessions, changes[2..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_few_statements_and_entries_are_found_wherever_their_times_put_them() {
    let clinic = Clinic::logging_statements().await;
    let (anna, sql) = (clinic.practitioner(), clinic.database.superuser().await);
    let patient = anna.patient("Ada", "Lovelace").await;
    for _ in 0..6 {
        anna.session(&patient).await;
    }
    let (_, ran) = counted(&clinic, &anna, super::FEED, json!({"first": 100})).await;
    let (nodes, _) = all(&anna, &Value::Null, json!({})).await;
    assert!(nodes.len() > 7);
    // BEGIN, who asks, the page, COMMIT, and the row of the access log in its transaction.
    assert!(ran.len() <= 8, "{} statements: {ran:#?}", ran.len());
    // A clock that was off, or a ledger that was filled with a history: times in no order, over years.
    sql.run("SELECT ensure_month_partitions((now() - interval '3 years')::date, (now() + interval '1 month')::date)")
        .await;
    sql.run(&format!(
        "UPDATE ledger SET at = at - (seq % 5) * interval '200 days' WHERE org_id = '{}'",
        clinic.north.uuid
    ))
    .await;
    let (again, _) = all(&anna, &Value::Null, json!({"first": 3})).await;
    let ids = |nodes: &[Value]| {
        nodes.iter().map(|node| (node["sequence"].clone(), node["recordId"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(ids(&again), ids(&nodes));
}
