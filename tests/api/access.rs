//! Who may see and do what: every field of the schema, for every role, in the own and in another organisation, and
//! signed out. A field of the schema without a row here fails the test. Then sign-in itself.

use crate::support::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// What admin, practitioner, front desk and auditor get, in the order of `Role::ALL`.
pub type Rights = [&'static str; 4];

pub const NO: &str = "FORBIDDEN";
const ALL: Rights = ["ok"; 4];
const CLINICAL: Rights = ["ok", "ok", NO, "ok"];
const ADMIN: Rights = ["ok", NO, NO, NO];
const PRACTITIONER: Rights = [NO, "ok", NO, NO];
const REGISTERS: Rights = ["ok", "ok", "ok", NO];
const ARCHIVES: Rights = ["ok", "ok", NO, NO];
const ERASURES: Rights = ["ok", NO, NO, "ok"];

/// Every root field of Query, with its arguments. `$patient` and the like are ids.
#[rustfmt::skip]
pub const QUERIES: &[(&str, &str, Rights)] = &[
    ("me",             "",                 ALL),
    ("viewer",         "",                 ALL),
    ("serviceAccount", "(id: $service)",   ERASURES),
    ("serviceAccounts", "(first: 2)",      ERASURES),
    ("organisation",   "",                 ALL),
    ("location",       "(id: $location)",  ALL),
    ("staffMember",    "(id: $staff)",     ALL),
    ("locations",      "(first: 2)",       ALL),
    ("staff",          "(first: 2)",       ALL),
    ("patient",        "(id: $patient)",   ALL),
    ("patients",       "(first: 2)",       ALL),
    ("healthEntry",    "(id: $health)",    CLINICAL),
    ("healthEntries",  "(first: 2)",       CLINICAL),
    ("consultation",   "(id: $consultation)", CLINICAL),
    ("consultations",  "(first: 2)",       CLINICAL),
    ("session",        "(id: $session)",   CLINICAL),
    ("sessions",       "(first: 2)",       CLINICAL),
    ("aftercareNote",  "(id: $note)",      CLINICAL),
    ("aftercareNotes", "(first: 2)",       CLINICAL),
    ("addendum",       "(id: $addendum)",  CLINICAL),
    ("photo",          "(id: $photo)",     CLINICAL),
    ("photos",         "(first: 2)",       CLINICAL),
    ("protocol",       "(id: $protocol)",  ALL),
    ("protocols",      "(first: 2)",       ALL),
    ("protocolVersion", "(id: $ruleset)",  ALL),
    ("treatmentPlan",  "(id: $plan)",      CLINICAL),
    ("treatmentPlans", "(first: 2)",       CLINICAL),
    ("sessionChecks",  "(input: {patientId: $patient, locationId: $location, startedAt: \"2026-01-05T10:00:00Z\", modality: PRP})", PRACTITIONER),
    ("chartCompleteness", "(recordId: $draft)", CLINICAL),
    ("addenda",        "(first: 2)",       CLINICAL),
    ("possibleDuplicates", "(patientId: $patient)", ALL),
    ("chart",          "(patientId: $patient)", CLINICAL),
    ("patientErasures", "(first: 2)",      ERASURES),
    ("emergencyAccesses", "(first: 2)",    ERASURES),
    ("accessLog",      "(first: 2)",       ERASURES),
    ("consentTemplate",  "(id: $text)",    ALL),
    ("consentTemplates", "(first: 2)",     ALL),
    ("consentTemplateVersion", "(id: $wording)", ALL),
    ("consent",        "(id: $consent)",   CLINICAL),
    ("consents",       "(first: 2)",       CLINICAL),
    ("outcomeScales",  "",                 ALL),
    ("outcomeAssessment",  "(id: $outcome)", CLINICAL),
    ("outcomeAssessments", "(first: 2)",   CLINICAL),
    ("device",         "(id: $device)",    ALL),
    ("devices",        "(first: 2)",       ALL),
    ("product",        "(id: $product)",   ALL),
    ("products",       "(first: 2)",       ALL),
    ("productLot",     "(id: $lot)",       ALL),
    ("productLots",    "(first: 2)",       ALL),
    ("adverseEvent",   "(id: $event)",     CLINICAL),
    ("adverseEvents",  "(first: 2)",       CLINICAL),
    ("recall",         "(id: $recall)",    ALL),
    ("recalls",        "(first: 2)",       ALL),
    ("lotTrace",       "(lotId: $lot)",    CLINICAL),
    ("node",           "(id: $session)",   CLINICAL),
    ("nodes",          "(ids: [$session, $patient])", CLINICAL),
];

/// Every root field of Mutation. Signing in and out is for everybody.
#[rustfmt::skip]
pub const MUTATIONS: &[(&str, Rights)] = &[
    ("signIn",              ALL),
    ("signOut",             ALL),
    ("updateOrganisation",  ADMIN),
    ("addLocation",         ADMIN),
    ("createServiceAccount", ADMIN),
    ("updateServiceAccount", ADMIN),
    ("createApiKey",        ADMIN),
    ("rotateApiKey",        ADMIN),
    ("revokeApiKey",        ADMIN),
    ("requestPhotoUpload",  PRACTITIONER),
    ("updatePhoto",         PRACTITIONER),
    ("markPhotoEnteredInError", PRACTITIONER),
    ("updateLocation",      ADMIN),
    ("addStaff",            ADMIN),
    ("updateStaff",         ADMIN),
    ("createInvitationLink", ADMIN),
    ("createPasswordResetLink", ADMIN),
    ("revokeStaffSignIns",  ADMIN),
    ("mergePatients",       ARCHIVES),
    ("unmergePatients",     ARCHIVES),
    ("placeLegalHold",      ADMIN),
    ("liftLegalHold",       ADMIN),
    ("exportPatient",       ADMIN),
    ("erasePatient",        ADMIN),
    ("restrictPatient",     ADMIN),
    ("liftPatientRestriction", ADMIN),
    ("beginEmergencyAccess", REGISTERS),
    // The practitioner's: an admin may end it, the front desk does not find it.
    ("endEmergencyAccess",  ["ok", "ok", "NOT_FOUND", NO]),
    ("reviewEmergencyAccess", ADMIN),
    ("registerPatient",     REGISTERS),
    ("updatePatient",       REGISTERS),
    ("archivePatient",      ARCHIVES),
    ("restorePatient",      ARCHIVES),
    ("addHealthEntry",      PRACTITIONER),
    ("updateHealthEntry",   PRACTITIONER),
    ("recordConsultation",  PRACTITIONER),
    ("updateConsultation",  PRACTITIONER),
    ("createConsentTemplate",         ARCHIVES),
    ("draftConsentTemplateVersion",   ARCHIVES),
    ("updateConsentTemplateVersion",  ARCHIVES),
    ("publishConsentTemplateVersion", ARCHIVES),
    ("retireConsentTemplate",         ARCHIVES),
    ("proposeConsent",            PRACTITIONER),
    ("giveConsent",               PRACTITIONER),
    ("recordConsent",             PRACTITIONER),
    ("rejectConsent",             PRACTITIONER),
    ("withdrawConsent",           PRACTITIONER),
    ("markConsentEnteredInError", PRACTITIONER),
    ("recordOutcome",             PRACTITIONER),
    ("updateOutcome",             PRACTITIONER),
    ("markOutcomeEnteredInError", PRACTITIONER),
    ("signConsultation",    PRACTITIONER),
    ("logSession",          PRACTITIONER),
    ("startSession",        PRACTITIONER),
    ("updateSession",       PRACTITIONER),
    ("completeSession",     PRACTITIONER),
    ("stopSession",         PRACTITIONER),
    ("signSession",         PRACTITIONER),
    ("createProtocol",          ARCHIVES),
    ("updateProtocol",          ARCHIVES),
    ("draftProtocolVersion",    ARCHIVES),
    ("updateProtocolVersion",   ARCHIVES),
    ("publishProtocolVersion",  ARCHIVES),
    ("createTreatmentPlan",     PRACTITIONER),
    ("updateTreatmentPlan",     PRACTITIONER),
    ("changeTreatmentCourse",   PRACTITIONER),
    ("changeTreatmentPlanStatus", PRACTITIONER),
    ("overrideSessionCheck",    PRACTITIONER),
    ("signOffSessionCheck",     PRACTITIONER),
    ("addAftercareNote",    PRACTITIONER),
    ("updateAftercareNote", PRACTITIONER),
    ("signAftercareNote",   PRACTITIONER),
    ("addAddendum",         PRACTITIONER),
    ("addDevice",            ARCHIVES),
    ("updateDevice",         ARCHIVES),
    ("noteDeviceRecall",     ARCHIVES),
    ("addProduct",           ARCHIVES),
    ("updateProduct",        ARCHIVES),
    ("addProductLot",        ARCHIVES),
    ("updateProductLot",     ARCHIVES),
    ("noteLotRecall",        ARCHIVES),
    ("reportAdverseEvent",   PRACTITIONER),
    ("updateAdverseEvent",   PRACTITIONER),
    ("addAdverseEventFollowUp", PRACTITIONER),
    ("reportAdverseEventToAuthority", PRACTITIONER),
    ("markAdverseEventEnteredInError", PRACTITIONER),
    ("createRecall",         ARCHIVES),
    ("createSafetyRecall",   ARCHIVES),
    ("logRecallAttempt",     REGISTERS),
    ("snoozeRecall",         REGISTERS),
    ("completeRecall",       ARCHIVES),
    ("dismissRecall",        REGISTERS),
];

/// What is open to somebody without a sign-in.
pub const PUBLIC: [&str; 5] = ["signIn", "signOut", "completeSignIn", "resetPassword", "acceptInvitation"];

/// What one does with one's own account, whatever the role: `sign_in.rs` holds them to that.
pub const IDENTITY: &[&str] = &[
    "completeSignIn",
    "confirmIdentity",
    "beginSecondFactor",
    "confirmSecondFactor",
    "removeSecondFactor",
    "regenerateRecoveryCodes",
    "changePassword",
    "resetPassword",
    "acceptInvitation",
    "revokeSignIn",
    "revokeAllSignIns",
];

/// Every field of every object type: where the type is reached from the root, and what each role gets of the fields.
/// Payloads are not here: a mutation's row above says who gets its payload.
#[rustfmt::skip]
pub const FIELDS: &[(&str, &str, Rights, &str)] = &[
    ("Organisation", "organisation", ALL, "id name secondFactorRoles version createdAt locations history"),
    ("Location", "location", ALL, "id name timeZone address phone active version createdAt updatedAt history"),
    ("Staff", "staffMember", ALL, "id displayName email role licenceNumber active invitedAt joinedAt unreviewedEmergencyAccess organisation version createdAt createdBy updatedAt history"),
    ("Staff", "staffMember", ARCHIVES, "secondFactor signIns"),
    ("SignIn", "staffMember/signIns/0", ARCHIVES, "id current client address createdAt lastSeenAt expiresAt secondFactor byCookie"),
    ("Patient", "patient", ALL, "id chartNumber displayName legalName preferredName birthDate sexAtBirth gender pronouns email phone \
        address emergencyContact fitzpatrickType skinType status statusReason mergedInto version createdAt createdBy updatedAt updatedBy history"),
    ("Patient", "patient", CLINICAL, "healthHistory consultations sessions aftercareNotes adverseEvents consents outcomes outcomeSeries timeline merges legalHolds photos photoPairs treatmentPlans aftercare"),
    ("Patient", "patient", ALL, "recalls restricted"),
    ("Patient", "patient", CLINICAL, "restrictions"),
    ("Patient", "patient", ERASURES, "emergencyAccesses accessLog"),
    ("PersonName", "patient/legalName", ALL, "given middle family"),
    ("EmergencyContact", "patient/emergencyContact", ALL, "name relationship phone"),
    ("SkinType", "patient/skinType", ALL, "fitzpatrickType assessedOn assessedBy"),
    ("Address", "patient/address", ALL, "lines city region postalCode country"),
    ("HealthEntry", "patient/healthHistory/0", CLINICAL, "id patient kind code text severity onsetOn endedOn lastDoseOn source verifiedBy \
        verifiedAt enteredInError version createdAt createdBy updatedAt updatedBy history"),
    ("Consultation", "consultation", CLINICAL, "id patient practitioner location heldAt mode concerns goals findings scarTypes \
        priorProcedures expectationsDiscussed candidacy candidacyReasons recommendedPlan patchTest validUntil version createdAt createdBy \
        updatedAt updatedBy signature addenda history"),
    ("PatchTest", "consultation/patchTest", CLINICAL, "site performedAt product result note"),
    ("TreatmentSession", "session", CLINICAL, "id patient practitioner supervisor location status startedAt endedAt modality device \
        catalogueDevice adverseEvents skinPreparation glide anaesthetic areas products painScore immediateReaction note stopReason consents \
        plan protocolVersion checks aftercare photos aftercareNotes version createdAt createdBy updatedAt updatedBy signature addenda history"),
    ("DeviceUse", "session/device", CLINICAL, "model serial kind"),
    ("TopicalAnaesthetic", "session/anaesthetic", CLINICAL, "product strength lot appliedAt removedAt areaCm2"),
    ("SessionArea", "session/areas/0", CLINICAL, "area side needleDepthMm passes speedRpm rfEnergyMj rfPulseWidthMs endpoint note"),
    ("ProductUse", "session/products/0", CLINICAL, "role product manufacturer lot expiresOn quantity unit area intradermalUse catalogueLot"),
    ("AftercareNote", "aftercareNote", CLINICAL, "id patient session author kind notedAt text redness swelling pain adherence escalate proposedAdverseEvents \
        version createdAt createdBy updatedAt updatedBy signature addenda history"),
    ("ConsentTemplate", "consentTemplate", ALL, "id name kind active publishedVersion draftVersion versions version createdAt createdBy \
        updatedAt updatedBy history"),
    ("ConsentTemplateVersion", "consentTemplateVersion", ALL, "id template number status text textHash language modalities validDays \
        publishedAt publishedBy version createdAt createdBy updatedAt updatedBy history"),
    ("Consent", "consent", CLINICAL, "id patient templateVersion kind modalities textHash status state inForce signature expiresAt endedAt \
        endedReason note version createdAt createdBy updatedAt updatedBy history"),
    ("ConsentSignature", "consent/signature", CLINICAL, "givenAt signer signerName relationship method signatureHash signatureImage witness \
        witnessName"),
    ("RequiredConsent", "session/consents/0", CLINICAL, "kind neededFor inForce consent reason"),
    ("OutcomeScale", "outcomeScales/0", ALL, "code version name min max step better unit labels source"),
    ("OutcomeScaleLabel", "outcomeScales/0/labels/0", ALL, "score text"),
    ("OutcomeAssessment", "outcomeAssessment", CLINICAL, "id patient planId session scale area score raterRole rater assessedAt \
        comparedWithPhotoId photoId note enteredInError version createdAt createdBy updatedAt updatedBy history"),
    ("OutcomeSeries", "patient/outcomeSeries", CLINICAL, "scale points changeSinceFirst better bestPair"),
    ("OutcomePair", "patient/outcomeSeries/bestPair", CLINICAL, "before after change"),
    ("ConsentTemplateConnection", "consentTemplates", ALL, "edges nodes pageInfo totalCount"),
    ("ConsentTemplateEdge", "consentTemplates/edges/0", ALL, "node cursor"),
    ("ConsentTemplateVersionConnection", "consentTemplate/versions", ALL, "edges nodes pageInfo totalCount"),
    ("ConsentTemplateVersionEdge", "consentTemplate/versions/edges/0", ALL, "node cursor"),
    ("ConsentConnection", "patient/consents", CLINICAL, "edges nodes pageInfo totalCount"),
    ("ConsentEdge", "consents/edges/0", CLINICAL, "node cursor"),
    ("OutcomeAssessmentConnection", "patient/outcomes", CLINICAL, "edges nodes pageInfo totalCount"),
    ("OutcomeAssessmentEdge", "outcomeAssessments/edges/0", CLINICAL, "node cursor"),
    ("Signature", "session/signature", CLINICAL, "signedBy signerName signedAt meaning statement contentHash"),
    ("Addendum", "session/addenda/nodes/0", CLINICAL, "id patient recordId recordKind author addedAt reason text history"),
    ("TimelineEntry", "patient/timeline/nodes/0", CLINICAL, "at kind summary recordId record signed"),
    ("PatientMerge", "patient/merges/0", CLINICAL, "id from into mergedAt mergedBy reason moved conflicts undoneAt undoneBy undoReason kept \
        version createdAt createdBy updatedAt updatedBy history"),
    ("MovedRecords", "patient/merges/0/moved/0", CLINICAL, "kind count"),
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
    ("PatientRestriction", "patient/restrictions/0", CLINICAL, "id patientId patient reason placedAt placedBy liftedAt liftedBy liftReason \
        version createdAt createdBy updatedAt updatedBy history"),
    ("EmergencyAccess", "emergencyAccesses/nodes/0", ERASURES, "id patientId patient staff reason begunAt endsAt endedAt open alertedAt \
        reviewedAt reviewedBy reviewNote version createdAt createdBy updatedAt updatedBy history"),
    ("EmergencyAccessConnection", "emergencyAccesses", ERASURES, "edges nodes pageInfo totalCount"),
    ("EmergencyAccessEdge", "emergencyAccesses/edges/0", ERASURES, "node cursor"),
    ("AccessEntry", "accessLog/nodes/0", ERASURES, "sequence at event actor operation requestId fromAddress reason patientIds"),
    ("AccessEntryConnection", "patient/accessLog", ERASURES, "edges nodes pageInfo totalCount"),
    ("AccessEntryEdge", "accessLog/edges/0", ERASURES, "node cursor"),
    ("PossibleDuplicate", "possibleDuplicates/0", ALL, "patient score reasons"),
    ("DuplicateReason", "possibleDuplicates/0/reasons/0", ALL, "field explanation weight"),
    ("PatientChart", "chart", CLINICAL, "patient asOf ledgerSequence healthHistory consultations sessions aftercareNotes addenda records treatmentPlans consents photos outcomes adverseEvents recalls"),
    ("ChartRecord", "chart/records/0", CLINICAL, "kind id version at by action ledgerSequence signature content"),
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
    ("Photo", "photo", CLINICAL, "id patient session aftercareNoteId adverseEventId status statusReason takenAt phase view area side \
        lighting distanceCm makeUpFree note uploadExpiresAt storedAt contentHash mediaType byteSize width height link version createdAt \
        createdBy updatedAt updatedBy history"),
    ("PhotoLink", "photo/link", CLINICAL, "url expiresAt withheld"),
    ("PhotoPair", "patient/photoPairs/0", CLINICAL, "before after area view side daysBetween distanceDifferenceCm"),
    ("PhotoConnection", "patient/photos", CLINICAL, "edges nodes pageInfo totalCount"),
    ("PhotoEdge", "photos/edges/0", CLINICAL, "node cursor"),
    ("TreatmentPlan", "treatmentPlan", CLINICAL, "id patient consultation protocolVersion concerns areas plannedSessions status statusReason \
        note startedOn earlierCourses progress maintenanceEstimate sessions version createdAt createdBy updatedAt updatedBy history"),
    ("PlanArea", "treatmentPlan/areas/0", CLINICAL, "area side"),
    ("EarlierCourse", "treatmentPlan/earlierCourses/0", CLINICAL, "protocolVersion plannedSessions areas until reason changedBy"),
    ("TreatmentPlanProgress", "treatmentPlan/progress", CLINICAL, "done remaining lastSession nextSession resultsReview maintenance overdue"),
    ("DateWindow", "treatmentPlan/progress/nextSession", CLINICAL, "from target until"),
    ("MaintenanceEstimate", "treatmentPlan/maintenanceEstimate", CLINICAL, "from likely until basis points explanation"),
    ("TreatmentPlanConnection", "patient/treatmentPlans", CLINICAL, "edges nodes pageInfo totalCount"),
    ("TreatmentPlanEdge", "treatmentPlans/edges/0", CLINICAL, "node cursor"),
    ("SessionCheck", "treatmentPlan/sessions/nodes/0/checks/0", CLINICAL, "id rule verdict cause recordId recordKind protocolVersion override settled"),
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
        resultsFromWeeks resultsUntilWeeks maintenanceFromMonths maintenanceUntilMonths consultationValidDays depthLimits skinTypes \
        contraindications aftercare checkIns symptomWindows anaestheticMinMinutes anaestheticMaxMinutes expectations blocks"),
    ("DepthLimit", "protocolVersion/rules/depthLimits/0", ALL, "area maxMm source"),
    ("Contraindication", "protocolVersion/rules/contraindications/0", ALL, "code label severity lookBackDays appliesTo source"),
    ("AftercareInstruction", "protocolVersion/rules/aftercare/0", ALL, "code text fromHours untilHours"),
    ("CheckInDue", "protocolVersion/rules/checkIns/0", ALL, "code label fromHours untilHours"),
    ("SymptomWindowHours", "protocolVersion/rules/symptomWindows", ALL, "redness swelling pain"),
    ("ProtocolBlocks", "protocolVersion/rules/blocks", ALL, "interval depthLimit deviceRange lotExpired lotRecalled consultation skinType consent"),
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
    ("ProductLot", "productLot", ALL, "id product lot expiresOn receivedOn recalled note version createdAt createdBy updatedAt updatedBy history"),
    ("MakerRecall", "device/recalled", ALL, "at reason reference"),
    ("AdverseEvent", "adverseEvent", CLINICAL, "id patient session aftercareNote lot kind description onsetAt area severity serious expectedness \
        suspectedCause causality actionTaken outcome resolvedAt report followUps missing enteredInError version createdAt createdBy updatedAt updatedBy history"),
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
    let email = format!("{}@staff.example", uuid::Uuid::now_v7());
    let supervisor = json!({"email": email, "displayName": "Sue", "role": "PRACTITIONER", "password": PASSWORD});
    let supervisor = admin.make("addStaff", "staff", supervisor).await;
    let session = anna
        .session_with(
            &patient,
            json!({
                "device": {"deviceId": device.id},
                "products": [{"role": "CARTRIDGE", "product": "12-pin cartridge"}, {"role": "SERUM", "lotId": lot.id}],
                "anaesthetic": {"product": "Emla", "strength": "lidocaine 2.5 %"},
                "supervisorId": supervisor.id,
            }),
        )
        .await;
    let device = anna.make("noteDeviceRecall", "device", device.edit_with(json!({"reason": "Loose needle"}))).await;
    let session = anna.sign_session(&session).await;
    let old = anna.session_with(&patient, json!({"startedAt": hours_ago(200), "endedAt": hours_ago(199)})).await;
    let check_in = json!({"sessionId": old.id, "kind": "CHECK_IN", "redness": 4});
    let note = anna.make("addAftercareNote", "aftercareNote", check_in).await;
    let note = anna.sign_note(&note).await;
    let event = anna.adverse_event_with(&session, json!({"lotId": lot.id})).await;
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
    let recall = anna.recall(&patient).await;
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
    let hold = json!({"patientId": patient.id, "reason": "Case 12"});
    let hold = admin.make("placeLegalHold", "legalHold", hold).await;
    let service = admin.service_account("Chart reader", &["CLINICAL_READ"]).await;
    admin.api_key(&service, json!({})).await;
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
    let gone = anna.patient("Gone", "Soon").await;
    let photo = format!(
        "INSERT INTO photo (org_id, id, patient_id, status, taken_at, phase, view, area, side, version, created_at, updated_at) \
        VALUES ('{}', gen_random_uuid(), '{}', 'awaiting_upload', now(), 'before', 'frontal', 'nose', 'midline', 1, now(), now())",
        organisation.uuid,
        uuid_of(&gone.id)
    );
    clinic.database.superuser().await.run(&photo).await;
    let input = erasing(&admin, &gone).await;
    admin.does("erasePatient", input, "erasure { id }").await.ok();
    anna.photo_with(&patient, json!({"phase": "BEFORE", "takenAt": hours_ago(3)})).await;
    let photo = anna.photo_with(&patient, json!({"phase": "FOLLOW_UP", "sessionId": session.id})).await;
    let protocol = anna.protocol().await;
    let plan = anna.plan(&consultation, &protocol).await;
    let more = json!({"plannedSessions": 5, "reason": "Asked for one more"});
    let plan = anna.make("changeTreatmentCourse", "treatmentPlan", plan.edit_with(more)).await;
    let soon = json!({"planId": plan.id, "overrides": [{"rule": "INTERVAL", "reason": "Another part of the cheek"}]});
    let draft = anna.session_with(&patient, soon).await;
    let ids = json!({
        "photo": photo.id, "plan": plan.id, "protocol": protocol.id, "ruleset": protocol.version, "draft": draft.id,
        "merge": merge.id, "hold": hold.id, "service": service.id, "restriction": restriction.id,
        "text": text.template.id, "wording": text.version.id, "consent": consent.id, "outcome": outcome.id,
        "organisation": organisation.id, "location": organisation.location, "staff": anna.id(), "supervisor": supervisor.id, "patient": patient.id, "health": health.id,
        "consultation": consultation.id, "session": session.id, "note": note.id, "addendum": addendum.id,
        "device": device.id, "product": product.id, "lot": lot.id, "event": event.id, "recall": recall.id,
    });
    Chart { admin, anna, ids }
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

/// `query (…) { … }` with the variables it uses, all of them ids.
pub fn query(body: &str) -> String {
    let used = [
        "location",
        "staff",
        "patient",
        "consultation",
        "session",
        "note",
        "health",
        "addendum",
        "device",
        "product",
        "lot",
        "event",
        "recall",
        "text",
        "wording",
        "consent",
        "outcome",
        "photo",
        "plan",
        "protocol",
        "ruleset",
        "draft",
        "service",
        "id",
    ];
    let used = used.iter().filter(|name| body.contains(&format!("${name}")));
    let declared: Vec<String> = used.map(|name| format!("${name}: ID!")).collect();
    if declared.is_empty() { format!("{{ {body} }}") } else { format!("query ({}) {{ {body} }}", declared.join(", ")) }
}

pub fn is_object(schema: &Schema, field: &Field) -> bool {
    matches!(schema.get(field.named_type()).kind.as_str(), "OBJECT" | "INTERFACE" | "UNION")
}

/// The named fields of a type, each with a selection if it needs one.
pub fn selection(schema: &Schema, ty: &str, names: &str) -> String {
    let fields = names.split_whitespace().map(|name| {
        let field = schema
            .get(ty)
            .fields
            .iter()
            .find(|field| field.name == name)
            .unwrap_or_else(|| panic!("{ty} has no {name}"));
        let name = called(name);
        if is_object(schema, field) { format!("{name} {{ __typename }} ") } else { format!("{name} ") }
    });
    fields.collect()
}

/// The root query that reaches a path such as `session/areas/0`.
pub fn reach(path: &str, selection: &str) -> String {
    let mut steps = path.split('/').filter(|step| step.parse::<usize>().is_err());
    let root = steps.next().expect("a root field");
    let (_, arguments, _) = QUERIES.iter().find(|(name, ..)| *name == root).expect("a root field");
    let steps: Vec<&str> = steps.collect();
    let inner =
        steps.iter().rev().fold(format!("{{ {selection} }}"), |inner, step| format!("{{ {} {inner} }}", called(step)));
    query(&format!("{root}{arguments} {inner}"))
}

pub fn path_of(error: &Value) -> Vec<String> {
    let steps = error["path"].as_array().map(Vec::as_slice).unwrap_or_default();
    steps.iter().map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned)).collect()
}

