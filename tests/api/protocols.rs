//! Protocols: the defaults, copies, drafts, publishing.

use crate::support::*;

const WHOLE: &str = "protocolVersion { id version number status modality indications changeNote publishedBy { id }
    rules { sessionsMin intervalMinDays depthLimits { area maxMm } } protocol { id publishedVersion { number } draftVersion { number } } }";

async fn draft_of(by: &SignedIn, protocol: &str) -> Value {
    let query = "query ($id: ID!) { protocol(id: $id) { draftVersion { id version number status } } }";
    by.graphql(query, json!({"id": protocol})).await.ok()["protocol"]["draftVersion"].clone()
}

fn rules() -> Value {
    json!({"sessionsMin": 2, "sessionsMax": 4, "intervalMinDays": 14, "intervalTargetDays": 21, "intervalLatestDays": 40,
        "resultsFromWeeks": 4, "resultsUntilWeeks": 6, "aftercare": [{"code": "rest", "text": "Rest.", "untilHours": 12}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_starts_with_the_published_defaults() {
    let clinic = Clinic::start().await;
    for who in [clinic.practitioner(), clinic.stranger(), clinic.front_desk()] {
        let query = "{ protocols(first: 50) { totalCount nodes { name active createdBy { id } publishedVersion { number modality indications
            rules { contraindications { code severity lookBackDays } } } draftVersion { id } } } }";
        let found = who.ask(query).await["protocols"].clone();
        assert_eq!(found["totalCount"], 8, "{found}");
        for node in found["nodes"].as_array().unwrap() {
            assert_eq!(
                (&node["active"], &node["draftVersion"], &node["createdBy"]),
                (&json!(true), &Value::Null, &Value::Null)
            );
            assert_eq!(node["publishedVersion"]["number"], 1, "{node}");
        }
        let text = found.to_string();
        for word in [
            "ACNE_SCARS",
            "HYPERPIGMENTATION",
            "HAIR_THINNING",
            "STRETCH_MARKS",
            "LARGE_PORES",
            "LED_LIGHT_THERAPY",
            "PRP",
            "RF_MICRONEEDLING",
        ] {
            assert!(text.contains(word), "{word}");
        }
        assert!(text.contains(r#""code":"isotretinoin","lookBackDays":183"#) && text.contains(r#""lookBackDays":0"#));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clinic_copies_edits_and_publishes_and_what_was_published_stays() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let default = anna.protocol().await;
    let made = anna.make("createProtocol", "protocol", json!({"name": "Our way", "copyFrom": default.version})).await;
    let first = draft_of(&anna, &made.id).await;
    assert_eq!((&first["number"], &first["status"]), (&json!(1), &json!("DRAFT")));
    let change = json!({"id": first["id"], "expectedVersion": 1, "rules": rules(), "indications": ["WRINKLES"]});
    let changed = admin.does("updateProtocolVersion", change.clone(), WHOLE).await.ok()["updateProtocolVersion"]["protocolVersion"].clone();
    assert_eq!(
        (&changed["version"], &changed["rules"]["sessionsMin"], &changed["indications"]),
        (&json!(2), &json!(2), &json!(["WRINKLES"]))
    );
    let stale = admin.does("updateProtocolVersion", change.clone(), WHOLE).await;
    assert_eq!((stale.code(), &stale.errors[0]["extensions"]["currentVersion"]), ("CONFLICT", &json!(2)));
    let publish = json!({"id": first["id"], "expectedVersion": 2});
    let published = admin.does("publishProtocolVersion", publish.clone(), WHOLE).await.ok()["publishProtocolVersion"]["protocolVersion"].clone();
    assert_eq!((&published["status"], &published["publishedBy"]["id"]), (&json!("PUBLISHED"), &json!(admin.id())));
    // What is published takes no change, by anybody.
    for (mutation, input) in [
        ("updateProtocolVersion", json!({"id": first["id"], "expectedVersion": 3, "rules": rules()})),
        ("publishProtocolVersion", json!({"id": first["id"], "expectedVersion": 3})),
    ] {
        let refused = admin.does(mutation, input, "__typename").await;
        assert!(
            refused.code() == "BAD_USER_INPUT" && refused.text.contains("draftProtocolVersion"),
            "{}",
            refused.text
        );
    }
    // The next version begins as a copy; there is one draft at a time.
    let next = json!({"protocolId": made.id, "changeNote": "Three weeks at least"});
    let second =
        anna.does("draftProtocolVersion", next.clone(), WHOLE).await.ok()["draftProtocolVersion"]["protocolVersion"]
            .clone();
    assert_eq!(
        (&second["number"], &second["rules"], &second["changeNote"]),
        (&json!(2), &changed["rules"], &json!("Three weeks at least"))
    );
    let twice = anna.does("draftProtocolVersion", next, WHOLE).await;
    assert!(
        twice.faults() == ["input.protocolId"] && twice.text.contains(second["id"].as_str().unwrap()),
        "{}",
        twice.text
    );
    anna.does("publishProtocolVersion", json!({"id": second["id"], "expectedVersion": 1}), WHOLE).await.ok();
    let query = "query ($id: ID!) { protocol(id: $id) { publishedVersion { number } draftVersion { id } versions { nodes { number status } } history { totalCount } } }";
    let found = anna.graphql(query, json!({"id": made.id})).await.ok()["protocol"].clone();
    assert_eq!(
        found["versions"]["nodes"],
        json!([{"number": 2, "status": "PUBLISHED"}, {"number": 1, "status": "RETIRED"}])
    );
    assert_eq!((&found["publishedVersion"]["number"], &found["draftVersion"]), (&json!(2), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_protocol_is_told_at_once() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let nothing = anna.does("createProtocol", json!({"name": "Bare"}), "__typename").await;
    assert_eq!(nothing.faults(), ["input.modality", "input.indications", "input.rules"]);
    let mut wrong = rules();
    wrong["sessionsMax"] = json!(1);
    wrong["intervalTargetDays"] = json!(3);
    wrong["maintenanceFromMonths"] = json!(6);
    wrong["depthLimits"] = json!([{"area": "NOSE", "maxMm": "9"}, {"area": "NOSE", "maxMm": "1"}]);
    wrong["aftercare"] = json!([{"code": "x", "text": "Rest.", "fromHours": 5, "untilHours": 5}]);
    let input = json!({"name": "Wrong", "modality": "PRP", "indications": [], "rules": wrong});
    let refused = anna.does("createProtocol", input, "__typename").await;
    let expected = [
        "input.rules.sessionsMax",
        "input.rules.intervalTargetDays",
        "input.rules.maintenanceUntilMonths",
        "input.rules.depthLimits.0.maxMm",
        "input.rules.depthLimits.1.area",
        "input.rules.aftercare.x.untilHours",
        "input.indications",
    ];
    assert_eq!(refused.faults(), expected, "{}", refused.text);
    let taken =
        json!({"name": "Platelet-rich plasma", "modality": "PRP", "indications": ["WRINKLES"], "rules": rules()});
    assert_eq!(anna.does("createProtocol", taken, "__typename").await.faults(), ["input.name"]);
    let theirs = clinic.stranger().protocol().await;
    let copy = json!({"name": "Theirs", "copyFrom": theirs.version});
    assert_eq!(anna.does("createProtocol", copy, "__typename").await.faults(), ["input.copyFrom"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_publish_at_once_one_is_first() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let default = anna.protocol().await;
    let made = anna.make("createProtocol", "protocol", json!({"name": "Raced", "copyFrom": default.version})).await;
    let draft = draft_of(&anna, &made.id).await;
    let publish = json!({"id": draft["id"], "expectedVersion": 1});
    let tries =
        futures::future::join_all((0..6).map(|_| anna.does("publishProtocolVersion", publish.clone(), "__typename")))
            .await;
    let done = tries.iter().filter(|it| it.errors.is_empty()).count();
    let outcomes: Vec<String> = tries.iter().map(Answer::outcome).collect();
    assert_eq!(done, 1, "{outcomes:?}");
    assert!(outcomes.iter().all(|it| ["ok", "CONFLICT", "BAD_USER_INPUT"].contains(&it.as_str())), "{outcomes:?}");
}
