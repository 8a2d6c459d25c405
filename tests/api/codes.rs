//! The codes of faults: docs/errors.md has all of them and no others, and every place in the source that finds a fault
//! gives it parameters that its code has. And what clients get of them.

use crate::support::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What the source declares: variant, word, parameters.
fn declared() -> Vec<(String, String, BTreeSet<String>)> {
    declared_in("src/error/flaw.rs")
}

fn declared_in(file: &str) -> Vec<(String, String, BTreeSet<String>)> {
    let source = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("text");
    let (_, table) = source.split_once("\ncodes! {").expect("the table");
    let (table, _) = table.split_once("\n}").expect("its end");
    let rows = table.lines().filter(|line| line.contains(" = \""));
    rows.map(|row| {
        let (variant, rest) = row.trim().split_once(" = ").expect("a word");
        let mut quoted = rest.split('"').skip(1).step_by(2).map(str::to_owned);
        (variant.to_owned(), quoted.next().expect("a word"), quoted.collect())
    })
    .collect()
}

/// The source files below a folder.
fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push((path.display().to_string(), std::fs::read_to_string(&path).expect("text")));
        }
    }
}

fn all_sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found
}

#[test]
fn the_page_of_codes_has_all_that_there_are_and_no_others() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md")).expect("text");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let told: BTreeMap<String, BTreeSet<String>> = rows
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
            let [code, means, params, example] = cells.as_slice() else { panic!("not four cells: {row}") };
            assert!(!means.is_empty() && example.trim_end_matches('|').trim().len() > 5, "no words: {row}");
            let params = params.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            (code.trim_matches('`').to_owned(), params)
        })
        .collect();
    let there: BTreeMap<_, _> = declared().into_iter().map(|(_, word, params)| (word, params)).collect();
    assert!(there.len() > 30);
    assert_eq!(told, there);
}

#[test]
fn the_page_of_care_has_every_code_of_a_check_with_its_parameters() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/care.md")).expect("text");
    let (_, page) = page.split_once("### Codes of checks").expect("the table");
    let rows = page.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|')).skip(2);
    let told: BTreeMap<String, BTreeSet<String>> = rows
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
            let [code, means, params] = cells.as_slice() else { panic!("not three cells: {row}") };
            assert!(means.len() > 5, "no words: {row}");
            let params = params.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            (code.trim_matches('`').to_owned(), params)
        })
        .collect();
    let there: BTreeMap<_, _> = declared_in("src/session/reason.rs")
        .into_iter()
        .map(|(_, word, params)| (word.to_uppercase(), params))
        .collect();
    assert!(there.len() > 40);
    assert_eq!(told, there);
}

#[test]
fn every_code_of_a_check_is_given_by_a_rule() {
    let source: String =
        all_sources().into_iter().filter(|(file, _)| file.contains("src/care/")).map(|(_, text)| text).collect();
    for (variant, ..) in declared_in("src/session/reason.rs") {
        assert!(source.contains(&format!("CheckCode::{variant}")), "no rule answers {variant}");
    }
}

/// The text after a closing bracket that ends what `rest` begins within.
fn after_call(rest: &str) -> &str {
    let (mut depth, mut in_text, mut escaped) = (1, false, false);
    for (at, letter) in rest.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => in_text = !in_text,
            '(' if !in_text => depth += 1,
            ')' if !in_text => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &rest[at + 1..];
        }
    }
    ""
}

#[test]
fn every_code_is_used_and_has_the_parameters_that_it_says() {
    let declared = declared();
    let mut used = BTreeSet::new();
    for (file, text) in all_sources() {
        for (at, _) in text.match_indices("Code::") {
            let rest = &text[at + "Code::".len()..];
            let variant: String = rest.chars().take_while(|letter| letter.is_alphanumeric()).collect();
            let Some((_, _, params)) = declared.iter().find(|(name, ..)| *name == variant) else { continue };
            used.insert(variant.clone());
            let Some(said) = rest[variant.len()..].trim_start().strip_prefix(".says(") else { continue };
            let mut rest = after_call(said);
            while let Some(more) = rest.trim_start().strip_prefix(".with(") {
                let name = more.trim_start().trim_start_matches('"').split('"').next().unwrap_or_default();
                assert!(params.contains(name), "{file}: {variant} has no parameter {name}: {params:?}");
                rest = after_call(more);
            }
        }
    }
    let unused: Vec<_> = declared.iter().map(|(name, ..)| name).filter(|name| !used.contains(*name)).collect();
    assert!(unused.is_empty(), "nothing has these codes: {unused:?}");
}

