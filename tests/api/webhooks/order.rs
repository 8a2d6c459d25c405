//! None missed, none twice, in order: whatever the receiver answers, and whoever of the service is there.

use super::{Got, PATIENT, Receiver, hook, standing, until};
use crate::support::*;
use std::time::Duration;

/// What a webhook is to be told of: sequence and record of each change, as the feed has them.
async fn told_by_the_feed(who: &SignedIn, begin: &Value) -> Vec<(i64, String)> {
    let (changes, _) = crate::changes::all(who, begin, json!({"kinds": ["PATIENT"]})).await;
    let each = changes.iter().map(|it| (it["sequence"].as_i64(), it["recordId"].as_str()));
    each.map(|(seq, id)| (seq.expect("a number"), id.expect("an id").to_owned())).collect()
}

fn changes(got: &[Got]) -> Vec<(i64, String)> {
    got.iter().map(Got::change).collect()
}

/// Answers that fail two times in three, by a sequence that is the same each time.
fn at_random(seed: u64) -> impl FnMut(usize) -> (u16, &'static str) + Send + 'static {
    let mut state = seed;
    move |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        match (state >> 33) % 6 {
            0 | 1 => (200, ""),
            2 => (500, ""),
            3 => (302, "location: http://127.0.0.1:1/\r\n"),
            4 => (404, ""),
            _ => (503, ""),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_at_random_misses_nothing_and_gets_it_in_order() {
    let clinic = Clinic::with(PATIENT).await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let receiver = Receiver::answering(at_random(7)).await;
    let hook = hook(&admin, &receiver, &["PATIENTS_READ"], &["PATIENT"]).await;
    let begin = standing(&admin, &hook).await["cursor"].clone();
    for nth in 0..25 {
        let made = anna.patient("Ada", &format!("Lovelace {nth}")).await;
        if nth % 5 == 0 {
            anna.make("updatePatient", "patient", made.edit_with(json!({"patch": {"gender": "woman"}}))).await;
        }
    }
    let expected = told_by_the_feed(&anna, &begin).await;
    assert_eq!(expected.len(), 30);
    assert_eq!(changes(&receiver.until_took(30).await), expected);
    // Each try of a change came under one id, and nothing overtook: a change is tried until it is taken.
    let got = receiver.got();
    assert!(got.len() > 40, "only {} tries", got.len());
    let mut distinct = changes(&got);
    distinct.dedup();
    assert_eq!(distinct, expected);
    for pair in got.windows(2) {
        assert_eq!(pair[0].id == pair[1].id, pair[0].change() == pair[1].change());
    }
    until("the log has each try", async || {
        standing(&admin, &hook).await["deliveries"]["totalCount"] == json!(got.len())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_services_deliver_once_and_in_order_and_one_goes_on_alone() {
    let clinic = Clinic::with(PATIENT).await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let (receiver, other) = (Receiver::answering(at_random(11)).await, Receiver::start().await);
    let first = hook(&admin, &receiver, &["PATIENTS_READ"], &["PATIENT"]).await;
    let second = hook(&admin, &other, &["PATIENTS_READ"], &["PATIENT"]).await;
    let begin = standing(&admin, &second).await["cursor"].clone();
    let place = tempfile::tempdir().expect("a folder");
    let text = |path: &std::path::Path| path.to_str().expect("text").to_owned();
    let (keys, objects, checkpoints) = (text(clinic.evidence()), text(clinic.objects()), text(place.path()));
    let flags = ["--key-dir", &keys, "--object-store", &objects, "--checkpoint-store", &checkpoints];
    let beside = serve(&clinic.database.url(), &[&flags[..], PATIENT].concat()).await;
    let through = |nth: u32| {
        let door = if nth.is_multiple_of(2) { clinic.anonymous() } else { Anonymous::at(beside.address()) };
        SignedIn::new(&door, &clinic.north, anna.member.clone())
    };
    for nth in 0..12 {
        through(nth).patient("Ada", &format!("Lovelace {nth}")).await;
    }
    until("both are in the midst of it", async || receiver.took().len() >= 4).await;
    beside.stop().await;
    for nth in 12..20 {
        anna.patient("Ada", &format!("Lovelace {nth}")).await;
    }
    let expected = told_by_the_feed(&anna, &begin).await;
    assert_eq!(expected.len(), 20);
    for receiver in [&receiver, &other] {
        assert_eq!(changes(&receiver.until_took(20).await), expected);
    }
    // While both were there, no try overtook another, and whoever stopped gave back what it had: nothing came twice.
    assert_eq!(changes(&other.got()), expected, "the receiver that took all was sent each change once");
    assert_eq!(standing(&admin, &first).await["status"], "ACTIVE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_holds_a_webhook_up_for_as_long_as_its_lease_lasts() {
    let clinic = Clinic::with(PATIENT).await;
    let (anna, admin, receiver) = (clinic.practitioner(), clinic.admin(), Receiver::start().await);
    hook(&admin, &receiver, &["PATIENTS_READ"], &["PATIENT"]).await;
    let sql = clinic.database.superuser().await;
    // What a process leaves that was killed while it delivered.
    let left =
        "UPDATE webhook_place SET lease = lease + 1, holder = gen_random_uuid(), leased_until = now() + interval '3 s'";
    sql.run(left).await;
    let begun = std::time::Instant::now();
    anna.patient("Ada", "Lovelace").await;
    receiver.until_took(1).await;
    assert!(begun.elapsed() > Duration::from_secs(2), "another process was believed to be at it");
    assert_eq!(receiver.got().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_late_with_an_old_lease_moves_nothing() {
    let clinic = Clinic::with(PATIENT).await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    // The first answer is so slow that the lease is another's before it comes.
    let receiver = Receiver::answering(|place| (if place == 0 { 0 } else { 200 }, "")).await;
    let hook = hook(&admin, &receiver, &["PATIENTS_READ"], &["PATIENT"]).await;
    let first = anna.patient("Ada", "Lovelace").await;
    receiver.until_got(1).await;
    let sql = clinic.database.superuser().await;
    sql.run("UPDATE webhook_place SET lease = lease + 1, leased_until = NULL").await;
    let begun = std::time::Instant::now();
    // The one who waits for the answer notices when it renews its lease, and the next begins.
    let took = receiver.until_took(1).await;
    assert_eq!(took[0].change().1, first.id);
    assert!(begun.elapsed() < Duration::from_secs(12), "they waited for the answer to the end: {:?}", begun.elapsed());
    let got = receiver.got();
    assert_eq!(got[0].id, got[1].id, "the same change under the same id");
    until("one try is noted", async || standing(&admin, &hook).await["deliveries"]["totalCount"] == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_service_tells_later_what_it_did_not_tell() {
    let mut clinic = Clinic::with(PATIENT).await;
    let receiver = Receiver::start().await;
    let hook = hook(&clinic.admin(), &receiver, &["PATIENTS_READ"], &["PATIENT"]).await;
    change_while_failing(&clinic, &receiver).await;
    let begin = standing(&clinic.admin(), &hook).await["startsAfter"].clone();
    clinic.restart(PATIENT).await;
    receiver.now_answers(|_| (200, ""));
    let expected = told_by_the_feed(&clinic.practitioner(), &begin).await;
    assert_eq!(changes(&receiver.until_took(3).await), expected);
}

async fn change_while_failing(clinic: &Clinic, receiver: &Receiver) {
    receiver.now_answers(|_| (500, ""));
    for nth in 0..3 {
        clinic.practitioner().patient("Ada", &format!("Lovelace {nth}")).await;
    }
    receiver.until_got(2).await;
}
