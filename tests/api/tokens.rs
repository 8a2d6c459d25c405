//! A token's life: why one that is refused is refused, what one reads still whose place a newer one took, and when a sign-in
//! ends.

use crate::support::*;
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use std::time::{Duration, Instant};

const ME: &str = "{ me { id } }";
/// What a token looks like that nobody was given.
const NOBODYS: &str = "clinic_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The code and the reason of an answer's one error.
fn why(answer: &Answer) -> (String, String) {
    let reason = answer.errors[0]["extensions"]["reason"].as_str().unwrap_or("no reason").to_owned();
    (answer.code().to_owned(), reason)
}

fn because(reason: &str) -> (String, String) {
    ("UNAUTHENTICATED".to_owned(), reason.to_owned())
}

async fn why_not(who: &Caller) -> (String, String) {
    why(&who.graphql(ME, json!({})).await)
}

/// Somebody who has just signed in.
async fn fresh(clinic: &Clinic) -> SignedIn {
    clinic.sign_in_again(&clinic.north, Role::Practitioner).await
}

/// A request with the cookie, as a browser's page sends it.
async fn browse(who: &Caller, token: &str, headers: &[(&str, &str)]) -> Answer {
    let request = who.prepare(ME, json!({})).header("cookie", format!("__Host-clinic={token}"));
    Answer::to(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

/// The token of the cookie that a sign-in sets.
async fn cookie_token(door: &Caller, email: &str) -> String {
    let input = json!({"email": email, "password": PASSWORD, "cookie": true});
    let answer = door.does("signIn", input, "expiresAt").await;
    let set = answer.headers["set-cookie"].to_str().expect("text").to_owned();
    answer.ok();
    set.strip_prefix("__Host-clinic=").and_then(|rest| rest.split(';').next()).expect("a token").to_owned()
}

// --- Why -------------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_holds_no_more_says_why_to_who_has_its_token() {
    let clinic = Clinic::start().await;
    let (door, sql) = (clinic.anonymous(), clinic.database.superuser().await);
    let last = "WHERE created_at = (SELECT max(created_at) FROM sign_in)";
    for (change, reason) in [
        ("SET expires_at = now()", "EXPIRED"),
        ("SET last_seen_at = now() - interval '15 min 1 s'", "IDLE"),
        ("SET last_seen_at = now() - interval '1 h', expires_at = now()", "EXPIRED"),
        ("SET ended_at = now()", "REVOKED"),
        ("SET ended_at = now(), expires_at = now(), last_seen_at = now() - interval '1 h'", "REVOKED"),
    ] {
        let anna = fresh(&clinic).await;
        anna.ask(ME).await;
        sql.run(&format!("UPDATE sign_in {change} {last}")).await;
        assert_eq!(why_not(&anna).await, because(reason), "{change}");
        let patient = json!({"legalName": {"given": "New", "family": "New"}, "birthDate": "1980-01-01"});
        let answer = anna.does("registerPatient", patient, "__typename").await;
        assert_eq!((why(&answer), answer.status.as_u16()), (because(reason), 401), "{change}");
    }
    let anna = fresh(&clinic).await;
    anna.ask("mutation { signOut { signedOut } }").await;
    assert_eq!(why_not(&anna).await, because("REVOKED"), "signed out");
    let anna = fresh(&clinic).await;
    sql.run("UPDATE account SET disabled_at = now() WHERE email = 'practitioner@north.example'").await;
    assert_eq!(why_not(&anna).await, because("REVOKED"), "the account is disabled");
    sql.run("UPDATE account SET disabled_at = NULL").await;
    sql.run("UPDATE staff SET active = false WHERE email = 'practitioner@north.example'").await;
    assert_eq!(why_not(&anna).await, because("REVOKED"), "the place is closed");

    // Of what nobody was given nothing is told.
    for token in [NOBODYS, "clinic_", "x", &anna.member.token[..49], "clinic_key_"] {
        assert_eq!(why_not(&door.with_token(token)).await, because("UNKNOWN"), "{token}");
    }
    assert_eq!(why_not(&door).await, because("UNKNOWN"));
    for header in ["Basic YTpi", "Bearer", "Bearer a b"] {
        let answer = Answer::to(door.prepare(ME, json!({})).header(AUTHORIZATION, header)).await;
        assert_eq!((why(&answer), answer.status.as_u16()), (because("UNKNOWN"), 401), "{header}");
    }
    // After a restart nothing is remembered of a token, and the answers are the same.
    let mut clinic = clinic;
    clinic.restart(&[]).await;
    assert_eq!(why_not(&clinic.anonymous().with_token(&anna.member.token)).await, because("REVOKED"));
    assert_eq!(why_not(&clinic.anonymous().with_token(NOBODYS)).await, because("UNKNOWN"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_proof_says_unknown_whatever_is_wrong() {
    let clinic = Clinic::start().await;
    let (door, sql) = (clinic.anonymous(), clinic.database.superuser().await);
    sql.run("UPDATE account SET disabled_at = now() WHERE email = 'auditor@north.example'").await;
    sql.run("UPDATE staff SET active = false WHERE email = 'front_desk@north.example'").await;
    let mut told = std::collections::BTreeSet::new();
    for (email, password) in [
        ("practitioner@north.example", "a wrong password"),
        ("nobody@nowhere.example", PASSWORD),
        ("auditor@north.example", PASSWORD),
        ("front_desk@north.example", PASSWORD),
    ] {
        let answer = door.sign_in(email, password).await;
        assert_eq!(why(&answer), because("UNKNOWN"), "{email}");
        told.insert(answer.errors[0].to_string());
    }
    assert_eq!(told.len(), 1, "they can be told apart: {told:?}");
    let input = json!({"challenge": NOBODYS, "code": "123456"});
    assert_eq!(why(&door.does("completeSignIn", input, "token").await), because("UNKNOWN"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_that_is_missing_is_said_in_a_word() {
    let clinic = Clinic::start().await;
    let (door, sql, anna) = (clinic.anonymous(), clinic.database.superuser().await, fresh(&clinic).await);
    let input = json!({"expectedVersion": 1, "secondFactorRoles": ["PRACTITIONER"]});
    clinic.admin().does("updateOrganisation", input, "organisation { id }").await.ok();
    let answer = anna.graphql("{ patients { totalCount } }", json!({})).await;
    assert_eq!(why(&answer), ("FORBIDDEN".to_owned(), "SECOND_FACTOR".to_owned()));
    let refused = clinic.front_desk().graphql("{ sessions { totalCount } }", json!({})).await;
    assert_eq!(why(&refused), ("FORBIDDEN".to_owned(), "no reason".to_owned()));
    // A challenge is no token, and says what it is as long as it holds.
    let challenge = format!("clinic_{:A>43}", "challenge");
    sql.run(&format!(
        "INSERT INTO one_time_token (token_hash, purpose, account_id, org_id, staff_id, tries, created_at, expires_at) \
         SELECT sha256('{challenge}'), 'sign_in', account_id, org_id, staff_id, 0, now(), now() + interval '5 min' FROM sign_in LIMIT 1"
    ))
    .await;
    let waiting = door.with_token(&challenge);
    assert_eq!(why_not(&waiting).await, because("SECOND_FACTOR"));
    for (over, put_back) in [
        ("expires_at = now()", "expires_at = now() + interval '5 min'"),
        ("used_at = now()", "used_at = NULL"),
        ("purpose = 'invitation'", "purpose = 'sign_in'"),
        ("purpose = 'password_reset'", "purpose = 'sign_in'"),
    ] {
        sql.run(&format!("UPDATE one_time_token SET {over}")).await;
        assert_eq!(why_not(&waiting).await, because("UNKNOWN"), "{over}");
        sql.run(&format!("UPDATE one_time_token SET {put_back}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_that_is_not_taken_says_why() {
    let clinic = Clinic::start().await;
    let (door, anna) = (clinic.anonymous(), clinic.practitioner());
    let token = cookie_token(&door, &anna.member.email).await;
    let meant = ("clinic-csrf", "1");
    assert_eq!(browse(&door, &token, &[meant]).await.outcome(), "ok");
    assert_eq!(why(&browse(&door, &token, &[]).await), because("CSRF"));
    assert_eq!(why(&browse(&door, &token, &[meant, ("origin", "https://evil.example")]).await), because("ORIGIN"));
    assert_eq!(why(&browse(&door, &token, &[meant, ("sec-fetch-site", "cross-site")]).await), because("ORIGIN"));
    assert_eq!(why(&browse(&door, &token, &[meant, ("cookie", "__Host-clinic=x")]).await), because("UNKNOWN"));
    // A cookie's token is nobody's in the header, and the other way round: also one that has ended.
    assert_eq!(why_not(&door.with_token(&token)).await, because("UNKNOWN"));
    assert_eq!(why(&browse(&door, &anna.member.token, &[meant]).await), because("UNKNOWN"));
    clinic.database.superuser().await.run("UPDATE sign_in SET ended_at = now() WHERE by_cookie").await;
    assert_eq!(why(&browse(&door, &token, &[meant]).await), because("REVOKED"));
    assert_eq!(why_not(&door.with_token(&token)).await, because("UNKNOWN"));
}

/// A page of a name that somebody points at the service says that name in `Host` and in `Origin`.
#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_is_neither_set_nor_taken_away_from_home() {
    let mut clinic = Clinic::start().await;
    let email = "practitioner@north.example";
    let own = clinic.url("");
    let port = own.rsplit(':').next().expect("a port").to_owned();
    let local = format!("http://localhost:{port}");
    let sign_in = "mutation ($input: SignInInput!) { signIn(input: $input) { expiresAt } }";
    let input = json!({"input": {"email": email, "password": PASSWORD, "cookie": true}});
    let sql = clinic.database.superuser().await;
    let sign_ins = "SELECT count(*) FROM sign_in";
    let token = cookie_token(&clinic.anonymous(), email).await;
    for origin in [own.as_str(), local.as_str()] {
        let host = origin.trim_start_matches("http://");
        let from = [("clinic-csrf", "1"), ("host", host), ("origin", origin), ("sec-fetch-site", "same-origin")];
        assert_eq!(browse(&clinic.anonymous(), &token, &from).await.outcome(), "ok", "{origin}");
        let request = clinic.anonymous().prepare(sign_in, input.clone()).header("host", host).header("origin", origin);
        assert!(Answer::to(request).await.headers.contains_key("set-cookie"), "{origin}");
    }
    let evil = format!("evil.example:{port}");
    let (evil_page, secure_page) = (format!("http://{evil}"), "https://evil.example".to_owned());
    let strangers: [&[(&str, &str)]; 6] = [
        &[("host", &evil), ("origin", &evil_page)],
        &[("host", "evil.example"), ("origin", &secure_page)],
        &[("host", &evil)],
        &[("origin", &secure_page)],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
    ];
    for public in [false, true] {
        if public {
            clinic
                .restart(&[
                    "--public-url",
                    "https://clinic.example.com",
                    "--allowed-origins",
                    "https://app.example.com",
                ])
                .await;
        }
        let door = clinic.anonymous();
        let before = sql.one(sign_ins).await;
        for from in strangers {
            let answer = browse(&door, &token, &[&[("clinic-csrf", "1")], from].concat()).await;
            assert_eq!(why(&answer), because("ORIGIN"), "{from:?}");
            for (mutation, input) in [
                (sign_in, input.clone()),
                (
                    "mutation ($input: CompleteSignInInput!) { completeSignIn(input: $input) { expiresAt } }",
                    json!({"input": {"challenge": NOBODYS, "code": "123456", "cookie": true}}),
                ),
            ] {
                let request = door.prepare(mutation, input);
                let answer = Answer::to(from.iter().fold(request, |it, (name, value)| it.header(*name, *value))).await;
                assert_eq!((why(&answer), answer.status.as_u16()), (because("ORIGIN"), 401), "{from:?}");
                assert!(!answer.headers.contains_key("set-cookie"), "{from:?}");
            }
        }
        assert_eq!(sql.one(sign_ins).await, before, "no sign-in was made");
        assert_eq!(sql.one("SELECT count(*) FROM sign_in_failure").await, "0", "and none was tried");
        // Without the cookie it is a matter of the token alone.
        let plain = json!({"input": {"email": email, "password": PASSWORD}});
        let request = door.prepare(sign_in, plain).header("host", &evil).header("origin", &evil_page);
        Answer::to(request).await.ok();
    }
    // With a public address that is the name, and the listed pages are the pages.
    for origin in ["https://clinic.example.com", "https://app.example.com"] {
        for host in ["clinic.example.com", "127.0.0.1"] {
            let host = if host == "127.0.0.1" {
                clinic.url("").trim_start_matches("http://").to_owned()
            } else {
                host.to_owned()
            };
            let from = [("clinic-csrf", "1"), ("host", host.as_str()), ("origin", origin)];
            assert_eq!(browse(&clinic.anonymous(), &token, &from).await.outcome(), "ok", "{host} {origin}");
        }
    }
    let local = clinic.url("");
    let from = [("clinic-csrf", "1"), ("origin", local.as_str())];
    assert_eq!(
        why(&browse(&clinic.anonymous(), &token, &from).await),
        because("ORIGIN"),
        "a page of this machine is another's"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_taken_says_why() {
    let clinic = Clinic::start().await;
    let (admin, sql) = (clinic.admin(), clinic.database.superuser().await);
    let service = admin.service_account("Reader", &["PATIENTS_READ"]).await;
    let (key, secret) = admin.api_key(&service, json!({})).await;
    let program = clinic.anonymous().with_token(&secret);
    let patients = async || why(&program.graphql("{ patients { totalCount } }", json!({})).await);
    assert_eq!(program.ask("{ viewer { kind } }").await["viewer"]["kind"], "SERVICE_ACCOUNT");
    for (change, reason, put_back) in [
        ("api_key SET expires_at = now()", "EXPIRED", "api_key SET expires_at = now() + interval '1 day'"),
        ("api_key SET revoked_at = now()", "REVOKED", "api_key SET revoked_at = NULL"),
        ("service_account SET active = false", "REVOKED", "service_account SET active = true"),
        ("api_key SET allowed_addresses = '{192.0.2.0/24}'", "ORIGIN", "api_key SET allowed_addresses = '{}'"),
    ] {
        sql.run(&format!("UPDATE {change}")).await;
        assert_eq!(patients().await, because(reason), "{change}");
        sql.run(&format!("UPDATE {put_back}")).await;
    }
    admin.does("revokeApiKey", json!({"id": key.id}), "apiKey { id }").await.ok();
    assert_eq!(patients().await, because("REVOKED"));
    let mistyped = format!("{}x", &secret[..69]);
    let (gone, nobodys) = admin.api_key(&service, json!({})).await;
    sql.run(&format!("DELETE FROM api_key_use WHERE key_id = '{}'", uuid_of(&gone.id))).await;
    for unknown in [mistyped, nobodys] {
        assert_eq!(why_not(&clinic.anonymous().with_token(&unknown)).await, because("UNKNOWN"), "{unknown}");
    }
}

// --- A newer token ---------------------------------------------------------------------------------------------------

/// The same person under the token that a mutation of theirs gave.
async fn renewed(clinic: &Clinic, who: &SignedIn, mutation: &str, input: Value) -> SignedIn {
    let answer = who.does(mutation, input, "token").await.ok();
    let mut member = who.member.clone();
    member.token = answer[mutation]["token"].as_str().expect("a token").to_owned();
    SignedIn::new(&clinic.anonymous(), &clinic.north, member)
}

async fn confirmed(clinic: &Clinic, who: &SignedIn) -> SignedIn {
    renewed(clinic, who, "confirmIdentity", json!({"password": PASSWORD})).await
}

/// Lets the seconds pass in which a replaced token reads.
async fn seconds_later(sql: &Sql) {
    sql.run("UPDATE replaced_token SET reads_until = reads_until - interval '30 s', replaced_at = replaced_at - interval '30 s'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_token_reads_for_half_a_minute_and_writes_nothing() {
    let clinic = Clinic::start().await;
    let (sql, anna) = (clinic.database.superuser().await, fresh(&clinic).await);
    let patient = anna.patient("Zoë", "Ramírez").await;
    let (session, draft) = (anna.session(&patient).await, anna.consultation(&patient).await);
    let new = confirmed(&clinic, &anna).await;
    let seconds = "SELECT extract(epoch FROM reads_until - replaced_at)::int FROM replaced_token";
    assert_eq!(sql.one(seconds).await, "30");
    // It reads, as who it was, into the access log.
    let query = "query ($id: ID!) { me { id signIns { current } } patient(id: $id) { displayName sessions { nodes { status } } } }";
    let looks = "SELECT count(*) FROM access_log WHERE event = 'read'";
    let before: i64 = sql.one(looks).await.parse().expect("a number");
    let found = anna.graphql(query, json!({"id": patient.id})).await.ok();
    assert_eq!((&found["me"]["id"], &found["patient"]["displayName"]), (&json!(anna.id()), &json!("Zoë Ramírez")));
    let after: i64 = sql.one(looks).await.parse().expect("a number");
    assert_eq!(after, before + 1);
    // It writes nothing, whatever it is, and proves nobody.
    let ledger = sql.one("SELECT count(*) FROM ledger").await;
    let inputs = [
        ("registerPatient", json!({"legalName": {"given": "New", "family": "New"}, "birthDate": "1980-01-01"})),
        ("addHealthEntry", json!({"patientId": patient.id, "kind": "ALLERGY", "text": "Latex"})),
        ("signSession", session.edit()),
        ("signConsultation", draft.edit()),
        ("confirmIdentity", json!({"password": PASSWORD})),
        ("changePassword", json!({"current": PASSWORD, "new": "another one for the tests"})),
        ("revokeAllSignIns", json!({"includeCurrent": true})),
    ];
    for (mutation, input) in inputs {
        let answer = anna.does(mutation, input, "__typename").await;
        assert_eq!((why(&answer), answer.status.as_u16()), (because("REVOKED"), 401), "{mutation}");
        assert!(answer.text.contains("a newer token"), "{mutation}: it says what to do: {}", answer.text);
    }
    for mutation in ["signOut { signedOut }", "beginSecondFactor { uri }", "regenerateRecoveryCodes { recoveryCodes }"]
    {
        let answer = anna.graphql(&format!("mutation {{ {mutation} }}"), json!({})).await;
        assert_eq!(why(&answer), because("REVOKED"), "{mutation}");
    }
    assert_eq!(sql.one("SELECT count(*) FROM ledger").await, ledger);
    // The idle clock is the newer token's alone.
    sql.run("UPDATE sign_in SET last_seen_at = last_seen_at - interval '5 min' WHERE ended_at IS NULL").await;
    let clock = "SELECT max(last_seen_at) < now() - interval '4 min' FROM sign_in WHERE ended_at IS NULL";
    anna.ask(ME).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(sql.one(clock).await, "t", "it does not wind the clock");
    new.ask(ME).await;
    until(&sql, clock, "f").await;
    // Another process, or this one after a restart, answers the same.
    let mut clinic = clinic;
    clinic.restart(&[]).await;
    let (old, new) = (anna.member.token.clone(), clinic.anonymous().with_token(&new.member.token));
    let anna = clinic.anonymous().with_token(&old);
    anna.ask(ME).await;
    seconds_later(&sql).await;
    assert_eq!(why_not(&anna).await, because("REVOKED"), "half a minute later");
    new.ask(ME).await;
    sql.run("UPDATE replaced_token SET replaced_at = now() - interval '25 h'").await;
    clinic.restart(&[]).await;
    until(&sql, "SELECT count(*) FROM replaced_token", "0").await;
    assert_eq!(why_not(&clinic.anonymous().with_token(&old)).await, because("UNKNOWN"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_ends_a_sign_in_ends_its_replaced_tokens_at_once() {
    let clinic = Clinic::start().await;
    let (sql, admin) = (clinic.database.superuser().await, clinic.admin());
    sql.run("DELETE FROM sign_in_failure").await;
    let pair = async || {
        let old = fresh(&clinic).await;
        let new = confirmed(&clinic, &old).await;
        let newest = confirmed(&clinic, &new).await;
        for reads in [&old, &new, &newest] {
            reads.ask(ME).await;
        }
        (old, new, newest)
    };
    let staff = json!({"staffId": clinic.practitioner().id()});
    for ending in ["signOut", "revokeSignIn", "revokeAllSignIns", "revokeStaffSignIns", "disabled", "expired", "idle"] {
        let (old, new, newest) = pair().await;
        match ending {
            "signOut" => drop(newest.ask("mutation { signOut { signedOut } }").await),
            "revokeSignIn" => {
                let mine = newest.ask("{ me { signIns { id current } } }").await;
                let mine = mine["me"]["signIns"].as_array().expect("a list").iter().find(|it| it["current"] == true);
                let input = json!({"id": mine.expect("the current one")["id"]});
                newest.does("revokeSignIn", input, "revoked").await.ok();
            }
            "revokeAllSignIns" => {
                newest.does("revokeAllSignIns", json!({"includeCurrent": true}), "revoked").await.ok();
            }
            "revokeStaffSignIns" => drop(admin.does(ending, staff.clone(), "staff { id }").await.ok()),
            _ => {
                let theirs = "staff_id IN (SELECT id FROM staff WHERE email = 'practitioner@north.example')";
                let change = match ending {
                    "disabled" => {
                        "account SET disabled_at = now() WHERE email = 'practitioner@north.example'".to_owned()
                    }
                    "expired" => format!("sign_in SET expires_at = now() WHERE {theirs}"),
                    _ => format!("sign_in SET last_seen_at = now() - interval '1 h' WHERE {theirs}"),
                };
                sql.run(&format!("UPDATE {change}")).await;
            }
        }
        for ended in [&old, &new, &newest] {
            assert_eq!(why_not(ended).await.0, "UNAUTHENTICATED", "{ending}");
        }
        sql.run("UPDATE account SET disabled_at = NULL").await;
    }
    // Who ends all others ends what their own earlier tokens read.
    let (old, new, newest) = pair().await;
    newest.does("revokeAllSignIns", json!({}), "revoked").await.ok();
    assert_eq!((why_not(&old).await, why_not(&new).await), (because("REVOKED"), because("REVOKED")));
    newest.ask(ME).await;
    let changed =
        renewed(&clinic, &newest, "changePassword", json!({"current": PASSWORD, "new": "another one for the tests"}))
            .await;
    assert_eq!(why_not(&old).await, because("REVOKED"));
    newest.ask(ME).await;
    changed.ask(ME).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_cookie_reads_where_a_cookie_does() {
    let clinic = Clinic::start().await;
    let door = clinic.anonymous();
    let old = cookie_token(&door, "practitioner@north.example").await;
    let meant = ("clinic-csrf", "1");
    let confirm = format!("mutation {{ confirmIdentity(input: {{password: \"{PASSWORD}\"}}) {{ expiresAt }} }}");
    let request = door.prepare(&confirm, json!({})).header("cookie", format!("__Host-clinic={old}"));
    Answer::to(request.header(meant.0, meant.1)).await.ok();
    assert_eq!(browse(&door, &old, &[meant]).await.outcome(), "ok");
    assert_eq!(why(&browse(&door, &old, &[]).await), because("CSRF"));
    assert_eq!(why_not(&door.with_token(&old)).await, because("UNKNOWN"), "it is no bearer token");
    seconds_later(&clinic.database.superuser().await).await;
    assert_eq!(why(&browse(&door, &old, &[meant]).await), because("REVOKED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_under_way_are_answered_while_the_token_is_renewed() {
    let clinic = Clinic::with(crate::retries::PATIENT).await;
    let anna = fresh(&clinic).await;
    anna.patient("Zoë", "Ramírez").await;
    let mut asked = 0;
    for _ in 0..3 {
        let old = fresh(&clinic).await;
        let reads = (0..28).map(|n| {
            let old = old.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(n * 7)).await;
                old.graphql("{ me { id } patients(first: 5) { nodes { displayName } } }", json!({})).await.outcome()
            }
        });
        let (outcomes, _) = futures::join!(join_all(reads), confirmed(&clinic, &old));
        assert!(outcomes.iter().all(|outcome| outcome == "ok"), "{outcomes:?}");
        asked += outcomes.len();
    }
    assert_eq!(asked, 84);
}

// --- When it ends ----------------------------------------------------------------------------------------------------

/// Asks until the answer is as wanted: for what the service does beside a request.
async fn until(sql: &Sql, question: &str, wanted: &str) {
    let start = Instant::now();
    while sql.one(question).await != wanted {
        assert!(start.elapsed() < Duration::from_secs(20), "{question} is not {wanted}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

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
