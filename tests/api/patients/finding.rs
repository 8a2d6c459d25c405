//! Finding patients: search, filters, orders.

use crate::support::*;

/// What `patients` finds, as display names in the order they come.
async fn names(caller: &Caller, variables: Value) -> Vec<String> {
    let query = "query ($search: String, $filter: PatientFilter, $orderBy: PatientOrder) {
        patients(search: $search, filter: $filter, orderBy: $orderBy) { totalCount nodes { displayName } } }";
    let data = caller.graphql(query, variables).await.ok();
    let nodes = data["patients"]["nodes"].as_array().unwrap();
    assert_eq!(data["patients"]["totalCount"], nodes.len());
    nodes.iter().map(|node| node["displayName"].as_str().unwrap().to_owned()).collect()
}

async fn some_patients(anna: &SignedIn) {
    anna.patient_with("Anna", "Johnson", json!({"birthDate": "1990-05-17"})).await;
    anna.patient_with("Annabel", "Smith", json!({"preferredName": "Bella", "birthDate": "1975-01-02"})).await;
    let zoe = json!({"email": "zoe.ramirez@correo.example", "phone": "+34600123456", "chartNumber": "MAD-0815"});
    anna.patient_with("Zoë", "Ramírez", zoe).await;
    anna.patient_with("Jonas", "Müller-Østergård", json!({"birthDate": "2001-12-31"})).await;
    anna.patient_with("Máire", "O’Brien", json!({"birthDate": "1960-07-08"})).await;
    anna.patient_with("小龙", "李", json!({"birthDate": "1955-03-03"})).await;
}

const ANNA: &str = "Anna Johnson";
const BELLA: &str = "Bella Smith";
const ZOE: &str = "Zoë Ramírez";
const JONAS: &str = "Jonas Müller-Østergård";
const MAIRE: &str = "Máire O’Brien";
const LONG: &str = "小龙 李";

