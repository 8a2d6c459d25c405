//! What was published, agreed to, stored, done or signed stays as it was, whatever the role that serves is made to do: by
//! one transaction or by two at once.

mod ended;
mod fixed;

use crate::care::{checked_session, ready};
use crate::support::*;
use std::time::Duration;
use uuid::Uuid;

/// A connection of the role that serves, in the north, to which no patient is closed.
async fn app(clinic: &Clinic) -> Sql {
    let app = clinic.database.app(Some(clinic.north.uuid)).await;
    app.run("SET app.opened = 'all'").await;
    app
}

/// What puts a copy of a signed session's part into a session.
fn copied(table: &str, from: Uuid, into: Uuid) -> String {
    let (id, columns) = match table {
        "session_area" => ("id, ", "org_id, area, side, needle_depth_mm, passes, note"),
        "session_check" => ("", "org_id, rule, verdict, cause"),
        _ => ("id, ", "org_id, role, product, lot, intradermal_use"),
    };
    let new_id = id.replace("id", "gen_random_uuid()");
    format!(
        "INSERT INTO {table} ({id}position, session_id, {columns}) SELECT {new_id}90, '{into}', {columns} FROM {table} \
         WHERE session_id = '{from}' AND position = 0"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_from_before_the_signature_puts_nothing_in_and_takes_nothing_out() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (patient, _) = ready(&anna).await;
    let pattern = uuid_of(&anna.sign_session(&checked_session(&anna, &patient).await).await.id);
    for level in ["REPEATABLE READ", "SERIALIZABLE", "READ COMMITTED"] {
        for table in ["session_area", "product_use", "session_check"] {
            let draft = checked_session(&anna, &patient).await;
            let id = uuid_of(&draft.id);
            let late = app(&clinic).await;
            let parts = format!("SELECT count(*) FROM {table} WHERE session_id = '{id}'");
            let before = late.one(&parts).await;
            for statement in [copied(table, pattern, id), format!("DELETE FROM {table} WHERE session_id = '{id}'")] {
                // It works on a draft, and is taken back.
                late.run(&format!("BEGIN ISOLATION LEVEL {level}; {statement}; ROLLBACK")).await;
            }
            let mut pictures = Vec::new();
            for statement in [copied(table, pattern, id), format!("DELETE FROM {table} WHERE session_id = '{id}'")] {
                let late = app(&clinic).await;
                late.run(&format!("BEGIN ISOLATION LEVEL {level}")).await;
                late.one(&parts).await;
                pictures.push((late, statement));
            }
            anna.sign_session(&draft).await;
            for (late, statement) in pictures {
                match late.try_run(&statement).await {
                    Ok(touched) => assert_eq!(touched, 0, "{level} {statement}"),
                    Err(refused) => {
                        assert!(
                            refused.starts_with("40001") || refused.starts_with("42501"),
                            "{level} {statement}: {refused}"
                        );
                    }
                }
                let _ = late.try_run("COMMIT").await;
            }
            assert_eq!(late.one(&parts).await, before, "{level} {table}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_in_while_somebody_signs_is_under_the_signature() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    let pattern = uuid_of(&anna.signed_session(&patient).await.id);
    let draft = anna.session(&patient).await;
    let id = uuid_of(&draft.id);
    let early = app(&clinic).await;
    early.run("BEGIN").await;
    early.run(&copied("session_area", pattern, id)).await;
    let signing = tokio::spawn({
        let (anna, draft) = (anna.clone(), draft.clone());
        async move { anna.sign_session(&draft).await }
    });
    tokio::time::sleep(Duration::from_millis(400)).await;
    early.run("COMMIT").await;
    signing.await.expect("signed");
    let sealed = format!(
        "SELECT jsonb_array_length(content::jsonb -> 'areas') FROM ledger WHERE record_id = '{id}' AND action = 'sign'"
    );
    clinic.database.superuser().await.plain_ledger("action = 'sign'").await;
    let there = early.one(&format!("SELECT count(*) FROM session_area WHERE session_id = '{id}'")).await;
    assert_eq!((early.one(&sealed).await, there.as_str()), ("3".to_owned(), "3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_takes_the_place_of_a_draft_that_was_erased() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let patient = anna.patient("Zoë", "Ramírez").await;
    let text = anna.consent_text("DATA", json!({})).await;
    let given = uuid_of(&anna.consent(&patient, &text, json!({})).await.id);
    let whole = format!("SELECT to_jsonb(c) FROM consent c WHERE id = '{given}'");
    for level in ["REPEATABLE READ", "SERIALIZABLE", "READ COMMITTED"] {
        let gone = anna.patient("Gone", "Soon").await;
        let draft = uuid_of(&anna.proposed_consent(&gone, &text).await.id);
        let late = app(&clinic).await;
        let before = late.one(&whole).await;
        let forge = format!(
            "UPDATE consent SET id = '{draft}', text_hash = sha256('x'), signer_name = 'Somebody Else' WHERE id = '{given}'"
        );
        // While the draft is there, its key is taken.
        let taken = late.try_run(&forge).await.expect_err("two of one key");
        assert!(taken.starts_with("23505"), "{level}: {taken}");
        late.run(&format!("BEGIN ISOLATION LEVEL {level}")).await;
        late.one("SELECT count(*) FROM consent").await;
        admin.make("erasePatient", "erasure", crate::access::erasing(&admin, &gone).await).await;
        let refused = late.try_run(&forge).await.expect_err("it was erased");
        assert!(refused.starts_with("40001"), "{level}: {refused}");
        late.run("ROLLBACK").await;
        assert_eq!(late.one(&whole).await, before, "{level}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_end_a_consent_at_once_one_does_and_the_others_are_told() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    let text = anna.consent_text("DATA", json!({})).await;
    for _ in 0..5 {
        let consent = anna.consent(&patient, &text, json!({})).await;
        let ends = (0..8).map(|i| {
            let mutation = if i % 2 == 0 { "withdrawConsent" } else { "markConsentEnteredInError" };
            let input = json!({"id": consent.id, "expectedVersion": consent.version, "reason": "Asked to"});
            let anna = anna.clone();
            tokio::spawn(async move { anna.does(mutation, input, "consent { version }").await })
        });
        let mut done = 0;
        for end in ends.collect::<Vec<_>>() {
            let answer = end.await.expect("an answer");
            if answer.errors.is_empty() {
                done += 1;
            } else {
                assert_eq!(answer.code(), "CONFLICT", "{}", answer.text);
            }
        }
        assert_eq!(done, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_changed_until_somebody_else_publishes_it() {
    let clinic = Clinic::start().await;
    let (anna, patient) = (clinic.practitioner(), clinic.practitioner().patient("Zoë", "Ramírez").await);
    let publish = "status = 'published', published_at = now()";
    for level in ["READ COMMITTED", "REPEATABLE READ"] {
        let draft = uuid_of(&anna.consent_draft("DATA", json!({})).await.version.id);
        let text = anna.consent_text("DATA", json!({})).await;
        let proposed = uuid_of(&anna.proposed_consent(&patient, &text).await.id);
        let give = "status = 'active', given_at = now(), signer = 'patient', signer_name = 'Zoë', signature_method = 'typed_name', signature_hash = sha256('x')";
        for (table, id, holds, change) in [
            ("consent_template_version", draft, publish, "text = 'x'"),
            ("consent", proposed, give, "text_hash = sha256('x')"),
        ] {
            let (first, late) = (app(&clinic).await, app(&clinic).await);
            let change = format!("UPDATE {table} SET {change} WHERE id = '{id}'");
            assert_eq!(late.run(&format!("BEGIN; {change}")).await, 1, "{table}: a draft");
            late.run("ROLLBACK").await;
            late.run(&format!("BEGIN ISOLATION LEVEL {level}")).await;
            late.one(&format!("SELECT version FROM {table} WHERE id = '{id}'")).await;
            first.run("BEGIN").await;
            first.run(&format!("UPDATE {table} SET {holds} WHERE id = '{id}'")).await;
            let waiting = tokio::spawn(async move { late.try_run(&change).await });
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert!(!waiting.is_finished(), "it waits for the other");
            first.run("COMMIT").await;
            let refused = waiting.await.expect("an end").expect_err("it holds by now");
            assert!(refused.starts_with("42501") || refused.starts_with("40001"), "{level} {table}: {refused}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drawn_signature_is_the_one_that_the_consent_names() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    let text = anna.consent_text("DATA", json!({})).await;
    let typed = uuid_of(&anna.consent(&patient, &text, json!({})).await.id);
    let proposed = uuid_of(&anna.proposed_consent(&patient, &text).await.id);
    let app = app(&clinic).await;
    for consent in [typed, proposed] {
        let add = format!(
            "INSERT INTO consent_signature (org_id, consent_id, media_type, image) VALUES ('{}', '{consent}', 'image/png', 'x')",
            clinic.north.uuid
        );
        let refused = app.try_run(&add).await.expect_err("nobody drew it");
        assert!(refused.starts_with("42501 new row violates row-level security"), "{refused}");
    }
    let drawn = json!({"typedName": null, "signatureImage": SIGNATURE_PNG});
    anna.consent(&patient, &text, drawn).await;
    assert_eq!(app.one("SELECT count(*) FROM consent_signature").await, "1");
}
