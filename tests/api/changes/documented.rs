//! The queries of `docs/feed.md` are run as they stand there.

use super::now;
use crate::support::*;

/// The blocks of a language, each as one text.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let parts = page.split(fence.as_str()).skip(1);
    parts.map(|part| part.split("```").next().expect("a block").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_on_keeping_a_copy_is_true() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let cursor = now(&anna).await;
    let patient = anna.patient("Ada", "Lovelace").await;
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/feed.md")).expect("the page");
    let queries = blocks(&page, "graphql");
    assert_eq!(queries.len(), 4);
    for query in &queries {
        let answer = anna.graphql(query, json!({"after": cursor})).await;
        assert_eq!(answer.outcome(), "ok", "{query} {}", answer.text);
        assert!(query.contains("now") || answer.text.contains(&patient.id), "{query} {}", answer.text);
        assert_eq!(answer.text.contains("\"asOf\""), query.contains("updatedSince"), "{query}");
    }
    let calls = blocks(&page, "sh").concat();
    let paths: Vec<&str> = calls.split("$CLINIC").skip(1).map(|rest| rest.split('"').next().expect("a path")).collect();
    assert_eq!(paths.len(), 2);
    for path in paths {
        let path = path.replace("$CURSOR", cursor.as_str().expect("a cursor"));
        let answer = Answer::to(anna.request(reqwest::Method::GET, &path)).await;
        assert_eq!(answer.status.as_u16(), 200, "{path} {}", answer.text);
        assert_eq!(answer.text.contains(&patient.id), path.contains("kinds"), "{path} {}", answer.text);
    }
    // A line has the fields that the page shows.
    let answer = Answer::to(anna.request(reqwest::Method::GET, "/changes")).await;
    let keys = |line: &str| -> Vec<String> {
        serde_json::from_str::<Value>(line).expect("JSON").as_object().expect("an object").keys().cloned().collect()
    };
    let shown = blocks(&page, "json").concat();
    let (first, last) = (answer.text.lines().next().expect("a line"), answer.text.lines().last().expect("a line"));
    let shown: Vec<&str> = shown.lines().collect();
    assert_eq!((keys(first), keys(last)), (keys(shown[0]), keys(shown[1])));
}
