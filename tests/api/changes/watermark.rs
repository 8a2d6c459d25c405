//! `extensions.asOf`: sent back as `updatedSince`, nothing is missed.

use crate::support::*;
use std::time::Duration;

const SINCE: &str =
    "query ($since: DateTime) { patients(first: 100, filter: {updatedSince: $since}) { nodes { id updatedAt } } }";

/// When a moment of an answer is.
fn moment(text: &Value) -> chrono::DateTime<chrono::Utc> {
    text.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{text} is no moment"))
}

fn as_of(answer: &Answer) -> Value {
    serde_json::from_str::<Value>(&answer.text).unwrap()["extensions"]["asOf"].clone()
}

fn ids(answer: &Answer) -> Vec<String> {
    let nodes = answer.data["patients"]["nodes"].as_array().expect("nodes").iter();
    nodes.map(|node| node["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_took_the_time_and_has_not_committed_is_not_missed() {
    let clinic = Clinic::start().await;
    let (anna, sql) = (clinic.practitioner(), clinic.database.superuser().await);
    let held = async |first: bool| {
        let name = if first { "Ada" } else { "Grace" };
        anna.patient(name, "Lovelace").await.id
    };
    // They wait for the ledger's head with their times taken, for longer than clocks may be apart.
    sql.run("BEGIN").await;
    sql.run(&format!("SELECT 1 FROM ledger_head WHERE org_id = '{}' FOR UPDATE", clinic.north.uuid)).await;
    let read = async {
        tokio::time::sleep(Duration::from_millis(600)).await;
        let early = anna.graphql(SINCE, json!({"since": "1970-01-01T00:00:00Z"})).await;
        tokio::time::sleep(Duration::from_millis(2_300)).await;
        let late = anna.graphql(SINCE, json!({"since": as_of(&early)})).await;
        sql.run("COMMIT").await;
        [early, late]
    };
    let (first, second, reads) = futures::join!(held(true), held(false), read);
    for read in &reads {
        let seen = ids(read);
        assert!(!seen.contains(&first) && !seen.contains(&second), "no test: it was committed already");
        let next = anna.graphql(SINCE, json!({"since": as_of(read)})).await;
        assert!(
            ids(&next).contains(&first) && ids(&next).contains(&second),
            "missed since {}: {}",
            as_of(read),
            next.text
        );
    }
    // Once nobody is at it, it follows the clock.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let after = anna.graphql(SINCE, json!({"since": as_of(&reads[1])})).await;
    let behind = chrono::Utc::now() - moment(&as_of(&after));
    assert!((2_000..4_000).contains(&behind.num_milliseconds()), "{behind}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_told_where_it_is_asked_what_changed() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let by_variable = "query ($filter: SessionFilter) { sessions(filter: $filter) { totalCount } }";
    for (query, variables, told) in [
        ("{ patients { totalCount } }", json!({}), false),
        (by_variable, json!({"filter": {"status": ["COMPLETED"]}}), false),
        (by_variable, json!({"filter": {"updatedSince": "2026-01-01T00:00:00Z"}}), true),
        ("{ staff(filter: {updatedSince: \"2026-01-01T00:00:00Z\"}) { totalCount } }", json!({}), true),
    ] {
        let answer = anna.graphql(query, variables).await;
        assert_eq!((answer.outcome().as_str(), as_of(&answer).is_string()), ("ok", told), "{query}");
    }
}
