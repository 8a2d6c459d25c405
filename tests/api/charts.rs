//! The chart as a whole: the timeline, and the record as it was known.

use crate::access::merging;
use crate::merges::everything;
use crate::support::*;
use std::collections::BTreeSet;

const TIMELINE: &str = "query ($id: ID!, $filter: TimelineFilter, $first: Int, $after: String, $last: Int, $before: String) { patient(id: $id) {
    timeline(filter: $filter, first: $first, after: $after, last: $last, before: $before) { totalCount pageInfo { hasNextPage endCursor hasPreviousPage
    startCursor } nodes { at kind summary recordId signed record { __typename ... on HealthEntry { text } ... on TreatmentSession { areas { area } } } } } } }";

async fn timeline(who: &SignedIn, variables: Value) -> Value {
    who.graphql(TIMELINE, variables).await.ok()["patient"]["timeline"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timeline_has_every_kind_newest_first() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Zoë", "Ramírez").await;
    everything(&clinic, &patient, "marker").await;
    let whole = timeline(&anna, json!({"id": patient.id, "first": 100})).await;
    let nodes = whole["nodes"].as_array().expect("a list");
    assert_eq!(whole["totalCount"], json!(nodes.len()));
    let kinds: BTreeSet<&str> = nodes.iter().filter_map(|it| it["kind"].as_str()).collect();
    let tables = clinic
        .database
        .superuser()
        .await
        .column("SELECT upper(name) FROM patient_tables() WHERE name NOT IN ('legal_hold', 'patient_restriction', 'emergency_access', \
            'countersignature', 'retraction', 'chart_review')")
        .await;
    // What is put on a signed record is shown with it.
    let advice = "tables of patients, and kinds on the timeline; everything() of merges/marked.rs makes one of each, \
        src/chart/kinds.rs has a row for each:";
    let wrong = difference(tables.iter().map(String::as_str), kinds, advice);
    assert!(wrong.is_empty(), "{wrong}");
    let times: Vec<&str> = nodes.iter().filter_map(|it| it["at"].as_str()).collect();
    assert!(times.is_sorted_by(|a, b| a[..19] >= b[..19]), "{times:?}");
    assert!(!whole.to_string().replace("Latex marker", "").contains("marker"), "no free text in a summary");
    let session =
        nodes.iter().find(|it| it["kind"] == "TREATMENT_SESSION" && it["signed"] == true).expect("a signed session");
    assert_eq!(
        (&session["summary"], &session["record"]["__typename"]),
        (&json!("microneedling, completed"), &json!("TreatmentSession"))
    );
    for node in nodes {
        assert!(!node["record"].is_null(), "{node}");
    }
    // Filters.
    let some = timeline(&anna, json!({"id": patient.id, "filter": {"kinds": ["HEALTH_ENTRY", "ADDENDUM"]}})).await;
    let kinds: BTreeSet<&str> =
        some["nodes"].as_array().expect("a list").iter().filter_map(|it| it["kind"].as_str()).collect();
    assert_eq!((kinds, &some["totalCount"]), (["ADDENDUM", "HEALTH_ENTRY"].into(), &json!(2)));
    let until = hours_ago(1);
    let early = timeline(&anna, json!({"id": patient.id, "first": 100, "filter": {"before": until}})).await;
    let late = timeline(&anna, json!({"id": patient.id, "first": 100, "filter": {"from": until}})).await;
    let count = |part: &Value| part["totalCount"].as_u64().expect("a count");
    assert_eq!(count(&early) + count(&late), nodes.len() as u64);
    assert!(count(&early) > 0 && count(&late) > 0);
    let none = timeline(&anna, json!({"id": patient.id, "filter": {"kinds": []}})).await;
    assert_eq!((&none["totalCount"], &none["nodes"]), (&json!(0), &json!([])));
    for filter in [json!({"kinds": ["STAFF"]}), json!({"from": until, "before": until})] {
        let answer = anna.graphql(TIMELINE, json!({"id": patient.id, "filter": filter})).await;
        assert_eq!(answer.outcome(), "BAD_USER_INPUT", "{filter}");
    }
    // Rights: each kind's own.
    let desk = clinic.front_desk();
    assert_eq!(desk.graphql(TIMELINE, json!({"id": patient.id})).await.outcome(), "FORBIDDEN");
    let recalls = timeline(&desk, json!({"id": patient.id, "filter": {"kinds": ["RECALL"]}})).await;
    assert_eq!(recalls["totalCount"], 1);
    assert_eq!(clinic.stranger().graphql(TIMELINE, json!({"id": patient.id})).await.outcome(), "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_along_the_timeline_misses_and_repeats_nothing() {
    let clinic = Clinic::start().await;
    let (anna, sql) = (clinic.practitioner(), clinic.database.superuser().await);
    let patient = anna.patient("Zoë", "Ramírez").await;
    everything(&clinic, &patient, "marker").await;
    for _ in 0..20 {
        anna.health_entry(&patient).await;
    }
    // All at one instant, over many kinds.
    let instant = "'2026-01-02T03:04:05.678901Z'";
    for (table, column) in [
        ("health_entry", "created_at"),
        ("consultation", "held_at"),
        ("treatment_session", "started_at"),
        ("aftercare_note", "noted_at"),
        ("addendum", "added_at"),
        ("photo", "taken_at"),
        ("recall", "created_at"),
    ] {
        sql.run(&format!("UPDATE {table} SET {column} = {instant}")).await;
    }
    let whole = timeline(&anna, json!({"id": patient.id, "first": 100})).await;
    let all: Vec<Value> = whole["nodes"].as_array().expect("a list").iter().map(|it| it["recordId"].clone()).collect();
    assert!(all.len() > 25, "{}", all.len());
    for size in [1, 3, 7] {
        for (count, cursor, more, end) in
            [("first", "after", "hasNextPage", "endCursor"), ("last", "before", "hasPreviousPage", "startCursor")]
        {
            let (mut seen, mut at) = (Vec::new(), Value::Null);
            loop {
                let page = timeline(&anna, json!({"id": patient.id, count: size, cursor: at})).await;
                let ids = page["nodes"].as_array().expect("a list").iter().map(|it| it["recordId"].clone());
                if count == "first" {
                    seen.extend(ids)
                } else {
                    seen.splice(0..0, ids).for_each(drop)
                }
                at = page["pageInfo"][end].clone();
                if page["pageInfo"][more] == false {
                    break;
                }
            }
            assert_eq!(seen, all, "{count} {size}");
        }
    }
}

const CHART: &str = "query ($id: ID!, $at: DateTime) { chart(patientId: $id, asOf: $at) { asOf ledgerSequence patient { displayName gender }
    healthHistory { text } consultations { id goals } sessions { id note signature { contentHash } areas { area } } aftercareNotes { id } addenda { text }
    records { kind id: recordId version action by { id } signature { contentHash signedBy { id } } content } } }";

