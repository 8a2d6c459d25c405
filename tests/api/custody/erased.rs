//! Who was erased is gone.

use super::{EXPORT, MARKER, places_with};
use crate::access::{erasing, merging};
use crate::ledger::broken;
use crate::merges::everything;
use crate::support::*;

/// Every organisation's logs are whole.
fn verify(clinic: &Clinic) {
    let verify = std::process::Command::new(env!("CARGO_BIN_EXE_clinic"))
        .args(["audit", "--database-url", &clinic.database.url(), "verify"])
        .env("CLINIC_KEY_DIR", clinic.evidence())
        .env("CLINIC_CHECKPOINT_STORE", clinic.evidence())
        .output()
        .expect("clinic audit verify");
    assert!(verify.status.success(), "{}", String::from_utf8_lossy(&verify.stderr));
}

/// Somebody whose every record says the marker, and what they were registered with.
async fn a_person_with_everything(clinic: &Clinic, anna: &SignedIn) -> (Made, Value) {
    let contact = json!({"name": MARKER, "phone": "+34600123456"});
    let person = json!({"email": format!("{MARKER}@x.example"), "gender": MARKER, "emergencyContact": contact,
        "address": {"lines": [MARKER], "country": "ES"}, "chartNumber": "C-77"});
    let input =
        json!({"id": new_id("patient"), "legalName": {"given": "Zoë", "family": MARKER}, "birthDate": "1990-05-17"});
    let patient = anna.make("registerPatient", "patient", input.clone()).await;
    let patient = anna.make("updatePatient", "patient", patient.edit_with(json!({"patch": person}))).await;
    everything(clinic, &patient, MARKER).await;
    (patient, input)
}

async fn nobody_is_erased_by_mistake(admin: &SignedIn, patient: &Made, merged: &Made) {
    let wrong = json!({"confirmChartNumber": "C-78"});
    let mut input_wrong = erasing(admin, patient).await;
    input_wrong.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
    assert_eq!(admin.does("erasePatient", input_wrong, "erasure { id }").await.faults(), ["input.confirmChartNumber"]);
    let away = admin.does("erasePatient", erasing(admin, merged).await, "erasure { id }").await;
    assert_eq!(away.faults(), ["input.patientId"], "{}", away.text);
}

/// Nothing is found any more, by nobody.
async fn nothing_is_found_of(anna: &SignedIn, admin: &SignedIn, patient: &Made, input: Value) {
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
}

