//! A row in every table whose rows are a patient's.

use crate::ledger::append;
use crate::support::*;
use uuid::Uuid;

/// A row in every table whose rows are a patient's, those of kinds without a maker by SQL, with a marker in their texts. A
/// plain kind (`support/kinds.rs`) needs nothing here.
pub async fn everything(clinic: &Clinic, patient: &Made, marker: &str) {
    let (anna, sql, org) = (clinic.practitioner(), clinic.database.superuser().await, clinic.north.uuid);
    let entry = json!({"patientId": patient.id, "kind": "ALLERGY", "text": format!("Latex {marker}")});
    anna.make("addHealthEntry", "healthEntry", entry).await;
    let consultation = anna.consultation_with(patient, json!({"goals": marker})).await;
    let consultation = anna.sign_consultation(&consultation).await;
    anna.consultation(patient).await;
    let session = anna.session_with(patient, json!({"note": marker})).await;
    let session = anna.sign_session(&session).await;
    anna.session(patient).await;
    let note = json!({"sessionId": session.id, "kind": "INSTRUCTIONS_GIVEN", "text": marker});
    let note = anna.make("addAftercareNote", "aftercareNote", note).await;
    let note = anna.sign_note(&note).await;
    anna.make("addAddendum", "addendum", json!({"recordId": note.id, "reason": marker, "text": marker})).await;
    let taken = new_colleague(&clinic.admin(), "Sam").await.consultation(patient).await;
    let taken = taken.edit_with(json!({"meaning": "TAKEN_OVER", "reason": marker}));
    let taken = anna.make("signConsultation", "consultation", taken).await;
    let sam = new_colleague(&clinic.admin(), "Sam").await;
    sam.make("countersignRecord", "countersignature", json!({"recordId": taken.id, "meaning": "REVIEWER"})).await;
    let kim = new_colleague(&clinic.admin(), "Kim").await;
    supervised(&clinic.admin(), anna.id(), kim.id()).await;
    kim.signed_consultation(patient).await;
    let found = json!({"outcome": "NEEDS_REVISION", "note": marker});
    anna.make("recordChartReview", "chartReview", review_due(&anna).await.edit_with(found)).await;
    anna.make("retractSignedRecord", "retraction", json!({"id": taken.id, "reason": marker})).await;
    // Of some there is another below, with links that none has that is made alone.
    for kind in PLAIN {
        kind.make(&anna, patient, marker).await;
    }
    let hold = clinic.admin();
    let hold_input = json!({"patientId": patient.id, "reason": marker});
    let placed = hold.make("placeLegalHold", "legalHold", hold_input).await;
    hold.make("liftLegalHold", "legalHold", placed.edit_with(json!({"reason": marker}))).await;
    let restriction = json!({"patientId": patient.id, "reason": marker});
    let placed = hold.make("restrictPatient", "restriction", restriction).await;
    let lifting = placed.edit_with(json!({"reason": marker}));
    hold.because("To lift it").make("liftPatientRestriction", "restriction", lifting).await;
    // Its reason goes into the access log, which an erasure leaves: docs/privacy.md asks for reasons that name nobody.
    let emergency = json!({"patientId": patient.id, "reason": "Unconscious at the door"});
    let begun = hold.make("beginEmergencyAccess", "emergencyAccess", emergency).await;
    hold.make("endEmergencyAccess", "emergencyAccess", json!({"id": begun.id})).await;
    rows_without_a_maker(&sql, org, [&patient.id, &consultation.id, &session.id].map(|id| uuid_of(id)), marker).await;
}

