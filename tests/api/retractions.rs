//! Retracting what is signed: it stays, marked, and does not count any more.

use crate::access::{erasing, merging};
use crate::staff::colleague;
use crate::support::*;
use futures::future::join_all;

const RETRACTION: &str = "retraction { id recordId recordKind reason by { id } copyId }";

fn retracting(record: &Made, more: Value) -> Value {
    let mut input = json!({"id": record.id, "reason": "Written in the wrong chart"});
    input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    input
}

async fn retract(by: &SignedIn, record: &Made) -> Answer {
    by.does("retractSignedRecord", retracting(record, json!({})), RETRACTION).await
}

/// Copies a record to another chart, and gives its id.
async fn copied(by: &SignedIn, record: &Made, right: &Made) -> String {
    let input = retracting(record, json!({"correctPatientId": right.id}));
    let answer = by.does("retractSignedRecord", input, RETRACTION).await.ok();
    answer["retractSignedRecord"]["retraction"]["copyId"].as_str().expect("a copy").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_answers_for_a_record_or_an_admin_retracts_it_once() {
    let clinic = Clinic::start().await;
    let (anna, bob) = (clinic.practitioner(), colleague(&clinic, "Bob").await);
    let patient = anna.patient("Ada", "Lovelace").await;
    let (session, consultation) = (anna.signed_session(&patient).await, anna.signed_consultation(&patient).await);
    let note = anna.signed_note(&session).await;
    let draft = anna.consultation(&patient).await;
    assert_eq!(retract(&anna, &draft).await.faults(), ["input.id"], "a draft");
    for who in [&bob, &clinic.front_desk(), &clinic.auditor()] {
        assert_eq!(retract(who, &session).await.code(), "FORBIDDEN", "{:?}", who.role());
    }
    assert_eq!(retract(&clinic.stranger(), &session).await.code(), "NOT_FOUND");
    let stale = retracting(&session, json!({"expectedVersion": session.version - 1}));
    assert_eq!(anna.does("retractSignedRecord", stale, RETRACTION).await.code(), "CONFLICT");
    let nothing = json!({"id": patient.id, "reason": " "});
    assert_eq!(anna.does("retractSignedRecord", nothing, RETRACTION).await.faults(), ["input.id", "input.reason"]);
    // At once, and after that: once.
    let tries = (0..6).map(|_| retract(&anna, &session));
    let codes: Vec<String> = join_all(tries).await.iter().map(Answer::outcome).collect();
    assert_eq!(codes.iter().filter(|it| *it == "ok").count(), 1, "{codes:?}");
    assert!(codes.iter().all(|it| it == "ok" || it == "CONFLICT"), "{codes:?}");
    assert_eq!(retract(&anna, &session).await.code(), "CONFLICT");
    let by_admin = retract(&clinic.admin(), &consultation).await.ok()["retractSignedRecord"]["retraction"].clone();
    assert_eq!((&by_admin["by"]["id"], &by_admin["recordKind"]), (&json!(clinic.admin().id()), &json!("CONSULTATION")));
    retract(&anna, &note).await.ok();
    // Who took it over answers for it too.
    let taken = colleague(&clinic, "Eve").await.consultation(&patient).await;
    let taken = taken.edit_with(json!({"meaning": "TAKEN_OVER", "reason": "On leave"}));
    retract(&bob, &bob.make("signConsultation", "consultation", taken).await).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_retracted_stays_as_it_was_and_is_marked() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let patient = anna.patient("Ada", "Lovelace").await;
    let session = anna.signed_session(&patient).await;
    let sql = clinic.database.superuser().await;
    let row = format!("SELECT to_jsonb(t) FROM treatment_session t WHERE id = '{}'", uuid_of(&session.id));
    let before = sql.one(&row).await;
    let whole = "note areas { area needleDepthMm } checks { cause } signature { contentHash statement } version history { totalCount }";
    let look = format!(
        "query ($id: ID!) {{ session(id: $id) {{ {whole} retraction {{ reason at by {{ id }} }} copiedFrom }} }}"
    );
    let shown = async || anna.graphql(&look, json!({"id": session.id})).await.ok()["session"].clone();
    let mut unmarked = shown().await;
    assert_eq!(unmarked["retraction"], Value::Null);
    retract(&anna, &session).await.ok();
    let mut marked = shown().await;
    assert_eq!(marked["retraction"]["reason"], "Written in the wrong chart");
    assert_eq!(marked["retraction"]["by"]["id"], anna.id());
    for shown in [&mut unmarked, &mut marked] {
        shown["retraction"].take();
    }
    assert_eq!((sql.one(&row).await, &marked), (before, &unmarked), "nothing else has changed");
    let timeline = "query ($id: ID!) { patient(id: $id) { timeline { nodes { recordId signed retracted } } } chart(patientId: $id) { records { kind } } }";
    let seen = anna.graphql(timeline, json!({"id": patient.id})).await.ok();
    let entry = json!({"recordId": session.id, "signed": true, "retracted": true});
    assert_eq!(seen["patient"]["timeline"]["nodes"], json!([entry]));
    assert!(seen["chart"]["records"].as_array().expect("a list").contains(&json!({"kind": "RETRACTION"})), "{seen}");
    let export = "export { content }";
    let exported = admin.does("exportPatient", json!({"patientId": patient.id}), export).await.ok();
    let records = &exported["exportPatient"]["export"]["content"]["records"];
    assert_eq!(records["retraction"].as_array().map(Vec::len), Some(1));
    assert_eq!(records["treatment_session"].as_array().map(Vec::len), Some(1));
    for (mutation, input) in
        [("updateSession", session.edit_with(json!({"patch": {"note": "x"}}))), ("signSession", session.edit())]
    {
        assert_eq!(anna.does(mutation, input, "__typename").await.code(), "RECORD_SIGNED", "{mutation}");
    }
    let bob = colleague(&clinic, "Bob").await;
    let seen = json!({"recordId": session.id, "meaning": "REVIEWER"});
    assert_eq!(bob.does("countersignRecord", seen, "__typename").await.faults(), ["input.recordId"]);
    anna.addendum(&session).await;
}

/// A signed session of a plan, with a lot, a score, and a note of redness long after it.
struct Treated {
    patient: Made,
    consultation: Made,
    plan: Made,
    lot: Made,
    session: Made,
    note: Made,
}

async fn treated(anna: &SignedIn) -> Treated {
    let patient = anna.patient("Ada", "Lovelace").await;
    let consultation = anna.consultation_with(&patient, json!({"heldAt": hours_ago(500)})).await;
    let consultation = anna.sign_consultation(&consultation).await;
    let text = anna.consent_text("TREATMENT", json!({})).await;
    anna.consent(&patient, &text, json!({"givenAt": hours_ago(490)})).await;
    let plan = anna.plan(&consultation, &anna.protocol().await).await;
    let lot = anna.lot(&anna.product("Serum").await, "L-7").await;
    let began = json!({"planId": plan.id, "startedAt": hours_ago(400), "endedAt": hours_ago(399),
        "products": [{"role": "SERUM", "lotId": lot.id}]
    });
    let session = anna.sign_session(&anna.session_with(&patient, began).await).await;
    anna.outcome(&patient, "2", 1, json!({"sessionId": session.id})).await;
    let note = json!({"sessionId": session.id, "kind": "CHECK_IN", "redness": 7});
    let note = anna.make("addAftercareNote", "aftercareNote", note).await;
    Treated { patient, consultation, plan, lot, session, note: anna.sign_note(&note).await }
}

/// What is derived from a session: its aftercare, the aftercare of its patient, the plan's progress, the checks of another
/// session that warn of it, the lot's uses, the series of scores, and what its note proposes.
async fn derived(anna: &SignedIn, it: &Treated) -> Value {
    let query = "query ($s: ID!, $p: ID!, $plan: ID!, $lot: ID!, $n: ID!, $next: LogSessionInput!) {
        session(id: $s) { aftercare { at } }
        patient(id: $p) { aftercare { session { id } } outcomeSeries(scale: \"gais\") { points { score } } }
        treatmentPlan(id: $plan) { progress { done } maintenanceEstimate { basis } }
        lotTrace(lotId: $lot) { sessionCount patientCount }
        aftercareNote(id: $n) { proposedAdverseEvents { kind } }
        patients(filter: {hasSessionSince: \"2020-01-01T00:00:00Z\"}) { totalCount }
        sessionChecks(input: $next) { checks { rule verdict } } }";
    let mut next = session_to_sign(&it.patient, &anna.location);
    next["protocolVersionId"] = json!(anna.protocol().await.version);
    let ids = json!({"s": it.session.id, "p": it.patient.id, "plan": it.plan.id, "lot": it.lot.id, "n": it.note.id, "next": next});
    let found = anna.graphql(query, ids).await.ok();
    let interval = found["sessionChecks"]["checks"].as_array().expect("checks").iter();
    let warned = interval.filter(|it| it["rule"] == "INTERVAL" && it["verdict"] == "WARN").count();
    json!({
        "aftercare": !found["session"]["aftercare"].is_null(),
        "of the patient": found["patient"]["aftercare"].as_array().map(Vec::len),
        "series": !found["patient"]["outcomeSeries"].is_null(),
        "done": found["treatmentPlan"]["progress"]["done"],
        "estimate": !found["treatmentPlan"]["maintenanceEstimate"].is_null(),
        "uses": found["lotTrace"]["sessionCount"],
        "treated": found["lotTrace"]["patientCount"],
        "proposed": found["aftercareNote"]["proposedAdverseEvents"].as_array().map(Vec::len),
        "patients": found["patients"]["totalCount"],
        "interval": warned,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retracted_session_counts_nowhere() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let it = treated(&anna).await;
    let counted = json!({"aftercare": true, "of the patient": 1, "series": true, "done": 1, "estimate": true, "uses": 1, "treated": 1,
        "proposed": 1, "patients": 1, "interval": 1});
    assert_eq!(derived(&anna, &it).await, counted);
    let recalls = "query ($p: ID!) { recalls(filter: {patientId: $p, state: [OPEN, OVERDUE]}) { nodes { reason afterSession { id } } } }";
    let asked = anna.graphql(recalls, json!({"p": it.patient.id})).await.ok();
    let after = json!({"id": it.session.id});
    assert!(
        asked["recalls"]["nodes"].as_array().expect("a list").iter().any(|it| it["afterSession"] == after),
        "{asked}"
    );
    retract(&anna, &it.session).await.ok();
    let gone = json!({"aftercare": false, "of the patient": 0, "series": false, "done": 0, "estimate": false, "uses": 0, "treated": 0,
        "proposed": 0, "patients": 0, "interval": 0});
    assert_eq!(derived(&anna, &it).await, gone);
    let asked = anna.graphql(recalls, json!({"p": it.patient.id})).await.ok();
    let first = json!([{"reason": "NEXT_SESSION", "afterSession": null}]);
    assert_eq!(asked["recalls"]["nodes"], first, "the plan asks for its first session again");
    let notice = json!({"lotId": it.lot.id, "reason": "Particles", "dueUntil": day(3)});
    assert_eq!(anna.does("createSafetyRecall", notice, "__typename").await.faults(), ["input.lotId"], "nobody is told");
    // Nothing new refers to it.
    let score = json!({"patientId": it.patient.id, "sessionId": it.session.id, "scale": "gais", "scaleVersion": "1-to-5", "score": "2",
        "raterRole": "PRACTITIONER"});
    let recall = anna.recall(&it.patient).await;
    for (mutation, input) in [
        ("addAftercareNote", json!({"sessionId": it.session.id, "kind": "CHECK_IN", "redness": 1})),
        ("recordOutcome", score),
        (
            "reportAdverseEvent",
            json!({"sessionId": it.session.id, "kind": "BURN", "onsetAt": hours_ago(1), "severity": "MILD"}),
        ),
        ("completeRecall", recall.edit_with(json!({"sessionId": it.session.id}))),
    ] {
        assert_eq!(anna.does(mutation, input, "__typename").await.faults(), ["input.sessionId"], "{mutation}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retracted_consultation_or_note_counts_nowhere() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let it = treated(&anna).await;
    let consulted = async || {
        let mut next = session_to_sign(&it.patient, &anna.location);
        next["protocolVersionId"] = json!(anna.protocol().await.version);
        let query = "query ($next: LogSessionInput!) { sessionChecks(input: $next) { checks { rule verdict } } }";
        let found = anna.graphql(query, json!({"next": next})).await.ok();
        let checks = found["sessionChecks"]["checks"].as_array().expect("checks").clone();
        checks.iter().find(|it| it["rule"] == "CONSULTATION").expect("one")["verdict"].clone()
    };
    assert_eq!(consulted().await, "PASS");
    retract(&anna, &it.note).await.ok();
    assert_eq!(derived(&anna, &it).await["proposed"], 0);
    retract(&anna, &it.consultation).await.ok();
    assert_eq!(consulted().await, "WARN", "there is none that counts");
    let plan = json!({"consultationId": it.consultation.id, "protocolVersionId": anna.protocol().await.version, "plannedSessions": 4,
        "areas": [{"area": "CHEEK"}]});
    assert_eq!(anna.does("createTreatmentPlan", plan, "__typename").await.faults(), ["input.consultationId"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_on_the_right_chart_is_a_draft_without_what_was_the_others() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let it = treated(&anna).await;
    let right = anna.patient("Grace", "Hopper").await;
    let to = async |record: &Made, patient: &Made| {
        anna.does("retractSignedRecord", retracting(record, json!({"correctPatientId": patient.id})), RETRACTION).await
    };
    assert_eq!(to(&it.session, &it.patient).await.faults(), ["input.correctPatientId"], "the same");
    assert_eq!(to(&it.note, &right).await.faults(), ["input.correctPatientId"], "its session first");
    let unborn = anna.patient_with("Baby", "Hopper", json!({"birthDate": day(-2)})).await;
    assert_eq!(to(&it.session, &unborn).await.faults(), ["input.correctPatientId"], "before the birth");
    // An admin writes no clinical record, and puts what was signed where it belongs.
    let session = copied(&admin, &it.session, &right).await;
    let query = "query ($id: ID!) { session(id: $id) { version patient { id } practitioner { id } plan { id } signature { meaning } copiedFrom retraction { id }
        status startedAt areas { area side } products { product lot } createdBy { id } checks { rule settled } } }";
    let copy = anna.graphql(query, json!({"id": session})).await.ok()["session"].clone();
    let original = anna.graphql(query, json!({"id": it.session.id})).await.ok()["session"].clone();
    for (field, expected) in [
        ("patient", json!({"id": right.id})),
        ("practitioner", json!({"id": anna.id()})),
        ("plan", Value::Null),
        ("signature", Value::Null),
        ("retraction", Value::Null),
        ("version", json!(1)),
        ("copiedFrom", json!(it.session.id)),
        ("createdBy", json!({"id": admin.id()})),
        ("areas", original["areas"].clone()),
        ("products", original["products"].clone()),
        ("startedAt", original["startedAt"].clone()),
        ("status", original["status"].clone()),
    ] {
        assert_eq!(copy[field], expected, "{field}");
    }
    // The rules were asked of the right chart, and no reason of the other one settles them.
    let open =
        |rule: &str| copy["checks"].as_array().expect("checks").contains(&json!({"rule": rule, "settled": false}));
    assert!(open("CONSENT") && open("CONSULTATION"), "{copy}");
    let note = copied(&anna, &it.note, &right).await;
    let query = "query ($id: ID!) { aftercareNote(id: $id) { session { id } patient { id } redness signature { meaning } copiedFrom } }";
    let found = anna.graphql(query, json!({"id": note})).await.ok()["aftercareNote"].clone();
    let expected = json!({"session": {"id": session}, "patient": {"id": right.id}, "redness": 7, "signature": null, "copiedFrom": it.note.id});
    assert_eq!(found, expected);
    let consultation = copied(&anna, &it.consultation, &right).await;
    anna.make("signConsultation", "consultation", json!({"id": consultation, "expectedVersion": 1})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retraction_goes_with_its_record_and_is_erased_with_it() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let (from, into) = (anna.patient("Zoë", "Ramírez").await, anna.patient("Zoë", "Ramírez").await);
    let session = anna.signed_session(&from).await;
    let right = anna.patient("Grace", "Hopper").await;
    let copy = copied(&anna, &session, &right).await;
    let owner = async || {
        let query = "query ($id: ID!) { session(id: $id) { retraction { patient { id } } } }";
        anna.graphql(query, json!({"id": session.id})).await.ok()["session"]["retraction"]["patient"]["id"].clone()
    };
    let merge = anna.make("mergePatients", "merge", merging(&from, &into, json!({}))).await;
    assert_eq!(owner().await, into.id);
    anna.does("unmergePatients", json!({"mergeId": merge.id, "reason": "Twins"}), "merge { id }").await.ok();
    assert_eq!(owner().await, from.id);
    let input = erasing(&admin, &from).await;
    admin.does("erasePatient", input, "erasure { id }").await.ok();
    let sql = clinic.database.superuser().await;
    assert_eq!(sql.one("SELECT count(*) FROM retraction").await, "0");
    let query = "query ($id: ID!) { session(id: $id) { copiedFrom patient { id } } }";
    let left = anna.graphql(query, json!({"id": copy})).await.ok()["session"].clone();
    assert_eq!(left, json!({"copiedFrom": null, "patient": {"id": right.id}}), "the copy is the other's");
}
