//! The first call, the consultation, and the consent to photos.

use super::{CONSULTED, SESSIONS, Story, iso, list, with};
use crate::support::*;
use chrono::Days;

/// The first call and the consultation, up to the plan.
pub(super) async fn before_the_first_session(story: &mut Story) {
    let input = json!({"legalName": {"given": "Zoë", "family": "Ramírez"}, "birthDate": "1990-05-17", "phone": "+34 600 123 456",
        "email": "zoe@mail.example"});
    story.patient = story.desk.make("registerPatient", "patient", input).await;
    story.note("the first call").await;
    let hidden = story
        .desk
        .graphql(
            "query ($id: ID!) { patient(id: $id) { displayName healthHistory { text } } }",
            json!({"id": story.patient.id}),
        )
        .await;
    assert_eq!(
        (hidden.outcome().as_str(), &hidden.data["patient"]["displayName"]),
        ("FORBIDDEN", &json!("Zoë Ramírez"))
    );

    let taken = json!({"patientId": story.patient.id, "kind": "MEDICATION", "code": "isotretinoin", "text": "Isotretinoin, two courses",
        "endedOn": story.day(800).to_string(), "lastDoseOn": story.day(800).to_string(), "source": "The patient", "verified": true});
    story.make("addHealthEntry", "healthEntry", "HEALTH_ENTRY", taken).await;
    let held = json!({"patientId": story.patient.id, "locationId": story.anna.location, "heldAt": iso(story.at(CONSULTED, 10)), "mode": "IN_PERSON",
        "concerns": ["ACNE_SCARS"], "goals": "Smoother cheeks", "findings": "Rolling scars on both cheeks", "scarTypes": ["ROLLING"]});
    let consultation = story.make("recordConsultation", "consultation", "CONSULTATION", held).await;
    let lacks = story.completeness(&consultation).await;
    let fields: Vec<&Value> = list(&lacks["items"]).iter().map(|it| &it["field"]).collect();
    assert_eq!((&lacks["ready"], fields), (&json!(false), vec![&json!("expectationsDiscussed"), &json!("candidacy")]));
    let refused = story.anna.does("signConsultation", consultation.edit(), "__typename").await;
    assert_eq!(refused.faults(), ["expectationsDiscussed", "candidacy"], "as was said before");
    let patch = json!({"expectationsDiscussed": true, "candidacy": "SUITABLE", "recommendedPlan": "Four sessions, four weeks apart"});
    let consultation =
        story.anna.make("updateConsultation", "consultation", consultation.edit_with(json!({"patch": patch}))).await;
    assert_eq!(story.completeness(&consultation).await, json!({"ready": true, "signed": false, "items": []}));
    story.anna.sign_consultation(&consultation).await;
    assert_eq!(story.completeness(&consultation).await["signed"], true);
    story.note("the consultation").await;

    let query = "{ protocols(filter: {modality: [MICRONEEDLING], indication: ACNE_SCARS, active: true}) { nodes { publishedVersion { id rules { intervalMinDays sessionsMin } } } } }";
    let protocols = story.anna.ask(query).await["protocols"]["nodes"].clone();
    assert_eq!(protocols.as_array().map(Vec::len), Some(1), "{protocols}");
    let rules = protocols[0]["publishedVersion"]["id"].clone();

    // Without a consent nothing may begin.
    story.ask_history(SESSIONS[0]).await;
    let planned = with(story.visit(SESSIONS[0]), json!({"protocolVersionId": rules}));
    let (verdict, told) = story.checks(planned).await;
    assert_eq!((verdict, told.len(), &told[0]["rule"]), (json!("BLOCK"), 1, &json!("CONSENT")));
    story.consent("TREATMENT", Some("MICRONEEDLING"), story.at(CONSULTED - 1, 10)).await;

    let plan = json!({"consultationId": consultation.id, "protocolVersionId": rules, "plannedSessions": 4,
        "areas": [{"area": "CHEEK", "side": "LEFT"}, {"area": "CHEEK", "side": "RIGHT"}], "startedOn": story.day(390).to_string()});
    story.plan = story.make("createTreatmentPlan", "treatmentPlan", "TREATMENT_PLAN", plan).await.id;
    let fresh = story.progress(story.day(390)).await;
    let start = story.day(390);
    assert_eq!(
        fresh,
        json!({"done": 0, "remaining": 4, "lastSession": null, "resultsReview": null, "maintenance": null, "overdue": false,
            "nextSession": {"from": start.to_string(), "target": start.to_string(), "until": (start + Days::new(56)).to_string()}})
    );
    assert_eq!(story.recall_for("NEXT_SESSION").await["patient"]["phone"], "+34600123456", "the desk can call");
}

/// No photo before the patient agrees to it.
pub(super) async fn photos_need_a_consent(story: &mut Story) -> (Made, Made) {
    let input =
        json!({"patientId": story.patient.id, "phase": "BEFORE", "view": "FRONTAL", "area": "CHEEK", "side": "LEFT"});
    let refused = story.anna.does("requestPhotoUpload", input, "uploadUrl").await;
    assert_eq!(refused.faults(), ["input.patientId"], "{}", refused.text);
    let consent = story.consent("CLINICAL_PHOTO", None, story.at(CONSULTED - 2, 10)).await;
    let before = story.photo(CONSULTED - 1, "BEFORE", 200, json!({})).await;
    let link = story.link(&before).await;
    assert_eq!(link["withheld"], Value::Null);
    assert_eq!(story.get(link["url"].as_str().unwrap()).await, (200, "image/jpeg".to_owned()));
    assert_eq!(
        story.desk.graphql("query ($id: ID!) { photo(id: $id) { id } }", json!({"id": before.id})).await.outcome(),
        "FORBIDDEN"
    );
    (before, consent)
}
