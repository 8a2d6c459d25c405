//! What each mutation is sent.

use super::{Chart, erasing, merging};
use crate::support::*;

/// The draft of a protocol.
async fn draft_of(by: &SignedIn, protocol: &Made) -> Made {
    let query = "query ($id: ID!) { protocol(id: $id) { draftVersion { id version } } }";
    Made::of(&by.graphql(query, json!({"id": protocol.id})).await.ok()["protocol"]["draftVersion"])
}

/// What a mutation is sent, for a record of the chart's organisation that is in the right state for it.
pub async fn input_of(chart: &Chart, mutation: &str) -> Value {
    let around = Around::of(chart);
    if let Some(input) = around.of_plain_kinds(mutation).await {
        return input;
    }
    if let Some(input) = around.of_the_organisation(mutation).await {
        return input;
    }
    if let Some(input) = around.of_a_patient(mutation).await {
        return input;
    }
    if let Some(input) = around.of_who_may_see_a_patient(mutation).await {
        return input;
    }
    if let Some(input) = around.of_consents(mutation).await {
        return input;
    }
    if let Some(input) = around.of_visits(mutation).await {
        return input;
    }
    if let Some(input) = around.of_plans(mutation).await {
        return input;
    }
    if let Some(input) = around.of_the_catalogue(mutation).await {
        return input;
    }
    if let Some(input) = around.of_events_and_recalls(mutation).await {
        return input;
    }
    panic!(
        "say what {mutation} is sent: a plain kind in tests/api/support/kinds.rs, any other in tests/api/access/inputs.rs"
    )
}

/// What an input is made of: a chart, its people, and a word that nothing else has.
struct Around<'c> {
    admin: &'c SignedIn,
    anna: &'c SignedIn,
    ids: &'c Value,
    patient: Made,
    session: Made,
    fresh: String,
}

impl<'c> Around<'c> {
    fn of(chart: &'c Chart) -> Self {
        let Chart { admin, anna, ids } = chart;
        let made = |kind: &str, version| Made { id: ids[kind].as_str().expect("id").to_owned(), version };
        let fresh = uuid::Uuid::now_v7().to_string();
        Self { admin, anna, ids, patient: made("patient", 1), session: made("session", 2), fresh }
    }

    fn new_patient(&self) -> Value {
        json!({"legalName": {"given": "New", "family": self.fresh}, "birthDate": "1980-01-01"})
    }

    async fn registered(&self) -> Made {
        self.anna.make("registerPatient", "patient", self.new_patient()).await
    }

    /// With whom, where and of whom a record of a visit is.
    fn with(&self, more: Value) -> Value {
        let anna = self.anna;
        let mut links = json!({"patientId": self.patient.id, "locationId": anna.location, "practitionerId": anna.id(), "supervisorId": self.ids["supervisor"]});
        links.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        links
    }

    async fn of_plain_kinds(&self, mutation: &str) -> Option<Value> {
        for kind in PLAIN {
            if mutation == kind.made_with {
                return Some((kind.input)(self.anna, &self.patient.id, Some(&self.session.id), "Said at the visit"));
            }
            if let Some((_, more)) = kind.changed_with.iter().find(|(name, _)| *name == mutation) {
                return Some(kind.make(self.anna, &self.patient, "Said at the visit").await.edit_with(more(self.anna)));
            }
        }
        None
    }

