//! Legal holds, exports and erasure.

use crate::access::{erasing, merging};
use crate::ledger::{broken, enter};
use crate::merges::everything;
use crate::support::*;
use sha2::{Digest, Sha256};

const MARKER: &str = "xqzmarkerzqx";

/// Where a text still is: every column of every table, byte strings too.
async fn places_with(sql: &Sql, text: &str) -> Vec<String> {
    let tables = sql.column("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition").await;
    assert!(tables.len() > 35, "{tables:?}");
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut found = Vec::new();
    for table in tables {
        let count = sql
            .one(&format!("SELECT count(*) FROM {table} AS t WHERE t::text ILIKE '%{text}%' OR t::text LIKE '%{hex}%'"))
            .await;
        if count != "0" {
            found.push(format!("{table}: {count}"));
        }
    }
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
async fn erased_means_gone_everywhere_and_the_chain_still_verifies() {
    let clinic = Clinic::start().await;
    let (anna, admin, sql) = (clinic.practitioner(), clinic.admin(), clinic.database.superuser().await);
    let (north, south) = (clinic.north.uuid, clinic.south.uuid);
    let contact = json!({"name": MARKER, "phone": "+34600123456"});
    let person = json!({"email": format!("{MARKER}@x.example"), "gender": MARKER, "emergencyContact": contact,
        "address": {"lines": [MARKER], "country": "ES"}, "chartNumber": "C-77"});
    let input =
        json!({"id": new_id("patient"), "legalName": {"given": "Zoë", "family": MARKER}, "birthDate": "1990-05-17"});
    let patient = anna.make("registerPatient", "patient", input.clone()).await;
    let patient = anna.make("updatePatient", "patient", patient.edit_with(json!({"patch": person}))).await;
    everything(&clinic, &patient, MARKER).await;
    let merges =
        async |from: &Made, into: &Made| anna.make("mergePatients", "merge", merging(from, into, json!({}))).await;
    // A double merged in, and a stranger who was merged in by mistake and taken out again.
    let double = anna.patient("Zoë", MARKER).await;
    everything(&clinic, &double, MARKER).await;
    merges(&double, &patient).await;
    let patient = Made { version: patient.version + 1, ..patient };
    let stranger = anna.patient("Zoë", MARKER).await;
    let kept = anna.health_entry(&stranger).await;
    let mistake = merges(&stranger, &patient).await;
    anna.does("unmergePatients", json!({"mergeId": mistake.id, "reason": MARKER}), "merge { id }").await.ok();
    let rename =
        json!({"id": stranger.id, "expectedVersion": 3, "patch": {"legalName": {"given": "Ian", "family": "Smith"}}});
    anna.make("updatePatient", "patient", rename).await;
    let found = places_with(&sql, MARKER).await;
    for table in ["patient:", "ledger:", "photo:", "consent_signature:", "patient_merge:", "addendum:", "legal_hold:"] {
        assert!(found.iter().any(|place| place.starts_with(table)), "{table} {found:?}");
    }

    // Not by mistake.
    let wrong = json!({"confirmChartNumber": "C-78"});
    let mut input_wrong = erasing(&admin, &patient).await;
    input_wrong.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
    assert_eq!(admin.does("erasePatient", input_wrong, "erasure { id }").await.faults(), ["input.confirmChartNumber"]);
    let away = admin.does("erasePatient", erasing(&admin, &double).await, "erasure { id }").await;
    assert_eq!(away.faults(), ["input.patientId"], "{}", away.text);
    let numbers =
        |org| format!("SELECT string_agg(encode(hash, 'hex'), ' ' ORDER BY seq) FROM ledger WHERE org_id = '{org}'");
    let before = sql.one(&numbers(north)).await;

    let erasure = "erasure { id version reason authority erasedBy { id } counts { table count } objectsToDelete { photoId contentHash mediaType } }";
    let done =
        admin.does("erasePatient", erasing(&admin, &patient).await, erasure).await.ok()["erasePatient"]["erasure"]
            .clone();
    let count = |table: &str| {
        done["counts"].as_array().expect("counts").iter().find(|it| it["table"] == table).map(|it| it["count"].clone())
    };
    assert_eq!(
        (count("patient"), count("treatment_session"), count("session_area")),
        (Some(json!(2)), Some(json!(4)), Some(json!(8)))
    );
    assert_eq!(
        (count("consent_signature"), count("photo"), count("patient_merge")),
        (Some(json!(2)), Some(json!(2)), Some(json!(2)))
    );
    assert_eq!(done["objectsToDelete"].as_array().map(Vec::len), Some(2));
    assert!(done["objectsToDelete"][0]["contentHash"].as_str().is_some_and(|hash| hash.len() == 64));

    // The stranger's own old name is theirs: it stays in their own entries, and nowhere else.
    let strangers = format!(
        "SELECT count(*) FROM ledger WHERE content LIKE '%{MARKER}%' AND record_id <> '{}'",
        uuid_of(&stranger.id)
    );
    assert_eq!(sql.one(&strangers).await, "0");
    let left: Vec<String> = places_with(&sql, MARKER).await;
    assert!(left.iter().all(|place| place.starts_with("ledger:")), "{left:?}");
    let entry = anna
        .graphql(
            "query ($id: ID!) { healthEntry(id: $id) { text history { nodes { changes { field } } } } }",
            json!({"id": kept.id}),
        )
        .await
        .ok();
    assert_eq!(entry["healthEntry"]["text"], "Lidocaine", "a stranger's record is as it was");
    let blank = format!("SELECT count(*) FROM ledger WHERE record_id = '{}' AND content IS NULL", uuid_of(&kept.id));
    assert_eq!(sql.one(&blank).await, "0");

    // Nothing is found any more, by nobody.
    let look = "query ($id: ID!) { patient(id: $id) { id } }";
    assert_eq!(anna.graphql(look, json!({"id": patient.id})).await.outcome(), "NOT_FOUND");
    let chart = "query ($id: ID!) { chart(patientId: $id) { asOf } }";
    assert_eq!(anna.graphql(chart, json!({"id": patient.id})).await.outcome(), "NOT_FOUND");
    assert_eq!(anna.ask("{ patients(search: \"C-77\") { totalCount } }").await["patients"]["totalCount"], 0);
    let retried = anna.does("registerPatient", input, "patient { id }").await;
    assert_eq!(retried.outcome(), "NOT_FOUND", "a retry of what was erased says so: {}", retried.text);
    assert!(retried.text.contains("erased"), "{}", retried.text);
    assert_eq!(
        admin.does("exportPatient", json!({"patientId": patient.id}), "patient { id }").await.outcome(),
        "NOT_FOUND"
    );

    // The chain is what it was, two entries longer: the erasure, and that its files are gone.
    let after = sql.one(&numbers(north)).await;
    assert!(after.starts_with(&before) && after.len() == before.len() + 2 * 65);
    let files = admin.ask("{ patientErasures { nodes { version objectsDeletedAt } } }").await;
    let files = &files["patientErasures"]["nodes"][0];
    assert!(files["version"] == 2 && files["objectsDeletedAt"].is_string(), "{files}");
    for (org, table) in [(north, "ledger"), (north, "access_log"), (south, "ledger")] {
        assert_eq!(broken(&sql, table, org).await, None, "{table}");
    }
    let verify = std::process::Command::new(env!("CARGO_BIN_EXE_clinic"))
        .args(["audit", "--database-url", &clinic.database.url(), "verify"])
        .env("CLINIC_KEY_DIR", clinic.evidence())
        .env("CLINIC_CHECKPOINT_STORE", clinic.evidence())
        .output()
        .expect("clinic audit verify");
    assert!(verify.status.success(), "{}", String::from_utf8_lossy(&verify.stderr));
    let shown =
        clinic.auditor().ask("{ patientErasures { totalCount nodes { id reason authority patientId } } }").await;
    assert_eq!(
        shown["patientErasures"]["nodes"],
        json!([{"id": done["id"], "reason": "Asked to be forgotten", "authority": "Art. 17 GDPR", "patientId": patient.id}])
    );
    assert_eq!(
        clinic.practitioner().graphql("{ patientErasures { totalCount } }", json!({})).await.outcome(),
        "FORBIDDEN"
    );
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

#[tokio::test(flavor = "multi_thread")]
async fn who_was_merged_by_mistake_with_somebody_restricted_can_be_erased() {
    let clinic = Clinic::start().await;
    let (anna, admin, sql) = (clinic.practitioner(), clinic.admin(), clinic.database.superuser().await);
    let (closed, gone) = (anna.patient("Zoë", "Ramírez").await, anna.patient("Zoë", "Ramírez").await);
    let entry = anna.health_entry(&closed).await;
    let merge = anna.make("mergePatients", "merge", merging(&closed, &gone, json!({}))).await;
    anna.does("unmergePatients", json!({"mergeId": merge.id, "reason": "Twins"}), "merge { id }").await.ok();
    admin.make("restrictPatient", "restriction", json!({"patientId": closed.id, "reason": "Works here"})).await;
    // A merge ties them to who is closed: all of it is in sight before it goes.
    let input = erasing(&admin, &gone).await;
    assert_eq!(admin.does("erasePatient", input.clone(), "erasure { id }").await.code(), "REASON_REQUIRED");
    admin.because("She asked us to").does("erasePatient", input, "erasure { id }").await.ok();
    let empty =
        |of: &Made| format!("SELECT count(*) FROM ledger WHERE record_id = '{}' AND content IS NULL", uuid_of(&of.id));
    assert_eq!(sql.one(&empty(&entry)).await, "0", "what went back is the other's");
    assert_ne!(sql.one(&empty(&gone)).await, "0");
}

/// A merge that takes over the name and phone of who is merged away.
fn taking(from: &Made, into: &Made) -> Value {
    let taken = ["LEGAL_NAME", "PHONE"].map(|field| json!({"field": field, "take": "FROM"}));
    merging(from, into, json!({"resolution": taken, "reason": format!("{MARKER} is the same")}))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_erased_is_gone_from_the_charts_they_were_merged_into_by_mistake() {
    let clinic = Clinic::start().await;
    let (anna, admin, sql) = (clinic.practitioner(), clinic.admin(), clinic.database.superuser().await);
    let who = json!({"phone": "+34600123456", "email": format!("{MARKER}@x.example")});
    let gone = anna.patient_with("Zoë", MARKER, who).await;
    let mut between = anna.patient_with("Ian", "Smith", json!({"phone": "+34600999888"})).await;
    let last = anna.patient_with("Ada", "Byron", json!({"phone": "+34600777666"})).await;
    anna.health_entry(&gone).await;
    let kept = anna.health_entry(&between).await;
    // The name goes on to a third chart while the first two are one.
    let first = anna.make("mergePatients", "merge", taking(&gone, &between)).await;
    between.version += 1;
    let edit = json!({"id": between.id, "expectedVersion": between.version, "patch": {"gender": "man"}});
    between = anna.make("updatePatient", "patient", edit).await;
    let second = anna.make("mergePatients", "merge", taking(&between, &last)).await;
    for merge in [&second, &first] {
        let input = json!({"mergeId": merge.id, "reason": "Two persons"});
        anna.does("unmergePatients", input, "merge { id }").await.ok();
    }
    // A merge of theirs that tells of nobody else stays.
    let plain = anna.patient_with("Eve", "Stone", json!({})).await;
    between.version += 3;
    let resolution = json!({"resolution": [{"field": "LEGAL_NAME", "take": "INTO"}]});
    let third = anna.make("mergePatients", "merge", merging(&plain, &between, resolution)).await;
    let undo = json!({"mergeId": third.id, "reason": "Two persons"});
    anna.does("unmergePatients", undo, "merge { id }").await.ok();
    let look =
        "query ($id: ID!) { patient(id: $id) { displayName phone gender merges { id } healthHistory { id text } } }";
    let (was, was_last) = (
        anna.graphql(look, json!({"id": between.id})).await.ok(),
        anna.graphql(look, json!({"id": last.id})).await.ok(),
    );
    let chart =
        "query ($id: ID!) { chart(patientId: $id) { patient { id displayName phone } records { kind content } } }";
    assert_eq!(was["patient"]["displayName"], "Ian Smith", "{was}");

    let erasure = "erasure { id counts { table count } }";
    let done = admin.does("erasePatient", erasing(&admin, &gone).await, erasure).await.ok();
    let counts = done["erasePatient"]["erasure"]["counts"].as_array().expect("counts").clone();
    let count = |table: &str| counts.iter().find(|it| it["table"] == table).map(|it| it["count"].clone());
    let empty = sql.one("SELECT count(*) FROM ledger WHERE content IS NULL").await;
    assert_eq!(count("ledger").map(|it| it.to_string()), Some(empty));
    assert_eq!((count("patient"), count("patient_merge")), (Some(json!(1)), Some(json!(2))));
    for text in [MARKER, "34600123456"] {
        assert_eq!(places_with(&sql, text).await, [""; 0], "{text}");
    }
    // Who stays is whole: as they are now, and as they were before and after.
    for (patient, was, merges) in [(&between, &was, vec![&third.id]), (&last, &was_last, vec![])] {
        let is = anna.graphql(look, json!({"id": patient.id})).await.ok();
        for part in ["displayName", "phone", "gender", "healthHistory"] {
            assert_eq!(is["patient"][part], was["patient"][part], "{part}");
        }
        let shown = is["patient"]["merges"].as_array().expect("merges");
        assert_eq!(shown.iter().map(|it| &it["id"]).collect::<Vec<_>>(), merges);
        let chart = anna.graphql(chart, json!({"id": patient.id})).await.ok();
        assert_eq!(chart["chart"]["patient"]["phone"], was["patient"]["phone"]);
        let newest = format!(
            "SELECT content IS NOT NULL FROM ledger WHERE record_id = '{}' ORDER BY seq DESC LIMIT 1",
            uuid_of(&patient.id)
        );
        assert_eq!(sql.one(&newest).await, "t");
        let history =
            "query ($id: ID!) { patient(id: $id) { history { nodes { version changes { field before after } } } } }";
        let history = anna.graphql(history, json!({"id": patient.id})).await;
        let export = admin.does("exportPatient", json!({"patientId": patient.id}), EXPORT).await;
        for text in [history.ok().to_string(), export.ok().to_string()] {
            assert!(!text.contains(MARKER) && !text.contains("34600123456"), "{text}");
        }
    }
    let blank = format!("SELECT count(*) FROM ledger WHERE record_id = '{}' AND content IS NULL", uuid_of(&kept.id));
    assert_eq!(sql.one(&blank).await, "0", "their own record is theirs");
    assert_eq!(broken(&sql, "ledger", clinic.north.uuid).await, None);
    let verify = std::process::Command::new(env!("CARGO_BIN_EXE_clinic"))
        .args(["audit", "--database-url", &clinic.database.url(), "verify"])
        .env("CLINIC_KEY_DIR", clinic.evidence())
        .env("CLINIC_CHECKPOINT_STORE", clinic.evidence())
        .output()
        .expect("clinic audit verify");
    assert!(verify.status.success(), "{}", String::from_utf8_lossy(&verify.stderr));
    // And can be erased in turn.
    for patient in [&last, &between] {
        admin.does("erasePatient", erasing(&admin, patient).await, erasure).await.ok();
    }
    assert_eq!(broken(&sql, "ledger", clinic.north.uuid).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_who_was_erased_while_others_wrote() {
    let clinic = Clinic::with(&["--pool-wait", "10s"]).await;
    let (anna, admin, sql) = (clinic.practitioner(), clinic.admin(), clinic.database.superuser().await);
    let patient = anna.patient("Zoë", MARKER).await;
    let session = anna.session(&patient).await;
    let input = erasing(&admin, &patient).await;
    let entry = json!({"patientId": patient.id, "kind": "ALLERGY", "text": MARKER});
    let writes =
        futures::future::join_all((0..10).map(|_| anna.does("addHealthEntry", entry.clone(), "healthEntry { id }")));
    let edit = anna.does("updateSession", session.edit_with(json!({"patch": {"note": MARKER}})), "session { id }");
    let erase = admin.does("erasePatient", input, "erasure { id }");
    let (written, edited, erased) = futures::join!(writes, edit, erase);
    erased.ok();
    for answer in written.iter().chain([&edited]) {
        assert!(["ok", "CONFLICT", "NOT_FOUND"].contains(&answer.outcome().as_str()), "{}", answer.text);
    }
    assert_eq!(places_with(&sql, MARKER).await, [""; 0]);
    assert_eq!(broken(&sql, "ledger", clinic.north.uuid).await, None);
}
