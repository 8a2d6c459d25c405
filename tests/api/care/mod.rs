//! Care rules at work: checks before and after, overrides, sign-off, completeness, aftercare.

mod kept;
mod never_silent;
mod sign_offs;

use crate::staff::colleague;
use crate::support::*;

const CHECKS: &str = "session { id version status checks { id rule verdict cause recordId settled override { reason by { id } supervisor { id } } } }";

/// The checks that do not pass, as (rule, verdict, settled).
fn against(session: &Value) -> Vec<(String, String, bool)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = session["checks"].as_array().unwrap().iter();
    all.filter(|it| it["verdict"] != "PASS")
        .map(|it| (text(&it["rule"]), text(&it["verdict"]), it["settled"] == true))
        .collect()
}

fn row(rule: &str, verdict: &str, settled: bool) -> (String, String, bool) {
    (rule.to_owned(), verdict.to_owned(), settled)
}

/// A patient with a consultation and the consent to be treated, ready for a plan.
pub async fn ready(by: &SignedIn) -> (Made, Made) {
    let patient = by.patient("Ada", "Lovelace").await;
    let consultation = by.signed_consultation(&patient).await;
    let text = by.consent_text("TREATMENT", json!({})).await;
    by.consent(&patient, &text, json!({"givenAt": hours_ago(60)})).await;
    // One review covers a session of its day and of the day after.
    for hours in [3, 27, 51] {
        by.health_review(&patient, hours).await;
    }
    (patient, consultation)
}