    async fn of_the_organisation(&self, mutation: &str) -> Option<Value> {
        let Self { admin, anna, ids, fresh, .. } = self;
        let location = || admin.make("addLocation", "location", json!({"name": fresh, "timeZone": "Europe/Madrid"}));
        let new_staff = json!({"email": format!("{fresh}@staff.example"), "displayName": "New", "role": "AUDITOR", "password": PASSWORD});
        let staff = || admin.make("addStaff", "staff", new_staff.clone());
        let webhook = || admin.webhook(ids["service"].as_str().expect("id"), "HEALTH_TERM");
        Some(match mutation {
            "signIn" => json!({"email": anna.member.email, "password": PASSWORD}),
            "updateOrganisation" => {
                let version = admin.ask("{ organisation { version } }").await["organisation"]["version"].clone();
                json!({"expectedVersion": version, "name": anna.member.email})
            }
            "addLocation" => json!({"name": fresh, "timeZone": "Europe/Madrid"}),
            "updateLocation" => location().await.edit_with(json!({"phone": "+34911234567"})),
            "addStaff" => new_staff,
            "updateStaff" => staff().await.edit_with(json!({"displayName": "Renamed"})),
            "changeStaffEmail" => staff().await.edit_with(json!({"email": format!("new-{fresh}@staff.example")})),
            "addCredential" => credential_of(anna.id()),
            "updateCredential" => {
                let made = admin.make("addCredential", "credential", credential_of(anna.id())).await;
                made.edit_with(json!({"patch": {"number": fresh}}))
            }
            "createInvitationLink" => {
                let invited =
                    json!({"email": format!("{fresh}@staff.example"), "displayName": "New", "role": "AUDITOR"});
                json!({"staffId": admin.make("addStaff", "staff", invited).await.id})
            }
            "createPasswordResetLink" | "revokeStaffSignIns" => json!({"staffId": staff().await.id}),
            "createServiceAccount" => json!({"name": fresh, "scopes": ["AUDIT_READ"]}),
            "updateServiceAccount" => {
                admin.service_account(fresh, &["AUDIT_READ"]).await.edit_with(json!({"active": false}))
            }
            "createApiKey" => json!({"serviceAccountId": ids["service"]}),
            "addWebhook" => json!({"serviceAccountId": ids["service"], "url": NOBODY, "kinds": ["HEALTH_TERM"]}),
            "testWebhook" => json!({"id": webhook().await.id}),
            "updateWebhook" => webhook().await.edit_with(json!({"description": fresh})),
            "rotateWebhookSecret" | "pauseWebhook" | "endWebhook" => webhook().await.edit(),
            "resumeWebhook" => {
                let paused = webhook().await.edit();
                admin.make("pauseWebhook", "webhook", paused).await.edit()
            }
            "replayWebhook" => {
                let after = admin.ask("{ changes(after: \"now\") { pageInfo { endCursor } } }").await;
                webhook().await.edit_with(json!({"after": after["changes"]["pageInfo"]["endCursor"]}))
            }
            "rotateApiKey" | "revokeApiKey" => {
                let service = Made { id: ids["service"].as_str().expect("id").to_owned(), version: 1 };
                json!({"id": admin.api_key(&service, json!({})).await.0.id})
            }
            _ => return None,
        })
    }

    async fn of_a_patient(&self, mutation: &str) -> Option<Value> {
        let Self { admin, anna, patient, .. } = self;
        Some(match mutation {
            "registerPatient" => self.new_patient(),
            "updatePatient" => self.registered().await.edit_with(json!({"patch": {"gender": "woman"}})),
            "archivePatient" => self.registered().await.edit_with(json!({"reason": "Moved"})),
            "restorePatient" => {
                let made = self.registered().await;
                anna.make("archivePatient", "patient", made.edit_with(json!({"reason": "Moved"}))).await.edit()
            }
            "addHealthEntry" => json!({"patientId": patient.id, "kind": "CONDITION", "text": "Rosacea"}),
            "updateHealthEntry" => anna.health_entry(patient).await.edit_with(json!({"patch": {"text": "Latex"}})),
            "mergePatients" | "unmergePatients" => {
                let from = self.registered().await;
                let into = self.registered().await;
                let input = merging(&from, &into, json!({}));
                if mutation == "mergePatients" {
                    return Some(input);
                }
                json!({"mergeId": anna.make("mergePatients", "merge", input).await.id, "reason": "Twins"})
            }
            "exportPatient" => json!({"patientId": patient.id}),
            "erasePatient" => erasing(admin, &self.registered().await).await,
            _ => return None,
        })
    }

    async fn of_who_may_see_a_patient(&self, mutation: &str) -> Option<Value> {
        let Self { admin, anna, patient, .. } = self;
        Some(match mutation {
            "placeLegalHold" => json!({"patientId": patient.id, "reason": "Case 12"}),
            "liftLegalHold" => {
                let hold = json!({"patientId": patient.id, "reason": "Case 12"});
                admin.make("placeLegalHold", "legalHold", hold).await.edit_with(json!({"reason": "Closed"}))
            }
            "restrictPatient" | "beginEmergencyAccess" => {
                let fresh = self.registered().await;
                json!({"patientId": fresh.id, "reason": "Unconscious at the door"})
            }
            "liftPatientRestriction" => {
                let fresh = self.registered().await;
                let restriction = json!({"patientId": fresh.id, "reason": "Works here"});
                let made = admin.make("restrictPatient", "restriction", restriction).await;
                made.edit_with(json!({"reason": "Left"}))
            }
            "endEmergencyAccess" | "reviewEmergencyAccess" => {
                let fresh = self.registered().await;
                let begun = json!({"patientId": fresh.id, "reason": "Unconscious at the door"});
                let begun = anna.make("beginEmergencyAccess", "emergencyAccess", begun).await;
                match mutation {
                    "endEmergencyAccess" => json!({"id": begun.id}),
                    _ => begun.edit_with(json!({"note": "As it should be"})),
                }
            }
            _ => return None,
        })
    }

