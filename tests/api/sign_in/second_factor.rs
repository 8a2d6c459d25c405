//! The second factor.

use super::{NEW, calm, events, later, outcome_of_a_change, outcome_of_me, text, with_second_factor};
use crate::retries::PATIENT;
use crate::support::*;
use futures::future::join_all;

/// What the access log says of it.
const EVENTS: [&str; 5] = [
    "second_factor_added",
    "second_factor_refused",
    "second_factor_removed",
    "recovery_codes_renewed",
    "identity_refused",
];

async fn sign_in(door: &Caller, email: &str, more: Value) -> Answer {
    let all = "token expiresAt staff { id } secondFactorNeeded challenge enrolmentOnly";
    let mut input = json!({"email": email, "password": PASSWORD});
    input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    door.does("signIn", input, all).await
}

/// What the password alone leads to.
async fn challenge(door: &Caller, email: &str) -> String {
    text(&sign_in(door, email, json!({})).await.ok()["signIn"]["challenge"])
}

async fn complete(door: &Caller, challenge: &str, code: &str) -> Answer {
    door.does("completeSignIn", json!({"challenge": challenge, "code": code}), "token staff { id }").await
}

async fn it_is_taken_away(door: &Caller, anna: &Caller) {
    let remove = async |input: Value| anna.does("removeSecondFactor", input, "token").await;
    assert_eq!(remove(json!({})).await.faults(), ["input"]);
    assert_eq!(remove(json!({"password": PASSWORD, "code": "1"})).await.faults(), ["input"]);
    assert_eq!(remove(json!({"password": "a wrong password"})).await.faults(), ["input.password"]);
    let removed = remove(json!({"password": PASSWORD})).await.ok();
    assert_eq!(outcome_of_a_change(anna).await, "UNAUTHENTICATED");
    let anna = door.with_token(removed["removeSecondFactor"]["token"].as_str().expect("a token"));
    assert_eq!(anna.ask("{ me { secondFactor } }").await, json!({"me": {"secondFactor": false}}));
}

