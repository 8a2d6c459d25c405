//! Treatment sessions: logged whole, or started, changed, completed or stopped; signed.

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
async fn every_range_is_held_with_its_path() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let area = |more: Value| json!({"areas": [{"area": "CHIN"}, with(json!({"area": "CHEEK"}), more)]});
    let rf = |more: Value| with(area(more), json!({"modality": "RF_MICRONEEDLING"}));
    let product = |more: Value| json!({"products": [with(json!({"role": "SERUM", "product": "HA"}), more)]});
    let cream = |more: Value| json!({"anaesthetic": with(json!({"product": "EMLA"}), more)});
    let parts = |name: &str, one: Value, many: usize| json!({name: vec![one; many]});
    let ok: [Value; 17] = [
        area(json!({"needleDepthMm": "2.5"})),
        area(json!({"needleDepthMm": "2.50"})),
        area(json!({"needleDepthMm": 0.25})),
        area(json!({"needleDepthMm": "0"})),
        rf(json!({"needleDepthMm": "8", "rfEnergyMj": "10000", "rfPulseWidthMs": "0.01"})),
        area(json!({"passes": 1})),
        area(json!({"passes": 50})),
        area(json!({"speedRpm": 30000})),
        product(json!({"quantity": "0.001", "unit": "mL"})),
        product(json!({"quantity": "100000", "unit": "x".repeat(20)})),
        cream(json!({"areaCm2": "20000"})),
        json!({"painScore": 0}),
        json!({"painScore": 10}),
        json!({"note": "é".repeat(20_000)}),
        parts("areas", json!({"area": "CHIN"}), 40),
        parts("products", json!({"role": "PRP", "product": "x"}), 40),
        json!({"startedAt": hours_ago(25), "endedAt": hours_ago(1)}),
    ];
    for more in ok {
        let shown: String = more.to_string().chars().take(100).collect();
        let answer =
            anna.does("logSession", with(session_to_sign(&patient, &anna.location), more), "session { id }").await;
        assert_eq!(answer.outcome(), "ok", "{shown} {}", answer.text);
    }
    let refused: Vec<(Value, &str)> = vec![
        (area(json!({"needleDepthMm": "2.55"})), "areas.1.needleDepthMm"),
        (area(json!({"needleDepthMm": "0.125"})), "areas.1.needleDepthMm"),
        (area(json!({"needleDepthMm": "-0.25"})), "areas.1.needleDepthMm"),
        (rf(json!({"needleDepthMm": "8.01"})), "areas.1.needleDepthMm"),
        (area(json!({"rfEnergyMj": "1"})), "areas.1.rfEnergyMj"),
        (area(json!({"rfPulseWidthMs": "1"})), "areas.1.rfPulseWidthMs"),
        (rf(json!({"rfEnergyMj": "0"})), "areas.1.rfEnergyMj"),
        (rf(json!({"rfEnergyMj": "10000.01"})), "areas.1.rfEnergyMj"),
        (rf(json!({"rfPulseWidthMs": "10000.01"})), "areas.1.rfPulseWidthMs"),
        (area(json!({"passes": 0})), "areas.1.passes"),
        (area(json!({"passes": 51})), "areas.1.passes"),
        (area(json!({"speedRpm": 0})), "areas.1.speedRpm"),
        (area(json!({"speedRpm": 30001})), "areas.1.speedRpm"),
        (area(json!({"note": "x".repeat(2001)})), "areas.1.note"),
        (product(json!({"quantity": "1"})), "products.0.unit"),
        (product(json!({"unit": "mL"})), "products.0.unit"),
        (product(json!({"quantity": "0", "unit": "mL"})), "products.0.quantity"),
        (product(json!({"quantity": "1.0001", "unit": "mL"})), "products.0.quantity"),
        (product(json!({"quantity": "100000.1", "unit": "mL"})), "products.0.quantity"),
        (product(json!({"product": " "})), "products.0.product"),
        (cream(json!({"areaCm2": "20000.1"})), "anaesthetic.areaCm2"),
        (cream(json!({"areaCm2": "0.15"})), "anaesthetic.areaCm2"),
        (cream(json!({"appliedAt": hours_ago(1), "removedAt": hours_ago(2)})), "anaesthetic.removedAt"),
        (json!({"painScore": -1}), "painScore"),
        (json!({"painScore": 11}), "painScore"),
        (json!({"note": "x".repeat(20_001)}), "note"),
        (json!({"device": {"model": "", "kind": "RF"}}), "device.model"),
        (json!({"endedAt": hours_ago(3)}), "endedAt"),
        (json!({"startedAt": hours_ago(26), "endedAt": hours_ago(1)}), "endedAt"),
        (parts("areas", json!({"area": "CHIN"}), 41), "areas"),
        (parts("products", json!({"role": "PRP", "product": "x"}), 41), "products"),
    ];
    let draft = anna.session(&patient).await;
    for (more, path) in refused {
        let shown: String = more.to_string().chars().take(100).collect();
        let answer = anna
            .does("logSession", with(session_to_sign(&patient, &anna.location), more.clone()), "session { id }")
            .await;
        assert_eq!(
            (answer.outcome().as_str(), answer.faults()),
            ("BAD_USER_INPUT", vec![format!("input.{path}").as_str()]),
            "{shown}"
        );
        let answer = update(&anna, &draft, more).await;
        assert_eq!(
            (answer.outcome().as_str(), answer.faults()),
            ("BAD_USER_INPUT", vec![format!("input.patch.{path}").as_str()]),
            "{shown}"
        );
    }
    let ahead = json!({"patientId": patient.id, "locationId": anna.location, "modality": "PRP", "startedAt": "2999-01-01T00:00:00Z"});
    assert_eq!(anna.does("startSession", ahead, "session { id }").await.faults(), ["input.startedAt"]);
    for not_decimal in ["1e400", "one", "", "NaN"] {
        let answer = anna
            .does(
                "logSession",
                with(session_to_sign(&patient, &anna.location), area(json!({"needleDepthMm": not_decimal}))),
                "session { id }",
            )
            .await;
        assert_eq!(answer.outcome(), "BAD_USER_INPUT", "{not_decimal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_modality_is_held_against_the_areas_that_stay() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let areas = json!([{"area": "NECK", "needleDepthMm": "6", "passes": 1, "rfEnergyMj": "20"}]);
    let session = anna.session_with(&patient, json!({"modality": "RF_MICRONEEDLING", "areas": areas})).await;
    let answer = update(&anna, &session, json!({"modality": "MICRONEEDLING"})).await;
    assert_eq!(answer.outcome(), "BAD_USER_INPUT", "6 mm by a pen, with RF energy");
    let both = json!({"modality": "MICRONEEDLING", "areas": [{"area": "NECK", "needleDepthMm": "1", "passes": 1}]});
    assert_eq!(update(&anna, &session, both).await.outcome(), "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_faults_of_a_session_come_at_once() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let faulty = json!({
        "id": new_id("patient"), "patientId": "?", "locationId": new_id("staff"), "practitionerId": "x", "supervisorId": "y", "startedAt": hours_ago(1),
        "endedAt": hours_ago(2), "modality": "MICRONEEDLING", "painScore": 99, "areas": [{"area": "CHIN", "needleDepthMm": "9", "passes": 0}],
    });
    let answer = anna.does("logSession", faulty, WHOLE).await;
    let mut told = answer.faults();
    told.sort_unstable();
    let expected = [
        "areas.0.needleDepthMm",
        "areas.0.passes",
        "endedAt",
        "id",
        "locationId",
        "painScore",
        "patientId",
        "practitionerId",
        "supervisorId",
    ];
    assert_eq!(told, expected.map(|path| format!("input.{path}")));
    let patient = anna.patient("Ada", "Lovelace").await;
    let (desk, south) = (clinic.front_desk(), clinic.stranger());
    let links = json!({"practitionerId": desk.id(), "supervisorId": south.id(), "locationId": south.location});
    let answer = anna.does("logSession", with(session_to_sign(&patient, &anna.location), links.clone()), WHOLE).await;
    assert_eq!(answer.faults(), ["input.practitionerId", "input.supervisorId", "input.locationId"]);
    let draft = anna.session(&patient).await;
    assert_eq!(
        update(&anna, &draft, links).await.faults(),
        ["input.patch.practitionerId", "input.patch.supervisorId", "input.patch.locationId"]
    );
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
async fn signing_tells_all_that_is_missing() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let cases = [
        (json!({"endedAt": null}), vec!["status"]),
        (json!({"device": null, "areas": []}), vec!["device", "areas"]),
        (
            json!({"areas": [{"area": "CHIN", "passes": 1}, {"area": "NOSE", "needleDepthMm": "1"}]}),
            vec!["areas.0.needleDepthMm", "areas.1.passes"],
        ),
        (json!({"modality": "RF_MICRONEEDLING"}), vec!["areas.0.rfEnergyMj", "areas.1.rfEnergyMj"]),
        (json!({"modality": "OTHER", "note": null, "device": null, "areas": []}), vec!["note"]),
        (json!({"modality": "LED_LIGHT_THERAPY", "note": null, "device": null, "areas": [], "products": []}), vec![]),
    ];
    for (more, missing) in cases {
        let session = anna.session_with(&patient, more.clone()).await;
        let answer = anna.does("signSession", session.edit(), WHOLE).await;
        assert_eq!(answer.faults(), missing, "{more}");
        assert_eq!(answer.outcome(), if missing.is_empty() { "ok" } else { "BAD_USER_INPUT" });
    }
    let mut reopened = anna.session(&patient).await;
    update(&anna, &reopened, json!({"device": null})).await.ok();
    reopened.version = 2;
    let answer = anna.does("signSession", reopened.edit_with(json!({"meaning": "SUPERVISOR"})), WHOLE).await;
    assert_eq!(answer.faults(), ["device", "input.meaning"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_sign_a_session_as_what() {
    let clinic = Clinic::start().await;
    let (anna, bob, eve) = (clinic.practitioner(), colleague(&clinic, "Bob").await, colleague(&clinic, "Eve").await);
    let patient = anna.patient("Ada", "Lovelace").await;
    for (signer, meaning, outcome) in [
        (&anna, "AUTHOR", "ok"),
        (&anna, "SUPERVISOR", "BAD_USER_INPUT"),
        (&anna, "REVIEWER", "BAD_USER_INPUT"),
        (&bob, "SUPERVISOR", "ok"),
        (&bob, "AUTHOR", "BAD_USER_INPUT"),
        (&bob, "REVIEWER", "ok"),
        (&eve, "REVIEWER", "ok"),
        (&eve, "SUPERVISOR", "BAD_USER_INPUT"),
        (&eve, "AUTHOR", "BAD_USER_INPUT"),
        (&clinic.admin(), "REVIEWER", "FORBIDDEN"),
    ] {
        let session = anna.session_with(&patient, json!({"supervisorId": bob.id()})).await;
        let answer = signer.does("signSession", session.edit_with(json!({"meaning": meaning})), WHOLE).await;
        assert_eq!(answer.outcome(), outcome, "{} as {meaning}", signer.member.email);
        if outcome == "BAD_USER_INPUT" {
            assert_eq!(answer.faults(), ["input.meaning"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_session_takes_no_change_by_any_mutation() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let session = anna.session(&patient).await;
    let signed = session_of(anna.does("signSession", session.edit(), WHOLE).await, "signSession");
    assert_eq!((&signed["version"], &signed["signature"]["signedBy"]["id"]), (&json!(2), &json!(anna.id())));
    assert_eq!(signed["signature"]["contentHash"].as_str().unwrap().len(), 64);
    for version in [1, 2, 3] {
        let edit = |more: Value| with(json!({"id": session.id, "expectedVersion": version}), more);
        for (mutation, input) in [
            ("updateSession", edit(json!({"patch": {"note": "x"}}))),
            ("updateSession", edit(json!({"patch": {"areas": []}}))),
            ("updateSession", edit(json!({"patch": {"status": "ENTERED_IN_ERROR"}}))),
            ("completeSession", edit(json!({}))),
            ("stopSession", edit(json!({"reason": "x"}))),
            ("signSession", edit(json!({}))),
            ("signSession", edit(json!({"meaning": "REVIEWER"}))),
        ] {
            assert_eq!(
                anna.does(mutation, input, "session { id }").await.code(),
                "RECORD_SIGNED",
                "{mutation} at {version}"
            );
        }
    }
    let query = format!("query ($id: ID!) {{ {} }}", WHOLE.replacen("session {", "session(id: $id) {", 1));
    assert_eq!(anna.graphql(&query, json!({"id": session.id})).await.ok()["session"], signed);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_filtered() {
    let clinic = Clinic::start().await;
    let (anna, bob) = (clinic.practitioner(), colleague(&clinic, "Bob").await);
    let (ada, eve) = (anna.patient("Ada", "A").await, anna.patient("Eve", "E").await);
    let place =
        clinic.admin().make("addLocation", "location", json!({"name": "Annex", "timeZone": "Europe/Lisbon"})).await;
    let first = anna.session_with(&ada, json!({"startedAt": hours_ago(72), "endedAt": hours_ago(71)})).await;
    let second = bob.session_with(&eve, json!({"startedAt": hours_ago(48), "endedAt": null, "modality": "PRP"})).await;
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
        (json!({"modality": ["PRP"]}), &[1]),
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
