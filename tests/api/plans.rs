//! Treatment plans: from a consultation, by a protocol; progress and recalls that follow from it.

use crate::support::*;

const PLAN: &str = "query ($id: ID!, $on: Date) { treatmentPlan(id: $id) { version status plannedSessions protocolVersion { id }
    earlierCourses { plannedSessions reason changedBy { id } }
    progress(on: $on) { done remaining overdue lastSession { id } nextSession { from target until } resultsReview { from until } maintenance { from until } }
    maintenanceEstimate { basis points from until explanation } sessions { totalCount } } }";

async fn plan_on(by: &SignedIn, plan: &Made, on: &str) -> Value {
    by.graphql(PLAN, json!({"id": plan.id, "on": on})).await.ok()["treatmentPlan"].clone()
}

/// A session of a plan on a day, at noon in Madrid.
async fn session_on(by: &SignedIn, patient: &Made, plan: &Made, on: &str) -> Made {
    let input =
        json!({"planId": plan.id, "startedAt": format!("{on}T11:00:00Z"), "endedAt": format!("{on}T12:00:00Z")});
    by.session_with(patient, input).await
}

async fn recalls_of(by: &SignedIn, patient: &Made) -> Vec<(String, String, String, String)> {
    let query = "query ($id: ID!) { patient(id: $id) { recalls(orderBy: {field: CREATED_AT, direction: ASC}) { nodes { reason state dueFrom dueUntil } } } }";
    let found = by.graphql(query, json!({"id": patient.id})).await.ok();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let nodes = found["patient"]["recalls"]["nodes"].as_array().unwrap().clone();
    nodes
        .iter()
        .map(|it| (text(&it["reason"]), text(&it["state"]), text(&it["dueFrom"]), text(&it["dueUntil"])))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_course_is_followed_from_its_start_to_maintenance() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let consultation = anna.consultation_with(&patient, json!({"heldAt": "2025-01-02T10:00:00Z"})).await;
    let rules = anna.protocol().await;
    let input = json!({"consultationId": consultation.id, "protocolVersionId": rules.version, "plannedSessions": 3,
        "areas": [{"area": "CHEEK", "side": "LEFT"}], "startedOn": "2025-01-10"});
    let plan = anna.make("createTreatmentPlan", "treatmentPlan", input).await;
    let fresh = plan_on(&anna, &plan, "2025-01-10").await;
    assert_eq!(
        (&fresh["progress"]["done"], &fresh["progress"]["remaining"], &fresh["maintenanceEstimate"]),
        (&json!(0), &json!(3), &Value::Null)
    );
    let first = session_on(&anna, &patient, &plan, "2025-01-15").await;
    let one = plan_on(&anna, &plan, "2025-02-01").await;
    assert_eq!(
        one["progress"],
        json!({"done": 1, "remaining": 2, "overdue": false, "lastSession": {"id": first.id},
        "nextSession": {"from": "2025-02-05", "target": "2025-02-12", "until": "2025-03-12"},
        "resultsReview": {"from": "2025-02-12", "until": "2025-02-26"}, "maintenance": null})
    );
    assert_eq!(plan_on(&anna, &plan, "2025-03-13").await["progress"]["overdue"], true);
    let open: Vec<_> = recalls_of(&anna, &patient).await.into_iter().map(|it| (it.0, it.2, it.3)).collect();
    let row = |reason: &str, from: &str, until: &str| (reason.to_owned(), from.to_owned(), until.to_owned());
    assert_eq!(
        open,
        [
            row("NEXT_SESSION", "2025-01-10", "2025-03-07"),
            row("NEXT_SESSION", "2025-02-05", "2025-03-12"),
            row("RESULTS_REVIEW", "2025-02-12", "2025-02-26")
        ]
    );
    session_on(&anna, &patient, &plan, "2025-02-12").await;
    let last = session_on(&anna, &patient, &plan, "2025-03-12").await;
    let all = plan_on(&anna, &plan, "2025-09-12").await;
    assert_eq!(
        (&all["progress"]["remaining"], &all["progress"]["nextSession"], &all["sessions"]["totalCount"]),
        (&json!(0), &Value::Null, &json!(3))
    );
    assert_eq!(all["progress"]["maintenance"], json!({"from": "2025-09-12", "until": "2026-03-12"}));
    assert_eq!(all["maintenanceEstimate"]["basis"], "PROTOCOL");
    assert!(all["maintenanceEstimate"]["explanation"].as_str().unwrap().starts_with("An estimate"), "{all}");
    let states: Vec<_> = recalls_of(&anna, &patient).await.into_iter().map(|it| (it.0, it.1)).collect();
    let live: Vec<_> =
        states.iter().filter(|it| ["OPEN", "OVERDUE"].contains(&it.1.as_str())).map(|it| it.0.as_str()).collect();
    assert_eq!(live, ["RESULTS_REVIEW", "MAINTENANCE"], "{states:?}");
    assert_eq!(states.iter().filter(|it| it.0 == "NEXT_SESSION" && it.1 == "DONE").count(), 3, "{states:?}");
    // A session that never was gives back what it answered.
    let error = json!({"id": last.id, "expectedVersion": last.version, "patch": {"status": "ENTERED_IN_ERROR"}});
    anna.does("updateSession", error, "__typename").await.ok();
    assert_eq!(plan_on(&anna, &plan, "2025-09-12").await["progress"]["remaining"], 1);
    let live: Vec<_> = recalls_of(&anna, &patient)
        .await
        .into_iter()
        .filter(|it| ["OPEN", "OVERDUE"].contains(&it.1.as_str()))
        .map(|it| it.0)
        .collect();
    assert!(live.contains(&"NEXT_SESSION".to_owned()) && !live.contains(&"MAINTENANCE".to_owned()), "{live:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_course_changed_midway_keeps_what_was() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let consultation = anna.consultation(&patient).await;
    let rules = anna.protocol().await;
    let plan = anna.plan(&consultation, &rules).await;
    let session = anna.session_with(&patient, json!({"planId": plan.id})).await;
    // The clinic publishes another version: the plan keeps its own until somebody changes the course.
    let draft =
        anna.does("draftProtocolVersion", json!({"protocolId": rules.id}), "protocolVersion { id version }").await.ok();
    let draft = Made::of(&draft["draftProtocolVersion"]["protocolVersion"]);
    anna.make("publishProtocolVersion", "protocolVersion", draft.edit()).await;
    assert_eq!(plan_on(&anna, &plan, "2026-01-01").await["protocolVersion"]["id"], rules.version.as_str());
    let change = |more: Value| plan.edit_with(more);
    let none = anna.does("changeTreatmentCourse", change(json!({"reason": "Nothing"})), "__typename").await;
    assert_eq!(none.faults(), ["input"]);
    let many =
        anna.does("changeTreatmentCourse", change(json!({"plannedSessions": 9, "reason": "More"})), "__typename").await;
    assert_eq!(many.faults(), ["input.plannedSessions"]);
    let retired = anna
        .does(
            "changeTreatmentCourse",
            change(json!({"protocolVersionId": draft.id, "plannedSessions": 6, "reason": "Deep scars"})),
            "__typename",
        )
        .await;
    retired.ok();
    let found = plan_on(&anna, &plan, "2026-01-01").await;
    assert_eq!(
        (&found["plannedSessions"], &found["protocolVersion"]["id"], &found["version"]),
        (&json!(6), &json!(draft.id), &json!(2))
    );
    assert_eq!(
        found["earlierCourses"],
        json!([{"plannedSessions": 4, "reason": "Deep scars", "changedBy": {"id": anna.id()}}])
    );
    let kept = "query ($id: ID!) { session(id: $id) { protocolVersion { id } plan { id } } }";
    let kept = anna.graphql(kept, json!({"id": session.id})).await.ok();
    assert_eq!(kept["session"], json!({"protocolVersion": {"id": rules.version}, "plan": {"id": plan.id}}));
    let stale =
        anna.does("changeTreatmentCourse", change(json!({"plannedSessions": 5, "reason": "x"})), "__typename").await;
    assert_eq!(stale.code(), "CONFLICT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_course_of_another_treatment_counts_its_own_sessions() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let consultation = anna.consultation_with(&patient, json!({"heldAt": "2025-01-02T10:00:00Z"})).await;
    let pen = anna.protocol().await;
    let plan = anna.plan(&consultation, &pen).await;
    for on in ["2025-01-15", "2025-02-15"] {
        session_on(&anna, &patient, &plan, on).await;
    }
    let name = format!("By RF {}", uuid::Uuid::now_v7());
    let copy = json!({"name": name, "copyFrom": pen.version, "modality": "RF_MICRONEEDLING"});
    let rf = anna.does("createProtocol", copy, "protocol { draftVersion { id version } }").await.ok();
    let rf = Made::of(&rf["createProtocol"]["protocol"]["draftVersion"]);
    anna.make("publishProtocolVersion", "protocolVersion", rf.edit()).await;
    let change = json!({"protocolVersionId": rf.id, "plannedSessions": 3, "reason": "Plateau: three by RF"});
    anna.does("changeTreatmentCourse", plan.edit_with(change), "treatmentPlan { id }").await.ok();
    let changed = plan_on(&anna, &plan, "2025-02-20").await["progress"].clone();
    assert_eq!((&changed["done"], &changed["remaining"]), (&json!(0), &json!(3)), "{changed}");
    assert_eq!(changed["nextSession"]["from"], "2025-03-08", "21 days after the last by pen");
    let by_rf = json!({"planId": plan.id, "modality": "RF_MICRONEEDLING", "device": {"model": "R", "kind": "RF"},
        "startedAt": "2025-03-15T11:00:00Z", "endedAt": "2025-03-15T12:00:00Z",
        "areas": [{"area": "CHEEK", "needleDepthMm": "1.0", "passes": 2, "rfEnergyMj": "20"}]});
    anna.session_with(&patient, by_rf).await;
    let one = plan_on(&anna, &plan, "2025-03-20").await["progress"].clone();
    assert_eq!((&one["done"], &one["remaining"]), (&json!(1), &json!(2)), "{one}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_needs_a_consultation_that_found_them_suitable_and_a_published_protocol() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    let rules = anna.protocol().await;
    let deferred = json!({"candidacy": "DEFERRED", "candidacyReasons": "Sunburn"});
    let deferred = anna.consultation_with(&patient, deferred).await;
    let suitable = anna.consultation(&patient).await;
    let draft = anna.does("draftProtocolVersion", json!({"protocolId": rules.id}), "protocolVersion { id }").await.ok();
    let input = |consultation: &Made, version: &Value, sessions: i32| json!({"consultationId": consultation.id, "protocolVersionId": version, "plannedSessions": sessions, "areas": [{"area": "CHEEK"}]});
    let published = json!(rules.version);
    let unfit = anna.does("createTreatmentPlan", input(&deferred, &published, 2), "__typename").await;
    assert_eq!(unfit.faults(), ["input.consultationId", "input.plannedSessions"]);
    let draft = &draft["draftProtocolVersion"]["protocolVersion"]["id"];
    assert_eq!(
        anna.does("createTreatmentPlan", input(&suitable, draft, 4), "__typename").await.faults(),
        ["input.protocolVersionId"]
    );
    let theirs = json!(clinic.stranger().protocol().await.version);
    assert_eq!(
        anna.does("createTreatmentPlan", input(&suitable, &theirs, 4), "__typename").await.faults(),
        ["input.protocolVersionId"]
    );
    let plan = anna.make("createTreatmentPlan", "treatmentPlan", input(&suitable, &published, 4)).await;
    let held = anna
        .make(
            "changeTreatmentPlanStatus",
            "treatmentPlan",
            plan.edit_with(json!({"status": "ON_HOLD", "reason": "Travels"})),
        )
        .await;
    let paused = session_to_sign(&patient, &anna.location);
    let mut paused = paused;
    paused["planId"] = json!(plan.id);
    assert_eq!(anna.does("logSession", paused.clone(), "__typename").await.faults(), ["input.planId"]);
    let gone = anna.does("changeTreatmentPlanStatus", held.edit_with(json!({"status": "REVOKED"})), "__typename").await;
    assert_eq!(gone.faults(), ["input.reason"]);
    let same = anna
        .does("changeTreatmentPlanStatus", held.edit_with(json!({"status": "ON_HOLD", "reason": "x"})), "__typename")
        .await;
    assert_eq!(same.faults(), ["input.status"]);
    // Another patient's plan is no plan for this one.
    let other = anna.patient("Grace", "Hopper").await;
    paused["patientId"] = json!(other.id);
    assert_eq!(anna.does("logSession", paused, "__typename").await.faults(), ["input.planId"]);
    assert_eq!(clinic.stranger().graphql(PLAN, json!({"id": plan.id})).await.code(), "NOT_FOUND");
}