async fn a_challenge_ends_after_five_tries_and_five_minutes(door: &Caller, sql: &Sql, email: &str, code: &str) {
    let tried = challenge(door, email).await;
    for _ in 0..5 {
        sql.run("DELETE FROM sign_in_failure").await;
        assert_eq!(complete(door, &tried, "000000").await.outcome(), "UNAUTHENTICATED");
    }
    sql.run("DELETE FROM sign_in_failure").await;
    assert_eq!(complete(door, &tried, code).await.outcome(), "UNAUTHENTICATED", "the sixth");
    let over = challenge(door, email).await;
    sql.run("UPDATE one_time_token SET expires_at = now()").await;
    assert_eq!(complete(door, &over, code).await.outcome(), "UNAUTHENTICATED");
    sql.run("DELETE FROM sign_in_failure").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_is_set_up_asked_for_and_taken_away() {
    let clinic = Clinic::start().await;
    let (door, sql) = (clinic.anonymous(), clinic.database.superuser().await);
    let (anna, other) = (clinic.practitioner(), clinic.sign_in_again(&clinic.north, Role::Practitioner).await);
    let begun = anna.ask("mutation { beginSecondFactor { secret uri qrCode } }").await["beginSecondFactor"].clone();
    let (secret, uri) = (text(&begun["secret"]), text(&begun["uri"]));
    assert!(uri.starts_with("otpauth://totp/Clinic:practitioner%40north.example?") && uri.contains(&secret), "{uri}");
    assert!(text(&begun["qrCode"]).starts_with("data:image/png;base64,iVBOR"));
    // Nothing holds before a code was seen.
    door.sign_in(&anna.member.email, PASSWORD).await.ok();
    let wrong = anna.does("confirmSecondFactor", json!({"code": "000000"}), "token").await;
    assert_eq!((wrong.code(), wrong.faults()), ("BAD_USER_INPUT", vec!["input.code"]));
    let (app, codes, anna) = with_second_factor(&clinic, &anna).await;
    assert_eq!((codes.len(), codes.iter().all(|code| code.len() == 19)), (10, true));
    assert_eq!(outcome_of_a_change(&clinic.practitioner()).await, "UNAUTHENTICATED", "the token before");
    assert_eq!(outcome_of_me(&other).await, "UNAUTHENTICATED", "made without it");
    assert_eq!(anna.ask("{ me { secondFactor } }").await, json!({"me": {"secondFactor": true}}));
    // Neither secret nor codes are to be read in the database.
    let kept = "SELECT count(*) FROM account a LEFT JOIN recovery_code c ON c.account_id = a.id WHERE \
        position(decode('3132333435363738', 'hex') IN a.totp_secret) > 0 OR length(a.totp_secret) <> 48 OR length(c.code_hash) <> 32";
    assert_eq!(sql.one(kept).await, "0");

    // The password alone leads to a challenge; a used code does not count again.
    let email = anna.member.email.clone();
    let needed = sign_in(&door, &email, json!({})).await.ok()["signIn"].clone();
    let expected = json!({"token": null, "expiresAt": null, "staff": null, "secondFactorNeeded": true, "challenge": needed["challenge"], "enrolmentOnly": false});
    assert_eq!(needed, expected);
    let first = text(&needed["challenge"]);
    assert_eq!(outcome_of_me(&door.with_token(&first)).await, "UNAUTHENTICATED", "a challenge is no token");
    assert_eq!(
        complete(&door, &first, &app.used(&sql).await).await.outcome(),
        "UNAUTHENTICATED",
        "it confirmed the factor"
    );
    let answer = complete(&door, &first, &app.next(&sql).await).await.ok();
    assert_eq!(answer["completeSignIn"]["staff"]["id"], anna.id());
    assert_eq!(outcome_of_me(&door.with_token(answer["completeSignIn"]["token"].as_str().expect("token"))).await, "ok");
    later(&sql).await;
    assert_eq!(
        complete(&door, &first, &app.next(&sql).await).await.outcome(),
        "UNAUTHENTICATED",
        "a challenge works once"
    );
    // In one step, and with a recovery code, however it is written; each once.
    sign_in(&door, &email, json!({"code": app.next(&sql).await})).await.ok();
    assert_eq!(sign_in(&door, &email, json!({"code": app.used(&sql).await})).await.outcome(), "UNAUTHENTICATED");
    let written = codes[0].to_uppercase().replace('-', " ");
    complete(&door, &challenge(&door, &email).await, &written).await.ok();
    assert_eq!(complete(&door, &challenge(&door, &email).await, &codes[0]).await.outcome(), "UNAUTHENTICATED");
    sql.run("DELETE FROM sign_in_failure").await;
    a_challenge_ends_after_five_tries_and_five_minutes(&door, &sql, &email, &codes[1]).await;

    // New codes end the old ones; another's code is none.
    let renewed = anna.ask("mutation { regenerateRecoveryCodes { recoveryCodes } }").await;
    let fresh = text(&renewed["regenerateRecoveryCodes"]["recoveryCodes"][0]);
    assert_eq!(complete(&door, &challenge(&door, &email).await, &codes[1]).await.outcome(), "UNAUTHENTICATED");
    complete(&door, &challenge(&door, &email).await, &fresh).await.ok();

    it_is_taken_away(&door, &anna).await;
    sign_in(&door, &email, json!({})).await.ok()["signIn"]["token"].as_str().expect("a token");
    assert_eq!(sql.one("SELECT count(*) FROM recovery_code").await, "0");
    let events = events(&sql).await;
    for event in EVENTS {
        assert!(events.iter().any(|it| it == event), "{event} is in the access log: {events:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_replays_of_a_code_one_wins() {
    let clinic = Clinic::with(PATIENT).await;
    let (door, sql) = (clinic.anonymous(), clinic.database.superuser().await);
    let (app, codes, anna) = with_second_factor(&clinic, &clinic.practitioner()).await;
    calm(&sql).await;
    let email = &anna.member.email;
    let mut challenges = Vec::new();
    for _ in 0..3 {
        let answer = door.does("signIn", json!({"email": email, "password": PASSWORD}), "challenge").await.ok();
        challenges.push(text(&answer["signIn"]["challenge"]));
    }
    // Made by hand: a hundred right passwords would be a hundred hashes.
    let copy = "INSERT INTO one_time_token SELECT sha256(('clinic_' || lpad(n::text, 43, 'A'))::bytea), purpose, account_id, \
        org_id, staff_id, 0, created_at, expires_at, NULL FROM one_time_token, generate_series(1, 100) AS n \
        WHERE token_hash = (SELECT token_hash FROM one_time_token WHERE tries = 0 ORDER BY created_at LIMIT 1)";
    for code in [app.next(&sql).await, codes[3].clone()] {
        sql.run("DELETE FROM one_time_token WHERE tries > 0 OR used_at IS NOT NULL").await;
        sql.run(copy).await;
        let tries = (1..=100).map(|n| {
            let input = json!({"challenge": format!("clinic_{n:A>43}"), "code": code});
            let door = door.clone();
            async move { door.does("completeSignIn", input, "token").await.outcome() }
        });
        let outcomes = join_all(tries).await;
        let won = outcomes.iter().filter(|outcome| *outcome == "ok").count();
        let refused = outcomes.iter().filter(|outcome| *outcome == "UNAUTHENTICATED").count();
        assert_eq!((won, refused), (1, 99), "{outcomes:?}");
    }
    // And of one challenge.
    later(&sql).await;
    let tries = (0..100).map(|_| {
        let (door, input) = (door.clone(), json!({"challenge": challenges[2], "code": codes[4]}));
        async move { door.does("completeSignIn", input, "token").await.outcome() }
    });
    let won = join_all(tries).await.iter().filter(|outcome| *outcome == "ok").count();
    assert!(won <= 1, "{won}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_invitation_is_no_way_round_the_second_factor() {
    let clinic = Clinic::start().await;
    let (door, sql) = (clinic.anonymous(), clinic.database.superuser().await);
    let (app, _, anna) = with_second_factor(&clinic, &clinic.practitioner()).await;
    let (south, email) = (clinic.of(&clinic.south, Role::Admin), anna.member.email.clone());
    let input = json!({"email": email, "displayName": "Anna", "role": "AUDITOR"});
    let added = south.does("addStaff", input, "staff { id } invitationToken").await.ok()["addStaff"].clone();
    let count = "SELECT coalesce(max(failures), 0) FROM sign_in_failure WHERE kind = 'email'";
    let sign_in = async |more: Value| {
        let mut input = json!({"email": email, "password": PASSWORD, "organisationId": clinic.south.id});
        input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        door.does("signIn", input, "token secondFactorNeeded staff { id }").await
    };
    assert_eq!(anna.graphql("{ me { id } }", json!({})).await.outcome(), "ok");
    let wrong = door.does("signIn", json!({"email": email, "password": PASSWORD, "code": "000000"}), "token").await;
    assert_eq!(wrong.code(), "UNAUTHENTICATED");
    let tried: i32 = sql.one(count).await.parse().expect("a number");
    let accept = json!({"token": added["invitationToken"], "email": email, "password": PASSWORD});
    door.does("acceptInvitation", accept, "accepted").await.ok();
    let now: i32 = sql.one(count).await.parse().expect("a number");
    assert!(now > tried && tried > 0, "a right password forgets no wrong codes: {tried} {now}");
    let needed = sign_in(json!({})).await.ok()["signIn"].clone();
    assert_eq!(needed, json!({"token": null, "secondFactorNeeded": true, "staff": null}));
    assert_eq!(sign_in(json!({"code": app.used(&sql).await})).await.outcome(), "UNAUTHENTICATED");
    let signed_in = sign_in(json!({"code": app.next(&sql).await})).await.ok();
    assert_eq!(signed_in["signIn"]["staff"]["id"], added["staff"]["id"]);
    assert_eq!(outcome_of_me(&anna).await, "ok", "her other sign-in goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_codes_slow_the_next_ones_down() {
    let clinic = Clinic::start().await;
    let (door, sql) = (clinic.anonymous(), clinic.database.superuser().await);
    let (app, _, anna) = with_second_factor(&clinic, &clinic.practitioner()).await;
    let sign_in = async |code: &str| {
        let input = json!({"email": anna.member.email, "password": PASSWORD, "code": code});
        door.does("signIn", input, "token").await.outcome()
    };
    for _ in 0..5 {
        assert_eq!(sign_in("000000").await, "UNAUTHENTICATED");
    }
    sql.run("UPDATE sign_in_failure SET blocked_until = now() + interval '20 s' WHERE kind = 'email_at_address'").await;
    assert_eq!(sign_in(&app.next(&sql).await).await, "RATE_LIMITED", "the right password forgets no wrong codes");
    // Who is signed in has a count of their own, which a stolen sign-in can't get round.
    for n in 0..5 {
        let wrong = if n % 2 == 0 { json!({"password": "a wrong password"}) } else { json!({"code": "000000"}) };
        assert_eq!(anna.does("confirmIdentity", wrong, "token").await.outcome(), "BAD_USER_INPUT", "{n}");
    }
    sql.run("UPDATE sign_in_failure SET blocked_until = now() + interval '20 s' WHERE kind = 'sign_in'").await;
    let right = json!({"password": PASSWORD});
    for (mutation, input) in [
        ("confirmIdentity", right.clone()),
        ("changePassword", json!({"current": PASSWORD, "new": "correct horse battery staple 9"})),
        ("removeSecondFactor", right.clone()),
    ] {
        assert_eq!(anna.does(mutation, input, "__typename").await.outcome(), "RATE_LIMITED", "{mutation}");
    }
    sql.run("UPDATE sign_in_failure SET blocked_until = now() - interval '1 s' WHERE kind = 'sign_in'").await;
    assert_eq!(anna.does("confirmIdentity", right, "token").await.outcome(), "ok");
    assert_eq!(sql.one("SELECT count(*) FROM sign_in_failure WHERE kind = 'sign_in'").await, "0", "a success forgets");
    sql.run("UPDATE sign_in_failure SET blocked_until = now() - interval '1 s'").await;
    assert_eq!(sign_in(&app.next(&sql).await).await, "ok");
    assert_eq!(
        sql.one("SELECT count(*) FROM sign_in_failure WHERE kind LIKE 'email%'").await,
        "0",
        "a success forgets"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_must_have_a_second_factor_does_nothing_before() {
    let clinic = Clinic::start().await;
    let (door, admin, anna) = (clinic.anonymous(), clinic.admin(), clinic.practitioner());
    let patient = anna.patient("Zoë", "Ramírez").await;
    let input = json!({"expectedVersion": 1, "secondFactorRoles": ["PRACTITIONER", "PRACTITIONER"]});
    let changed = admin.does("updateOrganisation", input, "organisation { name secondFactorRoles version }").await.ok();
    let expected = json!({"name": "north", "secondFactorRoles": ["PRACTITIONER"], "version": 2});
    assert_eq!(changed["updateOrganisation"]["organisation"], expected);
    // Sign-ins of before are held to it too.
    let sign_in = door.does(
        "signIn",
        json!({"email": anna.member.email, "password": PASSWORD}),
        "token enrolmentOnly staff { id }",
    );
    let fresh = sign_in.await.ok()["signIn"].clone();
    assert_eq!((&fresh["enrolmentOnly"], &fresh["staff"]["id"]), (&json!(true), &json!(anna.id())));
    let fresh = door.with_token(fresh["token"].as_str().expect("a token"));
    for who in [&*anna, &fresh] {
        assert_eq!(outcome_of_me(who).await, "ok");
        for query in [
            "{ patients { totalCount } }",
            "{ me { id } patients { totalCount } }",
            "{ me: patients { totalCount } }",
            "{ organisation { name } }",
            "{ node(id: \"staff_00000000000000000000000000\") { id } }",
            "mutation { regenerateRecoveryCodes { recoveryCodes } }",
        ] {
            assert_eq!(who.graphql(query, json!({})).await.code(), "FORBIDDEN", "{query}");
        }
        let input = json!({"patientId": patient.id, "kind": "ALLERGY", "text": "Latex"});
        let answer = who.does("addHealthEntry", input, "__typename").await;
        assert_eq!(answer.code(), "FORBIDDEN");
        assert!(answer.text.contains("beginSecondFactor"), "it says what to do: {}", answer.text);
        let change = json!({"current": PASSWORD, "new": NEW});
        assert_eq!(who.does("changePassword", change, "token").await.code(), "FORBIDDEN");
    }
    clinic.front_desk().ask("{ patients { totalCount } }").await;
    let (_, _, anna) = with_second_factor(&clinic, &anna).await;
    anna.health_entry(&patient).await;
    let remove = anna.does("removeSecondFactor", json!({"password": PASSWORD}), "token").await;
    assert_eq!(remove.code(), "FORBIDDEN", "the role must have it");
    let input = json!({"expectedVersion": 2, "secondFactorRoles": []});
    admin.does("updateOrganisation", input, "organisation { id }").await.ok();
    anna.does("removeSecondFactor", json!({"password": PASSWORD}), "token").await.ok();
}
