//! Links: what the patient agrees to, and when they end.

use super::{ask, code, consent, get, link, picture, put, stored, url_of};
use crate::support::*;
use image::ImageFormat;
use reqwest::StatusCode;

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_is_shown_for_what_the_patient_agrees_to_and_hidden_at_once() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let photo = stored(&clinic, &anna, &patient, 1, json!({})).await;
    let sql = clinic.database.superuser().await;
    sql.run("UPDATE consent SET status = 'inactive', ended_at = now()").await;
    let id = photo["id"].as_str().unwrap();
    let none = json!({"url": null, "expiresAt": null, "withheld": "NO_CONSENT"});
    assert_eq!(link(&anna, id, "CLINICAL_RECORD", "ORIGINAL").await, none);
    consent(&clinic, &patient, "clinical_photo").await;
    assert_eq!(link(&anna, id, "MARKETING", "ORIGINAL").await, none);
    let shown = link(&anna, id, "CLINICAL_RECORD", "ORIGINAL").await["url"].as_str().unwrap().to_owned();
    assert_eq!(get(&clinic, &shown).await.status(), 200);
    consent(&clinic, &patient, "marketing_photo").await;
    let poster = link(&anna, id, "MARKETING", "ORIGINAL").await["url"].as_str().unwrap().to_owned();
    assert_eq!(get(&clinic, &poster).await.status(), 200);
    sql.run("UPDATE consent SET status = 'inactive', ended_at = now() WHERE kind = 'marketing_photo'").await;
    let answer = get(&clinic, &poster).await;
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], "NO_CONSENT");
    assert_eq!(link(&anna, id, "MARKETING", "ORIGINAL").await, none);
    assert_eq!(get(&clinic, &shown).await.status(), 200, "the other purpose stays");
    sql.run("UPDATE consent SET expires_at = now() - interval '1 second' WHERE kind = 'clinical_photo'").await;
    assert_eq!(get(&clinic, &shown).await.status(), 403);
    let refused = "SELECT count(*) FROM access_log WHERE event = 'refused' AND operation = 'photo'";
    assert_eq!(sql.one(refused).await, "2");
    // Entered in error.
    sql.run("UPDATE consent SET expires_at = NULL WHERE kind = 'clinical_photo'").await;
    let made = Made { id: id.to_owned(), version: 2 };
    let answer = anna
        .does(
            "markPhotoEnteredInError",
            made.edit_with(json!({"reason": "Another patient"})),
            "photo { status statusReason }",
        )
        .await;
    assert_eq!(
        answer.ok()["markPhotoEnteredInError"]["photo"],
        json!({"status": "ENTERED_IN_ERROR", "statusReason": "Another patient"})
    );
    assert_eq!(get(&clinic, &shown).await.status(), 410);
    assert_eq!(link(&anna, id, "CLINICAL_RECORD", "ORIGINAL").await["withheld"], "ENTERED_IN_ERROR");
    let lists =
        "{ left: photos { totalCount } all: photos(filter: {includeEnteredInError: true}) { nodes { enteredInError } }
        named: photos(filter: {status: [ENTERED_IN_ERROR]}) { totalCount } }";
    assert_eq!(
        anna.ask(lists).await,
        json!({"left": {"totalCount": 0}, "all": {"nodes": [{"enteredInError": true}]}, "named": {"totalCount": 1}})
    );
    let late = Made { id: id.to_owned(), version: 3 };
    let answer = anna.does("updatePhoto", late.edit_with(json!({"patch": {"note": "x"}})), "photo { id }").await;
    assert_eq!(answer.code(), "CONFLICT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_ends_with_the_sign_in_that_it_was_given_to() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let patient = anna.patient("Ada", "Lovelace").await;
    consent(&clinic, &patient, "clinical_photo").await;
    let photo = stored(&clinic, &anna, &patient, 1, json!({})).await;
    let id = photo["id"].as_str().unwrap();
    let sql = clinic.database.superuser().await;
    let kept = link(&anna, id, "CLINICAL_RECORD", "ORIGINAL").await["url"].as_str().unwrap().to_owned();
    let refusals = "SELECT count(*) FROM access_log WHERE event = 'refused' AND operation LIKE 'photo%' AND actor_id IS NOT NULL \
                    AND cardinality(patient_ids) = 0";
    for (number, ending) in ["signOut", "revokeSignIn", "SQL: ended", "SQL: expired", "SQL: idle", "revokeStaffSignIns"]
        .into_iter()
        .enumerate()
    {
        let again = clinic.sign_in_again(&clinic.north, Role::Practitioner).await;
        let read = link(&again, id, "CLINICAL_RECORD", "ORIGINAL").await["url"].as_str().unwrap().to_owned();
        let upload = url_of(&ask(&again, &patient, json!({})).await).to_owned();
        assert_eq!(get(&clinic, &read).await.status(), 200, "{ending}");
        let set = async |what: &str| {
            sql.run(&format!("UPDATE sign_in SET {what} WHERE token_hash = sha256('{}')", again.member.token)).await;
        };
        match ending {
            "signOut" => _ = again.ask("mutation { signOut { signedOut } }").await,
            "revokeSignIn" => {
                let list = again.ask("{ me { signIns { id current } } }").await;
                let list = list["me"]["signIns"].as_array().unwrap().clone();
                let own = list.iter().find(|it| it["current"] == true).unwrap();
                anna.does("revokeSignIn", json!({"id": own["id"]}), "revoked").await.ok();
            }
            "SQL: ended" => set("ended_at = now()").await,
            "SQL: expired" => set("expires_at = now()").await,
            "SQL: idle" => set("last_seen_at = now() - interval '1 day'").await,
            _ => _ = admin.does("revokeStaffSignIns", json!({"staffId": anna.id()}), "__typename").await.ok(),
        }
        let before: usize = sql.one(refusals).await.parse().unwrap();
        let answer = get(&clinic, &read).await;
        assert_eq!(answer.status(), 403, "{ending}");
        assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], "FORBIDDEN", "{ending}");
        let picture = picture(ImageFormat::Jpeg, 10 + number as u8);
        assert_eq!(code(&put(&clinic, &upload, picture).await), (403, "FORBIDDEN"), "{ending}");
        assert_eq!(sql.one(refusals).await, (before + 2).to_string(), "{ending}");
        // Another sign-in of the same person keeps its own, until all are ended.
        let others = if ending == "revokeStaffSignIns" { 403 } else { 200 };
        assert_eq!(get(&clinic, &kept).await.status(), others, "{ending}");
    }
    let staff = "query ($id: ID!) { staffMember(id: $id) { id version } }";
    let staff = Made::of(&admin.graphql(staff, json!({"id": anna.id()})).await.ok()["staffMember"]);
    // A new token for the same sign-in changes nothing; what its owner may do, and is, does.
    let mut again = clinic.sign_in_again(&clinic.north, Role::Practitioner).await;
    let read = link(&again, id, "CLINICAL_RECORD", "ORIGINAL").await["url"].as_str().unwrap().to_owned();
    let renewed = again.does("confirmIdentity", json!({"password": PASSWORD}), "token").await.ok();
    again.member.token = renewed["confirmIdentity"]["token"].as_str().unwrap().to_owned();
    assert_eq!(get(&clinic, &read).await.status(), 200);
    sql.run("UPDATE organisation SET second_factor_roles = '{practitioner}'").await;
    assert_eq!(get(&clinic, &read).await.status(), 403);
    sql.run("UPDATE organisation SET second_factor_roles = '{}'").await;
    assert_eq!(get(&clinic, &read).await.status(), 200);
    let staff = admin.make("updateStaff", "staff", staff.edit_with(json!({"role": "FRONT_DESK"}))).await;
    assert_eq!(get(&clinic, &read).await.status(), 403);
    let staff = admin.make("updateStaff", "staff", staff.edit_with(json!({"role": "PRACTITIONER"}))).await;
    assert_eq!(get(&clinic, &read).await.status(), 200);
    admin.make("updateStaff", "staff", staff.edit_with(json!({"active": false}))).await;
    assert_eq!(get(&clinic, &read).await.status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_of_a_patient_who_is_restricted_asks_for_the_reason() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin().because("To restrict it"));
    let patient = anna.patient("Ada", "Lovelace").await;
    consent(&clinic, &patient, "clinical_photo").await;
    let photo = stored(&clinic, &anna, &patient, 1, json!({})).await;
    let id = photo["id"].as_str().unwrap();
    let url =
        async |by: &SignedIn| link(by, id, "CLINICAL_RECORD", "ORIGINAL").await["url"].as_str().unwrap().to_owned();
    let (plain, reasoned) = (url(&anna).await, url(&anna.because("She asked me to")).await);
    assert_eq!(
        (get(&clinic, &plain).await.status(), get(&clinic, &reasoned).await.status()),
        (StatusCode::OK, StatusCode::OK)
    );
    let restriction = json!({"patientId": patient.id, "reason": "Works here"});
    let restriction = admin.make("restrictPatient", "restriction", restriction).await;
    let sql = clinic.database.superuser().await;
    let newest = "SELECT event || ' ' || coalesce(reason, '-') || ' ' || (patient_ids[1] IS NOT NULL) FROM access_log \
                  WHERE operation = 'photo' ORDER BY at DESC, seq DESC LIMIT 1";
    let answer = get(&clinic, &plain).await;
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], "REASON_REQUIRED");
    assert_eq!(sql.one(newest).await, "refused - true");
    assert_eq!(get(&clinic, &reasoned).await.status(), 200);
    assert_eq!(sql.one(newest).await, "read stated when the link was asked for true");
    // In an emergency of the holder's own it opens, while that lasts.
    let begun = json!({"patientId": patient.id, "reason": "Unconscious at the door"});
    let begun = anna.make("beginEmergencyAccess", "emergencyAccess", begun).await;
    assert_eq!(get(&clinic, &plain).await.status(), 200);
    assert_eq!(sql.one(newest).await, "read emergency: Unconscious at the door true");
    anna.make("endEmergencyAccess", "emergencyAccess", json!({"id": begun.id})).await;
    assert_eq!(get(&clinic, &plain).await.status(), 403);
    admin.make("liftPatientRestriction", "restriction", restriction.edit_with(json!({"reason": "Left"}))).await;
    assert_eq!(get(&clinic, &plain).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_links_asks_for_consents_once() {
    let clinic = Clinic::logging_statements().await;
    let anna = clinic.practitioner();
    for seed in 0..3 {
        let patient = anna.patient("Ada", &format!("Number {seed}")).await;
        consent(&clinic, &patient, "clinical_photo").await;
        stored(&clinic, &anna, &patient, seed, json!({})).await;
    }
    let count = || {
        let log = std::fs::read_to_string(clinic.database.server_log()).expect("a log");
        log.matches("SELECT DISTINCT patient_id, kind FROM consent").count()
    };
    let before = count();
    let nodes = anna.ask("{ photos { nodes { link(purpose: CLINICAL_RECORD, size: THUMBNAIL) { url } } } }").await;
    assert!(
        nodes
            .pointer("/photos/nodes")
            .unwrap()
            .as_array()
            .unwrap()
            .iter()
            .all(|photo| photo["link"]["url"].is_string())
    );
    assert_eq!(count() - before, 1);
}
