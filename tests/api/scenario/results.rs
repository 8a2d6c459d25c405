//! The last session of the course, its results, and maintenance.

use super::{CONSULTED, SESSIONS, Story, iso, list, with};
use crate::support::*;
use chrono::{Days, Months};

/// A score on GAIS, 1 best.
async fn score(story: &mut Story, ago: i64, score: &str, more: Value) {
    let input = json!({"patientId": story.patient.id, "planId": story.plan, "scale": "gais", "scaleVersion": "1-to-5", "score": score,
        "raterRole": "PRACTITIONER", "area": "CHEEK", "assessedAt": iso(story.at(ago, 10))});
    story.make("recordOutcome", "outcomeAssessment", "OUTCOME_ASSESSMENT", with(input, more)).await;
}

/// The desk ticks a review off.
async fn reviewed(story: &Story, from: i64) {
    let recall = story.recall_for("RESULTS_REVIEW").await;
    let day = |days| json!((story.day(from) + Days::new(days)).to_string());
    assert_eq!((&recall["dueFrom"], &recall["dueUntil"]), (&day(28), &day(42)), "four to six weeks after");
    let done = Made::of(&recall).edit_with(json!({"reason": "Scored"}));
    story.desk.make("completeRecall", "recall", done).await;
}

/// The fourth session, the results, and what maintenance there is to be.
pub(super) async fn results_and_maintenance(story: &mut Story, before: &Made) {
    results(story, before).await;
    let recall = maintenance(story).await;
    the_recall_is_answered(story, &recall).await;
}

async fn results(story: &mut Story, before: &Made) {
    score(story, SESSIONS[0] - 42, "3", json!({})).await;
    reviewed(story, SESSIONS[0]).await;
    let fourth = story.treat(SESSIONS[3]).await;
    let six_weeks = SESSIONS[3] - 42;
    let after = story.photo(six_weeks, "FOLLOW_UP", 100, json!({"sessionId": fourth.id})).await;
    score(
        story,
        six_weeks,
        "1",
        json!({"sessionId": fourth.id, "photoId": after.id, "comparedWithPhotoId": before.id}),
    )
    .await;
    reviewed(story, SESSIONS[3]).await;
    score(story, SESSIONS[4] + 9, "2", json!({})).await;
    let fields = "outcomeSeries(scale: \"gais\") { points { score assessedAt } changeSinceFirst better bestPair { before { score } after { score comparedWithPhotoId } change } }
        photoPairs(area: CHEEK) { before { id link(purpose: CLINICAL_RECORD, size: THUMBNAIL) { withheld } } after { id } daysBetween distanceDifferenceCm }";
    let found = story.of_patient(&story.anna, fields).await;
    let scores: Vec<&Value> = list(&found["outcomeSeries"]["points"]).iter().map(|it| &it["score"]).collect();
    assert_eq!(scores, [&json!("3"), &json!("1"), &json!("2")]);
    assert_eq!(
        (&found["outcomeSeries"]["changeSinceFirst"], &found["outcomeSeries"]["better"]),
        (&json!("-1"), &json!(true))
    );
    assert_eq!(
        found["outcomeSeries"]["bestPair"],
        json!({"before": {"score": "3"}, "after": {"score": "1", "comparedWithPhotoId": before.id}, "change": "-2"})
    );
    assert_eq!(
        found["photoPairs"],
        json!([{"before": {"id": before.id, "link": {"withheld": null}}, "after": {"id": after.id}, "daysBetween": CONSULTED - 1 - six_weeks, "distanceDifferenceCm": 0}])
    );
}

/// What the plan says of maintenance, and the recall for it.
async fn maintenance(story: &mut Story) -> Value {
    let last = story.day(SESSIONS[3]);
    let (from, until) = (last + Months::new(6), last + Months::new(12));
    let progress = story.progress(last + Months::new(7)).await;
    assert_eq!(
        (&progress["done"], &progress["remaining"], &progress["nextSession"], &progress["overdue"]),
        (&json!(4), &json!(0), &Value::Null, &json!(false))
    );
    assert_eq!(progress["maintenance"], json!({"from": from.to_string(), "until": until.to_string()}));
    assert_eq!(story.progress(until + Days::new(1)).await["overdue"], true);
    let recall = story.recall_for("MAINTENANCE").await;
    let seven = (last + Months::new(7)).to_string();
    assert!(
        recall["dueFrom"].as_str().unwrap() <= seven.as_str() && seven.as_str() <= recall["dueUntil"].as_str().unwrap(),
        "{recall}"
    );
    let state = if story.today > until { "OVERDUE" } else { "OPEN" };
    assert_eq!(
        (&recall["state"], &recall["dueFrom"], &recall["dueUntil"]),
        (&json!(state), &json!(from.to_string()), &json!(until.to_string()))
    );
    assert_eq!(story.worklist().await.len(), 1, "nothing else is to be done for her");
    let query = "query ($id: ID!) { treatmentPlan(id: $id) { maintenanceEstimate { basis from until } } }";
    let estimate =
        story.anna.graphql(query, json!({"id": story.plan})).await.ok()["treatmentPlan"]["maintenanceEstimate"].clone();
    assert_eq!(estimate, json!({"basis": "PROTOCOL", "from": from.to_string(), "until": until.to_string()}));
    story.note("the results").await;
    recall
}

/// Seven months after, the desk calls twice, and the fifth session answers.
async fn the_recall_is_answered(story: &mut Story, recall: &Value) {
    let try_one = json!({"channel": "PHONE", "outcome": "LEFT_MESSAGE", "at": iso(story.at(SESSIONS[4] + 6, 9))});
    let tried = story.desk.make("logRecallAttempt", "recall", Made::of(recall).edit_with(try_one)).await;
    let booked = json!({"channel": "PHONE", "outcome": "BOOKED", "at": iso(story.at(SESSIONS[4] + 4, 9))});
    story.desk.make("logRecallAttempt", "recall", tried.edit_with(booked)).await;
    let fifth = story.treat(SESSIONS[4]).await;
    let query =
        "query ($id: ID!) { recall(id: $id) { state doneBySession { id } contacted attempts { outcome by { id } } } }";
    let answered = story.anna.graphql(query, json!({"id": recall["id"]})).await.ok()["recall"].clone();
    let by = json!({"id": story.desk.id()});
    assert_eq!(
        answered,
        json!({"state": "DONE", "doneBySession": {"id": fifth.id}, "contacted": true, "attempts": [{"outcome": "LEFT_MESSAGE", "by": by}, {"outcome": "BOOKED", "by": by}]})
    );
    let next = story.recall_for("MAINTENANCE").await;
    assert_eq!(
        next["dueFrom"],
        json!((story.day(SESSIONS[4]) + Months::new(6)).to_string()),
        "and the next one is asked for"
    );
    assert_eq!(story.progress(story.today).await["done"], 5);
}