/// What came of a field below a path: `ok`, its own error's code, or that of an error on the way to it.
pub fn outcome(answer: &Answer, path: &str, field: &str) -> String {
    let steps: Vec<&str> = path.split('/').collect();
    for (error, code) in answer.errors.iter().zip(answer.codes()) {
        let at = path_of(error);
        let own = at.len() > steps.len() && at[steps.len()] == field;
        if at.len() <= steps.len() || own {
            return code.to_owned();
        }
    }
    let pointer = format!("/{path}");
    assert!(
        answer.data.pointer(&pointer).is_some_and(Value::is_object),
        "nothing at {path} to look at: {}",
        answer.text
    );
    "ok".to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_has_its_row() {
    let clinic = Clinic::start().await;
    let schema = Schema::ask(&clinic.anonymous()).await;
    let names =
        |ty: &str| -> BTreeSet<String> { schema.get(ty).fields.iter().map(|field| field.name.clone()).collect() };
    let rows: BTreeSet<String> = QUERIES.iter().map(|row| row.0.to_owned()).collect();
    assert_eq!(names("Query"), rows, "left: the schema; right: QUERIES");
    let rows = MUTATIONS.iter().map(|row| row.0).chain(IDENTITY.iter().copied());
    let rows: BTreeSet<String> = rows.map(str::to_owned).collect();
    assert_eq!(names("Mutation"), rows, "left: the schema; right: MUTATIONS");
    let mut rows: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (ty, _, _, fields) in FIELDS {
        rows.entry(ty).or_default().extend(fields.split_whitespace().map(str::to_owned));
    }
    let is_root = |name: &str| name == "Query" || name == "Mutation";
    for ty in schema.types.iter().filter(|ty| ty.kind == "OBJECT" && !is_root(&ty.name)) {
        let users = |ty: &str| {
            schema
                .types
                .iter()
                .flat_map(|owner| owner.fields.iter().map(move |field| (owner, field)))
                .filter(|(_, field)| field.named_type() == ty)
                .map(|(owner, _)| owner.name.clone())
                .collect::<Vec<_>>()
        };
        if ty.name.ends_with("Payload") {
            let mut users = users(&ty.name);
            users.dedup();
            assert_eq!(users, ["Mutation"], "{} is reached otherwise than by its mutations", ty.name);
            continue;
        }
        // What payloads alone hold is as theirs.
        if users(&ty.name).iter().all(|user| user.ends_with("Payload")) {
            continue;
        }
        assert_eq!(Some(&names(&ty.name)), rows.get(ty.name.as_str()), "{}: left, the schema; right, FIELDS", ty.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_reads_what_the_tables_say() {
    let clinic = Clinic::start().await;
    let schema = Schema::ask(&clinic.anonymous()).await;
    let chart = chart(&clinic, &clinic.north).await;
    let mut wrong = Vec::new();
    for role in Role::ALL {
        let who = clinic.of(&clinic.north, role);
        for (name, arguments, rights) in QUERIES {
            let answer = who.graphql(&query(&format!("{name}{arguments} {{ __typename }}")), chart.ids.clone()).await;
            if answer.outcome() != rights[role as usize] {
                wrong.push(format!("{role:?} {name}: {} instead of {}", answer.text, rights[role as usize]));
            }
        }
        for (ty, path, rights, names) in FIELDS {
            let answer = who.graphql(&reach(path, &selection(&schema, ty, names)), chart.ids.clone()).await;
            for name in names.split_whitespace() {
                let found = outcome(&answer, path, name);
                if found != rights[role as usize] {
                    wrong.push(format!("{role:?} {ty}.{name}: {found} instead of {}", rights[role as usize]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The draft of a protocol.
async fn draft_of(by: &SignedIn, protocol: &Made) -> Made {
    let query = "query ($id: ID!) { protocol(id: $id) { draftVersion { id version } } }";
    Made::of(&by.graphql(query, json!({"id": protocol.id})).await.ok()["protocol"]["draftVersion"])
}

/// What a mutation is sent, for a record of the chart's organisation that is in the right state for it.
pub async fn input_of(chart: &Chart, mutation: &str) -> Value {
    let Chart { admin, anna, ids } = chart;
    let fresh = uuid::Uuid::now_v7().to_string();
    let patient = Made { id: ids["patient"].as_str().expect("id").to_owned(), version: 1 };
    let session = Made { id: ids["session"].as_str().expect("id").to_owned(), version: 2 };
    let location = || admin.make("addLocation", "location", json!({"name": fresh, "timeZone": "Europe/Madrid"}));
    let new_staff = json!({"email": format!("{fresh}@staff.example"), "displayName": "New", "role": "AUDITOR", "password": PASSWORD});
    let staff = || admin.make("addStaff", "staff", new_staff.clone());
    let new_patient = json!({"legalName": {"given": "New", "family": fresh}, "birthDate": "1980-01-01"});
    let links = json!({"patientId": patient.id, "locationId": anna.location, "practitionerId": anna.id(), "supervisorId": ids["supervisor"]});
    let device = || anna.make("addDevice", "device", json!({"model": fresh, "kind": "RF"}));
    let product = || anna.make("addProduct", "product", json!({"name": fresh, "role": "SERUM"}));
    let lot = || anna.make("addProductLot", "productLot", json!({"productId": ids["product"], "lot": fresh}));
    let event = || anna.adverse_event(&session);
    let recall = || anna.recall(&patient);
    let with = |more: Value| {
        Made { id: String::new(), version: 1 }.edit_with(links.clone()).as_object().map(|links| {
            let mut links = links.clone();
            links.retain(|key, _| key != "id" && key != "expectedVersion");
            links.extend(more.as_object().expect("an object").clone());
            Value::Object(links)
        })
    };
    let protocol = || anna.make("createProtocol", "protocol", json!({"name": fresh, "copyFrom": ids["ruleset"]}));
    let plan = || {
        let rules = Ruleset { id: String::new(), version: ids["ruleset"].as_str().expect("id").to_owned() };
        let consultation = Made { id: ids["consultation"].as_str().expect("id").to_owned(), version: 1 };
        async move { anna.plan(&consultation, &rules).await }
    };
    match mutation {
        "signIn" => json!({"email": anna.member.email, "password": PASSWORD}),
        "updateOrganisation" => {
            let version = admin.ask("{ organisation { version } }").await["organisation"]["version"].clone();
            json!({"expectedVersion": version, "name": anna.member.email})
        }
        "addLocation" => json!({"name": fresh, "timeZone": "Europe/Madrid"}),
        "updateLocation" => location().await.edit_with(json!({"phone": "+34911234567"})),
        "addStaff" => new_staff,
        "updateStaff" => staff().await.edit_with(json!({"displayName": "Renamed"})),
        "createInvitationLink" => {
            let invited = json!({"email": format!("{fresh}@staff.example"), "displayName": "New", "role": "AUDITOR"});
            json!({"staffId": admin.make("addStaff", "staff", invited).await.id})
        }
        "createPasswordResetLink" | "revokeStaffSignIns" => json!({"staffId": staff().await.id}),
        "registerPatient" => new_patient,
        "updatePatient" => {
            anna.make("registerPatient", "patient", new_patient).await.edit_with(json!({"patch": {"gender": "woman"}}))
        }
        "archivePatient" => {
            anna.make("registerPatient", "patient", new_patient).await.edit_with(json!({"reason": "Moved"}))
        }
        "restorePatient" => {
            let made = anna.make("registerPatient", "patient", new_patient).await;
            anna.make("archivePatient", "patient", made.edit_with(json!({"reason": "Moved"}))).await.edit()
        }
        "addHealthEntry" => json!({"patientId": patient.id, "kind": "CONDITION", "text": "Rosacea"}),
        "updateHealthEntry" => anna.health_entry(&patient).await.edit_with(json!({"patch": {"text": "Latex"}})),
        "recordConsultation" => {
            let mut input = with(json!({"mode": "TELEHEALTH"})).expect("links");
            input.as_object_mut().expect("an object").remove("supervisorId");
            input
        }
        "updateConsultation" => {
            let patch = json!({"practitionerId": anna.id(), "locationId": anna.location, "goals": "Calm skin"});
            anna.consultation(&patient).await.edit_with(json!({"patch": patch}))
        }
        "signConsultation" => anna.consultation(&patient).await.edit(),
        "requestPhotoUpload" => json!({
            "patientId": patient.id, "aftercareNoteId": ids["note"], "phase": "BEFORE", "view": "FRONTAL", "area": "CHIN", "side": "MIDLINE",
        }),
        "updatePhoto" => {
            let patch = json!({"sessionId": session.id, "aftercareNoteId": ids["note"], "note": "Dry"});
            anna.photo_with(&patient, json!({})).await.edit_with(json!({"patch": patch}))
        }
        "markPhotoEnteredInError" => {
            anna.photo_with(&patient, json!({})).await.edit_with(json!({"reason": "Another patient"}))
        }
        "logSession" => with(json!({
            "startedAt": hours_ago(1), "modality": "LED_LIGHT_THERAPY", "device": {"deviceId": ids["device"]},
            "products": [{"role": "SERUM", "lotId": ids["lot"]}],
        }))
        .expect("links"),
        "startSession" => with(json!({"modality": "LED_LIGHT_THERAPY"})).expect("links"),
        "createConsentTemplate" => json!({"name": fresh, "kind": "DATA", "text": "I agree.", "language": "en"}),
        "mergePatients" | "unmergePatients" => {
            let from = anna.make("registerPatient", "patient", new_patient.clone()).await;
            let into = anna.make("registerPatient", "patient", new_patient).await;
            let input = merging(&from, &into, json!({}));
            if mutation == "mergePatients" {
                return input;
            }
            json!({"mergeId": anna.make("mergePatients", "merge", input).await.id, "reason": "Twins"})
        }
        "placeLegalHold" => json!({"patientId": patient.id, "reason": "Case 12"}),
        "liftLegalHold" => {
            let hold = json!({"patientId": patient.id, "reason": "Case 12"});
            admin.make("placeLegalHold", "legalHold", hold).await.edit_with(json!({"reason": "Closed"}))
        }
        "createServiceAccount" => json!({"name": fresh, "scopes": ["AUDIT_READ"]}),
        "updateServiceAccount" => {
            admin.service_account(&fresh, &["AUDIT_READ"]).await.edit_with(json!({"active": false}))
        }
        "createApiKey" => json!({"serviceAccountId": ids["service"]}),
        "rotateApiKey" | "revokeApiKey" => {
            let service = Made { id: ids["service"].as_str().expect("id").to_owned(), version: 1 };
            json!({"id": admin.api_key(&service, json!({})).await.0.id})
        }
        "restrictPatient" | "beginEmergencyAccess" => {
            let fresh = anna.make("registerPatient", "patient", new_patient).await;
            json!({"patientId": fresh.id, "reason": "Unconscious at the door"})
        }
        "liftPatientRestriction" => {
            let fresh = anna.make("registerPatient", "patient", new_patient).await;
            let restriction = json!({"patientId": fresh.id, "reason": "Works here"});
            let made = admin.make("restrictPatient", "restriction", restriction).await;
            made.edit_with(json!({"reason": "Left"}))
        }
        "endEmergencyAccess" | "reviewEmergencyAccess" => {
            let fresh = anna.make("registerPatient", "patient", new_patient).await;
            let begun = json!({"patientId": fresh.id, "reason": "Unconscious at the door"});
            let begun = anna.make("beginEmergencyAccess", "emergencyAccess", begun).await;
            match mutation {
                "endEmergencyAccess" => json!({"id": begun.id}),
                _ => begun.edit_with(json!({"note": "As it should be"})),
            }
        }
        "exportPatient" => json!({"patientId": patient.id}),
        "erasePatient" => erasing(admin, &anna.make("registerPatient", "patient", new_patient).await).await,
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
        "recordConsent" => anna.consent_text("DATA", json!({})).await.record(&patient, json!({"witnessId": anna.id()})),
        "giveConsent" | "rejectConsent" | "withdrawConsent" | "markConsentEnteredInError" => {
            let text = anna.consent_text("DATA", json!({})).await;
            match mutation {
                "giveConsent" => {
                    let signing = text.signing(json!({"witnessId": anna.id()}));
                    anna.proposed_consent(&patient, &text).await.edit_with(json!({"signing": signing}))
                }
                "rejectConsent" => {
                    anna.proposed_consent(&patient, &text).await.edit_with(json!({"reason": "Changed their mind"}))
                }
                _ => anna.consent(&patient, &text, json!({})).await.edit_with(json!({"reason": "Changed their mind"})),
            }
        }
        "recordOutcome" => json!({
            "patientId": patient.id, "sessionId": session.id, "scale": "gais", "scaleVersion": "1-to-5", "score": 2,
            "raterRole": "BLINDED", "raterId": anna.id(),
        }),
        "updateOutcome" => anna.outcome(&patient, "3", 1, json!({})).await.edit_with(json!({"patch": {"score": "2"}})),
        "markOutcomeEnteredInError" => anna.outcome(&patient, "3", 1, json!({})).await.edit(),
        "updateSession" => {
            let patch = json!({"practitionerId": anna.id(), "locationId": anna.location, "supervisorId": ids["supervisor"], "note": "Calm",
                "device": {"deviceId": ids["device"]}, "products": [{"role": "SERUM", "lotId": ids["lot"]}]});
            anna.started_session(&patient).await.edit_with(json!({"patch": patch}))
        }
        "completeSession" => anna.started_session(&patient).await.edit(),
        "stopSession" => anna.started_session(&patient).await.edit_with(json!({"reason": "Unwell"})),
        "signSession" => anna.session(&patient).await.edit(),
        "addAftercareNote" => json!({"sessionId": session.id, "kind": "CHECK_IN", "redness": 2}),
        "updateAftercareNote" => anna.note(&session).await.edit_with(json!({"patch": {"text": "Sunscreen."}})),
        "signAftercareNote" => anna.note(&session).await.edit(),
        "addAddendum" => json!({"recordId": session.id, "reason": "Forgotten", "text": "Lot C-2."}),
        "addDevice" => json!({"model": fresh, "serial": "1", "kind": "RF", "locationId": anna.location}),
        "updateDevice" => device().await.edit_with(json!({"patch": {"note": "New head", "locationId": anna.location}})),
        "noteDeviceRecall" => device().await.edit_with(json!({"reason": "Overheats"})),
        "addProduct" => json!({"name": fresh, "role": "PRP"}),
        "updateProduct" => product().await.edit_with(json!({"patch": {"active": false}})),
        "addProductLot" => json!({"productId": ids["product"], "lot": fresh}),
        "updateProductLot" => lot().await.edit_with(json!({"patch": {"note": "Cold"}})),
        "noteLotRecall" => lot().await.edit_with(json!({"reason": "Particles"})),
        "createProtocol" => json!({"name": fresh, "copyFrom": ids["ruleset"]}),
        "updateProtocol" => protocol().await.edit_with(json!({"active": false})),
        "draftProtocolVersion" => {
            let made = protocol().await;
            let draft = draft_of(anna, &made).await;
            anna.make("publishProtocolVersion", "protocolVersion", draft.edit()).await;
            json!({"protocolId": made.id, "changeNote": "Longer"})
        }
        "updateProtocolVersion" => draft_of(anna, &protocol().await).await.edit_with(json!({"changeNote": "Longer"})),
        "publishProtocolVersion" => draft_of(anna, &protocol().await).await.edit(),
        "createTreatmentPlan" => json!({"consultationId": ids["consultation"], "protocolVersionId": ids["ruleset"],
            "plannedSessions": 3, "areas": [{"area": "NOSE"}]}),
        "updateTreatmentPlan" => plan().await.edit_with(json!({"patch": {"note": "In the mornings"}})),
        "changeTreatmentCourse" => plan().await.edit_with(json!({"plannedSessions": 6, "reason": "More wanted"})),
        "changeTreatmentPlanStatus" => plan().await.edit_with(json!({"status": "ON_HOLD", "reason": "Travels"})),
        "overrideSessionCheck" => {
            let soon = anna.session_with(&patient, json!({"planId": ids["plan"]})).await;
            json!({"sessionId": soon.id, "expectedVersion": soon.version, "rule": "INTERVAL", "reason": "Wanted"})
        }
        "signOffSessionCheck" => {
            let me = Made::of(&anna.ask("{ me { id version } }").await["me"]);
            admin.make("updateStaff", "staff", me.edit_with(json!({"licenceNumber": "GMC 1"}))).await;
            let email = format!("{fresh}@staff.example");
            let colleague = json!({"email": email, "displayName": "Bo", "role": "PRACTITIONER", "password": PASSWORD});
            let colleague = admin.make("addStaff", "staff", colleague).await;
            let stranger = anna.make("registerPatient", "patient", new_patient).await;
            let treated = json!({"protocolVersionId": ids["ruleset"], "practitionerId": colleague.id});
            let blocked = anna.session_with(&stranger, treated).await;
            json!({"sessionId": blocked.id, "expectedVersion": blocked.version, "rule": "CONSENT", "reason": "On paper"})
        }
        "reportAdverseEvent" => json!({
            "patientId": patient.id, "sessionId": anna.session(&patient).await.id, "lotId": ids["lot"], "kind": "BURN",
            "onsetAt": hours_ago(1), "severity": "SEVERE",
        }),
        "updateAdverseEvent" => event().await.edit_with(json!({"patch": {"area": "CHEEK", "lotId": ids["lot"]}})),
        "addAdverseEventFollowUp" => event().await.edit_with(json!({"outcome": "RESOLVED", "text": "Gone"})),
        "reportAdverseEventToAuthority" => event().await.edit_with(json!({"reportedTo": "The agency"})),
        "markAdverseEventEnteredInError" => event().await.edit(),
        "createRecall" => {
            json!({"patientId": patient.id, "reason": "MAINTENANCE", "dueUntil": day(30), "basis": "Wants it"})
        }
        "createSafetyRecall" => {
            let lot = lot().await;
            anna.session_with_lot(&patient, &lot).await;
            json!({"lotId": lot.id, "reason": "Particles", "dueUntil": day(3)})
        }
        "logRecallAttempt" => recall().await.edit_with(json!({"channel": "SMS", "outcome": "LEFT_MESSAGE"})),
        "snoozeRecall" => recall().await.edit_with(json!({"until": day(2)})),
        "completeRecall" => recall().await.edit_with(json!({"sessionId": session.id})),
        "dismissRecall" => recall().await.edit_with(json!({"reason": "Moved away"})),
        other => panic!("say in input_of what {other} is sent"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_does_what_the_table_says() {
    let clinic = Clinic::start().await;
    let chart = chart(&clinic, &clinic.north).await;
    let mut wrong = Vec::new();
    for (mutation, rights) in MUTATIONS {
        for role in Role::ALL {
            let who = clinic.of(&clinic.north, role).because("The tables");
            let answer = match *mutation {
                "signOut" => {
                    clinic
                        .sign_in_again(&clinic.north, role)
                        .await
                        .graphql("mutation { signOut { signedOut } }", json!({}))
                        .await
                }
                _ => who.does(mutation, input_of(&chart, mutation).await, "__typename").await,
            };
            if answer.outcome() != rights[role as usize] {
                wrong.push(format!("{role:?} {mutation}: {} instead of {}", answer.text, rights[role as usize]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_out_everything_but_sign_in_is_refused() {
    let clinic = Clinic::start().await;
    let chart = chart(&clinic, &clinic.north).await;
    let nobody = clinic.anonymous();
    let made_up = nobody.with_token(&format!("clinic_{}", "A".repeat(43)));
    let malformed = nobody.with_token("clinic_short");
    for who in [&*nobody, &made_up, &malformed] {
        for (name, arguments, _) in QUERIES {
            let answer = who.graphql(&query(&format!("{name}{arguments} {{ __typename }}")), chart.ids.clone()).await;
            // By the GraphQL-over-HTTP draft an answer with data, be it `{"location": null}`, is a 200.
            let status = if answer.data.is_null() { 401 } else { 200 };
            let found = (answer.outcome(), answer.status.as_u16());
            assert_eq!(found, ("UNAUTHENTICATED".to_owned(), status), "{name} {}", answer.text);
            assert!(answer.data.get(name).is_none_or(Value::is_null), "{name} {}", answer.text);
        }
    }
    for (mutation, _) in MUTATIONS.iter().filter(|(name, _)| !PUBLIC.contains(name)) {
        let answer = nobody.does(mutation, input_of(&chart, mutation).await, "__typename").await;
        assert_eq!(
            (answer.outcome().as_str(), answer.status.as_u16()),
            ("UNAUTHENTICATED", 401),
            "{mutation} {}",
            answer.text
        );
    }
    let answer = nobody.graphql("mutation { signOut { signedOut } }", json!({})).await;
    assert_eq!(answer.outcome(), "UNAUTHENTICATED", "signOut");
}

/// Where the typed ids of an input are, as JSON pointers.
pub fn ids_in(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| ids_in(value, &format!("{at}/{name}"), found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, value)| ids_in(value, &format!("{at}/{i}"), found))
        }
        Value::String(text) if text.rsplit_once('_').is_some_and(|(_, digits)| digits.len() == 26) => {
            found.push(at.to_owned())
        }
        _ => {}
    }
}

/// An answer's errors, with the id in question taken out.
fn masked(answer: &Answer, id: &str) -> String {
    Value::from(answer.errors.clone()).to_string().replace(id, "…")
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organisations_ids_are_as_unknown_as_made_up_ones() {
    let clinic = Clinic::start().await;
    let (theirs, ours) = (chart(&clinic, &clinic.north).await, chart(&clinic, &clinic.south).await);
    let prefix = |id: &str| id.rsplit_once('_').expect("a typed id").0.to_owned();
    // Single look-ups, for every role that may use them.
    for role in Role::ALL {
        let who = clinic.of(&clinic.south, role);
        for (name, arguments, rights) in QUERIES.iter().filter(|(_, arguments, _)| arguments.contains("(id: ")) {
            let kind = arguments.trim_matches(['(', ')']).trim_start_matches("id: $");
            let ask = async |id: &str| {
                who.graphql(&query(&format!("{name}(id: $id) {{ __typename }}")), json!({"id": id})).await
            };
            let id = theirs.ids[kind].as_str().expect("id");
            let (answer, unknown) = (ask(id).await, new_id(&prefix(id)));
            let expected = if rights[role as usize] == "ok" { "NOT_FOUND" } else { NO };
            assert_eq!(
                (answer.outcome().as_str(), &answer.data[name]),
                (expected, &Value::Null),
                "{role:?} {name} {}",
                answer.text
            );
            assert_eq!(masked(&answer, id), masked(&ask(&unknown).await, &unknown), "{role:?} {name}");
        }
    }
    for (kind, id) in theirs.ids.as_object().expect("ids") {
        // Who may read the kind at all.
        let south = if kind == "service" { &ours.admin } else { &ours.anna };
        let id = id.as_str().expect("id");
        for text in ["node(id: $id) { id }", "nodes(ids: [$id]) { id }"] {
            let answer = south.graphql(&query(text), json!({"id": id})).await;
            let unknown = new_id(&prefix(id));
            let made_up = south.graphql(&query(text), json!({"id": unknown})).await;
            assert_eq!(
                (answer.code(), masked(&answer, id)),
                ("NOT_FOUND", masked(&made_up, &unknown)),
                "{text} {kind}"
            );
        }
    }
    let south = &ours.anna;
    for filter in [
        "sessions(filter: {patientId: $id})",
        "consultations(filter: {patientId: $id})",
        "aftercareNotes(filter: {patientId: $id})",
        "photos(filter: {patientId: $id})",
        "treatmentPlans(filter: {patientId: $id})",
        "consents(filter: {patientId: $id})",
        "outcomeAssessments(filter: {patientId: $id})",
    ] {
        let answer = south
            .graphql(&query(&format!("{filter} {{ totalCount }}")), json!({"id": theirs.ids["patient"]}))
            .await
            .ok();
        assert!(answer.to_string().contains(":0}"), "{filter} {answer}");
    }
    // Every id of every mutation's input, one at a time.
    let mut tried = 0;
    for (mutation, rights) in MUTATIONS.iter().filter(|(name, _)| !PUBLIC.contains(name)) {
        let who = if rights[Role::Practitioner as usize] == "ok" { &ours.anna } else { &ours.admin };
        let (own, foreign) = (input_of(&ours, mutation).await, input_of(&theirs, mutation).await);
        let mut places = Vec::new();
        ids_in(&own, "", &mut places);
        for place in places {
            let send = async |id: &str| {
                let mut input = own.clone();
                *input.pointer_mut(&place).expect("a place") = json!(id);
                who.does(mutation, input, "__typename").await
            };
            let id = foreign.pointer(&place).and_then(Value::as_str).expect("an id").to_owned();
            let unknown = new_id(&prefix(&id));
            let (answer, made_up) = (send(&id).await, send(&unknown).await);
            let main = ["/id", "/patientId", "/sessionId", "/recordId", "/protocolId", "/consultationId", "/staffId"]
                .contains(&place.as_str());
            let expected = if main { "NOT_FOUND" } else { "BAD_USER_INPUT" };
            assert_eq!(answer.outcome(), expected, "{mutation} {place} {}", answer.text);
            assert_eq!(masked(&answer, &id), masked(&made_up, &unknown), "{mutation} {place}");
            tried += 1;
        }
    }
    assert!(tried >= 25, "only {tried} ids were tried");
    // Nothing came of any of it.
    let sql = clinic.database.superuser().await;
    let north = clinic.north.uuid;
    assert_eq!(sql.one(&format!("SELECT count(*) FROM ledger JOIN staff ON staff.id = actor_id WHERE ledger.org_id = '{north}' AND staff.org_id <> '{north}'")).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_field_is_null_and_its_siblings_stay() {
    let clinic = Clinic::start().await;
    let chart = chart(&clinic, &clinic.north).await;
    let text = query(
        "patient(id: $patient) { displayName sessions { totalCount } healthHistory { id } status } sessions { totalCount } me { role }",
    );
    let answer = clinic.front_desk().graphql(&text, chart.ids).await;
    let patient = json!({"displayName": "Zoë Ramírez", "sessions": null, "healthHistory": null, "status": "ACTIVE"});
    assert_eq!(answer.data, json!({"patient": patient, "sessions": null, "me": {"role": "FRONT_DESK"}}));
    let mut paths: Vec<String> = answer.errors.iter().map(|error| path_of(error).join(".")).collect();
    paths.sort();
    assert_eq!(
        (answer.codes(), paths),
        (vec![NO; 3], ["patient.healthHistory", "patient.sessions", "sessions"].map(str::to_owned).to_vec())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_clinical_can_not_be_guessed_by_filters_or_reached_by_interfaces() {
    let clinic = Clinic::start().await;
    let chart = chart(&clinic, &clinic.north).await;
    let desk = clinic.front_desk();
    let since = format!("{{ patients(filter: {{hasSessionSince: \"{}\"}}) {{ totalCount }} }}", hours_ago(9));
    assert_eq!(desk.graphql(&since, json!({})).await.outcome(), NO);
    for kind in
        ["health", "consultation", "session", "note", "addendum", "event", "consent", "outcome", "photo", "plan"]
    {
        for text in [
            "node(id: $id) { ... on ClinicalRecord { signature { signedAt } history { totalCount } } }",
            "nodes(ids: [$id]) { id }",
        ] {
            let answer = desk.graphql(&query(text), json!({"id": chart.ids[kind]})).await;
            assert_eq!(answer.outcome(), NO, "{kind} {text} {}", answer.text);
        }
    }
    // One refused id leaves the others.
    let answer = desk.graphql(&query("nodes(ids: [$session, $patient, $note]) { __typename }"), chart.ids).await;
    assert_eq!((answer.data, answer.errors.len()), (json!({"nodes": [null, {"__typename": "Patient"}, null]}), 2));
}

// --- Sign-in ---------------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_the_token_and_no_other() {
    let clinic = Clinic::start().await;
    let (first, second) = (clinic.practitioner(), clinic.sign_in_again(&clinic.north, Role::Practitioner).await);
    assert_ne!(first.member.token, second.member.token);
    assert_eq!(second.ask("mutation { signOut { signedOut } }").await, json!({"signOut": {"signedOut": true}}));
    assert_eq!(second.graphql("{ me { id } }", json!({})).await.outcome(), "UNAUTHENTICATED");
    assert_eq!(second.graphql("mutation { signOut { signedOut } }", json!({})).await.outcome(), "UNAUTHENTICATED");
    first.ask("{ me { id } }").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_or_disabled_staff_member_holds_from_the_next_request_on() {
    let clinic = Clinic::start().await;
    let (admin, anna) = (clinic.admin(), clinic.practitioner());
    let patient = anna.patient("Zoë", "Ramírez").await;
    let mut member = Made { id: anna.id().to_owned(), version: 1 };
    let change = async |member: &Made, what: Value| admin.make("updateStaff", "staff", member.edit_with(what)).await;

    member = change(&member, json!({"role": "FRONT_DESK"})).await;
    assert_eq!(anna.graphql("{ sessions { totalCount } }", json!({})).await.outcome(), NO);
    assert_eq!(
        anna.does("addHealthEntry", json!({"patientId": patient.id, "kind": "ALLERGY", "text": "Latex"}), "__typename")
            .await
            .outcome(),
        NO
    );
    member = change(&member, json!({"role": "PRACTITIONER"})).await;
    anna.health_entry(&patient).await;

    member = change(&member, json!({"active": false})).await;
    assert_eq!(anna.graphql("{ me { id } }", json!({})).await.outcome(), "UNAUTHENTICATED");
    let input = json!({"legalName": {"given": "New", "family": "New"}, "birthDate": "1980-01-01"});
    assert_eq!(anna.does("registerPatient", input, "__typename").await.outcome(), "UNAUTHENTICATED");
    assert_eq!(anna.sign_in(&anna.member.email, PASSWORD).await.outcome(), "UNAUTHENTICATED");
    change(&member, json!({"active": true})).await;
    let revived = anna.graphql("{ me { id } }", json!({})).await.outcome();
    assert_eq!(revived, "UNAUTHENTICATED", "a place that is opened again revives no token");
    anna.sign_in(&anna.member.email, PASSWORD).await.ok();

    let link = admin.does("createPasswordResetLink", json!({"staffId": anna.id()}), "token").await.ok();
    let reset = json!({"token": link["createPasswordResetLink"]["token"], "newPassword": "another one for the tests"});
    clinic.anonymous().does("resetPassword", reset, "reset").await.ok();
    assert_eq!(
        anna.graphql("{ me { id } }", json!({})).await.outcome(),
        "UNAUTHENTICATED",
        "a new password ends the sign-ins"
    );
    assert_eq!(anna.sign_in(&anna.member.email, PASSWORD).await.outcome(), "UNAUTHENTICATED");
    anna.sign_in(&anna.member.email, "another one for the tests").await.ok();
}

/// Asks until the answer is as wanted: for what the service does beside a request.
async fn until(sql: &Sql, question: &str, wanted: &str) {
    let start = Instant::now();
    while sql.one(question).await != wanted {
        assert!(start.elapsed() < Duration::from_secs(10), "{question} is not {wanted}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_ends_when_it_is_idle_and_when_it_is_old() {
    // The clock of the rows is moved instead of waiting.
    let clinic = Clinic::with(&["--sign-in-idle", "90s", "--sign-in-lifetime", "1h"]).await;
    let sql = clinic.database.superuser().await;
    let anna = clinic.sign_in_again(&clinic.north, Role::Practitioner).await;
    let mine = "created_at = (SELECT max(created_at) FROM sign_in)";
    let lifetime =
        sql.one(&format!("SELECT extract(epoch FROM expires_at - created_at)::int FROM sign_in WHERE {mine}")).await;
    assert_eq!(lifetime, "3600");
    let idle_for = async |seconds: u32| {
        sql.run(&format!("UPDATE sign_in SET last_seen_at = now() - interval '{seconds} s' WHERE {mine}")).await;
    };
    idle_for(80).await;
    anna.ask("{ me { id } }").await;
    until(&sql, &format!("SELECT last_seen_at > now() - interval '20 s' FROM sign_in WHERE {mine}"), "t").await;
    idle_for(91).await;
    assert_eq!(anna.graphql("{ me { id } }", json!({})).await.outcome(), "UNAUTHENTICATED", "idle for 91 s of 90");

    let anna = clinic.sign_in_again(&clinic.north, Role::Practitioner).await;
    anna.ask("{ me { id } }").await;
    sql.run(&format!("UPDATE sign_in SET expires_at = now() WHERE {mine}")).await;
    assert_eq!(anna.graphql("{ me { id } }", json!({})).await.outcome(), "UNAUTHENTICATED", "over its lifetime");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_email_says_and_costs_what_a_wrong_password_does() {
    let clinic = Clinic::start().await;
    let door = clinic.anonymous();
    clinic
        .database
        .superuser()
        .await
        .run("UPDATE account SET disabled_at = now() WHERE email = 'auditor@north.example'")
        .await;
    let mut time: BTreeMap<&str, Duration> = BTreeMap::new();
    let mut answers = BTreeSet::new();
    // The first of a kind may be slower: it is not measured.
    for (i, who) in ["admin", "practitioner", "front.desk"].into_iter().enumerate() {
        for (kind, email) in [("known", format!("{who}@north.example")), ("unknown", format!("{who}@nowhere.example"))]
        {
            let start = Instant::now();
            let answer = door.sign_in(&email, "a wrong password").await;
            if i > 0 {
                *time.entry(kind).or_default() += start.elapsed();
            }
            assert_eq!((answer.outcome().as_str(), answer.status.as_u16()), ("UNAUTHENTICATED", 401));
            answers.insert(answer.text);
        }
    }
    answers.insert(door.sign_in("auditor@north.example", PASSWORD).await.text);
    assert_eq!(answers.len(), 1, "{answers:?}");
    // Without its password hash an unknown one takes a twentieth of the time.
    assert!(time["unknown"] * 3 > time["known"], "{time:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_an_account_slow_the_next_ones_down() {
    let clinic = Clinic::start().await;
    let (door, sql) = (clinic.anonymous(), clinic.database.superuser().await);
    // A name without an account is slowed as well: the delay tells nothing.
    for email in ["admin@north.example", "admin@nowhere.example"] {
        let mut delays = Vec::new();
        for _ in 0..8 {
            assert_eq!(
                door.sign_in(email, "a wrong password").await.outcome(),
                "UNAUTHENTICATED",
                "{email} after {delays:?}"
            );
            let delay = "SELECT extract(epoch FROM blocked_until - last_failed_at)::int FROM sign_in_failure WHERE kind = 'email_at_address'";
            delays.push(sql.one(delay).await);
            sql.run("UPDATE sign_in_failure SET blocked_until = now() - interval '1 s'").await;
        }
        // What was put back is before the failure, so no delay shows as less than none.
        let delays: Vec<i64> = delays.iter().map(|it| it.parse::<i64>().expect("a number").max(0)).collect();
        assert_eq!(delays, [0, 0, 0, 0, 1, 2, 4, 8], "{email}");
        sql.run("UPDATE sign_in_failure SET blocked_until = now() + interval '20 s' WHERE kind = 'email_at_address'")
            .await;
        let answer = door.sign_in(email, PASSWORD).await;
        assert_eq!(
            (answer.outcome().as_str(), answer.status.as_u16()),
            ("RATE_LIMITED", 429),
            "the right password waits too"
        );
        let wait = answer.errors[0]["extensions"]["retryAfter"].as_u64().expect("seconds");
        assert!((15..=20).contains(&wait), "{wait}");
        assert_eq!(answer.headers["retry-after"], wait.to_string());
        door.sign_in("practitioner@north.example", PASSWORD).await.ok();
        sql.run("DELETE FROM sign_in_failure WHERE kind = 'address'").await;
        sql.run("UPDATE sign_in_failure SET blocked_until = now() - interval '1 s'").await;
        if email.ends_with("@north.example") {
            door.sign_in(email, PASSWORD).await.ok();
            assert_eq!(
                sql.one("SELECT count(*) FROM sign_in_failure WHERE kind LIKE 'email%'").await,
                "0",
                "a success forgets"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_an_address_block_it_for_every_account() {
    let clinic = Clinic::start().await;
    let (door, sql) = (clinic.anonymous(), clinic.database.superuser().await);
    door.sign_in("one@nowhere.example", "a wrong password").await;
    assert_eq!(sql.run("UPDATE sign_in_failure SET failures = failures + 28 WHERE kind = 'address'").await, 1);
    assert_eq!(door.sign_in("admin@north.example", PASSWORD).await.outcome(), "ok", "29 are free");
    assert_eq!(door.sign_in("two@nowhere.example", "a wrong password").await.outcome(), "UNAUTHENTICATED");
    assert_eq!(sql.one("SELECT blocked_until > last_failed_at FROM sign_in_failure WHERE kind = 'address'").await, "t");
    sql.run("UPDATE sign_in_failure SET blocked_until = now() + interval '600 s' WHERE kind = 'address'").await;
    // Whose account is known there is let through, with the right password: to any other the answer tells nothing.
    sql.run("UPDATE sign_in SET from_address = '198.51.100.9', network = NULL WHERE staff_id IN (SELECT id FROM staff WHERE role = 'auditor')")
        .await;
    for (email, password, outcome) in [
        ("admin@north.example", PASSWORD, "ok"),
        ("admin@north.example", "a wrong password", "RATE_LIMITED"),
        ("auditor@north.example", PASSWORD, "RATE_LIMITED"),
        ("auditor@north.example", "a wrong password", "RATE_LIMITED"),
        ("three@nowhere.example", PASSWORD, "RATE_LIMITED"),
    ] {
        assert_eq!(door.sign_in(email, password).await.outcome(), outcome, "{email} {password}");
    }
    // Their own count at that address holds.
    for _ in 0..4 {
        door.sign_in("admin@north.example", "a wrong password").await;
    }
    sql.run("UPDATE sign_in_failure SET blocked_until = now() + interval '600 s' WHERE kind = 'email_at_address'")
        .await;
    assert_eq!(door.sign_in("admin@north.example", PASSWORD).await.outcome(), "RATE_LIMITED");
    sql.run("DELETE FROM sign_in_failure WHERE kind = 'email_at_address'").await;
    assert_eq!(door.sign_in("admin@north.example", PASSWORD).await.outcome(), "ok");
    // A month later nobody is known there, and no password is looked at.
    sql.run("UPDATE sign_in SET created_at = now() - interval '31 days'").await;
    assert_eq!(door.sign_in("admin@north.example", PASSWORD).await.outcome(), "RATE_LIMITED");
    assert_eq!(sql.one("SELECT count(*) FROM sign_in_failure WHERE kind = 'email_at_address'").await, "0");
    clinic.admin().ask("{ me { id } }").await;
}

/// Signs in from an address: what came of it.
async fn sign_in_from(door: &Caller, address: &str, email: &str, password: &str) -> String {
    let text = "mutation ($input: SignInInput!) { signIn(input: $input) { token } }";
    let request = door.prepare(text, json!({"input": {"email": email, "password": password}}));
    Answer::to(request.header("X-Forwarded-For", address)).await.outcome()
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_with_wrong_passwords_keep_nobody_waiting() {
    const WRONG: &str = "a wrong password";
    let clinic = Clinic::with(&["--trust-proxy"]).await;
    let (door, sql, anna) = (clinic.anonymous(), clinic.database.superuser().await, clinic.practitioner());
    let email = anna.member.email.as_str();
    for n in 0..5 {
        let address = format!("2001:db8:1:2::{n}");
        assert_eq!(sign_in_from(&door, &address, email, WRONG).await, "UNAUTHENTICATED", "{n}");
    }
    sql.run("UPDATE sign_in_failure SET blocked_until = now() + interval '20 s' WHERE kind = 'email_at_address'").await;
    // One network waits, the right password too; every other place does not, nor another account there.
    assert_eq!(sign_in_from(&door, "2001:db8:1:2:ffff::1", email, PASSWORD).await, "RATE_LIMITED");
    assert_eq!(sign_in_from(&door, "2001:db8:1:2:ffff::1", "admin@north.example", PASSWORD).await, "ok");
    assert_eq!(sign_in_from(&door, "2001:db8:1:3::1", email, PASSWORD).await, "ok");
    anna.does("confirmIdentity", json!({"password": WRONG}), "token").await;
    // Over all addresses a hundred are free; then those wait where the account was not signed in to lately.
    assert_eq!(sign_in_from(&door, "192.0.2.1", email, PASSWORD).await, "ok");
    assert_eq!(sql.one("SELECT count(*) FROM sign_in_failure WHERE kind = 'email'").await, "0", "a success forgets");
    assert_eq!(sign_in_from(&door, "203.0.113.1", email, WRONG).await, "UNAUTHENTICATED");
    let set = async |failures: u32| {
        sql.run(&format!("UPDATE sign_in_failure SET failures = {failures}, blocked_until = now() - interval '1 s' WHERE kind = 'email'"))
            .await;
    };
    let blocked = "SELECT bool_or(blocked_until > now()) FROM sign_in_failure WHERE kind = 'email'";
    set(98).await;
    assert_eq!(sign_in_from(&door, "203.0.113.2", email, WRONG).await, "UNAUTHENTICATED");
    assert_eq!(sql.one(blocked).await, "f", "99 are free");
    set(107).await;
    assert_eq!(sign_in_from(&door, "203.0.113.3", email, WRONG).await, "UNAUTHENTICATED");
    assert_eq!(sql.one(blocked).await, "t");
    assert_eq!(sign_in_from(&door, "203.0.113.4", email, PASSWORD).await, "RATE_LIMITED", "a place nobody knows");
    for known in ["192.0.2.1", "2001:db8:1:3:9::9"] {
        sql.run(
            "UPDATE sign_in_failure SET failures = 108, blocked_until = now() + interval '200 s' WHERE kind = 'email'",
        )
        .await;
        assert_eq!(
            sign_in_from(&door, known, email, WRONG).await,
            "RATE_LIMITED",
            "a wrong one is not told {known} is known"
        );
        assert_eq!(sign_in_from(&door, known, email, PASSWORD).await, "ok", "{known}");
        assert_eq!(sign_in_from(&door, "203.0.113.1", email, WRONG).await, "UNAUTHENTICATED", "no longer consecutive");
    }
    sql.run("UPDATE sign_in_failure SET failures = 108, blocked_until = now() + interval '200 s' WHERE kind = 'email'")
        .await;
    sql.run("UPDATE sign_in SET created_at = now() - interval '31 days'").await;
    assert_eq!(sign_in_from(&door, "192.0.2.1", email, PASSWORD).await, "RATE_LIMITED", "that is long ago");
    // Who is signed in is told apart from all that.
    let answer = anna.does("confirmIdentity", json!({"password": PASSWORD}), "token").await;
    assert_eq!(answer.outcome(), "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_at_once_do_not_outrun_the_counts() {
    const WRONG: &str = "a wrong password";
    let clinic = Clinic::with(&["--trust-proxy"]).await;
    let (door, sql) = (clinic.anonymous(), clinic.database.superuser().await);
    let email = "front_desk@nowhere.example";
    // From one address, the next failure of which waits for minutes; then from many of which none has failed.
    for (kind, failures, many) in [("email_at_address", 12, false), ("email", 107, true)] {
        sql.run("DELETE FROM sign_in_failure").await;
        sign_in_from(&door, "203.0.113.1", email, WRONG).await;
        let set = format!("UPDATE sign_in_failure SET failures = {failures} WHERE kind = '{kind}'");
        assert_eq!(sql.run(&set).await, 1);
        let tries = (0..12).map(|n| {
            let address = if many { format!("198.51.100.{n}") } else { "203.0.113.1".to_owned() };
            let door = &door;
            async move { sign_in_from(door, &address, email, WRONG).await }
        });
        let outcomes = futures::future::join_all(tries).await;
        let judged = outcomes.iter().filter(|outcome| *outcome == "UNAUTHENTICATED").count();
        let waiting = outcomes.iter().filter(|outcome| *outcome == "RATE_LIMITED").count();
        assert_eq!((judged, waiting), (1, 11), "{kind} {outcomes:?}");
        let count = format!("SELECT failures FROM sign_in_failure WHERE kind = '{kind}'");
        assert_eq!(sql.one(&count).await, (failures + 1).to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_kept_as_its_hash_only() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    anna.patient("Zoë", "Ramírez").await;
    anna.ask("{ patients { nodes { id } } }").await;
    let sql = clinic.database.superuser().await;
    let token = &anna.member.token;
    assert_eq!(sql.one(&format!("SELECT count(*) FROM sign_in WHERE token_hash = sha256('{token}')")).await, "1");
    for table in sql
        .column("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')")
        .await
    {
        assert_eq!(
            sql.one(&format!("SELECT count(*) FROM {table} AS t WHERE t::text LIKE '%{}%'", &token[8..])).await,
            "0",
            "{table}"
        );
    }
}
