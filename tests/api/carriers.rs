//! What carries the content of another kind asks that kind's right: a chart's records, merges, histories, answers to writes.

use crate::access::{Chart, chart, query};
use crate::support::*;
use std::collections::{BTreeMap, BTreeSet};

const NO: &str = "FORBIDDEN";

/// Every field of the schema that holds content of any shape, and whose right it asks.
const OF_ANY_SHAPE: [(&str, &str, &str); 6] = [
    ("Change", "before", "the kind of the record whose history it is"),
    ("Change", "after", "the kind of the record whose history it is"),
    ("ChartRecord", "content", "the record's own kind: what may not be read is no record of the chart"),
    ("MergeConflict", "from", "merges and patients"),
    ("MergeConflict", "into", "merges and patients"),
    ("PatientExport", "content", "exporting, every kind that is in it, and the access log"),
];

/// Kinds that hang on no patient: no chart has them.
const OF_NOBODY: [&str; 18] = [
    "HEALTH_TERM",
    "CREDENTIAL",
    "SUPERVISION_AGREEMENT",
    "ORGANISATION",
    "LOCATION",
    "STAFF",
    "DEVICE",
    "PRODUCT",
    "PRODUCT_LOT",
    "PROTOCOL",
    "PROTOCOL_VERSION",
    "CONSENT_TEMPLATE",
    "CONSENT_TEMPLATE_VERSION",
    "SERVICE_ACCOUNT",
    "API_KEY",
    "WEBHOOK",
    "PATIENT_ERASURE",
    // The chart's own, beside its records.
    "PATIENT",
];

const RECORDS: &str = "chart(patientId: $patient) { records { kind id: recordId content } }";

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_any_shape_has_its_right() {
    let clinic = Clinic::start().await;
    let schema = Schema::ask(&clinic.anonymous()).await;
    let found: BTreeSet<(String, String)> = schema
        .types
        .iter()
        .filter(|ty| ty.kind == "OBJECT")
        .flat_map(|ty| ty.fields.iter().map(move |field| (ty, field)))
        .filter(|(_, field)| field.named_type() == "JSON")
        .map(|(ty, field)| (ty.name.clone(), field.name.clone()))
        .collect();
    let known = OF_ANY_SHAPE.iter().map(|(ty, field, _)| ((*ty).to_owned(), (*field).to_owned())).collect();
    assert_eq!(found, known, "decide whose right a field asks that holds content of any shape");
}

