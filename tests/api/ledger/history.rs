//! The history of a record.

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn history_shows_each_version_by_whom_and_what_changed() {
    let clinic = Clinic::start().await;
    let (anna, desk) = (clinic.practitioner(), clinic.front_desk());
    let made = desk.patient("Zoë", "Ramírez").await;
    let patch = json!({"patch": {"legalName": {"given": "Zoë", "family": "Sol"}, "gender": "woman"}});
    let made = anna.make("updatePatient", "patient", made.edit_with(patch)).await;
    let made = anna.make("archivePatient", "patient", made.edit_with(json!({"reason": "Moved"}))).await;
    let query = "query ($id: ID!, $first: Int, $after: String) { patient(id: $id) { history(first: $first, after: $after) { totalCount
        pageInfo { hasNextPage endCursor } nodes { version action by { id } at ledgerSequence changes { field before after } } } } }";
    let history = clinic.auditor().graphql(query, json!({"id": made.id})).await.ok()["patient"]["history"].clone();
    assert_eq!(history["totalCount"], 3);
    let nodes = history["nodes"].as_array().expect("versions");
    let brief: Vec<Value> = nodes.iter().map(|it| json!([it["version"], it["action"], it["by"]["id"]])).collect();
    assert_eq!(
        brief,
        [json!([3, "ARCHIVE", anna.id()]), json!([2, "UPDATE", anna.id()]), json!([1, "CREATE", desk.id()])]
    );
    let changes = |version: usize| -> Vec<Value> { nodes[3 - version]["changes"].as_array().expect("changes").clone() };
    assert_eq!(
        changes(3),
        [
            json!({"field": "status", "before": "active", "after": "archived"}),
            json!({"field": "statusReason", "before": null, "after": "Moved"}),
        ]
    );
    assert_eq!(
        changes(2),
        [
            json!({"field": "gender", "before": null, "after": "woman"}),
            json!({"field": "legalName", "before": {"given": "Zoë", "middle": null, "family": "Ramírez"}, "after": {"given": "Zoë", "middle": null, "family": "Sol"}}),
        ]
    );
    let first: Vec<&str> =
        nodes[2]["changes"].as_array().expect("changes").iter().filter_map(|it| it["field"].as_str()).collect();
    assert_eq!(first, ["birthDate", "chartNumber", "legalName", "status"], "all that was filled in");
    let sequences: Vec<i64> = nodes.iter().filter_map(|it| it["ledgerSequence"].as_i64()).collect();
    assert!(sequences.is_sorted_by(|newer, older| newer > older), "{sequences:?}");
    // The same, a page at a time.
    let mut after = Value::Null;
    for node in nodes {
        let page = clinic.auditor().graphql(query, json!({"id": made.id, "first": 1, "after": after})).await.ok()["patient"]["history"].clone();
        assert_eq!((&page["nodes"], page["nodes"].as_array().map(Vec::len)), (&json!([node]), Some(1)));
        after = page["pageInfo"]["endCursor"].clone();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn history_shows_the_parts_of_a_session_and_its_signature() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    let session = anna.session(&patient).await;
    let areas = json!([{"area": "NOSE", "needleDepthMm": "0.5", "passes": 2}]);
    let session = anna.make("updateSession", "session", session.edit_with(json!({"patch": {"areas": areas}}))).await;
    anna.sign_session(&session).await;
    let query =
        "query ($id: ID!) { session(id: $id) { history { nodes { version changes { field before after } } } } }";
    let answer = anna.graphql(query, json!({"id": session.id})).await.ok();
    let nodes = answer["session"]["history"]["nodes"].as_array().expect("versions").clone();
    let fields = |node: &Value| -> Vec<String> {
        node["changes"]
            .as_array()
            .expect("changes")
            .iter()
            .map(|it| it["field"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!((fields(&nodes[0]), fields(&nodes[1])), (vec!["signature".to_owned()], vec!["areas".to_owned()]));
    let change = &nodes[1]["changes"][0];
    assert_eq!(
        (change["before"].as_array().map(Vec::len), change["after"].as_array().map(Vec::len)),
        (Some(2), Some(1))
    );
    assert_eq!(nodes[0]["changes"][0]["after"]["signedBy"], json!(anna.id()));
}