async fn now() -> String {
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let now =
        chrono::SubsecRound::trunc_subsecs(chrono::Utc::now(), 6).to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    now
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_is_shown_as_it_was_known() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let at_first = now().await;
    let patient = anna.patient("Zoë", "Ramírez").await;
    let registered = now().await;
    let session = anna.session(&patient).await;
    anna.health_entry(&patient).await;
    let drafted = now().await;
    let session = anna
        .make("updateSession", "session", session.edit_with(json!({"patch": {"note": "Calm.", "areas": []}})))
        .await;
    let areas = json!([{"area": "NOSE", "needleDepthMm": "0.5", "passes": 2}]);
    let session = anna.make("updateSession", "session", session.edit_with(json!({"patch": {"areas": areas}}))).await;
    let at_last = anna.sign_session(&session).await;
    let addendum = anna.addendum(&session).await;
    anna.make("updatePatient", "patient", patient.edit_with(json!({"patch": {"gender": "woman"}}))).await;
    let signed = now().await;

    let chart = async |at: &str| clinic.auditor().graphql(CHART, json!({"id": patient.id, "at": at})).await;
    assert_eq!(chart(&at_first).await.outcome(), "NOT_FOUND", "not known yet");
    let first = chart(&registered).await.ok()["chart"].clone();
    assert_eq!(
        (&first["patient"]["gender"], &first["records"], &first["asOf"]),
        (&Value::Null, &json!([]), &json!(registered))
    );
    let then = chart(&drafted).await.ok()["chart"].clone();
    assert_eq!(then["healthHistory"], json!([{"text": "Lidocaine"}]));
    assert_eq!(
        (&then["sessions"][0]["note"], &then["sessions"][0]["signature"]),
        (&json!("Tolerated well."), &Value::Null)
    );
    assert_eq!(then["sessions"][0]["areas"].as_array().map(Vec::len), Some(2), "the areas it had");
    assert_eq!((&then["addenda"], then["records"].as_array().map(Vec::len)), (&json!([]), Some(2)));
    let later = chart(&signed).await.ok()["chart"].clone();
    assert_eq!((&later["patient"]["gender"], &later["sessions"][0]["note"]), (&json!("woman"), &json!("Calm.")));
    assert_eq!(later["sessions"][0]["areas"], json!([{"area": "NOSE"}]));
    assert_eq!(later["addenda"], json!([{"text": "The lot was C-2."}]));
    let hash = clinic.database.superuser().await.one("SELECT encode(content_hash, 'hex') FROM treatment_session").await;
    assert_eq!(later["sessions"][0]["signature"]["contentHash"], json!(hash), "signed with the hash it has");
    let record = |kind: &str| {
        later["records"].as_array().expect("a list").iter().find(|it| it["kind"] == kind).expect(kind).clone()
    };
    let record_session = record("TREATMENT_SESSION");
    assert_eq!(
        (&record_session["version"], &record_session["action"], &record_session["by"]["id"]),
        (&json!(at_last.version), &json!("SIGN"), &json!(anna.id()))
    );
    assert_eq!(record_session["signature"], json!({"contentHash": hash, "signedBy": {"id": anna.id()}}));
    assert_eq!(record_session["content"]["practitionerId"], json!(anna.id()), "typed ids and names of the API");
    assert_eq!(record("ADDENDUM")["id"], json!(addendum.id));
    assert_eq!(chart(&drafted).await.ok()["chart"], then, "what was known stays known");
    let open = clinic.auditor().graphql(CHART, json!({"id": patient.id})).await.ok()["chart"].clone();
    assert_eq!((&open["records"], &open["ledgerSequence"]), (&later["records"], &later["ledgerSequence"]));
    let stranger = clinic.stranger().graphql(CHART, json!({"id": patient.id, "at": signed})).await;
    assert_eq!(stranger.outcome(), "NOT_FOUND");
    assert_eq!(clinic.front_desk().graphql(CHART, json!({"id": patient.id})).await.outcome(), "FORBIDDEN");
}

