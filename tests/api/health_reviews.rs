//! Reviews of the health history: what they say, what contradicts them, and which session they cover.

use crate::support::*;

const WHOLE: &str =
    "healthReview { id version patient { id } reviewedAt reviewedBy { id } allergies medicines conditions
    pregnancy note enteredInError errorReason }";

async fn record(by: &SignedIn, patient: &Made, more: Value) -> Answer {
    let mut input = json!({"patientId": patient.id});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    by.does("recordHealthReview", input, WHOLE).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_is_recorded_and_taken_out_with_a_reason() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let said = json!({"reviewedAt": "2026-03-01T10:00:00Z", "allergies": "NONE_KNOWN", "medicines": "DECLINED", "note": "By phone"});
    let made = record(&anna, &patient, said).await.ok()["recordHealthReview"]["healthReview"].clone();
    let mut expected = json!({
        "id": made["id"], "version": 1, "patient": {"id": patient.id}, "reviewedAt": "2026-03-01T10:00:00Z",
        "reviewedBy": {"id": anna.id()}, "allergies": "NONE_KNOWN", "medicines": "DECLINED", "conditions": null,
        "pregnancy": null, "note": "By phone", "enteredInError": false, "errorReason": null,
    });
    assert_eq!(made, expected, "what was not asked is not NONE_KNOWN");
    let review = Made::of(&made);
    let mark = |version: i64| {
        let input = json!({"id": review.id, "expectedVersion": version, "reason": "Of her sister"});
        anna.does("markHealthReviewEnteredInError", input, WHOLE)
    };
    let (a, b) = tokio::join!(mark(1), mark(1));
    let mut outcomes = [a.outcome(), b.outcome()];
    outcomes.sort();
    assert_eq!(outcomes, ["CONFLICT", "ok"]);
    assert_eq!(mark(2).await.faults(), ["input.id"]);
    let empty = json!({"id": review.id, "expectedVersion": 2, "reason": " "});
    assert_eq!(anna.does("markHealthReviewEnteredInError", empty, "__typename").await.faults(), ["input.reason"]);
    let lists = "query ($id: ID!) { healthReview(id: $id) { version enteredInError errorReason history { nodes { version action } } } }";
    let lists = anna.graphql(lists, json!({"id": review.id})).await.ok();
    (expected["version"], expected["enteredInError"]) = (json!(2), json!(true));
    assert_eq!(
        lists["healthReview"],
        json!({"version": 2, "enteredInError": true, "errorReason": "Of her sister",
            "history": {"nodes": [{"version": 2, "action": "UPDATE"}, {"version": 1, "action": "CREATE"}]}})
    );
    let at = "query ($id: ID!) { patient(id: $id) { healthReviews { totalCount } error: healthReviews(filter: {includeEnteredInError: true}) { totalCount } } }";
    let at = anna.graphql(at, json!({"id": patient.id})).await.ok();
    assert_eq!(at["patient"], json!({"healthReviews": {"totalCount": 0}, "error": {"totalCount": 1}}));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_contradict_the_history_are_refused() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let unchanged = json!({"allergies": "UNCHANGED", "pregnancy": "NONE_KNOWN"});
    assert_eq!(record(&anna, &patient, unchanged.clone()).await.faults(), ["input.allergies"], "since what?");
    let allergy = anna.health_entry(&patient).await;
    let none = record(&anna, &patient, json!({"allergies": "NONE_KNOWN"})).await;
    assert_eq!(none.faults(), ["input.allergies"]);
    assert!(none.text.contains("Lidocaine") && none.text.contains(&allergy.id), "{}", none.text);
    record(&anna, &patient, json!({"allergies": "LISTED", "reviewedAt": hours_ago(48)})).await.ok();
    record(&anna, &patient, unchanged).await.ok();
    for (more, path) in [
        (json!({}), "input.allergies"),
        (json!({"allergies": "LISTED", "reviewedAt": "2999-01-01T00:00:00Z"}), "input.reviewedAt"),
        (json!({"allergies": "LISTED", "reviewedAt": "1980-01-01T00:00:00Z"}), "input.reviewedAt"),
        (json!({"allergies": "LISTED", "note": "x".repeat(5_001)}), "input.note"),
    ] {
        assert_eq!(record(&anna, &patient, more.clone()).await.faults(), [path], "{more}");
    }
    let edit = allergy.edit_with(json!({"patch": {"enteredInError": true}}));
    anna.make("updateHealthEntry", "healthEntry", edit).await;
    record(&anna, &patient, json!({"allergies": "NONE_KNOWN"})).await.ok();
    let foreign = clinic.stranger().patient("Max", "M").await;
    assert_eq!(record(&anna, &foreign, json!({"allergies": "NONE_KNOWN"})).await.code(), "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_a_review_is_warned_of_and_one_with_it_is_not() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let input = session_to_sign(&patient, &anna.location);
    let asked = async || {
        let query = "query ($input: LogSessionInput!) { sessionChecks(input: $input) { checks { rule verdict cause recordId } } }";
        let found = anna.graphql(query, json!({"input": {"protocolVersionId": anna.protocol().await.version,
            "patientId": patient.id, "locationId": anna.location, "modality": "MICRONEEDLING", "startedAt": input["startedAt"],
            "endedAt": input["endedAt"]}})).await.ok();
        let checks = found["sessionChecks"]["checks"].as_array().unwrap().clone();
        let of = |rule: &str| checks.iter().find(|it| it["rule"] == rule).cloned().unwrap_or_default();
        (of("HISTORY"), of("CONTRAINDICATION")["cause"].as_str().unwrap().to_owned())
    };
    let (told, cause) = asked().await;
    assert_eq!((&told["verdict"], &told["recordId"]), (&json!("WARN"), &json!(patient.id)), "{told}");
    assert!(cause.contains("nobody reviewed all of it"), "{cause}");
    let partly = record(
        &anna,
        &patient,
        json!({"allergies": "NONE_KNOWN", "medicines": "NONE_KNOWN", "pregnancy": "DECLINED",
        "reviewedAt": hours_ago(3)}),
    )
    .await
    .ok();
    let (told, _) = asked().await;
    assert_eq!(told["recordId"], partly["recordHealthReview"]["healthReview"]["id"]);
    let why = told["cause"].as_str().unwrap();
    assert!(why.contains("conditions: not asked; pregnancy: the patient was asked and did not want"), "{why}");
    let whole = anna.health_review(&patient, 3).await;
    let (told, cause) = asked().await;
    assert_eq!((&told["verdict"], cause.as_str()), (&json!("PASS"), "nothing in the health history speaks against it"));
    let error = whole.edit_with(json!({"reason": "Of her sister"}));
    anna.make("markHealthReviewEnteredInError", "healthReview", error).await;
    assert_eq!(asked().await.0["verdict"], "WARN");
}
