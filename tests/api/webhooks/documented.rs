//! The examples of `docs/webhooks.md` are run as they stand there.

use super::{Receiver, until};
use crate::support::*;
use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

fn page() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/webhooks.md")).expect("the page")
}

/// The blocks of a language, each as one text.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let parts = page.split(fence.as_str()).skip(1);
    parts.map(|part| part.split("```").next().expect("a block").to_owned()).collect()
}

/// What a program prints.
fn prints(mut command: Command, input: &str) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a program");
    child.stdin.take().expect("its input").write_all(input.as_bytes()).expect("written");
    String::from_utf8(child.wait_with_output().expect("an end").stdout).expect("text")
}

/// How often a receiver was told that a patient was registered.
fn told(receiver: &Receiver) -> usize {
    receiver.got().iter().filter(|got| got.kind() == "patient.created").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_on_webhooks_is_true() {
    let clinic = Clinic::start().await;
    let (anna, admin, receiver) = (clinic.practitioner(), clinic.admin(), Receiver::start().await);
    let account = admin.service_account("Receiver", &["PATIENTS_READ", "CLINICAL_READ"]).await;
    let page = page();
    let mut variables = json!({"account": account.id, "url": receiver.url});
    let mut secret = String::new();
    let documents = blocks(&page, "graphql");
    assert_eq!(documents.len(), 8);
    for document in &documents {
        let answer = admin.graphql(document, variables.clone()).await;
        assert_eq!(answer.outcome(), "ok", "{document} {}", answer.text);
        // What the next one needs: the webhook, its version, and a place.
        if document.contains("addWebhook") {
            let added = &answer.data["addWebhook"];
            secret = added["secret"].as_str().expect("a secret").to_owned();
            variables = json!({"id": added["webhook"]["id"], "after": added["webhook"]["cursor"]});
            anna.patient("Ada", "Lovelace").await;
            receiver.until_got(1).await;
        }
        if document.contains("rotateWebhookSecret") {
            // What follows on the page resumes it: it must have been disabled.
            let paused = "mutation ($id: ID!, $version: Int!) { pauseWebhook(input: {id: $id, expectedVersion: $version}) { webhook { id } } }";
            variables["version"] = json!(2);
            admin.graphql(paused, variables.clone()).await.ok();
        }
        if document.contains("pauseWebhook") {
            let now =
                admin.graphql("query ($id: ID!) { webhook(id: $id) { id version } }", variables.clone()).await.ok();
            admin.make("resumeWebhook", "webhook", Made::of(&now["webhook"]).edit()).await;
        }
        if document.contains("replayWebhook") {
            until("it was told again", async || told(&receiver) >= 2).await;
        }
        let now =
            admin.graphql("query ($id: ID!) { webhook(id: $id) { version } }", json!({"id": variables["id"]})).await;
        variables["version"] = now.data["webhook"]["version"].clone();
    }
    let got = receiver.got();
    let first = got.iter().find(|got| got.kind() == "patient.created").expect("an event");
    // An event has the fields that the page shows.
    let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<BTreeSet<_>>();
    let shown: Value = serde_json::from_str(&blocks(&page, "json")[0]).expect("JSON");
    assert_eq!((keys(&first.body()), keys(&first.body()["data"])), (keys(&shown), keys(&shown["data"])));
    let header = |name: &str| first.headers[name].to_str().expect("text").to_owned();
    // Its signature is verified as the page says, and another body's is not.
    let folder = tempfile::tempdir().expect("a folder");
    let script = blocks(&page, "sh").concat();
    let python = blocks(&page, "python").concat();
    for (body, whose) in [(first.text.clone(), true), (first.text.replace("CREATE", "ERASED"), false)] {
        std::fs::write(folder.path().join("body.json"), &body).expect("a file");
        let mut sh = Command::new("sh");
        sh.current_dir(folder.path()).arg("-s").env("SECRET", &secret).env("ID", header("webhook-id"));
        sh.env("TIMESTAMP", header("webhook-timestamp")).env("SIGNATURE", header("webhook-signature"));
        assert_eq!(prints(sh, &script).contains("it is from the clinic"), whose, "{body}");
        let headers = json!({"webhook-id": header("webhook-id"), "webhook-timestamp": header("webhook-timestamp"),
            "webhook-signature": header("webhook-signature")});
        let asks = format!("{python}\nprint(verify({secret:?}, {headers}, open('body.json', 'rb').read()))\n");
        if !Command::new("python3").arg("--version").output().is_ok_and(|it| it.status.success()) {
            // Written past the capture of tests' output: it must be seen.
            let _ = writeln!(std::io::stderr(), "\nSKIPPED: there is no python3, its example was not run\n");
            continue;
        }
        let mut interpreter = Command::new("python3");
        interpreter.current_dir(folder.path()).arg("-");
        assert_eq!(prints(interpreter, &asks).trim(), if whose { "True" } else { "False" }, "{body}");
    }
    // The page has each word that a failed delivery may have, and the schedule.
    let words = crate::support::Schema::ask(&clinic.anonymous()).await;
    for word in &words.get("WebhookError").enum_values {
        assert!(page.contains(&format!("| `{}` |", word.name)), "{}", word.name);
    }
    assert!(page.contains("5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h"));
}
