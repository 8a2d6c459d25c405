//! What needs the patient's word, what outlasts it, and a parent's word that ends with the childhood.

use super::{ASK, ask, code, link, picture, put, stored, url_of};
use crate::support::*;
use image::ImageFormat;

/// The patient's consent to photos, taken back.
async fn take_back(anna: &SignedIn, patient: &Made) {
    let query =
        "query ($of: ID!) { consents(filter: {patientId: $of, kind: [CLINICAL_PHOTO]}) { nodes { id version } } }";
    let found = anna.graphql(query, json!({"of": patient.id})).await.ok()["consents"]["nodes"][0].clone();
    let input = Made::of(&found).edit_with(json!({"reason": "She asked for it"}));
    anna.does("withdrawConsent", input, "consent { state inForce }").await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_photo_is_taken_without_a_consent_or_after_it_was_withdrawn() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let input = json!({"patientId": patient.id, "phase": "BEFORE", "view": "FRONTAL", "area": "CHEEK", "side": "LEFT"});
    let refused = anna.does("requestPhotoUpload", input.clone(), ASK).await;
    assert_eq!(refused.faults(), ["input.patientId"], "{}", refused.text);
    let (one, two) = (ask(&anna, &patient, json!({})).await, ask(&anna, &patient, json!({})).await);
    let bytes = picture(ImageFormat::Png, 7);
    assert_eq!(put(&clinic, url_of(&one), bytes.clone()).await.0, 200);
    take_back(&anna, &patient).await;
    // The address is out already: nothing is kept of what is sent to it now.
    let late = put(&clinic, url_of(&two), picture(ImageFormat::Png, 8)).await;
    assert_eq!(code(&late), (403, "NO_CONSENT"), "{}", late.1);
    // What was kept before is answered for, as a retry of its upload.
    assert_eq!(put(&clinic, url_of(&one), bytes).await.0, 200);
    let refused = anna.does("requestPhotoUpload", input, ASK).await;
    assert_eq!(refused.faults(), ["input.patientId"]);
    let sql = clinic.database.superuser().await;
    assert_eq!(sql.one("SELECT count(*) FROM photo WHERE status = 'stored'").await, "1");
    let told = "SELECT count(*) FROM access_log WHERE event = 'refused' AND operation = 'photoUpload'";
    assert_eq!(sql.one(told).await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stays_in_the_record_is_read_under_a_legal_hold_or_with_a_reason() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let patient = anna.patient("Ada", "Lovelace").await;
    let photo = stored(&clinic, &anna, &patient, 1, json!({})).await;
    let id = photo["id"].as_str().unwrap();
    take_back(&anna, &patient).await;
    let withheld = async |by: &SignedIn, purpose: &str| link(by, id, purpose, "ORIGINAL").await["withheld"].clone();
    assert_eq!(withheld(&anna, "CLINICAL_RECORD").await, "NO_CONSENT");
    assert_eq!(withheld(&anna, "LEGAL_DUTY").await, "NO_DUTY");
    let hold = json!({"patientId": patient.id, "reason": "Letter of claim"});
    let hold = admin.make("placeLegalHold", "legalHold", hold).await;
    assert_eq!(withheld(&anna, "MARKETING").await, "NO_CONSENT");
    let held = link(&anna, id, "LEGAL_DUTY", "ORIGINAL").await["url"].as_str().unwrap().to_owned();
    assert_eq!(super::get(&clinic, &held).await.status(), 200);
    let sql = clinic.database.superuser().await;
    let why = "SELECT reason FROM access_log WHERE operation = 'photo' AND event = 'read' ORDER BY seq DESC LIMIT 1";
    assert_eq!(sql.one(why).await, "legal hold: Letter of claim");
    // Another patient's photo is not under it.
    let other = anna.patient("Bea", "Lovelace").await;
    let theirs = stored(&clinic, &anna, &other, 2, json!({})).await;
    let theirs = theirs["id"].as_str().unwrap();
    assert_eq!(link(&anna, theirs, "LEGAL_DUTY", "ORIGINAL").await["withheld"], "NO_DUTY");
    admin.make("liftLegalHold", "legalHold", hold.edit_with(json!({"reason": "Settled"}))).await;
    let ended = super::get(&clinic, &held).await;
    assert_eq!(ended.status(), 403, "the link ends with the hold");
    assert_eq!(withheld(&anna, "LEGAL_DUTY").await, "NO_DUTY");
    let query = "query ($id: ID!) { photo(id: $id) { link(purpose: LEGAL_DUTY, size: THUMBNAIL) { url withheld } } }";
    let because = anna.because("Complaint of 3 May");
    let stated = because.graphql(query, json!({"id": id})).await.ok()["photo"]["link"].clone();
    assert_eq!(super::get(&clinic, stated["url"].as_str().expect("a link")).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_s_consent_to_photos_ends_with_the_childhood() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let birth = |days: i64| {
        let today = chrono::Utc::now().date_naive();
        let day = chrono::NaiveDate::from_ymd_opt(chrono::Datelike::year(&today) - 18, 1, 1).expect("a day");
        let since = today - chrono::NaiveDate::from_ymd_opt(chrono::Datelike::year(&today), 1, 1).expect("a day");
        json!({"birthDate": (day + since + chrono::TimeDelta::days(days)).to_string()})
    };
    let text = anna.consent_text("CLINICAL_PHOTO", json!({})).await;
    let mother = json!({"signer": "GUARDIAN", "relationship": "mother", "signerName": "Anne Byron", "typedName": "Anne Byron",
        "givenAt": hours_ago(24 * 200)});
    for (days, holds) in [(-3, false), (3, true)] {
        let patient = anna.patient_with("Ada", &format!("Byron{}", days + 5), birth(days)).await;
        let consent = anna.consent(&patient, &text, mother.clone()).await;
        let query = "query ($id: ID!, $of: ID!, $now: DateTime!) { consent(id: $id) { status state inForce } \
            consents(filter: {patientId: $of, inForceAt: $now}) { totalCount } }";
        let found = anna.graphql(query, json!({"id": consent.id, "of": patient.id, "now": hours_ago(0)})).await.ok();
        let state = if holds { "ACTIVE" } else { "EXPIRED" };
        assert_eq!(found["consent"], json!({"status": "ACTIVE", "state": state, "inForce": holds}), "{days}");
        assert_eq!(found["consents"]["totalCount"], i32::from(holds));
        let due = "query ($of: ID!, $by: Date!) { consents(filter: {patientId: $of, toRenewBy: $by}) { totalCount } }";
        for (by, expected) in [(day(1), 0), (day(30), i32::from(holds))] {
            let found = anna.graphql(due, json!({"of": patient.id, "by": by})).await.ok();
            assert_eq!(found["consents"]["totalCount"], expected, "{days} {by}");
        }
        let input =
            json!({"patientId": patient.id, "phase": "BEFORE", "view": "FRONTAL", "area": "CHEEK", "side": "LEFT"});
        let asked = anna.does("requestPhotoUpload", input, ASK).await;
        assert_eq!(asked.outcome(), if holds { "ok" } else { "BAD_USER_INPUT" }, "{}", asked.text);
    }
}
