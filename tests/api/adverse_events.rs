//! Adverse events: reported, followed up, and proposed by what aftercare notes score.

use crate::support::*;

const WHOLE: &str = "adverseEvent { id version patient { id } session { id } aftercareNote { id } lot { id } kind description onsetAt area severity serious \
    expectedness suspectedCause causality actionTaken outcome resolvedAt report { to at reference } followUps { at author { id } outcome text } missing enteredInError }";

async fn report(by: &SignedIn, input: Value) -> Answer {
    by.does("reportAdverseEvent", input, WHOLE).await
}

fn event_of(answer: Answer) -> Value {
    let data = answer.ok();
    data.as_object().unwrap().values().next().unwrap()["adverseEvent"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_reported_changed_followed_up_and_reported_on() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let session = anna.session(&patient).await;
    let product = anna.product("Serum").await;
    let lot = anna.lot(&product, "S-9").await;
    let given = json!({
        "kind": "INFECTION", "description": "Pustules", "onsetAt": hours_ago(1), "area": "CHEEK", "severity": "MODERATE", "serious": true,
        "suspectedCause": "The serum", "causality": "POSSIBLE",
    });
    let mut input = given.clone();
    input["sessionId"] = json!(session.id);
    input["lotId"] = json!(lot.id);
    let added = event_of(report(&anna, input).await);
    let mut expected = json!({
        "id": added["id"], "version": 1, "patient": {"id": patient.id}, "session": {"id": session.id}, "aftercareNote": null, "lot": {"id": lot.id},
        "expectedness": "UNEXPECTED", "actionTaken": null, "outcome": "ONGOING", "resolvedAt": null, "report": null, "followUps": [], "enteredInError": false,
        "missing": ["actionTaken: what was done about this serious event?", "report: a serious event goes to the authority or the maker"],
    });
    expected.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
    assert_eq!(added, expected);
    let mut event = Made::of(&added);
    let patch = json!({"patch": {"actionTaken": "Antibiotics", "description": null, "area": "CHIN", "expectedness": "EXPECTED"}});
    let changed = event_of(anna.does("updateAdverseEvent", event.edit_with(patch.clone()), WHOLE).await);
    assert_eq!(
        (&changed["description"], &changed["area"], &changed["causality"]),
        (&Value::Null, &json!("CHIN"), &json!("POSSIBLE"))
    );
    assert_eq!(anna.does("updateAdverseEvent", event.edit_with(patch), WHOLE).await.code(), "CONFLICT");
    event.version = 2;
    let told = event.edit_with(json!({"reportedTo": "The agency", "reportedAt": hours_ago(0), "reference": "AE-1"}));
    let told = event_of(anna.does("reportAdverseEventToAuthority", told, WHOLE).await);
    assert_eq!((&told["report"]["reference"], &told["missing"]), (&json!("AE-1"), &json!([])));
    event.version = 3;
    let follow = async |version: i64, more: Value| {
        let event = Made { id: event.id.clone(), version };
        anna.does("addAdverseEventFollowUp", event.edit_with(more), WHOLE).await
    };
    event_of(follow(3, json!({"outcome": "IMPROVING", "text": "Less red"})).await);
    let gone = event_of(follow(4, json!({"outcome": "RESOLVED", "text": "Gone"})).await);
    assert_eq!((&gone["outcome"], &gone["resolvedAt"]), (&json!("RESOLVED"), &gone["followUps"][1]["at"]));
    assert_eq!(gone["followUps"][0]["author"]["id"], anna.id());
    assert_eq!(
        follow(5, json!({"outcome": "RESOLVED_WITH_SEQUELAE", "text": "A scar"})).await.faults(),
        ["input.outcome"]
    );
    let again = event_of(follow(5, json!({"outcome": "ONGOING", "text": "It came back"})).await);
    assert_eq!(
        (&again["outcome"], &again["resolvedAt"], again["followUps"].as_array().unwrap().len()),
        (&json!("ONGOING"), &Value::Null, 3)
    );
    assert_eq!(
        follow(6, json!({"outcome": "IMPROVING", "text": "x", "at": hours_ago(1)})).await.faults(),
        ["input.at"]
    );
    assert_eq!(follow(5, json!({"outcome": "IMPROVING", "text": "x"})).await.code(), "CONFLICT");
    event.version = 6;
    let wrong = event_of(anna.does("markAdverseEventEnteredInError", event.edit(), WHOLE).await);
    assert_eq!((&wrong["enteredInError"], &wrong["missing"]), (&json!(true), &json!([])));
    assert_eq!(follow(7, json!({"outcome": "IMPROVING", "text": "x"})).await.faults(), ["input.id"]);
    let lists = anna.graphql("query ($p: ID!) { adverseEvents { totalCount } all: adverseEvents(filter: {includeEnteredInError: true}) { totalCount } \
        patient(id: $p) { adverseEvents { totalCount } } }", json!({"p": patient.id})).await.ok();
    assert_eq!(
        lists,
        json!({"adverseEvents": {"totalCount": 0}, "all": {"totalCount": 1}, "patient": {"adverseEvents": {"totalCount": 0}}})
    );
    let history = anna
        .graphql("query ($id: ID!) { adverseEvent(id: $id) { history { totalCount } } }", json!({"id": event.id}))
        .await
        .ok();
    assert_eq!(history["adverseEvent"]["history"]["totalCount"], 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_stands_alone_or_is_of_a_session_or_a_note_of_the_same_patient() {
    let clinic = Clinic::start().await;
    let (anna, stranger) = (clinic.practitioner(), clinic.stranger());
    let (ada, eve) = (anna.patient("Ada", "A").await, anna.patient("Eve", "E").await);
    let old = json!({"startedAt": hours_ago(200), "endedAt": hours_ago(199)});
    let (session, other) = (anna.session_with(&ada, old).await, anna.session(&ada).await);
    let (note, of_eve) = (anna.note(&session).await, anna.session(&eve).await);
    let base = |more: Value| {
        let mut input = json!({"kind": "ERYTHEMA", "severity": "MILD", "onsetAt": hours_ago(1)});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let alone = event_of(report(&anna, base(json!({"patientId": ada.id}))).await);
    assert_eq!((&alone["session"], &alone["expectedness"]), (&Value::Null, &json!("UNEXPECTED")));
    let noted = event_of(report(&anna, base(json!({"aftercareNoteId": note.id}))).await);
    assert_eq!((&noted["session"]["id"], &noted["patient"]["id"]), (&json!(session.id), &json!(ada.id)));
    assert_eq!(noted["expectedness"], "UNEXPECTED", "198 hours after");
    let usual = event_of(report(&anna, base(json!({"sessionId": session.id, "onsetAt": hours_ago(190)}))).await);
    assert_eq!(usual["expectedness"], "EXPECTED");
    let said = base(json!({"sessionId": other.id, "patientId": ada.id, "expectedness": "UNEXPECTED"}));
    assert_eq!(event_of(report(&anna, said).await)["expectedness"], "UNEXPECTED");
    for (more, paths) in [
        (json!({}), vec!["input.patientId"]),
        (json!({"patientId": eve.id, "sessionId": session.id}), vec!["input.patientId"]),
        (json!({"sessionId": other.id, "aftercareNoteId": note.id}), vec!["input.aftercareNoteId"]),
        (json!({"patientId": eve.id, "aftercareNoteId": note.id}), vec!["input.patientId"]),
        (json!({"sessionId": of_eve.id, "onsetAt": hours_ago(3)}), vec!["input.onsetAt"]),
        (json!({"patientId": ada.id, "kind": "OTHER"}), vec!["input.description"]),
        (json!({"patientId": ada.id, "outcome": "FATAL"}), vec!["input.serious"]),
        (json!({"patientId": ada.id, "resolvedAt": hours_ago(0)}), vec!["input.resolvedAt"]),
        (json!({"patientId": ada.id, "outcome": "RESOLVED", "resolvedAt": hours_ago(2)}), vec!["input.onsetAt"]),
        (
            json!({"patientId": ada.id, "onsetAt": "2999-01-01T00:00:00Z", "lotId": ada.id}),
            vec!["input.lotId", "input.onsetAt"],
        ),
        (json!({"patientId": ada.id, "lotId": new_id("lot")}), vec!["input.lotId"]),
    ] {
        let answer = report(&anna, base(more.clone())).await;
        assert_eq!(answer.faults(), paths, "{more} {}", answer.text);
    }
    let event = Made::of(&usual);
    let before = event.edit_with(json!({"patch": {"onsetAt": hours_ago(201)}}));
    assert_eq!(anna.does("updateAdverseEvent", before, WHOLE).await.faults(), ["input.patch.onsetAt"]);
    let other = event.edit_with(json!({"patch": {"kind": "OTHER"}}));
    assert_eq!(anna.does("updateAdverseEvent", other, WHOLE).await.faults(), ["input.patch.description"]);
    assert_eq!(
        anna.does("updateAdverseEvent", stranger.patient("X", "Y").await.edit_with(json!({"patch": {}})), WHOLE)
            .await
            .faults(),
        ["input.id"]
    );
    // Another organisation's.
    assert_eq!(report(&stranger, base(json!({"sessionId": session.id}))).await.code(), "NOT_FOUND");
    assert_eq!(
        stranger.does("updateAdverseEvent", event.edit_with(json!({"patch": {}})), WHOLE).await.code(),
        "NOT_FOUND"
    );
    assert_eq!(stranger.ask("{ adverseEvents { totalCount } }").await["adverseEvents"]["totalCount"], 0);
    anna.does("archivePatient", eve.edit_with(json!({"reason": "Moved"})), "__typename").await.ok();
    assert_eq!(report(&anna, base(json!({"patientId": eve.id}))).await.faults(), ["input.patientId"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_follow_ups_at_once_one_is_kept() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let session = anna.session(&patient).await;
    let event = anna.adverse_event(&session).await;
    let follow = |text: &'static str| {
        let (anna, input) = (anna.clone(), event.edit_with(json!({"outcome": "IMPROVING", "text": text})));
        tokio::spawn(async move { anna.does("addAdverseEventFollowUp", input, WHOLE).await.outcome() })
    };
    let (one, two) = (follow("one"), follow("two"));
    let mut outcomes = [one.await.unwrap(), two.await.unwrap()];
    outcomes.sort();
    assert_eq!(outcomes, ["CONFLICT", "ok"]);
    let read = anna
        .graphql("query ($id: ID!) { adverseEvent(id: $id) { version followUps { text } } }", json!({"id": event.id}))
        .await
        .ok();
    assert_eq!(
        (&read["adverseEvent"]["version"], read["adverseEvent"]["followUps"].as_array().unwrap().len()),
        (&json!(2), 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_in_whose_symptom_outlasts_its_time_proposes_an_event() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let old = anna.session_with(&patient, json!({"startedAt": hours_ago(201), "endedAt": hours_ago(200)})).await;
    let new = anna.session(&patient).await;
    let add = async |session: &Made, more: Value| {
        let mut input = json!({"sessionId": session.id, "kind": "CHECK_IN", "redness": 5, "swelling": 0, "pain": 8});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        anna.make("addAftercareNote", "aftercareNote", input).await
    };
    let late = add(&old, json!({"notedAt": hours_ago(20)})).await;
    let early = add(&old, json!({"notedAt": hours_ago(40)})).await;
    let fresh = add(&new, json!({})).await;
    let query = "query ($id: ID!) { aftercareNote(id: $id) { proposedAdverseEvents { kind symptom score expectedUntil hoursSinceSession severity reason already { id } } } }";
    let proposed = async |note: &Made| {
        anna.graphql(query, json!({"id": note.id})).await.ok()["aftercareNote"]["proposedAdverseEvents"].clone()
    };
    let found = proposed(&late).await;
    let redness = json!({
        "kind": "ERYTHEMA", "symptom": "REDNESS", "score": 5, "expectedUntil": found[0]["expectedUntil"], "hoursSinceSession": 180, "severity": "MODERATE",
        "reason": "redness of 5 was noted 180 hours after the session; it is usual for 168 hours", "already": null,
    });
    assert_eq!(
        (&found[0], &found[1]["symptom"], &found[1]["severity"], found.as_array().unwrap().len()),
        (&redness, &json!("PAIN"), &json!("SEVERE"), 2)
    );
    // Within its time, and too much for its hour; in the first hours after needles it is not.
    let found = proposed(&early).await;
    assert_eq!((found.as_array().unwrap().len(), &found[0]["symptom"]), (1, &json!("PAIN")), "{found}");
    assert!(found[0]["reason"].as_str().unwrap().contains("unusual by then"), "{found}");
    assert_eq!(proposed(&fresh).await, json!([]));
    // Once it is reported the proposal says so; one entered in error does not count.
    let input =
        json!({"aftercareNoteId": late.id, "kind": "ERYTHEMA", "severity": "MODERATE", "onsetAt": hours_ago(20)});
    let event = anna.make("reportAdverseEvent", "adverseEvent", input).await;
    let found = proposed(&late).await;
    assert_eq!((&found[0]["already"], &found[1]["already"]), (&json!({"id": event.id}), &Value::Null));
    anna.does("markAdverseEventEnteredInError", event.edit(), "__typename").await.ok();
    assert_eq!(proposed(&late).await[0]["already"], Value::Null);
    // What never was proposes nothing.
    let gone = old.edit_with(json!({"patch": {"status": "ENTERED_IN_ERROR"}}));
    anna.does("updateSession", gone, "__typename").await.ok();
    assert_eq!(proposed(&late).await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_filtered() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (ada, eve) = (anna.patient("Ada", "A").await, anna.patient("Eve", "E").await);
    let long_ago = json!({"startedAt": hours_ago(90), "endedAt": hours_ago(89)});
    let (of_ada, of_eve) = (anna.session_with(&ada, long_ago.clone()).await, anna.session_with(&eve, long_ago).await);
    let product = anna.product("Serum").await;
    let lot = anna.lot(&product, "S-9").await;
    let first =
        anna.adverse_event_with(&of_ada, json!({"onsetAt": hours_ago(72), "lotId": lot.id, "severity": "MILD"})).await;
    let second =
        anna.adverse_event_with(&of_eve, json!({"onsetAt": hours_ago(48), "kind": "BURN", "serious": true})).await;
    let third = anna.adverse_event_with(&of_eve, json!({"onsetAt": hours_ago(24), "outcome": "RESOLVED"})).await;
    let ids = [&first.id, &second.id, &third.id];
    let cases: &[(Value, &[usize])] = &[
        (json!({}), &[2, 1, 0]),
        (json!({"patientId": eve.id}), &[2, 1]),
        (json!({"sessionId": of_ada.id}), &[0]),
        (json!({"lotId": lot.id}), &[0]),
        (json!({"kind": ["BURN"]}), &[1]),
        (json!({"severity": ["MILD", "SEVERE"]}), &[0]),
        (json!({"serious": true}), &[1]),
        (json!({"open": true}), &[1, 0]),
        (json!({"open": false}), &[2]),
        (json!({"onsetFrom": hours_ago(49), "onsetBefore": hours_ago(25)}), &[1]),
        (json!({"updatedSince": "2999-01-01T00:00:00Z"}), &[]),
    ];
    let query = "query ($f: AdverseEventFilter) { adverseEvents(filter: $f) { totalCount nodes { id } } }";
    for (filter, expected) in cases {
        let data = anna.graphql(query, json!({"f": filter})).await.ok();
        let nodes: Vec<_> = data["adverseEvents"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["id"].as_str().unwrap())
            .collect();
        assert_eq!(nodes, expected.iter().map(|i| ids[*i]).collect::<Vec<_>>(), "{filter}");
        assert_eq!(data["adverseEvents"]["totalCount"], nodes.len(), "{filter}");
    }
    let wrong = json!({"f": {"patientId": "x", "sessionId": ada.id, "lotId": ada.id}});
    assert_eq!(anna.graphql(query, wrong).await.faults(), ["filter.patientId", "filter.sessionId", "filter.lotId"]);
    let nested = anna.graphql("query ($id: ID!) { session(id: $id) { adverseEvents(filter: {serious: true}, orderBy: {field: ONSET_AT, direction: ASC}) { nodes { id } } } }", json!({"id": of_eve.id})).await.ok();
    assert_eq!(nested["session"]["adverseEvents"]["nodes"], json!([{"id": second.id}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_report_is_kept_and_the_device_is_named() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let used = json!({"device": {"model": "Derma Pen 4", "kind": "MOTORISED_PEN", "serial": "DP-77"}});
    let session = anna.session_with(&patient, used).await;
    let fields = "adverseEvent { id version kind expectedness deviceModel deviceSerial device { id } report { to } \
        reports { to reference } }";
    let reported = async |more: Value| {
        let mut input = json!({"kind": "VASOVAGAL_REACTION", "severity": "MILD", "onsetAt": hours_ago(1)});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        anna.does("reportAdverseEvent", input, fields).await
    };
    let event = reported(json!({"sessionId": session.id})).await.ok()["reportAdverseEvent"]["adverseEvent"].clone();
    assert_eq!(
        (&event["deviceModel"], &event["deviceSerial"], &event["expectedness"]),
        (&json!("Derma Pen 4"), &json!("DP-77"), &json!("UNEXPECTED"))
    );
    let mut made = Made::of(&event);
    for (to, reference) in [("The agency", json!("AE-1")), ("The maker", Value::Null)] {
        let input = made.edit_with(json!({"reportedTo": to, "reportedAt": hours_ago(0), "reference": reference}));
        let told = anna.does("reportAdverseEventToAuthority", input, fields).await.ok();
        let told = &told["reportAdverseEventToAuthority"]["adverseEvent"];
        assert_eq!(told["report"]["to"], to);
        made = Made::of(told);
    }
    let found = "query ($id: ID!) { adverseEvent(id: $id) { reports { to reference } } }";
    let found = anna.graphql(found, json!({"id": made.id})).await.ok();
    let both = json!([{"to": "The agency", "reference": "AE-1"}, {"to": "The maker", "reference": null}]);
    assert_eq!(found["adverseEvent"]["reports"], both);
    let wrong = json!({"patientId": patient.id, "deviceId": new_id("device")});
    assert_eq!(reported(wrong).await.faults(), ["input.deviceId"]);
    let twice = json!({"patientId": patient.id, "deviceId": new_id("device"), "deviceModel": "Pen"});
    assert_eq!(reported(twice).await.faults(), ["input.deviceModel", "input.deviceId"]);
    for kind in ["ANAPHYLAXIS", "LOCAL_ANAESTHETIC_TOXICITY"] {
        let alone = reported(json!({"patientId": patient.id, "kind": kind, "deviceModel": "Pen"})).await.ok();
        let alone = &alone["reportAdverseEvent"]["adverseEvent"];
        assert_eq!((&alone["kind"], &alone["deviceModel"]), (&json!(kind), &json!("Pen")));
    }
    let unborn = reported(json!({"patientId": patient.id, "onsetAt": "1980-01-01T00:00:00Z"})).await;
    assert_eq!(unborn.faults(), ["input.onsetAt"], "{}", unborn.text);
}
