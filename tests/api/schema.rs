//! To come.
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn smoke() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    let session = anna.signed_session(&patient).await;
    let consultation = anna.signed_consultation(&patient).await;
    let note = anna.signed_note(&session).await;
    for record in [&session, &consultation, &note] {
        anna.addendum(record).await;
    }
    anna.health_entry(&patient).await;
    anna.started_session(&patient).await;
}
