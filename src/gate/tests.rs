//! The gate as a whole, by documents that clients send and documents that only attackers send.

use std::time::{Duration, Instant};

use async_graphql::{EmptySubscription, Object, Schema, Variables, parser::types::OperationType};

use super::{Admitted, DocumentCache, DocumentLimits, Refusal, codes};

/// What is measured here fits no schema.
fn gate() -> DocumentCache {
    DocumentCache::measuring(DocumentLimits::default())
}

fn variables(json: &str) -> Variables {
    serde_json::from_str(json).expect("variables")
}

fn admit(text: &str) -> Result<Admitted, Refusal> {
    gate().admit(text, None, &Variables::default())
}

/// The code of the refusal, or the cost.
fn outcome(text: &str) -> Result<u64, &'static str> {
    admit(text).map(|admitted| admitted.cost()).map_err(|refusal| refusal.code)
}

const INTROSPECTION: &str = "
query IntrospectionQuery { __schema { description queryType { name kind } mutationType { name kind }
  subscriptionType { name kind } types { ...FullType }
  directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } } } }
fragment FullType on __Type { kind name description specifiedByURL isOneOf
  fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...InputValue }
    type { ...TypeRef } isDeprecated deprecationReason }
  inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef }
  enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
  possibleTypes { ...TypeRef } }
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason }
fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
  ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }";

#[test]
fn the_standard_introspection_query_passes_and_is_public() {
    let admitted = admit(INTROSPECTION).expect("passes");
    assert!(admitted.is_public());
    assert_eq!((admitted.kind(), admitted.name()), (OperationType::Query, Some("IntrospectionQuery")));
    assert!(admitted.cost() > 5_000);
}

#[test]
fn costs_follow_the_rows_that_can_come_back() {
    let cases: &[(&str, u64)] = &[
        ("{ a }", 1),
        ("{ a b { c d } }", 4),
        ("{ p { totalCount } }", 11),
        // 1 for the field, 20 rows of (1 + 1), a count of 10, pageInfo's 2
        ("{ p { nodes { id } totalCount pageInfo { hasNextPage } } }", 53),
        ("{ p(first: 5) { nodes { id } } }", 11),
        ("{ p(last: 5) { edges { node { id } } } }", 16),
        ("{ p(first: 3, last: 5) { nodes { id } } }", 11),
        ("{ p(first: 1000) { nodes { id } } }", 201),
        ("{ p(first: 0) { nodes { id } } }", 3),
        ("{ p(first: -1) { nodes { id } } }", 3),
        ("{ p(first: null) { nodes { id } } }", 41),
        ("{ p(first: \"9\") { nodes { id } } }", 3),
        ("{ p(first: 5) { id name } }", 11),
        ("{ nodes(ids: [1, 2, 3]) { id } }", 4),
        ("{ nodes(ids: 1) { id } }", 2),
        ("{ p(first: 10) { nodes { s(first: 3) { nodes { id } } } } }", 81),
        ("{ p { ...P } } fragment P on C { nodes { id } }", 41),
        ("{ p { ... { ... on C { nodes { id } } } } }", 41),
        ("{ p(first: 2) { nodes { ...P ...P } } } fragment P on C { id name }", 11),
        ("query ($n: Int = 7) { p(first: $n) { nodes { id } } }", 15),
        ("query ($n: Int) { p(first: $n) { nodes { id } } }", 41),
        ("mutation { a { b } }", 2),
    ];
    for (text, cost) in cases {
        assert_eq!(outcome(text), Ok(*cost), "{text}");
    }
}

