//! Photos: uploads, what is taken out of them, links and consent, pairs, and what failed uploads leave.

mod agreed;
mod kept;
mod links;
mod taken;

use crate::support::*;
use image::{ImageFormat, Rgb, RgbImage};
use reqwest::Method;
use std::io::Cursor;
use std::path::{Path, PathBuf};

const ASK: &str = "photo { id version status } uploadUrl expiresAt maxBytes";

/// A picture of its own colours.
fn picture(format: ImageFormat, seed: u8) -> Vec<u8> {
    let picture = RgbImage::from_fn(640, 480, |x, y| Rgb([(x / 3) as u8 ^ seed, (y / 2) as u8, seed]));
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).expect("a picture");
    bytes.into_inner()
}

/// A JPEG as a telephone makes it: turned, with a position, a name and a film after its end.
fn telephone_jpeg(seed: u8) -> Vec<u8> {
    let plain = picture(ImageFormat::Jpeg, seed);
    let mut tiff = b"II*\0\x08\0\0\0".to_vec();
    let entry = |tiff: &mut Vec<u8>, tag: u16, kind: u16, count: u32, value: [u8; 4]| {
        tiff.extend_from_slice(&tag.to_le_bytes());
        tiff.extend_from_slice(&kind.to_le_bytes());
        tiff.extend_from_slice(&count.to_le_bytes());
        tiff.extend_from_slice(&value);
    };
    tiff.extend_from_slice(&3_u16.to_le_bytes());
    entry(&mut tiff, 0x0112, 3, 1, [6, 0, 0, 0]); // turned by 90°
    entry(&mut tiff, 0x013B, 2, 4, *b"Ana\0"); // artist
    entry(&mut tiff, 0x8825, 4, 1, 50_u32.to_le_bytes()); // GPS
    tiff.extend_from_slice(&[0; 4]);
    tiff.extend_from_slice(&1_u16.to_le_bytes());
    entry(&mut tiff, 0x0001, 2, 2, *b"N\0\0\0"); // GPSLatitudeRef
    tiff.extend_from_slice(&[0; 4]);
    tiff.extend_from_slice(b"GPS 40.4168 N 3.7038 W");
    let mut bytes = plain[..2].to_vec();
    let mut segment = |marker: u8, content: &[u8]| {
        bytes.extend_from_slice(&[0xFF, marker]);
        bytes.extend_from_slice(&u16::try_from(content.len() + 2).expect("short").to_be_bytes());
        bytes.extend_from_slice(content);
    };
    segment(0xE1, &[b"Exif\0\0", &tiff[..]].concat());
    segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>Ana Ruiz</x:xmpmeta>");
    segment(0xFE, b"shot by Ana");
    bytes.extend_from_slice(&plain[2..]);
    bytes.extend_from_slice(b"MotionPhoto_Data ftypmp42");
    bytes
}

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

async fn ask(by: &SignedIn, patient: &Made, more: Value) -> Value {
    by.agree_to_photos(patient).await;
    let mut input = json!({
        "patientId": patient.id, "phase": "BEFORE", "view": "FRONTAL", "area": "CHEEK", "side": "LEFT",
    });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    by.does("requestPhotoUpload", input, ASK).await.ok()["requestPhotoUpload"].clone()
}

/// What an address answered: status and body.
async fn put(clinic: &Clinic, url: &str, bytes: Vec<u8>) -> (u16, Value) {
    let request = clinic.anonymous().request(Method::PUT, url).header("Content-Type", "application/x-whatever");
    let answer = request.body(bytes).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

fn url_of(asked: &Value) -> &str {
    asked["uploadUrl"].as_str().expect("an address")
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or("no code"))
}

async fn get(clinic: &Clinic, url: &str) -> reqwest::Response {
    clinic.anonymous().request(Method::GET, url).send().await.expect("an answer")
}

/// A consent of a patient's, by SQL.
async fn consent(clinic: &Clinic, patient: &Made, kind: &str) {
    let sql = clinic.database.superuser().await;
    let (org, patient) = (clinic.north.uuid, uuid_of(&patient.id));
    let ids: Vec<uuid::Uuid> = (0..3).map(|_| uuid::Uuid::now_v7()).collect();
    sql.run(&format!(
        "INSERT INTO consent_template (org_id, id, name, kind, active, version, created_at, updated_at)
         VALUES ('{org}', '{template}', '{template}', '{kind}', true, 1, now(), now());
         INSERT INTO consent_template_version (org_id, id, template_id, number, status, text, text_hash, language, modalities,
            published_at, version, created_at, updated_at)
         VALUES ('{org}', '{version}', '{template}', 1, 'published', 'Yes', sha256('Yes'), 'en', '{{}}', now(), 1, now(), now());
         INSERT INTO consent (org_id, id, patient_id, template_version_id, kind, modalities, text_hash, status, signer,
            signer_name, signature_method, signature_hash, given_at, version, created_at, updated_at)
         VALUES ('{org}', '{id}', '{patient}', '{version}', '{kind}', '{{}}', sha256('Yes'), 'active', 'patient', 'A', 'typed_name',
            sha256('A'), now(), 1, now(), now())",
        template = ids[0], version = ids[1], id = ids[2],
    ))
    .await;
}

