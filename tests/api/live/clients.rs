//! The clients of others: graphql-ws and graphql-sse from npm, on Node.

use crate::support::*;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// The folder of the clients; none where Node or they are missing (`script/test` brings them).
pub fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let node = std::process::Command::new("node").arg("--version").stdout(Stdio::null()).status();
    if folder.join("node_modules/graphql-ws").is_dir() && node.is_ok_and(|status| status.success()) {
        return Some(folder);
    }
    let why = "there is no Node, or not the packages of tests/clients (script/test brings both)";
    let _ = writeln!(std::io::stderr(), "\nSKIPPED: {why}: no client of others was tried\n");
    None
}

/// Runs a script of Node in a folder; its output, if it ended well.
pub async fn run(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("node");
    command.current_dir(folder).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let ended = tokio::time::timeout(Duration::from_secs(60), command.output()).await.expect("an end").expect("node");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(ended.status.success(), "{}{}", text(&ended.stdout), text(&ended.stderr));
    text(&ended.stdout)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_of_graphql_ws_and_graphql_sse_follow() {
    let Some(folder) = folder() else { return };
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let said = run(&folder, &["live.mjs", &anna.address().to_string(), anna.token()]).await;
    assert_eq!(said, "ok\n");
}
