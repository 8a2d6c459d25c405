//! When a sign-in ends.

use super::NO;
use crate::support::*;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_the_token_and_no_other() {
    let clinic = Clinic::start().await;
    let (first, second) = (clinic.practitioner(), clinic.sign_in_again(&clinic.north, Role::Practitioner).await);
    assert_ne!(first.member.token, second.member.token);
    assert_eq!(second.ask("mutation { signOut { signedOut } }").await, json!({"signOut": {"signedOut": true}}));
    assert_eq!(second.graphql("{ me { id } }", json!({})).await.outcome(), "UNAUTHENTICATED");
    assert_eq!(second.graphql("mutation { signOut { signedOut } }", json!({})).await.outcome(), "UNAUTHENTICATED");
    first.ask("{ me { id } }").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_or_disabled_staff_member_holds_from_the_next_request_on() {
    let clinic = Clinic::start().await;
    let (admin, anna) = (clinic.admin(), clinic.practitioner());
    let patient = anna.patient("Zoë", "Ramírez").await;
    let mut member = Made { id: anna.id().to_owned(), version: 1 };
    let change = async |member: &Made, what: Value| admin.make("updateStaff", "staff", member.edit_with(what)).await;

    member = change(&member, json!({"role": "FRONT_DESK"})).await;
    assert_eq!(anna.graphql("{ sessions { totalCount } }", json!({})).await.outcome(), NO);
    assert_eq!(
        anna.does("addHealthEntry", json!({"patientId": patient.id, "kind": "ALLERGY", "text": "Latex"}), "__typename")
            .await
            .outcome(),
        NO
    );
    member = change(&member, json!({"role": "PRACTITIONER"})).await;
    anna.health_entry(&patient).await;

    member = change(&member, json!({"active": false})).await;
    assert_eq!(anna.graphql("{ me { id } }", json!({})).await.outcome(), "UNAUTHENTICATED");
    let input = json!({"legalName": {"given": "New", "family": "New"}, "birthDate": "1980-01-01"});
    assert_eq!(anna.does("registerPatient", input, "__typename").await.outcome(), "UNAUTHENTICATED");
    assert_eq!(anna.sign_in(&anna.member.email, PASSWORD).await.outcome(), "UNAUTHENTICATED");
    change(&member, json!({"active": true})).await;
    let revived = anna.graphql("{ me { id } }", json!({})).await.outcome();
    assert_eq!(revived, "UNAUTHENTICATED", "a place that is opened again revives no token");
    anna.sign_in(&anna.member.email, PASSWORD).await.ok();

    let link = admin.does("createPasswordResetLink", json!({"staffId": anna.id()}), "token").await.ok();
    let reset = json!({"token": link["createPasswordResetLink"]["token"], "newPassword": "another one for the tests"});
    clinic.anonymous().does("resetPassword", reset, "reset").await.ok();
    assert_eq!(
        anna.graphql("{ me { id } }", json!({})).await.outcome(),
        "UNAUTHENTICATED",
        "a new password ends the sign-ins"
    );
    assert_eq!(anna.sign_in(&anna.member.email, PASSWORD).await.outcome(), "UNAUTHENTICATED");
    anna.sign_in(&anna.member.email, "another one for the tests").await.ok();
}

/// Asks until the answer is as wanted: for what the service does beside a request.
async fn until(sql: &Sql, question: &str, wanted: &str) {
    let start = Instant::now();
    while sql.one(question).await != wanted {
        assert!(start.elapsed() < Duration::from_secs(10), "{question} is not {wanted}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_ends_when_it_is_idle_and_when_it_is_old() {
    // The clock of the rows is moved instead of waiting.
    let clinic = Clinic::with(&["--sign-in-idle", "90s", "--sign-in-lifetime", "1h"]).await;
    let sql = clinic.database.superuser().await;
    let anna = clinic.sign_in_again(&clinic.north, Role::Practitioner).await;
    let mine = "created_at = (SELECT max(created_at) FROM sign_in)";
    let lifetime =
        sql.one(&format!("SELECT extract(epoch FROM expires_at - created_at)::int FROM sign_in WHERE {mine}")).await;
    assert_eq!(lifetime, "3600");
    let idle_for = async |seconds: u32| {
        sql.run(&format!("UPDATE sign_in SET last_seen_at = now() - interval '{seconds} s' WHERE {mine}")).await;
    };
    idle_for(80).await;
    anna.ask("{ me { id } }").await;
    until(&sql, &format!("SELECT last_seen_at > now() - interval '20 s' FROM sign_in WHERE {mine}"), "t").await;
    idle_for(91).await;
    assert_eq!(anna.graphql("{ me { id } }", json!({})).await.outcome(), "UNAUTHENTICATED", "idle for 91 s of 90");

    let anna = clinic.sign_in_again(&clinic.north, Role::Practitioner).await;
    anna.ask("{ me { id } }").await;
    sql.run(&format!("UPDATE sign_in SET expires_at = now() WHERE {mine}")).await;
    assert_eq!(anna.graphql("{ me { id } }", json!({})).await.outcome(), "UNAUTHENTICATED", "over its lifetime");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_kept_as_its_hash_only() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    anna.patient("Zoë", "Ramírez").await;
    anna.ask("{ patients { nodes { id } } }").await;
    let sql = clinic.database.superuser().await;
    let token = &anna.member.token;
    assert_eq!(sql.one(&format!("SELECT count(*) FROM sign_in WHERE token_hash = sha256('{token}')")).await, "1");
    for table in sql
        .column("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')")
        .await
    {
        assert_eq!(
            sql.one(&format!("SELECT count(*) FROM {table} AS t WHERE t::text LIKE '%{}%'", &token[8..])).await,
            "0",
            "{table}"
        );
    }
}