/// What a reader is shown of each record of the chart: by the chart, and by `node`.
async fn compare(who: &Caller, name: &str, chart: &Chart, all: &BTreeMap<String, String>) -> BTreeSet<String> {
    let answer = who.graphql(&query(RECORDS), chart.ids.clone()).await;
    let records = answer.ok()["chart"]["records"].clone();
    let shown: BTreeSet<String> =
        records.as_array().expect("a list").iter().map(|it| it["id"].as_str().expect("an id").to_owned()).collect();
    let mut open = BTreeSet::new();
    for (id, kind) in all {
        let outcome = who.graphql(&query("node(id: $id) { id }"), json!({"id": id})).await.outcome();
        assert!(["ok", NO].contains(&outcome.as_str()), "{name} {kind} {outcome}");
        if outcome == "ok" {
            open.insert(id.clone());
        }
        // What is closed to `node` is closed to a list of nodes too.
        let listed = who.graphql(&query("nodes(ids: [$id]) { id }"), json!({"id": id})).await.outcome();
        assert_eq!(listed, outcome, "{name} {kind}");
    }
    let kind = |id: &String| all.get(id).cloned().unwrap_or_else(|| id.clone());
    let wrong: BTreeSet<String> = shown.symmetric_difference(&open).map(kind).collect();
    assert!(wrong.is_empty(), "{name}: the chart and node differ on {wrong:?}");
    shown.iter().map(kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_shows_of_each_kind_what_its_reader_may_read() {
    let clinic = Clinic::start().await;
    let chart = chart(&clinic, &clinic.north).await;
    let (admin, desk) = (clinic.admin(), clinic.front_desk());
    let emergency = json!({"patientId": chart.ids["patient"], "reason": "Unconscious at the door"});
    desk.make("beginEmergencyAccess", "emergencyAccess", emergency).await;
    let all = admin.graphql(&query(RECORDS), chart.ids.clone()).await.ok()["chart"]["records"].clone();
    let text = |it: &Value, key: &str| it[key].as_str().expect("text").to_owned();
    let all: BTreeMap<String, String> =
        all.as_array().expect("a list").iter().map(|it| (text(it, "id"), text(it, "kind"))).collect();
    let schema = Schema::ask(&clinic.anonymous()).await;
    let kinds: BTreeSet<String> = schema.get("RecordKind").enum_values.iter().map(|it| it.name.clone()).collect();
    let of_somebody: BTreeSet<String> = kinds.into_iter().filter(|kind| !OF_NOBODY.contains(&kind.as_str())).collect();
    assert_eq!(all.values().cloned().collect::<BTreeSet<_>>(), of_somebody, "put one into the chart of the tables");

    let without = |closed: &[&str]| -> BTreeSet<String> {
        of_somebody.iter().filter(|kind| !closed.contains(&kind.as_str())).cloned().collect()
    };
    assert_eq!(compare(&admin, "admin", &chart, &all).await, of_somebody);
    assert_eq!(compare(&clinic.auditor(), "auditor", &chart, &all).await, of_somebody);
    assert_eq!(compare(&clinic.practitioner(), "practitioner", &chart, &all).await, without(&["EMERGENCY_ACCESS"]));
    // The front desk in an emergency, by its emergency and by its role.
    let closed = ["EMERGENCY_ACCESS", "LEGAL_HOLD", "PATIENT_RESTRICTION", "PATIENT_MERGE"];
    assert_eq!(compare(&desk, "front desk", &chart, &all).await, without(&closed));
    // Programs, by their scopes.
    let audited = ["EMERGENCY_ACCESS", "LEGAL_HOLD", "PATIENT_RESTRICTION"];
    for (scopes, closed) in [
        (&["PATIENTS_READ", "CLINICAL_READ"][..], &audited[..]),
        (&["PATIENTS_READ", "CLINICAL_READ", "CATALOGUE_READ", "ORGANISATION_READ"], &audited),
        (&["PATIENTS_READ", "CLINICAL_READ", "AUDIT_READ"], &[]),
    ] {
        let name = scopes.join(" ");
        let service = admin.service_account(&name, scopes).await;
        let (_, secret) = admin.api_key(&service, json!({})).await;
        let program = clinic.anonymous().with_token(&secret);
        assert_eq!(compare(&program, &name, &chart, &all).await, without(closed), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_is_for_who_may_read_patients_too() {
    let clinic = Clinic::start().await;
    let chart = chart(&clinic, &clinic.north).await;
    let admin = clinic.admin();
    let text = "node(id: $merge) { ... on PatientMerge { reason conflicts { from into } history(first: 3) { nodes { changes { before after } } } } }";
    for (scopes, outcome) in [
        (&["CLINICAL_READ"][..], NO),
        (&["PATIENTS_READ"], NO),
        (&["CLINICAL_READ", "CATALOGUE_READ", "ORGANISATION_READ", "AUDIT_READ"], NO),
        (&["CLINICAL_READ", "PATIENTS_READ"], "ok"),
    ] {
        let service = admin.service_account(&scopes.join(" "), scopes).await;
        let (_, secret) = admin.api_key(&service, json!({})).await;
        let ids = json!({"merge": chart.ids["merge"]});
        let asked = format!("query ($merge: ID!) {{ {text} }}");
        let answer = clinic.anonymous().with_token(&secret).graphql(&asked, ids).await;
        assert_eq!(answer.outcome(), outcome, "{scopes:?} {}", answer.text);
        let named = answer.text.contains("+34600123457");
        assert_eq!(named, outcome == "ok", "{scopes:?} {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_about_an_emergency_is_not_told_to_who_had_it() {
    let clinic = Clinic::start().await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let patient = anna.patient("Zoë", "Ramírez").await;
    for who in [clinic.practitioner(), clinic.front_desk()] {
        let input = json!({"patientId": patient.id, "reason": "Unconscious at the door"});
        let begun = who.make("beginEmergencyAccess", "emergencyAccess", input).await;
        let review = json!({"id": begun.id, "expectedVersion": begun.version, "note": "Misuse suspected"});
        admin.make("reviewEmergencyAccess", "emergencyAccess", review).await;
        let selection = "emergencyAccess { id reviewedAt reviewNote reviewedBy { id } history { totalCount } }";
        let ended = who.does("endEmergencyAccess", json!({"id": begun.id}), selection).await;
        assert_eq!(ended.outcome(), NO, "{}", ended.text);
        assert!(!ended.text.contains("Misuse"), "{}", ended.text);
        let selection = "emergencyAccess { id open reviewedAt reviewNote reviewedBy { id } }";
        let input = json!({"patientId": patient.id, "reason": "Unconscious at the door"});
        let begun = who.does("beginEmergencyAccess", input, selection).await;
        let shown = &begun.data["beginEmergencyAccess"]["emergencyAccess"];
        assert_eq!((begun.outcome().as_str(), &shown["open"], &shown["reviewNote"]), (NO, &json!(true), &Value::Null));
        who.does("endEmergencyAccess", json!({"id": shown["id"]}), "__typename").await.ok();
    }
}