/// What is told apart by an idempotency key: null from absent in changes alone (src/operation/digest.rs). Where the code
/// tells them apart it is a patch, or the input of a mutation called `update…`, or what stands in a patch and in the input
/// of a new record alike, where both mean none.
#[test]
fn null_is_told_from_absent_in_changes_only() {
    let mut met = 0;
    for (file, text) in all_sources() {
        let mut holder = String::new();
        for line in text.lines() {
            if let Some((_, rest)) = line.split_once("struct ") {
                holder = rest.chars().take_while(|letter| letter.is_alphanumeric()).collect();
            }
            // A field of a struct; what stands further in is a parameter.
            let named = line.split_once(": MaybeUndefined<").and_then(|(named, _)| named.strip_prefix("    "));
            let name =
                named.map(|it| it.trim_start_matches("pub").trim_start_matches("(super)").trim_start_matches(' '));
            let plain = |name: &str| name.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
            if named.is_some_and(|named| !named.starts_with(' ')) && name.is_some_and(plain) {
                met += 1;
                let change = holder.starts_with("Update") || holder.contains("Patch") || holder.contains("Details");
                assert!(change, "{file}: {holder}: {line}");
            }
        }
    }
    assert!(met > 50, "{met} fields");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_values_and_of_rules_have_paths_codes_and_parameters() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let told = |answer: &Answer| -> Vec<(String, String)> {
        assert_eq!(answer.code(), "BAD_USER_INPUT", "{}", answer.text);
        let fields = answer.errors[0]["extensions"]["fields"].as_array().expect("fields");
        let word = |fault: &Value, name: &str| fault[name].as_str().expect(name).to_owned();
        fields.iter().map(|fault| (word(fault, "path"), word(fault, "code"))).collect()
    };
    let pairs = |all: &[(&str, &str)]| -> Vec<(String, String)> {
        all.iter().map(|(path, code)| ((*path).to_owned(), (*code).to_owned())).collect()
    };
    let name = json!({"given": "Ada", "family": "Byron"});
    let wrong = json!({"legalName": name, "birthDate": "13/13/2020", "sexAtBirth": "NONSENSE", "phone": "no"});
    let answer = anna.does("registerPatient", wrong, "patient { id }").await;
    assert_eq!(told(&answer), pairs(&[("input.birthDate", "NOT_A_DATE"), ("input.sexAtBirth", "UNKNOWN_VALUE")]));
    assert!(answer.errors[0]["extensions"]["fields"][1]["params"]["allowed"].is_array(), "{}", answer.text);
    assert!(!answer.text.contains("\"data\""), "nothing ran: {}", answer.text);

    let wrong = json!({"legalName": {"given": "", "family": "B"}, "birthDate": "2090-01-01", "phone": "no"});
    let answer = anna.does("registerPatient", wrong, "patient { id }").await;
    let expected =
        [("input.legalName.given", "EMPTY"), ("input.birthDate", "IN_FUTURE"), ("input.phone", "NOT_A_PHONE")];
    let (mut found, mut expected) = (told(&answer), pairs(&expected));
    found.sort();
    expected.sort();
    assert_eq!(found, expected);

    let literal = "mutation { updatePatient(input: {id: \"x\", expectedVersion: 99999999999, patch: {birthDate: \"\", nope: 1}}) \
                   { patient { id } } }";
    let expected = [
        ("input.expectedVersion", "TOO_LARGE"),
        ("input.patch.birthDate", "NOT_A_DATE"),
        ("input.patch.nope", "UNKNOWN_FIELD"),
    ];
    assert_eq!(told(&anna.graphql(literal, json!({})).await), pairs(&expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn null_and_absent_are_one_to_a_key_except_where_null_clears() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let mut input = json!({"legalName": {"given": "Ada", "family": "Byron"}, "birthDate": "1980-01-01"});
    let first = anna.does_with_key("one", "registerPatient", input.clone(), "patient { id version }").await.ok();
    input["email"] = Value::Null;
    let again = anna.does_with_key("one", "registerPatient", input, "patient { id version }").await.ok();
    assert_eq!(again, first);
    let patient = &first["registerPatient"]["patient"];
    let change = |patch: Value| json!({"id": patient["id"], "expectedVersion": patient["version"], "patch": patch});
    let absent = change(json!({"pronouns": "she"}));
    let cleared = change(json!({"pronouns": "she", "email": null}));
    anna.does_with_key("two", "updatePatient", absent, "patient { id }").await.ok();
    let answer = anna.does_with_key("two", "updatePatient", cleared, "patient { id }").await;
    assert_eq!(answer.code(), "IDEMPOTENCY_MISMATCH");
}