/// A session that follows a protocol; that it comes too soon after another has its reason.
pub async fn checked_session(by: &SignedIn, patient: &Made) -> Made {
    let reasons = json!([{"rule": "INTERVAL", "reason": "Flies on Monday, \"for good\""}]);
    let rules = by.protocol().await.version;
    by.session_with(patient, json!({"protocolVersionId": rules, "overrides": reasons})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_warns_takes_a_reason_before_it_is_signed() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (patient, consultation) = ready(&anna).await;
    let plan = anna.plan(&consultation, &anna.protocol().await).await;
    let first = anna
        .session_with(&patient, json!({"planId": plan.id, "startedAt": hours_ago(50), "endedAt": hours_ago(49)}))
        .await;
    let mut soon = session_to_sign(&patient, &anna.location);
    soon["planId"] = json!(plan.id);
    // Before: the same input, and nothing is written.
    let query = "query ($input: LogSessionInput!) { sessionChecks(input: $input) { verdict protocolVersion { number } checks { rule verdict recordId cause } } }";
    let before = anna.graphql(query, json!({"input": soon})).await.ok()["sessionChecks"].clone();
    assert_eq!(before["verdict"], "WARN", "{before}");
    let warning = before["checks"].as_array().unwrap().iter().find(|it| it["verdict"] == "WARN").unwrap().clone();
    assert_eq!((&warning["rule"], &warning["recordId"]), (&json!("INTERVAL"), &json!(first.id)));
    assert_eq!(anna.ask("{ sessions { totalCount } }").await["sessions"]["totalCount"], 1);
    // After: kept with the session, and not to be signed without a reason.
    let logged = anna.does("logSession", soon, CHECKS).await.ok()["logSession"]["session"].clone();
    assert_eq!(against(&logged), [row("INTERVAL", "WARN", false)]);
    let session = Made::of(&logged);
    let refused = anna.does("signSession", session.edit(), "__typename").await;
    assert!(refused.faults() == ["checks.0"] && refused.text.contains("overrideSessionCheck"), "{}", refused.text);
    let complete = "query ($id: ID!) { chartCompleteness(recordId: $id) { ready signed items { field cost } } }";
    let lacks = anna.graphql(complete, json!({"id": session.id})).await.ok();
    assert_eq!(
        lacks["chartCompleteness"],
        json!({"ready": false, "signed": false, "items": [{"field": "checks.0", "cost": "CAN_SIGN_WITH_REASON"}]})
    );
    let wanted = |rule: &str, version: i64| json!({"sessionId": session.id, "expectedVersion": version, "rule": rule, "reason": "Flies on Monday"});
    assert_eq!(anna.does("overrideSessionCheck", wanted("DEPTH", 1), "__typename").await.faults(), ["input.rule"]);
    let settled =
        anna.does("overrideSessionCheck", wanted("INTERVAL", 1), CHECKS).await.ok()["overrideSessionCheck"]["session"]
            .clone();
    assert_eq!(against(&settled), [row("INTERVAL", "WARN", true)]);
    assert_eq!(
        settled["checks"][0]["override"],
        json!({"reason": "Flies on Monday", "by": {"id": anna.id()}, "supervisor": null})
    );
    // A further edit keeps the reason.
    let edit = json!({"id": session.id, "expectedVersion": 2, "patch": {"note": "Went well"}});
    let edited = anna.does("updateSession", edit, CHECKS).await.ok()["updateSession"]["session"].clone();
    assert_eq!(against(&edited), [row("INTERVAL", "WARN", true)]);
    assert_eq!(anna.graphql(complete, json!({"id": session.id})).await.ok()["chartCompleteness"]["ready"], true);
    anna.sign_session(&Made::of(&edited)).await;
    let signed = anna.does("overrideSessionCheck", wanted("INTERVAL", 4), "__typename").await;
    assert_eq!(signed.code(), "RECORD_SIGNED");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_blocks_stops_a_treatment_that_has_not_begun_until_a_prescriber_signs_it_off() {
    let clinic = Clinic::start().await;
    let (anna, bob) = (clinic.practitioner(), colleague(&clinic, "Bob").await);
    let (patient, consultation) = ready(&anna).await;
    let plan = anna.plan(&consultation, &anna.protocol().await).await;
    let pill =
        json!({"patientId": patient.id, "kind": "MEDICATION", "code": "isotretinoin", "text": "Isotretinoin 20 mg"});
    let pill = anna.make("addHealthEntry", "healthEntry", pill).await;
    let start = |status: &str| {
        json!({"patientId": patient.id, "locationId": anna.location, "modality": "MICRONEEDLING", "planId": plan.id,
        "status": status, "areas": [{"area": "CHEEK", "side": "LEFT"}]})
    };
    let blocked = anna.does("startSession", start("IN_PROGRESS"), "__typename").await;
    assert_eq!(blocked.code(), "PROTOCOL_BLOCKED", "{}", blocked.text);
    let told = &blocked.errors[0]["extensions"]["checks"][0];
    assert_eq!(
        (&told["rule"], &told["verdict"], &told["recordId"]),
        (&json!("CONTRAINDICATION"), &json!("BLOCK"), &json!(pill.id))
    );
    let prepared =
        anna.does("startSession", start("PREPARATION"), CHECKS).await.ok()["startSession"]["session"].clone();
    assert_eq!(against(&prepared), [row("CONTRAINDICATION", "BLOCK", false)]);
    let session = Made::of(&prepared);
    let begin =
        |version: i64| json!({"id": session.id, "expectedVersion": version, "patch": {"status": "IN_PROGRESS"}});
    assert_eq!(anna.does("updateSession", begin(1), "__typename").await.code(), "PROTOCOL_BLOCKED");
    let off = json!({"sessionId": session.id, "expectedVersion": 1, "rule": "CONTRAINDICATION", "reason": "Low dose, small area"});
    let reason = anna.does("overrideSessionCheck", off.clone(), "__typename").await;
    assert!(reason.code() == "BAD_USER_INPUT" && reason.text.contains("signOffSessionCheck"), "{}", reason.text);
    assert_eq!(
        anna.does("signOffSessionCheck", off.clone(), "__typename").await.code(),
        "FORBIDDEN",
        "her own session"
    );
    assert_eq!(bob.does("signOffSessionCheck", off.clone(), "__typename").await.code(), "FORBIDDEN", "no credential");
    clinic.admin().make("addCredential", "credential", credential_of(bob.id())).await;
    let signed_off = bob.does("signOffSessionCheck", off, CHECKS).await.ok()["signOffSessionCheck"]["session"].clone();
    assert_eq!(against(&signed_off), [row("CONTRAINDICATION", "BLOCK", true)]);
    let kept = signed_off["checks"].as_array().unwrap().iter().find(|it| it["verdict"] == "BLOCK").unwrap();
    assert_eq!(kept["override"]["supervisor"]["id"], bob.id());
    anna.does("updateSession", begin(2), CHECKS).await.ok();
    // What was done is written down whatever the rules say, and can't be signed without the sign-off.
    let mut done = session_to_sign(&patient, &anna.location);
    done["planId"] = json!(plan.id);
    done["overrides"] = json!([{"rule": "INTERVAL", "reason": "The one that was begun is this one"}]);
    let done = Made::of(&anna.does("logSession", done, CHECKS).await.ok()["logSession"]["session"]);
    assert_eq!(anna.does("signSession", done.edit(), "__typename").await.code(), "PROTOCOL_BLOCKED");
}

#[tokio::test(flavor = "multi_thread")]
async fn consents_lots_devices_and_depth_are_looked_at() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    anna.signed_consultation(&patient).await;
    let rules = anna.protocol().await;
    let device = json!({"model": "Short pen", "kind": "MOTORISED_PEN", "depthMaxMm": "1"});
    let device = anna.make("addDevice", "device", device).await;
    let product = anna.product("Serum").await;
    let lot = anna
        .make("addProductLot", "productLot", json!({"productId": product.id, "lot": "OLD", "expiresOn": "2020-01-01"}))
        .await;
    anna.make("noteLotRecall", "productLot", lot.edit_with(json!({"reason": "Particles"}))).await;
    let mut input = session_to_sign(&patient, &anna.location);
    input["protocolVersionId"] = json!(rules.version);
    input["device"] = json!({"deviceId": device.id});
    input["products"] = json!([{"role": "SERUM", "lotId": lot.id}]);
    input["areas"] = json!([{"area": "CHEEK", "needleDepthMm": "2", "passes": 3}]);
    let logged = anna.does("logSession", input, CHECKS).await.ok()["logSession"]["session"].clone();
    let expected = [
        row("DEPTH", "BLOCK", false),
        row("DEPTH", "WARN", false),
        row("CONSENT", "BLOCK", false),
        row("LOT", "WARN", false),
        row("LOT", "WARN", false),
        row("HISTORY", "WARN", true),
    ];
    assert_eq!(against(&logged), expected, "{logged}");
    // The protocol that decides is named, and of several none is guessed.
    let mut unnamed = session_to_sign(&patient, &anna.location);
    let query = "query ($input: LogSessionInput!) { sessionChecks(input: $input) { verdict } }";
    assert_eq!(anna.graphql(query, json!({"input": unnamed})).await.faults(), ["input.protocolVersionId"]);
    unnamed["modality"] = json!("PRP");
    assert_eq!(anna.graphql(query, json!({"input": unnamed})).await.ok()["sessionChecks"]["verdict"], "BLOCK");
    assert_eq!(clinic.front_desk().graphql(query, json!({"input": unnamed})).await.code(), "FORBIDDEN");
}

#[tokio::test(flavor = "multi_thread")]
async fn aftercare_is_what_holds_at_that_moment_by_the_location_s_clock() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    anna.consultation_with(&patient, json!({"heldAt": "2026-03-20T10:00:00Z"})).await;
    let rules = anna.protocol().await;
    // It ends at 23:50 in Madrid, the night the clocks go forward.
    let night = json!({"protocolVersionId": rules.version, "startedAt": "2026-03-28T22:00:00Z", "endedAt": "2026-03-28T22:50:00Z"});
    let session = anna.session_with(&patient, night).await;
    let query = "query ($id: ID!, $at: DateTime!) { session(id: $id) { aftercare(at: $at) { timeZone inForce { code startsAt endsAt } upcoming { code }
        localWindows { code starts ends } checkInsDue { code } checkInsOverdue { code } checkInsUpcoming { code } } patient { aftercare(at: $at) { session { id } } } } }";
    let at = async |at: &str| anna.graphql(query, json!({"id": session.id, "at": at})).await.ok()["session"].clone();
    let night = at("2026-03-29T00:00:00Z").await;
    let sun = night["aftercare"]["inForce"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["code"] == "no_direct_sun")
        .unwrap()
        .clone();
    assert_eq!((&sun["startsAt"], &sun["endsAt"]), (&json!("2026-03-28T22:50:00Z"), &json!("2026-03-29T22:50:00Z")));
    let local = night["aftercare"]["localWindows"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["code"] == "no_direct_sun")
        .unwrap()
        .clone();
    assert_eq!(
        (&local["starts"], &local["ends"]),
        (&json!("2026-03-28T23:50:00+01:00"), &json!("2026-03-30T00:50:00+02:00"))
    );
    assert_eq!(
        (&night["aftercare"]["timeZone"], &night["patient"]["aftercare"]),
        (&json!("Europe/Madrid"), &json!([{"session": {"id": session.id}}]))
    );
    assert_eq!(at("2026-03-28T22:00:00Z").await["aftercare"]["inForce"], json!([]), "before its end");
    let second = at("2026-03-30T12:00:00Z").await["aftercare"].clone();
    let codes = |list: &Value| {
        list.as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        codes(&second["inForce"]),
        "no_exfoliants_retinoids_vitamin_c no_exercise no_sauna no_swimming gentle_moisturiser do_not_pick sunscreen danger_signs"
    );
    assert_eq!(
        (codes(&second["checkInsDue"]).as_str(), codes(&second["checkInsUpcoming"]).as_str()),
        ("day_1", "day_7")
    );
    let note = json!({"sessionId": session.id, "kind": "CHECK_IN", "redness": 2, "notedAt": "2026-03-30T13:00:00Z"});
    anna.make("addAftercareNote", "aftercareNote", note).await;
    let later = at("2026-04-20T12:00:00Z").await["aftercare"].clone();
    assert_eq!((codes(&later["inForce"]).as_str(), codes(&later["checkInsOverdue"]).as_str()), ("", "day_7"));
    assert_eq!(at("2026-07-01T00:00:00Z").await["patient"]["aftercare"], json!([]), "long over");
    let without = anna.session(&patient).await;
    let none = anna.graphql(query, json!({"id": without.id, "at": "2026-12-01T00:00:00Z"})).await.ok();
    assert_eq!(none["session"]["aftercare"], Value::Null, "no protocol, nothing to say");
}

