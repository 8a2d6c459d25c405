//! Photos: uploads, what is taken out of them, links and consent, pairs, and what failed uploads leave.

use crate::support::*;
use image::{ImageFormat, Rgb, RgbImage};
use reqwest::{Method, StatusCode};
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

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
async fn jpeg_png_and_webp_are_told_by_content_kept_and_shown() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let session = anna.session(&patient).await;
    consent(&clinic, &patient, "clinical_photo").await;
    for (seed, format, media_type) in
        [(1, ImageFormat::Jpeg, "image/jpeg"), (2, ImageFormat::Png, "image/png"), (3, ImageFormat::WebP, "image/webp")]
    {
        let more = json!({"sessionId": session.id, "takenAt": hours_ago(1), "lighting": "Ring", "distanceCm": 60,
            "makeUpFree": true, "note": "Relaxed"});
        let asked = ask(&anna, &patient, more).await;
        assert_eq!((&asked["photo"]["status"], &asked["maxBytes"]), (&json!("AWAITING_UPLOAD"), &json!(26_214_400)));
        let id = asked["photo"]["id"].as_str().unwrap();
        assert_eq!(link(&anna, id, "CLINICAL_RECORD", "ORIGINAL").await["withheld"], "NOT_STORED");
        let bytes = picture(format, seed);
        let (status, answer) = put(&clinic, url_of(&asked), bytes.clone()).await;
        assert_eq!(
            (status, &answer["photoId"], &answer["width"], &answer["height"]),
            (200, &json!(id), &json!(640), &json!(480))
        );
        let text = "query ($id: ID!) { photo(id: $id) { status mediaType byteSize width height contentHash storedAt session { id }
            patient { id } phase view area side lighting distanceCm makeUpFree note version createdBy { id }
            history { nodes { action } } } }";
        let photo = anna.graphql(text, json!({"id": id})).await.ok()["photo"].clone();
        assert_eq!(
            (&photo["status"], &photo["mediaType"], &photo["version"]),
            (&json!("STORED"), &json!(media_type), &json!(2))
        );
        assert_eq!((&photo["contentHash"], &photo["session"]["id"]), (&answer["contentHash"], &json!(session.id)));
        assert_eq!(photo["history"]["nodes"], json!([{"action": "UPDATE"}, {"action": "CREATE"}]));
        let shown = link(&anna, id, "CLINICAL_RECORD", "ORIGINAL").await;
        let answer = get(&clinic, shown["url"].as_str().expect("a link")).await;
        let head = |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        assert_eq!((answer.status(), head("content-type").as_str()), (StatusCode::OK, media_type));
        assert_eq!(head("x-content-type-options"), "nosniff");
        assert_eq!(head("cache-control"), "private, no-store");
        assert!(head("content-disposition").starts_with("inline; filename=\"photo."));
        assert_eq!(head("content-length"), photo["byteSize"].to_string());
        let kept = answer.bytes().await.expect("bytes");
        let pixels = |bytes: &[u8]| image::load_from_memory(bytes).expect("a picture").into_rgb8();
        assert_eq!(pixels(&kept), pixels(&bytes), "no pixel is lost");
        let small = link(&anna, id, "CLINICAL_RECORD", "THUMBNAIL").await;
        let small = get(&clinic, small["url"].as_str().expect("a link")).await.bytes().await.expect("bytes");
        assert_eq!(image::load_from_memory(&small).expect("a picture").width(), 400);
    }
    assert_eq!(files(clinic.objects()).len(), 6);
    let lists = "query ($p: ID!, $s: ID!) { patient(id: $p) { photos { totalCount nodes { mediaType } } }
        session(id: $s) { photos(filter: {view: [FRONTAL]}) { totalCount } }
        photos(filter: {patientId: $p, status: [STORED]}) { totalCount } }";
    let lists = anna.graphql(lists, json!({"p": patient.id, "s": session.id})).await.ok();
    for path in ["/patient/photos/totalCount", "/session/photos/totalCount", "/photos/totalCount"] {
        assert_eq!(lists.pointer(path), Some(&json!(3)), "{path}");
    }
    let sql = clinic.database.superuser().await;
    let read = "SELECT count(*) FROM access_log WHERE event = 'read' AND operation = 'photo' AND actor_id IS NOT NULL \
                AND cardinality(patient_ids) = 1";
    assert!(sql.one(read).await.parse::<i32>().unwrap() >= 6, "every look at a picture is in the access log");
}

