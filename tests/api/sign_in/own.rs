//! One's own sign-ins.

use super::{NEW, events, outcome_of_me, text};
use crate::access::IDENTITY;
use crate::retries::PATIENT;
use crate::support::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

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
