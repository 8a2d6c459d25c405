//! A stormy year: what goes wrong in a clinic, and how the record is put right, on the built program over HTTP.

use super::{Story, list, with};
use crate::binary::verify;
use crate::support::*;
use chrono::{Datelike, NaiveDate, Utc};

/// What the rules say against a session of somebody, asked beforehand.
async fn against(by: &SignedIn, patient: &Made, more: Value) -> Vec<Value> {
    let query =
        "query ($input: LogSessionInput!) { sessionChecks(input: $input) { checks { rule verdict cause recordId } } }";
    let mut input = with(session_to_sign(patient, &by.location), more);
    input.as_object_mut().unwrap().remove("overrides");
    input["protocolVersionId"] = json!(by.protocol().await.version);
    let found = by.graphql(query, json!({"input": input})).await.ok()["sessionChecks"]["checks"].clone();
    list(&found).iter().filter(|it| it["verdict"] != "PASS").cloned().collect()
}

fn of_rule<'c>(checks: &'c [Value], rule: &str) -> Vec<&'c Value> {
    checks.iter().filter(|it| it["rule"] == rule).collect()
}

/// Ada was treated, and it was written and signed in Eve's chart: it is retracted there, and a draft of it is Ada's.
async fn the_wrong_patient(anna: &SignedIn, ada: &Made, eve: &Made) {
    let written = anna.session(eve).await;
    let signed = anna.sign_session(&written).await;
    assert_eq!(of_rule(&against(anna, eve, json!({})).await, "INTERVAL").len(), 1, "treated just now, it seems");
    let input = json!({"id": signed.id, "reason": "It was Ada who was treated", "correctPatientId": ada.id});
    let done = anna.does("retractSignedRecord", input.clone(), "retraction { copyId }").await.ok();
    let copy = done["retractSignedRecord"]["retraction"]["copyId"].as_str().expect("a copy").to_owned();
    assert_eq!(anna.does("retractSignedRecord", input, "retraction { copyId }").await.code(), "CONFLICT");
    assert!(of_rule(&against(anna, eve, json!({})).await, "INTERVAL").is_empty(), "Eve was not treated");
    assert_eq!(of_rule(&against(anna, ada, json!({})).await, "INTERVAL").len(), 1, "Ada was");
    let kept = "query ($id: ID!) { session(id: $id) { signature { contentHash } retraction { reason } } }";
    let kept = anna.graphql(kept, json!({"id": signed.id})).await.ok()["session"].clone();
    assert_eq!(kept["retraction"]["reason"], "It was Ada who was treated");
    assert!(kept["signature"]["contentHash"].is_string(), "what was signed stays as it was");
    anna.sign_session(&Made { id: copy, version: 1 }).await;
}

/// An allergy that is told by the name of a cream, once more by somebody else.
async fn an_allergy_by_its_brand(anna: &SignedIn, desk: &SignedIn, ada: &Made) {
    let allergy =
        json!({"patientId": ada.id, "kind": "ALLERGY", "text": "EMLA: my lip swelled", "severity": "ABSOLUTE"});
    let told = anna.does("addHealthEntry", allergy.clone(), "healthEntry { id matched { code } }").await.ok();
    let entry = &told["addHealthEntry"]["healthEntry"];
    assert_eq!(entry["matched"][0]["code"], "lidocaine", "{entry}");
    assert_eq!(desk.does("addHealthEntry", allergy.clone(), "healthEntry { id }").await.code(), "FORBIDDEN");
    let twice = anna.does("addHealthEntry", allergy, "healthEntry { id } possibleDuplicates { id }").await.ok();
    assert_eq!(twice["addHealthEntry"]["possibleDuplicates"][0]["id"], entry["id"], "it is there already");
    let found = against(anna, ada, json!({})).await;
    assert!(found.iter().any(|it| it["recordId"] == entry["id"]), "{found:?}");
}

