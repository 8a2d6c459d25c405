//! Checks that are never silent: without a protocol, with several kinds of treatment, with what was typed by hand.

use super::{CHECKS, against, ready, row, speaking_against};
use crate::support::*;

/// The answers to a session that do not pass, asked beforehand.
async fn asked(by: &SignedIn, input: &Value) -> Vec<Value> {
    let query = "query ($input: LogSessionInput!) { sessionChecks(input: $input) { checks { id rule verdict cause recordId } } }";
    speaking_against(&by.graphql(query, json!({"input": input})).await.ok()["sessionChecks"])
}

fn of_rule<'c>(checks: &'c [Value], rule: &str) -> Vec<&'c Value> {
    checks.iter().filter(|it| it["rule"] == rule).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_a_protocol_has_the_only_one_of_its_kind_or_warns() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let pacemaker =
        json!({"patientId": patient.id, "kind": "CONDITION", "code": "icd", "text": "Implanted defibrillator"});
    anna.make("addHealthEntry", "healthEntry", pacemaker).await;
    let start = json!({"patientId": patient.id, "locationId": anna.location, "modality": "RF_MICRONEEDLING",
        "device": {"model": "R", "kind": "RF"}, "areas": [{"area": "CHEEK"}]});
    let refused = anna.does("startSession", start, "__typename").await;
    assert_eq!(refused.code(), "PROTOCOL_BLOCKED", "{}", refused.text);
    // Of several protocols none is the session's; what needs none is asked, and the rest is not passed over.
    let mut input = session_to_sign(&patient, &anna.location);
    input.as_object_mut().unwrap().remove("overrides");
    let logged = anna.does("logSession", input, CHECKS).await.ok()["logSession"]["session"].clone();
    let expected = [
        row("CONSENT", "WARN", false),
        row("CONSULTATION", "WARN", false),
        row("PROTOCOL", "WARN", false),
        row("HISTORY", "WARN", false),
    ];
    assert_eq!(against(&logged), expected, "{logged}");
    assert!(!logged["checks"].as_array().unwrap().iter().any(|it| it["rule"] == "INTERVAL"));
    let refused = anna.does("signSession", Made::of(&logged).edit(), "__typename").await;
    assert_eq!(refused.faults().len(), 4, "{}", refused.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_held_to_every_kind_of_treatment_it_uses() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (patient, _) = ready(&anna).await;
    let platelets =
        json!({"patientId": patient.id, "kind": "CONDITION", "code": "thrombocytopenia", "text": "Low platelets"});
    let platelets = anna.make("addHealthEntry", "healthEntry", platelets).await;
    let mut input = session_to_sign(&patient, &anna.location);
    input["protocolVersionId"] = json!(anna.protocol().await.version);
    input["products"] = json!([{"role": "PRP", "product": "Autologous PRP", "quantity": "4", "unit": "mL"}]);
    let found = asked(&anna, &input).await;
    let block = of_rule(&found, "CONTRAINDICATION");
    assert_eq!((&block[0]["verdict"], &block[0]["recordId"]), (&json!("BLOCK"), &json!(platelets.id)), "{found:?}");
    input["device"] = json!({"model": "R", "kind": "RF"});
    let metal = json!({"patientId": patient.id, "kind": "CONDITION", "code": "pacemaker", "text": "Pacemaker"});
    let metal = anna.make("addHealthEntry", "healthEntry", metal).await;
    let found = asked(&anna, &input).await;
    assert!(found.iter().any(|it| it["recordId"] == metal.id && it["verdict"] == "BLOCK"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_by_hand_is_matched_to_the_catalogue() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (patient, _) = ready(&anna).await;
    let product = anna.product("Hyaluronic Serum 2 %").await;
    let lot = anna.lot(&product, "L-123").await;
    anna.make("noteLotRecall", "productLot", lot.edit_with(json!({"reason": "Particles"}))).await;
    let blood =
        json!({"patientId": patient.id, "kind": "CONDITION", "code": "methaemoglobinaemia", "text": "Since birth"});
    let blood = anna.make("addHealthEntry", "healthEntry", blood).await;
    let mut input = session_to_sign(&patient, &anna.location);
    input["protocolVersionId"] = json!(anna.protocol().await.version);
    input["products"] = json!([
        {"role": "SERUM", "product": "hyaluronic serum 2%", "lot": "l123"},
        {"role": "ANAESTHETIC", "product": "EMLA 5 %", "lot": "E1"},
        {"role": "SERUM", "product": "Vitamin C 20 %", "lot": "V1", "intradermalUse": "NO"},
    ]);
    let found = asked(&anna, &input).await;
    assert_eq!(of_rule(&found, "LOT")[0]["recordId"], lot.id, "{found:?}");
    assert_eq!(of_rule(&found, "ANAESTHETIC")[0]["recordId"], blood.id, "{found:?}");
    assert!(of_rule(&found, "PRODUCT")[0]["cause"].as_str().unwrap().contains("Vitamin C"), "{found:?}");
    // The same lot under another product is another lot.
    input["products"] = json!([{"role": "SERUM", "product": "Another serum", "lot": "L-123"}]);
    assert!(of_rule(&asked(&anna, &input).await, "LOT").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_tells_what_it_matched_and_impossible_days_are_refused() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let shown = "healthEntry { id version matched { code foundIn course listVersion } }";
    let brand =
        json!({"patientId": patient.id, "kind": "MEDICATION", "text": "Roaccutane 40 mg daily", "onsetOn": day(-300)});
    let added = anna.does("addHealthEntry", brand.clone(), shown).await.ok()["addHealthEntry"]["healthEntry"].clone();
    let matched = &added["matched"][0];
    assert_eq!((&matched["code"], &matched["foundIn"]), (&json!("isotretinoin"), &json!("TEXT")), "{added}");
    let unknown = json!({"patientId": patient.id, "kind": "ALLERGY", "text": "Zzyzx"});
    let unknown = anna.does("addHealthEntry", unknown, shown).await.ok();
    assert_eq!(unknown["addHealthEntry"]["healthEntry"]["matched"], json!([]));
    let mut early = brand;
    early["lastDoseOn"] = json!(day(-301));
    assert_eq!(anna.does("addHealthEntry", early, "__typename").await.faults(), ["input.lastDoseOn"]);
    let edit = Made::of(&added).edit_with(json!({"patch": {"lastDoseOn": day(-301)}}));
    assert_eq!(anna.does("updateHealthEntry", edit, "__typename").await.faults(), ["input.patch.lastDoseOn"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_its_own_reason() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (patient, _) = ready(&anna).await;
    for code in ["keloid_tendency", "rosacea"] {
        let entry = json!({"patientId": patient.id, "kind": "CONDITION", "code": code, "text": code});
        anna.make("addHealthEntry", "healthEntry", entry).await;
    }
    let mut input = session_to_sign(&patient, &anna.location);
    input["protocolVersionId"] = json!(anna.protocol().await.version);
    let one_for_both = json!([{"rule": "CONTRAINDICATION", "reason": "Discussed"}]);
    input["overrides"] = one_for_both;
    let refused = anna.does("logSession", input.clone(), CHECKS).await;
    assert_eq!(refused.faults(), ["input.overrides.0.checkId"], "{}", refused.text);
    input["overrides"] = json!([]);
    let logged = anna.does("logSession", input, CHECKS).await.ok()["logSession"]["session"].clone();
    let both = speaking_against(&logged);
    assert_eq!(both.len(), 2, "{logged}");
    let give = |version: i64, more: Value| {
        let mut input = json!({"sessionId": logged["id"], "expectedVersion": version, "rule": "CONTRAINDICATION", "reason": "Discussed"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let refused = anna.does("overrideSessionCheck", give(1, json!({})), CHECKS).await;
    assert_eq!(refused.faults(), ["input.checkId"], "{}", refused.text);
    let first = anna.does("overrideSessionCheck", give(1, json!({"recordId": both[0]["recordId"]})), CHECKS).await.ok();
    let first = &first["overrideSessionCheck"]["session"];
    assert_eq!(speaking_against(first).iter().filter(|it| it["settled"] == true).count(), 1, "{first}");
    // One is left: a reason for the rule means that one.
    let second = anna.does("overrideSessionCheck", give(2, json!({})), CHECKS).await.ok();
    assert!(speaking_against(&second["overrideSessionCheck"]["session"]).iter().all(|it| it["settled"] == true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_beyond_the_plan_and_one_logged_late_are_told() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (patient, consultation) = ready(&anna).await;
    let plan = json!({"consultationId": consultation.id, "protocolVersionId": anna.protocol().await.version,
        "plannedSessions": 3, "areas": [{"area": "CHEEK"}, {"area": "NOSE"}]});
    let plan = anna.make("createTreatmentPlan", "treatmentPlan", plan).await;
    let logged = async |hours: i64, area: &str| {
        let mut input = session_to_sign(&patient, &anna.location);
        input["planId"] = json!(plan.id);
        input["startedAt"] = json!(hours_ago(hours));
        input["endedAt"] = json!(hours_ago(hours - 1));
        input["areas"] = json!([{"area": area, "needleDepthMm": "1.0", "passes": 2}]);
        let done = anna.does("logSession", input, CHECKS).await.ok();
        against(&done["logSession"]["session"])
    };
    assert_eq!(logged(20, "CHEEK").await, []);
    let late = logged(50, "CHEEK").await;
    assert_eq!(late, [row("INTERVAL", "WARN", false)], "a day before another");
    assert_eq!(logged(15, "NOSE").await, []);
    let fourth = logged(10, "CHIN").await;
    assert_eq!(
        fourth,
        [row("COURSE", "WARN", false), row("COURSE", "WARN", false)],
        "of three, and no area of the plan"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_happens_before_the_birth() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let child = anna.patient_with("Ada", "Lovelace", json!({"birthDate": "2020-05-05"})).await;
    let text = anna.consent_text("TREATMENT", json!({})).await;
    let before = "2019-06-01T10:00:00Z";
    let mut session = session_to_sign(&child, &anna.location);
    (session["startedAt"], session["endedAt"]) = (json!(before), json!("2019-06-01T11:00:00Z"));
    let consultation =
        json!({"patientId": child.id, "locationId": anna.location, "heldAt": before, "mode": "IN_PERSON"});
    let guardian = json!({"signer": "GUARDIAN", "relationship": "mother", "givenAt": before});
    let eczema = json!({"patientId": child.id, "kind": "CONDITION", "text": "Eczema", "onsetOn": "2001-01-01"});
    for (mutation, input, path) in [
        ("logSession", session, "input.startedAt"),
        ("recordConsultation", consultation, "input.heldAt"),
        ("recordConsent", text.record(&child, guardian), "input.signing.givenAt"),
        ("addHealthEntry", eczema, "input.onsetOn"),
        (
            "recordOutcome",
            json!({"patientId": child.id, "scale": "gais", "scaleVersion": "1-to-5", "score": "2", "raterRole": "PATIENT",
                "assessedAt": before}),
            "input.assessedAt",
        ),
        (
            "reportAdverseEvent",
            json!({"patientId": child.id, "kind": "INFECTION", "onsetAt": before, "severity": "MILD"}),
            "input.onsetAt",
        ),
    ] {
        assert_eq!(anna.does(mutation, input, "__typename").await.faults(), [path], "{mutation}");
    }
    let session = anna.session(&child).await;
    let moved = session.edit_with(json!({"patch": {"startedAt": before, "endedAt": "2019-06-01T11:00:00Z"}}));
    assert_eq!(anna.does("updateSession", moved, "__typename").await.faults(), ["input.patch.startedAt"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_says_from_which_age_and_after_which_consultation_it_treats() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let today = chrono::Utc::now().date_naive();
    let seventeen = (today - chrono::TimeDelta::days(17 * 365 + 30)).to_string();
    let young = anna.patient_with("Ida", "Young", json!({"birthDate": seventeen})).await;
    let text = anna.consent_text("TREATMENT", json!({"modalities": ["MICRONEEDLING"]})).await;
    let own = text.record(&young, json!({"givenAt": hours_ago(3)}));
    let refused = anna.does("recordConsent", own.clone(), "consent { id }").await;
    assert!(refused.faults() == ["input.signing.signer"] && refused.text.contains("under 18"), "{}", refused.text);
    let called = json!({"mode": "TELEHEALTH", "heldAt": hours_ago(60)});
    let called = anna.consultation_with(&young, called).await;
    anna.sign_consultation(&called).await;
    let version = "query ($id: ID!) { location(id: $id) { version ageOfConsent consultationInPerson } }";
    let place = anna.graphql(version, json!({"id": anna.location})).await.ok()["location"].clone();
    assert_eq!((&place["ageOfConsent"], &place["consultationInPerson"]), (&json!(18), &json!(false)));
    let place = Made { id: anna.location.clone(), version: place["version"].as_i64().unwrap() };
    for wrong in [11, 22] {
        let input = place.edit_with(json!({"ageOfConsent": wrong}));
        assert_eq!(admin.does("updateLocation", input, "location { id }").await.faults(), ["input.ageOfConsent"]);
    }
    let ours = place.edit_with(json!({"ageOfConsent": 16, "consultationInPerson": true}));
    admin.make("updateLocation", "location", ours).await;
    anna.does("recordConsent", own, "consent { inForce }").await.ok();
    let mut input = session_to_sign(&young, &anna.location);
    input["protocolVersionId"] = json!(anna.protocol().await.version);
    let found = asked(&anna, &input).await;
    assert!(of_rule(&found, "CONSENT").is_empty(), "{found:?}");
    let told = of_rule(&found, "CONSULTATION");
    assert!(told.len() == 1 && told[0]["cause"].as_str().unwrap().contains("face to face"), "{found:?}");
    // The law of the place of the session counts: elsewhere nobody of 17 decides alone.
    let elsewhere = json!({"name": "Elsewhere", "timeZone": "Europe/Paris"});
    input["locationId"] = json!(admin.make("addLocation", "location", elsewhere).await.id);
    let found = asked(&anna, &input).await;
    assert_eq!((of_rule(&found, "CONSENT").len(), of_rule(&found, "CONSULTATION").len()), (1, 0), "{found:?}");
}
