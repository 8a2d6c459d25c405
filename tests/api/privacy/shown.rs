//! Every look leaves a row that names who was shown.

use super::{CLOSED, NO, ids_in, looks, owners, queries, restrict, sees};
use crate::access::{chart, merging, query};
use crate::support::*;
use std::collections::BTreeSet;

#[tokio::test(flavor = "multi_thread")]
async fn what_an_error_tells_of_a_patient_is_a_look() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let (patient, other) = (anna.patient("Ada", "Lovelace").await, anna.patient("Eve", "Lovelace").await);
    // The medicine blocks every session of the patient.
    let signed = anna.signed_session(&other).await;
    let begun = anna.started_session(&other).await;
    let medicine = json!({"patientId": patient.id, "kind": "MEDICATION", "code": "isotretinoin", "text": "20 mg"});
    anna.make("addHealthEntry", "healthEntry", medicine).await;
    let protocol = anna.protocol().await.version;
    let blocked = json!({"patientId": patient.id, "locationId": anna.location, "modality": "MICRONEEDLING",
        "protocolVersionId": protocol.clone()});
    let session = anna.session_with(&patient, json!({"protocolVersionId": protocol})).await;
    let mut input = blocked.clone();
    input["status"] = json!("PREPARATION");
    let prepared = anna.make("startSession", "session", input).await;
    let both = [&patient, &other];
    let told = [
        (&anna, "startSession", blocked, "PROTOCOL_BLOCKED", &both[..1]),
        (
            &anna,
            "updateSession",
            prepared.edit_with(json!({"patch": {"status": "IN_PROGRESS"}})),
            "PROTOCOL_BLOCKED",
            &both[..1],
        ),
        (&anna, "signSession", session.edit(), "PROTOCOL_BLOCKED", &both[..1]),
        (&anna, "signSession", begun.edit(), "BAD_USER_INPUT", &both[1..]),
        (&anna, "updateSession", signed.edit_with(json!({"patch": {"note": "x"}})), "RECORD_SIGNED", &both[1..]),
        (
            &anna,
            "updatePatient",
            json!({"id": patient.id, "expectedVersion": 99, "patch": {"phone": "+34600000009"}}),
            "CONFLICT",
            &both[..1],
        ),
        (&admin, "mergePatients", merging(&patient, &other, json!({})), "BAD_USER_INPUT", &both[..]),
    ];
    let sql = clinic.database.superuser().await;
    let rows = async || sql.one("SELECT count(*) FROM access_log").await.parse::<i64>().expect("a number");
    for (who, mutation, input, code, whose) in told {
        let before = rows().await;
        let answer = who.does(mutation, input, "__typename").await;
        assert_eq!(answer.outcome(), code, "{mutation} {}", answer.text);
        assert_eq!(rows().await, before + 1, "{mutation} {code}");
        let look = looks(&clinic, 1).await.remove(0);
        let expected = ["read".to_owned(), mutation.to_owned(), String::new(), uuid_of(who.id()).to_string()];
        assert_eq!(look[..4], expected, "{mutation} {code}");
        let named: BTreeSet<&str> = look[4].split(' ').collect();
        let whose: Vec<String> = whose.iter().map(|it| uuid_of(&it.id).to_string()).collect();
        assert_eq!(named, whose.iter().map(String::as_str).collect(), "{mutation} {code}");
    }
    // What tells of nobody leaves no look.
    let before = rows().await;
    let faulty = json!({"legalName": {"given": "", "family": ""}, "birthDate": "2999-01-01"});
    assert_eq!(anna.does("registerPatient", faulty, "__typename").await.code(), "BAD_USER_INPUT");
    let absent = json!({"id": new_id("session"), "expectedVersion": 1});
    assert_eq!(anna.does("signSession", absent, "__typename").await.code(), "NOT_FOUND");
    let foreign = clinic.of(&clinic.south, Role::Practitioner);
    assert_ne!(foreign.does("signSession", session.edit(), "__typename").await.outcome(), "ok");
    assert_eq!(rows().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn that_a_list_goes_on_is_a_look_at_who_comes_next() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (ada, eve) = (anna.patient("Ada", "Lovelace").await, anna.patient("Eve", "Lovelace").await);
    for patient in [&ada, &eve] {
        anna.health_entry(patient).await;
    }
    let (ada_row, eve_row) = (uuid_of(&ada.id).to_string(), uuid_of(&eve.id).to_string());
    let lists = [
        (
            "healthEntries",
            "{ pageInfo { hasNextPage } }",
            format!("first: 0, filter: {{patientId: \"{}\"}}", ada.id),
            vec![&ada_row],
        ),
        (
            "healthEntries",
            "{ pageInfo { hasPreviousPage } }",
            format!("last: 0, filter: {{patientId: \"{}\"}}", eve.id),
            vec![&eve_row],
        ),
        (
            "healthEntries",
            "{ nodes { id } pageInfo { hasPreviousPage } }",
            "first: 2".to_owned(),
            vec![&ada_row, &eve_row],
        ),
        ("patients", "{ pageInfo { hasNextPage } }", "first: 0".to_owned(), vec![&ada_row]),
        ("patients", "{ nodes { id } pageInfo { hasNextPage } }", "first: 1".to_owned(), vec![&ada_row, &eve_row]),
        // Whoever does not ask whether it goes on is told of the page alone.
        ("patients", "{ nodes { id } pageInfo { hasPreviousPage } }", "first: 1".to_owned(), vec![&ada_row]),
    ];
    for (list, selection, arguments, expected) in lists {
        anna.ask(&format!("{{ {list}({arguments}) {selection} }}")).await;
        let row = looks(&clinic, 1).await.remove(0);
        let named: BTreeSet<&str> = row[4].split_whitespace().collect();
        assert_eq!((row[0].as_str(), row[1].as_str()), ("read", list));
        assert_eq!(named, expected.iter().map(|it| it.as_str()).collect(), "{list}({arguments}) {selection}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_about_one_patient_names_them() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (patient, without) = (anna.patient("Ada", "Lovelace").await, anna.patient("Eve", "Lovelace").await);
    anna.health_entry(&patient).await;
    let session = anna.session(&patient).await;
    let consultation = anna.consultation(&patient).await;
    for kind in PLAIN {
        kind.make(&anna, &patient, "Said at the visit").await;
    }
    anna.addendum(&anna.sign_session(&session).await).await;
    let sam = new_colleague(&clinic.admin(), "Sam").await;
    sam.make("countersignRecord", "countersignature", json!({"recordId": session.id, "meaning": "REVIEWER"})).await;
    supervised(&clinic.admin(), anna.id(), sam.id()).await;
    sam.sign_note(&sam.note(&session).await).await;
    anna.make("retractSignedRecord", "retraction", json!({"id": session.id, "reason": "Another patient's"})).await;
    let others = [
        "healthEntries",
        "sessions",
        "aftercareNotes",
        "consultations",
        "addenda",
        "countersignatures",
        "retractions",
        "chartReviews",
    ];
    for list in others.into_iter().chain(PLAIN.iter().map(|kind| kind.list)) {
        for (about, count) in [(&patient, 1), (&without, 0)] {
            let query = format!("query ($id: ID!) {{ {list}(filter: {{patientId: $id}}, first: 0) {{ totalCount }} }}");
            let answer = anna.graphql(&query, json!({"id": about.id})).await.ok();
            assert_eq!(answer[list]["totalCount"], count, "{list}");
            let look = looks(&clinic, 1).await.remove(0);
            let named = if count > 0 { uuid_of(&about.id).to_string() } else { String::new() };
            assert_eq!((look[1].as_str(), &look[4]), (list, &named), "{list} {count}");
        }
    }
    // So does a number about one of their records, and one of the looks at them.
    let plan = anna.plan(&consultation, &anna.protocol().await).await;
    let treated = anna.session_with(&patient, json!({"planId": plan.id})).await;
    anna.note(&treated).await;
    let named = uuid_of(&patient.id).to_string();
    let auditor = clinic.auditor();
    for (who, list, filter, of) in [
        (&anna, "sessions", "planId", &plan),
        (&anna, "aftercareNotes", "sessionId", &treated),
        (&anna, "addenda", "recordId", &session),
        (&auditor, "accessLog", "patientId", &patient),
    ] {
        let query = format!("query ($id: ID!) {{ {list}(filter: {{{filter}: $id}}, first: 0) {{ totalCount }} }}");
        let answer = who.graphql(&query, json!({"id": of.id})).await.ok();
        assert!(answer[list]["totalCount"].as_i64() >= Some(1), "{list} {answer}");
        let look = looks(&clinic, 1).await.remove(0);
        assert_eq!((look[1].as_str(), &look[4]), (list, &named), "{list}");
    }
    // What tells of patients and names nobody is a look all the same.
    for (who, list) in [(&anna, "recalls"), (&auditor, "emergencyAccesses")] {
        who.graphql(&format!("{{ {list}(first: 0) {{ totalCount }} }}"), json!({})).await.ok();
        assert_eq!(looks(&clinic, 1).await.remove(0)[1], list);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_that_shows_patients_leaves_one_row_that_names_exactly_them() {
    let clinic = Clinic::start().await;
    let chart = chart(&clinic, &clinic.north).await;
    clinic.practitioner().session(&clinic.practitioner().patient("Ian", "Smith").await).await;
    let sql = clinic.database.superuser().await;
    let mut owners = owners(&sql).await;
    let erased = sql.column("SELECT patient_id FROM patient_erasure").await;
    let erased: Vec<uuid::Uuid> = erased.iter().map(|id| id.parse().unwrap()).collect();
    let north = clinic.north.uuid;
    let newest = format!("SELECT coalesce(max(seq), 0) FROM access_log WHERE org_id = '{north}'");
    let (mut wrong, mut looks, mut refusals) = (Vec::new(), 0, 0);
    for (name, arguments, text, rights) in queries(&clinic).await {
        // The feed tells what became of their records; elsewhere their id alone is left.
        for id in &erased {
            if name == "changes" {
                owners.insert(*id, *id)
            } else {
                owners.remove(id)
            };
        }
        for role in Role::ALL {
            let who = clinic.of(&clinic.north, role);
            let before = sql.one(&newest).await;
            let answer = who.graphql(&text, chart.ids.clone()).await;
            let rows = sql
                .rows(&format!(
                    "SELECT event, operation, array_to_string(patient_ids, ' '), actor_id FROM access_log \
                    WHERE org_id = '{north}' AND seq > {before} ORDER BY seq"
                ))
                .await;
            let rows: Vec<Vec<String>> =
                rows.into_iter().map(|row| row.into_iter().map(Option::unwrap_or_default).collect()).collect();
            // What it shows, and what it was asked about.
            let mut shown = BTreeSet::new();
            ids_in(&answer.data, &mut shown);
            for (kind, id) in chart.ids.as_object().expect("ids") {
                if answer.outcome() == "ok" && arguments.contains(&format!("${kind}")) {
                    shown.insert(uuid_of(id.as_str().expect("id")));
                }
            }
            let patients: BTreeSet<String> =
                shown.iter().filter_map(|id| owners.get(id)).map(ToString::to_string).collect();
            let refused = rights[role as usize] != "ok";
            // Numbers of patients' records name nobody and are a look all the same.
            let looks_at_all = ["accessLog", "chartReviewFigures"].contains(&name);
            let read = !patients.is_empty() || (looks_at_all && !refused);
            (looks, refusals) = (looks + usize::from(read), refusals + usize::from(refused));
            let expected: Vec<(&str, BTreeSet<String>)> =
                [(read, "read", patients), (refused, "refused", BTreeSet::new())]
                    .into_iter()
                    .filter_map(|(is, event, patients)| is.then_some((event, patients)))
                    .collect();
            let actor = uuid_of(who.id()).to_string();
            let found: Vec<(&str, BTreeSet<String>)> = rows
                .iter()
                .filter(|row| row[1] == name && row[3] == actor)
                .map(|row| (row[0].as_str(), row[2].split_whitespace().map(str::to_owned).collect()))
                .collect();
            if rows.len() != found.len() || found != expected {
                wrong.push(format!("{role:?} {name}: {rows:?} instead of {expected:?} {}", answer.text));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(looks > 60 && refusals > 25, "{looks} looks, {refusals} refusals");
    // Signing in, being refused at it, signing out: one row each.
    let door = clinic.anonymous();
    let events = async |count: usize| {
        let rows = self::looks(&clinic, count).await;
        rows.into_iter().map(|row| row[0].clone()).rev().collect::<Vec<_>>()
    };
    let before: i64 = sql.one(&newest).await.parse().expect("a number");
    let again = clinic.sign_in_again(&clinic.north, Role::Practitioner).await;
    door.sign_in("practitioner@north.example", "a wrong password").await;
    clinic.refusals_logged().await;
    again.ask("mutation { signOut { signedOut } }").await;
    assert_eq!(events(3).await, ["signed_in", "sign_in_refused", "signed_out"]);
    assert_eq!(sql.one(&newest).await, (before + 3).to_string());
    assert_eq!(crate::ledger::broken(&sql, "access_log", north).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_shown_something_and_refused_something_leaves_a_row_for_each() {
    let clinic = Clinic::start().await;
    let (anna, desk) = (clinic.practitioner(), clinic.front_desk());
    let (patient, other) = (anna.patient("Zoë", "Ramírez").await, anna.patient("Ian", "Smith").await);
    let session = anna.session(&other).await;
    let uuid = |made: &Made| uuid_of(&made.id).to_string();
    let (anna_id, desk_id) = (uuid_of(anna.id()).to_string(), uuid_of(desk.id()).to_string());
    let sql = clinic.database.superuser().await;
    let newest = format!("SELECT coalesce(max(seq), 0) FROM access_log WHERE org_id = '{}'", clinic.north.uuid);
    // Everything since a number, oldest first: event, actor, patients.
    let since = async |before: &str| {
        let rows = sql
            .rows(&format!(
                "SELECT event, actor_id, array_to_string(patient_ids, ' ') FROM access_log \
                 WHERE org_id = '{}' AND seq > {before} ORDER BY seq",
                clinic.north.uuid
            ))
            .await;
        let text = |row: Vec<Option<String>>| row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>();
        rows.into_iter().map(text).collect::<Vec<_>>()
    };
    let row = |event: &str, actor: &str, patients: &str| [event, actor, patients].map(str::to_owned).to_vec();

    let before = sql.one(&newest).await;
    let text = "query ($id: ID!) { patient(id: $id) { displayName } sessions { totalCount } again: healthEntries { totalCount } }";
    assert_eq!(desk.graphql(text, json!({"id": patient.id})).await.outcome(), NO);
    assert_eq!(since(&before).await, [row("read", &desk_id, &uuid(&patient)), row("refused", &desk_id, "")]);

    // One who is closed is in the row of the refusal, and not in that of the look.
    restrict(&clinic, &other).await;
    let before = sql.one(&newest).await;
    let text = "query ($a: ID!, $b: ID!, $s: ID!) { a: patient(id: $a) { displayName } b: patient(id: $b) { displayName } \
        c: session(id: $s) { id } d: nodes(ids: [$b, $a]) { id } }";
    let ids = json!({"a": patient.id, "b": other.id, "s": session.id});
    assert_eq!(anna.graphql(text, ids).await.outcome(), CLOSED);
    let looks = [row("read", &anna_id, &uuid(&patient)), row("refused", &anna_id, &uuid(&other))];
    assert_eq!(since(&before).await, looks);

    // With a sign-in midway each refusal is on the name of who was refused, whoever was shown something.
    let change =
        |version: i32, gender: &str| json!({"id": patient.id, "expectedVersion": version, "patch": {"gender": gender}});
    let credentials = |who: &SignedIn| json!({"email": who.member.email, "password": PASSWORD});
    let text = "mutation ($one: UpdatePatientInput!, $who: SignInInput!, $two: UpdatePatientInput!) { \
        updatePatient(input: $one) { patient { displayName sessions { totalCount } } } signIn(input: $who) { staff { id } } \
        again: updatePatient(input: $two) { patient { displayName sessions { totalCount } } } }";
    for (first, second, versions) in [(&desk, &anna, (1, 2)), (&anna, &desk, (3, 4))] {
        let before = sql.one(&newest).await;
        let sent = json!({"one": change(versions.0, "a"), "who": credentials(second), "two": change(versions.1, "b")});
        let answer = first.graphql(text, sent).await;
        assert_eq!(answer.code(), NO, "{}", answer.text);
        let mut rows = since(&before).await;
        rows.sort();
        let mut expected = vec![
            row("read", &anna_id, &uuid(&patient)),
            row("read", &desk_id, &uuid(&patient)),
            row("refused", &desk_id, ""),
            row("signed_in", &uuid_of(second.id()).to_string(), ""),
        ];
        expected.sort();
        assert_eq!(rows, expected);
    }
    // The error that ends the answer is of who came last; who signs in and out and in again has one row.
    let text = "mutation ($who: SignInInput!, $them: SignInInput!, $two: AddHealthEntryInput!) { \
        a: signIn(input: $who) { staff { id } } b: signIn(input: $them) { staff { id } } c: signIn(input: $who) { staff { id } } \
        addHealthEntry(input: $two) { healthEntry { text } } }";
    let entry = json!({"patientId": patient.id, "kind": "ALLERGY", "text": "Latex"});
    let before = sql.one(&newest).await;
    let sent = json!({"who": credentials(&desk), "them": credentials(&anna), "two": entry});
    assert_eq!(anna.graphql(text, sent).await.outcome(), NO);
    let refused: Vec<_> = since(&before).await.into_iter().filter(|row| row[0] != "signed_in").collect();
    assert_eq!(refused, [row("refused", &desk_id, "")]);
    assert_eq!(crate::ledger::broken(&sql, "access_log", clinic.north.uuid).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_logged_is_not_shown() {
    let clinic = Clinic::start().await;
    let (anna, sql) = (clinic.practitioner(), clinic.database.superuser().await);
    let patient = anna.patient("Zoë", "Ramírez").await;
    for table in ["access_log", "access_log_patient"] {
        sql.run(&format!("REVOKE INSERT ON {table} FROM clinic_app")).await;
        for text in ["patient(id: $id) { displayName }", "node(id: $id) { id }", "chart(patientId: $id) { asOf }"] {
            let answer = anna.graphql(&query(text), json!({"id": patient.id})).await;
            assert_eq!(
                (answer.code(), &answer.data, answer.status.as_u16()),
                ("UNAVAILABLE", &Value::Null, 503),
                "{text}"
            );
            assert!(!answer.text.contains("Zo"), "{}", answer.text);
        }
        sql.run(&format!("GRANT INSERT ON {table} TO clinic_app")).await;
        assert_eq!(sees(&anna, &patient).await, "ok");
    }
    // Nor is a sign-in given that can't be written down.
    sql.run("REVOKE INSERT ON access_log FROM clinic_app").await;
    assert_eq!(clinic.anonymous().sign_in("admin@north.example", PASSWORD).await.outcome(), "UNAVAILABLE");
}
