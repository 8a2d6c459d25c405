//! Rows of another tenant, and rows that are signed.

use super::tenant_tables;
use crate::support::*;

/// Rows of every tenant table, in the north.
async fn fill(clinic: &Clinic) -> (Made, Made) {
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    anna.health_entry(&patient).await;
    let signed = anna.signed_session(&patient).await;
    let rules = anna.protocol().await.version;
    let draft = anna.session_with(&patient, json!({"protocolVersionId": rules})).await;
    anna.signed_consultation(&patient).await;
    let consultation = anna.consultation(&patient).await;
    anna.plan(&consultation, &anna.protocol().await).await;
    anna.photo_with(&patient, json!({})).await;
    anna.signed_note(&signed).await;
    anna.note(&signed).await;
    anna.addendum(&signed).await;
    let sam = new_colleague(&clinic.admin(), "Sam").await;
    sam.make("countersignRecord", "countersignature", json!({"recordId": signed.id, "meaning": "REVIEWER"})).await;
    supervised(&clinic.admin(), sam.id(), anna.id()).await;
    let wrong = anna.signed_consultation(&patient).await;
    anna.make("retractSignedRecord", "retraction", json!({"id": wrong.id, "reason": "Another patient's"})).await;
    clinic.admin().make("addCredential", "credential", credential_of(sam.id())).await;
    let text = anna.consent_text("DATA", json!({})).await;
    anna.consent(&patient, &text, json!({"typedName": null, "signatureImage": SIGNATURE_PNG})).await;
    for kind in PLAIN {
        kind.make(&anna, &patient, "Said at the visit").await;
    }
    let known = json!({"identifiers": [{"system": "hospital", "value": "4711"}]});
    anna.patient_with("Known", "Elsewhere", known).await;
    anna.device("Pen").await;
    anna.make("addHealthTerm", "healthTerm", json!({"code": "house-1", "term": "House mixture"})).await;
    let product = anna.product("Serum").await;
    anna.lot(&product, "L-1").await;
    anna.adverse_event(&signed).await;
    anna.recall(&patient).await;
    let key = anna.prepare(
        "mutation ($input: RegisterPatientInput!) { registerPatient(input: $input) { patient { id } } }",
        json!({"input": {"legalName": {"given": "Iñaki", "family": "Sol"}, "birthDate": "1971-01-02"}}),
    );
    Answer::to(key.header("idempotency-key", "fill")).await.ok();
    let (admin, other) = (clinic.admin(), anna.patient("Zoë", "Ramírez").await);
    admin.make("placeLegalHold", "legalHold", json!({"patientId": patient.id, "reason": "Case 12"})).await;
    anna.make("mergePatients", "merge", crate::access::merging(&other, &patient, json!({}))).await;
    let gone = anna.patient("Gone", "Soon").await;
    let input = crate::access::erasing(&admin, &gone).await;
    admin.make("erasePatient", "erasure", input).await;
    let restriction = json!({"patientId": patient.id, "reason": "Works here"});
    let restriction = admin.make("restrictPatient", "restriction", restriction).await;
    admin
        .because("To lift it")
        .make("liftPatientRestriction", "restriction", restriction.edit_with(json!({"reason": "Left"})))
        .await;
    let emergency = json!({"patientId": patient.id, "reason": "Unconscious at the door"});
    anna.make("beginEmergencyAccess", "emergencyAccess", emergency).await;
    let service = admin.service_account("Reader", &["AUDIT_READ"]).await;
    admin.api_key(&service, json!({})).await;
    let webhook = admin.webhook(&service.id, "API_KEY").await;
    admin.does("testWebhook", json!({"id": webhook.id}), "delivered").await.ok();
    (signed, draft)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_tenant_no_row_of_any_tenant_table_is_seen() {
    let clinic = Clinic::start().await;
    fill(&clinic).await;
    let all = clinic.database.superuser().await;
    let (north, south) = (clinic.north.uuid, clinic.south.uuid);
    let (none, other) = (clinic.database.app(None).await, clinic.database.app(Some(south)).await);
    let own = clinic.database.app(Some(north)).await;
    let owner = clinic.database.owner().await;
    for table in tenant_tables(&all).await {
        let count = format!("SELECT count(*) FROM {table} WHERE org_id = '{north}'");
        let rows = all.one(&count).await;
        assert_ne!(
            rows, "0",
            "{table} has no row to hide: fill() of tests/api/schema/rows.rs must make one, or tests/api/support/kinds.rs"
        );
        assert_eq!(own.one(&count).await, rows, "{table} with its tenant");
        assert_eq!(other.one(&count).await, "0", "{table} with another tenant");
        assert_eq!(none.one(&format!("SELECT count(*) FROM {table}")).await, "0", "{table} with no tenant");
        assert_eq!(owner.one(&format!("SELECT count(*) FROM {table}")).await, "0", "{table}, the owner with no tenant");
        none.run("SET app.org_id = ''").await;
        assert_eq!(none.one(&format!("SELECT count(*) FROM {table}")).await, "0", "{table} with an empty tenant");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tenant_can_write_no_row_of_another() {
    let clinic = Clinic::start().await;
    let patient = clinic.practitioner().patient("Zoë", "Ramírez").await;
    let (north, south) = (clinic.north.uuid, clinic.south.uuid);
    let sql = clinic.database.app(Some(south)).await;
    let id = uuid_of(&patient.id);
    assert_eq!(sql.run(&format!("UPDATE patient SET gender = 'x' WHERE org_id = '{north}' AND id = '{id}'")).await, 0);
    for statement in [
        format!("INSERT INTO chart_counter (org_id, next_number) VALUES ('{north}', 1)"),
        format!("INSERT INTO patient_search (org_id, word, patient_id) VALUES ('{north}', 'nx', '{id}')"),
        format!("UPDATE organisation SET org_id = '{north}'"),
    ] {
        let refused = sql.try_run(&statement).await.expect_err(&statement);
        assert!(refused.starts_with("42501 new row violates row-level security"), "{statement}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_row_takes_no_update_and_no_record_is_deleted() {
    let clinic = Clinic::start().await;
    fill(&clinic).await;
    let superuser = clinic.database.superuser().await;
    let app = clinic.database.app(Some(clinic.north.uuid)).await;
    // The owner is no way round: row-level security is forced on it too.
    let owner = clinic.database.owner().await;
    owner.run(&format!("SET app.org_id = '{}'", clinic.north.uuid)).await;
    for table in ["consultation", "treatment_session", "aftercare_note"] {
        let before = superuser.rows(&format!("SELECT * FROM {table} WHERE signed_at IS NOT NULL ORDER BY id")).await;
        assert_ne!(before.len(), 0, "{table}");
        for (who, sql) in [("clinic_app", &app), ("clinic_owner", &owner)] {
            for change in [
                "version = version + 1",
                "signed_at = NULL, signed_by = NULL, content_hash = NULL, signature_meaning = NULL",
            ] {
                let touched = sql.run(&format!("UPDATE {table} SET {change} WHERE signed_at IS NOT NULL")).await;
                assert_eq!(touched, 0, "{who} {table} {change}");
            }
        }
        assert_eq!(
            app.run(&format!("UPDATE {table} SET version = version WHERE signed_at IS NULL")).await,
            1,
            "{table}: the draft"
        );
        let refused = app.try_run(&format!("DELETE FROM {table}")).await.expect_err("no DELETE");
        assert!(refused.starts_with("42501 permission denied"), "{refused}");
        assert_eq!(owner.run(&format!("DELETE FROM {table}")).await, 0, "{table}: the owner deletes");
        let after = superuser.rows(&format!("SELECT * FROM {table} WHERE signed_at IS NOT NULL ORDER BY id")).await;
        assert_eq!(before, after, "{table}");
    }
    for (table, change) in [
        ("addendum", "text = 'x'"),
        ("countersignature", "meaning = 'author'"),
        ("retraction", "reason = 'x'"),
        ("ledger", "content = 'x'"),
        ("access_log", "operation = 'x'"),
    ] {
        for statement in [format!("UPDATE {table} SET {change}"), format!("DELETE FROM {table}")] {
            let refused = app.try_run(&statement).await.expect_err(&statement);
            assert!(refused.starts_with("42501 permission denied"), "{statement}: {refused}");
            assert_eq!(owner.run(&statement).await, 0, "the owner: {statement}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parts_of_a_signed_session_are_as_fixed_as_the_session() {
    let clinic = Clinic::start().await;
    let (signed, draft) = fill(&clinic).await;
    let (signed, draft) = (uuid_of(&signed.id), uuid_of(&draft.id));
    let app = clinic.database.app(Some(clinic.north.uuid)).await;
    for table in ["session_area", "product_use"] {
        let columns = app
            .one(&format!(
                "SELECT string_agg(column_name, ', ') FROM information_schema.columns \
            WHERE table_name = '{table}' AND column_name NOT IN ('id', 'position', 'session_id')"
            ))
            .await;
        let copy_into = |session| {
            format!(
                "INSERT INTO {table} (id, position, session_id, {columns}) \
            SELECT gen_random_uuid(), 90, '{session}', {columns} FROM {table} WHERE session_id = '{signed}' AND position = 0"
            )
        };
        let refused = app.try_run(&copy_into(signed)).await.expect_err("a part more");
        assert!(refused.starts_with("42501 new row violates row-level security"), "{table}: {refused}");
        let refused = app.try_run(&format!("UPDATE {table} SET session_id = '{draft}'")).await.expect_err("an update");
        assert!(refused.starts_with("42501 permission denied"), "{table}: {refused}");
        assert_eq!(
            app.run(&format!("DELETE FROM {table} WHERE session_id = '{signed}'")).await,
            0,
            "{table} of the signed one"
        );
        assert_eq!(app.run(&copy_into(draft)).await, 1, "{table} of the draft takes one more");
        assert_eq!(
            app.run(&format!("DELETE FROM {table} WHERE session_id = '{draft}'")).await,
            3,
            "{table} of the draft"
        );
        assert_eq!(app.one(&format!("SELECT count(*) FROM {table} WHERE session_id = '{signed}'")).await, "2");
    }
}
