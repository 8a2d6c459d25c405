//! Who somebody is: second factor, passwords, proving it again before signing, one's own sign-ins, the cookie.

use crate::access::IDENTITY;
use crate::retries::PATIENT;
use crate::support::*;
use futures::future::join_all;
use reqwest::Method;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use totp_rs::{Builder, Secret, Totp};

const NEW: &str = "another one for the tests";
const COOKIE: &str = "__Host-clinic";

async fn outcome_of_me(who: &Caller) -> String {
    who.graphql("{ me { id } }", json!({})).await.outcome()
}

/// Whether a token opens anything but what it read just now: one that was replaced changes nothing.
async fn outcome_of_a_change(who: &Caller) -> String {
    who.graphql("mutation { regenerateRecoveryCodes { recoveryCodes } }", json!({})).await.outcome()
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

/// An authenticator app.
struct App(Totp);

impl App {
    fn of(secret: &str) -> Self {
        let secret = Secret::try_from_base32(secret).expect("base 32");
        Self(Builder::new().with_secret(secret).build().expect("an app"))
    }

    fn at(&self, step: i64) -> String {
        self.0.generate(u64::try_from(step * 30).expect("after 1970")).to_string()
    }

    /// What it shows now.
    fn now(&self) -> String {
        self.at(chrono::Utc::now().timestamp() / 30)
    }

    /// The code that was used last.
    async fn used(&self, sql: &Sql) -> String {
        self.at(last_step(sql).await)
    }

    /// The first one after it that is taken now.
    async fn next(&self, sql: &Sql) -> String {
        self.at((last_step(sql).await + 1).max(chrono::Utc::now().timestamp() / 30))
    }
}

async fn last_step(sql: &Sql) -> i64 {
    let step = sql.one("SELECT totp_last_step FROM account WHERE totp_confirmed_at IS NOT NULL").await;
    step.parse().expect("a number")
}

/// Lets the codes of now be used again, as if time had passed.
async fn later(sql: &Sql) {
    sql.run("UPDATE account SET totp_last_step = totp_last_step - 10").await;
}

/// Keeps the throttle out of a test that is about something else.
async fn calm(sql: &Sql) {
    sql.run(
        "CREATE FUNCTION calm() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.failures := 0; \
         NEW.blocked_until := NEW.last_failed_at - interval '1 s'; RETURN NEW; END $$",
    )
    .await;
    sql.run("CREATE TRIGGER calm BEFORE INSERT OR UPDATE ON sign_in_failure FOR EACH ROW EXECUTE FUNCTION calm()")
        .await;
}

/// Somebody with a second factor: their app, their recovery codes, and their sign-in under its new token.
async fn with_second_factor(clinic: &Clinic, who: &SignedIn) -> (App, Vec<String>, SignedIn) {
    let begun = who.ask("mutation { beginSecondFactor { secret uri qrCode } }").await["beginSecondFactor"].clone();
    let app = App::of(begun["secret"].as_str().expect("a secret"));
    let input = json!({"code": app.now()});
    let confirmed = who.does("confirmSecondFactor", input, "recoveryCodes token").await.ok();
    let confirmed = &confirmed["confirmSecondFactor"];
    let codes = confirmed["recoveryCodes"].as_array().expect("codes").iter().map(text).collect();
    let mut member = who.member.clone();
    member.token = text(&confirmed["token"]);
    (app, codes, SignedIn::new(&clinic.anonymous(), &clinic.north, member))
}

async fn events(sql: &Sql) -> Vec<String> {
    sql.column("SELECT event FROM access_log ORDER BY org_id, seq").await
}

// --- Second factor ---------------------------------------------------------------------------------------------------

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
    let all = "token expiresAt staff { id } secondFactorNeeded challenge enrolmentOnly";
    let sign_in = async |more: Value| {
        let mut input = json!({"email": email, "password": PASSWORD});
        input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        door.does("signIn", input, all).await
    };
    let challenge = async || text(&sign_in(json!({})).await.ok()["signIn"]["challenge"]);
    let needed = sign_in(json!({})).await.ok()["signIn"].clone();
    let expected = json!({"token": null, "expiresAt": null, "staff": null, "secondFactorNeeded": true, "challenge": needed["challenge"], "enrolmentOnly": false});
    assert_eq!(needed, expected);
    let complete = async |challenge: &str, code: &str| {
        door.does("completeSignIn", json!({"challenge": challenge, "code": code}), "token staff { id }").await
    };
    let first = text(&needed["challenge"]);
    assert_eq!(outcome_of_me(&door.with_token(&first)).await, "UNAUTHENTICATED", "a challenge is no token");
    assert_eq!(complete(&first, &app.used(&sql).await).await.outcome(), "UNAUTHENTICATED", "it confirmed the factor");
    let answer = complete(&first, &app.next(&sql).await).await.ok();
    assert_eq!(answer["completeSignIn"]["staff"]["id"], anna.id());
    assert_eq!(outcome_of_me(&door.with_token(answer["completeSignIn"]["token"].as_str().expect("token"))).await, "ok");
    later(&sql).await;
    assert_eq!(complete(&first, &app.next(&sql).await).await.outcome(), "UNAUTHENTICATED", "a challenge works once");
    // In one step, and with a recovery code, however it is written; each once.
    sign_in(json!({"code": app.next(&sql).await})).await.ok();
    assert_eq!(sign_in(json!({"code": app.used(&sql).await})).await.outcome(), "UNAUTHENTICATED");
    let written = codes[0].to_uppercase().replace('-', " ");
    complete(&challenge().await, &written).await.ok();
    assert_eq!(complete(&challenge().await, &codes[0]).await.outcome(), "UNAUTHENTICATED");
    sql.run("DELETE FROM sign_in_failure").await;
    // Five tries, five minutes.
    let tried = challenge().await;
    for _ in 0..5 {
        sql.run("DELETE FROM sign_in_failure").await;
        assert_eq!(complete(&tried, "000000").await.outcome(), "UNAUTHENTICATED");
    }
    sql.run("DELETE FROM sign_in_failure").await;
    assert_eq!(complete(&tried, &codes[1]).await.outcome(), "UNAUTHENTICATED", "the sixth");
    let over = challenge().await;
    sql.run("UPDATE one_time_token SET expires_at = now()").await;
    assert_eq!(complete(&over, &codes[1]).await.outcome(), "UNAUTHENTICATED");
    sql.run("DELETE FROM sign_in_failure").await;

    // New codes end the old ones; another's code is none.
    let renewed = anna.ask("mutation { regenerateRecoveryCodes { recoveryCodes } }").await;
    let fresh = text(&renewed["regenerateRecoveryCodes"]["recoveryCodes"][0]);
    assert_eq!(complete(&challenge().await, &codes[1]).await.outcome(), "UNAUTHENTICATED");
    complete(&challenge().await, &fresh).await.ok();

    let remove = async |input: Value| anna.does("removeSecondFactor", input, "token").await;
    assert_eq!(remove(json!({})).await.faults(), ["input"]);
    assert_eq!(remove(json!({"password": PASSWORD, "code": "1"})).await.faults(), ["input"]);
    assert_eq!(remove(json!({"password": "a wrong password"})).await.faults(), ["input.password"]);
    let removed = remove(json!({"password": PASSWORD})).await.ok();
    assert_eq!(outcome_of_a_change(&anna).await, "UNAUTHENTICATED");
    let anna = door.with_token(removed["removeSecondFactor"]["token"].as_str().expect("a token"));
    assert_eq!(anna.ask("{ me { secondFactor } }").await, json!({"me": {"secondFactor": false}}));
    sign_in(json!({})).await.ok()["signIn"]["token"].as_str().expect("a token");
    assert_eq!(sql.one("SELECT count(*) FROM recovery_code").await, "0");
    let events = events(&sql).await;
    for event in [
        "second_factor_added",
        "second_factor_refused",
        "second_factor_removed",
        "recovery_codes_renewed",
        "identity_refused",
    ] {
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

// --- Passwords -------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_changed_by_its_owner() {
    let clinic = Clinic::start().await;
    let (door, sql) = (clinic.anonymous(), clinic.database.superuser().await);
    let (anna, other) = (clinic.practitioner(), clinic.sign_in_again(&clinic.north, Role::Practitioner).await);
    let change = async |by: &Caller, current: &str, new: &str| {
        by.does("changePassword", json!({"current": current, "new": new}), "token expiresAt").await
    };
    for weak in ["elevenchars", "passwordpassword", "qwertyuiop123", "north practitioner", &"x".repeat(1025)] {
        let answer = change(&anna, PASSWORD, weak).await;
        assert_eq!(answer.faults(), ["input.new"], "{weak}");
        assert!(!answer.text.contains(weak));
    }
    assert_eq!(change(&anna, "a wrong password", NEW).await.faults(), ["input.current"]);
    assert_eq!((outcome_of_me(&anna).await, outcome_of_me(&other).await), ("ok".to_owned(), "ok".to_owned()));
    let changed = change(&anna, PASSWORD, NEW).await.ok()["changePassword"].clone();
    assert_eq!(outcome_of_a_change(&anna).await, "UNAUTHENTICATED");
    assert_eq!(outcome_of_me(&other).await, "UNAUTHENTICATED");
    assert_eq!(outcome_of_me(&door.with_token(changed["token"].as_str().expect("a token"))).await, "ok");
    assert_eq!(door.sign_in(&anna.member.email, PASSWORD).await.code(), "UNAUTHENTICATED");
    door.sign_in(&anna.member.email, NEW).await.ok();
    let events = events(&sql).await;
    assert!(
        ["password_changed", "identity_refused"].iter().all(|event| events.iter().any(|it| it == event)),
        "{events:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_leaves_the_second_factor() {
    let clinic = Clinic::start().await;
    let (door, sql) = (clinic.anonymous(), clinic.database.superuser().await);
    let (app, _, anna) = with_second_factor(&clinic, &clinic.practitioner()).await;
    let input = json!({"email": anna.member.email, "password": PASSWORD});
    let waiting = text(&door.does("signIn", input, "challenge").await.ok()["signIn"]["challenge"]);
    let link = clinic.admin().does("createPasswordResetLink", json!({"staffId": anna.id()}), "token").await.ok();
    let reset = json!({"token": link["createPasswordResetLink"]["token"], "newPassword": NEW});
    door.does("resetPassword", reset, "reset").await.ok();
    let late = door.does("completeSignIn", json!({"challenge": waiting, "code": app.next(&sql).await}), "token").await;
    assert_eq!(late.outcome(), "UNAUTHENTICATED", "it waited with the old password");
    let input = json!({"email": anna.member.email, "password": NEW});
    let needed = door.does("signIn", input, "secondFactorNeeded token").await.ok();
    assert_eq!(needed["signIn"], json!({"secondFactorNeeded": true, "token": null}));
    assert!(events(&sql).await.iter().any(|event| event == "password_reset"));
}

// --- Proving it again, signatures ------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn signing_asks_for_a_proof_that_is_ten_minutes_old() {
    let clinic = Clinic::start().await;
    let (door, sql, anna) = (clinic.anonymous(), clinic.database.superuser().await, clinic.practitioner());
    let patient = anna.patient("Zoë", "Ramírez").await;
    let age = async |minutes: &str| {
        sql.run(&format!("UPDATE sign_in SET proved_at = now() - interval '{minutes} min'")).await;
    };
    let (session, consultation) = (anna.session(&patient).await, anna.consultation(&patient).await);
    let noted = anna.session(&patient).await;
    let note = anna.note(&noted).await;
    age("10.1").await;
    for (mutation, draft) in
        [("signSession", &session), ("signConsultation", &consultation), ("signAftercareNote", &note)]
    {
        let answer = anna.does(mutation, draft.edit(), "__typename").await;
        assert_eq!(answer.outcome(), "REAUTHENTICATION_REQUIRED", "{mutation} {}", answer.text);
        assert!(answer.text.contains("confirmIdentity"));
    }
    let front = clinic.front_desk().does("signSession", session.edit(), "__typename").await;
    assert_eq!(front.outcome(), "FORBIDDEN", "a proof would not help");
    assert_eq!(anna.ask("{ me { id } }").await["me"]["id"], anna.id(), "all else goes on");
    anna.health_entry(&patient).await;
    assert_eq!(
        anna.graphql("mutation { beginSecondFactor { uri } }", json!({})).await.outcome(),
        "REAUTHENTICATION_REQUIRED"
    );
    assert_eq!(
        anna.does("confirmIdentity", json!({"password": "a wrong one"}), "token").await.faults(),
        ["input.password"]
    );
    assert_eq!(anna.does("confirmIdentity", json!({"code": "123456"}), "token").await.faults(), ["input.code"]);
    let proved = anna.does("confirmIdentity", json!({"password": PASSWORD}), "token expiresAt").await.ok();
    assert_eq!(outcome_of_a_change(&anna).await, "UNAUTHENTICATED", "the token is another one now");
    let mut member = anna.member.clone();
    member.token = text(&proved["confirmIdentity"]["token"]);
    let anna = SignedIn::new(&door, &clinic.north, member);
    anna.sign_consultation(&consultation).await;
    age("9.9").await;
    anna.sign_session(&session).await;
    sql.run("UPDATE sign_in SET proved_at = NULL").await;
    assert_eq!(anna.does("signAftercareNote", note.edit(), "__typename").await.outcome(), "REAUTHENTICATION_REQUIRED");
    // Another role is another matter: it is proved anew.
    sql.run("UPDATE sign_in SET proved_at = now()").await;
    let me = Made::of(&anna.ask("{ me { id version } }").await["me"]);
    let admin = clinic.admin();
    let me = admin.make("updateStaff", "staff", me.edit_with(json!({"role": "AUDITOR"}))).await;
    admin.make("updateStaff", "staff", me.edit_with(json!({"role": "PRACTITIONER"}))).await;
    assert_eq!(anna.does("signAftercareNote", note.edit(), "__typename").await.outcome(), "REAUTHENTICATION_REQUIRED");
    assert!(events(&sql).await.iter().any(|event| event == "identity_confirmed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_proofs_with_one_token_one_goes_on() {
    let clinic = Clinic::with(PATIENT).await;
    let anna = clinic.practitioner();
    calm(&clinic.database.superuser().await).await;
    let tries = (0..8).map(|_| anna.does("confirmIdentity", json!({"password": PASSWORD}), "token"));
    let answers = join_all(tries).await;
    let mut held = 0;
    for answer in &answers {
        if answer.outcome() == "ok" {
            let token = answer.data["confirmIdentity"]["token"].as_str().expect("a token");
            held += usize::from(outcome_of_me(&clinic.anonymous().with_token(token)).await == "ok");
        }
    }
    assert_eq!(held, 1, "{:?}", answers.iter().map(Answer::outcome).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_shows_name_time_and_meaning() {
    let clinic = Clinic::start().await;
    let (admin, anna) = (clinic.admin(), clinic.practitioner());
    let patient = anna.patient("Zoë", "Ramírez").await;
    let session = anna.signed_session(&patient).await;
    let me = Made::of(&anna.ask("{ me { id version } }").await["me"]);
    admin.make("updateStaff", "staff", me.edit_with(json!({"displayName": "Anna Married"}))).await;
    let query = "query ($id: ID!) { session(id: $id) { signature { signerName signedAt meaning statement signedBy { displayName } } } }";
    let found = anna.graphql(query, json!({"id": session.id})).await.ok()["session"]["signature"].clone();
    assert_eq!(found["signerName"], "NORTH practitioner", "as it was when it was signed");
    assert_eq!((&found["signedBy"]["displayName"], &found["meaning"]), (&json!("Anna Married"), &json!("AUTHOR")));
    let at = text(&found["signedAt"]);
    let expected =
        format!("Signed by NORTH practitioner on {} {} UTC as author: I did or wrote this.", &at[..10], &at[11..19]);
    assert_eq!(found["statement"], expected);
    let later = anna.signed_session(&patient).await;
    let found = anna.graphql(query, json!({"id": later.id})).await.ok();
    assert_eq!(found["session"]["signature"]["signerName"], "Anna Married");
}

// --- One's own sign-ins ----------------------------------------------------------------------------------------------

const SIGN_INS: &str =
    "{ me { signIns { id current client address createdAt lastSeenAt expiresAt secondFactor byCookie } } }";

async fn sign_ins(who: &Caller) -> Vec<Value> {
    who.ask(SIGN_INS).await["me"]["signIns"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_are_listed_and_ended() {
    let clinic = Clinic::start().await;
    let (door, sql, admin) = (clinic.anonymous(), clinic.database.superuser().await, clinic.admin());
    let anna = clinic.practitioner();
    let query = "mutation ($input: SignInInput!) { signIn(input: $input) { token } }";
    let input = json!({"input": {"email": anna.member.email, "password": PASSWORD}});
    let made = Answer::to(door.prepare(query, input).header("user-agent", "Anna's tablet")).await.ok();
    let tablet = door.with_token(made["signIn"]["token"].as_str().expect("a token"));
    let listed = sign_ins(&anna).await;
    assert_eq!(listed.len(), 2);
    let of_tablet = &listed[0];
    assert_eq!((&of_tablet["client"], &of_tablet["address"]), (&json!("Anna's tablet"), &json!("127.0.0.1")));
    assert_eq!((&of_tablet["current"], &listed[1]["current"]), (&json!(false), &json!(true)));
    assert_eq!((&of_tablet["byCookie"], &of_tablet["secondFactor"]), (&json!(false), &json!(false)));
    let id = text(&of_tablet["id"]);
    assert!(id.starts_with("sign_in_") && id.len() == 34, "{id}");

    // Nobody ends or sees another's, but admins of the organisation.
    let revoke = async |by: &Caller, id: &str| by.does("revokeSignIn", json!({"id": id}), "revoked").await.outcome();
    assert_eq!(revoke(&admin, &id).await, "NOT_FOUND");
    assert_eq!(revoke(&clinic.stranger(), &id).await, "NOT_FOUND");
    assert_eq!(revoke(&anna, "sign_in_x").await, "BAD_USER_INPUT");
    assert_eq!(revoke(&anna, anna.id()).await, "BAD_USER_INPUT");
    let of_staff = "query ($id: ID!) { staffMember(id: $id) { signIns { id current } secondFactor } }";
    let seen = admin.graphql(of_staff, json!({"id": anna.id()})).await.ok();
    assert_eq!(
        seen["staffMember"]["signIns"],
        json!([{"id": id, "current": false}, {"id": listed[1]["id"], "current": false}])
    );
    let refused = clinic.front_desk().graphql(of_staff, json!({"id": anna.id()})).await;
    assert_eq!(
        (refused.codes(), &refused.data["staffMember"]),
        (vec!["FORBIDDEN"; 2], &json!({"signIns": null, "secondFactor": null}))
    );
    let everybody = clinic.auditor().graphql("{ staff { nodes { email signIns { id } } } }", json!({})).await;
    assert_eq!(everybody.codes(), ["FORBIDDEN"; 3], "one's own is seen: {}", everybody.text);

    assert_eq!(revoke(&anna, &id).await, "ok");
    assert_eq!(
        (outcome_of_me(&tablet).await, outcome_of_me(&anna).await),
        ("UNAUTHENTICATED".to_owned(), "ok".to_owned())
    );
    assert_eq!(revoke(&anna, &id).await, "NOT_FOUND", "it has ended");
    assert_eq!(sign_ins(&anna).await.len(), 1);

    let others = [
        clinic.sign_in_again(&clinic.north, Role::Practitioner).await,
        clinic.sign_in_again(&clinic.north, Role::Practitioner).await,
    ];
    anna.does("revokeAllSignIns", json!({}), "revoked").await.ok();
    for other in &others {
        assert_eq!(outcome_of_me(other).await, "UNAUTHENTICATED");
    }
    assert_eq!(outcome_of_me(&anna).await, "ok");
    anna.does("revokeAllSignIns", json!({"includeCurrent": true}), "revoked").await.ok();
    assert_eq!(outcome_of_me(&anna).await, "UNAUTHENTICATED");

    let again = clinic.sign_in_again(&clinic.north, Role::Practitioner).await;
    let input = json!({"staffId": anna.id()});
    for stranger in [clinic.of(&clinic.south, Role::Admin), clinic.stranger()] {
        assert_ne!(stranger.does("revokeStaffSignIns", input.clone(), "staff { id }").await.outcome(), "ok");
    }
    assert_eq!(outcome_of_me(&again).await, "ok");
    admin.does("revokeStaffSignIns", input, "staff { id version }").await.ok();
    assert_eq!(outcome_of_me(&again).await, "UNAUTHENTICATED");
    admin.does("revokeStaffSignIns", json!({"staffId": admin.id()}), "staff { id }").await.ok();
    assert_eq!(outcome_of_me(&admin).await, "UNAUTHENTICATED", "one's own too");
    assert!(events(&sql).await.iter().filter(|event| *event == "sign_in_revoked").count() >= 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_out_nobody_does_anything_with_an_account() {
    let clinic = Clinic::start().await;
    let inputs = json!({
        "confirmIdentity": {"password": PASSWORD}, "confirmSecondFactor": {"code": "1"}, "removeSecondFactor": {"code": "1"},
        "changePassword": {"current": PASSWORD, "new": NEW}, "revokeAllSignIns": {},
        "revokeSignIn": {"id": "sign_in_00000000000000000000000000"}, "completeSignIn": {"challenge": "x", "code": "1"},
    });
    for mutation in IDENTITY.iter().filter(|name| !["resetPassword", "acceptInvitation"].contains(name)) {
        let door = clinic.anonymous();
        let answer = match inputs.get(*mutation) {
            Some(input) => door.does(mutation, input.clone(), "__typename").await,
            None => door.graphql(&format!("mutation {{ {mutation} {{ __typename }} }}"), json!({})).await,
        };
        assert_eq!((answer.outcome().as_str(), answer.status.as_u16()), ("UNAUTHENTICATED", 401), "{mutation}");
    }
}

/// Under load, with what is left of the clock of a token: no request that began after the answer of the revocation
/// gets through.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_slips_through_after_a_revocation() {
    let wanted = if std::env::var_os("CLINIC_SOAK").is_some() { 10_000 } else { 2_000 };
    let clinic = Clinic::with(PATIENT).await;
    let (keeper, sql) = (clinic.practitioner(), clinic.database.superuser().await);
    let owner = "SELECT account_id, org_id, staff_id FROM sign_in JOIN account a ON a.id = account_id \
        WHERE email = 'practitioner@north.example' LIMIT 1";
    let (tried, slipped, before) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let (tried, slipped, before) = (Arc::new(tried), Arc::new(slipped), Arc::new(before));
    let begun = Instant::now();
    let mut round = 0;
    while tried.load(Ordering::SeqCst) < wanted {
        assert!(begun.elapsed() < Duration::from_secs(600), "{tried:?} tries took ten minutes");
        round += 1;
        // A sign-in made by hand: a password for each round would be the load.
        let token = format!("clinic_{round:A>43}");
        sql.run(&format!(
            "INSERT INTO sign_in (token_hash, account_id, org_id, staff_id, created_at, last_seen_at, expires_at, id, proved_at) \
             SELECT sha256('{token}'), account_id, org_id, staff_id, now(), now(), now() + interval '1 h', \
             ('00000000-0000-7000-8000-' || lpad('{round}', 12, '0'))::uuid, now() FROM ({owner}) AS o"
        ))
        .await;
        let revoked = Arc::new(AtomicBool::new(false));
        let tasks: Vec<_> = (0..32)
            .map(|_| {
                let who = clinic.anonymous().with_token(&token);
                let (revoked, tried) = (Arc::clone(&revoked), Arc::clone(&tried));
                let (slipped, before) = (Arc::clone(&slipped), Arc::clone(&before));
                tokio::spawn(async move {
                    let mut after = 0;
                    while after < 12 {
                        let late = revoked.load(Ordering::SeqCst);
                        let outcome = outcome_of_me(&who).await;
                        if late {
                            after += 1;
                            tried.fetch_add(1, Ordering::SeqCst);
                            slipped.fetch_add(usize::from(outcome != "UNAUTHENTICATED"), Ordering::SeqCst);
                        } else if outcome == "ok" {
                            before.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(150)).await;
        let list = sign_ins(&keeper).await;
        let id = list.iter().find(|it| it["expiresAt"] != Value::Null && it["current"] == false).expect("the round's");
        keeper.does("revokeSignIn", json!({"id": id["id"]}), "revoked").await.ok();
        revoked.store(true, Ordering::SeqCst);
        for task in tasks {
            task.await.expect("a task");
        }
    }
    let (tried, slipped, before) =
        (tried.load(Ordering::SeqCst), slipped.load(Ordering::SeqCst), before.load(Ordering::SeqCst));
    println!("{slipped} of {tried} requests slipped through after a revocation; {before} were answered before it");
    assert_eq!(slipped, 0, "of {tried}");
    assert!(before > 100, "the tokens were in use: {before}");
}

// --- The cookie ------------------------------------------------------------------------------------------------------

/// A request as a browser's page sends it.
async fn browse(who: &Caller, token: &str, query: &str, headers: &[(&str, &str)]) -> Answer {
    let request = who.prepare(query, json!({})).header("cookie", format!("other=1; {COOKIE}={token}"));
    Answer::to(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

fn cookies(answer: &Answer) -> Vec<String> {
    let set = answer.headers.get_all("set-cookie").iter();
    set.map(|cookie| cookie.to_str().expect("text").to_owned()).collect()
}

fn token_of(cookie: &str) -> String {
    let token =
        cookie.strip_prefix(&format!("{COOKIE}=")).expect("ours").split(';').next().expect("a token").to_owned();
    assert_eq!(cookie, format!("{COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Strict"));
    token
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_signs_in_by_cookie() {
    let clinic = Clinic::with(&["--allowed-origins", "https://app.example.com"]).await;
    let door = clinic.anonymous();
    let email = "practitioner@north.example";
    let sign_in = json!({"email": email, "password": PASSWORD, "cookie": true});
    let answer = door.does("signIn", sign_in, "token expiresAt staff { id }").await;
    let set = cookies(&answer);
    let token = token_of(&set[0]);
    assert_eq!((set.len(), &answer.clone().ok()["signIn"]["token"]), (1, &Value::Null));
    assert!(!answer.text.contains(&token), "no script gets to see it");
    let me = "{ me { id signIns { byCookie current } } }";
    let found = browse(&door, &token, me, &[("clinic-csrf", "1")]).await.ok();
    assert_eq!(found["me"]["signIns"][0], json!({"byCookie": true, "current": true}));
    let own = clinic.url("");
    for origin in ["https://app.example.com", own.as_str()] {
        let headers = [("clinic-csrf", "1"), ("origin", origin), ("sec-fetch-site", "same-origin")];
        assert_eq!(browse(&door, &token, me, &headers).await.outcome(), "ok", "{origin}");
    }
    // What a page of somebody else can make a browser send.
    let forged: [&[(&str, &str)]; 7] = [
        &[],
        &[("origin", "https://evil.example")],
        &[("clinic-csrf", "1"), ("origin", "https://evil.example")],
        &[("clinic-csrf", "1"), ("origin", "null")],
        &[("clinic-csrf", "1"), ("origin", "https://app.example.com.evil.example")],
        &[("clinic-csrf", "1"), ("sec-fetch-site", "cross-site")],
        &[("clinic-csrf", "1"), ("origin", "https://app.example.com"), ("sec-fetch-site", "cross-site")],
    ];
    for headers in forged {
        for query in [me, "mutation { signOut { signedOut } }"] {
            let answer = browse(&door, &token, query, headers).await;
            assert_eq!(
                (answer.outcome().as_str(), answer.status.as_u16()),
                ("UNAUTHENTICATED", 401),
                "{headers:?} {query}"
            );
        }
    }
    let cookie = format!("{COOKIE}={token}");
    let got = door
        .request(Method::GET, "/graphql?query=%7Bme%7Bid%7D%7D")
        .header("cookie", &cookie)
        .header("clinic-csrf", "1");
    assert_eq!(
        Answer::to(got.header("accept", "application/graphql-response+json")).await.outcome(),
        "UNAUTHENTICATED",
        "GET"
    );
    for content_type in ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"] {
        let form =
            door.request(Method::POST, "/graphql").header("cookie", &cookie).header("content-type", content_type);
        let answer = Answer::to(form.body(r#"{"query": "mutation { signOut { signedOut } }"}"#)).await;
        assert_eq!(answer.status.as_u16(), 415, "{content_type}");
    }
    let ask = door.request(Method::OPTIONS, "/graphql").header("origin", "https://evil.example");
    let ask =
        ask.header("access-control-request-method", "POST").header("access-control-request-headers", "clinic-csrf");
    assert!(!Answer::to(ask).await.headers.contains_key("access-control-allow-origin"));
    assert_eq!(browse(&door, &token, me, &[("clinic-csrf", "1")]).await.outcome(), "ok", "none of it did anything");

    // A cookie's token is none for the header, and the other way round; with both the header counts.
    assert_eq!(outcome_of_me(&door.with_token(&token)).await, "UNAUTHENTICATED");
    let bearer = clinic.practitioner();
    assert_eq!(browse(&door, &bearer.member.token, me, &[("clinic-csrf", "1")]).await.outcome(), "UNAUTHENTICATED");
    let found = browse(&bearer, &token, me, &[("clinic-csrf", "1")]).await.ok();
    let current = found["me"]["signIns"].as_array().expect("a list").iter().find(|it| it["current"] == true);
    assert_eq!(current.expect("one")["byCookie"], false);

    // A new token is a new cookie; signing out takes it away.
    let confirm = format!("mutation {{ confirmIdentity(input: {{password: \"{PASSWORD}\"}}) {{ token }} }}");
    let renewed = browse(&door, &token, &confirm, &[("clinic-csrf", "1")]).await;
    let new = token_of(&cookies(&renewed)[0]);
    assert_eq!(renewed.ok()["confirmIdentity"]["token"], Value::Null);
    assert_ne!(new, token);
    let old = browse(&door, &token, "mutation { signOut { signedOut } }", &[("clinic-csrf", "1")]).await;
    assert_eq!((old.outcome().as_str(), cookies(&old).len()), ("UNAUTHENTICATED", 0), "the old cookie changes nothing");
    let out = browse(&door, &new, "mutation { signOut { signedOut } }", &[("clinic-csrf", "1")]).await;
    assert_eq!(cookies(&out), [format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0")]);
    out.ok();
    assert_eq!(browse(&door, &new, me, &[("clinic-csrf", "1")]).await.outcome(), "UNAUTHENTICATED");
    // A left-over cookie keeps nobody from signing in.
    let again = format!(
        "mutation {{ signIn(input: {{email: \"{email}\", password: \"{PASSWORD}\", cookie: true}}) {{ staff {{ id }} }} }}"
    );
    let again = browse(&door, &new, &again, &[]).await;
    token_of(&cookies(&again)[0]);
    again.ok();
    // Nothing sets a cookie that was not asked for.
    assert!(cookies(&door.sign_in(email, PASSWORD).await).is_empty());
}
