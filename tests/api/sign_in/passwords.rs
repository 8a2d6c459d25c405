//! Changing and resetting one's password.

use super::{NEW, events, outcome_of_a_change, outcome_of_me, text, with_second_factor};
use crate::support::*;

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
