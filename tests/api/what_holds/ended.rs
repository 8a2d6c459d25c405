//! What ended.

use super::app;
use crate::support::*;

/// Changes of a row, in turn, and whether each is let through.
type Steps = &'static [(&'static str, bool)];

const AGAIN: &str = "status = 'active', ended_at = NULL, ended_reason = NULL";
const GIVEN: &str = "status = 'active', given_at = now(), signer = 'patient', signer_name = 'Zoë', \
    signature_method = 'typed_name', signature_hash = sha256('x')";
const WITHDRAWN: &str = "status = 'inactive', ended_at = now(), ended_reason = 'Asked to'";
const REJECTED: &str = "status = 'rejected', ended_at = now(), ended_reason = 'No'";
const IN_ERROR: &str = "status = 'entered_in_error', ended_at = now(), ended_reason = 'Of somebody else'";

/// A published version of a text or of a protocol.
const PUBLISHED: Steps = &[
    ("status = 'retired'", true),
    ("status = 'published'", false),
    ("status = 'published', published_at = now()", false),
    ("status = 'draft', published_at = NULL", false),
];

/// A consent that was given.
const AFTER_CONSENT: Steps = &[
    ("ended_at = now()", false),
    ("ended_reason = 'x'", false),
    (REJECTED, false),
    (WITHDRAWN, true),
    (AGAIN, false),
    (REJECTED, false),
    ("ended_at = NULL", false),
    ("ended_at = ended_at + interval '1 year'", false),
    ("ended_reason = 'x'", false),
    (IN_ERROR, true),
    (WITHDRAWN, false),
    (AGAIN, false),
    ("ended_reason = 'x'", false),
];

/// A consent that was proposed.
const AFTER_PROPOSAL: Steps = &[
    (WITHDRAWN, false),
    (REJECTED, true),
    (GIVEN, false),
    ("status = 'proposed'", false),
    ("ended_reason = 'x'", false),
    (IN_ERROR, true),
    (REJECTED, false),
];

/// A photo that is stored.
const OF_A_PHOTO: Steps = &[
    ("note = 'x'", true),
    ("status = 'entered_in_error', status_reason = 'x', note = 'y'", false),
    ("status = 'entered_in_error', status_reason = 'x'", true),
    ("status = 'stored', status_reason = NULL", false),
    ("status_reason = 'y'", false),
    ("note = 'y'", false),
];

/// Emergency access that has begun.
const OF_AN_EMERGENCY: Steps = &[
    ("alerted_at = now()", true),
    ("alerted_at = NULL", false),
    ("reviewed_at = now(), review_note = 'Rightly'", true),
    ("reviewed_at = NULL, review_note = NULL", false),
    ("reviewed_at = now()", false),
    ("reviewed_by = gen_random_uuid()", false),
    ("review_note = 'x'", false),
    ("ended_at = now()", true),
    ("ended_at = NULL", false),
    ("ended_at = now() + interval '1 hour'", false),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_does_not_begin_again() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    let text = anna.consent_text("DATA", json!({})).await;
    let (withdrawn, mistaken) =
        (anna.consent(&patient, &text, json!({})).await, anna.consent(&patient, &text, json!({})).await);
    let refused = anna.proposed_consent(&patient, &text).await;
    let draft = anna.consent_draft("DATA", json!({})).await;
    let photo = anna.photo_with(&patient, json!({})).await;
    let protocol = Made { id: anna.protocol().await.version, version: 1 };
    let begun = json!({"patientId": patient.id, "reason": "Case 12 of the court"});
    let emergency = clinic.front_desk().make("beginEmergencyAccess", "emergencyAccess", begun).await;
    let steps: [(&str, &Made, Steps); 8] = [
        ("consent_template_version", &text.version, PUBLISHED),
        ("protocol_version", &protocol, PUBLISHED),
        ("consent_template_version", &draft.version, &[("status = 'retired', published_at = now()", false)]),
        ("consent", &withdrawn, AFTER_CONSENT),
        ("consent", &mistaken, &[(IN_ERROR, true), (AGAIN, false), (WITHDRAWN, false)]),
        ("consent", &refused, AFTER_PROPOSAL),
        ("photo", &photo, OF_A_PHOTO),
        ("emergency_access", &emergency, OF_AN_EMERGENCY),
    ];
    let app = app(&clinic).await;
    for (table, made, changes) in steps {
        let id = uuid_of(&made.id);
        for (change, may) in changes {
            let done =
                app.try_run(&format!("UPDATE {table} SET {change}, version = version + 1 WHERE id = '{id}'")).await;
            match done {
                Ok(rows) => assert_eq!((rows, *may), (1, true), "{table} {change}"),
                Err(why) => assert!(!may && why.starts_with("42501 new row violates"), "{table} {change}: {why}"),
            }
        }
    }
}
