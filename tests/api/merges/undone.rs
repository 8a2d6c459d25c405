//! Merges that are undone.

use super::{MERGE, everything};
use crate::access::merging;
use crate::ledger::broken;
use crate::support::*;

/// Every row of every table that holds something of patients, but for what a merge may leave changed.
async fn rows(sql: &Sql) -> Vec<String> {
    let mut tables = sql.column("SELECT name FROM patient_tables() UNION SELECT name FROM patient_parts()").await;
    tables.extend(["patient_search".to_owned(), "name_piece".to_owned(), "patient_identifier".to_owned()]);
    let mut found = Vec::new();
    let what = "(to_jsonb(t) - '{updated_at,updated_by,moved_at}'::text[])::text";
    for table in tables {
        found.extend(sql.column(&format!("SELECT '{table} ' || ({what}) FROM {table} AS t ORDER BY 1")).await);
    }
    found.extend(
        sql.column("SELECT (to_jsonb(p) - 'version' - 'updated_at' - 'updated_by')::text FROM patient p ORDER BY id")
            .await,
    );
    found.sort();
    found
}

/// A dry run shows and writes nothing, and nothing is merged over the caller's head: what the dry run told.
async fn a_dry_run_writes_nothing(clinic: &Clinic, from: &Made, into: &Made) -> Value {
    let (anna, sql) = (clinic.practitioner(), clinic.database.superuser().await);
    let entries = || sql.one("SELECT count(*) FROM ledger");
    let (count, before) = (entries().await, rows(&sql).await);
    let dry =
        anna.does("mergePatients", merging(from, into, json!({"dryRun": true})), MERGE).await.ok()["mergePatients"]
            .clone();
    assert_eq!((&dry["merge"], entries().await, rows(&sql).await), (&Value::Null, count, before));
    let fields: Vec<&str> =
        dry["conflicts"].as_array().expect("a list").iter().filter_map(|it| it["field"].as_str()).collect();
    assert_eq!(fields, ["LEGAL_NAME", "PHONE"]);
    assert_eq!(
        dry["conflicts"][1],
        json!({"field": "PHONE", "from": "+34600000001", "into": "+34600000002", "taken": null})
    );
    let refused = anna.does("mergePatients", merging(from, into, json!({})), MERGE).await;
    assert_eq!((refused.outcome().as_str(), refused.faults().len()), ("BAD_USER_INPUT", 2), "{}", refused.text);
    assert!(refused.text.contains("phone") && refused.text.contains("legal name"), "{}", refused.text);
    dry
}

