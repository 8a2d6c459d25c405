//! Processes of the service that are killed and started again while they deliver.

use super::{Got, PATIENT, Receiver, hook, standing};
use crate::support::*;
use std::time::Duration;
use tokio::process::Child;

/// Another process of the service, on the database of a clinic.
fn process(clinic: &Clinic, place: &std::path::Path) -> Child {
    let url = clinic.database.url();
    let text = |path: &std::path::Path| path.to_str().expect("text").to_owned();
    let (keys, objects, checkpoints) = (text(clinic.evidence()), text(clinic.objects()), text(place));
    let flags = [
        "serve",
        "--database-url",
        &url,
        "--listen",
        "127.0.0.1:0",
        "--pool-size",
        "8",
        "--key-dir",
        &keys,
        "--object-store",
        &objects,
        "--checkpoint-store",
        &checkpoints,
        "--webhook-allow-network",
        "127.0.0.0/8",
    ];
    let mut command = crate::binary::program(&[&flags[..], PATIENT].concat());
    // Nobody reads what it says.
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    command.spawn().expect("clinic")
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_are_killed_miss_nothing_and_keep_the_order() {
    let clinic = Clinic::with(PATIENT).await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let mut nth = 0;
    // Every fourth is not taken at first.
    let receiver = Receiver::answering(move |_| {
        nth += 1;
        (if nth % 4 == 0 { 500 } else { 204 }, "")
    })
    .await;
    receiver.slows_down(Duration::from_millis(60));
    let hook = hook(&admin, &receiver, &["PATIENTS_READ"], &["PATIENT"]).await;
    let begin = standing(&admin, &hook).await["cursor"].clone();
    let place = tempfile::tempdir().expect("a folder");
    let mut beside = process(&clinic, place.path());
    let mut expected = Vec::new();
    for round in 0..3_u64 {
        for person in 0..12 {
            expected.push(anna.patient("Ada", &format!("Lovelace {round} {person}")).await.id);
            tokio::time::sleep(Duration::from_millis(90 + 40 * (person % 3))).await;
        }
        beside.start_kill().expect("killed");
        beside.wait().await.expect("its end");
        beside = process(&clinic, place.path());
    }
    let took = receiver.until_took(expected.len()).await;
    assert_eq!(took.iter().map(|got| got.change().1).collect::<Vec<_>>(), expected);
    let (told, _) = crate::changes::all(&anna, &begin, json!({"kinds": ["PATIENT"]})).await;
    let sequences: Vec<_> = told.iter().map(|change| change["sequence"].as_i64().expect("a number")).collect();
    assert_eq!(took.iter().map(|got| got.change().0).collect::<Vec<_>>(), sequences);
    // What came again came under the id that it had.
    let got = receiver.got();
    let mut pairs: Vec<(String, String)> = got.iter().map(|it: &Got| (it.id.clone(), it.change().1)).collect();
    pairs.sort();
    pairs.dedup();
    assert_eq!(pairs.len(), expected.len());
    beside.start_kill().expect("killed");
    beside.wait().await.expect("its end");
}
