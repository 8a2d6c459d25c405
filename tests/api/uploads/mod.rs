//! Uploads by who wishes the service ill: slow ones, many at once, and pictures that are small files and large in memory.

mod pictures;

use crate::binary::{Service, data_folder};
use crate::staff::colleague;
use crate::support::*;
use image::{ImageFormat, Rgb, RgbImage};
use pictures::{black_png, lossless_webp, packed_profile, picture, profiled, turned};
use reqwest::{Method, StatusCode};
use std::io::{Cursor, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

async fn ask(by: &Caller, patient: &Made) -> String {
    by.agree_to_photos(patient).await;
    let input = json!({"patientId": patient.id, "phase": "BEFORE", "view": "FRONTAL", "area": "CHEEK", "side": "LEFT"});
    let asked = by.does("requestPhotoUpload", input, "uploadUrl").await.ok();
    asked["requestPhotoUpload"]["uploadUrl"].as_str().expect("an address").to_owned()
}

async fn put(by: &Caller, url: &str, bytes: Vec<u8>) -> (StatusCode, Value, Option<String>) {
    let answer = by.request(Method::PUT, url).body(bytes).send().await.expect("an answer");
    let retry = answer.headers().get("retry-after").map(|it| it.to_str().unwrap().to_owned());
    (answer.status(), answer.json().await.expect("JSON"), retry)
}

fn code(answer: &(StatusCode, Value, Option<String>)) -> (u16, &str) {
    (answer.0.as_u16(), answer.1["error"]["code"].as_str().unwrap_or("no code"))
}

/// An upload that begins and says no more.
fn begin(address: SocketAddr, url: &str) -> TcpStream {
    let mut wire = TcpStream::connect(address).expect("a connection");
    write!(wire, "PUT {url} HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n").expect("a head");
    wire.write_all(b"\xFF\xD8\xFF").expect("a beginning");
    wire
}

fn address(clinic: &Clinic) -> SocketAddr {
    clinic.url("").trim_start_matches("http://").parse().expect("an address")
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_uploads_hold_up_nobody_else() {
    let clinic = Clinic::start().await;
    let (anna, bella) = (clinic.practitioner(), colleague(&clinic, "bella").await);
    let patient = anna.patient("Ada", "Lovelace").await;
    let slow = ask(&anna, &patient).await;
    let mut wires: Vec<TcpStream> = (0..8).map(|_| begin(address(&clinic), &slow)).collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    // By another address of the same person.
    let begun = Instant::now();
    let answer = put(&anna, &ask(&anna, &patient).await, picture(1)).await;
    assert_eq!(answer.0, StatusCode::OK, "{answer:?}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    // A person has four places: with eight slow ones of theirs, others are as fast as ever.
    for _ in 0..8 {
        wires.push(begin(address(&clinic), &ask(&anna, &patient).await));
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let begun = Instant::now();
    let answer = put(&bella, &ask(&bella, &patient).await, picture(2)).await;
    assert_eq!(answer.0, StatusCode::OK, "{answer:?}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    // At an address that is taken one waits, and is told; the ninth who waits is told at once.
    wires.push(begin(address(&clinic), &slow));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let begun = Instant::now();
    let answer = put(&anna, &slow, picture(3)).await;
    assert_eq!((code(&answer), answer.2.as_deref()), ((409, "UPLOAD_UNDER_WAY"), Some("5")));
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    // When the slow ones have gone, the address takes its picture.
    drop(wires);
    let answer = put(&anna, &slow, picture(3)).await;
    assert_eq!(answer.0, StatusCode::OK, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_comes_too_slowly_is_ended() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let url = ask(&anna, &patient).await;
    let mut wire = begin(address(&clinic), &url);
    let ended = tokio::task::spawn_blocking(move || {
        let begun = Instant::now();
        wire.set_read_timeout(Some(Duration::from_millis(100))).expect("a limit");
        let mut said = Vec::new();
        while begun.elapsed() < Duration::from_secs(60) {
            // Some bytes, again and again: it never stands still.
            let _ = wire.write_all(&[0; 64]);
            let mut part = [0; 4096];
            match wire.read(&mut part) {
                Ok(count @ 1..) => said.extend_from_slice(&part[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                _ => break,
            }
        }
        (String::from_utf8_lossy(&said).into_owned(), begun.elapsed())
    });
    let (said, time) = ended.await.expect("an end");
    assert!(said.starts_with("HTTP/1.1 408") && said.contains("too slowly"), "{said}");
    assert!(time < Duration::from_secs(20), "{time:?}");
    let answer = put(&anna, &url, picture(1)).await;
    assert_eq!(answer.0, StatusCode::OK, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bytes_of_photos_are_paid_for_and_the_same_ones_are_not_unpacked_twice() {
    // 100 an upload, 100 a megapixel that is unpacked.
    let clinic = Clinic::with(&["--rate-limit-account", "2000"]).await;
    let both = [(clinic.practitioner(), picture(1)), (colleague(&clinic, "bella").await, turned(2))];
    for (anna, bytes) in both {
        let patient = anna.patient("Ada", "Lovelace").await;
        let url = ask(&anna, &patient).await;
        let first = put(&anna, &url, bytes.clone()).await;
        assert_eq!(first.0, StatusCode::OK, "{first:?}");
        let mut taken = 0;
        let refused = loop {
            let answer = put(&anna, &url, bytes.clone()).await;
            if answer.0 != StatusCode::OK {
                break answer;
            }
            assert_eq!(answer.1, first.1);
            taken += 1;
            assert!(taken < 60, "somebody pays for it");
        };
        assert_eq!(code(&refused), (429, "RATE_LIMITED"));
        assert!(refused.2.as_deref().is_some_and(|it| it.parse::<u32>().is_ok_and(|it| it <= 60)), "{refused:?}");
        assert!(taken >= 12, "{taken}: unpacked again and again, it would be eight");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_broken_is_told_again_and_costs_no_second_look() {
    let clinic = Clinic::with(&["--photo-memory", "64"]).await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let url = ask(&anna, &patient).await;
    let half = picture(1)[..5000].to_vec();
    for _ in 0..2 {
        assert_eq!(code(&put(&anna, &url, half.clone()).await), (400, "PHOTO_BROKEN"));
    }
    // 66 MB unpacked, in 64 MiB; a smaller one is taken.
    let large = black_png(5000, 4400, 8, 3);
    for _ in 0..2 {
        let answer = put(&anna, &url, large.clone()).await;
        assert_eq!(code(&answer), (413, "PHOTO_TOO_LARGE"));
        assert!(answer.1["error"]["message"].as_str().unwrap().contains("more memory"), "{answer:?}");
    }
    let answer = put(&anna, &url, black_png(3000, 2000, 8, 3)).await;
    assert_eq!((answer.0, &answer.1["width"]), (StatusCode::OK, &json!(3000)), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_lossless_webp_is_refused_and_told_what_to_send() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let url = ask(&anna, &patient).await;
    for _ in 0..2 {
        let answer = put(&anna, &url, lossless_webp(42_140)).await;
        assert_eq!(code(&answer), (413, "PHOTO_TOO_LARGE"));
        assert!(answer.1["error"]["message"].as_str().unwrap().contains("as a JPEG, as a PNG"), "{answer:?}");
    }
    // A short one is unpacked: this one is no picture. A small one that is, is taken.
    assert_eq!(code(&put(&anna, &url, lossless_webp(420)).await), (400, "PHOTO_BROKEN"));
    let mut small = Cursor::new(Vec::new());
    RgbImage::from_pixel(8, 8, Rgb([1, 2, 3])).write_to(&mut small, ImageFormat::WebP).expect("a picture");
    let answer = put(&anna, &url, small.into_inner()).await;
    assert_eq!((answer.0, &answer.1["width"]), (StatusCode::OK, &json!(8)), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_whose_sign_in_has_ended_costs_its_owner_nothing() {
    let clinic = Clinic::with(&["--rate-limit-account", "20000", "--rate-limit-address", "60"]).await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let text = admin.consent_text("CLINICAL_PHOTO", json!({})).await;
    let patient = anna.patient("Ada", "Lovelace").await;
    anna.consent(&patient, &text, json!({})).await;
    let photo = anna.photo_with(&patient, json!({})).await;
    let out = clinic.sign_in_again(&clinic.north, Role::Practitioner).await;
    let upload = ask(&out, &patient).await;
    let link = "query ($id: ID!) { photo(id: $id) { link(purpose: CLINICAL_RECORD, size: ORIGINAL) { url } } }";
    let link = out.graphql(link, json!({"id": photo.id})).await.ok();
    let read = link["photo"]["link"]["url"].as_str().expect("a link").to_owned();
    out.ask("mutation { signOut { signedOut } }").await;
    // All in one minute of the clock.
    while std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() % 60 > 40 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let left = async || {
        let answer = anna.graphql("{ viewer { kind } }", json!({})).await;
        let answer = serde_json::from_str::<Value>(&answer.text).expect("JSON");
        answer["extensions"]["rateLimit"]["remaining"].as_u64().expect("points")
    };
    let before = left().await;
    let one = before - left().await;
    for _ in 0..5 {
        assert_eq!(code(&put(&anna, &upload, picture(1)).await), (403, "FORBIDDEN"));
        let answer = anna.request(Method::GET, &read).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    }
    assert_eq!(left().await, before - 2 * one);
    // One that holds pays, whatever comes of it.
    let taken = put(&anna, &ask(&anna, &patient).await, b"no picture at all".to_vec()).await;
    assert_eq!(code(&taken), (415, "NOT_A_PHOTO"));
    assert!(left().await <= before - 3 * one - 100);
    // Who goes on trying is held back where they are.
    let mut tries = 0;
    let refused = loop {
        let answer = put(&anna, &upload, picture(1)).await;
        if answer.0 != StatusCode::FORBIDDEN {
            break answer;
        }
        tries += 1;
        assert!(tries < 60, "it counts on the network address");
    };
    assert_eq!(code(&refused), (429, "RATE_LIMITED"));
    assert!(refused.2.is_some(), "{refused:?}");
}

/// The most memory that a process has had, MiB.
fn most_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn what_a_picture_takes_in_memory_is_bounded_before_it_is_unpacked() {
    let clinic = Clinic::start().await;
    let (folder, url) = (data_folder(), clinic.database.url());
    let mut service = Service::start(&["--database-url", &url, "--data-dir", folder.path().to_str().unwrap()]).await;
    let anna = service.sign_in(&clinic.practitioner().member.email).await;
    let patient = clinic.practitioner().patient("Ada", "Lovelace").await;
    let answer = put(&anna, &ask(&anna, &patient).await, picture(1)).await;
    assert_eq!(answer.0, StatusCode::OK, "{answer:?}");
    let before = most_memory(service.id());
    // Half a gigabyte in three megabytes.
    let answer = put(&anna, &ask(&anna, &patient).await, black_png(7900, 8000, 16, 4)).await;
    assert_eq!(code(&answer), (413, "PHOTO_TOO_LARGE"));
    let refused = most_memory(service.id()).saturating_sub(before);
    println!("refused: {refused} MiB more than {before}");
    assert!(refused < 64, "{refused} MiB");
    // Four that are taken, 190 MB each, at once: one after another they go through the same memory.
    let patients = [("Bea", 1), ("Cara", 2), ("Dora", 3), ("Eva", 4)];
    let uploads = patients.map(|(name, seed)| {
        let (anna, clinic) = (&anna, &clinic);
        async move {
            let patient = clinic.practitioner().patient(name, "Lovelace").await;
            put(anna, &ask(anna, &patient).await, black_png(7900 + seed, 8000, 8, 3)).await
        }
    });
    for answer in futures::future::join_all(uploads).await {
        assert_eq!(answer.0, StatusCode::OK, "{answer:?}");
    }
    let taken = most_memory(service.id()).saturating_sub(before);
    println!("taken: {taken} MiB more than {before}");
    assert!(taken < 384 + 64, "{taken} MiB");
    assert_eq!(std::fs::read_dir(folder.path().join("uploads")).expect("a folder").count(), 0, "no file is left");
    service.stop().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_packed_profile_is_not_unpacked_past_what_real_ones_have() {
    let clinic = Clinic::start().await;
    let (folder, url) = (data_folder(), clinic.database.url());
    let mut service = Service::start(&["--database-url", &url, "--data-dir", folder.path().to_str().unwrap()]).await;
    let anna = service.sign_in(&clinic.practitioner().member.email).await;
    let patient = clinic.practitioner().patient("Ada", "Lovelace").await;
    let four = async |of: &dyn Fn(u8) -> Vec<u8>| {
        let uploads = [1, 2, 3, 4].map(|seed| {
            let (anna, patient, picture) = (&anna, &patient, of(seed));
            async move { put(anna, &ask(anna, patient).await, picture).await }
        });
        futures::future::join_all(uploads).await
    };
    // Each thread that unpacks takes memory of its own at first, which is no profile's.
    for answer in four(&picture).await {
        assert_eq!(answer.0, StatusCode::OK, "{answer:?}");
    }
    let (before, profile) = (most_memory(service.id()), packed_profile());
    for answer in four(&|seed| profiled(seed, &profile)).await {
        assert_eq!((answer.0, &answer.1["width"]), (StatusCode::OK, &json!(8)), "without its profile: {answer:?}");
    }
    // One alone, unpacked, takes 240 MiB.
    let taken = most_memory(service.id()).saturating_sub(before);
    println!("taken: {taken} MiB more than {before}");
    assert!(taken < 160, "{taken} MiB");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_no_photo_that_they_asked_for_holds_up_nobody() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let admin = clinic.admin();
    let patient = anna.patient("Ada", "Lovelace").await;
    let text = admin.consent_text("CLINICAL_PHOTO", json!({})).await;
    anna.consent(&patient, &text, json!({})).await;
    let photo = anna.photo_with(&patient, json!({})).await;
    let link = async |by: &SignedIn| {
        let text = "query ($id: ID!) { photo(id: $id) { link(purpose: CLINICAL_RECORD, size: ORIGINAL) { url } } }";
        let link = by.graphql(text, json!({"id": photo.id})).await.ok();
        link["photo"]["link"]["url"].as_str().expect("a link").to_owned()
    };
    let url = link(&anna).await;
    let wires: Vec<TcpStream> = (0..40)
        .map(|_| {
            let mut wire = TcpStream::connect(address(&clinic)).expect("a connection");
            write!(wire, "GET {url} HTTP/1.1\r\nHost: x\r\n\r\n").expect("a head");
            wire
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let shown = clinic.anonymous().request(Method::GET, &link(&admin).await).send().await.expect("an answer");
    assert_eq!(shown.status(), StatusCode::OK);
    drop(wires);
}
