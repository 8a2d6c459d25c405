//! Times as they come from outside: what is no moment is refused wherever one is read, with the reason.

use crate::support::*;

const LEAP: &str = "2016-12-31T23:59:60Z";

#[tokio::test(flavor = "multi_thread")]
async fn a_leap_second_is_refused_wherever_a_moment_is_read() {
    let clinic = Clinic::start().await;
    let (admin, anna) = (clinic.admin(), clinic.practitioner());
    let schema = Schema::ask(&clinic.anonymous()).await;
    let patient = anna.patient("Zoë", "Ramírez").await;
    let mut asked = 0;
    let refused = |answer: &Answer, what: &str| {
        assert_eq!(answer.code(), "BAD_USER_INPUT", "{what}: {}", answer.text);
        assert!(answer.text.contains("leap second"), "{what}: {}", answer.text);
    };
    // Each condition of each list that takes a moment, written into the document and as a variable.
    for field in &schema.get("Query").fields {
        let Some(filter) = field.arguments.iter().find(|argument| argument.name == "filter") else { continue };
        if !field.named_type().ends_with("Connection") {
            continue;
        }
        for condition in &schema.get(filter.named_type()).input_fields {
            if condition.named_type() != "DateTime" {
                continue;
            }
            let (list, name) = (&field.name, &condition.name);
            let written = format!("{{ {list}(first: 1, filter: {{{name}: \"{LEAP}\"}}) {{ totalCount }} }}");
            refused(&admin.graphql(&written, json!({})).await, &written);
            let by_variable =
                format!("query ($t: DateTime) {{ {list}(first: 1, filter: {{{name}: $t}}) {{ totalCount }} }}");
            refused(&admin.graphql(&by_variable, json!({"t": LEAP})).await, &by_variable);
            let fine = admin.graphql(&by_variable, json!({"t": "2016-12-31T23:59:59.9999999Z"})).await;
            assert_eq!(fine.outcome(), "ok", "{by_variable}: {}", fine.text);
            asked += 1;
        }
    }
    assert!(asked > 10, "only {asked} conditions");
    let chart = "query ($p: ID!, $t: DateTime) { chart(patientId: $p, asOf: $t) { asOf } }";
    refused(&admin.graphql(chart, json!({"p": patient.id, "t": LEAP})).await, "chart");
    let session = anna.does("logSession", with_start(&patient, &anna.location, LEAP), "session { id }").await;
    refused(&session, "logSession");
    // The last second of the day is what it says, to the microsecond.
    let started = "2016-12-31T23:59:59.999999999Z";
    let session =
        anna.does("logSession", with_start(&patient, &anna.location, started), "session { startedAt }").await.ok();
    assert_eq!(session["logSession"]["session"]["startedAt"], "2016-12-31T23:59:59.999999Z");
    let day = json!({"legalName": {"given": "A", "family": "B"}, "birthDate": "+202-01-01"});
    assert_eq!(anna.does("registerPatient", day, "patient { id }").await.outcome(), "BAD_USER_INPUT");
}

fn with_start(patient: &Made, location: &str, started: &str) -> Value {
    // It is over: no rule refuses it.
    json!({"patientId": patient.id, "locationId": location, "startedAt": started, "endedAt": "2017-01-01T01:00:00Z",
        "modality": "LED_LIGHT_THERAPY"})
}
