//! Many writers at once: what was acknowledged is kept, once; who lost is told.

use crate::binary::verify;
use crate::retries::PATIENT;
use crate::support::*;
use std::collections::BTreeMap;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_writers_lose_nothing_that_was_acknowledged() {
    const DRAFTS: usize = 8;
    const WRITERS: usize = 200;
    let clinic = Clinic::with(PATIENT).await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let mut drafts = Vec::new();
    for _ in 0..DRAFTS {
        drafts.push(anna.started_session(&patient).await.id);
    }
    let writers = (0..WRITERS).map(|i| {
        let (anna, id) = (anna.clone(), drafts[i % DRAFTS].clone());
        tokio::spawn(async move {
            let note = format!("writer {i}");
            let mut expected = 1;
            // Every third gives up when somebody else was first; the others bring their change in again.
            loop {
                let input = json!({"id": id, "expectedVersion": expected, "patch": {"note": note}});
                let answer = anna.does("updateSession", input, "session { version note }").await;
                if answer.errors.is_empty() {
                    let session = &answer.data["updateSession"]["session"];
                    assert_eq!((&session["version"], &session["note"]), (&json!(expected + 1), &json!(note)));
                    return Some((id, expected + 1, note));
                }
                assert_eq!(answer.code(), "CONFLICT", "{}", answer.text);
                let current = answer.errors[0]["extensions"]["currentVersion"].as_i64().expect("the current version");
                assert!(current > expected, "{current} is not after {expected}");
                expected = current;
                if i % 3 == 0 {
                    return None;
                }
            }
        })
    });
    let mut acknowledged = BTreeMap::new();
    let mut lost = 0;
    for writer in writers.collect::<Vec<_>>() {
        match writer.await.unwrap() {
            Some((id, version, note)) => {
                let before = acknowledged.insert((uuid_of(&id).to_string(), version), note);
                assert_eq!(before, None, "one version was acknowledged twice");
            }
            None => lost += 1,
        }
    }
    assert!(lost >= WRITERS / 3 - 2 * DRAFTS, "of those who gave up at most a few came first: {lost}");
    assert_eq!(acknowledged.len() + lost, WRITERS);

    let sql = clinic.database.superuser().await;
    sql.plain_ledger("action = 'update'").await;
    let rows = sql
        .rows("SELECT record_id, version, content::jsonb ->> 'note' FROM ledger WHERE action = 'update' ORDER BY seq")
        .await;
    let text = |column: &Option<String>| column.clone().unwrap();
    let in_ledger: Vec<_> =
        rows.iter().map(|row| ((text(&row[0]), text(&row[1]).parse::<i64>().unwrap()), text(&row[2]))).collect();
    assert_eq!(in_ledger.len(), acknowledged.len(), "each once");
    assert_eq!(in_ledger.into_iter().collect::<BTreeMap<_, _>>(), acknowledged);
    for id in &drafts {
        let uuid = uuid_of(id).to_string();
        let versions: Vec<i64> =
            acknowledged.keys().filter(|(record, _)| *record == uuid).map(|(_, version)| *version).collect();
        let newest = *versions.last().unwrap();
        assert_eq!(versions, (2..=newest).collect::<Vec<_>>(), "without a gap");
        let read = anna.graphql("query ($id: ID!) { session(id: $id) { version note } }", json!({"id": id})).await.ok();
        assert_eq!(
            read["session"],
            json!({"version": newest, "note": acknowledged[&(uuid, newest)]}),
            "the last one holds"
        );
    }
    verify(&clinic.database.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_of_every_kind_share_one_gapless_ledger() {
    let clinic = Clinic::with(PATIENT).await;
    let (anna, desk) = (clinic.practitioner(), clinic.front_desk());
    let patient = anna.patient("Ada", "Lovelace").await;
    let session = anna.session(&patient).await;
    let consultation = anna.consultation(&patient).await;
    let works = (0..40).map(|i| {
        let (anna, desk, patient, session, consultation) =
            (anna.clone(), desk.clone(), patient.clone(), session.clone(), consultation.clone());
        tokio::spawn(async move {
            match i % 5 {
                0 => desk.patient(&format!("Given{i}"), "Family").await.id,
                1 => anna.session(&patient).await.id,
                2 => anna.note(&session).await.id,
                3 => anna.health_entry(&patient).await.id,
                _ => anna
                    .does(
                        "updateConsultation",
                        consultation.edit_with(json!({"patch": {"goals": format!("{i}")}})),
                        "consultation { id }",
                    )
                    .await
                    .outcome(),
            }
        })
    });
    let mut outcomes = Vec::new();
    for work in works.collect::<Vec<_>>() {
        outcomes.push(work.await.unwrap());
    }
    let won = outcomes.iter().filter(|outcome| *outcome == "ok").count();
    let lost = outcomes.iter().filter(|outcome| *outcome == "CONFLICT").count();
    assert_eq!((won, lost), (1, 7), "one edit of the consultation wins");
    let sql = clinic.database.superuser().await;
    let gaps = format!("SELECT max(seq) - count(*) FROM ledger WHERE org_id = '{}'", clinic.north.uuid);
    assert_eq!(sql.one(&gaps).await, "0");
    verify(&clinic.database.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_sign_and_edit_at_once_one_wins_whole() {
    let clinic = Clinic::with(PATIENT).await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    for i in 0..12 {
        let session = anna.session(&patient).await;
        let edit = session.edit_with(json!({"patch": {"note": format!("late {i}"), "areas": [{"area": "SCALP", "needleDepthMm": "1", "passes": 1}]}}));
        let (signed, edited) = tokio::join!(
            anna.does("signSession", session.edit(), "session { version }"),
            anna.does("updateSession", edit, "session { version }"),
        );
        let query = "query ($id: ID!) { session(id: $id) { version note areas { area } signature { signedAt } } }";
        let read = anna.graphql(query, json!({"id": session.id})).await.ok()["session"].clone();
        assert_eq!(read["version"], 2);
        match (signed.outcome().as_str(), edited.outcome().as_str()) {
            ("ok", "RECORD_SIGNED" | "CONFLICT") => {
                assert_eq!((&read["note"], read["areas"].as_array().unwrap().len()), (&json!("Tolerated well."), 2));
                assert_ne!(read["signature"], Value::Null);
            }
            ("CONFLICT", "ok") => {
                assert_eq!((&read["areas"], &read["signature"]), (&json!([{"area": "SCALP"}]), &Value::Null))
            }
            other => panic!("{other:?}"),
        }
    }
}
