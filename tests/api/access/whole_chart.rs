//! A chart with everything in it.

use crate::support::*;

/// A chart with everything in it, of one organisation.
pub struct Chart {
    pub admin: SignedIn,
    pub anna: SignedIn,
    pub ids: Value,
}

pub async fn chart(clinic: &Clinic, organisation: &Organisation) -> Chart {
    // They say why they look, so that a patient whom a test restricts stays open to them.
    let of = |role| clinic.of(organisation, role).because("The tables");
    let (admin, anna) = (of(Role::Admin), of(Role::Practitioner));
    let patient = anna
        .patient_with(
            "Zoë",
            "Ramírez",
            json!({
                "address": {"lines": ["Main Street 1"], "country": "ES"},
                "emergencyContact": {"name": "Ana", "phone": "+34600123456"},
                "skinType": {"fitzpatrickType": "III"},
                "formerNames": [{"given": "Zoë", "family": "Sol"}],
                "otherPhones": [{"number": "+34600999999", "label": "work"}],
                "language": "es", "needsInterpreter": false,
                "identifiers": [{"system": "hospital", "value": "4711"}],
            }),
        )
        .await;
    anna.health_entry(&patient).await;
    let consultation = anna
        .consultation_with(&patient, json!({
            "patchTest": {"site": "Inner arm", "performedAt": hours_ago(80), "product": "Lidocaine 5 %", "result": "NONE"},
        }))
        .await;
    let consultation = anna.sign_consultation(&consultation).await;
    let (device, product) = (anna.device("Chart Pen").await, anna.product("Chart serum").await);
    let lot = anna.lot(&product, "L-1").await;
    let term = json!({"code": "house-1", "term": "House mixture", "language": "en"});
    let term = anna.make("addHealthTerm", "healthTerm", term).await;
    let email = format!("{}@staff.example", uuid::Uuid::now_v7());
    let supervisor = json!({"email": email, "displayName": "Sue", "role": "PRACTITIONER", "password": PASSWORD});
    let supervisor = admin.make("addStaff", "staff", supervisor).await;
    let credential = admin.make("addCredential", "credential", credential_of(anna.id())).await;
    let session = anna
        .session_with(
            &patient,
            json!({
                "device": {"deviceId": device.id},
                "products": [{"role": "CARTRIDGE", "product": "12-pin cartridge"}, {"role": "SERUM", "lotId": lot.id}],
                "anaesthetic": {"product": "Emla", "agents": [{"agent": "LIDOCAINE", "percent": "2.5"}]},
                "supervisorId": supervisor.id,
            }),
        )
        .await;
    let device = anna.make("noteDeviceRecall", "device", device.edit_with(json!({"reason": "Loose needle"}))).await;
    let session = anna.sign_session(&session).await;
    let token = anna.sign_in(&email, PASSWORD).await.ok()["signIn"]["token"].as_str().expect("a token").to_owned();
    let member = StaffMember { role: Role::Practitioner, email, id: supervisor.id.clone(), token };
    let seen = json!({"recordId": session.id, "meaning": "SUPERVISOR"});
    let seen = anna.beside(member).make("countersignRecord", "countersignature", seen).await;
    let agreement = supervised(&admin, &supervisor.id, anna.id()).await;
    let over = agreement.edit_with(json!({"patch": {"endsOn": day(-1)}}));
    let signed = anna.signed_consultation(&patient).await;
    admin.make("updateSupervisionAgreement", "supervisionAgreement", over).await;
    let query = "query ($id: ID!) { chartReviews(filter: {agreementId: $id}) { nodes { id version recordId } } }";
    let review = anna.graphql(query, json!({"id": agreement.id})).await.ok()["chartReviews"]["nodes"][0].clone();
    assert_eq!(review["recordId"], signed.id);
    let retracted = anna.signed_consultation(&patient).await;
    let retracted = json!({"id": retracted.id, "reason": "Another patient's"});
    let retraction = anna.make("retractSignedRecord", "retraction", retracted).await;
    let old = anna.session_with(&patient, json!({"startedAt": hours_ago(200), "endedAt": hours_ago(199)})).await;
    let (note, event, recall) = followed_up(clinic, &anna, &patient, [&session, &old], &lot).await;
    let addendum = anna.addendum(&session).await;
    let health = anna.health_entry(&patient).await;
    let text = anna.consent_text("TREATMENT", json!({"modalities": ["MICRONEEDLING"], "validDays": 365})).await;
    let drawn = json!({"typedName": null, "signatureImage": SIGNATURE_PNG, "witnessId": anna.id()});
    let consent = anna.consent(&patient, &text, drawn).await;
    anna.outcome(&patient, "4", 9, json!({"sessionId": session.id})).await;
    let outcome = anna.outcome(&patient, "2", 1, json!({"area": "CHEEK"})).await;
    // Two more charts of the same person: one merged into this one, one still apart. And somebody erased.
    let other = json!({"email": "zoe@x.example", "emergencyContact": {"name": "Bea", "phone": "+34600123457"}});
    let double = anna.patient_with("Zoë", "Ramírez", other).await;
    anna.health_entry(&double).await;
    let decided = json!([{"field": "EMERGENCY_CONTACT", "take": "INTO"}]);
    let merge = anna.make("mergePatients", "merge", merging(&double, &patient, json!({"resolution": decided}))).await;
    anna.patient("Zoë", "Ramirez").await;
    let [hold, service, restriction, webhook] = looked_after(&admin, &anna, &patient, &double).await;
    erase_one(clinic, organisation, &admin, &anna).await;
    anna.photo_with(&patient, json!({"phase": "BEFORE", "takenAt": hours_ago(3)})).await;
    let photo = anna.photo_with(&patient, json!({"phase": "FOLLOW_UP", "sessionId": session.id})).await;
    let protocol = anna.protocol().await;
    let plan = anna.plan(&consultation, &protocol).await;
    let more = json!({"plannedSessions": 5, "reason": "Asked for one more"});
    let plan = anna.make("changeTreatmentCourse", "treatmentPlan", plan.edit_with(more)).await;
    let soon = json!({"planId": plan.id, "overrides": [{"rule": "INTERVAL", "reason": "Another part of the cheek"}]});
    let draft = anna.session_with(&patient, soon).await;
    let mut ids = json!({
        "photo": photo.id, "plan": plan.id, "protocol": protocol.id, "ruleset": protocol.version, "draft": draft.id,
        "merge": merge.id, "hold": hold.id, "service": service.id, "webhook": webhook.id, "restriction": restriction.id,
        "text": text.template.id, "wording": text.version.id, "consent": consent.id, "outcome": outcome.id,
        "organisation": organisation.id, "location": organisation.location, "staff": anna.id(), "supervisor": supervisor.id, "patient": patient.id, "health": health.id,
        "consultation": consultation.id, "session": session.id, "note": note.id, "addendum": addendum.id, "countersignature": seen.id, "retraction": retraction.id, "agreement": agreement.id, "reading": review["id"], "credential": credential.id,
        "device": device.id, "product": product.id, "lot": lot.id, "event": event.id, "recall": recall.id,
        "term": term.id,
    });
    for kind in PLAIN {
        if ids.get(kind.key).is_none() {
            ids[kind.key] = json!(kind.make(&anna, &patient, "Said at the visit").await.id);
        }
    }
    Chart { admin, anna, ids }
}

