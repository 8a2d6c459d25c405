//! What is taken, what is taken out of it, and what is refused.

use super::{ask, code, consent, files, get, holds, link, picture, put, telephone_jpeg, url_of};
use crate::support::*;
use image::ImageFormat;
use reqwest::{Method, StatusCode};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::Duration;

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
        // As long as the link may be used: five to ten minutes.
        let kept = head("cache-control");
        let seconds = kept.strip_prefix("private, max-age=").and_then(|rest| rest.strip_suffix(", immutable"));
        let seconds: i64 = seconds.and_then(|seconds| seconds.parse().ok()).unwrap_or_else(|| panic!("{kept}"));
        assert!((4 * 60..=10 * 60).contains(&seconds), "{kept}");
        let again = link(&anna, id, "CLINICAL_RECORD", "ORIGINAL").await;
        assert!(
            again == shown || again["expiresAt"] != shown["expiresAt"],
            "the same within five minutes by the clock"
        );
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
    let mut damaged = whole.clone();
    damaged[whole.len() / 2..whole.len() / 2 + 2].copy_from_slice(&[0xFF, 0x9F]);
    let ended = [&whole[..whole.len() / 2], &[0xFF, 0xD9]].concat();
    let form =
        [&b"--x\r\nContent-Disposition: form-data; name=\"photo\"\r\n\r\n"[..], &whole, b"\r\n--x--\r\n"].concat();
    let mut lossless = whole.clone();
    let frame = whole.windows(2).position(|pair| pair == [0xFF, 0xC0]).expect("a frame");
    lossless[frame + 1] = 0xC3;
    for (bytes, expected, says) in [
        (b"<html>not a picture, whatever it says</html>".to_vec(), (415, "NOT_A_PHOTO"), "JPEG, PNG, WebP or HEIC"),
        (damaged, (400, "PHOTO_BROKEN"), "cut"),
        (ended, (400, "PHOTO_BROKEN"), "cut"),
        (form, (415, "NOT_A_PHOTO"), "the bytes of the file itself as the body of the PUT"),
        (b"/9j/4AAQSkZJRgABAQ".to_vec(), (415, "NOT_A_PHOTO"), "base64"),
        (lossless, (415, "JPEG_NOT_TAKEN"), "without loss"),
        (b"\0\0\0\x1Cftypavif\0\0\0\0mif1avif".to_vec(), (415, "HEIC_NOT_TAKEN"), "Most Compatible"),
        (picture(ImageFormat::Jpeg, 1)[..8].to_vec(), (400, "PHOTO_BROKEN"), "send it again"),
        (heic, (400, "PHOTO_BROKEN"), "cut"),
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
async fn a_heic_is_kept_as_a_jpeg_without_what_it_says_beside_the_picture() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let asked = ask(&anna, &patient, json!({})).await;
    let sent = include_bytes!("../../../fuzz/corpus/heic/turned").to_vec();
    assert!(holds(&sent, "SECRET"));
    let (status, answer) = put(&clinic, url_of(&asked), sent.clone()).await;
    assert_eq!((status, &answer["width"], &answer["height"]), (200, &json!(64), &json!(64)), "{answer}");
    assert_eq!(put(&clinic, url_of(&asked), sent).await, (200, answer), "and again");
    let text = "query ($id: ID!) { photo(id: $id) { status mediaType } }";
    let photo = anna.graphql(text, json!({"id": asked["photo"]["id"]})).await.ok()["photo"].clone();
    assert_eq!(photo, json!({"status": "STORED", "mediaType": "image/jpeg"}));
    for kept in files(clinic.objects()).iter().map(|file| std::fs::read(file).unwrap()) {
        assert!(kept.starts_with(&[0xFF, 0xD8, 0xFF]) && !holds(&kept, "SECRET"));
    }
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