#[tokio::test(flavor = "multi_thread")]
async fn before_a_merge_the_records_are_in_the_one_chart_and_after_it_in_the_other() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (from, into) = (anna.patient("Zoë", "Ramírez").await, anna.patient("Zoë", "Ramírez").await);
    let session = anna.signed_session(&from).await;
    let before = now().await;
    let merge = anna.make("mergePatients", "merge", merging(&from, &into, json!({}))).await;
    let merged = now().await;
    anna.does("unmergePatients", json!({"mergeId": merge.id, "reason": "Twins"}), "merge { id }").await.ok();
    let apart = now().await;
    let sessions = async |patient: &Made, at: &str| {
        let chart = anna.graphql(CHART, json!({"id": patient.id, "at": at})).await.ok()["chart"].clone();
        chart["sessions"].as_array().expect("a list").iter().map(|it| it["id"].clone()).collect::<Vec<Value>>()
    };
    let own = vec![json!(session.id)];
    assert_eq!((sessions(&from, &before).await, sessions(&into, &before).await), (own.clone(), vec![]));
    assert_eq!((sessions(&from, &merged).await, sessions(&into, &merged).await), (vec![], own.clone()));
    assert_eq!((sessions(&from, &apart).await, sessions(&into, &apart).await), (own, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_on_the_timeline_has_its_list_in_the_patient_and_in_the_chart() {
    let clinic = Clinic::start().await;
    let schema = Schema::ask(&clinic.anonymous()).await;
    let kinds: BTreeSet<String> = schema.get("TimelineRecord").possible.iter().cloned().collect();
    assert!(kinds.len() >= 11, "{kinds:?}");
    let lists = |ty: &str| -> BTreeSet<String> {
        let types = schema.get(ty).fields.iter().map(|field| field.named_type());
        types.map(|ty| ty.strip_suffix("Connection").unwrap_or(ty).to_owned()).filter(|ty| kinds.contains(ty)).collect()
    };
    let wrong = difference(kinds.clone(), lists("PatientChart"), "lists of PatientChart, src/api/chart/mod.rs:");
    assert!(wrong.is_empty(), "{wrong}");
    // Addenda are found at what they are to.
    let others = kinds.iter().filter(|kind| *kind != "Addendum").cloned();
    let wrong = difference(others, lists("Patient"), "lists of Patient, src/api/patient/mod.rs:");
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_birth_date_does_not_move_past_what_the_chart_tells_of() {
    let clinic = Clinic::start().await;
    let (anna, desk) = (clinic.practitioner(), clinic.front_desk());
    let moved = |by: &SignedIn, patient: &Made, to: &str| {
        let edit = patient.edit_with(json!({"patch": {"birthDate": to}}));
        let by = by.clone();
        async move { by.does("updatePatient", edit, "patient { id version }").await }
    };
    let empty = anna.patient("Eve", "E").await;
    moved(&anna, &empty, &day(-1)).await.ok();
    let patient = anna.patient("Ada", "Lovelace").await;
    anna.consultation_with(&patient, json!({"heldAt": "2020-03-01T10:00:00Z"})).await;
    let session = json!({"startedAt": "2019-06-01T10:00:00Z", "endedAt": "2019-06-01T11:00:00Z"});
    let session = anna.session_with(&patient, session).await;
    let refused = moved(&anna, &patient, "2019-06-03").await;
    assert_eq!(refused.faults(), ["input.patch.birthDate"]);
    assert!(refused.text.contains("after a treatment session of 2019-06-01"), "{}", refused.text);
    let hidden = moved(&desk, &patient, "2019-06-03").await;
    assert_eq!(hidden.faults(), ["input.patch.birthDate"]);
    assert!(!hidden.text.contains("treatment session") && !hidden.text.contains("2019-06-01"), "{}", hidden.text);
    // The day of another time zone, and an earlier day, are taken.
    let patient = Made::of(&moved(&desk, &patient, "2019-06-02").await.ok()["updatePatient"]["patient"]);
    let patient = Made::of(&moved(&desk, &patient, "1990-01-01").await.ok()["updatePatient"]["patient"]);
    let entry = json!({"patientId": patient.id, "kind": "CONDITION", "text": "Eczema", "onsetOn": "1991-01-01"});
    anna.make("addHealthEntry", "healthEntry", entry).await;
    let refused = moved(&anna, &patient, "1995-01-01").await;
    assert!(refused.text.contains("after a health entry of 1991-01-01"), "{}", refused.text);
    // A merge takes no birth date past the records of either.
    let other = anna.patient_with("Ada", "Lovelace", json!({"birthDate": "1995-01-01"})).await;
    let take = json!({"resolution": [{"field": "BIRTH_DATE", "take": "INTO"}]});
    let refused =
        anna.does("mergePatients", crate::access::merging(&patient, &other, take.clone()), "__typename").await;
    assert_eq!(refused.faults(), ["input.resolution"], "{}", refused.text);
    assert!(refused.text.contains("after a health entry of 1991-01-01"), "{}", refused.text);
    let edit = json!({"id": session.id, "expectedVersion": session.version, "patch": {"status": "ENTERED_IN_ERROR"}});
    anna.make("updateSession", "session", edit).await;
    let fits = json!({"resolution": [{"field": "BIRTH_DATE", "take": "FROM"}]});
    anna.does("mergePatients", crate::access::merging(&patient, &other, fits), "__typename").await.ok();
}
