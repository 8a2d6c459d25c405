//! What a token reads still whose place a newer one took.

use super::{ME, because, browse, cookie_token, fresh, until, why, why_not};
use crate::support::*;
use futures::future::join_all;
use std::time::Duration;

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