    async fn of_consents(&self, mutation: &str) -> Option<Value> {
        let Self { anna, fresh, patient, .. } = self;
        Some(match mutation {
            "createConsentTemplate" => json!({"name": fresh, "kind": "DATA", "text": "I agree.", "language": "en"}),
            "draftConsentTemplateVersion" => {
                json!({"templateId": anna.consent_text("DATA", json!({})).await.template.id})
            }
            "updateConsentTemplateVersion" => {
                let draft = anna.consent_draft("DATA", json!({})).await.version;
                draft.edit_with(json!({"patch": {"text": "I agree to all of it."}}))
            }
            "publishConsentTemplateVersion" => anna.consent_draft("DATA", json!({})).await.version.edit(),
            "retireConsentTemplate" => anna.consent_draft("DATA", json!({})).await.template.edit(),
            "proposeConsent" => {
                let text = anna.consent_text("DATA", json!({})).await;
                json!({"patientId": patient.id, "templateVersionId": text.version.id})
            }
            "recordConsent" => {
                anna.consent_text("DATA", json!({})).await.record(patient, json!({"witnessId": anna.id()}))
            }
            "giveConsent" | "rejectConsent" | "withdrawConsent" | "markConsentEnteredInError" => {
                let text = anna.consent_text("DATA", json!({})).await;
                match mutation {
                    "giveConsent" => {
                        let signing = text.signing(json!({"witnessId": anna.id()}));
                        anna.proposed_consent(patient, &text).await.edit_with(json!({"signing": signing}))
                    }
                    "rejectConsent" => {
                        anna.proposed_consent(patient, &text).await.edit_with(json!({"reason": "Changed their mind"}))
                    }
                    _ => {
                        anna.consent(patient, &text, json!({})).await.edit_with(json!({"reason": "Changed their mind"}))
                    }
                }
            }
            _ => return None,
        })
    }

