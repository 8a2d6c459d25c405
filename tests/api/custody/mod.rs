//! Legal holds, exports and erasure.

mod erased;

use crate::access::{erasing, merging};
use crate::ledger::enter;
use crate::merges::everything;
use crate::support::*;
use sha2::{Digest, Sha256};

const MARKER: &str = "xqzmarkerzqx";

/// Where a text still is: every column of every table, byte strings too, and packed contents unpacked.
async fn places_with(sql: &Sql, text: &str) -> Vec<String> {
    let tables = sql.column("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition").await;
    assert!(tables.len() > 35, "{tables:?}");
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut found = Vec::new();
    sql.run("BEGIN").await;
    sql.plain_ledger("true").await;
    for table in tables {
        let count = sql
            .one(&format!("SELECT count(*) FROM {table} AS t WHERE t::text ILIKE '%{text}%' OR t::text LIKE '%{hex}%'"))
            .await;
        if count != "0" {
            found.push(format!("{table}: {count}"));
        }
    }
    sql.run("ROLLBACK").await;
    found
}

const EXPORT: &str = "patient { id } export { format generatedAt ledgerSequence sha256 content }";

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_everything_of_one_person_and_nothing_of_another() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let patient = anna.patient_with("Zoë", MARKER, json!({"phone": "+34600123456"})).await;
    let double = anna.patient("Zoë", MARKER).await;
    let other = anna.patient("Ian", "Smith").await;
    everything(&clinic, &patient, MARKER).await;
    everything(&clinic, &other, "somebodyelse").await;
    anna.health_entry(&double).await;
    anna.make("mergePatients", "merge", merging(&double, &patient, json!({}))).await;
    anna.graphql("query ($id: ID!) { patient(id: $id) { displayName } }", json!({"id": patient.id})).await.ok();
    let answer =
        admin.does("exportPatient", json!({"patientId": patient.id}), EXPORT).await.ok()["exportPatient"].clone();
    let (export, content) = (&answer["export"], &answer["export"]["content"]);
    assert_eq!((&export["format"], &content["patientId"]), (&json!("clinic.patient/1"), &json!(patient.id)));
    let kinds: Vec<&String> = content["records"].as_object().expect("kinds").keys().collect();
    let mut wanted = clinic.database.superuser().await.column("SELECT name FROM patient_tables()").await;
    wanted.extend(["patient".to_owned(), "patient_merge".to_owned()]);
    wanted.sort();
    assert_eq!(kinds, wanted.iter().collect::<Vec<_>>());
    assert_eq!(content["records"]["patient"].as_array().map(Vec::len), Some(2), "who was merged into them too");
    assert_eq!(content["records"]["health_entry"].as_array().map(Vec::len), Some(2));
    assert_eq!(content["photos"].as_array().map(Vec::len), Some(1));
    assert_eq!(content["photos"][0]["mediaType"], "image/png");
    assert_eq!(content["drawnSignatures"].as_array().map(Vec::len), Some(1));
    // What was agreed to, in words, and each consent has its own.
    let texts = content["consentTexts"].as_array().expect("texts");
    assert_eq!(texts.len(), content["records"]["consent"].as_array().expect("consents").len());
    for (text, consent) in texts.iter().map(|text| (text, &text["consentId"])) {
        let query = "query ($id: ID!) { consent(id: $id) { templateVersion { text number language } } }";
        let shown = admin.graphql(query, json!({"id": consent})).await.ok()["consent"]["templateVersion"].clone();
        assert_eq!(
            ["text", "number", "language"].map(|it| &text[it]),
            ["text", "number", "language"].map(|it| &shown[it])
        );
    }
    assert!(content["history"].as_array().expect("history").len() > 20);
    let looks = content["accessHistory"].as_array().expect("looks");
    assert!(looks.iter().any(|look| look["operation"] == "patient" && look["by"] == json!(anna.id())), "{looks:?}");
    assert_eq!(content["staff"][anna.id()], "NORTH practitioner");
    let text = serde_json::to_string(content).expect("JSON");
    assert!(text.contains(MARKER) && !text.contains("somebodyelse") && !text.contains(&other.id));
    let digest: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(export["sha256"], json!(digest));
    // The ledger says that it was given out.
    let sql = clinic.database.superuser().await;
    let entry = sql.rows("SELECT action, record_kind, record_id FROM ledger ORDER BY org_id = (SELECT org_id FROM patient LIMIT 1) DESC, seq DESC LIMIT 1").await;
    assert_eq!(entry[0], ["export", "patient", &uuid_of(&patient.id).to_string()].map(|it| Some(it.to_owned())));
    let away = admin.does("exportPatient", json!({"patientId": double.id}), EXPORT).await;
    assert_eq!((away.outcome().as_str(), away.faults()), ("BAD_USER_INPUT", vec!["input.patientId"]));
    for (who, code) in [(clinic.practitioner(), "FORBIDDEN"), (clinic.of(&clinic.south, Role::Admin), "NOT_FOUND")] {
        assert_eq!(who.does("exportPatient", json!({"patientId": patient.id}), EXPORT).await.outcome(), code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legal_hold_keeps_a_record_until_it_is_lifted() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let patient = anna.patient("Zoë", "Ramírez").await;
    let hold = admin.make("placeLegalHold", "legalHold", json!({"patientId": patient.id, "reason": "Case 12"})).await;
    let refused = admin.does("erasePatient", erasing(&admin, &patient).await, "erasure { id }").await;
    assert_eq!((refused.outcome().as_str(), refused.faults()), ("BAD_USER_INPUT", vec!["input.patientId"]));
    assert!(refused.text.contains(&hold.id) && refused.text.contains("liftLegalHold"), "{}", refused.text);
    let query = "query ($id: ID!) { patient(id: $id) { legalHolds { id reason placedBy { id } liftedAt } } }";
    let shown = anna.graphql(query, json!({"id": patient.id})).await.ok();
    assert_eq!(
        shown["patient"]["legalHolds"],
        json!([{"id": hold.id, "reason": "Case 12", "placedBy": {"id": admin.id()}, "liftedAt": null}])
    );
    // The database itself refuses too, whoever asks it.
    let app = clinic.database.app(Some(clinic.north.uuid)).await;
    let erased = uuid_of(&patient.id);
    let refused = app.try_run(&format!("SELECT records_to_erase('{erased}')")).await;
    assert_eq!(refused.expect_err("a hold"), "P0001 under legal hold");
    app.run("BEGIN").await;
    let content = json!({"erased_id": erased, "counts": {}, "objects": [], "emptied": []});
    let entry =
        enter(&app, clinic.north.uuid, ("erase", "patient_erasure", uuid::Uuid::now_v7()), None, &content).await;
    let refused = app.try_run(&format!("SELECT erase_patient_records({entry})")).await;
    assert_eq!(refused.expect_err("a hold"), "P0001 under legal hold");
    app.run("ROLLBACK").await;
    // A hold on a chart that is merged away goes along.
    let into = anna.patient("Zoë", "Ramírez").await;
    anna.make("mergePatients", "merge", merging(&patient, &into, json!({}))).await;
    let refused = admin.does("erasePatient", erasing(&admin, &into).await, "erasure { id }").await;
    assert!(refused.text.contains(&hold.id), "{}", refused.text);
    let lifted = admin.make("liftLegalHold", "legalHold", hold.edit_with(json!({"reason": "Closed"}))).await;
    let again = admin.does("liftLegalHold", lifted.edit_with(json!({"reason": "Closed"})), "legalHold { id }").await;
    assert_eq!(again.faults(), ["input.id"]);
    admin.does("erasePatient", erasing(&admin, &into).await, "erasure { id }").await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_erased_but_what_the_ledger_was_told_in_the_same_transaction() {
    let clinic = Clinic::start().await;
    let (anna, org) = (clinic.practitioner(), clinic.north.uuid);
    let (patient, other) = (anna.patient("Zoë", "Ramírez").await, anna.patient("Ian", "Smith").await);
    anna.signed_session(&patient).await;
    let app = clinic.database.app(Some(org)).await;
    app.run("SET app.opened = 'all'").await;
    let (erased, kept) = (uuid_of(&patient.id), uuid_of(&other.id));
    let right: Value = serde_json::from_str(&app.one(&format!("SELECT records_to_erase('{erased}')")).await).unwrap();
    let named = |more: Value| {
        let mut content = right.clone();
        content["erased_id"] = json!(erased);
        content.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        content
    };
    let kind = ("erase", "patient_erasure", uuid::Uuid::now_v7());
    let numbers = right["emptied"].as_array().expect("a list");
    assert!(numbers.len() >= 2, "others wrote in between: {numbers:?}");
    let mut fewer = right["counts"].clone();
    fewer["treatment_session"] = json!(0);
    let wrong = [
        ("another patient", kind, named(json!({"erased_id": kept}))),
        ("an entry more", kind, named(json!({"emptied": [[1, 1000]]}))),
        ("an entry less", kind, named(json!({"emptied": numbers[1..]}))),
        ("a row less", kind, named(json!({"counts": fewer}))),
        ("a list less", kind, named(json!({"emptied": null}))),
        ("another action", ("update", kind.1, kind.2), named(json!({}))),
        ("another kind", ("erase", "patient_merge", kind.2), named(json!({}))),
    ];
    for (what, entry, content) in wrong {
        app.run("BEGIN").await;
        let seq = enter(&app, org, entry, None, &content).await;
        let refused = app.try_run(&format!("SELECT erase_patient_records({seq})")).await;
        assert!(refused.as_ref().is_err_and(|why| why.starts_with("P0001")), "{what}: {refused:?}");
        app.run("ROLLBACK").await;
    }
    // Right, and of another transaction; and one that another entry came after.
    app.run("BEGIN").await;
    let seq = enter(&app, org, kind, None, &named(json!({}))).await;
    app.run("COMMIT").await;
    assert!(app.try_run(&format!("SELECT erase_patient_records({seq})")).await.is_err());
    app.run("BEGIN").await;
    let seq = enter(&app, org, kind, None, &named(json!({}))).await;
    enter(&app, org, ("update", "patient", kept), Some(kept), &json!({})).await;
    assert!(app.try_run(&format!("SELECT erase_patient_records({seq})")).await.is_err());
    app.run("ROLLBACK; BEGIN").await;
    let seq = enter(&app, org, kind, None, &named(json!({}))).await;
    app.run(&format!("SELECT erase_patient_records({seq}); COMMIT")).await;
    assert_eq!(app.one(&format!("SELECT count(*) FROM treatment_session WHERE patient_id = '{erased}'")).await, "0");
    assert_eq!(app.one(&format!("SELECT count(*) FROM patient WHERE id = '{kept}'")).await, "1");
}
