//! Whose a record is, is decided with nobody closed, and who is closed is asked after that: two charts that were one for a
//! while show nothing of each other when one of them is restricted.

use crate::access::{erasing, merging, query};
use crate::merges::everything;
use crate::support::*;
use std::collections::BTreeSet;

const CLOSED: &str = "REASON_REQUIRED";
/// What is in the texts of the closed patient's records, and who they are.
const TEXT: &str = "Zithering";
const WHO: [&str; 4] = ["Xylophone", "Quagmire", "+34600111222", "xylo@quagmire.example"];

/// Two charts that were merged by mistake and taken apart.
struct Apart {
    from: Made,
    into: Made,
    merge: Made,
    /// A moment at which they were one.
    during: String,
}

async fn moment() -> String {
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    now
}

/// The name and phone of the one who is merged away are taken, with the e-mail that the other has not.
fn taking_all(from: &Made, into: &Made) -> Value {
    let taken = json!([{"field": "LEGAL_NAME", "take": "FROM"}, {"field": "PHONE", "take": "FROM"}]);
    merging(from, into, json!({"resolution": taken, "reason": format!("{} is the same", WHO[0])}))
}

async fn unmerge(by: &SignedIn, merge: &Made) {
    by.does("unmergePatients", json!({"mergeId": merge.id, "reason": "Two persons"}), "merge { id }").await.ok();
}

async fn apart(clinic: &Clinic) -> Apart {
    let anna = clinic.practitioner();
    let who = json!({"phone": WHO[2], "email": WHO[3]});
    let from = anna.patient_with(WHO[0], WHO[1], who).await;
    let into = anna.patient_with("Ian", "Smith", json!({"phone": "+34600999888"})).await;
    everything(clinic, &from, TEXT).await;
    anna.health_entry(&into).await;
    let merge = anna.make("mergePatients", "merge", taking_all(&from, &into)).await;
    // What is written while they are one hangs on a record of the one, or names both.
    let edit = json!({"id": into.id, "expectedVersion": 2, "patch": {"gender": "man"}});
    anna.make("updatePatient", "patient", edit).await;
    let during = moment().await;
    unmerge(&anna, &merge).await;
    Apart { from, into, merge, during }
}

async fn restrict(clinic: &Clinic, patient: &Made) {
    let input = json!({"patientId": patient.id, "reason": "Works here"});
    clinic.admin().because("To restrict it").make("restrictPatient", "restriction", input).await;
}

const CHART: &str = "query ($id: ID!, $at: DateTime) { chart(patientId: $id, asOf: $at) { \
    patient { legalName { given family } phone email statusReason } \
    healthHistory { text } consultations { goals } sessions { note } aftercareNotes { text } addenda { text } \
    records { kind id: recordId content } } }";

const PATIENT: &str = "query ($id: ID!) { patient(id: $id) { legalName { given family } phone email \
    merges { id reason undoReason conflicts { field from into taken } history(first: 10) { nodes { changes { field before after } } } } \
    history(first: 100) { nodes { action changes { field before after } } } healthHistory { text history(first: 20) { totalCount } } \
    timeline { totalCount nodes { recordId } } legalHolds { reason } restrictions { reason } } \
    possibleDuplicates(patientId: $id) { score patient { id displayName } } }";

/// The words of a text that tell of the closed patient.
fn told(text: &str) -> Vec<&str> {
    WHO.into_iter().chain([TEXT]).filter(|word| text.contains(word)).collect()
}

