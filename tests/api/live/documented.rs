//! The examples of `docs/live.md` are run as they stand there.

use super::clients::{folder, run};
use crate::support::*;
use std::time::Duration;
use tokio::process::Command;

/// The blocks of a language, each as one text.
fn blocks(language: &str) -> Vec<String> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/live.md")).expect("the page");
    let fence = format!("```{language}\n");
    page.split(fence.as_str()).skip(1).map(|part| part.split("```").next().expect("a block").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scripts_on_live_screens_show_what_changed() {
    let Some(clients) = folder() else { return };
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    // Node looks for packages beside a script.
    let here = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink(clients.join("node_modules"), here.path().join("node_modules")).expect("a link");
    let scripts = blocks("js");
    assert_eq!(scripts.len(), 2);
    for script in scripts {
        let around = format!(
            "import WebSocket from 'ws'; globalThis.WebSocket ??= WebSocket;
             const [token, patient] = process.argv.slice(2);
             const showAgain = (change) => {{ console.log(change.kind); process.exit(0); }};
             {}",
            script.replace("127.0.0.1:8080", &anna.address().to_string())
        );
        std::fs::write(here.path().join("page.mjs"), around).expect("a script");
        let writing = async {
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            anna.recall(&patient).await;
        };
        let arguments = ["page.mjs", anna.token(), &patient.id];
        let running = run(here.path(), &arguments);
        assert_eq!(futures::join!(running, writing).0, "RECALL\n", "{script}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_call_by_curl_shows_what_the_page_shows() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let [call] = blocks("sh").try_into().expect("one call");
    let call = call.replace("curl -sN", "curl -sN --max-time 4");
    let mut command = Command::new("sh");
    command.args(["-c", &call]).env("CLINIC", clinic.url("")).env("TOKEN", anna.token()).kill_on_drop(true);
    let writing = async {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        anna.patient("Ada", "Lovelace").await
    };
    let (said, patient) = futures::join!(command.output(), writing);
    let said = String::from_utf8(said.expect("curl").stdout).expect("text");
    let lines: Vec<&str> = said.lines().filter(|line| !line.is_empty() && *line != ":").collect();
    let block = blocks("").into_iter().find(|block| block.starts_with("event")).expect("what comes");
    let (shown_event, shown_data) = block.trim().split_once('\n').expect("two lines");
    assert_eq!((lines.len(), lines[0]), (2, shown_event), "{said}");
    let keys = |line: &str| {
        let data: Value = serde_json::from_str(line.strip_prefix("data: ").expect("data")).expect("JSON");
        data["data"]["recordChanged"].clone()
    };
    let (told, shown) = (keys(lines[1]), keys(shown_data));
    assert_eq!(told["recordId"], json!(patient.id));
    for field in ["kind", "action"] {
        assert_eq!(told[field], shown[field]);
    }
}
