//! Recalls: made by hand, made for everybody who got a lot, worked through; and where a lot went.

mod lots;

use crate::support::*;

const WHOLE: &str = "recall { id version patient { id } reason planId lot { id } dueFrom dueUntil state snoozedUntil closedReason basis contacted \
    attempts { channel outcome note by { id } } }";

fn recall_of(answer: Answer) -> Value {
    let data = answer.ok();
    data.as_object().unwrap().values().next().unwrap()["recall"].clone()
}

async fn does(by: &SignedIn, mutation: &str, recall: &Made, more: Value) -> Answer {
    by.does(mutation, recall.edit_with(more), WHOLE).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recall_is_made_tried_put_off_and_completed() {
    let clinic = Clinic::start().await;
    let (anna, desk) = (clinic.practitioner(), clinic.front_desk());
    let patient = anna.patient("Ada", "Lovelace").await;
    let input = json!({"patientId": patient.id, "reason": "MAINTENANCE", "dueFrom": day(-3), "dueUntil": day(20), "basis": "Twice a year"});
    let made = recall_of(anna.does("createRecall", input, WHOLE).await);
    let expected = json!({
        "id": made["id"], "version": 1, "patient": {"id": patient.id}, "reason": "MAINTENANCE", "planId": null, "lot": null, "dueFrom": day(-3), "dueUntil": day(20),
        "state": "OPEN", "snoozedUntil": null, "closedReason": null, "basis": "Twice a year", "contacted": false, "attempts": [],
    });
    assert_eq!(made, expected);
    let mut recall = Made::of(&made);
    let call = json!({"channel": "PHONE", "outcome": "LEFT_MESSAGE", "note": "Her sister"});
    let tried = recall_of(does(&desk, "logRecallAttempt", &recall, call.clone()).await);
    assert_eq!((&tried["attempts"][0]["by"]["id"], &tried["contacted"]), (&json!(desk.id()), &json!(false)));
    assert_eq!(does(&desk, "logRecallAttempt", &recall, call).await.code(), "CONFLICT");
    recall.version = 2;
    let earlier = json!({"channel": "SMS", "outcome": "REACHED", "at": hours_ago(5)});
    let tried = recall_of(does(&desk, "logRecallAttempt", &recall, earlier).await);
    assert_eq!((&tried["attempts"][0]["channel"], &tried["contacted"]), (&json!("SMS"), &json!(true)), "oldest first");
    recall.version = 3;
    for until in [day(0), day(-1), day(4000)] {
        assert_eq!(
            does(&desk, "snoozeRecall", &recall, json!({"until": until})).await.faults(),
            ["input.until"],
            "{until}"
        );
    }
    let off = recall_of(does(&desk, "snoozeRecall", &recall, json!({"until": day(2)})).await);
    assert_eq!((&off["state"], &off["snoozedUntil"]), (&json!("SNOOZED"), &json!(day(2))));
    // When its day has come it is open again by itself.
    let sql = clinic.database.superuser().await;
    sql.run(&format!("UPDATE recall SET snoozed_until = '{}'", day(0))).await;
    let list = desk.ask("{ recalls(filter: {state: [OPEN]}) { nodes { state } } }").await;
    assert_eq!(list["recalls"]["nodes"], json!([{"state": "OPEN"}]));
    recall.version = 4;
    assert_eq!(does(&desk, "completeRecall", &recall, json!({})).await.faults(), ["input.reason"]);
    let done = recall_of(does(&desk, "completeRecall", &recall, json!({"reason": "Came by"})).await);
    assert_eq!(
        (&done["state"], &done["closedReason"], &done["snoozedUntil"]),
        (&json!("DONE"), &json!("Came by"), &Value::Null)
    );
    recall.version = 5;
    for (mutation, more) in [
        ("logRecallAttempt", json!({"channel": "PHONE", "outcome": "BOOKED"})),
        ("snoozeRecall", json!({"until": day(3)})),
        ("completeRecall", json!({"reason": "x"})),
        ("dismissRecall", json!({"reason": "x"})),
    ] {
        let answer = does(&anna, mutation, &recall, more).await;
        assert_eq!(answer.faults(), ["input.id"], "{mutation}");
        assert!(answer.text.contains("is done"), "{}", answer.text);
    }
    let dismissed =
        recall_of(does(&desk, "dismissRecall", &anna.recall(&patient).await, json!({"reason": "Moved"})).await);
    assert_eq!((&dismissed["state"], &dismissed["closedReason"]), (&json!("DISMISSED"), &json!("Moved")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recall_is_answered_by_a_session_of_its_own_patient() {
    let clinic = Clinic::start().await;
    let (anna, desk) = (clinic.practitioner(), clinic.front_desk());
    let (ada, eve) = (anna.patient("Ada", "A").await, anna.patient("Eve", "E").await);
    let (of_ada, of_eve) = (anna.session(&ada).await, anna.session(&eve).await);
    let recall = anna.recall(&ada).await;
    assert_eq!(
        does(&anna, "completeRecall", &recall, json!({"sessionId": of_eve.id})).await.faults(),
        ["input.sessionId"]
    );
    assert_eq!(
        does(&anna, "completeRecall", &recall, json!({"sessionId": new_id("session")})).await.code(),
        "NOT_FOUND"
    );
    let gone = anna.session(&ada).await;
    anna.does("updateSession", gone.edit_with(json!({"patch": {"status": "ENTERED_IN_ERROR"}})), "__typename")
        .await
        .ok();
    assert_eq!(
        does(&anna, "completeRecall", &recall, json!({"sessionId": gone.id})).await.faults(),
        ["input.sessionId"]
    );
    assert_eq!(does(&desk, "completeRecall", &recall, json!({"sessionId": of_ada.id})).await.code(), "FORBIDDEN");
    does(&anna, "completeRecall", &recall, json!({"sessionId": of_ada.id})).await.ok();
    let query = "query ($id: ID!) { recall(id: $id) { state doneBySession { id } patient { displayName recalls { totalCount } } } }";
    let read = anna.graphql(query, json!({"id": recall.id})).await.ok();
    let patient = json!({"displayName": "Ada A", "recalls": {"totalCount": 1}});
    assert_eq!(read["recall"], json!({"state": "DONE", "doneBySession": {"id": of_ada.id}, "patient": patient}));
    // The front desk reads the recall and the patient, and nothing of the session.
    let read = desk.graphql(query, json!({"id": recall.id})).await;
    assert_eq!(
        (read.code(), &read.data["recall"]),
        ("FORBIDDEN", &json!({"state": "DONE", "doneBySession": null, "patient": patient}))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_told_at_once_and_other_organisations_are_unknown() {
    let clinic = Clinic::start().await;
    let (anna, stranger) = (clinic.practitioner(), clinic.stranger());
    let patient = anna.patient("Ada", "Lovelace").await;
    for (input, paths) in [
        (
            json!({"patientId": "x", "reason": "SAFETY_NOTICE", "dueUntil": day(-1), "basis": " "}),
            "input.dueUntil input.reason input.basis input.patientId",
        ),
        (
            json!({"patientId": patient.id, "reason": "MAINTENANCE", "dueFrom": day(3), "dueUntil": day(2), "basis": "x"}),
            "input.dueUntil",
        ),
        (
            json!({"patientId": patient.id, "reason": "MAINTENANCE", "dueUntil": day(5000), "basis": "x".repeat(501)}),
            "input.dueUntil input.basis",
        ),
    ] {
        assert_eq!(anna.does("createRecall", input, WHOLE).await.faults().join(" "), paths);
    }
    let recall = anna.recall(&patient).await;
    let wrong =
        json!({"channel": "PHONE", "outcome": "REACHED", "at": "2999-01-01T00:00:00Z", "note": "x".repeat(2001)});
    assert_eq!(does(&anna, "logRecallAttempt", &recall, wrong).await.faults(), ["input.at", "input.note"]);
    let theirs = does(&stranger, "dismissRecall", &recall, json!({"reason": "x"})).await;
    assert_eq!(theirs.code(), "NOT_FOUND");
    assert_eq!(stranger.ask("{ recalls { totalCount } }").await["recalls"]["totalCount"], 0);
    anna.does("archivePatient", patient.edit_with(json!({"reason": "Moved"})), "__typename").await.ok();
    let archived = json!({"patientId": patient.id, "reason": "MAINTENANCE", "dueUntil": day(1), "basis": "x"});
    assert_eq!(anna.does("createRecall", archived, WHOLE).await.faults(), ["input.patientId"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_calls_back_who_is_archived_or_has_died_but_for_their_safety() {
    let clinic = Clinic::start().await;
    let (anna, desk) = (clinic.practitioner(), clinic.front_desk());
    let product = anna.product("Hyaluronic serum").await;
    let lot = anna.lot(&product, "S-9").await;
    let mut patients = Vec::new();
    for name in ["Archived", "Died", "Here"] {
        let patient = anna.patient(name, "X").await;
        let input = json!({"patientId": patient.id, "reason": "MAINTENANCE", "dueFrom": day(-9), "dueUntil": day(1), "basis": "x"});
        anna.make("createRecall", "recall", input).await;
        anna.session_with_lot(&patient, &lot).await;
        patients.push(patient);
    }
    let notice = json!({"lotId": lot.id, "reason": "Particles", "dueUntil": day(7)});
    anna.does("createSafetyRecall", notice, "recall { id }").await.ok();
    let query =
        "{ recalls(filter: {state: [OPEN, OVERDUE, SNOOZED]}) { nodes { reason patient { legalName { given } } } } }";
    let waiting = async || {
        let found = desk.ask(query).await["recalls"]["nodes"].clone();
        let each = found.as_array().unwrap().iter().map(|it| {
            format!("{} {}", it["patient"]["legalName"]["given"].as_str().unwrap(), it["reason"].as_str().unwrap())
        });
        let mut each: Vec<String> = each.collect();
        each.sort();
        each
    };
    let notices = ["Archived SAFETY_NOTICE", "Died SAFETY_NOTICE", "Here MAINTENANCE", "Here SAFETY_NOTICE"];
    assert_eq!(waiting().await.len(), 6);
    anna.does("archivePatient", patients[0].edit_with(json!({"reason": "Moved"})), "patient { id }").await.ok();
    let died = patients[1].edit_with(json!({"patch": {"deceasedOn": day(-1)}}));
    let died = anna.does("updatePatient", died, "patient { version deceasedOn }").await.ok();
    assert_eq!(died["updatePatient"]["patient"]["deceasedOn"], day(-1));
    assert_eq!(waiting().await, notices);
    // Their own chart keeps it, and it is back with them.
    let own = "query ($id: ID!) { patient(id: $id) { recalls { totalCount } } }";
    let kept = anna.graphql(own, json!({"id": patients[0].id})).await.ok();
    assert_eq!(kept["patient"]["recalls"]["totalCount"], 2);
    let back = json!({"id": patients[0].id, "expectedVersion": 2});
    anna.does("restorePatient", back, "patient { id }").await.ok();
    let alive = json!({"id": patients[1].id, "expectedVersion": 2, "patch": {"deceasedOn": null}});
    anna.does("updatePatient", alive, "patient { id }").await.ok();
    assert_eq!(waiting().await.len(), 6);
    // Before the birth, or in the future.
    for wrong in [json!("1990-05-16"), json!(day(2))] {
        let input = json!({"id": patients[2].id, "expectedVersion": 1, "patch": {"deceasedOn": wrong}});
        assert_eq!(anna.does("updatePatient", input, "patient { id }").await.faults(), ["input.patch.deceasedOn"]);
    }
    // Nobody is treated who is dead.
    let died = json!({"id": patients[2].id, "expectedVersion": 1, "patch": {"deceasedOn": day(-30)}});
    anna.does("updatePatient", died, "patient { id }").await.ok();
    let session = anna.does("logSession", session_to_sign(&patients[2], &anna.location), "session { id }").await;
    assert_eq!(session.faults(), ["input.startedAt"], "{}", session.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_to_work_through_is_filtered_and_sorted_by_day() {
    let clinic = Clinic::start().await;
    let (anna, desk) = (clinic.practitioner(), clinic.front_desk());
    let (ada, eve) = (anna.patient("Ada", "A").await, anna.patient("Eve", "E").await);
    let make = async |patient: &Made, reason: &str, from: i64, until: i64| {
        let input = json!({"patientId": patient.id, "reason": reason, "dueFrom": day(from), "dueUntil": day(until), "basis": "x"});
        anna.make("createRecall", "recall", input).await
    };
    let late = make(&ada, "NEXT_SESSION", -9, -1).await;
    let last_day = make(&eve, "RESULTS_REVIEW", -5, 0).await;
    let soon = make(&ada, "MAINTENANCE", 3, 9).await;
    let off = make(&eve, "MAINTENANCE", -8, -2).await;
    does(&desk, "snoozeRecall", &off, json!({"until": day(1)})).await.ok();
    let done = make(&eve, "NEXT_SESSION", -7, 7).await;
    does(&desk, "completeRecall", &done, json!({"reason": "x"})).await.ok();
    let dismissed = make(&ada, "NEXT_SESSION", -6, 7).await;
    does(&desk, "dismissRecall", &dismissed, json!({"reason": "x"})).await.ok();
    let all = [&late, &off, &done, &dismissed, &last_day, &soon];
    let cases: &[(Value, &[usize])] = &[
        (json!({}), &[0, 1, 2, 3, 4, 5]),
        (json!({"state": ["OPEN", "OVERDUE"]}), &[0, 4, 5]),
        (json!({"state": ["OVERDUE"]}), &[0]),
        (json!({"state": ["SNOOZED"]}), &[1]),
        (json!({"state": ["DONE", "DISMISSED"]}), &[2, 3]),
        (json!({"state": ["SUPERSEDED"]}), &[]),
        (json!({"state": []}), &[]),
        (json!({"reason": ["MAINTENANCE"]}), &[1, 5]),
        (json!({"patientId": ada.id}), &[0, 3, 5]),
        (json!({"dueFrom": day(-7), "dueBefore": day(-5)}), &[2, 3]),
        (json!({"lotId": new_id("lot")}), &[]),
        (json!({"updatedSince": "2999-01-01T00:00:00Z"}), &[]),
    ];
    let query = "query ($f: RecallFilter) { recalls(filter: $f) { totalCount nodes { id } } }";
    for (filter, expected) in cases {
        let data = desk.graphql(query, json!({"f": filter})).await.ok();
        let nodes: Vec<_> =
            data["recalls"]["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap()).collect();
        assert_eq!(nodes, expected.iter().map(|i| all[*i].id.as_str()).collect::<Vec<_>>(), "{filter}");
        assert_eq!(data["recalls"]["totalCount"], nodes.len(), "{filter}");
    }
    let states = desk.ask("{ recalls { nodes { state } } }").await;
    let states: Vec<_> =
        states["recalls"]["nodes"].as_array().unwrap().iter().map(|node| node["state"].clone()).collect();
    assert_eq!(states, ["OVERDUE", "SNOOZED", "DONE", "DISMISSED", "OPEN", "OPEN"]);
    // Page by page, forward.
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = "query ($after: String) { recalls(first: 4, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } }";
        let page = desk.graphql(page, json!({"after": after})).await.ok()["recalls"].clone();
        seen.extend(page["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap().to_owned()));
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(seen, all.map(|it| it.id.clone()));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_attempts_at_once_one_is_kept_and_the_other_told() {
    let clinic = Clinic::start().await;
    let (anna, desk) = (clinic.practitioner(), clinic.front_desk());
    let patient = anna.patient("Ada", "Lovelace").await;
    let recall = anna.recall(&patient).await;
    let attempt = |by: &SignedIn| {
        let (by, recall) = (by.clone(), Made { id: recall.id.clone(), version: recall.version });
        tokio::spawn(async move {
            does(&by, "logRecallAttempt", &recall, json!({"channel": "PHONE", "outcome": "NO_ANSWER"})).await.outcome()
        })
    };
    let (one, two) = (attempt(&anna), attempt(&desk));
    let mut outcomes = [one.await.unwrap(), two.await.unwrap()];
    outcomes.sort();
    assert_eq!(outcomes, ["CONFLICT", "ok"]);
    let read = desk
        .graphql("query ($id: ID!) { recall(id: $id) { version attempts { outcome } } }", json!({"id": recall.id}))
        .await
        .ok();
    assert_eq!(read["recall"], json!({"version": 2, "attempts": [{"outcome": "NO_ANSWER"}]}));
}
