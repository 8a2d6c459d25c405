//! The ledger and the access log: one entry for every write, one row for every look, and a chain that shows tampering.

mod access_log;
mod chain;
mod history;
mod packed;

use crate::access::{IDENTITY, MUTATIONS, PUBLIC, chart, input_of};
use crate::support::*;
pub use chain::{append, broken, enter, hash_fields};
use std::sync::LazyLock;

/// A mutation that writes: its payload's record, what the ledger says was done, to what kind of record, and whether that
/// is somebody's chart.
type Writing = (&'static str, &'static str, &'static str, &'static str, bool);

/// Every mutation that writes: those of the plain kinds by their rows, the others here.
static ENTRIES: LazyLock<Vec<Writing>> = LazyLock::new(|| {
    let plain = PLAIN.iter().flat_map(|kind| {
        kind.mutations().map(move |(mutation, action)| (mutation, kind.one, action, kind.table, true))
    });
    OTHER_ENTRIES.iter().copied().chain(plain).collect()
});

#[rustfmt::skip]
const OTHER_ENTRIES: &[Writing] = &[
    ("updateOrganisation",  "organisation",  "update",  "organisation",      false),
    ("addLocation",         "location",      "create",  "location",          false),
    ("createServiceAccount", "serviceAccount", "create", "service_account",  false),
    ("updateServiceAccount", "serviceAccount", "update", "service_account",  false),
    ("createApiKey",        "apiKey",        "create",  "api_key",           false),
    ("revokeApiKey",        "apiKey",        "update",  "api_key",           false),
    ("addWebhook",          "webhook",       "create",  "webhook",           false),
    ("updateWebhook",       "webhook",       "update",  "webhook",           false),
    ("rotateWebhookSecret", "webhook",       "update",  "webhook",           false),
    ("pauseWebhook",        "webhook",       "update",  "webhook",           false),
    ("resumeWebhook",       "webhook",       "update",  "webhook",           false),
    ("replayWebhook",       "webhook",       "update",  "webhook",           false),
    ("endWebhook",          "webhook",       "update",  "webhook",           false),
    ("requestPhotoUpload",  "photo",         "create",  "photo",             true),
    ("updatePhoto",         "photo",         "update",  "photo",             true),
    ("markPhotoEnteredInError", "photo",     "update",  "photo",             true),
    ("updateLocation",      "location",      "update",  "location",          false),
    ("addStaff",            "staff",         "create",  "staff",             false),
    ("updateStaff",         "staff",         "update",  "staff",             false),
    ("changeStaffEmail",    "staff",         "update",  "staff",             false),
    ("addCredential",       "credential",    "create",  "credential",        false),
    ("updateCredential",    "credential",    "update",  "credential",        false),
    ("createInvitationLink", "staff",        "update",  "staff",             false),
    ("createPasswordResetLink", "staff",     "update",  "staff",             false),
    ("revokeStaffSignIns",  "staff",         "update",  "staff",             false),
    ("placeLegalHold",      "legalHold",     "create",  "legal_hold",        true),
    ("liftLegalHold",       "legalHold",     "update",  "legal_hold",        true),
    ("exportPatient",       "patient",       "export",  "patient",           true),
    ("erasePatient",        "erasure",       "erase",   "patient_erasure",   false),
    ("restrictPatient",     "restriction",   "create",  "patient_restriction", true),
    ("liftPatientRestriction", "restriction", "update", "patient_restriction", true),
    ("beginEmergencyAccess", "emergencyAccess", "create", "emergency_access", true),
    ("endEmergencyAccess",  "emergencyAccess", "update", "emergency_access",  true),
    ("reviewEmergencyAccess", "emergencyAccess", "update", "emergency_access", true),
    ("registerPatient",     "patient",       "create",  "patient",           true),
    ("updatePatient",       "patient",       "update",  "patient",           true),
    ("archivePatient",      "patient",       "archive", "patient",           true),
    ("restorePatient",      "patient",       "restore", "patient",           true),
    ("addHealthEntry",      "healthEntry",   "create",  "health_entry",      true),
    ("updateHealthEntry",   "healthEntry",   "update",  "health_entry",      true),
    ("recordConsultation",  "consultation",  "create",  "consultation",      true),
    ("updateConsultation",  "consultation",  "update",  "consultation",      true),
    ("createConsentTemplate",         "consentTemplate",        "create",  "consent_template",         false),
    ("draftConsentTemplateVersion",   "consentTemplateVersion", "create",  "consent_template_version", false),
    ("updateConsentTemplateVersion",  "consentTemplateVersion", "update",  "consent_template_version", false),
    ("publishConsentTemplateVersion", "consentTemplateVersion", "publish", "consent_template_version", false),
    ("retireConsentTemplate",         "consentTemplate",        "update",  "consent_template",         false),
    ("proposeConsent",            "consent",           "create", "consent",            true),
    ("giveConsent",               "consent",           "update", "consent",            true),
    ("recordConsent",             "consent",           "create", "consent",            true),
    ("rejectConsent",             "consent",           "update", "consent",            true),
    ("withdrawConsent",           "consent",           "update", "consent",            true),
    ("markConsentEnteredInError", "consent",           "update", "consent",            true),
    ("signConsultation",    "consultation",  "sign",    "consultation",      true),
    ("logSession",          "session",       "create",  "treatment_session", true),
    ("startSession",        "session",       "create",  "treatment_session", true),
    ("updateSession",       "session",       "update",  "treatment_session", true),
    ("completeSession",     "session",       "update",  "treatment_session", true),
    ("stopSession",         "session",       "update",  "treatment_session", true),
    ("signSession",         "session",       "sign",    "treatment_session", true),
    ("createProtocol", "protocol", "create", "protocol", false),
    ("updateProtocol", "protocol", "update", "protocol", false),
    ("draftProtocolVersion", "protocolVersion", "create", "protocol_version", false),
    ("updateProtocolVersion", "protocolVersion", "update", "protocol_version", false),
    ("publishProtocolVersion", "protocolVersion", "publish", "protocol_version", false),
    ("createTreatmentPlan", "treatmentPlan", "create", "treatment_plan", true),
    ("updateTreatmentPlan", "treatmentPlan", "update", "treatment_plan", true),
    ("changeTreatmentCourse", "treatmentPlan", "update", "treatment_plan", true),
    ("changeTreatmentPlanStatus", "treatmentPlan", "update", "treatment_plan", true),
    ("overrideSessionCheck", "session", "update", "treatment_session", true),
    ("signOffSessionCheck", "session", "update", "treatment_session", true),
    ("addAftercareNote",    "aftercareNote", "create",  "aftercare_note",    true),
    ("updateAftercareNote", "aftercareNote", "update",  "aftercare_note",    true),
    ("signAftercareNote",   "aftercareNote", "sign",    "aftercare_note",    true),
    ("addAddendum",         "addendum",      "create",  "addendum",          true),
    ("agreeSupervision",    "supervisionAgreement", "create", "supervision_agreement", false),
    ("updateSupervisionAgreement", "supervisionAgreement", "update", "supervision_agreement", false),
    ("recordChartReview",   "chartReview",   "update",  "chart_review",      true),
    ("retractSignedRecord", "retraction",    "create",  "retraction",        true),
    ("countersignRecord",   "countersignature", "create", "countersignature", true),
    ("addDevice", "device", "create", "device", false),
    ("updateDevice", "device", "update", "device", false),
    ("noteDeviceRecall", "device", "update", "device", false),
    ("addHealthTerm", "healthTerm", "create", "health_term", false),
    ("updateHealthTerm", "healthTerm", "update", "health_term", false),
    ("addProduct", "product", "create", "product", false),
    ("updateProduct", "product", "update", "product", false),
    ("addProductLot", "productLot", "create", "product_lot", false),
    ("updateProductLot", "productLot", "update", "product_lot", false),
    ("noteLotRecall", "productLot", "update", "product_lot", false),
    ("reportAdverseEvent", "adverseEvent", "create", "adverse_event", true),
    ("updateAdverseEvent", "adverseEvent", "update", "adverse_event", true),
    ("addAdverseEventFollowUp", "adverseEvent", "update", "adverse_event", true),
    ("reportAdverseEventToAuthority", "adverseEvent", "update", "adverse_event", true),
    ("markAdverseEventEnteredInError", "adverseEvent", "update", "adverse_event", true),
    ("createRecall", "recall", "create", "recall", true),
    ("createSafetyRecall", "recall", "create", "recall", true),
    ("logRecallAttempt", "recall", "update", "recall", true),
    ("snoozeRecall", "recall", "update", "recall", true),
    ("completeRecall", "recall", "update", "recall", true),
    ("dismissRecall", "recall", "update", "recall", true),
];