#[tokio::test(flavor = "multi_thread")]
async fn patients_are_found_by_what_the_front_desk_types() {
    let clinic = Clinic::start().await;
    some_patients(&clinic.practitioner()).await;
    let desk = clinic.front_desk();
    let found: &[(&str, &[&str])] = &[
        // part of a name, in any case and order
        ("john", &[ANNA]),
        ("hnso", &[ANNA]),
        ("SMITH", &[BELLA]),
        ("johnson anna", &[ANNA]),
        ("jo", &[ANNA, JONAS]),
        ("bella", &[BELLA]),
        ("小龙", &[LONG]),
        ("李", &[LONG]),
        // accents and punctuation
        ("ramirez", &[ZOE]),
        ("RAMÍREZ", &[ZOE]),
        ("Rami\u{301}rez", &[ZOE]),
        ("muller ostergard", &[JONAS]),
        ("zoe", &[ZOE]),
        ("obrien", &[MAIRE]),
        ("o'brien", &[MAIRE]),
        ("maire", &[MAIRE]),
        // a little misspelt
        ("jonson", &[ANNA]),
        ("johnsen", &[ANNA]),
        ("ramires", &[ZOE]),
        ("ostergaard", &[JONAS]),
        // phone, e-mail, chart number
        ("600123", &[ZOE]),
        ("600 123 456", &[ZOE]),
        ("+34 600 12 34 56", &[ZOE]),
        ("23456", &[ZOE]),
        ("correo", &[ZOE]),
        ("zoe.ramirez@correo.example", &[ZOE]),
        ("mad-0815", &[ZOE]),
        ("0815", &[ZOE]),
        // nothing
        ("peterson", &[]),
        ("xqzw", &[]),
        ("999888777", &[]),
    ];
    for (text, expected) in found {
        let mut got = names(&desk, json!({"search": text})).await;
        got.sort();
        assert_eq!(got, *expected, "{text}");
    }
    assert_eq!(names(&desk, json!({"search": "anna"})).await, [ANNA, BELLA], "the closest first");
    assert_eq!(names(&desk, json!({"search": "  "})).await.len(), 6, "a blank text is no search");
    for wrong in ["x".repeat(101), "-- %_ '".to_owned(), "…".to_owned()] {
        let answer =
            desk.graphql("query ($s: String) { patients(search: $s) { totalCount } }", json!({"s": wrong})).await;
        assert_eq!((answer.code(), answer.faults()), ("BAD_USER_INPUT", vec!["search"]), "{wrong}");
    }
    assert_eq!(names(&clinic.stranger(), json!({"search": "anna"})).await, [""; 0], "not another's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_follows_what_is_changed() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let patient = anna.patient_with("Greta", "Garbo", json!({"email": "g@hollywood.example"})).await;
    let patch = json!({"patch": {"legalName": {"given": "Greta", "family": "Gustafsson"}, "email": null}});
    anna.does("updatePatient", patient.edit_with(patch), "patient { id }").await.ok();
    for (text, count) in [("garbo", 0), ("hollywood", 0), ("gustafson", 1), ("greta", 1)] {
        assert_eq!(names(&anna, json!({"search": text})).await.len(), count, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_filtered() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    some_patients(&anna).await;
    let treated = anna.patient("Tina", "Treated").await;
    anna.session(&treated).await; // began two hours ago
    let gone = anna.patient("Gus", "Gone").await;
    let since = anna.graphql("query ($id: ID!) { patient(id: $id) { updatedAt } }", json!({"id": gone.id})).await.ok()
        ["patient"]["updatedAt"]
        .clone();
    anna.does("archivePatient", gone.edit_with(json!({"reason": "moved"})), "patient { id }").await.ok();
    let all = names(&anna, json!({})).await;
    assert_eq!(all.len(), 8, "active and archived ones");
    let cases = [
        (json!({"status": ["ARCHIVED"]}), vec!["Gus Gone"]),
        (json!({"status": ["ARCHIVED", "MERGED"]}), vec!["Gus Gone"]),
        (json!({"status": ["MERGED"]}), vec![]),
        (json!({"hasSessionSince": hours_ago(3)}), vec!["Tina Treated"]),
        (json!({"hasSessionSince": hours_ago(1)}), vec![]),
        (json!({"birthDate": "1975-01-02"}), vec![BELLA]),
        (json!({"birthDate": "1975-01-03"}), vec![]),
        (json!({"updatedSince": since}), vec!["Gus Gone"]),
        (json!({"updatedSince": since, "status": ["ACTIVE"]}), vec![]),
        (json!({"birthDate": "1990-05-17", "hasSessionSince": hours_ago(3)}), vec!["Tina Treated"]),
    ];
    for (filter, expected) in cases {
        assert_eq!(names(&anna, json!({"filter": filter})).await, expected, "{filter}");
    }
    let both = json!({"search": "anna", "filter": {"birthDate": "1975-01-02"}});
    assert_eq!(names(&anna, both).await, [BELLA]);
    let query = "query ($f: PatientFilter) { patients(filter: $f) { totalCount } }";
    let answer = clinic.front_desk().graphql(query, json!({"f": {"hasSessionSince": hours_ago(3)}})).await;
    assert_eq!(answer.code(), "FORBIDDEN", "who was treated is clinical");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_comes_in_each_order() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    some_patients(&anna).await;
    let first = anna.graphql("{ patients(search: \"johnson\") { nodes { id version } } }", json!({})).await.ok();
    let johnson = Made::of(&first["patients"]["nodes"][0]);
    anna.does("updatePatient", johnson.edit_with(json!({"patch": {}})), "patient { id }").await.ok();
    let registered = [ANNA, BELLA, ZOE, JONAS, MAIRE, LONG];
    let orders = [
        ("NAME", [ANNA, JONAS, MAIRE, ZOE, BELLA, LONG]),
        ("CHART_NUMBER", [ZOE, ANNA, BELLA, JONAS, MAIRE, LONG]),
        ("BIRTH_DATE", [LONG, MAIRE, BELLA, ANNA, ZOE, JONAS]),
        ("CREATED_AT", registered),
        ("UPDATED_AT", [BELLA, ZOE, JONAS, MAIRE, LONG, ANNA]),
    ];
    for (field, mut expected) in orders {
        for direction in ["ASC", "DESC"] {
            let order = json!({"orderBy": {"field": field, "direction": direction}});
            assert_eq!(names(&anna, order).await, expected, "{field} {direction}");
            expected.reverse();
        }
    }
    let relevance = |search: Option<&str>, direction: &str| json!({"search": search, "orderBy": {"field": "RELEVANCE", "direction": direction}});
    let sorted = async |direction| names(&anna, relevance(Some("anna"), direction)).await;
    assert_eq!(
        (sorted("DESC").await, sorted("ASC").await),
        (vec![ANNA.to_owned(), BELLA.to_owned()], vec![BELLA.to_owned(), ANNA.to_owned()])
    );
    let query = "query ($search: String, $orderBy: PatientOrder) { patients(search: $search, orderBy: $orderBy) { totalCount } }";
    assert_eq!(anna.graphql(query, relevance(None, "DESC")).await.faults(), ["orderBy.field"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_has_a_piece_of_a_search_twice() {
    let clinic = Clinic::start().await;
    let (anna, sql) = (clinic.practitioner(), clinic.database.superuser().await);
    let twice = async || {
        let twice = "SELECT count(*) FROM (SELECT FROM patient_search GROUP BY org_id, patient_id, trigram HAVING count(*) > 1) AS t";
        assert_eq!(sql.one(twice).await, "0", "the score of a search counts rows");
        sql.one("SELECT count(*) FROM patient_search").await
    };
    // The same pieces in several names, in the phone and in the chart number.
    let more = json!({"preferredName": "Anna", "email": "anna.anna@anna.example", "phone": "+34600600600", "chartNumber": "A-600600"});
    let (first, second) = (anna.patient_with("Anna Anna", "Annanna", more).await, anna.patient("Anna", "Annan").await);
    let before = twice().await;
    let patch = json!({"patch": {"legalName": {"given": "Hannah Anna", "family": "Annanna"}}});
    let first = anna.make("updatePatient", "patient", first.edit_with(patch)).await;
    assert_ne!(twice().await, before);
    let taking = json!({"resolution": [{"field": "LEGAL_NAME", "take": "FROM"}]});
    let merge = anna.make("mergePatients", "merge", crate::access::merging(&first, &second, taking)).await;
    twice().await;
    anna.does("unmergePatients", json!({"mergeId": merge.id, "reason": "Twins"}), "merge { id }").await.ok();
    twice().await;
}
