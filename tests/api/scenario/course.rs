//! The sessions of the course, one of them too soon, and the rash after it.

use super::{SESSIONS, Story, iso, list};
use crate::support::*;
use chrono::{Days, TimeDelta};

/// The first two sessions, by the book, with what follows each.
pub(super) async fn two_sessions(story: &mut Story) {
    let first = story.treat(SESSIONS[0]).await;
    let consents = story.of_session(&first, "consents { kind neededFor inForce reason }").await;
    assert_eq!(
        consents["consents"],
        json!([{"kind": "TREATMENT", "neededFor": "SESSION", "inForce": true, "reason": null},
            {"kind": "CLINICAL_PHOTO", "neededFor": "PHOTO", "inForce": true, "reason": null}])
    );
    let day = story.day(SESSIONS[0]);
    let window = |from, target, until| json!({"from": (day + Days::new(from)).to_string(), "target": (day + Days::new(target)).to_string(), "until": (day + Days::new(until)).to_string()});
    let progress = story.progress(day + Days::new(56)).await;
    assert_eq!(
        (&progress["done"], &progress["remaining"], &progress["nextSession"], &progress["overdue"]),
        (&json!(1), &json!(3), &window(21, 28, 56), &json!(false))
    );
    assert_eq!(progress["lastSession"]["id"], json!(first.id));
    assert_eq!(story.progress(day + Days::new(57)).await["overdue"], true, "a day later it is");
    let next = story.recall_for("NEXT_SESSION").await;
    assert_eq!(
        (&next["dueFrom"], &next["dueUntil"], &next["state"]),
        (&window(21, 28, 56)["from"], &window(21, 28, 56)["until"], &json!("OVERDUE"))
    );

    // What to tell a patient who calls 20 and 80 hours later, and whom to call.
    let ended = story.at(SESSIONS[0], 11);
    let codes = |list: &Value| {
        list.as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    let soon = story.aftercare(&first, ended + TimeDelta::hours(20)).await;
    assert_eq!(
        codes(&soon["inForce"]),
        "no_direct_sun no_make_up no_exfoliants_retinoids_vitamin_c no_exercise no_sauna no_swimming gentle_moisturiser \
         do_not_pick danger_signs"
    );
    assert_eq!(
        (&soon["inForce"][0]["endsAt"], &soon["timeZone"]),
        (&json!(iso(ended + TimeDelta::hours(24))), &json!("Europe/Madrid"))
    );
    assert_eq!(
        (codes(&soon["checkInsDue"]), codes(&soon["checkInsUpcoming"])),
        ("day_1".to_owned(), "day_7".to_owned())
    );
    let later = story.aftercare(&first, ended + TimeDelta::hours(80)).await;
    assert_eq!(
        (codes(&later["inForce"]), codes(&later["checkInsOverdue"])),
        ("gentle_moisturiser do_not_pick sunscreen danger_signs".to_owned(), "day_1".to_owned())
    );
    let call = json!({"sessionId": first.id, "kind": "CHECK_IN", "notedAt": iso(ended + TimeDelta::hours(22)), "redness": 3, "swelling": 1, "pain": 1, "adherence": "FULL"});
    let note = story.make("addAftercareNote", "aftercareNote", "AFTERCARE_NOTE", call).await;
    story.anna.sign_note(&note).await;
    let later = story.aftercare(&first, ended + TimeDelta::hours(80)).await;
    assert_eq!(
        (codes(&later["checkInsOverdue"]), codes(&later["checkInsUpcoming"])),
        (String::new(), "day_7".to_owned()),
        "somebody asked"
    );

    let second = story.treat(SESSIONS[1]).await;
    let addendum = json!({"recordId": second.id, "reason": "Wrong lot", "text": "The lot was C-2."});
    story.make("addAddendum", "addendum", "ADDENDUM", addendum).await;
    let late = story.anna.does("updateSession", second.edit_with(json!({"patch": {"note": "x"}})), "__typename").await;
    assert_eq!(late.code(), "RECORD_SIGNED");
    // Stated again as it is: the recall for this session was answered by it, and the next is asked for.
    let recalls = story.of_patient(&story.anna, "recalls(filter: {reason: [NEXT_SESSION]}, orderBy: {field: DUE_FROM, direction: ASC}) { nodes { state doneBySession { id } } }").await;
    let states: Vec<(&Value, &Value)> =
        list(&recalls["recalls"]["nodes"]).iter().map(|it| (&it["state"], &it["doneBySession"]["id"])).collect();
    let (done, open) = (json!("DONE"), json!("OVERDUE"));
    assert_eq!(states, [(&done, &json!(first.id)), (&done, &json!(second.id)), (&open, &Value::Null)]);
    story.note("two sessions").await;
}

/// The third, ten days after the second: warned of, kept from being signed, overridden.
pub(super) async fn a_session_too_soon(story: &mut Story) -> Made {
    story.ask_history(SESSIONS[2]).await;
    let input = story.visit(SESSIONS[2]);
    let (verdict, told) = story.checks(input.clone()).await;
    let second = story.sessions.keys().nth(1).unwrap().clone();
    assert_eq!((&verdict, told.len()), (&json!("WARN"), 1), "{told:?}");
    assert_eq!(
        (&told[0]["rule"], &told[0]["verdict"], &told[0]["recordId"]),
        (&json!("INTERVAL"), &json!("WARN"), &json!(second))
    );
    let cause = told[0]["cause"].as_str().unwrap();
    assert!(
        cause.contains("10 days") && cause.contains(&story.day(SESSIONS[1]).to_string()) && cause.contains("21 days"),
        "{cause}"
    );
    // It is logged all the same: what was done was done.
    let session = story.log(input).await;
    let fields = "checks { rule verdict settled override { reason by { id } } protocolVersion { number } }";
    let kept = story.of_session(&session, fields).await["checks"].clone();
    let place = list(&kept).iter().position(|it| it["settled"] == false).expect("not settled");
    assert_eq!((&kept[place]["rule"], &kept[place]["override"]), (&json!("INTERVAL"), &Value::Null));
    story.note("a session too soon, not settled").await;
    let lacks = story.completeness(&session).await;
    assert_eq!((&lacks["ready"], list(&lacks["items"]).len()), (&json!(false), 1));
    assert_eq!(
        (&lacks["items"][0]["field"], &lacks["items"][0]["cost"]),
        (&json!(format!("checks.{place}")), &json!("CAN_SIGN_WITH_REASON"))
    );
    let refused = story.anna.does("signSession", session.edit(), "__typename").await;
    assert_eq!(
        (refused.outcome().as_str(), refused.faults()),
        ("BAD_USER_INPUT", vec![format!("checks.{place}").as_str()])
    );
    let reason = json!({"sessionId": session.id, "expectedVersion": session.version, "rule": "INTERVAL", "recordId": second,
        "reason": "She moves abroad for a month; shallow passes only"});
    let session = story.anna.make("overrideSessionCheck", "session", reason).await;
    let kept = story.of_session(&session, fields).await["checks"][place].clone();
    assert_eq!(
        (&kept["settled"], &kept["verdict"], &kept["override"]["by"]["id"]),
        (&json!(true), &json!("WARN"), &json!(story.anna.id()))
    );
    assert_eq!(story.completeness(&session).await["ready"], true);
    story.sign(&session).await
}

/// The rash after it that lasts.
pub(super) async fn a_rash(story: &mut Story, session: &Made) {
    let ended = story.at(SESSIONS[2], 11);
    let days = |days: i64| iso(ended + TimeDelta::days(days));
    let call = json!({"sessionId": session.id, "kind": "CHECK_IN", "notedAt": days(9), "redness": 5, "swelling": 0, "pain": 0, "escalate": true});
    let note = story.make("addAftercareNote", "aftercareNote", "AFTERCARE_NOTE", call).await;
    let proposed = async || {
        let query = "query ($id: ID!) { aftercareNote(id: $id) { proposedAdverseEvents { kind severity hoursSinceSession reason already { id } } } }";
        story.anna.graphql(query, json!({"id": note.id})).await.ok()["aftercareNote"]["proposedAdverseEvents"].clone()
    };
    let found = proposed().await;
    assert_eq!(
        found,
        json!([{"kind": "ERYTHEMA", "severity": "MODERATE", "hoursSinceSession": 216, "already": null,
            "reason": "redness of 5 was noted 216 hours after the session; it is usual for 168 hours"}])
    );
    let report = json!({"aftercareNoteId": note.id, "kind": found[0]["kind"], "severity": found[0]["severity"], "onsetAt": days(9), "area": "CHEEK"});
    let event = story.anna.make("reportAdverseEvent", "adverseEvent", report).await;
    assert_eq!(proposed().await[0]["already"]["id"], json!(event.id));
    *story.kinds.entry("ADVERSE_EVENT".to_owned()).or_default() += 1;
    let better = json!({"at": days(12), "outcome": "IMPROVING", "text": "Paler since the cream"});
    let event = story.anna.make("addAdverseEventFollowUp", "adverseEvent", event.edit_with(better)).await;
    let open = async || {
        story.of_patient(&story.anna, "adverseEvents(filter: {open: true}) { nodes { id } }").await["adverseEvents"]["nodes"].clone()
    };
    assert_eq!(open().await, json!([{"id": event.id}]));
    let gone = json!({"at": days(16), "outcome": "RESOLVED", "text": "Gone"});
    story.anna.make("addAdverseEventFollowUp", "adverseEvent", event.edit_with(gone)).await;
    assert_eq!(open().await, json!([]));
    let fields = "adverseEvents { nodes { outcome resolvedAt expectedness followUps { outcome author { id } } aftercareNote { redness } } }";
    assert_eq!(
        story.of_session(session, fields).await["adverseEvents"]["nodes"],
        json!([{"outcome": "RESOLVED", "resolvedAt": days(16), "expectedness": "UNEXPECTED", "aftercareNote": {"redness": 5},
            "followUps": [{"outcome": "IMPROVING", "author": {"id": story.anna.id()}}, {"outcome": "RESOLVED", "author": {"id": story.anna.id()}}]}])
    );
    story.note("the rash is gone").await;
}
