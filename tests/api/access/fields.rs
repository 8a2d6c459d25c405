//! The fields of the object types and what each role gets of them.

use super::{ALL, ARCHIVES, CLINICAL, ERASURES, PRACTITIONER, Rights};
use crate::support::PLAIN;
use std::sync::LazyLock;

/// A type, where it is reached from the root, and what each role gets of these of its fields.
pub type Row = (&'static str, &'static str, Rights, &'static str);

/// Every field of every object type: those of the plain kinds by their rows, the others here. Payloads are not here: a
/// mutation's row says who gets its payload.
pub static FIELDS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let plain = PLAIN.iter().flat_map(|kind| -> [Row; 5] {
        let name = |end: &str| -> &'static str { format!("{}{end}", kind.ty).leak() };
        let under = |way: String| -> &'static str { way.leak() };
        [
            (kind.ty, kind.one, kind.readers, kind.fields),
            (
                name("Connection"),
                under(format!("patient/{}", kind.of_patient)),
                kind.readers,
                "edges nodes pageInfo totalCount",
            ),
            (name("Edge"), under(format!("{}/edges/0", kind.list)), kind.readers, "node cursor"),
            ("Patient", "patient", kind.readers, kind.of_patient),
            // A chart is shown to those alone who may see all of it.
            ("PatientChart", "chart", CLINICAL, kind.of_patient),
        ]
    });
    OTHER_FIELDS.iter().copied().chain(plain).collect()
});

