//! Who may follow what.

use super::Socket;
use crate::access::{ALL, CLINICAL, Rights};
use crate::support::*;

/// Each subscription with its arguments, and what each role gets: a row for every field of `Subscription`.
pub const SUBSCRIPTIONS: &[(&str, &str, Rights)] = &[
    ("recordChanged", "", ALL),
    ("recordChanged", "(filter: {kinds: [TREATMENT_SESSION]})", CLINICAL),
    ("recordChanged", "(filter: {kinds: [SERVICE_ACCOUNT]})", ["ok", "FORBIDDEN", "FORBIDDEN", "ok"]),
    ("dayChanged", "(locationId: \"LOCATION\")", CLINICAL),
    ("tasksChanged", "", ALL),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_role_follows_what_it_may_read() {
    let clinic = Clinic::start().await;
    for (place, role) in Role::ALL.into_iter().enumerate() {
        let who = clinic.of(&clinic.north, role);
        for (field, arguments, rights) in SUBSCRIPTIONS {
            let mut socket = Socket::of(&who).await;
            let arguments = arguments.replace("LOCATION", &who.location);
            socket.subscribe("1", &format!("subscription {{ {field}{arguments} {{ cursor }} }}"), json!({})).await;
            let found = if rights[place] == "ok" {
                socket.is_there("1").await;
                "ok".to_owned()
            } else {
                let refused = socket.hear().await.message();
                refused["payload"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned()
            };
            assert_eq!(found, rights[place], "{field}{arguments} of {role:?}");
        }
    }
    // What is another organisation's is not there.
    let mut stranger = Socket::of(&clinic.stranger()).await;
    let query =
        format!("subscription {{ dayChanged(locationId: \"{}\") {{ cursor }} }}", clinic.practitioner().location);
    stranger.subscribe("1", &query, json!({})).await;
    assert_eq!(stranger.hear().await.message()["payload"][0]["extensions"]["code"], "NOT_FOUND");
}