/// What comes of two sessions: a note on the older one, an event and a recall of the newer.
async fn followed_up(
    clinic: &Clinic,
    anna: &SignedIn,
    patient: &Made,
    [session, old]: [&Made; 2],
    lot: &Made,
) -> (Made, Made, Made) {
    let check_in = json!({"sessionId": old.id, "kind": "CHECK_IN", "redness": 4});
    let note = anna.make("addAftercareNote", "aftercareNote", check_in).await;
    let note = anna.sign_note(&note).await;
    let event = anna.adverse_event_with(session, json!({"lotId": lot.id})).await;
    let event = anna
        .make(
            "addAdverseEventFollowUp",
            "adverseEvent",
            event.edit_with(json!({"outcome": "IMPROVING", "text": "Better"})),
        )
        .await;
    let event = anna
        .make("reportAdverseEventToAuthority", "adverseEvent", event.edit_with(json!({"reportedTo": "The maker"})))
        .await;
    let recall = anna.recall(patient).await;
    let recall = anna
        .make("logRecallAttempt", "recall", recall.edit_with(json!({"channel": "PHONE", "outcome": "BOOKED"})))
        .await;
    let recall = anna.make("completeRecall", "recall", recall.edit_with(json!({"sessionId": session.id}))).await;
    // A plan's rules say after which session: here it is said for them.
    let sql = clinic.database.superuser().await;
    sql.run(&format!(
        "UPDATE recall SET after_session_id = '{}' WHERE id = '{}'",
        uuid_of(&old.id),
        uuid_of(&recall.id)
    ))
    .await;
    (note, event, recall)
}

