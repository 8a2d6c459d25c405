//! What counts as failed, when it is tried again, and when a webhook is given up.

use super::{Receiver, SOON, change, hook, standing, until};
use crate::support::*;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

async fn disabled(admin: &SignedIn, hook: &super::Hook) -> Value {
    until("it is disabled", async || standing(admin, hook).await["status"] == "DISABLED").await;
    standing(admin, hook).await
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_last_try_a_webhook_is_disabled_with_a_notice_and_goes_on_where_it_stopped() {
    let mut clinic = Clinic::start().await;
    let (address, mails) = crate::privacy::mail::mail_server().await;
    let mail = ["--smtp-url", &address, "--mail-from", "Clinic <clinic@north.example>"];
    clinic.restart(&[SOON, &mail].concat()).await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let receiver = Receiver::answering(|_| (500, "")).await;
    let hook = hook(&admin, &receiver, &["PATIENTS_READ"], &["PATIENT"]).await;
    let patients = [anna.patient("Zoë", "Quibblewick").await, anna.patient("Ada", "Lovelace").await];
    let stands = disabled(&admin, &hook).await;
    assert_eq!(
        (&stands["reason"], &stands["failedTries"], &stands["version"]),
        (&json!("FAILED"), &json!(4), &json!(2))
    );
    assert!(stands["failingSince"].is_string() && stands["nextTryAt"].is_null(), "{stands}");
    let got = receiver.got();
    let ids: BTreeSet<&str> = got.iter().map(|got| got.id.as_str()).collect();
    assert_eq!((got.len(), ids.len()), (4, 1), "four tries of one change");
    let tries = stands["deliveries"]["nodes"].as_array().expect("tries").clone();
    let attempts: Vec<_> = tries.iter().map(|it| it["attempt"].as_i64().expect("a number")).collect();
    assert_eq!(attempts, [4, 3, 2, 1]);
    assert!(tries.iter().all(|it| it["statusCode"] == 500 && it["error"] == "STATUS"), "{tries:?}");
    assert!(tries[0]["nextTryAt"].is_null() && tries[1]["nextTryAt"].is_string(), "{tries:?}");
    // The ledger has it, without an author; admins have a mail that names nobody.
    let sql = clinic.database.superuser().await;
    let entry = "SELECT action || ' ' || coalesce(actor_id::text, 'nobody') FROM ledger WHERE record_kind = 'webhook' ORDER BY seq DESC LIMIT 1";
    assert_eq!(sql.one(entry).await, "update nobody");
    until("admins are told", async || !mails.lock().expect("mails").is_empty()).await;
    until("it is noted", async || sql.one("SELECT bool_or(untold) FROM webhook_place").await == "f").await;
    let mails = mails.lock().expect("mails").clone();
    let (to, text) = &mails[0];
    assert_eq!((mails.len(), to.as_str()), (1, "admin@north.example"));
    for word in [&hook.made.id, "resumeWebhook", "A webhook was disabled"] {
        assert!(text.contains(word), "{word} {text}");
    }
    assert!(!text.contains("Quibblewick") && !text.contains("patient_"), "{text}");
    // Nothing is sent meanwhile, and nothing is lost.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(receiver.got().len(), 4);
    receiver.now_answers(|_| (200, ""));
    change(&admin, "resumeWebhook", &hook, json!({})).await;
    let took = receiver.until_took(2).await;
    assert_eq!(
        took.iter().map(|got| got.change().1).collect::<Vec<_>>(),
        [patients[0].id.clone(), patients[1].id.clone()]
    );
    assert_eq!(took[0].id, got[0].id, "the same id as three days ago");
    until("no try failed", async || standing(&admin, &hook).await["failedTries"] == 0).await;
    let stands = standing(&admin, &hook).await;
    assert_eq!(
        (&stands["status"], &stands["reason"], &stands["failingSince"]),
        (&json!("ACTIVE"), &Value::Null, &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_gone_is_disabled_at_once() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let receiver = Receiver::answering(|_| (410, "")).await;
    let hook = hook(&admin, &receiver, &["PATIENTS_READ"], &["PATIENT"]).await;
    anna.patient("Ada", "Lovelace").await;
    assert_eq!(disabled(&admin, &hook).await["reason"], "GONE");
    assert_eq!(receiver.got().len(), 1);
    // It may come back, after a place of its own.
    receiver.now_answers(|_| (200, ""));
    let now = crate::changes::now(&admin).await;
    change(&admin, "resumeWebhook", &hook, json!({"after": now})).await;
    let later = anna.patient("Grace", "Hopper").await;
    assert_eq!(receiver.until_took(1).await[0].change().1, later.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn anything_but_a_success_is_a_failure_and_is_told_in_a_word() {
    let clinic =
        Clinic::with(&["--webhook-schedule", "30ms,30ms,30ms,30ms,30ms,30ms", "--webhook-timeout", "400ms"]).await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let elsewhere = Receiver::start().await;
    let there: &'static str = format!("location: {}\r\n", elsewhere.url).leak();
    let receiver = Receiver::answering(move |place| match place {
        0 => (301, there),
        1 => (307, there),
        2 => (0, ""),
        3 => (400, ""),
        _ => (202, ""),
    })
    .await;
    let hook = hook(&admin, &receiver, &["PATIENTS_READ"], &["PATIENT"]).await;
    anna.patient("Ada", "Lovelace").await;
    receiver.until_took(1).await;
    until("all is noted", async || standing(&admin, &hook).await["deliveries"]["totalCount"] == 5).await;
    let stands = standing(&admin, &hook).await;
    let tries = stands["deliveries"]["nodes"].as_array().expect("tries");
    let told: Vec<_> = tries.iter().rev().map(|it| (it["statusCode"].as_i64(), it["error"].as_str())).collect();
    let status = Some("STATUS");
    assert_eq!(
        told,
        [(Some(301), status), (Some(307), status), (None, Some("TIMEOUT")), (Some(400), status), (Some(202), None)]
    );
    assert!(tries[2]["durationMs"].as_i64() >= Some(390), "{tries:?}");
    assert_eq!(elsewhere.got().len(), 0, "no redirect is followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_busy_is_left_alone_for_as_long_as_they_say() {
    let clinic = Clinic::with(&["--webhook-schedule", "10ms,10ms"]).await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let receiver = Receiver::answering(|place| if place == 0 { (429, "retry-after: 2\r\n") } else { (200, "") }).await;
    let hook = hook(&admin, &receiver, &["PATIENTS_READ"], &["PATIENT"]).await;
    anna.patient("Ada", "Lovelace").await;
    receiver.until_got(1).await;
    let begun = Instant::now();
    receiver.until_got(2).await;
    assert!(begun.elapsed() > Duration::from_millis(1_800), "{:?}", begun.elapsed());
    // Nobody puts it off for longer than a day.
    receiver.now_answers(|_| (503, "retry-after: 9999999\r\n"));
    anna.patient("Grace", "Hopper").await;
    until("it waits", async || standing(&admin, &hook).await["nextTryAt"].is_string()).await;
    let next =
        standing(&admin, &hook).await["nextTryAt"].as_str().expect("a time").parse::<chrono::DateTime<chrono::Utc>>();
    let wait = next.expect("a time") - chrono::Utc::now();
    assert!((23 * 3600 + 3000..=24 * 3600).contains(&wait.num_seconds()), "{wait}");
    // An admin who changed something need not wait.
    receiver.now_answers(|_| (200, ""));
    change(&admin, "updateWebhook", &hook, json!({"description": "mended"})).await;
    receiver.until_took(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_forgets_after_thirty_days() {
    let mut clinic = Clinic::start().await;
    let receiver = Receiver::start().await;
    let hook = hook(&clinic.admin(), &receiver, &["PATIENTS_READ"], &["PATIENT"]).await;
    for name in ["Ada", "Grace"] {
        clinic.practitioner().patient(name, "Lovelace").await;
    }
    until("both are noted", async || standing(&clinic.admin(), &hook).await["deliveries"]["totalCount"] == 2).await;
    let sql = clinic.database.superuser().await;
    sql.run("UPDATE webhook_delivery SET at = now() - interval '31 days' WHERE attempt = 1 AND seq = (SELECT min(seq) FROM webhook_delivery)").await;
    sql.run("UPDATE webhook_delivery SET at = now() - interval '29 days' WHERE seq = (SELECT max(seq) FROM webhook_delivery)").await;
    clinic.restart(&[]).await;
    until("one is gone", async || sql.one("SELECT count(*) FROM webhook_delivery").await == "1").await;
    let left = standing(&clinic.admin(), &hook).await["deliveries"]["nodes"][0].clone();
    assert_eq!(left["sequence"].as_i64(), receiver.got().last().map(|got| got.change().0));
}
