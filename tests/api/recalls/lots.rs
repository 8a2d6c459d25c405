//! Where a lot went, and the recall of everybody who got it.

use super::{does, recall_of};
use crate::support::*;

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

/// Sessions and patients, and who of them was reached and who was not.
fn counts(found: &Value) -> [i64; 4] {
    ["sessionCount", "patientCount", "contactedCount", "notContactedCount"].map(|name| found[name].as_i64().unwrap())
}

fn names(found: &Value) -> String {
    found["patients"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["patient"]["displayName"].as_str().unwrap().to_owned())
        .collect::<Vec<_>>()
        .join(", ")
}

/// What is asked wrongly, by whom it is not for, and of another organisation.
async fn who_asks_wrongly_is_told(clinic: &Clinic, anna: &SignedIn, by_id: &str) {
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

/// A notice to everybody who got a lot, and what came of the calls. Who is booked knows: theirs is given up.
async fn called(anna: &SignedIn, lot: &Made, calls: [(&Made, &str); 3]) {
    let notices = anna
        .does("createSafetyRecall", json!({"lotId": lot.id, "reason": "Particles", "dueUntil": day(7)}), NOTICES)
        .await
        .ok();
    for (patient, outcome) in calls {
        let notice = notices["createSafetyRecall"]["recalls"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .find(|node| node["patient"]["id"] == patient.id);
        let notice = Made::of(notice.unwrap());
        let notice = Made::of(&recall_of(
            does(anna, "logRecallAttempt", &notice, json!({"channel": "PHONE", "outcome": outcome})).await,
        ));
        if outcome == "BOOKED" {
            does(anna, "dismissRecall", &notice, json!({"reason": "Knows"})).await.ok();
        }
    }
}

async fn it_comes_page_by_page(anna: &SignedIn, by_id: &str, last: &Made) {
    let first = anna.ask(&format!("{{ lotTrace({by_id}) {{ patients(first: 2) {{ nodes {{ patient {{ id }} }} pageInfo {{ hasNextPage endCursor }} }} }} }}")).await;
    let cursor = first["lotTrace"]["patients"]["pageInfo"]["endCursor"].as_str().unwrap().to_owned();
    let rest = anna.ask(&format!("{{ lotTrace({by_id}) {{ patients(first: 2, after: \"{cursor}\") {{ nodes {{ patient {{ id }} }} pageInfo {{ hasNextPage }} }} }} }}")).await;
    assert_eq!(
        rest["lotTrace"]["patients"],
        json!({"nodes": [{"patient": {"id": last.id}}], "pageInfo": {"hasNextPage": false}})
    );
}

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
    assert_eq!(counts(&found), [4, 3, 0, 3]);
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
    called(&anna, &lot, [(&eve, "REACHED"), (&ida, "LEFT_MESSAGE"), (&ada, "BOOKED")]).await;
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
    it_comes_page_by_page(&anna, &by_id, &ida).await;
    who_asks_wrongly_is_told(&clinic, &anna, &by_id).await;
}
