//! The rules, held to graphql-js' verdicts; and the values, told at their paths.

use async_graphql::{Pos, Variables};

use super::super::{DocumentCache, DocumentLimits, Refusal, codes};

const CLINIC: &str = include_str!("verdicts/schema.graphql");

const FORM: &str = "
scalar Date scalar DateTime scalar Decimal scalar JSON
enum Side { LEFT RIGHT }
input Area { needleDepthMm: Decimal passes: Int side: Side! }
input Form { birthDate: Date at: DateTime areas: [Area!] note: String! more: JSON score: Float id: ID }
type Query { form(input: Form!, times: Int! = 1): Int days(of: [Date!]): Int }";

fn gate(sdl: &str) -> DocumentCache {
    DocumentCache::new(DocumentLimits::default(), sdl).expect("a schema")
}

fn refused(sdl: &str, text: &str, json: &str) -> Refusal {
    let variables: Variables = serde_json::from_str(json).expect("variables");
    gate(sdl).admit(text, None, &variables).expect_err(text)
}

/// Path and code of each fault.
fn faults(refusal: &Refusal) -> Vec<(&str, &str)> {
    refusal.faults.iter().map(|fault| (fault.path.as_str(), fault.flaw.code().word())).collect()
}

#[test]
fn every_document_is_judged_as_graphql_js_judges_it() {
    // What is too dear is no matter of validity.
    let limits = DocumentLimits { cost: u64::MAX, ..DocumentLimits::default() };
    let gate = DocumentCache::new(limits, CLINIC).expect("a schema");
    let (mut count, mut otherwise) = (0, Vec::new());
    for line in include_str!("verdicts/documents.tsv").lines() {
        let mut parts = line.splitn(3, '\t');
        let (Some(rule), Some(verdict), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
            panic!("a line without three parts: {line}");
        };
        count += 1;
        let found = gate.check(text);
        if found.is_ok() != (verdict == "valid") {
            otherwise.push(format!("{rule}: {text}: {verdict}, but {:?}", found.map_err(|refusal| refusal.message)));
        }
    }
    assert!(count > 400, "{count} documents");
    assert!(otherwise.is_empty(), "{}", otherwise.join("\n"));
}

#[test]
fn faults_of_values_are_told_all_at_once_in_literals_and_in_variables() {
    let literal =
        "{ form(times: 99999999999, input: {birthDate: \"\", at: \"2016-12-31T23:59:60Z\", id: 1.5, score: \"1\",
        areas: [{needleDepthMm: \"1,5\", passes: 3.5, side: UP}, {side: \"LEFT\"}, null], extra: 1}) }";
    let expected = [
        ("times", "TOO_LARGE"),
        ("input.birthDate", "NOT_A_DATE"),
        ("input.at", "LEAP_SECOND"),
        ("input.id", "WRONG_TYPE"),
        ("input.score", "WRONG_TYPE"),
        ("input.areas.0.needleDepthMm", "NOT_A_DECIMAL"),
        ("input.areas.0.passes", "WRONG_TYPE"),
        ("input.areas.0.side", "UNKNOWN_VALUE"),
        ("input.areas.1.side", "WRONG_TYPE"),
        ("input.areas.2", "REQUIRED"),
        ("input.extra", "UNKNOWN_FIELD"),
        ("input.note", "REQUIRED"),
    ];
    let refusal = refused(FORM, literal, "{}");
    assert_eq!(
        (refusal.code, refusal.at, refusal.more.len()),
        (codes::BAD_USER_INPUT, Some(Pos { line: 1, column: 3 }), 0)
    );
    assert_eq!(faults(&refusal), expected);

    let text = "query ($n: Int!, $form: Form!) {\n ...F\n}\nfragment F on Query { form(times: $n, input: $form) }";
    let json = r#"{"n": 99999999999, "form": {"birthDate": "", "at": "2016-12-31T23:59:60Z", "id": 1.5, "score": "1", "areas":
        [{"needleDepthMm": "1,5", "passes": 3.5, "side": "UP"}, {"side": 1}, null], "extra": 1}}"#;
    let refusal = refused(FORM, text, json);
    assert_eq!((refusal.code, refusal.at), (codes::BAD_USER_INPUT, Some(Pos { line: 4, column: 23 })));
    assert_eq!(faults(&refusal), expected);
    let word = refusal.faults.iter().find(|fault| fault.flaw.code().word() == "UNKNOWN_VALUE").expect("a word");
    assert_eq!(word.flaw.message(), "is \"UP\"; it must be one of LEFT, RIGHT");
}

