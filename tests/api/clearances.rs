//! Clearances: who gives one, and what the rule CLEARANCE says by the location's policy.

use crate::staff::colleague;
use crate::support::*;

async fn policy(clinic: &Clinic, more: Value) {
    let admin = clinic.admin();
    let query = "query ($id: ID!) { location(id: $id) { id version } }";
    let place = Made::of(&admin.graphql(query, json!({"id": clinic.north.location})).await.ok()["location"]);
    admin.make("updateLocation", "location", place.edit_with(more)).await;
}

/// What CLEARANCE says of a session on both cheeks: the verdicts, and the record of the first.
async fn said(by: &SignedIn, patient: &Made, more: Value) -> Vec<Value> {
    let mut next = session_to_sign(patient, &by.location);
    next["protocolVersionId"] = json!(by.protocol().await.version);
    next.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let query =
        "query ($next: LogSessionInput!) { sessionChecks(input: $next) { checks { rule verdict cause recordId } } }";
    let found = by.graphql(query, json!({"next": next})).await.ok();
    let checks = found["sessionChecks"]["checks"].as_array().expect("checks").clone();
    checks.into_iter().filter(|it| it["rule"] == "CLEARANCE").collect()
}

fn verdicts(said: &[Value]) -> Vec<&str> {
    said.iter().map(|it| it["verdict"].as_str().expect("a word")).collect()
}

async fn given(by: &SignedIn, patient: &Made, more: Value) -> Answer {
    let mut input =
        json!({"patientId": patient.id, "modalities": ["MICRONEEDLING"], "inPerson": true, "givenAt": hours_ago(3)});
    input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    by.does("giveClearance", input, "clearance { id version prescriber { id } modalities areas }").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_location_asks_for_a_clearance_as_its_policy_says() {
    let clinic = Clinic::start().await;
    let (anna, bob) = (clinic.practitioner(), colleague(&clinic, "Bob").await);
    let patient = anna.patient("Ada", "Lovelace").await;
    assert!(said(&bob, &patient, json!({})).await.is_empty(), "none is asked for");
    policy(&clinic, json!({"clearance": "ANY_MODE"})).await;
    assert_eq!(verdicts(&said(&bob, &patient, json!({})).await), ["WARN"]);
    policy(&clinic, json!({"clearanceBlocks": true})).await;
    assert_eq!(verdicts(&said(&bob, &patient, json!({})).await), ["BLOCK"]);
    let remote = given(&anna, &patient, json!({"inPerson": false})).await.ok()["giveClearance"]["clearance"].clone();
    let pass = said(&bob, &patient, json!({})).await;
    assert_eq!((verdicts(&pass), &pass[0]["recordId"]), (vec!["PASS"], &remote["id"]));
    policy(&clinic, json!({"clearance": "IN_PERSON"})).await;
    let refused = said(&bob, &patient, json!({})).await;
    assert!(
        verdicts(&refused) == ["BLOCK"] && refused[0]["cause"].as_str().expect("text").contains("face to face"),
        "{refused:?}"
    );
    let chin = json!({"areas": ["CHIN"]});
    given(&anna, &patient, chin).await.ok();
    let refused = said(&bob, &patient, json!({})).await;
    assert!(
        verdicts(&refused) == ["BLOCK"] && refused[0]["cause"].as_str().expect("text").contains("cheek"),
        "{refused:?}"
    );
    let seen =
        given(&anna, &patient, json!({"areas": ["CHEEK", "CHIN", "CHEEK"]})).await.ok()["giveClearance"]["clearance"]
            .clone();
    assert_eq!((&seen["prescriber"]["id"], &seen["areas"]), (&json!(anna.id()), &json!(["CHEEK", "CHIN"])));
    assert_eq!(verdicts(&said(&bob, &patient, json!({})).await), ["PASS"]);
    // RF by its device is another kind of treatment.
    let rf = json!({"device": {"model": "R", "kind": "RF"}});
    assert_eq!(verdicts(&said(&bob, &patient, rf).await), ["BLOCK"]);
    let revoked = Made::of(&seen).edit_with(json!({"reason": "A new medicine"}));
    anna.make("revokeClearance", "clearance", revoked.clone()).await;
    assert_eq!(anna.does("revokeClearance", revoked, "__typename").await.code(), "CONFLICT");
    // A moment is sent in whole seconds: the next one is after the revocation.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let now = json!({"startedAt": hours_ago(0), "endedAt": null});
    assert_eq!(verdicts(&said(&bob, &patient, now).await), ["BLOCK"], "from then on");
    assert_eq!(verdicts(&said(&bob, &patient, json!({})).await), ["PASS"], "it was in force two hours ago");
    // What blocks is signed off by a prescriber, as anything else.
    let start = json!({"patientId": patient.id, "locationId": bob.location, "modality": "TOPICAL_GROWTH_SERUM"});
    let refused = bob.does("startSession", start, "__typename").await;
    assert_eq!(refused.code(), "PROTOCOL_BLOCKED");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_prescriber_gives_a_clearance() {
    let clinic = Clinic::start().await;
    let (anna, bob, admin) = (clinic.practitioner(), colleague(&clinic, "Bob").await, clinic.admin());
    let patient = anna.patient("Ada", "Lovelace").await;
    let refused = given(&bob, &patient, json!({})).await;
    assert!(refused.code() == "FORBIDDEN" && refused.text.contains("addCredential"), "{}", refused.text);
    let mut limited = credential_of(bob.id());
    limited["modalities"] = json!(["PRP"]);
    admin.make("addCredential", "credential", limited).await;
    assert_eq!(given(&bob, &patient, json!({})).await.code(), "FORBIDDEN", "for another treatment");
    given(&bob, &patient, json!({"modalities": ["PRP"]})).await.ok();
    let mut fresh = credential_of(bob.id());
    fresh["validFrom"] = json!(day(0));
    admin.make("addCredential", "credential", fresh).await;
    let earlier = given(&bob, &patient, json!({"givenAt": hours_ago(60)})).await;
    assert_eq!(earlier.code(), "FORBIDDEN", "he was none that day");
    for (more, faults) in [
        (json!({"modalities": []}), vec!["input.modalities"]),
        (json!({"validUntil": day(-5)}), vec!["input.validUntil"]),
        (json!({"givenAt": "2100-01-01T00:00:00Z"}), vec!["input.givenAt"]),
    ] {
        assert_eq!(given(&anna, &patient, more.clone()).await.faults(), faults, "{more}");
    }
    for who in [clinic.admin(), clinic.front_desk(), clinic.auditor()] {
        assert_eq!(given(&who, &patient, json!({})).await.code(), "FORBIDDEN", "{:?}", who.role());
    }
    assert_eq!(given(&clinic.stranger(), &patient, json!({})).await.code(), "NOT_FOUND");
    let wrong = Made::of(&given(&anna, &patient, json!({})).await.ok()["giveClearance"]["clearance"]);
    anna.make("markClearanceEnteredInError", "clearance", wrong.edit()).await;
    let again = Made { version: 2, ..wrong };
    let refused = anna.does("revokeClearance", again.edit_with(json!({"reason": "x"})), "__typename").await;
    assert_eq!(refused.faults(), ["input.id"]);
}
