//! Signing off what blocks: who may, and until when it holds.

use super::{CHECKS, against, ready, row};
use crate::staff::colleague;
use crate::support::*;

/// A patient who takes isotretinoin, and a session for her by Anna that is prepared and blocked by it.
async fn blocked(anna: &SignedIn, clinic: &Clinic, prescriber: &SignedIn) -> (Made, Value) {
    let (patient, consultation) = ready(anna).await;
    let plan = anna.plan(&consultation, &anna.protocol().await).await;
    let pill =
        json!({"patientId": patient.id, "kind": "MEDICATION", "code": "isotretinoin", "text": "Isotretinoin 20 mg"});
    anna.make("addHealthEntry", "healthEntry", pill).await;
    clinic.admin().make("addCredential", "credential", credential_of(prescriber.id())).await;
    let start = json!({"patientId": patient.id, "locationId": anna.location, "modality": "MICRONEEDLING", "planId": plan.id,
        "status": "PREPARATION", "areas": [{"area": "CHEEK", "needleDepthMm": "1.5", "passes": 2}],
        "device": {"model": "Derma Pen 4", "kind": "MOTORISED_PEN"}});
    let session = anna.does("startSession", start, CHECKS).await.ok()["startSession"]["session"].clone();
    (patient, session)
}

/// Says whether the one credential of somebody counts.
async fn counts(clinic: &Clinic, who: &SignedIn, active: bool) -> Made {
    let found = who.ask("{ me { credentials { id version } } }").await["me"]["credentials"][0].clone();
    let patch = json!({"patch": {"active": active}});
    clinic.admin().make("updateCredential", "credential", Made::of(&found).edit_with(patch)).await
}

async fn patched(by: &SignedIn, session: &Value, patch: Value) -> Answer {
    by.does("updateSession", Made::of(session).edit_with(json!({"patch": patch})), CHECKS).await
}

