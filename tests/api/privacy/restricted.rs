//! Restricted patients.

use super::{CLOSED, ids_in, looks, owners, queries, restrict, sees};
use crate::access::{chart, erasing, merging, query};
use crate::support::*;
use std::collections::BTreeSet;
use uuid::Uuid;

/// What a query of one patient is asked with, beside the ids of plain kinds.
const ABOUT_ONE: [&str; 15] = [
    "$patient",
    "$session",
    "$consultation",
    "$note",
    "$health",
    "$addendum",
    "$countersignature",
    "$retraction",
    "$reading",
    "$photo",
    "$plan",
    "$consent",
    "$event",
    "$recall",
    "$draft",
];

/// Records of a patient's, beside those of plain kinds.
const KINDS: [&str; 16] = [
    "patient",
    "session",
    "consultation",
    "note",
    "health",
    "event",
    "recall",
    "consent",
    "plan",
    "photo",
    "addendum",
    "countersignature",
    "retraction",
    "reading",
    "merge",
    "hold",
];

/// Nothing of a restricted patient, nor of who was merged into them, is shown by its id, alone or beside others.
async fn no_id_leads_to(anna: &SignedIn, ids: &Value, double: &Made, other: &Made) {
    for kind in KINDS.into_iter().chain(PLAIN.iter().map(|kind| kind.key)) {
        let answer = anna.graphql(&query("node(id: $id) { id }"), json!({"id": ids[kind]})).await;
        assert_eq!(answer.outcome(), CLOSED, "{kind} {}", answer.text);
        assert!(answer.text.contains("Access-Reason"), "{}", answer.text);
    }
    let text = "query ($a: ID!, $b: ID!, $c: ID!) { nodes(ids: [$a, $b, $c]) { id } }";
    let unknown = new_id("patient");
    let answer = anna.graphql(text, json!({"a": ids["patient"], "b": other.id, "c": unknown})).await;
    assert_eq!((answer.codes(), &answer.data["nodes"][1]["id"]), (vec![CLOSED, "NOT_FOUND"], &json!(other.id)));
    for (text, id) in [
        ("chart(patientId: $id) { asOf }", &json!(double.id)),
        ("possibleDuplicates(patientId: $id) { score }", &ids["patient"]),
        ("patient(id: $id) { id }", &json!(double.id)),
    ] {
        assert_eq!(anna.graphql(&query(text), json!({"id": id})).await.outcome(), CLOSED, "{text}");
    }
}

