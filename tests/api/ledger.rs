//! The ledger and the access log: one entry for every write, one row for every look, and a chain that shows tampering.
//! The chain is computed here a second time, from what the migration says of it.

use crate::access::{MUTATIONS, chart, input_of};
use crate::support::*;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Every mutation that writes: its payload's record, what the ledger says was done, to what kind of record, and
/// whether that is somebody's chart.
#[rustfmt::skip]
const ENTRIES: &[(&str, &str, &str, &str, bool)] = &[
    ("updateOrganisation",  "organisation",  "update",  "organisation",      false),
    ("addLocation",         "location",      "create",  "location",          false),
    ("createServiceAccount", "serviceAccount", "create", "service_account",  false),
    ("updateServiceAccount", "serviceAccount", "update", "service_account",  false),
    ("createApiKey",        "apiKey",        "create",  "api_key",           false),
    ("revokeApiKey",        "apiKey",        "update",  "api_key",           false),
    ("requestPhotoUpload",  "photo",         "create",  "photo",             true),
    ("updatePhoto",         "photo",         "update",  "photo",             true),
    ("markPhotoEnteredInError", "photo",     "update",  "photo",             true),
    ("updateLocation",      "location",      "update",  "location",          false),
    ("addStaff",            "staff",         "create",  "staff",             false),
    ("updateStaff",         "staff",         "update",  "staff",             false),
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
    ("recordOutcome",             "outcomeAssessment", "create", "outcome_assessment", true),
    ("updateOutcome",             "outcomeAssessment", "update", "outcome_assessment", true),
    ("markOutcomeEnteredInError", "outcomeAssessment", "update", "outcome_assessment", true),
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
    ("addDevice", "device", "create", "device", false),
    ("updateDevice", "device", "update", "device", false),
    ("noteDeviceRecall", "device", "update", "device", false),
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

/// Mutations that change several records, each with its entry (`merges.rs`, `service_accounts.rs`).
const SEVERAL: [&str; 3] = ["mergePatients", "unmergePatients", "rotateApiKey"];

async fn entries(sql: &Sql, organisation: &Organisation) -> i64 {
    let count = format!("SELECT count(*) FROM ledger WHERE org_id = '{}'", organisation.uuid);
    sql.one(&count).await.parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mutation_leaves_one_entry_that_says_what_it_did() {
    let clinic = Clinic::start().await;
    let chart = chart(&clinic, &clinic.north).await;
    let sql = clinic.database.superuser().await;
    let writing: Vec<&str> = MUTATIONS.iter().map(|row| row.0).skip(2).filter(|name| !SEVERAL.contains(name)).collect();
    assert_eq!(ENTRIES.iter().map(|row| row.0).collect::<Vec<_>>(), writing, "a row for every mutation");
    for ((mutation, payload, action, kind, clinical), (_, rights)) in
        ENTRIES.iter().zip(MUTATIONS.iter().skip(2).filter(|row| !SEVERAL.contains(&row.0)))
    {
        let who = if rights[Role::Practitioner as usize] == "ok" { &chart.anna } else { &chart.admin };
        let input = input_of(&chart, mutation).await;
        let before = entries(&sql, &clinic.north).await;
        let patient = match (*clinical, *payload) {
            (false, _) => "",
            (true, "patient") => "",
            _ => "patient { id }",
        };
        let version = if *payload == "addendum" { "" } else { "version" };
        let answer = who.does(mutation, input, &format!("{payload} {{ id {version} {patient} }}")).await.ok();
        let record = &answer[mutation][payload];
        // A text and a protocol come with their first version, a plan asks for a recall: each has an entry of its own.
        let with_more = ["createConsentTemplate", "createProtocol", "createTreatmentPlan", "changeTreatmentPlanStatus"];
        let more = i64::from(with_more.contains(mutation));
        assert_eq!(entries(&sql, &clinic.north).await, before + 1 + more, "{mutation}");
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

// --- The chain -------------------------------------------------------------------------------------------------------

/// SHA-256 of fields, each after its length as 8 bytes, big-endian.
pub fn hash_fields(fields: &[Vec<u8>]) -> Vec<u8> {
    let mut hasher = Sha256::new();
    for field in fields {
        hasher.update((field.len() as u64).to_be_bytes());
        hasher.update(field);
    }
    hasher.finalize().to_vec()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[i * 2..i * 2 + 2], 16).expect("hexadecimal")).collect()
}

fn uuid(text: &str) -> Vec<u8> {
    if text.is_empty() { Vec::new() } else { text.parse::<Uuid>().expect("a UUID").as_bytes().to_vec() }
}

const LEDGER: &str = "SELECT seq, digest_hex, hash_hex, salt IS NULL AND content IS NULL, encode(salt, 'hex'), org_id, micros, actor_id, \
    request_id, action, record_kind, record_id, patient_id, version, content";
const ACCESS_LOG: &str = "SELECT seq, digest_hex, hash_hex, false, org_id, micros, actor_id, request_id, event, operation, from_address, \
    array_to_string(patient_ids, ' '), reason";

/// The number of the first broken entry of an organisation's chain, or none.
pub async fn broken(sql: &Sql, table: &str, org: Uuid) -> Option<i64> {
    let columns = if table == "ledger" { LEDGER } else { ACCESS_LOG };
    let rows = sql
        .rows(&format!(
            "{columns} FROM (SELECT *, encode(digest, 'hex') AS digest_hex, encode(hash, 'hex') AS hash_hex, \
        (extract(epoch FROM at) * 1000000)::bigint AS micros FROM {table}) AS t WHERE org_id = '{org}' ORDER BY seq"
        ))
        .await;
    let (mut last, mut hash) = (0, Sha256::digest(org.as_bytes()).to_vec());
    for row in rows {
        let text = |i: usize| row[i].clone().unwrap_or_default();
        let number = |i: usize| text(i).parse::<i64>().expect("a number");
        let fields = if table == "ledger" {
            let start = vec![bytes(&text(4)), uuid(&text(5)), number(6).to_be_bytes().to_vec(), uuid(&text(7))];
            let words = (8..11).map(|i| text(i).into_bytes());
            let version = i32::try_from(number(13)).expect("a version").to_be_bytes().to_vec();
            start
                .into_iter()
                .chain(words)
                .chain([uuid(&text(11)), uuid(&text(12)), version, text(14).into_bytes()])
                .collect::<Vec<_>>()
        } else {
            let start = vec![uuid(&text(4)), number(5).to_be_bytes().to_vec(), uuid(&text(6))];
            let patients = text(11).split_whitespace().flat_map(uuid).collect();
            let reason = row[12].clone().map(String::into_bytes);
            start.into_iter().chain((7..11).map(|i| text(i).into_bytes())).chain([patients]).chain(reason).collect()
        };
        let erased = text(3) == "t";
        let digest = bytes(&text(1));
        hash = Sha256::new()
            .chain_update(&hash)
            .chain_update((last + 1_i64).to_be_bytes())
            .chain_update(&digest)
            .finalize()
            .to_vec();
        if number(0) != last + 1 || hash != bytes(&text(2)) || (!erased && hash_fields(&fields) != digest) {
            return Some(last + 1);
        }
        last += 1;
    }
    let head =
        sql.rows(&format!("SELECT seq, encode(hash, 'hex') FROM {table}_head WHERE org_id = '{org}'")).await.remove(0);
    let fits = head[0] == Some(last.to_string()) && head[1].as_deref().map(bytes) == Some(hash);
    (!fits).then_some(last + 1)
}

/// Appends an entry as the program would: for a record that a test made in SQL.
pub async fn append(sql: &Sql, org: Uuid, (kind, record): (&str, Uuid), patient: Uuid, content: &Value) {
    let (content, salt, at) = (content.to_string(), vec![7; 16], 1_700_000_000_000_000_i64);
    let fields = [
        salt.clone(),
        org.as_bytes().to_vec(),
        at.to_be_bytes().to_vec(),
        Vec::new(),
        b"test".to_vec(),
        b"create".to_vec(),
        kind.as_bytes().to_vec(),
        record.as_bytes().to_vec(),
        patient.as_bytes().to_vec(),
        1_i32.to_be_bytes().to_vec(),
        content.clone().into_bytes(),
    ];
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let digest = hex(&hash_fields(&fields));
    sql.run("SELECT ensure_month_partitions('2023-11-01', '2023-11-01')").await;
    sql.run(&format!(
        "WITH head AS (UPDATE ledger_head SET seq = seq + 1, hash = sha256(hash || int8send(seq + 1) || '\\x{digest}') \
        WHERE org_id = '{org}' RETURNING seq, hash) INSERT INTO ledger (org_id, seq, at, request_id, action, record_kind, record_id, \
        patient_id, version, content, salt, digest, hash) SELECT '{org}', seq, to_timestamp({}), 'test', 'create', '{kind}', '{record}', \
        '{patient}', 1, '{}', '\\x{}', '\\x{digest}', hash FROM head",
        at / 1_000_000,
        content.replace('\'', "''"),
        hex(&salt),
    ))
    .await;
}

/// Appends an entry in the transaction that is open, by a digest of nothing: what functions of the database go by is what
/// an entry says. Its number.
pub async fn enter(
    sql: &Sql,
    org: Uuid,
    (action, kind, record): (&str, &str, Uuid),
    patient: Option<Uuid>,
    content: &Value,
) -> i64 {
    let patient = patient.map_or("NULL".to_owned(), |it| format!("'{it}'"));
    let content = content.to_string().replace('\'', "''");
    let seq = sql
        .one(&format!(
            "WITH head AS (UPDATE ledger_head SET seq = seq + 1, hash = sha256(hash || int8send(seq + 1) || sha256('')) \
            WHERE org_id = '{org}' RETURNING seq, hash) INSERT INTO ledger (org_id, seq, at, request_id, action, record_kind, record_id, \
            patient_id, version, content, salt, digest, hash) SELECT '{org}', seq, now(), 'test', '{action}', '{kind}', '{record}', \
            {patient}, 1, '{content}', '', sha256(''), hash FROM head RETURNING seq"
        ))
        .await;
    seq.parse().expect("a number")
}

/// Some work of every kind in both organisations, some of it at once.
async fn busy(clinic: &Clinic) {
    for organisation in [&clinic.north, &clinic.south] {
        let chart = chart(clinic, organisation).await;
        let patients = (0..20).map(|i| {
            let anna = &chart.anna;
            async move { anna.patient("Zoë", &format!("Ramírez {i}")).await }
        });
        futures::future::join_all(patients).await;
        let reads = (0..20).map(|_| chart.anna.ask("{ patients { nodes { displayName } } }"));
        futures::future::join_all(reads).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_logs_are_gapless_and_chained_in_each_organisation() {
    let clinic = Clinic::with(&["--pool-wait", "10s"]).await;
    busy(&clinic).await;
    let sql = clinic.database.superuser().await;
    for org in [clinic.north.uuid, clinic.south.uuid] {
        for table in ["ledger", "access_log"] {
            let gaps = sql
                .one(&format!(
                    "SELECT count(*) >= 30 AND max(seq) = count(*) AND min(seq) = 1 FROM {table} WHERE org_id = '{org}'"
                ))
                .await;
            assert_eq!(gaps, "t", "{table}");
            assert_eq!(broken(&sql, table, org).await, None, "{table}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tampering_by_a_superuser_is_found() {
    let clinic = Clinic::with(&["--pool-wait", "10s"]).await;
    busy(&clinic).await;
    let sql = clinic.database.superuser().await;
    let org = clinic.north.uuid;
    let at = |seq: &str| format!("org_id = '{org}' AND seq = {seq}");
    let last = |table: &str| format!("(SELECT max(seq) FROM {table} WHERE org_id = '{org}')");
    let swap = |table: &str, columns: &str| {
        let set: Vec<String> = columns.split(' ').map(|column| format!("{column} = o.{column}")).collect();
        format!(
            "UPDATE {table} t SET {} FROM {table} o WHERE t.org_id = '{org}' AND o.org_id = t.org_id AND ((t.seq, o.seq) IN ((9, 10), (10, 9)))",
            set.join(", ")
        )
    };
    let mut attacks = vec![
        ("ledger", 5, format!("UPDATE ledger SET content = replace(content, 'a', 'e') WHERE {}", at("5"))),
        (
            "ledger",
            5,
            format!(
                "UPDATE ledger SET content = replace(content, 'a', 'e'), digest = sha256(content::bytea) WHERE {}",
                at("5")
            ),
        ),
        ("ledger", 5, format!("UPDATE ledger SET actor_id = gen_random_uuid() WHERE {}", at("5"))),
        ("ledger", 5, format!("UPDATE ledger SET patient_id = gen_random_uuid() WHERE {}", at("5"))),
        ("ledger", 5, format!("UPDATE ledger SET action = 'read' WHERE {}", at("5"))),
        ("ledger", 5, format!("UPDATE ledger SET version = version + 1 WHERE {}", at("5"))),
        ("ledger", 5, format!("UPDATE ledger SET salt = NULL WHERE {}", at("5"))),
        (
            "ledger",
            9,
            swap(
                "ledger",
                "at actor_id request_id action record_kind record_id patient_id version content salt digest",
            ),
        ),
        (
            "ledger",
            9,
            swap(
                "ledger",
                "at actor_id request_id action record_kind record_id patient_id version content salt digest hash",
            ),
        ),
        ("access_log", 5, format!("UPDATE access_log SET patient_ids = '{{}}', operation = 'me' WHERE {}", at("5"))),
        ("access_log", 5, format!("UPDATE access_log SET from_address = '10.0.0.1' WHERE {}", at("5"))),
    ];
    for table in ["ledger", "access_log"] {
        attacks.push((table, 5, format!("UPDATE {table} SET at = at + interval '1 us' WHERE {}", at("5"))));
        attacks.push((table, 5, format!("UPDATE {table} SET request_id = 'x' WHERE {}", at("5"))));
        attacks.push((table, 5, format!("DELETE FROM {table} WHERE {}", at("5"))));
        attacks.push((
            table,
            5,
            format!(
                "DELETE FROM {table} WHERE {}; UPDATE {table} SET seq = seq - 1 WHERE org_id = '{org}' AND seq > 5",
                at("5")
            ),
        ));
        // The head knows the end of the chain.
        attacks.push((table, -1, format!("DELETE FROM {table} WHERE {}", at(&last(table)))));
        attacks.push((table, -1, format!("UPDATE {table}_head SET seq = seq - 1 WHERE org_id = '{org}'")));
    }
    for (table, place, attack) in attacks {
        sql.run(&format!("BEGIN; {attack}")).await;
        let found = broken(&sql, table, org).await;
        sql.run("ROLLBACK").await;
        assert!(found.is_some() && (place < 0 || found == Some(place)), "{found:?} of {place}: {attack}");
        assert_eq!(broken(&sql, table, org).await, None, "rolled back");
    }
    // What the law wants forgotten may go: its digest stays, and with it the chain.
    sql.run(&format!("UPDATE ledger SET content = NULL, salt = NULL WHERE {}", at("5"))).await;
    assert_eq!(broken(&sql, "ledger", org).await, None);
}

// --- History ---------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn history_shows_each_version_by_whom_and_what_changed() {
    let clinic = Clinic::start().await;
    let (anna, desk) = (clinic.practitioner(), clinic.front_desk());
    let made = desk.patient("Zoë", "Ramírez").await;
    let patch = json!({"patch": {"legalName": {"given": "Zoë", "family": "Sol"}, "gender": "woman"}});
    let made = anna.make("updatePatient", "patient", made.edit_with(patch)).await;
    let made = anna.make("archivePatient", "patient", made.edit_with(json!({"reason": "Moved"}))).await;
    let query = "query ($id: ID!, $first: Int, $after: String) { patient(id: $id) { history(first: $first, after: $after) { totalCount
        pageInfo { hasNextPage endCursor } nodes { version action by { id } at ledgerSequence changes { field before after } } } } }";
    let history = clinic.auditor().graphql(query, json!({"id": made.id})).await.ok()["patient"]["history"].clone();
    assert_eq!(history["totalCount"], 3);
    let nodes = history["nodes"].as_array().expect("versions");
    let brief: Vec<Value> = nodes.iter().map(|it| json!([it["version"], it["action"], it["by"]["id"]])).collect();
    assert_eq!(
        brief,
        [json!([3, "ARCHIVE", anna.id()]), json!([2, "UPDATE", anna.id()]), json!([1, "CREATE", desk.id()])]
    );
    let changes = |version: usize| -> Vec<Value> { nodes[3 - version]["changes"].as_array().expect("changes").clone() };
    assert_eq!(
        changes(3),
        [
            json!({"field": "status", "before": "active", "after": "archived"}),
            json!({"field": "statusReason", "before": null, "after": "Moved"}),
        ]
    );
    assert_eq!(
        changes(2),
        [
            json!({"field": "gender", "before": null, "after": "woman"}),
            json!({"field": "legalName", "before": {"given": "Zoë", "middle": null, "family": "Ramírez"}, "after": {"given": "Zoë", "middle": null, "family": "Sol"}}),
        ]
    );
    let first: Vec<&str> =
        nodes[2]["changes"].as_array().expect("changes").iter().filter_map(|it| it["field"].as_str()).collect();
    assert_eq!(first, ["birthDate", "chartNumber", "legalName", "status"], "all that was filled in");
    let sequences: Vec<i64> = nodes.iter().filter_map(|it| it["ledgerSequence"].as_i64()).collect();
    assert!(sequences.is_sorted_by(|newer, older| newer > older), "{sequences:?}");
    // The same, a page at a time.
    let mut after = Value::Null;
    for node in nodes {
        let page = clinic.auditor().graphql(query, json!({"id": made.id, "first": 1, "after": after})).await.ok()["patient"]["history"].clone();
        assert_eq!((&page["nodes"], page["nodes"].as_array().map(Vec::len)), (&json!([node]), Some(1)));
        after = page["pageInfo"]["endCursor"].clone();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn history_shows_the_parts_of_a_session_and_its_signature() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    let session = anna.session(&patient).await;
    let areas = json!([{"area": "NOSE", "needleDepthMm": "0.5", "passes": 2}]);
    let session = anna.make("updateSession", "session", session.edit_with(json!({"patch": {"areas": areas}}))).await;
    anna.sign_session(&session).await;
    let query =
        "query ($id: ID!) { session(id: $id) { history { nodes { version changes { field before after } } } } }";
    let answer = anna.graphql(query, json!({"id": session.id})).await.ok();
    let nodes = answer["session"]["history"]["nodes"].as_array().expect("versions").clone();
    let fields = |node: &Value| -> Vec<String> {
        node["changes"]
            .as_array()
            .expect("changes")
            .iter()
            .map(|it| it["field"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!((fields(&nodes[0]), fields(&nodes[1])), (vec!["signature".to_owned()], vec!["areas".to_owned()]));
    let change = &nodes[1]["changes"][0];
    assert_eq!(
        (change["before"].as_array().map(Vec::len), change["after"].as_array().map(Vec::len)),
        (Some(2), Some(1))
    );
    assert_eq!(nodes[0]["changes"][0]["after"]["signedBy"], json!(anna.id()));
}

// --- The access log --------------------------------------------------------------------------------------------------

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