async fn signed_off(by: &SignedIn, session: &Value, more: Value) -> Answer {
    let mut input = json!({"sessionId": session["id"], "expectedVersion": session["version"], "rule": "CONTRAINDICATION", "reason": "Low dose"});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    by.does("signOffSessionCheck", input, CHECKS).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_has_a_sign_off_of_their_own() {
    let clinic = Clinic::start().await;
    let (anna, bob) = (clinic.practitioner(), colleague(&clinic, "Bob").await);
    let (_, session) = blocked(&anna, &clinic, &bob).await;
    let settled = signed_off(&bob, &session, json!({})).await.ok()["signOffSessionCheck"]["session"].clone();
    assert_eq!(against(&settled), [row("CONTRAINDICATION", "BLOCK", true)]);
    // Who signed off is given the session: what he signed off is lost with that, and it can't begin.
    let over = json!({"practitionerId": bob.id(), "status": "IN_PROGRESS"});
    assert_eq!(patched(&bob, &settled, over.clone()).await.code(), "FORBIDDEN", "it is not his to take");
    assert_eq!(patched(&anna, &settled, over).await.code(), "PROTOCOL_BLOCKED");
    let over =
        patched(&anna, &settled, json!({"practitionerId": bob.id()})).await.ok()["updateSession"]["session"].clone();
    assert_eq!(against(&over), [row("CONTRAINDICATION", "BLOCK", false)]);
    assert_eq!(signed_off(&bob, &over, json!({})).await.code(), "FORBIDDEN");
    // Given back, it is not settled again; and once he treated, he signs nothing off of it.
    let back =
        patched(&bob, &over, json!({"practitionerId": anna.id()})).await.ok()["updateSession"]["session"].clone();
    assert_eq!(against(&back), [row("CONTRAINDICATION", "BLOCK", false)]);
    let settled = signed_off(&bob, &back, json!({})).await.ok()["signOffSessionCheck"]["session"].clone();
    let begun =
        patched(&anna, &settled, json!({"status": "IN_PROGRESS"})).await.ok()["updateSession"]["session"].clone();
    let his =
        patched(&anna, &begun, json!({"practitionerId": bob.id()})).await.ok()["updateSession"]["session"].clone();
    let hers = patched(&bob, &his, json!({"practitionerId": anna.id()})).await.ok()["updateSession"]["session"].clone();
    let refused = signed_off(&bob, &hers, json!({})).await;
    assert!(refused.code() == "FORBIDDEN" && refused.text.contains("you were the practitioner"), "{}", refused.text);
    let alone = patched(&anna, &hers, json!({"supervisorId": anna.id()})).await;
    assert_eq!(alone.faults(), ["input.patch.supervisorId"], "nobody supervises themselves");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_off_of_who_may_no_longer_give_one_begins_nothing() {
    let clinic = Clinic::start().await;
    let (anna, bob) = (clinic.practitioner(), colleague(&clinic, "Bob").await);
    let (_, session) = blocked(&anna, &clinic, &bob).await;
    let settled = signed_off(&bob, &session, json!({})).await.ok()["signOffSessionCheck"]["session"].clone();
    let bare = counts(&clinic, &bob, false).await;
    assert_eq!(patched(&anna, &settled, json!({"status": "IN_PROGRESS"})).await.code(), "PROTOCOL_BLOCKED");
    let patch = json!({"patch": {"active": true}});
    clinic.admin().make("updateCredential", "credential", bare.edit_with(patch)).await;
    let begun =
        patched(&anna, &settled, json!({"status": "IN_PROGRESS"})).await.ok()["updateSession"]["session"].clone();
    // What was signed off when the treatment began stays signed off.
    let me = Made::of(&bob.ask("{ me { id version } }").await["me"]);
    clinic.admin().make("updateStaff", "staff", me.edit_with(json!({"active": false}))).await;
    let done = anna.make("completeSession", "session", Made::of(&begun).edit()).await;
    anna.sign_session(&done).await;
}

/// A session on a patient whom the protocol blocks, in preparation for a practitioner, whoever prepares it.
async fn prepared(by: &SignedIn, patient: &Made, practitioner: &SignedIn) -> Value {
    let start = json!({"patientId": patient.id, "locationId": practitioner.location, "practitionerId": practitioner.id(),
        "modality": "MICRONEEDLING", "protocolVersionId": practitioner.protocol().await.version, "status": "PREPARATION",
        "areas": [{"area": "CHEEK", "needleDepthMm": "1.5", "passes": 2}],
        "device": {"model": "Derma Pen 4", "kind": "MOTORISED_PEN"}});
    by.does("startSession", start, CHECKS).await.ok()["startSession"]["session"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_off_that_lapsed_ends_no_treatment_that_has_not_begun() {
    let clinic = Clinic::start().await;
    let (anna, bob) = (clinic.practitioner(), colleague(&clinic, "Bob").await);
    let (patient, session) = blocked(&anna, &clinic, &bob).await;
    // Nobody signed it off: it can't be over before it could begin. It can be called off.
    let refused = anna.does("completeSession", Made::of(&session).edit(), CHECKS).await;
    assert_eq!(refused.code(), "PROTOCOL_BLOCKED");
    assert!(refused.text.contains("logSession") && refused.text.contains("NOT_DONE"), "{}", refused.text);
    assert_eq!(refused.errors[0]["extensions"]["checks"][0]["rule"], "CONTRAINDICATION");
    let off = Made::of(&session).edit_with(json!({"reason": "Fainted"}));
    let off = anna.does("stopSession", off, CHECKS).await.ok()["stopSession"]["session"].clone();
    assert_eq!((&off["status"], &off["version"]), (&json!("NOT_DONE"), &json!(2)), "nothing was written before");
    // Who signed it off may not do so any more.
    let session = prepared(&anna, &patient, &anna).await;
    let draft = signed_off(&bob, &session, json!({})).await.ok()["signOffSessionCheck"]["session"].clone();
    let bare = counts(&clinic, &bob, false).await;
    assert_eq!(against(&draft), [row("CONTRAINDICATION", "BLOCK", true)]);
    let refused = anna.does("completeSession", Made::of(&draft).edit(), CHECKS).await;
    assert_eq!(refused.code(), "PROTOCOL_BLOCKED");
    // He may again: the treatment begins and ends in one, and is signed.
    let patch = json!({"patch": {"active": true}});
    clinic.admin().make("updateCredential", "credential", bare.edit_with(patch)).await;
    let done = anna.does("completeSession", Made::of(&draft).edit(), CHECKS).await.ok();
    let done = &done["completeSession"]["session"];
    assert_eq!((&done["status"], against(done)), (&json!("COMPLETED"), vec![row("CONTRAINDICATION", "BLOCK", true)]));
    anna.sign_session(&Made::of(done)).await;
    // What was done without being begun is written down, whatever the rules say.
    let mut logged = session_to_sign(&patient, &anna.location);
    logged["protocolVersionId"] = json!(anna.protocol().await.version);
    anna.make("logSession", "session", logged).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signed_off_neither_begins_ends_nor_signs() {
    let clinic = Clinic::start().await;
    let (anna, bob) = (clinic.practitioner(), colleague(&clinic, "Bob").await);
    let (patient, _) = blocked(&anna, &clinic, &bob).await;
    // Bob prepares a session for Anna, who knows nothing of it, and signs it off: alone he comes no further.
    let session = prepared(&bob, &patient, &anna).await;
    let settled = signed_off(&bob, &session, json!({})).await.ok()["signOffSessionCheck"]["session"].clone();
    let ends = [("completeSession", json!({})), ("stopSession", json!({"reason": "Fainted"}))];
    let refused = patched(&bob, &settled, json!({"status": "IN_PROGRESS"})).await;
    assert!(refused.code() == "FORBIDDEN" && refused.text.contains("practitioner begins"), "{}", refused.text);
    let refused = bob.does("completeSession", Made::of(&settled).edit(), CHECKS).await;
    assert!(refused.code() == "FORBIDDEN" && refused.text.contains("its practitioner"), "{}", refused.text);
    let begin = json!({"status": "IN_PROGRESS", "supervisorId": bob.id()});
    let begun = patched(&anna, &settled, begin).await.ok()["updateSession"]["session"].clone();
    for (mutation, more) in ends {
        let refused = bob.does(mutation, Made::of(&begun).edit_with(more), CHECKS).await;
        assert!(refused.code() == "FORBIDDEN" && refused.text.contains("its practitioner"), "{}", refused.text);
    }
    let done = anna.make("completeSession", "session", Made::of(&begun).edit()).await;
    // The first signature is of who treated. The supervisor co-signs.
    for meaning in ["AUTHOR", "SUPERVISOR", "REVIEWER"] {
        let refused = bob.does("signSession", done.edit_with(json!({"meaning": meaning})), CHECKS).await;
        assert!(refused.code() == "FORBIDDEN" && refused.text.contains("addAddendum"), "{meaning} {}", refused.text);
    }
    anna.sign_session(&done).await;
    bob.make("countersignRecord", "countersignature", json!({"recordId": done.id, "meaning": "SUPERVISOR"})).await;
    // Nor what he wrote down as done by her.
    let mut logged = session_to_sign(&patient, &bob.location);
    logged["protocolVersionId"] = json!(anna.protocol().await.version);
    logged["practitionerId"] = json!(anna.id());
    let logged = bob.does("logSession", logged, CHECKS).await.ok()["logSession"]["session"].clone();
    let settled = signed_off(&bob, &logged, json!({})).await.ok()["signOffSessionCheck"]["session"].clone();
    let alone = Made::of(&settled).edit_with(json!({"meaning": "REVIEWER"}));
    assert_eq!(bob.does("signSession", alone, CHECKS).await.code(), "FORBIDDEN");
}
