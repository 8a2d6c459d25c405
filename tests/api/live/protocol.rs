//! The sub-protocol `graphql-transport-ws` to the letter, by frames: each close code, each order of messages.

use super::{CHANGED, Heard, Socket, init};
use crate::support::*;
use futures::StreamExt;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{self, Message};

const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_begins_with_who_it_is() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let address = anna.address();
    // Nothing is asked before the acknowledgement.
    let mut early = Socket::open(address).await;
    early.subscribe("1", CHANGED, json!({})).await;
    assert_eq!(early.hear().await, Heard::Closed(4401, "Unauthorized".to_owned()));
    // Pings are answered before it too.
    let mut slow = Socket::open(address).await;
    let begun = Instant::now();
    slow.say(&json!({"type": "ping", "payload": {"a": [1]}})).await;
    assert_eq!(slow.hear().await.message(), json!({"type": "pong", "payload": {"a": [1]}}));
    slow.say(&json!({"type": "ping"})).await;
    assert_eq!(slow.hear().await.message(), json!({"type": "pong"}));
    slow.say(&json!({"type": "pong", "payload": {}})).await;
    assert_eq!(slow.hear().await, Heard::Closed(4408, "Connection initialisation timeout".to_owned()));
    assert!((4..10).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    // Twice is too many.
    let mut twice = Socket::of(&anna).await;
    twice.say(&init(anna.token())).await;
    assert_eq!(twice.hear().await, Heard::Closed(4429, "Too many initialisation requests".to_owned()));
    // Whoever is nobody may not connect.
    for payload in [
        json!({"type": "connection_init"}),
        json!({"type": "connection_init", "payload": {"authorization": "Basic eDp5"}}),
        init("clinic_short"),
        init(&anna.token().replace(&anna.token()[10..14], "AAAA")),
    ] {
        let mut nobody = Socket::open(address).await;
        nobody.say(&payload).await;
        let end = nobody.hear().await;
        assert_eq!(end.code(), 4403, "{payload}: {end:?}");
    }
    // A header says it as well, where a client can send one. What is said of one request is said of none of them.
    let bearer = format!("Bearer {}", anna.token());
    let headers = [PROTOCOL, ("authorization", &bearer), ("idempotency-key", "one"), ("clinic-background", "1")];
    let mut by_header = Socket::ask(address, &headers).await.expect("a socket");
    by_header.say(&json!({"type": "connection_init"})).await;
    assert_eq!(by_header.hear().await.message(), json!({"type": "connection_ack"}));
    for name in ["Ada", "Ian"] {
        let register = "mutation ($i: RegisterPatientInput!) { registerPatient(input: $i) { patient { givenName } } }";
        let register = register.replace("givenName", "legalName { given }");
        let input = json!({"i": {"legalName": {"given": name, "family": "Lovelace"}, "birthDate": "1990-01-02"}});
        by_header.subscribe(name, &register, input).await;
        let done = by_header.event(name).await;
        assert_eq!(done["registerPatient"]["patient"]["legalName"]["given"], name);
        by_header.hear().await.message();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_message_closes_the_connection() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let operation = |id: Value, payload: Value| json!({"type": "subscribe", "id": id, "payload": payload}).to_string();
    for wrong in [
        "".to_owned(),
        "{".to_owned(),
        "[]".to_owned(),
        json!({"type": "start", "id": "1"}).to_string(),
        json!({"type": "complete"}).to_string(),
        operation(json!(1), json!({"query": "{ me { id } }"})),
        operation(json!("1"), json!({})),
        operation(json!("1"), json!({"query": 7})),
        operation(json!("1"), json!({"query": "{ me { id } }", "variables": []})),
        operation(json!("1"), json!("{ me { id } }")),
    ] {
        let mut socket = Socket::of(&anna).await;
        socket.send(Message::text(wrong.clone())).await;
        let end = socket.hear().await;
        assert!(matches!(&end, Heard::Closed(4400, why) if why.starts_with("Invalid message: ")), "{wrong}: {end:?}");
    }
    let mut binary = Socket::of(&anna).await;
    binary.send(Message::binary(b"{}".to_vec())).await;
    assert_eq!(binary.hear().await.code(), 4400);
    let mut long = Socket::of(&anna).await;
    long.send(Message::text(" ".repeat(2 << 20))).await;
    let end = long.hear().await;
    assert!(matches!(end, Heard::Closed(1009, _) | Heard::Gone), "{end:?}");
    // In parts it is as long.
    let mut in_parts = Socket::of(&anna).await;
    let part = |opcode, last| Message::Frame(Frame::message(vec![b' '; 400_000], OpCode::Data(opcode), last));
    in_parts.send(part(Data::Text, false)).await;
    for _ in 0..2 {
        in_parts.send(part(Data::Continue, false)).await;
    }
    assert_eq!(in_parts.hear().await.code(), 1009);
    let mut no_text = Socket::of(&anna).await;
    no_text.send(Message::Frame(Frame::message(vec![0xff, 0xfe], OpCode::Data(Data::Text), true))).await;
    assert_eq!(no_text.hear().await.code(), 1007);
    // What asks for a WebSocket asks as RFC 6455 has it.
    for (version, key) in [("8", "x3JJHMbDL1EzLkh9GBhXDw=="), ("13", "")] {
        let request = anna.request(reqwest::Method::GET, "/graphql").header("upgrade", "h2c, websocket");
        let request = request.header("connection", "upgrade").header("sec-websocket-version", version);
        let request = if key.is_empty() { request } else { request.header("sec-websocket-key", key) };
        let answer = Answer::to(request).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "BAD_REQUEST"), "{}", answer.text);
        assert_eq!(answer.headers["sec-websocket-version"], "13");
    }
    // Another protocol, or none, is not spoken.
    for spoken in [&[][..], &[("sec-websocket-protocol", "graphql-ws")][..]] {
        let opened = Socket::ask(anna.address(), spoken).await;
        match opened {
            Ok(mut socket) => assert_eq!(socket.hear().await.code(), 4406),
            // The client itself gives up where none was agreed.
            Err(error) => assert!(matches!(error, tungstenite::Error::Protocol(_)), "{error:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_have_ids_of_their_own_and_end_by_themselves_or_when_told() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let mut socket = Socket::of(&anna).await;
    // A query ends after its one result; an id is free again then.
    for _ in 0..2 {
        socket.subscribe("q", "query Q { me { id } } mutation M { __typename }", json!({})).await;
        let refused = socket.hear().await.message();
        assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("q")));
        assert_eq!(refused["payload"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED", "{refused}");
        socket.subscribe("q", "{ me { id } }", json!({})).await;
        let next = socket.hear().await.message();
        assert_eq!((&next["type"], &next["payload"]["data"]), (&json!("next"), &json!({"me": {"id": anna.id()}})));
        assert_eq!(socket.hear().await.message(), json!({"type": "complete", "id": "q"}));
    }
    // A mutation is done as by POST; what may set a cookie is not.
    let input = json!({"legalName": {"given": "Ada", "family": "Lovelace"}, "birthDate": "1990-01-02"});
    let register = "mutation ($input: RegisterPatientInput!) { registerPatient(input: $input) { patient { id } } }";
    socket.subscribe("m", register, json!({"input": input})).await;
    let done = socket.hear().await.message();
    let id = done["payload"]["data"]["registerPatient"]["patient"]["id"].as_str().expect("a patient").to_owned();
    assert_eq!(socket.hear().await.message(), json!({"type": "complete", "id": "m"}));
    assert_eq!(anna.ask(&format!("{{ patient(id: \"{id}\") {{ id }} }}")).await["patient"]["id"], json!(id));
    let sign_in = "mutation { signIn(input: {email: \"a@example.com\", password: \"x\"}) { token } }";
    socket.subscribe("s", sign_in, json!({})).await;
    let refused = socket.hear().await.message();
    assert_eq!(
        (&refused["type"], &refused["payload"][0]["extensions"]["code"]),
        (&json!("error"), &json!("FORBIDDEN"))
    );
    // Errors of fields are results.
    socket.subscribe("f", "{ patient(id: \"patient_00000000000000000000000001\") { id } me { id } }", json!({})).await;
    let partly = socket.hear().await.message();
    assert_eq!(
        (&partly["type"], &partly["payload"]["errors"][0]["extensions"]["code"]),
        (&json!("next"), &json!("NOT_FOUND"))
    );
    socket.hear().await.message();
    // An operation that was completed by the client is told nothing more, and nothing is said of one that is unknown.
    socket.follow("one", json!({})).await;
    socket.follow("two", json!({})).await;
    socket.say(&json!({"type": "complete", "id": "one"})).await;
    socket.say(&json!({"type": "complete", "id": "never begun"})).await;
    let patient = anna.patient("Ada", "Lovelace").await;
    assert_eq!(socket.change("two").await["recordId"], json!(patient.id));
    assert!(socket.is_silent_for(600).await);
    // Its id is free; one that is taken is not.
    socket.follow("one", json!({})).await;
    socket.subscribe("two", "{ me { id } }", json!({})).await;
    assert_eq!(socket.hear().await, Heard::Closed(4409, "Subscriber for two already exists".to_owned()));
    // The client may close at any time.
    let mut leaving = Socket::of(&anna).await;
    leaving.follow("1", json!({})).await;
    let code = tungstenite::protocol::CloseFrame { code: 1000.into(), reason: "done".into() };
    leaving.send(Message::Close(Some(code))).await;
    assert_eq!(leaving.hear().await, Heard::Closed(1000, String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_held_to_the_gate_and_its_fragments_are_read() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let mut socket = Socket::of(&anna).await;
    for (query, code) in [
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
        ("subscription { nothing { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { recordChanged { cursor } tasksChanged { cursor } }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { recordChanged(after: \"?\") { cursor } }", "BAD_USER_INPUT"),
        ("subscription { recordChanged(filter: {patientId: \"x\"}) { cursor } }", "BAD_USER_INPUT"),
        ("subscription { recordChanged(filter: {kinds: [PLANET]}) { cursor } }", "BAD_USER_INPUT"),
        ("subscription { recordChanged(filter: {kinds: []}) { cursor } }", "BAD_USER_INPUT"),
        ("subscription { recordChanged(filter: {recordIds: []}) { cursor } }", "BAD_USER_INPUT"),
        ("subscription { dayChanged(locationId: \"location_00000000000000000000000001\") { cursor } }", "NOT_FOUND"),
    ] {
        socket.subscribe("1", query, json!({})).await;
        let refused = socket.hear().await.message();
        assert_eq!(refused["type"], "error", "{query}: {refused}");
        assert_eq!(refused["payload"][0]["extensions"]["code"], code, "{query}: {refused}");
    }
    let fragments =
        "subscription S { ...F } fragment F on Subscription { ... on Subscription { it: recordChanged { recordId } } }";
    socket.subscribe("1", fragments, json!({})).await;
    socket.is_there("1").await;
    let patient = anna.patient("Ada", "Lovelace").await;
    assert_eq!(socket.event("1").await, json!({"it": {"recordId": patient.id}}));
    // As many operations as a connection may have, and no more.
    for n in 0..49 {
        socket.subscribe(&format!("n{n}"), CHANGED, json!({})).await;
    }
    socket.subscribe("one more", "{ me { id } }", json!({})).await;
    let refused = socket.hear().await.message();
    assert_eq!(
        (&refused["type"], &refused["payload"][0]["extensions"]["code"]),
        (&json!("error"), &json!("RATE_LIMITED"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_pages_of_the_service_may_connect_and_a_cookie_is_taken_from_them_alone() {
    let clinic = Clinic::with(&["--allowed-origins", "https://app.example.com"]).await;
    let anna = clinic.practitioner();
    let (address, bearer) = (anna.address(), format!("Bearer {}", anna.token()));
    let own = format!("http://{address}");
    let refused =
        Socket::ask(address, &[PROTOCOL, ("origin", "https://evil.example"), ("authorization", &bearer)]).await;
    assert!(matches!(&refused, Err(tungstenite::Error::Http(answer)) if answer.status() == 403), "{:?}", refused.err());
    let signed_in = Answer::to(anna.prepare(
        "mutation ($input: SignInInput!) { signIn(input: $input) { staff { id } } }",
        json!({"input": {"email": anna.member.email, "password": PASSWORD, "cookie": true}}),
    ))
    .await;
    let cookie = signed_in.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    for origin in [own.as_str(), "https://app.example.com"] {
        let mut page = Socket::ask(address, &[PROTOCOL, ("origin", origin), ("cookie", &cookie)]).await.expect(origin);
        page.say(&json!({"type": "connection_init"})).await;
        assert_eq!(page.hear().await.message(), json!({"type": "connection_ack"}), "{origin}");
        // A mutation may set a new cookie, and a socket can't.
        page.subscribe("1", "mutation { signOut { signedOut } }", json!({})).await;
        let refused = page.hear().await.message();
        assert_eq!(refused["payload"][0]["extensions"]["code"], "FORBIDDEN", "{refused}");
        page.subscribe("2", "{ me { id } }", json!({})).await;
        assert_eq!(page.event("2").await, json!({"me": {"id": anna.id()}}));
    }
    // No page: no cookie.
    let mut program = Socket::ask(address, &[PROTOCOL, ("cookie", &cookie)]).await.expect("a socket");
    program.say(&json!({"type": "connection_init"})).await;
    assert_eq!(program.hear().await.code(), 4403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_makes_the_service_wait_and_not_grow() {
    const CHANGES: usize = 240;
    const SUBSCRIPTIONS: usize = 30;
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let begin = crate::changes::now(&anna).await;
    let sql = clinic.database.superuser().await;
    futures::stream::iter(0..CHANGES)
        .for_each_concurrent(8, |_| async {
            anna.patient("Ada", "Lovelace").await;
        })
        .await;
    let mut socket = Socket::of(&anna).await;
    let looks = async || {
        let looks = sql.one("SELECT count(*) FROM access_log WHERE operation = 'recordChanged'").await;
        looks.parse::<usize>().expect("a number")
    };
    // Many long subscriptions of a client that reads nothing: more than the buffers on the way hold.
    let long = (0..30).map(|n| format!("{}{n}: recordId ", "x".repeat(90))).collect::<String>();
    let query = format!("subscription ($after: String) {{ recordChanged(after: $after) {{ sequence {long} }} }}");
    for n in 0..SUBSCRIPTIONS {
        socket.subscribe(&n.to_string(), &query, json!({"after": begin})).await;
    }
    let (mut read, begun) = (looks().await, Instant::now());
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = looks().await;
        // On a busy machine it may go on for long; a client that takes nothing is given up then.
        if now == read || begun.elapsed() > Duration::from_secs(12) {
            break;
        }
        read = now;
    }
    // Of three pages each.
    assert!((1..SUBSCRIPTIONS * 3).contains(&read), "{read} looks for a client that takes nothing");
    // Once it reads, everything is there, in order for each.
    let mut found = HashMap::<String, Vec<i64>>::new();
    for _ in 0..CHANGES * SUBSCRIPTIONS {
        let next = socket.hear().await.message();
        let change = &next["payload"]["data"]["recordChanged"];
        let id = next["id"].as_str().unwrap_or_else(|| panic!("{next}")).to_owned();
        found.entry(id).or_default().push(change["sequence"].as_i64().unwrap());
    }
    assert_eq!(found.len(), SUBSCRIPTIONS);
    assert!(found.values().all(|seen| seen.len() == CHANGES && seen.is_sorted_by(|a, b| a < b)));
}
