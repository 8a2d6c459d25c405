//! docs/defaults.md lists each line of the defaults with its source. `UPDATE=1` writes its tables.

use serde_json::Value;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A value as a cell tells it: a text as it is, a number in digits, nothing for null.
fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn row(cells: &[String]) -> String {
    for cell in cells {
        assert!(!cell.contains(['|', '\n']), "a cell that breaks its table: {cell}");
    }
    let cells: Vec<String> =
        cells.iter().map(|it| if it.is_empty() { " ".into() } else { format!(" {it} ") }).collect();
    format!("|{}|\n", cells.join("|"))
}

fn words(list: &Value) -> String {
    self::list(list).iter().map(cell).collect::<Vec<_>>().join(", ")
}

fn hours(it: &Value) -> String {
    format!("{} to {} h", it["from_hours"], it["until_hours"])
}

/// What a protocol says in figures of its own: what, value, where its source stands.
fn figures(rules: &Value) -> Vec<(&'static str, String, &'static str)> {
    let range = |from: &str, until: &str| format!("{} to {}", cell(&rules[from]), cell(&rules[until]));
    let skin = words(&rules["skin_types"]);
    let days = format!(
        "{} at least, {} planned, {} at most",
        rules["interval_min_days"], rules["interval_target_days"], rules["interval_latest_days"]
    );
    vec![
        ("Sessions of a course", range("sessions_min", "sessions_max"), "sessions"),
        ("Days between sessions", days, "interval"),
        ("Results review", format!("{} weeks", range("results_from_weeks", "results_until_weeks")), "results"),
        (
            "Maintenance",
            format!("{} months", range("maintenance_from_months", "maintenance_until_months")),
            "maintenance",
        ),
        ("Consultation holds", format!("{} days", rules["consultation_valid_days"]), "consultation"),
        ("Age", format!("{} or more", rules["age_min"]), "age"),
        ("Skin types", if skin.is_empty() { "all".to_owned() } else { skin }, "skin_types"),
    ]
}

fn lines(rules: &Value) -> String {
    let mut out = String::new();
    for it in list(&rules["depth_limits"]) {
        let skin = words(&it["skin_types"]);
        let skin = if skin.is_empty() { skin } else { format!(", skin types {skin}") };
        let what = format!("Depth: {}", cell(&it["area"]).replace('_', " "));
        out += &row(&[what, format!("{} mm{skin}", cell(&it["max_mm"])), cell(&it["source"])]);
    }
    for it in list(&rules["contraindications"]) {
        let mut value = cell(&it["severity"]).to_uppercase();
        if it["look_back_days"] != 0 {
            value += &format!(", {} days", it["look_back_days"]);
        }
        if it["applies_to"] == "anaesthetic" {
            value += ", numbing cream";
        }
        out += &row(&[format!("{} (`{}`)", cell(&it["label"]), cell(&it["code"])), value, cell(&it["source"])]);
    }
    for it in list(&rules["aftercare"]) {
        out += &row(&[format!("{} (`{}`)", cell(&it["text"]), cell(&it["code"])), hours(it), cell(&it["source"])]);
    }
    for it in list(&rules["check_ins"]) {
        let what = format!("Check-in: {} (`{}`)", cell(&it["label"]), cell(&it["code"]));
        out += &row(&[what, hours(it), cell(&it["source"])]);
    }
    out
}

fn protocol(it: &Value) -> String {
    let (rules, sources) = (&it["rules"], &it["rules"]["sources"]);
    let mut out = format!("### {}\n\n| what | value | source |\n|---|---|---|\n", cell(&it["name"]));
    for (what, value, source) in figures(rules) {
        let source = if source == "age" { &rules["age_source"] } else { &sources[source] };
        out += &row(&[what.to_owned(), value, cell(source)]);
    }
    out += &lines(rules);
    let usual = &rules["symptom_windows"];
    let usual = format!("{}, {}, {} h", usual["redness"], usual["swelling"], usual["pain"]);
    out += &row(&["Redness, swelling, pain are usual for".to_owned(), usual, cell(&sources["symptoms"])]);
    for it in list(&rules["symptom_thresholds"]) {
        let what = format!("{} is unusual", cell(&it["symptom"]));
        let what = what[..1].to_uppercase() + &what[1..];
        out += &row(&[what, format!("from {} on, {}", it["score"], hours(it)), cell(&it["source"])]);
    }
    let minutes = match &rules["anaesthetic_min_minutes"] {
        Value::Null => "none".to_owned(),
        least => format!("{least} to {}", rules["anaesthetic_max_minutes"]),
    };
    out += &row(&["Minutes under the numbing cream".to_owned(), minutes, cell(&sources["anaesthetic"])]);
    let expect = format!("What the patient should know: {}", cell(&rules["expectations"]));
    out + &row(&[expect, String::new(), cell(&sources["expectations"])])
}

fn text(it: &Value) -> String {
    let rows = list(&it["sources"]).iter().map(|it| row(&[cell(&it["about"]), cell(&it["source"])]));
    format!("### Text: {}\n\n| what | source |\n|---|---|\n{}", cell(&it["name"]), rows.collect::<String>())
}

#[test]
fn the_page_of_the_defaults_is_what_the_data_say() {
    let data = |path: &str| serde_json::from_str::<Value>(&read(path)).expect("JSON");
    let (protocols, texts) = (data("src/protocol/defaults.json"), data("src/consent/defaults.json"));
    let each = |of: &Value, table: fn(&Value) -> String| list(of).iter().map(table).collect::<Vec<_>>().join("\n");
    let tables = format!("## Protocols\n\n{}\n## Consent texts\n\n{}", each(&protocols, protocol), each(&texts, text));
    let page = read("docs/defaults.md");
    let start = page.find("## Protocols\n").expect("the tables");
    if std::env::var_os("UPDATE").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/defaults.md");
        std::fs::write(path, format!("{}{tables}", &page[..start])).expect("it is written");
        return;
    }
    let first = page[start..].lines().zip(tables.lines()).find(|(has, wants)| has != wants);
    assert_eq!(page[start..], tables, "UPDATE=1 writes docs/defaults.md; the first line that differs: {first:#?}");
}