/// The answers that do not pass.
fn speaking_against(session: &Value) -> Vec<Value> {
    session["checks"].as_array().unwrap().iter().filter(|it| it["verdict"] != "PASS").cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_asks_the_rules_again_and_an_answer_is_settled_by_its_id() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (patient, _) = ready(&anna).await;
    let rules = anna.protocol().await;
    let product = anna.product("Serum").await;
    let old = json!({"productId": product.id, "lot": "OLD", "expiresOn": day(-30)});
    let lot = anna.make("addProductLot", "productLot", old).await;
    let mut input = session_to_sign(&patient, &anna.location);
    input["protocolVersionId"] = json!(rules.version);
    input["products"] = json!([{"role": "SERUM", "lotId": lot.id}]);
    // The answer of the question beforehand is named in the session, which has the id that was asked with.
    input["id"] = json!(new_id("session"));
    let query =
        "query ($input: LogSessionInput!) { sessionChecks(input: $input) { checks { id rule verdict cause } } }";
    let asked = anna.graphql(query, json!({"input": input})).await.ok()["sessionChecks"].clone();
    let seen = speaking_against(&asked)[0].clone();
    input["overrides"] = json!([{"rule": "LOT", "checkId": "check_00", "reason": "Looked at"}]);
    assert_eq!(anna.does("logSession", input.clone(), CHECKS).await.code(), "CONFLICT");
    input["overrides"] = json!([{"rule": "LOT", "checkId": seen["id"], "reason": "Looked at"}]);
    let logged = anna.does("logSession", input, CHECKS).await.ok()["logSession"]["session"].clone();
    assert_eq!(against(&logged), [row("LOT", "WARN", true)]);
    assert_eq!(speaking_against(&logged)[0]["id"], seen["id"]);
    let session = Made::of(&logged);
    let ready = "query ($id: ID!) { chartCompleteness(recordId: $id) { ready items { checkId cost } } }";
    let lacks = async || anna.graphql(ready, json!({"id": session.id})).await.ok()["chartCompleteness"].clone();
    assert_eq!(lacks().await["ready"], true);
    // The lot is recalled, and the patient tells of her pill: the session still says what it said.
    anna.make("noteLotRecall", "productLot", lot.edit_with(json!({"reason": "Particles"}))).await;
    let recalled = lacks().await;
    assert_eq!(
        (&recalled["ready"], recalled["items"].as_array().map(Vec::len)),
        (&json!(false), Some(1)),
        "{recalled}"
    );
    let refused = anna.does("signSession", session.edit(), "__typename").await;
    assert_eq!(refused.code(), "PROTOCOL_BLOCKED", "{}", refused.text);
    let told = refused.errors[0]["extensions"]["checks"].as_array().unwrap().clone();
    let recall = told.iter().find(|it| it["cause"].as_str().unwrap().contains("recalled")).unwrap();
    assert_eq!(recall["id"], recalled["items"][0]["checkId"]);
    // A reason for what was seen leaves the recall open; by its id it is settled.
    let give = |version: i64, more: Value| {
        let mut input =
            json!({"sessionId": session.id, "expectedVersion": version, "rule": "LOT", "reason": "Talked about"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let again = anna.does("overrideSessionCheck", give(1, json!({})), CHECKS).await.ok();
    let again = &again["overrideSessionCheck"]["session"];
    let open: Vec<Value> = speaking_against(again).into_iter().filter(|it| it["settled"] == false).collect();
    assert!(open.len() == 1 && open[0]["id"] == recall["id"], "{again}");
    let gone = anna.does("overrideSessionCheck", give(2, json!({"checkId": "check_00"})), CHECKS).await;
    assert_eq!(gone.code(), "CONFLICT");
    assert_eq!(
        anna.does("overrideSessionCheck", give(1, json!({"checkId": recall["id"]})), CHECKS).await.code(),
        "CONFLICT",
        "another version"
    );
    anna.does("overrideSessionCheck", give(2, json!({"checkId": recall["id"]})), CHECKS).await.ok();
    assert_eq!(lacks().await["ready"], true);
    let signed = anna.does("signSession", json!({"id": session.id, "expectedVersion": 3}), CHECKS).await.ok();
    assert_eq!(speaking_against(&signed["signSession"]["session"]).len(), 2, "both are on the record");
}
