//! `/graphql` as server-sent events, by the distinct connections mode of graphql-sse.

use super::{CHANGED, Events};
use crate::changes::now;
use crate::support::*;
use reqwest::Method;

fn complete() -> Option<super::Event> {
    Some(("complete".to_owned(), String::new()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_is_a_row_of_events_and_goes_on_after_the_last_cursor() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let begin = now(&anna).await;
    let first = anna.patient("Ada", "Lovelace").await;
    let mut events = Events::of(&anna, CHANGED, json!({"after": begin})).await;
    let change = events.result().await["data"]["recordChanged"].clone();
    assert_eq!(change["recordId"], json!(first.id));
    let second = anna.patient("Ian", "Smith").await;
    assert_eq!(events.result().await["data"]["recordChanged"]["recordId"], json!(second.id));
    drop(events);
    let third = anna.patient("Eva", "Jones").await;
    let mut again = Events::of(&anna, CHANGED, json!({"after": change["cursor"]})).await;
    for patient in [&second, &third] {
        assert_eq!(again.result().await["data"]["recordChanged"]["recordId"], json!(patient.id));
    }
    // By GET too, as `EventSource` asks.
    let query = [("query", CHANGED.to_owned()), ("variables", json!({"after": change["cursor"]}).to_string())];
    let request = anna.request(Method::GET, "/graphql").header("accept", "text/event-stream").query(&query);
    assert_eq!(Events::to(request).await.result().await["data"]["recordChanged"]["recordId"], json!(second.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_is_complete_and_what_is_wrong_is_an_event_too() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let mut query = Events::of(&anna, "{ me { id } }", json!({})).await;
    assert_eq!(query.result().await["data"]["me"]["id"], json!(anna.id()));
    assert_eq!((query.next().await, query.next().await), (complete(), None));
    for (query, code) in [
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { recordChanged(after: \"?\") { cursor } }", "BAD_USER_INPUT"),
        ("subscription { recordChanged(filter: {kinds: [SERVICE_ACCOUNT]}) { cursor } }", "FORBIDDEN"),
    ] {
        let mut events = Events::of(&anna, query, json!({})).await;
        let result = events.result().await;
        assert_eq!(result["errors"][0]["extensions"]["code"], code, "{query}: {result}");
        assert!(result.get("data").is_none(), "{result}");
        assert_eq!((events.next().await, events.next().await), (complete(), None));
    }
    // Who sends it is a matter of HTTP.
    for who in [&*clinic.anonymous(), &clinic.anonymous().with_token("clinic_short")] {
        let request = who.request(Method::POST, "/graphql").header("accept", "text/event-stream");
        let answer = Answer::to(request.json(&json!({"query": CHANGED}))).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (401, "UNAUTHENTICATED"), "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn how_a_subscription_is_asked_for_decides_how_it_is_answered() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let ask = async |method: Method, accept: &str, body: Value| {
        let request = anna.request(method.clone(), "/graphql").header("accept", accept);
        let request = if method == Method::GET {
            request.query(&[("query", body["query"].as_str())])
        } else {
            request.json(&body)
        };
        request.send().await.expect("an answer")
    };
    let subscription = json!({"query": "subscription { tasksChanged { cursor } }"});
    // As urql asks for everything: events are for what can't be answered otherwise.
    let any = "application/graphql-response+json, application/json, text/event-stream, multipart/mixed";
    let events = ask(Method::POST, any, subscription.clone()).await;
    assert_eq!(
        (events.status().as_u16(), &events.headers()["content-type"]),
        (200, &"text/event-stream".parse().unwrap())
    );
    for header in ["cache-control", "x-accel-buffering", "x-request-id"] {
        assert!(events.headers().contains_key(header), "{header}");
    }
    let json_answer = ask(Method::POST, any, json!({"query": "{ me { id } }"})).await;
    assert!(json_answer.headers()["content-type"].to_str().unwrap().starts_with("application/graphql-response+json"));
    for accept in ["application/json", "application/graphql-response+json", "*/*"] {
        let refused = ask(Method::POST, accept, subscription.clone()).await;
        assert_eq!(refused.status().as_u16(), 406, "{accept}");
        let body: Value = refused.json().await.expect("JSON");
        assert_eq!(body["errors"][0]["extensions"]["code"], "NOT_ACCEPTABLE");
        assert!(body["errors"][0]["message"].as_str().unwrap().contains("text/event-stream"), "{body}");
    }
    // Browsers send GETs by themselves: nothing is changed by one, however it is to be answered.
    let mutation = json!({"query": "mutation { signOut { signedOut } }"});
    assert_eq!(ask(Method::GET, "text/event-stream", mutation).await.status().as_u16(), 405);
    let batch = json!([{"query": "{ me { id } }"}]);
    assert_eq!(ask(Method::POST, "text/event-stream", batch).await.status().as_u16(), 400);
    let batch = json!([subscription]);
    assert_eq!(ask(Method::POST, any, batch).await.status().as_u16(), 406);
}