#[rustfmt::skip]
const OTHER_FIELDS: &[Row] = &[
    ("Organisation", "organisation", ALL, "id name secondFactorRoles version createdAt locations history"),
    ("Location", "location", ALL, "id name timeZone address phone active clearance clearanceBlocks ageOfConsent consultationInPerson version createdAt updatedAt history"),
    ("Staff", "staffMember", ALL, "id displayName email role licenceNumber active endsOn locations credentials invitedAt joinedAt unreviewedEmergencyAccess organisation version createdAt createdBy updatedAt history"),
    ("Staff", "staffMember", ARCHIVES, "secondFactor signIns"),
    ("SignIn", "staffMember/signIns/0", ARCHIVES, "id current client address createdAt lastSeenAt expiresAt secondFactor byCookie"),
    ("Patient", "patient", ALL, "id chartNumber displayName legalName preferredName birthDate deceasedOn sexAtBirth gender pronouns email phone \
        formerNames otherPhones language needsInterpreter identifiers address emergencyContact fitzpatrickType skinType status statusReason mergedInto version createdAt createdBy updatedAt updatedBy history"),
    ("Patient", "patient", CLINICAL, "healthHistory consultations sessions aftercareNotes adverseEvents consents outcomeSeries timeline merges legalHolds photos photoPairs treatmentPlans aftercare"),
    ("Patient", "patient", ALL, "recalls restricted"),
    ("Patient", "patient", CLINICAL, "restrictions"),
    ("Patient", "patient", ERASURES, "emergencyAccesses accessLog"),
    ("PersonName", "patient/legalName", ALL, "given middle family"),
    ("OtherPhone", "patient/otherPhones/0", ALL, "number label"),
    ("ExternalIdentifier", "patient/identifiers/0", ALL, "system value"),
    ("EmergencyContact", "patient/emergencyContact", ALL, "name relationship phone"),
    ("SkinType", "patient/skinType", ALL, "fitzpatrickType assessedOn assessedBy"),
    ("Address", "patient/address", ALL, "lines city region postalCode country"),
    ("HealthEntry", "patient/healthHistory/0", CLINICAL, "id patient kind code text severity onsetOn onsetPrecision endedOn endedPrecision lastDoseOn lastDosePrecision source verifiedBy \
        matched verifiedAt enteredInError version createdAt createdBy updatedAt updatedBy history"),
    ("MatchedHealthCode", "patient/healthHistory/0/matched/0", CLINICAL, "code label foundIn course source listVersion"),
    ("Consultation", "consultation", CLINICAL, "id patient practitioner location heldAt mode concerns goals findings scarTypes \
        priorProcedures expectationsDiscussed candidacy candidacyReasons recommendedPlan patchTest validUntil version createdAt createdBy \
        updatedAt updatedBy signature signatures retraction copiedFrom addenda history"),
    ("PatchTest", "consultation/patchTest", CLINICAL, "site performedAt product result note"),
    ("TreatmentSession", "session", CLINICAL, "id patient practitioner supervisor location status enteredInError startedAt endedAt modality device \
        catalogueDevice adverseEvents skinPreparation glide anaesthetic areas products painScore immediateReaction note stopReason consents \
        plan protocolVersion checks aftercare photos aftercareNotes version createdAt createdBy updatedAt updatedBy signature signatures retraction copiedFrom addenda history"),
    ("DeviceUse", "session/device", CLINICAL, "model serial kind"),
    ("TopicalAnaesthetic", "session/anaesthetic", CLINICAL, "product strength lot appliedAt removedAt areaCm2 grams occluded agents weightKg weighedOn"),
    ("AnaestheticAgent", "session/anaesthetic/agents/0", CLINICAL, "agent percent"),
    ("SessionArea", "session/areas/0", CLINICAL, "area side needleDepthMm passes speedRpm rfEnergyMj rfPulseWidthMs endpoint note"),
    ("ProductUse", "session/products/0", CLINICAL, "role product manufacturer lot expiresOn quantity unit area intradermalUse catalogueLot"),
    ("AftercareNote", "aftercareNote", CLINICAL, "id patient session author kind notedAt text redness swelling pain adherence escalate proposedAdverseEvents \
        version createdAt createdBy updatedAt updatedBy signature signatures retraction copiedFrom addenda history"),
    ("ConsentTemplate", "consentTemplate", ALL, "id name kind active publishedVersion draftVersion versions version createdAt createdBy \
        updatedAt updatedBy history"),
    ("ConsentTemplateVersion", "consentTemplateVersion", ALL, "id template number status text textHash language modalities validDays \
        publishedAt publishedBy version createdAt createdBy updatedAt updatedBy history"),
    ("Consent", "consent", CLINICAL, "id patient templateVersion kind modalities textHash status enteredInError state inForce signature expiresAt endedAt \
        endedReason note version createdAt createdBy updatedAt updatedBy history"),
    ("ConsentSignature", "consent/signature", CLINICAL, "givenAt signer signerName relationship method signatureHash signatureImage witness \
        witnessName"),
    ("RequiredConsent", "session/consents/0", CLINICAL, "kind neededFor inForce consent reason"),
    ("OutcomeScale", "outcomeScales/0", ALL, "code version name min max step better unit labels source"),
    ("OutcomeScaleLabel", "outcomeScales/0/labels/0", ALL, "score text"),
    ("OutcomeSeries", "patient/outcomeSeries", CLINICAL, "scale points changeSinceFirst better bestPair"),
    ("OutcomePair", "patient/outcomeSeries/bestPair", CLINICAL, "before after change"),
    ("ConsentTemplateConnection", "consentTemplates", ALL, "edges nodes pageInfo totalCount"),
    ("ConsentTemplateEdge", "consentTemplates/edges/0", ALL, "node cursor"),
    ("ConsentTemplateVersionConnection", "consentTemplate/versions", ALL, "edges nodes pageInfo totalCount"),
    ("ConsentTemplateVersionEdge", "consentTemplate/versions/edges/0", ALL, "node cursor"),
    ("ConsentConnection", "patient/consents", CLINICAL, "edges nodes pageInfo totalCount"),
    ("ConsentEdge", "consents/edges/0", CLINICAL, "node cursor"),
    ("Signature", "session/signature", CLINICAL, "signedBy signerName signedAt meaning statement reason contentHash"),
    ("Credential", "credential", ALL, "id staff profession number body jurisdiction prescriber modalities validFrom expiresOn active inForce \
        note version createdAt createdBy updatedAt updatedBy history"),
    ("CredentialConnection", "credentials", ALL, "edges nodes pageInfo totalCount"),
    ("CredentialEdge", "credentials/edges/0", ALL, "node cursor"),
    ("Countersignature", "countersignature", CLINICAL, "id patient recordId recordKind signature history"),
    ("CountersignatureConnection", "countersignatures", CLINICAL, "edges nodes pageInfo totalCount"),
    ("CountersignatureEdge", "countersignatures/edges/0", CLINICAL, "node cursor"),
    ("SupervisionAgreement", "supervisionAgreement", CLINICAL, "id supervisor supervisee location percent withinDays startsOn endsOn note \
        version createdAt createdBy updatedAt updatedBy history"),
    ("SupervisionAgreementConnection", "supervisionAgreements", CLINICAL, "edges nodes pageInfo totalCount"),
    ("SupervisionAgreementEdge", "supervisionAgreements/edges/0", CLINICAL, "node cursor"),
    ("ChartReview", "chartReview", CLINICAL, "id patient agreement reviewer recordId recordKind signedBy signedAt dueOn overdue outcome note \
        reviewedAt version createdAt createdBy updatedAt updatedBy history"),
    ("ChartReviewConnection", "chartReviews", CLINICAL, "edges nodes pageInfo totalCount"),
    ("ChartReviewEdge", "chartReviews/edges/0", CLINICAL, "node cursor"),
    ("ChartReviewFigure", "chartReviewFigures/0", CLINICAL, "month due done agreed needsRevision overdue"),
    ("Retraction", "retraction", CLINICAL, "id patient recordId recordKind at by reason copyId history"),
    ("RetractionConnection", "retractions", CLINICAL, "edges nodes pageInfo totalCount"),
    ("RetractionEdge", "retractions/edges/0", CLINICAL, "node cursor"),
    ("Addendum", "session/addenda/nodes/0", CLINICAL, "id patient recordId recordKind author addedAt reason text history"),
    ("TimelineEntry", "patient/timeline/nodes/0", CLINICAL, "at kind summary recordId record signed retracted"),
    ("PatientMerge", "patient/merges/0", CLINICAL, "id from into mergedAt mergedBy reason moved conflicts undoneAt undoneBy undoReason kept \
        version createdAt createdBy updatedAt updatedBy history"),
    ("MovedRecords", "patient/merges/0/moved/0", CLINICAL, "kind count ids"),
    ("PatientMergeConnection", "patientMerges", CLINICAL, "edges nodes pageInfo totalCount"),
    ("PatientMergeEdge", "patientMerges/edges/0", CLINICAL, "node cursor"),
    ("LegalHoldConnection", "legalHolds", CLINICAL, "edges nodes pageInfo totalCount"),
    ("LegalHoldEdge", "legalHolds/edges/0", CLINICAL, "node cursor"),
    ("PatientRestrictionConnection", "patientRestrictions", CLINICAL, "edges nodes pageInfo totalCount"),
    ("PatientRestrictionEdge", "patientRestrictions/edges/0", CLINICAL, "node cursor"),
    ("MergeConflict", "patient/merges/0/conflicts/0", CLINICAL, "field from into taken"),
    ("LegalHold", "patient/legalHolds/0", CLINICAL, "id patient reason placedAt placedBy liftedAt liftedBy liftReason version createdAt createdBy \
        updatedAt updatedBy history"),
    ("Viewer", "viewer", ALL, "kind staff serviceAccountId scopes"),
    ("ServiceAccount", "serviceAccount", ERASURES, "id name scopes active keys version createdAt createdBy updatedAt updatedBy history"),
    ("ServiceAccountConnection", "serviceAccounts", ERASURES, "edges nodes pageInfo totalCount"),
    ("ServiceAccountEdge", "serviceAccounts/edges/0", ERASURES, "node cursor"),
    ("ApiKey", "serviceAccount/keys/nodes/0", ERASURES, "id serviceAccount prefix allowedAddresses expiresAt revokedAt holds lastUsedAt \
        lastUsedFrom version createdAt createdBy updatedAt updatedBy history"),
    ("ApiKeyConnection", "serviceAccount/keys", ERASURES, "edges nodes pageInfo totalCount"),
    ("ApiKeyEdge", "serviceAccount/keys/edges/0", ERASURES, "node cursor"),
    ("Webhook", "webhook", ERASURES, "id serviceAccount url description kinds status reason statusAt startsAfter secretFingerprint oldSecretUntil \
        cursor lastSuccessAt failingSince failedTries nextTryAt deliveries version createdAt createdBy updatedAt updatedBy history"),
    ("WebhookConnection", "webhooks", ERASURES, "edges nodes pageInfo totalCount"),
    ("WebhookEdge", "webhooks/edges/0", ERASURES, "node cursor"),
    ("WebhookDelivery", "webhook/deliveries/nodes/0", ERASURES, "eventId sequence type attempt at durationMs statusCode error nextTryAt"),
    ("WebhookDeliveryConnection", "webhook/deliveries", ERASURES, "edges nodes pageInfo totalCount"),
    ("WebhookDeliveryEdge", "webhook/deliveries/edges/0", ERASURES, "node cursor"),
    ("PatientRestriction", "patient/restrictions/0", CLINICAL, "id patientId patient reason placedAt placedBy liftedAt liftedBy liftReason \
        version createdAt createdBy updatedAt updatedBy history"),
    ("EmergencyAccess", "emergencyAccesses/nodes/0", ERASURES, "id patientId patient staff reason begunAt endsAt endedAt open alertedAt \
        reviewedAt reviewedBy reviewNote version createdAt createdBy updatedAt updatedBy history"),
    ("EmergencyAccessConnection", "emergencyAccesses", ERASURES, "edges nodes pageInfo totalCount"),
    ("EmergencyAccessEdge", "emergencyAccesses/edges/0", ERASURES, "node cursor"),
    ("AccessEntry", "accessLog/nodes/0", ERASURES, "sequence at event actor operation requestId fromAddress reason patientIds"),
    ("AccessEntryConnection", "patient/accessLog", ERASURES, "edges nodes pageInfo totalCount"),
    ("AccessEntryEdge", "accessLog/edges/0", ERASURES, "node cursor"),
    ("RecordChange", "changes/nodes/0", ALL, "sequence at cursor action kind recordId version patientId movedFromPatientId mark actorId requestId"),
    ("RecordChangeConnection", "changes", ALL, "edges nodes pageInfo"),
    ("RecordChangeEdge", "changes/edges/0", ALL, "node cursor"),
    ("PossibleDuplicate", "possibleDuplicates/0", ALL, "patient score reasons"),
    ("DuplicateReason", "possibleDuplicates/0/reasons/0", ALL, "field explanation weight"),
    ("PatientChart", "chart", CLINICAL, "patient asOf ledgerSequence healthHistory consultations sessions aftercareNotes addenda records treatmentPlans consents photos adverseEvents recalls"),
    ("ChartRecord", "chart/records/0", CLINICAL, "kind recordId version at by action ledgerSequence signature content"),
    ("PatientErasure", "patientErasures/nodes/0", ERASURES, "id patientId erasedAt erasedBy reason authority counts objectsToDelete \
        objectsDeletedAt version createdAt createdBy updatedAt updatedBy history"),
    ("ErasedRows", "patientErasures/nodes/0/counts/0", ERASURES, "table count"),
    ("StoredObject", "patientErasures/nodes/0/objectsToDelete/0", ERASURES, "photoId contentHash mediaType"),
    ("PatientErasureConnection", "patientErasures", ERASURES, "edges nodes pageInfo totalCount"),
    ("PatientErasureEdge", "patientErasures/edges/0", ERASURES, "node cursor"),
    ("TimelineEntryConnection", "patient/timeline", CLINICAL, "edges nodes pageInfo totalCount"),
    ("TimelineEntryEdge", "patient/timeline/edges/0", CLINICAL, "node cursor"),
    ("RecordVersion", "patient/history/nodes/0", ALL, "version at by action ledgerSequence changes"),
    ("Change", "patient/history/nodes/0/changes/0", ALL, "field before after"),
    ("Photo", "photo", CLINICAL, "id patient session aftercareNoteId adverseEventId status enteredInError statusReason takenAt phase view area side \
        lighting distanceCm makeUpFree note uploadExpiresAt storedAt contentHash mediaType byteSize width height link version createdAt \
        createdBy updatedAt updatedBy history"),
    ("PhotoLink", "photo/link", CLINICAL, "url expiresAt withheld"),
    ("PhotoPair", "patient/photoPairs/0", CLINICAL, "before after area view side daysBetween distanceDifferenceCm"),
    ("PhotoConnection", "patient/photos", CLINICAL, "edges nodes pageInfo totalCount"),
    ("PhotoEdge", "photos/edges/0", CLINICAL, "node cursor"),
    ("TreatmentPlan", "treatmentPlan", CLINICAL, "id patient consultation protocolVersion concerns areas plannedSessions status enteredInError statusReason \
        note startedOn earlierCourses progress maintenanceEstimate sessions version createdAt createdBy updatedAt updatedBy history"),
    ("PlanArea", "treatmentPlan/areas/0", CLINICAL, "area side"),
    ("EarlierCourse", "treatmentPlan/earlierCourses/0", CLINICAL, "protocolVersion plannedSessions areas until reason changedBy"),
    ("TreatmentPlanProgress", "treatmentPlan/progress", CLINICAL, "done remaining lastSession nextSession resultsReview maintenance overdue"),
    ("DateWindow", "treatmentPlan/progress/nextSession", CLINICAL, "from target until"),
    ("MaintenanceEstimate", "treatmentPlan/maintenanceEstimate", CLINICAL, "from likely until basis points explanation"),
    ("TreatmentPlanConnection", "patient/treatmentPlans", CLINICAL, "edges nodes pageInfo totalCount"),
    ("TreatmentPlanEdge", "treatmentPlans/edges/0", CLINICAL, "node cursor"),
    ("SessionCheck", "treatmentPlan/sessions/nodes/0/checks/0", CLINICAL, "id rule verdict cause code params recordId recordKind protocolVersion override settled"),
    ("CheckParam", "treatmentPlan/sessions/nodes/0/checks/0/params/0", CLINICAL, "name value"),
    ("CheckOverride", "treatmentPlan/sessions/nodes/0/checks/0/override", CLINICAL, "reason by supervisor at"),
    ("SessionChecks", "sessionChecks", PRACTITIONER, "verdict protocolVersion checks"),
    ("Aftercare", "treatmentPlan/sessions/nodes/0/aftercare", CLINICAL, "session at timeZone inForce upcoming localWindows checkInsDue \
        checkInsOverdue checkInsUpcoming"),
    ("AftercareInstructionInForce", "treatmentPlan/sessions/nodes/0/aftercare/inForce/0", CLINICAL, "code text startsAt endsAt"),
    ("AftercareCheckIn", "treatmentPlan/sessions/nodes/0/aftercare/checkInsUpcoming/0", CLINICAL, "code label dueFrom dueUntil"),
    ("LocalWindow", "treatmentPlan/sessions/nodes/0/aftercare/localWindows/0", CLINICAL, "code starts ends"),
    ("ChartCompleteness", "chartCompleteness", CLINICAL, "ready signed items"),
    ("CompletenessItem", "chartCompleteness/items/0", CLINICAL, "field message cost checkId"),
    ("Protocol", "protocol", ALL, "id name copiedFrom active publishedVersion draftVersion versions version createdAt createdBy updatedAt \
        updatedBy history"),
    ("ProtocolVersion", "protocolVersion", ALL, "id protocol number status modality indications rules publishedAt publishedBy changeNote \
        version createdAt createdBy updatedAt updatedBy history"),
    ("ProtocolRules", "protocolVersion/rules", ALL, "sessionsMin sessionsMax intervalMinDays intervalTargetDays intervalLatestDays \
        resultsFromWeeks resultsUntilWeeks maintenanceFromMonths maintenanceUntilMonths consultationValidDays historyReviewDays depthLimits skinTypes \
        contraindications aftercare checkIns symptomWindows symptomThresholds ageMin ageMax ageSource sources anaestheticMinMinutes anaestheticMaxMinutes expectations blocks"),
    ("DepthLimit", "protocolVersion/rules/depthLimits/0", ALL, "area maxMm skinTypes source"),
    ("Contraindication", "protocolVersion/rules/contraindications/0", ALL, "code label severity lookBackDays appliesTo source"),
    ("AftercareInstruction", "protocolVersion/rules/aftercare/0", ALL, "code text fromHours untilHours source"),
    ("CheckInDue", "protocolVersion/rules/checkIns/0", ALL, "code label fromHours untilHours source"),
    ("ProtocolSources", "protocolVersion/rules/sources", ALL, "sessions interval results maintenance consultation skinTypes symptoms anaesthetic expectations"),
    ("SymptomThreshold", "protocolVersion/rules/symptomThresholds/0", ALL, "symptom fromHours untilHours score source"),
    ("SymptomWindowHours", "protocolVersion/rules/symptomWindows", ALL, "redness swelling pain"),
    ("ProtocolBlocks", "protocolVersion/rules/blocks", ALL, "interval depthLimit deviceRange lotExpired lotRecalled consultation skinType consent age"),
    ("ProtocolConnection", "protocols", ALL, "edges nodes pageInfo totalCount"),
    ("ProtocolEdge", "protocols/edges/0", ALL, "node cursor"),
    ("ProtocolVersionConnection", "protocol/versions", ALL, "edges nodes pageInfo totalCount"),
    ("ProtocolVersionEdge", "protocol/versions/edges/0", ALL, "node cursor"),
    ("PageInfo", "patients/pageInfo", ALL, "hasNextPage hasPreviousPage startCursor endCursor"),
    ("LocationConnection", "organisation/locations", ALL, "edges nodes pageInfo totalCount"),
    ("LocationEdge", "organisation/locations/edges/0", ALL, "node cursor"),
    ("StaffConnection", "staff", ALL, "edges nodes pageInfo totalCount"),
    ("StaffEdge", "staff/edges/0", ALL, "node cursor"),
    ("PatientConnection", "patients", ALL, "edges nodes pageInfo totalCount"),
    ("PatientEdge", "patients/edges/0", ALL, "node cursor"),
    ("RecordVersionConnection", "patient/history", ALL, "edges nodes pageInfo totalCount"),
    ("RecordVersionEdge", "patient/history/edges/0", ALL, "node cursor"),
    ("HealthEntryConnection", "healthEntries", CLINICAL, "edges nodes pageInfo totalCount"),
    ("HealthEntryEdge", "healthEntries/edges/0", CLINICAL, "node cursor"),
    ("ConsultationConnection", "patient/consultations", CLINICAL, "edges nodes pageInfo totalCount"),
    ("ConsultationEdge", "consultations/edges/0", CLINICAL, "node cursor"),
    ("TreatmentSessionConnection", "patient/sessions", CLINICAL, "edges nodes pageInfo totalCount"),
    ("TreatmentSessionEdge", "sessions/edges/0", CLINICAL, "node cursor"),
    ("AftercareNoteConnection", "session/aftercareNotes", CLINICAL, "edges nodes pageInfo totalCount"),
    ("AftercareNoteEdge", "aftercareNotes/edges/0", CLINICAL, "node cursor"),
    ("AddendumConnection", "session/addenda", CLINICAL, "edges nodes pageInfo totalCount"),
    ("AddendumEdge", "session/addenda/edges/0", CLINICAL, "node cursor"),
    ("Device", "device", ALL, "id model manufacturer serial kind depthMinMm depthMaxMm depthStepMm location active recalled note version createdAt createdBy updatedAt updatedBy history"),
    ("Product", "product", ALL, "id name manufacturer role intradermalUse strength active note lots version createdAt createdBy updatedAt updatedBy history"),
    ("HealthTerm", "healthTerm", CLINICAL, "id code term language active version createdAt createdBy updatedAt updatedBy history"),
    ("HealthTermConnection", "healthTerms", CLINICAL, "edges nodes pageInfo totalCount"),
    ("HealthTermEdge", "healthTerms/edges/0", CLINICAL, "node cursor"),
    ("ProductLot", "productLot", ALL, "id product lot expiresOn receivedOn recalled note version createdAt createdBy updatedAt updatedBy history"),
    ("MakerRecall", "device/recalled", ALL, "at reason reference"),
    ("AdverseEvent", "adverseEvent", CLINICAL, "id patient session aftercareNote lot kind description onsetAt area severity serious expectedness \
        suspectedCause causality actionTaken outcome resolvedAt report reports device deviceModel deviceSerial followUps missing enteredInError version createdAt createdBy updatedAt updatedBy history"),
    ("AdverseEventFollowUp", "adverseEvent/followUps/0", CLINICAL, "at author outcome text"),
    ("AuthorityReport", "adverseEvent/report", CLINICAL, "to at reference"),
    ("ProposedAdverseEvent", "aftercareNote/proposedAdverseEvents/0", CLINICAL, "kind symptom score expectedUntil hoursSinceSession severity \
        reason already"),
    ("Recall", "recall", ALL, "id patient reason planId lot dueFrom dueUntil state snoozedUntil closedReason basis attempts contacted version createdAt createdBy updatedAt updatedBy history"),
    ("Recall", "recall", CLINICAL, "afterSession doneBySession"),
    ("RecallAttempt", "recall/attempts/0", ALL, "at by channel outcome note"),
    ("LotTrace", "lotTrace", CLINICAL, "lot lotNumber product sessionCount patientCount contactedCount notContactedCount sessions patients"),
    ("LotTracePatient", "lotTrace/patients/nodes/0", CLINICAL, "patient sessions adverseEvents contacted contacts openRecall"),
    ("LotTracePatientConnection", "lotTrace/patients", CLINICAL, "edges nodes pageInfo totalCount"),
    ("LotTracePatientEdge", "lotTrace/patients/edges/0", CLINICAL, "node cursor"),
    ("DeviceConnection", "devices", ALL, "edges nodes pageInfo totalCount"),
    ("DeviceEdge", "devices/edges/0", ALL, "node cursor"),
    ("ProductConnection", "products", ALL, "edges nodes pageInfo totalCount"),
    ("ProductEdge", "products/edges/0", ALL, "node cursor"),
    ("ProductLotConnection", "product/lots", ALL, "edges nodes pageInfo totalCount"),
    ("ProductLotEdge", "product/lots/edges/0", ALL, "node cursor"),
    ("AdverseEventConnection", "adverseEvents", CLINICAL, "edges nodes pageInfo totalCount"),
    ("AdverseEventEdge", "adverseEvents/edges/0", CLINICAL, "node cursor"),
    ("RecallConnection", "recalls", ALL, "edges nodes pageInfo totalCount"),
    ("RecallEdge", "recalls/edges/0", ALL, "node cursor"),
];

/// Fields below the root that need an argument.
const ARGUMENTS: &[(&str, &str)] = &[("outcomeSeries", "(scale: \"gais\")"), ("link", "(purpose: CLINICAL_RECORD)")];

/// A field with the arguments it needs.
pub fn called(name: &str) -> String {
    let arguments = ARGUMENTS.iter().find(|(field, _)| *field == name).map_or("", |(_, arguments)| arguments);
    format!("{name}{arguments}")
}
