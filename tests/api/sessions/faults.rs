//! What a session may not say.

use super::{WHOLE, update, with};
use crate::support::*;

fn area(more: Value) -> Value {
    json!({"areas": [{"area": "CHIN"}, with(json!({"area": "CHEEK"}), more)]})
}

fn rf(more: Value) -> Value {
    with(area(more), json!({"modality": "RF_MICRONEEDLING"}))
}

fn product(more: Value) -> Value {
    json!({"products": [with(json!({"role": "SERUM", "product": "HA"}), more)]})
}

fn cream(more: Value) -> Value {
    json!({"anaesthetic": with(json!({"product": "EMLA"}), more)})
}

fn parts(name: &str, one: Value, many: usize) -> Value {
    json!({name: vec![one; many]})
}

/// What a session may say at the edge of what it may.
fn allowed() -> [Value; 17] {
    [
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
    ]
}

/// What it may not, each with the path that is told.
fn refused() -> Vec<(Value, &'static str)> {
    vec![
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
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_range_is_held_with_its_path() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    for more in allowed() {
        let shown: String = more.to_string().chars().take(100).collect();
        let answer =
            anna.does("logSession", with(session_to_sign(&patient, &anna.location), more), "session { id }").await;
        assert_eq!(answer.outcome(), "ok", "{shown} {}", answer.text);
    }
    let draft = anna.session(&patient).await;
    for (more, path) in refused() {
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