#[tokio::test(flavor = "multi_thread")]
async fn position_names_and_remarks_are_gone_and_the_picture_is_upright() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    consent(&clinic, &patient, "clinical_photo").await;
    let sent = telephone_jpeg(9);
    let asked = ask(&anna, &patient, json!({})).await;
    let (status, answer) = put(&clinic, url_of(&asked), sent.clone()).await;
    assert_eq!((status, &answer["width"], &answer["height"]), (200, &json!(480), &json!(640)), "{answer}");
    let kept: Vec<Vec<u8>> = files(clinic.objects()).iter().map(|file| std::fs::read(file).unwrap()).collect();
    assert_eq!(kept.len(), 2);
    for word in ["Exif", "GPS", "40.4168", "Ana", "xmpmeta", "MotionPhoto"] {
        assert!(holds(&sent, word), "{word} was sent");
        assert!(kept.iter().all(|bytes| !holds(bytes, word)), "{word} was kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_photo_is_refused_and_leaves_nothing() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let asked = ask(&anna, &patient, json!({})).await;
    let url = url_of(&asked);
    let whole = picture(ImageFormat::Jpeg, 1);
    let mut heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic".to_vec();
    heic.resize(5000, 7);
    let half = whole[..whole.len() / 2].to_vec();
    let mut large = whole.clone();
    large.resize(26 * 1024 * 1024, 0);
    for (bytes, expected, says) in [
        (b"<html>not a picture, whatever it says</html>".to_vec(), (415, "NOT_A_PHOTO"), "JPEG, PNG or WebP"),
        (picture(ImageFormat::Jpeg, 1)[..8].to_vec(), (400, "PHOTO_BROKEN"), "send it again"),
        (heic, (415, "HEIC_NOT_TAKEN"), "Most Compatible"),
        (half, (400, "PHOTO_BROKEN"), "cut"),
        (Vec::new(), (400, "UPLOAD_CUT"), "empty"),
        (large, (413, "PHOTO_TOO_LARGE"), "25 MiB"),
    ] {
        let answer = put(&clinic, url, bytes).await;
        assert_eq!(code(&answer), expected);
        assert!(answer.1["error"]["message"].as_str().unwrap().contains(says), "{}", answer.1);
    }
    // Without a declared length, and endless.
    let endless = reqwest::Body::wrap_stream(futures::stream::iter(
        std::iter::once(whole.clone())
            .chain(std::iter::repeat_n(vec![0; 1024 * 1024], 26))
            .map(Ok::<_, std::io::Error>),
    ));
    let answer = clinic.anonymous().request(Method::PUT, url).body(endless).send().await.expect("an answer");
    assert_eq!(answer.status(), 413);
    // Cut by the network.
    let address = clinic.url("");
    let mut wire = std::net::TcpStream::connect(address.trim_start_matches("http://")).expect("a connection");
    write!(wire, "PUT {url} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", whole.len()).expect("a head");
    wire.write_all(&whole[..whole.len() - 100]).expect("a part");
    wire.shutdown(std::net::Shutdown::Write).expect("the end");
    wire.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
    let mut said = String::new();
    let _ = wire.read_to_string(&mut said);
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 400"), "{said}");
    assert_eq!(files(clinic.objects()), Vec::<PathBuf>::new(), "no orphan");
    // The address still takes the picture.
    assert_eq!(put(&clinic, url, whole).await.0, 200);
    assert_eq!(files(clinic.objects()).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_can_not_be_forged_stretched_or_used_for_something_else() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    consent(&clinic, &patient, "clinical_photo").await;
    let asked = ask(&anna, &patient, json!({})).await;
    let url = url_of(&asked).to_owned();
    let bytes = picture(ImageFormat::Jpeg, 1);
    let place = url.len() - 20;
    let other = if &url[place..=place] == "A" { "B" } else { "A" };
    let forged = format!("{}{other}{}", &url[..place], &url[place + 1..]);
    for wrong in [forged.as_str(), "/photos/upload/AAAA", "/photos/upload/%00"] {
        assert_eq!(code(&put(&clinic, wrong, bytes.clone()).await), (404, "NOT_FOUND"), "{wrong}");
    }
    assert_eq!(get(&clinic, &url.replace("/upload", "")).await.status(), 404, "an upload's address reads nothing");
    assert_eq!(put(&clinic, &url, bytes.clone()).await.0, 200);
    let shown = link(&anna, asked["photo"]["id"].as_str().unwrap(), "CLINICAL_RECORD", "ORIGINAL").await;
    let read = shown["url"].as_str().unwrap();
    assert_eq!(
        code(&put(&clinic, &read.replace("/photos/", "/photos/upload/"), bytes.clone()).await),
        (404, "NOT_FOUND")
    );
    // Who asked for it works here no more.
    let sql = clinic.database.superuser().await;
    let staff = uuid_of(anna.id());
    assert_eq!(get(&clinic, read).await.status(), 200);
    sql.run(&format!("UPDATE staff SET active = false WHERE id = '{staff}'")).await;
    assert_eq!(get(&clinic, read).await.status(), 403);
    assert_eq!(code(&put(&clinic, &url, bytes.clone()).await), (403, "FORBIDDEN"));
    // Or does something else.
    sql.run(&format!("UPDATE staff SET active = true, role = 'front_desk' WHERE id = '{staff}'")).await;
    assert_eq!(get(&clinic, read).await.status(), 403);
    assert_eq!(code(&put(&clinic, &url, bytes).await), (403, "FORBIDDEN"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_upload_again_is_answered_the_same_and_another_is_refused() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let asked = ask(&anna, &patient, json!({})).await;
    let (url, bytes) = (url_of(&asked), telephone_jpeg(1));
    let first = put(&clinic, url, bytes.clone()).await;
    assert_eq!((first.0, put(&clinic, url, bytes.clone()).await), (200, first.clone()));
    assert_eq!(code(&put(&clinic, url, picture(ImageFormat::Png, 2)).await), (409, "PHOTO_STORED"));
    // The same picture as another photo of the patient; of another patient it is fine.
    let twin = ask(&anna, &patient, json!({})).await;
    let answer = put(&clinic, url_of(&twin), bytes.clone()).await;
    assert_eq!(code(&answer), (409, "PHOTO_DUPLICATE"));
    assert!(answer.1["error"]["message"].as_str().unwrap().contains(asked["photo"]["id"].as_str().unwrap()));
    let other = anna.patient("Bea", "Lovelace").await;
    assert_eq!(put(&clinic, url_of(&ask(&anna, &other, json!({})).await), bytes).await.0, 200);
    assert_eq!(files(clinic.objects()).len(), 4, "two photos of two objects, nothing else");
    // The same request again gives the same photo and address.
    let id = new_id("photo");
    let (one, again) = (ask(&anna, &other, json!({"id": id})).await, ask(&anna, &other, json!({"id": id})).await);
    assert_eq!(one, again);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_uploads_at_once_one_wins_and_none_leaves_an_orphan() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let asked = ask(&anna, &patient, json!({})).await;
    let url = url_of(&asked);
    let uploads = (0..6).map(|seed| put(&clinic, url, picture(ImageFormat::Jpeg, seed / 2)));
    let answers = futures::future::join_all(uploads).await;
    let won: Vec<&Value> = answers.iter().filter(|answer| answer.0 == 200).map(|answer| &answer.1).collect();
    assert_eq!(won.len(), 2, "{answers:?}");
    assert_eq!(won[0], won[1]);
    assert!(answers.iter().filter(|answer| answer.0 != 200).all(|answer| code(answer) == (409, "PHOTO_STORED")));
    // Two photos, the same bytes.
    let (one, other) = (ask(&anna, &patient, json!({})).await, ask(&anna, &patient, json!({})).await);
    let bytes = picture(ImageFormat::Jpeg, 99);
    let both = futures::join!(put(&clinic, url_of(&one), bytes.clone()), put(&clinic, url_of(&other), bytes.clone()));
    let mut statuses = [both.0.0, both.1.0];
    statuses.sort();
    assert_eq!(statuses, [200, 409], "{both:?}");
    assert_eq!(files(clinic.objects()).len(), 4);
    crate::binary::verify(&clinic.database.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_is_shown_for_what_the_patient_agrees_to_and_hidden_at_once() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let photo = stored(&clinic, &anna, &patient, 1, json!({})).await;
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
    let sql = clinic.database.superuser().await;
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

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_never_came_are_given_up_and_cut_ones_swept() {
    let mut clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let kept = stored(&clinic, &anna, &patient, 1, json!({})).await;
    let (late, open) = (ask(&anna, &patient, json!({})).await, ask(&anna, &patient, json!({})).await);
    let sql = clinic.database.superuser().await;
    let photo = uuid_of(late["photo"]["id"].as_str().unwrap());
    sql.run(&format!("UPDATE photo SET upload_expires_at = now() - interval '1 hour' WHERE id = '{photo}'")).await;
    // What a crash leaves: bytes that were never kept, bytes half written, bytes moved without a commit.
    let folder = clinic.objects().to_owned();
    let org = clinic.north.uuid;
    std::fs::create_dir_all(folder.join("incoming")).unwrap();
    std::fs::create_dir_all(folder.join(format!("{org}/{photo}"))).unwrap();
    std::fs::write(folder.join(format!("{org}/{photo}/original")), "x").unwrap();
    for (name, hours) in [("cut", 2), ("half#1", 2), ("young", 0)] {
        let file = std::fs::File::create(folder.join("incoming").join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3600)).unwrap();
    }
    assert_eq!(files(&folder).len(), 6);
    clinic.restart(&[]).await;
    let anna = clinic.practitioner();
    let status = async |photo: &Value| {
        let text = "query ($id: ID!) { photo(id: $id) { status updatedBy { id } } }";
        anna.graphql(text, json!({"id": photo["id"]})).await.ok()["photo"].clone()
    };
    for _ in 0..100 {
        if status(&late["photo"]).await["status"] == "ABANDONED" && files(&folder).len() == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(status(&late["photo"]).await, json!({"status": "ABANDONED", "updatedBy": null}));
    assert_eq!(status(&open["photo"]).await["status"], "AWAITING_UPLOAD");
    assert_eq!(status(&kept).await["status"], "STORED");
    assert_eq!(files(&folder).len(), 3, "the stored photo's two, and the young one: {:?}", files(&folder));
    // The secret of the links is kept with the folder: an address from before still works; the given-up one does not.
    assert_eq!(put(&clinic, url_of(&open), picture(ImageFormat::Png, 5)).await.0, 200);
    assert_eq!(code(&put(&clinic, url_of(&late), picture(ImageFormat::Png, 6)).await), (410, "LINK_EXPIRED"));
    crate::binary::verify(&clinic.database.url()).await;
}

/// An S3 server on the loopback, with its storage in a folder.
async fn s3(folder: &Path) -> std::net::SocketAddr {
    let mut builder = s3s::service::S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder).expect("a storage"));
    builder.set_auth(s3s::auth::SimpleAuth::from_single("key-id", "key-secret"));
    let service = builder.build().into_shared();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let http = hyper_util::server::conn::auto::Builder::new(hyper_util::rt::TokioExecutor::new());
                let _ = http.serve_connection(hyper_util::rt::TokioIo::new(socket), service).await;
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn photos_are_kept_in_an_s3_too() {
    let storage = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(storage.path().join("photos")).expect("a bucket");
    let endpoint = format!("http://{}", s3(storage.path()).await);
    let flags = [
        "--object-store",
        "s3://photos/north/clinic",
        "--s3-endpoint",
        &endpoint,
        "--s3-access-key-id",
        "key-id",
        "--s3-secret-access-key",
        "key-secret",
        "--link-secret",
        "0123456789abcdef0123456789abcdef",
        "--public-url",
        "https://clinic.example.com/",
    ];
    let mut clinic = Clinic::with(&flags).await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    consent(&clinic, &patient, "clinical_photo").await;
    let path = |url: &Value| url.as_str().unwrap().strip_prefix("https://clinic.example.com").unwrap().to_owned();
    let asked = ask(&anna, &patient, json!({})).await;
    let bytes = telephone_jpeg(4);
    let first = put(&clinic, &path(&asked["uploadUrl"]), bytes.clone()).await;
    assert_eq!(first.0, 200, "{}", first.1);
    assert_eq!(put(&clinic, &path(&asked["uploadUrl"]), bytes).await, first);
    let objects = || -> Vec<PathBuf> {
        let all = files(&storage.path().join("photos"));
        all.into_iter().filter(|file| !file.file_name().unwrap().to_string_lossy().starts_with('.')).collect()
    };
    assert_eq!(objects().len(), 2, "{:?}", objects());
    let id = asked["photo"]["id"].as_str().unwrap();
    for size in ["ORIGINAL", "THUMBNAIL"] {
        let shown = link(&anna, id, "CLINICAL_RECORD", size).await;
        let answer = get(&clinic, &path(&shown["url"])).await;
        assert_eq!(answer.status(), 200);
        let kept = answer.bytes().await.expect("bytes");
        assert!(image::load_from_memory(&kept).is_ok() && !holds(&kept, "GPS"));
    }
    // A large one, and the removal of what was left by one that never ended.
    let noise =
        RgbImage::from_fn(2400, 1600, |x, y| Rgb([((x * 7919) ^ (y * 104_729)) as u8, (x * y) as u8, (x ^ y) as u8]));
    let mut large = Cursor::new(Vec::new());
    noise.write_to(&mut large, ImageFormat::Png).expect("a picture");
    assert!(large.get_ref().len() > 5 * 1024 * 1024);
    let more = ask(&anna, &patient, json!({})).await;
    assert_eq!(put(&clinic, &path(&more["uploadUrl"]), large.into_inner()).await.0, 200);
    let sql = clinic.database.superuser().await;
    let photo = uuid_of(id);
    sql.run(&format!("UPDATE photo SET status = 'awaiting_upload', upload_expires_at = now() - interval '1 hour' WHERE id = '{photo}'")).await;
    assert_eq!(objects().len(), 4);
    clinic.restart(&flags).await;
    for _ in 0..100 {
        if objects().len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(objects().len(), 2, "{:?}", objects());
}
