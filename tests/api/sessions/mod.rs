//! Treatment sessions: logged whole, or started, changed, completed or stopped; signed.

mod faults;
mod signing;

use crate::staff::colleague;
use crate::support::*;

const WHOLE: &str = "session { id version status patient { id } practitioner { id } supervisor { id } location { id } startedAt endedAt modality
    device { model serial kind } skinPreparation glide anaesthetic { product strength lot appliedAt removedAt areaCm2 }
    areas { area side needleDepthMm passes speedRpm rfEnergyMj rfPulseWidthMs endpoint note }
    products { role product manufacturer lot expiresOn quantity unit area intradermalUse }
    painScore immediateReaction note stopReason signature { signedBy { id } meaning contentHash } }";

fn with(mut input: Value, more: Value) -> Value {
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

async fn update(by: &SignedIn, session: &Made, patch: Value) -> Answer {
    by.does("updateSession", session.edit_with(json!({"patch": patch})), WHOLE).await
}

fn session_of(answer: Answer, mutation: &str) -> Value {
    answer.ok()[mutation]["session"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_session_is_logged_in_one_call() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let bob = colleague(&clinic, "Bob").await;
    let patient = anna.patient("Ada", "Lovelace").await;
    let given = json!({
        "startedAt": hours_ago(2), "endedAt": hours_ago(1), "modality": "RF_MICRONEEDLING",
        "device": {"model": "Vivace", "serial": "V-1", "kind": "RF"}, "skinPreparation": "Chlorhexidine", "glide": "Hyaluronic gel",
        "anaesthetic": {"product": "EMLA", "strength": "lidocaine 5 %", "lot": "E-1", "appliedAt": hours_ago(3), "removedAt": hours_ago(2), "areaCm2": "150.5"},
        "areas": [
            {"area": "NECK", "side": "MIDLINE", "needleDepthMm": "7.25", "passes": 2, "speedRpm": null, "rfEnergyMj": "12.5", "rfPulseWidthMs": "100", "endpoint": "ERYTHEMA", "note": "left side more"},
            {"area": "SCALP", "side": "BILATERAL", "needleDepthMm": "0", "passes": 50, "speedRpm": 30000, "rfEnergyMj": "0.01", "rfPulseWidthMs": null, "endpoint": "NONE", "note": null},
        ],
        "products": [{"role": "GROWTH_SERUM", "product": "AQ", "manufacturer": "AQ Inc", "lot": "A-9", "expiresOn": "2020-01-01", "quantity": "0.125", "unit": "mL", "area": "SCALP", "intradermalUse": "NO"}],
        "painScore": 0, "immediateReaction": "Mild erythema", "note": "ok",
    });
    let links = json!({"patientId": patient.id, "locationId": anna.location, "supervisorId": bob.id()});
    let logged = session_of(anna.does("logSession", with(given.clone(), links), WHOLE).await, "logSession");
    let expected = with(
        given,
        json!({
            "id": logged["id"], "version": 1, "status": "COMPLETED", "patient": {"id": patient.id}, "practitioner": {"id": anna.id()},
            "supervisor": {"id": bob.id()}, "location": {"id": anna.location}, "stopReason": null, "signature": null,
        }),
    );
    assert_eq!(logged, expected);
    let open = anna.session_with(&patient, json!({"endedAt": null, "areas": [], "products": []})).await;
    let query = "query ($id: ID!) { session(id: $id) { status areas { area } products { role } } }";
    let read = anna.graphql(query, json!({"id": open.id})).await.ok();
    assert_eq!(read["session"], json!({"status": "IN_PROGRESS", "areas": [], "products": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_started_filled_in_and_completed() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let start = json!({"patientId": patient.id, "locationId": anna.location, "modality": "MICRONEEDLING", "startedAt": hours_ago(1)});
    let mut session = anna.make("startSession", "session", start).await;
    let more = json!({"note": "calm", "device": {"model": "Pen", "kind": "MOTORISED_PEN"}, "areas": [{"area": "CHIN", "needleDepthMm": "0.5", "passes": 3}]});
    let filled = session_of(update(&anna, &session, more).await, "updateSession");
    assert_eq!(
        (&filled["status"], &filled["note"], &filled["areas"][0]["side"]),
        (&json!("IN_PROGRESS"), &json!("calm"), &json!("BILATERAL"))
    );
    session.version = 2;
    let end = session.edit_with(json!({"painScore": 4, "immediateReaction": "Redness"}));
    let done = session_of(anna.does("completeSession", end, WHOLE).await, "completeSession");
    assert_eq!(
        (&done["status"], &done["painScore"], &done["version"], &done["note"]),
        (&json!("COMPLETED"), &json!(4), &json!(3), &json!("calm"))
    );
    assert_ne!(done["endedAt"], Value::Null);
    assert_eq!(
        (&done["device"]["model"], done["areas"].as_array().unwrap().len()),
        (&json!("Pen"), 1),
        "the parts stay"
    );
    session.version = 3;
    anna.sign_session(&session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_stopped_with_a_reason() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let session = anna.started_session(&patient).await;
    assert_eq!(
        anna.does("stopSession", session.edit_with(json!({"reason": ""})), WHOLE).await.faults(),
        ["input.reason"]
    );
    let early = session.edit_with(json!({"reason": "x", "endedAt": hours_ago(5)}));
    assert_eq!(anna.does("stopSession", early, WHOLE).await.faults(), ["input.endedAt"]);
    let stopped = session_of(
        anna.does("stopSession", session.edit_with(json!({"reason": "Fainted"})), WHOLE).await,
        "stopSession",
    );
    assert_eq!((&stopped["status"], &stopped["stopReason"]), (&json!("STOPPED"), &json!("Fainted")));
    let over = json!({"id": session.id, "expectedVersion": 2});
    for (mutation, more) in [("completeSession", json!({})), ("stopSession", json!({"reason": "again"}))] {
        assert_eq!(anna.does(mutation, with(over.clone(), more), WHOLE).await.faults(), ["input.id"], "{mutation}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stopped_in_preparation_did_not_take_place() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let protocol = anna.protocol().await;
    let prepared = json!({"patientId": patient.id, "locationId": anna.location, "modality": "MICRONEEDLING", "status": "PREPARATION",
        "protocolVersionId": protocol.version, "areas": [{"area": "CHEEK"}]});
    let session = anna.make("startSession", "session", prepared).await;
    let reason = session.edit_with(json!({"reason": "Fainted before the first needle"}));
    let stopped = session_of(anna.does("stopSession", reason, WHOLE).await, "stopSession");
    assert_eq!(
        (&stopped["status"], &stopped["endedAt"], &stopped["stopReason"]),
        (&json!("NOT_DONE"), &Value::Null, &json!("Fainted before the first needle"))
    );
    let aftercare = "query ($id: ID!) { session(id: $id) { aftercare { inForce { code } } } }";
    assert_eq!(anna.graphql(aftercare, json!({"id": session.id})).await.ok()["session"]["aftercare"], Value::Null);
    // No distance is kept from what was not done.
    let query = "query ($input: LogSessionInput!) { sessionChecks(input: $input) { checks { rule verdict } } }";
    let mut input = session_to_sign(&patient, &anna.location);
    input["protocolVersionId"] = json!(protocol.version);
    let found = anna.graphql(query, json!({"input": input})).await.ok()["sessionChecks"]["checks"].clone();
    let interval = found.as_array().unwrap().iter().find(|it| it["rule"] == "INTERVAL").unwrap();
    assert_eq!(interval["verdict"], "PASS", "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_moves_only_along_its_ways() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    // From, by these steps: to each of these, and to none of the others.
    let ways: [(&[&str], &[&str]); 7] = [
        (&["PREPARATION"], &["IN_PROGRESS", "NOT_DONE", "ENTERED_IN_ERROR"]),
        (&["PREPARATION", "IN_PROGRESS"], &["ON_HOLD", "ENTERED_IN_ERROR"]),
        (&["IN_PROGRESS"], &["ON_HOLD", "ENTERED_IN_ERROR"]),
        (&["IN_PROGRESS", "ON_HOLD"], &["IN_PROGRESS", "NOT_DONE", "ENTERED_IN_ERROR"]),
        (&["IN_PROGRESS", "ON_HOLD", "IN_PROGRESS"], &["ON_HOLD", "ENTERED_IN_ERROR"]),
        (&["PREPARATION", "NOT_DONE"], &["ENTERED_IN_ERROR"]),
        (&["IN_PROGRESS", "ENTERED_IN_ERROR"], &[]),
    ];
    let all = ["PREPARATION", "IN_PROGRESS", "NOT_DONE", "ON_HOLD", "STOPPED", "COMPLETED", "ENTERED_IN_ERROR"];
    let start = |status: &str| json!({"patientId": patient.id, "locationId": anna.location, "modality": "MICRONEEDLING", "status": status});
    for (steps, reachable) in ways {
        let fresh = async || {
            let mut session = anna.make("startSession", "session", start(steps[0])).await;
            for step in &steps[1..] {
                update(&anna, &session, json!({"status": step})).await.ok();
                session.version += 1;
            }
            session
        };
        let here = steps[steps.len() - 1];
        let refused = fresh().await;
        for to in all.iter().filter(|to| **to != here && !reachable.contains(to)) {
            let answer = update(&anna, &refused, json!({"status": to})).await;
            assert_eq!((answer.code(), answer.faults()[0]), ("BAD_USER_INPUT", "input.patch.status"), "{here} to {to}");
        }
        for to in reachable {
            let moved = session_of(update(&anna, &fresh().await, json!({"status": to})).await, "updateSession");
            assert_eq!(moved["status"], **to, "{here} to {to}");
        }
    }
    for status in ["ON_HOLD", "COMPLETED", "STOPPED", "NOT_DONE", "ENTERED_IN_ERROR"] {
        assert_eq!(anna.does("startSession", start(status), WHOLE).await.faults(), ["input.status"], "{status}");
    }
    // A pause ends with the session too.
    let mut held = anna.started_session(&patient).await;
    update(&anna, &held, json!({"status": "ON_HOLD"})).await.ok();
    held.version = 2;
    let done = session_of(anna.does("completeSession", held.edit(), WHOLE).await, "completeSession");
    assert_eq!(done["status"], "COMPLETED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_keeps_clears_and_replaces_parts_as_a_whole() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let more = json!({
        "endedAt": null, "skinPreparation": "x", "glide": "y", "immediateReaction": "z", "anaesthetic": {"product": "EMLA"},
    });
    let mut session = anna.session_with(&patient, more).await;
    let same = session_of(update(&anna, &session, json!({})).await, "updateSession");
    assert_eq!((same["areas"].as_array().unwrap().len(), same["products"].as_array().unwrap().len()), (2, 2));
    session.version += 1;
    let areas = json!([{"area": "NOSE", "side": "MIDLINE", "needleDepthMm": "0.5", "passes": 2}, {"area": "CHIN"}, {"area": "NOSE"}]);
    let replaced =
        session_of(update(&anna, &session, json!({"areas": areas, "endedAt": hours_ago(1)})).await, "updateSession");
    let order: Vec<_> =
        replaced["areas"].as_array().unwrap().iter().map(|area| area["area"].as_str().unwrap()).collect();
    assert_eq!(order, ["NOSE", "CHIN", "NOSE"], "in the order they were given");
    assert_eq!(replaced["products"], same["products"], "the others stay");
    session.version += 1;
    let nulls = json!({
        "endedAt": null, "device": null, "skinPreparation": null, "glide": null, "anaesthetic": null, "painScore": null,
        "immediateReaction": null, "note": null, "supervisorId": null, "products": [], "areas": null,
    });
    let cleared = session_of(update(&anna, &session, nulls).await, "updateSession");
    for field in
        ["endedAt", "device", "skinPreparation", "glide", "anaesthetic", "painScore", "immediateReaction", "note"]
    {
        assert_eq!(cleared[field], Value::Null, "{field}");
    }
    assert_eq!((cleared["areas"].as_array().unwrap().len(), &cleared["products"]), (3, &json!([])));
    let query = "query ($id: ID!) { session(id: $id) { history { nodes { version action by { id } changes { field before after } } } } }";
    let history = anna.graphql(query, json!({"id": session.id})).await.ok()["session"]["history"]["nodes"].clone();
    let versions: Vec<_> =
        history.as_array().unwrap().iter().map(|node| (node["version"].clone(), node["action"].clone())).collect();
    let expected = [(4, "UPDATE"), (3, "UPDATE"), (2, "UPDATE"), (1, "CREATE")];
    assert_eq!(versions, expected.map(|(version, action)| (json!(version), json!(action))));
    assert_eq!(history[2]["changes"], json!([]), "an edit that changed nothing");
    let fields: Vec<_> =
        history[1]["changes"].as_array().unwrap().iter().map(|change| change["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["areas", "endedAt"]);
    let (before, after) = (&history[1]["changes"][0]["before"], &history[1]["changes"][0]["after"]);
    assert_eq!(
        (&before[0]["needleDepthMm"], &after[0]["area"], after.as_array().unwrap().len()),
        (&json!("1.25"), &json!("nose"), 3)
    );
    assert_eq!(history[0]["by"]["id"], anna.id());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_filtered() {
    let clinic = Clinic::start().await;
    let (anna, bob) = (clinic.practitioner(), colleague(&clinic, "Bob").await);
    let (ada, eve) = (anna.patient("Ada", "A").await, anna.patient("Eve", "E").await);
    let place =
        clinic.admin().make("addLocation", "location", json!({"name": "Annex", "timeZone": "Europe/Lisbon"})).await;
    let first = anna.session_with(&ada, json!({"startedAt": hours_ago(72), "endedAt": hours_ago(71)})).await;
    let second = bob
        .session_with(
            &eve,
            json!({"startedAt": hours_ago(48), "endedAt": null, "modality": "TOPICAL_GROWTH_SERUM", "device": null}),
        )
        .await;
    let third = anna
        .session_with(&eve, json!({"startedAt": hours_ago(24), "endedAt": hours_ago(23), "locationId": place.id}))
        .await;
    anna.sign_session(&first).await;
    let ids = [&first.id, &second.id, &third.id];
    let cases: &[(Value, &[usize])] = &[
        (json!({}), &[2, 1, 0]),
        (json!({"patientId": eve.id}), &[2, 1]),
        (json!({"practitionerId": bob.id()}), &[1]),
        (json!({"locationId": place.id}), &[2]),
        (json!({"status": ["IN_PROGRESS", "STOPPED"]}), &[1]),
        (json!({"status": []}), &[]),
        (json!({"modality": ["TOPICAL_GROWTH_SERUM"]}), &[1]),
        (json!({"startedFrom": hours_ago(49), "startedBefore": hours_ago(25)}), &[1]),
        (json!({"signed": true}), &[0]),
        (json!({"signed": false}), &[2, 1]),
        (json!({"updatedSince": "2999-01-01T00:00:00Z"}), &[]),
        (json!({"patientId": eve.id, "status": ["COMPLETED"]}), &[2]),
    ];
    let query = "query ($f: SessionFilter) { sessions(filter: $f) { totalCount nodes { id } } }";
    for (filter, expected) in cases {
        let data = anna.graphql(query, json!({"f": filter})).await.ok();
        let nodes: Vec<_> =
            data["sessions"]["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap()).collect();
        assert_eq!(nodes, expected.iter().map(|i| ids[*i]).collect::<Vec<_>>(), "{filter}");
        assert_eq!(data["sessions"]["totalCount"], nodes.len(), "{filter}");
    }
    let wrong = json!({"f": {"patientId": "x", "practitionerId": ada.id, "locationId": ada.id}});
    assert_eq!(
        anna.graphql(query, wrong).await.faults(),
        ["filter.patientId", "filter.practitionerId", "filter.locationId"]
    );
}