/// A lot is recalled, in the shelf and in who got it; one of them has died.
async fn a_recalled_lot(story: &Story, anna: &SignedIn, ada: &Made, eve: &Made) {
    let product = anna.product("Storm serum").await;
    let lot = anna.lot(&product, "ST-1").await;
    for patient in [ada, eve] {
        anna.session_with_lot(patient, &lot).await;
    }
    anna.make("noteLotRecall", "productLot", lot.edit_with(json!({"reason": "Particles", "reference": "FSN-1"}))).await;
    let typed = json!({"products": [{"role": "SERUM", "product": "storm SERUM", "lot": "st-1"}]});
    let found = against(anna, ada, typed).await;
    assert!(of_rule(&found, "LOT")[0]["cause"].as_str().unwrap().contains("recalled"), "{found:?}");
    let notice = json!({"lotId": lot.id, "reason": "Particles", "dueUntil": day(7)});
    anna.does("createSafetyRecall", notice, "recall { id }").await.ok();
    let version = "query ($id: ID!) { patient(id: $id) { version } }";
    let version = anna.graphql(version, json!({"id": eve.id})).await.ok()["patient"]["version"].clone();
    let died = json!({"id": eve.id, "expectedVersion": version, "patch": {"deceasedOn": day(0)}});
    anna.does("updatePatient", died, "patient { id }").await.ok();
    let waiting = "{ recalls(filter: {state: [OPEN, OVERDUE], reason: [SAFETY_NOTICE]}) { nodes { patient { id } } } }";
    let waiting = story.desk.ask(waiting).await["recalls"]["nodes"].clone();
    assert_eq!(list(&waiting).len(), 2, "a notice reaches a family too: {waiting}");
}

/// A child whose mother agreed, and who is of age since yesterday.
async fn a_minor_who_comes_of_age(anna: &SignedIn) {
    let today = Utc::now().date_naive();
    let birthday = NaiveDate::from_ymd_opt(today.year() - 18, today.month(), today.day().min(28)).expect("a day");
    let child = anna
        .patient_with("Ida", "Storm", json!({"birthDate": (birthday - chrono::TimeDelta::days(3)).to_string()}))
        .await;
    let text = anna.consent_text("TREATMENT", json!({"modalities": ["MICRONEEDLING"]})).await;
    let own = text.record(&child, json!({"givenAt": hours_ago(24 * 200)}));
    let refused = anna.does("recordConsent", own, "consent { id }").await;
    assert_eq!(refused.faults(), ["input.signing.signer"], "under age then");
    let mother = json!({"signer": "GUARDIAN", "relationship": "mother", "signerName": "Anne Storm", "typedName": "Anne Storm",
        "givenAt": hours_ago(24 * 200)});
    anna.consent(&child, &text, mother).await;
    let then = json!({"startedAt": hours_ago(24 * 30 + 2), "endedAt": hours_ago(24 * 30 + 1)});
    let at_that_time = against(anna, &child, then).await;
    assert!(of_rule(&at_that_time, "CONSENT").is_empty(), "{at_that_time:?}");
    assert_eq!(of_rule(&at_that_time, "AGE").len(), 1, "the protocol is for adults");
    let now = against(anna, &child, json!({})).await;
    assert!(of_rule(&now, "CONSENT")[0]["cause"].as_str().unwrap().contains("of age"), "{now:?}");
    anna.consent(&child, &text, json!({"givenAt": hours_ago(3)})).await;
    assert!(of_rule(&against(anna, &child, json!({})).await, "CONSENT").is_empty(), "her own word");
}

