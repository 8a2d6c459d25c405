//! The file that an outsider verifies.

use super::{audit, busy, outsider, unpacked};
use crate::binary::{program, run_with};
use crate::support::*;

/// What is done to the lines of a file.
type Edit = Box<dyn Fn(Vec<String>) -> Vec<String>>;

/// With one thing put for another, in the first line that has it.
fn replaced(lines: Vec<String>, from: &str, to: &str) -> Vec<String> {
    let at = lines.iter().position(|line| line.contains(from)).expect("a line");
    lines.into_iter().enumerate().map(|(i, line)| if i == at { line.replacen(from, to, 1) } else { line }).collect()
}

/// Changes of a file of the evidence, and what is said of each.
fn edits() -> Vec<(&'static str, Edit, &'static str)> {
    vec![
        ("ledger.ndjson", Box::new(|lines| replaced(lines, "Ramírez", "Byron")), "its content is not what was sealed"),
        ("ledger.ndjson", Box::new(|lines| replaced(lines, "\"version\":1", "\"version\":2")), "its content is not"),
        (
            "ledger.ndjson",
            Box::new(|mut lines| {
                lines.remove(10);
                lines
            }),
            "entry 11 of the ledger is broken: it is missing",
        ),
        (
            "ledger.ndjson",
            Box::new(|mut lines| {
                lines.insert(3, lines[2].clone());
                lines
            }),
            "it is there twice",
        ),
        (
            "ledger.ndjson",
            Box::new(|mut lines| {
                lines.pop();
                lines
            }),
            "the ledger ends at",
        ),
        (
            "access_log.ndjson",
            Box::new(|lines| replaced(lines, "\"event\":\"read\"", "\"event\":\"refused\"")),
            "is not what was sealed",
        ),
        (
            "access_log.ndjson",
            Box::new(|mut lines| {
                lines.truncate(5);
                lines
            }),
            "the access log ends at 5",
        ),
        (
            "checkpoints.ndjson",
            Box::new(|lines| replaced(lines, "\\\"seq\\\":", "\\\"seq\\\":1")),
            "its signature does not hold",
        ),
        (
            "checkpoints.ndjson",
            Box::new(|mut lines| {
                lines.remove(0);
                lines
            }),
            "is missing",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outsider_verifies_without_us() {
    let mut clinic = Clinic::with(&["--checkpoint-interval", "500ms"]).await;
    busy(&clinic).await;
    clinic.stop().await;
    let work = tempfile::tempdir().unwrap();
    let key = work.path().join("key.pem");
    std::fs::write(&key, audit(&clinic, &["key"]).await.ok()).unwrap();
    let export = async |name: &str, more: &[&str]| {
        let tar = work.path().join(format!("{name}.tar"));
        let line = [&["export", "--organisation", "north", "--output", tar.to_str().unwrap()], more].concat();
        audit(&clinic, &line).await.ok();
        let folder = work.path().join(name);
        unpacked(&tar, &folder);
        folder
    };
    let whole = export("whole", &[]).await;
    let (code, said) = outsider(&whole, &key);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the ledger is whole:") && said.contains("the access log is whole:"), "{said}");
    assert!(said.contains("checkpoints hold, signed with the key"), "{said}");
    assert!(std::fs::read_to_string(whole.join("ledger.ndjson")).unwrap().contains("Ramírez"));

    let without = export("without", &["--without-content"]).await;
    let (code, said) = outsider(&without, &key);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("digests taken as they are given"), "{said}");
    assert!(!std::fs::read_to_string(without.join("ledger.ndjson")).unwrap().contains("Ramírez"));

    // The folder can't excuse an empty entry by saying that content was left out.
    let about = std::fs::read_to_string(whole.join("evidence.json")).unwrap();
    let mut excused: Value = serde_json::from_str(&about).unwrap();
    excused["withoutContent"] = json!(true);
    std::fs::write(whole.join("evidence.json"), excused.to_string()).unwrap();
    let (code, said) = outsider(&whole, &key);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("says that content was left out, and it has some"), "{said}");
    std::fs::write(whole.join("evidence.json"), about).unwrap();
    let (_, said) = outsider(&without, &key);
    assert!(said.contains("which of them were erased, is not"), "{said}");

    // Each change is found by the outsider too.
    let edit = |file: &str, change: &dyn Fn(Vec<String>) -> Vec<String>| {
        let path = whole.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = change(text.lines().map(str::to_owned).collect());
        std::fs::write(&path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        let (code, said) = outsider(&whole, &key);
        std::fs::write(&path, text).unwrap();
        (code, said)
    };
    for (file, change, why) in edits() {
        let (code, said) = edit(file, &change);
        assert_eq!(code, Some(1), "{file}, {why}: {said}");
        assert!(said.contains(why), "{file}, {why}: {said}");
    }
    let other = work.path().join("other.pem");
    let place = work.path().join("other-keys");
    std::fs::write(&other, run_with(program(&["audit", "--key-dir", place.to_str().unwrap(), "key"]), "").await.ok())
        .unwrap();
    let (code, said) = outsider(&whole, &other);
    assert!(code == Some(1) && said.contains("signed with another key"), "{said}");
    assert_eq!(outsider(&whole, &key).0, Some(0), "all put back");
}
