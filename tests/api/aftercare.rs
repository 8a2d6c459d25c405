//! Aftercare notes.

use crate::staff::colleague;
use crate::support::*;

const WHOLE: &str = "aftercareNote { id version patient { id } session { id } author { id } kind notedAt text redness swelling pain adherence escalate signature { meaning signedBy { id } } }";

async fn update(by: &SignedIn, note: &Made, patch: Value) -> Answer {
    by.does("updateAftercareNote", note.edit_with(json!({"patch": patch})), WHOLE).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_is_added_changed_and_signed() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let session = anna.signed_session(&patient).await;
    let given = json!({"kind": "CHECK_IN", "notedAt": hours_ago(1), "text": "Feels warm", "redness": 3, "swelling": 0, "pain": 10, "adherence": "PARTIAL", "escalate": true});
    let mut input = given.clone();
    input["sessionId"] = json!(session.id);
    let added = anna.does("addAftercareNote", input, WHOLE).await.ok()["addAftercareNote"]["aftercareNote"].clone();
    let mut expected = json!({
        "id": added["id"], "version": 1, "patient": {"id": patient.id}, "session": {"id": session.id}, "author": {"id": anna.id()}, "signature": null,
    });
    expected.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
    assert_eq!(added, expected);
    let mut note = Made::of(&added);
    let same = update(&anna, &note, json!({})).await.ok()["updateAftercareNote"]["aftercareNote"].clone();
    expected["version"] = json!(2);
    assert_eq!(same, expected);
    note.version = 2;
    let nulls =
        json!({"text": null, "redness": null, "swelling": null, "pain": null, "adherence": null, "escalate": false});
    let cleared = update(&anna, &note, nulls).await.ok()["updateAftercareNote"]["aftercareNote"].clone();
    for field in ["text", "redness", "swelling", "pain", "adherence"] {
        assert_eq!(cleared[field], Value::Null, "{field}");
    }
    let stale = update(&anna, &note, json!({"text": "x"})).await;
    assert_eq!((stale.code(), &stale.errors[0]["extensions"]["currentVersion"]), ("CONFLICT", &json!(3)));
    note.version = 3;
    let missing = anna.does("signAftercareNote", note.edit_with(json!({"meaning": "REVIEWER"})), WHOLE).await;
    assert_eq!(missing.faults(), ["redness", "input.meaning"]);
    update(&anna, &note, json!({"pain": 0})).await.ok();
    note.version = 4;
    let signed = anna.does("signAftercareNote", note.edit(), WHOLE).await.ok();
    assert_eq!(
        signed.pointer("/signAftercareNote/aftercareNote/signature").unwrap(),
        &json!({"meaning": "AUTHOR", "signedBy": {"id": anna.id()}})
    );
    for version in [4, 5] {
        note.version = version;
        assert_eq!(update(&anna, &note, json!({"pain": 9})).await.code(), "RECORD_SIGNED");
        assert_eq!(anna.does("signAftercareNote", note.edit(), WHOLE).await.code(), "RECORD_SIGNED");
    }
    let query = "query ($id: ID!) { aftercareNote(id: $id) { pain history { nodes { action } } } }";
    let read = anna.graphql(query, json!({"id": note.id})).await.ok();
    assert_eq!(read["aftercareNote"]["pain"], 0);
    let actions: Vec<_> = read
        .pointer("/aftercareNote/history/nodes")
        .unwrap()
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["action"].clone())
        .collect();
    assert_eq!(actions, ["SIGN", "UPDATE", "UPDATE", "UPDATE", "CREATE"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_in_is_scored_and_any_other_kind_says_something() {
    let clinic = Clinic::start().await;
    let (anna, bob) = (clinic.practitioner(), colleague(&clinic, "Bob").await);
    let patient = anna.patient("Ada", "Lovelace").await;
    let session = anna.session(&patient).await;
    for kind in ["INSTRUCTIONS_GIVEN", "CHECK_IN", "PATIENT_REPORT", "FOLLOW_UP_CALL"] {
        for (more, enough) in
            [(json!({"text": "Said"}), kind != "CHECK_IN"), (json!({"swelling": 1}), kind == "CHECK_IN")]
        {
            let mut input = json!({"sessionId": session.id, "kind": kind});
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let note = anna.make("addAftercareNote", "aftercareNote", input).await;
            let answer = anna.does("signAftercareNote", note.edit(), WHOLE).await;
            assert_eq!(answer.outcome(), if enough { "ok" } else { "BAD_USER_INPUT" }, "{kind} {more}");
        }
    }
    for (signer, meaning, outcome) in [
        (&bob, "AUTHOR", "BAD_USER_INPUT"),
        (&bob, "REVIEWER", "BAD_USER_INPUT"),
        (&bob, "SUPERVISOR", "BAD_USER_INPUT"),
        (&anna, "AUTHOR", "ok"),
        (&anna, "REVIEWER", "BAD_USER_INPUT"),
    ] {
        let note = anna.note(&session).await;
        let answer = signer.does("signAftercareNote", note.edit_with(json!({"meaning": meaning})), WHOLE).await;
        assert_eq!(answer.outcome(), outcome, "{meaning}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_told_at_once() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let session = anna.session(&patient).await; // began two hours ago
    let scores = json!({"redness": 11, "swelling": -1, "pain": 99, "text": "x".repeat(20_001), "notedAt": "2999-01-01T00:00:00Z"});
    let mut faulty = scores.clone();
    faulty.as_object_mut().unwrap().extend(
        json!({"id": new_id("staff"), "sessionId": patient.id, "kind": "CHECK_IN"}).as_object().unwrap().clone(),
    );
    let answer = anna.does("addAftercareNote", faulty, WHOLE).await;
    let sorted = |answer: &Answer| {
        let mut told: Vec<String> = answer.faults().into_iter().map(str::to_owned).collect();
        told.sort();
        told
    };
    assert_eq!(
        sorted(&answer),
        ["id", "notedAt", "pain", "redness", "sessionId", "swelling", "text"].map(|path| format!("input.{path}"))
    );
    let note = anna.note(&session).await;
    assert_eq!(
        sorted(&update(&anna, &note, scores).await),
        ["notedAt", "pain", "redness", "swelling", "text"].map(|path| format!("input.patch.{path}"))
    );
    let before = json!({"sessionId": session.id, "kind": "CHECK_IN", "notedAt": hours_ago(3)});
    assert_eq!(
        anna.does("addAftercareNote", before, WHOLE).await.faults(),
        ["input.notedAt"],
        "before the session began"
    );
    assert_eq!(update(&anna, &note, json!({"notedAt": hours_ago(3)})).await.faults(), ["input.patch.notedAt"]);
    let nowhere = json!({"sessionId": new_id("session"), "kind": "CHECK_IN"});
    assert_eq!(anna.does("addAftercareNote", nowhere, WHOLE).await.code(), "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_filtered() {
    let clinic = Clinic::start().await;
    let (anna, bob) = (clinic.practitioner(), colleague(&clinic, "Bob").await);
    let (ada, eve) = (anna.patient("Ada", "A").await, anna.patient("Eve", "E").await);
    let long_ago = json!({"startedAt": hours_ago(90), "endedAt": hours_ago(89)});
    let (of_ada, of_eve) = (anna.session_with(&ada, long_ago.clone()).await, anna.session_with(&eve, long_ago).await);
    let add = async |by: &SignedIn, session: &Made, more: Value| {
        let mut input = json!({"sessionId": session.id});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        by.make("addAftercareNote", "aftercareNote", input).await
    };
    let first =
        add(&anna, &of_ada, json!({"kind": "INSTRUCTIONS_GIVEN", "text": "Gently", "notedAt": hours_ago(72)})).await;
    let second = add(
        &bob,
        &of_eve,
        json!({"kind": "PATIENT_REPORT", "text": "Red", "notedAt": hours_ago(48), "escalate": true}),
    )
    .await;
    let third = add(&anna, &of_eve, json!({"kind": "CHECK_IN", "pain": 2, "notedAt": hours_ago(24)})).await;
    anna.sign_note(&first).await;
    let ids = [&first.id, &second.id, &third.id];
    let cases: &[(Value, &[usize])] = &[
        (json!({}), &[2, 1, 0]),
        (json!({"patientId": eve.id}), &[2, 1]),
        (json!({"sessionId": of_ada.id}), &[0]),
        (json!({"authorId": bob.id()}), &[1]),
        (json!({"kind": ["CHECK_IN", "PATIENT_REPORT"]}), &[2, 1]),
        (json!({"escalate": true}), &[1]),
        (json!({"escalate": false}), &[2, 0]),
        (json!({"notedFrom": hours_ago(49), "notedBefore": hours_ago(25)}), &[1]),
        (json!({"signed": true}), &[0]),
        (json!({"signed": false}), &[2, 1]),
        (json!({"updatedSince": "2999-01-01T00:00:00Z"}), &[]),
    ];
    let query = "query ($f: AftercareNoteFilter) { aftercareNotes(filter: $f) { totalCount nodes { id } } }";
    for (filter, expected) in cases {
        let data = anna.graphql(query, json!({"f": filter})).await.ok();
        let nodes: Vec<_> = data["aftercareNotes"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["id"].as_str().unwrap())
            .collect();
        assert_eq!(nodes, expected.iter().map(|i| ids[*i]).collect::<Vec<_>>(), "{filter}");
        assert_eq!(data["aftercareNotes"]["totalCount"], nodes.len(), "{filter}");
    }
    let wrong = json!({"f": {"patientId": "x", "sessionId": ada.id, "authorId": ada.id}});
    assert_eq!(anna.graphql(query, wrong).await.faults(), ["filter.patientId", "filter.sessionId", "filter.authorId"]);
}
