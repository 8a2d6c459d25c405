//! The access log: one row for every look.

use crate::support::*;

/// The rows of the north's access log after a number: event, operation, actor, patients.
async fn looks_after(sql: &Sql, clinic: &Clinic, seq: i64) -> Vec<(String, String, String, Vec<String>)> {
    let rows = sql
        .rows(&format!(
            "SELECT event, operation, coalesce(actor_id::text, ''), array_to_string(patient_ids, ' ') FROM access_log \
        WHERE org_id = '{}' AND seq > {seq} ORDER BY seq",
            clinic.north.uuid
        ))
        .await;
    rows.into_iter()
        .map(|row| {
            let text = |i: usize| row[i].clone().unwrap_or_default();
            (text(0), text(1), text(2), text(3).split_whitespace().map(str::to_owned).collect())
        })
        .collect()
}

async fn last_look(sql: &Sql, clinic: &Clinic) -> i64 {
    sql.one(&format!("SELECT seq FROM access_log_head WHERE org_id = '{}'", clinic.north.uuid))
        .await
        .parse()
        .expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_look_at_a_patient_is_in_the_access_log_with_whom_it_showed() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (zoe, ian) = (anna.patient("Zoë", "Ramírez").await, anna.patient("Iñaki", "Sol").await);
    let session = anna.signed_session(&zoe).await;
    let (consultation, note) = (anna.consultation(&zoe).await, anna.note(&session).await);
    let (addendum, health) = (anna.addendum(&session).await, anna.health_entry(&zoe).await);
    let sql = clinic.database.superuser().await;
    let both = [&zoe, &ian];
    let node = |record: &Made| format!("{{ node(id: \"{}\") {{ id }} }}", record.id);
    for (query, root, shown) in [
        ("{ me { displayName } organisation { name } }".to_owned(), "me", &both[..0]),
        ("{ staff { nodes { displayName } } }".to_owned(), "staff", &both[..0]),
        (format!("{{ patient(id: \"{}\") {{ displayName }} }}", ian.id), "patient", &both[1..]),
        ("{ patients { nodes { chartNumber } } }".to_owned(), "patients", &both[..]),
        (
            "{ patients(first: 1, orderBy: {field: NAME, direction: DESC}) { nodes { id } } }".to_owned(),
            "patients",
            &both[1..],
        ),
        (format!("{{ session(id: \"{}\") {{ note }} }}", session.id), "session", &both[..1]),
        ("{ sessions { edges { cursor } nodes { startedAt } } }".to_owned(), "sessions", &both[..1]),
        ("{ consultations { nodes { goals } } }".to_owned(), "consultations", &both[..1]),
        ("{ aftercareNotes { nodes { text } } }".to_owned(), "aftercareNotes", &both[..1]),
        ("{ healthEntries { nodes { text } } }".to_owned(), "healthEntries", &both[..1]),
        ("{ addenda { nodes { text } } }".to_owned(), "addenda", &both[..1]),
        (node(&consultation), "node", &both[..1]),
        (node(&note), "node", &both[..1]),
        (node(&addendum), "node", &both[..1]),
        (node(&health), "node", &both[..1]),
        (node(&ian), "node", &both[1..]),
        (format!("{{ nodes(ids: [\"{}\", \"{}\"]) {{ id }} }}", session.id, ian.id), "nodes", &both[..]),
    ] {
        let before = last_look(&sql, &clinic).await;
        anna.ask(&query).await;
        // At once: the row is there before the answer is.
        let looks = looks_after(&sql, &clinic, before).await;
        let mut patients: Vec<String> = shown.iter().map(|patient| uuid_of(&patient.id).to_string()).collect();
        patients.sort();
        let expected = ("read".to_owned(), root.to_owned(), uuid_of(anna.id()).to_string(), patients);
        assert_eq!(looks, if shown.is_empty() { vec![] } else { vec![expected] }, "{query}");
    }
    // A write shows what it answers with.
    let before = last_look(&sql, &clinic).await;
    let ian = anna.make("updatePatient", "patient", ian.edit_with(json!({"patch": {"gender": "man"}}))).await;
    let shown = (
        "read".to_owned(),
        "updatePatient".to_owned(),
        uuid_of(anna.id()).to_string(),
        vec![uuid_of(&ian.id).to_string()],
    );
    assert_eq!(looks_after(&sql, &clinic, before).await, [shown]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_shown_that_the_access_log_does_not_hold() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    let query = format!("{{ patient(id: \"{}\") {{ displayName }} }}", patient.id);
    let sql = clinic.database.superuser().await;
    sql.run("REVOKE INSERT ON access_log FROM clinic_app").await;
    let answer = anna.graphql(&query, json!({})).await;
    assert_eq!((answer.code(), answer.status.as_u16(), &answer.data), ("UNAVAILABLE", 503, &Value::Null));
    assert!(!answer.text.contains("Zoë"), "{}", answer.text);
    anna.ask("{ me { id } }").await;
    sql.run("GRANT INSERT ON access_log TO clinic_app").await;
    anna.ask(&query).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_refused_or_not_and_refusals_are_in_the_access_log() {
    let clinic = Clinic::start().await;
    let sql = clinic.database.superuser().await;
    let desk = clinic.front_desk();
    let who = uuid_of(desk.id()).to_string();
    let row =
        |event: &str, operation: &str| (event.to_owned(), operation.to_owned(), who.clone(), Vec::<String>::new());

    let before = last_look(&sql, &clinic).await;
    let again = clinic.sign_in_again(&clinic.north, Role::FrontDesk).await;
    assert_eq!(looks_after(&sql, &clinic, before).await, [row("signed_in", "signIn")]);

    let before = last_look(&sql, &clinic).await;
    again.ask("mutation { signOut { signedOut } }").await;
    assert_eq!(looks_after(&sql, &clinic, before).await, [row("signed_out", "signOut")]);

    let before = last_look(&sql, &clinic).await;
    clinic.anonymous().sign_in(&desk.member.email, "a wrong password").await;
    clinic.refusals_logged().await;
    assert_eq!(looks_after(&sql, &clinic, before).await, [row("sign_in_refused", "signIn")]);

    let before = last_look(&sql, &clinic).await;
    desk.graphql("{ sessions { totalCount } }", json!({})).await;
    desk.does("addLocation", json!({"name": "Elsewhere", "timeZone": "Europe/Madrid"}), "__typename").await;
    assert_eq!(looks_after(&sql, &clinic, before).await, [row("refused", "sessions"), row("refused", "addLocation")]);
}
