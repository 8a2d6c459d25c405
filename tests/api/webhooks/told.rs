//! What an event is, and what it says.

use super::{Got, Hook, Receiver, SOON, change, hook, standing, until};
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_an_event_that_points_and_tells_nothing() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    anna.patient("Before", "Anybody").await;
    let receiver = Receiver::start().await;
    let hook = hook(&admin, &receiver, &["PATIENTS_READ", "CLINICAL_READ"], &[]).await;
    let begin = crate::changes::now(&anna).await;
    let patient = anna.patient("Zoë", "Quibblewick").await;
    let session = anna.session(&patient).await;
    let got = receiver.until_got(2).await;
    assert_eq!(got.iter().map(Got::kind).collect::<Vec<_>>(), ["patient.created", "treatment_session.created"]);
    for (event, record) in got.iter().zip([&patient, &session]) {
        assert!(event.verifies(&hook.secret), "{event:?}");
        assert!(!event.verifies("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"), "by another secret");
        assert_eq!(event.headers["content-type"], "application/json");
        let body = event.body();
        assert_eq!((&body["data"]["recordId"], &body["data"]["patientId"]), (&json!(record.id), &json!(patient.id)));
        for word in ["Quibblewick", "Zoë", "1990", "cheek", "Tolerated"] {
            assert!(!event.text.to_lowercase().contains(&word.to_lowercase()), "{word} {}", event.text);
        }
    }
    // It says what the feed says, and its cursor is the feed's.
    let (changes, _) = crate::changes::all(&anna, &begin, json!({"kinds": ["PATIENT", "TREATMENT_SESSION"]})).await;
    for (event, change) in got.iter().zip(&changes) {
        let body = event.body();
        let same = ["sequence", "action", "kind", "recordId", "version", "patientId", "movedFromPatientId", "mark"];
        same.iter().for_each(|field| assert_eq!(body["data"][field], change[field], "{field} {body}"));
        assert_eq!(body["timestamp"], change["at"]);
        assert_eq!(body["data"]["organisationId"], json!(clinic.north.id));
    }
    let cursor = got[0].body()["data"]["cursor"].clone();
    let (after, _) = crate::changes::all(&anna, &cursor, json!({"kinds": ["PATIENT", "TREATMENT_SESSION"]})).await;
    assert_eq!(after, changes[1..], "the cursor of an event is one of the feed");
    until("the place is at the end", async || standing(&admin, &hook).await["deliveries"]["totalCount"] == 2).await;
    let stands = standing(&admin, &hook).await;
    assert!(stands["lastSuccessAt"].is_string() && stands["failingSince"].is_null(), "{stands}");
    let newest = &stands["deliveries"]["nodes"][0];
    assert_eq!(
        (&newest["eventId"], &newest["type"], &newest["attempt"], &newest["statusCode"], &newest["error"]),
        (&json!(got[1].id), &json!("treatment_session.created"), &json!(1), &json!(204), &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_is_a_signed_ping_and_says_what_came_of_it() {
    let clinic = Clinic::with(SOON).await;
    let admin = clinic.admin();
    let receiver = Receiver::answering(|place| (if place == 0 { 200 } else { 418 }, "")).await;
    let hook = hook(&admin, &receiver, &["PATIENTS_READ"], &[]).await;
    let selection = "delivered statusCode error durationMs webhook { id status }";
    let test = || admin.does("testWebhook", json!({"id": hook.made.id}), selection);
    let first = test().await.ok()["testWebhook"].clone();
    assert_eq!((&first["delivered"], &first["statusCode"], &first["error"]), (&json!(true), &json!(200), &Value::Null));
    let second = test().await.ok()["testWebhook"].clone();
    assert_eq!(
        (&second["delivered"], &second["statusCode"], &second["error"]),
        (&json!(false), &json!(418), &json!("STATUS"))
    );
    let got = receiver.got();
    assert!(got.iter().all(|event| event.kind() == "ping" && event.verifies(&hook.secret)), "{got:?}");
    assert_ne!(got[0].id, got[1].id);
    let stands = standing(&admin, &hook).await;
    assert_eq!((&stands["status"], &stands["failedTries"]), (&json!("ACTIVE"), &json!(0)), "a test changes nothing");
    let logged: Vec<_> =
        stands["deliveries"]["nodes"].as_array().expect("a list").iter().map(|it| &it["sequence"]).collect();
    assert_eq!(logged, [&Value::Null, &Value::Null]);
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("one");
    change(&admin, "updateWebhook", &hook, json!({"url": format!("http://{closed}/")})).await;
    let third = test().await.ok()["testWebhook"].clone();
    assert_eq!(
        (&third["delivered"], &third["statusCode"], &third["error"]),
        (&json!(false), &Value::Null, &json!("CONNECT"))
    );
    change(&admin, "endWebhook", &hook, json!({})).await;
    assert_eq!(test().await.code(), "BAD_USER_INPUT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_of_a_receiver_that_hangs_says_so_in_time() {
    let clinic = Clinic::with(&["--statement-timeout", "2s", "--request-deadline", "3s"]).await;
    let (admin, receiver) = (clinic.admin(), Receiver::start().await);
    let hook = hook(&admin, &receiver, &["PATIENTS_READ"], &["PATIENT"]).await;
    receiver.slows_down(std::time::Duration::from_secs(20));
    let selection = "delivered statusCode error durationMs";
    let answer = admin.does("testWebhook", json!({"id": hook.made.id}), selection).await.ok()["testWebhook"].clone();
    assert_eq!((&answer["delivered"], &answer["error"]), (&json!(false), &json!("TIMEOUT")), "{answer}");
    assert!((2_000..2_900).contains(&answer["durationMs"].as_i64().expect("a time")), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_paused_resumed_replayed_and_ended() {
    let clinic = Clinic::start().await;
    let (anna, admin, receiver) = (clinic.practitioner(), clinic.admin(), Receiver::start().await);
    let hook = hook(&admin, &receiver, &["PATIENTS_READ"], &["PATIENT"]).await;
    let begin = standing(&admin, &hook).await["cursor"].clone();
    let first = anna.patient("First", "One").await;
    // What an admin changes while an event is under way makes it come again: not here.
    let noted = async |many: u64| {
        super::until("what was sent is noted", async || {
            standing(&admin, &hook).await["deliveries"]["totalCount"].as_u64() >= Some(many)
        })
        .await;
    };
    receiver.until_took(1).await;
    noted(1).await;
    change(&admin, "pauseWebhook", &hook, json!({})).await;
    let second = anna.patient("Second", "One").await;
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    assert_eq!(receiver.got().len(), 1, "it is paused");
    change(&admin, "resumeWebhook", &hook, json!({})).await;
    let took = receiver.until_took(2).await;
    assert_eq!(took.iter().map(|got| got.change().1).collect::<Vec<_>>(), [first.id.clone(), second.id.clone()]);
    noted(2).await;
    // Again from the beginning: the same events under the same ids.
    change(&admin, "replayWebhook", &hook, json!({"after": begin})).await;
    let got = receiver.until_got(4).await;
    let ids: Vec<&str> = got.iter().map(|got| got.id.as_str()).collect();
    assert_eq!(ids[..2], ids[2..]);
    assert_eq!(standing(&admin, &hook).await["startsAfter"], begin);
    let theirs = clinic.of(&clinic.south, Role::Admin);
    let shown = theirs.graphql(super::STANDING, json!({"id": hook.made.id})).await;
    assert_eq!(shown.code(), "NOT_FOUND", "another organisation sees nothing");
    // A cursor of another ledger, and one that is none.
    let foreign = crate::changes::now(&clinic.stranger()).await;
    for wrong in [foreign, json!("yesterday")] {
        let now = Made::of(&standing(&admin, &hook).await);
        let answer = admin.does("replayWebhook", now.edit_with(json!({"after": wrong})), "webhook { id }").await;
        assert_eq!((answer.code(), answer.faults()), ("BAD_USER_INPUT", vec!["input.after"]), "{}", answer.text);
    }
    let ended = change(&admin, "endWebhook", &hook, json!({})).await;
    anna.patient("Third", "One").await;
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    assert_eq!(receiver.got().len(), 4);
    let answer = admin.does("resumeWebhook", ended.edit(), "webhook { id }").await;
    assert_eq!(answer.code(), "BAD_USER_INPUT");
    let sql = clinic.database.superuser().await;
    let kept = "SELECT octet_length(secret) + coalesce(octet_length(old_secret), 0) FROM webhook";
    assert_eq!(sql.one(kept).await, "0", "an ended webhook has no secret left");
    // Each of these is in the ledger, and the chain holds.
    let entries = "SELECT count(*) FROM ledger WHERE record_kind = 'webhook'";
    assert_eq!(sql.one(entries).await, "5");
    assert_eq!(crate::ledger::broken(&sql, "ledger", clinic.north.uuid).await, None);
}

/// The ids of a list that is walked in pages of two.
async fn walk(admin: &SignedIn, path: &str, query: &str) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), Value::Null);
    loop {
        let data = admin.graphql(query, json!({"after": after})).await.ok();
        let page = data.pointer(path).expect("a page");
        ids.extend(
            page["nodes"].as_array().expect("nodes").iter().map(|it| it["key"].as_str().expect("a key").to_owned()),
        );
        if page["pageInfo"]["hasNextPage"] == false {
            return ids;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_and_their_deliveries_are_walked_without_a_gap() {
    let clinic = Clinic::start().await;
    let (admin, receiver) = (clinic.admin(), Receiver::start().await);
    let service = admin.service_account("Receiver", &["AUDIT_READ"]).await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(admin.webhook(&service.id, "LEGAL_HOLD").await.id);
    }
    for order in ["CREATED_AT", "UPDATED_AT"] {
        for direction in ["ASC", "DESC"] {
            let query = format!(
                "query ($after: String) {{ webhooks(first: 2, after: $after, orderBy: {{field: {order}, direction: {direction}}}) {{ \
                 nodes {{ key: id }} pageInfo {{ hasNextPage endCursor }} }} }}"
            );
            let mut ids = walk(&admin, "/webhooks", &query).await;
            if direction == "DESC" {
                ids.reverse();
            }
            assert_eq!(ids, made, "{order} {direction}");
        }
    }
    let hook = hook(&admin, &receiver, &["PATIENTS_READ"], &["PATIENT"]).await;
    let none = format!(
        "{{ webhooks(filter: {{serviceAccountId: \"{}\", status: [PAUSED]}}) {{ totalCount }} }}",
        hook.service.id
    );
    assert_eq!(admin.ask(&none).await["webhooks"]["totalCount"], 0);
    for _ in 0..5 {
        admin.does("testWebhook", json!({"id": hook.made.id}), "delivered").await.ok();
    }
    // Several at one moment are told apart by their ids.
    clinic.database.superuser().await.run("UPDATE webhook_delivery SET at = date_trunc('hour', at)").await;
    let query = format!(
        "query ($after: String) {{ webhook(id: \"{}\") {{ deliveries(first: 2, after: $after) {{ nodes {{ key: eventId }} \
         pageInfo {{ hasNextPage endCursor }} totalCount }} }} }}",
        hook.made.id
    );
    let walked = walk(&admin, "/webhook/deliveries", &query).await;
    let mut sent: Vec<String> = receiver.got().iter().map(|got| got.id.clone()).collect();
    sent.reverse();
    assert_eq!(walked, sent, "newest first");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_record_goes_by_its_version() {
    let clinic = Clinic::start().await;
    let (admin, receiver) = (clinic.admin(), Receiver::start().await);
    let hook: Hook = hook(&admin, &receiver, &["PATIENTS_READ"], &[]).await;
    let edit = |more: Value| hook.made.edit_with(more);
    let answer = admin
        .does(
            "updateWebhook",
            edit(json!({"description": "The warehouse", "kinds": ["RECALL", "PATIENT", "RECALL"]})),
            "webhook { version description kinds }",
        )
        .await
        .ok();
    let after = &answer["updateWebhook"]["webhook"];
    assert_eq!(
        (&after["version"], &after["description"], &after["kinds"]),
        (&json!(2), &json!("The warehouse"), &json!(["PATIENT", "RECALL"]))
    );
    for mutation in ["updateWebhook", "pauseWebhook", "endWebhook", "rotateWebhookSecret"] {
        let answer = admin.does(mutation, hook.made.edit(), "webhook { id }").await;
        assert_eq!(answer.code(), "CONFLICT", "{mutation} {}", answer.text);
    }
    let answer = admin.does("resumeWebhook", json!({"id": hook.made.id, "expectedVersion": 2}), "webhook { id }").await;
    assert_eq!(answer.code(), "BAD_USER_INPUT", "it is active");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_how_webhooks_fare_and_of_nobody() {
    let clinic = Clinic::with(&[SOON, &["--metrics-listen", "0"]].concat()).await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let (fine, gone) = (Receiver::start().await, Receiver::answering(|_| (500, "")).await);
    let fine_hook = hook(&admin, &fine, &["PATIENTS_READ"], &["PATIENT"]).await;
    hook(&admin, &gone, &["PATIENTS_READ"], &["PATIENT"]).await;
    let paused = hook(&admin, &fine, &["PATIENTS_READ"], &["RECALL"]).await;
    change(&admin, "pauseWebhook", &paused, json!({})).await;
    anna.patient("Zoë", "Quibblewick").await;
    let told = async |line: &str| clinic.metrics().await.lines().any(|it| it == line);
    for line in [
        "clinic_webhook_deliveries_total{outcome=\"delivered\"} 1",
        "clinic_webhook_deliveries_total{outcome=\"status\"} 4",
        "clinic_webhook_delivery_seconds_count 5",
        "clinic_webhooks{state=\"delivering\"} 1",
        "clinic_webhooks{state=\"paused\"} 1",
        "clinic_webhooks{state=\"disabled\"} 1",
        "clinic_webhooks_given_up_total 1",
    ] {
        until(line, async || told(line).await).await;
    }
    let text = clinic.metrics().await;
    for word in ["Quibblewick", &fine.url, "127.0.0.1", &fine_hook.made.id] {
        assert!(!text.contains(word), "{word}");
    }
    // Somebody behind is told of by how old the change is that they did not take.
    let slow = Receiver::answering(|_| (0, "")).await;
    hook(&admin, &slow, &["PATIENTS_READ"], &["PATIENT"]).await;
    anna.patient("Ada", "Lovelace").await;
    let lag = async || {
        let text = clinic.metrics().await;
        let line = text.lines().find_map(|line| line.strip_prefix("clinic_webhook_lag_seconds ")).expect("a lag");
        line.parse::<f64>().expect("a number")
    };
    until("it lags", async || lag().await > 2.0).await;
}
