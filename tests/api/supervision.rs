//! Supervision: agreements, the queue of reviews, and its figures.

use crate::staff::colleague;
use crate::support::*;

const REVIEW: &str =
    "id version recordId recordKind outcome note overdue dueOn reviewer { id } signedBy { id } agreement { percent }";

async fn queue(by: &SignedIn, filter: Value) -> Vec<Value> {
    let query =
        format!("query ($f: ChartReviewFilter) {{ chartReviews(filter: $f) {{ totalCount nodes {{ {REVIEW} }} }} }}");
    let found = by.graphql(&query, json!({"f": filter})).await.ok()["chartReviews"].clone();
    let nodes = found["nodes"].as_array().expect("a list").clone();
    assert_eq!(found["totalCount"], nodes.len());
    nodes
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_colleague_signs_is_drawn_reviewed_once_and_counted() {
    let clinic = Clinic::start().await;
    let (anna, bob, admin) = (clinic.practitioner(), colleague(&clinic, "Bob").await, clinic.admin());
    let patient = anna.patient("Ada", "Lovelace").await;
    anna.signed_consultation(&patient).await;
    supervised(&admin, bob.id(), anna.id()).await;
    assert!(queue(&bob, json!({})).await.is_empty(), "what was signed before is not drawn");
    let session = anna.signed_session(&patient).await;
    let note = anna.signed_note(&session).await;
    let consultation = anna.signed_consultation(&patient).await;
    bob.signed_consultation(&patient).await;
    let due = queue(&bob, json!({"reviewerId": bob.id(), "done": false})).await;
    let ids = |reviews: &[Value]| {
        let mut ids: Vec<String> =
            reviews.iter().map(|it| it["recordId"].as_str().expect("an id").to_owned()).collect();
        ids.sort();
        ids
    };
    let mut expected = [&session, &note, &consultation].map(|it| it.id.clone());
    expected.sort();
    assert_eq!(ids(&due), expected);
    assert!(
        due.iter().all(|it| it["overdue"] == false && it["dueOn"] == day(7) && it["signedBy"]["id"] == anna.id()),
        "{due:?}"
    );
    let of = |record: &Made| Made::of(due.iter().find(|it| it["recordId"] == record.id).expect("drawn"));
    let record = async |by: &SignedIn, review: &Made, more: Value| {
        by.does("recordChartReview", review.edit_with(more), &format!("chartReview {{ {REVIEW} }}")).await
    };
    let (first, second) = (of(&session), of(&note));
    assert_eq!(record(&anna, &first, json!({"outcome": "AGREED"})).await.code(), "FORBIDDEN", "her own");
    assert_eq!(record(&admin, &first, json!({"outcome": "AGREED"})).await.code(), "FORBIDDEN");
    assert_eq!(record(&bob, &first, json!({"outcome": "NEEDS_REVISION"})).await.faults(), ["input.note"]);
    assert_eq!(record(&bob, &first, json!({"outcome": "NOT_NEEDED"})).await.faults(), ["input.outcome"]);
    record(&bob, &first, json!({"outcome": "NEEDS_REVISION", "note": "Which lot?"})).await.ok();
    assert_eq!(record(&bob, &first, json!({"outcome": "AGREED"})).await.code(), "CONFLICT", "an older version");
    let again = Made { version: first.version + 1, ..first.clone() };
    assert_eq!(record(&bob, &again, json!({"outcome": "AGREED"})).await.faults(), ["input.id"], "once");
    record(&bob, &second, json!({"outcome": "AGREED"})).await.ok();
    // The last one is overdue after its day; a retracted record is not needed any more.
    let sql = clinic.database.superuser().await;
    sql.run(&format!("UPDATE chart_review SET due_on = due_on - 30 WHERE id = '{}'", uuid_of(&of(&consultation).id)))
        .await;
    assert_eq!(ids(&queue(&bob, json!({"overdue": true})).await), std::slice::from_ref(&consultation.id));
    assert_eq!(queue(&bob, json!({"overdue": false})).await.len(), 2);
    let figures = async || {
        let query = "query ($f: Date!, $u: Date!, $r: ID) { chartReviewFigures(from: $f, until: $u, reviewerId: $r) { due done agreed needsRevision overdue } }";
        let asked = json!({"f": day(-40), "u": day(40), "r": bob.id()});
        let found = anna.graphql(query, asked).await.ok()["chartReviewFigures"].clone();
        let sum = |field: &str| {
            found.as_array().expect("a list").iter().map(|it| it[field].as_i64().expect("a number")).sum::<i64>()
        };
        ["due", "done", "agreed", "needsRevision", "overdue"].map(sum)
    };
    assert_eq!(figures().await, [3, 2, 1, 1, 1]);
    let retracted = json!({"id": consultation.id, "reason": "Another patient's"});
    anna.does("retractSignedRecord", retracted, "__typename").await.ok();
    assert!(queue(&bob, json!({"done": false})).await.is_empty());
    assert_eq!(queue(&bob, json!({"outcome": ["NOT_NEEDED"]})).await.len(), 1);
    assert_eq!(figures().await, [2, 2, 1, 1, 0]);
    let backwards = "{ chartReviewFigures(from: \"2026-02-01\", until: \"2026-01-01\") { due } }";
    assert_eq!(anna.graphql(backwards, json!({})).await.faults(), ["until"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agreement_is_checked_and_draws_as_agreed() {
    let clinic = Clinic::start().await;
    let (anna, bob, admin) = (clinic.practitioner(), colleague(&clinic, "Bob").await, clinic.admin());
    let agree = async |by: &SignedIn, more: Value| {
        let mut input = json!({"supervisorId": bob.id(), "superviseeId": anna.id(), "percent": 100, "withinDays": 7});
        input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        by.does("agreeSupervision", input, "supervisionAgreement { id version }").await
    };
    assert_eq!(agree(&bob, json!({})).await.code(), "FORBIDDEN");
    for (more, faults) in [
        (json!({"supervisorId": anna.id()}), vec!["input.supervisorId"]),
        (json!({"percent": 101, "withinDays": 0}), vec!["input.percent", "input.withinDays"]),
        (json!({"startsOn": day(3), "endsOn": day(2)}), vec!["input.endsOn"]),
        (json!({"supervisorId": clinic.auditor().id()}), vec!["input.supervisorId"]),
        (json!({"locationId": new_id("location")}), vec!["input.locationId"]),
    ] {
        assert_eq!(agree(&admin, more.clone()).await.faults(), faults, "{more}");
    }
    let annex = admin.make("addLocation", "location", json!({"name": "Annex", "timeZone": "UTC"})).await;
    for (more, drawn) in [
        (json!({"percent": 0}), 0),
        (json!({"startsOn": day(1)}), 0),
        (json!({"startsOn": day(-9), "endsOn": day(-1)}), 0),
        (json!({"locationId": annex.id}), 0),
        (json!({"locationId": anna.location}), 1),
        (json!({}), 1),
    ] {
        let made = agree(&admin, more.clone()).await.ok()["agreeSupervision"]["supervisionAgreement"].clone();
        let patient = anna.patient("Ada", "Lovelace").await;
        anna.signed_consultation(&patient).await;
        let found = queue(&bob, json!({"agreementId": made["id"]})).await;
        assert_eq!(found.len(), drawn, "{more}");
        let over = Made::of(&made).edit_with(json!({"patch": {"percent": 0}}));
        admin.make("updateSupervisionAgreement", "supervisionAgreement", over).await;
    }
    // A record that somebody takes over is theirs, and a retry draws nothing twice.
    supervised(&admin, bob.id(), anna.id()).await;
    let draft = colleague(&clinic, "Eve").await.consultation(&anna.patient("Ada", "Lovelace").await).await;
    let taking = draft.edit_with(json!({"meaning": "TAKEN_OVER", "reason": "On leave"}));
    let before = queue(&bob, json!({"done": false})).await.len();
    let mutation =
        "mutation ($input: SignRecordInput!) { signConsultation(input: $input) { consultation { id version } } }";
    let sent = async || {
        let request = anna.prepare(mutation, json!({"input": taking}));
        Answer::to(request.header("Idempotency-Key", "k-1")).await.ok()
    };
    assert_eq!(sent().await, sent().await);
    assert_eq!(queue(&bob, json!({"done": false})).await.len(), before + 1);
}