async fn link(by: &SignedIn, photo: &str, purpose: &str, size: &str) -> Value {
    let text = format!(
        "query ($id: ID!) {{ photo(id: $id) {{ link(purpose: {purpose}, size: {size}) {{ url expiresAt withheld }} }} }}"
    );
    by.graphql(&text, json!({"id": photo})).await.ok()["photo"]["link"].clone()
}

/// Every file of a store but the links' secret.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else if entry.file_name() != "link-secret" {
            found.push(entry.path());
        }
    }
    found
}

async fn stored(clinic: &Clinic, by: &SignedIn, patient: &Made, seed: u8, more: Value) -> Value {
    let asked = ask(by, patient, more).await;
    let answer = put(clinic, url_of(&asked), picture(ImageFormat::Jpeg, seed)).await;
    assert_eq!(answer.0, 200, "{}", answer.1);
    asked["photo"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_a_photo_is_checked_and_changed() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (patient, other) = (anna.patient("Ada", "Lovelace").await, anna.patient("Bea", "Lovelace").await);
    let (session, strange) = (anna.session(&patient).await, anna.session(&other).await);
    let base = json!({"patientId": patient.id, "phase": "BEFORE", "view": "FRONTAL", "area": "CHEEK", "side": "LEFT"});
    let with = |more: Value| {
        let mut input = base.clone();
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let wrong = with(json!({"distanceCm": 0, "takenAt": "2999-01-01T00:00:00Z", "note": "x".repeat(2001)}));
    let answer = anna.does("requestPhotoUpload", wrong, ASK).await;
    assert_eq!(answer.faults(), ["input.takenAt", "input.distanceCm", "input.note"]);
    let refused = anna.does("requestPhotoUpload", base.clone(), ASK).await;
    assert_eq!(refused.faults(), ["input.patientId"], "nobody asked her yet: {}", refused.text);
    anna.agree_to_photos(&patient).await;
    for session in [&strange.id, &new_id("session")] {
        let answer = anna.does("requestPhotoUpload", with(json!({"sessionId": session})), ASK).await;
        assert_eq!(answer.faults(), ["input.sessionId"]);
    }
    let answer = clinic.stranger().does("requestPhotoUpload", base.clone(), ASK).await;
    assert_eq!(answer.code(), "NOT_FOUND");
    let photo = Made::of(&ask(&anna, &patient, json!({})).await["photo"]);
    let patch = json!({"patch": {"sessionId": session.id, "phase": "FOLLOW_UP", "view": "LATERAL_LEFT", "distanceCm": 45, "note": "Dry"}});
    let selection = "photo { version session { id } phase view distanceCm note }";
    let after =
        anna.does("updatePhoto", photo.edit_with(patch.clone()), selection).await.ok()["updatePhoto"]["photo"].clone();
    let expected = json!({"version": 2, "session": {"id": session.id}, "phase": "FOLLOW_UP", "view": "LATERAL_LEFT", "distanceCm": 45, "note": "Dry"});
    assert_eq!(after, expected);
    assert_eq!(anna.does("updatePhoto", photo.edit_with(patch), selection).await.code(), "CONFLICT");
    let early = Made { version: 2, ..photo };
    let answer = anna.does("markPhotoEnteredInError", early.edit_with(json!({"reason": "x"})), "photo { id }").await;
    assert_eq!(answer.faults(), ["input.id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn before_and_after_are_paired() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let take = async |seed: u8, phase: &str, hours: i64, view: &str, distance: i32| {
        let more = json!({"phase": phase, "takenAt": hours_ago(hours), "view": view, "distanceCm": distance});
        stored(&clinic, &anna, &patient, seed, more).await["id"].clone()
    };
    let before = take(1, "BEFORE", 240, "FRONTAL", 50).await;
    take(2, "BEFORE", 239, "LATERAL_LEFT", 50).await;
    let after = take(3, "FOLLOW_UP", 48, "FRONTAL", 55).await;
    take(4, "FOLLOW_UP", 24, "FRONTAL", 200).await;
    let text =
        "query ($id: ID!) { patient(id: $id) { photoPairs(area: CHEEK, view: FRONTAL) { before { id } after { id }
        area view side daysBetween distanceDifferenceCm } none: photoPairs(area: NOSE) { side } } }";
    let pairs = anna.graphql(text, json!({"id": patient.id})).await.ok()["patient"].clone();
    let expected = json!([{"before": {"id": before}, "after": {"id": after}, "area": "CHEEK", "view": "FRONTAL", "side": "LEFT",
        "daysBetween": 8, "distanceDifferenceCm": 5}]);
    assert_eq!(pairs, json!({"photoPairs": expected, "none": []}));
}
