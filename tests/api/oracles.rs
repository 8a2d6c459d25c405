//! Whether an e-mail has an account, and how many places, is told neither by an answer nor by what is done for it: the same
//! statements, in the same order, each waited for. Nothing here looks at a clock.

use crate::statements::{brief, end_of_log, statements};
use crate::support::*;

const WRONG: &str = "a wrong password";

/// What was done before the answer. What is done afterwards, to bring refusals to the access logs, begins with a transaction of
/// nobody's and is not waited for.
async fn done(clinic: &Clinic, asked: impl Future<Output = Answer>) -> (Answer, Vec<String>) {
    clinic.refusals_logged().await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let from = end_of_log(clinic);
    let answer = asked.await;
    let done = statements(clinic, from).await;
    let nobody = "00000000-0000-0000-0000-000000000000";
    let waited_for =
        done.into_iter().take_while(|it| !it.contains(nobody) && !it.contains("DELETE FROM refused_sign_in"));
    (answer, waited_for.map(|statement| brief(&statement)).collect())
}

/// Somebody of the south who works in the north, too.
async fn two_places(clinic: &Clinic, email: &str) {
    let input = json!({"email": email, "displayName": "Both", "role": "AUDITOR"});
    let added = clinic.admin().does("addStaff", input, "invitationToken").await.ok();
    let yes = json!({"token": added["addStaff"]["invitationToken"], "email": email, "password": PASSWORD});
    clinic.anonymous().does("acceptInvitation", yes, "accepted").await.ok();
}

async fn invited(clinic: &Clinic, email: &str) -> Value {
    let input = json!({"email": email, "displayName": "Invited", "role": "AUDITOR"});
    clinic.admin().does("addStaff", input, "invitationToken").await.ok()["addStaff"]["invitationToken"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_sign_in_does_the_same_for_every_email() {
    let clinic = Clinic::logging_statements().await;
    let (door, sql) = (clinic.anonymous(), clinic.database.superuser().await);
    two_places(&clinic, "auditor@south.example").await;
    invited(&clinic, "invited@north.example").await;
    let with_password =
        json!({"email": "front.desk@south.example", "displayName": "X", "role": "AUDITOR", "password": PASSWORD});
    clinic.admin().make("addStaff", "staff", with_password).await;
    sql.run("UPDATE account SET disabled_at = now() WHERE email = 'practitioner@south.example'").await;
    sql.run("UPDATE account SET totp_confirmed_at = now(), totp_secret = '\\x00' WHERE email = 'admin@south.example'")
        .await;
    let tried = [
        ("nobody", "nobody@nowhere.example", WRONG),
        ("somebody", "front.desk@north.example", WRONG),
        ("two places", "auditor@south.example", WRONG),
        ("a place that waits", "front.desk@south.example", WRONG),
        ("invited", "invited@north.example", WRONG),
        ("disabled", "practitioner@south.example", WRONG),
        ("disabled, with the right password", "practitioner@south.example", PASSWORD),
        ("with a second factor", "admin@south.example", WRONG),
        ("nobody again", "no.one@nowhere.example", WRONG),
    ];
    // The connections know the statements from here on.
    for _ in 0..2 {
        door.sign_in("warm@nowhere.example", WRONG).await;
    }
    for held in [false, true] {
        if held {
            sql.run("UPDATE sign_in_failure SET failures = 40, blocked_until = now() + interval '800 s' WHERE kind = 'address'").await;
        }
        let mut first: Option<(Value, Vec<String>)> = None;
        for (what, email, password) in tried {
            let (answer, done) = done(&clinic, door.sign_in(email, password)).await;
            assert_eq!(answer.outcome(), if held { "RATE_LIMITED" } else { "UNAUTHENTICATED" }, "{what}");
            let mut told = answer.errors[0].clone();
            if held {
                // How long is a matter of the address alone, and of the second.
                told["extensions"]["retryAfter"].take();
                told["message"].take();
            }
            let noted = done.iter().filter(|it| it.contains("INSERT INTO refused_sign_in")).count();
            assert_eq!(noted, usize::from(!held), "{what}: {done:?}");
            match &first {
                None => first = Some((told, done)),
                Some((expected, statements)) => {
                    assert_eq!(&told, expected, "{what}");
                    assert_eq!(&done, statements, "{what}");
                }
            }
        }
    }
    // Afterwards it is where it belongs.
    clinic.refusals_logged().await;
    let refused = |organisation: &Organisation| {
        let count = format!(
            "SELECT count(*) FROM access_log WHERE event = 'sign_in_refused' AND org_id = '{}'",
            organisation.uuid
        );
        let sql = &sql;
        async move { sql.one(&count).await }
    };
    assert_eq!((refused(&clinic.north).await.as_str(), refused(&clinic.south).await.as_str()), ("2", "5"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_link_learns_nothing_of_the_account_by_a_wrong_email() {
    let clinic = Clinic::logging_statements().await;
    let (door, sql) = (clinic.anonymous(), clinic.database.superuser().await);
    let mut links = vec![invited(&clinic, "new@north.example").await];
    links.push(invited(&clinic, "practitioner@south.example").await);
    for _ in 0..2 {
        door.sign_in("warm@nowhere.example", WRONG).await;
    }
    let mut all = Vec::new();
    for link in &links {
        sql.run("DELETE FROM sign_in_failure").await;
        let input =
            json!({"token": link, "email": "other@nowhere.example", "password": "a password of their own choice"});
        let (answer, done) = done(&clinic, door.does("acceptInvitation", input, "accepted")).await;
        assert_eq!(answer.code(), "UNAUTHENTICATED");
        all.push(done);
    }
    assert_eq!(all[0], all[1]);
    clinic.refusals_logged().await;
    let south =
        format!("SELECT count(*) FROM access_log WHERE event = 'sign_in_refused' AND org_id = '{}'", clinic.south.uuid);
    assert_eq!(sql.one(&south).await, "1", "the account's own organisation knows");
}

#[tokio::test(flavor = "multi_thread")]
async fn adding_staff_with_a_password_does_the_same_for_every_email() {
    let clinic = Clinic::logging_statements().await;
    let admin = clinic.admin();
    let mut all = Vec::new();
    for email in ["warm@nowhere.example", "nobody@nowhere.example", "practitioner@south.example"] {
        let input = json!({"email": email, "displayName": "X", "role": "AUDITOR", "password": PASSWORD});
        let (answer, done) = done(&clinic, admin.does("addStaff", input, "staff { joinedAt } invitationToken")).await;
        assert!(answer.ok()["addStaff"]["invitationToken"].is_null());
        all.push(done);
    }
    assert_eq!(all[1], all[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_was_not_logged_yet_is_logged_after_a_restart() {
    let mut clinic = Clinic::start().await;
    let sql = clinic.database.superuser().await;
    clinic.anonymous().sign_in("practitioner@north.example", WRONG).await;
    clinic.stop().await;
    let waits = sql.one("SELECT count(*) FROM refused_sign_in").await;
    let logged = "SELECT count(*) FROM access_log WHERE event = 'sign_in_refused'";
    assert_eq!((waits.as_str(), sql.one(logged).await.as_str()), ("1", "0"), "within a second");
    clinic.restart(&[]).await;
    clinic.refusals_logged().await;
    assert_eq!(sql.one(logged).await, "1");
}