/// No statement of the application shows it, whatever it asks.
async fn no_statement_shows(clinic: &Clinic, patient: &Made, double: &Made) {
    let sql = clinic.database.superuser().await;
    let app = clinic.database.app(Some(clinic.north.uuid)).await;
    for table in sql
        .column("SELECT name FROM patient_tables() WHERE name NOT IN ('patient_restriction', 'emergency_access')")
        .await
    {
        let count = format!("SELECT count(*) FROM {table} WHERE patient_id = '{}'", uuid_of(&patient.id));
        assert_eq!((app.one(&count).await.as_str(), sql.one(&count).await == "0"), ("0", false), "{table}");
    }
    let ledger = format!(
        "SELECT count(*) FROM ledger WHERE patient_id IN ('{}', '{}')",
        uuid_of(&patient.id),
        uuid_of(&double.id)
    );
    assert_eq!(app.one(&ledger).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restricted_patient_is_hidden_on_every_path_until_a_reason_is_stated() {
    let clinic = Clinic::start().await;
    let chart = chart(&clinic, &clinic.north).await;
    let sql = clinic.database.superuser().await;
    let patient = Made { id: chart.ids["patient"].as_str().expect("id").to_owned(), version: 1 };
    let other = clinic.practitioner().patient("Ian", "Smith").await;
    clinic.practitioner().session(&other).await;
    let number = sql.one(&format!("SELECT chart_number FROM patient WHERE id = '{}'", uuid_of(&patient.id))).await;
    let counts = format!(
        "{{ patients {{ totalCount }} recalls {{ totalCount }} found: patients(search: \"{number}\") {{ totalCount }} }}"
    );
    let before = clinic.front_desk().ask(&counts).await;
    let restriction = restrict(&clinic, &patient).await;
    // Who was merged into them is as hidden.
    let double = sql.one(&format!("SELECT id FROM patient WHERE merged_into = '{}'", uuid_of(&patient.id))).await;
    let double = Made { id: typed("patient", double.parse().unwrap()), version: 2 };
    let hidden: BTreeSet<Uuid> = {
        let closed = [uuid_of(&patient.id), uuid_of(&double.id)];
        owners(&sql).await.into_iter().filter(|(_, owner)| closed.contains(owner)).map(|(id, _)| id).collect()
    };
    assert!(hidden.len() > 20, "{}", hidden.len());
    // What tells of the restriction and of emergency access is for those who look after it.
    let open = ["emergencyAccesses", "accessLog"];
    for (name, arguments, text, rights) in queries(&clinic).await {
        for role in Role::ALL.into_iter().filter(|role| rights[*role as usize] == "ok" && !open.contains(&name)) {
            let who = clinic.of(&clinic.north, role);
            let answer = who.graphql(&text, chart.ids.clone()).await;
            let mut shown = BTreeSet::new();
            ids_in(&answer.data, &mut shown);
            let shown: Vec<&Uuid> = shown.intersection(&hidden).collect();
            assert!(shown.is_empty(), "{role:?} {name} {}", answer.text);
            assert!(["ok", CLOSED].contains(&answer.outcome().as_str()), "{role:?} {name} {}", answer.text);
            let plain = PLAIN.iter().any(|kind| kind.one == name);
            let about = plain || ABOUT_ONE.iter().any(|id| arguments.contains(id));
            assert_eq!(answer.outcome() == CLOSED, about, "{role:?} {name} {}", answer.text);
            let reasoned = who.because("She asked me to").graphql(&text, chart.ids.clone()).await;
            assert_eq!(reasoned.outcome(), "ok", "{role:?} {name} {}", reasoned.text);
        }
    }
    let after = clinic.front_desk().ask(&counts).await;
    let count = |answer: &Value, list: &str| answer[list]["totalCount"].as_i64().expect("a count");
    assert_eq!(count(&after, "patients"), count(&before, "patients") - 1);
    assert!(count(&after, "recalls") < count(&before, "recalls"));
    // Numbers that are much alike may be found as well.
    assert_eq!(count(&after, "found"), count(&before, "found") - 1);

    no_id_leads_to(&clinic.practitioner(), &chart.ids, &double, &other).await;
    // The restriction itself is there, its patient is a clean null.
    let text = "node(id: $id) { ... on PatientRestriction { patientId reason patient { id } } }";
    let answer = clinic.practitioner().graphql(&query(text), json!({"id": restriction.id})).await;
    assert_eq!(
        (answer.code(), &answer.data["node"]["patientId"], &answer.data["node"]["patient"]),
        (CLOSED, &json!(patient.id), &Value::Null)
    );
    no_statement_shows(&clinic, &patient, &double).await;
    // Another organisation learns nothing, with a reason or without.
    for who in [clinic.stranger(), clinic.stranger().because("Curious")] {
        assert_eq!(sees(&who, &patient).await, "NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changing_a_restricted_record_needs_a_reason_too_and_the_log_says_which() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let patient = anna.patient("Zoë", "Ramírez").await;
    let (session, double) = (anna.session(&patient).await, anna.patient("Zoë", "Ramírez").await);
    let lot = anna.lot(&anna.product("Serum").await, "L-1").await;
    anna.session_with_lot(&patient, &lot).await;
    let erase = erasing(&admin, &patient).await;
    let restriction = restrict(&clinic, &patient).await;
    let again = json!({"patientId": patient.id, "reason": "Works here"});
    let twice = admin.because("Again").does("restrictPatient", again.clone(), "__typename").await;
    assert_eq!(twice.faults(), ["input.patientId"]);
    let sql = clinic.database.superuser().await;
    let entries = sql.one("SELECT count(*) FROM ledger").await;
    let entry = json!({"patientId": patient.id, "kind": "ALLERGY", "text": "Latex"});
    for (who, mutation, input) in [
        (&anna, "addHealthEntry", entry.clone()),
        (&anna, "updatePatient", patient.edit_with(json!({"patch": {"gender": "woman"}}))),
        (&anna, "updateSession", session.edit_with(json!({"patch": {"note": "x"}}))),
        (&anna, "addAftercareNote", json!({"sessionId": session.id, "kind": "CHECK_IN", "redness": 2})),
        (&anna, "mergePatients", merging(&double, &patient, json!({}))),
        (&anna, "mergePatients", merging(&patient, &double, json!({}))),
        (&anna, "createSafetyRecall", json!({"lotId": lot.id, "reason": "Particles", "dueUntil": day(3)})),
        (&admin, "exportPatient", json!({"patientId": patient.id})),
        (&admin, "erasePatient", erase.clone()),
        (&admin, "restrictPatient", again),
        (&admin, "liftPatientRestriction", restriction.edit_with(json!({"reason": "Left"}))),
        (&admin, "placeLegalHold", json!({"patientId": patient.id, "reason": "Case 12"})),
    ] {
        let answer = who.does(mutation, input, "__typename").await;
        assert_eq!(answer.outcome(), CLOSED, "{mutation} {}", answer.text);
        let row = looks(&clinic, 1).await.remove(0);
        assert_eq!((row[0].as_str(), row[1].as_str()), ("refused", mutation));
    }
    assert_eq!(sql.one("SELECT count(*) FROM ledger").await, entries);
    // With one it goes, and the row has it.
    let because = anna.because("Her own wish");
    because.make("addHealthEntry", "healthEntry", entry).await;
    let row = looks(&clinic, 1).await.remove(0);
    let patient_id = uuid_of(&patient.id).to_string();
    assert_eq!(row[..3], ["read", "addHealthEntry", "Her own wish"].map(str::to_owned));
    assert_eq!(row[4], patient_id);
    because.make("mergePatients", "merge", merging(&double, &patient, json!({}))).await;
    assert_eq!(sees(&anna, &double).await, CLOSED);
    let export = admin.because("A court's order");
    export.does("exportPatient", json!({"patientId": patient.id}), "export { sha256 }").await.ok();
    // A retry of what was done answers who states a reason, and no other.
    let keyed = |by: &SignedIn| {
        let text = "mutation ($input: AddHealthEntryInput!) { addHealthEntry(input: $input) { healthEntry { text } } }";
        let input = json!({"input": {"patientId": patient.id, "kind": "ALLERGY", "text": "Iodine"}});
        Answer::to(by.prepare(text, input).header("Idempotency-Key", "k-1"))
    };
    keyed(&because).await.ok();
    assert_eq!(keyed(&anna).await.outcome(), CLOSED);
    keyed(&because).await.ok();
    // Lifted: everybody sees it again.
    admin
        .because("To lift it")
        .make("liftPatientRestriction", "restriction", restriction.edit_with(json!({"reason": "Left"})))
        .await;
    assert_eq!((sees(&anna, &patient).await.as_str(), sees(&anna, &double).await.as_str()), ("ok", "ok"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_restricted_charts_are_merged_and_taken_apart_with_their_restrictions() {
    let clinic = Clinic::start().await;
    let (anna, because) = (clinic.practitioner(), clinic.practitioner().because("The same person"));
    let (from, into) = (anna.patient("Zoë", "Ramírez").await, anna.patient("Zoë", "Ramírez").await);
    restrict(&clinic, &from).await;
    restrict(&clinic, &into).await;
    let merge = because.make("mergePatients", "merge", merging(&from, &into, json!({}))).await;
    assert_eq!((sees(&anna, &from).await.as_str(), sees(&anna, &into).await.as_str()), (CLOSED, CLOSED));
    because.does("unmergePatients", json!({"mergeId": merge.id, "reason": "Twins"}), "merge { id }").await.ok();
    assert_eq!((sees(&anna, &from).await.as_str(), sees(&anna, &into).await.as_str()), (CLOSED, CLOSED));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_of_an_upload_asks_for_the_reason_of_a_patient_who_is_restricted_meanwhile() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    let input = json!({"id": new_id("photo"), "patientId": patient.id, "phase": "BEFORE", "view": "FRONTAL", "area": "CHEEK", "side": "LEFT"});
    anna.agree_to_photos(&patient).await;
    let asked = async |by: &SignedIn| {
        let asked = by.does("requestPhotoUpload", input.clone(), "photo { id } uploadUrl").await;
        asked.ok()["requestPhotoUpload"]["uploadUrl"].as_str().expect("an address").to_owned()
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(8, 8).write_to(&mut bytes, image::ImageFormat::Png).expect("a picture");
    let upload = async |address: &str| {
        let upload = clinic.anonymous().request(reqwest::Method::PUT, address).body(bytes.get_ref().clone());
        upload.send().await.expect("an answer").status().as_u16()
    };
    let before = asked(&anna).await;
    restrict(&clinic, &patient).await;
    assert_eq!(upload(&before).await, 403);
    let row = looks(&clinic, 1).await.remove(0);
    assert_eq!(row[..3], ["refused", "photoUpload", ""].map(str::to_owned));
    assert_eq!(row[4], uuid_of(&patient.id).to_string());
    // Asked for again with a reason, it is the same photo, and takes its bytes.
    assert_eq!(upload(&asked(&anna.because("To treat")).await).await, 200);
    let row = looks(&clinic, 1).await.remove(0);
    assert_eq!(row[..3], ["read", "photoUpload", "stated when the link was asked for"].map(str::to_owned));
    let link = query("photo(id: $id) { status }");
    let photo = json!({"id": input["id"]});
    assert_eq!(anna.graphql(&link, photo.clone()).await.outcome(), CLOSED);
    assert_eq!(anna.because("To treat").graphql(&link, photo).await.ok()["photo"]["status"], "STORED");
}

#[tokio::test(flavor = "multi_thread")]
async fn that_a_chart_number_is_taken_by_a_restricted_patient_leaves_a_row() {
    let clinic = Clinic::start().await;
    let (anna, desk) = (clinic.practitioner(), clinic.front_desk());
    let (patient, other) = (anna.patient("Zoë", "Ramírez").await, anna.patient("Ian", "Smith").await);
    let plain = anna.patient("Ada", "Lovelace").await;
    restrict(&clinic, &patient).await;
    let sql = clinic.database.superuser().await;
    let of = async |who: &Made| {
        sql.one(&format!("SELECT chart_number FROM patient WHERE id = '{}'", uuid_of(&who.id))).await
    };
    let (hidden, open) = (of(&patient).await, of(&plain).await);
    let register = |number: &str| json!({"legalName": {"given": "New", "family": "New"}, "birthDate": "1980-01-01", "chartNumber": number});
    let refused =
        format!("SELECT count(*) FROM access_log WHERE org_id = '{}' AND event = 'refused'", clinic.north.uuid);
    let change = |number: &str| other.edit_with(json!({"patch": {"chartNumber": number}}));
    for (mutation, input) in [("registerPatient", register(&hidden)), ("updatePatient", change(&hidden))] {
        let before: u32 = sql.one(&refused).await.parse().expect("a number");
        assert_eq!(desk.does(mutation, input, "__typename").await.outcome(), "CONFLICT", "{mutation}");
        let row = looks(&clinic, 1).await.remove(0);
        let expected = ["refused", mutation, "", &uuid_of(desk.id()).to_string(), &uuid_of(&patient.id).to_string()];
        assert_eq!(row, expected.map(str::to_owned));
        assert_eq!(sql.one(&refused).await, (before + 1).to_string());
    }
    // Of one who is not restricted, or with a reason, it is a mistake like any other.
    let before = sql.one(&refused).await;
    for (by, mutation, input) in [
        (&desk, "registerPatient", register(&open)),
        (&desk, "updatePatient", change(&open)),
        (&desk.because("Her card"), "registerPatient", register(&hidden)),
    ] {
        assert_eq!(by.does(mutation, input, "__typename").await.outcome(), "CONFLICT", "{mutation}");
    }
    assert_eq!(sql.one(&refused).await, before);
}
