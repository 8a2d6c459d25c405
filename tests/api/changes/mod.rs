//! The change feed: everything that changed, once and in order, for whoever may see it.

mod copies;
mod documented;
mod rights;
mod waits;
mod watermark;

use crate::support::*;

/// A page of the feed with all that it tells.
pub const FEED: &str = "query ($after: String, $first: Int, $kinds: [RecordKind!]) { changes(after: $after, first: $first, kinds: $kinds) {
    edges { cursor } nodes { sequence at action kind recordId version patientId movedFromPatientId mark actorId requestId }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";

/// A page after a cursor.
pub async fn page(who: &Caller, after: &Value, more: Value) -> Value {
    let mut variables = json!({"after": after, "first": 100});
    variables.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    who.graphql(FEED, variables).await.ok()["changes"].clone()
}

/// Everything after a cursor, and the cursor at its end.
pub async fn all(who: &Caller, after: &Value, more: Value) -> (Vec<Value>, Value) {
    let (mut changes, mut after) = (Vec::new(), after.clone());
    loop {
        let page = page(who, &after, more.clone()).await;
        changes.extend(page["nodes"].as_array().expect("nodes").clone());
        after = page["pageInfo"]["endCursor"].clone();
        assert!(after.is_string(), "a page has its end: {page}");
        if page["pageInfo"]["hasNextPage"] == false {
            return (changes, after);
        }
    }
}

/// The cursor of what comes next.
pub async fn now(who: &Caller) -> Value {
    let page = page(who, &json!("now"), json!({})).await;
    assert_eq!((&page["nodes"], &page["pageInfo"]["hasNextPage"]), (&json!([]), &json!(false)));
    page["pageInfo"]["endCursor"].clone()
}

/// What a change says in short: `TREATMENT_SESSION UPDATE RETRACTED`.
pub fn brief(change: &Value) -> String {
    let words = ["kind", "action", "mark"].map(|field| change[field].as_str().unwrap_or("-"));
    words.join(" ").trim_end_matches(" -").to_owned()
}
