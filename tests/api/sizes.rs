//! How long a file may be: CONTRIBUTING.md, "Size".

use std::path::Path;

/// The most lines of a file.
const MOST_LINES: usize = 400;

/// Files that a program writes.
const GENERATED: [&str; 1] = ["src/db/tables.rs"];

/// The sources below a folder, each with its lines.
fn sources(folder: &Path, found: &mut Vec<(String, usize)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).expect("in the checkout");
            let lines = std::fs::read_to_string(&path).expect("text").lines().count();
            found.push((name.to_string_lossy().into_owned(), lines));
        }
    }
}

#[test]
fn no_source_file_is_too_long() {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 200, "only {} files were looked at", found.len());
    let long = found.iter().filter(|(name, lines)| *lines > MOST_LINES && !GENERATED.contains(&name.as_str()));
    let long: Vec<String> = long.map(|(name, lines)| format!("  {name}: {lines}")).collect();
    assert!(long.is_empty(), "more than {MOST_LINES} lines; give a part of it a file of its own:\n{}", long.join("\n"));
}