    async fn of_visits(&self, mutation: &str) -> Option<Value> {
        let Self { admin, anna, ids, patient, session, .. } = self;
        Some(match mutation {
            "recordConsultation" => {
                let mut input = self.with(json!({"mode": "TELEHEALTH"}));
                input.as_object_mut().expect("an object").remove("supervisorId");
                input
            }
            "updateConsultation" => {
                let patch = json!({"practitionerId": anna.id(), "locationId": anna.location, "goals": "Calm skin"});
                anna.consultation(patient).await.edit_with(json!({"patch": patch}))
            }
            "signConsultation" => anna.consultation(patient).await.edit(),
            "requestPhotoUpload" => {
                anna.agree_to_photos(patient).await;
                json!({"patientId": patient.id, "aftercareNoteId": ids["note"], "phase": "BEFORE", "view": "FRONTAL",
                    "area": "CHIN", "side": "MIDLINE"})
            }
            "updatePhoto" => {
                let patch = json!({"sessionId": session.id, "aftercareNoteId": ids["note"], "note": "Dry"});
                anna.photo_with(patient, json!({})).await.edit_with(json!({"patch": patch}))
            }
            "markPhotoEnteredInError" => {
                anna.photo_with(patient, json!({})).await.edit_with(json!({"reason": "Another patient"}))
            }
            "logSession" => self.with(json!({
                "startedAt": hours_ago(1), "modality": "TOPICAL_GROWTH_SERUM", "device": {"deviceId": ids["device"]},
                "products": [{"role": "SERUM", "lotId": ids["lot"]}],
            })),
            "startSession" => self.with(json!({"modality": "TOPICAL_GROWTH_SERUM"})),
            "updateSession" => {
                let patch = json!({"practitionerId": anna.id(), "locationId": anna.location, "supervisorId": ids["supervisor"], "note": "Calm",
                    "device": {"deviceId": ids["device"]}, "products": [{"role": "SERUM", "lotId": ids["lot"]}]});
                anna.started_session(patient).await.edit_with(json!({"patch": patch}))
            }
            "completeSession" => anna.started_session(patient).await.edit(),
            "stopSession" => anna.started_session(patient).await.edit_with(json!({"reason": "Unwell"})),
            "signSession" => anna.session(&anna.patient("Sign", "Session").await).await.edit(),
            "addAftercareNote" => json!({"sessionId": session.id, "kind": "CHECK_IN", "redness": 2}),
            "updateAftercareNote" => anna.note(session).await.edit_with(json!({"patch": {"text": "Sunscreen."}})),
            "signAftercareNote" => anna.note(session).await.edit(),
            "agreeSupervision" | "updateSupervisionAgreement" | "recordChartReview" => {
                let sam = new_colleague(admin, "Sam").await;
                let agreement = match mutation {
                    "agreeSupervision" => {
                        return Some(
                            json!({"supervisorId": anna.id(), "superviseeId": sam.id(), "locationId": anna.location,
                            "percent": 10, "withinDays": 7}),
                        );
                    }
                    _ => supervised(admin, anna.id(), sam.id()).await,
                };
                if mutation == "updateSupervisionAgreement" {
                    return Some(agreement.edit_with(json!({"patch": {"percent": 20}})));
                }
                sam.signed_consultation(patient).await;
                let due = review_due(anna).await;
                admin
                    .make(
                        "updateSupervisionAgreement",
                        "supervisionAgreement",
                        agreement.edit_with(json!({"patch": {"percent": 0}})),
                    )
                    .await;
                due.edit_with(json!({"outcome": "AGREED"}))
            }
            "retractSignedRecord" => {
                json!({"id": anna.signed_consultation(patient).await.id, "reason": "Another patient's"})
            }
            "countersignRecord" => {
                let theirs = new_colleague(admin, "Sam").await.signed_consultation(patient).await;
                json!({"recordId": theirs.id, "meaning": "REVIEWER"})
            }
            "addAddendum" => json!({"recordId": session.id, "reason": "Forgotten", "text": "Lot C-2."}),
            _ => return None,
        })
    }

    async fn of_plans(&self, mutation: &str) -> Option<Value> {
        let Self { admin, anna, ids, fresh, patient, .. } = self;
        let protocol = || anna.make("createProtocol", "protocol", json!({"name": fresh, "copyFrom": ids["ruleset"]}));
        let plan = || {
            let rules = Ruleset { id: String::new(), version: ids["ruleset"].as_str().expect("id").to_owned() };
            let consultation = Made { id: ids["consultation"].as_str().expect("id").to_owned(), version: 1 };
            async move { anna.plan(&consultation, &rules).await }
        };
        Some(match mutation {
            "createProtocol" => json!({"name": fresh, "copyFrom": ids["ruleset"]}),
            "updateProtocol" => protocol().await.edit_with(json!({"active": false})),
            "draftProtocolVersion" => {
                let made = protocol().await;
                let draft = draft_of(anna, &made).await;
                anna.make("publishProtocolVersion", "protocolVersion", draft.edit()).await;
                json!({"protocolId": made.id, "changeNote": "Longer"})
            }
            "updateProtocolVersion" => {
                draft_of(anna, &protocol().await).await.edit_with(json!({"changeNote": "Longer"}))
            }
            "publishProtocolVersion" => draft_of(anna, &protocol().await).await.edit(),
            "createTreatmentPlan" => json!({"consultationId": ids["consultation"], "protocolVersionId": ids["ruleset"],
                "plannedSessions": 3, "areas": [{"area": "NOSE"}]}),
            "updateTreatmentPlan" => plan().await.edit_with(json!({"patch": {"note": "In the mornings"}})),
            "changeTreatmentCourse" => plan().await.edit_with(json!({"plannedSessions": 6, "reason": "More wanted"})),
            "changeTreatmentPlanStatus" => plan().await.edit_with(json!({"status": "ON_HOLD", "reason": "Travels"})),
            "overrideSessionCheck" => {
                let soon = anna.session_with(patient, json!({"planId": ids["plan"]})).await;
                let query = "query ($id: ID!) { session(id: $id) { checks { id rule verdict } } }";
                let shown = anna.graphql(query, json!({"id": soon.id})).await.ok();
                let mut checks = shown["session"]["checks"].as_array().expect("checks").iter();
                let warned = checks.find(|it| it["rule"] == "INTERVAL" && it["verdict"] == "WARN").expect("a warning");
                json!({"sessionId": soon.id, "expectedVersion": soon.version, "rule": "INTERVAL", "checkId": warned["id"],
                    "reason": "Wanted"})
            }
            "signOffSessionCheck" => {
                admin.make("addCredential", "credential", credential_of(anna.id())).await;
                let email = format!("{fresh}@staff.example");
                let colleague =
                    json!({"email": email, "displayName": "Bo", "role": "PRACTITIONER", "password": PASSWORD});
                let colleague = admin.make("addStaff", "staff", colleague).await;
                let stranger = self.registered().await;
                let treated = json!({"protocolVersionId": ids["ruleset"], "practitionerId": colleague.id});
                let blocked = anna.session_with(&stranger, treated).await;
                json!({"sessionId": blocked.id, "expectedVersion": blocked.version, "rule": "CONSENT", "reason": "On paper"})
            }
            _ => return None,
        })
    }

