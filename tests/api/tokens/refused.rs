//! Why a token is refused.

use super::{ME, NOBODYS, because, browse, cookie_token, fresh, why, why_not};
use crate::support::*;
use reqwest::header::AUTHORIZATION;

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

const ANNA: &str = "practitioner@north.example";
const SIGN_IN: &str = "mutation ($input: SignInInput!) { signIn(input: $input) { expiresAt } }";

/// Strangers are refused at once: no sign-in is made, and none is tried.
async fn no_stranger_is_let_in(clinic: &Clinic, token: &str, port: &str) {
    let sql = clinic.database.superuser().await;
    let sign_ins = "SELECT count(*) FROM sign_in";
    let input = json!({"input": {"email": ANNA, "password": PASSWORD, "cookie": true}});
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
    let door = clinic.anonymous();
    let before = sql.one(sign_ins).await;
    for from in strangers {
        let answer = browse(&door, token, &[&[("clinic-csrf", "1")], from].concat()).await;
        assert_eq!(why(&answer), because("ORIGIN"), "{from:?}");
        for (mutation, input) in [
            (SIGN_IN, input.clone()),
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
    let plain = json!({"input": {"email": ANNA, "password": PASSWORD}});
    let request = door.prepare(SIGN_IN, plain).header("host", &evil).header("origin", &evil_page);
    Answer::to(request).await.ok();
}

/// A page of a name that somebody points at the service says that name in `Host` and in `Origin`.
#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_is_neither_set_nor_taken_away_from_home() {
    let mut clinic = Clinic::start().await;
    let email = ANNA;
    let own = clinic.url("");
    let port = own.rsplit(':').next().expect("a port").to_owned();
    let local = format!("http://localhost:{port}");
    let input = json!({"input": {"email": email, "password": PASSWORD, "cookie": true}});
    let token = cookie_token(&clinic.anonymous(), email).await;
    for origin in [own.as_str(), local.as_str()] {
        let host = origin.trim_start_matches("http://");
        let from = [("clinic-csrf", "1"), ("host", host), ("origin", origin), ("sec-fetch-site", "same-origin")];
        assert_eq!(browse(&clinic.anonymous(), &token, &from).await.outcome(), "ok", "{origin}");
        let request = clinic.anonymous().prepare(SIGN_IN, input.clone()).header("host", host).header("origin", origin);
        assert!(Answer::to(request).await.headers.contains_key("set-cookie"), "{origin}");
    }
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
        no_stranger_is_let_in(&clinic, &token, &port).await;
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
