//! Who is told what, and what is left of it in the access log.

use super::{FEED, all, brief, now, page};
use crate::support::*;
use std::collections::BTreeSet;

fn kinds_of(changes: &[Value]) -> BTreeSet<&str> {
    changes.iter().map(|change| change["kind"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_told_of_what_they_may_read() {
    let clinic = Clinic::start().await;
    let (anna, admin, desk) = (clinic.practitioner(), clinic.admin(), clinic.front_desk());
    let begin = now(&anna).await;
    let patient = anna.patient("Ada", "Lovelace").await;
    anna.session(&patient).await;
    anna.device("Dermapen 4").await;
    let program = async |scopes: &[&str]| {
        let service = admin.service_account(&scopes.join(" "), scopes).await;
        let (_, secret) = admin.api_key(&service, json!({})).await;
        clinic.anonymous().with_token(&secret)
    };
    let (clinical, _) = all(&anna, &begin, json!({})).await;
    assert!(kinds_of(&clinical).is_superset(&["DEVICE", "PATIENT", "TREATMENT_SESSION"].into()));
    let (changes, _) = all(&desk, &begin, json!({})).await;
    assert_eq!(kinds_of(&changes), ["DEVICE", "PATIENT"].into(), "nothing clinical");
    let (changes, _) = all(&program(&["CATALOGUE_READ"]).await, &begin, json!({})).await;
    assert_eq!((changes.len(), brief(&changes[0])), (1, "DEVICE CREATE".to_owned()));
    assert!(changes[0]["actorId"].is_null() && changes[0]["requestId"].is_null(), "{}", changes[0]);
    let reader = program(&["PATIENTS_READ", "CLINICAL_READ", "ORGANISATION_READ"]).await;
    let (changes, _) = all(&reader, &begin, json!({"kinds": ["PATIENT"]})).await;
    assert_eq!((&changes[0]["recordId"], &changes[0]["actorId"]), (&json!(patient.id), &json!(anna.id())));
    // Who may read the access log is told of the request too.
    let (changes, _) = all(&clinic.auditor(), &begin, json!({})).await;
    assert!(changes[0]["requestId"].is_string(), "{}", changes[0]);
    for (who, kind) in [(&*desk, "TREATMENT_SESSION"), (&reader, "DEVICE"), (&*anna, "SERVICE_ACCOUNT")] {
        let answer = who.graphql(FEED, json!({"kinds": ["PATIENT", kind]})).await;
        assert_eq!(answer.code(), "FORBIDDEN", "{kind} {}", answer.text);
    }
    // The other organisation has a ledger of its own.
    let (changes, _) = all(&clinic.stranger(), &Value::Null, json!({"kinds": ["PATIENT", "DEVICE"]})).await;
    assert_eq!(changes, [Value::Null; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_holds_nobody_up_and_is_announced_once_it_is_not() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin().because("The tables"));
    let (patient, other) = (anna.patient("Ada", "Lovelace").await, anna.patient("Ian", "Smith").await);
    anna.health_entry(&patient).await;
    let restriction =
        admin.make("restrictPatient", "restriction", json!({"patientId": patient.id, "reason": "Works here"})).await;
    let begin = now(&anna).await;
    let reasoned = anna.because("She asked me to");
    reasoned.session(&patient).await;
    let nothing = page(&anna, &begin, json!({})).await;
    assert_eq!((&nothing["nodes"], &nothing["pageInfo"]["hasNextPage"]), (&json!([]), &json!(false)));
    assert_ne!(nothing["pageInfo"]["endCursor"], begin, "the cursor goes past it");
    let (all_of_it, _) = all(&anna, &Value::Null, json!({})).await;
    assert!(!json!(all_of_it).to_string().contains(&patient.id));
    let (seen, _) = all(&reasoned, &begin, json!({})).await;
    assert_eq!(seen[0]["patientId"], json!(patient.id));
    let then = nothing["pageInfo"]["endCursor"].clone();
    anna.session(&other).await;
    admin.make("liftPatientRestriction", "restriction", restriction.edit_with(json!({"reason": "Left"}))).await;
    let (changes, _) = all(&anna, &then, json!({"kinds": ["PATIENT", "TREATMENT_SESSION"]})).await;
    assert_eq!(changes.iter().map(brief).collect::<Vec<_>>(), ["TREATMENT_SESSION CREATE", "PATIENT UPDATE REOPENED"]);
    assert_eq!(changes[1]["recordId"], json!(patient.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_one_look_at_those_whom_it_shows() {
    let clinic = Clinic::start().await;
    let (anna, sql) = (clinic.practitioner(), clinic.database.superuser().await);
    let begin = now(&anna).await;
    let patients = [anna.patient("Ada", "Lovelace").await, anna.patient("Ian", "Smith").await];
    anna.session(&patients[0]).await;
    let looks = async || {
        sql.column("SELECT operation || ' ' || array_to_string(patient_ids, ' ') FROM access_log ORDER BY seq").await
    };
    let before = looks().await.len();
    page(&anna, &begin, json!({"first": 2})).await;
    let (_, end) = all(&anna, &begin, json!({})).await;
    let mut expected: Vec<String> = patients.iter().map(|it| uuid_of(&it.id).to_string()).collect();
    expected.sort();
    let expected = format!("changes {}", expected.join(" "));
    assert_eq!(looks().await[before..], [expected.clone(), expected]);
    // Nothing was shown, and nobody.
    page(&anna, &end, json!({})).await;
    page(&anna, &json!("now"), json!({})).await;
    assert_eq!(looks().await.len(), before + 2);
}
