//! Secrets: shown once, sealed, rotated.

use super::{Receiver, change, hook, standing};
use crate::support::*;

async fn rotate(admin: &SignedIn, hook: &super::Hook, more: Value) -> (Value, String) {
    let now = Made::of(&standing(admin, hook).await);
    let selection = "webhook { id version secretFingerprint oldSecretUntil } secret";
    let answer = admin.does("rotateWebhookSecret", now.edit_with(more), selection).await.ok();
    let secret = answer["rotateWebhookSecret"]["secret"].as_str().expect("a secret").to_owned();
    (answer["rotateWebhookSecret"]["webhook"].clone(), secret)
}

#[tokio::test(flavor = "multi_thread")]
async fn both_secrets_sign_while_one_takes_the_other_s_place() {
    let clinic = Clinic::start().await;
    let (anna, admin, receiver) = (clinic.practitioner(), clinic.admin(), Receiver::start().await);
    let hook = hook(&admin, &receiver, &["PATIENTS_READ"], &["PATIENT"]).await;
    let (after, new) = rotate(&admin, &hook, json!({"overlapHours": 2})).await;
    let until =
        after["oldSecretUntil"].as_str().expect("a time").parse::<chrono::DateTime<chrono::Utc>>().expect("a time");
    assert!((7_100..=7_200).contains(&(until - chrono::Utc::now()).num_seconds()), "{until}");
    anna.patient("Ada", "Lovelace").await;
    let got = receiver.until_got(1).await;
    assert!(got[0].verifies(&hook.secret) && got[0].verifies(&new), "{:?}", got[0].headers);
    assert_eq!(got[0].headers["webhook-signature"].to_str().expect("text").split(' ').count(), 2);
    // Once the time is over, the new one alone.
    clinic.database.superuser().await.run("UPDATE webhook SET old_secret_until = now()").await;
    anna.patient("Grace", "Hopper").await;
    let got = receiver.until_got(2).await;
    assert!(!got[1].verifies(&hook.secret) && got[1].verifies(&new));
    // At once, for a secret that somebody else has seen.
    let (after, newest) = rotate(&admin, &hook, json!({"overlapHours": 0})).await;
    assert!(after["oldSecretUntil"].is_null());
    anna.patient("Emmy", "Noether").await;
    let got = receiver.until_got(3).await;
    assert!(!got[2].verifies(&new) && got[2].verifies(&newest));
    let now = Made::of(&standing(&admin, &hook).await);
    for hours in [-1, 721] {
        let answer = admin.does("rotateWebhookSecret", now.edit_with(json!({"overlapHours": hours})), "secret").await;
        assert_eq!(answer.faults(), ["input.overlapHours"], "{hours}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_shown_once_and_kept_sealed() {
    let clinic = Clinic::start().await;
    let (admin, receiver) = (clinic.admin(), Receiver::start().await);
    let service = admin.service_account("Receiver", &["PATIENTS_READ"]).await;
    let input = json!({"serviceAccountId": service.id, "url": receiver.url});
    let add =
        || admin.does_with_key("k", "addWebhook", input.clone(), "webhook { id version secretFingerprint } secret");
    let (first, second) = (add().await.ok(), add().await.ok());
    let secret = first["addWebhook"]["secret"].as_str().expect("a secret").to_owned();
    assert!(secret.starts_with("whsec_") && second["addWebhook"]["secret"].is_null(), "{second}");
    assert_eq!(first["addWebhook"]["webhook"], second["addWebhook"]["webhook"]);
    let made = Made::of(&first["addWebhook"]["webhook"]);
    let rotate = || admin.does_with_key("r", "rotateWebhookSecret", made.edit(), "webhook { version } secret");
    let (third, fourth) = (rotate().await.ok(), rotate().await.ok());
    let newer = third["rotateWebhookSecret"]["secret"].as_str().expect("a secret").to_owned();
    assert!(fourth["rotateWebhookSecret"]["secret"].is_null() && newer != secret);
    // The fingerprint is that of what the receiver has.
    let fingerprint: String = sha256_begin(&newer);
    let shown =
        admin.graphql(super::STANDING, json!({"id": made.id})).await.ok()["webhook"]["secretFingerprint"].clone();
    assert_eq!(shown, json!(fingerprint));
    // Neither the database nor the ledger has either, as it is sent or as bytes.
    let sql = clinic.database.superuser().await;
    sql.plain_ledger("true").await;
    let rows = sql.one("SELECT string_agg(w::text, ' ') FROM webhook w").await;
    let content = sql.one("SELECT string_agg(content, ' ') FROM ledger WHERE record_kind = 'webhook'").await;
    for secret in [&secret, &newer] {
        let base64 = secret.trim_start_matches("whsec_");
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, base64).expect("base64");
        let hexadecimal: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        for text in [&rows, &content] {
            assert!(!text.contains(base64) && !text.contains(&hexadecimal), "{text}");
        }
    }
    assert!(
        content.contains("secret_fingerprint") && !content.contains("\"secret\"") && !content.contains("old_secret\""),
        "{content}"
    );
    let history = admin
        .graphql(
            "query ($id: ID!) { webhook(id: $id) { history { nodes { changes { field before after } } } } }",
            json!({"id": made.id}),
        )
        .await
        .ok();
    assert!(!history.to_string().contains("whsec_"));
}

/// The first 8 hexadecimal digits of a text's SHA-256.
fn sha256_begin(text: &str) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(text.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_key_nothing_is_signed_and_nothing_is_lost() {
    let mut clinic = Clinic::start().await;
    let receiver = Receiver::start().await;
    let hook = hook(&clinic.admin(), &receiver, &["PATIENTS_READ"], &["PATIENT"]).await;
    let other = tempfile::tempdir().expect("a folder");
    clinic.restart(&["--key-dir", other.path().to_str().expect("text")]).await;
    let patient = clinic.practitioner().patient("Ada", "Lovelace").await;
    let tested = clinic.admin().does("testWebhook", json!({"id": hook.made.id}), "delivered").await;
    assert_eq!(tested.code(), "INTERNAL");
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    assert_eq!(receiver.got().len(), 0);
    // A new secret is sealed with the key that is there.
    let now = Made::of(&standing(&clinic.admin(), &hook).await);
    let input = now.edit_with(json!({"overlapHours": 0}));
    let answer = clinic.admin().does("rotateWebhookSecret", input, "secret").await.ok();
    let secret = answer["rotateWebhookSecret"]["secret"].as_str().expect("a secret").to_owned();
    let got = receiver.until_took(1).await;
    assert!(got[0].verifies(&secret) && got[0].change().1 == patient.id);
    change(&clinic.admin(), "pauseWebhook", &hook, json!({})).await;
}
