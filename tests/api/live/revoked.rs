//! Whoever is signed out is connected no more; and the service that stops says so.

use super::{CHANGED, Events, Heard, Socket};
use crate::support::*;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// A socket of somebody that follows, and a stream of events.
async fn both(who: &Caller) -> (Socket, Events) {
    let mut socket = Socket::of(who).await;
    socket.follow("1", json!({})).await;
    let events = Events::of(who, CHANGED, json!({})).await;
    (socket, events)
}

async fn are_sent_away((mut socket, mut events): (Socket, Events), why: &str) {
    let begun = Instant::now();
    let end = socket.hear().await;
    assert!(matches!(&end, Heard::Closed(4403, reason) if reason.contains("sign in again")), "{why}: {end:?}");
    assert!(begun.elapsed() < Duration::from_secs(4), "{why}: {:?}", begun.elapsed());
    let last = events.result().await;
    assert_eq!(last["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{why}: {last}");
    assert_eq!(events.next().await, Some(("complete".to_owned(), String::new())), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_ends_ends_what_it_follows() {
    let clinic = Clinic::start().await;
    let (admin, sql) = (clinic.admin(), clinic.database.superuser().await);
    let again = async || clinic.sign_in_again(&clinic.north, Role::Practitioner).await;
    let other = clinic.practitioner();
    let stays = both(&other).await;

    let mine = again().await;
    let open = both(&mine).await;
    mine.ask("mutation { signOut { signedOut } }").await;
    are_sent_away(open, "signed out").await;

    let mine = again().await;
    let open = both(&mine).await;
    let ids = mine.ask("{ me { signIns { id current } } }").await;
    let ids = ids["me"]["signIns"].as_array().expect("sign-ins").clone();
    let current = ids.iter().find(|it| it["current"] == true).expect("this one");
    other.does("revokeSignIn", json!({"id": current["id"]}), "revoked").await.ok();
    are_sent_away(open, "revoked from elsewhere").await;

    let mine = again().await;
    let open = both(&mine).await;
    let newest = "SELECT id FROM sign_in WHERE ended_at IS NULL ORDER BY created_at DESC LIMIT 1";
    sql.run(&format!("UPDATE sign_in SET last_seen_at = now() - interval '1 day' WHERE id = ({newest})")).await;
    are_sent_away(open, "not used for too long").await;

    let service = admin.service_account("Reports", &["PATIENTS_READ"]).await;
    let (key, secret) = admin.api_key(&service, json!({})).await;
    let open = both(&clinic.anonymous().with_token(&secret)).await;
    admin.does("revokeApiKey", json!({"id": key.id}), "apiKey { id }").await;
    are_sent_away(open, "key").await;

    // The others are where they were.
    let (mut socket, mut events) = stays;
    let patient = other.patient("Ada", "Lovelace").await;
    assert_eq!(socket.change("1").await["recordId"], json!(patient.id));
    assert_eq!(events.result().await["data"]["recordChanged"]["recordId"], json!(patient.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_stops_says_so_at_once() {
    let mut clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (mut socket, mut events) = both(&anna).await;
    let begun = Instant::now();
    let stopping = async {
        clinic.stop().await;
        begun.elapsed()
    };
    let heard = async { (socket.hear().await, events.next().await) };
    let (took, (end, last)) = futures::join!(stopping, heard);
    assert_eq!(end.code(), 1001);
    // It is not complete: who follows connects again, and goes on after the last cursor.
    assert_eq!(last, None);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_follows_so_much_and_no_more_over_all_their_connections() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    // Another sign-in is the same person.
    let again = clinic.sign_in_again(&clinic.north, Role::Practitioner).await;
    let (mut one, mut two) = (Socket::of(&anna).await, Socket::of(&again).await);
    for (socket, name) in [(&mut one, "a"), (&mut two, "b")] {
        for n in 0..49 {
            socket.subscribe(&format!("{name}{n}"), CHANGED, json!({})).await;
        }
        socket.is_there(name).await;
    }
    let mut third = Socket::of(&anna).await;
    for n in 0..3 {
        third.subscribe(&n.to_string(), CHANGED, json!({})).await;
    }
    let refused = third.hear().await.message();
    assert_eq!(
        (&refused["type"], &refused["payload"][0]["extensions"]["code"]),
        (&json!("error"), &json!("RATE_LIMITED"))
    );
    // Others follow all the same, and everybody is told.
    let mut admin = Socket::of(&clinic.admin()).await;
    admin.follow("1", json!({})).await;
    let patient = anna.patient("Ada", "Lovelace").await;
    assert_eq!(admin.change("1").await["recordId"], json!(patient.id));
    let mut told = HashSet::new();
    while told.len() < 49 {
        told.insert(one.hear().await.message()["id"].as_str().expect("an id").to_owned());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_connections_of_one_are_told_to_come_again() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let mut open = Vec::new();
    for _ in 0..20 {
        open.push(Socket::of(&anna).await);
    }
    let mut more = Socket::open(anna.address()).await;
    more.say(&super::init(anna.token())).await;
    assert_eq!(more.hear().await.code(), 1013);
    let request = anna.request(reqwest::Method::POST, "/graphql").header("accept", "text/event-stream");
    let answer = Answer::to(request.json(&json!({"query": CHANGED}))).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (429, "RATE_LIMITED"));
    // A query is answered all the same, and a place is free once somebody leaves.
    Events::of(&anna, "{ me { id } }", json!({})).await.result().await;
    drop(open.pop());
    tokio::time::sleep(Duration::from_millis(500)).await;
    Socket::of(&anna).await;
}
