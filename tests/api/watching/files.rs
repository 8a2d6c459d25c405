//! The page for operators and the files for Prometheus and Grafana, held to what the service tells; and checked by promtool,
//! which `script/test` brings.

use super::*;
use crate::support::*;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn file(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a file")
}

/// promtool, if it is there; else nothing is checked by it, and the test says so.
fn promtool() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("promtool")).find(|file| file.is_file());
    if found.is_none() {
        // Written past the capture of tests' output: it must be seen.
        let _ = writeln!(std::io::stderr(), "\nSKIPPED: there is no promtool, nothing was checked by it\n");
    }
    found
}

/// Runs promtool in the folder of the files.
fn runs(arguments: &[&str], input: &str) {
    let Some(promtool) = promtool() else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ops");
    let mut command = Command::new(promtool);
    command.args(arguments).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool");
    child.stdin.take().expect("its input").write_all(input.as_bytes()).expect("written");
    let said = child.wait_with_output().expect("an end");
    let told = [said.stdout, said.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(said.status.success(), "promtool {arguments:?}: {told:?}");
}

/// The cells of the rows of a page's tables whose first begins so.
fn rows<'p>(page: &'p str, begin: &str) -> Vec<Vec<&'p str>> {
    let rows = page.lines().filter(|line| line.starts_with(&format!("| {begin}")));
    let inner = |row: &'p str| row.strip_prefix('|').and_then(|row| row.strip_suffix('|')).expect("a whole row");
    rows.map(|row| inner(row).split('|').map(str::trim).collect()).collect()
}

fn quoted(cell: &str) -> BTreeSet<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The labels of a metric.
fn labels_of<'t>(text: &'t str, name: &str) -> BTreeSet<&'t str> {
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix(name))
        .filter(|rest| ["{", "_bucket{", "_sum{", "_count{"].iter().any(|begin| rest.starts_with(begin)));
    let pairs =
        lines.filter_map(|rest| Some(rest.split_once('{')?.1.rsplit_once('}')?.0)).flat_map(|all| all.split("\","));
    pairs.filter_map(|pair| Some(pair.split_once("=\"")?.0)).filter(|label| *label != "le").collect()
}

/// The page has all metrics that there are, with their labels, and no others; promtool finds no fault in them.
pub fn hold_to(there: &BTreeMap<String, String>, text: &str) {
    let page = file("docs/watching.md");
    let mut told = BTreeSet::new();
    for row in [rows(&page, "`clinic_"), rows(&page, "`process_")].concat() {
        let [name, labels, unit, ..] = row.as_slice() else { panic!("not four cells: {row:?}") };
        let name = name.trim_matches('`');
        assert!(told.insert(name.to_owned()), "{name} is there twice");
        assert_eq!(quoted(labels), labels_of(text, name), "{name}");
        assert_eq!(
            unit == &"s",
            name.contains("_seconds") && !name.contains("timestamp") && !name.contains("start_time"),
            "{name}"
        );
    }
    assert_eq!(told, there.keys().cloned().collect(), "left: docs/watching.md; right: what is told");
    for name in metrics_in(&file("ops/prometheus.rules.yml")).union(&metrics_in(&file("ops/grafana.json"))) {
        let whole = ["_bucket", "_sum", "_count"].iter().find_map(|end| {
            name.strip_suffix(end).filter(|whole| there.get(*whole).is_some_and(|kind| kind == "histogram"))
        });
        assert!(there.contains_key(whole.unwrap_or(name)), "there is no {name}");
    }
    runs(&["check", "metrics"], text);
}

/// The names of our metrics in a text.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("clinic_") || word.starts_with("process_")).map(str::to_owned).collect()
}

/// The names of the alerts in the rules, in their order, each with how grave it is.
fn alerts() -> Vec<(String, String)> {
    let rules = file("ops/prometheus.rules.yml");
    let alerts = rules.split("- alert: ").skip(1);
    let found = alerts.map(|rule| {
        let severity = rule.split_once("severity: ").expect("a severity").1;
        let word = |text: &str| text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned();
        (word(rule), word(severity))
    });
    found.collect()
}

#[test]
fn every_alert_is_explained_and_tried() {
    let (page, tries) = (file("docs/watching.md"), file("ops/prometheus.rules.test.yml"));
    let told: Vec<(String, String)> = rows(&page, "<a id=")
        .iter()
        .map(|row| {
            let [name, severity, todo] = row.as_slice() else { panic!("not three cells: {row:?}") };
            assert!(todo.len() > 40, "{todo}");
            let anchor = name.split('"').nth(1).expect("an anchor");
            let name = quoted(name).into_iter().next().expect("a name");
            assert_eq!(anchor, name.to_lowercase());
            (name.to_owned(), (*severity).to_owned())
        })
        .collect();
    assert_eq!(told, alerts(), "left: docs/watching.md; right: ops/prometheus.rules.yml");
    for (name, _) in &told {
        let tried = tries.split("alertname: ").filter(|rest| rest.lines().next() == Some(name)).collect::<Vec<_>>();
        let fires = tried.iter().filter(|rest| rest.contains("exp_labels")).count();
        assert!((tried.len(), fires) == (2, 1), "{name}: one try at which it fires, one at which it does not");
        let link = format!("docs/watching.md#{}", name.to_lowercase());
        assert!(file("ops/prometheus.rules.yml").contains(&link), "{link}");
    }
    runs(&["check", "rules", "prometheus.rules.yml"], "");
    runs(&["test", "rules", "prometheus.rules.test.yml"], "");
}

/// Each query of the dashboard as a rule of its own: promtool says of each whether it can be read.
#[test]
fn every_query_of_the_dashboard_can_be_read() {
    let board: Value = serde_json::from_str(&file("ops/grafana.json")).expect("JSON");
    let panels = board["panels"].as_array().expect("panels");
    let mut ids: Vec<_> = panels.iter().map(|panel| panel["id"].as_i64().expect("an id")).collect();
    ids.dedup();
    assert_eq!(ids.len(), panels.len(), "ids are unique");
    let queries: Vec<&str> = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array())
        .flatten()
        .map(|target| target["expr"].as_str().expect("a query"))
        .collect();
    assert!(queries.len() > 30);
    let mut rules = String::from("groups:\n  - name: dashboard\n    rules:\n");
    for (place, query) in queries.iter().enumerate() {
        // Grafana's own variables, as it fills them in.
        let query = query.replace("$__rate_interval", "5m").replace("$instance", ".*");
        assert!(!query.contains('$'), "{query}");
        rules += &format!("      - record: query_{place}\n        expr: {}\n", json!(query));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rules.yml");
    std::fs::write(&file, rules).expect("a file");
    runs(&["check", "rules", file.to_str().expect("text")], "");
}
