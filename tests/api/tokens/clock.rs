//! When a sign-in ends.

use super::{ME, because, fresh, until, why};
use crate::support::*;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use std::time::Duration;

/// `extensions.session` of an answer: when the sign-in ends unused, and at the latest.
fn ends(answer: &Answer) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let body: Value = serde_json::from_str(&answer.text).expect("JSON");
    let session = body["extensions"].get("session")?;
    let moment = |name: &str| {
        let text = session[name].as_str().expect("a moment");
        assert!(text.len() == 27 && text.ends_with('Z'), "UTC to the microsecond: {text}");
        text.parse().expect("RFC 3339")
    };
    Some((moment("idleEndsAt"), moment("endsAt")))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_answer_tells_when_the_sign_in_ends() {
    let clinic = Clinic::with(&["--sign-in-idle", "15m", "--sign-in-lifetime", "1h"]).await;
    let (sql, door) = (clinic.database.superuser().await, clinic.anonymous());
    let email = "practitioner@north.example";
    let near = |moment: DateTime<Utc>, from_now: TimeDelta| {
        let off = moment - (Utc::now() + from_now);
        assert!(off.abs() < TimeDelta::seconds(20), "{moment} is {off} off");
    };
    let signed_in = door.sign_in(email, PASSWORD).await;
    let (idle, end) = ends(&signed_in).expect("of the new sign-in");
    near(idle, TimeDelta::minutes(15));
    near(end, TimeDelta::hours(1));
    let anna = door.with_token(signed_in.data["signIn"]["token"].as_str().expect("a token"));
    let last = "WHERE created_at = (SELECT max(created_at) FROM sign_in)";
    let kept = async |column: &str| {
        let text = sql
            .one(&format!(
                "SELECT to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM sign_in {last}"
            ))
            .await;
        text.parse::<DateTime<Utc>>().expect("a moment")
    };
    // What is told is what is kept: to the microsecond where the clock stands, 15 minutes on where it is wound.
    let answer = anna.graphql(ME, json!({})).await;
    assert_eq!(ends(&answer), Some((kept("last_seen_at").await + TimeDelta::minutes(15), kept("expires_at").await)));
    sql.run(&format!("UPDATE sign_in SET last_seen_at = last_seen_at - interval '5 min' {last}")).await;
    let (idle, _) = ends(&anna.graphql(ME, json!({})).await).expect("a session");
    near(idle, TimeDelta::minutes(15));
    until(&sql, &format!("SELECT last_seen_at > now() - interval '1 min' FROM sign_in {last}"), "t").await;
    assert_eq!(kept("last_seen_at").await + TimeDelta::minutes(15), idle);
    // The end at the latest is the end.
    sql.run(&format!("UPDATE sign_in SET expires_at = now() + interval '3 min' {last}")).await;
    let (idle, end) = ends(&anna.graphql(ME, json!({})).await).expect("a session");
    assert_eq!((idle, end), (kept("expires_at").await, kept("expires_at").await));
    // Errors, mutations and batches tell it too.
    assert!(
        ends(&anna.graphql("{ patient(id: \"patient_00000000000000000000000000\") { id } }", json!({})).await)
            .is_some()
    );
    let input = json!({"legalName": {"given": "Zoë", "family": "R"}, "birthDate": "1980-01-01"});
    assert!(ends(&anna.does("registerPatient", input, "patient { id }").await).is_some());
    let batch = anna.request(Method::POST, "/graphql").json(&json!([{"query": ME}, {"query": ME}]));
    let batch: Value = serde_json::from_str(&Answer::to(batch).await.text).expect("JSON");
    assert!(
        batch.as_array().expect("two").iter().all(|one| one["extensions"]["session"]["endsAt"].is_string()),
        "{batch}"
    );
    // Nobody's sign-in ends nowhere: no token, a program, one that is signed out.
    assert_eq!(ends(&door.graphql("{ __typename }", json!({})).await), None);
    assert_eq!(ends(&door.graphql(ME, json!({})).await), None);
    let admin = clinic.admin();
    let service = admin.service_account("Reader", &["PATIENTS_READ"]).await;
    let (_, key) = admin.api_key(&service, json!({})).await;
    assert_eq!(ends(&door.with_token(&key).graphql("{ viewer { kind } }", json!({})).await), None);
    assert_eq!(ends(&anna.graphql("mutation { signOut { signedOut } }", json!({})).await), None);
    assert_eq!(ends(&anna.graphql(ME, json!({})).await), None);
    let anna = fresh(&clinic).await;
    assert_eq!(ends(&anna.does("revokeAllSignIns", json!({"includeCurrent": true}), "revoked").await), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_the_background_is_logged_and_winds_no_clock() {
    let clinic = Clinic::with(&["--allowed-origins", "https://app.example.com"]).await;
    let (sql, anna) = (clinic.database.superuser().await, fresh(&clinic).await);
    let patient = anna.patient("Zoë", "Ramírez").await;
    let last = "WHERE created_at = (SELECT max(created_at) FROM sign_in)";
    sql.run(&format!("UPDATE sign_in SET last_seen_at = now() - interval '10 min' {last}")).await;
    let clock = format!("SELECT last_seen_at FROM sign_in {last}");
    let before = sql.one(&clock).await;
    let query = "query ($id: ID!) { patient(id: $id) { displayName } }";
    let behind = async |query: &str, variables: Value| {
        Answer::to(anna.prepare(query, variables).header("clinic-background", "1")).await
    };
    let looks = "SELECT count(*) FROM access_log WHERE event = 'read'";
    let logged: i64 = sql.one(looks).await.parse().expect("a number");
    let answer = behind(query, json!({"id": patient.id})).await;
    let (idle, _) = ends(&answer).expect("a session");
    assert!((idle - Utc::now() - TimeDelta::minutes(5)).abs() < TimeDelta::seconds(20), "it goes on: {idle}");
    assert_eq!(answer.ok()["patient"]["displayName"], "Zoë Ramírez");
    assert_eq!(sql.one(looks).await, (logged + 1).to_string());
    // A change is made, and winds it no more than a look.
    let write = "mutation ($input: AddHealthEntryInput!) { addHealthEntry(input: $input) { healthEntry { id } } }";
    behind(write, json!({"input": {"patientId": patient.id, "kind": "ALLERGY", "text": "Latex"}})).await.ok();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(sql.one(&clock).await, before);
    // It ends as if nobody had asked.
    sql.run(&format!("UPDATE sign_in SET last_seen_at = now() - interval '15 min 1 s' {last}")).await;
    assert_eq!(why(&behind(ME, json!({})).await), because("IDLE"));
    sql.run(&format!("UPDATE sign_in SET last_seen_at = now() - interval '10 min' {last}")).await;
    for value in ["0", "true", ""] {
        let answer = Answer::to(anna.prepare(ME, json!({})).header("clinic-background", value)).await;
        assert_eq!((answer.code(), answer.status.as_u16()), ("BAD_REQUEST", 400), "{value:?}");
    }
    anna.ask(ME).await;
    until(&sql, &format!("SELECT last_seen_at > now() - interval '1 min' FROM sign_in {last}"), "t").await;
    // A page of a listed origin may send it.
    let ask = anna.request(Method::OPTIONS, "/graphql").header("origin", "https://app.example.com");
    let ask = ask.header("access-control-request-method", "POST");
    let answer = Answer::to(ask.header("access-control-request-headers", "clinic-background")).await;
    assert!(answer.headers.contains_key("access-control-allow-origin"), "{:?}", answer.headers);
}
