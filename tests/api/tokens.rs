//! A token's life: why one that is refused is refused.

use crate::support::*;
use reqwest::header::AUTHORIZATION;

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
