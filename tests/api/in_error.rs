//! What was entered in error is left out of lists, unless they are asked for it: in the same way whether a status says it
//! or a mark. Photos are in `photos::links`.

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_status_says_was_entered_in_error_is_left_out_unless_asked_for() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let consultation = anna.consultation(&patient).await;
    let plan = anna.plan(&consultation, &anna.protocol().await).await;
    let session = anna.session(&patient).await;
    let text = anna.consent_text("DATA", json!({})).await;
    let consent = anna.consent(&patient, &text, json!({})).await;
    let status = json!({"patch": {"status": "ENTERED_IN_ERROR"}});
    let reason = json!({"reason": "Another patient's"});
    let of_plan = json!({"status": "ENTERED_IN_ERROR", "reason": "Another patient's"});
    for (list, mutation, input) in [
        ("sessions", "updateSession", session.edit_with(status)),
        ("treatmentPlans", "changeTreatmentPlanStatus", plan.edit_with(of_plan)),
        ("consents", "markConsentEnteredInError", consent.edit_with(reason)),
    ] {
        let shown = async || {
            let lists = format!(
                "query ($id: ID!) {{ none: {list} {{ totalCount nodes {{ enteredInError }} }}
                ofPatient: patient(id: $id) {{ {list} {{ totalCount }} }}
                all: {list}(filter: {{includeEnteredInError: true}}) {{ totalCount nodes {{ enteredInError }} }}
                named: {list}(filter: {{status: [ENTERED_IN_ERROR]}}) {{ totalCount }} }}"
            );
            let found = anna.graphql(&lists, json!({"id": patient.id})).await.ok();
            let marks = found["all"]["nodes"][0]["enteredInError"].clone();
            let count = |name: &str| found[name]["totalCount"].as_i64().unwrap();
            assert_eq!(found["ofPatient"][list]["totalCount"], found["none"]["totalCount"], "{list}");
            (count("none"), count("all"), count("named"), marks)
        };
        assert_eq!(shown().await, (1, 1, 0, json!(false)), "{list}");
        anna.does(mutation, input, "__typename").await.ok();
        assert_eq!(shown().await, (0, 1, 1, json!(true)), "{list}");
    }
}