    async fn of_the_catalogue(&self, mutation: &str) -> Option<Value> {
        let Self { anna, ids, fresh, patient, .. } = self;
        let device = || anna.make("addDevice", "device", json!({"model": fresh, "kind": "RF"}));
        let product = || anna.make("addProduct", "product", json!({"name": fresh, "role": "SERUM"}));
        let lot = || anna.make("addProductLot", "productLot", json!({"productId": ids["product"], "lot": fresh}));
        Some(match mutation {
            "addDevice" => json!({"model": fresh, "serial": "1", "kind": "RF", "locationId": anna.location}),
            "updateDevice" => {
                device().await.edit_with(json!({"patch": {"note": "New head", "locationId": anna.location}}))
            }
            "noteDeviceRecall" => device().await.edit_with(json!({"reason": "Overheats"})),
            "addHealthTerm" => json!({"code": "isotretinoin", "term": fresh}),
            "updateHealthTerm" => {
                let term = json!({"code": "house-1", "term": fresh});
                let term = anna.make("addHealthTerm", "healthTerm", term).await;
                term.edit_with(json!({"patch": {"active": false}}))
            }
            "addProduct" => json!({"name": fresh, "role": "PRP"}),
            "updateProduct" => product().await.edit_with(json!({"patch": {"active": false}})),
            "addProductLot" => json!({"productId": ids["product"], "lot": fresh}),
            "updateProductLot" => lot().await.edit_with(json!({"patch": {"note": "Cold"}})),
            "noteLotRecall" => lot().await.edit_with(json!({"reason": "Particles"})),
            "createSafetyRecall" => {
                let lot = lot().await;
                anna.session_with_lot(patient, &lot).await;
                json!({"lotId": lot.id, "reason": "Particles", "dueUntil": day(3)})
            }
            _ => return None,
        })
    }

    async fn of_events_and_recalls(&self, mutation: &str) -> Option<Value> {
        let Self { anna, ids, patient, session, .. } = self;
        let event = || anna.adverse_event(session);
        let recall = || anna.recall(patient);
        Some(match mutation {
            "reportAdverseEvent" => json!({
                "patientId": patient.id, "sessionId": anna.session(patient).await.id, "lotId": ids["lot"], "kind": "BURN",
                "onsetAt": hours_ago(1), "severity": "SEVERE",
            }),
            "updateAdverseEvent" => event().await.edit_with(json!({"patch": {"area": "CHEEK", "lotId": ids["lot"]}})),
            "addAdverseEventFollowUp" => event().await.edit_with(json!({"outcome": "RESOLVED", "text": "Gone"})),
            "reportAdverseEventToAuthority" => event().await.edit_with(json!({"reportedTo": "The agency"})),
            "markAdverseEventEnteredInError" => event().await.edit(),
            "createRecall" => {
                json!({"patientId": patient.id, "reason": "MAINTENANCE", "dueUntil": day(30), "basis": "Wants it"})
            }
            "logRecallAttempt" => recall().await.edit_with(json!({"channel": "SMS", "outcome": "LEFT_MESSAGE"})),
            "snoozeRecall" => recall().await.edit_with(json!({"until": day(2)})),
            "completeRecall" => recall().await.edit_with(json!({"sessionId": session.id})),
            "dismissRecall" => recall().await.edit_with(json!({"reason": "Moved away"})),
            _ => return None,
        })
    }
}
