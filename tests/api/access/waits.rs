//! What wrong passwords cost, and whom they keep waiting.

use crate::support::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_email_says_and_costs_what_a_wrong_password_does() {
    let clinic = Clinic::start().await;
    let door = clinic.anonymous();
    clinic
        .database
        .superuser()
        .await
        .run("UPDATE account SET disabled_at = now() WHERE email = 'auditor@north.example'")
        .await;
    let mut time: BTreeMap<&str, Duration> = BTreeMap::new();
    let mut answers = BTreeSet::new();
    // The first of a kind may be slower: it is not measured.
    for (i, who) in ["admin", "practitioner", "front.desk"].into_iter().enumerate() {
        for (kind, email) in [("known", format!("{who}@north.example")), ("unknown", format!("{who}@nowhere.example"))]
        {
            let start = Instant::now();
            let answer = door.sign_in(&email, "a wrong password").await;
            if i > 0 {
                *time.entry(kind).or_default() += start.elapsed();
            }
            assert_eq!((answer.outcome().as_str(), answer.status.as_u16()), ("UNAUTHENTICATED", 401));
            answers.insert(answer.text);
        }
    }
    answers.insert(door.sign_in("auditor@north.example", PASSWORD).await.text);
    assert_eq!(answers.len(), 1, "{answers:?}");
    // Without its password hash an unknown one takes a twentieth of the time.
    assert!(time["unknown"] * 3 > time["known"], "{time:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_is_one_try() {
    let clinic = Clinic::start().await;
    let (door, sql) = (clinic.anonymous(), clinic.database.superuser().await);
    let text = "mutation ($a: SignInInput!, $b: SignInInput!) { a: signIn(input: $a) { token } b: signIn(input: $b) { token } c: signIn(input: $b) { token } }";
    let with = |email: &str, password: &str| json!({"email": email, "password": password});
    let (wrong, right) = (with("admin@north.example", "wrong"), with("practitioner@north.example", PASSWORD));
    let answer = door.graphql(text, json!({"a": wrong, "b": right})).await;
    assert_eq!((answer.codes(), answer.status.as_u16()), (vec!["UNAUTHENTICATED"; 3], 401), "{}", answer.text);
    let paths: Vec<&Value> = answer.errors.iter().map(|error| &error["path"]).collect();
    assert_eq!(paths, [&json!(["a"]), &json!(["b"]), &json!(["c"])]);
    let failures = "SELECT coalesce(sum(failures), 0) FROM sign_in_failure WHERE kind = 'email_at_address'";
    assert_eq!(sql.one(failures).await, "1");
    // What was done before it is answered.
    let answer = door.graphql(text, json!({"a": right, "b": wrong})).await;
    assert_eq!((answer.codes(), answer.status.as_u16()), (vec!["UNAUTHENTICATED"; 2], 200), "{}", answer.text);
    assert!(answer.data["a"]["token"].is_string() && answer.data["c"].is_null(), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_an_account_slow_the_next_ones_down() {
    let clinic = Clinic::start().await;
    let (door, sql) = (clinic.anonymous(), clinic.database.superuser().await);
    // A name without an account is slowed as well: the delay tells nothing.
    for email in ["admin@north.example", "admin@nowhere.example"] {
        let mut delays = Vec::new();
        for _ in 0..8 {
            assert_eq!(
                door.sign_in(email, "a wrong password").await.outcome(),
                "UNAUTHENTICATED",
                "{email} after {delays:?}"
            );
            let delay = "SELECT extract(epoch FROM blocked_until - last_failed_at)::int FROM sign_in_failure WHERE kind = 'email_at_address'";
            delays.push(sql.one(delay).await);
            sql.run("UPDATE sign_in_failure SET blocked_until = now() - interval '1 s'").await;
        }
        // What was put back is before the failure, so no delay shows as less than none.
        let delays: Vec<i64> = delays.iter().map(|it| it.parse::<i64>().expect("a number").max(0)).collect();
        assert_eq!(delays, [0, 0, 0, 0, 1, 2, 4, 8], "{email}");
        sql.run("UPDATE sign_in_failure SET blocked_until = now() + interval '20 s' WHERE kind = 'email_at_address'")
            .await;
        let answer = door.sign_in(email, PASSWORD).await;
        assert_eq!(
            (answer.outcome().as_str(), answer.status.as_u16()),
            ("RATE_LIMITED", 429),
            "the right password waits too"
        );
        let wait = answer.errors[0]["extensions"]["retryAfter"].as_u64().expect("seconds");
        assert!((15..=20).contains(&wait), "{wait}");
        assert_eq!(answer.headers["retry-after"], wait.to_string());
        door.sign_in("practitioner@north.example", PASSWORD).await.ok();
        sql.run("DELETE FROM sign_in_failure WHERE kind = 'address'").await;
        sql.run("UPDATE sign_in_failure SET blocked_until = now() - interval '1 s'").await;
        if email.ends_with("@north.example") {
            door.sign_in(email, PASSWORD).await.ok();
            assert_eq!(
                sql.one("SELECT count(*) FROM sign_in_failure WHERE kind LIKE 'email%'").await,
                "0",
                "a success forgets"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_an_address_block_it_for_every_account() {
    let clinic = Clinic::start().await;
    let (door, sql) = (clinic.anonymous(), clinic.database.superuser().await);
    door.sign_in("one@nowhere.example", "a wrong password").await;
    assert_eq!(sql.run("UPDATE sign_in_failure SET failures = failures + 28 WHERE kind = 'address'").await, 1);
    assert_eq!(door.sign_in("admin@north.example", PASSWORD).await.outcome(), "ok", "29 are free");
    assert_eq!(door.sign_in("two@nowhere.example", "a wrong password").await.outcome(), "UNAUTHENTICATED");
    assert_eq!(sql.one("SELECT blocked_until > last_failed_at FROM sign_in_failure WHERE kind = 'address'").await, "t");
    sql.run("UPDATE sign_in_failure SET blocked_until = now() + interval '600 s' WHERE kind = 'address'").await;
    // Whose account is known there is let through, with the right password: to any other the answer tells nothing.
    sql.run("UPDATE sign_in SET from_address = '198.51.100.9', network = NULL WHERE staff_id IN (SELECT id FROM staff WHERE role = 'auditor')")
        .await;
    for (email, password, outcome) in [
        ("admin@north.example", PASSWORD, "ok"),
        ("admin@north.example", "a wrong password", "RATE_LIMITED"),
        ("auditor@north.example", PASSWORD, "RATE_LIMITED"),
        ("auditor@north.example", "a wrong password", "RATE_LIMITED"),
        ("three@nowhere.example", PASSWORD, "RATE_LIMITED"),
    ] {
        assert_eq!(door.sign_in(email, password).await.outcome(), outcome, "{email} {password}");
    }
    // Their own count at that address holds.
    for _ in 0..4 {
        door.sign_in("admin@north.example", "a wrong password").await;
    }
    sql.run("UPDATE sign_in_failure SET blocked_until = now() + interval '600 s' WHERE kind = 'email_at_address'")
        .await;
    assert_eq!(door.sign_in("admin@north.example", PASSWORD).await.outcome(), "RATE_LIMITED");
    sql.run("DELETE FROM sign_in_failure WHERE kind = 'email_at_address'").await;
    assert_eq!(door.sign_in("admin@north.example", PASSWORD).await.outcome(), "ok");
    // A month later nobody is known there, and no password is looked at.
    sql.run("UPDATE sign_in SET created_at = now() - interval '31 days'").await;
    assert_eq!(door.sign_in("admin@north.example", PASSWORD).await.outcome(), "RATE_LIMITED");
    assert_eq!(sql.one("SELECT count(*) FROM sign_in_failure WHERE kind = 'email_at_address'").await, "0");
    clinic.admin().ask("{ me { id } }").await;
}

/// Signs in from an address: what came of it.
async fn sign_in_from(door: &Caller, address: &str, email: &str, password: &str) -> String {
    let text = "mutation ($input: SignInInput!) { signIn(input: $input) { token } }";
    let request = door.prepare(text, json!({"input": {"email": email, "password": password}}));
    Answer::to(request.header("X-Forwarded-For", address)).await.outcome()
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_with_wrong_passwords_keep_nobody_waiting() {
    const WRONG: &str = "a wrong password";
    let clinic = Clinic::with(&["--trust-proxy"]).await;
    let (door, sql, anna) = (clinic.anonymous(), clinic.database.superuser().await, clinic.practitioner());
    let email = anna.member.email.as_str();
    for n in 0..5 {
        let address = format!("2001:db8:1:2::{n}");
        assert_eq!(sign_in_from(&door, &address, email, WRONG).await, "UNAUTHENTICATED", "{n}");
    }
    sql.run("UPDATE sign_in_failure SET blocked_until = now() + interval '20 s' WHERE kind = 'email_at_address'").await;
    // One network waits, the right password too; every other place does not, nor another account there.
    assert_eq!(sign_in_from(&door, "2001:db8:1:2:ffff::1", email, PASSWORD).await, "RATE_LIMITED");
    assert_eq!(sign_in_from(&door, "2001:db8:1:2:ffff::1", "admin@north.example", PASSWORD).await, "ok");
    assert_eq!(sign_in_from(&door, "2001:db8:1:3::1", email, PASSWORD).await, "ok");
    anna.does("confirmIdentity", json!({"password": WRONG}), "token").await;
    // Over all addresses a hundred are free; then those wait where the account was not signed in to lately.
    assert_eq!(sign_in_from(&door, "192.0.2.1", email, PASSWORD).await, "ok");
    assert_eq!(sql.one("SELECT count(*) FROM sign_in_failure WHERE kind = 'email'").await, "0", "a success forgets");
    assert_eq!(sign_in_from(&door, "203.0.113.1", email, WRONG).await, "UNAUTHENTICATED");
    let set = async |failures: u32| {
        sql.run(&format!("UPDATE sign_in_failure SET failures = {failures}, blocked_until = now() - interval '1 s' WHERE kind = 'email'"))
            .await;
    };
    let blocked = "SELECT bool_or(blocked_until > now()) FROM sign_in_failure WHERE kind = 'email'";
    set(98).await;
    assert_eq!(sign_in_from(&door, "203.0.113.2", email, WRONG).await, "UNAUTHENTICATED");
    assert_eq!(sql.one(blocked).await, "f", "99 are free");
    set(107).await;
    assert_eq!(sign_in_from(&door, "203.0.113.3", email, WRONG).await, "UNAUTHENTICATED");
    assert_eq!(sql.one(blocked).await, "t");
    assert_eq!(sign_in_from(&door, "203.0.113.4", email, PASSWORD).await, "RATE_LIMITED", "a place nobody knows");
    for known in ["192.0.2.1", "2001:db8:1:3:9::9"] {
        sql.run(
            "UPDATE sign_in_failure SET failures = 108, blocked_until = now() + interval '200 s' WHERE kind = 'email'",
        )
        .await;
        assert_eq!(
            sign_in_from(&door, known, email, WRONG).await,
            "RATE_LIMITED",
            "a wrong one is not told {known} is known"
        );
        assert_eq!(sign_in_from(&door, known, email, PASSWORD).await, "ok", "{known}");
        assert_eq!(sign_in_from(&door, "203.0.113.1", email, WRONG).await, "UNAUTHENTICATED", "no longer consecutive");
    }
    sql.run("UPDATE sign_in_failure SET failures = 108, blocked_until = now() + interval '200 s' WHERE kind = 'email'")
        .await;
    sql.run("UPDATE sign_in SET created_at = now() - interval '31 days'").await;
    assert_eq!(sign_in_from(&door, "192.0.2.1", email, PASSWORD).await, "RATE_LIMITED", "that is long ago");
    // Who is signed in is told apart from all that.
    let answer = anna.does("confirmIdentity", json!({"password": PASSWORD}), "token").await;
    assert_eq!(answer.outcome(), "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_at_once_do_not_outrun_the_counts() {
    const WRONG: &str = "a wrong password";
    let clinic = Clinic::with(&["--trust-proxy"]).await;
    let (door, sql) = (clinic.anonymous(), clinic.database.superuser().await);
    let email = "front_desk@nowhere.example";
    // From one address, the next failure of which waits for minutes; then from many of which none has failed.
    for (kind, failures, many) in [("email_at_address", 12, false), ("email", 107, true)] {
        sql.run("DELETE FROM sign_in_failure").await;
        sign_in_from(&door, "203.0.113.1", email, WRONG).await;
        let set = format!("UPDATE sign_in_failure SET failures = {failures} WHERE kind = '{kind}'");
        assert_eq!(sql.run(&set).await, 1);
        let tries = (0..12).map(|n| {
            let address = if many { format!("198.51.100.{n}") } else { "203.0.113.1".to_owned() };
            let door = &door;
            async move { sign_in_from(door, &address, email, WRONG).await }
        });
        let outcomes = futures::future::join_all(tries).await;
        let judged = outcomes.iter().filter(|outcome| *outcome == "UNAUTHENTICATED").count();
        let waiting = outcomes.iter().filter(|outcome| *outcome == "RATE_LIMITED").count();
        assert_eq!((judged, waiting), (1, 11), "{kind} {outcomes:?}");
        let count = format!("SELECT failures FROM sign_in_failure WHERE kind = '{kind}'");
        assert_eq!(sql.one(&count).await, (failures + 1).to_string());
    }
}
