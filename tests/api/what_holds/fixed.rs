//! What was published, agreed to, stored or done.

use super::app;
use crate::access::merging;
use crate::support::*;
use uuid::Uuid;

/// What of a hold or a restriction must not be changed.
const LIFTED: &[&str] = &["reason = 'x'", "placed_by = NULL", "placed_at = now()", "patient_id = gen_random_uuid()"];

/// Changes of a row in each table that must not be.
const CHANGES: [(&str, &[&str]); 9] = [
    (
        "consent_template_version",
        &[
            "text = text || ' x'",
            "text_hash = sha256('x')",
            "valid_days = 1",
            "language = 'de'",
            "status = 'draft', published_at = NULL",
            "published_by = NULL",
        ],
    ),
    (
        "protocol_version",
        &["rules = '{}'", "indications = '{}'", "modality = 'prp'", "status = 'draft', published_at = NULL"],
    ),
    (
        "consent",
        &[
            "text_hash = sha256('x')",
            "signature_hash = sha256('x')",
            "signer_name = 'x'",
            "given_at = now()",
            "expires_at = now()",
            "kind = 'treatment'",
            "modalities = '{prp}'",
            "status = 'proposed'",
            "status = 'draft', text_hash = sha256('x')",
            "template_version_id = gen_random_uuid()",
            "patient_id = gen_random_uuid()",
            "witness_name = 'x'",
            "created_by = NULL",
        ],
    ),
    (
        "photo",
        &[
            "content_hash = sha256('x')",
            "media_type = 'image/jpeg'",
            "byte_size = 1",
            "width = 1",
            "stored_at = NULL, status = 'awaiting_upload'",
            "status = 'awaiting_upload'",
            "status = 'abandoned'",
            "patient_id = gen_random_uuid()",
        ],
    ),
    (
        "patient_merge",
        &[
            "moved = '{\"consent\": []}'",
            "before = '{}'",
            "conflicts = '[{}]'",
            "reason = 'x'",
            "from_id = gen_random_uuid()",
        ],
    ),
    ("patient_erasure", &["emptied = '[]'", "counts = '{}'", "erased_by = NULL", "patient_id = gen_random_uuid()"]),
    ("legal_hold", LIFTED),
    ("patient_restriction", LIFTED),
    (
        "emergency_access",
        &["reason = 'x'", "begun_at = now()", "ends_at = ends_at + interval '1 day'", "staff_id = gen_random_uuid()"],
    ),
];

/// A row that holds in each table of them.
async fn held(clinic: &Clinic) -> [(&'static str, Uuid); 9] {
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let (patient, other) = (anna.patient("Zoë", "Ramírez").await, anna.patient("Zoë", "Ramírez").await);
    let text = anna.consent_text("DATA", json!({})).await;
    let consent = anna.consent(&patient, &text, json!({})).await;
    let photo = anna.photo_with(&patient, json!({})).await;
    let protocol = anna.protocol().await;
    let merge = anna.make("mergePatients", "merge", merging(&other, &patient, json!({}))).await;
    let placed = json!({"patientId": patient.id, "reason": "Case 12 of the court"});
    let hold = admin.make("placeLegalHold", "legalHold", placed.clone()).await;
    let restriction = admin.make("restrictPatient", "restriction", placed.clone()).await;
    let emergency = clinic.front_desk();
    let emergency = emergency.make("beginEmergencyAccess", "emergencyAccess", placed).await;
    let gone = anna.patient("Gone", "Soon").await;
    let erased = admin.make("erasePatient", "erasure", crate::access::erasing(&admin, &gone).await).await;
    let version = Made { id: protocol.version, version: 1 };
    [
        ("consent_template_version", &text.version),
        ("protocol_version", &version),
        ("consent", &consent),
        ("photo", &photo),
        ("patient_merge", &merge),
        ("patient_erasure", &erased),
        ("legal_hold", &hold),
        ("patient_restriction", &restriction),
        ("emergency_access", &emergency),
    ]
    .map(|(table, made)| (table, uuid_of(&made.id)))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_published_agreed_to_stored_or_done_is_not_changed() {
    let clinic = Clinic::start().await;
    let held = held(&clinic).await;
    let (app, sql) = (app(&clinic).await, clinic.database.superuser().await);
    let named: Vec<&str> = held.iter().map(|(table, _)| *table).collect();
    let mut policies = sql.column("SELECT polrelid::regclass::text FROM pg_policy WHERE polname = 'what_holds'").await;
    policies.sort();
    let mut all = named.clone();
    all.sort_unstable();
    assert_eq!(policies, all, "each has its row here");
    for (table, id) in held {
        let (_, changes) = CHANGES.iter().find(|(name, _)| *name == table).expect("its changes");
        let there = format!("SELECT count(*) FROM {table} WHERE id = '{id}'");
        assert_eq!(app.one(&there).await, "1", "{table}");
        for change in *changes {
            let refused = app.try_run(&format!("UPDATE {table} SET {change} WHERE id = '{id}'")).await;
            let why = refused.expect_err(&format!("{table} {change}"));
            assert!(why.starts_with("42501 new row violates row-level security policy"), "{table} {change}: {why}");
        }
        // Whose key it takes is looked for, and is not there.
        let moved = app.try_run(&format!("UPDATE {table} SET id = gen_random_uuid() WHERE id = '{id}'")).await;
        let why = moved.expect_err(table);
        assert!(why.starts_with("40001 the row is not there any more"), "{table}: {why}");
        // What is to come may.
        assert_eq!(app.run(&format!("UPDATE {table} SET version = version + 1 WHERE id = '{id}'")).await, 1, "{table}");
    }
    for (table, ends) in [
        ("consent_template_version", "status = 'retired'"),
        ("consent", "status = 'inactive', ended_at = now(), ended_reason = 'Asked to'"),
        ("photo", "status = 'entered_in_error', status_reason = 'Of somebody else'"),
        ("legal_hold", "lifted_at = now(), lift_reason = 'Closed'"),
        ("patient_merge", "undone_at = now(), undo_reason = 'Twins'"),
    ] {
        assert_ne!(app.run(&format!("UPDATE {table} SET {ends} WHERE version > 1")).await, 0, "{table} {ends}");
    }
    // And once it ended, it has ended.
    for (table, change) in [
        ("legal_hold", "lifted_at = NULL, lift_reason = NULL"),
        ("legal_hold", "lift_reason = 'x'"),
        ("patient_merge", "undone_at = NULL, undo_reason = NULL"),
        ("consent", "status = 'proposed'"),
    ] {
        let refused = app.try_run(&format!("UPDATE {table} SET {change} WHERE version > 1")).await;
        assert!(refused.as_ref().is_err_and(|why| why.starts_with("42501")), "{table} {change}: {refused:?}");
    }
}