/// Both charts can still be read, and both numbers find the patient.
async fn both_charts_are_found(anna: &SignedIn, from: &Made, into: &Made) {
    let query = "query ($id: ID!) { patient(id: $id) { status mergedInto { id } chartNumber merges { id } sessions { totalCount } } }";
    let old = anna.graphql(query, json!({"id": from.id})).await.ok()["patient"].clone();
    assert_eq!(
        (&old["status"], &old["mergedInto"]["id"], &old["sessions"]["totalCount"]),
        (&json!("MERGED"), &json!(into.id), &json!(0))
    );
    let search = "query ($text: String!, $status: [PatientStatus!]) { patients(search: $text, filter: {status: $status}) { totalCount nodes { id } } }";
    for text in ["P-000001", "P-000002", "zoe@x.example"] {
        let found = anna.graphql(search, json!({"text": text})).await.ok();
        assert_eq!(found["patients"]["nodes"], json!([{"id": into.id}]), "{text}");
    }
    let merged = anna.graphql(search, json!({"text": "P-000001", "status": ["MERGED"]})).await.ok();
    assert_eq!(merged["patients"]["nodes"], json!([{"id": from.id}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_moves_and_everything_goes_back() {
    let clinic = Clinic::start().await;
    let (anna, sql, org) = (clinic.practitioner(), clinic.database.superuser().await, clinic.north.uuid);
    let from = anna
        .patient_with(
            "Zoe",
            "Ramirez",
            json!({"email": "zoe@x.example", "phone": "+34600000001", "chartNumber": "P-000001"}),
        )
        .await;
    let into = anna
        .patient_with("Zoë", "Ramírez", json!({"phone": "+34600000002", "gender": "woman", "chartNumber": "P-000002"}))
        .await;
    everything(&clinic, &from, "first").await;
    everything(&clinic, &into, "second").await;
    let before = rows(&sql).await;
    let hashes = "SELECT string_agg(id || encode(content_hash, 'hex'), ' ' ORDER BY id) FROM treatment_session WHERE signed_at IS NOT NULL";
    let sealed = sql.one(hashes).await;
    let entries = || sql.one("SELECT count(*) FROM ledger");
    let count = entries().await;

    let dry = a_dry_run_writes_nothing(&clinic, &from, &into).await;
    let decided = json!({"resolution": [{"field": "LEGAL_NAME", "take": "INTO"}, {"field": "PHONE", "take": "FROM"}]});
    let done = anna.does("mergePatients", merging(&from, &into, decided), MERGE).await.ok()["mergePatients"].clone();
    assert_eq!(done["moved"], dry["moved"], "as the dry run said");
    let moved = done["moved"].as_array().expect("a list").iter().filter_map(|it| it["kind"].as_str());
    let tables = sql.column("SELECT upper(name) FROM patient_tables()").await;
    let wrong = difference(
        tables,
        moved.map(str::to_owned),
        "moved, against patient_tables(); merges/marked.rs makes one of each:",
    );
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(done["conflicts"][1]["taken"], "FROM");
    assert_eq!((&done["patient"]["id"], &done["patient"]["email"]), (&json!(into.id), &json!("zoe@x.example")));
    let texts: Vec<&str> = done["patient"]["healthHistory"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|it| it["text"].as_str())
        .collect();
    assert_eq!(texts, ["Latex second", "Latex first"], "no allergy is lost");
    for table in sql.column("SELECT name FROM patient_tables()").await {
        let left = sql.one(&format!("SELECT count(*) FROM {table} WHERE patient_id = '{}'", uuid_of(&from.id))).await;
        assert_eq!(left, "0", "{table}");
    }
    assert_eq!(sql.one(hashes).await, sealed, "what was signed is as it was signed");
    // Each moved record has its entry, under the new patient; the last is the merge's own.
    let moved: i64 = done["moved"].as_array().expect("a list").iter().filter_map(|it| it["count"].as_i64()).sum();
    let added: i64 = entries().await.parse::<i64>().unwrap() - count.parse::<i64>().unwrap();
    assert_eq!(added, moved + 3);
    assert_eq!(broken(&sql, "ledger", org).await, None);
    let stale = "SELECT count(*) FROM ledger l WHERE action = 'merge' AND record_kind NOT IN ('patient', 'patient_merge') AND \
        (content::jsonb ->> 'patient_id') IS DISTINCT FROM patient_id::text";
    assert_eq!(sql.one(stale).await, "0");

    both_charts_are_found(&anna, &from, &into).await;

    // A retry gives the same; the other way round there is nothing to merge any more.
    let merge = done["merge"]["id"].clone();
    let undone = anna
        .does(
            "unmergePatients",
            json!({"mergeId": merge, "reason": "Twins"}),
            "merge { undoReason kept } from { status } into { phone }",
        )
        .await;
    let undone = undone.ok()["unmergePatients"].clone();
    assert_eq!(
        undone,
        json!({"merge": {"undoReason": "Twins", "kept": []}, "from": {"status": "ACTIVE"}, "into": {"phone": "+34600000002"}})
    );
    let after = rows(&sql).await;
    let gone: Vec<&String> = before.iter().filter(|row| !after.contains(row)).collect();
    let new: Vec<&String> = after.iter().filter(|row| !before.contains(row)).collect();
    assert!(gone.is_empty() && new.is_empty(), "{gone:#?}\n{new:#?}");
    assert_eq!(sql.one(hashes).await, sealed);
    assert_eq!(broken(&sql, "ledger", org).await, None);
    let again = anna.does("unmergePatients", json!({"mergeId": merge, "reason": "Twins"}), "merge { id }").await;
    assert_eq!(again.outcome(), "BAD_USER_INPUT");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_since_stays_and_what_hangs_on_a_moved_record_goes_back_with_it() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let from = anna.patient_with("Zoë", "Ramírez", json!({"email": "a@x.example"})).await;
    let into = anna.patient("Zoë", "Ramírez").await;
    let session = anna.signed_session(&from).await;
    let merge = anna.make("mergePatients", "merge", merging(&from, &into, json!({}))).await;
    let since = anna.health_entry(&into).await;
    let note = anna.note(&session).await;
    anna.addendum(&session).await;
    let edit = json!({"id": into.id, "expectedVersion": 2, "patch": {"email": "new@x.example"}});
    anna.make("updatePatient", "patient", edit).await;
    let undone =
        anna.does("unmergePatients", json!({"mergeId": merge.id, "reason": "Twins"}), "merge { kept }").await.ok();
    assert_eq!(undone["unmergePatients"]["merge"]["kept"], json!(["EMAIL"]));
    let query = "query ($id: ID!) { patient(id: $id) { email status healthHistory { id } aftercareNotes { nodes { id } } \
        sessions { nodes { id addenda { totalCount } } } } }";
    let of = async |patient: &Made| anna.graphql(query, json!({"id": patient.id})).await.ok()["patient"].clone();
    let (first, second) = (of(&from).await, of(&into).await);
    assert_eq!(
        first,
        json!({"email": "a@x.example", "status": "ACTIVE", "healthHistory": [], "aftercareNotes": {"nodes": [{"id": note.id}]},
        "sessions": {"nodes": [{"id": session.id, "addenda": {"totalCount": 1}}]}})
    );
    assert_eq!(
        second,
        json!({"email": "new@x.example", "status": "ACTIVE", "healthHistory": [{"id": since.id}], "aftercareNotes": {"nodes": []},
        "sessions": {"nodes": []}})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn merges_follow_each_other_and_are_undone_in_turn() {
    let clinic = Clinic::start().await;
    let (anna, sql) = (clinic.practitioner(), clinic.database.superuser().await);
    let mut made = Vec::new();
    for number in ["P-000001", "P-000002", "P-000003"] {
        made.push(anna.patient_with("Zoë", "Ramírez", json!({"chartNumber": number})).await);
    }
    anna.health_entry(&made[0]).await;
    let before = rows(&sql).await;
    let first = anna.make("mergePatients", "merge", merging(&made[0], &made[1], json!({}))).await;
    made[1].version += 1;
    let second = anna.make("mergePatients", "merge", merging(&made[1], &made[2], json!({}))).await;
    let query = "query ($id: ID!) { patient(id: $id) { mergedInto { id } } }";
    for patient in &made[..2] {
        let found = anna.graphql(query, json!({"id": patient.id})).await.ok();
        assert_eq!(found["patient"]["mergedInto"]["id"], json!(made[2].id), "who was merged goes along");
    }
    let found = anna.ask("{ patients(search: \"P-000001\") { nodes { id } } }").await;
    assert_eq!(found["patients"]["nodes"], json!([{"id": made[2].id}]));
    let undo = async |merge: &Made| {
        anna.does("unmergePatients", json!({"mergeId": merge.id, "reason": "x"}), "merge { id }").await
    };
    let early = undo(&first).await;
    assert_eq!((early.outcome().as_str(), early.faults()), ("BAD_USER_INPUT", vec!["input.mergeId"]), "{}", early.text);
    undo(&second).await.ok();
    undo(&first).await.ok();
    assert_eq!(rows(&sql).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn merges_into_one_patient_are_taken_back_the_newest_first() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let first = anna.patient_with("Zoë", "Ramírez", json!({"phone": "+34600000001"})).await;
    let second = anna.patient_with("Zoë", "Ramírez", json!({"phone": "+34600000003"})).await;
    let mut into = anna.patient("Zoë", "Ramírez").await;
    let one = anna.make("mergePatients", "merge", merging(&first, &into, json!({}))).await;
    into.version += 1;
    let taken = json!({"resolution": [{"field": "PHONE", "take": "FROM"}]});
    let two = anna.make("mergePatients", "merge", merging(&second, &into, taken)).await;
    let undo = async |merge: &Made| {
        anna.does("unmergePatients", json!({"mergeId": merge.id, "reason": "x"}), "into { phone }").await
    };
    // The first one's phone would stay with who was merged with them by mistake.
    let early = undo(&one).await;
    assert_eq!((early.outcome().as_str(), early.faults()), ("BAD_USER_INPUT", vec!["input.mergeId"]), "{}", early.text);
    assert_eq!(undo(&two).await.ok()["unmergePatients"]["into"]["phone"], "+34600000001");
    assert_eq!(undo(&one).await.ok()["unmergePatients"]["into"]["phone"], Value::Null);
}