/// A legal hold, a program with a key, its webhook, a restriction that was lifted, and emergency access that ended.
async fn looked_after(admin: &SignedIn, anna: &SignedIn, patient: &Made, double: &Made) -> [Made; 4] {
    let hold = json!({"patientId": patient.id, "reason": "Case 12"});
    let hold = admin.make("placeLegalHold", "legalHold", hold).await;
    let service = admin.service_account("Chart reader", &["CLINICAL_READ"]).await;
    admin.api_key(&service, json!({})).await;
    let webhook = admin.webhook(&service.id, "HEALTH_TERM").await;
    admin.does("testWebhook", json!({"id": webhook.id}), "delivered").await.ok();
    let restriction = json!({"patientId": patient.id, "reason": "Works here"});
    let restriction = admin.make("restrictPatient", "restriction", restriction).await;
    let lifting = restriction.edit_with(json!({"reason": "Left"}));
    admin.make("liftPatientRestriction", "restriction", lifting).await;
    let emergency = json!({"patientId": double.id, "reason": "Anaphylaxis at the door", "minutes": 5});
    let merged_away = anna.does("beginEmergencyAccess", emergency, "__typename").await;
    assert_eq!(merged_away.faults(), ["input.patientId"]);
    let emergency = json!({"patientId": patient.id, "reason": "Anaphylaxis at the door", "minutes": 5});
    let emergency = anna.make("beginEmergencyAccess", "emergencyAccess", emergency).await;
    let ended = anna.make("endEmergencyAccess", "emergencyAccess", json!({"id": emergency.id})).await;
    assert_eq!(ended.id, emergency.id);
    [hold, service, restriction, webhook]
}

/// Somebody with a photo that never came, erased.
async fn erase_one(clinic: &Clinic, organisation: &Organisation, admin: &SignedIn, anna: &SignedIn) {
    let gone = anna.patient("Gone", "Soon").await;
    let photo = format!(
        "INSERT INTO photo (org_id, id, patient_id, status, taken_at, phase, view, area, side, version, created_at, updated_at) \
        VALUES ('{}', gen_random_uuid(), '{}', 'awaiting_upload', now(), 'before', 'frontal', 'nose', 'midline', 1, now(), now())",
        organisation.uuid,
        uuid_of(&gone.id)
    );
    clinic.database.superuser().await.run(&photo).await;
    let input = erasing(admin, &gone).await;
    admin.does("erasePatient", input, "erasure { id }").await.ok();
}

/// What `mergePatients` is sent.
pub fn merging(from: &Made, into: &Made, more: Value) -> Value {
    let mut input = json!({"fromId": from.id, "intoId": into.id, "reason": "The same person",
        "expectedVersions": {"from": from.version, "into": into.version}});
    input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    input
}

/// What `erasePatient` is sent.
pub async fn erasing(admin: &SignedIn, patient: &Made) -> Value {
    let query = "query ($id: ID!) { patient(id: $id) { chartNumber version } }";
    let found = admin.graphql(query, json!({"id": patient.id})).await.ok()["patient"].clone();
    json!({"patientId": patient.id, "expectedVersion": found["version"], "reason": "Asked to be forgotten", "authority": "Art. 17 GDPR",
        "confirmChartNumber": found["chartNumber"]})
}
