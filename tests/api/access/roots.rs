//! The root fields and what each role gets of them.

use super::{ADMIN, ALL, ARCHIVES, CLINICAL, ERASURES, NO, PRACTITIONER, REGISTERS, Rights};
use crate::support::PLAIN;
use std::sync::LazyLock;

/// A root field of Query, with its arguments and what each role gets. `$patient` and the like are ids.
pub type Query = (&'static str, &'static str, Rights);

/// Every root field of Query: those of the plain kinds by their rows, the others here.
pub static QUERIES: LazyLock<Vec<Query>> = LazyLock::new(|| {
    let plain = PLAIN.iter().flat_map(|kind| {
        let id: &'static str = format!("(id: ${})", kind.key).leak();
        [(kind.one, id, kind.readers), (kind.list, "(first: 2)", kind.readers)]
    });
    OTHER_QUERIES.iter().copied().chain(plain).collect()
});

#[rustfmt::skip]
const OTHER_QUERIES: &[Query] = &[
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
    ("device",         "(id: $device)",    ALL),
    ("devices",        "(first: 2)",       ALL),
    ("product",        "(id: $product)",   ALL),
    ("products",       "(first: 2)",       ALL),
    ("healthTerm",     "(id: $term)",      CLINICAL),
    ("healthTerms",    "(first: 2)",       CLINICAL),
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

/// Every root field of Mutation: those of the plain kinds by their rows, the others here. Signing in and out is for
/// everybody.
pub static MUTATIONS: LazyLock<Vec<(&'static str, Rights)>> = LazyLock::new(|| {
    let plain = PLAIN.iter().flat_map(|kind| kind.mutations().map(move |(name, _)| (name, kind.writers)));
    OTHER_MUTATIONS.iter().copied().chain(plain).collect()
});

#[rustfmt::skip]
const OTHER_MUTATIONS: &[(&str, Rights)] = &[
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

/// What one does with one's own account, whatever the role: `sign_in::own` holds them to that.
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
