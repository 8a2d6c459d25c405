//! Which networks webhooks reach: at the time of adding, and at each delivery.

use super::{Receiver, SOON, hook, standing, until};
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_a_closed_network_is_not_taken() {
    let clinic = Clinic::with(&["--webhook-allow-network", "127.0.0.0/8"]).await;
    let admin = clinic.admin();
    let service = admin.service_account("Receiver", &["PATIENTS_READ"]).await;
    let add = async |url: &str| {
        let input = json!({"serviceAccountId": service.id, "url": url});
        admin.does("addWebhook", input, "webhook { id version }").await
    };
    for url in [
        "http://10.0.0.1/",
        "https://10.0.0.1/",
        "https://192.168.1.1:8443/hook",
        "http://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[fd00:ec2::254]/",
        "https://[::ffff:10.0.0.1]/",
        "https://100.64.0.1/",
        "https://0x0a000001/",
        "https://no-such-name.invalid/",
        // By TLS only, as nobody opened its network.
        "http://8.8.8.8/",
    ] {
        let answer = add(url).await;
        assert_eq!((answer.code(), answer.faults()), ("BAD_USER_INPUT", vec!["input.url"]), "{url} {}", answer.text);
        assert_eq!(answer.errors[0]["extensions"]["fields"][0]["code"], "NOT_ALLOWED", "{url}");
    }
    for url in [
        "ftp://127.0.0.1/",
        "127.0.0.1/hook",
        "https://user:password@127.0.0.1/",
        "javascript:alert(1)",
        "https://",
        "",
    ] {
        let answer = add(url).await;
        assert_eq!(answer.faults(), ["input.url"], "{url} {}", answer.text);
    }
    assert_eq!(add(&format!("http://127.0.0.1/{}", "x".repeat(2_000))).await.faults(), ["input.url"]);
    // It is kept longer than it was written.
    let answer = add(&format!("http://127.0.0.1:9/{}", "é".repeat(1_900))).await;
    assert_eq!((answer.code(), answer.faults()[0]), ("BAD_USER_INPUT", "input.url"), "{}", answer.text);
    assert!(answer.text.contains("TOO_LONG"), "{}", answer.text);
    let made = add("http://127.0.0.1:9/").await.ok()["addWebhook"]["webhook"].clone();
    let answer = admin
        .does("updateWebhook", Made::of(&made).edit_with(json!({"url": "https://10.0.0.1/"})), "webhook { id }")
        .await;
    assert_eq!(answer.faults(), ["input.url"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_leads_elsewhere_by_now_is_refused_at_the_delivery() {
    let clinic = Clinic::with(SOON).await;
    let (anna, admin, receiver) = (clinic.practitioner(), clinic.admin(), Receiver::start().await);
    let hook = hook(&admin, &receiver, &["PATIENTS_READ"], &["PATIENT"]).await;
    let sql = clinic.database.superuser().await;
    sql.run("UPDATE webhook SET url = 'http://169.254.169.254/latest/meta-data/'").await;
    anna.patient("Ada", "Lovelace").await;
    until("it is given up", async || standing(&admin, &hook).await["status"] == "DISABLED").await;
    let tries = standing(&admin, &hook).await["deliveries"]["nodes"].clone();
    assert!(
        tries.as_array().expect("tries").iter().all(|it| it["error"] == "NOT_ALLOWED" && it["statusCode"].is_null()),
        "{tries}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_closed_again_is_not_reached() {
    let mut clinic = Clinic::start().await;
    let receiver = Receiver::start().await;
    let hook = hook(&clinic.admin(), &receiver, &["PATIENTS_READ"], &["PATIENT"]).await;
    clinic.restart(&[SOON, &["--webhook-allow-network", "192.0.2.0/24,2001:db8::/32"]].concat()).await;
    let admin = clinic.admin();
    clinic.practitioner().patient("Ada", "Lovelace").await;
    until("it is given up", async || standing(&admin, &hook).await["status"] == "DISABLED").await;
    assert_eq!(receiver.got().len(), 0);
    let answer = admin.does("testWebhook", json!({"id": hook.made.id}), "delivered error").await.ok();
    assert_eq!(answer["testWebhook"], json!({"delivered": false, "error": "NOT_ALLOWED"}));
}