#[test]
fn values_that_fit_pass() {
    let cases = [
        (
            "{ form(input: {note: \"é\", areas: {side: LEFT, needleDepthMm: 1.5}, more: {a: [1]}, score: 1, id: 7}) }",
            "{}",
        ),
        (
            "query ($f: Form!) { form(input: $f) }",
            r#"{"f": {"note": "", "areas": {"side": "LEFT"}, "more": {"a": [1]}}}"#,
        ),
        ("query ($d: [Date!]) { days(of: $d) }", r#"{"d": "2026-11-22", "other": 1}"#),
        ("query ($d: Date!) { days(of: [$d]) }", r#"{"d": "2026-11-22"}"#),
        ("query ($n: Int = 3) { form(times: $n, input: {note: \"\"}) }", "{}"),
        ("query ($n: Int) { form(times: $n, input: {note: \"\"}) }", "{}"),
    ];
    for (text, json) in cases {
        let variables: Variables = serde_json::from_str(json).expect("variables");
        let found = gate(FORM).admit(text, None, &variables).map(|_| ()).map_err(|refusal| refusal.message);
        assert_eq!(found, Ok(()), "{text}");
    }
}

#[test]
fn variables_have_the_values_that_their_places_need() {
    let cases = [
        ("query ($f: Form!) { form(input: $f) }", "{}", ("input", "REQUIRED")),
        ("query ($f: Form!) { form(input: $f) }", r#"{"f": null}"#, ("input", "REQUIRED")),
        ("query ($t: String!) { form(input: {note: $t}) }", r#"{"t": 1}"#, ("input.note", "WRONG_TYPE")),
        // With a default it may stand where null can't; null may be sent for it all the same.
        ("query ($n: Int = 3) { form(times: $n, input: {note: \"\"}) }", r#"{"n": null}"#, ("times", "REQUIRED")),
        ("query ($n: Int) { form(times: $n, input: {note: \"\"}) }", r#"{"n": null}"#, ("times", "REQUIRED")),
        ("query ($b: Boolean!) { days @skip(if: $b) }", r#"{"b": "yes"}"#, ("if", "WRONG_TYPE")),
        ("query ($d: [Date!]) { days(of: $d) }", r#"{"d": ["2026-11-22", "22.11.2026"]}"#, ("of.1", "NOT_A_DATE")),
    ];
    for (text, json, expected) in cases {
        let refusal = refused(FORM, text, json);
        assert_eq!((refusal.code, faults(&refusal)), (codes::BAD_USER_INPUT, vec![expected]), "{text} {json}");
    }
}

#[test]
fn one_of_several_fields_is_sent_where_the_schema_says_so() {
    let sdl =
        "directive @oneOf on INPUT_OBJECT input By @oneOf { id: ID name: String } type Query { find(by: By!): Int }";
    let cases = [
        ("{ find(by: {id: 1}) }", None),
        ("query ($n: String!) { find(by: {name: $n}) }", None),
        ("query ($n: String) { find(by: {name: $n}) }", Some(codes::VALIDATION_FAILED)),
        ("{ find(by: {}) }", Some(codes::BAD_USER_INPUT)),
        ("{ find(by: {id: 1, name: \"a\"}) }", Some(codes::BAD_USER_INPUT)),
        ("{ find(by: {id: null}) }", Some(codes::BAD_USER_INPUT)),
    ];
    for (text, code) in cases {
        assert_eq!(gate(sdl).check(text).err().map(|refusal| refusal.code), code, "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_in_words_and_with_its_place() {
    let cases = [
        ("{ me { shoeSize } }", 8, "type `Staff` does not have a field `shoeSize`: ask for a field"),
        ("{ me }", 3, "`me` has fields: say which it shall give, in braces"),
        ("{ me { name { id } } }", 8, "take the braces out"),
        ("query ($a: Int) { me { id } }", 8, "unused variable: `$a`: use it"),
        ("{ patients(filter: {text: \"é\", text: \"ü\"}) { totalCount } }", 32, "`text` stands twice in one input"),
        ("{ me { ...  @defer { id } } }", 13, "streams no parts: take @defer out"),
        ("{ patients { nodes @stream { id } totalCount } }", 20, "streams no parts: take @stream out"),
        ("query ($v: Int) { patient(id: $v) { id } }", 31, "`$v` of type `Int` can't stand at `id`, which takes `ID!`"),
        ("{ a: me { id } a: patients { totalCount } }", 16, "give one of them an alias"),
    ];
    for (text, column, words) in cases {
        let refusal = refused(CLINIC, text, "{}");
        assert_eq!(refusal.code, codes::VALIDATION_FAILED, "{text}");
        assert_eq!(refusal.at, Some(Pos { line: 1, column }), "{text}: {}", refusal.message);
        assert!(refusal.message.contains(words), "{text}: {}", refusal.message);
        assert!(refusal.more.is_empty(), "{text}: {:?}", refusal.more);
    }
}

#[test]
fn text_that_is_not_ascii_is_told_without_a_panic() {
    for text in [
        "# é\u{1F600}\n{ me { shoeSize(é: 1) } }",
        "{ patient(id: \"é\u{1F600}ü\", nope: \"é\") { noSuchField } }",
        "query ($a: Int) { timeline(kinds: \"é\u{1F600}\") { __typename } } # é",
        "{ timeline(within: [[\"é\"], [1.5]]) { __typename ...Ü } }",
    ] {
        let refusal = refused(CLINIC, text, "{}");
        assert!(!refusal.message.is_empty() && refusal.message.len() < 600, "{}", refusal.message);
    }
}

#[test]
fn a_refusal_does_not_grow_with_the_document() {
    let fields = (0..900).map(|i| format!("x{i} ")).collect::<String>();
    assert_eq!(refused(CLINIC, &format!("{{ me {{ {fields} }} }}"), "{}").more.len(), 19);
    let words = "NOPE ".repeat(4_000);
    assert_eq!(refused(CLINIC, &format!("{{ timeline(kinds: [{words}]) {{ __typename }} }}"), "{}").faults.len(), 50);
    let json = format!("{{\"k\": [{}1]}}", "1, ".repeat(9_999));
    let refusal = refused(CLINIC, "query ($k: [Kind!]) { timeline(kinds: $k) { __typename } }", &json);
    assert_eq!(refusal.faults.len(), 50);
}

#[test]
fn a_limit_is_told_before_the_rules_are_asked() {
    let text = format!("{{ me {{ id {} }} }}", "@skip(if: true) ".repeat(51));
    assert_eq!(refused(CLINIC, &text, "{}").code, codes::QUERY_TOO_LARGE);
}

#[test]
fn a_schema_that_is_none_is_refused() {
    assert!(DocumentCache::new(DocumentLimits::default(), "type Query { a: Nothing }").is_err());
}
