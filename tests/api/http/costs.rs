//! What is refused for what it would take.

use crate::support::*;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn what_would_take_too_much_is_refused_at_once() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let repeat = |many: usize, one: &dyn Fn(usize) -> String| (0..many).map(one).collect::<Vec<_>>().join(" ");
    let nested = |many: usize, open: &str| {
        format!("{{ {} __typename {} }}", format!("{open} {{ ").repeat(many), "} ".repeat(many))
    };
    let bomb = |many: usize| {
        format!(
            "{{ ...f0 }} {} fragment f{many} on Query {{ me {{ id }} }}",
            repeat(many, &|i| format!("fragment f{i} on Query {{ ...f{} ...f{} }}", i + 1, i + 1))
        )
    };
    let wide = "patients(first: 100) { nodes { sessions(first: 100) { nodes { aftercareNotes(first: 100) { nodes { id } } } } } }";
    let too_large = [
        ("root fields", format!("{{ {} }}", repeat(21, &|i| format!("a{i}: me {{ id }}")))),
        ("mutations", format!("mutation {{ {} }}", repeat(11, &|i| format!("a{i}: signOut {{ signedOut }}")))),
        ("aliases", format!("{{ me {{ {} }} }}", repeat(101, &|i| format!("a{i}: id")))),
        ("many aliases", format!("{{ me {{ {} }} }}", repeat(2400, &|i| format!("a{i}: id")))),
        ("the same field", format!("{{ me {{ {} }} }}", "id ".repeat(2100))),
        ("depth", nested(16, "me")),
        ("brackets", nested(5000, "me")),
        ("lists", format!("query ($x: {}Int{}) {{ __typename }}", "[".repeat(3000), "]".repeat(3000))),
        ("values", format!("{{ nodes(ids: {}{}) {{ id }} }}", "[".repeat(3000), "]".repeat(3000))),
        ("fragments", bomb(25)),
        ("more fragments", bomb(500)),
        ("directives", format!("{{ __typename {} }}", "@include(if: true) ".repeat(51))),
        ("tokens", format!("{{ {} }}", "__typename ".repeat(5001))),
        ("bytes", format!("{{ __typename }} # {}", "x".repeat(101 * 1024))),
        ("a name", format!("{{ {} }}", "x".repeat(257))),
        ("cost", format!("{{ {wide} }}")),
        (
            "introspection",
            "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }".to_owned(),
        ),
    ];
    for (what, query) in too_large {
        let begun = Instant::now();
        let answer = anna.graphql(&query, json!({})).await;
        assert!(begun.elapsed() < Duration::from_secs(1), "{what}: {:?}", begun.elapsed());
        assert_eq!(
            (answer.outcome().as_str(), answer.status.as_u16(), answer.data),
            ("QUERY_TOO_LARGE", 400, Value::Null),
            "{what} {:.300}",
            answer.text
        );
    }
    let by_variable = "query ($n: Int) { patients(first: $n) { nodes { sessions(first: $n) { nodes { aftercareNotes(first: $n) { nodes { id } } } } } } }";
    assert_eq!(anna.graphql(by_variable, json!({"n": 100})).await.code(), "QUERY_TOO_LARGE");
    assert_eq!(anna.graphql(by_variable, json!({"n": 5})).await.outcome(), "ok", "the same text, for fewer rows");
    let circle = "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }";
    assert_eq!(anna.graphql(circle, json!({})).await.code(), "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(
        clinic.anonymous().graphql(&bomb(25), json!({})).await.code(),
        "QUERY_TOO_LARGE",
        "before anybody is known"
    );
    let ids: Vec<String> = (0..101).map(|_| new_id("patient")).collect();
    assert_eq!(
        anna.graphql("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({"ids": ids})).await.code(),
        "BAD_USER_INPUT"
    );
    anna.ask("{ me { id } }").await;
}

/// A list without pages is priced as one record: what lists in one another multiply to is counted as they are run.
#[tokio::test(flavor = "multi_thread")]
async fn lists_in_lists_end_where_their_price_does() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let entries = (0..9).map(|_| anna.health_entry(&patient));
    futures::future::join_all(entries).await;
    let nested = |times: usize| {
        let (open, close) = ("healthHistory { patient { ".repeat(times), "} } ".repeat(times));
        format!("query ($id: ID!) {{ patient(id: $id) {{ {open} id {close} }} }}")
    };
    let ids = json!({ "id": patient.id });
    let fine = anna.graphql(&nested(2), ids.clone()).await.ok();
    assert_eq!(fine["patient"]["healthHistory"].as_array().map(Vec::len), Some(9));
    // 9 * 9 * 9 * 9 records and their links, for fewer than 20 points.
    let refused = anna.graphql(&nested(4), ids.clone()).await;
    assert_eq!((refused.code(), &refused.data), ("QUERY_TOO_LARGE", &Value::Null));
    assert!(refused.text.contains("put fewer lists into one another"));
    // Nothing is left of it: the next one runs.
    anna.graphql(&nested(1), ids).await.ok();
}
