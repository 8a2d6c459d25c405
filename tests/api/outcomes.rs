//! Outcome assessments, their scales and series.

use crate::support::*;

const WHOLE: &str =
    "outcomeAssessment { id version patient { id } planId session { id } scale { code version better } area score
    raterRole rater { id } assessedAt comparedWithPhotoId photoId note enteredInError }";
const SERIES: &str = "query ($id: ID!, $scale: String!, $version: String, $role: OutcomeRaterRole, $area: BodyArea) { patient(id: $id) {
    outcomeSeries(scale: $scale, scaleVersion: $version, raterRole: $role, area: $area) {
        scale { version } points { score } changeSinceFirst better bestPair { before { score } after { score } change } } } }";

async fn record(by: &SignedIn, input: Value) -> Answer {
    by.does("recordOutcome", input, WHOLE).await
}

fn scored(patient: &Made, more: Value) -> Value {
    let mut input =
        json!({"patientId": patient.id, "scale": "gais", "scaleVersion": "1-to-5", "score": 2, "raterRole": "PATIENT"});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_is_recorded_changed_and_taken_out() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let session = anna.session(&patient).await;
    let more = json!({"sessionId": session.id, "raterRole": "PRACTITIONER", "area": "CHEEK", "score": "3.0", "assessedAt": "2026-03-01T10:00:00Z", "note": "Softer"});
    let made = record(&anna, scored(&patient, more)).await.ok()["recordOutcome"]["outcomeAssessment"].clone();
    let mut expected = json!({
        "id": made["id"], "version": 1, "patient": {"id": patient.id}, "planId": null, "session": {"id": session.id},
        "scale": {"code": "gais", "version": "1-to-5", "better": "LOWER"}, "area": "CHEEK", "score": "3",
        "raterRole": "PRACTITIONER", "rater": {"id": anna.id()}, "assessedAt": "2026-03-01T10:00:00Z",
        "comparedWithPhotoId": null, "photoId": null, "note": "Softer", "enteredInError": false,
    });
    assert_eq!(made, expected, "the sender is the practitioner who scored");
    let update = async |made: &Made, patch: Value| {
        anna.does("updateOutcome", made.edit_with(json!({"patch": patch})), WHOLE).await
    };
    let mut outcome = Made::of(&made);
    let patch = json!({"score": 1, "sessionId": null, "area": null, "note": null});
    let changed = update(&outcome, patch).await.ok()["updateOutcome"]["outcomeAssessment"].clone();
    for (field, value) in [("score", json!("1")), ("version", json!(2))] {
        expected[field] = value;
    }
    for field in ["session", "area", "note"] {
        expected[field] = Value::Null;
    }
    assert_eq!(changed, expected);
    let stale = update(&outcome, json!({"score": 2})).await;
    assert_eq!((stale.code(), &stale.errors[0]["extensions"]["currentVersion"]), ("CONFLICT", &json!(2)));
    outcome.version = 2;
    assert_eq!(update(&outcome, json!({"score": "1.5"})).await.faults(), ["input.patch.score"]);
    let mark =
        || anna.does("markOutcomeEnteredInError", outcome.edit(), "outcomeAssessment { id version enteredInError }");
    let (a, b) = tokio::join!(mark(), mark());
    let mut outcomes = [a.outcome(), b.outcome()];
    outcomes.sort();
    assert_eq!(outcomes, ["CONFLICT", "ok"]);
    outcome.version = 3;
    for refused in [
        update(&outcome, json!({"score": 2})).await,
        anna.does("markOutcomeEnteredInError", outcome.edit(), "__typename").await,
    ] {
        assert_eq!(refused.faults(), ["input.id"]);
    }
    let lists = "query ($id: ID!) { patient(id: $id) { outcomes { totalCount } error: outcomes(filter: {includeEnteredInError: true}) { totalCount } outcomeSeries(scale: \"gais\") { better } } }";
    let lists = anna.graphql(lists, json!({"id": patient.id})).await.ok();
    assert_eq!(
        lists["patient"],
        json!({"outcomes": {"totalCount": 0}, "error": {"totalCount": 1}, "outcomeSeries": null})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_faults_of_an_outcome_are_told() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (patient, other) = (anna.patient("Ada", "Lovelace").await, anna.patient("Eve", "E").await);
    let theirs = anna.session(&other).await;
    let photo = new_id("photo");
    let cases = [
        (json!({"score": 6}), vec!["score"]),
        (json!({"score": 1.5}), vec!["score"]),
        (json!({"scale": "vas"}), vec!["scale"]),
        (json!({"scaleVersion": "2"}), vec!["scaleVersion"]),
        (json!({"scaleVersion": "minus-1-to-3", "score": -2}), vec!["score"]),
        (json!({"raterId": anna.id()}), vec!["raterId"]),
        (json!({"raterRole": "BLINDED"}), vec!["raterId"]),
        (json!({"raterRole": "BLINDED", "raterId": clinic.stranger().id()}), vec!["raterId"]),
        (json!({"sessionId": theirs.id}), vec!["sessionId"]),
        (json!({"planId": new_id("plan")}), vec!["planId"]),
        (json!({"photoId": photo, "comparedWithPhotoId": new_id("photo")}), vec!["photoId", "comparedWithPhotoId"]),
        (
            json!({"assessedAt": "2999-01-01T00:00:00Z", "note": "x".repeat(5_001), "score": 9}),
            vec!["assessedAt", "note", "score"],
        ),
        (json!({"patientId": theirs.id, "planId": patient.id, "photoId": "x"}), vec!["patientId", "planId", "photoId"]),
    ];
    for (more, paths) in cases {
        let answer = record(&anna, scored(&patient, more.clone())).await;
        let expected: Vec<String> = paths.iter().map(|path| format!("input.{path}")).collect();
        assert_eq!(answer.faults(), expected, "{more} {}", answer.text);
    }
    let foreign = clinic.stranger().patient("Max", "M").await;
    assert_eq!(record(&anna, scored(&foreign, json!({}))).await.code(), "NOT_FOUND");
    let nowhere = scored(&patient, json!({"sessionId": new_id("session")}));
    assert_eq!(record(&anna, nowhere).await.code(), "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_and_photos_are_of_the_same_patient() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (patient, other) = (anna.patient("Ada", "Lovelace").await, anna.patient("Eve", "E").await);
    let sql = clinic.database.superuser().await;
    let north = clinic.north.uuid;
    let photo = async |of: &Made| {
        let (id, of) = (uuid::Uuid::now_v7(), uuid_of(&of.id));
        sql.run(&format!(
            "INSERT INTO photo (org_id, id, patient_id, status, taken_at, phase, view, area, side, version, created_at, updated_at) \
             VALUES ('{north}', '{id}', '{of}', 'awaiting_upload', now(), 'before', 'frontal', 'cheek', 'left', 1, now(), now())"
        ))
        .await;
        typed("photo", id)
    };
    let (before, after, foreign) = (photo(&patient).await, photo(&patient).await, photo(&other).await);
    let right = record(&anna, scored(&patient, json!({"photoId": after, "comparedWithPhotoId": before}))).await.ok();
    assert_eq!(right["recordOutcome"]["outcomeAssessment"]["comparedWithPhotoId"], before);
    let made = Made::of(&right["recordOutcome"]["outcomeAssessment"]);
    let wrong = record(&anna, scored(&patient, json!({"photoId": foreign}))).await;
    assert_eq!(wrong.faults(), ["input.photoId"]);
    let same = record(&anna, scored(&patient, json!({"photoId": after, "comparedWithPhotoId": after}))).await;
    assert_eq!(same.faults(), ["input.comparedWithPhotoId"]);
    let patch = made.edit_with(json!({"patch": {"photoId": foreign}}));
    assert_eq!(anna.does("updateOutcome", patch, WHOLE).await.faults(), ["input.patch.photoId"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_tells_the_change_and_refuses_to_mix() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let ask = async |variables: Value| {
        let mut all = json!({"id": patient.id, "scale": "gais"});
        all.as_object_mut().unwrap().extend(variables.as_object().unwrap().clone());
        anna.graphql(SERIES, all).await
    };
    assert_eq!(ask(json!({})).await.ok()["patient"]["outcomeSeries"], Value::Null, "nothing yet");
    // Put in out of order: the moment counts.
    for (score, hours) in [("3", 10), ("4", 30), ("2", 20)] {
        anna.outcome(&patient, score, hours, json!({"area": "CHEEK"})).await;
    }
    let series = ask(json!({})).await.ok()["patient"]["outcomeSeries"].clone();
    assert_eq!(
        series,
        json!({
            "scale": {"version": "1-to-5"}, "points": [{"score": "4"}, {"score": "2"}, {"score": "3"}],
            "changeSinceFirst": "-1", "better": true,
            "bestPair": {"before": {"score": "4"}, "after": {"score": "2"}, "change": "-2"},
        })
    );
    record(&anna, scored(&patient, json!({"scaleVersion": "minus-1-to-3", "assessedAt": hours_ago(5)}))).await.ok();
    let mixed = ask(json!({})).await;
    assert_eq!((mixed.code(), mixed.faults()), ("BAD_USER_INPUT", vec!["scaleVersion", "raterRole"]));
    for word in ["1-to-5, minus-1-to-3", "PRACTITIONER, PATIENT"] {
        assert!(mixed.text.contains(word), "{}", mixed.text);
    }
    assert_eq!(mixed.data["patient"]["outcomeSeries"], Value::Null);
    assert_eq!(ask(json!({"version": "1-to-5"})).await.ok()["patient"]["outcomeSeries"], series);
    assert_eq!(ask(json!({"role": "PRACTITIONER"})).await.ok()["patient"]["outcomeSeries"], series);
    let one = ask(json!({"role": "PATIENT"})).await.ok()["patient"]["outcomeSeries"].clone();
    let alone = json!({"scale": {"version": "minus-1-to-3"}, "points": [{"score": "2"}], "changeSinceFirst": null, "better": null, "bestPair": null});
    assert_eq!(one, alone);
    assert_eq!(ask(json!({"area": "CHEEK"})).await.ok()["patient"]["outcomeSeries"], series);
    assert_eq!(ask(json!({"area": "CHIN"})).await.ok()["patient"]["outcomeSeries"], Value::Null);
    assert_eq!(ask(json!({"scale": "vas"})).await.faults(), ["scale"]);
    assert_eq!(ask(json!({"version": "9"})).await.faults(), ["scaleVersion"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scales_and_the_list() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let scales =
        clinic.front_desk().ask("{ outcomeScales { code version min max step better labels { score text } } }").await;
    let gais: Vec<_> = scales["outcomeScales"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|scale| scale["code"] == "gais")
        .map(|scale| (scale["min"].clone(), scale["max"].clone(), scale["better"].clone()))
        .collect();
    assert_eq!(
        gais,
        [(json!("1"), json!("5"), json!("LOWER")), (json!("-1"), json!("3"), json!("HIGHER"))],
        "{scales}"
    );
    let (ada, eve) = (anna.patient("Ada", "A").await, anna.patient("Eve", "E").await);
    let session = anna.session(&eve).await;
    let density = json!({"scale": "hair_density", "scaleVersion": "per-cm2", "score": "153.4", "area": "SCALP"});
    let ids = [
        anna.outcome(&ada, "2", 72, json!({"area": "CHEEK"})).await.id,
        anna.outcome(&eve, "3", 48, json!({"raterRole": "PATIENT", "sessionId": session.id})).await.id,
        anna.outcome(&eve, "3", 24, density).await.id,
    ];
    let cases: &[(Value, &[usize])] = &[
        (json!({}), &[2, 1, 0]),
        (json!({"patientId": eve.id}), &[2, 1]),
        (json!({"sessionId": session.id}), &[1]),
        (json!({"planId": new_id("plan")}), &[]),
        (json!({"scale": "gais"}), &[1, 0]),
        (json!({"scaleVersion": "per-cm2"}), &[2]),
        (json!({"raterRole": ["PRACTITIONER"]}), &[2, 0]),
        (json!({"area": ["CHEEK", "SCALP"]}), &[2, 0]),
        (json!({"assessedFrom": hours_ago(49), "assessedBefore": hours_ago(25)}), &[1]),
        (json!({"includeEnteredInError": true}), &[2, 1, 0]),
        (json!({"updatedSince": "2999-01-01T00:00:00Z"}), &[]),
    ];
    let query = "query ($f: OutcomeAssessmentFilter) { outcomeAssessments(filter: $f) { totalCount nodes { id } } }";
    for (filter, expected) in cases {
        let data = anna.graphql(query, json!({"f": filter})).await.ok();
        let list = &data["outcomeAssessments"];
        let nodes: Vec<_> = list["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap()).collect();
        assert_eq!(nodes, expected.iter().map(|i| ids[*i].as_str()).collect::<Vec<_>>(), "{filter}");
        assert_eq!(list["totalCount"], nodes.len(), "{filter}");
    }
    let none = clinic.stranger().ask("{ outcomeAssessments { totalCount } }").await;
    assert_eq!(none["outcomeAssessments"]["totalCount"], 0);
}
