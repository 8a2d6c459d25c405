//! Recalls: made by hand, made for everybody who got a lot, worked through; and where a lot went.

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

/// Three patients of a lot: Ada by its id and again typed by hand, Eve typed by hand in other letters, Ida as numbing
/// cream. Bob had it in a session entered in error, Cleo another lot.
async fn lot_with_patients(clinic: &Clinic) -> (SignedIn, Made, [Made; 3]) {
    let anna = clinic.practitioner();
    let product = anna.product("Hyaluronic serum").await;
    let (lot, other) = (anna.lot(&product, "S-9x").await, anna.lot(&product, "S-10").await);
    let mut patients = Vec::new();
    for name in ["Ada", "Eve", "Ida", "Bob", "Cleo"] {
        patients.push(anna.patient(name, "X").await);
    }
    let typed = json!({"products": [{"role": "SERUM", "product": "hyaluronic SERUM", "lot": "s-9X"}], "startedAt": hours_ago(30), "endedAt": hours_ago(29)});
    anna.session_with_lot(&patients[0], &lot).await;
    anna.session_with(&patients[0], typed.clone()).await;
    anna.session_with(&patients[1], typed).await;
    let cream = json!({"anaesthetic": {"product": "Hyaluronic serum", "lot": "S-9x"}, "products": [], "startedAt": hours_ago(50), "endedAt": hours_ago(49)});
    anna.session_with(&patients[2], cream).await;
    let gone = anna.session_with_lot(&patients[3], &lot).await;
    anna.does("updateSession", gone.edit_with(json!({"patch": {"status": "ENTERED_IN_ERROR"}})), "__typename")
        .await
        .ok();
    anna.session_with_lot(&patients[4], &other).await;
    // The same number of another product is another lot.
    let namesake = json!({"products": [{"role": "SERUM", "product": "Vitamin C", "lot": "S-9x"}]});
    anna.session_with(&patients[4], namesake).await;
    let mut patients = patients.into_iter();
    let three = [patients.next().unwrap(), patients.next().unwrap(), patients.next().unwrap()];
    (anna, lot, three)
}

const NOTICES: &str = "recall { id } recalls(first: 100) { totalCount nodes { id version state reason lot { id } patient { id } basis dueFrom dueUntil } }";

#[tokio::test(flavor = "multi_thread")]
async fn a_safety_notice_reaches_everybody_who_got_the_lot_once() {
    let clinic = Clinic::start().await;
    let (anna, lot, patients) = lot_with_patients(&clinic).await;
    let input = json!({"lotId": lot.id, "reason": "Particles", "dueUntil": day(7)});
    // Two at once: one makes them all, the other is told that there is nobody left.
    let send = || {
        let (anna, input) = (anna.clone(), input.clone());
        tokio::spawn(async move { anna.does("createSafetyRecall", input, NOTICES).await })
    };
    let (one, two) = (send(), send());
    let (one, two) = (one.await.unwrap(), two.await.unwrap());
    let (made, refused) = if one.errors.is_empty() { (one, two) } else { (two, one) };
    assert_eq!(refused.faults(), ["input.lotId"]);
    assert!(refused.text.contains("each of the 3 patients"), "{}", refused.text);
    let made = made.ok()["createSafetyRecall"]["recalls"].clone();
    assert_eq!(made["totalCount"], 3);
    let nodes = made["nodes"].as_array().unwrap();
    let told: std::collections::BTreeSet<_> =
        nodes.iter().map(|node| node["patient"]["id"].as_str().unwrap()).collect();
    assert_eq!(told, patients.iter().map(|patient| patient.id.as_str()).collect());
    for node in nodes {
        let expected = json!({
            "id": node["id"], "version": 1, "state": "OPEN", "reason": "SAFETY_NOTICE", "lot": {"id": lot.id}, "patient": node["patient"],
            "basis": "Particles", "dueFrom": day(0), "dueUntil": day(7),
        });
        assert_eq!(node, &expected);
    }
    let sql = clinic.database.superuser().await;
    assert_eq!(sql.one("SELECT count(*) FROM recall").await, "3");
    assert_eq!(sql.one("SELECT count(*) FROM ledger WHERE record_kind = 'recall'").await, "3", "one entry for each");
    // Who has been dealt with is notified again, and only they.
    let done = Made::of(&nodes[1]);
    does(&anna, "completeRecall", &done, json!({"reason": "Told"})).await.ok();
    let again = anna.does("createSafetyRecall", input.clone(), NOTICES).await.ok();
    let again = &again["createSafetyRecall"]["recalls"];
    assert_eq!((&again["totalCount"], &again["nodes"][0]["patient"]), (&json!(1), &nodes[1]["patient"]));
    // A retry under its key answers the same and makes nothing.
    let product = anna.product("Another").await;
    let second = anna.lot(&product, "Z").await;
    let input = |lot: &str| json!({"input": {"lotId": lot, "reason": "x", "dueUntil": day(1)}});
    let query =
        format!("mutation ($input: CreateSafetyRecallInput!) {{ createSafetyRecall(input: $input) {{ {NOTICES} }} }}");
    let nobody = anna.graphql(&query, input(&second.id)).await;
    assert!(nobody.text.contains("nobody got this lot"), "{}", nobody.text);
    anna.session_with_lot(&patients[0], &second).await;
    let keyed =
        async || Answer::to(anna.prepare(&query, input(&second.id)).header("Idempotency-Key", "k-1")).await.ok();
    let first = keyed().await;
    assert_eq!(keyed().await, first);
    // Faults, and another organisation's lot.
    let wrong = json!({"input": {"lotId": "x", "reason": " ", "dueUntil": day(-1)}});
    assert_eq!(anna.graphql(&query, wrong).await.faults(), ["input.lotId", "input.reason", "input.dueUntil"]);
    assert_eq!(clinic.stranger().graphql(&query, input(&lot.id)).await.faults(), ["input.lotId"]);
    assert_eq!(clinic.front_desk().graphql(&query, input(&lot.id)).await.code(), "FORBIDDEN");
    assert_eq!(sql.one("SELECT count(*) FROM recall").await, "5");
}

