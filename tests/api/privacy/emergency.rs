//! Emergency access.

use super::{CLOSED, NO, SIGHT, begin, looks, restrict, sees};
use crate::access::query;
use crate::support::*;
use futures::future::join_all;

/// A patient in an emergency, their session, and somebody else.
const BESIDE_ANOTHER: &str = "query ($a: ID!, $b: ID!, $s: ID!) { \
    sessions(filter: {patientId: $a}) { totalCount nodes { id } } healthEntries(filter: {patientId: $a}) { totalCount } \
    mine: patient(id: $a) { displayName healthHistory { text } sessions { totalCount } timeline { totalCount } history { totalCount } } \
    session(id: $s) { areas { area } history { totalCount } } chart(patientId: $a) { asOf } \
    other: patient(id: $b) { displayName recalls { totalCount } history { totalCount } } }";

/// What is clinical of somebody else.
const OF_ANOTHER: [&str; 13] = [
    "chart(patientId: $id) { sessions { id } }",
    "chart(patientId: $id) { records { recordId } }",
    "patient(id: $id) { healthHistory { text } }",
    "patient(id: $id) { sessions(first: 0) { totalCount } }",
    "patient(id: $id) { timeline { totalCount } }",
    "patient(id: $id) { aftercare { at } }",
    "patient(id: $id) { photoPairs { area } }",
    "patient(id: $id) { outcomeSeries(scale: \"gais\") { points { score } } }",
    "healthEntries(filter: {patientId: $id}) { totalCount }",
    "addenda(filter: {patientId: $id}) { nodes { id } }",
    "countersignatures(filter: {patientId: $id}) { nodes { id } }",
    "retractions(filter: {patientId: $id}) { nodes { id } }",
    "chartReviews(filter: {patientId: $id}) { nodes { id } }",
];

/// Lists that may hold others'.
const LISTS: [&str; 12] = [
    "{ sessions { totalCount } }",
    "{ sessions(first: 0) { totalCount } }",
    "{ healthEntries { nodes { id } } }",
    "{ consultations { nodes { id } } }",
    "{ addenda { nodes { id } } }",
    "{ countersignatures { nodes { id } } }",
    "{ retractions { nodes { id } } }",
    "{ chartReviews { nodes { id } } }",
    "{ chartReviewFigures(from: \"2026-01-01\", until: \"2030-01-01\") { due } }",
    "{ photos { nodes { id } } }",
    "{ lotTrace(lot: \"L-1\") { sessionCount } }",
    "{ patients(filter: {hasSessionSince: \"2020-01-01T00:00:00Z\"}) { totalCount } }",
];

/// What of the patient is no clinical record.
const NOT_CLINICAL: [&str; 5] = [
    "merges { id }",
    "legalHolds { id }",
    "restrictions { id }",
    "emergencyAccesses { id }",
    "accessLog { totalCount }",
];