/// Everything about a patient that somebody can ask for, as one text.
async fn all_of(who: &SignedIn, patient: &Made, moments: &[&str]) -> String {
    let mut text = who.graphql(PATIENT, json!({"id": patient.id})).await.text;
    for at in moments.iter().map(|at| json!(at)).chain([Value::Null]) {
        text += &who.graphql(CHART, json!({"id": patient.id, "at": at})).await.text;
    }
    if who.role() == Role::Admin {
        let input = json!({"patientId": patient.id});
        text += &who.does("exportPatient", input, "export { content }").await.text;
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_patient_is_in_no_view_of_who_was_merged_with_them_by_mistake() {
    let clinic = Clinic::start().await;
    let Apart { from, into, merge, during } = apart(&clinic).await;
    restrict(&clinic, &from).await;
    let readers = [clinic.practitioner(), clinic.admin(), clinic.auditor()];
    for who in &readers {
        let text = all_of(who, &into, &[&during]).await;
        assert_eq!(told(&text), [""; 0], "{:?} {text}", who.role());
        assert!(text.contains(&into.id) && text.contains("Smith"), "{text}");
        for ask in ["node(id: $id) { id }", "nodes(ids: [$id]) { id }"] {
            let answer = who.graphql(&query(ask), json!({"id": merge.id})).await;
            assert_eq!(answer.outcome(), CLOSED, "{ask}");
        }
        let list = query("patient(id: $id) { merges { id } }");
        assert_eq!(who.graphql(&list, json!({"id": into.id})).await.ok()["patient"]["merges"], json!([]));
        // Who says why is shown all of it, as it was.
        let text = all_of(&who.because("She asked me to"), &into, &[&during]).await;
        assert_eq!(told(&text).len(), WHO.len() + 1, "{:?} {text}", who.role());
    }
    // What they were while they were one is there for who says why; the log knows whom it was about.
    let asked = json!({"id": into.id, "at": during});
    let answer = readers[0].graphql(CHART, asked).await;
    assert_eq!((answer.outcome().as_str(), &answer.data["chart"]), (CLOSED, &Value::Null));
    assert_eq!(looks(&clinic).await, ("refused".to_owned(), [uuid_of(&from.id).to_string()].into()));
    // A retry of what was done while nobody was closed shows nothing either.
    let undone = readers[0].does("unmergePatients", json!({"mergeId": merge.id, "reason": "x"}), "merge { id }").await;
    assert_eq!(undone.outcome(), CLOSED);
}

/// The newest row of the access log: its event, and whom it names.
async fn looks(clinic: &Clinic) -> (String, BTreeSet<String>) {
    let sql = clinic.database.superuser().await;
    let row = format!(
        "SELECT event, array_to_string(patient_ids, ' ') FROM access_log WHERE org_id = '{}' ORDER BY seq DESC LIMIT 1",
        clinic.north.uuid
    );
    let row: Vec<String> = sql.rows(&row).await.remove(0).into_iter().map(Option::unwrap_or_default).collect();
    (row[0].clone(), row[1].split_whitespace().map(str::to_owned).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_of_the_application_shows_a_closed_patient_by_way_of_a_merge() {
    let clinic = Clinic::start().await;
    let Apart { from, into, .. } = apart(&clinic).await;
    let sql = clinic.database.superuser().await;
    let app = clinic.database.app(Some(clinic.north.uuid)).await;
    let mut tables = sql
        .column("SELECT name FROM patient_tables() WHERE name NOT IN ('patient_restriction', 'emergency_access')")
        .await;
    tables.extend(["patient", "patient_merge", "ledger"].map(str::to_owned));
    let shown = async || {
        let mut shown = Vec::new();
        for table in &tables {
            let rows = app.column(&format!("SELECT t::text FROM {table} AS t")).await;
            shown.extend(rows.into_iter().filter(|row| !told(row).is_empty()).map(|row| format!("{table} {row}")));
        }
        shown
    };
    app.run("SET app.opened = 'all'").await;
    assert!(shown().await.len() > 30);
    restrict(&clinic, &from).await;
    for opened in ["", &uuid_of(&into.id).to_string()] {
        app.run(&format!("SET app.opened = '{opened}'")).await;
        assert_eq!(shown().await, [""; 0], "open: {opened:?}");
        // Looking with nobody closed leaves the setting as it was.
        assert_eq!(app.one("SELECT current_setting('app.opened')").await, opened);
    }
    // In an emergency of the other, the front desk sees what is the other's now.
    app.run(&format!("SET app.opened = 'all'; SET app.only_patients = '{}'", uuid_of(&into.id))).await;
    clinic.database.superuser().await.plain_ledger("true").await;
    let clinical = "SELECT content FROM ledger WHERE patient_id IS NOT NULL \
        AND record_kind NOT IN ('patient', 'patient_merge', 'recall', 'emergency_access')";
    let rows = app.column(clinical).await;
    assert!(!rows.is_empty() && rows.iter().all(|row| told(row).is_empty()), "{rows:#?}");
    assert_eq!(app.one("SELECT current_setting('app.only_patients')").await, uuid_of(&into.id).to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stayed_is_as_closed_as_who_was_merged_away() {
    let clinic = Clinic::start().await;
    let Apart { from, into, merge, during } = apart(&clinic).await;
    let (anna, because) = (clinic.practitioner(), clinic.practitioner().because("She asked me to"));
    restrict(&clinic, &into).await;
    assert_eq!(anna.graphql(&query("node(id: $id) { id }"), json!({"id": merge.id})).await.outcome(), CLOSED);
    let now = anna.graphql(CHART, json!({"id": from.id})).await.ok()["chart"].clone();
    assert!(now["healthHistory"].as_array().is_some_and(|list| !list.is_empty()));
    let kinds: Vec<&str> =
        now["records"].as_array().expect("a list").iter().filter_map(|it| it["kind"].as_str()).collect();
    assert!(!kinds.contains(&"PATIENT_MERGE"), "{kinds:?}");
    // While they were one nothing was the first one's: not what they had before, either.
    let then = json!({"id": from.id, "at": during});
    assert_eq!(anna.graphql(CHART, then.clone()).await.outcome(), CLOSED);
    let then = because.graphql(CHART, then).await.ok()["chart"].clone();
    assert_eq!((&then["healthHistory"], &then["sessions"]), (&json!([]), &json!([])));
    let text = anna.graphql(PATIENT, json!({"id": from.id})).await.text;
    assert!(!text.contains(&into.id) && !text.contains("is the same"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_went_on_to_a_third_chart_is_closed_there_too() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let from = anna.patient_with(WHO[0], WHO[1], json!({"phone": WHO[2], "email": WHO[3]})).await;
    let mut between = anna.patient_with("Ian", "Smith", json!({"phone": "+34600999888"})).await;
    let last = anna.patient_with("Ada", "Byron", json!({"phone": "+34600777666"})).await;
    everything(&clinic, &from, TEXT).await;
    let first = anna.make("mergePatients", "merge", taking_all(&from, &between)).await;
    between.version += 1;
    let second = anna.make("mergePatients", "merge", taking_all(&between, &last)).await;
    let during = moment().await;
    unmerge(&anna, &second).await;
    let after = moment().await;
    unmerge(&anna, &first).await;
    // What the middle one was merged into after that tells of nobody else.
    let plain = anna.patient_with("Eve", "Stone", json!({})).await;
    between.version += 3;
    let resolution = json!({"resolution": [{"field": "LEGAL_NAME", "take": "INTO"}]});
    let third = anna.make("mergePatients", "merge", merging(&between, &plain, resolution)).await;
    unmerge(&anna, &third).await;
    restrict(&clinic, &from).await;
    for who in [clinic.practitioner(), clinic.admin()] {
        for patient in [&between, &last, &plain] {
            let text = all_of(&who, patient, &[&during, &after]).await;
            assert_eq!(told(&text), [""; 0], "{:?} {text}", who.role());
        }
        for (merge, outcome) in [(&first, CLOSED), (&second, CLOSED), (&third, "ok")] {
            let answer = who.graphql(&query("node(id: $id) { id }"), json!({"id": merge.id})).await;
            assert_eq!(answer.outcome(), outcome, "{}", answer.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_a_merge_names_both_charts_when_it_is_undone_too() {
    let clinic = Clinic::start().await;
    let Apart { from, into, merge, .. } = apart(&clinic).await;
    let (anna, admin) = (clinic.practitioner(), clinic.admin());
    let both: BTreeSet<String> = [&from, &into].map(|it| uuid_of(&it.id).to_string()).into();
    let asks = [
        ("node(id: $id) { id }", &merge),
        ("nodes(ids: [$id]) { id }", &merge),
        ("node(id: $id) { ... on PatientMerge { history { nodes { version } } } }", &merge),
        ("patient(id: $id) { merges { id } }", &from),
        ("patient(id: $id) { merges { id } }", &into),
        ("chart(patientId: $id) { records { kind content } }", &into),
    ];
    for (ask, about) in asks {
        let answer = anna.graphql(&query(ask), json!({"id": about.id})).await;
        answer.ok();
        assert_eq!(looks(&clinic).await, ("read".to_owned(), both.clone()), "{ask}");
    }
    let input = json!({"patientId": into.id});
    admin.does("exportPatient", input, "export { sha256 }").await.ok();
    assert_eq!(looks(&clinic).await, ("read".to_owned(), both.clone()));
    // A merge, and the answer to its retry.
    let input = merging(&Made { version: 3, ..from }, &Made { version: 4, ..into }, json!({"id": new_id("merge")}));
    let mut input = input;
    input["resolution"] = json!([{"field": "LEGAL_NAME", "take": "FROM"}, {"field": "PHONE", "take": "FROM"}]);
    for _ in 0..2 {
        anna.does("mergePatients", input.clone(), "merge { id }").await.ok();
        assert_eq!(looks(&clinic).await, ("read".to_owned(), both.clone()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_merged_by_mistake_is_erased_with_all_of_it_in_sight() {
    let clinic = Clinic::start().await;
    let Apart { from, into, merge, .. } = apart(&clinic).await;
    let (admin, sql) = (clinic.admin(), clinic.database.superuser().await);
    let input = erasing(&admin, &into).await;
    restrict(&clinic, &from).await;
    let refused = admin.does("erasePatient", input.clone(), "erasure { id }").await;
    assert_eq!(refused.outcome(), CLOSED, "{}", refused.text);
    assert_eq!(looks(&clinic).await, ("refused".to_owned(), [uuid_of(&from.id).to_string()].into()));
    let because = admin.because("He asked to be forgotten");
    because.does("erasePatient", input, "erasure { id }").await.ok();
    // Nothing of who was erased is left, and all of who was not.
    let left = format!(
        "SELECT count(*) FROM ledger WHERE record_id IN ('{}', '{}') AND (content IS NOT NULL OR packed IS NOT NULL OR salt IS NOT NULL)",
        uuid_of(&into.id),
        uuid_of(&merge.id)
    );
    assert_eq!(sql.one(&left).await, "0");
    assert_eq!(told(&all_of(&because, &from, &[]).await).len(), WHO.len() + 1);
    assert_eq!(crate::ledger::broken(&sql, "ledger", clinic.north.uuid).await, None);
}
