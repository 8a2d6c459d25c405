//! What a client that keeps a copy is told of a merge.

use crate::access::merging;
use crate::support::*;
use chrono::{SecondsFormat, Utc};

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// What changed since a moment, by kind.
async fn changed_since(anna: &SignedIn, moment: &str) -> Value {
    let query = "query ($t: DateTime) {
        sessions(filter: {updatedSince: $t}) { nodes { id updatedAt updatedBy { id } version history { nodes { action } } } }
        healthEntries(filter: {updatedSince: $t}) { nodes { id updatedAt } }
        addenda(filter: {updatedSince: $t}) { nodes { id } }
        patients(filter: {updatedSince: $t, status: [ACTIVE, MERGED]}) { nodes { id updatedAt mergedInto { id } } }
        patientMerges(filter: {updatedSince: $t}) { nodes { id undoneAt moved { kind count ids } } } }";
    anna.graphql(query, json!({"t": moment})).await.ok()
}

fn ids(list: &Value) -> Vec<&str> {
    let mut ids: Vec<&str> = list["nodes"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_merge_moves_has_changed_and_so_has_what_goes_back() {
    let clinic = Clinic::start().await;
    let (anna, sam) = (clinic.practitioner(), new_colleague(&clinic.admin(), "Sam").await);
    let (from, into, earlier) =
        (anna.patient("Zoe", "Sol").await, anna.patient("Zoe", "Sol").await, anna.patient("Zoe", "Sol").await);
    anna.make("mergePatients", "merge", merging(&earlier, &from, json!({}))).await;
    let session = anna.signed_session(&from).await;
    let addendum = anna.addendum(&session).await;
    let entries = [anna.health_entry(&from).await.id, anna.health_entry(&from).await.id];
    let stays = anna.health_entry(&into).await;
    let from = Made { version: 2, ..from };
    for (undo, version) in [(false, 0), (true, 1)] {
        let since = now();
        let moment = if undo {
            let merge = changed_since(&anna, "2026-01-01T00:00:00Z").await["patientMerges"]["nodes"][0].clone();
            let input = json!({"mergeId": merge["id"], "reason": "Two people"});
            sam.does("unmergePatients", input, "merge { undoneAt }").await.ok()["unmergePatients"]["merge"]["undoneAt"]
                .clone()
        } else {
            sam.does("mergePatients", merging(&from, &into, json!({})), "merge { mergedAt }").await.ok()["mergePatients"]["merge"]
                ["mergedAt"]
                .clone()
        };
        let told = changed_since(&anna, &since).await;
        assert_eq!(ids(&told["sessions"]), [session.id.as_str()], "{undo}");
        assert_eq!(ids(&told["addenda"]), [addendum.id.as_str()], "{undo}");
        assert_eq!(ids(&told["healthEntries"]), entries, "{undo}: not {}", stays.id);
        let mut patients = [&from.id, &into.id, &earlier.id].map(String::as_str);
        patients.sort_unstable();
        assert_eq!(ids(&told["patients"]), patients, "{undo}: who had been merged into the one goes along");
        // Of the moment of the merge, by who merged; its version is its own.
        let moved = &told["sessions"]["nodes"][0];
        assert_eq!((&moved["updatedAt"], &moved["updatedBy"]["id"]), (&moment, &json!(sam.id())), "{undo}");
        assert_eq!(
            (&moved["version"], &moved["history"]["nodes"][0]["action"]),
            (&json!(2), &json!("MERGE")),
            "{undo}"
        );
        assert!(
            told["healthEntries"]["nodes"].as_array().unwrap().iter().all(|it| it["updatedAt"] == moment),
            "{told}"
        );
        let merge = &told["patientMerges"]["nodes"][0];
        assert_eq!((merge["undoneAt"].is_null(), told["patientMerges"]["nodes"].as_array().unwrap().len()), (!undo, 1));
        let of = |kind: &str| merge["moved"].as_array().unwrap().iter().find(|it| it["kind"] == kind).unwrap().clone();
        assert_eq!(of("HEALTH_ENTRY"), json!({"kind": "HEALTH_ENTRY", "count": 2, "ids": entries}), "{version}");
        assert_eq!(of("PATIENT"), json!({"kind": "PATIENT", "count": 1, "ids": [earlier.id]}));
        assert_eq!(of("TREATMENT_SESSION")["ids"], json!([session.id]));
    }
    let none = changed_since(&anna, &now()).await;
    assert!(none.as_object().unwrap().values().all(|list| list["nodes"] == json!([])), "{none}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ids_of_what_moved_are_read_in_parts() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (from, into) = (anna.patient("Zoe", "Sol").await, anna.patient("Zoe", "Sol").await);
    let mut entries = Vec::new();
    for _ in 0..3 {
        entries.push(anna.health_entry(&from).await.id);
    }
    let dry = merging(&from, &into, json!({"dryRun": true}));
    let would = anna.does("mergePatients", dry, "moved { kind count ids(first: 2) }").await.ok();
    let would = &would["mergePatients"]["moved"];
    assert_eq!(*would, json!([{"kind": "HEALTH_ENTRY", "count": 3, "ids": entries[..2]}]), "before it is done");
    anna.make("mergePatients", "merge", merging(&from, &into, json!({}))).await;
    let query = "query ($id: ID!, $first: Int!, $after: ID) { patient(id: $id) { merges { moved { ids(first: $first, after: $after) } } } }";
    let part = async |first: i64, after: Option<&str>| {
        anna.graphql(query, json!({"id": into.id, "first": first, "after": after})).await
    };
    let ids = |answer: Answer| answer.ok()["patient"]["merges"][0]["moved"][0]["ids"].clone();
    assert_eq!(ids(part(2, None).await), json!(entries[..2]));
    assert_eq!(ids(part(2, Some(&entries[1])).await), json!(entries[2..]));
    assert_eq!(ids(part(0, None).await), json!([]));
    for (first, after) in [(-1, None), (1001, None), (1, Some(from.id.as_str())), (1, Some("x"))] {
        assert_eq!(part(first, after).await.outcome(), "BAD_USER_INPUT", "{first} {after:?}");
    }
}
