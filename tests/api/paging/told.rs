//! Arguments, edges, and the total.

use super::{List, ROWS, ties};
use crate::support::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

#[tokio::test(flavor = "multi_thread")]
async fn paging_arguments_that_make_no_sense_are_refused() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient("Ada", "Lovelace").await;
    anna.session(&patient).await;
    let cursor = async |query: &str| {
        let data = anna.ask(query).await;
        let list = data.as_object().unwrap().values().next().unwrap();
        list["pageInfo"]["endCursor"].as_str().unwrap().to_owned()
    };
    let by_name = cursor("{ patients { pageInfo { endCursor } } }").await;
    let by_birth = cursor("{ patients(orderBy: {field: BIRTH_DATE}) { pageInfo { endCursor } } }").await;
    let down = cursor("{ patients(orderBy: {field: NAME, direction: DESC}) { pageInfo { endCursor } } }").await;
    let session = cursor("{ sessions { pageInfo { endCursor } } }").await;
    // As it was when cursors held their place in clear.
    let made_up = URL_SAFE_NO_PAD.encode(json!(["name:Asc", {"Text": "m"}, uuid::Uuid::nil()]).to_string());
    clinic.stranger().patient("Sue", "South").await;
    let south = clinic.stranger().ask("{ patients { pageInfo { endCursor } } }").await;
    let elsewhere = south["patients"]["pageInfo"]["endCursor"].as_str().unwrap().to_owned();
    let cases: Vec<(String, Vec<&str>)> = vec![
        ("first: 101".into(), vec!["first"]),
        ("first: -1".into(), vec!["first"]),
        ("last: 101".into(), vec!["last"]),
        ("last: -2147483648".into(), vec!["last"]),
        ("first: 1, last: 1".into(), vec!["last"]),
        ("first: 101, last: -1".into(), vec!["first", "last", "last"]),
        (format!("first: 1, before: \"{by_name}\""), vec!["before"]),
        (format!("last: 1, after: \"{by_name}\""), vec!["after"]),
        (format!("after: \"{by_birth}\""), vec!["after"]),
        (format!("after: \"{down}\""), vec!["after"]),
        (format!("after: \"{session}\""), vec!["after"]),
        (format!("last: 1, before: \"{by_birth}\""), vec!["before"]),
        ("after: \"\"".into(), vec!["after"]),
        ("after: \"garbage\"".into(), vec!["after"]),
        ("after: \"W10\"".into(), vec!["after"]),
        (format!("after: \"{made_up}\""), vec!["after"]),
        (format!("after: \"{elsewhere}\""), vec!["after"]),
    ];
    for (paging, paths) in cases {
        let answer = anna.graphql(&format!("{{ patients({paging}) {{ nodes {{ id }} }} }}"), json!({})).await;
        assert_eq!((answer.code(), answer.faults()), ("BAD_USER_INPUT", paths), "{paging}");
    }
    for nested in ["sessions", "consultations", "aftercareNotes"] {
        let query =
            format!("query ($id: ID!) {{ patient(id: $id) {{ id {nested}(first: 101) {{ nodes {{ id }} }} }} }}");
        let answer = anna.graphql(&query, json!({"id": patient.id})).await;
        assert_eq!(
            (answer.code(), answer.faults(), &answer.data["patient"]["id"]),
            ("BAD_USER_INPUT", vec!["first"], &json!(patient.id))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_edges_of_a_list_are_told() {
    let clinic = Clinic::start().await;
    let (anna, ..) = ties(&clinic).await;
    let list = List::new("$", "sessions", String::new());
    let info = |page: &Value| {
        (
            page["nodes"].as_array().unwrap().len(),
            page["pageInfo"]["hasPreviousPage"].as_bool().unwrap(),
            page["pageInfo"]["hasNextPage"].as_bool().unwrap(),
        )
    };
    for (paging, expected) in [
        ("first: 100", (ROWS, false, false)),
        ("last: 100", (ROWS, false, false)),
        ("first: 24", (ROWS, false, false)),
        ("last: 24", (ROWS, false, false)),
        ("first: 23", (23, false, true)),
        ("last: 23", (23, true, false)),
        ("first: 0", (0, false, true)),
        ("last: 0", (0, true, false)),
        ("", (20, false, true)),
    ] {
        assert_eq!(info(&list.page(&anna, paging).await), expected, "{paging}");
    }
    let whole = list.page(&anna, "first: 100").await;
    let end = whole["pageInfo"]["endCursor"].as_str().unwrap();
    let past = list.page(&anna, &format!("first: 5, after: \"{end}\"")).await;
    assert_eq!((info(&past), &past["pageInfo"]["endCursor"]), ((0, true, false), &Value::Null));
    let nothing =
        List::new("$", "sessions", "filter: {signed: true, modality: [PRP]}".to_owned()).page(&anna, "last: 5").await;
    assert_eq!(info(&nothing), (0, false, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn total_count_counts_the_whole_list_whatever_the_page() {
    let clinic = Clinic::start().await;
    let (anna, patient, session) = ties(&clinic).await;
    let of_patient = format!("patient(id: \"{}\") {{ $ }}", patient.id);
    let of_session = format!("session(id: \"{}\") {{ $ }}", session.id);
    for (around, field, arguments, count) in [
        ("$", "patients", "", ROWS),
        ("$", "patients", "search: \"lovelace\"", ROWS),
        ("$", "patients", "search: \"nobody\"", 0),
        ("$", "sessions", "", ROWS),
        ("$", "consultations", "", ROWS),
        ("$", "aftercareNotes", "", ROWS),
        ("$", "aftercareNotes", "filter: {signed: true}", 0),
        ("$", "staff", "", ROWS + 5),
        ("$", "staff", "filter: {role: AUDITOR}", 1),
        ("$", "locations", "", ROWS),
        ("$", "healthEntries", "", ROWS),
        ("$", "addenda", "", ROWS),
        ("$", "countersignatures", "", ROWS),
        ("$", "retractions", "", ROWS),
        ("$", "supervisionAgreements", "", ROWS),
        ("$", "chartReviews", "", ROWS),
        ("$", "credentials", "", ROWS + 1),
        ("organisation { $ }", "locations", "", ROWS),
        (of_patient.as_str(), "sessions", "", ROWS),
        (of_patient.as_str(), "sessions", "filter: {status: [STOPPED]}", 0),
        (of_patient.as_str(), "consultations", "", ROWS),
        (of_patient.as_str(), "aftercareNotes", "", ROWS),
        (of_session.as_str(), "aftercareNotes", "", ROWS),
        (of_session.as_str(), "addenda", "", ROWS),
        (of_session.as_str(), "history", "", 2),
    ] {
        let list = List::new(around, field, arguments.to_owned());
        for selection in ["totalCount", "totalCount nodes { __typename }"] {
            let data = anna.ask(&format!("{{ {} }}", list.query("first: 1", selection))).await;
            assert_eq!(list.of(&data)["totalCount"], count, "{}", list.shown());
        }
    }
}