#[test]
fn costs_follow_the_variables_of_each_request() {
    let gate = gate();
    let text = "query ($n: Int = 7, $ids: [ID!]) { p(first: $n) { ...P } nodes(ids: $ids) { id } }
        fragment P on C { nodes { id s(first: $n) { nodes { id } } } }";
    let cases = [
        ("{}", 1 + 7 * (1 + 1 + 1 + 7 * 2) + 2),
        (r#"{"n": 1, "ids": ["a", "b", "c"]}"#, 6 + 4),
        (r#"{"n": null}"#, 1 + 20 * (1 + 1 + 1 + 20 * 2) + 2),
        (r#"{"n": 9999999999999, "ids": []}"#, 1 + 100 * (1 + 1 + 1 + 100 * 2) + 2),
        (r#"{"n": {"a": 1}, "ids": 3}"#, 6 + 4),
    ];
    for (json, cost) in cases {
        let admitted = gate.admit(text, None, &variables(json)).expect("under the limit");
        assert_eq!(admitted.cost(), cost, "{json}");
    }
    let text = "query ($n: Int) { p(first: $n) { nodes { s(first: $n) { nodes { a b c d e } } } } }";
    assert!(gate.admit(text, None, &variables(r#"{"n": 10}"#)).is_ok());
    let refusal = gate.admit(text, None, &variables(r#"{"n": 100}"#)).expect_err("too dear");
    assert_eq!(refusal.code, codes::QUERY_TOO_LARGE);
    assert!(refusal.message.contains("60201 points of cost; at most 50000"), "{}", refusal.message);
}

/// `levels` fragments of which each spreads the next `times` times.
fn bomb(levels: usize, times: usize) -> String {
    let mut text = "{ ...F0 }".to_owned();
    for level in 0..levels {
        let spreads = format!(" ...F{}", level + 1).repeat(times);
        text.push_str(&format!(" fragment F{level} on Q {{{spreads} }}"));
    }
    text.push_str(&format!(" fragment F{levels} on Q {{ a }}"));
    text
}

#[test]
fn small_documents_that_expand_to_millions_are_refused_at_once() {
    let documents = [
        bomb(20, 2),
        bomb(10, 10),
        bomb(28, 3),
        bomb(400, 2),
        bomb(700, 1),
        "query A { a } ".to_owned() + &bomb(20, 4).replacen("{ ...F0 }", "query B { ...F0 }", 1),
        "query A { a } ".to_owned() + &bomb(20, 4).replacen("{ ...F0 }", "", 1),
    ];
    for text in &documents {
        let start = Instant::now();
        let code = gate().admit(text, Some("A"), &Variables::default()).map(|_| ()).map_err(|refusal| refusal.code);
        let spent = start.elapsed();
        assert!(matches!(code, Err(codes::QUERY_TOO_LARGE)), "{text}: {code:?}");
        // Unoptimised, on a busy machine; optimised it takes a tenth.
        assert!(spent < Duration::from_millis(250), "{} bytes took {spent:?}", text.len());
    }
    assert!(documents.first().is_some_and(|bomb| bomb.len() < 811));
}

#[test]
fn fragments_that_lead_nowhere_are_refused() {
    let cases = [
        "{ ...A } fragment A on Q { ...A }",
        "{ ...A } fragment A on Q { a ...B } fragment B on Q { b { ...C } } fragment C on Q { ...A }",
        "{ a } fragment A on Q { ...B } fragment B on Q { ...A }",
        "{ ...Missing }",
        "{ a } fragment A on Q { ... { ...Missing } }",
    ];
    for text in cases {
        assert_eq!(outcome(text), Err(codes::VALIDATION_FAILED), "{text}");
    }
}

type Make<'a> = &'a dyn Fn(usize) -> String;

#[test]
fn every_limit_holds_at_its_edge() {
    let nested = |levels: usize| format!("{}a{}", "{ a ".repeat(levels - 1) + "{ ", " }".repeat(levels));
    let inline = |levels: usize| format!("{}{{ a }}{}", "{ ... ".repeat(levels - 1), " }".repeat(levels - 1));
    let aliases = |n: usize| format!("{{ p {{ {} }} }}", (0..n).map(|i| format!("a{i}: a ")).collect::<String>());
    let directives = |n: usize| format!("{{ p {{ {} }} }}", "a @include(if: true) ".repeat(n));
    let fields = |n: usize| format!("{{ {} }}", "p { a } ".repeat(n));
    let mutation = |n: usize| format!("mutation {{ {} }}", "p { a } ".repeat(n));
    let spread = |n: usize| format!("{{ p {{ {} }} }} fragment F on P {{ a b c }}", "...F ".repeat(n));
    let lists = |n: usize| {
        format!("{{ __schema {{ types {}name{} }} }}", "{ fields { type ".repeat(n) + "{ ", " }".repeat(2 * n + 1))
    };
    let of_type =
        |n: usize| format!("{{ __type(name: \"A\") {}name{} }}", "{ ofType ".repeat(n - 2) + "{ ", " }".repeat(n - 1));
    let introspections = |n: usize| format!("{{ {} }}", "__schema { description } ".repeat(n));
    let cases: [(&str, Make, usize); 10] = [
        ("depth", &nested, 15),
        ("nesting", &inline, 30),
        ("aliases", &aliases, 100),
        ("directives", &directives, 50),
        ("query fields", &fields, 20),
        ("mutation fields", &mutation, 10),
        ("selections", &spread, 499),
        ("introspection lists", &lists, 2),
        ("introspection depth", &of_type, 20),
        ("introspections", &introspections, 9),
    ];
    for (what, make, limit) in cases {
        assert!(outcome(&make(limit)).is_ok(), "{what}: {:?}", admit(&make(limit)).map_err(|refusal| refusal.message));
        assert_eq!(outcome(&make(limit + 1)), Err(codes::QUERY_TOO_LARGE), "{what} {}", make(limit + 1));
    }
}

#[test]
fn limits_see_through_fragments() {
    let flood = format!(
        "{{ ...A ...A ...A }} fragment A on Q {{ {} }}",
        (0..40).map(|i| format!("p{i}: p ")).collect::<String>()
    );
    assert_eq!(outcome(&flood), Err(codes::QUERY_TOO_LARGE));
    let deep = "{ a { a { a { a { a { ...D } } } } } } fragment D on A { a { a { a { a { a { ...E } } } } } }
        fragment E on A { a { a { a { a { a { a } } } } } }";
    assert_eq!(outcome(deep), Err(codes::QUERY_TOO_LARGE));
}

#[test]
fn what_is_not_graphql_is_refused_shortly() {
    let long = format!("{{ {} ", "a ".repeat(4000));
    for text in [
        "",
        "{",
        "}",
        "\0",
        "{ a \0 }",
        "{ }",
        "nonsense",
        "{ a(",
        "type A { a: Int }",
        "{a} {b}",
        "query A {a} query A {b}",
        &long,
    ] {
        let refusal = admit(text).expect_err(text);
        assert_eq!(refusal.code, codes::PARSE_FAILED, "{text:?}");
        assert!(refusal.message.len() < 400 && !refusal.message.contains('\n'), "{}", refusal.message);
    }
    assert_eq!(admit("{ a( }").expect_err("syntax").message, "the query is not GraphQL: expected name");
    for text in ["{".repeat(1 << 20), "[".repeat(5000), "{a(b:".repeat(900), "# ".repeat(1 << 20)] {
        assert_eq!(outcome(&text), Err(codes::QUERY_TOO_LARGE));
    }
}

#[test]
fn the_operation_is_chosen_by_name() {
    let gate = gate();
    let cases: &[(&str, Option<&str>, Result<&str, &str>)] = &[
        ("{ a }", None, Ok("")),
        ("{ a }", Some(""), Ok("")),
        ("{ a }", Some("A"), Err(codes::VALIDATION_FAILED)),
        ("query A { a }", None, Ok("A")),
        ("query A { a } mutation B { b }", Some("B"), Ok("B")),
        ("query A { a } mutation B { b }", None, Err(codes::VALIDATION_FAILED)),
        ("query A { a } mutation B { b }", Some("C"), Err(codes::VALIDATION_FAILED)),
    ];
    for (text, name, expected) in cases {
        // Twice: the second time from the cache.
        for _ in 0..2 {
            let admitted = gate.admit(text, *name, &Variables::default());
            let found =
                admitted.as_ref().map(|admitted| admitted.name().unwrap_or_default()).map_err(|refusal| refusal.code);
            assert_eq!(found, *expected, "{text} {name:?}");
        }
    }
}

#[test]
fn only_doors_are_public() {
    let cases = [
        ("{ __typename }", true),
        ("{ __type(name: \"A\") { name } x: __schema { description } }", true),
        ("mutation { signIn(input: {email: \"a\"}) { token } }", true),
        ("mutation { ...S } fragment S on Mutation { ... { signIn { token } } }", true),
        ("mutation { resetPassword(input: {token: \"a\"}) { reset } completeSignIn { token } }", true),
        ("mutation { acceptInvitation(input: {token: \"a\"}) { accepted } }", true),
        ("mutation { signIn { token } signOut }", false),
        ("{ __typename ...P } fragment P on Query { patients { id } }", false),
        ("{ signIn: patients { id } }", false),
        ("subscription { changes { id } }", false),
    ];
    for (text, public) in cases {
        assert_eq!(admit(text).expect(text).is_public(), public, "{text}");
    }
}

#[test]
fn enrolment_is_me_and_what_sets_up_a_second_factor() {
    let cases = [
        ("{ me { id } __typename }", true),
        ("{ ...M } fragment M on Query { me { id } }", true),
        ("mutation { confirmSecondFactor(input: {code: \"1\"}) { token } }", true),
        ("mutation { signOut { signedOut } }", true),
        ("{ me { id } patients { id } }", false),
        ("{ ...P } fragment P on Query { ... { patients { id } } }", false),
        ("{ me: patients { id } }", false),
        ("mutation { changePassword(input: {current: \"1\"}) { token } }", false),
    ];
    for (text, enrolment) in cases {
        assert_eq!(admit(text).expect(text).is_enrolment(), enrolment, "{text}");
    }
}

struct Query;

#[Object]
impl Query {
    async fn add(&self, a: i32, b: Option<i32>) -> i32 {
        a + b.unwrap_or(0)
    }
}

struct Mutation;

#[Object]
impl Mutation {
    async fn signed_in(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn the_executor_runs_what_was_admitted() {
    let schema = Schema::new(Query, Mutation, EmptySubscription);
    let gate = DocumentCache::new(DocumentLimits::default(), &schema.sdl()).expect("a schema");
    let text = "query A($a: Int!, $skip: Boolean = false) { add(a: $a) b: add(a: 1, b: 2) @skip(if: $skip) } mutation B { signedIn }";
    // The engine removes skipped fields from its copy; the kept document must not lose them.
    for (json, expected) in
        [(r#"{"a": 1, "skip": true}"#, r#"{"data":{"add":1}}"#), (r#"{"a": 4}"#, r#"{"data":{"add":4,"b":3}}"#)]
    {
        let given = variables(json);
        let admitted = gate.admit(text, Some("A"), &given).expect("admitted");
        let response = schema.execute(admitted.request(given)).await;
        assert_eq!(serde_json::to_string(&response).expect("json"), expected);
    }
    let introspection = gate.admit(INTROSPECTION, None, &Variables::default()).expect("admitted");
    let response = schema.execute(introspection.request(Variables::default())).await;
    assert!(response.is_ok(), "{:?}", response.errors);
}
