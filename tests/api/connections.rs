//! Few connections and many clients: a connection that goes from one to the next shows nothing of before.

use crate::support::*;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_handed_on_shows_nothing_of_before() {
    let clinic = Clinic::with(&["--pool-size", "2", "--pool-wait", "30s"]).await;
    let look = "query ($id: ID!) { patient(id: $id) { displayName chartNumber } me { id } }";
    let reading_and_writing = |place: usize| {
        // Of two organisations in turn.
        let caller = if place.is_multiple_of(2) { clinic.practitioner() } else { clinic.stranger() };
        async move {
            let mut known: Vec<(String, String)> = Vec::new();
            for round in 0..6 {
                let name = format!("Family{place}x{round}");
                known.push((caller.patient("Ann", &name).await.id, format!("Ann {name}")));
                // What was committed is there for the next look, whichever connection that gets.
                for (id, name) in &known {
                    let seen = caller.graphql(look, json!({"id": id})).await.ok();
                    assert_eq!(seen["patient"]["displayName"], json!(name));
                }
            }
            known
        }
    };
    let known = futures::future::join_all((0..12).map(reading_and_writing)).await;
    // Nothing of the other organisation is seen.
    let strangers = [(0, clinic.stranger()), (1, clinic.practitioner())];
    for (place, stranger) in strangers {
        let ids = known[place].iter().map(|(id, _)| stranger.graphql(look, json!({"id": id})));
        for answer in futures::future::join_all(ids).await {
            assert_eq!(answer.code(), "NOT_FOUND", "{answer:?}");
        }
    }
    // Nothing stays open once nobody waits.
    let sql = clinic.database.superuser().await;
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'";
    let begun = Instant::now();
    while sql.one(open).await != "0" {
        assert!(begun.elapsed() < Duration::from_secs(10), "a transaction stays open");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
