//! Proving it again before signing, and what a signature shows.

use super::{calm, events, outcome_of_a_change, outcome_of_me, text};
use crate::retries::PATIENT;
use crate::support::*;
use futures::future::join_all;

#[tokio::test(flavor = "multi_thread")]
async fn signing_asks_for_a_proof_that_is_ten_minutes_old() {
    let clinic = Clinic::start().await;
    let (door, sql, anna) = (clinic.anonymous(), clinic.database.superuser().await, clinic.practitioner());
    let patient = anna.patient("Zoë", "Ramírez").await;
    let age = async |minutes: &str| {
        sql.run(&format!("UPDATE sign_in SET proved_at = now() - interval '{minutes} min'")).await;
    };
    // In this order: a consultation that comes later is a new answer of the rules.
    let (consultation, session) = (anna.consultation(&patient).await, anna.session(&patient).await);
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
