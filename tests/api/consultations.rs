//! Consultations: drafts, signing, lists.

use crate::staff::colleague;
use crate::support::*;

const WHOLE: &str = "consultation { id version practitioner { id } location { id } heldAt mode concerns goals findings scarTypes priorProcedures
    expectationsDiscussed candidacy candidacyReasons recommendedPlan patchTest { site performedAt product result note } validUntil
    signature { signedBy { id } meaning } }";

async fn update(by: &SignedIn, id: &str, version: i64, patch: Value) -> Answer {
    by.does("updateConsultation", json!({"id": id, "expectedVersion": version, "patch": patch}), WHOLE).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_may_be_incomplete_and_signing_tells_all_that_is_missing() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let draft =
        anna.make("recordConsultation", "consultation", json!({"patientId": patient.id, "mode": "TELEHEALTH"})).await;
    let missing = anna.does("signConsultation", draft.edit(), WHOLE).await;
    assert_eq!(
        (missing.code(), missing.faults()),
        ("BAD_USER_INPUT", vec!["concerns", "findings", "expectationsDiscussed", "candidacy"])
    );
    let more = json!({"concerns": ["OTHER"], "findings": "Rolling scars", "expectationsDiscussed": false, "candidacy": "DEFERRED"});
    update(&anna, &draft.id, 1, more).await.ok();
    let missing = anna
        .does("signConsultation", json!({"id": draft.id, "expectedVersion": 2, "meaning": "REVIEWER"}), WHOLE)
        .await;
    assert_eq!(missing.faults(), ["goals", "expectationsDiscussed", "candidacyReasons", "input.meaning"]);
    let rest = json!({"goals": "A tattoo", "expectationsDiscussed": true, "candidacyReasons": "Herpes, active"});
    update(&anna, &draft.id, 2, rest).await.ok();
    let signed = anna.does("signConsultation", json!({"id": draft.id, "expectedVersion": 3}), WHOLE).await.ok();
    let signed = &signed["signConsultation"]["consultation"];
    assert_eq!(
        (&signed["version"], &signed["signature"]),
        (&json!(4), &json!({"signedBy": {"id": anna.id()}, "meaning": "AUTHOR"}))
    );

    // For ever: whatever the version, whoever asks.
    for version in [3, 4] {
        assert_eq!(update(&anna, &draft.id, version, json!({"goals": "x"})).await.code(), "RECORD_SIGNED");
        let again = json!({"id": draft.id, "expectedVersion": version, "meaning": "AUTHOR"});
        assert_eq!(anna.does("signConsultation", again, WHOLE).await.code(), "RECORD_SIGNED");
    }
    let query = "query ($id: ID!) { consultation(id: $id) { goals history { nodes { version action by { id } changes { field } } } } }";
    let read = anna.graphql(query, json!({"id": draft.id})).await.ok()["consultation"].clone();
    assert_eq!(read["goals"], "A tattoo");
    let fields = |i: usize| -> Vec<String> {
        let changes = read["history"]["nodes"][i]["changes"].as_array().unwrap();
        changes.iter().map(|change| change["field"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(fields(1), ["candidacyReasons", "expectationsDiscussed", "goals"]);
    assert_eq!(fields(0), ["signature"]);
    let nodes = read["history"]["nodes"].as_array().unwrap();
    let actions: Vec<_> = nodes.iter().map(|node| node["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["SIGN", "UPDATE", "UPDATE", "CREATE"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_held_it_signs_first_and_as_author() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let bob = colleague(&clinic, "Bob").await;
    let patient = anna.patient("Ada", "Lovelace").await;
    for (signer, meaning, outcome) in [
        (&bob, "AUTHOR", "BAD_USER_INPUT"),
        (&anna, "REVIEWER", "BAD_USER_INPUT"),
        (&anna, "SUPERVISOR", "BAD_USER_INPUT"),
        (&anna, "AUTHOR", "ok"),
        (&bob, "REVIEWER", "BAD_USER_INPUT"),
        (&bob, "SUPERVISOR", "BAD_USER_INPUT"),
        (&clinic.admin(), "REVIEWER", "FORBIDDEN"),
        (&clinic.auditor(), "REVIEWER", "FORBIDDEN"),
    ] {
        let draft = anna.consultation(&patient).await;
        let answer = signer.does("signConsultation", draft.edit_with(json!({"meaning": meaning})), WHOLE).await;
        assert_eq!(answer.outcome(), outcome, "{:?} as {meaning}", signer.role());
    }
    // Recorded by one for another: the other is its author.
    let draft = anna.consultation_with(&patient, json!({"practitionerId": bob.id()})).await;
    assert_eq!(anna.does("signConsultation", draft.edit(), WHOLE).await.faults(), ["input.meaning"]);
    bob.does("signConsultation", draft.edit(), WHOLE).await.ok();
    let stale = anna.consultation(&patient).await;
    update(&anna, &stale.id, 1, json!({"goals": "changed meanwhile"})).await.ok();
    let answer = anna.does("signConsultation", stale.edit(), WHOLE).await;
    assert_eq!(
        (answer.code(), &answer.errors[0]["extensions"]["currentVersion"]),
        ("CONFLICT", &json!(2)),
        "one signs what one saw"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_keeps_what_is_absent_and_clears_what_is_null() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let test = json!({"site": "left forearm", "performedAt": hours_ago(70), "product": "Lidocaine 5 %", "result": "MILD", "note": "fine"});
    let more = json!({
        "concerns": ["WRINKLES", "ACNE_SCARS", "WRINKLES"], "priorProcedures": "Peel 2020", "candidacyReasons": "Fit", "patchTest": test, "validUntil": day(90),
    });
    let made = anna.consultation_with(&patient, more).await;
    let same = update(&anna, &made.id, 1, json!({})).await.ok()["updateConsultation"]["consultation"].clone();
    assert_eq!(
        (&same["concerns"], &same["patchTest"]),
        (&json!(["WRINKLES", "ACNE_SCARS"]), &test),
        "each concern once"
    );
    let optional = [
        "locationId",
        "goals",
        "findings",
        "priorProcedures",
        "expectationsDiscussed",
        "candidacy",
        "candidacyReasons",
        "recommendedPlan",
        "patchTest",
        "validUntil",
    ];
    let mut nulls: serde_json::Map<String, Value> =
        optional.iter().map(|field| ((*field).to_owned(), Value::Null)).collect();
    nulls.insert("concerns".to_owned(), json!([]));
    nulls.insert("scarTypes".to_owned(), Value::Null);
    let cleared =
        update(&anna, &made.id, 2, Value::Object(nulls)).await.ok()["updateConsultation"]["consultation"].clone();
    for field in optional {
        assert_eq!(cleared[field.trim_end_matches("Id")], Value::Null, "{field}");
    }
    assert_eq!(
        (&cleared["concerns"], &cleared["scarTypes"], &cleared["mode"]),
        (&json!([]), &json!([]), &json!("IN_PERSON"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_told_at_once_and_links_are_checked() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let faulty = json!({
        "id": new_id("note"), "patientId": new_id("staff"), "practitionerId": new_id("patient"), "locationId": "x", "heldAt": "2999-01-01T00:00:00Z",
        "mode": "IN_PERSON", "goals": "x".repeat(5001), "findings": "x".repeat(20_001), "recommendedPlan": "x".repeat(20_001),
        "patchTest": {"site": "", "performedAt": "2999-01-01T00:00:00Z", "product": " "}, "validUntil": "2020-01-01",
    });
    let answer = anna.does("recordConsultation", faulty, WHOLE).await;
    let mut told = answer.faults();
    told.sort_unstable();
    let expected = [
        "findings",
        "goals",
        "heldAt",
        "id",
        "locationId",
        "patchTest.performedAt",
        "patchTest.product",
        "patchTest.site",
        "patientId",
        "practitionerId",
        "recommendedPlan",
        "validUntil",
    ];
    assert_eq!(told, expected.map(|path| format!("input.{path}")));
    let draft = anna.consultation(&patient).await;
    let (desk, south) = (clinic.front_desk(), clinic.stranger());
    for (more, path) in [
        (json!({"practitionerId": desk.id()}), "practitionerId"),
        (json!({"practitionerId": south.id()}), "practitionerId"),
        (json!({"locationId": south.location}), "locationId"),
        (json!({"locationId": new_id("location")}), "locationId"),
    ] {
        let mut new = json!({"patientId": patient.id, "mode": "IN_PERSON"});
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(anna.does("recordConsultation", new, WHOLE).await.faults(), [format!("input.{path}")], "{more}");
        assert_eq!(update(&anna, &draft.id, 1, more).await.faults(), [format!("input.patch.{path}")]);
    }
    let nobody = json!({"patientId": new_id("patient"), "mode": "IN_PERSON"});
    assert_eq!(anna.does("recordConsultation", nobody, WHOLE).await.code(), "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_filtered() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let bob = colleague(&clinic, "Bob").await;
    let (ada, eve) = (anna.patient("Ada", "A").await, anna.patient("Eve", "E").await);
    let first = anna.consultation_with(&ada, json!({"heldAt": hours_ago(72)})).await;
    let second = bob.consultation_with(&eve, json!({"heldAt": hours_ago(48), "mode": "TELEHEALTH", "locationId": null, "concerns": ["WRINKLES", "LARGE_PORES"]})).await;
    let third = anna
        .consultation_with(&eve, json!({"heldAt": hours_ago(24), "candidacy": "UNSUITABLE", "candidacyReasons": "x"}))
        .await;
    let first = anna.sign_consultation(&first).await;
    let ids = [&first.id, &second.id, &third.id];
    let cases: &[(Value, &[usize])] = &[
        (json!({}), &[2, 1, 0]),
        (json!({"patientId": eve.id}), &[2, 1]),
        (json!({"practitionerId": bob.id()}), &[1]),
        (json!({"locationId": anna.location}), &[2, 0]),
        (json!({"mode": "TELEHEALTH"}), &[1]),
        (json!({"concerns": ["LARGE_PORES", "STRETCH_MARKS"]}), &[1]),
        (json!({"candidacy": ["UNSUITABLE", "DEFERRED"]}), &[2]),
        (json!({"heldFrom": hours_ago(49), "heldBefore": hours_ago(25)}), &[1]),
        (json!({"signed": true}), &[0]),
        (json!({"signed": false}), &[2, 1]),
        (json!({"updatedSince": "2999-01-01T00:00:00Z"}), &[]),
        (json!({"patientId": eve.id, "practitionerId": anna.id()}), &[2]),
    ];
    let query = "query ($f: ConsultationFilter) { consultations(filter: $f) { totalCount nodes { id } } }";
    for (filter, expected) in cases {
        let data = anna.graphql(query, json!({"f": filter})).await.ok();
        let nodes: Vec<_> = data["consultations"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["id"].as_str().unwrap())
            .collect();
        assert_eq!(nodes, expected.iter().map(|i| ids[*i]).collect::<Vec<_>>(), "{filter}");
        assert_eq!(data["consultations"]["totalCount"], nodes.len(), "{filter}");
    }
    let wrong = json!({"f": {"patientId": "x", "practitionerId": ada.id, "locationId": ada.id}});
    assert_eq!(
        anna.graphql(query, wrong).await.faults(),
        ["filter.patientId", "filter.practitionerId", "filter.locationId"]
    );
}