/// The erasure stays, with its reason and that its files are gone, for those who look after it.
async fn the_erasure_is_shown(clinic: &Clinic, id: &Value, patient: &Made) {
    let files = clinic.admin().ask("{ patientErasures { nodes { version objectsDeletedAt } } }").await;
    let files = &files["patientErasures"]["nodes"][0];
    assert!(files["version"] == 2 && files["objectsDeletedAt"].is_string(), "{files}");
    let shown =
        clinic.auditor().ask("{ patientErasures { totalCount nodes { id reason authority patientId } } }").await;
    assert_eq!(
        shown["patientErasures"]["nodes"],
        json!([{"id": id, "reason": "Asked to be forgotten", "authority": "Art. 17 GDPR", "patientId": patient.id}])
    );
    assert_eq!(
        clinic.practitioner().graphql("{ patientErasures { totalCount } }", json!({})).await.outcome(),
        "FORBIDDEN"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn erased_means_gone_everywhere_and_the_chain_still_verifies() {
    let clinic = Clinic::start().await;
    let (anna, admin, sql) = (clinic.practitioner(), clinic.admin(), clinic.database.superuser().await);
    let (north, south) = (clinic.north.uuid, clinic.south.uuid);
    let (patient, input) = a_person_with_everything(&clinic, &anna).await;
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
    for table in [
        "patient:",
        "ledger:",
        "photo:",
        "session_check:",
        "consent_signature:",
        "patient_merge:",
        "addendum:",
        "legal_hold:",
    ] {
        assert!(found.iter().any(|place| place.starts_with(table)), "{table} {found:?}");
    }

    nobody_is_erased_by_mistake(&admin, &patient, &double).await;
    let numbers =
        |org| format!("SELECT string_agg(encode(hash, 'hex'), ' ' ORDER BY seq) FROM ledger WHERE org_id = '{org}'");
    let before = sql.one(&numbers(north)).await;
    let checks = async || sql.one("SELECT count(*) FROM session_check").await.parse::<i64>().expect("a number");
    let checks_before = checks().await;

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
    // Each session has the answers of the care rules.
    let gone = checks_before - checks().await;
    assert!(gone >= 4 * 5 && count("session_check") == Some(json!(gone)), "{gone} checks are gone: {done}");
    assert_eq!(
        (count("consent_signature"), count("photo"), count("patient_merge")),
        (Some(json!(2)), Some(json!(2)), Some(json!(2)))
    );
    assert_eq!(done["objectsToDelete"].as_array().map(Vec::len), Some(2));
    assert!(done["objectsToDelete"][0]["contentHash"].as_str().is_some_and(|hash| hash.len() == 64));

    // The stranger's own old name is theirs: it stays in their own entries, and nowhere else.
    sql.plain_ledger("true").await;
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
    let blank = format!("SELECT count(*) FROM ledger WHERE record_id = '{}' AND salt IS NULL", uuid_of(&kept.id));
    assert_eq!(sql.one(&blank).await, "0");

    nothing_is_found_of(&anna, &admin, &patient, input).await;

    // The chain is what it was, two entries longer: the erasure, and that its files are gone.
    let after = sql.one(&numbers(north)).await;
    assert!(after.starts_with(&before) && after.len() == before.len() + 2 * 65);
    for (org, table) in [(north, "ledger"), (north, "access_log"), (south, "ledger")] {
        assert_eq!(broken(&sql, table, org).await, None, "{table}");
    }
    verify(&clinic);
    the_erasure_is_shown(&clinic, &done["id"], &patient).await;
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
        |of: &Made| format!("SELECT count(*) FROM ledger WHERE record_id = '{}' AND salt IS NULL", uuid_of(&of.id));
    assert_eq!(sql.one(&empty(&entry)).await, "0", "what went back is the other's");
    assert_ne!(sql.one(&empty(&gone)).await, "0");
}

/// A merge that takes over the name and phone of who is merged away.
fn taking(from: &Made, into: &Made) -> Value {
    let taken = ["LEGAL_NAME", "PHONE"].map(|field| json!({"field": field, "take": "FROM"}));
    merging(from, into, json!({"resolution": taken, "reason": format!("{MARKER} is the same")}))
}

/// What a chart that somebody was merged into by mistake is looked at for.
const LOOK: &str =
    "query ($id: ID!) { patient(id: $id) { displayName phone gender merges { id } healthHistory { id text } } }";

/// Who stays is as they were, now and before and after.
async fn stays_whole(clinic: &Clinic, patient: &Made, was: &Value, merges: &[&str]) {
    let (anna, admin, sql) = (clinic.practitioner(), clinic.admin(), clinic.database.superuser().await);
    let is = anna.graphql(LOOK, json!({"id": patient.id})).await.ok();
    for part in ["displayName", "phone", "gender", "healthHistory"] {
        assert_eq!(is["patient"][part], was["patient"][part], "{part}");
    }
    let shown = is["patient"]["merges"].as_array().expect("merges");
    assert_eq!(shown.iter().map(|it| it["id"].as_str().expect("an id")).collect::<Vec<_>>(), merges);
    let chart =
        "query ($id: ID!) { chart(patientId: $id) { patient { id displayName phone } records { kind content } } }";
    let chart = anna.graphql(chart, json!({"id": patient.id})).await.ok();
    assert_eq!(chart["chart"]["patient"]["phone"], was["patient"]["phone"]);
    let newest = format!(
        "SELECT salt IS NOT NULL FROM ledger WHERE record_id = '{}' ORDER BY seq DESC LIMIT 1",
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
    let (was, was_last) = (
        anna.graphql(LOOK, json!({"id": between.id})).await.ok(),
        anna.graphql(LOOK, json!({"id": last.id})).await.ok(),
    );
    assert_eq!(was["patient"]["displayName"], "Ian Smith", "{was}");

    let erasure = "erasure { id counts { table count } }";
    let done = admin.does("erasePatient", erasing(&admin, &gone).await, erasure).await.ok();
    let counts = done["erasePatient"]["erasure"]["counts"].as_array().expect("counts").clone();
    let count = |table: &str| counts.iter().find(|it| it["table"] == table).map(|it| it["count"].clone());
    let empty = sql.one("SELECT count(*) FROM ledger WHERE content IS NULL AND packed IS NULL AND salt IS NULL").await;
    assert_eq!(count("ledger").map(|it| it.to_string()), Some(empty));
    assert_eq!((count("patient"), count("patient_merge")), (Some(json!(1)), Some(json!(2))));
    for text in [MARKER, "34600123456"] {
        assert_eq!(places_with(&sql, text).await, [""; 0], "{text}");
    }
    // Who stays is whole: as they are now, and as they were before and after.
    for (patient, was, merges) in [(&between, &was, vec![third.id.as_str()]), (&last, &was_last, vec![])] {
        stays_whole(&clinic, patient, was, &merges).await;
    }
    let blank = format!("SELECT count(*) FROM ledger WHERE record_id = '{}' AND salt IS NULL", uuid_of(&kept.id));
    assert_eq!(sql.one(&blank).await, "0", "their own record is theirs");
    assert_eq!(broken(&sql, "ledger", clinic.north.uuid).await, None);
    verify(&clinic);
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