/// Reading only, clinical records only, and nobody else's.
/// It is never as if the others had none: who reads of no allergies must know that they have none.
async fn nothing_of_another_is_read(desk: &SignedIn, other: &Made, session: &Made) {
    let unknown = new_id("session");
    for (text, id) in [
        ("node(id: $id) { id }", &session.id),
        ("nodes(ids: [$id]) { id }", &session.id),
        ("node(id: $id) { id }", &unknown),
        ("session(id: $id) { id }", &session.id),
    ]
    .into_iter()
    .chain(OF_ANOTHER.map(|text| (text, &other.id)))
    {
        let answer = desk.graphql(&query(text), json!({"id": id})).await;
        assert_eq!(answer.outcome(), NO, "{text} {}", answer.text);
        assert!(answer.text.contains("beginEmergencyAccess"), "{text} {}", answer.text);
    }
    for text in LISTS {
        let answer = desk.graphql(text, json!({})).await;
        assert_eq!(answer.outcome(), NO, "{text} {}", answer.text);
        assert!(answer.text.contains("beginEmergencyAccess"), "{text} {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_an_emergency_the_front_desk_reads_that_patient_alone_until_the_clock_ends_it() {
    let clinic = Clinic::start().await;
    let (anna, desk, sql) = (clinic.practitioner(), clinic.front_desk(), clinic.database.superuser().await);
    let (patient, other) = (
        anna.patient_with("Zoë", "Ramírez", json!({"chartNumber": "P-000001"})).await,
        anna.patient("Ian", "Smith").await,
    );
    let (session, others) = (anna.signed_session(&patient).await, anna.session(&other).await);
    anna.health_entry(&patient).await;
    anna.health_entry(&other).await;
    anna.recall(&other).await;
    restrict(&clinic, &patient).await;
    assert_eq!(sees(&desk, &patient).await, CLOSED);
    // Found by the chart number, which the patient has on a card: nothing but the id is shown before it is begun.
    let asked = json!({"chartNumber": "P-000001", "reason": "Unconscious at the door", "minutes": 30});
    let begun =
        desk.does("beginEmergencyAccess", asked, "emergencyAccess { id patientId open begunAt endsAt reason }").await;
    let begun = begun.ok()["beginEmergencyAccess"]["emergencyAccess"].clone();
    assert_eq!((&begun["patientId"], &begun["open"]), (&json!(patient.id), &json!(true)));
    let asked = json!({"a": patient.id, "b": other.id, "s": session.id});
    let seen = desk.graphql(BESIDE_ANOTHER, asked.clone()).await.ok();
    assert_eq!(seen["sessions"], json!({"totalCount": 1, "nodes": [{"id": session.id}]}));
    assert_eq!(seen["healthEntries"]["totalCount"], 1);
    assert_eq!(seen["mine"]["healthHistory"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&seen["mine"]["history"]["totalCount"], &seen["session"]["history"]["totalCount"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(
        seen["other"],
        json!({"displayName": "Ian Smith", "recalls": {"totalCount": 1}, "history": {"totalCount": 1}})
    );
    // Each look has the reason of the emergency.
    let row = looks(&clinic, 1).await.remove(0);
    assert_eq!((row[0].as_str(), row[2].as_str()), ("read", "emergency: Unconscious at the door"));
    assert!(row[4].contains(&uuid_of(&patient.id).to_string()), "{row:?}");
    desk.because("Called").graphql(SIGHT, json!({"id": patient.id})).await.ok();
    assert_eq!(looks(&clinic, 1).await[0][2], "emergency: Unconscious at the door; Called");
    sees(&desk, &other).await;
    assert_eq!(looks(&clinic, 1).await[0][2], "", "a look at somebody else is none in the emergency");
    nothing_of_another_is_read(&desk, &other, &others).await;
    // Others beside the patient are refused one by one.
    let both = "query ($a: ID!, $b: ID!) { a: patient(id: $a) { healthHistory { text } } b: patient(id: $b) { healthHistory { text } } }";
    let answer = desk.graphql(both, json!({"a": patient.id, "b": other.id})).await;
    assert_eq!(
        (answer.outcome().as_str(), answer.data["a"]["healthHistory"].as_array().map(Vec::len), &answer.data["b"]),
        (NO, Some(1), &json!({"healthHistory": null}))
    );
    for (mutation, input) in [
        ("addHealthEntry", json!({"patientId": patient.id, "kind": "ALLERGY", "text": "Latex"})),
        ("updateSession", session.edit_with(json!({"patch": {"note": "x"}}))),
    ] {
        assert_eq!(desk.does(mutation, input, "__typename").await.outcome(), NO, "{mutation}");
    }
    for field in NOT_CLINICAL {
        let answer = desk.graphql(&query(&format!("patient(id: $id) {{ {field} }}")), json!({"id": patient.id})).await;
        assert_eq!(answer.outcome(), NO, "{field}");
    }
    assert_eq!(sees(&anna, &patient).await, CLOSED, "an emergency of one is none of another");
    // The clock ends it, and nothing has to act.
    sql.run("UPDATE emergency_access SET begun_at = now() - interval '2 h', ends_at = now() - interval '1 ms'").await;
    let late = desk.graphql(BESIDE_ANOTHER, asked).await;
    assert_eq!(late.outcome(), format!("{NO} {CLOSED}"), "{}", late.text);
    assert!(late.data["mine"].is_null() && late.data["sessions"].is_null());
    let ended = desk.does("endEmergencyAccess", json!({"id": begun["id"]}), "__typename").await;
    assert_eq!(ended.faults(), ["input.id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn emergency_access_opens_one_restricted_patient_and_no_other() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (patient, other) = (anna.patient("Zoë", "Ramírez").await, anna.patient("Ian", "Smith").await);
    restrict(&clinic, &patient).await;
    restrict(&clinic, &other).await;
    let begun = begin(&anna, &patient).await.ok()["beginEmergencyAccess"]["emergencyAccess"].clone();
    assert_eq!((sees(&anna, &patient).await.as_str(), sees(&anna, &other).await.as_str()), ("ok", CLOSED));
    assert_eq!(anna.ask("{ patients { totalCount } }").await["patients"]["totalCount"], 1);
    anna.health_entry(&patient).await;
    // Two at a time open both.
    begin(&anna, &other).await.ok();
    assert_eq!((sees(&anna, &patient).await.as_str(), sees(&anna, &other).await.as_str()), ("ok", "ok"));
    // One's own is ended by oneself, anybody's by an admin, nobody's by others.
    let end = json!({"id": begun["id"]});
    assert_eq!(clinic.front_desk().does("endEmergencyAccess", end.clone(), "__typename").await.outcome(), "NOT_FOUND");
    let foreign = clinic.of(&clinic.south, Role::Admin);
    assert_eq!(foreign.does("endEmergencyAccess", end.clone(), "__typename").await.outcome(), "NOT_FOUND");
    anna.does("endEmergencyAccess", end, "emergencyAccess { endedAt }").await.ok();
    assert_eq!((sees(&anna, &patient).await.as_str(), sees(&anna, &other).await.as_str()), (CLOSED, "ok"));
    let open = clinic.admin().ask("{ emergencyAccesses { nodes { id open } } }").await;
    let open =
        open["emergencyAccesses"]["nodes"].as_array().expect("a list").iter().find(|it| it["open"] == true).cloned();
    let open = open.expect("an open one");
    clinic.admin().does("endEmergencyAccess", json!({"id": open["id"]}), "emergencyAccess { open }").await.ok();
    assert_eq!(sees(&anna, &other).await, CLOSED);
    // What is asked for is checked.
    for (input, path) in [
        (json!({"patientId": patient.id, "reason": "Too short"}), "input.reason"),
        (json!({"patientId": patient.id, "reason": "Unconscious at the door", "minutes": 4}), "input.minutes"),
        (json!({"patientId": patient.id, "reason": "Unconscious at the door", "minutes": 241}), "input.minutes"),
        (json!({"reason": "Unconscious at the door"}), "input.patientId"),
        (
            json!({"patientId": patient.id, "chartNumber": "P-000001", "reason": "Unconscious at the door"}),
            "input.chartNumber",
        ),
    ] {
        assert_eq!(anna.does("beginEmergencyAccess", input, "__typename").await.faults(), [path]);
    }
    let unknown = json!({"chartNumber": "P-999999", "reason": "Unconscious at the door"});
    assert_eq!(anna.does("beginEmergencyAccess", unknown, "__typename").await.outcome(), "NOT_FOUND");
    assert_eq!(begin(&clinic.stranger(), &patient).await.outcome(), "NOT_FOUND");
    assert_eq!(begin(&clinic.auditor(), &patient).await.outcome(), NO);
}

#[tokio::test(flavor = "multi_thread")]
async fn emergency_access_that_is_begun_many_times_at_once_is_begun_once() {
    let clinic = Clinic::with(&[
        "--pool-wait",
        "20s",
        "--lock-timeout",
        "20s",
        "--statement-timeout",
        "25s",
        "--request-deadline",
        "30s",
        "--shutdown-timeout",
        "35s",
    ])
    .await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    restrict(&clinic, &patient).await;
    let answers = join_all((0..12).map(|_| begin(&anna, &patient))).await;
    let mut outcomes: Vec<String> = answers.iter().map(Answer::outcome).collect();
    outcomes.sort();
    assert_eq!(
        (outcomes[11].as_str(), outcomes[..11].iter().all(|it| it == "BAD_USER_INPUT")),
        ("ok", true),
        "{outcomes:?}"
    );
    assert_eq!(clinic.database.superuser().await.one("SELECT count(*) FROM emergency_access").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn emergency_access_is_listed_and_reviewed_by_another_admin() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let (patient, other) = (anna.patient("Zoë", "Ramírez").await, anna.patient("Ian", "Smith").await);
    restrict(&clinic, &patient).await;
    let hers = Made::of(&begin(&anna, &patient).await.ok()["beginEmergencyAccess"]["emergencyAccess"]);
    let own = Made::of(&begin(&admin, &other).await.ok()["beginEmergencyAccess"]["emergencyAccess"]);
    let waiting = "{ me { unreviewedEmergencyAccess } }";
    assert_eq!(admin.ask(waiting).await["me"]["unreviewedEmergencyAccess"], 1, "one's own is for another");
    assert_eq!(anna.ask(waiting).await["me"]["unreviewedEmergencyAccess"], Value::Null);
    let list = "query ($f: EmergencyAccessFilter) { emergencyAccesses(filter: $f) { totalCount nodes { id staff { id } patientId alertedAt } } }";
    let listed = async |by: &SignedIn, filter: Value| by.graphql(list, json!({"f": filter})).await;
    let all = listed(&clinic.auditor(), json!({})).await.ok();
    assert_eq!(all["emergencyAccesses"]["totalCount"], 2);
    assert_eq!(all["emergencyAccesses"]["nodes"][0]["alertedAt"], Value::Null, "there is no mail server");
    for (filter, count) in [
        (json!({"staffId": anna.id()}), 1),
        (json!({"patientId": other.id}), 1),
        (json!({"reviewed": false}), 2),
        (json!({"reviewed": true}), 0),
    ] {
        assert_eq!(listed(&admin, filter).await.ok()["emergencyAccesses"]["totalCount"], count);
    }
    assert_eq!(listed(&anna, json!({})).await.outcome(), NO);
    // A restricted patient in it is a clean null for who has no reason.
    let nested = "{ emergencyAccesses(filter: {reviewed: false}) { nodes { id patient { displayName } } } }";
    let answer = admin.graphql(nested, json!({})).await;
    assert_eq!(
        (answer.codes(), answer.data["emergencyAccesses"]["nodes"].as_array().map(Vec::len)),
        (vec![CLOSED], Some(2))
    );
    admin.because("To review it").graphql(nested, json!({})).await.ok();
    let note = json!({"note": "As it should be"});
    let refused = admin.does("reviewEmergencyAccess", own.edit_with(note.clone()), "__typename").await;
    assert_eq!(refused.faults(), ["input.id"]);
    assert_eq!(anna.does("reviewEmergencyAccess", hers.edit_with(note.clone()), "__typename").await.outcome(), NO);
    let reviewed = admin.make("reviewEmergencyAccess", "emergencyAccess", hers.edit_with(note.clone())).await;
    assert_eq!(
        admin.does("reviewEmergencyAccess", reviewed.edit_with(note), "__typename").await.faults(),
        ["input.id"]
    );
    assert_eq!(admin.ask(waiting).await["me"]["unreviewedEmergencyAccess"], 0);
    let text =
        query("patient(id: $id) { emergencyAccesses { id reviewNote reviewedBy { id } history { totalCount } } }");
    let shown = clinic.auditor().because("Audit").graphql(&text, json!({"id": patient.id})).await.ok();
    let expected = json!({"id": hers.id, "reviewNote": "As it should be", "reviewedBy": {"id": admin.id()}, "history": {"totalCount": 2}});
    assert_eq!(shown["patient"]["emergencyAccesses"], json!([expected]));
}
