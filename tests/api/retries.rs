//! Safe retries: an id made by the client, or an `Idempotency-Key`.

use crate::support::*;
use futures::future::join_all;

/// A service whose callers wait in line rather than being turned away: a hundred at once on a busy machine.
pub const PATIENT: &[&str] = &[
    "--pool-wait",
    "40s",
    "--lock-timeout",
    "40s",
    "--statement-timeout",
    "45s",
    "--request-deadline",
    "50s",
    "--shutdown-timeout",
    "55s",
];

const LOG: &str = "mutation ($input: LogSessionInput!) { logSession(input: $input) { session { id version note painScore areas { area } } } }";
const REGISTER: &str = "mutation ($input: RegisterPatientInput!) { registerPatient(input: $input) { patient { id version chartNumber } } }";

fn with(mut input: Value, more: Value) -> Value {
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

async fn keyed(by: &Caller, key: &str, query: &str, variables: Value) -> Answer {
    Answer::to(by.prepare(query, variables).header("Idempotency-Key", key.as_bytes())).await
}

fn anna() -> Value {
    json!({"legalName": {"given": "Ada", "family": "Lovelace"}, "birthDate": "1990-01-01"})
}

async fn count(clinic: &Clinic, table: &str) -> String {
    clinic.database.superuser().await.one(&format!("SELECT count(*) FROM {table}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_tries_with_one_client_made_id_make_one_record() {
    let clinic = Clinic::with(PATIENT).await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let entries = count(&clinic, "ledger").await.parse::<u64>().unwrap();
    let input = with(session_to_sign(&patient, &anna.location), json!({"id": new_id("session")}));
    let answers = join_all((0..100).map(|_| anna.graphql(LOG, json!({"input": input})))).await;
    let first = answers[0].clone().ok();
    assert_eq!(first["logSession"]["session"]["id"], input["id"]);
    for answer in answers {
        assert_eq!(answer.ok(), first);
    }
    assert_eq!(count(&clinic, "treatment_session").await, "1");
    assert_eq!(count(&clinic, "session_area").await, "2");
    assert_eq!(count(&clinic, "ledger").await, (entries + 1).to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_tries_with_one_key_make_one_record() {
    let clinic = Clinic::with(PATIENT).await;
    let desk = clinic.front_desk();
    let entries = count(&clinic, "ledger").await.parse::<u64>().unwrap();
    let answers = join_all((0..100).map(|_| keyed(&desk, "k-1", REGISTER, json!({"input": anna()})))).await;
    let first = answers[0].clone().ok();
    assert!(first["registerPatient"]["patient"]["chartNumber"].is_string());
    for answer in answers {
        assert_eq!(answer.ok(), first);
    }
    assert_eq!(count(&clinic, "patient").await, "1");
    assert_eq!(count(&clinic, "ledger").await, (entries + 1).to_string());
    // A key is its sender's own: somebody else's is another.
    let other = keyed(&clinic.practitioner(), "k-1", REGISTER, json!({"input": anna()})).await.ok();
    assert_ne!(other["registerPatient"]["patient"]["id"], first["registerPatient"]["patient"]["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_that_takes_an_id_can_be_retried() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let patient = anna.patient("Ada", "Lovelace").await;
    let session = anna.signed_session(&patient).await;
    let sam = new_colleague(&admin, "Sam").await;
    let theirs = sam.signed_consultation(&patient).await;
    let text = anna.consent_text("DATA", json!({})).await;
    let product = anna.product("Sold in lots").await;
    let program = admin.service_account("Receiver", &["AUDIT_READ"]).await;
    let start = json!({"patientId": patient.id, "locationId": anna.location, "modality": "TOPICAL_GROWTH_SERUM"});
    let staff = json!({"email": "new@north.example", "displayName": "New", "role": "AUDITOR", "password": PASSWORD});
    let cases = [
        (&anna, "registerPatient", "patient", "patient", self::anna()),
        (
            &anna,
            "addHealthEntry",
            "healthEntry",
            "health",
            json!({"patientId": patient.id, "kind": "ALLERGY", "text": "Latex"}),
        ),
        (
            &anna,
            "recordConsultation",
            "consultation",
            "consultation",
            json!({"patientId": patient.id, "mode": "IN_PERSON"}),
        ),
        (&anna, "logSession", "session", "session", session_to_sign(&patient, &anna.location)),
        (&anna, "startSession", "session", "session", start),
        (&anna, "addAftercareNote", "aftercareNote", "note", json!({"sessionId": session.id, "kind": "CHECK_IN"})),
        (
            &anna,
            "proposeConsent",
            "consent",
            "consent",
            json!({"patientId": patient.id, "templateVersionId": text.version.id}),
        ),
        (&anna, "recordConsent", "consent", "consent", text.record(&patient, json!({}))),
        (&anna, "addAddendum", "addendum", "addendum", json!({"recordId": session.id, "reason": "x", "text": "y"})),
        (
            &anna,
            "countersignRecord",
            "countersignature",
            "countersignature",
            json!({"recordId": theirs.id, "meaning": "REVIEWER"}),
        ),
        (
            &admin,
            "agreeSupervision",
            "supervisionAgreement",
            "supervision",
            json!({"supervisorId": anna.id(), "superviseeId": sam.id(), "percent": 5, "withinDays": 7}),
        ),
        (&admin, "addCredential", "credential", "credential", credential_of(anna.id())),
        (&admin, "addWebhook", "webhook", "webhook", json!({"serviceAccountId": program.id, "url": NOBODY})),
        (&anna, "addDevice", "device", "device", json!({"model": "Pen", "serial": "1", "kind": "RF"})),
        (&anna, "addHealthTerm", "healthTerm", "term", json!({"code": "house-1", "term": "House mixture"})),
        (&anna, "addProduct", "product", "product", json!({"name": "Serum", "role": "SERUM"})),
        (&anna, "addProductLot", "productLot", "lot", json!({"productId": product.id, "lot": "L-1"})),
        (
            &anna,
            "reportAdverseEvent",
            "adverseEvent",
            "adverse_event",
            json!({"sessionId": session.id, "kind": "BURN", "onsetAt": hours_ago(1), "severity": "MILD"}),
        ),
        (
            &anna,
            "createRecall",
            "recall",
            "recall",
            json!({"patientId": patient.id, "reason": "MAINTENANCE", "dueUntil": day(9), "basis": "x"}),
        ),
        (&admin, "addLocation", "location", "location", json!({"name": "Annex", "timeZone": "UTC"})),
        (&admin, "addStaff", "staff", "staff", staff),
    ];
    let plain = PLAIN.iter().map(|kind| {
        let input = (kind.input)(&anna, &patient.id, Some(&session.id), "Said at the visit");
        (&anna, kind.made_with, kind.one, kind.key, input)
    });
    for (by, mutation, payload, prefix, input) in cases.into_iter().chain(plain) {
        let input = with(input, json!({"id": new_id(prefix)}));
        let selection = format!("{payload} {{ id }}");
        let first = by.does(mutation, input.clone(), &selection).await.ok();
        assert_eq!(first[mutation][payload]["id"], input["id"], "{mutation}");
        assert_eq!(by.does(mutation, input.clone(), &selection).await.ok(), first, "{mutation}");
        // Under another key the id is taken, and nothing is doubled.
        let kind = mutation[..1].to_uppercase() + &mutation[1..];
        let query = format!("mutation ($input: {kind}Input!) {{ {mutation}(input: $input) {{ {selection} }} }}");
        assert_eq!(keyed(by, mutation, &query, json!({"input": input})).await.code(), "CONFLICT", "{mutation}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_edit_can_be_retried_under_a_key() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let session = anna.session(&patient).await;
    let cases = [
        ("UpdatePatient", "patient", patient.edit_with(json!({"patch": {"gender": "x"}}))),
        ("ArchivePatient", "patient", json!({"id": patient.id, "expectedVersion": 2, "reason": "moved"})),
        ("RestorePatient", "patient", json!({"id": patient.id, "expectedVersion": 3})),
        ("UpdateSession", "session", session.edit_with(json!({"patch": {"note": "again"}}))),
        ("SignSession", "session", json!({"id": session.id, "expectedVersion": 2})),
    ];
    for (name, payload, input) in cases {
        let mutation = name[..1].to_lowercase() + &name[1..];
        let kind = if name == "SignSession" { "SignRecord" } else { name };
        let query = format!(
            "mutation ($input: {kind}Input!) {{ {mutation}(input: $input) {{ {payload} {{ id version updatedAt }} }} }}"
        );
        let first = keyed(&anna, name, &query, json!({"input": input})).await.ok();
        assert_eq!(keyed(&anna, name, &query, json!({"input": input})).await.ok(), first, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_request_under_the_same_mark_is_refused() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let input = with(session_to_sign(&patient, &anna.location), json!({"id": new_id("session")}));
    anna.graphql(LOG, json!({"input": input})).await.ok();
    let other_note = with(input.clone(), json!({"note": "Another"}));
    assert_eq!(anna.graphql(LOG, json!({"input": other_note})).await.code(), "IDEMPOTENCY_MISMATCH");
    let start = json!({"id": input["id"], "patientId": patient.id, "locationId": anna.location, "modality": "PRP"});
    assert_eq!(
        anna.does("startSession", start, "session { id }").await.code(),
        "IDEMPOTENCY_MISMATCH",
        "another mutation"
    );
    let bob = crate::staff::colleague(&clinic, "Bob").await;
    assert_eq!(bob.graphql(LOG, json!({"input": input})).await.code(), "CONFLICT", "somebody else's id");
    assert_eq!(count(&clinic, "treatment_session").await, "1");

    keyed(&anna, "k", REGISTER, json!({"input": self::anna()})).await.ok();
    let other = with(self::anna(), json!({"gender": "x"}));
    let answer = keyed(&anna, "k", REGISTER, json!({"input": other})).await;
    assert_eq!(answer.code(), "IDEMPOTENCY_MISMATCH");
    let query =
        "mutation ($input: ArchivePatientInput!) { registerPatient: archivePatient(input: $input) { patient { id } } }";
    let archive = patient.edit_with(json!({"reason": "x"}));
    assert_eq!(
        keyed(&anna, "k", query, json!({"input": archive})).await.code(),
        "IDEMPOTENCY_MISMATCH",
        "another mutation in its place"
    );
    assert_eq!(count(&clinic, "patient").await, "2");
    for key in ["", "a b", "é", &"k".repeat(256)] {
        let answer = keyed(&anna, key, REGISTER, json!({"input": self::anna()})).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "BAD_REQUEST"), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_gets_the_first_answer_though_the_record_was_changed_meanwhile() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let input = with(session_to_sign(&patient, &anna.location), json!({"id": new_id("session")}));
    let first = anna.graphql(LOG, json!({"input": input})).await.ok();
    let session = Made::of(&first["logSession"]["session"]);
    let patch = json!({"patch": {"note": "Changed", "painScore": 9, "areas": [{"area": "SCALP"}]}});
    anna.does("updateSession", session.edit_with(patch), "session { id }").await.ok();
    assert_eq!(anna.graphql(LOG, json!({"input": input})).await.ok(), first);
    let now =
        anna.graphql("query ($id: ID!) { session(id: $id) { version note } }", json!({"id": session.id})).await.ok();
    assert_eq!(now["session"], json!({"version": 2, "note": "Changed"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_try_that_failed_does_not_block_the_second() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    anna.does("archivePatient", patient.edit_with(json!({"reason": "x"})), "patient { id }").await.ok();
    let input = with(session_to_sign(&patient, &anna.location), json!({"id": new_id("session")}));
    assert_eq!(anna.graphql(LOG, json!({"input": input})).await.code(), "BAD_USER_INPUT", "archived");
    assert_eq!(keyed(&anna, "k", LOG, json!({"input": input})).await.code(), "BAD_USER_INPUT");
    let back = json!({"id": patient.id, "expectedVersion": 2});
    anna.does("restorePatient", back, "patient { id }").await.ok();
    anna.graphql(LOG, json!({"input": input})).await.ok();
    // The same key for a request that is right now.
    let other = with(input, json!({"id": new_id("session")}));
    keyed(&anna, "k", LOG, json!({"input": other})).await.ok();
    assert_eq!(count(&clinic, "treatment_session").await, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_mutations_of_one_request_share_a_key() {
    let clinic = Clinic::start().await;
    let desk = clinic.front_desk();
    let two = "mutation ($input: RegisterPatientInput!) {
        one: registerPatient(input: $input) { patient { id } }
        two: registerPatient(input: $input) { patient { id } } }";
    let first = keyed(&desk, "k", two, json!({"input": anna()})).await.ok();
    assert_ne!(first["one"], first["two"], "two patients");
    assert_eq!(keyed(&desk, "k", two, json!({"input": anna()})).await.ok(), first);
    assert_eq!(count(&clinic, "patient").await, "2");

    // One that fails does not take back or double the one before it.
    let with_bad = "mutation ($input: RegisterPatientInput!, $bad: RegisterPatientInput!) {
        good: registerPatient(input: $input) { patient { id } }
        bad: registerPatient(input: $bad) { patient { id } } }";
    let taken = with(anna(), json!({"chartNumber": "TAKEN"}));
    desk.does("registerPatient", taken.clone(), "patient { id }").await.ok();
    for _ in 0..3 {
        let answer = keyed(&desk, "l", with_bad, json!({"input": anna(), "bad": taken})).await;
        assert_eq!((answer.code(), &answer.errors[0]["path"]), ("CONFLICT", &json!(["bad"])));
        assert_eq!(count(&clinic, "patient").await, "4");
    }
    let free = with(anna(), json!({"chartNumber": "FREE"}));
    keyed(&desk, "l", with_bad, json!({"input": anna(), "bad": free})).await.ok();
    assert_eq!(count(&clinic, "patient").await, "5");

    // And a batch: each of its requests has a key of its own.
    let one = json!({"query": REGISTER, "variables": {"input": anna()}});
    let batch = async || {
        let request =
            desk.request(reqwest::Method::POST, "/graphql").header("Idempotency-Key", "b").json(&json!([one, one]));
        request.send().await.unwrap().json::<Value>().await.unwrap()
    };
    let first = batch().await;
    assert_ne!(first[0]["data"], first[1]["data"]);
    assert_eq!(batch().await, first);
    assert_eq!(count(&clinic, "patient").await, "7");
}
