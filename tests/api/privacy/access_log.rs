//! Who reads the access log, and when it is not written.

use super::{NO, looks, sees};
use crate::access::merging;
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_access_log_is_shown_to_who_looks_after_it() {
    let clinic = Clinic::start().await;
    let (anna, admin, auditor) = (clinic.practitioner(), clinic.admin(), clinic.auditor());
    let (patient, double) = (anna.patient("Zoë", "Ramírez").await, anna.patient("Zoë", "Ramírez").await);
    sees(&clinic.front_desk().because("Telephone"), &double).await;
    anna.make("mergePatients", "merge", merging(&double, &patient, json!({}))).await;
    sees(&anna, &patient).await;
    let text = "query ($id: ID!, $n: Int, $after: String, $f: PatientAccessFilter) { patient(id: $id) { accessLog(first: $n, after: $after, filter: $f) \
        { totalCount pageInfo { hasNextPage endCursor } nodes { sequence at event operation reason requestId fromAddress patientIds \
        actor { __typename ... on Staff { id } } } } } }";
    let log = async |who: &SignedIn, more: Value| {
        let mut variables = json!({"id": patient.id});
        variables.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        who.graphql(text, variables).await
    };
    let shown = log(&auditor, json!({})).await.ok()["patient"]["accessLog"].clone();
    // Two registrations, a look at the one who was merged away, the merge, a look: none twice.
    let nodes = shown["nodes"].as_array().expect("a list");
    let operations: Vec<&str> = nodes.iter().filter_map(|it| it["operation"].as_str()).collect();
    assert_eq!(operations, ["patient", "mergePatients", "patient", "registerPatient", "registerPatient"]);
    assert_eq!(shown["totalCount"], 5);
    assert_eq!(nodes[2]["reason"], "Telephone");
    assert_eq!(nodes[2]["actor"], json!({"__typename": "Staff", "id": clinic.front_desk().id()}));
    assert_eq!((&nodes[0]["event"], &nodes[0]["fromAddress"]), (&json!("READ"), &json!("127.0.0.1")));
    assert_eq!(nodes[0]["patientIds"], json!([patient.id]));
    // Asking was a look: it comes next.
    let again = log(&admin, json!({"n": 2})).await.ok()["patient"]["accessLog"].clone();
    assert_eq!(again["nodes"][0]["actor"]["id"], json!(auditor.id()));
    let after =
        log(&admin, json!({"n": 2, "after": again["pageInfo"]["endCursor"]})).await.ok()["patient"]["accessLog"]
            .clone();
    assert_eq!(after["nodes"][0]["operation"], "mergePatients");
    let filtered = log(&admin, json!({"f": {"actorId": clinic.front_desk().id()}})).await.ok();
    assert_eq!(filtered["patient"]["accessLog"]["totalCount"], 1);
    let later = log(&admin, json!({"f": {"since": "2999-01-01T00:00:00Z"}})).await.ok();
    assert_eq!(later["patient"]["accessLog"]["totalCount"], 0);
    for who in [&anna, &clinic.front_desk()] {
        let answer = log(who, json!({})).await;
        assert_eq!((answer.outcome().as_str(), &answer.data["patient"]["accessLog"]), (NO, &Value::Null));
        assert_eq!(who.graphql("{ accessLog { totalCount } }", json!({})).await.outcome(), NO);
    }
    // The organisation's: refusals and sign-ins too, and nothing of another organisation.
    clinic.anonymous().sign_in("admin@north.example", "a wrong password").await;
    clinic.refusals_logged().await;
    let root = "query ($f: AccessLogFilter) { accessLog(first: 100, filter: $f) { totalCount nodes { event operation actor { ... on Staff { id } } } } }";
    let refused =
        admin.graphql(root, json!({"f": {"event": ["REFUSED", "SIGN_IN_REFUSED"]}})).await.ok()["accessLog"].clone();
    assert_eq!(refused["nodes"][0]["event"], "SIGN_IN_REFUSED");
    assert_eq!(refused["nodes"][0]["actor"]["id"], json!(admin.id()));
    assert_eq!(refused["totalCount"], 5);
    let about =
        admin.graphql(root, json!({"f": {"patientId": patient.id, "event": ["READ"]}})).await.ok()["accessLog"].clone();
    assert!(about["totalCount"].as_i64().expect("a count") >= 5);
    let row = self::looks(&clinic, 1).await.remove(0);
    assert_eq!((row[0].as_str(), row[1].as_str()), ("read", "accessLog"), "asking is a look too, whatever it finds");
    let south = clinic.of(&clinic.south, Role::Auditor);
    let theirs = south.graphql(root, json!({"f": {"patientId": patient.id}})).await.ok();
    assert_eq!(theirs["accessLog"]["totalCount"], 0);
    assert_eq!(log(&south, json!({})).await.outcome(), "NOT_FOUND");
    // An export has the looks with their reasons.
    let export = admin.does("exportPatient", json!({"patientId": patient.id}), "export { content }").await.ok();
    let history = export["exportPatient"]["export"]["content"]["accessHistory"].as_array().expect("looks").clone();
    assert!(history.iter().any(|look| look["reason"] == "Telephone"), "{history:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn looks_are_left_out_of_the_log_on_loopback_only_and_only_for_measuring() {
    let clinic = Clinic::with(&["--unsafe-no-access-log"]).await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    sees(&anna, &patient).await;
    let sql = clinic.database.superuser().await;
    let rows = format!("SELECT count(*) FROM access_log WHERE org_id = '{}' AND event = 'read'", clinic.north.uuid);
    let before = sql.one(&rows).await;
    sees(&anna, &patient).await;
    assert_eq!(sql.one(&rows).await, before);
    anna.graphql("{ accessLog { totalCount } }", json!({})).await;
    assert_eq!(looks(&clinic, 1).await[0][0], "refused", "refusals are written all the same");
    let refused = std::process::Command::new(env!("CARGO_BIN_EXE_clinic"))
        .args(["serve", "--listen", "0.0.0.0:0", "--unsafe-no-access-log", "--database-url", &clinic.database.url()])
        .output()
        .expect("clinic serve");
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("loopback"));
}
