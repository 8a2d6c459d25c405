//! What the service tells of the past does not depend on how the ledger keeps contents.

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_the_same_however_contents_are_kept() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let patient = anna.patient("Zoë", "Ramírez").await;
    let input = json!({"patientId": patient.id, "kind": "ALLERGY", "text": "Lidocaine\n\"twice\" \\ ë"});
    let selection = "healthEntry { id version text }";
    let first = anna.does_with_key("one", "addHealthEntry", input.clone(), selection).await.ok();
    let session = anna.signed_session(&patient).await;
    let moment = json!(hours_ago(-1));
    let told = async || {
        let chart = "query ($id: ID!, $at: DateTime!) { chart(patientId: $id, asOf: $at) { records { kind version content } } }";
        let chart = anna.graphql(chart, json!({"id": patient.id, "at": moment})).await;
        let history = "query ($id: ID!) { session(id: $id) { signature { signedBy { displayName } }
            history { totalCount nodes { version action changes { field before after } } } } }";
        let history = anna.graphql(history, json!({"id": session.id})).await;
        let replayed = anna.does_with_key("one", "addHealthEntry", input.clone(), selection).await.ok();
        assert_eq!(replayed, first);
        let export = "export { content }";
        let export = admin.does("exportPatient", json!({"patientId": patient.id}), export).await.ok();
        // Of the patient's own entries the export is the newest.
        let mut records = export["exportPatient"]["export"]["content"]["records"].clone();
        records.as_object_mut().expect("kinds").remove("patient");
        [chart.text, history.text, records.to_string()]
    };
    let sql = clinic.database.superuser().await;
    assert_eq!(sql.one("SELECT count(*) FROM ledger WHERE content IS NOT NULL").await, "0", "all are packed");
    let packed = told().await;
    assert!(packed[0].contains("Lidocaine") && packed[1].contains("\"totalCount\":"), "{packed:?}");
    sql.plain_ledger("true").await;
    assert_eq!(told().await, packed);
}