/// Rows of the kinds without a maker, each with its entry in the ledger, of a patient, their consultation and session.
async fn rows_without_a_maker(sql: &Sql, org: Uuid, [patient, consultation, session]: [Uuid; 3], marker: &str) {
    let id = Uuid::now_v7;
    let (protocol, protocol_version, template, template_version) = (id(), id(), id(), id());
    let (plan, consent, photo, event, outcome, recall) = (id(), id(), id(), id(), id(), id());
    let stamp = "1, now(), now()";
    let stamps = "version, created_at, updated_at";
    for statement in [
        format!(
            "INSERT INTO session_check (org_id, session_id, position, rule, verdict, cause, protocol_version_id, override_reason, \
            override_by, override_at) VALUES ('{org}', '{session}', 30000, 'lot', 'warn', '{marker}', '{protocol_version}', '{marker}', \
            '{protocol}', now())"
        ),
        format!(
            "INSERT INTO protocol (org_id, id, name, active, {stamps}) VALUES ('{org}', '{protocol}', '{protocol}', true, {stamp})"
        ),
        format!(
            "INSERT INTO protocol_version (org_id, id, protocol_id, number, status, modality, indications, rules, {stamps}) \
            VALUES ('{org}', '{protocol_version}', '{protocol}', 1, 'draft', 'prp', '{{}}', '{{}}', {stamp})"
        ),
        format!(
            "INSERT INTO treatment_plan (org_id, id, patient_id, consultation_id, protocol_version_id, concerns, areas, planned_sessions, \
            status, note, started_on, earlier_courses, {stamps}) VALUES ('{org}', '{plan}', '{patient}', '{consultation}', \
            '{protocol_version}', '{{}}', '[]', 4, 'active', '{marker}', '2026-01-01', '[]', {stamp})"
        ),
        format!(
            "INSERT INTO consent_template (org_id, id, name, kind, active, {stamps}) VALUES ('{org}', '{template}', '{template}', 'data', true, {stamp})"
        ),
        format!(
            "INSERT INTO consent_template_version (org_id, id, template_id, number, status, text, text_hash, language, modalities, {stamps}) \
            VALUES ('{org}', '{template_version}', '{template}', 1, 'draft', 'I agree', sha256('x'), 'en', '{{}}', {stamp})"
        ),
        format!(
            "INSERT INTO consent (org_id, id, patient_id, template_version_id, kind, modalities, text_hash, status, note, {stamps}) \
            VALUES ('{org}', '{consent}', '{patient}', '{template_version}', 'data', '{{}}', sha256('x'), 'draft', '{marker}', {stamp})"
        ),
        format!(
            "INSERT INTO consent_signature (org_id, consent_id, media_type, image) VALUES ('{org}', '{consent}', 'image/png', '{marker}')"
        ),
        format!(
            "INSERT INTO adverse_event (org_id, id, patient_id, session_id, kind, description, onset_at, severity, serious, expectedness, \
            outcome, follow_ups, entered_in_error, {stamps}) VALUES ('{org}', '{event}', '{patient}', '{session}', 'pain', '{marker}', now(), 'mild', \
            false, 'expected', 'ongoing', '[]', false, {stamp})"
        ),
        format!(
            "INSERT INTO photo (org_id, id, patient_id, session_id, adverse_event_id, status, taken_at, phase, view, area, side, note, stored_at, \
            content_hash, media_type, byte_size, width, height, {stamps}) VALUES ('{org}', '{photo}', '{patient}', '{session}', '{event}', 'stored', \
            now(), 'before', 'frontal', 'nose', 'midline', '{marker}', now(), sha256('{patient}'), 'image/png', 1, 1, 1, {stamp})"
        ),
        format!(
            "INSERT INTO outcome_assessment (org_id, id, patient_id, plan_id, photo_id, scale, scale_version, score, rater_role, assessed_at, note, \
            entered_in_error, {stamps}) VALUES ('{org}', '{outcome}', '{patient}', '{plan}', '{photo}', 'gais', '1', 2, 'patient', now(), '{marker}', false, {stamp})"
        ),
        format!(
            "INSERT INTO recall (org_id, id, patient_id, reason, plan_id, due_from, due_until, status, basis, attempts, {stamps}) \
            VALUES ('{org}', '{recall}', '{patient}', 'maintenance', '{plan}', '2026-01-01', '2026-02-01', 'open', '{marker}', '[]', {stamp})"
        ),
    ] {
        sql.run(&statement).await;
    }
    for (kind, record) in [
        ("treatment_plan", plan),
        ("consent", consent),
        ("photo", photo),
        ("adverse_event", event),
        ("outcome_assessment", outcome),
        ("recall", recall),
    ] {
        let stamp = "2026-01-01T00:00:00Z";
        let content = json!({"id": record, "patient_id": patient, "note": marker, "version": 1, "updated_at": stamp, "updated_by": null});
        append(sql, org, (kind, record), patient, &content).await;
    }
}
