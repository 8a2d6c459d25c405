//! Addenda: how what is signed is corrected.

use crate::staff::colleague;
use crate::support::*;

const WHOLE: &str = "addendum { id recordId recordKind patient { id } author { id } reason text }";

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_record_of_any_kind_takes_addenda_and_shows_them() {
    let clinic = Clinic::start().await;
    let (anna, bob) = (clinic.practitioner(), colleague(&clinic, "Bob").await);
    let patient = anna.patient("Ada", "Lovelace").await;
    let session = anna.signed_session(&patient).await;
    let (consultation, note) = (anna.signed_consultation(&patient).await, anna.signed_note(&session).await);
    for (record, kind) in [(session, "TREATMENT_SESSION"), (consultation, "CONSULTATION"), (note, "AFTERCARE_NOTE")] {
        let query = "query ($id: ID!) { node(id: $id) { ... on ClinicalRecord { version signature { contentHash }
            addenda { totalCount nodes { id recordId recordKind patient { id } author { id } reason text } } history { totalCount } } } }";
        let read = async || anna.graphql(query, json!({"id": record.id})).await.ok()["node"].clone();
        let before = read().await;
        let mut added = Vec::new();
        for (by, text) in [(&anna, "The depth was 1.0 mm"), (&bob, "Seen: agreed")] {
            let input = json!({"recordId": record.id, "reason": " Typing error ", "text": text});
            let one = by.does("addAddendum", input, WHOLE).await.ok()["addAddendum"]["addendum"].clone();
            let expected = json!({
                "id": one["id"], "recordId": record.id, "recordKind": kind, "patient": {"id": patient.id}, "author": {"id": by.id()},
                "reason": "Typing error", "text": text,
            });
            assert_eq!(one, expected);
            added.push(one);
        }
        let after = read().await;
        assert_eq!(after["addenda"], json!({"totalCount": 2, "nodes": added}), "oldest first");
        for same in ["version", "signature", "history"] {
            assert_eq!(after[same], before[same], "the record itself is as it was signed: {same}");
        }
        let by_id = anna
            .graphql("query ($id: ID!) { node(id: $id) { ... on Addendum { text } } }", json!({"id": added[0]["id"]}))
            .await
            .ok();
        assert_eq!(by_id["node"]["text"], added[0]["text"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_signed_record_takes_one() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let session = anna.session(&patient).await;
    let drafts = [session.clone(), anna.consultation(&patient).await, anna.note(&session).await];
    let entry = anna.health_entry(&patient).await;
    let fine = json!({"reason": "Forgotten", "text": "The lot"});
    let add = async |by: &SignedIn, record: &str, more: &Value| {
        let mut input = json!({"recordId": record});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        by.does("addAddendum", input, WHOLE).await
    };
    for record in drafts.iter().map(|draft| draft.id.as_str()).chain([patient.id.as_str(), &entry.id, anna.id(), "?"]) {
        let answer = add(&anna, record, &fine).await;
        assert_eq!((answer.code(), answer.faults()), ("BAD_USER_INPUT", vec!["input.recordId"]), "{record}");
    }
    let faulty = json!({"id": new_id("note"), "reason": "x".repeat(501), "text": " "});
    assert_eq!(add(&anna, "?", &faulty).await.faults(), ["input.id", "input.recordId", "input.reason", "input.text"]);
    let signed = anna.sign_session(&session).await;
    assert_eq!(add(&anna, &new_id("session"), &fine).await.code(), "NOT_FOUND");
    for (by, outcome) in [
        (clinic.stranger(), "NOT_FOUND"),
        (clinic.admin(), "FORBIDDEN"),
        (clinic.auditor(), "FORBIDDEN"),
        (clinic.front_desk(), "FORBIDDEN"),
    ] {
        assert_eq!(add(&by, &signed.id, &fine).await.outcome(), outcome, "{:?}", by.role());
    }
    let count = clinic.database.superuser().await.one("SELECT count(*) FROM addendum").await;
    assert_eq!(count, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_filtered() {
    let clinic = Clinic::start().await;
    let (anna, bob) = (clinic.practitioner(), colleague(&clinic, "Bob").await);
    let (ada, eve) = (anna.patient("Ada", "A").await, anna.patient("Eve", "E").await);
    let (session, consultation) = (anna.signed_session(&ada).await, anna.signed_consultation(&eve).await);
    let ids = [anna.addendum(&session).await.id, bob.addendum(&session).await.id, bob.addendum(&consultation).await.id];
    let cases: &[(Value, &[usize])] = &[
        (json!({}), &[2, 1, 0]),
        (json!({"patientId": eve.id}), &[2]),
        (json!({"recordId": session.id}), &[1, 0]),
        (json!({"authorId": bob.id()}), &[2, 1]),
        (json!({"authorId": bob.id(), "patientId": ada.id}), &[1]),
        (json!({"recordId": new_id("note")}), &[]),
    ];
    let query = "query ($f: AddendumFilter) { addenda(filter: $f) { totalCount nodes { id } } }";
    for (filter, expected) in cases {
        let data = anna.graphql(query, json!({"f": filter})).await.ok();
        let nodes = data["addenda"]["nodes"].as_array().unwrap();
        let nodes: Vec<_> = nodes.iter().map(|node| node["id"].as_str().unwrap()).collect();
        assert_eq!(nodes, expected.iter().map(|i| ids[*i].as_str()).collect::<Vec<_>>(), "{filter}");
        assert_eq!(data["addenda"]["totalCount"], nodes.len(), "{filter}");
    }
    let wrong = json!({"f": {"patientId": "x", "recordId": ada.id, "authorId": ada.id}});
    let answer = anna.graphql(query, wrong).await;
    assert_eq!(answer.faults(), ["filter.patientId", "filter.authorId", "filter.recordId"]);
}