/// Bob leaves a draft behind: Anna answers for it without having done it, and a colleague reads it over.
async fn a_leaver(story: &Story, anna: &SignedIn) {
    let lea = anna.patient("Lea", "Storm").await;
    let (bob, eva) = (new_colleague(&story.admin, "Bob").await, new_colleague(&story.admin, "Eva").await);
    let left =
        bob.session_with(&lea, json!({"startedAt": hours_ago(24 * 90), "endedAt": hours_ago(24 * 90 - 1)})).await;
    let me = Made::of(&bob.ask("{ me { id version } }").await["me"]);
    story.admin.make("updateStaff", "staff", me.edit_with(json!({"active": false}))).await;
    let as_author = anna.does("signSession", left.edit_with(json!({"meaning": "AUTHOR"})), "session { id }").await;
    assert!(as_author.faults().contains(&"input.meaning"), "{}", as_author.text);
    let over = left.edit_with(json!({"meaning": "TAKEN_OVER"}));
    let over = anna.does("signSession", over, "session { id signature { meaning statement } }").await.ok();
    let signature = over["signSession"]["session"]["signature"].clone();
    assert!(signature["statement"].as_str().unwrap().contains("Bob"), "{signature}");
    let read = json!({"recordId": left.id, "meaning": "REVIEWER"});
    eva.does("countersignRecord", read, "countersignature { id }").await.ok();
    let all = "query ($id: ID!) { session(id: $id) { signatures { meaning } } }";
    let all = anna.graphql(all, json!({"id": left.id})).await.ok()["session"]["signatures"].clone();
    assert_eq!(all, json!([{"meaning": "TAKEN_OVER"}, {"meaning": "REVIEWER"}]));
}

/// Two by pen, then three by radiofrequency; and one that was called off before it began.
async fn a_changed_course(anna: &SignedIn) {
    let patient = anna.patient("Uma", "Storm").await;
    let consultation = anna.consultation_with(&patient, json!({"heldAt": hours_ago(24 * 200)})).await;
    let pen = anna.protocol().await;
    let plan = anna.plan(&consultation, &pen).await;
    for days in [90, 60] {
        let times = json!({"planId": plan.id, "startedAt": hours_ago(24 * days), "endedAt": hours_ago(24 * days - 1)});
        anna.session_with(&patient, times).await;
    }
    let rf =
        anna.ask("{ protocols(filter: {modality: [RF_MICRONEEDLING]}) { nodes { publishedVersion { id } } } }").await;
    let rf = rf["protocols"]["nodes"][0]["publishedVersion"]["id"].clone();
    let change = json!({"protocolVersionId": rf, "plannedSessions": 3, "reason": "Plateau: three by RF"});
    let plan = anna
        .does("changeTreatmentCourse", plan.edit_with(change), "treatmentPlan { progress { done remaining } }")
        .await;
    assert_eq!(plan.ok()["changeTreatmentCourse"]["treatmentPlan"]["progress"], json!({"done": 0, "remaining": 3}));
    let prepared = json!({"patientId": patient.id, "locationId": anna.location, "modality": "RF_MICRONEEDLING", "status": "PREPARATION"});
    let session = anna.make("startSession", "session", prepared).await;
    let off = session.edit_with(json!({"reason": "Fainted before the first needle"}));
    let off = anna.does("stopSession", off, "session { status aftercare { inForce { code } } }").await.ok();
    assert_eq!(off["stopSession"]["session"], json!({"status": "NOT_DONE", "aftercare": null}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stormy_year() {
    let database = Database::copy().await;
    let objects = tempfile::tempdir().expect("a folder");
    let mut story = Story::begin(&database.url(), objects.path().to_str().unwrap()).await;
    let anna = story.anna.clone();
    let (ada, eve) = (anna.patient("Ada", "Storm").await, anna.patient("Eve", "Storm").await);
    the_wrong_patient(&anna, &ada, &eve).await;
    an_allergy_by_its_brand(&anna, &story.desk, &ada).await;
    a_recalled_lot(&story, &anna, &ada, &eve).await;
    a_minor_who_comes_of_age(&anna).await;
    a_leaver(&story, &anna).await;
    a_changed_course(&anna).await;
    story.service.stop().await;
    verify(&database.url()).await;
}