const TRACE: &str = "lot { id } lotNumber product sessionCount patientCount contactedCount notContactedCount \
    sessions(first: 50) { totalCount nodes { id patient { id } } } \
    patients(first: 50) { totalCount nodes { patient { id displayName } sessions { id } adverseEvents { id } contacted contacts { outcome } openRecall { id state } } }";

#[tokio::test(flavor = "multi_thread")]
async fn a_lot_is_traced_to_sessions_patients_events_and_who_knows() {
    let clinic = Clinic::start().await;
    let (anna, lot, [ada, eve, ida]) = lot_with_patients(&clinic).await;
    let trace = async |arguments: &str| {
        anna.ask(&format!("{{ lotTrace({arguments}) {{ {TRACE} }} }}")).await["lotTrace"].clone()
    };
    let by_id = format!("lotId: \"{}\"", lot.id);
    let found = trace(&by_id).await;
    assert_eq!(
        (&found["lot"]["id"], &found["lotNumber"], &found["product"]),
        (&json!(lot.id), &json!("S-9x"), &json!("Hyaluronic serum"))
    );
    let counts = |found: &Value| {
        ["sessionCount", "patientCount", "contactedCount", "notContactedCount"]
            .map(|name| found[name].as_i64().unwrap())
    };
    assert_eq!(counts(&found), [4, 3, 0, 3]);
    let names = |found: &Value| {
        found["patients"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["patient"]["displayName"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(", ")
    };
    assert_eq!(names(&found), "Ada X, Eve X, Ida X", "the latest use first");
    assert_eq!(found["patients"]["nodes"][0]["sessions"].as_array().unwrap().len(), 2);
    assert_eq!(found["sessions"]["nodes"][0]["patient"]["id"], ada.id);
    // Eve has an event after her session, Ada one that suspects the lot and one that is about something else.
    let session =
        Made { id: found["patients"]["nodes"][1]["sessions"][0]["id"].as_str().unwrap().to_owned(), version: 1 };
    let of_eve = anna.adverse_event(&session).await;
    let alone = json!({"patientId": ada.id, "kind": "GRANULOMA", "severity": "SEVERE", "onsetAt": hours_ago(1)});
    anna.make("reportAdverseEvent", "adverseEvent", alone.clone()).await;
    let mut suspect = alone;
    suspect["lotId"] = json!(lot.id);
    let of_ada = anna.make("reportAdverseEvent", "adverseEvent", suspect).await;
    // Notices: Eve is reached, Ida left a message, Ada's is given up after she was booked.
    let notices = anna
        .does("createSafetyRecall", json!({"lotId": lot.id, "reason": "Particles", "dueUntil": day(7)}), NOTICES)
        .await
        .ok();
    for (patient, outcome) in [(&eve, "REACHED"), (&ida, "LEFT_MESSAGE"), (&ada, "BOOKED")] {
        let notice = notices["createSafetyRecall"]["recalls"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .find(|node| node["patient"]["id"] == patient.id);
        let notice = Made::of(notice.unwrap());
        let notice = Made::of(&recall_of(
            does(&anna, "logRecallAttempt", &notice, json!({"channel": "PHONE", "outcome": outcome})).await,
        ));
        if outcome == "BOOKED" {
            does(&anna, "dismissRecall", &notice, json!({"reason": "Knows"})).await.ok();
        }
    }
    let found = trace(&by_id).await;
    assert_eq!(counts(&found), [4, 3, 2, 1]);
    let rows: Vec<Value> = found["patients"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| json!([node["adverseEvents"], node["contacted"], node["contacts"], node["openRecall"]["state"]]))
        .collect();
    assert_eq!(rows[0], json!([[{"id": of_ada.id}], true, [{"outcome": "BOOKED"}], null]));
    assert_eq!(rows[1], json!([[{"id": of_eve.id}], true, [{"outcome": "REACHED"}], "OPEN"]));
    assert_eq!(rows[2], json!([[], false, [{"outcome": "LEFT_MESSAGE"}], "OPEN"]));
    let left = anna
        .ask(&format!(
            "{{ lotTrace({by_id}) {{ patients(contacted: false) {{ totalCount nodes {{ patient {{ id }} }} }} }} }}"
        ))
        .await;
    assert_eq!(left["lotTrace"]["patients"], json!({"totalCount": 1, "nodes": [{"patient": {"id": ida.id}}]}));
    // By the number in words: with the product the same, without it everybody with that number.
    let worded = trace("lot: \"s-9X\", product: \"Hyaluronic Serum\"").await;
    assert_eq!((counts(&worded), &worded["lot"]["id"]), ([4, 3, 2, 1], &json!(lot.id)));
    let any = trace("lot: \" S-9x\"").await;
    assert_eq!((counts(&any)[..2].to_vec(), names(&any).contains("Cleo")), (vec![5, 4], true));
    let none = trace("lot: \"nothing\"").await;
    assert_eq!((&none["lot"], counts(&none)), (&Value::Null, [0, 0, 0, 0]));
    // Page by page.
    let first = anna.ask(&format!("{{ lotTrace({by_id}) {{ patients(first: 2) {{ nodes {{ patient {{ id }} }} pageInfo {{ hasNextPage endCursor }} }} }} }}")).await;
    let cursor = first["lotTrace"]["patients"]["pageInfo"]["endCursor"].as_str().unwrap().to_owned();
    let rest = anna.ask(&format!("{{ lotTrace({by_id}) {{ patients(first: 2, after: \"{cursor}\") {{ nodes {{ patient {{ id }} }} pageInfo {{ hasNextPage }} }} }} }}")).await;
    assert_eq!(
        rest["lotTrace"]["patients"],
        json!({"nodes": [{"patient": {"id": ida.id}}], "pageInfo": {"hasNextPage": false}})
    );
    // What is asked wrongly, by whom it is not for, and of another organisation.
    for (arguments, path) in [("", "lot"), ("product: \"x\"", "lot"), ("lotId: \"x\"", "lotId")] {
        let query = format!(
            "{{ lotTrace{} {{ patientCount }} }}",
            if arguments.is_empty() { String::new() } else { format!("({arguments})") }
        );
        assert_eq!(anna.graphql(&query, json!({})).await.faults(), [path], "{arguments}");
    }
    let both = anna.graphql(&format!("{{ lotTrace({by_id}, lot: \"x\") {{ patientCount }} }}"), json!({})).await;
    assert_eq!(both.faults(), ["lotId"]);
    let query = format!("{{ lotTrace({by_id}) {{ patientCount }} }}");
    assert_eq!(clinic.front_desk().graphql(&query, json!({})).await.code(), "FORBIDDEN");
    assert_eq!(clinic.stranger().graphql(&query, json!({})).await.code(), "NOT_FOUND");
    assert_eq!(
        clinic.stranger().ask("{ lotTrace(lot: \"S-9x\") { patientCount } }").await["lotTrace"]["patientCount"],
        0
    );
}