/// Mutations that change several records, each with its entry (`merges`, `service_accounts`).
const SEVERAL: [&str; 3] = ["mergePatients", "unmergePatients", "rotateApiKey"];
/// Mutations that change no record: what a test of a webhook sends is in the log of deliveries (`webhooks::told`).
const NONE: [&str; 1] = ["testWebhook"];

async fn entries(sql: &Sql, organisation: &Organisation) -> i64 {
    let count = format!("SELECT count(*) FROM ledger WHERE org_id = '{}'", organisation.uuid);
    sql.one(&count).await.parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mutation_leaves_one_entry_that_says_what_it_did() {
    let clinic = Clinic::start().await;
    let chart = chart(&clinic, &clinic.north).await;
    let sql = clinic.database.superuser().await;
    let schema = Schema::ask(&clinic.anonymous()).await;
    let names = schema.get("Mutation").fields.iter().map(|field| field.name.as_str());
    let apart =
        |name: &&str| IDENTITY.contains(name) || PUBLIC.contains(name) || SEVERAL.contains(name) || NONE.contains(name);
    let advice = "ENTRIES of tests/api/ledger/mod.rs (tests/api/support/kinds.rs for a plain kind) and the mutations of the \
        schema that write:";
    let wrong = difference(names.filter(|name| !apart(name)), ENTRIES.iter().map(|row| row.0), advice);
    assert!(wrong.is_empty(), "{wrong}");
    for (mutation, payload, action, kind, clinical) in ENTRIES.iter() {
        let rights = MUTATIONS.iter().find(|(name, _)| name == mutation).expect("a row of MUTATIONS").1;
        let who = if rights[Role::Practitioner as usize] == "ok" { &chart.anna } else { &chart.admin };
        let input = input_of(&chart, mutation).await;
        let before = entries(&sql, &clinic.north).await;
        let patient = match (*clinical, *payload) {
            (false, _) => "",
            (true, "patient") => "",
            _ => "patient { id }",
        };
        let version = if FIXED.contains(payload) { "" } else { "version" };
        let answer = who.does(mutation, input, &format!("{payload} {{ id {version} {patient} }}")).await.ok();
        let record = &answer[mutation][payload];
        // A text and a protocol come with their first version, a plan asks for a recall: each has an entry of its own.
        let with_more = ["createConsentTemplate", "createProtocol", "createTreatmentPlan", "changeTreatmentPlanStatus"];
        let more = i64::from(with_more.contains(mutation));
        assert_eq!(entries(&sql, &clinic.north).await, before + 1 + more, "{mutation}");
        sql.plain_ledger(&format!("seq > {before}")).await;
        let entry = sql
            .rows(&format!(
                "SELECT seq, action, record_kind, record_id, version, actor_id, patient_id, content FROM ledger \
            WHERE org_id = '{}' AND seq > {before} AND record_kind = '{kind}'",
                clinic.north.uuid
            ))
            .await
            .remove(0);
        let id = uuid_of(record["id"].as_str().expect("an id"));
        let of_patient = match (*clinical, *payload) {
            (false, _) => None,
            (true, "patient") => Some(id.to_string()),
            _ => Some(uuid_of(record["patient"]["id"].as_str().expect("an id")).to_string()),
        };
        let expected = [
            entry[0].clone(),
            Some((*action).to_owned()),
            Some((*kind).to_owned()),
            Some(id.to_string()),
            Some(record["version"].as_i64().unwrap_or(1).to_string()),
            Some(uuid_of(who.id()).to_string()),
            of_patient,
        ];
        assert_eq!(entry[..7], expected, "{mutation}");
        let content: Value = serde_json::from_str(entry[7].as_deref().expect("content")).expect("JSON");
        assert_eq!(content["id"], json!(id.to_string()), "{mutation}: the record itself is the content");
    }
    sql.plain_ledger("true").await;
    let secrets = "SELECT count(*) FROM ledger WHERE content LIKE '%argon2%' OR content LIKE '%password%'";
    assert_eq!(sql.one(secrets).await, "0", "no password and no hash of one is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_leaves_no_entry() {
    let clinic = Clinic::start().await;
    let chart = chart(&clinic, &clinic.north).await;
    let sql = clinic.database.superuser().await;
    let mut stale = 0;
    for (mutation, rights) in MUTATIONS.iter().skip(2) {
        let who = if rights[Role::Practitioner as usize] == "ok" { &chart.anna } else { &chart.admin };
        let input = input_of(&chart, mutation).await;
        let before = entries(&sql, &clinic.north).await;
        let refused = clinic.auditor().does(mutation, input.clone(), "__typename").await;
        assert_eq!(refused.outcome(), "FORBIDDEN", "{mutation}");
        if let Some(version) = input["expectedVersion"].as_i64() {
            let mut input = input.clone();
            input["expectedVersion"] = json!(version + 7);
            let lost = who.does(mutation, input, "__typename").await;
            assert_eq!(
                (lost.code(), &lost.errors[0]["extensions"]["currentVersion"]),
                ("CONFLICT", &json!(version)),
                "{mutation} {}",
                lost.text
            );
            stale += 1;
        }
        assert_eq!(entries(&sql, &clinic.north).await, before, "{mutation}");
    }
    assert!(stale >= 13, "{stale} edits were sent with a stale version");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_record_refuses_edits_and_leaves_no_entry() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    let session = anna.signed_session(&patient).await;
    let (consultation, note) = (anna.signed_consultation(&patient).await, anna.signed_note(&session).await);
    let sql = clinic.database.superuser().await;
    let before = entries(&sql, &clinic.north).await;
    for (mutation, input) in [
        ("updateSession", session.edit_with(json!({"patch": {"note": "x"}}))),
        ("completeSession", session.edit()),
        ("stopSession", session.edit_with(json!({"reason": "x"}))),
        ("signSession", session.edit()),
        ("updateConsultation", consultation.edit_with(json!({"patch": {"goals": "x"}}))),
        ("signConsultation", consultation.edit()),
        ("updateAftercareNote", note.edit_with(json!({"patch": {"text": "x"}}))),
        ("signAftercareNote", note.edit()),
    ] {
        let answer = anna.does(mutation, input, "__typename").await;
        assert_eq!(answer.outcome(), "RECORD_SIGNED", "{mutation} {}", answer.text);
    }
    assert_eq!(entries(&sql, &clinic.north).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_the_first_try_again_and_one_entry() {
    let clinic = Clinic::with(&["--pool-wait", "5s"]).await;
    let anna = clinic.practitioner();
    let sql = clinic.database.superuser().await;
    let before = entries(&sql, &clinic.north).await;
    let query =
        "mutation ($input: RegisterPatientInput!) { registerPatient(input: $input) { patient { id chartNumber } } }";
    let input = |family: &str, id: Option<&str>| json!({"input": {"id": id, "legalName": {"given": "Zoë", "family": family}, "birthDate": "1990-05-17"}});
    let id = new_id("patient");
    for (key, id) in [(Some("a-key"), None), (None, Some(id.as_str()))] {
        let send = |family: &str| {
            let request = anna.prepare(query, input(family, id));
            Answer::to(if let Some(key) = key { request.header("idempotency-key", key) } else { request })
        };
        let answers = futures::future::join_all((0..30).map(|_| send("Ramírez"))).await;
        let first = answers[0].clone().ok();
        for answer in answers {
            assert_eq!(answer.ok(), first);
        }
        let other = send("Sol").await;
        assert_eq!(other.outcome(), "IDEMPOTENCY_MISMATCH", "{key:?} {id:?} {}", other.text);
    }
    assert_eq!(entries(&sql, &clinic.north).await, before + 2);
}
